// RUN: effc-opt %s -eff-convert-float="to=f32 from=f16,bf16" | FileCheck %s

// CHECK-LABEL: func @widens
// CHECK-SAME: (%[[X:.+]]: tensor<4xf16>, %[[I:.+]]: tensor<4xi64>) -> tensor<4xf16>
// CHECK-NEXT: %[[XF:.+]] = eff.convert %[[X]] : (tensor<4xf16>) -> tensor<4xf32>
// CHECK-NEXT: %[[C:.+]] = eff.constant dense<1.500000e+00> : tensor<bf16>
// CHECK-NEXT: %[[CF:.+]] = eff.convert %[[C]] : (tensor<bf16>) -> tensor<f32>
// CHECK-NEXT: %[[Y:.+]] = eff.binary add %[[XF]], %[[CF]] : (tensor<4xf32>, tensor<f32>) -> tensor<4xf32>
// CHECK-NEXT: %[[G:.+]] = eff.gather %[[Y]][%[[I]]] axis 0 : (tensor<4xf32>, tensor<4xi64>) -> tensor<4xf32>
// CHECK-NEXT: %[[Z:.+]] = eff.convert %[[G]] : (tensor<4xf32>) -> tensor<4xf16>
// CHECK-NEXT: return %[[Z]]
func.func @widens(%x: tensor<4xf16>, %i: tensor<4xi64>) -> tensor<4xf16> {
  %c = eff.constant dense<1.5> : tensor<bf16>
  %ch = eff.convert %c : (tensor<bf16>) -> tensor<f16>
  %0 = eff.binary add %x, %ch : (tensor<4xf16>, tensor<f16>) -> tensor<4xf16>
  %1 = eff.gather %0[%i] axis 0 : (tensor<4xf16>, tensor<4xi64>) -> tensor<4xf16>
  return %1 : tensor<4xf16>
}

// CHECK-LABEL: func @leaves_others
// CHECK-NEXT: eff.unary exp %{{.+}} : (tensor<4xf64>) -> tensor<4xf64>
// CHECK-NEXT: return
func.func @leaves_others(%x: tensor<4xf64>) -> tensor<4xf64> {
  %0 = eff.unary exp %x : (tensor<4xf64>) -> tensor<4xf64>
  return %0 : tensor<4xf64>
}

// An argument that is returned keeps its type, also where it is computed with.
// CHECK-LABEL: func @returns_argument
// CHECK-SAME: (%[[X:.+]]: tensor<4xbf16>)
// CHECK: %[[F:.+]] = eff.convert %[[X]] : (tensor<4xbf16>) -> tensor<4xf32>
// CHECK: eff.unary exp %[[F]] : (tensor<4xf32>) -> tensor<4xf32>
// CHECK: return %[[X]], %{{.+}} : tensor<4xbf16>, tensor<4xbf16>
func.func @returns_argument(%x: tensor<4xbf16>) -> (tensor<4xbf16>, tensor<4xbf16>) {
  %0 = eff.unary exp %x : (tensor<4xbf16>) -> tensor<4xbf16>
  return %x, %0 : tensor<4xbf16>, tensor<4xbf16>
}

// CHECK-LABEL: func @bits_of_argument
// CHECK-SAME: (%[[X:.+]]: tensor<4xbf16>)
// CHECK: eff.bitcast %[[X]]
func.func @bits_of_argument(%x: tensor<4xbf16>) -> tensor<4xi16> {
  %0 = eff.bitcast %x : (tensor<4xbf16>) -> tensor<4xi16>
  return %0 : tensor<4xi16>
}
