// RUN: effc-opt %s | effc-opt | FileCheck %s
// RUN: effc-opt %s -canonicalize | FileCheck %s --check-prefix=FOLD

// CHECK-LABEL: func @unary
// CHECK: eff.unary relu %{{.+}} : (tensor<?xf32, #eff.dims<s0>>) -> tensor<?xf32, #eff.dims<s0>>
// CHECK: eff.unary leaky_relu %{{.+}} {alpha = 1.000000e-01 : f64}
// CHECK: eff.unary isnan %{{.+}} : (tensor<?xf32, #eff.dims<s0>>) -> tensor<?xi1, #eff.dims<s0>>
func.func @unary(%x: tensor<?xf32, #eff.dims<s0>>) -> tensor<?xi1, #eff.dims<s0>> {
  %0 = eff.unary relu %x : (tensor<?xf32, #eff.dims<s0>>) -> tensor<?xf32, #eff.dims<s0>>
  %1 = eff.unary leaky_relu %0 {alpha = 0.1 : f64} : (tensor<?xf32, #eff.dims<s0>>) -> tensor<?xf32, #eff.dims<s0>>
  %2 = eff.unary isnan %1 : (tensor<?xf32, #eff.dims<s0>>) -> tensor<?xi1, #eff.dims<s0>>
  return %2 : tensor<?xi1, #eff.dims<s0>>
}

// CHECK-LABEL: func @broadcasting
// CHECK: eff.binary add %{{.+}}, %{{.+}} : (tensor<?x3xf32, #eff.dims<s0, 3>>, tensor<2x1x1xf32>) -> tensor<2x?x3xf32, #eff.dims<2, s0, 3>>
// CHECK: eff.compare lt
// CHECK: eff.select
// CHECK: eff.convert %{{.+}} : (tensor<2x?x3xf32, #eff.dims<2, s0, 3>>) -> tensor<2x?x3xui8, #eff.dims<2, s0, 3>>
func.func @broadcasting(%a: tensor<?x3xf32, #eff.dims<s0, 3>>, %b: tensor<2x1x1xf32>) -> tensor<2x?x3xui8, #eff.dims<2, s0, 3>> {
  %0 = eff.binary add %a, %b : (tensor<?x3xf32, #eff.dims<s0, 3>>, tensor<2x1x1xf32>) -> tensor<2x?x3xf32, #eff.dims<2, s0, 3>>
  %1 = eff.compare lt %0, %a : (tensor<2x?x3xf32, #eff.dims<2, s0, 3>>, tensor<?x3xf32, #eff.dims<s0, 3>>) -> tensor<2x?x3xi1, #eff.dims<2, s0, 3>>
  %2 = eff.select %1, %0, %b : (tensor<2x?x3xi1, #eff.dims<2, s0, 3>>, tensor<2x?x3xf32, #eff.dims<2, s0, 3>>, tensor<2x1x1xf32>) -> tensor<2x?x3xf32, #eff.dims<2, s0, 3>>
  %3 = eff.convert %2 : (tensor<2x?x3xf32, #eff.dims<2, s0, 3>>) -> tensor<2x?x3xui8, #eff.dims<2, s0, 3>>
  return %3 : tensor<2x?x3xui8, #eff.dims<2, s0, 3>>
}

// FOLD-LABEL: func @identities
// FOLD-SAME: (%[[X:.+]]: tensor<4xf32>)
// FOLD-NEXT: return %[[X]]
func.func @identities(%x: tensor<4xf32>) -> tensor<4xf32> {
  %one = eff.constant dense<1.0> : tensor<f32>
  %zero = eff.constant dense<0.0> : tensor<1xf32>
  %0 = eff.binary add %x, %zero : (tensor<4xf32>, tensor<1xf32>) -> tensor<4xf32>
  %1 = eff.binary mul %one, %0 : (tensor<f32>, tensor<4xf32>) -> tensor<4xf32>
  %2 = eff.binary pow %1, %one : (tensor<4xf32>, tensor<f32>) -> tensor<4xf32>
  %3 = eff.unary neg %2 : (tensor<4xf32>) -> tensor<4xf32>
  %4 = eff.unary neg %3 : (tensor<4xf32>) -> tensor<4xf32>
  %5 = eff.convert %4 : (tensor<4xf32>) -> tensor<4xf32>
  %6 = eff.binary max %5, %5 : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  return %6 : tensor<4xf32>
}

// Adding zero still broadcasts.
// FOLD-LABEL: func @broadcasting_zero_stays
// FOLD: eff.binary add
func.func @broadcasting_zero_stays(%x: tensor<4xf32>) -> tensor<2x4xf32> {
  %zero = eff.constant dense<0.0> : tensor<2x1xf32>
  %0 = eff.binary add %x, %zero : (tensor<4xf32>, tensor<2x1xf32>) -> tensor<2x4xf32>
  return %0 : tensor<2x4xf32>
}
