// RUN: effc-opt %s -eff-form-kernels | FileCheck %s
// RUN: effc-opt %s -eff-form-kernels="fuse=false" | FileCheck %s --check-prefix=PLAIN

// Elementwise ops after a contraction join it; scalars become immediates.
// CHECK-LABEL: func.func @epilogue
// CHECK: effk.kernel "linear"
// CHECK: eff.linear
// CHECK: eff.unary relu
// CHECK: eff.constant dense<2.0
// CHECK: eff.binary mul
// CHECK: effk.yield
// CHECK-NOT: effk.kernel
// PLAIN-LABEL: func.func @epilogue
// PLAIN: effk.kernel "linear"
// PLAIN: effk.kernel "unary"
// PLAIN: effk.kernel "binary"
func.func @epilogue(%x: tensor<4x8xf32>, %w: tensor<8x16xf32>) -> tensor<4x16xf32> {
  %c = eff.constant dense<2.0> : tensor<f32>
  %0 = eff.linear %x, %w : (tensor<4x8xf32>, tensor<8x16xf32>) -> tensor<4x16xf32>
  %1 = eff.unary relu %0 : (tensor<4x16xf32>) -> tensor<4x16xf32>
  %2 = eff.binary mul %1, %c : (tensor<4x16xf32>, tensor<f32>) -> tensor<4x16xf32>
  return %2 : tensor<4x16xf32>
}

// A value with two users ends a kernel.
// CHECK-LABEL: func.func @two_users
// CHECK: effk.kernel "unary"
// CHECK: effk.kernel "softmax"
// CHECK: effk.kernel "binary"
func.func @two_users(%x: tensor<4x8xf32>, %i: tensor<4xi64>) -> tensor<4x8xf32> {
  %0 = eff.unary exp %x : (tensor<4x8xf32>) -> tensor<4x8xf32>
  %1 = eff.softmax %0 axis 1 : (tensor<4x8xf32>) -> tensor<4x8xf32>
  %2 = eff.gather %1[%i] axis 0 : (tensor<4x8xf32>, tensor<4xi64>) -> tensor<4x8xf32>
  %3 = eff.binary add %0, %2 : (tensor<4x8xf32>, tensor<4x8xf32>) -> tensor<4x8xf32>
  return %3 : tensor<4x8xf32>
}

// Elementwise ops before a softmax are computed as its rows are read.
// CHECK-LABEL: func.func @prologue
// CHECK: effk.kernel "softmax"
// CHECK: eff.binary add
// CHECK: eff.softmax
// CHECK-NOT: effk.kernel
func.func @prologue(%x: tensor<4x8xf32>, %m: tensor<1x8xf32>) -> tensor<4x8xf32> {
  %0 = eff.binary add %x, %m : (tensor<4x8xf32>, tensor<1x8xf32>) -> tensor<4x8xf32>
  %1 = eff.softmax %0 axis 1 : (tensor<4x8xf32>) -> tensor<4x8xf32>
  return %1 : tensor<4x8xf32>
}

// An operand that a tiled epilogue cannot load by row, column or element keeps the ops apart.
// CHECK-LABEL: func.func @partial_broadcast
// CHECK: effk.kernel "linear"
// CHECK: effk.kernel "binary"
func.func @partial_broadcast(%x: tensor<2x4x8xf32>, %w: tensor<8x16xf32>, %m: tensor<2x1x16xf32>) -> tensor<2x4x16xf32> {
  %0 = eff.linear %x, %w : (tensor<2x4x8xf32>, tensor<8x16xf32>) -> tensor<2x4x16xf32>
  %1 = eff.binary add %0, %m : (tensor<2x4x16xf32>, tensor<2x1x16xf32>) -> tensor<2x4x16xf32>
  return %1 : tensor<2x4x16xf32>
}

// A small operand is not computed again for every element that it broadcasts to.
// CHECK-LABEL: func.func @no_recompute
// CHECK: effk.kernel "unary"
// CHECK: effk.kernel "binary"
func.func @no_recompute(%x: tensor<1x8xf32>, %y: tensor<64x8xf32>) -> tensor<64x8xf32> {
  %0 = eff.unary exp %x : (tensor<1x8xf32>) -> tensor<1x8xf32>
  %1 = eff.binary mul %y, %0 : (tensor<64x8xf32>, tensor<1x8xf32>) -> tensor<64x8xf32>
  return %1 : tensor<64x8xf32>
}

// Every returned value is a kernel's result of its own: arguments, views of them and values returned twice are copied.
// CHECK-LABEL: func.func @results
// CHECK: %[[U:.+]] = effk.kernel "unary"
// CHECK: %[[V:.+]] = effk.kernel "copy"(%[[U]])
// CHECK: %[[X:.+]] = effk.kernel "copy"(%arg0)
// CHECK: return %[[U]], %[[V]], %[[X]]
func.func @results(%x: tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>, tensor<4xf32>) {
  %0 = eff.unary exp %x : (tensor<4xf32>) -> tensor<4xf32>
  return %0, %0, %x : tensor<4xf32>, tensor<4xf32>, tensor<4xf32>
}

