// RUN: effc-opt %s -convert-kernels-to-loops -canonicalize -cse | FileCheck %s

module attributes {eff.target = #eff.target<"v4", cpu = "x86-64-v4", features = "", vector 32 x 512, l1 32768, l2 1048576>} {

func.func @borders(%x: tensor<1x8x9x16xf32>) -> tensor<1x10x12x16xf32> {
  %0 = effk.kernel "pad"(%x) : (tensor<1x8x9x16xf32>) -> tensor<1x10x12x16xf32> {
  ^bb0(%a: tensor<1x8x9x16xf32>):
    %1 = eff.pad constant %a <0, 1, 2, 0> : (tensor<1x8x9x16xf32>) -> tensor<1x10x12x16xf32>
    effk.yield %1 : tensor<1x10x12x16xf32>
  }
  return %0 : tensor<1x10x12x16xf32>
}

func.func @channels(%x: tensor<1x8x9x3xf32>) -> tensor<1x10x13x4xf32> {
  %0 = effk.kernel "pad"(%x) : (tensor<1x8x9x3xf32>) -> tensor<1x10x13x4xf32> {
  ^bb0(%a: tensor<1x8x9x3xf32>):
    %1 = eff.pad constant %a <0, 1, 2, 0> : (tensor<1x8x9x3xf32>) -> tensor<1x10x13x4xf32>
    effk.yield %1 : tensor<1x10x13x4xf32>
  }
  return %0 : tensor<1x10x13x4xf32>
}

// A pixel with all its channels is copied or filled.
// CHECK-LABEL: func.func @k0_pad
// CHECK: scf.for
// CHECK: scf.if
// CHECK: scf.for
// CHECK: memref.load
// CHECK: memref.store
// CHECK: else
// CHECK: scf.for
// CHECK-NOT: memref.load
// CHECK: memref.store

// Of few channels, some of which are filled, a line is: nothing is decided for a pixel or a channel.
// CHECK-LABEL: func.func @k1_pad
// CHECK: scf.for
// CHECK: scf.if
// CHECK: scf.for %{{.+}} = %c0 to %c2
// CHECK-NOT: memref.load
// CHECK: scf.for %{{.+}} = %c2 to %c11
// CHECK-COUNT-3: memref.load
// CHECK: scf.for %{{.+}} = %c11 to %c13
// CHECK-NOT: memref.load
// CHECK: else
// CHECK: scf.for %{{.+}} = %c0 to %c13
// CHECK-NOT: scf.if
}
