// Passes from eff to eff.
#ifndef EFFC_TRANSFORMS_PASSES_TD
#define EFFC_TRANSFORMS_PASSES_TD

include "mlir/Pass/PassBase.td"

//===----------------------------------------------------------------------===//
// Normalize: one form for what exporters write in many
//===----------------------------------------------------------------------===//

def SubstituteSizes : Pass<"eff-substitute-sizes", "::mlir::func::FuncOp"> {
  let summary = "Use one name for sizes that checks make equal";
  let description = [{
    A derived size that a check of the function compares with another size is replaced by that size everywhere but in
    the symbols and checks themselves, and so is a minimum that such a check proves to be one of its operands. Exact: where
    the check fails nothing runs.

    ```mlir
    // s1 = min(s0, 1024), with a check that s0 equals s1
    %y = eff.softmax %x axis 1 : (tensor<?x?xf32, #eff.dims<s0, s1>>) -> tensor<?x?xf32, #eff.dims<s0, s1>>
    // becomes
    %y = eff.softmax %x axis 1 : (tensor<?x?xf32, #eff.dims<s0, s0>>) -> tensor<?x?xf32, #eff.dims<s0, s0>>
    ```
  }];
  let dependentDialects = ["::effc::eff::EffDialect"];
  let statistics = [
    Statistic<"numSubstituted", "num-substituted", "Sizes replaced by others">
  ];
}

def CanonicalizeModel : Pass<"eff-canonicalize-model", "::mlir::func::FuncOp"> {
  let summary = "Bring a model into the form that later passes match";
  let description = [{
    Constants move to the right of commutative operations; subtraction of a constant and division by a power of two become addition and
    multiplication; powers of 2, 0.5 and -1 become multiplications, roots and reciprocals; minima and maxima with a constant
    become relu or clip; transposes, reshapes, converts and broadcasts compose, go into products or go away; a product with a constant matrix becomes
    `eff.linear`. Factors and addends for each channel behind a convolution or linear go into weights and
    bias, which covers batch normalisation, and zero padding in front of a convolution into its pads. Transposed convolutions with
    constant weights and spatial sizes become convolutions whose channels are interleaved.

    Nearly exact: scaled weights and biases round once more. `--plain` leaves the pass out.

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

def PadMaps : Pass<"eff-pad-maps", "::mlir::func::FuncOp"> {
  let summary = "Pad maps that registers of AMX would gather";
  let description = [{
    A convolution of bf16 or bytes that AMX multiplies reads a padded copy of its map where that takes less time than gathering the
    rows beside the border, and where a tap has few channels that are no whole steps: these are filled up, with weights of zero.
    Exact: taps outside count as what is padded with.

    ```mlir
    %y = eff.conv %x, %w {pads = array<i64: 1, 1, 1, 1>, ...} : (tensor<1x14x14x3xbf16>, tensor<64x3x3x3xbf16>) -> tensor<1x14x14x64xf32>
    // becomes
    %p = eff.pad constant %x [0, 1, 1, 0] : (tensor<1x14x14x3xbf16>) -> tensor<1x16x16x4xbf16>
    %v = eff.pad constant %w [0, 0, 0, 0] : (tensor<64x3x3x3xbf16>) -> tensor<64x4x3x3xbf16>
    %y = eff.conv %p, %v {pads = array<i64: 0, 0, 0, 0>, ...} : (tensor<1x16x16x4xbf16>, tensor<64x4x3x3xbf16>) -> tensor<1x14x14x64xf32>
    ```
  }];
  let dependentDialects = ["::effc::eff::EffDialect"];
  let statistics = [Statistic<"numPadded", "num-padded", "Maps that are copied">];
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

def FoldConstants : Pass<"eff-fold-constants", "::mlir::func::FuncOp"> {
  let summary = "Compute what does not depend on inputs";
  let description = [{
    Evaluates elementwise operations and movements of constants. Splats stay splats, reshapes share the
    operand's data, and results above `max-bytes` or much larger than their operands are left to run time; conversions of
    weights have no limit. The transpose of a matrix that only products read stays: they read it either way round. Floats
    are computed in double and rounded once.

    ```mlir
    %c = eff.constant dense<[1.0, 4.0]> : tensor<2xf32>
    %0 = eff.unary sqrt %c : (tensor<2xf32>) -> tensor<2xf32>
    // becomes
    %0 = eff.constant dense<[1.0, 2.0]> : tensor<2xf32>
    ```
  }];
  let dependentDialects = ["::effc::eff::EffDialect"];
  let options = [
    Option<"maxBytes", "max-bytes", "int64_t", "67108864", "Largest result that is computed, in bytes">
  ];
  let statistics = [Statistic<"numFolded", "num-folded", "Operations that became constants">];
}

def ConvertFloat : Pass<"eff-convert-float", "::mlir::func::FuncOp"> {
  let summary = "Compute with another float type";
  let description = [{
    Gives every tensor of a float type in `from` the type `to`. The function's arguments and results keep theirs and are converted
    at the border; constants are converted by operations for eff-fold-constants. To a wider type results change only by rounding
    less; to a narrower one the pass is lossy.

    ```mlir
    // to=f32 from=f16
    func.func @f(%x: tensor<4xf16>) -> tensor<4xf16> {
      %0 = eff.unary exp %x : (tensor<4xf16>) -> tensor<4xf16>
    // becomes
      %0 = eff.convert %x : (tensor<4xf16>) -> tensor<4xf32>
      %1 = eff.unary exp %0 : (tensor<4xf32>) -> tensor<4xf32>
      %2 = eff.convert %1 : (tensor<4xf32>) -> tensor<4xf16>
    ```
  }];
  let dependentDialects = ["::effc::eff::EffDialect"];
  let options = [
    Option<"to", "to", "std::string", "\"f32\"", "Float type to compute with: f16, bf16, f32 or f64">,
    ListOption<"from", "from", "std::string", "Float types to replace">
  ];
  let statistics = [Statistic<"numConverted", "num-converted", "Values that changed their type">];
}

#endif // EFFC_TRANSFORMS_PASSES_TD
