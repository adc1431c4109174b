// Every labelled constraint of the verifiers.
// RUN: effc-opt %s -verify-diagnostics -split-input-file

// pool_c1
func.func @pool_c1(%x: tensor<1x3x8x8xf32>) {
  // expected-error@below {{takes rank 4 to rank 3, expected the same from 3 to 5}}
  %0 = eff.pool max %x {kernel = array<i64: 2, 2>, strides = array<i64: 2, 2>, dilations = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>} : (tensor<1x3x8x8xf32>) -> tensor<1x3x4xf32>
  return
}

// -----

// pool_c2
func.func @pool_c2(%x: tensor<1x3x8x8xf32>) {
  // expected-error@below {{has attributes that do not fit 2 spatial dims}}
  %0 = eff.pool max %x {kernel = array<i64: 2>, strides = array<i64: 2, 2>, dilations = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>} : (tensor<1x3x8x8xf32>) -> tensor<1x3x4x4xf32>
  return
}

// -----

// pool_c3
func.func @pool_c3(%x: tensor<1x3x8x8xf32>) {
  // expected-error@below {{needs positive kernel, strides and dilations, and pads from 0 on}}
  %0 = eff.pool max %x {kernel = array<i64: 2, 2>, strides = array<i64: 2, 2>, dilations = array<i64: 1, 1>, pads = array<i64: -1, 0, 0, 0>} : (tensor<1x3x8x8xf32>) -> tensor<1x3x4x4xf32>
  return
}

// -----

// pool_c4
func.func @pool_c4(%x: tensor<1x3x8x8xf32>) {
  // expected-error@below {{changes samples or channels, from [1, 3, 8, 8] to [1, 4, 4, 4]}}
  %0 = eff.pool max %x {kernel = array<i64: 2, 2>, strides = array<i64: 2, 2>, dilations = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>} : (tensor<1x3x8x8xf32>) -> tensor<1x4x4x4xf32>
  return
}

// -----

// pool_c5
func.func @pool_c5(%x: tensor<1x3x8x8xf32>) {
  // expected-error@below {{spatial dim 1 has extent 6, expected 4 to 4}}
  %0 = eff.pool max %x {kernel = array<i64: 2, 2>, strides = array<i64: 2, 2>, dilations = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>} : (tensor<1x3x8x8xf32>) -> tensor<1x3x4x6xf32>
  return
}

// -----

// pool_indices_c1
func.func @pool_indices_c1(%x: tensor<1x3x8x8xf32>) {
  // expected-error@below {{takes rank 4 to rank 3, expected the same from 3 to 5}}
  %0 = eff.pool_indices %x {kernel = array<i64: 2, 2>, strides = array<i64: 2, 2>, dilations = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>} : (tensor<1x3x8x8xf32>) -> tensor<1x3x4xi64>
  return
}

// -----

// pool_indices_c2
func.func @pool_indices_c2(%x: tensor<1x3x8x8xf32>) {
  // expected-error@below {{has attributes that do not fit 2 spatial dims}}
  %0 = eff.pool_indices %x {kernel = array<i64: 2>, strides = array<i64: 2, 2>, dilations = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>} : (tensor<1x3x8x8xf32>) -> tensor<1x3x4x4xi64>
  return
}

// -----

// pool_indices_c3
func.func @pool_indices_c3(%x: tensor<1x3x8x8xf32>) {
  // expected-error@below {{needs positive kernel, strides and dilations, and pads from 0 on}}
  %0 = eff.pool_indices %x {kernel = array<i64: 2, 2>, strides = array<i64: 2, 2>, dilations = array<i64: 1, 1>, pads = array<i64: -1, 0, 0, 0>} : (tensor<1x3x8x8xf32>) -> tensor<1x3x4x4xi64>
  return
}

// -----

