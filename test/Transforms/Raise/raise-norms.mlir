// RUN: effc-opt %s -eff-raise-norms -split-input-file | FileCheck %s

// CHECK-LABEL: func.func @layer_norm_ln1
func.func @layer_norm_ln1(%x: tensor<2x3x4xf32>, %g: tensor<4xf32>) -> tensor<2x3x4xf32> {
  %two = eff.constant dense<2.0> : tensor<f32>
  %eps = eff.constant dense<1.0e-5> : tensor<f32>
  %b = eff.constant dense<[1.0, 2.0, 3.0, 4.0]> : tensor<4xf32>
  %0 = eff.reduce mean %x [2] : (tensor<2x3x4xf32>) -> tensor<2x3x1xf32>
  %1 = eff.binary sub %x, %0 : (tensor<2x3x4xf32>, tensor<2x3x1xf32>) -> tensor<2x3x4xf32>
  %2 = eff.binary pow %1, %two : (tensor<2x3x4xf32>, tensor<f32>) -> tensor<2x3x4xf32>
  %3 = eff.reduce mean %2 [2] : (tensor<2x3x4xf32>) -> tensor<2x3x1xf32>
  %4 = eff.binary add %3, %eps : (tensor<2x3x1xf32>, tensor<f32>) -> tensor<2x3x1xf32>
  %5 = eff.unary sqrt %4 : (tensor<2x3x1xf32>) -> tensor<2x3x1xf32>
  %6 = eff.binary div %1, %5 : (tensor<2x3x4xf32>, tensor<2x3x1xf32>) -> tensor<2x3x4xf32>
  %7 = eff.binary mul %6, %g : (tensor<2x3x4xf32>, tensor<4xf32>) -> tensor<2x3x4xf32>
  // CHECK: %[[B:.+]] = eff.constant
  // CHECK: %[[Y:.+]] = eff.layer_norm %arg0 scale %arg1 bias %[[B]] axis 2 {epsilon = {{9.99.+|1.00.+}} : f64}
  // CHECK-NEXT: return %[[Y]]
  %8 = eff.binary add %7, %b : (tensor<2x3x4xf32>, tensor<4xf32>) -> tensor<2x3x4xf32>
  return %8 : tensor<2x3x4xf32>
}

// -----

// CHECK-LABEL: func.func @layer_norm_subtracting_twice
func.func @layer_norm_subtracting_twice(%x: tensor<3x4xf32>) -> tensor<3x4xf32> {
  %eps = eff.constant dense<1.0e-12> : tensor<f32>
  %0 = eff.reduce mean %x [1] : (tensor<3x4xf32>) -> tensor<3x1xf32>
  %1 = eff.binary sub %x, %0 : (tensor<3x4xf32>, tensor<3x1xf32>) -> tensor<3x4xf32>
  %2 = eff.binary sub %x, %0 : (tensor<3x4xf32>, tensor<3x1xf32>) -> tensor<3x4xf32>
  %3 = eff.binary mul %2, %2 : (tensor<3x4xf32>, tensor<3x4xf32>) -> tensor<3x4xf32>
  %4 = eff.reduce mean %3 [1] : (tensor<3x4xf32>) -> tensor<3x1xf32>
  %5 = eff.binary add %eps, %4 : (tensor<f32>, tensor<3x1xf32>) -> tensor<3x1xf32>
  %6 = eff.unary sqrt %5 : (tensor<3x1xf32>) -> tensor<3x1xf32>
  // CHECK: eff.layer_norm %arg0 axis 1
  %7 = eff.binary div %1, %6 : (tensor<3x4xf32>, tensor<3x1xf32>) -> tensor<3x4xf32>
  return %7 : tensor<3x4xf32>
}

// -----

