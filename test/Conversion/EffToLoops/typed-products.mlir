// RUN: effc-opt %s -convert-kernels-to-loops -canonicalize -cse -split-input-file | FileCheck %s

// Four bytes at a time, two of bf16; the panels of a convolution have a run for each tap.
module attributes {eff.target = #eff.target<"v4-bf16", cpu = "x86-64-v4", features = "+avx512vnni,+avx512bf16", vector 32 x 512,
                                            l1 32768, l2 1048576>} {

// CHECK-LABEL: func.func @requantise
// CHECK: effk.packed <"kn", 1 x 30 x 64 by 64 interleave 4>
func.func @requantise(%x: tensor<8x30xui8>) -> tensor<8x64xui8> {
  %w = eff.constant dense_resource<w> : tensor<30x64xi8>
  %0 = effk.kernel "linear"(%x, %w) : (tensor<8x30xui8>, tensor<30x64xi8>) -> tensor<8x64xui8> {
  ^bb0(%a: tensor<8x30xui8>, %b: tensor<30x64xi8>):
    %1 = eff.linear %a, %b : (tensor<8x30xui8>, tensor<30x64xi8>) -> tensor<8x64xi32>
    %2 = eff.convert %1 : (tensor<8x64xi32>) -> tensor<8x64xf32>
    %3 = eff.convert %2 : (tensor<8x64xf32>) -> tensor<8x64xui8>
    effk.yield %3 : tensor<8x64xui8>
  }
  return %0 : tensor<8x64xui8>
}

// CHECK-LABEL: func.func @taps
// CHECK: effk.packed <"oihw", 1 x 54 x 16 by 16 interleave 4 runs 9>
func.func @taps(%x: tensor<1x8x8x6xui8>) -> tensor<1x8x8x16xi32> {
  %w = eff.constant dense_resource<v> : tensor<16x6x3x3xi8>
  %0 = effk.kernel "conv"(%x, %w) : (tensor<1x8x8x6xui8>, tensor<16x6x3x3xi8>) -> tensor<1x8x8x16xi32> {
  ^bb0(%a: tensor<1x8x8x6xui8>, %b: tensor<16x6x3x3xi8>):
    %1 = eff.conv %a, %b {strides = array<i64: 1, 1>, dilations = array<i64: 1, 1>, pads = array<i64: 1, 1, 1, 1>,
                          channels_last = true, pad_value = 128 : i64}
        : (tensor<1x8x8x6xui8>, tensor<16x6x3x3xi8>) -> tensor<1x8x8x16xi32>
    effk.yield %1 : tensor<1x8x8x16xi32>
  }
  return %0 : tensor<1x8x8x16xi32>
}

// CHECK-LABEL: func.func @computed
func.func @computed(%x: tensor<3x8x30xbf16>, %y: tensor<3x30x64xbf16>) -> tensor<3x8x64xf32> {
  %0 = effk.kernel "matmul"(%x, %y) : (tensor<3x8x30xbf16>, tensor<3x30x64xbf16>) -> tensor<3x8x64xf32> {
  ^bb0(%a: tensor<3x8x30xbf16>, %b: tensor<3x30x64xbf16>):
    %1 = eff.matmul %a, %b : (tensor<3x8x30xbf16>, tensor<3x30x64xbf16>) -> tensor<3x8x64xf32>
    effk.yield %1 : tensor<3x8x64xf32>
  }
  return %0 : tensor<3x8x64xf32>
}

// CHECK-LABEL: func.func @blocks
// CHECK: effk.packed <"bits4", 1 x 32 x 40 by 32 interleave 4> {{.*}} : tensor<2048xui4>
// CHECK: effk.packed <"nk", 1 x 2 x 40 by 32>
func.func @blocks(%x: tensor<8x64xf32>) -> tensor<8x40xf32> {
  %w = eff.constant dense_resource<n> : tensor<40x64xui4>
  %s = eff.constant dense_resource<s> : tensor<40x2xf32>
  %0 = effk.kernel "block_linear"(%x, %w, %s) : (tensor<8x64xf32>, tensor<40x64xui4>, tensor<40x2xf32>) -> tensor<8x40xf32> {
  ^bb0(%a: tensor<8x64xf32>, %b: tensor<40x64xui4>, %c: tensor<40x2xf32>):
    %1 = eff.block_linear %a, %b scales %c block 32 {bytes}
        : (tensor<8x64xf32>, tensor<40x64xui4>, tensor<40x2xf32>) -> tensor<8x40xf32>
    %2 = eff.unary relu %1 : (tensor<8x40xf32>) -> tensor<8x40xf32>
    effk.yield %2 : tensor<8x40xf32>
  }
  return %0 : tensor<8x40xf32>
}

// CHECK: func.func @k{{[0-9]+}}_linear
// CHECK: effk.gemm
// CHECK-SAME: interleave = 4
// CHECK: ^bb0(%{{.+}}: i32, %{{.+}}: index, %{{.+}}: index):
// CHECK: effk.yield %{{.+}} : i8
// CHECK: func.func @k{{[0-9]+}}_conv
// CHECK: effk.gemm
// CHECK-SAME: interleave = 4
// CHECK-SAME: pad_value = 128
// Two rows of the right side side by side in scratch.
// CHECK: func.func @k{{[0-9]+}}_matmul
// CHECK: memref.view {{.*}}xbf16>
// CHECK: effk.gemm
// CHECK-SAME: interleave = 2
// Rows become bytes in scratch.
// CHECK: func.func @k{{[0-9]+}}_block_linear
// CHECK: math.roundeven
// CHECK: memref.store {{.*}} : memref<512xi8>
// CHECK: effk.gemm
// CHECK-SAME: bits = 4
// CHECK-SAME: block = 32
}

