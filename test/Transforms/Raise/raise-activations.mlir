// RUN: effc-opt %s -eff-raise-activations -split-input-file | FileCheck %s

// CHECK-LABEL: func.func @gelu_g1
func.func @gelu_g1(%x: tensor<2x4xf32>) -> tensor<2x4xf32> {
  %half = eff.constant dense<0.5> : tensor<f32>
  %one = eff.constant dense<1.0> : tensor<f32>
  %root = eff.constant dense<1.41421354> : tensor<1xf32>
  %0 = eff.binary div %x, %root : (tensor<2x4xf32>, tensor<1xf32>) -> tensor<2x4xf32>
  %1 = eff.unary erf %0 : (tensor<2x4xf32>) -> tensor<2x4xf32>
  %2 = eff.binary add %1, %one : (tensor<2x4xf32>, tensor<f32>) -> tensor<2x4xf32>
  %3 = eff.binary mul %x, %2 : (tensor<2x4xf32>, tensor<2x4xf32>) -> tensor<2x4xf32>
  // CHECK: %[[Y:.+]] = eff.unary gelu %arg0
  // CHECK-NEXT: return %[[Y]]
  %4 = eff.binary mul %3, %half : (tensor<2x4xf32>, tensor<f32>) -> tensor<2x4xf32>
  return %4 : tensor<2x4xf32>
}

// -----

// CHECK-LABEL: func.func @gelu_root_computed
func.func @gelu_root_computed(%x: tensor<4xf32>) -> tensor<4xf32> {
  %half = eff.constant dense<0.5> : tensor<f32>
  %one = eff.constant dense<1.0> : tensor<f32>
  %two = eff.constant dense<2.0> : tensor<f32>
  %root = eff.unary sqrt %two : (tensor<f32>) -> tensor<f32>
  %0 = eff.binary div %x, %root : (tensor<4xf32>, tensor<f32>) -> tensor<4xf32>
  %1 = eff.unary erf %0 : (tensor<4xf32>) -> tensor<4xf32>
  %2 = eff.binary add %one, %1 : (tensor<f32>, tensor<4xf32>) -> tensor<4xf32>
  %3 = eff.binary mul %2, %half : (tensor<4xf32>, tensor<f32>) -> tensor<4xf32>
  // CHECK: eff.unary gelu %arg0
  %4 = eff.binary mul %3, %x : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  return %4 : tensor<4xf32>
}

// -----

// CHECK-LABEL: func.func @gelu_in_f32_of_f16
func.func @gelu_in_f32_of_f16(%x: tensor<4xf16>) -> tensor<4xf16> {
  %half = eff.constant dense<0.5> : tensor<f16>
  %one = eff.constant dense<1.0> : tensor<f16>
  %root = eff.constant dense<0.70710678> : tensor<f32>
  %wide = eff.convert %x : (tensor<4xf16>) -> tensor<4xf32>
  %0 = eff.binary mul %wide, %root : (tensor<4xf32>, tensor<f32>) -> tensor<4xf32>
  %1 = eff.unary erf %0 : (tensor<4xf32>) -> tensor<4xf32>
  %2 = eff.convert %1 : (tensor<4xf32>) -> tensor<4xf16>
  %3 = eff.binary add %2, %one : (tensor<4xf16>, tensor<f16>) -> tensor<4xf16>
  %4 = eff.binary mul %x, %half : (tensor<4xf16>, tensor<f16>) -> tensor<4xf16>
  // CHECK: eff.unary gelu %arg0 : (tensor<4xf16>) -> tensor<4xf16>
  %5 = eff.binary mul %4, %3 : (tensor<4xf16>, tensor<4xf16>) -> tensor<4xf16>
  return %5 : tensor<4xf16>
}

// -----

// CHECK-LABEL: func.func @gelu_with_inner_value_returned
func.func @gelu_with_inner_value_returned(%x: tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>) {
  %half = eff.constant dense<0.5> : tensor<f32>
  %one = eff.constant dense<1.0> : tensor<f32>
  %root = eff.constant dense<0.70710678> : tensor<f32>
  %0 = eff.binary mul %x, %root : (tensor<4xf32>, tensor<f32>) -> tensor<4xf32>
  // CHECK: eff.unary erf
  %1 = eff.unary erf %0 : (tensor<4xf32>) -> tensor<4xf32>
  %2 = eff.binary add %1, %one : (tensor<4xf32>, tensor<f32>) -> tensor<4xf32>
  %3 = eff.binary mul %2, %x : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  %4 = eff.binary mul %3, %half : (tensor<4xf32>, tensor<f32>) -> tensor<4xf32>
  return %4, %0 : tensor<4xf32>, tensor<4xf32>
}

