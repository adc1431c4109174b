// Every labelled constraint of the verifiers.
// RUN: effc-opt %s -verify-diagnostics -split-input-file

// dim_values_c1
func.func @dim_values_c1() {
  // expected-error@below {{gives 'tensor<1xf32>', expected static i32 or i64}}
  %0 = eff.dim_values <s0> : tensor<1xf32>
  return
}

// -----

// dim_values_c2
func.func @dim_values_c2() {
  // expected-error@below {{has 1 values for 2 elements}}
  %0 = eff.dim_values <s0> : tensor<2xi64>
  return
}

// -----

// iota_c1
func.func @iota_c1() {
  // expected-error@below {{axis 2 is not within rank 2}}
  %0 = eff.iota axis 2 <0, 1> : tensor<4x4xi64>
  return
}

// -----

// iota_c2
func.func @iota_c2() {
  // expected-error@below {{has 1 bounds, expected start and step}}
  %0 = eff.iota axis 0 <0> : tensor<4xi64>
  return
}

// -----

// iota_c3
func.func @iota_c3() {
  // expected-error@below {{counts in 'i1'}}
  %0 = eff.iota axis 0 <0, 1> : tensor<4xi1>
  return
}

// -----

// reshape_c1
func.func @reshape_c1(%x: tensor<4xf32>) {
  // expected-error@below {{changes element type 'f32' to 'i32'}}
  %0 = eff.reshape %x : (tensor<4xf32>) -> tensor<4xi32>
  return
}

// -----

// reshape_c2
func.func @reshape_c2(%x: tensor<4xf32>) {
  // expected-error@below {{takes 4 elements to 5}}
  %0 = eff.reshape %x : (tensor<4xf32>) -> tensor<5xf32>
  return
}

// -----

// reshape_dims
func.func @reshape_dims(%x: tensor<4xf32>) {
  // expected-error@below {{result of type 'tensor<?xf32>' has a dynamic dim without an #eff.dims encoding}}
  %0 = eff.reshape %x : (tensor<4xf32>) -> tensor<?xf32>
  return
}

// -----

// transpose_c1
func.func @transpose_c1(%x: tensor<4x5xf32>) {
  // expected-error@below {{dim 0 is repeated or not within rank 2}}
  %0 = eff.transpose %x [0, 0] : (tensor<4x5xf32>) -> tensor<4x5xf32>
  return
}

// -----

// transpose_c1_count
func.func @transpose_c1_count(%x: tensor<4x5xf32>) {
  // expected-error@below {{permutes 1 dims of rank 2}}
  %0 = eff.transpose %x [0] : (tensor<4x5xf32>) -> tensor<4x5xf32>
  return
}

// -----

// broadcast_c1
func.func @broadcast_c1(%x: tensor<1xf32>) {
  // expected-error@below {{changes element type 'f32' to 'i32'}}
  %0 = eff.broadcast %x : (tensor<1xf32>) -> tensor<4xi32>
  return
}

// -----

// broadcast_c2
func.func @broadcast_c2(%x: tensor<2xf32>) {
  // expected-error@below {{shape [2] does not broadcast to [4]}}
  %0 = eff.broadcast %x : (tensor<2xf32>) -> tensor<4xf32>
  return
}

// -----

// tile_c1
func.func @tile_c1(%x: tensor<2xf32>) {
  // expected-error@below {{takes 'tensor<2xf32>' to 'tensor<2x2xf32>'}}
  %0 = eff.tile %x : (tensor<2xf32>) -> tensor<2x2xf32>
  return
}

// -----

// tile_c2
func.func @tile_c2(%x: tensor<2xf32>) {
  // expected-error@below {{repeats extent 2 to 5}}
  %0 = eff.tile %x : (tensor<2xf32>) -> tensor<5xf32>
  return
}

// -----

// concat_c1
func.func @concat_c1(%x: tensor<2xf32>) {
  // expected-error@below {{axis 1 is not within rank 1}}
  %0 = eff.concat %x axis 1 : (tensor<2xf32>) -> tensor<2xf32>
  return
}

// -----

// concat_c1_empty
func.func @concat_c1_empty() {
  // expected-error@below {{has no inputs}}
  %0 = "eff.concat"() <{axis = 0 : i64}> : () -> tensor<2xf32>
  return
}

// -----

// concat_c2
func.func @concat_c2(%x: tensor<2xf32>, %y: tensor<2xf16>) {
  // expected-error@below {{joins 'f32' and 'f16'}}
  %0 = eff.concat %x, %y axis 0 : (tensor<2xf32>, tensor<2xf16>) -> tensor<4xf32>
  return
}

// -----

// concat_c3
func.func @concat_c3(%x: tensor<2x3xf32>, %y: tensor<2x4xf32>) {
  // expected-error@below {{joins shapes [2, 3] and [2, 4] along axis 0}}
  %0 = eff.concat %x, %y axis 0 : (tensor<2x3xf32>, tensor<2x4xf32>) -> tensor<4x3xf32>
  return
}

