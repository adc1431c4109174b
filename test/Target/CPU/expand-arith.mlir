// RUN: effc-opt %s -effk-expand-arith | FileCheck %s

// A maximum that propagates NaN becomes comparisons; one that is promised none stays a reduction that LLVM knows.
// CHECK-LABEL: func.func @maxima
// CHECK: arith.cmpf ugt
// CHECK: arith.cmpf uno
// CHECK-NOT: arith.maximumf
// CHECK: arith.maxnumf %{{.+}}, %{{.+}} fastmath<nnan,nsz>
func.func @maxima(%a: f32, %b: f32) -> (f32, f32) {
  %0 = arith.maximumf %a, %b : f32
  %1 = arith.maxnumf %a, %b fastmath<nnan,nsz> : f32
  return %0, %1 : f32, f32
}

// CHECK-LABEL: func.func @from_bf16
// CHECK: arith.shli
// CHECK-NOT: arith.extf
func.func @from_bf16(%a: bf16) -> f32 {
  %0 = arith.extf %a : bf16 to f32
  return %0 : f32
}

// CHECK-LABEL: func.func @from_f16
// CHECK: arith.extf
func.func @from_f16(%a: f16) -> f32 {
  %0 = arith.extf %a : f16 to f32
  return %0 : f32
}
