// RUN: effc-opt %s -eff-raise-softmax -split-input-file | FileCheck %s

// CHECK-LABEL: func.func @softmax
func.func @softmax(%x: tensor<2x4xf32>) -> tensor<2x4xf32> {
  %0 = eff.reduce max %x [1] : (tensor<2x4xf32>) -> tensor<2x1xf32>
  %1 = eff.binary sub %x, %0 : (tensor<2x4xf32>, tensor<2x1xf32>) -> tensor<2x4xf32>
  %2 = eff.unary exp %1 : (tensor<2x4xf32>) -> tensor<2x4xf32>
  %3 = eff.reduce sum %2 [1] : (tensor<2x4xf32>) -> tensor<2x1xf32>
  // CHECK: %[[Y:.+]] = eff.softmax %arg0 axis 1
  // CHECK-NEXT: return %[[Y]]
  %4 = eff.binary div %2, %3 : (tensor<2x4xf32>, tensor<2x1xf32>) -> tensor<2x4xf32>
  return %4 : tensor<2x4xf32>
}

// -----

// CHECK-LABEL: func.func @dims_lost_and_put_back
func.func @dims_lost_and_put_back(%x: tensor<2x4xf32>) -> tensor<2x4xf32> {
  %inf = eff.constant dense<0xFF800000> : tensor<f32>
  %0 = eff.reduce max %x [1] {keepdims = false} : (tensor<2x4xf32>) -> tensor<2xf32>
  %1 = eff.binary max %inf, %0 : (tensor<f32>, tensor<2xf32>) -> tensor<2xf32>
  %2 = eff.reshape %1 : (tensor<2xf32>) -> tensor<2x1xf32>
  %3 = eff.binary sub %x, %2 : (tensor<2x4xf32>, tensor<2x1xf32>) -> tensor<2x4xf32>
  %4 = eff.unary exp %3 : (tensor<2x4xf32>) -> tensor<2x4xf32>
  %5 = eff.reduce sum %4 [1] {keepdims = false} : (tensor<2x4xf32>) -> tensor<2xf32>
  %6 = eff.reshape %5 : (tensor<2xf32>) -> tensor<2x1xf32>
  // CHECK: eff.softmax %arg0 axis 1
  %7 = eff.binary div %4, %6 : (tensor<2x4xf32>, tensor<2x1xf32>) -> tensor<2x4xf32>
  return %7 : tensor<2x4xf32>
}

// -----

// CHECK-LABEL: func.func @sum_over_another_axis
func.func @sum_over_another_axis(%x: tensor<2x4xf32>) -> tensor<2x4xf32> {
  %0 = eff.reduce max %x [1] : (tensor<2x4xf32>) -> tensor<2x1xf32>
  %1 = eff.binary sub %x, %0 : (tensor<2x4xf32>, tensor<2x1xf32>) -> tensor<2x4xf32>
  // CHECK: eff.unary exp
  %2 = eff.unary exp %1 : (tensor<2x4xf32>) -> tensor<2x4xf32>
  %3 = eff.reduce sum %2 [0] : (tensor<2x4xf32>) -> tensor<1x4xf32>
  %4 = eff.binary div %2, %3 : (tensor<2x4xf32>, tensor<1x4xf32>) -> tensor<2x4xf32>
  return %4 : tensor<2x4xf32>
}

// -----

// CHECK-LABEL: func.func @exponentials_are_returned
func.func @exponentials_are_returned(%x: tensor<2x4xf32>) -> (tensor<2x4xf32>, tensor<2x4xf32>) {
  %0 = eff.reduce max %x [1] : (tensor<2x4xf32>) -> tensor<2x1xf32>
  %1 = eff.binary sub %x, %0 : (tensor<2x4xf32>, tensor<2x1xf32>) -> tensor<2x4xf32>
  // CHECK: eff.unary exp
  %2 = eff.unary exp %1 : (tensor<2x4xf32>) -> tensor<2x4xf32>
  %3 = eff.reduce sum %2 [1] : (tensor<2x4xf32>) -> tensor<2x1xf32>
  %4 = eff.binary div %2, %3 : (tensor<2x4xf32>, tensor<2x1xf32>) -> tensor<2x4xf32>
  return %4, %2 : tensor<2x4xf32>, tensor<2x4xf32>
}
