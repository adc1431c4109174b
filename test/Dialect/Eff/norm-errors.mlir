// Every labelled constraint of the verifiers.
// RUN: effc-opt %s -verify-diagnostics -split-input-file

// softmax_c1
func.func @softmax_c1(%x: tensor<4xf32>) {
  // expected-error@below {{axis 1 is not within rank 1}}
  %0 = eff.softmax %x axis 1 : (tensor<4xf32>) -> tensor<4xf32>
  return
}

// -----

// softmax_c2
func.func @softmax_c2(%x: tensor<4xi32>) {
  // expected-error@below {{normalises 'i32', expected floats}}
  %0 = eff.softmax %x axis 0 : (tensor<4xi32>) -> tensor<4xi32>
  return
}

// -----

// layer_norm_c1
func.func @layer_norm_c1(%x: tensor<4xf32>) {
  // expected-error@below {{axis 1 is not within rank 1}}
  %0 = eff.layer_norm %x axis 1 {epsilon = 1.0e-5 : f64} : (tensor<4xf32>) -> tensor<4xf32>
  return
}

// -----

// layer_norm_c2
func.func @layer_norm_c2(%x: tensor<4xi32>) {
  // expected-error@below {{normalises 'i32', expected floats}}
  %0 = eff.layer_norm %x axis 0 {epsilon = 1.0e-5 : f64} : (tensor<4xi32>) -> tensor<4xi32>
  return
}

// -----

// layer_norm_c3
func.func @layer_norm_c3(%x: tensor<2x4xf32>, %s: tensor<3xf32>) {
  // expected-error@below {{scale of type 'tensor<3xf32>' does not broadcast to x of type 'tensor<2x4xf32>'}}
  %0 = eff.layer_norm %x scale %s axis 1 {epsilon = 1.0e-5 : f64} : (tensor<2x4xf32>, tensor<3xf32>) -> tensor<2x4xf32>
  return
}

// -----

// layer_norm_c3_bias
func.func @layer_norm_c3_bias(%x: tensor<2x4xf32>, %s: tensor<4xf16>) {
  // expected-error@below {{bias of type 'tensor<4xf16>' does not broadcast to x of type 'tensor<2x4xf32>'}}
  %0 = eff.layer_norm %x bias %s axis 1 {epsilon = 1.0e-5 : f64} : (tensor<2x4xf32>, tensor<4xf16>) -> tensor<2x4xf32>
  return
}

// -----

// rms_norm_c1
func.func @rms_norm_c1(%x: tensor<4xf32>) {
  // expected-error@below {{axis 1 is not within rank 1}}
  %0 = eff.rms_norm %x axis 1 {epsilon = 1.0e-5 : f64} : (tensor<4xf32>) -> tensor<4xf32>
  return
}

// -----

// rms_norm_c2
func.func @rms_norm_c2(%x: tensor<4xi32>) {
  // expected-error@below {{normalises 'i32', expected floats}}
  %0 = eff.rms_norm %x axis 0 {epsilon = 1.0e-5 : f64} : (tensor<4xi32>) -> tensor<4xi32>
  return
}

// -----

// rms_norm_c3
func.func @rms_norm_c3(%x: tensor<2x4xf32>, %s: tensor<3xf32>) {
  // expected-error@below {{scale of type 'tensor<3xf32>' does not broadcast to x of type 'tensor<2x4xf32>'}}
  %0 = eff.rms_norm %x scale %s axis 1 {epsilon = 1.0e-5 : f64} : (tensor<2x4xf32>, tensor<3xf32>) -> tensor<2x4xf32>
  return
}

// -----

// group_norm_c1
func.func @group_norm_c1(%x: tensor<4xf32>) {
  // expected-error@below {{takes x of rank 1, expected at least 2}}
  %0 = eff.group_norm %x groups 1 {epsilon = 1.0e-5 : f64} : (tensor<4xf32>) -> tensor<4xf32>
  return
}

// -----

// group_norm_c2
func.func @group_norm_c2(%x: tensor<1x4xi8>) {
  // expected-error@below {{normalises 'i8', expected floats}}
  %0 = eff.group_norm %x groups 1 {epsilon = 1.0e-5 : f64} : (tensor<1x4xi8>) -> tensor<1x4xi8>
  return
}

// -----

// group_norm_c3
func.func @group_norm_c3(%x: tensor<1x4x8xf32>) {
  // expected-error@below {{3 groups do not divide 4 channels}}
  %0 = eff.group_norm %x groups 3 {epsilon = 1.0e-5 : f64} : (tensor<1x4x8xf32>) -> tensor<1x4x8xf32>
  return
}

// -----

// group_norm_c4
func.func @group_norm_c4(%x: tensor<1x4x8xf32>, %s: tensor<8xf32>) {
  // expected-error@below {{scale or bias has type 'tensor<8xf32>', expected one element for each of 4 channels}}
  %0 = eff.group_norm %x scale %s groups 2 {epsilon = 1.0e-5 : f64} : (tensor<1x4x8xf32>, tensor<8xf32>) -> tensor<1x4x8xf32>
  return
}
