// RUN: effc-opt %s -convert-kernels-to-loops -canonicalize -cse | FileCheck %s

module attributes {eff.target = #eff.target<"v4", cpu = "x86-64-v4", features = "", vector 32 x 512, l1 32768, l2 1048576>} {

// Rows of whole vectors that lie in memory: four in step, each with four sums side by side, then those that are left.
// CHECK-LABEL: func.func @k0_layer_norm
// CHECK: scf.for {{.*}} step %c4 {
// CHECK: scf.for {{.*}} -> (vector<16xf32>{{(, vector<16xf32>)+}})
// CHECK-COUNT-4: vector.reduction <add>
// CHECK: scf.for {{.*}} -> (vector<16xf32>{{(, vector<16xf32>)+}})
// CHECK-COUNT-4: math.sqrt
// CHECK: scf.for {{.*}} step %c16 {
// CHECK-COUNT-4: vector.store
// CHECK: scf.for {{.*}} step %c1 {
// CHECK: math.sqrt
func.func @plain(%x: tensor<9x128xf32>, %s: tensor<128xf32>, %b: tensor<128xf32>) -> tensor<9x128xf32> {
  %0 = effk.kernel "layer_norm"(%x, %s, %b) : (tensor<9x128xf32>, tensor<128xf32>, tensor<128xf32>) -> tensor<9x128xf32> {
  ^bb0(%a: tensor<9x128xf32>, %c: tensor<128xf32>, %d: tensor<128xf32>):
    %1 = eff.layer_norm %a scale %c bias %d axis 1 {epsilon = 1.0e-5 : f64}
        : (tensor<9x128xf32>, tensor<128xf32>, tensor<128xf32>) -> tensor<9x128xf32>
    effk.yield %1 : tensor<9x128xf32>
  }
  return %0 : tensor<9x128xf32>
}

// With something behind it the norm is made element by element; the row is still read where it lies.
// CHECK-LABEL: func.func @k1_layer_norm
// CHECK-NOT: vector
// CHECK-NOT: memref.view
// CHECK: memref.store
func.func @followed(%x: tensor<9x128xf32>) -> tensor<9x128xf32> {
  %0 = effk.kernel "layer_norm"(%x) : (tensor<9x128xf32>) -> tensor<9x128xf32> {
  ^bb0(%a: tensor<9x128xf32>):
    %1 = eff.layer_norm %a axis 1 {epsilon = 1.0e-5 : f64} : (tensor<9x128xf32>) -> tensor<9x128xf32>
    %2 = eff.unary relu %1 : (tensor<9x128xf32>) -> tensor<9x128xf32>
    effk.yield %2 : tensor<9x128xf32>
  }
  return %0 : tensor<9x128xf32>
}

}
