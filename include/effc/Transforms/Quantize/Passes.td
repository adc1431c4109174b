// Passes that compute with fewer bits.
#ifndef EFFC_TRANSFORMS_QUANTIZE_PASSES_TD
#define EFFC_TRANSFORMS_QUANTIZE_PASSES_TD

include "mlir/Pass/PassBase.td"

def InsertProbes : Pass<"eff-insert-probes", "::mlir::func::FuncOp"> {
  let summary = "Make outputs of what layers read, for calibration";
  let description = [{
    Each tensor that products and convolutions of f32 multiply by their weights becomes one more result of the function, once, however many
    layers read it. The function attribute `eff.probes` lists name and layers of each. Nothing else changes: the model computes what it
    did, and `effc calibrate` collects statistics of the new outputs.

    A tensor of a branch or a loop body is none of the function's and stays without statistics, with a remark for each layer.

    ```mlir
    func.func @main(%x: tensor<8x16xf32>) -> (tensor<8x4xf32> {eff.name = "y"}) {
      %h = eff.unary relu %x : (tensor<8x16xf32>) -> tensor<8x16xf32>
      %y = eff.linear %h, %w : (tensor<8x16xf32>, tensor<16x4xf32>) -> tensor<8x4xf32> loc("fc")
      return %y : tensor<8x4xf32>
    // becomes
    // eff.probes has one entry: the output "effc.probe.0" and the layers ["fc"]
    func.func @main(%x: tensor<8x16xf32>) -> (tensor<8x4xf32> {eff.name = "y"}, tensor<8x16xf32> {eff.name = "effc.probe.0"}) {
      ...
      return %y, %h : tensor<8x4xf32>, tensor<8x16xf32>
    ```
  }];
  let dependentDialects = ["::effc::eff::EffDialect"];
  let statistics = [
    Statistic<"numProbes", "num-probes", "Tensors that became outputs">,
    Statistic<"numUnreachable", "num-unreachable", "Layers whose input no output can show">
  ];
}

def QuantizeBf16 : Pass<"eff-quantize-bf16", "::mlir::func::FuncOp"> {
  let summary = "Multiply in bf16 where the target does that faster";
  let description = [{
    The operands of products and convolutions of f32 become bf16; sums stay f32, and so does all other arithmetic.
    Constant weights are converted by eff-fold-constants. An activation is converted where it is made, before reshapes and
    transposes, so that fusion stores it in bf16 when nothing else reads it.

    A layer stays in f32 where the target has no such product, and where too little is multiplied to gain. Depthwise convolutions, which
    memory bounds, are taken when their input is stored in bf16. Attention is taken with its own keys; over those of earlier runs it stays in f32. The function attribute `eff.quantized` says what each layer computes in and why. Lossy: an
    operand is rounded to 8 bits of mantissa, once.

    ```mlir
    %y = eff.linear %x, %w bias %b : (tensor<128x384xf32>, tensor<384x384xf32>, tensor<384xf32>) -> tensor<128x384xf32>
    // becomes
    %0 = eff.convert %x : (tensor<128x384xf32>) -> tensor<128x384xbf16>
    %1 = eff.convert %w : (tensor<384x384xf32>) -> tensor<384x384xbf16>
    %y = eff.linear %0, %1 bias %b : (tensor<128x384xbf16>, tensor<384x384xbf16>, tensor<384xf32>) -> tensor<128x384xf32>
    ```
  }];
  let dependentDialects = ["::effc::eff::EffDialect"];
  let options = [
    ListOption<"skip", "skip", "std::string", "Patterns (* and ?) of the names of nodes that stay in f32; with ! before, of those that do not after all">,
    Option<"always", "always", "bool", "false", "Take every layer, also where nothing is gained: for tests">
  ];
  let statistics = [
    Statistic<"numTaken", "num-taken", "Layers in bf16">,
    Statistic<"numDeclined", "num-declined", "Layers that stay in f32">
  ];
}

