// RUN: effc-opt %s -eff-raise-attention -split-input-file | FileCheck %s

// CHECK-LABEL: func.func @scale_on_scores_and_mask_added
func.func @scale_on_scores_and_mask_added(%q: tensor<1x2x3x4xf32>, %k: tensor<1x2x3x4xf32>, %v: tensor<1x2x3x4xf32>,
                                          %m: tensor<1x1x1x3xf32>) -> tensor<1x2x3x4xf32> {
  %two = eff.constant dense<2.0> : tensor<f32>
  %kt = eff.transpose %k [0, 1, 3, 2] : (tensor<1x2x3x4xf32>) -> tensor<1x2x4x3xf32>
  %0 = eff.matmul %q, %kt : (tensor<1x2x3x4xf32>, tensor<1x2x4x3xf32>) -> tensor<1x2x3x3xf32>
  %1 = eff.binary div %0, %two : (tensor<1x2x3x3xf32>, tensor<f32>) -> tensor<1x2x3x3xf32>
  %2 = eff.binary add %1, %m : (tensor<1x2x3x3xf32>, tensor<1x1x1x3xf32>) -> tensor<1x2x3x3xf32>
  %3 = eff.softmax %2 axis 3 : (tensor<1x2x3x3xf32>) -> tensor<1x2x3x3xf32>
  // CHECK: %[[Y:.+]] = eff.attention %arg0, %arg1, %arg2 mask %arg3 scale 5.000000e-01 :
  // CHECK-NEXT: return %[[Y]]
  %4 = eff.matmul %3, %v : (tensor<1x2x3x3xf32>, tensor<1x2x3x4xf32>) -> tensor<1x2x3x4xf32>
  return %4 : tensor<1x2x3x4xf32>
}

// -----

// Projections feed the op without copies.
// CHECK-LABEL: func.func @heads_stay_last
func.func @heads_stay_last(%q: tensor<1x3x2x4xf32>, %k: tensor<1x3x2x4xf32>, %v: tensor<1x3x2x4xf32>) -> tensor<1x3x2x4xf32> {
  %root = eff.constant dense<0.5> : tensor<f32>
  %0 = eff.transpose %q [0, 2, 1, 3] : (tensor<1x3x2x4xf32>) -> tensor<1x2x3x4xf32>
  %1 = eff.binary mul %0, %root : (tensor<1x2x3x4xf32>, tensor<f32>) -> tensor<1x2x3x4xf32>
  %2 = eff.transpose %k [0, 2, 3, 1] : (tensor<1x3x2x4xf32>) -> tensor<1x2x4x3xf32>
  %3 = eff.binary mul %2, %root : (tensor<1x2x4x3xf32>, tensor<f32>) -> tensor<1x2x4x3xf32>
  %4 = eff.transpose %v [0, 2, 1, 3] : (tensor<1x3x2x4xf32>) -> tensor<1x2x3x4xf32>
  %5 = eff.matmul %1, %3 : (tensor<1x2x3x4xf32>, tensor<1x2x4x3xf32>) -> tensor<1x2x3x3xf32>
  %6 = eff.softmax %5 axis 3 : (tensor<1x2x3x3xf32>) -> tensor<1x2x3x3xf32>
  %7 = eff.matmul %6, %4 : (tensor<1x2x3x3xf32>, tensor<1x2x3x4xf32>) -> tensor<1x2x3x4xf32>
  // CHECK-NOT: eff.transpose
  // CHECK: eff.attention %arg0, %arg1, %arg2 scale 2.500000e-01 {heads_last = true}
  // CHECK-NOT: eff.transpose
  %8 = eff.transpose %7 [0, 2, 1, 3] : (tensor<1x2x3x4xf32>) -> tensor<1x3x2x4xf32>
  return %8 : tensor<1x3x2x4xf32>
}

// -----

