// RUN: effc-opt %s -effk-annotate-loops | FileCheck %s

// CHECK: #[[$FOUR:.+]] = #llvm.loop_interleave<count = 4 : i32>
// CHECK: #[[$UNROLL:.+]] = #llvm.loop_unroll<disable = true>
// CHECK: #[[$KEEP:.+]] = #llvm.loop_annotation<vectorize = #{{.+}}, unroll = #[[$UNROLL]]>
// CHECK: #[[$SUMS:.+]] = #llvm.loop_annotation<vectorize = #{{.+}}, interleave = #[[$FOUR]], unroll = #[[$UNROLL]]>

// Taps are unrolled into the loop over channels.
// CHECK-LABEL: func.func @channels
// CHECK: scf.for
// CHECK: scf.for
// CHECK: memref.store
// CHECK-NEXT: }
// CHECK-NEXT: } {llvm.loop_annotation = #[[$KEEP]]}
func.func @channels(%x: memref<?xf32>, %v: f32) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c3 = arith.constant 3 : index
  %c24 = arith.constant 24 : index
  scf.for %i = %c0 to %c24 step %c1 {
    scf.for %t = %c0 to %c3 step %c1 {
      memref.store %v, %x[%i] : memref<?xf32>
    }
  }
  return
}

// Only the inner one of two long loops, and none of unknown length.
// CHECK-LABEL: func.func @inner
// CHECK: memref.store
// CHECK-NEXT: } {llvm.loop_annotation = #[[$KEEP]]}
// CHECK-NOT: llvm.loop_annotation
func.func @inner(%x: memref<?xf32>, %v: f32, %n: index) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c24 = arith.constant 24 : index
  scf.for %i = %c0 to %c24 step %c1 {
    scf.for %t = %c0 to %c24 step %c1 {
      memref.store %v, %x[%i] : memref<?xf32>
    }
  }
  scf.for %i = %c0 to %n step %c1 {
    memref.store %v, %x[%i] : memref<?xf32>
  }
  return
}

// Sums of a long loop stand side by side and stay so: LLVM does not interleave what it must not unroll.
// CHECK-LABEL: func.func @sums
// CHECK: } {llvm.loop_annotation = #[[$SUMS]]}
func.func @sums(%x: memref<?xf32>) -> f32 {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c768 = arith.constant 768 : index
  %zero = arith.constant 0.0 : f32
  %0 = scf.for %i = %c0 to %c768 step %c1 iter_args(%sum = %zero) -> (f32) {
    %1 = memref.load %x[%i] : memref<?xf32>
    %2 = arith.addf %sum, %1 fastmath<reassoc> : f32
    scf.yield %2 : f32
  }
  return %0 : f32
}

// CHECK-LABEL: func.func @vectors
// CHECK-NOT: llvm.loop_annotation
func.func @vectors(%x: memref<?xf32>, %v: vector<8xf32>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c24 = arith.constant 24 : index
  scf.for %i = %c0 to %c24 step %c1 {
    %0 = arith.addf %v, %v : vector<8xf32>
    vector.store %0, %x[%i] : memref<?xf32>, vector<8xf32>
  }
  return
}

// CHECK-LABEL: llvm.func @lowered
// CHECK: llvm.br ^bb1 {loop_annotation = #{{.+}}}
llvm.func @lowered() {
  llvm.br ^bb1
^bb1:
  llvm.br ^bb1 {llvm.loop_annotation = #llvm.loop_annotation<unroll = <disable = true>>}
}
