// Passes that find composite operations in graphs of primitive ones.
#ifndef EFFC_TRANSFORMS_RAISE_PASSES_TD
#define EFFC_TRANSFORMS_RAISE_PASSES_TD

include "mlir/Pass/PassBase.td"

def RaiseIntegerProducts : Pass<"eff-raise-integer-products", "::mlir::func::FuncOp"> {
  let summary = "Find products of bytes among those of 32-bit integers";
  let description = [{
    A product or convolution in i32 whose operands are bytes less a zero point, or constants of no wider range, becomes one of
    `ui8` by `i8` and corrections: the zero point of the activations times the sums of the weights goes into the bias, signed
    activations become unsigned by flipping their highest bit, and weights that reach beyond `i8` are shifted, which adds sums over
    the activations. Padded convolutions pad with the zero point; one that only the run knows is padded beforehand. Exact, with
    wraparound. What comes from bytes and stays has a remark that says why.

    ```mlir
    %1 = eff.convert %x : (tensor<2x64xui8>) -> tensor<2x64xi32>
    %2 = eff.binary sub %1, %zero : (tensor<2x64xi32>, tensor<i32>) -> tensor<2x64xi32>
    %y = eff.matmul %2, %w : (tensor<2x64xi32>, tensor<64x32xi32>) -> tensor<2x32xi32>
    // becomes
    %y = eff.linear %x, %bytes bias %b : (tensor<2x64xui8>, tensor<64x32xi8>, tensor<32xi32>) -> tensor<2x32xi32>
    ```
  }];
  let dependentDialects = ["::effc::eff::EffDialect"];
  let statistics = [
    Statistic<"numRaised", "num-raised", "Products that are of bytes now">,
    Statistic<"numDeclined", "num-declined", "Products from bytes that stay in i32">
  ];
}

def RaiseDequantized : Pass<"eff-raise-dequantized", "::mlir::func::FuncOp"> {
  let summary = "Multiply the integers of dequantised tensors";
  let description = [{
    A product or convolution of floats whose operands are dequantised integers of at most 8 bits, the weights constant, becomes
    the product of the integers, scaled behind the sum: the form of QDQ models. The input has one scale, the weights have one for all or
    one for each output, and sums fit into 32 bits. Differs from the model by less than the rounding of its float sums. Maxima of windows and
    concatenations of bytes with one scale and zero point move before the dequantisation, which is exact, so that products behind them see it. Run before
    eff-fold-constants, which would make floats of the weights; eff-raise-integer-products finds the bytes.

    ```mlir
    %1 = eff.convert %q : (tensor<5x64xi32>) -> tensor<5x64xf32>
    %x = eff.binary mul %1, %sx : (tensor<5x64xf32>, tensor<f32>) -> tensor<5x64xf32>
    %2 = eff.convert %p : (tensor<64x32xi32>) -> tensor<64x32xf32>
    %w = eff.binary mul %2, %sw : (tensor<64x32xf32>, tensor<32xf32>) -> tensor<64x32xf32>
    %y = eff.matmul %x, %w : (tensor<5x64xf32>, tensor<64x32xf32>) -> tensor<5x32xf32>
    // becomes
    %1 = eff.matmul %q, %p : (tensor<5x64xi32>, tensor<64x32xi32>) -> tensor<5x32xi32>
    %2 = eff.binary mul %sx, %sw : (tensor<f32>, tensor<32xf32>) -> tensor<32xf32>
    %3 = eff.convert %1 : (tensor<5x32xi32>) -> tensor<5x32xf32>
    %y = eff.binary mul %3, %2 : (tensor<5x32xf32>, tensor<32xf32>) -> tensor<5x32xf32>
    ```
  }];
  let dependentDialects = ["::effc::eff::EffDialect"];
  let statistics = [
    Statistic<"numSunk", "num-sunk", "Maxima and concatenations that are of bytes now">,
    Statistic<"numRaised", "num-raised", "Products that are of integers now">,
    Statistic<"numDeclined", "num-declined", "Products of dequantised tensors that stay in f32">
  ];
}

