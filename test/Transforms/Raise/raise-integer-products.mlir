// RUN: effc-opt %s -eff-raise-integer-products -canonicalize -split-input-file -verify-diagnostics | FileCheck %s

// What the zero point adds is in the bias: 3 * (1 + 2) = 9 and 3 * (-1 - 128) = -387.
// CHECK-LABEL: func.func @linear
// CHECK-DAG: %[[W:.+]] = eff.constant dense<{{\[}}[1, -1], [2, -128]]> : tensor<2x2xi8>
// CHECK-DAG: %[[B:.+]] = eff.constant dense<[-9, 387]> : tensor<2xi32>
// CHECK: %[[Y:.+]] = eff.linear %arg0, %[[W]] bias %[[B]] : (tensor<5x2xui8>, tensor<2x2xi8>, tensor<2xi32>) -> tensor<5x2xi32>
// CHECK-NEXT: return %[[Y]]
func.func @linear(%x: tensor<5x2xui8>) -> tensor<5x2xi32> {
  %w = eff.constant dense<[[1, -1], [2, -128]]> : tensor<2x2xi32>
  %z = eff.constant dense<3> : tensor<i32>
  %0 = eff.convert %x : (tensor<5x2xui8>) -> tensor<5x2xi32>
  %1 = eff.binary sub %0, %z : (tensor<5x2xi32>, tensor<i32>) -> tensor<5x2xi32>
  %2 = eff.matmul %1, %w : (tensor<5x2xi32>, tensor<2x2xi32>) -> tensor<5x2xi32>
  return %2 : tensor<5x2xi32>
}

// -----

// Signed activations move by 128: 128 * 3 and 128 * -129.
// CHECK-LABEL: func.func @signed
// CHECK-DAG: %[[HALF:.+]] = eff.constant dense<128> : tensor<ui8>
// CHECK-DAG: %[[B:.+]] = eff.constant dense<[-384, 16512]> : tensor<2xi32>
// CHECK: %[[BITS:.+]] = eff.convert %arg0 : (tensor<5x2xi8>) -> tensor<5x2xui8>
// CHECK: %[[X:.+]] = eff.binary add %[[BITS]], %[[HALF]]
// CHECK: eff.linear %[[X]], %{{.+}} bias %[[B]] {transpose_weight = true}
func.func @signed(%x: tensor<5x2xi8>) -> tensor<5x2xi32> {
  %w = eff.constant dense<[[1, 2], [-1, -128]]> : tensor<2x2xi32>
  %0 = eff.convert %x : (tensor<5x2xi8>) -> tensor<5x2xi32>
  %1 = eff.matmul %0, %w {transpose_b = true} : (tensor<5x2xi32>, tensor<2x2xi32>) -> tensor<5x2xi32>
  return %1 : tensor<5x2xi32>
}

// -----

// A zero point of the run: its product with the sums of the weights is subtracted.
// CHECK-LABEL: func.func @late_zero
// CHECK-DAG: %[[SUMS:.+]] = eff.constant dense<[3, -129]> : tensor<2xi32>
// CHECK: %[[Z:.+]] = eff.convert %arg1 : (tensor<ui8>) -> tensor<i32>
// CHECK: %[[Y:.+]] = eff.linear %arg0, %{{[^ ]+}} : (tensor<5x2xui8>
// CHECK: %[[MORE:.+]] = eff.binary mul %[[Z]], %[[SUMS]]
// CHECK: eff.binary sub %[[Y]], %[[MORE]]
func.func @late_zero(%x: tensor<5x2xui8>, %zero: tensor<ui8>) -> tensor<5x2xi32> {
  %w = eff.constant dense<[[1, -1], [2, -128]]> : tensor<2x2xi32>
  %z = eff.convert %zero : (tensor<ui8>) -> tensor<i32>
  %0 = eff.convert %x : (tensor<5x2xui8>) -> tensor<5x2xi32>
  %1 = eff.binary sub %0, %z : (tensor<5x2xi32>, tensor<i32>) -> tensor<5x2xi32>
  %2 = eff.matmul %1, %w : (tensor<5x2xi32>, tensor<2x2xi32>) -> tensor<5x2xi32>
  return %2 : tensor<5x2xi32>
}

// -----

