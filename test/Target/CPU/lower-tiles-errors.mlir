// RUN: effc-opt %s -effk-lower-tiles -split-input-file -verify-diagnostics

module attributes {eff.target = #eff.target<"v3", cpu = "x86-64-v3", features = "", vector 16 x 256, l1 32768, l2 262144>} {
func.func @tile_not_in_table(%a: memref<?xf32>, %b: memref<?xf32>, %c: memref<?xf32>, %s: f32, %i: index) {
  // expected-error @below {{has no microkernel of 9x24, 'f32' x 'f32' to 'f32' by 1, on v3}}
  "effk.gemm"(%a, %i, %i, %i, %i, %b, %i, %c, %i, %i, %i, %i, %i) <{
      maps = array<i64>, tile = array<i64: 9, 24>, rows_per_block = 12 : i64,
      operandSegmentSizes = array<i32: 1, 1, 1, 1, 0, 0, 1, 0, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 0, 0, 0>}> ({
  ^bb0(%sum: f32, %row: index, %column: index):
    effk.yield %sum : f32
  }) : (memref<?xf32>, index, index, index, index, memref<?xf32>, index, memref<?xf32>, index, index, index, index,
        index) -> ()
  return
}
}

// -----

module attributes {eff.target = #eff.target<"v3", cpu = "x86-64-v3", features = "", vector 16 x 256, l1 32768, l2 262144>} {
func.func @integers(%a: memref<?xi8>, %b: memref<?xf32>, %c: memref<?xi32>, %s: f32, %i: index) {
  // expected-error @below {{has no microkernel of 4x24, 'i8' x 'f32' to 'i32' by 1, on v3}}
  "effk.gemm"(%a, %i, %i, %i, %i, %b, %i, %c, %i, %i, %i, %i, %i) <{
      maps = array<i64>, tile = array<i64: 4, 24>, rows_per_block = 12 : i64,
      operandSegmentSizes = array<i32: 1, 1, 1, 1, 0, 0, 1, 0, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 0, 0, 0>}> ({
  ^bb0(%sum: i32, %row: index, %column: index):
    effk.yield %sum : i32
  }) : (memref<?xi8>, index, index, index, index, memref<?xf32>, index, memref<?xi32>, index, index, index, index,
        index) -> ()
  return
}
}

// -----

// Four at a time need VNNI.
module attributes {eff.target = #eff.target<"v3", cpu = "x86-64-v3", features = "", vector 16 x 256, l1 32768, l2 262144>} {
func.func @saturating_pairs(%a: memref<?xi8>, %b: memref<?xi8>, %c: memref<?xi32>, %s: f32, %i: index) {
  // expected-error @below {{has no microkernel of 4x24, 'i8' x 'i8' to 'i32' by 4, on v3}}
  "effk.gemm"(%a, %i, %i, %i, %i, %b, %i, %c, %i, %i, %i, %i, %i) <{
      maps = array<i64>, tile = array<i64: 4, 24>, rows_per_block = 12 : i64, interleave = 4 : i64,
      operandSegmentSizes = array<i32: 1, 1, 1, 1, 0, 0, 1, 0, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 0, 0, 0>}> ({
  ^bb0(%sum: i32, %row: index, %column: index):
    effk.yield %sum : i32
  }) : (memref<?xi8>, index, index, index, index, memref<?xi8>, index, memref<?xi32>, index, index, index, index,
        index) -> ()
  return
}
}

// -----

module attributes {eff.target = #eff.target<"v3", cpu = "x86-64-v3", features = "", vector 16 x 256, l1 32768, l2 262144>} {
func.func @dynamic_run(%a: memref<?xf32>, %b: memref<?xf32>, %c: memref<?xf32>, %s: f32, %i: index) {
  // expected-error @below {{with a window needs a constant run}}
  "effk.gemm"(%a, %i, %i, %i, %i, %i, %i, %i, %i, %i, %i, %b, %i, %c, %i, %i, %i, %i, %i) <{
      maps = array<i64>, tile = array<i64: 4, 24>, rows_per_block = 12 : i64,
      operandSegmentSizes = array<i32: 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 0, 0, 0>}> ({
  ^bb0(%sum: f32, %row: index, %column: index):
    effk.yield %sum : f32
  }) : (memref<?xf32>, index, index, index, index, index, index, index, index, index, index, memref<?xf32>, index, memref<?xf32>, index, index, index, index,
        index) -> ()
  return
}
}

