// Passes from eff to eff.
#ifndef EFFC_TRANSFORMS_PASSES_TD
#define EFFC_TRANSFORMS_PASSES_TD

include "mlir/Pass/PassBase.td"

//===----------------------------------------------------------------------===//
// Normalize: one form for what exporters write in many
//===----------------------------------------------------------------------===//

def CanonicalizeModel : Pass<"eff-canonicalize-model", "::mlir::func::FuncOp"> {
  let summary = "Bring a model into the form that later passes match";
  let description = [{
    Constants move to the right of commutative operations; subtraction and division by a constant become addition and
    multiplication; powers of 2, 0.5 and -1 become multiplications, roots and reciprocals; minima and maxima with a constant
    become relu or clip; transposes, reshapes, converts and broadcasts compose, go into products or go away; a product with a constant matrix becomes
    `eff.linear`. Factors and addends for each channel behind a convolution or linear go into weights and
    bias, which covers batch normalisation, and zero padding in front of a convolution into its pads.

    Nearly exact: reciprocals of constants and scaled weights round once more. `--plain` leaves the pass out.

    ```mlir
    %0 = eff.binary div %x, %eight : (tensor<4xf32>, tensor<f32>) -> tensor<4xf32>
    // becomes
    %0 = eff.binary mul %x, %eighth : (tensor<4xf32>, tensor<f32>) -> tensor<4xf32>
    ```
  }];
  let dependentDialects = ["::effc::eff::EffDialect"];
  let statistics = [
    Statistic<"numRewrites", "num-rewrites", "Operations replaced by others">
  ];
}

#endif // EFFC_TRANSFORMS_PASSES_TD
