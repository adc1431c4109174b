// Reductions, scans and selections along axes.

def Eff_ReduceOp : Eff_InferOp<"reduce", [DeclareOpInterfaceMethods<Eff_CostOpInterface, ["getFlops"]>]> {
  let summary = "Reduces axes (ONNX Reduce*)";
  let description = [{
    Axes are sorted and not negative. Over no element, `sum` gives 0, `prod` 1, `max` -inf or the lowest
    integer, `min` +inf or the highest. f16 and bf16 accumulate in f32.
  }];
  let arguments = (ins Eff_ReduceKindAttr:$kind, AnyRankedTensor:$x, DenseI64ArrayAttr:$axes,
                       DefaultValuedAttr<BoolAttr, "true">:$keepdims);
  let results = (outs AnyRankedTensor:$y);
  let assemblyFormat = "$kind $x $axes attr-dict `:` functional-type(operands, results)";
  let hasFolder = 1;
  let hasVerifier = 1;
}

def Eff_ArgReduceOp : Eff_InferOp<"arg_reduce", [DeclareOpInterfaceMethods<Eff_CostOpInterface, ["getFlops"]>]> {
  let summary = "Index (i64) of the largest or smallest element along an axis (ONNX ArgMax, ArgMin)";
  let description = [{ `kind` is `max` or `min`. Ties give the first index, or the last with `select_last`. }];
  let arguments = (ins Eff_ReduceKindAttr:$kind, AnyRankedTensor:$x, I64Attr:$axis,
                       DefaultValuedAttr<BoolAttr, "true">:$keepdims,
                       DefaultValuedAttr<BoolAttr, "false">:$select_last);
  let results = (outs AnyRankedTensor:$y);
  let assemblyFormat = "$kind $x `axis` $axis attr-dict `:` functional-type(operands, results)";
  let hasVerifier = 1;
}

def Eff_ScanOp : Eff_InferOp<"scan", [Eff_CostOpInterface]> {
  let summary = "Running sum or product along an axis (ONNX CumSum, CumProd)";
  let description = [{ `kind` is `sum` or `prod`. }];
  let arguments = (ins Eff_ReduceKindAttr:$kind, AnyRankedTensor:$x, I64Attr:$axis,
                       DefaultValuedAttr<BoolAttr, "false">:$exclusive,
                       DefaultValuedAttr<BoolAttr, "false">:$reverse);
  let results = (outs AnyRankedTensor:$y);
  let assemblyFormat = "$kind $x `axis` $axis attr-dict `:` functional-type(operands, results)";
  let hasVerifier = 1;
}

def Eff_TopKOp : Eff_Op<"topk", [Eff_CostOpInterface]> {
  let summary = "The k largest or smallest elements along an axis, sorted, and their indices (ONNX TopK)";
  let description = [{ Equal elements come in the order of their indices; k is the extent of the results' axis. }];
  let arguments = (ins AnyRankedTensor:$x, I64Attr:$axis, DefaultValuedAttr<BoolAttr, "true">:$largest);
  let results = (outs AnyRankedTensor:$values, AnyRankedTensor:$indices);
  let assemblyFormat = "$x `axis` $axis attr-dict `:` functional-type(operands, results)";
  let hasVerifier = 1;
}
