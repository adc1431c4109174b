// RUN: effc-opt %s -split-input-file -verify-diagnostics

func.func @element(%n: tensor<1xi64>) {
  // expected-error @+1 {{reads element 1 of 1 elements}}
  eff.define_size 0 = %n[1] : tensor<1xi64>
  return
}

// -----

func.func @element_type(%n: tensor<1xi32>) {
  // expected-error @+1 {{reads 'i32', expected i64}}
  eff.define_size 0 = %n[0] : tensor<1xi32>
  return
}

// -----

func.func @branch(%c: tensor<i1>, %x: tensor<4xf32>) -> tensor<4xf32> {
  // expected-error @+1 {{has 1 symbols, each region must yield a size for each}}
  %0 = eff.if %c sizes [0] : (tensor<i1>) -> tensor<4xf32> {
    eff.yield %x : tensor<4xf32> sizes <4>
  } else {
    eff.yield %x : tensor<4xf32> sizes <>
  }
  return %0 : tensor<4xf32>
}

// -----

func.func @branch_types(%c: tensor<i1>, %x: tensor<4xf32>, %y: tensor<4xf64>) -> tensor<4xf32> {
  // expected-error @+1 {{yields types}}
  %0 = eff.if %c sizes [] : (tensor<i1>) -> tensor<4xf32> {
    eff.yield %x : tensor<4xf32> sizes <>
  } else {
    eff.yield %y : tensor<4xf64> sizes <>
  }
  return %0 : tensor<4xf32>
}

// -----

func.func @loop(%x: tensor<4xf32>) -> tensor<4xf32> {
  // expected-error @+1 {{needs at most one trip count, a symbol for the iteration and a start for each symbol}}
  %0 = eff.loop trip <1, 2>(%x) sizes [0] from <0> : (tensor<4xf32>) -> tensor<4xf32> {
  ^bb0(%a: tensor<4xf32>):
    eff.yield %a : tensor<4xf32> sizes <s0 + 1>
  }
  return %0 : tensor<4xf32>
}

// -----

func.func @nonzero(%x: tensor<4xi1>) -> tensor<2x4xi64> {
  // expected-error @+1 {{gives 'tensor<2x4xi64>'}}
  %0 = eff.nonzero %x : (tensor<4xi1>) -> tensor<2x4xi64>
  return %0 : tensor<2x4xi64>
}
