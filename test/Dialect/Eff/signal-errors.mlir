// Every labelled constraint of the verifiers.
// RUN: effc-opt %s -verify-diagnostics -split-input-file

// dft_c1
func.func @dft_c1(%x: tensor<1x8x1xi32>, %t: tensor<8x2xf64>) {
  // expected-error@below {{transforms 'i32' by 'f64'}}
  %0 = eff.dft %x by %t axis 1 : (tensor<1x8x1xi32>, tensor<8x2xf64>) -> tensor<1x8x2xi32>
  return
}

// -----

// dft_c2
func.func @dft_c2(%x: tensor<1x8x1xf32>, %t: tensor<8x3xf64>) {
  // expected-error@below {{has twiddles [8, 3]}}
  %0 = eff.dft %x by %t axis 1 : (tensor<1x8x1xf32>, tensor<8x3xf64>) -> tensor<1x8x2xf32>
  return
}

// -----

// dft_c3
func.func @dft_c3(%x: tensor<1x8x1xf32>, %t: tensor<8x2xf64>) {
  // expected-error@below {{transforms axis 2 of [1, 8, 1] into [1, 8, 2]}}
  %0 = eff.dft %x by %t axis 2 : (tensor<1x8x1xf32>, tensor<8x2xf64>) -> tensor<1x8x2xf32>
  return
}

// -----

// dft_c4
func.func @dft_c4(%x: tensor<1x8x3xf32>, %t: tensor<8x2xf64>) {
  // expected-error@below {{takes parts [1, 8, 3] to [1, 8, 2]}}
  %0 = eff.dft %x by %t axis 1 : (tensor<1x8x3xf32>, tensor<8x2xf64>) -> tensor<1x8x2xf32>
  return
}

// -----

// dft_c5
func.func @dft_c5(%x: tensor<1x8x1xf32>, %t: tensor<8x2xf64>) {
  // expected-error@below {{has 8 bins}}
  %0 = eff.dft %x by %t axis 1 {onesided = true} : (tensor<1x8x1xf32>, tensor<8x2xf64>) -> tensor<1x8x2xf32>
  return
}

// -----

// det_c1
func.func @det_c1(%x: tensor<2x3x4xf32>) {
  // expected-error@below {{takes [2, 3, 4], expected square matrices}}
  %0 = eff.det %x : (tensor<2x3x4xf32>) -> tensor<2xf32>
  return
}

// -----

// det_c2
func.func @det_c2(%x: tensor<2x3x3xi32>) {
  // expected-error@below {{takes 'i32'}}
  %0 = eff.det %x : (tensor<2x3x3xi32>) -> tensor<2xi32>
  return
}