// -----

// Without dot products bytes are multiplied as words, bf16 as f32.
module attributes {eff.target = #eff.target<"v3", cpu = "x86-64-v3", features = "", vector 16 x 256, l1 32768, l2 262144>} {

// CHECK-LABEL: func.func @bytes
// CHECK: effk.packed <"nk", 1 x 31 x 64 by {{[0-9]+}} interleave 2>
func.func @bytes(%x: tensor<8x31xui8>) -> tensor<8x64xi32> {
  %w = eff.constant dense_resource<w> : tensor<64x31xi8>
  %0 = effk.kernel "linear"(%x, %w) : (tensor<8x31xui8>, tensor<64x31xi8>) -> tensor<8x64xi32> {
  ^bb0(%a: tensor<8x31xui8>, %b: tensor<64x31xi8>):
    %1 = eff.linear %a, %b {transpose_weight = true} : (tensor<8x31xui8>, tensor<64x31xi8>) -> tensor<8x64xi32>
    effk.yield %1 : tensor<8x64xi32>
  }
  return %0 : tensor<8x64xi32>
}

// CHECK-LABEL: func.func @bf16
// CHECK: effk.packed <"kn", 1 x 31 x 64 by {{[0-9]+}}>
func.func @bf16(%x: tensor<8x31xbf16>) -> tensor<8x64xf32> {
  %w = eff.constant dense_resource<v> : tensor<31x64xbf16>
  %0 = effk.kernel "linear"(%x, %w) : (tensor<8x31xbf16>, tensor<31x64xbf16>) -> tensor<8x64xf32> {
  ^bb0(%a: tensor<8x31xbf16>, %b: tensor<31x64xbf16>):
    %1 = eff.linear %a, %b : (tensor<8x31xbf16>, tensor<31x64xbf16>) -> tensor<8x64xf32>
    effk.yield %1 : tensor<8x64xf32>
  }
  return %0 : tensor<8x64xf32>
}
}

// -----

