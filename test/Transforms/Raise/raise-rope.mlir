// RUN: effc-opt %s -eff-raise-rope -split-input-file | FileCheck %s

// The tables are halved where they are made.
// CHECK-LABEL: func.func @halves_of_computed_tables
func.func @halves_of_computed_tables(%x: tensor<1x2x3x4xf32>, %f: tensor<1x3x2xf32>) -> tensor<1x2x3x4xf32> {
  %0 = eff.concat %f, %f axis 2 : (tensor<1x3x2xf32>, tensor<1x3x2xf32>) -> tensor<1x3x4xf32>
  %1 = eff.unary cos %0 : (tensor<1x3x4xf32>) -> tensor<1x3x4xf32>
  %2 = eff.reshape %1 : (tensor<1x3x4xf32>) -> tensor<1x1x3x4xf32>
  %3 = eff.unary sin %0 : (tensor<1x3x4xf32>) -> tensor<1x3x4xf32>
  %4 = eff.reshape %3 : (tensor<1x3x4xf32>) -> tensor<1x1x3x4xf32>
  %5 = eff.binary mul %x, %2 : (tensor<1x2x3x4xf32>, tensor<1x1x3x4xf32>) -> tensor<1x2x3x4xf32>
  %6 = eff.slice %x <0, 0, 0, 0> by [1, 1, 1, 1] : (tensor<1x2x3x4xf32>) -> tensor<1x2x3x2xf32>
  %7 = eff.slice %x <0, 0, 0, 2> by [1, 1, 1, 1] : (tensor<1x2x3x4xf32>) -> tensor<1x2x3x2xf32>
  %8 = eff.unary neg %7 : (tensor<1x2x3x2xf32>) -> tensor<1x2x3x2xf32>
  %9 = eff.concat %8, %6 axis 3 : (tensor<1x2x3x2xf32>, tensor<1x2x3x2xf32>) -> tensor<1x2x3x4xf32>
  %10 = eff.binary mul %9, %4 : (tensor<1x2x3x4xf32>, tensor<1x1x3x4xf32>) -> tensor<1x2x3x4xf32>
  // CHECK-DAG: %[[COS:.+]] = eff.unary cos %arg1
  // CHECK-DAG: %[[SIN:.+]] = eff.unary sin %arg1
  // CHECK-DAG: %[[C:.+]] = eff.reshape %[[COS]]
  // CHECK-DAG: %[[S:.+]] = eff.reshape %[[SIN]]
  // CHECK: %[[Y:.+]] = eff.rope %arg0 cos %[[C]] sin %[[S]]
  // CHECK-NEXT: return %[[Y]]
  %11 = eff.binary add %5, %10 : (tensor<1x2x3x4xf32>, tensor<1x2x3x4xf32>) -> tensor<1x2x3x4xf32>
  return %11 : tensor<1x2x3x4xf32>
}

// -----

// CHECK-LABEL: func.func @gathered_constant_tables
func.func @gathered_constant_tables(%x: tensor<3x4xf32>, %p: tensor<3xi64>) -> tensor<3x4xf32> {
  %c = eff.constant dense<[[1.0, 0.5, 1.0, 0.5], [0.25, 0.125, 0.25, 0.125]]> : tensor<2x4xf32>
  %s = eff.constant dense<[[0.0, 0.5, 0.0, 0.5], [0.75, 0.875, 0.75, 0.875]]> : tensor<2x4xf32>
  %0 = eff.gather %c[%p] axis 0 : (tensor<2x4xf32>, tensor<3xi64>) -> tensor<3x4xf32>
  %1 = eff.gather %s[%p] axis 0 : (tensor<2x4xf32>, tensor<3xi64>) -> tensor<3x4xf32>
  %2 = eff.binary mul %x, %0 : (tensor<3x4xf32>, tensor<3x4xf32>) -> tensor<3x4xf32>
  %3 = eff.slice %x <0, 0> by [1, 1] : (tensor<3x4xf32>) -> tensor<3x2xf32>
  %4 = eff.slice %x <0, 2> by [1, 1] : (tensor<3x4xf32>) -> tensor<3x2xf32>
  %5 = eff.unary neg %4 : (tensor<3x2xf32>) -> tensor<3x2xf32>
  %6 = eff.concat %5, %3 axis 1 : (tensor<3x2xf32>, tensor<3x2xf32>) -> tensor<3x4xf32>
  %7 = eff.binary mul %6, %1 : (tensor<3x4xf32>, tensor<3x4xf32>) -> tensor<3x4xf32>
  // CHECK: %[[C:.+]] = eff.gather %{{.+}} axis 0 : (tensor<2x2xf32>
  // CHECK: %[[S:.+]] = eff.gather %{{.+}} axis 0 : (tensor<2x2xf32>
  // CHECK: eff.rope %arg0 cos %[[C]] sin %[[S]]
  %8 = eff.binary add %7, %2 : (tensor<3x4xf32>, tensor<3x4xf32>) -> tensor<3x4xf32>
  return %8 : tensor<3x4xf32>
}

// -----

// Nothing says that the halves of an argument are equal.
// CHECK-LABEL: func.func @unknown_tables
func.func @unknown_tables(%x: tensor<3x4xf32>, %c: tensor<3x4xf32>, %s: tensor<3x4xf32>) -> tensor<3x4xf32> {
  %0 = eff.binary mul %x, %c : (tensor<3x4xf32>, tensor<3x4xf32>) -> tensor<3x4xf32>
  %1 = eff.slice %x <0, 0> by [1, 1] : (tensor<3x4xf32>) -> tensor<3x2xf32>
  %2 = eff.slice %x <0, 2> by [1, 1] : (tensor<3x4xf32>) -> tensor<3x2xf32>
  %3 = eff.unary neg %2 : (tensor<3x2xf32>) -> tensor<3x2xf32>
  %4 = eff.concat %3, %1 axis 1 : (tensor<3x2xf32>, tensor<3x2xf32>) -> tensor<3x4xf32>
  %5 = eff.binary mul %4, %s : (tensor<3x4xf32>, tensor<3x4xf32>) -> tensor<3x4xf32>
  // CHECK-NOT: eff.rope
  %6 = eff.binary add %0, %5 : (tensor<3x4xf32>, tensor<3x4xf32>) -> tensor<3x4xf32>
  return %6 : tensor<3x4xf32>
}