// -----

module attributes {eff.target = #eff.target<"v3", cpu = "x86-64-v3", features = "", vector 16 x 256, l1 32768, l2 262144>} {
func.func @no_vector_form(%a: memref<?xf32>, %b: memref<?xf32>, %c: memref<?xf32>, %s: f32, %i: index) {
  // expected-error @below {{cannot vectorise 'memref.store' of the epilogue, expected elementwise ops}}
  "effk.gemm"(%a, %i, %i, %i, %i, %b, %i, %c, %i, %i, %i, %i, %i) <{
      maps = array<i64>, tile = array<i64: 4, 24>, rows_per_block = 12 : i64,
      operandSegmentSizes = array<i32: 1, 1, 1, 1, 0, 0, 1, 0, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 0, 0, 0>}> ({
  ^bb0(%sum: f32, %row: index, %column: index):
    memref.store %sum, %c[%row] : memref<?xf32>
    effk.yield %sum : f32
  }) : (memref<?xf32>, index, index, index, index, memref<?xf32>, index, memref<?xf32>, index, index, index, index,
        index) -> ()
  return
}
}

// -----

module attributes {eff.target = #eff.target<"v3", cpu = "x86-64-v3", features = "", vector 16 x 256, l1 32768, l2 262144>} {
func.func @pad_value_of_floats(%a: memref<?xf32>, %b: memref<?xf32>, %c: memref<?xf32>, %s: f32, %i: index) {
  // expected-error @below {{pad_value needs bytes}}
  "effk.gemm"(%a, %i, %i, %i, %i, %b, %i, %c, %i, %i, %i, %i, %i) <{
      maps = array<i64>, tile = array<i64: 4, 24>, rows_per_block = 12 : i64, pad_value = 3 : i64,
      operandSegmentSizes = array<i32: 1, 1, 1, 1, 0, 0, 1, 0, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 0, 0, 0>}> ({
  ^bb0(%sum: f32, %row: index, %column: index):
    effk.yield %sum : f32
  }) : (memref<?xf32>, index, index, index, index, memref<?xf32>, index, memref<?xf32>, index, index, index, index,
        index) -> ()
  return
}
}

// -----

module attributes {eff.target = #eff.target<"v3", cpu = "x86-64-v3", features = "", vector 16 x 256, l1 32768, l2 262144>} {
func.func @interleave_of_rows(%a: memref<?xf32>, %b: memref<?xf32>, %c: memref<?xf32>, %s: f32, %i: index) {
  // expected-error @below {{interleave must be positive, and 1 with b_stride}}
  "effk.gemm"(%a, %i, %i, %i, %i, %b, %i, %i, %c, %i, %i, %i, %i, %i) <{
      maps = array<i64>, tile = array<i64: 4, 24>, rows_per_block = 12 : i64, interleave = 2 : i64,
      operandSegmentSizes = array<i32: 1, 1, 1, 1, 0, 0, 1, 0, 0, 0, 0, 1, 1, 1, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 0, 0, 0>}> ({
  ^bb0(%sum: f32, %row: index, %column: index):
    effk.yield %sum : f32
  }) : (memref<?xf32>, index, index, index, index, memref<?xf32>, index, index, memref<?xf32>, index, index, index, index,
        index) -> ()
  return
}
}

// -----

