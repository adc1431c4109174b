// RUN: effc-opt %s -eff-fold-constants -split-input-file | FileCheck %s
// RUN: effc-opt %s -eff-fold-constants="max-bytes=8" -split-input-file | FileCheck %s --check-prefix=LIMIT

// CHECK-LABEL: func @elementwise
// CHECK-NEXT: %[[Y:.+]] = eff.constant dense<[3.000000e+00, 5.000000e+00]> : tensor<2xf32>
// CHECK-NEXT: %[[Z:.+]] = eff.constant dense<[true, false]> : tensor<2xi1>
// CHECK-NEXT: %[[I:.+]] = eff.constant dense<[127, -128]> : tensor<2xi8>
// CHECK-NEXT: return %[[Y]], %[[Z]], %[[I]]
func.func @elementwise() -> (tensor<2xf32>, tensor<2xi1>, tensor<2xi8>) {
  %0 = eff.constant dense<[4.0, 16.0]> : tensor<2xf32>
  %1 = eff.constant dense<1.0> : tensor<f32>
  %2 = eff.unary sqrt %0 : (tensor<2xf32>) -> tensor<2xf32>
  %3 = eff.binary add %2, %1 : (tensor<2xf32>, tensor<f32>) -> tensor<2xf32>
  %4 = eff.constant dense<4.0> : tensor<f32>
  %5 = eff.compare lt %3, %4 : (tensor<2xf32>, tensor<f32>) -> tensor<2xi1>
  %6 = eff.constant dense<[1.0e9, -1.0e9]> : tensor<2xf32>
  %7 = eff.convert %6 : (tensor<2xf32>) -> tensor<2xi8>
  return %3, %5, %7 : tensor<2xf32>, tensor<2xi1>, tensor<2xi8>
}

// -----

// CHECK-LABEL: func @integers
// CHECK-NEXT: eff.constant dense<[-2, 2]> : tensor<2xi32>
// CHECK-NEXT: eff.constant dense<1> : tensor<2xi32>
// CHECK-NEXT: eff.constant dense<[-1, 1]> : tensor<2xi32>
func.func @integers() -> (tensor<2xi32>, tensor<2xi32>, tensor<2xi32>) {
  %0 = eff.constant dense<[-5, 5]> : tensor<2xi32>
  %1 = eff.constant dense<2> : tensor<i32>
  %2 = eff.binary div %0, %1 : (tensor<2xi32>, tensor<i32>) -> tensor<2xi32>
  %3 = eff.binary mod %0, %1 : (tensor<2xi32>, tensor<i32>) -> tensor<2xi32>
  %4 = eff.binary fmod %0, %1 : (tensor<2xi32>, tensor<i32>) -> tensor<2xi32>
  return %2, %3, %4 : tensor<2xi32>, tensor<2xi32>, tensor<2xi32>
}

// -----

// CHECK-LABEL: func @undefined_values_stay
// CHECK: eff.binary div
// CHECK: eff.gather
func.func @undefined_values_stay() -> (tensor<2xi32>, tensor<i32>) {
  %0 = eff.constant dense<[-5, 5]> : tensor<2xi32>
  %1 = eff.constant dense<0> : tensor<i32>
  %2 = eff.binary div %0, %1 : (tensor<2xi32>, tensor<i32>) -> tensor<2xi32>
  %3 = eff.constant dense<2> : tensor<i64>
  %4 = eff.gather %0[%3] axis 0 : (tensor<2xi32>, tensor<i64>) -> tensor<i32>
  return %2, %4 : tensor<2xi32>, tensor<i32>
}

// -----

