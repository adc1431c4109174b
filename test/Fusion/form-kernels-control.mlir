// Blocks are formed one by one, and nothing moves into a loop.
// RUN: effc-opt %s -eff-form-kernels | FileCheck %s

// CHECK-LABEL: func.func @captured
// CHECK: effk.kernel "unary"
// CHECK: eff.loop
// CHECK-NOT: eff.unary exp
// CHECK: effk.kernel "binary"
// CHECK: eff.binary add
// CHECK: eff.yield
// CHECK: effk.kernel "copy"
func.func @captured(%x: tensor<4xf32>, %y: tensor<4xf32>) -> tensor<4xf32>
    attributes {eff.symbols = [#eff.late_symbol<"i", in 0 to 9>]} {
  %e = eff.unary exp %x : (tensor<4xf32>) -> tensor<4xf32>
  %0 = eff.loop trip <7>(%y) sizes [0] from <0> : (tensor<4xf32>) -> tensor<4xf32> {
  ^bb0(%a: tensor<4xf32>):
    %1 = eff.binary add %a, %e : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
    eff.yield %1 : tensor<4xf32> sizes <s0 + 1>
  }
  return %0 : tensor<4xf32>
}

// What defines a size that nobody uses is not computed.
// CHECK-LABEL: func.func @unused
// CHECK-NOT: effk.kernel "reduce"
// CHECK-NOT: eff.define_size
func.func @unused(%x: tensor<4xi64>) -> tensor<4xi64>
    attributes {eff.symbols = [#eff.late_symbol<"n", in 0 to 9>]} {
  %n = eff.reduce sum %x [0] : (tensor<4xi64>) -> tensor<1xi64>
  eff.define_size 0 = %n[0] : tensor<1xi64>
  %0 = eff.unary neg %x : (tensor<4xi64>) -> tensor<4xi64>
  return %0 : tensor<4xi64>
}