// -----

// CHECK-LABEL: func.func @gelu_with_wrong_root
func.func @gelu_with_wrong_root(%x: tensor<4xf32>) -> tensor<4xf32> {
  %half = eff.constant dense<0.5> : tensor<f32>
  %one = eff.constant dense<1.0> : tensor<f32>
  %root = eff.constant dense<0.709> : tensor<f32>
  %0 = eff.binary mul %x, %root : (tensor<4xf32>, tensor<f32>) -> tensor<4xf32>
  // CHECK: eff.unary erf
  %1 = eff.unary erf %0 : (tensor<4xf32>) -> tensor<4xf32>
  %2 = eff.binary add %1, %one : (tensor<4xf32>, tensor<f32>) -> tensor<4xf32>
  %3 = eff.binary mul %2, %x : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  %4 = eff.binary mul %3, %half : (tensor<4xf32>, tensor<f32>) -> tensor<4xf32>
  return %4 : tensor<4xf32>
}

// -----

// CHECK-LABEL: func.func @gelu_tanh_by_pow
func.func @gelu_tanh_by_pow(%x: tensor<4xf32>) -> tensor<4xf32> {
  %half = eff.constant dense<0.5> : tensor<f32>
  %one = eff.constant dense<1.0> : tensor<f32>
  %three = eff.constant dense<3.0> : tensor<f32>
  %c = eff.constant dense<0.044715> : tensor<f32>
  %root = eff.constant dense<0.797884583> : tensor<f32>
  %0 = eff.binary pow %x, %three : (tensor<4xf32>, tensor<f32>) -> tensor<4xf32>
  %1 = eff.binary mul %0, %c : (tensor<4xf32>, tensor<f32>) -> tensor<4xf32>
  %2 = eff.binary add %x, %1 : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  %3 = eff.binary mul %2, %root : (tensor<4xf32>, tensor<f32>) -> tensor<4xf32>
  %4 = eff.unary tanh %3 : (tensor<4xf32>) -> tensor<4xf32>
  %5 = eff.binary add %4, %one : (tensor<4xf32>, tensor<f32>) -> tensor<4xf32>
  %6 = eff.binary mul %x, %half : (tensor<4xf32>, tensor<f32>) -> tensor<4xf32>
  // CHECK: %[[Y:.+]] = eff.unary gelu_tanh %arg0
  // CHECK-NEXT: return %[[Y]]
  %7 = eff.binary mul %6, %5 : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  return %7 : tensor<4xf32>
}

// -----

// CHECK-LABEL: func.func @gelu_tanh_by_products
func.func @gelu_tanh_by_products(%x: tensor<4xf32>) -> tensor<4xf32> {
  %half = eff.constant dense<0.5> : tensor<f32>
  %one = eff.constant dense<1.0> : tensor<f32>
  %c = eff.constant dense<0.0447149985> : tensor<f32>
  %root = eff.constant dense<0.797884583> : tensor<f32>
  %0 = eff.binary mul %x, %c : (tensor<4xf32>, tensor<f32>) -> tensor<4xf32>
  %1 = eff.binary mul %0, %x : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  %2 = eff.binary add %1, %one : (tensor<4xf32>, tensor<f32>) -> tensor<4xf32>
  %3 = eff.binary mul %x, %root : (tensor<4xf32>, tensor<f32>) -> tensor<4xf32>
  %4 = eff.binary mul %3, %2 : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  %5 = eff.unary tanh %4 : (tensor<4xf32>) -> tensor<4xf32>
  %6 = eff.binary add %5, %one : (tensor<4xf32>, tensor<f32>) -> tensor<4xf32>
  %7 = eff.binary mul %6, %half : (tensor<4xf32>, tensor<f32>) -> tensor<4xf32>
  // CHECK: eff.unary gelu_tanh %arg0
  %8 = eff.binary mul %7, %x : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  return %8 : tensor<4xf32>
}

// -----

