// RUN: effc-opt %s -eff-fold-constants -mlir-print-debuginfo -mlir-print-local-scope | FileCheck %s

// CHECK: eff.constant dense<2.000000e+00> : tensor<f32> loc("root")
func.func @locations() -> tensor<f32> {
  %0 = eff.constant dense<4.0> : tensor<f32> loc("four")
  %1 = eff.unary sqrt %0 : (tensor<f32>) -> tensor<f32> loc("root")
  return %1 : tensor<f32>
}
