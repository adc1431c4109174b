// RUN: effc-opt %s -effk-lower-kernel-abi -split-input-file -verify-diagnostics

// expected-error @below {{is a kernel and must have `effk.results`, no results and the arguments lo, hi and scratch}}
func.func @no_results_attribute(%lo: index, %hi: index, %scratch: memref<?xi8>) attributes {effk.kernel} {
  return
}

// -----

// expected-error @below {{is a kernel and must take flat memrefs, then an index a dim, lo, hi, then the scratch memref}}
func.func @matrix(%in: memref<?x?xf32>, %lo: index, %hi: index, %scratch: memref<?xi8>)
    attributes {effk.kernel, effk.results = 0 : i64} {
  return
}
