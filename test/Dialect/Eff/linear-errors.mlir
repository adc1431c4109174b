// Every labelled constraint of the verifiers.
// RUN: effc-opt %s -verify-diagnostics -split-input-file

// matmul_c1
func.func @matmul_c1(%a: tensor<4xf32>, %b: tensor<4x5xf32>) {
  // expected-error@below {{operands have ranks 1 and 2, expected at least 2}}
  %0 = eff.matmul %a, %b : (tensor<4xf32>, tensor<4x5xf32>) -> tensor<5xf32>
  return
}

// -----

// matmul_c2
func.func @matmul_c2(%a: tensor<3x4xf32>, %b: tensor<4x5xf16>) {
  // expected-error@below {{multiplies 'f32' by 'f16'}}
  %0 = eff.matmul %a, %b : (tensor<3x4xf32>, tensor<4x5xf16>) -> tensor<3x5xf32>
  return
}

// -----

// matmul_c3
func.func @matmul_c3(%a: tensor<3x4xf32>, %b: tensor<5x4xf32>) {
  // expected-error@below {{contracts 4 columns with 5 rows}}
  %0 = eff.matmul %a, %b : (tensor<3x4xf32>, tensor<5x4xf32>) -> tensor<3x4xf32>
  return
}

// -----

// matmul_c4
func.func @matmul_c4(%a: tensor<2x3x4xf32>, %b: tensor<3x4x5xf32>) {
  // expected-error@below {{leading dims [2] and [3] do not broadcast}}
  %0 = eff.matmul %a, %b : (tensor<2x3x4xf32>, tensor<3x4x5xf32>) -> tensor<2x3x5xf32>
  return
}

// -----

// matmul_c5
func.func @matmul_c5(%a: tensor<3x4xi1>, %b: tensor<4x5xi1>) {
  // expected-error@below {{multiplies matrices of 'i1'}}
  %0 = eff.matmul %a, %b : (tensor<3x4xi1>, tensor<4x5xi1>) -> tensor<3x5xi1>
  return
}

// -----

// matmul_type
func.func @matmul_type(%a: tensor<3x4xf32>, %b: tensor<4x5xf32>) {
  // expected-error@below {{has type 'tensor<3x6xf32>', expected 'tensor<3x5xf32>'}}
  %0 = eff.matmul %a, %b : (tensor<3x4xf32>, tensor<4x5xf32>) -> tensor<3x6xf32>
  return
}

// -----

// matmul_dims
func.func @matmul_dims(%a: tensor<?x4xf32>, %b: tensor<4x5xf32>) {
  // expected-error@below {{operand of type 'tensor<?x4xf32>' has a dynamic dim without an #eff.dims encoding}}
  %0 = eff.matmul %a, %b : (tensor<?x4xf32>, tensor<4x5xf32>) -> tensor<?x5xf32>
  return
}

// -----

// linear_c1
func.func @linear_c1(%x: tensor<2x4xf32>, %w: tensor<1x4x5xf32>) {
  // expected-error@below {{takes x of rank 2 and weight of rank 3, expected at least 1 and exactly 2}}
  %0 = eff.linear %x, %w : (tensor<2x4xf32>, tensor<1x4x5xf32>) -> tensor<2x5xf32>
  return
}

// -----

// linear_c2
func.func @linear_c2(%x: tensor<2x4xf32>, %w: tensor<5x4xf32>) {
  // expected-error@below {{contracts 4 columns with 5 rows}}
  %0 = eff.linear %x, %w : (tensor<2x4xf32>, tensor<5x4xf32>) -> tensor<2x4xf32>
  return
}

// -----

// linear_c3
func.func @linear_c3(%x: tensor<2x4xf32>, %w: tensor<4x5xf16>) {
  // expected-error@below {{multiplies 'f32' by 'f16'}}
  %0 = eff.linear %x, %w : (tensor<2x4xf32>, tensor<4x5xf16>) -> tensor<2x5xf32>
  return
}

// -----

