// RUN: effc-opt %s -eff-propagate-layout | FileCheck %s

// One transpose at the input; behind the global mean only units move.
// CHECK-LABEL: func @residual_net
// CHECK-SAME: (%[[X:.+]]: tensor<1x3x8x8xf32>)
// CHECK: %[[T:.+]] = eff.transpose %[[X]] [0, 2, 3, 1]
// CHECK: eff.conv %[[T]], {{.*}}channels_last = true{{.*}} -> tensor<1x8x8x4xf32>
// CHECK-NOT: eff.transpose
// CHECK: eff.pool max {{.*}}channels_last = true
// CHECK-NOT: eff.transpose
// CHECK: %[[MEAN:.+]] = eff.reduce mean %{{.+}} [1, 2] : (tensor<1x4x4x4xf32>) -> tensor<1x1x1x4xf32>
// CHECK-NEXT: %[[FLAT:.+]] = eff.reshape %[[MEAN]] : (tensor<1x1x1x4xf32>) -> tensor<1x4xf32>
// CHECK-NEXT: %[[Y:.+]] = eff.linear %[[FLAT]]
// CHECK-NEXT: return %[[Y]]
func.func @residual_net(%x: tensor<1x3x8x8xf32>) -> (tensor<1x2xf32>) {
  %c0 = eff.constant dense<1.0> : tensor<4x3x3x3xf32>
  %1 = eff.conv %x, %c0 {strides = array<i64: 1, 1>, dilations = array<i64: 1, 1>, pads = array<i64: 1, 1, 1, 1>} : (tensor<1x3x8x8xf32>, tensor<4x3x3x3xf32>) -> tensor<1x4x8x8xf32>
  %2 = eff.unary relu %1 : (tensor<1x4x8x8xf32>) -> tensor<1x4x8x8xf32>
  %3 = eff.pool max %2 {kernel = array<i64: 2, 2>, strides = array<i64: 2, 2>, dilations = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>} : (tensor<1x4x8x8xf32>) -> tensor<1x4x4x4xf32>
  %c4 = eff.constant dense<1.0> : tensor<4x4x3x3xf32>
  %5 = eff.conv %3, %c4 {strides = array<i64: 1, 1>, dilations = array<i64: 1, 1>, pads = array<i64: 1, 1, 1, 1>} : (tensor<1x4x4x4xf32>, tensor<4x4x3x3xf32>) -> tensor<1x4x4x4xf32>
  %c6 = eff.constant dense<[[[1.0]], [[2.0]], [[3.0]], [[4.0]]]> : tensor<4x1x1xf32>
  %7 = eff.binary mul %5, %c6 : (tensor<1x4x4x4xf32>, tensor<4x1x1xf32>) -> tensor<1x4x4x4xf32>
  %8 = eff.unary relu %7 : (tensor<1x4x4x4xf32>) -> tensor<1x4x4x4xf32>
  %c9 = eff.constant dense<1.0> : tensor<4x4x3x3xf32>
  %10 = eff.conv %8, %c9 {strides = array<i64: 1, 1>, dilations = array<i64: 1, 1>, pads = array<i64: 1, 1, 1, 1>} : (tensor<1x4x4x4xf32>, tensor<4x4x3x3xf32>) -> tensor<1x4x4x4xf32>
  %11 = eff.binary add %3, %10 : (tensor<1x4x4x4xf32>, tensor<1x4x4x4xf32>) -> tensor<1x4x4x4xf32>
  %12 = eff.unary relu %11 : (tensor<1x4x4x4xf32>) -> tensor<1x4x4x4xf32>
  %13 = eff.reduce mean %12 [2, 3] : (tensor<1x4x4x4xf32>) -> tensor<1x4x1x1xf32>
  %14 = eff.reshape %13 : (tensor<1x4x1x1xf32>) -> tensor<1x4xf32>
  %c15 = eff.constant dense<1.0> : tensor<4x2xf32>
  %16 = eff.linear %14, %c15 : (tensor<1x4xf32>, tensor<4x2xf32>) -> tensor<1x2xf32>
  return %16 : tensor<1x2xf32>
}

