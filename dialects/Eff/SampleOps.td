// Sampling of images at places that data decide, and sums over overlapping windows.

def Eff_SampleOp : Eff_InferOp<"sample", [DeclareOpInterfaceMethods<Eff_CostOpInterface, ["getFlops"]>]> {
  let summary = "Interpolates an image at given places (ONNX GridSample)";
  let description = [{
    `x` is [images, channels, spatial...] with 1 to 3 spatial dims; `places` is [n, out..., d] with a float coordinate in
    pixels for each of the d spatial dims; the result is [n, channels, out...]. Row i samples image i, or image `images[i]` (an index out of range is a run-time error).
    `padding` says what lies outside; `align_corners` reflects about the centres of the outermost pixels instead of their edges.
    `nearest` rounds half to even. The cubic kernel is Keys' with parameter -0.75.
  }];
  let arguments = (ins Eff_ResizeModeAttr:$mode, AnyRankedTensor:$x, AnyRankedTensor:$places,
                       Optional<AnyRankedTensor>:$images, Eff_SamplePaddingAttr:$padding,
                       DefaultValuedAttr<BoolAttr, "false">:$align_corners);
  let results = (outs AnyRankedTensor:$y);
  let assemblyFormat = "$mode $x `at` $places (`of` $images^)? attr-dict `:` functional-type(operands, results)";
  let extraClassDeclaration = [{
    static bool isCompatibleReturnTypes(::mlir::TypeRange inferred, ::mlir::TypeRange actual) {
      return ::effc::eff::areCompatibleTypes(inferred, actual);
    }
    int64_t getSpatialRank() {
      return ::llvm::cast<::mlir::RankedTensorType>(getX().getType()).getRank() - 2;
    }
    /// Pixels that one result element reads.
    int64_t getNumTaps();
  }];
  let hasVerifier = 1;
}

def Eff_RoiAlignOp : Eff_Op<"roi_align", [DeclareOpInterfaceMethods<Eff_CostOpInterface, ["getFlops"]>]> {
  let summary = "Average or maximum of bilinear samples in the cells of regions (ONNX RoiAlign)";
  let description = [{
    `x` is [images, channels, H, W], `rois` [n, 4] holds x1, y1, x2, y2, `images` [n] the image of each region; the result is [n, channels, cells...].
    `kind` is `mean` or `max`. A `sampling_ratio` of 0 takes as many samples as a cell has pixels. With `half_pixel` coordinates count from
    pixel centres, else regions have at least one pixel.
  }];
  let arguments = (ins Eff_ReduceKindAttr:$kind, AnyRankedTensor:$x, AnyRankedTensor:$rois,
                       AnyRankedTensor:$images, I64Attr:$sampling_ratio, F64Attr:$spatial_scale,
                       DefaultValuedAttr<BoolAttr, "true">:$half_pixel);
  let results = (outs AnyRankedTensor:$y);
  let assemblyFormat = "$kind $x `at` $rois `of` $images attr-dict `:` functional-type(operands, results)";
  let hasVerifier = 1;
}

def Eff_RoiPoolOp : Eff_Op<"roi_pool", [Eff_CostOpInterface]> {
  let summary = "Maximum over the pixels in the cells of regions (ONNX MaxRoiPool)";
  let description = [{
    `x` is [images, channels, H, W], `rois` [n, 5] holds image, x1, y1, x2, y2; the result is [n, channels, cells...]. Cells without pixels give 0.
  }];
  let arguments = (ins AnyRankedTensor:$x, AnyRankedTensor:$rois, F64Attr:$spatial_scale);
  let results = (outs AnyRankedTensor:$y);
  let assemblyFormat = "$x `at` $rois attr-dict `:` functional-type(operands, results)";
  let hasVerifier = 1;
}

def Eff_DeformConvOp : Eff_Op<"deform_conv", [DeclareOpInterfaceMethods<Eff_CostOpInterface, ["getFlops"]>]> {
  let summary = "Convolution whose taps are displaced by data (ONNX DeformConv)";
  let description = [{
    As `eff.conv` with two spatial dims and channels first; `offset` is [N, offset groups * KH * KW * 2, OH, OW] with
    the displacement (rows, columns) of every tap, `mask` [N, offset groups * KH * KW, OH, OW] scales the taps. `pads` holds the begins only.
  }];
  let arguments = (ins AnyRankedTensor:$x, AnyRankedTensor:$weight, AnyRankedTensor:$offset,
                       Optional<AnyRankedTensor>:$mask, DenseI64ArrayAttr:$strides,
                       DenseI64ArrayAttr:$dilations, DenseI64ArrayAttr:$pads,
                       DefaultValuedAttr<I64Attr, "1">:$groups,
                       DefaultValuedAttr<I64Attr, "1">:$offset_groups);
  let results = (outs AnyRankedTensor:$y);
  let assemblyFormat = "$x `,` $weight `at` $offset (`mask` $mask^)? attr-dict `:` functional-type(operands, results)";
  let hasVerifier = 1;
}

def Eff_Col2ImOp : Eff_Op<"col2im", [DeclareOpInterfaceMethods<Eff_CostOpInterface, ["getFlops"]>]> {
  let summary = "Sums overlapping windows back into an image (ONNX Col2Im)";
  let description = [{
    `x` is [N, C, kernel..., windows...] with as many windows as fit the padded image; the result is [N, C, spatial...].
    `pads` holds the begins only.
  }];
  let arguments = (ins AnyRankedTensor:$x, DenseI64ArrayAttr:$strides, DenseI64ArrayAttr:$dilations,
                       DenseI64ArrayAttr:$pads);
  let results = (outs AnyRankedTensor:$y);
  let assemblyFormat = "$x attr-dict `:` functional-type(operands, results)";
  let hasVerifier = 1;
}
