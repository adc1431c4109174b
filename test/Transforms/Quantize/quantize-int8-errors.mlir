// The statistics must be there, ranges be chosen by a known name, patterns be patterns, and a target be known.
// RUN: not effc-opt %s -eff-quantize-int8="statistics=%S/none.json" 2>&1 | FileCheck %s --check-prefix=NONE
// NONE: eff-quantize-int8: {{.*}}none.json
// RUN: not effc-opt %s -eff-quantize-int8="statistics=%S/Inputs/statistics.json range=some" 2>&1 | FileCheck %s --check-prefix=RANGE
// RANGE: eff-quantize-int8: 'some' is no choice of ranges
// RUN: not effc-opt %s -eff-quantize-int8="statistics=%S/Inputs/statistics.json skip=a[" 2>&1 | FileCheck %s --check-prefix=SKIP
// SKIP: eff-quantize-int8: 'a[': invalid glob pattern
// RUN: not effc-opt %s -eff-quantize-int8="statistics=%S/Inputs/statistics.json" 2>&1 | FileCheck %s --check-prefix=TARGET
// TARGET: error: eff-quantize-int8 needs a target

func.func @none(%x: tensor<8x4xf32>) -> tensor<8x4xf32> {
  return %x : tensor<8x4xf32>
}
