// RUN: effc-opt %s -effk-lower-tiles -split-input-file | FileCheck %s

#target = #eff.target<"v3", cpu = "x86-64-v3", features = "", vector 16 x 256, l1 32768, l2 262144>

module attributes {eff.target = #target} {

// CHECK: llvm.mlir.global internal constant @padding.f32.0.8

// Static sizes: tiles of 4 rows, then the 2 that are left; the last of 32 columns are a panel of one vector, none is masked.
// While a panel is used, each tile fetches its share of the next one; two rows do not. LLVM cannot look behind the
// row where the smaller tile begins.
// CHECK-LABEL: func.func @matrix
// CHECK-NOT: masked
// CHECK: scf.if
// CHECK: scf.for
// CHECK: scf.for {{.*}} -> (vector<8xf32>{{(, vector<8xf32>)+}})
// CHECK: llvm.intr.prefetch
// CHECK-COUNT-12: vector.fma
// CHECK-NOT: vector.fma
// CHECK: scf.yield
// CHECK: scf.if
// CHECK: llvm.inline_asm "", "=r,0"
// CHECK: scf.for
// CHECK-NOT: llvm.intr.prefetch
// CHECK-COUNT-6: vector.fma
// CHECK-NOT: vector.fma
// CHECK: } else {
// CHECK: llvm.intr.prefetch
// CHECK-COUNT-4: vector.fma
// CHECK-NOT: vector.fma
// CHECK: scf.yield
// CHECK-NOT: masked
func.func @matrix(%a: memref<?xf32>, %b: memref<?xf32>, %bias: memref<?xf32>, %c: memref<?xf32>, %lo: index,
                  %hi: index) {
  %c0 = arith.constant 0 : index
  %m = arith.constant 10 : index
  %n = arith.constant 32 : index
  %k = arith.constant 64 : index
  "effk.gemm"(%a, %c0, %m, %k, %k, %b, %c0, %c, %c0, %n, %n, %lo, %hi, %bias, %c0, %c0) <{
      maps = array<i64: 1>, tile = array<i64: 4, 24>, rows_per_block = 12 : i64,
      operandSegmentSizes = array<i32: 1, 1, 1, 1, 0, 0, 1, 0, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 1>}> ({
  ^bb0(%sum: f32, %row: index, %column: index, %x: f32):
    %y = arith.addf %sum, %x : f32
    effk.yield %y : f32
  }) : (memref<?xf32>, index, index, index, index, memref<?xf32>, index, memref<?xf32>, index, index, index, index,
        index, memref<?xf32>, index, index) -> ()
  return
}

// Full panels need no masks; rows outside the image read a constant row.
// CHECK-LABEL: func.func @convolution
// CHECK-NOT: vector.create_mask
// CHECK: llvm.mlir.addressof @padding.f32.0.8
// CHECK: arith.select {{.*}} : !llvm.ptr
func.func @convolution(%a: memref<?xf32>, %b: memref<?xf32>, %c: memref<?xf32>, %lo: index, %hi: index) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c3 = arith.constant 3 : index
  %base = arith.constant -8 : index
  %channels = arith.constant 8 : index
  %width = arith.constant 16 : index
  "effk.gemm"(%a, %base, %width, %channels, %c3, %channels, %channels, %width, %c1, %c1, %c1, %b, %c0, %c, %c0, %width,
              %width, %lo, %hi) <{
      maps = array<i64>, tile = array<i64: 6, 16>, rows_per_block = 6 : i64,
      operandSegmentSizes = array<i32: 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 0, 0, 0>}> ({
  ^bb0(%sum: f32, %row: index, %column: index):
    effk.yield %sum : f32
  }) : (memref<?xf32>, index, index, index, index, index, index, index, index, index, index, memref<?xf32>, index,
        memref<?xf32>, index, index, index, index, index) -> ()
  return
}
}

// -----

