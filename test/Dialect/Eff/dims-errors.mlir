// Every labelled constraint of #eff.dims as an encoding.
// RUN: effc-opt %s -verify-diagnostics -split-input-file

// dims_c1
// expected-error@below {{encoding has 1 dims, the tensor 2}}
func.func private @dims_c1(tensor<?x4xf32, #eff.dims<s0>>)

// -----

// dims_c2
// expected-error@below {{dim 5 of the encoding contradicts the tensor's shape}}
func.func private @dims_c2(tensor<?x4xf32, #eff.dims<s0, 5>>)

// -----

// dims_c2: a dynamic dim of a tensor has no constant.
// expected-error@below {{dim 3 of the encoding contradicts the tensor's shape}}
func.func private @dims_c2_dynamic(tensor<?x4xf32, #eff.dims<3, 4>>)
