// RUN: effc-opt %s -eff-raise-activations -eff-raise-softmax -eff-raise-norms -mlir-print-debuginfo -mlir-print-local-scope -split-input-file | FileCheck %s

// The op names all nodes that it stands for.
// CHECK-LABEL: func.func @silu
func.func @silu(%x: tensor<4xf32>) -> tensor<4xf32> {
  %0 = eff.unary sigmoid %x : (tensor<4xf32>) -> tensor<4xf32> loc("node sigmoid")
  // CHECK: eff.unary silu {{.+}} loc(fused["node sigmoid", "node mul"])
  %1 = eff.binary mul %x, %0 : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32> loc("node mul")
  return %1 : tensor<4xf32>
}

// -----

// CHECK-LABEL: func.func @softmax
func.func @softmax(%x: tensor<2x4xf32>) -> tensor<2x4xf32> {
  %0 = eff.reduce max %x [1] : (tensor<2x4xf32>) -> tensor<2x1xf32> loc("max")
  %1 = eff.binary sub %x, %0 : (tensor<2x4xf32>, tensor<2x1xf32>) -> tensor<2x4xf32> loc("sub")
  %2 = eff.unary exp %1 : (tensor<2x4xf32>) -> tensor<2x4xf32> loc("exp")
  %3 = eff.reduce sum %2 [1] : (tensor<2x4xf32>) -> tensor<2x1xf32> loc("sum")
  // CHECK: eff.softmax {{.+}} loc(fused["div", "exp", "sum", "sub", "max"])
  %4 = eff.binary div %2, %3 : (tensor<2x4xf32>, tensor<2x1xf32>) -> tensor<2x4xf32> loc("div")
  return %4 : tensor<2x4xf32>
}