// linear_c4
func.func @linear_c4(%x: tensor<2x4xf32>, %w: tensor<4x5xf32>, %b: tensor<4xf32>) {
  // expected-error@below {{bias has shape [4], expected [5]}}
  %0 = eff.linear %x, %w bias %b : (tensor<2x4xf32>, tensor<4x5xf32>, tensor<4xf32>) -> tensor<2x5xf32>
  return
}

// -----

// linear_c5
func.func @linear_c5(%x: tensor<2x4xi1>, %w: tensor<4x5xi1>) {
  // expected-error@below {{multiplies elements of 'i1'}}
  %0 = eff.linear %x, %w : (tensor<2x4xi1>, tensor<4x5xi1>) -> tensor<2x5xi1>
  return
}

// -----

// linear_c6
func.func @linear_c6(%x: tensor<2x4xui8>, %w: tensor<4x5xi8>, %b: tensor<5xf32>) {
  // expected-error@below {{adds a bias of 'f32' to sums of 'i32'}}
  %0 = eff.linear %x, %w bias %b : (tensor<2x4xui8>, tensor<4x5xi8>, tensor<5xf32>) -> tensor<2x5xi32>
  return
}

// -----

// linear_sum
func.func @linear_sum(%x: tensor<2x4xui8>, %w: tensor<4x5xi8>) {
  // expected-error@below {{has type 'tensor<2x5xi64>', expected 'tensor<2x5xi32>'}}
  %0 = eff.linear %x, %w : (tensor<2x4xui8>, tensor<4x5xi8>) -> tensor<2x5xi64>
  return
}

// -----

// linear_wide
func.func @linear_wide(%x: tensor<2x4xf16>, %w: tensor<4x5xf16>) {
  // expected-error@below {{has type 'tensor<2x5xf32>', expected 'tensor<2x5xf16>'}}
  %0 = eff.linear %x, %w : (tensor<2x4xf16>, tensor<4x5xf16>) -> tensor<2x5xf32>
  return
}

// -----

// conv_c1
func.func @conv_c1(%x: tensor<1x3x8xf32>, %w: tensor<6x3x3x3xf32>) {
  // expected-error@below {{takes x of rank 3 and weight of rank 4, expected the same rank from 3 to 5}}
  %0 = eff.conv %x, %w {strides = array<i64: 1, 1>, dilations = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, groups = 1 : i64} : (tensor<1x3x8xf32>, tensor<6x3x3x3xf32>) -> tensor<1x6x6x6xf32>
  return
}

// -----

// conv_c2
func.func @conv_c2(%x: tensor<1x3x8x8xf32>, %w: tensor<6x3x3x3xf32>) {
  // expected-error@below {{has 1 strides, 2 dilations and 4 pads for 2 spatial dims}}
  %0 = eff.conv %x, %w {strides = array<i64: 1>, dilations = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, groups = 1 : i64} : (tensor<1x3x8x8xf32>, tensor<6x3x3x3xf32>) -> tensor<1x6x6x6xf32>
  return
}

// -----

// conv_c3
func.func @conv_c3(%x: tensor<1x3x8x8xf32>, %w: tensor<6x3x3x3xf32>) {
  // expected-error@below {{needs positive strides and dilations, and pads from 0 on}}
  %0 = eff.conv %x, %w {strides = array<i64: 0, 1>, dilations = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, groups = 1 : i64} : (tensor<1x3x8x8xf32>, tensor<6x3x3x3xf32>) -> tensor<1x6x6x6xf32>
  return
}

// -----

// conv_c4
func.func @conv_c4(%x: tensor<1x3x8x8xf32>, %w: tensor<6x3x3x3xf32>) {
  // expected-error@below {{has 4 groups that do not divide dim 0 of the weight, 6}}
  %0 = eff.conv %x, %w {strides = array<i64: 1, 1>, dilations = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, groups = 4 : i64} : (tensor<1x3x8x8xf32>, tensor<6x3x3x3xf32>) -> tensor<1x6x6x6xf32>
  return
}

// -----

