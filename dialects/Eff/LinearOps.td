// Contractions: matrix products and convolutions.

// Elements of 8 bits, signed or not and also one of each, may be summed in i32, and bf16 in f32: the result's element type says so.
// Mixed signs have no other result. Sums of integers wrap around.
class Eff_ContractionOp<string mnemonic>
    : Eff_Op<mnemonic, [DeclareOpInterfaceMethods<InferTypeOpInterface>,
                        DeclareOpInterfaceMethods<Eff_CostOpInterface, ["getFlops"]>]> {
  let extraClassDeclaration = [{
    static bool isCompatibleReturnTypes(::mlir::TypeRange inferred, ::mlir::TypeRange actual) {
      return ::effc::eff::areCompatibleSums(inferred, actual);
    }
  }];
}

def Eff_MatmulOp : Eff_ContractionOp<"matmul"> {
  let summary = "Matrix product of two tensors with broadcast leading dims";
  let description = [{
    As numpy.matmul for ranks of at least 2; `transpose_a` and `transpose_b` swap the last two dims
    of an operand first. Integer elements accumulate in the result's type with wraparound; f16 and
    bf16 accumulate in f32. The result has the operands' element type, or i32 for 8-bit integers of either sign, or f32 for
    bf16.
  }];
  let arguments = (ins AnyRankedTensor:$a, AnyRankedTensor:$b,
                       DefaultValuedAttr<BoolAttr, "false">:$transpose_a,
                       DefaultValuedAttr<BoolAttr, "false">:$transpose_b);
  let results = (outs AnyRankedTensor:$y);
  let assemblyFormat = "$a `,` $b attr-dict `:` functional-type(operands, results)";
  let hasVerifier = 1;
}

def Eff_LinearOp : Eff_ContractionOp<"linear"> {
  let summary = "Product with a constant matrix, plus an optional bias";
  let description = [{
    `x` is [..., K]; `weight` is a constant [K, N], or [N, K] with `transpose_weight`; `bias` is [N].
    The result is [..., N]. Element types are as for eff.matmul; the bias has the result's.
  }];
  let arguments = (ins AnyRankedTensor:$x, AnyRankedTensor:$weight, Optional<AnyRankedTensor>:$bias,
                       DefaultValuedAttr<BoolAttr, "false">:$transpose_weight);
  let results = (outs AnyRankedTensor:$y);
  let assemblyFormat = "$x `,` $weight (`bias` $bias^)? attr-dict `:` functional-type(operands, results)";
  let hasVerifier = 1;
}

def Eff_BlockLinearOp : Eff_Op<"block_linear", [DeclareOpInterfaceMethods<InferTypeOpInterface>,
                                                DeclareOpInterfaceMethods<Eff_CostOpInterface, ["getFlops"]>]> {
  let summary = "Product with a constant matrix of small integers that have a scale for each block";
  let description = [{
    `x` is [..., K] of floats, `weight` a constant [N, K] of ui2, ui3, ui4 or ui8, `scales` and `zeros` are [N, K / block] of floats;
    `block` divides K. Element (n, k) of the matrix is `(weight - zero) * scale` of its block, where no `zeros` are the middle: 2, 4, 8 or
    128. With a `codebook`, of as many numbers as the weight can count, it is `codebook[weight] * scale` (NF4: Dettmers et al., "QLoRA",
    arXiv 2305.14314). Sums are f32, f64 for an `x` of f64. `bytes` allows to round each block of `x` to a scale times integers from -127 to
    127. The result is [..., N].
  }];
  let arguments = (ins AnyRankedTensor:$x, AnyRankedTensor:$weight, AnyRankedTensor:$scales,
                       Optional<AnyRankedTensor>:$zeros, I64Attr:$block, UnitAttr:$bytes,
                       OptionalAttr<DenseF32ArrayAttr>:$codebook);
  let results = (outs AnyRankedTensor:$y);
  let assemblyFormat = [{ $x `,` $weight `scales` $scales (`zeros` $zeros^)? `block` $block (`codebook` $codebook^)? attr-dict `:`
    functional-type(operands, results) }];
  let extraClassDeclaration = [{
    static bool isCompatibleReturnTypes(::mlir::TypeRange inferred, ::mlir::TypeRange actual) {
      return ::effc::eff::areCompatibleTypes(inferred, actual);
    }
    /// What weights without zeros are centred by.
    int64_t getMiddle();
  }];
  let hasVerifier = 1;
}

def Eff_ConvOp : Eff_ContractionOp<"conv"> {
  let summary = "Convolution with 1 to 3 spatial dims";
  let description = [{
    `x` is [N, C, spatial...], or [N, spatial..., C] with `channels_last`; `weight` is always
    [OC, C / groups, kernel...]. `pads` holds the begin of every spatial dim, then the ends (ONNX).
    What lies in them is `pad_value`, which may differ from 0 where elements are integers: the zero point of a quantised `x`.
    Element types are as for eff.matmul, floats or i32 of the result; the bias has the result's.
  }];
  let arguments = (ins AnyRankedTensor:$x, AnyRankedTensor:$weight, Optional<AnyRankedTensor>:$bias,
                       DenseI64ArrayAttr:$strides, DenseI64ArrayAttr:$dilations,
                       DenseI64ArrayAttr:$pads, DefaultValuedAttr<I64Attr, "1">:$groups,
                       DefaultValuedAttr<BoolAttr, "false">:$channels_last,
                       DefaultValuedAttr<I64Attr, "0">:$pad_value);
  let results = (outs AnyRankedTensor:$y);
  let assemblyFormat = "$x `,` $weight (`bias` $bias^)? attr-dict `:` functional-type(operands, results)";
  let hasVerifier = 1;
}

def Eff_ConvTransposeOp : Eff_InferOp<"conv_transpose", [DeclareOpInterfaceMethods<Eff_CostOpInterface, ["getFlops"]>]> {
  let summary = "Transposed convolution with 1 to 3 spatial dims";
  let description = [{ `weight` is [C, OC / groups, kernel...]; attributes as in ONNX ConvTranspose with explicit pads. }];
  let arguments = (ins AnyRankedTensor:$x, AnyRankedTensor:$weight, Optional<AnyRankedTensor>:$bias,
                       DenseI64ArrayAttr:$strides, DenseI64ArrayAttr:$dilations,
                       DenseI64ArrayAttr:$pads, DenseI64ArrayAttr:$output_padding,
                       DefaultValuedAttr<I64Attr, "1">:$groups);
  let results = (outs AnyRankedTensor:$y);
  let assemblyFormat = "$x `,` $weight (`bias` $bias^)? attr-dict `:` functional-type(operands, results)";
  let hasVerifier = 1;
}