module attributes {eff.target = #eff.target<"v4-vnni", cpu = "x86-64-v4", features = "+avx512vnni", vector 32 x 512, l1 32768,
                                            l2 1048576>} {

// A tap has 6 channels: a step of four, then two and nothing behind them. Outside the image is the zero point, so that no tap
// is left out.
// CHECK: llvm.mlir.global internal constant @padding.i8.131.6(dense<-125> : tensor<6xi8>)
// CHECK-LABEL: func.func @bytes
// CHECK: scf.for
// CHECK: llvm.load {{.*}} {alignment = 1 : i64} : !llvm.ptr -> vector<64xi8>
// CHECK: llvm.load {{.*}} {alignment = 1 : i64} : !llvm.ptr -> i32
// CHECK: llvm.call_intrinsic "llvm.x86.avx512.vpdpbusd.512"
// CHECK: scf.if
// CHECK: llvm.intr.masked.load {{.*}} : (!llvm.ptr, vector<4xi1>, vector<4xi8>) -> vector<4xi8>
// CHECK: llvm.call_intrinsic "llvm.x86.avx512.vpdpbusd.512"
// CHECK: llvm.store {{.*}} : vector<16xi8>, !llvm.ptr
func.func @bytes(%a: memref<?xi8>, %b: memref<?xi8>, %c: memref<?xi8>, %lo: index, %hi: index) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c3 = arith.constant 3 : index
  %base = arith.constant -6 : index
  %channels = arith.constant 6 : index
  %width = arith.constant 16 : index
  "effk.gemm"(%a, %base, %width, %channels, %c3, %channels, %channels, %width, %c1, %c1, %c1, %b, %c0, %c, %c0, %width,
              %width, %lo, %hi) <{
      maps = array<i64>, tile = array<i64: 1, 16>, rows_per_block = 6 : i64, interleave = 4 : i64, pad_value = 131 : i64,
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

// Tiles of 24 columns in panels of 48, made for another machine: two to a panel, whose rows are 48 apart.
module attributes {eff.target = #eff.target<"v3", cpu = "x86-64-v3", features = "", vector 16 x 256, l1 32768, l2 262144>} {
// CHECK-LABEL: func.func @wide_panels
// CHECK-DAG: %[[PANEL:.*]] = arith.constant 48 : index
// CHECK: arith.remui %{{.*}}, %[[PANEL]]
// CHECK: arith.muli %{{.*}}, %[[PANEL]]
// CHECK-NOT: llvm.intr.prefetch
// CHECK: vector.fma
func.func @wide_panels(%a: memref<?xf32>, %b: memref<?xf32>, %c: memref<?xf32>, %lo: index, %hi: index) {
  %c0 = arith.constant 0 : index
  %m = arith.constant 8 : index
  %n = arith.constant 72 : index
  %k = arith.constant 64 : index
  "effk.gemm"(%a, %c0, %m, %k, %k, %b, %c0, %c, %c0, %n, %n, %lo, %hi) <{
      maps = array<i64>, tile = array<i64: 4, 24>, rows_per_block = 8 : i64, panel_width = 48 : i64,
      operandSegmentSizes = array<i32: 1, 1, 1, 1, 0, 0, 1, 0, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 0, 0, 0>}> ({
  ^bb0(%sum: f32, %row: index, %column: index):
    effk.yield %sum : f32
  }) : (memref<?xf32>, index, index, index, index, memref<?xf32>, index, memref<?xf32>, index, index, index, index,
        index) -> ()
  return
}
}

// -----

// Bytes with dot products of signed ones: a panel's columns are summed first, by -128, for the 128 that rows lose. Of 22 in a row 16
// are loaded at once and used by lanes, then a step of four, then two. Outside the image is a constant row like any other: no tap is left out.
module attributes {eff.target = #eff.target<"neon-dotprod", cpu = "generic", features = "+neon,+dotprod", vector 32 x 128,
                                            l1 65536, l2 524288>} {
// CHECK-LABEL: func.func @signed_bytes
// CHECK-DAG: %[[MOST:.*]] = arith.constant dense<-128> : vector<16xi8>
// CHECK: %[[SUMS:.*]]:2 = scf.for {{.*}} -> (vector<4xi32>, vector<4xi32>)
// CHECK-COUNT-2: llvm.call_intrinsic "llvm.aarch64.neon.sdot.v4i32.v16i8"
// CHECK: %[[START:.*]] = arith.subi %{{.*}}, %[[SUMS]]#0 : vector<4xi32>
// CHECK-NOT: scf.if
// CHECK: llvm.load {{.*}} {alignment = 1 : i64} : !llvm.ptr -> vector<16xi8>
// CHECK: arith.xori %{{.*}} : vector<16xi8>
// CHECK: vector.shuffle %{{.*}}, %{{.*}} [0, 0, 0, 0] : vector<4xi32>, vector<4xi32>
// CHECK: vector.shuffle %{{.*}}, %{{.*}} [3, 3, 3, 3] : vector<4xi32>, vector<4xi32>
// CHECK: llvm.load {{.*}} {alignment = 1 : i64} : !llvm.ptr -> i32
// CHECK: scf.if
// CHECK: llvm.intr.masked.load {{.*}} : (!llvm.ptr, vector<4xi1>, vector<4xi8>) -> vector<4xi8>
func.func @signed_bytes(%a: memref<?xi8>, %b: memref<?xi8>, %c: memref<?xi32>, %lo: index, %hi: index) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c3 = arith.constant 3 : index
  %base = arith.constant -22 : index
  %channels = arith.constant 22 : index
  %width = arith.constant 8 : index
  "effk.gemm"(%a, %base, %width, %channels, %c3, %channels, %channels, %width, %c1, %c1, %c1, %b, %c0, %c, %c0, %width,
              %width, %lo, %hi) <{
      maps = array<i64>, tile = array<i64: 1, 8>, rows_per_block = 6 : i64, interleave = 4 : i64, pad_value = 0 : i64,
      operandSegmentSizes = array<i32: 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 0, 0, 0>}> ({
  ^bb0(%sum: i32, %row: index, %column: index):
    effk.yield %sum : i32
  }) : (memref<?xi8>, index, index, index, index, index, index, index, index, index, index, memref<?xi8>, index,
        memref<?xi32>, index, index, index, index, index) -> ()
  return
}
}

// -----

// Unsigned by signed ones: nothing is moved.
module attributes {eff.target = #eff.target<"neon-i8mm", cpu = "generic", features = "+neon,+dotprod,+i8mm", vector 32 x 128,
                                            l1 65536, l2 1048576>} {
// CHECK-LABEL: func.func @mixed_bytes
// CHECK-NOT: arith.xori
// CHECK-COUNT-16: llvm.call_intrinsic "llvm.aarch64.neon.usdot.v4i32.v16i8"
// CHECK-NOT: llvm.call_intrinsic
func.func @mixed_bytes(%a: memref<?xi8>, %b: memref<?xi8>, %c: memref<?xi32>, %lo: index, %hi: index) {
  %c0 = arith.constant 0 : index
  %m = arith.constant 8 : index
  %n = arith.constant 8 : index
  %k = arith.constant 64 : index
  "effk.gemm"(%a, %c0, %m, %k, %k, %b, %c0, %c, %c0, %n, %n, %lo, %hi) <{
      maps = array<i64>, tile = array<i64: 2, 8>, rows_per_block = 8 : i64, interleave = 4 : i64,
      operandSegmentSizes = array<i32: 1, 1, 1, 1, 0, 0, 1, 0, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 0, 0, 0>}> ({
  ^bb0(%sum: i32, %row: index, %column: index):
    effk.yield %sum : i32
  }) : (memref<?xi8>, index, index, index, index, memref<?xi8>, index, memref<?xi32>, index, index, index, index, index) -> ()
  return
}
}