// pool_indices_c4
func.func @pool_indices_c4(%x: tensor<1x3x8x8xf32>) {
  // expected-error@below {{changes samples or channels, from [1, 3, 8, 8] to [1, 4, 4, 4]}}
  %0 = eff.pool_indices %x {kernel = array<i64: 2, 2>, strides = array<i64: 2, 2>, dilations = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>} : (tensor<1x3x8x8xf32>) -> tensor<1x4x4x4xi64>
  return
}

// -----

// pool_indices_c5
func.func @pool_indices_c5(%x: tensor<1x3x8x8xf32>) {
  // expected-error@below {{spatial dim 1 has extent 6, expected 4 to 4}}
  %0 = eff.pool_indices %x {kernel = array<i64: 2, 2>, strides = array<i64: 2, 2>, dilations = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>} : (tensor<1x3x8x8xf32>) -> tensor<1x3x4x6xi64>
  return
}

// -----

// pool_c6
func.func @pool_c6(%x: tensor<1x3x8x8xi8>) {
  // expected-error@below {{pools 'i8' to 'i8'}}
  %0 = eff.pool average %x {kernel = array<i64: 2, 2>, strides = array<i64: 2, 2>, dilations = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>} : (tensor<1x3x8x8xi8>) -> tensor<1x3x4x4xi8>
  return
}

// -----

// pool_indices_c6
func.func @pool_indices_c6(%x: tensor<1x3x8x8xf32>) {
  // expected-error@below {{gives 'f32', expected i64}}
  %0 = eff.pool_indices %x {kernel = array<i64: 2, 2>, strides = array<i64: 2, 2>, dilations = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>} : (tensor<1x3x8x8xf32>) -> tensor<1x3x4x4xf32>
  return
}

// -----

// resize_c1
func.func @resize_c1(%x: tensor<1x3x8xf32>) {
  // expected-error@below {{takes 'tensor<1x3x8xf32>' to 'tensor<1x3x16xf16>'}}
  %0 = eff.resize nearest %x {axes = array<i64: 2>, scales = array<f64: 2.0>, coordinate_mode = #eff<coordinate_mode half_pixel>, nearest_mode = #eff<nearest_mode floor>} : (tensor<1x3x8xf32>) -> tensor<1x3x16xf16>
  return
}

// -----

// resize_c2
func.func @resize_c2(%x: tensor<1x3x8xf32>) {
  // expected-error@below {{has 2 scales and 0 bounds for 1 axes}}
  %0 = eff.resize nearest %x {axes = array<i64: 2>, scales = array<f64: 2.0, 2.0>, coordinate_mode = #eff<coordinate_mode half_pixel>, nearest_mode = #eff<nearest_mode floor>} : (tensor<1x3x8xf32>) -> tensor<1x3x16xf32>
  return
}

// -----

// resize_c3
func.func @resize_c3(%x: tensor<1x3x8xf32>) {
  // expected-error@below {{axis 3 is repeated or not within rank 3}}
  %0 = eff.resize nearest %x {axes = array<i64: 3>, scales = array<f64: 2.0>, coordinate_mode = #eff<coordinate_mode half_pixel>, nearest_mode = #eff<nearest_mode floor>} : (tensor<1x3x8xf32>) -> tensor<1x3x16xf32>
  return
}

// -----

// resize_c4
func.func @resize_c4(%x: tensor<1x3x8xf32>) {
  // expected-error@below {{changes dim 1, which is not among axes}}
  %0 = eff.resize nearest %x {axes = array<i64: 2>, scales = array<f64: 2.0>, coordinate_mode = #eff<coordinate_mode half_pixel>, nearest_mode = #eff<nearest_mode floor>} : (tensor<1x3x8xf32>) -> tensor<1x4x16xf32>
  return
}

// -----

// pool_indices_c7
func.func @pool_indices_c7(%x: tensor<1x3x8x8xi4>) {
  // expected-error@below {{is not defined on 'i4'}}
  %0 = eff.pool_indices %x {kernel = array<i64: 2, 2>, strides = array<i64: 2, 2>, dilations = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>} : (tensor<1x3x8x8xi4>) -> tensor<1x3x4x4xi64>
  return
}
