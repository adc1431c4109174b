// RUN: effc-opt %s -convert-kernels-to-loops -canonicalize -cse | FileCheck %s
// RUN: effc-opt %s -convert-kernels-to-loops="plain=true" -canonicalize -cse | FileCheck %s --check-prefix=PLAIN

module attributes {eff.target = #eff.target<"v4", cpu = "x86-64-v4", features = "", vector 32 x 512, l1 32768, l2 1048576>} {

// Two equal regions share one function; a symbolic size is an argument of it.
// CHECK-LABEL: func.func @shared
// CHECK: effk.launch @[[K:k[0-9]+_unary]](%arg0) dims <s0> sizes <(s0 + 4095) floordiv 4096
// CHECK: effk.launch @[[K]](%{{.+}}) dims <s0>
func.func @shared(%x: tensor<?xf32, #eff.dims<s0>>) -> tensor<?xf32, #eff.dims<s0>> {
  %0 = effk.kernel "unary"(%x) : (tensor<?xf32, #eff.dims<s0>>) -> tensor<?xf32, #eff.dims<s0>> {
  ^bb0(%a: tensor<?xf32, #eff.dims<s0>>):
    %1 = eff.unary relu %a : (tensor<?xf32, #eff.dims<s0>>) -> tensor<?xf32, #eff.dims<s0>>
    effk.yield %1 : tensor<?xf32, #eff.dims<s0>>
  }
  %2 = effk.kernel "unary"(%0) : (tensor<?xf32, #eff.dims<s0>>) -> tensor<?xf32, #eff.dims<s0>> {
  ^bb0(%a: tensor<?xf32, #eff.dims<s0>>):
    %1 = eff.unary relu %a : (tensor<?xf32, #eff.dims<s0>>) -> tensor<?xf32, #eff.dims<s0>>
    effk.yield %1 : tensor<?xf32, #eff.dims<s0>>
  }
  return %2 : tensor<?xf32, #eff.dims<s0>>
}

// A linear layer is a tile op with its epilogue inside, and its weight is packed; in the plain path it is a loop.
// CHECK-LABEL: func.func @linear
// CHECK: effk.packed <"kn", 1 x 32 x 64 by 64>
// CHECK: effk.launch @[[$L:k[0-9]+_linear]]
// PLAIN-LABEL: func.func @linear
// PLAIN: effk.launch @[[$L:k[0-9]+_linear]]
func.func @linear(%x: tensor<8x32xf32>) -> tensor<8x64xf32> {
  %w = eff.constant dense_resource<w> : tensor<32x64xf32>
  %0 = effk.kernel "linear"(%x, %w) : (tensor<8x32xf32>, tensor<32x64xf32>) -> tensor<8x64xf32> {
  ^bb0(%a: tensor<8x32xf32>, %b: tensor<32x64xf32>):
    %1 = eff.linear %a, %b : (tensor<8x32xf32>, tensor<32x64xf32>) -> tensor<8x64xf32>
    %2 = eff.unary relu %1 : (tensor<8x64xf32>) -> tensor<8x64xf32>
    effk.yield %2 : tensor<8x64xf32>
  }
  return %0 : tensor<8x64xf32>
}

// A bias that is one number repeated is an immediate of the epilogue.
// CHECK-LABEL: func.func @splat_bias
// CHECK: effk.launch @[[$B:k[0-9]+_linear]](%arg0, %{{[0-9]+}}) dims
func.func @splat_bias(%x: tensor<8x32xf32>) -> tensor<8x48xf32> {
  %w = eff.constant dense_resource<w> : tensor<32x48xf32>
  %0 = effk.kernel "linear"(%x, %w) : (tensor<8x32xf32>, tensor<32x48xf32>) -> tensor<8x48xf32> {
  ^bb0(%a: tensor<8x32xf32>, %b: tensor<32x48xf32>):
    %c = eff.constant dense<0.5> : tensor<48xf32>
    %1 = eff.linear %a, %b bias %c : (tensor<8x32xf32>, tensor<32x48xf32>, tensor<48xf32>) -> tensor<8x48xf32>
    effk.yield %1 : tensor<8x48xf32>
  }
  return %0 : tensor<8x48xf32>
}

// An out of range index is reported and clamped before the copying loop.
// CHECK-LABEL: func.func @gather
// CHECK: effk.launch @[[$G:k[0-9]+_gather]]
func.func @gather(%x: tensor<10x64xf32>, %i: tensor<3xi64>) -> tensor<3x64xf32> {
  %0 = effk.kernel "gather"(%x, %i) : (tensor<10x64xf32>, tensor<3xi64>) -> tensor<3x64xf32> {
  ^bb0(%a: tensor<10x64xf32>, %b: tensor<3xi64>):
    %1 = eff.gather %a[%b] axis 0 : (tensor<10x64xf32>, tensor<3xi64>) -> tensor<3x64xf32>
    effk.yield %1 : tensor<3x64xf32>
  }
  return %0 : tensor<3x64xf32>
}

// CHECK: func.func @[[$L]]
// CHECK: effk.gemm
// CHECK: arith.cmpf olt
// CHECK: arith.select
// CHECK: func.func @[[$G]]
// CHECK: scf.for
// CHECK: effk.report 1 if
// CHECK: scf.for
// CHECK: memref.store

// PLAIN: func.func @[[$L]]
// PLAIN-NOT: effk.gemm
// PLAIN: arith.mulf %{{.+}}, %{{.+}} : f32
}