// -----

// slice_c1
func.func @slice_c1(%x: tensor<4xf32>) {
  // expected-error@below {{takes 'tensor<4xf32>' to 'tensor<2x2xf32>'}}
  %0 = eff.slice %x <0> by [1] : (tensor<4xf32>) -> tensor<2x2xf32>
  return
}

// -----

// slice_c2
func.func @slice_c2(%x: tensor<4xf32>) {
  // expected-error@below {{has 1 offsets and 1 strides for rank 1; strides must not be 0}}
  %0 = eff.slice %x <0> by [0] : (tensor<4xf32>) -> tensor<2xf32>
  return
}

// -----

// slice_c3
func.func @slice_c3_overflow(%x: tensor<4xf32>) {
  // expected-error@below {{reads 3 elements of dim 0 of extent 4}}
  %0 = eff.slice %x <0> by [9223372036854775807] : (tensor<4xf32>) -> tensor<3xf32>
  return
}

// -----

// slice_c3
func.func @slice_c3(%x: tensor<4xf32>) {
  // expected-error@below {{reads elements 2 to 4 of dim 0 of extent 4}}
  %0 = eff.slice %x <2> by [2] : (tensor<4xf32>) -> tensor<2xf32>
  return
}

// -----

// pad_c1
func.func @pad_c1(%x: tensor<4xf32>) {
  // expected-error@below {{takes 'tensor<4xf32>' to 'tensor<2x2xf32>'}}
  %0 = eff.pad constant %x <0> : (tensor<4xf32>) -> tensor<2x2xf32>
  return
}

// -----

// pad_c2
func.func @pad_c2(%x: tensor<4xf32>) {
  // expected-error@below {{has 2 amounts for rank 1}}
  %0 = eff.pad constant %x <0, 0> : (tensor<4xf32>) -> tensor<4xf32>
  return
}

// -----

// pad_c3
func.func @pad_c3(%x: tensor<4xf32>) {
  // expected-error@below {{removes elements of dim 0}}
  %0 = eff.pad constant %x <1> : (tensor<4xf32>) -> tensor<4xf32>
  return
}

// -----

// pad_c4
func.func @pad_c4(%x: tensor<4xf32>, %v: tensor<2xf32>) {
  // expected-error@below {{value has type 'tensor<2xf32>', expected one element of 'f32'}}
  %0 = eff.pad constant %x value %v <1> : (tensor<4xf32>, tensor<2xf32>) -> tensor<5xf32>
  return
}

// -----

// gather_c1
func.func @gather_c1(%x: tensor<4xf32>, %i: tensor<2xi64>) {
  // expected-error@below {{axis 1 is not within rank 1}}
  %0 = eff.gather %x[%i] axis 1 : (tensor<4xf32>, tensor<2xi64>) -> tensor<2xf32>
  return
}

// -----

// gather_c2
func.func @gather_c2(%x: tensor<4xf32>, %i: tensor<2xf32>) {
  // expected-error@below {{indices have element type 'f32', expected i32 or i64}}
  %0 = eff.gather %x[%i] axis 0 : (tensor<4xf32>, tensor<2xf32>) -> tensor<2xf32>
  return
}

// -----

// gather_elements_c1
func.func @gather_elements_c1(%x: tensor<4xf32>, %i: tensor<2xi64>) {
  // expected-error@below {{axis 1 is not within rank 1}}
  %0 = eff.gather_elements %x[%i] axis 1 : (tensor<4xf32>, tensor<2xi64>) -> tensor<2xf32>
  return
}

// -----

// gather_elements_c2
func.func @gather_elements_c2(%x: tensor<4xf32>, %i: tensor<2x2xi64>) {
  // expected-error@below {{x has rank 1, indices have 2}}
  %0 = eff.gather_elements %x[%i] axis 0 : (tensor<4xf32>, tensor<2x2xi64>) -> tensor<2x2xf32>
  return
}

// -----

// gather_elements_c3
func.func @gather_elements_c3(%x: tensor<4xf32>, %i: tensor<2xi8>) {
  // expected-error@below {{indices have element type 'i8', expected i32 or i64}}
  %0 = eff.gather_elements %x[%i] axis 0 : (tensor<4xf32>, tensor<2xi8>) -> tensor<2xf32>
  return
}

// -----

// gather_nd_c1
func.func @gather_nd_c1(%x: tensor<4x5xf32>, %i: tensor<4x1xi64>) {
  // expected-error@below {{2 batch dims are too many for ranks 2 and 2}}
  %0 = eff.gather_nd %x[%i] {batch_dims = 2 : i64} : (tensor<4x5xf32>, tensor<4x1xi64>) -> tensor<4xf32>
  return
}

