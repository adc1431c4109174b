// RUN: effc-opt %s -eff-raise-dequantized -split-input-file -verify-diagnostics | FileCheck %s

// CHECK-LABEL: func.func @matmul
// CHECK-DAG: %[[SX:.+]] = eff.constant dense<5.000000e-01> : tensor<f32>
// CHECK-DAG: %[[SW:.+]] = eff.constant dense<[1.000000e+00, 2.000000e+00]> : tensor<2xf32>
// CHECK: %[[X:.+]] = eff.binary sub
// CHECK: %[[W:.+]] = eff.convert %{{.+}} : (tensor<2x2xi8>) -> tensor<2x2xi32>
// CHECK: %[[SUM:.+]] = eff.matmul %[[X]], %[[W]] : (tensor<5x2xi32>, tensor<2x2xi32>) -> tensor<5x2xi32>
// CHECK: %[[S:.+]] = eff.binary mul %[[SX]], %[[SW]]
// CHECK: %[[F:.+]] = eff.convert %[[SUM]]
// CHECK: %[[Y:.+]] = eff.binary mul %[[F]], %[[S]]
// CHECK: return %[[Y]]
func.func @matmul(%x: tensor<5x2xui8>) -> tensor<5x2xf32> {
  %sx = eff.constant dense<0.5> : tensor<f32>
  %sw = eff.constant dense<[1.0, 2.0]> : tensor<2xf32>
  %z = eff.constant dense<3> : tensor<i32>
  %w = eff.constant dense<[[1, 2], [3, -4]]> : tensor<2x2xi8>
  %0 = eff.convert %x : (tensor<5x2xui8>) -> tensor<5x2xi32>
  %1 = eff.binary sub %0, %z : (tensor<5x2xi32>, tensor<i32>) -> tensor<5x2xi32>
  %2 = eff.convert %1 : (tensor<5x2xi32>) -> tensor<5x2xf32>
  %3 = eff.binary mul %2, %sx : (tensor<5x2xf32>, tensor<f32>) -> tensor<5x2xf32>
  %4 = eff.convert %w : (tensor<2x2xi8>) -> tensor<2x2xi32>
  %5 = eff.convert %4 : (tensor<2x2xi32>) -> tensor<2x2xf32>
  %6 = eff.binary mul %5, %sw : (tensor<2x2xf32>, tensor<2xf32>) -> tensor<2x2xf32>
  %7 = eff.matmul %3, %6 : (tensor<5x2xf32>, tensor<2x2xf32>) -> tensor<5x2xf32>
  return %7 : tensor<5x2xf32>
}

// -----