// CHECK-LABEL: func.func @layer_norm_of_tensorflow
func.func @layer_norm_of_tensorflow(%x: tensor<3x4xf32>, %g: tensor<4xf32>, %b: tensor<4xf32>) -> tensor<3x4xf32> {
  %eps = eff.constant dense<1.0e-3> : tensor<f32>
  %0 = eff.reduce mean %x [1] : (tensor<3x4xf32>) -> tensor<3x1xf32>
  %1 = eff.binary sub %x, %0 : (tensor<3x4xf32>, tensor<3x1xf32>) -> tensor<3x4xf32>
  %2 = eff.binary mul %1, %1 : (tensor<3x4xf32>, tensor<3x4xf32>) -> tensor<3x4xf32>
  %3 = eff.reduce mean %2 [1] : (tensor<3x4xf32>) -> tensor<3x1xf32>
  %4 = eff.binary add %3, %eps : (tensor<3x1xf32>, tensor<f32>) -> tensor<3x1xf32>
  %5 = eff.unary sqrt %4 : (tensor<3x1xf32>) -> tensor<3x1xf32>
  %6 = eff.unary reciprocal %5 : (tensor<3x1xf32>) -> tensor<3x1xf32>
  %k = eff.binary mul %6, %g : (tensor<3x1xf32>, tensor<4xf32>) -> tensor<3x4xf32>
  %7 = eff.binary mul %0, %k : (tensor<3x1xf32>, tensor<3x4xf32>) -> tensor<3x4xf32>
  %8 = eff.binary sub %b, %7 : (tensor<4xf32>, tensor<3x4xf32>) -> tensor<3x4xf32>
  %9 = eff.binary mul %x, %k : (tensor<3x4xf32>, tensor<3x4xf32>) -> tensor<3x4xf32>
  // CHECK: %[[Y:.+]] = eff.layer_norm %arg0 scale %arg1 bias %arg2 axis 1
  // CHECK-NEXT: return %[[Y]]
  %10 = eff.binary add %9, %8 : (tensor<3x4xf32>, tensor<3x4xf32>) -> tensor<3x4xf32>
  return %10 : tensor<3x4xf32>
}

// -----

// The mean is of all elements: statistics of one tensor.
// CHECK-LABEL: func.func @mean_over_all_dims
func.func @mean_over_all_dims(%x: tensor<3x4xf32>) -> tensor<3x4xf32> {
  %eps = eff.constant dense<1.0e-5> : tensor<f32>
  %0 = eff.reduce mean %x [0, 1] : (tensor<3x4xf32>) -> tensor<1x1xf32>
  %1 = eff.binary sub %x, %0 : (tensor<3x4xf32>, tensor<1x1xf32>) -> tensor<3x4xf32>
  %2 = eff.binary mul %1, %1 : (tensor<3x4xf32>, tensor<3x4xf32>) -> tensor<3x4xf32>
  %3 = eff.reduce mean %2 [0, 1] : (tensor<3x4xf32>) -> tensor<1x1xf32>
  %4 = eff.binary add %3, %eps : (tensor<1x1xf32>, tensor<f32>) -> tensor<1x1xf32>
  %5 = eff.unary sqrt %4 : (tensor<1x1xf32>) -> tensor<1x1xf32>
  // CHECK: eff.binary div
  %6 = eff.binary div %1, %5 : (tensor<3x4xf32>, tensor<1x1xf32>) -> tensor<3x4xf32>
  return %6 : tensor<3x4xf32>
}

// -----

// CHECK-LABEL: func.func @mean_of_another_value
func.func @mean_of_another_value(%x: tensor<3x4xf32>, %z: tensor<3x4xf32>) -> tensor<3x4xf32> {
  %eps = eff.constant dense<1.0e-5> : tensor<f32>
  %0 = eff.reduce mean %z [1] : (tensor<3x4xf32>) -> tensor<3x1xf32>
  %1 = eff.binary sub %x, %0 : (tensor<3x4xf32>, tensor<3x1xf32>) -> tensor<3x4xf32>
  %2 = eff.binary mul %1, %1 : (tensor<3x4xf32>, tensor<3x4xf32>) -> tensor<3x4xf32>
  %3 = eff.reduce mean %2 [1] : (tensor<3x4xf32>) -> tensor<3x1xf32>
  %4 = eff.binary add %3, %eps : (tensor<3x1xf32>, tensor<f32>) -> tensor<3x1xf32>
  %5 = eff.unary sqrt %4 : (tensor<3x1xf32>) -> tensor<3x1xf32>
  // CHECK-NOT: layer_norm
  // CHECK: eff.rms_norm
  %6 = eff.binary div %1, %5 : (tensor<3x4xf32>, tensor<3x1xf32>) -> tensor<3x4xf32>
  return %6 : tensor<3x4xf32>
}

// -----

// CHECK-LABEL: func.func @variance_is_returned
func.func @variance_is_returned(%x: tensor<3x4xf32>) -> (tensor<3x4xf32>, tensor<3x1xf32>) {
  %eps = eff.constant dense<1.0e-5> : tensor<f32>
  %0 = eff.binary mul %x, %x : (tensor<3x4xf32>, tensor<3x4xf32>) -> tensor<3x4xf32>
  %1 = eff.reduce mean %0 [1] : (tensor<3x4xf32>) -> tensor<3x1xf32>
  %2 = eff.binary add %1, %eps : (tensor<3x1xf32>, tensor<f32>) -> tensor<3x1xf32>
  %3 = eff.unary sqrt %2 : (tensor<3x1xf32>) -> tensor<3x1xf32>
  // CHECK: eff.binary div
  %4 = eff.binary div %x, %3 : (tensor<3x4xf32>, tensor<3x1xf32>) -> tensor<3x4xf32>
  return %4, %1 : tensor<3x4xf32>, tensor<3x1xf32>
}