// With one channel even the transpose of the input is a reshape; the gate comes from a dense layer.
// CHECK-LABEL: func @squeeze_and_excite
// CHECK-NOT: eff.transpose
// CHECK: eff.reduce mean %{{.+}} [1, 2] {keepdims = false} : (tensor<1x8x8x4xf32>) -> tensor<1x4xf32>
// CHECK: %[[GATE:.+]] = eff.reshape %{{.+}} : (tensor<1x4xf32>) -> tensor<1x1x1x4xf32>
// CHECK: eff.binary mul %{{.+}}, %[[GATE]]
// CHECK: eff.transpose %{{.+}} [0, 3, 1, 2]
// CHECK-NEXT: return
func.func @squeeze_and_excite(%x: tensor<1x1x8x8xf32>) -> (tensor<1x4x8x8xf32>) {
  %c0 = eff.constant dense<1.0> : tensor<4x1x1x1xf32>
  %1 = eff.conv %x, %c0 {strides = array<i64: 1, 1>, dilations = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>} : (tensor<1x1x8x8xf32>, tensor<4x1x1x1xf32>) -> tensor<1x4x8x8xf32>
  %2 = eff.reduce mean %1 [2, 3] {keepdims = false} : (tensor<1x4x8x8xf32>) -> tensor<1x4xf32>
  %c3 = eff.constant dense<1.0> : tensor<4x4xf32>
  %4 = eff.linear %2, %c3 : (tensor<1x4xf32>, tensor<4x4xf32>) -> tensor<1x4xf32>
  %5 = eff.unary sigmoid %4 : (tensor<1x4xf32>) -> tensor<1x4xf32>
  %6 = eff.reshape %5 : (tensor<1x4xf32>) -> tensor<1x4x1x1xf32>
  %7 = eff.binary mul %1, %6 : (tensor<1x4x8x8xf32>, tensor<1x4x1x1xf32>) -> tensor<1x4x8x8xf32>
  return %7 : tensor<1x4x8x8xf32>
}

// The shuffle works on the last dims.
// CHECK-LABEL: func @channel_shuffle
// CHECK: eff.transpose %{{.+}} [0, 2, 3, 1]
// CHECK: eff.reshape %{{.+}} : (tensor<1x8x8x4xf32>) -> tensor<1x8x8x2x2xf32>
// CHECK-NEXT: eff.transpose %{{.+}} [0, 1, 2, 4, 3]
// CHECK-NEXT: eff.reshape %{{.+}} : (tensor<1x8x8x2x2xf32>) -> tensor<1x8x8x4xf32>
// CHECK-NEXT: eff.conv
func.func @channel_shuffle(%x: tensor<1x4x8x8xf32>) -> (tensor<1x4x8x8xf32>) {
  %c0 = eff.constant dense<1.0> : tensor<4x4x1x1xf32>
  %1 = eff.conv %x, %c0 {strides = array<i64: 1, 1>, dilations = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>} : (tensor<1x4x8x8xf32>, tensor<4x4x1x1xf32>) -> tensor<1x4x8x8xf32>
  %2 = eff.reshape %1 : (tensor<1x4x8x8xf32>) -> tensor<1x2x2x8x8xf32>
  %3 = eff.transpose %2 [0, 2, 1, 3, 4] : (tensor<1x2x2x8x8xf32>) -> tensor<1x2x2x8x8xf32>
  %4 = eff.reshape %3 : (tensor<1x2x2x8x8xf32>) -> tensor<1x4x8x8xf32>
  %c5 = eff.constant dense<1.0> : tensor<4x4x1x1xf32>
  %6 = eff.conv %4, %c5 {strides = array<i64: 1, 1>, dilations = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>} : (tensor<1x4x8x8xf32>, tensor<4x4x1x1xf32>) -> tensor<1x4x8x8xf32>
  return %6 : tensor<1x4x8x8xf32>
}

