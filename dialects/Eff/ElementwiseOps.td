// Arithmetic and activations, with multidirectional broadcasting.

class Eff_ElementwiseOp<string mnemonic>
    : Eff_InferOp<mnemonic, [Eff_CostOpInterface, Eff_ElementwiseOpInterface]>;

def Eff_UnaryOp : Eff_ElementwiseOp<"unary"> {
  let summary = "Elementwise function of one tensor";
  let description = [{
    `alpha` and `beta` are the attributes of ONNX's operator where it has them (LeakyRelu, Elu,
    HardSigmoid, ...); for `clip` they are the lower and upper bound, for `selu` beta is ONNX's gamma. `isnan`, `isinf` and `not`
    give `i1`; for `isinf`, alpha and beta are 1 where negative, positive infinity counts.

    ```mlir
    %y = eff.unary relu %x : (tensor<4xf32>) -> tensor<4xf32>
    ```
  }];
  let arguments = (ins Eff_UnaryKindAttr:$kind, AnyRankedTensor:$x,
                       OptionalAttr<F64Attr>:$alpha, OptionalAttr<F64Attr>:$beta);
  let results = (outs AnyRankedTensor:$y);
  let assemblyFormat = "$kind $x attr-dict `:` functional-type(operands, results)";
  let hasFolder = 1;
  let hasVerifier = 1;
  let builders = [OpBuilder<(ins "UnaryKind":$kind, "::mlir::Value":$x), [{
    build($_builder, $_state, kind, x, /*alpha=*/::mlir::FloatAttr(), /*beta=*/::mlir::FloatAttr());
  }]>];
}

def Eff_BinaryOp : Eff_ElementwiseOp<"binary"> {
  let summary = "Elementwise function of two tensors of one element type";
  let description = [{
    Integer `div` truncates towards zero; `mod` takes the sign of the divisor and `fmod` of the
    dividend (ONNX Mod). `prelu` scales negative elements of `a` by `b`. `pow` may have an exponent
    of another element type.
  }];
  let arguments = (ins Eff_BinaryKindAttr:$kind, AnyRankedTensor:$a, AnyRankedTensor:$b);
  let results = (outs AnyRankedTensor:$y);
  let assemblyFormat = "$kind $a `,` $b attr-dict `:` functional-type(operands, results)";
  let hasFolder = 1;
  let hasVerifier = 1;
}

def Eff_CompareOp : Eff_ElementwiseOp<"compare"> {
  let summary = "Elementwise predicate of two tensors of one element type";
  let arguments = (ins Eff_CompareKindAttr:$kind, AnyRankedTensor:$a, AnyRankedTensor:$b);
  let results = (outs AnyRankedTensor:$y);
  let assemblyFormat = "$kind $a `,` $b attr-dict `:` functional-type(operands, results)";
  let hasVerifier = 1;
}

def Eff_SelectOp : Eff_ElementwiseOp<"select"> {
  let summary = "Elements of `a` where `condition` holds, else of `b`";
  let arguments = (ins AnyRankedTensor:$condition, AnyRankedTensor:$a, AnyRankedTensor:$b);
  let results = (outs AnyRankedTensor:$y);
  let assemblyFormat = "$condition `,` $a `,` $b attr-dict `:` functional-type(operands, results)";
  let hasVerifier = 1;
}

def Eff_ConvertOp : Eff_Op<"convert", [Eff_CostOpInterface, Eff_ElementwiseOpInterface]> {
  let summary = "Converts the element type";
  let description = [{
    Float to integer truncates towards zero and saturates at the range of the result (NaN gives
    0), except that integers of 4 and 2 bits keep the low bits of the saturated `i32`; to bool it
    tests for non-zero. Integers wrap. Floats round to nearest even.

    Floats of 8 bits follow the tables of ONNX Cast: `saturate` says whether a number out of range
    becomes the largest one, or infinity or NaN. `round` is for `f8E8M0FNU` only, where ties go up. `f4E2M1FN` always saturates;
    it has no NaN, which becomes -0.
  }];
  let arguments = (ins AnyRankedTensor:$x, DefaultValuedAttr<BoolAttr, "true">:$saturate,
                       DefaultValuedAttr<Eff_RoundModeAttr, "::effc::eff::RoundMode::Nearest">:$round);
  let results = (outs AnyRankedTensor:$y);
  let assemblyFormat = "$x attr-dict `:` functional-type(operands, results)";
  let hasFolder = 1;
  let hasVerifier = 1;
  let builders = [OpBuilder<(ins "::mlir::Value":$x, "::mlir::Type":$elementType), [{
    auto type = ::llvm::cast<::mlir::RankedTensorType>(x.getType());
    build($_builder, $_state, type.clone(elementType), x);
  }]>];
}

def Eff_BitcastOp : Eff_Op<"bitcast", [Eff_CostOpInterface, Eff_ElementwiseOpInterface]> {
  let summary = "The bits of each element as another type of the same width";
  let description = [{
    A bool counts as eight bits, 0 or 1; bits that make no bool or no integer of fewer than eight bits are reduced to one.
  }];
  let arguments = (ins AnyRankedTensor:$x);
  let results = (outs AnyRankedTensor:$y);
  let assemblyFormat = "$x attr-dict `:` functional-type(operands, results)";
  let hasFolder = 1;
  let hasVerifier = 1;
}
