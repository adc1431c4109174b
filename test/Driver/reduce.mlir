// effc-reduce shrinks a program to what a script finds interesting: here to the function that holds the softmax.
// RUN: rm -rf %t && split-file %s %t && chmod +x %t/interesting.sh
// RUN: effc-reduce %t/program.mlir -reduction-tree="traversal-mode=0 test=%t/interesting.sh" -o %t/small.mlir
// RUN: FileCheck %s --input-file %t/small.mlir --implicit-check-not=func.func
//
// CHECK: func.func @interesting
// CHECK: eff.softmax
//--- interesting.sh
#!/bin/sh
# Exit status 1: still interesting.
! grep -q softmax "$1"
//--- program.mlir
func.func @plain(%x: tensor<2x3xf32>) -> tensor<2x3xf32> {
  %y = eff.unary exp %x : (tensor<2x3xf32>) -> tensor<2x3xf32>
  return %y : tensor<2x3xf32>
}
func.func @interesting(%x: tensor<2x3xf32>) -> tensor<2x3xf32> {
  %y = eff.softmax %x axis 1 : (tensor<2x3xf32>) -> tensor<2x3xf32>
  return %y : tensor<2x3xf32>
}
