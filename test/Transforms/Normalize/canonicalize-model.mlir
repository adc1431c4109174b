// RUN: effc-opt %s -eff-canonicalize-model | FileCheck %s

// CHECK-LABEL: func @constants_to_the_right
// CHECK-SAME: (%[[X:.+]]: tensor<4xf32>)
// CHECK-DAG: %[[C:.+]] = eff.constant dense<3.000000e+00> : tensor<f32>
// CHECK-DAG: %[[Y:.+]] = eff.binary mul %[[X]], %[[C]]
// CHECK-DAG: %[[Z:.+]] = eff.compare gt %[[X]], %[[C]]
// CHECK: return %[[Y]], %[[Z]]
func.func @constants_to_the_right(%x: tensor<4xf32>) -> (tensor<4xf32>, tensor<4xi1>) {
  %c = eff.constant dense<3.0> : tensor<f32>
  %0 = eff.binary mul %c, %x : (tensor<f32>, tensor<4xf32>) -> tensor<4xf32>
  %1 = eff.compare lt %c, %x : (tensor<f32>, tensor<4xf32>) -> tensor<4xi1>
  return %0, %1 : tensor<4xf32>, tensor<4xi1>
}

// CHECK-LABEL: func @inverts_constants
// CHECK-DAG: %[[MINUS:.+]] = eff.constant dense<-3.000000e+00> : tensor<f32>
// CHECK-DAG: %[[EIGHTH:.+]] = eff.constant dense<[1.250000e-01, 5.000000e-01]> : tensor<2xf32>
// CHECK: eff.binary add %{{.+}}, %[[MINUS]]
// CHECK: eff.binary mul %{{.+}}, %[[EIGHTH]]
func.func @inverts_constants(%x: tensor<2xf32>) -> tensor<2xf32> {
  %c = eff.constant dense<3.0> : tensor<f32>
  %d = eff.constant dense<[8.0, 2.0]> : tensor<2xf32>
  %0 = eff.binary sub %x, %c : (tensor<2xf32>, tensor<f32>) -> tensor<2xf32>
  %1 = eff.unary relu %0 : (tensor<2xf32>) -> tensor<2xf32>
  %2 = eff.binary div %1, %d : (tensor<2xf32>, tensor<2xf32>) -> tensor<2xf32>
  return %2 : tensor<2xf32>
}

// Quotients stay unless the reciprocal is exact (82 / 41 must not fall below 2); zero has none.
// CHECK-LABEL: func @keeps_inexact_divisions
// CHECK: eff.binary div
// CHECK: eff.binary mul
// CHECK: eff.binary div
// CHECK: eff.binary div
// CHECK: eff.binary div
func.func @keeps_inexact_divisions(%x: tensor<2xf16>, %y: tensor<2xf32>) -> (tensor<2xf16>, tensor<2xf16>, tensor<2xf32>, tensor<2xf32>, tensor<2xf32>) {
  %c = eff.constant dense<3.0> : tensor<f16>
  %d = eff.constant dense<4.0> : tensor<f16>
  %z = eff.constant dense<0.0> : tensor<f32>
  %0 = eff.binary div %x, %c : (tensor<2xf16>, tensor<f16>) -> tensor<2xf16>
  %1 = eff.binary div %x, %d : (tensor<2xf16>, tensor<f16>) -> tensor<2xf16>
  %odd = eff.constant dense<41.0> : tensor<f32>
  %mixed = eff.constant dense<[4.0, 3.0]> : tensor<2xf32>
  %2 = eff.binary div %y, %z : (tensor<2xf32>, tensor<f32>) -> tensor<2xf32>
  %3 = eff.binary div %y, %odd : (tensor<2xf32>, tensor<f32>) -> tensor<2xf32>
  %4 = eff.binary div %y, %mixed : (tensor<2xf32>, tensor<2xf32>) -> tensor<2xf32>
  return %0, %1, %2, %3, %4 : tensor<2xf16>, tensor<2xf16>, tensor<2xf32>, tensor<2xf32>, tensor<2xf32>
}