// Tokens are already rows.
// CHECK-LABEL: func @patch_embedding
// CHECK: eff.transpose
// CHECK: eff.conv
// CHECK-NEXT: %[[TOKENS:.+]] = eff.reshape %{{.+}} : (tensor<?x2x2x6xf32, #eff.dims<s0, 2, 2, 6>>) -> tensor<?x4x6xf32, #eff.dims<s0, 4, 6>>
// CHECK-NEXT: return %[[TOKENS]]
func.func @patch_embedding(%x: tensor<?x3x8x8xf32, #eff.dims<s0, 3, 8, 8>>) -> (tensor<?x4x6xf32, #eff.dims<s0, 4, 6>>) {
  %c0 = eff.constant dense<1.0> : tensor<6x3x4x4xf32>
  %1 = eff.conv %x, %c0 {strides = array<i64: 4, 4>, dilations = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>} : (tensor<?x3x8x8xf32, #eff.dims<s0, 3, 8, 8>>, tensor<6x3x4x4xf32>) -> tensor<?x6x2x2xf32, #eff.dims<s0, 6, 2, 2>>
  %2 = eff.reshape %1 : (tensor<?x6x2x2xf32, #eff.dims<s0, 6, 2, 2>>) -> tensor<?x6x4xf32, #eff.dims<s0, 6, 4>>
  %3 = eff.transpose %2 [0, 2, 1] : (tensor<?x6x4xf32, #eff.dims<s0, 6, 4>>) -> tensor<?x4x6xf32, #eff.dims<s0, 4, 6>>
  return %3 : tensor<?x4x6xf32, #eff.dims<s0, 4, 6>>
}

// CHECK-LABEL: func @movement
// CHECK: eff.conv
// CHECK-NOT: eff.transpose
// CHECK: eff.slice %{{.+}} <0, 0, 0, 1> by [1, 1, 1, 1] : (tensor<1x8x8x4xf32>) -> tensor<1x8x8x2xf32>
// CHECK: eff.pad constant %{{.+}} <0, 0, 1, 0> : (tensor<1x8x8x2xf32>) -> tensor<1x8x9x2xf32>
// CHECK: eff.resize nearest %{{.+}} {axes = array<i64: 1, 2>, {{.*}} : (tensor<1x8x9x2xf32>) -> tensor<1x16x18x2xf32>
// CHECK: eff.softmax %{{.+}} axis 3
// CHECK: eff.concat %{{.+}}, %{{.+}} axis 3 : (tensor<1x16x18x2xf32>, tensor<1x16x18x2xf32>) -> tensor<1x16x18x4xf32>
// CHECK: eff.group_norm %{{.+}} groups 2 {channels_last = true
// CHECK: eff.transpose %{{.+}} [0, 3, 1, 2]
func.func @movement(%x: tensor<1x2x8x8xf32>) -> (tensor<1x4x16x18xf32>) {
  %c0 = eff.constant dense<1.0> : tensor<4x2x1x1xf32>
  %1 = eff.conv %x, %c0 {strides = array<i64: 1, 1>, dilations = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>} : (tensor<1x2x8x8xf32>, tensor<4x2x1x1xf32>) -> tensor<1x4x8x8xf32>
  %2 = eff.slice %1 <0, 1, 0, 0> by [1, 1, 1, 1] : (tensor<1x4x8x8xf32>) -> tensor<1x2x8x8xf32>
  %3 = eff.pad constant %2 <0, 0, 0, 1> : (tensor<1x2x8x8xf32>) -> tensor<1x2x8x9xf32>
  %4 = eff.resize nearest %3 {axes = array<i64: 2, 3>, scales = array<f64: 2.0, 2.0>, coordinate_mode = #eff<coordinate_mode half_pixel>, nearest_mode = #eff<nearest_mode floor>} : (tensor<1x2x8x9xf32>) -> tensor<1x2x16x18xf32>
  %5 = eff.softmax %4 axis 1 : (tensor<1x2x16x18xf32>) -> tensor<1x2x16x18xf32>
  %6 = eff.concat %4, %5 axis 1 : (tensor<1x2x16x18xf32>, tensor<1x2x16x18xf32>) -> tensor<1x4x16x18xf32>
  %7 = eff.group_norm %6 groups 2 {epsilon = 1.0e-5 : f64} : (tensor<1x4x16x18xf32>) -> tensor<1x4x16x18xf32>
  return %7 : tensor<1x4x16x18xf32>
}

// The model's own transposes go.
// CHECK-LABEL: func @norm_between_transposes
// CHECK-SAME: (%[[X:.+]]: tensor<1x4x8x8xf32>)
// CHECK: %[[T:.+]] = eff.transpose %[[X]] [0, 2, 3, 1]
// CHECK: %[[C:.+]] = eff.conv %[[T]]
// CHECK-NEXT: %[[N:.+]] = eff.layer_norm %[[C]]
// CHECK-NEXT: %[[L:.+]] = eff.linear %[[N]]
// CHECK-NEXT: %[[S:.+]] = eff.binary add %[[T]], %[[L]]
// CHECK-NEXT: eff.conv %[[S]]
func.func @norm_between_transposes(%x: tensor<1x4x8x8xf32>) -> (tensor<1x4x8x8xf32>) {
  %c0 = eff.constant dense<1.0> : tensor<4x1x3x3xf32>
  %1 = eff.conv %x, %c0 {strides = array<i64: 1, 1>, dilations = array<i64: 1, 1>, pads = array<i64: 1, 1, 1, 1>, groups = 4 : i64} : (tensor<1x4x8x8xf32>, tensor<4x1x3x3xf32>) -> tensor<1x4x8x8xf32>
  %2 = eff.transpose %1 [0, 2, 3, 1] : (tensor<1x4x8x8xf32>) -> tensor<1x8x8x4xf32>
  %3 = eff.layer_norm %2 axis 3 {epsilon = 1.0e-5 : f64} : (tensor<1x8x8x4xf32>) -> tensor<1x8x8x4xf32>
  %c4 = eff.constant dense<1.0> : tensor<4x4xf32>
  %5 = eff.linear %3, %c4 : (tensor<1x8x8x4xf32>, tensor<4x4xf32>) -> tensor<1x8x8x4xf32>
  %6 = eff.transpose %5 [0, 3, 1, 2] : (tensor<1x8x8x4xf32>) -> tensor<1x4x8x8xf32>
  %7 = eff.binary add %x, %6 : (tensor<1x4x8x8xf32>, tensor<1x4x8x8xf32>) -> tensor<1x4x8x8xf32>
  %c8 = eff.constant dense<1.0> : tensor<4x4x1x1xf32>
  %9 = eff.conv %7, %c8 {strides = array<i64: 1, 1>, dilations = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>} : (tensor<1x4x8x8xf32>, tensor<4x4x1x1xf32>) -> tensor<1x4x8x8xf32>
  return %9 : tensor<1x4x8x8xf32>
}

// Products read what is there.
// CHECK-LABEL: func @matmul_of_channels
// CHECK: %[[C:.+]] = eff.conv
// CHECK-NEXT: eff.matmul %[[C]], %[[C]] {transpose_b = true}
func.func @matmul_of_channels(%x: tensor<1x4x8xf32>, %w: tensor<6x4x1xf32>) -> (tensor<1x8x8xf32>) {
  %0 = eff.conv %x, %w {strides = array<i64: 1>, dilations = array<i64: 1>, pads = array<i64: 0, 0>} : (tensor<1x4x8xf32>, tensor<6x4x1xf32>) -> tensor<1x6x8xf32>
  %1 = eff.matmul %0, %0 {transpose_a = true} : (tensor<1x6x8xf32>, tensor<1x6x8xf32>) -> tensor<1x8x8xf32>
  return %1 : tensor<1x8x8xf32>
}

// CHECK-LABEL: func @no_convolution
// CHECK-NEXT: eff.unary relu %{{.+}} : (tensor<1x4x8x8xf32>)
// CHECK-NEXT: return
func.func @no_convolution(%x: tensor<1x4x8x8xf32>) -> (tensor<1x4x8x8xf32>) {
  %0 = eff.unary relu %x : (tensor<1x4x8x8xf32>) -> tensor<1x4x8x8xf32>
  return %0 : tensor<1x4x8x8xf32>
}

// Integer convolutions keep their pads and the type of their sums.
// CHECK-LABEL: func @quantised
// CHECK: %[[T:.+]] = eff.transpose %arg0 [0, 2, 3, 1] : (tensor<1x3x8x8xui8>) -> tensor<1x8x8x3xui8>
// CHECK: eff.conv %[[T]], %{{.+}} {channels_last = true, {{.*}}pad_value = 7 : i64{{.*}} -> tensor<1x8x8x4xi32>
// CHECK: eff.convert {{.*}} -> tensor<1x8x8x4xf32>
func.func @quantised(%x: tensor<1x3x8x8xui8>, %w: tensor<4x3x3x3xi8>) -> tensor<1x4x8x8xf32> {
  %0 = eff.conv %x, %w {strides = array<i64: 1, 1>, dilations = array<i64: 1, 1>, pads = array<i64: 1, 1, 1, 1>, pad_value = 7 : i64} : (tensor<1x3x8x8xui8>, tensor<4x3x3x3xi8>) -> tensor<1x4x8x8xi32>
  %1 = eff.convert %0 : (tensor<1x4x8x8xi32>) -> tensor<1x4x8x8xf32>
  return %1 : tensor<1x4x8x8xf32>
}

// Few channels: a padded copy makes one run of the taps of a kernel row. A map of a few pixels is not worth a copy.
// CHECK-LABEL: func @pads_before
// CHECK: %[[P:.+]] = eff.pad {{ *}}constant %{{.+}} <0, 0, 3, 2> : (tensor<1x3x64x?xf32, #eff.dims<1, 3, 64, s0>>) -> tensor<1x3x70x?xf32, #eff.dims<1, 3, 70, s0 + 6>>
// CHECK: %[[T:.+]] = eff.transpose %[[P]] [0, 2, 3, 1]
// CHECK: eff.conv %[[T]], {{.*}}channels_last = true, {{.*}}pads = array<i64: 0, 0, 0, 0>
// CHECK-NOT: eff.pad
// CHECK: return
func.func @pads_before(%x: tensor<1x3x64x?xf32, #eff.dims<1, 3, 64, s0>>, %small: tensor<1x3x8x8xf32>)
    -> (tensor<1x8x64x?xf32, #eff.dims<1, 8, 64, s0>>, tensor<1x8x8x8xf32>) attributes {eff.symbols = [#eff.symbol<"w", input 0, axis 3, in 1 to 100>]} {
  %w = eff.constant dense<1.0> : tensor<8x3x7x7xf32>
  %0 = eff.conv %x, %w {strides = array<i64: 1, 1>, dilations = array<i64: 1, 1>, pads = array<i64: 3, 2, 3, 4>} : (tensor<1x3x64x?xf32, #eff.dims<1, 3, 64, s0>>, tensor<8x3x7x7xf32>) -> tensor<1x8x64x?xf32, #eff.dims<1, 8, 64, s0>>
  %v = eff.constant dense<1.0> : tensor<8x3x3x3xf32>
  %1 = eff.conv %small, %v {strides = array<i64: 1, 1>, dilations = array<i64: 1, 1>, pads = array<i64: 1, 1, 1, 1>} : (tensor<1x3x8x8xf32>, tensor<8x3x3x3xf32>) -> tensor<1x8x8x8xf32>
  return %0, %1 : tensor<1x8x64x?xf32, #eff.dims<1, 8, 64, s0>>, tensor<1x8x8x8xf32>
}
