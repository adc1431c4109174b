// RUN: effc-opt %s | effc-opt | FileCheck %s

// CHECK-LABEL: func @grouped_attention
// CHECK: eff.attention %{{.+}}, %{{.+}}, %{{.+}} mask %{{.+}} scale 1.250000e-01 {causal = true}
func.func @grouped_attention(%q: tensor<1x4x?x8xf32, #eff.dims<1, 4, s0, 8>>, %k: tensor<1x2x?x8xf32, #eff.dims<1, 2, s0 + s1, 8>>, %v: tensor<1x2x?x6xf32, #eff.dims<1, 2, s0 + s1, 6>>, %m: tensor<?x?xi1, #eff.dims<s0, s0 + s1>>) -> tensor<1x4x?x6xf32, #eff.dims<1, 4, s0, 6>> {
  %0 = eff.attention %q, %k, %v mask %m scale 0.125 {causal = true} : (tensor<1x4x?x8xf32, #eff.dims<1, 4, s0, 8>>, tensor<1x2x?x8xf32, #eff.dims<1, 2, s0 + s1, 8>>, tensor<1x2x?x6xf32, #eff.dims<1, 2, s0 + s1, 6>>, tensor<?x?xi1, #eff.dims<s0, s0 + s1>>) -> tensor<1x4x?x6xf32, #eff.dims<1, 4, s0, 6>>
  return %0 : tensor<1x4x?x6xf32, #eff.dims<1, 4, s0, 6>>
}

// CHECK-LABEL: func @heads_last_with_rope
// CHECK: eff.rope %{{.+}} cos %{{.+}} sin %{{.+}} {interleaved = true}
// CHECK: eff.attention %{{.+}} {heads_last = true}
func.func @heads_last_with_rope(%x: tensor<2x3x4x8xf16>, %c: tensor<3x1x4xf16>) -> tensor<2x3x4x8xf16> {
  %0 = eff.rope %x cos %c sin %c {interleaved = true} : (tensor<2x3x4x8xf16>, tensor<3x1x4xf16>, tensor<3x1x4xf16>) -> tensor<2x3x4x8xf16>
  %1 = eff.attention %0, %0, %x scale 1.0 {heads_last = true} : (tensor<2x3x4x8xf16>, tensor<2x3x4x8xf16>, tensor<2x3x4x8xf16>) -> tensor<2x3x4x8xf16>
  return %1 : tensor<2x3x4x8xf16>
}

// Products of bf16 may be summed, masked and kept in f32.
// CHECK-LABEL: func @halves
// CHECK: eff.attention {{.*}} -> tensor<1x2x3x4xf32>
// CHECK: eff.attention {{.*}} -> tensor<1x2x3x4xbf16>
func.func @halves(%q: tensor<1x2x3x4xbf16>, %m: tensor<3x3xf32>) -> (tensor<1x2x3x4xf32>, tensor<1x2x3x4xbf16>) {
  %0 = eff.attention %q, %q, %q mask %m scale 1.0 : (tensor<1x2x3x4xbf16>, tensor<1x2x3x4xbf16>, tensor<1x2x3x4xbf16>, tensor<3x3xf32>) -> tensor<1x2x3x4xf32>
  %1 = eff.attention %q, %q, %q scale 1.0 : (tensor<1x2x3x4xbf16>, tensor<1x2x3x4xbf16>, tensor<1x2x3x4xbf16>) -> tensor<1x2x3x4xbf16>
  return %0, %1 : tensor<1x2x3x4xf32>, tensor<1x2x3x4xbf16>
}
