// Fourier transforms and determinants.

def Eff_DftOp : Eff_Op<"dft", [DeclareOpInterfaceMethods<Eff_CostOpInterface, ["getFlops"]>]> {
  let summary = "Discrete Fourier transform along an axis (ONNX DFT, STFT)";
  let description = [{
    The last dim of operand and result holds real and imaginary part, or the real part only. `twiddles` [N, 2] (f64) holds exp(-2 pi i n / N), so its
    extent is the length of the transform: operands are cut or filled with zeros. With `onesided`, only bins 0 to N / 2 are given, or,
    with `inverse`, read. A `hop` above 0 transforms overlapping frames that far apart of an operand [batch, length, parts] into [batch, frames, bins, 2];
    `window` [N] scales every frame.
  }];
  let arguments = (ins AnyRankedTensor:$x, AnyRankedTensor:$twiddles, Optional<AnyRankedTensor>:$window,
                       I64Attr:$axis, DefaultValuedAttr<BoolAttr, "false">:$inverse,
                       DefaultValuedAttr<BoolAttr, "false">:$onesided, DefaultValuedAttr<I64Attr, "0">:$hop);
  let results = (outs AnyRankedTensor:$y);
  let assemblyFormat = "$x `by` $twiddles (`window` $window^)? `axis` $axis attr-dict `:` functional-type(operands, results)";
  let hasVerifier = 1;
}

def Eff_DetOp : Eff_InferOp<"det", [DeclareOpInterfaceMethods<Eff_CostOpInterface, ["getFlops"]>]> {
  let summary = "Determinants of the matrices in the last two dims (ONNX Det)";
  let arguments = (ins AnyRankedTensor:$x);
  let results = (outs AnyRankedTensor:$y);
  let assemblyFormat = "$x attr-dict `:` functional-type(operands, results)";
  let hasVerifier = 1;
}