// Scales of the rows of a transposed weight are those of the columns; the bias is added to the scaled sum.
// CHECK-LABEL: func.func @conv_and_linear
// CHECK: %[[T:.+]] = eff.transpose %{{.+}} [1, 0] : (tensor<4x2xi32>) -> tensor<2x4xi32>
// CHECK: eff.linear %{{.+}}, %[[T]] : (tensor<1x5x5x2xi32>, tensor<2x4xi32>) -> tensor<1x5x5x4xi32>
// CHECK: eff.conv %{{.+}} pads = array<i64: 1, 1, 1, 1>{{.*}} -> tensor<1x5x5x2xi32>
// CHECK: eff.reshape %{{.+}} : (tensor<5xf32>) -> tensor<5x1x1xf32>
// CHECK: eff.binary add %{{.+}} : (tensor<1x5x5x2xf32>, tensor<5x1x1xf32>)
func.func @conv_and_linear(%x: tensor<1x5x5x2xui8>, %b: tensor<5xf32>) -> (tensor<1x5x5x4xf32>, tensor<1x5x5x2xf32>) {
  %sx = eff.constant dense<0.5> : tensor<f32>
  %sw = eff.constant dense<[[1.0], [2.0], [3.0], [4.0]]> : tensor<4x1xf32>
  %w = eff.constant dense<7> : tensor<4x2xi8>
  %0 = eff.convert %x : (tensor<1x5x5x2xui8>) -> tensor<1x5x5x2xi32>
  %1 = eff.convert %0 : (tensor<1x5x5x2xi32>) -> tensor<1x5x5x2xf32>
  %2 = eff.binary mul %1, %sx : (tensor<1x5x5x2xf32>, tensor<f32>) -> tensor<1x5x5x2xf32>
  %3 = eff.convert %w : (tensor<4x2xi8>) -> tensor<4x2xi32>
  %4 = eff.convert %3 : (tensor<4x2xi32>) -> tensor<4x2xf32>
  %5 = eff.binary mul %4, %sw : (tensor<4x2xf32>, tensor<4x1xf32>) -> tensor<4x2xf32>
  %6 = eff.transpose %5 [1, 0] : (tensor<4x2xf32>) -> tensor<2x4xf32>
  %7 = eff.linear %2, %6 : (tensor<1x5x5x2xf32>, tensor<2x4xf32>) -> tensor<1x5x5x4xf32>
  %k = eff.constant dense<7> : tensor<5x5x3x3xui8>
  %sk = eff.constant dense<2.0> : tensor<5x1x1x1xf32>
  %8 = eff.convert %k : (tensor<5x5x3x3xui8>) -> tensor<5x5x3x3xi32>
  %9 = eff.convert %8 : (tensor<5x5x3x3xi32>) -> tensor<5x5x3x3xf32>
  %10 = eff.binary mul %9, %sk : (tensor<5x5x3x3xf32>, tensor<5x1x1x1xf32>) -> tensor<5x5x3x3xf32>
  %11 = eff.conv %2, %10 bias %b {strides = array<i64: 1, 1>, dilations = array<i64: 1, 1>, pads = array<i64: 1, 1, 1, 1>} : (tensor<1x5x5x2xf32>, tensor<5x5x3x3xf32>, tensor<5xf32>) -> tensor<1x5x5x2xf32>
  return %7, %11 : tensor<1x5x5x4xf32>, tensor<1x5x5x2xf32>
}

// -----

// CHECK-LABEL: func.func @scales_within_a_sum
// CHECK: eff.matmul {{.*}} -> tensor<5x2xf32>
func.func @scales_within_a_sum(%x: tensor<5x2xui8>) -> tensor<5x2xf32> {
  %sx = eff.constant dense<0.5> : tensor<f32>
  %sw = eff.constant dense<[[1.0], [2.0]]> : tensor<2x1xf32>
  %w = eff.constant dense<[[1, 2], [3, -4]]> : tensor<2x2xi8>
  %0 = eff.convert %x : (tensor<5x2xui8>) -> tensor<5x2xi32>
  %1 = eff.convert %0 : (tensor<5x2xi32>) -> tensor<5x2xf32>
  %2 = eff.binary mul %1, %sx : (tensor<5x2xf32>, tensor<f32>) -> tensor<5x2xf32>
  %3 = eff.convert %w : (tensor<2x2xi8>) -> tensor<2x2xi32>
  %4 = eff.convert %3 : (tensor<2x2xi32>) -> tensor<2x2xf32>
  %5 = eff.binary mul %4, %sw : (tensor<2x2xf32>, tensor<2x1xf32>) -> tensor<2x2xf32>
  // expected-remark@below {{the product of dequantised tensors is computed in f32: its weights have scales within a sum}}
  %6 = eff.matmul %2, %5 : (tensor<5x2xf32>, tensor<2x2xf32>) -> tensor<5x2xf32>
  return %6 : tensor<5x2xf32>
}

// -----