// Weights of the second column reach from -100 to 155: they are shifted by 28.
// CHECK-LABEL: func.func @shifted
// CHECK-DAG: %[[W:.+]] = eff.constant dense<{{\[}}[1, -128], [2, 127]]> : tensor<2x2xi8>
// CHECK-DAG: %[[S:.+]] = eff.constant dense<[0, 28]> : tensor<2xi32>
// CHECK: %[[Y:.+]] = eff.linear %arg0, %[[W]]
// CHECK: %[[WIDE:.+]] = eff.convert %arg0
// CHECK: %[[SUMS:.+]] = eff.reduce sum %[[WIDE]] [1] : (tensor<5x2xi32>) -> tensor<5x1xi32>
// CHECK: %[[MORE:.+]] = eff.binary mul %[[SUMS]], %[[S]]
// CHECK: eff.binary add %[[Y]], %[[MORE]]
func.func @shifted(%x: tensor<5x2xui8>) -> tensor<5x2xi32> {
  %w = eff.constant dense<[[1, -100], [2, 155]]> : tensor<2x2xi32>
  %0 = eff.convert %x : (tensor<5x2xui8>) -> tensor<5x2xi32>
  %1 = eff.matmul %0, %w : (tensor<5x2xi32>, tensor<2x2xi32>) -> tensor<5x2xi32>
  return %1 : tensor<5x2xi32>
}

// -----

// Pads are what counts as zero.
// CHECK-LABEL: func.func @conv
// CHECK-DAG: %[[B:.+]] = eff.constant dense<[-53, 100]> : tensor<2xi32>
// CHECK: eff.conv %arg0, %{{.+}} bias %[[B]] {{.*}}pad_value = 7 : i64{{.*}} : (tensor<1x1x4x4xui8>, tensor<2x1x3x3xi8>, tensor<2xi32>) -> tensor<1x2x4x4xi32>
func.func @conv(%x: tensor<1x1x4x4xui8>) -> tensor<1x2x4x4xi32> {
  %w = eff.constant dense<[[[[1, 1, 1], [1, 1, 1], [1, 1, 1]]], [[[0, 0, 0], [0, 0, 0], [0, 0, 0]]]]> : tensor<2x1x3x3xi32>
  %b = eff.constant dense<[10, 100]> : tensor<2xi32>
  %z = eff.constant dense<7> : tensor<i32>
  %0 = eff.convert %x : (tensor<1x1x4x4xui8>) -> tensor<1x1x4x4xi32>
  %1 = eff.binary sub %0, %z : (tensor<1x1x4x4xi32>, tensor<i32>) -> tensor<1x1x4x4xi32>
  %2 = eff.conv %1, %w bias %b {strides = array<i64: 1, 1>, dilations = array<i64: 1, 1>, pads = array<i64: 1, 1, 1, 1>} : (tensor<1x1x4x4xi32>, tensor<2x1x3x3xi32>, tensor<2xi32>) -> tensor<1x2x4x4xi32>
  return %2 : tensor<1x2x4x4xi32>
}

// -----

// A zero point of the run pads beforehand.
// CHECK-LABEL: func.func @conv_late_zero
// CHECK: %[[Z:.+]] = eff.convert %arg1 : (tensor<ui8>) -> tensor<i32>
// CHECK: %[[V:.+]] = eff.convert %[[Z]] : (tensor<i32>) -> tensor<ui8>
// CHECK: %[[P:.+]] = eff.pad constant %arg0 value %[[V]] <0, 0, 1, 1> {{.*}} -> tensor<1x1x6x6xui8>
// CHECK: %[[Y:.+]] = eff.conv %[[P]], {{.*}}pads = array<i64: 0, 0, 0, 0>
// CHECK: eff.binary sub %[[Y]]
func.func @conv_late_zero(%x: tensor<1x1x4x4xui8>, %zero: tensor<ui8>) -> tensor<1x2x4x4xi32> {
  %w = eff.constant dense<3> : tensor<2x1x3x3xi32>
  %z = eff.convert %zero : (tensor<ui8>) -> tensor<i32>
  %0 = eff.convert %x : (tensor<1x1x4x4xui8>) -> tensor<1x1x4x4xi32>
  %1 = eff.binary sub %0, %z : (tensor<1x1x4x4xi32>, tensor<i32>) -> tensor<1x1x4x4xi32>
  %2 = eff.conv %1, %w {strides = array<i64: 1, 1>, dilations = array<i64: 1, 1>, pads = array<i64: 1, 1, 1, 1>} : (tensor<1x1x4x4xi32>, tensor<2x1x3x3xi32>) -> tensor<1x2x4x4xi32>
  return %2 : tensor<1x2x4x4xi32>
}