// CHECK-LABEL: func.func @parts_of_packed_projections
func.func @parts_of_packed_projections(%x: tensor<1x3x3x2x4xf32>) -> tensor<1x2x3x4xf32> {
  %0 = eff.transpose %x [2, 0, 3, 1, 4] : (tensor<1x3x3x2x4xf32>) -> tensor<3x1x2x3x4xf32>
  %1 = eff.slice %0 <0, 0, 0, 0, 0> by [1, 1, 1, 1, 1] : (tensor<3x1x2x3x4xf32>) -> tensor<1x1x2x3x4xf32>
  %q = eff.reshape %1 : (tensor<1x1x2x3x4xf32>) -> tensor<1x2x3x4xf32>
  %2 = eff.slice %0 <1, 0, 0, 0, 0> by [1, 1, 1, 1, 1] : (tensor<3x1x2x3x4xf32>) -> tensor<1x1x2x3x4xf32>
  %k = eff.reshape %2 : (tensor<1x1x2x3x4xf32>) -> tensor<1x2x3x4xf32>
  %3 = eff.slice %0 <2, 0, 0, 0, 0> by [1, 1, 1, 1, 1] : (tensor<3x1x2x3x4xf32>) -> tensor<1x1x2x3x4xf32>
  %v = eff.reshape %3 : (tensor<1x1x2x3x4xf32>) -> tensor<1x2x3x4xf32>
  %4 = eff.matmul %q, %k {transpose_b = true} : (tensor<1x2x3x4xf32>, tensor<1x2x3x4xf32>) -> tensor<1x2x3x3xf32>
  %5 = eff.softmax %4 axis 3 : (tensor<1x2x3x3xf32>) -> tensor<1x2x3x3xf32>
  // CHECK: eff.slice %arg0 <0, 0, 0, 0, 0>
  // CHECK: eff.slice %arg0 <0, 0, 1, 0, 0>
  // CHECK: eff.slice %arg0 <0, 0, 2, 0, 0>
  // CHECK: eff.attention {{.+}} {heads_last = true}
  %6 = eff.matmul %5, %v : (tensor<1x2x3x3xf32>, tensor<1x2x3x4xf32>) -> tensor<1x2x3x4xf32>
  return %6 : tensor<1x2x3x4xf32>
}

// -----

#q = #eff.dims<1, 2, s0, 4>
#k = #eff.dims<1, 2, s0 + s1, 4>
#s = #eff.dims<1, 2, s0, s0 + s1>

