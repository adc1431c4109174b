// Constants, data movement, gather and scatter.

def Eff_ConstantOp : Eff_Op<"constant", [ConstantLike, AllTypesMatch<["value", "result"]>, DeclareOpInterfaceMethods<OpAsmOpInterface, ["getAsmResultNames"]>]> {
  let summary = "A constant tensor";
  let description = [{
    `value` is a splat or small dense attribute, or a `dense_resource` whose blob refers to the
    parsed model file. Blobs are little-endian, row-major; bools are bytes.
  }];
  let arguments = (ins ElementsAttr:$value);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = "attr-dict $value";
  let hasFolder = 1;
}

def Eff_DimValuesOp : Eff_Op<"dim_values", [DeclareOpInterfaceMethods<OpAsmOpInterface, ["getAsmResultNames"]>]> {
  let summary = "A small integer tensor of sizes";
  let description = [{
    The row-major elements are expressions over symbols; what remains of ONNX's Shape arithmetic
    when its result is used as data.

    ```mlir
    %0 = eff.dim_values <s0, s1 * 2> : tensor<2xi64>
    ```
  }];
  let arguments = (ins Eff_DimsAttr:$values);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = "$values attr-dict `:` type($result)";
  let hasFolder = 1;
  let hasVerifier = 1;
}

def Eff_ReshapeOp : Eff_Op<"reshape"> {
  let summary = "The same elements in row-major order under another shape";
  let arguments = (ins AnyRankedTensor:$x);
  let results = (outs AnyRankedTensor:$y);
  let assemblyFormat = "$x attr-dict `:` functional-type(operands, results)";
  let hasFolder = 1;
  let hasVerifier = 1;
  let hasCanonicalizer = 1;
}

def Eff_TransposeOp : Eff_InferOp<"transpose"> {
  let summary = "Permutes dims: result dim i is operand dim permutation[i]";
  let arguments = (ins AnyRankedTensor:$x, DenseI64ArrayAttr:$permutation);
  let results = (outs AnyRankedTensor:$y);
  let assemblyFormat = "$x $permutation attr-dict `:` functional-type(operands, results)";
  let extraClassDeclaration = [{
    static bool isCompatibleReturnTypes(::mlir::TypeRange inferred, ::mlir::TypeRange actual) {
      return ::effc::eff::areCompatibleTypes(inferred, actual);
    }
    /// Moves only dims of extent 1: the order of elements stays.
    bool isReshape();
  }];
  let hasFolder = 1;
  let hasVerifier = 1;
  let hasCanonicalizer = 1;
}

def Eff_BroadcastOp : Eff_Op<"broadcast"> {
  let summary = "Repeats along dims of size 1 and new leading dims";
  let description = [{
    A size of the operand that is neither 1 nor that of the result is one of both at run time; a
    check of the program says so.
  }];
  let arguments = (ins AnyRankedTensor:$x);
  let results = (outs AnyRankedTensor:$y);
  let assemblyFormat = "$x attr-dict `:` functional-type(operands, results)";
  let extraClassDeclaration = [{
    /// Only a run knows whether dim `axis` of the operand is repeated.
    bool isUndecided(int64_t axis);
    bool isUndecided();
  }];
  let hasFolder = 1;
  let hasVerifier = 1;
}

def Eff_ConcatOp : Eff_InferOp<"concat"> {
  let summary = "Joins tensors along one axis";
  let arguments = (ins Variadic<AnyRankedTensor>:$inputs, I64Attr:$axis);
  let results = (outs AnyRankedTensor:$y);
  let assemblyFormat = "$inputs `axis` $axis attr-dict `:` functional-type(operands, results)";
  let hasFolder = 1;
  let hasVerifier = 1;
}

def Eff_SliceOp : Eff_Op<"slice"> {
  let summary = "Every `strides[i]`-th element from `offsets[i]` on, as many as the result has";
  let description = [{ Offsets may be expressions over symbols; strides may be negative. }];
  let arguments = (ins AnyRankedTensor:$x, Eff_DimsAttr:$offsets, DenseI64ArrayAttr:$strides);
  let results = (outs AnyRankedTensor:$y);
  let assemblyFormat = "$x $offsets `by` $strides attr-dict `:` functional-type(operands, results)";
  let hasFolder = 1;
  let hasVerifier = 1;
}

def Eff_PadOp : Eff_Op<"pad"> {
  let summary = "Adds elements around a tensor";
  let description = [{
    `low[i]` elements (an expression, not negative) before dim i; the result type says how many
    after. `value` is a scalar tensor used by mode `constant`; absent means zero.
  }];
  let arguments = (ins Eff_PadModeAttr:$mode, AnyRankedTensor:$x, Optional<AnyRankedTensor>:$value,
                       Eff_DimsAttr:$low);
  let results = (outs AnyRankedTensor:$y);
  let assemblyFormat = "$mode $x (`value` $value^)? $low attr-dict `:` functional-type(operands, results)";
  let hasVerifier = 1;
}

