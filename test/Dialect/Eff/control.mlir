// RUN: effc-opt %s | effc-opt | FileCheck %s

// CHECK-LABEL: func.func @define
// CHECK: eff.define_size 1 = %{{.*}}[0] : tensor<1xi64>
// CHECK: eff.check_size <<s1, s0>, "differ">
// CHECK: eff.nonzero %{{.*}} : (tensor<?xi1, #eff.dims<s0>>) -> tensor<1x?xi64, #eff.dims<1, s1>>
func.func @define(%x: tensor<?xi1, #eff.dims<s0>>, %n: tensor<1xi64>) -> tensor<1x?xi64, #eff.dims<1, s1>>
    attributes {eff.symbols = [#eff.symbol<"n", input 0, axis 0, in 0 to 9>, #eff.late_symbol<"k", in 0 to 9>]} {
  eff.define_size 1 = %n[0] : tensor<1xi64>
  eff.check_size <<s1, s0>, "differ">
  %0 = eff.nonzero %x : (tensor<?xi1, #eff.dims<s0>>) -> tensor<1x?xi64, #eff.dims<1, s1>>
  return %0 : tensor<1x?xi64, #eff.dims<1, s1>>
}

// CHECK-LABEL: func.func @branch
// CHECK: eff.if %{{.*}} sizes [0] : (tensor<i1>) -> tensor<?xf32, #eff.dims<s0>>
// CHECK: eff.yield %{{.*}} : tensor<4xf32> sizes <4>
// CHECK: } else {
func.func @branch(%c: tensor<i1>, %x: tensor<4xf32>, %y: tensor<2xf32>) -> tensor<?xf32, #eff.dims<s0>>
    attributes {eff.symbols = [#eff.late_symbol<"k", in 0 to 9>]} {
  %0 = eff.if %c sizes [0] : (tensor<i1>) -> tensor<?xf32, #eff.dims<s0>> {
    eff.yield %x : tensor<4xf32> sizes <4>
  } else {
    eff.yield %y : tensor<2xf32> sizes <2>
  }
  return %0 : tensor<?xf32, #eff.dims<s0>>
}

// CHECK-LABEL: func.func @loop
// CHECK: eff.loop trip <7> while %{{.*}}(%{{.*}}) sizes [0] from <0> :
// CHECK: ^bb0
func.func @loop(%c: tensor<i1>, %x: tensor<4xf32>) -> (tensor<4xf32>, tensor<?x4xf32, #eff.dims<s0, 4>>)
    attributes {eff.symbols = [#eff.late_symbol<"i", in 0 to 9>]} {
  %0:2 = eff.loop trip <7> while %c(%x) sizes [0] from <0> :
      (tensor<i1>, tensor<4xf32>) -> (tensor<4xf32>, tensor<?x4xf32, #eff.dims<s0, 4>>) {
  ^bb0(%a: tensor<4xf32>):
    %1 = eff.unary exp %a : (tensor<4xf32>) -> tensor<4xf32>
    eff.yield %c, %1, %a : tensor<i1>, tensor<4xf32>, tensor<4xf32> sizes <s0 + 1>
  }
  return %0#0, %0#1 : tensor<4xf32>, tensor<?x4xf32, #eff.dims<s0, 4>>
}

// CHECK-LABEL: func.func @library
// CHECK: eff.library "sort"(%{{.*}}) <4> work <1, 0, 8> : (tensor<4xf32>) -> (tensor<4xf32>, tensor<4xi64>)
func.func @library(%x: tensor<4xf32>) -> (tensor<4xf32>, tensor<4xi64>) {
  %0:2 = eff.library "sort"(%x) <4> work <1, 0, 8> : (tensor<4xf32>) -> (tensor<4xf32>, tensor<4xi64>)
  return %0#0, %0#1 : tensor<4xf32>, tensor<4xi64>
}
