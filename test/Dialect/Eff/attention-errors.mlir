// Every labelled constraint of the verifiers.
// RUN: effc-opt %s -verify-diagnostics -split-input-file

// attention_c1
func.func @attention_c1(%q: tensor<4x3x8xf32>, %k: tensor<1x2x5x8xf32>, %v: tensor<1x2x5x6xf32>) {
  // expected-error@below {{takes ranks 3, 4 and 4, expected 4 each}}
  %0 = eff.attention %q, %k, %v scale 1.0 : (tensor<4x3x8xf32>, tensor<1x2x5x8xf32>, tensor<1x2x5x6xf32>) -> tensor<1x4x3x6xf32>
  return
}

// -----

// attention_c2
func.func @attention_c2(%q: tensor<1x4x3x7xf32>, %k: tensor<1x2x5x8xf32>, %v: tensor<1x2x5x6xf32>) {
  // expected-error@below {{q of [1, 4, 3, 7], k of [1, 2, 5, 8] and v of [1, 2, 5, 6] do not fit}}
  %0 = eff.attention %q, %k, %v scale 1.0 : (tensor<1x4x3x7xf32>, tensor<1x2x5x8xf32>, tensor<1x2x5x6xf32>) -> tensor<1x4x3x6xf32>
  return
}

// -----

// attention_c3
func.func @attention_c3(%q: tensor<1x3x3x8xf32>, %k: tensor<1x2x5x8xf32>, %v: tensor<1x2x5x6xf32>) {
  // expected-error@below {{2 key heads do not divide 3 query heads}}
  %0 = eff.attention %q, %k, %v scale 1.0 : (tensor<1x3x3x8xf32>, tensor<1x2x5x8xf32>, tensor<1x2x5x6xf32>) -> tensor<1x3x3x6xf32>
  return
}

// -----

// attention_c4
func.func @attention_c4(%q: tensor<1x4x3x8xf32>, %k: tensor<1x2x5x8xf32>, %v: tensor<1x2x5x6xf16>) {
  // expected-error@below {{q, k and v must have one element type of floats}}
  %0 = eff.attention %q, %k, %v scale 1.0 : (tensor<1x4x3x8xf32>, tensor<1x2x5x8xf32>, tensor<1x2x5x6xf16>) -> tensor<1x4x3x6xf32>
  return
}

// -----

// attention_c5
func.func @attention_c5(%q: tensor<1x4x3x8xf32>, %k: tensor<1x2x5x8xf32>, %v: tensor<1x2x5x6xf32>, %m: tensor<3x5xf16>) {
  // expected-error@below {{mask has element type 'f16', expected i1 or 'f32'}}
  %0 = eff.attention %q, %k, %v mask %m scale 1.0 : (tensor<1x4x3x8xf32>, tensor<1x2x5x8xf32>, tensor<1x2x5x6xf32>, tensor<3x5xf16>) -> tensor<1x4x3x6xf32>
  return
}

// -----

// attention_c6
func.func @attention_c6(%q: tensor<1x4x3x8xf32>, %k: tensor<1x2x5x8xf32>, %v: tensor<1x2x5x6xf32>, %m: tensor<3x4xf32>) {
  // expected-error@below {{mask of shape [3, 4] does not broadcast to [1, 4, 3, 5]}}
  %0 = eff.attention %q, %k, %v mask %m scale 1.0 : (tensor<1x4x3x8xf32>, tensor<1x2x5x8xf32>, tensor<1x2x5x6xf32>, tensor<3x4xf32>) -> tensor<1x4x3x6xf32>
  return
}

// -----

// rope_c1
func.func @rope_c1(%x: tensor<2x4xf32>, %c: tensor<2x2xf16>) {
  // expected-error@below {{x, cos and sin must have one element type of floats}}
  %0 = eff.rope %x cos %c sin %c : (tensor<2x4xf32>, tensor<2x2xf16>, tensor<2x2xf16>) -> tensor<2x4xf32>
  return
}

// -----

// rope_c2
func.func @rope_c2(%x: tensor<2x5xf32>, %c: tensor<2x2xf32>) {
  // expected-error@below {{last dim of x must be even}}
  %0 = eff.rope %x cos %c sin %c : (tensor<2x5xf32>, tensor<2x2xf32>, tensor<2x2xf32>) -> tensor<2x5xf32>
  return
}

// -----

// rope_c3
func.func @rope_c3(%x: tensor<2x4xf32>, %c: tensor<2x4xf32>) {
  // expected-error@below {{table of shape [2, 4] does not broadcast to [2, 2]}}
  %0 = eff.rope %x cos %c sin %c : (tensor<2x4xf32>, tensor<2x4xf32>, tensor<2x4xf32>) -> tensor<2x4xf32>
  return
}