def Eff_TileOp : Eff_Op<"tile"> {
  let summary = "Repeats the whole tensor along dims; result dim i is a multiple of operand dim i";
  let arguments = (ins AnyRankedTensor:$x);
  let results = (outs AnyRankedTensor:$y);
  let assemblyFormat = "$x attr-dict `:` functional-type(operands, results)";
  let hasVerifier = 1;
}

def Eff_GatherOp : Eff_InferOp<"gather"> {
  let summary = "Picks slices along one axis by index (ONNX Gather)";
  let description = [{ Negative indices count from the end; an index out of range is a run-time error. }];
  let arguments = (ins AnyRankedTensor:$x, AnyRankedTensor:$indices, I64Attr:$axis);
  let results = (outs AnyRankedTensor:$y);
  let assemblyFormat = "$x `[` $indices `]` `axis` $axis attr-dict `:` functional-type(operands, results)";
  let hasFolder = 1;
  let hasVerifier = 1;
}

def Eff_GatherElementsOp : Eff_InferOp<"gather_elements"> {
  let summary = "Picks single elements along one axis by index (ONNX GatherElements)";
  let arguments = (ins AnyRankedTensor:$x, AnyRankedTensor:$indices, I64Attr:$axis);
  let results = (outs AnyRankedTensor:$y);
  let assemblyFormat = "$x `[` $indices `]` `axis` $axis attr-dict `:` functional-type(operands, results)";
  let hasVerifier = 1;
}

def Eff_GatherNDOp : Eff_InferOp<"gather_nd"> {
  let summary = "Picks slices by index tuples (ONNX GatherND)";
  let arguments = (ins AnyRankedTensor:$x, AnyRankedTensor:$indices,
                       DefaultValuedAttr<I64Attr, "0">:$batch_dims);
  let results = (outs AnyRankedTensor:$y);
  let assemblyFormat = "$x `[` $indices `]` attr-dict `:` functional-type(operands, results)";
  let hasVerifier = 1;
}

def Eff_ScatterElementsOp : Eff_InferOp<"scatter_elements"> {
  let summary = "A copy of `x` with single elements updated along one axis (ONNX ScatterElements)";
  let arguments = (ins Eff_ScatterKindAttr:$kind, AnyRankedTensor:$x, AnyRankedTensor:$indices,
                       AnyRankedTensor:$updates, I64Attr:$axis);
  let results = (outs AnyRankedTensor:$y);
  let assemblyFormat = "$kind $x `[` $indices `]` `,` $updates `axis` $axis attr-dict `:` functional-type(operands, results)";
  let hasVerifier = 1;
}

def Eff_ScatterNDOp : Eff_InferOp<"scatter_nd"> {
  let summary = "A copy of `x` with slices updated by index tuples (ONNX ScatterND)";
  let arguments = (ins Eff_ScatterKindAttr:$kind, AnyRankedTensor:$x, AnyRankedTensor:$indices,
                       AnyRankedTensor:$updates);
  let results = (outs AnyRankedTensor:$y);
  let assemblyFormat = "$kind $x `[` $indices `]` `,` $updates attr-dict `:` functional-type(operands, results)";
  let hasVerifier = 1;
}

def Eff_RandomBitsOp : Eff_Op<"random_bits"> {
  let summary = "Random words, each a function of the seed and its row-major index";
  let description = [{
    Element i is word 0 of Philox 4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011) with the
    key `seed` and the counter (i mod 2^32, i / 2^32, `stream`, 0). Elements are `ui32`.
  }];
  let arguments = (ins I64Attr:$seed, I32Attr:$stream);
  let results = (outs AnyRankedTensor:$y);
  let assemblyFormat = "$seed `stream` $stream attr-dict `:` type($y)";
  let hasVerifier = 1;
}

def Eff_IotaOp : Eff_Op<"iota"> {
  let summary = "start + step * index along one axis";
  let description = [{
    `bounds` holds start and step as expressions over symbols. Range, EyeLike, Trilu and OneHot are made of this and `compare`.
    For a float result the integers are converted.
  }];
  let arguments = (ins I64Attr:$axis, Eff_DimsAttr:$bounds);
  let results = (outs AnyRankedTensor:$y);
  let assemblyFormat = "`axis` $axis $bounds attr-dict `:` type($y)";
  let hasVerifier = 1;
}