// CHECK-LABEL: func.func @long_sums
// CHECK: eff.matmul {{.*}} -> tensor<5x2xf32>
func.func @long_sums(%x: tensor<5x40000xui8>) -> tensor<5x2xf32> {
  %s = eff.constant dense<0.5> : tensor<f32>
  %w = eff.constant dense<1> : tensor<40000x2xi8>
  %0 = eff.convert %x : (tensor<5x40000xui8>) -> tensor<5x40000xi32>
  %1 = eff.convert %0 : (tensor<5x40000xi32>) -> tensor<5x40000xf32>
  %2 = eff.binary mul %1, %s : (tensor<5x40000xf32>, tensor<f32>) -> tensor<5x40000xf32>
  %3 = eff.convert %w : (tensor<40000x2xi8>) -> tensor<40000x2xi32>
  %4 = eff.convert %3 : (tensor<40000x2xi32>) -> tensor<40000x2xf32>
  %5 = eff.binary mul %4, %s : (tensor<40000x2xf32>, tensor<f32>) -> tensor<40000x2xf32>
  // expected-remark@below {{its sums may not fit into 32 bits}}
  %6 = eff.matmul %2, %5 : (tensor<5x40000xf32>, tensor<40000x2xf32>) -> tensor<5x2xf32>
  return %6 : tensor<5x2xf32>
}

// -----

// CHECK-LABEL: func.func @several_scales
// CHECK: eff.matmul {{.*}} -> tensor<5x2xf32>
func.func @several_scales(%x: tensor<5x2xui8>, %s: tensor<5x1xf32>) -> tensor<5x2xf32> {
  %one = eff.constant dense<0.5> : tensor<f32>
  %w = eff.constant dense<[[1, 2], [3, -4]]> : tensor<2x2xi8>
  %0 = eff.convert %x : (tensor<5x2xui8>) -> tensor<5x2xi32>
  %1 = eff.convert %0 : (tensor<5x2xi32>) -> tensor<5x2xf32>
  %2 = eff.binary mul %1, %s : (tensor<5x2xf32>, tensor<5x1xf32>) -> tensor<5x2xf32>
  %3 = eff.convert %w : (tensor<2x2xi8>) -> tensor<2x2xi32>
  %4 = eff.convert %3 : (tensor<2x2xi32>) -> tensor<2x2xf32>
  %5 = eff.binary mul %4, %one : (tensor<2x2xf32>, tensor<f32>) -> tensor<2x2xf32>
  // expected-remark@below {{its input has several scales}}
  %6 = eff.matmul %2, %5 : (tensor<5x2xf32>, tensor<2x2xf32>) -> tensor<5x2xf32>
  return %6 : tensor<5x2xf32>
}

// The largest of bytes is that of their numbers; both parts have one scale and one zero point.
// CHECK-LABEL: func.func @behind_pool_and_concat
// CHECK: %[[C:.+]] = eff.concat %arg0, %arg1 axis 1 : (tensor<1x8x9x9xui8>, tensor<1x8x9x9xui8>) -> tensor<1x16x9x9xui8>
// CHECK: %[[P:.+]] = eff.pool max %[[C]] {{.*}} -> tensor<1x16x4x4xui8>
// CHECK: %[[I:.+]] = eff.convert %[[P]] : (tensor<1x16x4x4xui8>) -> tensor<1x16x4x4xi32>
// CHECK: %[[Z:.+]] = eff.binary sub %[[I]], %{{.+}}
// CHECK: eff.conv %[[Z]], %{{.+}} -> tensor<1x4x4x4xi32>
func.func @behind_pool_and_concat(%a: tensor<1x8x9x9xui8>, %b: tensor<1x8x9x9xui8>) -> tensor<1x4x4x4xf32> {
  %s = eff.constant dense<0.5> : tensor<f32>
  %t = eff.constant dense<5.000000e-01> : tensor<f32>
  %z = eff.constant dense<3> : tensor<i32>
  %0 = eff.convert %a : (tensor<1x8x9x9xui8>) -> tensor<1x8x9x9xi32>
  %1 = eff.binary sub %0, %z : (tensor<1x8x9x9xi32>, tensor<i32>) -> tensor<1x8x9x9xi32>
  %2 = eff.convert %1 : (tensor<1x8x9x9xi32>) -> tensor<1x8x9x9xf32>
  %3 = eff.binary mul %2, %s : (tensor<1x8x9x9xf32>, tensor<f32>) -> tensor<1x8x9x9xf32>
  %4 = eff.convert %b : (tensor<1x8x9x9xui8>) -> tensor<1x8x9x9xi32>
  %5 = eff.binary sub %4, %z : (tensor<1x8x9x9xi32>, tensor<i32>) -> tensor<1x8x9x9xi32>
  %6 = eff.convert %5 : (tensor<1x8x9x9xi32>) -> tensor<1x8x9x9xf32>
  %7 = eff.binary mul %6, %t : (tensor<1x8x9x9xf32>, tensor<f32>) -> tensor<1x8x9x9xf32>
  %8 = eff.concat %3, %7 axis 1 : (tensor<1x8x9x9xf32>, tensor<1x8x9x9xf32>) -> tensor<1x16x9x9xf32>
  %9 = eff.pool max %8 {dilations = array<i64: 1, 1>, kernel = array<i64: 3, 3>, pads = array<i64: 0, 0, 0, 0>, strides = array<i64: 2, 2>} : (tensor<1x16x9x9xf32>) -> tensor<1x16x4x4xf32>
  %w = eff.constant dense<1> : tensor<4x16x1x1xi8>
  %10 = eff.convert %w : (tensor<4x16x1x1xi8>) -> tensor<4x16x1x1xi32>
  %11 = eff.convert %10 : (tensor<4x16x1x1xi32>) -> tensor<4x16x1x1xf32>
  %12 = eff.binary mul %11, %s : (tensor<4x16x1x1xf32>, tensor<f32>) -> tensor<4x16x1x1xf32>
  %13 = eff.conv %9, %12 {strides = array<i64: 1, 1>, dilations = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>} : (tensor<1x16x4x4xf32>, tensor<4x16x1x1xf32>) -> tensor<1x4x4x4xf32>
  return %13 : tensor<1x4x4x4xf32>
}

