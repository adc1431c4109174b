// Pooling and resizing.

def Eff_PoolOp : Eff_Op<"pool", [DeclareOpInterfaceMethods<Eff_CostOpInterface, ["getFlops"]>]> {
  let summary = "Maximum or average over windows (ONNX MaxPool, AveragePool)";
  let description = [{
    Layout and `pads` as in `eff.conv`; the result type carries the rounding of the extent (ceil_mode).
    `average` divides by the number of elements inside the tensor, or inside tensor and pads with `count_include_pad`
    (never counting beyond the end pad).
  }];
  let arguments = (ins Eff_PoolKindAttr:$kind, AnyRankedTensor:$x, DenseI64ArrayAttr:$kernel,
                       DenseI64ArrayAttr:$strides, DenseI64ArrayAttr:$dilations, DenseI64ArrayAttr:$pads,
                       DefaultValuedAttr<BoolAttr, "false">:$count_include_pad,
                       DefaultValuedAttr<BoolAttr, "false">:$channels_last);
  let results = (outs AnyRankedTensor:$y);
  let assemblyFormat = "$kind $x attr-dict `:` functional-type(operands, results)";
  let hasVerifier = 1;
}

def Eff_PoolIndicesOp : Eff_Op<"pool_indices", [Eff_CostOpInterface]> {
  let summary = "Flat row-major (or column-major) index (i64) of each window's maximum, the second result of ONNX MaxPool";
  let arguments = (ins AnyRankedTensor:$x, DenseI64ArrayAttr:$kernel, DenseI64ArrayAttr:$strides,
                       DenseI64ArrayAttr:$dilations, DenseI64ArrayAttr:$pads,
                       DefaultValuedAttr<BoolAttr, "false">:$column_major);
  let results = (outs AnyRankedTensor:$y);
  let assemblyFormat = "$x attr-dict `:` functional-type(operands, results)";
  let hasVerifier = 1;
}

def Eff_ResizeOp : Eff_Op<"resize", [Eff_CostOpInterface]> {
  let summary = "Resamples some axes (ONNX Resize)";
  let description = [{
    `scales[i]` is output size / input size of `axes[i]` as ONNX computes coordinates with it; NaN means result extent / operand extent at run time. `roi` (start of every axis, then end) is used by `tf_crop_and_resize`,
    with `extrapolation_value` outside. `exclude_outside` and `cubic_coeff_a` as in ONNX; `antialias` widens the filter when shrinking.
  }];
  let arguments = (ins Eff_ResizeModeAttr:$mode, AnyRankedTensor:$x, DenseI64ArrayAttr:$axes,
                       DenseF64ArrayAttr:$scales, Eff_CoordinateModeAttr:$coordinate_mode,
                       Eff_NearestModeAttr:$nearest_mode, DefaultValuedAttr<F64Attr, "-0.75">:$cubic_coeff_a,
                       DefaultValuedAttr<BoolAttr, "false">:$exclude_outside,
                       DefaultValuedAttr<BoolAttr, "false">:$antialias,
                       DefaultValuedAttr<F64Attr, "0.0">:$extrapolation_value,
                       DefaultValuedAttr<DenseF64ArrayAttr, "{}">:$roi);
  let results = (outs AnyRankedTensor:$y);
  let assemblyFormat = "$mode $x attr-dict `:` functional-type(operands, results)";
  let hasVerifier = 1;
}
