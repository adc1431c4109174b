// RUN: effc-opt %s -effk-lower-tiles -split-input-file | FileCheck %s
// Tiles of AMX (docs/microkernels.md).

#target = #eff.target<"amx", cpu = "x86-64-v4", features = "+avx512vnni,+avx512bf16,+amx-tile,+amx-int8,+amx-bf16",
                      vector 32 x 512, l1 49152, l2 2097152>

// A row has 64 bytes, A 16 rows, B as many as groups: 16 here.
module attributes {eff.target = #target} {
// CHECK: llvm.mlir.global internal constant @tiles.16.16(dense<[1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 64, 0, 64, 0, 64, 0, 64, 0, 64, 0, 64, 0, 64, 0, 64, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 16, 16, 16, 16, 16, 16, 16, 16, 0, 0, 0, 0, 0, 0, 0, 0]>

// Two registers of rows times two of columns: A is read where it lies, rows 192 bytes apart, B with the step of a panel.
// CHECK-LABEL: func.func @matrix
// CHECK: llvm.call_intrinsic "llvm.x86.ldtilecfg"
// CHECK-COUNT-4: llvm.call_intrinsic "llvm.x86.tilezero"
// CHECK: scf.for
// CHECK-NOT: masked
// CHECK: "llvm.x86.tileloadd64"
// CHECK: "llvm.x86.tileloadd64"
// CHECK: "llvm.x86.tdpbf16ps"
// CHECK: "llvm.x86.tileloadd64"
// CHECK: "llvm.x86.tdpbf16ps"
// CHECK: "llvm.x86.tileloadd64"
// CHECK: "llvm.x86.tdpbf16ps"
// CHECK: "llvm.x86.tdpbf16ps"
// CHECK-COUNT-4: llvm.call_intrinsic "llvm.x86.tilestored64"
// The epilogue is on whole vectors, row by row.
// CHECK: scf.for
// CHECK: arith.addf {{.*}} : vector<16xf32>
// 64 rows are whole tiles.
// CHECK-NOT: tilezero
// CHECK: llvm.call_intrinsic "llvm.x86.tilerelease"
func.func @matrix(%a: memref<?xbf16>, %b: memref<?xbf16>, %bias: memref<?xf32>, %c: memref<?xf32>, %lo: index, %hi: index) {
  %c0 = arith.constant 0 : index
  %m = arith.constant 64 : index
  %n = arith.constant 128 : index
  %k = arith.constant 96 : index
  "effk.gemm"(%a, %c0, %m, %k, %k, %b, %c0, %c, %c0, %n, %n, %lo, %hi, %bias, %c0, %c0) <{
      maps = array<i64: 1>, tile = array<i64: 32, 32>, rows_per_block = 64 : i64, interleave = 2 : i64,
      operandSegmentSizes = array<i32: 1, 1, 1, 1, 0, 0, 1, 0, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 1>}> ({
  ^bb0(%sum: f32, %row: index, %column: index, %x: f32):
    %y = arith.addf %sum, %x : f32
    effk.yield %y : f32
  }) : (memref<?xbf16>, index, index, index, index, memref<?xbf16>, index, memref<?xf32>, index, index, index, index,
        index, memref<?xf32>, index, index) -> ()
  return
}
}

// -----

#target = #eff.target<"amx", cpu = "x86-64-v4", features = "+avx512vnni,+avx512bf16,+amx-tile,+amx-int8,+amx-bf16",
                      vector 32 x 512, l1 49152, l2 2097152>

