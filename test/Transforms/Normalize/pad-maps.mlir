// RUN: effc-opt %s -eff-pad-maps -split-input-file | FileCheck %s

#amx = #eff.target<"amx", cpu = "x86-64-v4", features = "+avx512vnni,+avx512bf16,+amx-tile,+amx-int8,+amx-bf16", vector 32 x 512, l1 49152, l2 2097152>
module attributes {eff.target = #amx} {

// Rows beside the border of a small map would all be gathered.
// CHECK-LABEL: func.func @small
// CHECK: %[[P:.+]] = eff.pad constant %arg0 <0, 1, 1, 0> : (tensor<1x14x14x256xbf16>) -> tensor<1x16x16x256xbf16>
// CHECK: eff.conv %[[P]], %{{.+}} {channels_last = true, {{.*}}pads = array<i64: 0, 0, 0, 0>
func.func @small(%x: tensor<1x14x14x256xbf16>) -> tensor<1x14x14x256xf32> {
  %w = eff.constant dense<1.0> : tensor<256x256x3x3xbf16>
  %0 = eff.conv %x, %w {channels_last = true, strides = array<i64: 1, 1>, dilations = array<i64: 1, 1>, pads = array<i64: 1, 1, 1, 1>} : (tensor<1x14x14x256xbf16>, tensor<256x256x3x3xbf16>) -> tensor<1x14x14x256xf32>
  return %0 : tensor<1x14x14x256xf32>
}

// Of a wide one few are, and the copy costs more.
// CHECK-LABEL: func.func @wide
// CHECK-NOT: eff.pad
func.func @wide(%x: tensor<1x112x112x64xbf16>) -> tensor<1x112x112x32xf32> {
  %w = eff.constant dense<1.0> : tensor<32x64x3x3xbf16>
  %0 = eff.conv %x, %w {channels_last = true, strides = array<i64: 1, 1>, dilations = array<i64: 1, 1>, pads = array<i64: 1, 1, 1, 1>} : (tensor<1x112x112x64xbf16>, tensor<32x64x3x3xbf16>) -> tensor<1x112x112x32xf32>
  return %0 : tensor<1x112x112x32xf32>
}

// 7 taps of 3 channels are 10.5 pairs: the channels are filled up, and the map is padded on all sides.
// CHECK-LABEL: func.func @first
// CHECK: %[[P:.+]] = eff.pad constant %arg0 <0, 3, 3, 0> : (tensor<?x224x224x3xbf16, #eff.dims<s0, 224, 224, 3>>) -> tensor<?x230x230x4xbf16, #eff.dims<s0, 230, 230, 4>>
// CHECK: %[[W:.+]] = eff.pad constant %{{.+}} <0, 0, 0, 0> : (tensor<64x3x7x7xbf16>) -> tensor<64x4x7x7xbf16>
// CHECK: eff.conv %[[P]], %[[W]]
func.func @first(%x: tensor<?x224x224x3xbf16, #eff.dims<s0, 224, 224, 3>>) -> tensor<?x112x112x64xf32, #eff.dims<s0, 112, 112, 64>> attributes {eff.symbols = ["n"]} {
  %w = eff.constant dense<1.0> : tensor<64x3x7x7xbf16>
  %0 = eff.conv %x, %w {channels_last = true, strides = array<i64: 2, 2>, dilations = array<i64: 1, 1>, pads = array<i64: 3, 3, 3, 3>} : (tensor<?x224x224x3xbf16, #eff.dims<s0, 224, 224, 3>>, tensor<64x3x7x7xbf16>) -> tensor<?x112x112x64xf32, #eff.dims<s0, 112, 112, 64>>
  return %0 : tensor<?x112x112x64xf32, #eff.dims<s0, 112, 112, 64>>
}

// Whole steps without a border need no copy.
// CHECK-LABEL: func.func @patches
// CHECK-NOT: eff.pad
func.func @patches(%x: tensor<1x224x224x3xbf16>) -> tensor<1x14x14x384xf32> {
  %w = eff.constant dense<1.0> : tensor<384x3x16x16xbf16>
  %0 = eff.conv %x, %w {channels_last = true, strides = array<i64: 16, 16>, dilations = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>} : (tensor<1x224x224x3xbf16>, tensor<384x3x16x16xbf16>) -> tensor<1x14x14x384xf32>
  return %0 : tensor<1x14x14x384xf32>
}

// Bytes are padded with their zero point.
// CHECK-LABEL: func.func @bytes
// CHECK: %[[Z:.+]] = eff.constant dense<131> : tensor<ui8>
// CHECK: eff.pad constant %arg0 value %[[Z]] <0, 1, 1, 0> : (tensor<1x14x14x256xui8>, tensor<ui8>) -> tensor<1x16x16x256xui8>
// CHECK: eff.conv
// CHECK-NOT: pad_value
// CHECK-SAME: tensor<1x14x14x256xi32>
func.func @bytes(%x: tensor<1x14x14x256xui8>) -> tensor<1x14x14x256xi32> {
  %w = eff.constant dense<1> : tensor<256x256x3x3xi8>
  %0 = eff.conv %x, %w {channels_last = true, pad_value = 131 : i64, strides = array<i64: 1, 1>, dilations = array<i64: 1, 1>, pads = array<i64: 1, 1, 1, 1>} : (tensor<1x14x14x256xui8>, tensor<256x256x3x3xi8>) -> tensor<1x14x14x256xi32>
  return %0 : tensor<1x14x14x256xi32>
}

// CHECK-LABEL: func.func @f32
// CHECK-NOT: eff.pad
func.func @f32(%x: tensor<1x14x14x256xf32>) -> tensor<1x14x14x256xf32> {
  %w = eff.constant dense<1.0> : tensor<256x256x3x3xf32>
  %0 = eff.conv %x, %w {channels_last = true, strides = array<i64: 1, 1>, dilations = array<i64: 1, 1>, pads = array<i64: 1, 1, 1, 1>} : (tensor<1x14x14x256xf32>, tensor<256x256x3x3xf32>) -> tensor<1x14x14x256xf32>
  return %0 : tensor<1x14x14x256xf32>
}
}

// -----

// Vectors take each pixel from where it lies.
#vectors = #eff.target<"v4-bf16", cpu = "x86-64-v4", features = "+avx512vnni,+avx512bf16", vector 32 x 512, l1 32768, l2 1048576>
module attributes {eff.target = #vectors} {
// CHECK-LABEL: func.func @vectors
// CHECK-NOT: eff.pad
func.func @vectors(%x: tensor<1x14x14x256xbf16>) -> tensor<1x14x14x256xf32> {
  %w = eff.constant dense<1.0> : tensor<256x256x3x3xbf16>
  %0 = eff.conv %x, %w {channels_last = true, strides = array<i64: 1, 1>, dilations = array<i64: 1, 1>, pads = array<i64: 1, 1, 1, 1>} : (tensor<1x14x14x256xbf16>, tensor<256x256x3x3xbf16>) -> tensor<1x14x14x256xf32>
  return %0 : tensor<1x14x14x256xf32>
}
}