// -----

// Both operands are computed; one is behind a transpose.
// CHECK-LABEL: func.func @both
// CHECK: %[[T:.+]] = eff.transpose %arg1 [1, 0] : (tensor<7x2xi8>) -> tensor<2x7xi8>
// CHECK: %[[Y:.+]] = eff.matmul %arg0, %[[T]] : (tensor<5x2xui8>, tensor<2x7xi8>) -> tensor<5x7xi32>
// CHECK: %[[ROWS:.+]] = eff.reduce sum {{.*}} [1] : (tensor<5x2xi32>) -> tensor<5x1xi32>
// CHECK: eff.binary mul %[[ROWS]]
// CHECK: eff.binary sub %[[Y]]
// CHECK-NOT: eff.reduce
// CHECK: return
func.func @both(%a: tensor<5x2xui8>, %b: tensor<7x2xi8>) -> tensor<5x7xi32> {
  %z = eff.constant dense<3> : tensor<i32>
  %0 = eff.convert %a : (tensor<5x2xui8>) -> tensor<5x2xi32>
  %1 = eff.convert %b : (tensor<7x2xi8>) -> tensor<7x2xi32>
  %2 = eff.binary sub %1, %z : (tensor<7x2xi32>, tensor<i32>) -> tensor<7x2xi32>
  %3 = eff.transpose %2 [1, 0] : (tensor<7x2xi32>) -> tensor<2x7xi32>
  %4 = eff.matmul %0, %3 : (tensor<5x2xi32>, tensor<2x7xi32>) -> tensor<5x7xi32>
  return %4 : tensor<5x7xi32>
}

// -----

// CHECK-LABEL: func.func @wide_weights
// CHECK: eff.matmul {{.*}} : (tensor<5x2xi32>, tensor<2x2xi32>)
func.func @wide_weights(%x: tensor<5x2xui8>) -> tensor<5x2xi32> {
  %w = eff.constant dense<[[1, -100], [2, 156]]> : tensor<2x2xi32>
  %0 = eff.convert %x : (tensor<5x2xui8>) -> tensor<5x2xi32>
  // expected-remark@below {{the product is computed in 32-bit integers: the weights of an output channel need more than 8 bits}}
  %1 = eff.matmul %0, %w : (tensor<5x2xi32>, tensor<2x2xi32>) -> tensor<5x2xi32>
  return %1 : tensor<5x2xi32>
}

// -----

// CHECK-LABEL: func.func @zeros_along_the_sum
// CHECK: eff.matmul {{.*}} : (tensor<5x2xi32>, tensor<2x2xi32>)
func.func @zeros_along_the_sum(%x: tensor<5x2xui8>) -> tensor<5x2xi32> {
  %w = eff.constant dense<[[1, -100], [2, 15]]> : tensor<2x2xi32>
  %z = eff.constant dense<[1, 2]> : tensor<2xi32>
  %0 = eff.convert %x : (tensor<5x2xui8>) -> tensor<5x2xi32>
  %1 = eff.binary sub %0, %z : (tensor<5x2xi32>, tensor<2xi32>) -> tensor<5x2xi32>
  // expected-remark@below {{several zero points along what is summed}}
  %2 = eff.matmul %1, %w : (tensor<5x2xi32>, tensor<2x2xi32>) -> tensor<5x2xi32>
  return %2 : tensor<5x2xi32>
}

// -----

// What does not come from bytes is none of this pass.
// CHECK-LABEL: func.func @integers
// CHECK: eff.matmul {{.*}} : (tensor<5x2xi32>, tensor<2x2xi32>)
func.func @integers(%x: tensor<5x2xi32>) -> tensor<5x2xi32> {
  %w = eff.constant dense<[[1, -100], [2, 15]]> : tensor<2x2xi32>
  %0 = eff.matmul %x, %w : (tensor<5x2xi32>, tensor<2x2xi32>) -> tensor<5x2xi32>
  return %0 : tensor<5x2xi32>
}