// conv_c5
func.func @conv_c5(%x: tensor<1x3x8x8xi8>, %w: tensor<6x3x3x3xi8>) {
  // expected-error@below {{result and bias must have one element type of floats, or i32, but the result has 'i8'}}
  %0 = eff.conv %x, %w {strides = array<i64: 1, 1>, dilations = array<i64: 1, 1>, pads = array<i64: 1, 1, 1, 1>} : (tensor<1x3x8x8xi8>, tensor<6x3x3x3xi8>) -> tensor<1x6x8x8xi8>
  return
}

// -----

// conv_c9
func.func @conv_c9(%x: tensor<1x3x8x8xf32>, %w: tensor<6x3x3x3xf16>) {
  // expected-error@below {{multiplies 'f32' by 'f16'}}
  %0 = eff.conv %x, %w {strides = array<i64: 1, 1>, dilations = array<i64: 1, 1>, pads = array<i64: 1, 1, 1, 1>} : (tensor<1x3x8x8xf32>, tensor<6x3x3x3xf16>) -> tensor<1x6x8x8xf32>
  return
}

// -----

// conv_c10
func.func @conv_c10(%x: tensor<1x3x8x8xui8>, %w: tensor<6x3x3x3xi8>) {
  // expected-error@below {{pads 'ui8' with -1}}
  %0 = eff.conv %x, %w {strides = array<i64: 1, 1>, dilations = array<i64: 1, 1>, pads = array<i64: 1, 1, 1, 1>, pad_value = -1 : i64} : (tensor<1x3x8x8xui8>, tensor<6x3x3x3xi8>) -> tensor<1x6x8x8xi32>
  return
}

// -----

// conv_c10 of floats
func.func @conv_c10_float(%x: tensor<1x3x8x8xf32>, %w: tensor<6x3x3x3xf32>) {
  // expected-error@below {{pads 'f32' with 1}}
  %0 = eff.conv %x, %w {strides = array<i64: 1, 1>, dilations = array<i64: 1, 1>, pads = array<i64: 1, 1, 1, 1>, pad_value = 1 : i64} : (tensor<1x3x8x8xf32>, tensor<6x3x3x3xf32>) -> tensor<1x6x8x8xf32>
  return
}

// -----

// conv_c6
func.func @conv_c6(%x: tensor<1x3x8x8xf32>, %w: tensor<6x3x3x3xf32>, %b: tensor<3xf32>) {
  // expected-error@below {{bias has shape [3], expected [6]}}
  %0 = eff.conv %x, %w bias %b {strides = array<i64: 1, 1>, dilations = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, groups = 1 : i64} : (tensor<1x3x8x8xf32>, tensor<6x3x3x3xf32>, tensor<3xf32>) -> tensor<1x6x6x6xf32>
  return
}

// -----

// conv_transpose_c1
func.func @conv_transpose_c1(%x: tensor<1x3x8xf32>, %w: tensor<3x6x3x3xf32>) {
  // expected-error@below {{takes x of rank 3 and weight of rank 4, expected the same rank from 3 to 5}}
  %0 = eff.conv_transpose %x, %w {strides = array<i64: 1, 1>, dilations = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, groups = 1 : i64, output_padding = array<i64: 0, 0>} : (tensor<1x3x8xf32>, tensor<3x6x3x3xf32>) -> tensor<1x6x10x10xf32>
  return
}

// -----

// conv_transpose_c2
func.func @conv_transpose_c2(%x: tensor<1x3x8x8xf32>, %w: tensor<3x6x3x3xf32>) {
  // expected-error@below {{has 1 strides, 2 dilations and 4 pads for 2 spatial dims}}
  %0 = eff.conv_transpose %x, %w {strides = array<i64: 1>, dilations = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, groups = 1 : i64, output_padding = array<i64: 0, 0>} : (tensor<1x3x8x8xf32>, tensor<3x6x3x3xf32>) -> tensor<1x6x10x10xf32>
  return
}

// -----

// conv_transpose_c3
func.func @conv_transpose_c3(%x: tensor<1x3x8x8xf32>, %w: tensor<3x6x3x3xf32>) {
  // expected-error@below {{needs positive strides and dilations, and pads from 0 on}}
  %0 = eff.conv_transpose %x, %w {strides = array<i64: 0, 1>, dilations = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, groups = 1 : i64, output_padding = array<i64: 0, 0>} : (tensor<1x3x8x8xf32>, tensor<3x6x3x3xf32>) -> tensor<1x6x10x10xf32>
  return
}

