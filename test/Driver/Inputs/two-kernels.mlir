// y = 2 (2 x), by two kernels with a buffer between them, as Conversion leaves
// it. The constants named wrong_* move an access out of its buffer.
module attributes {eff.target = #eff.target<"v3", cpu = "x86-64-v3", features = "", vector 16 x 256, l1 32768, l2 262144>} {
  func.func @main(%x: tensor<12xf32> {eff.name = "x"}) -> (tensor<12xf32> {eff.name = "y"}) attributes {eff.checks = [], eff.symbols = []} {
    %t = effk.launch @k0(%x) dims <> sizes <12, 64, 12, 96, 100> {origin = "first"} : (tensor<12xf32>) -> tensor<12xf32>
    %y = effk.launch @k1(%t) dims <> sizes <12, 0, 12, 96, 100> {origin = "second"} : (tensor<12xf32>) -> tensor<12xf32>
    return %y : tensor<12xf32>
  }
  func.func @k0(%in: memref<?xf32>, %out: memref<?xf32>, %lo: index, %hi: index, %scratch: memref<?xi8>) attributes {effk.kernel, effk.results = 1 : i64} {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %wrong_input = arith.constant 0 : index
    %wrong_scratch = arith.constant 0 : index
    %copy = memref.view %scratch[%c0][] : memref<?xi8> to memref<16xf32>
    scf.for %i = %lo to %hi step %c1 {
      %j = arith.addi %i, %wrong_input : index
      %v = memref.load %in[%j] : memref<?xf32>
      %s = arith.addi %c0, %wrong_scratch : index
      memref.store %v, %copy[%s] : memref<16xf32>
      %u = memref.load %copy[%s] : memref<16xf32>
      %w = arith.addf %v, %u : f32
      memref.store %w, %out[%i] : memref<?xf32>
    }
    return
  }
  func.func @k1(%in: memref<?xf32>, %out: memref<?xf32>, %lo: index, %hi: index, %scratch: memref<?xi8>) attributes {effk.kernel, effk.results = 1 : i64} {
    %c1 = arith.constant 1 : index
    %wrong_arena = arith.constant 0 : index
    %wrong_output = arith.constant 0 : index
    scf.for %i = %lo to %hi step %c1 {
      %j = arith.addi %i, %wrong_arena : index
      %v = memref.load %in[%j] : memref<?xf32>
      %w = arith.addf %v, %v : f32
      %k = arith.addi %i, %wrong_output : index
      memref.store %w, %out[%k] : memref<?xf32>
    }
    return
  }
}
