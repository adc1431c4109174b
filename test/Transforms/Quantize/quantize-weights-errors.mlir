// Bits and groups are those that kernels have; patterns must be patterns, and a target be known.
// RUN: not effc-opt %s -eff-quantize-weights="bits=5" 2>&1 | FileCheck %s --check-prefix=BITS
// RUN: not effc-opt %s -eff-quantize-weights="group=48" 2>&1 | FileCheck %s --check-prefix=BITS
// RUN: not effc-opt %s -eff-quantize-weights="bits=3 group=16" 2>&1 | FileCheck %s --check-prefix=BITS
// RUN: not effc-opt %s -eff-quantize-weights="nf4 asymmetric" 2>&1 | FileCheck %s --check-prefix=BITS
// BITS: eff-quantize-weights: bits are 2, 3, 4 or 8; groups powers of two from 16, of 3 bits from 32, to 256, or 0; and nf4 has 4 bits and no zero points
// RUN: not effc-opt %s -eff-quantize-weights="skip=a[" 2>&1 | FileCheck %s --check-prefix=SKIP
// SKIP: eff-quantize-weights: 'a[': invalid glob pattern
// RUN: not effc-opt %s -eff-quantize-weights 2>&1 | FileCheck %s --check-prefix=TARGET
// TARGET: error: eff-quantize-weights needs a target

func.func @none(%x: tensor<8x4xf32>) -> tensor<8x4xf32> {
  return %x : tensor<8x4xf32>
}
