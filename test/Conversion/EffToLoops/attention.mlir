// RUN: effc-opt %s -convert-kernels-to-loops -canonicalize -cse | FileCheck %s
// RUN: effc-opt %s -convert-kernels-to-loops="plain=true" -canonicalize -cse | FileCheck %s --check-prefix=PLAIN

module attributes {eff.target = #eff.target<"v4", cpu = "x86-64-v4", features = "", vector 32 x 512, l1 32768, l2 1048576>} {

// A head: its keys are transposed in registers, 16 rows at once in four rounds of shuffles; the scores of a block of rows
// are a product; four rows of them become weights in step, what is left of a vector apart; then the second product.
// CHECK-LABEL: func.func @k0_attention
// CHECK-COUNT-16: vector.load {{.*}} vector<16xf32>
// CHECK-COUNT-64: vector.shuffle
// CHECK-NOT: vector.shuffle
// CHECK-COUNT-16: vector.store
// CHECK: "effk.gemm"
// CHECK: scf.for {{.*}} -> (vector<16xf32>, vector<16xf32>, vector<16xf32>, vector<16xf32>)
// CHECK-COUNT-4: arith.maxnumf
// CHECK-COUNT-4: arith.select {{.*}} : vector<16xi1>
// CHECK-COUNT-4: vector.reduction <maxnumf>
// CHECK: scf.for {{.*}} -> (vector<16xf32>, vector<16xf32>, vector<16xf32>, vector<16xf32>)
// CHECK-COUNT-4: math.exp2 {{.*}} : vector<16xf32>
// CHECK-COUNT-4: vector.reduction <add>
// CHECK: "effk.gemm"
// PLAIN-LABEL: func.func @k0_attention
// PLAIN-NOT: vector
// PLAIN: math.exp {{.*}} : f32
func.func @attention(%q: tensor<1x40x2x16xf32>, %k: tensor<1x37x2x16xf32>, %v: tensor<1x37x2x16xf32>)
    -> tensor<1x40x2x16xf32> {
  %0 = effk.kernel "attention"(%q, %k, %v)
      : (tensor<1x40x2x16xf32>, tensor<1x37x2x16xf32>, tensor<1x37x2x16xf32>) -> tensor<1x40x2x16xf32> {
  ^bb0(%a: tensor<1x40x2x16xf32>, %b: tensor<1x37x2x16xf32>, %c: tensor<1x37x2x16xf32>):
    %1 = eff.attention %a, %b, %c scale 2.500000e-01 {heads_last = true}
        : (tensor<1x40x2x16xf32>, tensor<1x37x2x16xf32>, tensor<1x37x2x16xf32>) -> tensor<1x40x2x16xf32>
    effk.yield %1 : tensor<1x40x2x16xf32>
  }
  return %0 : tensor<1x40x2x16xf32>
}

}