def RaiseActivations : Pass<"eff-raise-activations", "::mlir::func::FuncOp"> {
  let summary = "Find GELU, SiLU, hard swish and Mish written out";
  let description = [{
    An activation is its anchor (erf, tanh, sigmoid, ...) between arithmetic that must be the ideal polynomial in x below
    it and the ideal one in x and the anchor above it, so all spellings of exporters are one case. Constants may be off by 1e-3
    (relative), and no intermediate value may have another use. Exact up to rounding.

    ```mlir
    %1 = eff.unary sigmoid %x : (tensor<4xf32>) -> tensor<4xf32>
    %y = eff.binary mul %x, %1 : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
    // becomes
    %y = eff.unary silu %x : (tensor<4xf32>) -> tensor<4xf32>
    ```
  }];
  let dependentDialects = ["::effc::eff::EffDialect"];
  let statistics = [Statistic<"numRaised", "num-raised", "Activations raised">];
}

def RaiseNorms : Pass<"eff-raise-norms", "::mlir::func::FuncOp"> {
  let summary = "Find layer, RMS and group norms written out";
  let description = [{
    `(x - mean) / sqrt(mean((x - mean)^2) + eps)` over the last dims, but not over all of several, becomes `eff.layer_norm`;
    without the mean `eff.rms_norm`; reshape, instance norm, reshape becomes `eff.group_norm`. A product and a sum with
    parameters of the normalised dims become scale and bias; `x * k + (b - mean * k)` of TensorFlow is known too. No
    intermediate value may have another use. Exact up to rounding.

    ```mlir
    %1 = eff.binary mul %x, %x : (tensor<2x4xf32>, tensor<2x4xf32>) -> tensor<2x4xf32>
    %2 = eff.reduce mean %1 [1] : (tensor<2x4xf32>) -> tensor<2x1xf32>
    %3 = eff.binary add %2, %eps : (tensor<2x1xf32>, tensor<f32>) -> tensor<2x1xf32>
    %4 = eff.unary sqrt %3 : (tensor<2x1xf32>) -> tensor<2x1xf32>
    %y = eff.binary div %x, %4 : (tensor<2x4xf32>, tensor<2x1xf32>) -> tensor<2x4xf32>
    // becomes
    %y = eff.rms_norm %x axis 1 {epsilon = 1.0e-5 : f64} : (tensor<2x4xf32>) -> tensor<2x4xf32>
    ```
  }];
  let dependentDialects = ["::effc::eff::EffDialect"];
  let statistics = [Statistic<"numRaised", "num-raised", "Norms raised">];
}

def RaiseSoftmax : Pass<"eff-raise-softmax", "::mlir::func::FuncOp"> {
  let summary = "Find softmax written out";
  let description = [{
    `exp(x - max(x)) / sum(exp(x - max(x)))` over the last dim, which the reductions keep or a reshape puts back, becomes
    `eff.softmax`. No intermediate value may have another use. Exact up to rounding.

    ```mlir
    %1 = eff.reduce max %x [1] : (tensor<2x4xf32>) -> tensor<2x1xf32>
    %2 = eff.binary sub %x, %1 : (tensor<2x4xf32>, tensor<2x1xf32>) -> tensor<2x4xf32>
    %3 = eff.unary exp %2 : (tensor<2x4xf32>) -> tensor<2x4xf32>
    %4 = eff.reduce sum %3 [1] : (tensor<2x4xf32>) -> tensor<2x1xf32>
    %y = eff.binary div %3, %4 : (tensor<2x4xf32>, tensor<2x1xf32>) -> tensor<2x4xf32>
    // becomes
    %y = eff.softmax %x axis 1 : (tensor<2x4xf32>) -> tensor<2x4xf32>
    ```
  }];
  let dependentDialects = ["::effc::eff::EffDialect"];
  let statistics = [Statistic<"numRaised", "num-raised", "Softmaxes raised">];
}

