// Sizes that follow from data, and control flow (ONNX If, Loop, Scan).
//
// A late symbol (#eff.late_symbol) has no value before the op that gives it one runs. No SSA edge leads from there to the
// types that use the symbol, so blocks keep their order: ops only ever move down, and the gate after each stage checks it
// (`verifyLateSizes`).

// Not Pure: they must neither be merged nor erased while their symbol is used.
class Eff_ControlOp<string mnemonic, list<Trait> traits = []> : Op<Eff_Dialect, mnemonic, traits>;

def Eff_DefineSizeOp : Eff_ControlOp<"define_size"> {
  let summary = "Gives a late symbol the value of one element of an integer tensor";
  let description = [{ Elements count in row-major order. Outside the symbol's bounds the run is refused. }];
  let arguments = (ins AnyRankedTensor:$x, I64Attr:$element, I64Attr:$symbol);
  let assemblyFormat = "$symbol `=` $x `[` $element `]` attr-dict `:` type($x)";
  let hasVerifier = 1;
}

def Eff_CheckSizeOp : Eff_ControlOp<"check_size"> {
  let summary = "Two sizes that must be equal here, else the run is refused";
  let description = [{
    For sizes that are late and for checks in a branch or loop; all others are entries of the function attribute `eff.checks`.
  }];
  let arguments = (ins Eff_CheckAttr:$check);
  let assemblyFormat = "$check attr-dict";
  let hasVerifier = 1;
}

def Eff_IfOp : Eff_ControlOp<"if", [NoRegionArguments]> {
  let summary = "Runs one of two regions";
  let description = [{
    The regions may use values of outside. `symbols` are late symbols that hold sizes of the results; each region's yield
    says what they become.
  }];
  let arguments = (ins AnyRankedTensor:$condition, DenseI64ArrayAttr:$symbols);
  let results = (outs Variadic<AnyRankedTensor>:$outputs);
  let regions = (region SizedRegion<1>:$thenRegion, SizedRegion<1>:$elseRegion);
  let assemblyFormat = [{ $condition `sizes` $symbols attr-dict `:` functional-type(operands, results) $thenRegion
                          `else` $elseRegion }];
  let hasVerifier = 1;
}

def Eff_LoopOp : Eff_ControlOp<"loop", [AttrSizedOperandSegments]> {
  let summary = "Runs a region again and again with carried values";
  let description = [{
    Before each iteration it ends when the iteration's number is not less than `trip` (one size, or none) or the condition,
    if there is one, is false. Block arguments are the carried values, at first `inits`. The yield gives the next condition (if
    there is one), the next carried values, and then a tensor for each further result, which are joined along a new first dim.

    `symbols` are late symbols: the number of the iteration, and sizes of carried and collected values. They start as
    `initial`; each yield says what they become next. Types of results use the symbols as they are at the end.
  }];
  let arguments = (ins Optional<AnyRankedTensor>:$condition, Variadic<AnyRankedTensor>:$inits, Eff_DimsAttr:$trip,
                       DenseI64ArrayAttr:$symbols, Eff_DimsAttr:$initial);
  let results = (outs Variadic<AnyRankedTensor>:$outputs);
  let regions = (region SizedRegion<1>:$body);
  let assemblyFormat = [{ `trip` $trip (`while` $condition^)? `(` $inits `)` `sizes` $symbols `from` $initial attr-dict `:`
                          functional-type(operands, results) $body }];
  let hasVerifier = 1;
}

def Eff_YieldOp : Eff_ControlOp<"yield", [Terminator, ReturnLike, ParentOneOf<["IfOp", "LoopOp"]>]> {
  let summary = "The values with which a region ends, and what the symbols of its op become, all at once";
  let arguments = (ins Variadic<AnyRankedTensor>:$values, Eff_DimsAttr:$sizes);
  let assemblyFormat = "($values^ `:` type($values))? `sizes` $sizes attr-dict";
}

def Eff_NonZeroOp : Eff_Op<"nonzero"> {
  let summary = "Indices of the elements that are true, in row-major order (ONNX NonZero)";
  let description = [{
    The result is i64[rank of x, number of true elements]; where there are fewer than it has room for, the rest is 0.
  }];
  let arguments = (ins AnyRankedTensor:$x);
  let results = (outs AnyRankedTensor:$y);
  let assemblyFormat = "$x attr-dict `:` functional-type(operands, results)";
  let hasVerifier = 1;
}

def Eff_LibraryOp : Eff_Op<"library"> {
  let summary = "Runs a kernel that is written in the runtime's C (lib/Runtime/Ops)";
  let description = [{
    The kernel is the function `effrt_op_{name}` of type effrt_kernel_fn. It gets the operands' buffers, then the results', and `dims`
    as sizes. `work` is [parallel iterations, scratch bytes of each thread, floating point operations].
  }];
  let arguments = (ins StrAttr:$name, Variadic<AnyRankedTensor>:$inputs, Eff_DimsAttr:$dims, Eff_DimsAttr:$work);
  let results = (outs Variadic<AnyRankedTensor>:$outputs);
  let assemblyFormat = "$name `(` $inputs `)` $dims `work` $work attr-dict `:` functional-type(operands, results)";
  let hasVerifier = 1;
}