// expected-error @below {{has tile ops and must have `eff.target`}}
module {
func.func @no_target(%a: memref<?xf32>, %b: memref<?xf32>, %c: memref<?xf32>, %s: f32, %i: index) {
  "effk.gemm"(%a, %i, %i, %i, %i, %b, %i, %c, %i, %i, %i, %i, %i) <{
      maps = array<i64>, tile = array<i64: 4, 24>, rows_per_block = 12 : i64,
      operandSegmentSizes = array<i32: 1, 1, 1, 1, 0, 0, 1, 0, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 0, 0, 0>}> ({
  ^bb0(%sum: f32, %row: index, %column: index):
    effk.yield %sum : f32
  }) : (memref<?xf32>, index, index, index, index, memref<?xf32>, index, memref<?xf32>, index, index, index, index,
        index) -> ()
  return
}
}

// -----

module attributes {eff.target = #eff.target<"v3", cpu = "x86-64-v3", features = "", vector 16 x 256, l1 32768, l2 262144>} {
func.func @panel_of_parts(%a: memref<?xf32>, %b: memref<?xf32>, %c: memref<?xf32>, %s: f32, %i: index) {
  // expected-error @below {{panel_width must be a multiple of the tile's, and 0 with b_stride}}
  "effk.gemm"(%a, %i, %i, %i, %i, %b, %i, %i, %c, %i, %i, %i, %i, %i) <{
      maps = array<i64>, tile = array<i64: 4, 24>, rows_per_block = 12 : i64, panel_width = 40 : i64,
      operandSegmentSizes = array<i32: 1, 1, 1, 1, 0, 0, 1, 0, 0, 0, 0, 1, 1, 1, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 0, 0, 0>}> ({
  ^bb0(%sum: f32, %row: index, %column: index):
    effk.yield %sum : f32
  }) : (memref<?xf32>, index, index, index, index, memref<?xf32>, index, index, memref<?xf32>, index, index, index, index,
        index) -> ()
  return
}
}

// -----

// A tile has one register of rows or two.
module attributes {eff.target = #eff.target<"amx", cpu = "x86-64-v4",
    features = "+avx512vnni,+avx512bf16,+amx-tile,+amx-int8,+amx-bf16", vector 32 x 512, l1 49152, l2 2097152>} {
func.func @three_registers(%a: memref<?xi8>, %b: memref<?xi8>, %c: memref<?xi32>, %i: index) {
  // expected-error @below {{register_rows must be 1 to 16, and those or half of those of the tile}}
  "effk.gemm"(%a, %i, %i, %i, %i, %b, %i, %c, %i, %i, %i, %i, %i) <{
      maps = array<i64>, tile = array<i64: 21, 32>, rows_per_block = 42 : i64, interleave = 4 : i64, register_rows = 7 : i64,
      operandSegmentSizes = array<i32: 1, 1, 1, 1, 0, 0, 1, 0, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 0, 0, 0>}> ({
  ^bb0(%sum: i32, %row: index, %column: index):
    effk.yield %sum : i32
  }) : (memref<?xi8>, index, index, index, index, memref<?xi8>, index, memref<?xi32>, index, index, index, index,
        index) -> ()
  return
}
}

// -----

// Tiles of AMX have all their rows.
module attributes {eff.target = #eff.target<"amx", cpu = "x86-64-v4",
    features = "+avx512vnni,+avx512bf16,+amx-tile,+amx-int8,+amx-bf16", vector 32 x 512, l1 49152, l2 2097152>} {
func.func @rows_of_amx(%a: memref<?xi8>, %b: memref<?xi8>, %c: memref<?xi32>, %i: index) {
  // expected-error @below {{has no microkernel of 20x32, 'i8' x 'i8' to 'i32' by 4, on amx}}
  "effk.gemm"(%a, %i, %i, %i, %i, %b, %i, %c, %i, %i, %i, %i, %i) <{
      maps = array<i64>, tile = array<i64: 20, 32>, rows_per_block = 32 : i64, interleave = 4 : i64,
      operandSegmentSizes = array<i32: 1, 1, 1, 1, 0, 0, 1, 0, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 0, 0, 0>}> ({
  ^bb0(%sum: i32, %row: index, %column: index):
    effk.yield %sum : i32
  }) : (memref<?xi8>, index, index, index, index, memref<?xi8>, index, memref<?xi32>, index, index, index, index,
        index) -> ()
  return
}
}