def QuantizeInt8 : Pass<"eff-quantize-int8", "::mlir::func::FuncOp"> {
  let summary = "Multiply bytes, with ranges from calibration";
  let description = [{
    What products and convolutions with constant weights read is rounded to bytes of one scale and zero point, chosen from the statistics of
    a calibration; weights are rounded to integers from -127 to 127 with a scale for each output. The pass writes that out in f32, as QDQ
    models do; eff-raise-dequantized and eff-raise-integer-products, which come next, make products of bytes of it. Bias and all else stay
    f32.

    Rounding happens where a value is made, before reshapes, transposes, concatenations and maxima, so that fusion stores bytes when
    nothing else reads them. Residual sums read the bytes too where a conversion of their own would cost more than a small part of the products.

    `range` says how the range of an input is chosen: `min-max`, `percentile`, `mse`, `entropy`, or `best`, the one of these with the
    least estimated error of the layers' results (Ranges.cpp).

    A layer stays in f32 where the model of time says that it gains nothing, where the statistics lack it or are not finite, and where sums may not
    fit into 32 bits. `eff.quantized` says what each layer computes in and why.

    ```mlir
    %y = eff.linear %x, %w : (tensor<8x16xf32>, tensor<16x4xf32>) -> tensor<8x4xf32>
    // becomes
    %0 = eff.binary mul %x, %inverse : (tensor<8x16xf32>, tensor<f32>) -> tensor<8x16xf32>
    %1 = eff.unary round %0 : (tensor<8x16xf32>) -> tensor<8x16xf32>
    %2 = eff.convert %1 : (tensor<8x16xf32>) -> tensor<8x16xui8>
    %3 = eff.convert %2 : (tensor<8x16xui8>) -> tensor<8x16xi32>
    %4 = eff.convert %3 : (tensor<8x16xi32>) -> tensor<8x16xf32>
    %5 = eff.binary mul %4, %scale : (tensor<8x16xf32>, tensor<f32>) -> tensor<8x16xf32>
    %y = eff.linear %5, %v : (tensor<8x16xf32>, tensor<16x4xf32>) -> tensor<8x4xf32>
    ```
  }];
  let dependentDialects = ["::effc::eff::EffDialect"];
  let options = [
    Option<"statistics", "statistics", "std::string", "", "The file of statistics">,
    Option<"range", "range", "std::string", "\"best\"", "How ranges are chosen">,
    ListOption<"skip", "skip", "std::string", "Patterns (* and ?) of the names of nodes that stay in f32; with ! before, of those that do not after all">,
    Option<"always", "always", "bool", "false", "Take every layer, also where nothing is gained: for tests">
  ];
  let statistics = [
    Statistic<"numTaken", "num-taken", "Layers in int8">,
    Statistic<"numDeclined", "num-declined", "Layers that stay in f32">
  ];
}

def QuantizeDynamic : Pass<"eff-quantize-dynamic", "::mlir::func::FuncOp"> {
  let summary = "Multiply bytes, with a range of each row from the run";
  let description = [{
    Each row that linear ops with constant weights read becomes steps from -127 to 127 of its largest element, kept as bytes around 128;
    weights are rounded to integers from -127 to 127 with a scale for each output. Products are of bytes (eff-raise-integer-products comes
    next) and their sums exact; the scales of row and output are multiplied behind them, bias and all else stay f32. No calibration is
    needed. A row with NaN or infinities has results that are no numbers.

    A layer stays in f32 where the model of time says that it gains less than rounding its input costs. `eff.quantized` says what each layer
    computes in and why.

    ```mlir
    %y = eff.linear %x, %w : (tensor<8x16xf32>, tensor<16x4xf32>) -> tensor<8x4xf32>
    // becomes
    %0 = eff.unary abs %x : (tensor<8x16xf32>) -> tensor<8x16xf32>
    %1 = eff.reduce max %0 [1] : (tensor<8x16xf32>) -> tensor<8x1xf32>
    ...
    %2 = eff.convert %rounded : (tensor<8x16xf32>) -> tensor<8x16xui8>
    %3 = eff.convert %2 : (tensor<8x16xui8>) -> tensor<8x16xi32>
    %4 = eff.binary sub %3, %middle : (tensor<8x16xi32>, tensor<i32>) -> tensor<8x16xi32>
    %5 = eff.linear %4, %v : (tensor<8x16xi32>, tensor<16x4xi32>) -> tensor<8x4xi32>
    ```
  }];
  let dependentDialects = ["::effc::eff::EffDialect"];
  let options = [
    ListOption<"skip", "skip", "std::string", "Patterns (* and ?) of the names of nodes that stay in f32; with ! before, of those that do not after all">,
    Option<"always", "always", "bool", "false", "Take every layer, also where nothing is gained: for tests">
  ];
  let statistics = [
    Statistic<"numTaken", "num-taken", "Layers that were taken">,
    Statistic<"numDeclined", "num-declined", "Layers that stay in f32">
  ];
}

