// RUN: effc-opt %s -eff-insert-probes | FileCheck %s
// RUN: effc-opt %s -eff-insert-probes 2>&1 >/dev/null | FileCheck %s --check-prefix=REMARK

// What two layers read is one output; layers of one name are told apart; names of the model's outputs are left to them.
// CHECK-LABEL: func.func @shared
// CHECK-SAME: -> (tensor<8x4xf32> {eff.name = "effc.probe.0"}, tensor<8x16xf32> {eff.name = "effc.probe..0"}, tensor<8x4xf32> {eff.name = "effc.probe..1"})
// CHECK-SAME: eff.probes = [{layers = ["fc", "fc#2"], output = "effc.probe..0"}, {layers = ["last"], output = "effc.probe..1"}]
// CHECK: %[[H:.+]] = eff.unary relu %arg0
// CHECK: %[[A:.+]] = eff.linear %[[H]]
// CHECK: %[[C:.+]] = eff.binary add
// CHECK: %[[Y:.+]] = eff.linear %[[C]]
// CHECK: return %[[Y]], %[[H]], %[[C]]
func.func @shared(%x: tensor<8x16xf32>, %w: tensor<16x4xf32>, %v: tensor<4x4xf32>) -> (tensor<8x4xf32> {eff.name = "effc.probe.0"}) {
  %h = eff.unary relu %x : (tensor<8x16xf32>) -> tensor<8x16xf32>
  %a = eff.linear %h, %w : (tensor<8x16xf32>, tensor<16x4xf32>) -> tensor<8x4xf32> loc("fc")
  %b = eff.linear %h, %w : (tensor<8x16xf32>, tensor<16x4xf32>) -> tensor<8x4xf32> loc("fc")
  %c = eff.binary add %a, %b : (tensor<8x4xf32>, tensor<8x4xf32>) -> tensor<8x4xf32>
  %y = eff.linear %c, %v : (tensor<8x4xf32>, tensor<4x4xf32>) -> tensor<8x4xf32> loc("last")
  return %y : tensor<8x4xf32>
}

// An argument is an output too, whatever its sizes; integers are no concern of this.
// CHECK-LABEL: func.func @free
// CHECK-SAME: -> (tensor<?x4xf32, #eff.dims<s0, 4>>, tensor<?x16xf32, #eff.dims<s0, 16>> {eff.name = "effc.probe.0"})
func.func @free(%x: tensor<?x16xf32, #eff.dims<s0, 16>>, %w: tensor<16x4xf32>) -> tensor<?x4xf32, #eff.dims<s0, 4>>
    attributes {eff.symbols = [#eff.symbol<"n", input 0, axis 0, in 1 to 1024>]} {
  %y = eff.linear %x, %w : (tensor<?x16xf32, #eff.dims<s0, 16>>, tensor<16x4xf32>) -> tensor<?x4xf32, #eff.dims<s0, 4>> loc("fc")
  return %y : tensor<?x4xf32, #eff.dims<s0, 4>>
}

// What is inside a branch cannot be shown; what it reads from outside can.
// CHECK-LABEL: func.func @branch
// CHECK-SAME: eff.probes = [{layers = ["outer"], output = "effc.probe.0"}]
// REMARK: loc("inner"): not calibrated: its input is inside a branch or loop
// REMARK-NOT: not calibrated
func.func @branch(%p: tensor<i1>, %x: tensor<8x16xf32>, %w: tensor<16x16xf32>) -> tensor<8x16xf32> {
  %0 = eff.if %p sizes [] : (tensor<i1>) -> tensor<8x16xf32> {
    %1 = eff.linear %x, %w : (tensor<8x16xf32>, tensor<16x16xf32>) -> tensor<8x16xf32> loc("outer")
    %2 = eff.linear %1, %w : (tensor<8x16xf32>, tensor<16x16xf32>) -> tensor<8x16xf32> loc("inner")
    eff.yield %2 : tensor<8x16xf32> sizes <>
  } else {
    eff.yield %x : tensor<8x16xf32> sizes <>
  }
  return %0 : tensor<8x16xf32>
}
