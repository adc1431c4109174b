// 3x3 convolutions of stride 1 use Winograd's algorithm where the cost model says so; the remark says why, or why not.
// RUN: effc-opt %s -convert-kernels-to-loops -canonicalize -cse 2>%t.log | FileCheck %s
// RUN: FileCheck %s --check-prefix=REMARK --input-file %t.log
// RUN: effc-opt %s -convert-kernels-to-loops="winograd=never" 2>&1 >/dev/null | FileCheck %s --check-prefix=NEVER
// RUN: effc-opt %s -convert-kernels-to-loops="exact" 2>&1 >/dev/null | FileCheck %s --check-prefix=EXACT
// RUN: effc-opt %s -convert-kernels-to-loops="winograd=always" 2>&1 >/dev/null | FileCheck %s --check-prefix=ALWAYS
// RUN: effc-opt %s -convert-kernels-to-loops="plain=true" 2>&1 | FileCheck %s --check-prefix=PLAIN
// NEVER-COUNT-2: does not use Winograd: asked for
// EXACT-COUNT-2: does not use Winograd: --exact
// ALWAYS-COUNT-2: uses Winograd F(4x4, 3x3): asked for
// PLAIN-NOT: inograd

module attributes {eff.target = #eff.target<"v4", cpu = "x86-64-v4", features = "", vector 32 x 512, l1 32768, l2 1048576>} {

// Two blocks of 64 outputs with 36 points each; 49 tiles are one strip.
// REMARK: convolution uses Winograd F(4x4, 3x3): 128 channels, 128 output channels, 49 tiles: estimated
// CHECK-LABEL: func.func @large
// CHECK: effk.packed <"winograd", 72 x 128 x 64 by
// CHECK: effk.launch @[[$K:k[0-9]+_conv]](%arg0, %{{[0-9]+}}) dims <> sizes <2,
func.func @large(%x: tensor<1x28x28x128xf32>) -> tensor<1x28x28x128xf32> {
  %w = eff.constant dense_resource<w> : tensor<128x128x3x3xf32>
  %0 = effk.kernel "conv"(%x, %w) : (tensor<1x28x28x128xf32>, tensor<128x128x3x3xf32>) -> tensor<1x28x28x128xf32> {
  ^bb0(%a: tensor<1x28x28x128xf32>, %b: tensor<128x128x3x3xf32>):
    %1 = eff.conv %a, %b {strides = array<i64: 1, 1>, dilations = array<i64: 1, 1>, pads = array<i64: 1, 1, 1, 1>, groups = 1 : i64, channels_last = true} : (tensor<1x28x28x128xf32>, tensor<128x128x3x3xf32>) -> tensor<1x28x28x128xf32>
    effk.yield %1 : tensor<1x28x28x128xf32>
  }
  return %0 : tensor<1x28x28x128xf32>
}

// Few channels: transforms cost more than they save. Two pixels of 8 outputs fill a vector, which is not done where Winograd is not.
// REMARK: convolution does not use Winograd: 8 channels, 8 output channels, 49 tiles: estimated
// CHECK-LABEL: func.func @few_channels
// CHECK: effk.packed <"pixels", 1 x 96 x 16 by
func.func @few_channels(%x: tensor<1x28x28x8xf32>) -> tensor<1x28x28x8xf32> {
  %w = eff.constant dense_resource<w> : tensor<8x8x3x3xf32>
  %0 = effk.kernel "conv"(%x, %w) : (tensor<1x28x28x8xf32>, tensor<8x8x3x3xf32>) -> tensor<1x28x28x8xf32> {
  ^bb0(%a: tensor<1x28x28x8xf32>, %b: tensor<8x8x3x3xf32>):
    %1 = eff.conv %a, %b {strides = array<i64: 1, 1>, dilations = array<i64: 1, 1>, pads = array<i64: 1, 1, 1, 1>, groups = 1 : i64, channels_last = true} : (tensor<1x28x28x8xf32>, tensor<8x8x3x3xf32>) -> tensor<1x28x28x8xf32>
    effk.yield %1 : tensor<1x28x28x8xf32>
  }
  return %0 : tensor<1x28x28x8xf32>
}

// Other strides are not a case for it: no remark.
// REMARK-NOT: inograd
// CHECK-LABEL: func.func @strided
// CHECK: effk.packed <"oihw", 1 x 1152 x 128 by
func.func @strided(%x: tensor<1x28x28x128xf32>) -> tensor<1x14x14x128xf32> {
  %w = eff.constant dense_resource<w> : tensor<128x128x3x3xf32>
  %0 = effk.kernel "conv"(%x, %w) : (tensor<1x28x28x128xf32>, tensor<128x128x3x3xf32>) -> tensor<1x14x14x128xf32> {
  ^bb0(%a: tensor<1x28x28x128xf32>, %b: tensor<128x128x3x3xf32>):
    %1 = eff.conv %a, %b {strides = array<i64: 2, 2>, dilations = array<i64: 1, 1>, pads = array<i64: 1, 1, 1, 1>, groups = 1 : i64, channels_last = true} : (tensor<1x28x28x128xf32>, tensor<128x128x3x3xf32>) -> tensor<1x14x14x128xf32>
    effk.yield %1 : tensor<1x14x14x128xf32>
  }
  return %0 : tensor<1x14x14x128xf32>
}

// CHECK: func.func @[[$K]]
// CHECK-SAME: eff.choice = "winograd 4x4, 49 tiles x 64, gemm {{[0-9]+x[0-9]+}}"
// CHECK: effk.gemm
}
