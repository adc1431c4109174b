// RUN: effc-opt %s -eff-quantize-int8="statistics=%S/Inputs/statistics.json range=min-max skip=left*" -eff-report-layers | FileCheck %s
// RUN: effc-opt %s -eff-quantize-int8="statistics=%S/Inputs/statistics.json range=min-max skip=left*" -eff-report-layers 2>&1 >/dev/null | FileCheck %s --check-prefix=REMARK
// RUN: effc-opt %s -eff-quantize-int8="statistics=%S/Inputs/statistics.json range=min-max" -eff-raise-dequantized -eff-raise-integer-products | FileCheck %s --check-prefix=BYTES
// RUN: effc-opt %s -eff-quantize-int8="statistics=%S/Inputs/statistics.json" -eff-report-layers | FileCheck %s --check-prefix=BALANCE
// RUN: effc-opt %s -eff-quantize-int8="statistics=%S/Inputs/statistics.json" -eff-report-layers 2>&1 >/dev/null | FileCheck %s --check-prefix=BALANCEREMARK

module attributes {eff.target = #eff.target<"v4-bf16", cpu = "x86-64-v4", features = "+avx512vnni,+avx512bf16", vector 32 x 512, l1 32768, l2 1048576>} {

// Bytes are made where the activation is, before the reshape, and mean integers less a zero point times a scale; weights have a scale an
// output. Bias and sums stay f32.
// CHECK-LABEL: func.func @linear
// CHECK-SAME: eff.quantized = [{error = {{[0-9.E+-]+}} : f64, layer = "fc1", node = "fc1", precision = "int8", reason = "input from {{.*}} by min-max", taken = true}, {error = {{.*}}, layer = "fc2", node = "fc2", precision = "int8", {{.*}}, taken = true}]
// CHECK: %[[INV1:.+]] = eff.constant dense<63.7499962> : tensor<f32>
// CHECK: %[[S:.+]] = eff.binary mul %arg0, %[[INV1]]
// CHECK: %[[R:.+]] = eff.unary round %[[S]]
// CHECK: %[[ZERO:.+]] = eff.constant dense<6.400000e+01> : tensor<f32>
// CHECK: %[[M:.+]] = eff.binary add %[[R]], %[[ZERO]]
// CHECK: %[[Q:.+]] = eff.convert %[[M]] : (tensor<128x384xf32>) -> tensor<128x384xui8>
// CHECK: %[[I:.+]] = eff.convert %[[Q]] : (tensor<128x384xui8>) -> tensor<128x384xi32>
// CHECK: %[[C:.+]] = eff.binary sub %[[I]]
// CHECK: %[[F:.+]] = eff.convert %[[C]] : (tensor<128x384xi32>) -> tensor<128x384xf32>
// CHECK: %[[X:.+]] = eff.binary mul %[[F]]
// CHECK: eff.convert %{{.+}} : (tensor<384x1536xi8>) -> tensor<384x1536xi32>
// CHECK: %[[Y:.+]] = eff.linear %[[X]], %{{.+}} bias %arg1
// CHECK: %[[G:.+]] = eff.unary relu %[[Y]]
// CHECK: eff.convert %{{.+}} : (tensor<128x1536xf32>) -> tensor<128x1536xui8>
// CHECK: eff.reshape %{{.+}} : (tensor<128x1536xui8>) -> tensor<2x64x1536xui8>
// BYTES-LABEL: func.func @linear
// BYTES: eff.linear {{.*}} : (tensor<128x384xui8>, tensor<384x1536xi8>, tensor<1536xi32>) -> tensor<128x1536xi32>
// BYTES: eff.linear {{.*}} : (tensor<2x64x1536xui8>, tensor<1536x384xi8>) -> tensor<2x64x384xi32>
// REMARK: computed in int8: input from -1.004 to 2.996 (0.0156862754 a step, zero is 64) by min-max, estimated error
// REMARK: computed in int8: input from 0 to 255 (1 a step, zero is 0) by min-max
func.func @linear(%x: tensor<128x384xf32>, %b: tensor<1536xf32>) -> tensor<2x64x384xf32> {
  %w = eff.constant dense<1.0> : tensor<384x1536xf32>
  %v = eff.constant dense<1.0> : tensor<1536x384xf32>
  %0 = eff.linear %x, %w bias %b : (tensor<128x384xf32>, tensor<384x1536xf32>, tensor<1536xf32>) -> tensor<128x1536xf32> loc("fc1")
  %1 = eff.unary relu %0 : (tensor<128x1536xf32>) -> tensor<128x1536xf32>
  %2 = eff.reshape %1 : (tensor<128x1536xf32>) -> tensor<2x64x1536xf32>
  %3 = eff.linear %2, %v : (tensor<2x64x1536xf32>, tensor<1536x384xf32>) -> tensor<2x64x384xf32> loc("fc2")
  return %3 : tensor<2x64x384xf32>
}

// A residual sum reads the bytes where a conversion of its own would cost much; the zero point pads; maxima are of bytes.
// CHECK-LABEL: func.func @conv
// BYTES-LABEL: func.func @conv
// BYTES: eff.conv {{.*}}pad_value = 255{{.*}} : (tensor<1x28x28x64xui8>, tensor<64x64x3x3xi8>, tensor<64xi32>) -> tensor<1x28x28x64xi32>
// BYTES: %[[P:.+]] = eff.pool max {{.*}} -> tensor<1x14x14x64xui8>
// BYTES: eff.conv %[[P]]{{.*}} : (tensor<1x14x14x64xui8>, tensor<64x64x1x1xi8>) -> tensor<1x14x14x64xi32>
// BYTES: eff.convert %[[P]] : (tensor<1x14x14x64xui8>) -> tensor<1x14x14x64xi32>
// BYTES: eff.binary add
// REMARK: computed in int8: input from -2.55 to 0 (0.00999999978 a step, zero is 255) by min-max
// REMARK: computed in int8: input from 0 to 255
func.func @conv(%x: tensor<1x28x28x64xf32>) -> tensor<1x14x14x64xf32> {
  %w = eff.constant dense<1.0> : tensor<64x64x3x3xf32>
  %v = eff.constant dense<1.0> : tensor<64x64x1x1xf32>
  %0 = eff.conv %x, %w {channels_last = true, strides = array<i64: 1, 1>, dilations = array<i64: 1, 1>, pads = array<i64: 1, 1, 1, 1>} : (tensor<1x28x28x64xf32>, tensor<64x64x3x3xf32>) -> tensor<1x28x28x64xf32> loc("conv1")
  %1 = eff.pool max %0 {channels_last = true, strides = array<i64: 2, 2>, dilations = array<i64: 1, 1>, kernel = array<i64: 2, 2>, pads = array<i64: 0, 0, 0, 0>} : (tensor<1x28x28x64xf32>) -> tensor<1x14x14x64xf32>
  %2 = eff.conv %1, %v {channels_last = true, strides = array<i64: 1, 1>, dilations = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>} : (tensor<1x14x14x64xf32>, tensor<64x64x1x1xf32>) -> tensor<1x14x14x64xf32> loc("conv2")
  %3 = eff.binary add %1, %2 : (tensor<1x14x14x64xf32>, tensor<1x14x14x64xf32>) -> tensor<1x14x14x64xf32>
  return %3 : tensor<1x14x14x64xf32>
}

// What stays in f32, and why.
// CHECK-LABEL: func.func @declined
// CHECK-SAME: {layer = "{{.*}}", node = "{{.*}}", precision = "f32", reason = "both of its factors are computed", taken = false}
// CHECK-SAME: node = "zero", precision = "f32", {{.*}}, taken = false}
// REMARK: computed in f32: both of its factors are computed
// REMARK: computed in f32: left out by request
// REMARK: computed in f32: the statistics do not have it
// REMARK: computed in f32: it read NaN or infinities in calibration
// REMARK: computed in f32: its weights are no matrix of finite numbers
// REMARK: computed in f32: its sums may not fit into 32 bits
// REMARK: computed in f32: it read nothing but zeros in calibration
func.func @declined(%x: tensor<128x384xf32>, %y: tensor<4x33026xf32>) -> (tensor<128x384xf32>, tensor<4x8xf32>) {
  %w = eff.constant dense<1.0> : tensor<384x384xf32>
  %i = eff.constant dense<0x7F800000> : tensor<384x384xf32>
  %u = eff.constant dense<1.0> : tensor<33026x8xf32>
  %0 = eff.matmul %x, %x {transpose_b = true} : (tensor<128x384xf32>, tensor<128x384xf32>) -> tensor<128x128xf32> loc("both")
  %1 = eff.linear %x, %w : (tensor<128x384xf32>, tensor<384x384xf32>) -> tensor<128x384xf32> loc("left out")
  %2 = eff.linear %1, %w : (tensor<128x384xf32>, tensor<384x384xf32>) -> tensor<128x384xf32> loc("unknown")
  %3 = eff.linear %2, %w : (tensor<128x384xf32>, tensor<384x384xf32>) -> tensor<128x384xf32> loc("fc3")
  %4 = eff.linear %3, %i : (tensor<128x384xf32>, tensor<384x384xf32>) -> tensor<128x384xf32> loc("fc2")
  %5 = eff.linear %y, %u : (tensor<4x33026xf32>, tensor<33026x8xf32>) -> tensor<4x8xf32> loc("fc1")
  %6 = eff.linear %4, %w : (tensor<128x384xf32>, tensor<384x384xf32>) -> tensor<128x384xf32> loc("zero")
  return %6, %5 : tensor<128x384xf32>, tensor<4x8xf32>
}

// With range=best a large channel is divided where it is rounded, and its weights are multiplied; the mean that rounded weights lose is in the
// bias (here 0, as all weights are equal). No transpose may lie between.
// BALANCE-LABEL: func.func @uneven
// BALANCE: %[[STEPS:.+]] = eff.constant {{.*}} : tensor<384xf32>
// BALANCE: eff.binary mul %{{.+}}, %[[STEPS]] : (tensor<128x384xf32>, tensor<384xf32>) -> tensor<128x384xf32>
// BALANCE: eff.linear %{{.+}}, %{{.+}} bias %{{.+}} : (tensor<128x384xf32>, tensor<384x384xf32>, tensor<384xf32>)
// BALANCEREMARK: computed in int8: input from 0 to {{.*}} by min-max, channels balanced by {{[0-9.]+}}, estimated error
func.func @uneven(%x: tensor<128x384xf32>) -> tensor<128x384xf32> {
  %w = eff.constant dense<1.0> : tensor<384x384xf32>
  %0 = eff.linear %x, %w : (tensor<128x384xf32>, tensor<384x384xf32>) -> tensor<128x384xf32> loc("uneven")
  return %0 : tensor<128x384xf32>
}
}
