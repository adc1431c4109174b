// RUN: effc-opt %s -eff-quantize-bf16="skip=left*" -eff-report-layers | FileCheck %s
// RUN: effc-opt %s -eff-quantize-bf16="skip=left*" -eff-report-layers 2>&1 >/dev/null | FileCheck %s --check-prefix=REMARK

module attributes {eff.target = #eff.target<"v4-bf16", cpu = "x86-64-v4", features = "+avx512vnni,+avx512bf16", vector 32 x 512, l1 32768, l2 1048576>} {

// The activation is converted where it is made, before the reshape; sums and bias stay f32.
// CHECK-LABEL: func.func @linear
// CHECK-SAME: eff.quantized = [{layer = "fc1", node = "fc1", precision = "bf16", reason = "", taken = true}, {layer = "fc2", node = "fc2", precision = "bf16", reason = "", taken = true}]
// CHECK: %[[X:.+]] = eff.convert %arg0 : (tensor<128x384xf32>) -> tensor<128x384xbf16>
// CHECK: %[[W:.+]] = eff.convert %{{.+}} : (tensor<384x1536xf32>) -> tensor<384x1536xbf16>
// CHECK: %[[Y:.+]] = eff.linear %[[X]], %[[W]] bias %arg1 : (tensor<128x384xbf16>, tensor<384x1536xbf16>, tensor<1536xf32>) -> tensor<128x1536xf32>
// CHECK: %[[G:.+]] = eff.unary gelu %[[Y]]
// CHECK: %[[H:.+]] = eff.convert %[[G]] : (tensor<128x1536xf32>) -> tensor<128x1536xbf16>
// CHECK: %[[R:.+]] = eff.reshape %[[H]] : (tensor<128x1536xbf16>) -> tensor<2x64x1536xbf16>
// CHECK: %[[Z:.+]] = eff.linear %[[R]], %{{.+}} : (tensor<2x64x1536xbf16>, tensor<1536x384xbf16>) -> tensor<2x64x384xf32>
// CHECK: return %[[Z]]
func.func @linear(%x: tensor<128x384xf32>, %b: tensor<1536xf32>) -> tensor<2x64x384xf32> {
  %w = eff.constant dense<1.0> : tensor<384x1536xf32>
  %v = eff.constant dense<1.0> : tensor<1536x384xf32>
  %0 = eff.linear %x, %w bias %b : (tensor<128x384xf32>, tensor<384x1536xf32>, tensor<1536xf32>) -> tensor<128x1536xf32> loc("fc1")
  %1 = eff.unary gelu %0 : (tensor<128x1536xf32>) -> tensor<128x1536xf32>
  %2 = eff.reshape %1 : (tensor<128x1536xf32>) -> tensor<2x64x1536xf32>
  %3 = eff.linear %2, %v : (tensor<2x64x1536xf32>, tensor<1536x384xf32>) -> tensor<2x64x384xf32> loc("fc2")
  return %3 : tensor<2x64x384xf32>
}

// REMARK: computed in bf16
// REMARK: computed in bf16

// What others read in f32 is converted beside it; what two layers read is converted once.
// CHECK-LABEL: func.func @shared
// CHECK: %[[A:.+]] = eff.unary relu %arg0
// CHECK: %[[H:.+]] = eff.convert %[[A]]
// CHECK-NOT: eff.convert %[[A]]
// CHECK: %[[P:.+]] = eff.linear %[[H]]
// CHECK: %[[Q:.+]] = eff.linear %[[H]]
// CHECK: eff.binary add %[[A]], %[[P]]
// REMARK: computed in bf16
// REMARK: computed in bf16
func.func @shared(%x: tensor<128x384xf32>) -> (tensor<128x384xf32>, tensor<128x384xf32>) {
  %w = eff.constant dense<1.0> : tensor<384x384xf32>
  %0 = eff.unary relu %x : (tensor<128x384xf32>) -> tensor<128x384xf32>
  %1 = eff.linear %0, %w : (tensor<128x384xf32>, tensor<384x384xf32>) -> tensor<128x384xf32>
  %2 = eff.linear %0, %w {transpose_weight = true} : (tensor<128x384xf32>, tensor<384x384xf32>) -> tensor<128x384xf32>
  %3 = eff.binary add %0, %1 : (tensor<128x384xf32>, tensor<128x384xf32>) -> tensor<128x384xf32>
  return %3, %2 : tensor<128x384xf32>, tensor<128x384xf32>
}

// CHECK-LABEL: func.func @conv
// CHECK: eff.conv {{.*}} : (tensor<1x28x28x64xbf16>, tensor<64x64x1x1xbf16>) -> tensor<1x28x28x64xf32>
// CHECK: eff.conv {{.*}} : (tensor<1x28x28x64xbf16>, tensor<64x1x3x3xbf16>) -> tensor<1x28x28x64xf32>
// CHECK: eff.conv {{.*}} : (tensor<1x28x28x64xf32>, tensor<64x4x3x3xf32>) -> tensor<1x28x28x64xf32>
// CHECK: eff.conv {{.*}} : (tensor<1x28x28x64xf32>, tensor<64x1x3x3xf32>) -> tensor<1x28x28x64xf32>
// REMARK: computed in bf16
// REMARK: computed in bf16
// REMARK: computed in f32: its groups have few channels
// REMARK: computed in f32: memory bounds it, and its input is stored in f32
func.func @conv(%x: tensor<1x28x28x64xf32>) -> tensor<1x28x28x64xf32> {
  %w = eff.constant dense<1.0> : tensor<64x64x1x1xf32>
  %v = eff.constant dense<1.0> : tensor<64x1x3x3xf32>
  %0 = eff.conv %x, %w {channels_last = true, strides = array<i64: 1, 1>, dilations = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>} : (tensor<1x28x28x64xf32>, tensor<64x64x1x1xf32>) -> tensor<1x28x28x64xf32>
  %1 = eff.conv %0, %v {channels_last = true, strides = array<i64: 1, 1>, dilations = array<i64: 1, 1>, pads = array<i64: 1, 1, 1, 1>, groups = 64 : i64} : (tensor<1x28x28x64xf32>, tensor<64x1x3x3xf32>) -> tensor<1x28x28x64xf32>
  %u = eff.constant dense<1.0> : tensor<64x4x3x3xf32>
  %2 = eff.conv %1, %u {channels_last = true, strides = array<i64: 1, 1>, dilations = array<i64: 1, 1>, pads = array<i64: 1, 1, 1, 1>, groups = 16 : i64} : (tensor<1x28x28x64xf32>, tensor<64x4x3x3xf32>) -> tensor<1x28x28x64xf32>
  %3 = eff.conv %2, %v {channels_last = true, strides = array<i64: 1, 1>, dilations = array<i64: 1, 1>, pads = array<i64: 1, 1, 1, 1>, groups = 64 : i64} : (tensor<1x28x28x64xf32>, tensor<64x1x3x3xf32>) -> tensor<1x28x28x64xf32>
  %4 = eff.binary add %2, %3 : (tensor<1x28x28x64xf32>, tensor<1x28x28x64xf32>) -> tensor<1x28x28x64xf32>
  return %4 : tensor<1x28x28x64xf32>
}

// Few rows gain by fewer bytes of weights, but only where these are many.
// CHECK-LABEL: func.func @few_rows
// CHECK: eff.linear {{.*}} : (tensor<1x2048xbf16>, tensor<2048x256xbf16>) -> tensor<1x256xf32>
// CHECK: eff.linear {{.*}} : (tensor<1x256xf32>, tensor<256x10xf32>) -> tensor<1x10xf32>
// REMARK: computed in bf16
// REMARK: computed in f32: it multiplies too little to gain
func.func @few_rows(%x: tensor<1x2048xf32>) -> tensor<1x10xf32> {
  %w = eff.constant dense<1.0> : tensor<2048x256xf32>
  %v = eff.constant dense<1.0> : tensor<256x10xf32>
  %0 = eff.linear %x, %w : (tensor<1x2048xf32>, tensor<2048x256xf32>) -> tensor<1x256xf32>
  %1 = eff.linear %0, %v : (tensor<1x256xf32>, tensor<256x10xf32>) -> tensor<1x10xf32>
  return %1 : tensor<1x10xf32>
}

// Attention makes narrow values itself where that is what is read; keys that come from elsewhere would be converted in each run.
// CHECK-LABEL: func.func @attention
// CHECK: %[[Q:.+]] = eff.convert %{{.+}} -> tensor<1x128x12x32xbf16>
// CHECK: %[[A:.+]] = eff.attention %[[Q]], %{{.+}} -> tensor<1x128x12x32xbf16>
// CHECK: %[[R:.+]] = eff.reshape %[[A]]
// CHECK: eff.linear %[[R]], %{{.+}} : (tensor<1x128x384xbf16>, tensor<384x384xbf16>) -> tensor<1x128x384xf32>
// CHECK: eff.attention {{.*}} : (tensor<1x128x12x32xf32>, tensor<1x256x12x32xf32>, tensor<1x256x12x32xf32>) -> tensor<1x128x12x32xf32>
// REMARK: computed in bf16
// REMARK: computed in bf16
// REMARK: computed in f32: it has other keys than its own, which would be converted again in each run
func.func @attention(%x: tensor<1x128x12x32xf32>, %p: tensor<1x256x12x32xf32>) -> (tensor<1x128x384xf32>, tensor<1x128x12x32xf32>) {
  %w = eff.constant dense<1.0> : tensor<384x384xf32>
  %q = eff.unary relu %x : (tensor<1x128x12x32xf32>) -> tensor<1x128x12x32xf32>
  %0 = eff.attention %q, %q, %q scale 1.0 {heads_last = true} : (tensor<1x128x12x32xf32>, tensor<1x128x12x32xf32>, tensor<1x128x12x32xf32>) -> tensor<1x128x12x32xf32>
  %1 = eff.reshape %0 : (tensor<1x128x12x32xf32>) -> tensor<1x128x384xf32>
  %2 = eff.linear %1, %w : (tensor<1x128x384xf32>, tensor<384x384xf32>) -> tensor<1x128x384xf32>
  %3 = eff.attention %x, %p, %p scale 1.0 {heads_last = true} : (tensor<1x128x12x32xf32>, tensor<1x256x12x32xf32>, tensor<1x256x12x32xf32>) -> tensor<1x128x12x32xf32>
  return %2, %3 : tensor<1x128x384xf32>, tensor<1x128x12x32xf32>
}

// What is not f32 is none of this pass, and nodes may be left out.
// CHECK-LABEL: func.func @others
// CHECK: eff.matmul {{.*}} -> tensor<128x128xi32>
// CHECK: eff.linear {{.*}} : (tensor<128x384xf32>, tensor<384x384xf32>) -> tensor<128x384xf32>
// REMARK: computed in f32: left out by request
// REMARK-NOT: computed in
func.func @others(%x: tensor<128x128xi32>, %y: tensor<128x384xf32>) -> (tensor<128x128xi32>, tensor<128x384xf32>) {
  %w = eff.constant dense<1.0> : tensor<384x384xf32>
  %0 = eff.matmul %x, %x : (tensor<128x128xi32>, tensor<128x128xi32>) -> tensor<128x128xi32>
  %1 = eff.linear %y, %w : (tensor<128x384xf32>, tensor<384x384xf32>) -> tensor<128x384xf32> loc("left out")
  return %0, %1 : tensor<128x128xi32>, tensor<128x384xf32>
}
}
