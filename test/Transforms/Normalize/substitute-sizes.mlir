// RUN: effc-opt %s -eff-substitute-sizes -split-input-file | FileCheck %s

#in = #eff.dims<s0, 4>
#out = #eff.dims<s1, 4>

// CHECK: func.func @clipped_size_that_a_check_compares(%{{.+}}) -> tensor<?x4xf32, #eff.dims<s0, 4>>
// CHECK-SAME: eff.checks = [#eff.check<<s0, s1>, "sizes differ">]
// CHECK-SAME: #eff.derived<"min", <s0, 1024>>
func.func @clipped_size_that_a_check_compares(%x: tensor<?x4xf32, #in>) -> tensor<?x4xf32, #out>
    attributes {eff.checks = [#eff.check<<s0, s1>, "sizes differ">],
                eff.symbols = [#eff.symbol<"n", input 0, axis 0, in 1 to 4096>, #eff.derived<"min", <s0, 1024>>]} {
  // CHECK: eff.slice %arg0 <0, 0> by [1, 1] : (tensor<?x4xf32, #eff.dims<s0, 4>>) -> tensor<?x4xf32, #eff.dims<s0, 4>>
  %y = eff.slice %x <0, 0> by [1, 1] : (tensor<?x4xf32, #in>) -> tensor<?x4xf32, #out>
  return %y : tensor<?x4xf32, #out>
}

// -----

// With s0 + s1 at most 8 so is s1: the offset is s1, and the rest of the rows s0.
// CHECK-LABEL: func.func @bound_of_a_sum
func.func @bound_of_a_sum(%x: tensor<?x?xf32, #eff.dims<s0, s1>>) -> tensor<?x?xf32, #eff.dims<s4, s3>>
    attributes {eff.checks = [#eff.check<<s0 + s1, s3>, "sizes differ">],
                eff.symbols = [#eff.symbol<"n", input 0, axis 0, in 1 to 4096>, #eff.symbol<"p", input 0, axis 1, in 0 to 4096>,
                               #eff.derived<"min", <s1, 8>>, #eff.derived<"min", <s0 + s1, 8>>, #eff.derived<"max", <s3 - s2, 0>>]} {
  %t = eff.constant dense<1.0> : tensor<8x8xf32>
  // CHECK: eff.slice %{{.+}} <s1, 0> by [1, 1] : (tensor<8x8xf32>) -> tensor<?x?xf32, #eff.dims<s0, s0 + s1>>
  %y = eff.slice %t <s2, 0> by [1, 1] : (tensor<8x8xf32>) -> tensor<?x?xf32, #eff.dims<s4, s3>>
  return %y : tensor<?x?xf32, #eff.dims<s4, s3>>
}

// -----

// Nothing compares the clipped size.
// CHECK-LABEL: func.func @no_check
func.func @no_check(%x: tensor<?x4xf32, #eff.dims<s0, 4>>) -> tensor<?x4xf32, #eff.dims<s1, 4>>
    attributes {eff.checks = [], eff.symbols = [#eff.symbol<"n", input 0, axis 0, in 1 to 4096>, #eff.derived<"min", <s0, 1024>>]} {
  // CHECK: -> tensor<?x4xf32, #eff.dims<s1, 4>>
  %y = eff.slice %x <0, 0> by [1, 1] : (tensor<?x4xf32, #eff.dims<s0, 4>>) -> tensor<?x4xf32, #eff.dims<s1, 4>>
  return %y : tensor<?x4xf32, #eff.dims<s1, 4>>
}

// -----

// Where one size meets itself under another name, the broadcast is that size.
// CHECK-LABEL: func.func @sizes_that_met
// CHECK-SAME: -> tensor<?xf32, #eff.dims<s0>>
func.func @sizes_that_met(%x: tensor<?xf32, #eff.dims<s0>>) -> tensor<?xf32, #eff.dims<s2>>
    attributes {eff.checks = [#eff.check<<s0, s1>, "sizes differ">],
                eff.symbols = [#eff.symbol<"n", input 0, axis 0, in 1 to 4096>, #eff.derived<"min", <s0, 1024>>,
                               #eff.derived<"broadcast", <s0, s1>>]} {
  %y = eff.broadcast %x : (tensor<?xf32, #eff.dims<s0>>) -> tensor<?xf32, #eff.dims<s2>>
  return %y : tensor<?xf32, #eff.dims<s2>>
}
