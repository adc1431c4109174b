// RUN: effc-opt %s -eff-quantize-weights="skip=left*" -eff-report-layers | FileCheck %s
// RUN: effc-opt %s -eff-quantize-weights="skip=left*" -eff-report-layers 2>&1 >/dev/null | FileCheck %s --check-prefix=REMARK
// RUN: effc-opt %s -eff-quantize-weights="bits=8 group=64 asymmetric" -eff-report-layers | FileCheck %s --check-prefix=BYTES
// RUN: effc-opt %s -eff-quantize-weights="nf4" -eff-report-layers | FileCheck %s --check-prefix=NF4
// RUN: effc-opt %s -eff-quantize-weights="bits=3" -eff-report-layers | FileCheck %s --check-prefix=THREE
// RUN: effc-opt %s -eff-quantize-weights="bits=2 group=0 lossless always" -eff-report-layers | FileCheck %s --check-prefix=TERNARY

module attributes {eff.target = #eff.target<"v4-bf16", cpu = "x86-64-v4", features = "+avx512vnni,+avx512bf16", vector 32 x 512, l1 32768, l2 1048576>} {

// Integers times scales are found again, the farther end as the integer that the other has not; the bias is added behind.
// CHECK-LABEL: func.func @exact
// CHECK-SAME: eff.quantized = [{error = 0.{{0+e\+00}} : f64, layer = "fc", node = "fc", precision = "w4g32", reason = "only the weights", taken = true}]
// CHECK-DAG: %[[Q:.+]] = eff.constant dense_resource<integers{{.*}}> : tensor<4096x32xui4>
// CHECK-DAG: %[[S:.+]] = eff.constant {{.*}} : tensor<4096x1xf32>
// CHECK: %[[Y:.+]] = eff.block_linear %arg0, %[[Q]] scales %[[S]] block 32 : (tensor<1x32xf32>, tensor<4096x32xui4>, tensor<4096x1xf32>) -> tensor<1x4096xf32>
// NF4-LABEL: func.func @exact
// NF4-SAME: precision = "nf4g32"
// NF4: eff.block_linear %arg0, %{{.+}} scales %{{.+}} block 32 codebook [-1.000000e+00, -6.961928e-01, {{.+}}, 1.000000e+00] : (tensor<1x32xf32>, tensor<4096x32xui4>,
// THREE-LABEL: func.func @exact
// THREE-SAME: precision = "w3g32"
// THREE: eff.block_linear %arg0, %{{.+}} scales %{{.+}} block 32 : (tensor<1x32xf32>, tensor<4096x32xui3>,
// TERNARY-LABEL: func.func @exact
// TERNARY-SAME: precision = "ternary"
// TERNARY: eff.block_linear %arg0, %{{.+}} scales %{{.+}} block 32 : (tensor<1x32xf32>, tensor<4096x32xui2>, tensor<4096x1xf32>
// CHECK: eff.binary add %[[Y]], %arg1
// REMARK: computed in w4g32: only the weights, estimated error 0 of the result
func.func @exact(%x: tensor<1x32xf32>, %b: tensor<4096xf32>) -> tensor<1x4096xf32> {
  %w = eff.constant dense<-2.0> : tensor<32x4096xf32>
  %0 = eff.linear %x, %w bias %b : (tensor<1x32xf32>, tensor<32x4096xf32>, tensor<4096xf32>) -> tensor<1x4096xf32> loc("fc")
  return %0 : tensor<1x4096xf32>
}

// A row at a time where only the run knows how many there are.
// BYTES-LABEL: func.func @free
// BYTES-SAME: eff.quantized = [{{.*}}precision = "w8a"
// BYTES: eff.block_linear %arg0, %{{.+}} scales %{{.+}} zeros %{{.+}} block 64 : {{.*}}tensor<4096x64xui8>, tensor<4096x1xf32>, tensor<4096x1xf32>
// REMARK: computed in w4g32
func.func @free(%x: tensor<?x64xf32, #eff.dims<s0, 64>>) -> tensor<?x4096xf32, #eff.dims<s0, 4096>> attributes {eff.symbols = [#eff.symbol<"n", input 0, axis 0, in 1 to 100>]} {
  %w = eff.constant dense<1.0> : tensor<4096x64xf32>
  %0 = eff.linear %x, %w {transpose_weight = true} : (tensor<?x64xf32, #eff.dims<s0, 64>>, tensor<4096x64xf32>) -> tensor<?x4096xf32, #eff.dims<s0, 4096>> loc("fc")
  return %0 : tensor<?x4096xf32, #eff.dims<s0, 4096>>
}

// What stays in f32, and why.
// CHECK-LABEL: func.func @declined
// CHECK-SAME: eff.quantized = [{layer = "left out", node = "left out", precision = "f32", reason = "left out by request", taken = false}
// REMARK: computed in f32: left out by request
// REMARK: computed in f32: its rows are no whole number of groups
// REMARK: computed in f32: it has too many rows to gain by fewer bytes of weights
// REMARK: computed in f32: both of its factors are computed
// REMARK: computed in f32: its weights are no matrix of finite numbers
func.func @declined(%x: tensor<1x64xf32>, %y: tensor<128x64xf32>, %z: tensor<1x48xf32>) -> (tensor<1x64xf32>, tensor<1x64xf32>, tensor<128x64xf32>, tensor<128x128xf32>, tensor<1x64xf32>) {
  %w = eff.constant dense<1.0> : tensor<64x64xf32>
  %v = eff.constant dense<1.0> : tensor<48x64xf32>
  %i = eff.constant dense<0x7FC00000> : tensor<64x64xf32>
  %0 = eff.linear %x, %w : (tensor<1x64xf32>, tensor<64x64xf32>) -> tensor<1x64xf32> loc("left out")
  %1 = eff.linear %z, %v : (tensor<1x48xf32>, tensor<48x64xf32>) -> tensor<1x64xf32> loc("groups")
  %2 = eff.linear %y, %w : (tensor<128x64xf32>, tensor<64x64xf32>) -> tensor<128x64xf32> loc("rows")
  %3 = eff.matmul %y, %y {transpose_b = true} : (tensor<128x64xf32>, tensor<128x64xf32>) -> tensor<128x128xf32> loc("both")
  %4 = eff.linear %x, %i : (tensor<1x64xf32>, tensor<64x64xf32>) -> tensor<1x64xf32> loc("nan")
  return %0, %1, %2, %3, %4 : tensor<1x64xf32>, tensor<1x64xf32>, tensor<128x64xf32>, tensor<128x128xf32>, tensor<1x64xf32>
}

// Halves and ones are no ternary weights.
// TERNARY-LABEL: func.func @mixed
// TERNARY-SAME: reason = "its rows are no integers of 2 bits times a scale"
// TERNARY: eff.linear
// TERNARY: eff.block_linear
// TERNARY-SAME: block 16 : (tensor<1x16xf32>, tensor<2x16xui2>, tensor<2x1xf32>)
func.func @mixed(%x: tensor<1x16xf32>) -> (tensor<1x2xf32>, tensor<1x2xf32>) {
  %w = eff.constant dense<[[0.5, 1.0, 0.0, -1.0, 0.5, 1.0, 0.0, -1.0, 0.5, 1.0, 0.0, -1.0, 0.5, 1.0, 0.0, -1.0],
                           [0.3, 0.0, 0.0, -0.3, 0.3, 0.0, 0.0, -0.3, 0.3, 0.0, 0.0, -0.3, 0.3, 0.0, 0.0, -0.3]]> : tensor<2x16xf32>
  %t = eff.constant dense<[[0.5, -0.5, 0.0, -0.5, 0.5, 0.5, 0.0, -0.5, 0.5, 0.0, 0.0, -0.5, 0.5, 0.5, 0.0, -0.5],
                           [0.3, 0.0, 0.0, -0.3, 0.3, 0.0, 0.0, -0.3, 0.3, 0.0, 0.0, -0.3, 0.3, 0.0, 0.0, -0.3]]> : tensor<2x16xf32>
  %0 = eff.linear %x, %w {transpose_weight = true} : (tensor<1x16xf32>, tensor<2x16xf32>) -> tensor<1x2xf32> loc("fc")
  %1 = eff.linear %x, %t {transpose_weight = true} : (tensor<1x16xf32>, tensor<2x16xf32>) -> tensor<1x2xf32> loc("fd")
  return %0, %1 : tensor<1x2xf32>, tensor<1x2xf32>
}

// A layer that reads what another makes.
// CHECK-LABEL: func.func @chain
// CHECK: %[[Y:.+]] = eff.block_linear %arg0
// CHECK: eff.block_linear %[[Y]]
func.func @chain(%x: tensor<1x2048xf32>) -> tensor<1x2048xf32> {
  %w = eff.constant dense<1.0> : tensor<2048x2048xf32>
  %0 = eff.linear %x, %w : (tensor<1x2048xf32>, tensor<2048x2048xf32>) -> tensor<1x2048xf32>
  %1 = eff.linear %0, %w : (tensor<1x2048xf32>, tensor<2048x2048xf32>) -> tensor<1x2048xf32>
  return %1 : tensor<1x2048xf32>
}
}