// CHECK-LABEL: func @powers
// CHECK-SAME: (%[[X:.+]]: tensor<4xf32>)
// CHECK-DAG: eff.binary mul %[[X]], %[[X]]
// CHECK-DAG: eff.unary sqrt %[[X]]
// CHECK-DAG: eff.unary reciprocal %[[X]]
// CHECK-DAG: eff.binary pow %[[X]]
func.func @powers(%x: tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>) {
  %two = eff.constant dense<2> : tensor<i64>
  %half = eff.constant dense<0.5> : tensor<f32>
  %one = eff.constant dense<1.0> : tensor<f32>
  %three = eff.constant dense<3.0> : tensor<f32>
  %0 = eff.binary pow %x, %two : (tensor<4xf32>, tensor<i64>) -> tensor<4xf32>
  %1 = eff.binary pow %x, %half : (tensor<4xf32>, tensor<f32>) -> tensor<4xf32>
  %2 = eff.binary div %one, %x : (tensor<f32>, tensor<4xf32>) -> tensor<4xf32>
  %3 = eff.binary pow %x, %three : (tensor<4xf32>, tensor<f32>) -> tensor<4xf32>
  return %0, %1, %2, %3 : tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>
}

// CHECK-LABEL: func @scales_as_one
// CHECK: %[[C:.+]] = eff.constant dense<6.000000e+00> : tensor<f32>
// CHECK: eff.binary mul %{{.+}}, %[[C]]
// CHECK-NEXT: return
func.func @scales_as_one(%x: tensor<4xf32>) -> tensor<4xf32> {
  %c = eff.constant dense<3.0> : tensor<f32>
  %d = eff.constant dense<0.5> : tensor<1xf32>
  %0 = eff.binary mul %x, %c : (tensor<4xf32>, tensor<f32>) -> tensor<4xf32>
  %1 = eff.binary div %0, %d : (tensor<4xf32>, tensor<1xf32>) -> tensor<4xf32>
  return %1 : tensor<4xf32>
}

// The sum rounds to an integer; neither 3 * 5 nor a large number that a small one takes back is exact in between.
// CHECK-LABEL: func @keeps_rounding_chains
// CHECK-COUNT-2: eff.binary add
// CHECK-COUNT-4: eff.binary mul
// CHECK: return
func.func @keeps_rounding_chains(%x: tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>, tensor<4xf32>) {
  %magic = eff.constant dense<12582912.0> : tensor<f32>
  %three = eff.constant dense<3.0> : tensor<f32>
  %five = eff.constant dense<5.0> : tensor<f32>
  %large = eff.constant dense<0x71800000> : tensor<f32>
  %small = eff.constant dense<0x0D800000> : tensor<f32>
  %0 = eff.binary add %x, %magic : (tensor<4xf32>, tensor<f32>) -> tensor<4xf32>
  %1 = eff.binary sub %0, %magic : (tensor<4xf32>, tensor<f32>) -> tensor<4xf32>
  %2 = eff.binary mul %x, %three : (tensor<4xf32>, tensor<f32>) -> tensor<4xf32>
  %3 = eff.binary mul %2, %five : (tensor<4xf32>, tensor<f32>) -> tensor<4xf32>
  %4 = eff.binary mul %x, %large : (tensor<4xf32>, tensor<f32>) -> tensor<4xf32>
  %5 = eff.binary mul %4, %small : (tensor<4xf32>, tensor<f32>) -> tensor<4xf32>
  return %1, %3, %5 : tensor<4xf32>, tensor<4xf32>, tensor<4xf32>
}