// 72 bytes of a tap are two instructions of 9 groups, so that none are left over.
module attributes {eff.target = #target} {
// CHECK-DAG: @tiles.16.9(dense<[1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 64, 0, 64, 0, 64, 0, 64, 0, 36, 0, 36, 0, 64, 0, 64, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 16, 16, 16, 16, 16, 16, 9, 9, 0, 0, 0, 0, 0, 0, 0, 0]>
// CHECK-DAG: llvm.mlir.global internal constant @padding.i8.131.72

// Rows that wrap, or of which a tap is outside of the image, are gathered; the zero point stands for what is outside.
// CHECK-LABEL: func.func @taps
// CHECK: arith.select {{.*}} : !llvm.ptr
// CHECK: scf.if
// CHECK: llvm.intr.masked.load {{.*}} : (!llvm.ptr, vector<64xi1>, vector<64xi8>) -> vector<64xi8>
// CHECK: llvm.store {{.*}} : vector<64xi8>, !llvm.ptr
// CHECK: arith.select {{.*}} : !llvm.ptr
// CHECK: "llvm.x86.tileloadd64"
// CHECK: "llvm.x86.tdpbusd"
// CHECK: llvm.store {{.*}} : vector<16xi8>, !llvm.ptr
func.func @taps(%a: memref<?xi8>, %b: memref<?xi8>, %c: memref<?xi8>, %lo: index, %hi: index) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c3 = arith.constant 3 : index
  %base = arith.constant -72 : index
  %channels = arith.constant 72 : index
  %width = arith.constant 16 : index
  "effk.gemm"(%a, %base, %width, %channels, %c3, %channels, %channels, %width, %c1, %c1, %c1, %b, %c0, %c, %c0, %width,
              %width, %lo, %hi) <{
      maps = array<i64>, tile = array<i64: 32, 16>, rows_per_block = 32 : i64, interleave = 4 : i64, pad_value = 131 : i64,
      operandSegmentSizes = array<i32: 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 0, 0, 0>}> ({
  ^bb0(%sum: i32, %row: index, %column: index):
    %y = arith.trunci %sum : i32 to i8
    effk.yield %y : i8
  }) : (memref<?xi8>, index, index, index, index, index, index, index, index, index, index, memref<?xi8>, index,
        memref<?xi8>, index, index, index, index, index) -> ()
  return
}
}

// -----

#target = #eff.target<"amx", cpu = "x86-64-v4", features = "+avx512vnni,+avx512bf16,+amx-tile,+amx-int8,+amx-bf16",
                      vector 32 x 512, l1 49152, l2 2097152>

// Two products, one in a loop: the registers get their shapes once. The end of a run whose length is not known is masked in A
// and filled up with zeros in B.
module attributes {eff.target = #target} {
// CHECK-LABEL: func.func @two
// CHECK-NOT: scf.for
// CHECK: llvm.call_intrinsic "llvm.x86.ldtilecfg"
// CHECK-NOT: ldtilecfg
// CHECK-NOT: tilerelease
// CHECK: vector.create_mask {{.*}} : vector<64xi1>
// CHECK: vector.create_mask {{.*}} : vector<64xi1>
// CHECK: llvm.call_intrinsic "llvm.x86.tilerelease"() : () -> ()
// CHECK-NEXT: return
func.func @two(%a: memref<?xi8>, %b: memref<?xi8>, %c: memref<?xi32>, %m: index, %k: index, %n: index, %lo: index, %hi: index) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  "effk.gemm"(%a, %c0, %m, %k, %k, %b, %c0, %c, %c0, %n, %n, %lo, %hi) <{
      maps = array<i64>, tile = array<i64: 32, 32>, rows_per_block = 32 : i64, interleave = 4 : i64,
      operandSegmentSizes = array<i32: 1, 1, 1, 1, 0, 0, 1, 0, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 0, 0, 0>}> ({
  ^bb0(%sum: i32, %row: index, %column: index):
    effk.yield %sum : i32
  }) : (memref<?xi8>, index, index, index, index, memref<?xi8>, index, memref<?xi32>, index, index, index, index,
        index) -> ()
  scf.for %i = %lo to %hi step %c1 {
    "effk.gemm"(%a, %c0, %m, %k, %k, %b, %c0, %c, %c0, %n, %n, %lo, %hi) <{
        maps = array<i64>, tile = array<i64: 16, 64>, rows_per_block = 16 : i64, interleave = 4 : i64,
        operandSegmentSizes = array<i32: 1, 1, 1, 1, 0, 0, 1, 0, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 0, 0, 0>}> ({
    ^bb0(%sum: i32, %row: index, %column: index):
      effk.yield %sum : i32
    }) : (memref<?xi8>, index, index, index, index, memref<?xi8>, index, memref<?xi32>, index, index, index, index,
          index) -> ()
  }
  return
}
}