// What a contraction reads stays a buffer, even when a residual reads it too.
// CHECK-LABEL: func.func @residual
// CHECK: %[[Y:.+]] = effk.kernel "unary"
// CHECK: effk.kernel "linear"(%[[Y]]
// CHECK: eff.linear
// CHECK: eff.binary add
func.func @residual(%x: tensor<4x8xf32>, %w: tensor<8x8xf32>) -> tensor<4x8xf32> {
  %0 = eff.unary relu %x : (tensor<4x8xf32>) -> tensor<4x8xf32>
  %1 = eff.linear %0, %w : (tensor<4x8xf32>, tensor<8x8xf32>) -> tensor<4x8xf32>
  %2 = eff.binary add %0, %1 : (tensor<4x8xf32>, tensor<4x8xf32>) -> tensor<4x8xf32>
  return %2 : tensor<4x8xf32>
}

// Integer division may report an error: it is no epilogue of a tile.
// CHECK-LABEL: func.func @integer_division
// CHECK: effk.kernel "linear"
// CHECK: effk.kernel "binary"
func.func @integer_division(%x: tensor<4x8xf32>, %w: tensor<8x8xf32>, %d: tensor<8xi32>) -> tensor<4x8xi32> {
  %0 = eff.linear %x, %w : (tensor<4x8xf32>, tensor<8x8xf32>) -> tensor<4x8xf32>
  %1 = eff.convert %0 : (tensor<4x8xf32>) -> tensor<4x8xi32>
  %2 = eff.binary div %1, %d : (tensor<4x8xi32>, tensor<8xi32>) -> tensor<4x8xi32>
  return %2 : tensor<4x8xi32>
}

// What a run may have to repeat is never copied: every reader does it as it loads, and a product by itself.
// CHECK-LABEL: func.func @undecided_broadcasts
// CHECK: effk.kernel "unary"
// CHECK: eff.broadcast %{{.*}} : (tensor<?x8xf32, #eff.dims<s0, 8>>) -> tensor<?x8xf32, #eff.dims<s2, 8>>
// CHECK-NEXT: eff.unary abs
// CHECK: effk.kernel "softmax"
// CHECK: eff.broadcast
// CHECK-NEXT: eff.unary exp
// CHECK-NEXT: eff.softmax
// CHECK: effk.kernel "matmul"
// CHECK-NEXT: ^bb0
// CHECK-NEXT: eff.matmul {{.*}} : (tensor<?x8x8xf32, #eff.dims<s0, 8, 8>>, tensor<?x8x8xf32, #eff.dims<s1, 8, 8>>) -> tensor<?x8x8xf32, #eff.dims<s2, 8, 8>>
// CHECK-NOT: effk.kernel
// PLAIN-LABEL: func.func @undecided_broadcasts
func.func @undecided_broadcasts(%x: tensor<?x8xf32, #eff.dims<s0, 8>>, %a: tensor<?x8x8xf32, #eff.dims<s0, 8, 8>>,
                                %b: tensor<?x8x8xf32, #eff.dims<s1, 8, 8>>)
    -> (tensor<?x8xf32, #eff.dims<s2, 8>>, tensor<?x8xf32, #eff.dims<s2, 8>>, tensor<?x8x8xf32, #eff.dims<s2, 8, 8>>)
    attributes {eff.symbols = [#eff.symbol<"m", input 0, axis 0, in 1 to 9>, #eff.symbol<"n", input 2, axis 0, in 1 to 9>,
                               #eff.derived<"broadcast", <s0, s1>>]} {
  %0 = eff.broadcast %x : (tensor<?x8xf32, #eff.dims<s0, 8>>) -> tensor<?x8xf32, #eff.dims<s2, 8>>
  %1 = eff.unary abs %0 : (tensor<?x8xf32, #eff.dims<s2, 8>>) -> tensor<?x8xf32, #eff.dims<s2, 8>>
  %2 = eff.unary exp %0 : (tensor<?x8xf32, #eff.dims<s2, 8>>) -> tensor<?x8xf32, #eff.dims<s2, 8>>
  %3 = eff.softmax %2 axis 1 : (tensor<?x8xf32, #eff.dims<s2, 8>>) -> tensor<?x8xf32, #eff.dims<s2, 8>>
  %4 = eff.broadcast %a : (tensor<?x8x8xf32, #eff.dims<s0, 8, 8>>) -> tensor<?x8x8xf32, #eff.dims<s2, 8, 8>>
  %5 = eff.broadcast %b : (tensor<?x8x8xf32, #eff.dims<s1, 8, 8>>) -> tensor<?x8x8xf32, #eff.dims<s2, 8, 8>>
  %6 = eff.matmul %4, %5 : (tensor<?x8x8xf32, #eff.dims<s2, 8, 8>>, tensor<?x8x8xf32, #eff.dims<s2, 8, 8>>) -> tensor<?x8x8xf32, #eff.dims<s2, 8, 8>>
  return %1, %3, %6 : tensor<?x8xf32, #eff.dims<s2, 8>>, tensor<?x8xf32, #eff.dims<s2, 8>>, tensor<?x8x8xf32, #eff.dims<s2, 8, 8>>
}
