// RUN: effc-opt %s -eff-canonicalize-model -mlir-print-debuginfo -mlir-print-local-scope | FileCheck %s

// The bias keeps the names of both nodes.
// CHECK: eff.conv {{.*}} loc(fused["conv1", "add1"])
func.func @locations(%x: tensor<1x1x4xf32>) -> tensor<1x2x3xf32> {
  %w = eff.constant dense<1.0> : tensor<2x1x2xf32>
  %shift = eff.constant dense<0.5> : tensor<2x1xf32>
  %0 = eff.conv %x, %w {strides = array<i64: 1>, dilations = array<i64: 1>, pads = array<i64: 0, 0>} : (tensor<1x1x4xf32>, tensor<2x1x2xf32>) -> tensor<1x2x3xf32> loc("conv1")
  %1 = eff.binary add %0, %shift : (tensor<1x2x3xf32>, tensor<2x1xf32>) -> tensor<1x2x3xf32> loc("add1")
  return %1 : tensor<1x2x3xf32>
}
