// Every labelled constraint of the verifiers.
// RUN: effc-opt %s -verify-diagnostics -split-input-file

// unary_c1
func.func @unary_c1(%x: tensor<4xi32>) {
  // expected-error@below {{'exp' is not defined on 'i32'}}
  %0 = eff.unary exp %x : (tensor<4xi32>) -> tensor<4xi32>
  return
}

// -----

// unary_c2
func.func @unary_c2(%x: tensor<4xf32>) {
  // expected-error@below {{'leaky_relu' needs alpha}}
  %0 = eff.unary leaky_relu %x : (tensor<4xf32>) -> tensor<4xf32>
  return
}

// -----

// unary_c2_beta
func.func @unary_c2_beta(%x: tensor<4xf32>) {
  // expected-error@below {{'hard_sigmoid' needs alpha and beta}}
  %0 = eff.unary hard_sigmoid %x {alpha = 0.2 : f64} : (tensor<4xf32>) -> tensor<4xf32>
  return
}

// -----

// binary_c1
func.func @binary_c1(%a: tensor<2x3xf32>, %b: tensor<2xf32>) {
  // expected-error@below {{shapes [2, 3] and [2] do not broadcast}}
  %0 = eff.binary add %a, %b : (tensor<2x3xf32>, tensor<2xf32>) -> tensor<2x3xf32>
  return
}

// -----

// binary_c2
func.func @binary_c2(%a: tensor<2x3xf32>, %b: tensor<3xf64>) {
  // expected-error@below {{operands have element types 'f32' and 'f64'}}
  %0 = eff.binary add %a, %b : (tensor<2x3xf32>, tensor<3xf64>) -> tensor<2x3xf32>
  return
}

// -----

// binary_c3
func.func @binary_c3(%a: tensor<3xf32>, %b: tensor<3xf32>) {
  // expected-error@below {{'shl' is not defined on 'f32'}}
  %0 = eff.binary shl %a, %b : (tensor<3xf32>, tensor<3xf32>) -> tensor<3xf32>
  return
}

// -----

// compare_c1
func.func @compare_c1(%a: tensor<2x3xf32>, %b: tensor<2xf32>) {
  // expected-error@below {{shapes [2, 3] and [2] do not broadcast}}
  %0 = eff.compare lt %a, %b : (tensor<2x3xf32>, tensor<2xf32>) -> tensor<2x3xi1>
  return
}

// -----

// compare_c2
func.func @compare_c2(%a: tensor<3xf32>, %b: tensor<3xi64>) {
  // expected-error@below {{operands have element types 'f32' and 'i64'}}
  %0 = eff.compare lt %a, %b : (tensor<3xf32>, tensor<3xi64>) -> tensor<3xi1>
  return
}

// -----

// select_c1
func.func @select_c1(%c: tensor<3xi1>, %a: tensor<2xf32>, %b: tensor<2xf32>) {
  // expected-error@below {{shapes [3] and [2] do not broadcast}}
  %0 = eff.select %c, %a, %b : (tensor<3xi1>, tensor<2xf32>, tensor<2xf32>) -> tensor<2xf32>
  return
}

// -----

// select_c2
func.func @select_c2(%c: tensor<3xi8>, %a: tensor<3xf32>, %b: tensor<3xf32>) {
  // expected-error@below {{condition has element type 'i8', expected i1}}
  %0 = eff.select %c, %a, %b : (tensor<3xi8>, tensor<3xf32>, tensor<3xf32>) -> tensor<3xf32>
  return
}

// -----

// select_c3
func.func @select_c3(%c: tensor<3xi1>, %a: tensor<3xf32>, %b: tensor<3xf16>) {
  // expected-error@below {{choices have element types 'f32' and 'f16'}}
  %0 = eff.select %c, %a, %b : (tensor<3xi1>, tensor<3xf32>, tensor<3xf16>) -> tensor<3xf32>
  return
}

// -----

// convert_c1
func.func @convert_c1(%x: tensor<3xf32>) {
  // expected-error@below {{changes shape [3] to [4]}}
  %0 = eff.convert %x : (tensor<3xf32>) -> tensor<4xi8>
  return
}

// -----

// unary_c2_clip
func.func @unary_c2_clip(%x: tensor<4xf32>) {
  // expected-error@below {{'clip' needs alpha and beta}}
  %0 = eff.unary clip %x {beta = 6.0 : f64} : (tensor<4xf32>) -> tensor<4xf32>
  return
}

// -----

// compare_c3
func.func @compare_c3(%x: tensor<3xf8E5M2>) {
  // expected-error@below {{is not defined on 'f8E5M2'}}
  %0 = eff.compare lt %x, %x : (tensor<3xf8E5M2>, tensor<3xf8E5M2>) -> tensor<3xi1>
  return
}

// -----

// bitcast_c1
func.func @bitcast_c1(%x: tensor<3xf32>) {
  // expected-error@below {{changes shape [3] to [4]}}
  %0 = eff.bitcast %x : (tensor<3xf32>) -> tensor<4xi32>
  return
}

// -----

// bitcast_c2
func.func @bitcast_c2(%x: tensor<3xi1>) {
  // expected-error@below {{element types 'i1' and 'i4' differ in width}}
  %0 = eff.bitcast %x : (tensor<3xi1>) -> tensor<3xi4>
  return
}
