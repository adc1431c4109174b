// RUN: effc-opt %s | effc-opt | FileCheck %s
// RUN: effc-opt %s -canonicalize | FileCheck %s --check-prefix=FOLD

// CHECK-LABEL: func @reductions
// CHECK: eff.reduce mean %{{.+}} [0, 2] : (tensor<2x3x4xf32>) -> tensor<1x3x1xf32>
// CHECK: eff.reduce sum %{{.+}} [1] {keepdims = false} : (tensor<1x3x1xf32>) -> tensor<1x1xf32>
// CHECK: eff.arg_reduce max %{{.+}} axis 1 {select_last = true} : (tensor<2x3x4xf32>) -> tensor<2x1x4xi64>
// CHECK: eff.scan sum %{{.+}} axis 0 {exclusive = true}
// CHECK: eff.topk %{{.+}} axis 2 : (tensor<2x3x4xf32>) -> (tensor<2x3x2xf32>, tensor<2x3x2xi64>)
func.func @reductions(%x: tensor<2x3x4xf32>) -> (tensor<1x1xf32>, tensor<2x1x4xi64>, tensor<2x3x4xf32>, tensor<2x3x2xi64>) {
  %0 = eff.reduce mean %x [0, 2] : (tensor<2x3x4xf32>) -> tensor<1x3x1xf32>
  %1 = eff.reduce sum %0 [1] {keepdims = false} : (tensor<1x3x1xf32>) -> tensor<1x1xf32>
  %2 = eff.arg_reduce max %x axis 1 {select_last = true} : (tensor<2x3x4xf32>) -> tensor<2x1x4xi64>
  %3 = eff.scan sum %x axis 0 {exclusive = true} : (tensor<2x3x4xf32>) -> tensor<2x3x4xf32>
  %4, %5 = eff.topk %x axis 2 : (tensor<2x3x4xf32>) -> (tensor<2x3x2xf32>, tensor<2x3x2xi64>)
  return %1, %2, %3, %5 : tensor<1x1xf32>, tensor<2x1x4xi64>, tensor<2x3x4xf32>, tensor<2x3x2xi64>
}

// FOLD-LABEL: func @reduces_nothing
// FOLD-SAME: (%[[X:.+]]: tensor<2x1xf32>)
// FOLD-NEXT: return %[[X]]
func.func @reduces_nothing(%x: tensor<2x1xf32>) -> tensor<2x1xf32> {
  %0 = eff.reduce mean %x [1] : (tensor<2x1xf32>) -> tensor<2x1xf32>
  return %0 : tensor<2x1xf32>
}

// FOLD-LABEL: func @norm_of_one_stays
// FOLD: eff.reduce l2
func.func @norm_of_one_stays(%x: tensor<2x1xf32>) -> tensor<2x1xf32> {
  %0 = eff.reduce l2 %x [1] : (tensor<2x1xf32>) -> tensor<2x1xf32>
  return %0 : tensor<2x1xf32>
}
