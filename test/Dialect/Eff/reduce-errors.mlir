// Every labelled constraint of the verifiers.
// RUN: effc-opt %s -verify-diagnostics -split-input-file

// reduce_c1
func.func @reduce_c1(%x: tensor<4x5xf32>) {
  // expected-error@below {{axis 0 is not sorted or not within rank 2}}
  %0 = eff.reduce sum %x [1, 0] : (tensor<4x5xf32>) -> tensor<1x1xf32>
  return
}

// -----

// reduce_c2
func.func @reduce_c2(%x: tensor<4xi1>) {
  // expected-error@below {{'sum' is not defined on 'i1'}}
  %0 = eff.reduce sum %x [0] : (tensor<4xi1>) -> tensor<1xi1>
  return
}

// -----

// arg_reduce_c1
func.func @arg_reduce_c1(%x: tensor<4xf32>) {
  // expected-error@below {{axis 1 is not within rank 1}}
  %0 = eff.arg_reduce max %x axis 1 : (tensor<4xf32>) -> tensor<1xi64>
  return
}

// -----

// arg_reduce_c2
func.func @arg_reduce_c2(%x: tensor<4xf32>) {
  // expected-error@below {{kind is 'sum', expected max or min}}
  %0 = eff.arg_reduce sum %x axis 0 : (tensor<4xf32>) -> tensor<1xi64>
  return
}

// -----

// scan_c1
func.func @scan_c1(%x: tensor<4xf32>) {
  // expected-error@below {{axis 1 is not within rank 1}}
  %0 = eff.scan sum %x axis 1 : (tensor<4xf32>) -> tensor<4xf32>
  return
}

// -----

// scan_c2
func.func @scan_c2(%x: tensor<4xf32>) {
  // expected-error@below {{kind is 'max', expected sum or prod}}
  %0 = eff.scan max %x axis 0 : (tensor<4xf32>) -> tensor<4xf32>
  return
}

// -----

// topk_c1
func.func @topk_c1(%x: tensor<4xf32>) {
  // expected-error@below {{axis 1 is not within rank 1}}
  %0, %1 = eff.topk %x axis 1 : (tensor<4xf32>) -> (tensor<2xf32>, tensor<2xi64>)
  return
}

// -----

// topk_c2
func.func @topk_c2(%x: tensor<4xf32>) {
  // expected-error@below {{results have types 'tensor<2xf32>' and 'tensor<2xi32>', expected elements of x and i64 in the shape of x but for the axis}}
  %0, %1 = eff.topk %x axis 0 : (tensor<4xf32>) -> (tensor<2xf32>, tensor<2xi32>)
  return
}

// -----

// topk_c3
func.func @topk_c3(%x: tensor<4xf32>) {
  // expected-error@below {{takes 5 of 4 elements}}
  %0, %1 = eff.topk %x axis 0 : (tensor<4xf32>) -> (tensor<5xf32>, tensor<5xi64>)
  return
}

// -----

// topk_c4
func.func @topk_c4(%x: tensor<4x5xf32>) {
  // expected-error@below {{changes dims other than the axis}}
  %0, %1 = eff.topk %x axis 0 : (tensor<4x5xf32>) -> (tensor<2x4xf32>, tensor<2x4xi64>)
  return
}

// -----

// arg_reduce_c3
func.func @arg_reduce_c3(%x: tensor<3xi4>) {
  // expected-error@below {{is not defined on 'i4'}}
  %0 = eff.arg_reduce max %x axis 0 : (tensor<3xi4>) -> tensor<1xi64>
  return
}

// -----

// scan_c3
func.func @scan_c3(%x: tensor<4xi2>) {
  // expected-error@below {{is not defined on 'i2'}}
  %0 = eff.scan sum %x axis 0 : (tensor<4xi2>) -> tensor<4xi2>
  return
}

// -----

// topk_c5
func.func @topk_c5(%x: tensor<4xui4>) {
  // expected-error@below {{is not defined on 'ui4'}}
  %0, %1 = eff.topk %x axis 0 : (tensor<4xui4>) -> (tensor<2xui4>, tensor<2xi64>)
  return
}