def RaiseRope : Pass<"eff-raise-rope", "::mlir::func::FuncOp"> {
  let summary = "Find rotary embeddings written out";
  let description = [{
    `x * cos + concat(-x_hi, x_lo) * sin` becomes `eff.rope` when both tables provably repeat their first half; what computes
    a table is copied for half rows. Halves or pairs that are rotated apart and put together again are raised too. Exact up to
    rounding.

    ```mlir
    %1 = eff.binary mul %x, %cos : (tensor<3x4xf32>, tensor<3x4xf32>) -> tensor<3x4xf32>
    %2 = eff.slice %x <0, 0> by [1, 1] : (tensor<3x4xf32>) -> tensor<3x2xf32>
    %3 = eff.slice %x <0, 2> by [1, 1] : (tensor<3x4xf32>) -> tensor<3x2xf32>
    %4 = eff.unary neg %3 : (tensor<3x2xf32>) -> tensor<3x2xf32>
    %5 = eff.concat %4, %2 axis 1 : (tensor<3x2xf32>, tensor<3x2xf32>) -> tensor<3x4xf32>
    %6 = eff.binary mul %5, %sin : (tensor<3x4xf32>, tensor<3x4xf32>) -> tensor<3x4xf32>
    %y = eff.binary add %1, %6 : (tensor<3x4xf32>, tensor<3x4xf32>) -> tensor<3x4xf32>
    // becomes
    %y = eff.rope %x cos %halfCos sin %halfSin : (tensor<3x4xf32>, tensor<3x2xf32>, tensor<3x2xf32>) -> tensor<3x4xf32>
    ```
  }];
  let dependentDialects = ["::effc::eff::EffDialect"];
  let statistics = [Statistic<"numRaised", "num-raised", "Rotations raised">];
}

def RaiseAttention : Pass<"eff-raise-attention", "::mlir::func::FuncOp"> {
  let summary = "Find attention written out";
  let description = [{
    Product of queries and keys, scale (also on the queries or keys), soft cap, masks, softmax and product with the values
    become `eff.attention`. Masks may be added, subtracted or chosen by a condition; a condition that is provably `key <= query + (keys - queries)`,
    from comparisons of positions or slices of a constant triangle, becomes `causal` when keys cannot be fewer than queries and what it fills in is at most -1e30 or is the only mask. A select that turns NaN rows into zeros becomes
    `zero_masked_rows`. Groups that are repeated for heads are taken as they are, and when queries, keys and values are
    transposes of [B, S, H, D] the op takes them with `heads_last`. Run after eff-raise-softmax and eff-raise-rope.

    Exact up to rounding, but for rows that a causal mask and a finite second mask exclude together entirely.

    ```mlir
    %1 = eff.matmul %q, %k {transpose_b = true} : (tensor<1x2x3x4xf32>, tensor<1x2x3x4xf32>) -> tensor<1x2x3x3xf32>
    %2 = eff.softmax %1 axis 3 : (tensor<1x2x3x3xf32>) -> tensor<1x2x3x3xf32>
    %y = eff.matmul %2, %v : (tensor<1x2x3x3xf32>, tensor<1x2x3x4xf32>) -> tensor<1x2x3x4xf32>
    // becomes
    %y = eff.attention %q, %k, %v scale 1.0 : (tensor<1x2x3x4xf32>, tensor<1x2x3x4xf32>, tensor<1x2x3x4xf32>) -> tensor<1x2x3x4xf32>
    ```
  }];
  let dependentDialects = ["::effc::eff::EffDialect"];
  let statistics = [Statistic<"numRaised", "num-raised", "Attentions raised">];
}

#endif // EFFC_TRANSFORMS_RAISE_PASSES_TD
