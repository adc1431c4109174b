// Normalisations and softmax.

def Eff_SoftmaxOp : Eff_InferOp<"softmax", [DeclareOpInterfaceMethods<Eff_CostOpInterface, ["getFlops"]>]> {
  let summary = "Softmax, or its logarithm, along one axis";
  let arguments = (ins AnyRankedTensor:$x, I64Attr:$axis, DefaultValuedAttr<BoolAttr, "false">:$log);
  let results = (outs AnyRankedTensor:$y);
  let assemblyFormat = "$x `axis` $axis attr-dict `:` functional-type(operands, results)";
  let hasVerifier = 1;
}

def Eff_LayerNormOp : Eff_InferOp<"layer_norm", [AttrSizedOperandSegments, DeclareOpInterfaceMethods<Eff_CostOpInterface, ["getFlops"]>]> {
  let summary = "Normalises to zero mean and unit variance over the dims from `axis` on";
  let description = [{
    y = (x - mean) / sqrt(variance + epsilon) * scale + bias (ONNX LayerNormalization-17). `scale` and `bias` broadcast to x.
  }];
  let arguments = (ins AnyRankedTensor:$x, Optional<AnyRankedTensor>:$scale, Optional<AnyRankedTensor>:$bias,
                       I64Attr:$axis, F64Attr:$epsilon);
  let results = (outs AnyRankedTensor:$y);
  let assemblyFormat = "$x (`scale` $scale^)? (`bias` $bias^)? `axis` $axis attr-dict `:` functional-type(operands, results)";
  let hasVerifier = 1;
}

def Eff_RMSNormOp : Eff_InferOp<"rms_norm", [DeclareOpInterfaceMethods<Eff_CostOpInterface, ["getFlops"]>]> {
  let summary = "Divides by the root of the mean square over the dims from `axis` on";
  let description = [{ y = x / sqrt(mean(x^2) + epsilon) * scale (ONNX RMSNormalization-23). }];
  let arguments = (ins AnyRankedTensor:$x, Optional<AnyRankedTensor>:$scale, I64Attr:$axis, F64Attr:$epsilon);
  let results = (outs AnyRankedTensor:$y);
  let assemblyFormat = "$x (`scale` $scale^)? `axis` $axis attr-dict `:` functional-type(operands, results)";
  let hasVerifier = 1;
}

def Eff_GroupNormOp : Eff_InferOp<"group_norm", [AttrSizedOperandSegments, DeclareOpInterfaceMethods<Eff_CostOpInterface, ["getFlops"]>]> {
  let summary = "Normalises each of `groups` channel groups of each sample";
  let description = [{
    `x` is [N, C, spatial...], or [N, spatial..., C] with `channels_last`; `scale` and `bias` are [C]. Instance
    normalisation has groups = C (ONNX GroupNormalization-21, InstanceNormalization-6).
  }];
  let arguments = (ins AnyRankedTensor:$x, Optional<AnyRankedTensor>:$scale, Optional<AnyRankedTensor>:$bias,
                       I64Attr:$groups, F64Attr:$epsilon, DefaultValuedAttr<BoolAttr, "false">:$channels_last);
  let results = (outs AnyRankedTensor:$y);
  let assemblyFormat = "$x (`scale` $scale^)? (`bias` $bias^)? `groups` $groups attr-dict `:` functional-type(operands, results)";
  let hasVerifier = 1;
}
