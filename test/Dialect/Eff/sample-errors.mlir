// Every labelled constraint of the verifiers.
// RUN: effc-opt %s -verify-diagnostics -split-input-file

// sample_c1
func.func @sample_c1(%x: tensor<1x3x8x8xf32>, %p: tensor<1x5x3xf32>) {
  // expected-error@below {{samples an image of rank 4 at places of dims [1, 5, 3]}}
  %0 = eff.sample linear %x at %p {padding = #eff<sample_padding zeros>} : (tensor<1x3x8x8xf32>, tensor<1x5x3xf32>) -> tensor<1x3x5xf32>
  return
}

// -----

// sample_c2
func.func @sample_c2(%x: tensor<2x3x8xf32>, %p: tensor<1x5x1xf32>) {
  // expected-error@below {{has 1 rows of places for 2 images}}
  %0 = eff.sample linear %x at %p {padding = #eff<sample_padding zeros>} : (tensor<2x3x8xf32>, tensor<1x5x1xf32>) -> tensor<1x3x5xf32>
  return
}

// -----

// sample_c3
func.func @sample_c3(%x: tensor<1x3x8xi32>, %p: tensor<1x5x1xf32>) {
  // expected-error@below {{samples 'i32' at places of 'f32'}}
  %0 = eff.sample linear %x at %p {padding = #eff<sample_padding zeros>} : (tensor<1x3x8xi32>, tensor<1x5x1xf32>) -> tensor<1x3x5xi32>
  return
}

// -----

// sample_c4
func.func @sample_c4(%x: tensor<2x3x8xf32>, %p: tensor<1x5x1xf32>, %i: tensor<1xi8>) {
  // expected-error@below {{takes image numbers of type 'tensor<1xi8>'}}
  %0 = eff.sample linear %x at %p of %i {padding = #eff<sample_padding zeros>} : (tensor<2x3x8xf32>, tensor<1x5x1xf32>, tensor<1xi8>) -> tensor<1x3x5xf32>
  return
}

// -----

// roi_align_c1
func.func @roi_align_c1(%x: tensor<1x3x8x8xf32>, %r: tensor<5x3xf32>, %i: tensor<5xi64>) {
  // expected-error@below {{has regions [5, 3] for [5, 3, 2, 2]}}
  %0 = eff.roi_align mean %x at %r of %i {sampling_ratio = 0 : i64, spatial_scale = 1.0 : f64} : (tensor<1x3x8x8xf32>, tensor<5x3xf32>, tensor<5xi64>) -> tensor<5x3x2x2xf32>
  return
}

// -----

// roi_align_c2
func.func @roi_align_c2(%x: tensor<1x3x8x8xf32>, %r: tensor<5x4xf32>, %i: tensor<5xi64>) {
  // expected-error@below {{has kind or sampling_ratio out of range}}
  %0 = eff.roi_align min %x at %r of %i {sampling_ratio = 0 : i64, spatial_scale = 1.0 : f64} : (tensor<1x3x8x8xf32>, tensor<5x4xf32>, tensor<5xi64>) -> tensor<5x3x2x2xf32>
  return
}

// -----

// roi_pool_c1
func.func @roi_pool_c1(%x: tensor<1x3x8x8xf32>, %r: tensor<5x5xf32>) {
  // expected-error@below {{makes [5, 4, 2, 2] of [1, 3, 8, 8]}}
  %0 = eff.roi_pool %x at %r {spatial_scale = 1.0 : f64} : (tensor<1x3x8x8xf32>, tensor<5x5xf32>) -> tensor<5x4x2x2xf32>
  return
}

// -----

// deform_conv_c1
func.func @deform_conv_c1(%x: tensor<1x3x8x8xf32>, %w: tensor<4x3x3x3xf32>, %o: tensor<1x18x6x6xf32>) {
  // expected-error@below {{has ranks or attributes that do not fit two dims}}
  %0 = eff.deform_conv %x, %w at %o {strides = array<i64: 1>, dilations = array<i64: 1, 1>, pads = array<i64: 0, 0>} : (tensor<1x3x8x8xf32>, tensor<4x3x3x3xf32>, tensor<1x18x6x6xf32>) -> tensor<1x4x6x6xf32>
  return
}

// -----

// deform_conv_c2
func.func @deform_conv_c2(%x: tensor<1x3x8x8xf32>, %w: tensor<4x3x3x3xf32>, %o: tensor<1x18x6x6xf32>) {
  // expected-error@below {{needs positive strides, dilations and groups}}
  %0 = eff.deform_conv %x, %w at %o {strides = array<i64: 0, 1>, dilations = array<i64: 1, 1>, pads = array<i64: 0, 0>} : (tensor<1x3x8x8xf32>, tensor<4x3x3x3xf32>, tensor<1x18x6x6xf32>) -> tensor<1x4x6x6xf32>
  return
}

// -----

// deform_conv_c3
func.func @deform_conv_c3(%x: tensor<1x3x8x8xf32>, %w: tensor<4x3x3x3xf32>, %o: tensor<1x9x6x6xf32>) {
  // expected-error@below {{has offsets [1, 9, 6, 6] for weights [4, 3, 3, 3] and [1, 4, 6, 6]}}
  %0 = eff.deform_conv %x, %w at %o {strides = array<i64: 1, 1>, dilations = array<i64: 1, 1>, pads = array<i64: 0, 0>} : (tensor<1x3x8x8xf32>, tensor<4x3x3x3xf32>, tensor<1x9x6x6xf32>) -> tensor<1x4x6x6xf32>
  return
}

// -----

// deform_conv_c4
func.func @deform_conv_c4(%x: tensor<1x3x8x8xf32>, %w: tensor<4x3x3x3xf16>, %o: tensor<1x18x6x6xf32>) {
  // expected-error@below {{mixes element types}}
  %0 = eff.deform_conv %x, %w at %o {strides = array<i64: 1, 1>, dilations = array<i64: 1, 1>, pads = array<i64: 0, 0>} : (tensor<1x3x8x8xf32>, tensor<4x3x3x3xf16>, tensor<1x18x6x6xf32>) -> tensor<1x4x6x6xf32>
  return
}

// -----

// col2im_c1
func.func @col2im_c1(%x: tensor<1x3x2x5x5xf32>) {
  // expected-error@below {{takes rank 5 to rank 3}}
  %0 = eff.col2im %x {strides = array<i64: 1>, dilations = array<i64: 1>, pads = array<i64: 0>} : (tensor<1x3x2x5x5xf32>) -> tensor<1x3x6xf32>
  return
}

// -----

// col2im_c2
func.func @col2im_c2(%x: tensor<1x3x2x5xf32>) {
  // expected-error@below {{needs positive strides and dilations, and pads from 0 on}}
  %0 = eff.col2im %x {strides = array<i64: 0>, dilations = array<i64: 1>, pads = array<i64: 0>} : (tensor<1x3x2x5xf32>) -> tensor<1x3x6xf32>
  return
}

// -----

// col2im_c3
func.func @col2im_c3(%x: tensor<1x3x2x5xf32>) {
  // expected-error@below {{takes 'tensor<1x3x2x5xf32>' to 'tensor<1x4x6xf32>'}}
  %0 = eff.col2im %x {strides = array<i64: 1>, dilations = array<i64: 1>, pads = array<i64: 0>} : (tensor<1x3x2x5xf32>) -> tensor<1x4x6xf32>
  return
}
