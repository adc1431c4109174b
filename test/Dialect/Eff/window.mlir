// RUN: effc-opt %s | effc-opt | FileCheck %s

// CHECK-LABEL: func @windows
// CHECK: eff.pool max %{{.+}} {dilations = array<i64: 1, 1>, kernel = array<i64: 3, 3>
// CHECK: eff.pool_indices %{{.+}} {column_major = true
// CHECK: eff.resize linear %{{.+}} {axes = array<i64: 2, 3>
func.func @windows(%x: tensor<1x3x8x8xf32>) -> (tensor<1x3x8x8xf32>, tensor<1x3x4x4xi64>) {
  // Rounding up: the last window is cut by the border.
  %0 = eff.pool max %x {kernel = array<i64: 3, 3>, strides = array<i64: 2, 2>, dilations = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>} : (tensor<1x3x8x8xf32>) -> tensor<1x3x4x4xf32>
  %1 = eff.pool_indices %x {kernel = array<i64: 2, 2>, strides = array<i64: 2, 2>, dilations = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, column_major = true} : (tensor<1x3x8x8xf32>) -> tensor<1x3x4x4xi64>
  %2 = eff.resize linear %0 {axes = array<i64: 2, 3>, scales = array<f64: 2.0, 2.0>, coordinate_mode = #eff<coordinate_mode half_pixel>, nearest_mode = #eff<nearest_mode floor>} : (tensor<1x3x4x4xf32>) -> tensor<1x3x8x8xf32>
  return %2, %1 : tensor<1x3x8x8xf32>, tensor<1x3x4x4xi64>
}
