// RUN: effc-opt %s -eff-quantize-dynamic="skip=left*" -eff-report-layers | FileCheck %s
// RUN: effc-opt %s -eff-quantize-dynamic="skip=left*" -eff-report-layers 2>&1 >/dev/null | FileCheck %s --check-prefix=REMARK
// RUN: effc-opt %s -eff-quantize-dynamic -eff-raise-integer-products | FileCheck %s --check-prefix=BYTES

module attributes {eff.target = #eff.target<"v4-bf16", cpu = "x86-64-v4", features = "+avx512vnni,+avx512bf16", vector 32 x 512, l1 32768, l2 1048576>} {

// One scale a row, found once for both readers; products of bytes.
// CHECK-LABEL: func.func @shared
// CHECK-SAME: eff.quantized = [{layer = "q", node = "q", precision = "int8-dynamic", reason = "each row in a range of its own", taken = true}, {layer = "k", node = "k", {{.*}}]
// CHECK: %[[A:.+]] = eff.unary abs %arg0
// CHECK: %[[M:.+]] = eff.reduce max %[[A]] [1] : (tensor<128x384xf32>) -> tensor<128x1xf32>
// CHECK: %[[L:.+]] = eff.binary max %[[M]]
// CHECK: %[[S:.+]] = eff.binary mul %[[L]]
// CHECK: %[[Q:.+]] = eff.convert %{{.+}} : (tensor<128x384xf32>) -> tensor<128x384xui8>
// CHECK-NOT: eff.reduce
// CHECK: %[[Y:.+]] = eff.linear %{{.+}} : (tensor<128x384xi32>, tensor<384x384xi32>) -> tensor<128x384xi32>
// CHECK: %[[F:.+]] = eff.convert %[[Y]]
// CHECK: %[[G:.+]] = eff.binary mul %[[F]]
// CHECK: %[[H:.+]] = eff.binary mul %[[G]], %[[S]]
// CHECK: eff.binary add %[[H]], %arg1
// BYTES-LABEL: func.func @shared
// BYTES-COUNT-2: eff.linear {{.*}} : (tensor<128x384xui8>, tensor<384x384xi8>, tensor<384xi32>) -> tensor<128x384xi32>
// REMARK: computed in int8-dynamic: each row in a range of its own
// REMARK: computed in int8-dynamic
func.func @shared(%x: tensor<128x384xf32>, %b: tensor<384xf32>) -> (tensor<128x384xf32>, tensor<128x384xf32>) {
  %w = eff.constant dense<1.0> : tensor<384x384xf32>
  %0 = eff.linear %x, %w bias %b : (tensor<128x384xf32>, tensor<384x384xf32>, tensor<384xf32>) -> tensor<128x384xf32> loc("q")
  %1 = eff.linear %x, %w {transpose_weight = true} : (tensor<128x384xf32>, tensor<384x384xf32>) -> tensor<128x384xf32> loc("k")
  return %0, %1 : tensor<128x384xf32>, tensor<128x384xf32>
}

// What stays in f32, and why.
// CHECK-LABEL: func.func @declined
// CHECK-SAME: eff.quantized = [{layer = "left out", node = "left out", precision = "f32", reason = "left out by request", taken = false}
// REMARK: computed in f32: left out by request
// REMARK: computed in f32: both of its factors are computed
// REMARK: computed in f32: its sums may not fit into 32 bits
// REMARK: computed in f32: rows of a convolution overlap
// REMARK: computed in f32: its weights are no matrix of finite numbers
// REMARK: computed in f32: rounding its input takes as long as it gains
func.func @declined(%x: tensor<128x384xf32>, %y: tensor<4x33026xf32>, %z: tensor<1x28x28x64xf32>, %s: tensor<2x8xf32>) -> (tensor<128x384xf32>, tensor<128x128xf32>, tensor<4x8xf32>, tensor<1x28x28x64xf32>, tensor<128x384xf32>, tensor<2x8xf32>) {
  %w = eff.constant dense<1.0> : tensor<384x384xf32>
  %i = eff.constant dense<0x7F800000> : tensor<384x384xf32>
  %u = eff.constant dense<1.0> : tensor<33026x8xf32>
  %v = eff.constant dense<1.0> : tensor<64x64x1x1xf32>
  %t = eff.constant dense<1.0> : tensor<8x8xf32>
  %0 = eff.linear %x, %w : (tensor<128x384xf32>, tensor<384x384xf32>) -> tensor<128x384xf32> loc("left out")
  %1 = eff.matmul %x, %x {transpose_b = true} : (tensor<128x384xf32>, tensor<128x384xf32>) -> tensor<128x128xf32> loc("both")
  %2 = eff.linear %y, %u : (tensor<4x33026xf32>, tensor<33026x8xf32>) -> tensor<4x8xf32> loc("long")
  %3 = eff.conv %z, %v {channels_last = true, strides = array<i64: 1, 1>, dilations = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>} : (tensor<1x28x28x64xf32>, tensor<64x64x1x1xf32>) -> tensor<1x28x28x64xf32> loc("conv")
  %4 = eff.linear %x, %i : (tensor<128x384xf32>, tensor<384x384xf32>) -> tensor<128x384xf32> loc("infinite")
  %5 = eff.linear %s, %t : (tensor<2x8xf32>, tensor<8x8xf32>) -> tensor<2x8xf32> loc("small")
  return %0, %1, %2, %3, %4, %5 : tensor<128x384xf32>, tensor<128x128xf32>, tensor<4x8xf32>, tensor<1x28x28x64xf32>, tensor<128x384xf32>, tensor<2x8xf32>
}

// A layer that reads what another makes: values change as layers are replaced.
// CHECK-LABEL: func.func @chain
// CHECK-COUNT-2: eff.linear {{.*}} -> tensor<128x384xi32>
func.func @chain(%x: tensor<128x384xf32>) -> tensor<128x384xf32> {
  %w = eff.constant dense<1.0> : tensor<384x384xf32>
  %0 = eff.linear %x, %w : (tensor<128x384xf32>, tensor<384x384xf32>) -> tensor<128x384xf32>
  %1 = eff.linear %0, %w : (tensor<128x384xf32>, tensor<384x384xf32>) -> tensor<128x384xf32>
  return %1 : tensor<128x384xf32>
}
}