// Tiles of AMX for many rows, also for a number that only a run knows; of vectors for one row.
module attributes {eff.target = #eff.target<"amx", cpu = "x86-64-v4",
    features = "+avx512vnni,+avx512bf16,+amx-tile,+amx-int8,+amx-bf16", vector 32 x 512, l1 49152, l2 2097152>} {

// CHECK-LABEL: func.func @many_rows
// CHECK: effk.packed <"kn", 1 x 256 x 96 by 32 interleave 4>
func.func @many_rows(%x: tensor<?x256xui8, #eff.dims<s0, 256>>) -> tensor<?x96xi32, #eff.dims<s0, 96>> attributes {eff.symbols = ["n"]} {
  %w = eff.constant dense_resource<w> : tensor<256x96xi8>
  %0 = effk.kernel "linear"(%x, %w) : (tensor<?x256xui8, #eff.dims<s0, 256>>, tensor<256x96xi8>) -> tensor<?x96xi32, #eff.dims<s0, 96>> {
  ^bb0(%a: tensor<?x256xui8, #eff.dims<s0, 256>>, %b: tensor<256x96xi8>):
    %1 = eff.linear %a, %b : (tensor<?x256xui8, #eff.dims<s0, 256>>, tensor<256x96xi8>) -> tensor<?x96xi32, #eff.dims<s0, 96>>
    effk.yield %1 : tensor<?x96xi32, #eff.dims<s0, 96>>
  }
  return %0 : tensor<?x96xi32, #eff.dims<s0, 96>>
}

// CHECK-LABEL: func.func @one_row
// CHECK: effk.packed <"kn", 1 x 256 x 96 by 48 interleave 2>
func.func @one_row(%x: tensor<1x256xbf16>) -> tensor<1x96xf32> {
  %w = eff.constant dense_resource<v> : tensor<256x96xbf16>
  %0 = effk.kernel "linear"(%x, %w) : (tensor<1x256xbf16>, tensor<256x96xbf16>) -> tensor<1x96xf32> {
  ^bb0(%a: tensor<1x256xbf16>, %b: tensor<256x96xbf16>):
    %1 = eff.linear %a, %b : (tensor<1x256xbf16>, tensor<256x96xbf16>) -> tensor<1x96xf32>
    effk.yield %1 : tensor<1x96xf32>
  }
  return %0 : tensor<1x96xf32>
}

// CHECK: func.func @k{{[0-9]+}}_linear
// CHECK: effk.gemm
// CHECK-SAME: tile = array<i64: 32, 32>
// CHECK: func.func @k{{[0-9]+}}_linear
// CHECK: effk.gemm
// CHECK-SAME: tile = array<i64: 1, 48>
}

// -----

// Registers of AMX end with the lines of a map.
module attributes {eff.target = #eff.target<"amx", cpu = "x86-64-v4",
    features = "+avx512vnni,+avx512bf16,+amx-tile,+amx-int8,+amx-bf16", vector 32 x 512, l1 49152, l2 2097152>} {
func.func @lines(%x: tensor<1x16x16x64xbf16>) -> tensor<1x14x14x64xf32> {
  %w = eff.constant dense_resource<v> : tensor<64x64x3x3xbf16>
  %0 = effk.kernel "conv"(%x, %w) : (tensor<1x16x16x64xbf16>, tensor<64x64x3x3xbf16>) -> tensor<1x14x14x64xf32> {
  ^bb0(%a: tensor<1x16x16x64xbf16>, %b: tensor<64x64x3x3xbf16>):
    %1 = eff.conv %a, %b {channels_last = true, strides = array<i64: 1, 1>, dilations = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>} : (tensor<1x16x16x64xbf16>, tensor<64x64x3x3xbf16>) -> tensor<1x14x14x64xf32>
    effk.yield %1 : tensor<1x14x14x64xf32>
  }
  return %0 : tensor<1x14x14x64xf32>
}
// CHECK: func.func @k{{[0-9]+}}_conv
// CHECK: effk.gemm
// CHECK-SAME: register_rows = 14
// CHECK-SAME: tile = array<i64: 28, 32>
}