// -----

// CHECK-LABEL: func.func @epsilon_is_too_large
func.func @epsilon_is_too_large(%x: tensor<3x4xf32>) -> tensor<3x4xf32> {
  %eps = eff.constant dense<0.5> : tensor<f32>
  %0 = eff.binary mul %x, %x : (tensor<3x4xf32>, tensor<3x4xf32>) -> tensor<3x4xf32>
  %1 = eff.reduce mean %0 [1] : (tensor<3x4xf32>) -> tensor<3x1xf32>
  %2 = eff.binary add %1, %eps : (tensor<3x1xf32>, tensor<f32>) -> tensor<3x1xf32>
  %3 = eff.unary sqrt %2 : (tensor<3x1xf32>) -> tensor<3x1xf32>
  // CHECK: eff.binary div
  %4 = eff.binary div %x, %3 : (tensor<3x4xf32>, tensor<3x1xf32>) -> tensor<3x4xf32>
  return %4 : tensor<3x4xf32>
}

// -----

// CHECK-LABEL: func.func @rms_norm_by_reciprocal
func.func @rms_norm_by_reciprocal(%x: tensor<3x4xf32>) -> tensor<3x4xf32> {
  %eps = eff.constant dense<1.0e-6> : tensor<f32>
  %one = eff.constant dense<1.0> : tensor<f32>
  %g = eff.constant dense<[1.0, 2.0, 3.0, 4.0]> : tensor<4xf32>
  %0 = eff.binary mul %x, %x : (tensor<3x4xf32>, tensor<3x4xf32>) -> tensor<3x4xf32>
  %1 = eff.reduce mean %0 [1] : (tensor<3x4xf32>) -> tensor<3x1xf32>
  %2 = eff.binary add %1, %eps : (tensor<3x1xf32>, tensor<f32>) -> tensor<3x1xf32>
  %3 = eff.unary sqrt %2 : (tensor<3x1xf32>) -> tensor<3x1xf32>
  %4 = eff.binary div %one, %3 : (tensor<f32>, tensor<3x1xf32>) -> tensor<3x1xf32>
  %5 = eff.binary mul %x, %4 : (tensor<3x4xf32>, tensor<3x1xf32>) -> tensor<3x4xf32>
  // CHECK: %[[G:.+]] = eff.constant
  // CHECK: %[[Y:.+]] = eff.rms_norm %arg0 scale %[[G]] axis 1
  // CHECK-NEXT: return %[[Y]]
  %6 = eff.binary mul %g, %5 : (tensor<4xf32>, tensor<3x4xf32>) -> tensor<3x4xf32>
  return %6 : tensor<3x4xf32>
}

// -----

// CHECK-LABEL: func.func @group_norm
func.func @group_norm(%x: tensor<2x6x3x3xf32>) -> tensor<2x6x3x3xf32> {
  %one = eff.constant dense<1.0> : tensor<2xf32>
  %zero = eff.constant dense<0.0> : tensor<2xf32>
  %g = eff.constant dense<[[[1.0]], [[2.0]], [[3.0]], [[4.0]], [[5.0]], [[6.0]]]> : tensor<6x1x1xf32>
  %0 = eff.reshape %x : (tensor<2x6x3x3xf32>) -> tensor<2x2x27xf32>
  %1 = eff.group_norm %0 scale %one bias %zero groups 2 {epsilon = 1.0e-5 : f64} : (tensor<2x2x27xf32>, tensor<2xf32>, tensor<2xf32>) -> tensor<2x2x27xf32>
  %2 = eff.reshape %1 : (tensor<2x2x27xf32>) -> tensor<2x6x3x3xf32>
  // CHECK: eff.group_norm %arg0 scale %{{.+}} groups 2 {{.+}} tensor<2x6x3x3xf32>
  // CHECK-NEXT: return
  %3 = eff.binary mul %2, %g : (tensor<2x6x3x3xf32>, tensor<6x1x1xf32>) -> tensor<2x6x3x3xf32>
  return %3 : tensor<2x6x3x3xf32>
}
