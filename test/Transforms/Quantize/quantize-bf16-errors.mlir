// A machine without products of bf16 keeps f32; patterns must be patterns.
// RUN: effc-opt %s -eff-quantize-bf16 -eff-report-layers 2>&1 | FileCheck %s
// RUN: effc-opt %s -eff-quantize-bf16=always 2>&1 | FileCheck %s --check-prefix=ALWAYS
// RUN: not effc-opt %s -eff-quantize-bf16="skip=a[" 2>&1 | FileCheck %s --check-prefix=ERROR
// ERROR: eff-quantize-bf16: 'a[': invalid glob pattern

module attributes {eff.target = #eff.target<"v4", cpu = "x86-64-v4", features = "", vector 32 x 512, l1 32768, l2 1048576>} {
// CHECK: remark: computed in f32: the target does not multiply bf16 faster
// CHECK: eff.quantized = [{layer = "{{.*}}", node = "{{.*}}", precision = "f32", reason = "the target does not multiply bf16 faster", taken = false}]
// CHECK-NOT: bf16>
// ALWAYS: eff.linear {{.*}} : (tensor<128x384xbf16>, tensor<384x384xbf16>) -> tensor<128x384xf32>
func.func @linear(%x: tensor<128x384xf32>) -> tensor<128x384xf32> {
  %w = eff.constant dense<1.0> : tensor<384x384xf32>
  %0 = eff.linear %x, %w : (tensor<128x384xf32>, tensor<384x384xf32>) -> tensor<128x384xf32>
  return %0 : tensor<128x384xf32>
}
}
