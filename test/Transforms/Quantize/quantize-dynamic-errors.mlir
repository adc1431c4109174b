// Patterns must be patterns, and a target be known.
// RUN: not effc-opt %s -eff-quantize-dynamic="skip=a[" 2>&1 | FileCheck %s --check-prefix=SKIP
// SKIP: eff-quantize-dynamic: 'a[': invalid glob pattern
// RUN: not effc-opt %s -eff-quantize-dynamic 2>&1 | FileCheck %s --check-prefix=TARGET
// TARGET: error: eff-quantize-dynamic needs a target

func.func @none(%x: tensor<8x4xf32>) -> tensor<8x4xf32> {
  return %x : tensor<8x4xf32>
}
