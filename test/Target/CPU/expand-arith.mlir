// RUN: effc-opt %s -effk-expand-arith -split-input-file | FileCheck %s

// LLVM has vectors and reductions of maxima that propagate NaN.
// CHECK-LABEL: func.func @maximum
// CHECK: arith.maximumf
func.func @maximum(%x: f32, %y: f32) -> f32 {
  %0 = arith.maximumf %x, %y : f32
  return %0 : f32
}

// CHECK-LABEL: func.func @maximum_number
// CHECK-NOT: arith.maxnumf
// CHECK: arith.select
func.func @maximum_number(%x: f32, %y: f32) -> f32 {
  %0 = arith.maxnumf %x, %y : f32
  return %0 : f32
}

// CHECK-LABEL: func.func @maximum_number_without_nan
// CHECK: arith.maxnumf
func.func @maximum_number_without_nan(%x: f32, %y: f32) -> f32 {
  %0 = arith.maxnumf %x, %y fastmath<nnan> : f32
  return %0 : f32
}

// Rounding to bf16 has no instruction everywhere.
// CHECK-LABEL: func.func @to_bf16
// CHECK-SAME: -> i16
// CHECK: arith.trunci %{{.+}} : i32 to i16
// CHECK-NOT: bf16
func.func @to_bf16(%x: f32) -> bf16 {
  %0 = arith.truncf %x : f32 to bf16
  return %0 : bf16
}

// CHECK-LABEL: func.func @ceildiv
// CHECK-NOT: arith.ceildivui
// CHECK: arith.divui
func.func @ceildiv(%x: index, %y: index) -> index {
  %0 = arith.ceildivui %x, %y : index
  return %0 : index
}

// What is only moved is moved as bits.
// CHECK-LABEL: func.func @move_bf16(
// CHECK-SAME: %{{.+}}: memref<?xi16>
// CHECK: arith.constant 16256 : i16
// CHECK: arith.select {{.*}} : i16
// CHECK: memref.store {{.*}} : memref<?xi16>
func.func @move_bf16(%x: memref<?xbf16>, %i: index, %c: i1) {
  %one = arith.constant 1.0 : bf16
  %0 = memref.load %x[%i] : memref<?xbf16>
  %1 = arith.select %c, %0, %one : bf16
  memref.store %1, %x[%i] : memref<?xbf16>
  return
}

// -----

module attributes {eff.target = #eff.target<"v4-bf16", cpu = "x86-64-v4", features = "+avx512vnni,+avx512bf16", vector 32 x 512,
                                            l1 32768, l2 1048576>} {

// The instruction is LLVM's business; what it gives is moved as bits.
// CHECK-LABEL: func.func @round_to_bf16
// CHECK: %[[ROUNDED:.+]] = arith.truncf %{{.+}} : vector<16xf32> to vector<16xbf16>
// CHECK: %[[BITS:.+]] = arith.bitcast %[[ROUNDED]] : vector<16xbf16> to vector<16xi16>
// CHECK: return %[[BITS]]
func.func @round_to_bf16(%x: vector<16xf32>) -> vector<16xbf16> {
  %0 = arith.truncf %x : vector<16xf32> to vector<16xbf16>
  return %0 : vector<16xbf16>
}
}
