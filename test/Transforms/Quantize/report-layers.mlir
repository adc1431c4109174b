// RUN: effc-opt %s -eff-report-layers="patterns=f*,fcc,conv#2" 2>%t | FileCheck %s
// RUN: FileCheck %s --check-prefix=SAID < %t
// RUN: effc-opt %s -eff-report-layers="quiet patterns=fcc" 2>&1 | FileCheck %s --check-prefix=QUIET

// Each entry is one remark and loses its location, layers lose the names that passes gave them; patterns match nodes or layers.
// SAID: remark: {{.*}}computed in int8: by hand, estimated error 0.25 of the result
// SAID: remark: {{.*}}computed in f32: too small
// SAID: warning: --set: 'fcc' matches no layer that could be quantised
// SAID-NOT: matches
// CHECK-LABEL: func.func @main
// CHECK-SAME: eff.quantized = [{error = 2.500000e-01 : f64, layer = "fc", node = "fc", precision = "int8", reason = "by hand", taken = true}, {layer = "conv#2", node = "conv", precision = "f32", reason = "too small", taken = false}]
// CHECK-NOT: eff.layer
// QUIET-NOT: {{remark|warning}}
// QUIET-NOT: eff.layer
func.func @main(%x: tensor<8x16xf32>) -> tensor<8x4xf32> attributes {eff.quantized = [
    {at = loc("fc"), error = 0.25 : f64, layer = "fc", node = "fc", precision = "int8", reason = "by hand", taken = true},
    {at = loc("conv"), layer = "conv#2", node = "conv", precision = "f32", reason = "too small", taken = false}]} {
  %w = eff.constant dense<1.0> : tensor<16x4xf32>
  %y = eff.linear %x, %w {eff.layer = "fc"} : (tensor<8x16xf32>, tensor<16x4xf32>) -> tensor<8x4xf32>
  return %y : tensor<8x4xf32>
}