// Of two scales a concatenation stays one of numbers, and so does a mean, or a maximum where a scale is negative.
// CHECK-LABEL: func.func @others_stay
// CHECK: eff.concat {{.*}} -> tensor<1x16x9x9xf32>
// CHECK: eff.pool average {{.*}} -> tensor<1x8x4x4xf32>
// CHECK: eff.pool max {{.*}} -> tensor<1x8x4x4xf32>
func.func @others_stay(%a: tensor<1x8x9x9xui8>) -> (tensor<1x16x9x9xf32>, tensor<1x8x4x4xf32>, tensor<1x8x4x4xf32>) {
  %s = eff.constant dense<0.5> : tensor<f32>
  %t = eff.constant dense<-0.25> : tensor<f32>
  %0 = eff.convert %a : (tensor<1x8x9x9xui8>) -> tensor<1x8x9x9xi32>
  %1 = eff.convert %0 : (tensor<1x8x9x9xi32>) -> tensor<1x8x9x9xf32>
  %2 = eff.binary mul %1, %s : (tensor<1x8x9x9xf32>, tensor<f32>) -> tensor<1x8x9x9xf32>
  %3 = eff.binary mul %1, %t : (tensor<1x8x9x9xf32>, tensor<f32>) -> tensor<1x8x9x9xf32>
  %4 = eff.concat %2, %3 axis 1 : (tensor<1x8x9x9xf32>, tensor<1x8x9x9xf32>) -> tensor<1x16x9x9xf32>
  %5 = eff.pool average %2 {dilations = array<i64: 1, 1>, kernel = array<i64: 3, 3>, pads = array<i64: 0, 0, 0, 0>, strides = array<i64: 2, 2>} : (tensor<1x8x9x9xf32>) -> tensor<1x8x4x4xf32>
  %6 = eff.pool max %3 {dilations = array<i64: 1, 1>, kernel = array<i64: 3, 3>, pads = array<i64: 0, 0, 0, 0>, strides = array<i64: 2, 2>} : (tensor<1x8x9x9xf32>) -> tensor<1x8x4x4xf32>
  return %4, %5, %6 : tensor<1x16x9x9xf32>, tensor<1x8x4x4xf32>, tensor<1x8x4x4xf32>
}