// -----

// gather_nd_c2
func.func @gather_nd_c2(%x: tensor<4x5xf32>, %i: tensor<4x3xi64>) {
  // expected-error@below {{index tuples must have a constant length from 1 to 2}}
  %0 = eff.gather_nd %x[%i] : (tensor<4x5xf32>, tensor<4x3xi64>) -> tensor<4xf32>
  return
}

// -----

// gather_nd_c3
func.func @gather_nd_c3(%x: tensor<4x5xf32>, %i: tensor<3x1xi64>) {
  // expected-error@below {{batch dims of [4, 5] and [3] differ}}
  %0 = eff.gather_nd %x[%i] {batch_dims = 1 : i64} : (tensor<4x5xf32>, tensor<3x1xi64>) -> tensor<3xf32>
  return
}

// -----

// gather_nd_c4
func.func @gather_nd_c4(%x: tensor<4x5xf32>, %i: tensor<3x1xi8>) {
  // expected-error@below {{indices have element type 'i8', expected i32 or i64}}
  %0 = eff.gather_nd %x[%i] : (tensor<4x5xf32>, tensor<3x1xi8>) -> tensor<3x5xf32>
  return
}

// -----

// scatter_elements_c1
func.func @scatter_elements_c1(%x: tensor<4xf32>, %i: tensor<2xi64>, %u: tensor<2xf32>) {
  // expected-error@below {{axis 1 is not within rank 1}}
  %0 = eff.scatter_elements none %x[%i], %u axis 1 : (tensor<4xf32>, tensor<2xi64>, tensor<2xf32>) -> tensor<4xf32>
  return
}

// -----

// scatter_elements_c2
func.func @scatter_elements_c2(%x: tensor<4xf32>, %i: tensor<2xi64>, %u: tensor<3xf32>) {
  // expected-error@below {{indices of [2] and updates of [3] must have one shape of rank 1}}
  %0 = eff.scatter_elements none %x[%i], %u axis 0 : (tensor<4xf32>, tensor<2xi64>, tensor<3xf32>) -> tensor<4xf32>
  return
}

// -----

// scatter_elements_c3
func.func @scatter_elements_c3(%x: tensor<4xf32>, %i: tensor<2xi64>, %u: tensor<2xf16>) {
  // expected-error@below {{writes 'f16' into 'f32'}}
  %0 = eff.scatter_elements none %x[%i], %u axis 0 : (tensor<4xf32>, tensor<2xi64>, tensor<2xf16>) -> tensor<4xf32>
  return
}

// -----

// scatter_elements_c4
func.func @scatter_elements_c4(%x: tensor<4xf32>, %i: tensor<2xi8>, %u: tensor<2xf32>) {
  // expected-error@below {{indices have element type 'i8', expected i32 or i64}}
  %0 = eff.scatter_elements none %x[%i], %u axis 0 : (tensor<4xf32>, tensor<2xi8>, tensor<2xf32>) -> tensor<4xf32>
  return
}

// -----

// scatter_nd_c1
func.func @scatter_nd_c1(%x: tensor<4x5xf32>, %i: tensor<2x3xi64>, %u: tensor<2xf32>) {
  // expected-error@below {{index tuples must have a constant length from 1 to 2}}
  %0 = eff.scatter_nd none %x[%i], %u : (tensor<4x5xf32>, tensor<2x3xi64>, tensor<2xf32>) -> tensor<4x5xf32>
  return
}

// -----

// scatter_nd_c2
func.func @scatter_nd_c2(%x: tensor<4x5xf32>, %i: tensor<2x1xi64>, %u: tensor<2xf32>) {
  // expected-error@below {{updates have shape [2], expected [2, 5]}}
  %0 = eff.scatter_nd none %x[%i], %u : (tensor<4x5xf32>, tensor<2x1xi64>, tensor<2xf32>) -> tensor<4x5xf32>
  return
}

// -----

// scatter_nd_c3
func.func @scatter_nd_c3(%x: tensor<4x5xf32>, %i: tensor<2x1xi64>, %u: tensor<2x5xf16>) {
  // expected-error@below {{writes 'f16' into 'f32'}}
  %0 = eff.scatter_nd none %x[%i], %u : (tensor<4x5xf32>, tensor<2x1xi64>, tensor<2x5xf16>) -> tensor<4x5xf32>
  return
}

// -----

// scatter_nd_c4
func.func @scatter_nd_c4(%x: tensor<4x5xf32>, %i: tensor<2x1xi8>, %u: tensor<2x5xf32>) {
  // expected-error@below {{indices have element type 'i8', expected i32 or i64}}
  %0 = eff.scatter_nd none %x[%i], %u : (tensor<4x5xf32>, tensor<2x1xi8>, tensor<2x5xf32>) -> tensor<4x5xf32>
  return
}