// One bound stays as it is.
// CHECK-LABEL: func @clips
// CHECK-SAME: (%[[X:.+]]: tensor<4xf32>)
// CHECK-DAG: %[[SIX:.+]] = eff.constant dense<6.000000e+00>
// CHECK-DAG: %[[A:.+]] = eff.unary clip %[[X]] {alpha = 0.000000e+00 : f64, beta = 6.000000e+00 : f64}
// CHECK-DAG: %[[B:.+]] = eff.unary clip %[[X]] {alpha = 0.000000e+00 : f64, beta = 3.000000e+00 : f64}
// CHECK-DAG: %[[C:.+]] = eff.binary min %[[X]], %[[SIX]]
// CHECK: return %[[A]], %[[B]], %[[C]]
func.func @clips(%x: tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>, tensor<4xf32>) {
  %zero = eff.constant dense<0.0> : tensor<f32>
  %six = eff.constant dense<6.0> : tensor<f32>
  %0 = eff.binary max %zero, %x : (tensor<f32>, tensor<4xf32>) -> tensor<4xf32>
  %1 = eff.binary min %0, %six : (tensor<4xf32>, tensor<f32>) -> tensor<4xf32>
  %2 = eff.unary clip %x {alpha = -1.0 : f64, beta = 3.0 : f64} : (tensor<4xf32>) -> tensor<4xf32>
  %3 = eff.unary relu %2 : (tensor<4xf32>) -> tensor<4xf32>
  %4 = eff.binary min %x, %six : (tensor<4xf32>, tensor<f32>) -> tensor<4xf32>
  return %1, %3, %4 : tensor<4xf32>, tensor<4xf32>, tensor<4xf32>
}

// CHECK-LABEL: func @converts
// CHECK-SAME: (%[[X:.+]]: tensor<4xf16>, %[[Y:.+]]: tensor<4xf32>)
// CHECK-NEXT: %[[Z:.+]] = eff.convert %[[Y]] : (tensor<4xf32>) -> tensor<4xi32>
// CHECK-NEXT: %[[W:.+]] = eff.convert %[[Z]] : (tensor<4xi32>) -> tensor<4xf32>
// CHECK-NEXT: return %[[X]], %[[W]]
func.func @converts(%x: tensor<4xf16>, %y: tensor<4xf32>) -> (tensor<4xf16>, tensor<4xf32>) {
  %0 = eff.convert %x : (tensor<4xf16>) -> tensor<4xf32>
  %1 = eff.convert %0 : (tensor<4xf32>) -> tensor<4xf16>
  %2 = eff.convert %y : (tensor<4xf32>) -> tensor<4xi32>
  %3 = eff.convert %2 : (tensor<4xi32>) -> tensor<4xf32>
  return %1, %3 : tensor<4xf16>, tensor<4xf32>
}

// CHECK-LABEL: func @drops_broadcasts
// CHECK-SAME: (%[[X:.+]]: tensor<2x4xf32>, %[[Y:.+]]: tensor<4xf32>)
// CHECK-NEXT: eff.binary add %[[X]], %[[Y]]
func.func @drops_broadcasts(%x: tensor<2x4xf32>, %y: tensor<4xf32>) -> tensor<2x4xf32> {
  %0 = eff.broadcast %y : (tensor<4xf32>) -> tensor<2x4xf32>
  %1 = eff.binary add %x, %0 : (tensor<2x4xf32>, tensor<2x4xf32>) -> tensor<2x4xf32>
  return %1 : tensor<2x4xf32>
}

// What is left of the key's permutation only swaps tokens and heads.
// CHECK-LABEL: func @transposes_into_products
// CHECK-SAME: (%[[Q:.+]]: tensor<1x2x3x4xf32>, %[[K:.+]]: tensor<1x5x2x4xf32>)
// CHECK-NEXT: %[[T:.+]] = eff.transpose %[[K]] [0, 2, 1, 3]
// CHECK-NEXT: eff.matmul %[[Q]], %[[T]] {transpose_b = true}
func.func @transposes_into_products(%q: tensor<1x2x3x4xf32>, %k: tensor<1x5x2x4xf32>) -> tensor<1x2x3x5xf32> {
  %0 = eff.transpose %k [0, 2, 3, 1] : (tensor<1x5x2x4xf32>) -> tensor<1x2x4x5xf32>
  %1 = eff.matmul %q, %0 : (tensor<1x2x3x4xf32>, tensor<1x2x4x5xf32>) -> tensor<1x2x3x5xf32>
  return %1 : tensor<1x2x3x5xf32>
}