// -----

// conv_transpose_c4
func.func @conv_transpose_c4(%x: tensor<1x3x8x8xf32>, %w: tensor<3x6x3x3xf32>) {
  // expected-error@below {{has 4 groups that do not divide dim 0 of the weight, 3}}
  %0 = eff.conv_transpose %x, %w {strides = array<i64: 1, 1>, dilations = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, groups = 4 : i64, output_padding = array<i64: 0, 0>} : (tensor<1x3x8x8xf32>, tensor<3x6x3x3xf32>) -> tensor<1x6x10x10xf32>
  return
}

// -----

// conv_transpose_c10
func.func @conv_transpose_c10(%x: tensor<1x3x8x8xf32>, %w: tensor<3x6x3x3xf16>) {
  // expected-error@below {{multiplies 'f32' by 'f16'}}
  %0 = eff.conv_transpose %x, %w {strides = array<i64: 1, 1>, dilations = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, groups = 1 : i64, output_padding = array<i64: 0, 0>} : (tensor<1x3x8x8xf32>, tensor<3x6x3x3xf16>) -> tensor<1x6x10x10xf32>
  return
}

// -----

// conv_transpose_c5
func.func @conv_transpose_c5(%x: tensor<1x3x8x8xi8>, %w: tensor<3x6x3x3xi8>) {
  // expected-error@below {{result and bias must have one element type of floats, or i32, but the result has 'i8'}}
  %0 = eff.conv_transpose %x, %w {strides = array<i64: 1, 1>, dilations = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, groups = 1 : i64, output_padding = array<i64: 0, 0>} : (tensor<1x3x8x8xi8>, tensor<3x6x3x3xi8>) -> tensor<1x6x10x10xi8>
  return
}

// -----

// conv_transpose_c6
func.func @conv_transpose_c6(%x: tensor<1x3x8x8xf32>, %w: tensor<3x6x3x3xf32>, %b: tensor<3xf32>) {
  // expected-error@below {{bias has shape [3], expected [6]}}
  %0 = eff.conv_transpose %x, %w bias %b {strides = array<i64: 1, 1>, dilations = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, groups = 1 : i64, output_padding = array<i64: 0, 0>} : (tensor<1x3x8x8xf32>, tensor<3x6x3x3xf32>, tensor<3xf32>) -> tensor<1x6x10x10xf32>
  return
}

// -----

// conv_c7
func.func @conv_c7(%x: tensor<1x4x8x8xf32>, %w: tensor<6x3x3x3xf32>) {
  // expected-error@below {{x has 4 channels, the weight expects 3}}
  %0 = eff.conv %x, %w {strides = array<i64: 1, 1>, dilations = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, groups = 1 : i64} : (tensor<1x4x8x8xf32>, tensor<6x3x3x3xf32>) -> tensor<1x6x6x6xf32>
  return
}

// -----

// conv_c8
func.func @conv_c8(%x: tensor<1x3x2x8xf32>, %w: tensor<6x3x3x3xf32>) {
  // expected-error@below {{kernel of extent 3 exceeds the padded spatial dim 0}}
  %0 = eff.conv %x, %w {strides = array<i64: 1, 1>, dilations = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, groups = 1 : i64} : (tensor<1x3x2x8xf32>, tensor<6x3x3x3xf32>) -> tensor<1x6x1x6xf32>
  return
}

// -----

// conv_transpose_c7
func.func @conv_transpose_c7(%x: tensor<1x3x8x8xf32>, %w: tensor<3x6x3x3xf32>) {
  // expected-error@below {{has 1 output paddings for 2 spatial dims}}
  %0 = eff.conv_transpose %x, %w {strides = array<i64: 1, 1>, dilations = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, groups = 1 : i64, output_padding = array<i64: 0>} : (tensor<1x3x8x8xf32>, tensor<3x6x3x3xf32>) -> tensor<1x6x10x10xf32>
  return
}

// -----

