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

def PropagateLayout : Pass<"eff-propagate-layout", "::mlir::func::FuncOp"> {
  let summary = "Run convolutions with channels last";
  let description = [{
    Rebuilds every convolution with `channels_last`, and what is around it on permuted dims: elementwise
    operations, pools, group normalisations, resizes, reductions, concatenations, slices, pads, reshapes and transposes. Transposes
    stay only where an operation needs the original order, typically one at the input and one before a dense layer;
    those that move only dims of extent 1 are reshapes. Operands that are constants get a transpose for
    eff-fold-constants. Does nothing in a function without convolutions. Exact; `--plain` leaves it out.

    ```mlir
    %0 = eff.conv %x, %w {...} : (tensor<1x3x8x8xf32>, tensor<4x3x1x1xf32>) -> tensor<1x4x8x8xf32>
    %1 = eff.unary relu %0 : (tensor<1x4x8x8xf32>) -> tensor<1x4x8x8xf32>
    // becomes
    %t = eff.transpose %x [0, 2, 3, 1] : (tensor<1x3x8x8xf32>) -> tensor<1x8x8x3xf32>
    %0 = eff.conv %t, %w {..., channels_last = true} : (tensor<1x8x8x3xf32>, tensor<4x3x1x1xf32>) -> tensor<1x8x8x4xf32>
    %1 = eff.unary relu %0 : (tensor<1x8x8x4xf32>) -> tensor<1x8x8x4xf32>
    %2 = eff.transpose %1 [0, 3, 1, 2] : (tensor<1x8x8x4xf32>) -> tensor<1x4x8x8xf32>
    ```
  }];
  let dependentDialects = ["::effc::eff::EffDialect"];
  let statistics = [
    Statistic<"numRewritten", "num-rewritten", "Operations rebuilt on permuted dims">,
    Statistic<"numTransposes", "num-transposes", "Transposes in the function afterwards">
  ];
}

#endif // EFFC_TRANSFORMS_PASSES_TD
