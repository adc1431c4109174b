// RUN: not effc-opt %s -eff-convert-float="to=f8 from=f16" 2>&1 | FileCheck %s --check-prefix=TO
// RUN: not effc-opt %s -eff-convert-float="to=f32 from=i8" 2>&1 | FileCheck %s --check-prefix=FROM

// TO: error: eff-convert-float: 'f8' is no float type, expected f16, bf16, f32 or f64
// FROM: error: eff-convert-float: 'i8' is no float type, expected f16, bf16, f32 or f64
func.func @nothing() {
  return
}