// conv_transpose_c8
func.func @conv_transpose_c8(%x: tensor<1x4x8x8xf32>, %w: tensor<3x6x3x3xf32>) {
  // expected-error@below {{x has 4 channels, the weight expects 3}}
  %0 = eff.conv_transpose %x, %w {strides = array<i64: 1, 1>, dilations = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, groups = 1 : i64, output_padding = array<i64: 0, 0>} : (tensor<1x4x8x8xf32>, tensor<3x6x3x3xf32>) -> tensor<1x6x10x10xf32>
  return
}

// -----

// conv_transpose_c9
func.func @conv_transpose_c9(%x: tensor<1x3x1x8xf32>, %w: tensor<3x6x3x3xf32>) {
  // expected-error@below {{pads exceed the extent of spatial dim 0}}
  %0 = eff.conv_transpose %x, %w {strides = array<i64: 1, 1>, dilations = array<i64: 1, 1>, pads = array<i64: 2, 0, 2, 0>, groups = 1 : i64, output_padding = array<i64: 0, 0>} : (tensor<1x3x1x8xf32>, tensor<3x6x3x3xf32>) -> tensor<1x6x1x10xf32>
  return
}

// -----

func.func @block_linear_depth(%x: tensor<2x32xf32>, %w: tensor<4x48xui4>, %s: tensor<4x3xf32>) {
  // expected-error @below {{'eff.block_linear' op cannot multiply [2, 32] by the transpose of [4, 48]}}
  %0 = eff.block_linear %x, %w scales %s block 16 : (tensor<2x32xf32>, tensor<4x48xui4>, tensor<4x3xf32>) -> tensor<2x4xf32>
  return
}

// -----

func.func @block_linear_type(%x: tensor<2x32xf32>, %w: tensor<4x32xi8>, %s: tensor<4x2xf32>) {
  // expected-error @below {{multiplies 'f32' by 'i8', expected floats by ui2, ui3, ui4 or ui8}}
  %0 = eff.block_linear %x, %w scales %s block 16 : (tensor<2x32xf32>, tensor<4x32xi8>, tensor<4x2xf32>) -> tensor<2x4xf32>
  return
}

// -----

func.func @block_linear_block(%x: tensor<2x40xf32>, %w: tensor<4x40xui8>, %s: tensor<4x2xf32>) {
  // expected-error @below {{has blocks of 16 in rows of 40}}
  %0 = eff.block_linear %x, %w scales %s block 16 : (tensor<2x40xf32>, tensor<4x40xui8>, tensor<4x2xf32>) -> tensor<2x4xf32>
  return
}

// -----

func.func @block_linear_codebook_size(%x: tensor<2x32xf32>, %w: tensor<4x32xui2>, %s: tensor<4x2xf32>) {
  // expected-error @below {{has a codebook of 3 numbers for 'ui2'}}
  %0 = eff.block_linear %x, %w scales %s block 16 codebook [-1.0, 0.0, 1.0] : (tensor<2x32xf32>, tensor<4x32xui2>, tensor<4x2xf32>) -> tensor<2x4xf32>
  return
}

// -----

func.func @block_linear_codebook_zeros(%x: tensor<2x32xf32>, %w: tensor<4x32xui2>, %s: tensor<4x2xf32>) {
  // expected-error @below {{has a codebook and also zeros or bytes}}
  %0 = eff.block_linear %x, %w scales %s zeros %s block 16 codebook [-1.0, 0.0, 1.0, 2.0] : (tensor<2x32xf32>, tensor<4x32xui2>, tensor<4x2xf32>, tensor<4x2xf32>) -> tensor<2x4xf32>
  return
}

// -----

func.func @block_linear_scales(%x: tensor<2x32xf32>, %w: tensor<4x32xui8>, %s: tensor<4x3xf32>) {
  // expected-error @below {{has a parameter of type 'tensor<4x3xf32>', expected floats, [4, 2]}}
  %0 = eff.block_linear %x, %w scales %s block 16 : (tensor<2x32xf32>, tensor<4x32xui8>, tensor<4x3xf32>) -> tensor<2x4xf32>
  return
}