// -----

// CHECK-LABEL: func.func @halves_in_the_wrong_order
func.func @halves_in_the_wrong_order(%x: tensor<3x4xf32>, %f: tensor<3x2xf32>) -> tensor<3x4xf32> {
  %t = eff.concat %f, %f axis 1 : (tensor<3x2xf32>, tensor<3x2xf32>) -> tensor<3x4xf32>
  %0 = eff.binary mul %x, %t : (tensor<3x4xf32>, tensor<3x4xf32>) -> tensor<3x4xf32>
  %1 = eff.slice %x <0, 0> by [1, 1] : (tensor<3x4xf32>) -> tensor<3x2xf32>
  %2 = eff.slice %x <0, 2> by [1, 1] : (tensor<3x4xf32>) -> tensor<3x2xf32>
  %3 = eff.unary neg %1 : (tensor<3x2xf32>) -> tensor<3x2xf32>
  %4 = eff.concat %2, %3 axis 1 : (tensor<3x2xf32>, tensor<3x2xf32>) -> tensor<3x4xf32>
  %5 = eff.binary mul %4, %t : (tensor<3x4xf32>, tensor<3x4xf32>) -> tensor<3x4xf32>
  // CHECK-NOT: eff.rope
  %6 = eff.binary add %0, %5 : (tensor<3x4xf32>, tensor<3x4xf32>) -> tensor<3x4xf32>
  return %6 : tensor<3x4xf32>
}

// -----

// CHECK-LABEL: func.func @rotated_halves_joined
func.func @rotated_halves_joined(%x: tensor<3x4xf32>, %c: tensor<3x2xf32>, %s: tensor<3x2xf32>) -> tensor<3x4xf32> {
  %lo = eff.slice %x <0, 0> by [1, 1] : (tensor<3x4xf32>) -> tensor<3x2xf32>
  %hi = eff.slice %x <0, 2> by [1, 1] : (tensor<3x4xf32>) -> tensor<3x2xf32>
  %0 = eff.binary mul %lo, %c : (tensor<3x2xf32>, tensor<3x2xf32>) -> tensor<3x2xf32>
  %1 = eff.binary mul %hi, %s : (tensor<3x2xf32>, tensor<3x2xf32>) -> tensor<3x2xf32>
  %2 = eff.binary sub %0, %1 : (tensor<3x2xf32>, tensor<3x2xf32>) -> tensor<3x2xf32>
  %3 = eff.binary mul %hi, %c : (tensor<3x2xf32>, tensor<3x2xf32>) -> tensor<3x2xf32>
  %4 = eff.binary mul %lo, %s : (tensor<3x2xf32>, tensor<3x2xf32>) -> tensor<3x2xf32>
  %5 = eff.binary add %3, %4 : (tensor<3x2xf32>, tensor<3x2xf32>) -> tensor<3x2xf32>
  // CHECK: eff.rope %arg0 cos %arg1 sin %arg2 :
  %6 = eff.concat %2, %5 axis 1 : (tensor<3x2xf32>, tensor<3x2xf32>) -> tensor<3x4xf32>
  return %6 : tensor<3x4xf32>
}

// -----

// CHECK-LABEL: func.func @rotated_pairs_joined
func.func @rotated_pairs_joined(%x: tensor<3x4xf32>, %c: tensor<3x2xf32>, %s: tensor<3x2xf32>) -> tensor<3x4xf32> {
  %even = eff.slice %x <0, 0> by [1, 2] : (tensor<3x4xf32>) -> tensor<3x2xf32>
  %odd = eff.slice %x <0, 1> by [1, 2] : (tensor<3x4xf32>) -> tensor<3x2xf32>
  %0 = eff.binary mul %even, %c : (tensor<3x2xf32>, tensor<3x2xf32>) -> tensor<3x2xf32>
  %1 = eff.binary mul %odd, %s : (tensor<3x2xf32>, tensor<3x2xf32>) -> tensor<3x2xf32>
  %2 = eff.binary sub %0, %1 : (tensor<3x2xf32>, tensor<3x2xf32>) -> tensor<3x2xf32>
  %3 = eff.binary mul %even, %s : (tensor<3x2xf32>, tensor<3x2xf32>) -> tensor<3x2xf32>
  %4 = eff.binary mul %odd, %c : (tensor<3x2xf32>, tensor<3x2xf32>) -> tensor<3x2xf32>
  %5 = eff.binary add %3, %4 : (tensor<3x2xf32>, tensor<3x2xf32>) -> tensor<3x2xf32>
  %6 = eff.reshape %2 : (tensor<3x2xf32>) -> tensor<3x2x1xf32>
  %7 = eff.reshape %5 : (tensor<3x2xf32>) -> tensor<3x2x1xf32>
  %8 = eff.concat %6, %7 axis 2 : (tensor<3x2x1xf32>, tensor<3x2x1xf32>) -> tensor<3x2x2xf32>
  // CHECK: eff.rope %arg0 cos %arg1 sin %arg2 {interleaved = true}
  %9 = eff.reshape %8 : (tensor<3x2x2xf32>) -> tensor<3x4xf32>
  return %9 : tensor<3x4xf32>
}
