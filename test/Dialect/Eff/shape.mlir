// RUN: effc-opt %s | effc-opt | FileCheck %s
// RUN: effc-opt %s -canonicalize | FileCheck %s --check-prefix=FOLD

// CHECK-LABEL: func @values
// CHECK: %cst = eff.constant dense<[1, 2]> : tensor<2xi64>
// CHECK: %dims = eff.dim_values <s0, s1 * 2> : tensor<2xi64>
// CHECK: eff.iota axis 1 <0, s0> : tensor<2x3xf32>
func.func @values() -> (tensor<2xi64>, tensor<2xi64>, tensor<2x3xf32>) {
  %0 = eff.constant dense<[1, 2]> : tensor<2xi64>
  %1 = eff.dim_values <s0, s1 * 2> : tensor<2xi64>
  %2 = eff.iota axis 1 <0, s0> : tensor<2x3xf32>
  return %0, %1, %2 : tensor<2xi64>, tensor<2xi64>, tensor<2x3xf32>
}

// CHECK-LABEL: func @movement
// CHECK: eff.reshape
// CHECK: eff.transpose %{{.+}} [1, 0]
// CHECK: eff.broadcast
// CHECK: eff.concat %{{.+}}, %{{.+}} axis 1
// CHECK: eff.slice %{{.+}} <0, 0, s0> by [1, 1, -1]
// CHECK: eff.pad constant
// CHECK: eff.tile
func.func @movement(%x: tensor<4x?xf32, #eff.dims<4, s0 * 2>>) -> tensor<2x9x?xf32, #eff.dims<2, 9, s0 * 2>> {
  %0 = eff.reshape %x : (tensor<4x?xf32, #eff.dims<4, s0 * 2>>) -> tensor<?x4xf32, #eff.dims<s0 * 2, 4>>
  %1 = eff.transpose %0 [1, 0] : (tensor<?x4xf32, #eff.dims<s0 * 2, 4>>) -> tensor<4x?xf32, #eff.dims<4, s0 * 2>>
  %2 = eff.broadcast %1 : (tensor<4x?xf32, #eff.dims<4, s0 * 2>>) -> tensor<1x4x?xf32, #eff.dims<1, 4, s0 * 2>>
  %3 = eff.concat %2, %2 axis 1 : (tensor<1x4x?xf32, #eff.dims<1, 4, s0 * 2>>, tensor<1x4x?xf32, #eff.dims<1, 4, s0 * 2>>) -> tensor<1x8x?xf32, #eff.dims<1, 8, s0 * 2>>
  %4 = eff.slice %3 <0, 0, s0> by [1, 1, -1] : (tensor<1x8x?xf32, #eff.dims<1, 8, s0 * 2>>) -> tensor<1x8x?xf32, #eff.dims<1, 8, s0>>
  %5 = eff.pad constant %3 <0, 1, 0> : (tensor<1x8x?xf32, #eff.dims<1, 8, s0 * 2>>) -> tensor<1x9x?xf32, #eff.dims<1, 9, s0 * 2>>
  %6 = eff.tile %5 : (tensor<1x9x?xf32, #eff.dims<1, 9, s0 * 2>>) -> tensor<2x9x?xf32, #eff.dims<2, 9, s0 * 2>>
  return %6 : tensor<2x9x?xf32, #eff.dims<2, 9, s0 * 2>>
}

// CHECK-LABEL: func @gathers
// CHECK: eff.gather %{{.+}}[%{{.+}}] axis 1 : (tensor<4x5xf32>, tensor<2x3xi64>) -> tensor<4x2x3xf32>
// CHECK: eff.gather_elements %{{.+}}[%{{.+}}] axis 0
// CHECK: eff.gather_nd %{{.+}}[%{{.+}}] {batch_dims = 1 : i64}
// CHECK: eff.scatter_elements add %{{.+}}[%{{.+}}], %{{.+}} axis 0
// CHECK: eff.scatter_nd none %{{.+}}[%{{.+}}], %{{.+}} :
func.func @gathers(%x: tensor<4x5xf32>, %i: tensor<2x3xi64>, %j: tensor<4x1xi64>) -> tensor<4x5xf32> {
  %0 = eff.gather %x[%i] axis 1 : (tensor<4x5xf32>, tensor<2x3xi64>) -> tensor<4x2x3xf32>
  %1 = eff.gather_elements %x[%i] axis 0 : (tensor<4x5xf32>, tensor<2x3xi64>) -> tensor<2x3xf32>
  %2 = eff.gather_nd %x[%j] {batch_dims = 1 : i64} : (tensor<4x5xf32>, tensor<4x1xi64>) -> tensor<4xf32>
  %3 = eff.scatter_elements add %x[%i], %1 axis 0 : (tensor<4x5xf32>, tensor<2x3xi64>, tensor<2x3xf32>) -> tensor<4x5xf32>
  %4 = eff.scatter_nd none %3[%j], %x : (tensor<4x5xf32>, tensor<4x1xi64>, tensor<4x5xf32>) -> tensor<4x5xf32>
  return %4 : tensor<4x5xf32>
}

// FOLD-LABEL: func @no_movement
// FOLD-SAME: (%[[X:.+]]: tensor<4x5xf32>)
// FOLD-NEXT: return %[[X]]
func.func @no_movement(%x: tensor<4x5xf32>) -> tensor<4x5xf32> {
  %0 = eff.reshape %x : (tensor<4x5xf32>) -> tensor<20xf32>
  %1 = eff.reshape %0 : (tensor<20xf32>) -> tensor<4x5xf32>
  %2 = eff.transpose %1 [1, 0] : (tensor<4x5xf32>) -> tensor<5x4xf32>
  %3 = eff.transpose %2 [1, 0] : (tensor<5x4xf32>) -> tensor<4x5xf32>
  %4 = eff.broadcast %3 : (tensor<4x5xf32>) -> tensor<4x5xf32>
  %5 = eff.concat %4 axis 0 : (tensor<4x5xf32>) -> tensor<4x5xf32>
  %6 = eff.slice %5 <0, 0> by [1, 1] : (tensor<4x5xf32>) -> tensor<4x5xf32>
  return %6 : tensor<4x5xf32>
}

// FOLD-LABEL: func @composed_transposes
// FOLD: eff.transpose %{{.+}} [2, 0, 1] : (tensor<2x3x4xf32>) -> tensor<4x2x3xf32>
func.func @composed_transposes(%x: tensor<2x3x4xf32>) -> tensor<4x2x3xf32> {
  %0 = eff.transpose %x [0, 2, 1] : (tensor<2x3x4xf32>) -> tensor<2x4x3xf32>
  %1 = eff.transpose %0 [1, 0, 2] : (tensor<2x4x3xf32>) -> tensor<4x2x3xf32>
  return %1 : tensor<4x2x3xf32>
}

// FOLD-LABEL: func @moves_units_only
// FOLD: eff.reshape %{{.+}} : (tensor<?x1x4xf32, #eff.dims<s0, 1, 4>>) -> tensor<?x4x1xf32, #eff.dims<s0, 4, 1>>
func.func @moves_units_only(%x: tensor<?x1x4xf32, #eff.dims<s0, 1, 4>>) -> tensor<?x4x1xf32, #eff.dims<s0, 4, 1>> {
  %0 = eff.transpose %x [0, 2, 1] : (tensor<?x1x4xf32, #eff.dims<s0, 1, 4>>) -> tensor<?x4x1xf32, #eff.dims<s0, 4, 1>>
  return %0 : tensor<?x4x1xf32, #eff.dims<s0, 4, 1>>
}

// FOLD-LABEL: func @constants
// FOLD-DAG: eff.constant dense<{{\[\[}}1, 2], [3, 4]]> : tensor<2x2xi64>
// FOLD-DAG: eff.constant dense<7> : tensor<3x2xi64>
// FOLD-DAG: eff.constant dense<[4, 5]> : tensor<2xi64>
// FOLD-DAG: eff.constant dense_resource<weight> : tensor<1x2xf32>
// FOLD-NEXT: return
func.func @constants() -> (tensor<2x2xi64>, tensor<3x2xi64>, tensor<2xi64>, tensor<1x2xf32>) {
  %0 = eff.constant dense<[1, 2, 3, 4]> : tensor<4xi64>
  %1 = eff.reshape %0 : (tensor<4xi64>) -> tensor<2x2xi64>
  %2 = eff.constant dense<7> : tensor<i64>
  %3 = eff.broadcast %2 : (tensor<i64>) -> tensor<2x3xi64>
  %4 = eff.transpose %3 [1, 0] : (tensor<2x3xi64>) -> tensor<3x2xi64>
  %5 = eff.dim_values <4, 5> : tensor<2xi64>
  %6 = eff.constant dense_resource<weight> : tensor<2xf32>
  %7 = eff.reshape %6 : (tensor<2xf32>) -> tensor<1x2xf32>
  return %1, %4, %5, %7 : tensor<2x2xi64>, tensor<3x2xi64>, tensor<2xi64>, tensor<1x2xf32>
}

{-#
  dialect_resources: {
    builtin: {
      weight: "0x040000000000803F00000040"
    }
  }
#-}