def QuantizeWeights : Pass<"eff-quantize-weights", "::mlir::func::FuncOp"> {
  let summary = "Store weights in 2 to 8 bits with a scale for each group";
  let description = [{
    Linear ops with constant weights become eff.block_linear: weights are integers of `bits` with a scale of f32 for each `group` of
    neighbours in a row (0: of all), and a zero point with `asymmetric`. Each group has the scale with the least square error of some that
    span 100 to 80 % of its range. With `nf4` integers stand for the 16 numbers of NormalFloat; with `lossless` only layers are taken whose weights
    are integers times scales, such as ternary ones. Arithmetic stays f32.

    A layer gains where its time is that of reading weights: with few rows. The model of time decides; `eff.quantized` says why the others stay.

    ```mlir
    %y = eff.linear %x, %w bias %b : (tensor<1x64xf32>, tensor<64x4xf32>, tensor<4xf32>) -> tensor<1x4xf32>
    // becomes
    %0 = eff.block_linear %x, %q scales %s block 32 : (tensor<1x64xf32>, tensor<4x64xui4>, tensor<4x2xf32>) -> tensor<1x4xf32>
    %y = eff.binary add %0, %b : (tensor<1x4xf32>, tensor<4xf32>) -> tensor<1x4xf32>
    ```
  }];
  let dependentDialects = ["::effc::eff::EffDialect"];
  let options = [
    Option<"bits", "bits", "int64_t", "4", "Bits of a weight: 2, 3, 4 or 8">,
    Option<"group", "group", "int64_t", "32", "Neighbours of a row with one scale: a power of two from 16, of 3 bits from 32, to 256; 0: the row">,
    Option<"nf4", "nf4", "bool", "false", "Integers stand for NormalFloats">,
    Option<"lossless", "lossless", "bool", "false", "Only layers that lose nothing">,
    Option<"asymmetric", "asymmetric", "bool", "false", "Groups have zero points">,
    ListOption<"skip", "skip", "std::string", "Patterns (* and ?) of the names of nodes that stay in f32; with ! before, of those that do not after all">,
    Option<"always", "always", "bool", "false", "Take every layer, also where nothing is gained: for tests">
  ];
  let statistics = [
    Statistic<"numTaken", "num-taken", "Layers that were taken">,
    Statistic<"numDeclined", "num-declined", "Layers that stay in f32">
  ];
}

def ReportLayers : Pass<"eff-report-layers", "::mlir::func::FuncOp"> {
  let summary = "Say what each layer computes in and why";
  let description = [{
    Runs behind all passes that quantise: each entry of the function attribute `eff.quantized` becomes a remark, once, whatever the number of
    schemes that looked at the layer, and loses its location. `patterns` are those of `--set`; one that no entry's node or layer matches gets a
    warning. The names that passes gave to layers are taken off.
  }];
  let options = [
    ListOption<"patterns", "patterns", "std::string", "Names (* and ?) that must match a layer">,
    Option<"quiet", "quiet", "bool", "false", "Only take names off">
  ];
  let statistics = [Statistic<"numLayers", "num-layers", "Layers that could be quantised">];
}

#endif // EFFC_TRANSFORMS_QUANTIZE_PASSES_TD