// CHECK-LABEL: func.func @silu
func.func @silu(%x: tensor<?x4xf32, #eff.dims<s0, 4>>) -> tensor<?x4xf32, #eff.dims<s0, 4>> attributes {eff.symbols = [#eff.symbol<"n", input 0, axis 0, in 1 to 64>]} {
  %0 = eff.unary sigmoid %x : (tensor<?x4xf32, #eff.dims<s0, 4>>) -> tensor<?x4xf32, #eff.dims<s0, 4>>
  // CHECK: eff.unary silu %arg0
  %1 = eff.binary mul %0, %x : (tensor<?x4xf32, #eff.dims<s0, 4>>, tensor<?x4xf32, #eff.dims<s0, 4>>) -> tensor<?x4xf32, #eff.dims<s0, 4>>
  return %1 : tensor<?x4xf32, #eff.dims<s0, 4>>
}

// -----

// A gate multiplies another value.
// CHECK-LABEL: func.func @gate
func.func @gate(%x: tensor<4xf32>, %z: tensor<4xf32>) -> tensor<4xf32> {
  %0 = eff.unary sigmoid %x : (tensor<4xf32>) -> tensor<4xf32>
  // CHECK-NOT: silu
  %1 = eff.binary mul %0, %z : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  return %1 : tensor<4xf32>
}

// -----

// CHECK-LABEL: func.func @quick_gelu
func.func @quick_gelu(%x: tensor<4xf32>) -> tensor<4xf32> {
  %c = eff.constant dense<1.702> : tensor<f32>
  %0 = eff.binary mul %c, %x : (tensor<f32>, tensor<4xf32>) -> tensor<4xf32>
  %1 = eff.unary sigmoid %0 : (tensor<4xf32>) -> tensor<4xf32>
  // CHECK: eff.unary quick_gelu %arg0
  %2 = eff.binary mul %x, %1 : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  return %2 : tensor<4xf32>
}

// -----

// CHECK-LABEL: func.func @hard_swish_by_clip
func.func @hard_swish_by_clip(%x: tensor<4xf32>) -> tensor<4xf32> {
  %three = eff.constant dense<3.0> : tensor<f32>
  %six = eff.constant dense<6.0> : tensor<f32>
  %0 = eff.binary add %x, %three : (tensor<4xf32>, tensor<f32>) -> tensor<4xf32>
  %1 = eff.unary clip %0 {alpha = 0.0 : f64, beta = 6.0 : f64} : (tensor<4xf32>) -> tensor<4xf32>
  %2 = eff.binary mul %x, %1 : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  // CHECK: eff.unary hard_swish %arg0
  %3 = eff.binary div %2, %six : (tensor<4xf32>, tensor<f32>) -> tensor<4xf32>
  return %3 : tensor<4xf32>
}

// -----

// CHECK-LABEL: func.func @hard_swish_by_hard_sigmoid
func.func @hard_swish_by_hard_sigmoid(%x: tensor<4xf32>) -> tensor<4xf32> {
  %0 = eff.unary hard_sigmoid %x {alpha = 0.16666667 : f64, beta = 0.5 : f64} : (tensor<4xf32>) -> tensor<4xf32>
  // CHECK: eff.unary hard_swish %arg0
  %1 = eff.binary mul %x, %0 : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  return %1 : tensor<4xf32>
}

// -----

// ONNX's default slope is 0.2.
// CHECK-LABEL: func.func @hard_sigmoid_of_another_slope
func.func @hard_sigmoid_of_another_slope(%x: tensor<4xf32>) -> tensor<4xf32> {
  // CHECK: eff.unary hard_sigmoid
  %0 = eff.unary hard_sigmoid %x {alpha = 0.2 : f64, beta = 0.5 : f64} : (tensor<4xf32>) -> tensor<4xf32>
  %1 = eff.binary mul %x, %0 : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  return %1 : tensor<4xf32>
}

// -----

// CHECK-LABEL: func.func @mish
func.func @mish(%x: tensor<4xf32>) -> tensor<4xf32> {
  %0 = eff.unary softplus %x : (tensor<4xf32>) -> tensor<4xf32>
  %1 = eff.unary tanh %0 : (tensor<4xf32>) -> tensor<4xf32>
  // CHECK: eff.unary mish %arg0
  %2 = eff.binary mul %x, %1 : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  return %2 : tensor<4xf32>
}