// CHECK-LABEL: func @movements
// CHECK-NEXT: eff.constant dense<{{\[\[}}1, 4], [2, 5], [3, 6]]> : tensor<3x2xi64>
// CHECK-NEXT: eff.constant dense<{{\[\[}}6, 5], [3, 2]]> : tensor<2x2xi64>
// CHECK-NEXT: eff.constant dense<{{\[\[}}1, 2, 3, 1, 2, 3], [4, 5, 6, 4, 5, 6]]> : tensor<2x6xi64>
// CHECK-NEXT: eff.constant dense<{{\[\[}}4, 5, 6], [1, 2, 3], [4, 5, 6]]> : tensor<3x3xi64>
// CHECK-NEXT: eff.constant dense<{{\[\[}}7, 7, 7, 7], [7, 1, 2, 3], [7, 4, 5, 6]]> : tensor<3x4xi64>
// LIMIT-LABEL: func @movements
// LIMIT: eff.transpose
// LIMIT: eff.slice
func.func @movements() -> (tensor<3x2xi64>, tensor<2x2xi64>, tensor<2x6xi64>, tensor<3x3xi64>, tensor<3x4xi64>) {
  %0 = eff.constant dense<[[1, 2, 3], [4, 5, 6]]> : tensor<2x3xi64>
  %1 = eff.transpose %0 [1, 0] : (tensor<2x3xi64>) -> tensor<3x2xi64>
  %2 = eff.slice %0 <1, 2> by [-1, -1] : (tensor<2x3xi64>) -> tensor<2x2xi64>
  %3 = eff.concat %0, %0 axis 1 : (tensor<2x3xi64>, tensor<2x3xi64>) -> tensor<2x6xi64>
  %i = eff.constant dense<[-1, 0, 1]> : tensor<3xi64>
  %4 = eff.gather %0[%i] axis 0 : (tensor<2x3xi64>, tensor<3xi64>) -> tensor<3x3xi64>
  %v = eff.constant dense<7> : tensor<i64>
  %5 = eff.pad constant %0 value %v <1, 1> : (tensor<2x3xi64>, tensor<i64>) -> tensor<3x4xi64>
  return %1, %2, %3, %4, %5 : tensor<3x2xi64>, tensor<2x2xi64>, tensor<2x6xi64>, tensor<3x3xi64>, tensor<3x4xi64>
}

// -----

// CHECK-LABEL: func @splats_stay_splats
// CHECK-NEXT: eff.constant dense<3.000000e+00> : tensor<4096x4096xf32>
// CHECK-NEXT: return
func.func @splats_stay_splats() -> tensor<4096x4096xf32> {
  %0 = eff.constant dense<1.0> : tensor<f32>
  %1 = eff.broadcast %0 : (tensor<f32>) -> tensor<4096x4096xf32>
  %2 = eff.constant dense<2.0> : tensor<4096x1xf32>
  %3 = eff.binary add %1, %2 : (tensor<4096x4096xf32>, tensor<4096x1xf32>) -> tensor<4096x4096xf32>
  return %3 : tensor<4096x4096xf32>
}

// -----

// CHECK-LABEL: func @growth_stays
// CHECK: eff.broadcast
func.func @growth_stays() -> tensor<65536x2xf32> {
  %0 = eff.constant dense<[1.0, 2.0]> : tensor<2xf32>
  %1 = eff.broadcast %0 : (tensor<2xf32>) -> tensor<65536x2xf32>
  return %1 : tensor<65536x2xf32>
}

// -----

// CHECK-LABEL: func @weights_are_not_copied
// CHECK: eff.transpose
func.func @weights_are_not_copied(%x: tensor<1x2xf32>) -> tensor<1x3xf32> {
  %0 = eff.constant dense<[[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]> : tensor<3x2xf32>
  %1 = eff.transpose %0 [1, 0] : (tensor<3x2xf32>) -> tensor<2x3xf32>
  %2 = eff.matmul %x, %1 : (tensor<1x2xf32>, tensor<2x3xf32>) -> tensor<1x3xf32>
  return %2 : tensor<1x3xf32>
}

// -----

// f16 1, 2, 0.5, 65504 widened; 1.00048828125 is halfway between two values of f16.
// CHECK-LABEL: func @floats_round_to_even
// CHECK-NEXT: eff.constant dense<[1.000000e+00, 2.000000e+00, 5.000000e-01, 6.550400e+04]> : tensor<4xf32>
// CHECK-NEXT: eff.constant dense<[1.000000e+00, 1.001950e+00]> : tensor<2xf16>
// CHECK-NEXT: eff.constant dense<[1.000000e+00, 1.015630e+00]> : tensor<2xbf16>
func.func @floats_round_to_even() -> (tensor<4xf32>, tensor<2xf16>, tensor<2xbf16>) {
  %0 = eff.constant dense_resource<halves> : tensor<4xf16>
  %1 = eff.convert %0 : (tensor<4xf16>) -> tensor<4xf32>
  %2 = eff.constant dense<[1.00048828125, 1.00146484375]> : tensor<2xf32>
  %3 = eff.convert %2 : (tensor<2xf32>) -> tensor<2xf16>
  %4 = eff.constant dense<[1.00390625, 1.01171875]> : tensor<2xf32>
  %5 = eff.convert %4 : (tensor<2xf32>) -> tensor<2xbf16>
  return %1, %3, %5 : tensor<4xf32>, tensor<2xf16>, tensor<2xbf16>
}

{-#
  dialect_resources: {
    builtin: {
      halves: "0x02000000003C00400038FF7B"
    }
  }
#-}
