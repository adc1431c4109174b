// RUN: effc-opt %s -effk-lower-kernel-abi | FileCheck %s

// The entry loads what the body takes.
// CHECK-LABEL: func.func @copy(
// CHECK-SAME: %[[ARGS:.+]]: !llvm.ptr, %{{.+}}: i64, %{{.+}}: i64, %{{.+}}: !llvm.ptr)
// CHECK: llvm.load {{.*}} -> !llvm.ptr
// CHECK: call @copy.body

// Operands are read only, no buffer aliases another, the error pointer comes last.
// CHECK-LABEL: func.func private @copy.body(
// CHECK-SAME: !llvm.ptr {llvm.noalias, llvm.readonly},
// CHECK-SAME: !llvm.ptr {llvm.noalias},
// CHECK-SAME: index,
// CHECK-SAME: index,
// CHECK-SAME: index,
// CHECK-SAME: !llvm.ptr {llvm.noalias},
// CHECK-SAME: !llvm.ptr)
// CHECK: unrealized_conversion_cast {{.*}} to memref<?xf32>
// CHECK: scf.for
// CHECK: return
func.func @copy(%in: memref<?xf32>, %out: memref<?xf32>, %offset: index, %lo: index, %hi: index,
                %scratch: memref<?xi8>) attributes {effk.kernel, effk.results = 1 : i64} {
  %c1 = arith.constant 1 : index
  scf.for %i = %lo to %hi step %c1 {
    %j = arith.addi %i, %offset : index
    %v = memref.load %in[%j] : memref<?xf32>
    memref.store %v, %out[%i] : memref<?xf32>
  }
  return
}

// A report inside a loop only selects; the error is stored once, at the end.
// CHECK-LABEL: func.func private @report.body(
// CHECK: %[[SLOT:.+]] = llvm.alloca
// CHECK: scf.for
// CHECK: arith.select
// CHECK-NEXT: llvm.store %{{.+}}, %[[SLOT]]
// CHECK: }
// CHECK: scf.if
// CHECK-NEXT: llvm.store %{{.+}}, %{{.+}} atomic monotonic
// CHECK: return
func.func @report(%in: memref<?xi32>, %lo: index, %hi: index, %scratch: memref<?xi8>)
    attributes {effk.kernel, effk.results = 0 : i64} {
  %c1 = arith.constant 1 : index
  %zero = arith.constant 0 : i32
  scf.for %i = %lo to %hi step %c1 {
    %v = memref.load %in[%i] : memref<?xi32>
    %bad = arith.cmpi eq, %v, %zero : i32
    effk.report 2 if %bad
  }
  return
}

// Other functions stay.
// CHECK-LABEL: func.func @host(%{{.+}}: memref<?xf32>)
func.func @host(%in: memref<?xf32>) {
  return
}