// CHECK-LABEL: func @linear_with_bias
// CHECK-SAME: (%[[X:.+]]: tensor<?x2xf32, #eff.dims<s0, 2>>)
// CHECK-DAG: %[[W:.+]] = eff.constant dense<{{.+}}> : tensor<3x2xf32>
// CHECK-DAG: %[[B:.+]] = eff.constant dense<[2.000000e+00, 3.000000e+00, 4.000000e+00]> : tensor<3xf32>
// CHECK: %[[Y:.+]] = eff.linear %[[X]], %[[W]] bias %[[B]] {transpose_weight = true}
// CHECK-NEXT: return %[[Y]]
func.func @linear_with_bias(%x: tensor<?x2xf32, #eff.dims<s0, 2>>) -> tensor<?x3xf32, #eff.dims<s0, 3>> {
  %w = eff.constant dense<[[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]> : tensor<3x2xf32>
  %wt = eff.transpose %w [1, 0] : (tensor<3x2xf32>) -> tensor<2x3xf32>
  %b = eff.constant dense<[1.0, 2.0, 3.0]> : tensor<3xf32>
  %c = eff.constant dense<1.0> : tensor<f32>
  %0 = eff.matmul %x, %wt : (tensor<?x2xf32, #eff.dims<s0, 2>>, tensor<2x3xf32>) -> tensor<?x3xf32, #eff.dims<s0, 3>>
  %1 = eff.binary add %b, %0 : (tensor<3xf32>, tensor<?x3xf32, #eff.dims<s0, 3>>) -> tensor<?x3xf32, #eff.dims<s0, 3>>
  %2 = eff.binary add %1, %c : (tensor<?x3xf32, #eff.dims<s0, 3>>, tensor<f32>) -> tensor<?x3xf32, #eff.dims<s0, 3>>
  return %2 : tensor<?x3xf32, #eff.dims<s0, 3>>
}

// In a bias the large number would round the bias instead of the result.
// CHECK-LABEL: func @linear_rounded
// CHECK: eff.linear
// CHECK-COUNT-2: eff.binary add
// CHECK: return
func.func @linear_rounded(%x: tensor<1x2xf32>) -> tensor<1x3xf32> {
  %w = eff.constant dense<[[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]> : tensor<2x3xf32>
  %magic = eff.constant dense<12582912.0> : tensor<f32>
  %0 = eff.linear %x, %w : (tensor<1x2xf32>, tensor<2x3xf32>) -> tensor<1x3xf32>
  %1 = eff.binary add %0, %magic : (tensor<1x3xf32>, tensor<f32>) -> tensor<1x3xf32>
  %2 = eff.binary sub %1, %magic : (tensor<1x3xf32>, tensor<f32>) -> tensor<1x3xf32>
  return %2 : tensor<1x3xf32>
}

// CHECK-LABEL: func @linear_scaled
// CHECK-DAG: %[[W:.+]] = eff.constant dense<{{\[\[}}1.000000e+01, 4.000000e+01], [3.000000e+01, 8.000000e+01]]> : tensor<2x2xf32>
// CHECK-DAG: %[[T:.+]] = eff.constant dense<{{\[\[}}1.000000e+01, 2.000000e+01], [6.000000e+01, 8.000000e+01]]> : tensor<2x2xf32>
// CHECK: eff.linear %{{.+}}, %[[W]] :
// CHECK: eff.linear %{{.+}}, %[[T]] {transpose_weight = true}
func.func @linear_scaled(%x: tensor<1x2xf32>) -> (tensor<1x2xf32>, tensor<1x2xf32>) {
  %w = eff.constant dense<[[1.0, 2.0], [3.0, 4.0]]> : tensor<2x2xf32>
  %c = eff.constant dense<[10.0, 20.0]> : tensor<2xf32>
  %0 = eff.linear %x, %w : (tensor<1x2xf32>, tensor<2x2xf32>) -> tensor<1x2xf32>
  %1 = eff.binary mul %0, %c : (tensor<1x2xf32>, tensor<2xf32>) -> tensor<1x2xf32>
  %2 = eff.linear %x, %w {transpose_weight = true} : (tensor<1x2xf32>, tensor<2x2xf32>) -> tensor<1x2xf32>
  %3 = eff.binary mul %2, %c : (tensor<1x2xf32>, tensor<2xf32>) -> tensor<1x2xf32>
  return %1, %3 : tensor<1x2xf32>, tensor<1x2xf32>
}

// CHECK-LABEL: func @batch_norm_and_pads
// CHECK-SAME: (%[[X:.+]]: tensor<1x1x4xf32>)
// CHECK-DAG: %[[W:.+]] = eff.constant dense<{{\[\[\[}}1.000000e+01, 2.000000e+01]], {{\[\[}}6.000000e+01, 8.000000e+01]]]> : tensor<2x1x2xf32>
// CHECK-DAG: %[[B:.+]] = eff.constant dense<[1.050000e+01, 4.050000e+01]> : tensor<2xf32>
// CHECK: %[[Y:.+]] = eff.conv %[[X]], %[[W]] bias %[[B]] {{.*}}pads = array<i64: 1, 2>
// CHECK-NEXT: return %[[Y]]
func.func @batch_norm_and_pads(%x: tensor<1x1x4xf32>) -> tensor<1x2x6xf32> {
  %w = eff.constant dense<[[[1.0, 2.0]], [[3.0, 4.0]]]> : tensor<2x1x2xf32>
  %b = eff.constant dense<[1.0, 2.0]> : tensor<2xf32>
  %scale = eff.constant dense<[[10.0], [20.0]]> : tensor<2x1xf32>
  %shift = eff.constant dense<0.5> : tensor<2x1xf32>
  %0 = eff.pad constant %x <0, 0, 1> : (tensor<1x1x4xf32>) -> tensor<1x1x7xf32>
  %1 = eff.conv %0, %w bias %b {strides = array<i64: 1>, dilations = array<i64: 1>, pads = array<i64: 0, 0>} : (tensor<1x1x7xf32>, tensor<2x1x2xf32>, tensor<2xf32>) -> tensor<1x2x6xf32>
  %2 = eff.binary mul %1, %scale : (tensor<1x2x6xf32>, tensor<2x1xf32>) -> tensor<1x2x6xf32>
  %3 = eff.binary add %2, %shift : (tensor<1x2x6xf32>, tensor<2x1xf32>) -> tensor<1x2x6xf32>
  return %3 : tensor<1x2x6xf32>
}

// Each group's outputs follow each other; weights hold inputs first.
// CHECK-LABEL: func @conv_transpose_scaled
// CHECK: eff.constant dense<{{\[\[\[}}1.000000e+00], [2.000000e+01]], {{\[\[}}3.000000e+00], [4.000000e+01]], {{\[\[}}5.000000e+02], [6.000000e+03]], {{\[\[}}7.000000e+02], [8.000000e+03]]]> : tensor<4x2x1xf32>
func.func @conv_transpose_scaled(%x: tensor<1x4x?xf32, #eff.dims<1, 4, s0>>) -> tensor<1x4x?xf32, #eff.dims<1, 4, s0>> {
  %w = eff.constant dense<[[[1.0], [2.0]], [[3.0], [4.0]], [[5.0], [6.0]], [[7.0], [8.0]]]> : tensor<4x2x1xf32>
  %c = eff.constant dense<[[1.0], [10.0], [100.0], [1000.0]]> : tensor<4x1xf32>
  %0 = eff.conv_transpose %x, %w {strides = array<i64: 1>, dilations = array<i64: 1>, pads = array<i64: 0, 0>, output_padding = array<i64: 0>, groups = 2 : i64} : (tensor<1x4x?xf32, #eff.dims<1, 4, s0>>, tensor<4x2x1xf32>) -> tensor<1x4x?xf32, #eff.dims<1, 4, s0>>
  %1 = eff.binary mul %0, %c : (tensor<1x4x?xf32, #eff.dims<1, 4, s0>>, tensor<4x1xf32>) -> tensor<1x4x?xf32, #eff.dims<1, 4, s0>>
  return %1 : tensor<1x4x?xf32, #eff.dims<1, 4, s0>>
}

// With stride 2 each phase is a channel of its own: even places read weights 0 and 2, odd ones weight 1.
// CHECK-LABEL: func @conv_transpose_to_conv
// CHECK-SAME: (%[[X:.+]]: tensor<1x1x3xf32>)
// CHECK: %[[W:.+]] = eff.constant dense<{{\[\[\[}}3.000000e+00, 1.000000e+00]], {{\[\[}}0.000000e+00, 2.000000e+00]]]> : tensor<2x1x2xf32>
// CHECK-NEXT: %[[C:.+]] = eff.conv %[[X]], %[[W]] {dilations = array<i64: 1>, pads = array<i64: 1, 0>, strides = array<i64: 1>} : (tensor<1x1x3xf32>, tensor<2x1x2xf32>) -> tensor<1x2x3xf32>
// CHECK: eff.transpose
// CHECK: eff.slice %{{.+}} <0, 0, 1> by [1, 1, 1] : (tensor<1x1x6xf32>) -> tensor<1x1x5xf32>
func.func @conv_transpose_to_conv(%x: tensor<1x1x3xf32>) -> tensor<1x1x5xf32> {
  %w = eff.constant dense<[[[1.0, 2.0, 3.0]]]> : tensor<1x1x3xf32>
  %0 = eff.conv_transpose %x, %w {strides = array<i64: 2>, dilations = array<i64: 1>, pads = array<i64: 1, 1>, output_padding = array<i64: 0>} : (tensor<1x1x3xf32>, tensor<1x1x3xf32>) -> tensor<1x1x5xf32>
  return %0 : tensor<1x1x5xf32>
}

// Another user needs the product as it is.
// CHECK-LABEL: func @shared_product_stays
// CHECK: eff.linear %{{.+}}, %{{.+}} :
// CHECK: eff.binary add
func.func @shared_product_stays(%x: tensor<1x2xf32>) -> (tensor<1x2xf32>, tensor<1x2xf32>) {
  %w = eff.constant dense<[[1.0, 2.0], [3.0, 4.0]]> : tensor<2x2xf32>
  %c = eff.constant dense<[10.0, 20.0]> : tensor<2xf32>
  %0 = eff.matmul %x, %w : (tensor<1x2xf32>, tensor<2x2xf32>) -> tensor<1x2xf32>
  %1 = eff.binary add %0, %c : (tensor<1x2xf32>, tensor<2xf32>) -> tensor<1x2xf32>
  return %0, %1 : tensor<1x2xf32>, tensor<1x2xf32>
}

// CHECK-LABEL: func @gathers_one
// CHECK: %[[S:.+]] = eff.slice %{{.+}} <0, 2, 0> by [1, 1, 1] : (tensor<2x3x4xf32>) -> tensor<2x1x4xf32>
// CHECK-NEXT: eff.reshape %[[S]] : (tensor<2x1x4xf32>) -> tensor<2x4xf32>
func.func @gathers_one(%x: tensor<2x3x4xf32>) -> tensor<2x4xf32> {
  %i = eff.constant dense<-1> : tensor<i64>
  %0 = eff.gather %x[%i] axis 1 : (tensor<2x3x4xf32>, tensor<i64>) -> tensor<2x4xf32>
  return %0 : tensor<2x4xf32>
}