// CHECK-LABEL: func.func @causal_by_positions
func.func @causal_by_positions(%q: tensor<1x2x?x4xf32, #q>, %k: tensor<1x2x?x4xf32, #k>, %v: tensor<1x2x?x4xf32, #k>) -> tensor<1x2x?x4xf32, #q>
    attributes {eff.symbols = [#eff.symbol<"n", input 0, axis 2, in 1 to 64>, #eff.symbol<"p", input 1, axis 2, in 0 to 64>]} {
  %zero = eff.constant dense<0.0> : tensor<f32>
  %low = eff.constant dense<-3.40282347E+38> : tensor<f32>
  %rows = eff.iota axis 0 <s1, 1> : tensor<?xi64, #eff.dims<s0>>
  %row = eff.reshape %rows : (tensor<?xi64, #eff.dims<s0>>) -> tensor<?x1xi64, #eff.dims<s0, 1>>
  %keys = eff.iota axis 0 <0, 1> : tensor<?xi64, #eff.dims<s0 + s1>>
  %b = eff.compare le %keys, %row : (tensor<?xi64, #eff.dims<s0 + s1>>, tensor<?x1xi64, #eff.dims<s0, 1>>) -> tensor<?x?xi1, #eff.dims<s0, s0 + s1>>
  %m = eff.select %b, %zero, %low : (tensor<?x?xi1, #eff.dims<s0, s0 + s1>>, tensor<f32>, tensor<f32>) -> tensor<?x?xf32, #eff.dims<s0, s0 + s1>>
  %0 = eff.matmul %q, %k {transpose_b = true} : (tensor<1x2x?x4xf32, #q>, tensor<1x2x?x4xf32, #k>) -> tensor<1x2x?x?xf32, #s>
  %1 = eff.binary add %0, %m : (tensor<1x2x?x?xf32, #s>, tensor<?x?xf32, #eff.dims<s0, s0 + s1>>) -> tensor<1x2x?x?xf32, #s>
  %2 = eff.softmax %1 axis 3 : (tensor<1x2x?x?xf32, #s>) -> tensor<1x2x?x?xf32, #s>
  // CHECK-NOT: eff.compare
  // CHECK: eff.attention %arg0, %arg1, %arg2 scale 1.000000e+00 {causal = true}
  %3 = eff.matmul %2, %v : (tensor<1x2x?x?xf32, #s>, tensor<1x2x?x4xf32, #k>) -> tensor<1x2x?x4xf32, #q>
  return %3 : tensor<1x2x?x4xf32, #q>
}

// -----

// A query that sees one key less is not what `causal` says.
// CHECK-LABEL: func.func @strictly_below_the_diagonal
func.func @strictly_below_the_diagonal(%q: tensor<1x2x3x4xf32>, %k: tensor<1x2x3x4xf32>, %v: tensor<1x2x3x4xf32>) -> tensor<1x2x3x4xf32> {
  %low = eff.constant dense<-1.0e4> : tensor<f32>
  %rows = eff.iota axis 0 <0, 1> : tensor<3x1xi64>
  %keys = eff.iota axis 0 <0, 1> : tensor<3xi64>
  %b = eff.compare lt %keys, %rows : (tensor<3xi64>, tensor<3x1xi64>) -> tensor<3x3xi1>
  %0 = eff.matmul %q, %k {transpose_b = true} : (tensor<1x2x3x4xf32>, tensor<1x2x3x4xf32>) -> tensor<1x2x3x3xf32>
  %1 = eff.select %b, %0, %low : (tensor<3x3xi1>, tensor<1x2x3x3xf32>, tensor<f32>) -> tensor<1x2x3x3xf32>
  %2 = eff.softmax %1 axis 3 : (tensor<1x2x3x3xf32>) -> tensor<1x2x3x3xf32>
  // CHECK: %[[M:.+]] = eff.select
  // CHECK: eff.attention %arg0, %arg1, %arg2 mask %[[M]] scale 1.000000e+00 :
  %3 = eff.matmul %2, %v : (tensor<1x2x3x3xf32>, tensor<1x2x3x4xf32>) -> tensor<1x2x3x4xf32>
  return %3 : tensor<1x2x3x4xf32>
}

// -----

// Beside another mask a fill of -1e4 stays visible: rows that both exclude keep the larger scores.
// CHECK-LABEL: func.func @small_fill_beside_padding
func.func @small_fill_beside_padding(%q: tensor<1x2x3x4xf32>, %k: tensor<1x2x3x4xf32>, %v: tensor<1x2x3x4xf32>,
                                     %m: tensor<1x1x1x3xf32>) -> (tensor<1x2x3x4xf32>, tensor<1x2x3x4xf32>) {
  %small = eff.constant dense<-1.0e4> : tensor<f32>
  %low = eff.constant dense<-3.40282347E+38> : tensor<f32>
  %rows = eff.iota axis 0 <0, 1> : tensor<3x1xi64>
  %keys = eff.iota axis 0 <0, 1> : tensor<3xi64>
  %b = eff.compare le %keys, %rows : (tensor<3xi64>, tensor<3x1xi64>) -> tensor<3x3xi1>
  %0 = eff.matmul %q, %k {transpose_b = true} : (tensor<1x2x3x4xf32>, tensor<1x2x3x4xf32>) -> tensor<1x2x3x3xf32>
  %1 = eff.select %b, %0, %small : (tensor<3x3xi1>, tensor<1x2x3x3xf32>, tensor<f32>) -> tensor<1x2x3x3xf32>
  %2 = eff.binary add %1, %m : (tensor<1x2x3x3xf32>, tensor<1x1x1x3xf32>) -> tensor<1x2x3x3xf32>
  %3 = eff.softmax %2 axis 3 : (tensor<1x2x3x3xf32>) -> tensor<1x2x3x3xf32>
  // CHECK: %[[M:.+]] = eff.binary add
  // CHECK: eff.attention %arg0, %arg1, %arg2 mask %[[M]] scale 1.000000e+00 :
  %4 = eff.matmul %3, %v : (tensor<1x2x3x3xf32>, tensor<1x2x3x4xf32>) -> tensor<1x2x3x4xf32>
  %5 = eff.matmul %k, %q {transpose_b = true} : (tensor<1x2x3x4xf32>, tensor<1x2x3x4xf32>) -> tensor<1x2x3x3xf32>
  %6 = eff.select %b, %5, %low : (tensor<3x3xi1>, tensor<1x2x3x3xf32>, tensor<f32>) -> tensor<1x2x3x3xf32>
  %7 = eff.binary add %6, %m : (tensor<1x2x3x3xf32>, tensor<1x1x1x3xf32>) -> tensor<1x2x3x3xf32>
  %8 = eff.softmax %7 axis 3 : (tensor<1x2x3x3xf32>) -> tensor<1x2x3x3xf32>
  // CHECK: eff.attention %arg1, %arg0, %arg2 mask %arg3 scale 1.000000e+00 {causal = true}
  %9 = eff.matmul %8, %v : (tensor<1x2x3x3xf32>, tensor<1x2x3x4xf32>) -> tensor<1x2x3x4xf32>
  return %4, %9 : tensor<1x2x3x4xf32>, tensor<1x2x3x4xf32>
}

// -----

#q = #eff.dims<1, 2, s0, 4>
#k = #eff.dims<1, 2, s1, 4>
#s = #eff.dims<1, 2, s0, s1>

// There may be fewer keys than queries.
// CHECK-LABEL: func.func @keys_of_unknown_number
func.func @keys_of_unknown_number(%q: tensor<1x2x?x4xf32, #q>, %k: tensor<1x2x?x4xf32, #k>, %v: tensor<1x2x?x4xf32, #k>) -> tensor<1x2x?x4xf32, #q>
    attributes {eff.symbols = [#eff.symbol<"n", input 0, axis 2, in 1 to 64>, #eff.symbol<"p", input 1, axis 2, in 0 to 64>]} {
  %low = eff.constant dense<-3.40282347E+38> : tensor<f32>
  %rows = eff.iota axis 0 <s1 - s0, 1> : tensor<?xi64, #eff.dims<s0>>
  %row = eff.reshape %rows : (tensor<?xi64, #eff.dims<s0>>) -> tensor<?x1xi64, #eff.dims<s0, 1>>
  %keys = eff.iota axis 0 <0, 1> : tensor<?xi64, #eff.dims<s1>>
  %b = eff.compare le %keys, %row : (tensor<?xi64, #eff.dims<s1>>, tensor<?x1xi64, #eff.dims<s0, 1>>) -> tensor<?x?xi1, #eff.dims<s0, s1>>
  %0 = eff.matmul %q, %k {transpose_b = true} : (tensor<1x2x?x4xf32, #q>, tensor<1x2x?x4xf32, #k>) -> tensor<1x2x?x?xf32, #s>
  %1 = eff.select %b, %0, %low : (tensor<?x?xi1, #eff.dims<s0, s1>>, tensor<1x2x?x?xf32, #s>, tensor<f32>) -> tensor<1x2x?x?xf32, #s>
  %2 = eff.softmax %1 axis 3 : (tensor<1x2x?x?xf32, #s>) -> tensor<1x2x?x?xf32, #s>
  // CHECK: %[[M:.+]] = eff.select
  // CHECK: eff.attention %arg0, %arg1, %arg2 mask %[[M]] scale 1.000000e+00 :
  %3 = eff.matmul %2, %v : (tensor<1x2x?x?xf32, #s>, tensor<1x2x?x4xf32, #k>) -> tensor<1x2x?x4xf32, #q>
  return %3 : tensor<1x2x?x4xf32, #q>
}

// -----

// CHECK-LABEL: func.func @constant_triangle_as_factor
func.func @constant_triangle_as_factor(%q: tensor<1x2x2x4xf32>, %k: tensor<1x2x2x4xf32>, %v: tensor<1x2x2x4xf32>) -> tensor<1x2x2x4xf32> {
  %one = eff.constant dense<1.0> : tensor<f32>
  %low = eff.constant dense<1.0e4> : tensor<f32>
  %t = eff.constant dense<[[1.0, 0.0, 0.0], [1.0, 1.0, 0.0], [1.0, 1.0, 1.0]]> : tensor<3x3xf32>
  %b = eff.slice %t <0, 0> by [1, 1] : (tensor<3x3xf32>) -> tensor<2x2xf32>
  %0 = eff.matmul %q, %k {transpose_b = true} : (tensor<1x2x2x4xf32>, tensor<1x2x2x4xf32>) -> tensor<1x2x2x2xf32>
  %1 = eff.binary mul %0, %b : (tensor<1x2x2x2xf32>, tensor<2x2xf32>) -> tensor<1x2x2x2xf32>
  %2 = eff.binary sub %one, %b : (tensor<f32>, tensor<2x2xf32>) -> tensor<2x2xf32>
  %3 = eff.binary mul %2, %low : (tensor<2x2xf32>, tensor<f32>) -> tensor<2x2xf32>
  %4 = eff.binary sub %1, %3 : (tensor<1x2x2x2xf32>, tensor<2x2xf32>) -> tensor<1x2x2x2xf32>
  %5 = eff.softmax %4 axis 3 : (tensor<1x2x2x2xf32>) -> tensor<1x2x2x2xf32>
  // CHECK: eff.attention %arg0, %arg1, %arg2 scale 1.000000e+00 {causal = true}
  %6 = eff.matmul %5, %v : (tensor<1x2x2x2xf32>, tensor<1x2x2x4xf32>) -> tensor<1x2x2x4xf32>
  return %6 : tensor<1x2x2x4xf32>
}

// -----

// CHECK-LABEL: func.func @bool_mask_and_guard_of_empty_rows
func.func @bool_mask_and_guard_of_empty_rows(%q: tensor<1x2x3x4xf32>, %k: tensor<1x2x3x4xf32>, %v: tensor<1x2x3x4xf32>,
                                             %m: tensor<3x3xi1>) -> tensor<1x2x3x4xf32> {
  %zero = eff.constant dense<0.0> : tensor<f32>
  %low = eff.constant dense<0xFF800000> : tensor<f32>
  %0 = eff.matmul %q, %k {transpose_b = true} : (tensor<1x2x3x4xf32>, tensor<1x2x3x4xf32>) -> tensor<1x2x3x3xf32>
  %1 = eff.select %m, %0, %low : (tensor<3x3xi1>, tensor<1x2x3x3xf32>, tensor<f32>) -> tensor<1x2x3x3xf32>
  %2 = eff.softmax %1 axis 3 : (tensor<1x2x3x3xf32>) -> tensor<1x2x3x3xf32>
  %3 = eff.unary isnan %2 : (tensor<1x2x3x3xf32>) -> tensor<1x2x3x3xi1>
  %4 = eff.select %3, %zero, %2 : (tensor<1x2x3x3xi1>, tensor<f32>, tensor<1x2x3x3xf32>) -> tensor<1x2x3x3xf32>
  // CHECK: eff.attention %arg0, %arg1, %arg2 mask %arg3 scale 1.000000e+00 {zero_masked_rows = true}
  %5 = eff.matmul %4, %v : (tensor<1x2x3x3xf32>, tensor<1x2x3x4xf32>) -> tensor<1x2x3x4xf32>
  return %5 : tensor<1x2x3x4xf32>
}

// -----

// CHECK-LABEL: func.func @groups_repeated_for_heads
func.func @groups_repeated_for_heads(%q: tensor<1x4x3x4xf32>, %k: tensor<1x2x3x4xf32>, %v: tensor<1x2x3x4xf32>) -> tensor<1x4x3x4xf32> {
  %0 = eff.reshape %k : (tensor<1x2x3x4xf32>) -> tensor<1x2x1x3x4xf32>
  %1 = eff.broadcast %0 : (tensor<1x2x1x3x4xf32>) -> tensor<1x2x2x3x4xf32>
  %2 = eff.reshape %1 : (tensor<1x2x2x3x4xf32>) -> tensor<1x4x3x4xf32>
  %3 = eff.reshape %v : (tensor<1x2x3x4xf32>) -> tensor<1x2x1x3x4xf32>
  %4 = eff.broadcast %3 : (tensor<1x2x1x3x4xf32>) -> tensor<1x2x2x3x4xf32>
  %5 = eff.reshape %4 : (tensor<1x2x2x3x4xf32>) -> tensor<1x4x3x4xf32>
  %6 = eff.matmul %q, %2 {transpose_b = true} : (tensor<1x4x3x4xf32>, tensor<1x4x3x4xf32>) -> tensor<1x4x3x3xf32>
  %7 = eff.softmax %6 axis 3 : (tensor<1x4x3x3xf32>) -> tensor<1x4x3x3xf32>
  // CHECK: eff.attention %arg0, %arg1, %arg2 scale
  %8 = eff.matmul %7, %5 : (tensor<1x4x3x3xf32>, tensor<1x4x3x4xf32>) -> tensor<1x4x3x4xf32>
  return %8 : tensor<1x4x3x4xf32>
}

// -----

// CHECK-LABEL: func.func @soft_cap
func.func @soft_cap(%q: tensor<1x2x3x4xf32>, %k: tensor<1x2x3x4xf32>, %v: tensor<1x2x3x4xf32>) -> tensor<1x2x3x4xf32> {
  %cap = eff.constant dense<8.0> : tensor<f32>
  %0 = eff.matmul %q, %k {transpose_b = true} : (tensor<1x2x3x4xf32>, tensor<1x2x3x4xf32>) -> tensor<1x2x3x3xf32>
  %1 = eff.binary div %0, %cap : (tensor<1x2x3x3xf32>, tensor<f32>) -> tensor<1x2x3x3xf32>
  %2 = eff.unary tanh %1 : (tensor<1x2x3x3xf32>) -> tensor<1x2x3x3xf32>
  %3 = eff.binary mul %2, %cap : (tensor<1x2x3x3xf32>, tensor<f32>) -> tensor<1x2x3x3xf32>
  %4 = eff.softmax %3 axis 3 : (tensor<1x2x3x3xf32>) -> tensor<1x2x3x3xf32>
  // CHECK: eff.attention %arg0, %arg1, %arg2 scale 1.000000e+00 {softcap = 8.000000e+00 : f64}
  %5 = eff.matmul %4, %v : (tensor<1x2x3x3xf32>, tensor<1x2x3x4xf32>) -> tensor<1x2x3x4xf32>
  return %5 : tensor<1x2x3x4xf32>
}

// -----

// CHECK-LABEL: func.func @heads_in_the_batch_dim
func.func @heads_in_the_batch_dim(%q: tensor<6x3x4xf32>, %k: tensor<6x5x4xf32>, %v: tensor<6x5x4xf32>) -> tensor<6x3x4xf32> {
  %0 = eff.matmul %q, %k {transpose_b = true} : (tensor<6x3x4xf32>, tensor<6x5x4xf32>) -> tensor<6x3x5xf32>
  %1 = eff.softmax %0 axis 2 : (tensor<6x3x5xf32>) -> tensor<6x3x5xf32>
  // CHECK: eff.attention {{.+}} -> tensor<6x1x3x4xf32>
  // CHECK: eff.reshape {{.+}} -> tensor<6x3x4xf32>
  %2 = eff.matmul %1, %v : (tensor<6x3x5xf32>, tensor<6x5x4xf32>) -> tensor<6x3x4xf32>
  return %2 : tensor<6x3x4xf32>
}

// -----

// CHECK-LABEL: func.func @probabilities_are_returned
func.func @probabilities_are_returned(%q: tensor<1x2x3x4xf32>, %k: tensor<1x2x3x4xf32>, %v: tensor<1x2x3x4xf32>) -> (tensor<1x2x3x4xf32>, tensor<1x2x3x3xf32>) {
  %0 = eff.matmul %q, %k {transpose_b = true} : (tensor<1x2x3x4xf32>, tensor<1x2x3x4xf32>) -> tensor<1x2x3x3xf32>
  // CHECK: eff.softmax
  %1 = eff.softmax %0 axis 3 : (tensor<1x2x3x3xf32>) -> tensor<1x2x3x3xf32>
  // CHECK-NOT: eff.attention
  %2 = eff.matmul %1, %v : (tensor<1x2x3x3xf32>, tensor<1x2x3x4xf32>) -> tensor<1x2x3x4xf32>
  return %2, %1 : tensor<1x2x3x4xf32>, tensor<1x2x3x3xf32>
}

// -----

// CHECK-LABEL: func.func @factor_of_each_query
func.func @factor_of_each_query(%q: tensor<1x2x3x4xf32>, %k: tensor<1x2x3x4xf32>, %v: tensor<1x2x3x4xf32>, %f: tensor<3x1xf32>) -> tensor<1x2x3x4xf32> {
  %0 = eff.matmul %q, %k {transpose_b = true} : (tensor<1x2x3x4xf32>, tensor<1x2x3x4xf32>) -> tensor<1x2x3x3xf32>
  %1 = eff.binary mul %0, %f : (tensor<1x2x3x3xf32>, tensor<3x1xf32>) -> tensor<1x2x3x3xf32>
  // CHECK: eff.softmax
  %2 = eff.softmax %1 axis 3 : (tensor<1x2x3x3xf32>) -> tensor<1x2x3x3xf32>
  %3 = eff.matmul %2, %v : (tensor<1x2x3x3xf32>, tensor<1x2x3x4xf32>) -> tensor<1x2x3x4xf32>
  return %3 : tensor<1x2x3x4xf32>
}

// -----

// CHECK-LABEL: func.func @softmax_over_queries
func.func @softmax_over_queries(%q: tensor<1x2x3x4xf32>, %k: tensor<1x2x3x4xf32>, %v: tensor<1x2x3x4xf32>) -> tensor<1x2x3x4xf32> {
  %0 = eff.matmul %q, %k {transpose_b = true} : (tensor<1x2x3x4xf32>, tensor<1x2x3x4xf32>) -> tensor<1x2x3x3xf32>
  // CHECK: eff.softmax
  %1 = eff.softmax %0 axis 2 : (tensor<1x2x3x3xf32>) -> tensor<1x2x3x3xf32>
  %2 = eff.matmul %1, %v : (tensor<1x2x3x3xf32>, tensor<1x2x3x4xf32>) -> tensor<1x2x3x4xf32>
  return %2 : tensor<1x2x3x4xf32>
}

// -----

// The op repeats keys and values for heads, not queries.
// CHECK-LABEL: func.func @one_query_head_for_all_keys
func.func @one_query_head_for_all_keys(%q: tensor<1x1x3x4xf32>, %k: tensor<1x2x3x4xf32>, %v: tensor<1x2x3x4xf32>) -> tensor<1x2x3x4xf32> {
  %0 = eff.matmul %q, %k {transpose_b = true} : (tensor<1x1x3x4xf32>, tensor<1x2x3x4xf32>) -> tensor<1x2x3x3xf32>
  // CHECK: eff.softmax
  %1 = eff.softmax %0 axis 3 : (tensor<1x2x3x3xf32>) -> tensor<1x2x3x3xf32>
  %2 = eff.matmul %1, %v : (tensor<1x2x3x3xf32>, tensor<1x2x3x4xf32>) -> tensor<1x2x3x4xf32>
  return %2 : tensor<1x2x3x4xf32>
}

// -----

// Scores that nothing says to have as many rows as the queries.
// CHECK-LABEL: func.func @sizes_of_unknown_relation
func.func @sizes_of_unknown_relation(%q: tensor<1x2x?x4xf32, #eff.dims<1, 2, s0, 4>>, %k: tensor<1x2x3x4xf32>, %v: tensor<1x2x3x4xf32>,
                                     %b: tensor<?x3xi1, #eff.dims<s1, 3>>) -> tensor<1x2x?x4xf32, #eff.dims<1, 2, s1, 4>>
    attributes {eff.symbols = [#eff.symbol<"n", input 0, axis 2, in 1 to 64>, #eff.symbol<"p", input 3, axis 0, in 1 to 64>]} {
  %low = eff.constant dense<-1.0e4> : tensor<f32>
  %0 = eff.matmul %q, %k {transpose_b = true} : (tensor<1x2x?x4xf32, #eff.dims<1, 2, s0, 4>>, tensor<1x2x3x4xf32>) -> tensor<1x2x?x3xf32, #eff.dims<1, 2, s0, 3>>
  %1 = eff.select %b, %0, %low : (tensor<?x3xi1, #eff.dims<s1, 3>>, tensor<1x2x?x3xf32, #eff.dims<1, 2, s0, 3>>, tensor<f32>) -> tensor<1x2x?x3xf32, #eff.dims<1, 2, s1, 3>>
  // CHECK: eff.softmax
  %2 = eff.softmax %1 axis 3 : (tensor<1x2x?x3xf32, #eff.dims<1, 2, s1, 3>>) -> tensor<1x2x?x3xf32, #eff.dims<1, 2, s1, 3>>
  %3 = eff.matmul %2, %v : (tensor<1x2x?x3xf32, #eff.dims<1, 2, s1, 3>>, tensor<1x2x3x4xf32>) -> tensor<1x2x?x4xf32, #eff.dims<1, 2, s1, 4>>
  return %3 : tensor<1x2x?x4xf32, #eff.dims<1, 2, s1, 4>>
}
