// RUN: effc-opt %s | effc-opt | FileCheck %s

// CHECK-LABEL: func @matmul_broadcasts_leading_dims
// CHECK: eff.matmul %{{.+}}, %{{.+}} : (tensor<?x2x3x4xf32, #eff.dims<s0, 2, 3, 4>>, tensor<2x4x5xf32>) -> tensor<?x2x3x5xf32, #eff.dims<s0, 2, 3, 5>>
func.func @matmul_broadcasts_leading_dims(%a: tensor<?x2x3x4xf32, #eff.dims<s0, 2, 3, 4>>, %b: tensor<2x4x5xf32>) -> tensor<?x2x3x5xf32, #eff.dims<s0, 2, 3, 5>> {
  %0 = eff.matmul %a, %b : (tensor<?x2x3x4xf32, #eff.dims<s0, 2, 3, 4>>, tensor<2x4x5xf32>) -> tensor<?x2x3x5xf32, #eff.dims<s0, 2, 3, 5>>
  return %0 : tensor<?x2x3x5xf32, #eff.dims<s0, 2, 3, 5>>
}

// CHECK-LABEL: func @matmul_transposed
// CHECK: eff.matmul %{{.+}}, %{{.+}} {transpose_a = true, transpose_b = true}
func.func @matmul_transposed(%a: tensor<4x3xi32>, %b: tensor<5x4xi32>) -> tensor<3x5xi32> {
  %0 = eff.matmul %a, %b {transpose_a = true, transpose_b = true} : (tensor<4x3xi32>, tensor<5x4xi32>) -> tensor<3x5xi32>
  return %0 : tensor<3x5xi32>
}

// CHECK-LABEL: func @linear
// CHECK: eff.linear %{{.+}}, %{{.+}} bias %{{.+}} {transpose_weight = true}
func.func @linear(%x: tensor<2x3x4xf16>, %w: tensor<5x4xf16>, %b: tensor<5xf16>) -> tensor<2x3x5xf16> {
  %0 = eff.linear %x, %w bias %b {transpose_weight = true} : (tensor<2x3x4xf16>, tensor<5x4xf16>, tensor<5xf16>) -> tensor<2x3x5xf16>
  return %0 : tensor<2x3x5xf16>
}

// CHECK-LABEL: func @conv
// CHECK: eff.conv %{{.+}}, %{{.+}} bias %{{.+}} {dilations = array<i64: 1, 1>, pads = array<i64: 1, 1, 1, 1>, strides = array<i64: 2, 2>}
func.func @conv(%x: tensor<1x3x?x8xf32, #eff.dims<1, 3, s0, 8>>, %w: tensor<6x3x3x3xf32>, %b: tensor<6xf32>) -> tensor<1x6x?x4xf32, #eff.dims<1, 6, (s0 - 1) floordiv 2 + 1, 4>> {
  %0 = eff.conv %x, %w bias %b {strides = array<i64: 2, 2>, dilations = array<i64: 1, 1>, pads = array<i64: 1, 1, 1, 1>} : (tensor<1x3x?x8xf32, #eff.dims<1, 3, s0, 8>>, tensor<6x3x3x3xf32>, tensor<6xf32>) -> tensor<1x6x?x4xf32, #eff.dims<1, 6, (s0 - 1) floordiv 2 + 1, 4>>
  return %0 : tensor<1x6x?x4xf32, #eff.dims<1, 6, (s0 - 1) floordiv 2 + 1, 4>>
}

// CHECK-LABEL: func @depthwise_channels_last
// CHECK: channels_last = true
func.func @depthwise_channels_last(%x: tensor<1x8x6xf32>, %w: tensor<6x1x3xf32>) -> tensor<1x6x6xf32> {
  %0 = eff.conv %x, %w {strides = array<i64: 1>, dilations = array<i64: 1>, pads = array<i64: 0, 0>, groups = 6 : i64, channels_last = true} : (tensor<1x8x6xf32>, tensor<6x1x3xf32>) -> tensor<1x6x6xf32>
  return %0 : tensor<1x6x6xf32>
}

// CHECK-LABEL: func @conv_transpose
// CHECK: eff.conv_transpose
func.func @conv_transpose(%x: tensor<1x4x5x5xf32>, %w: tensor<4x3x2x2xf32>) -> tensor<1x3x11x10xf32> {
  %0 = eff.conv_transpose %x, %w {strides = array<i64: 2, 2>, dilations = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, output_padding = array<i64: 1, 0>} : (tensor<1x4x5x5xf32>, tensor<4x3x2x2xf32>) -> tensor<1x3x11x10xf32>
  return %0 : tensor<1x3x11x10xf32>
}

// 8-bit integers of either sign are summed in i32.
// CHECK-LABEL: func @bytes
// CHECK: eff.matmul {{.*}} -> tensor<3x5xi32>
// CHECK: eff.linear {{.*}} -> tensor<3x5xi32>
// CHECK: eff.matmul {{.*}} -> tensor<3x5xi8>
func.func @bytes(%a: tensor<3x4xui8>, %b: tensor<4x5xi8>, %c: tensor<3x4xi8>, %d: tensor<5xi32>) -> (tensor<3x5xi32>, tensor<3x5xi32>, tensor<3x5xi8>) {
  %0 = eff.matmul %a, %b : (tensor<3x4xui8>, tensor<4x5xi8>) -> tensor<3x5xi32>
  %1 = eff.linear %c, %b bias %d : (tensor<3x4xi8>, tensor<4x5xi8>, tensor<5xi32>) -> tensor<3x5xi32>
  %2 = eff.matmul %c, %b : (tensor<3x4xi8>, tensor<4x5xi8>) -> tensor<3x5xi8>
  return %0, %1, %2 : tensor<3x5xi32>, tensor<3x5xi32>, tensor<3x5xi8>
}

// ... and bf16 in f32.
// CHECK-LABEL: func @halves
// CHECK: eff.matmul {{.*}} -> tensor<3x5xbf16>
// CHECK: eff.matmul {{.*}} -> tensor<3x5xf32>
// CHECK: eff.linear {{.*}} -> tensor<3x5xf32>
func.func @halves(%a: tensor<3x4xbf16>, %b: tensor<4x5xbf16>, %d: tensor<5xf32>) -> (tensor<3x5xbf16>, tensor<3x5xf32>, tensor<3x5xf32>) {
  %0 = eff.matmul %a, %b : (tensor<3x4xbf16>, tensor<4x5xbf16>) -> tensor<3x5xbf16>
  %1 = eff.matmul %a, %b : (tensor<3x4xbf16>, tensor<4x5xbf16>) -> tensor<3x5xf32>
  %2 = eff.linear %a, %b bias %d : (tensor<3x4xbf16>, tensor<4x5xbf16>, tensor<5xf32>) -> tensor<3x5xf32>
  return %0, %1, %2 : tensor<3x5xbf16>, tensor<3x5xf32>, tensor<3x5xf32>
}

// Pads of a quantised operand hold its zero point.
// CHECK-LABEL: func @conv_pad_value
// CHECK: eff.conv {{.*}}pad_value = 128 : i64{{.*}} -> tensor<1x6x8x8xi32>
func.func @conv_pad_value(%x: tensor<1x3x8x8xui8>, %w: tensor<6x3x3x3xi8>, %b: tensor<6xi32>) -> tensor<1x6x8x8xi32> {
  %0 = eff.conv %x, %w bias %b {strides = array<i64: 1, 1>, dilations = array<i64: 1, 1>, pads = array<i64: 1, 1, 1, 1>, pad_value = 128 : i64} : (tensor<1x3x8x8xui8>, tensor<6x3x3x3xi8>, tensor<6xi32>) -> tensor<1x6x8x8xi32>
  return %0 : tensor<1x6x8x8xi32>
}

// CHECK-LABEL: func @block_linear_codebook
// CHECK: eff.block_linear %{{.+}}, %{{.+}} scales %{{.+}} block 16 codebook [-1.000000e+00, 0.000000e+00, 2.500000e-01, 1.000000e+00]
func.func @block_linear_codebook(%x: tensor<2x32xf32>, %w: tensor<4x32xui2>, %s: tensor<4x2xf32>) -> tensor<2x4xf32> {
  %0 = eff.block_linear %x, %w scales %s block 16 codebook [-1.0, 0.0, 0.25, 1.0] : (tensor<2x32xf32>, tensor<4x32xui2>, tensor<4x2xf32>) -> tensor<2x4xf32>
  return %0 : tensor<2x4xf32>
}

// CHECK-LABEL: func @block_linear(
// CHECK: eff.block_linear %{{.+}}, %{{.+}} scales %{{.+}} zeros %{{.+}} block 16 {bytes}
func.func @block_linear(%x: tensor<2x32xf16>, %w: tensor<4x32xui4>, %s: tensor<4x2xf16>, %z: tensor<4x2xf32>) -> tensor<2x4xf16> {
  %0 = eff.block_linear %x, %w scales %s zeros %z block 16 {bytes} : (tensor<2x32xf16>, tensor<4x32xui4>, tensor<4x2xf16>, tensor<4x2xf32>) -> tensor<2x4xf16>
  return %0 : tensor<2x4xf16>
}
