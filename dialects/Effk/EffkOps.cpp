// Verifiers of the `effk` operations.
#include "Effk/EffkOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"

using namespace mlir;
using namespace effc;
using namespace effc::effk;

#define GET_OP_CLASSES
#include "Effk/EffkOps.cpp.inc"

LogicalResult KernelOp::verify() {
  Block &body = getBody().front();
  // kernel_c1: block arguments are the inputs.
  if (TypeRange(body.getArgumentTypes()) != TypeRange(getInputs().getTypes()))
    return emitOpError("block arguments must have the types of the inputs");
  // kernel_c2: the yield gives the outputs.
  if (TypeRange(body.getTerminator()->getOperandTypes()) !=
      getOutputs().getTypes())
    return emitOpError("yielded types must be the types of the outputs");
  return success();
}

LogicalResult LaunchOp::verifySymbolUses(SymbolTableCollection &symbols) {
  // launch_c1: the kernel exists and takes operands, results, dims, lo, hi and
  // scratch.
  auto function = symbols.lookupNearestSymbolFrom<FunctionOpInterface>(
      *this, getKernelAttr());
  if (!function)
    return emitOpError("kernel ") << getKernelAttr() << " does not exist";
  // Kernels of the runtime take what their callers agree on.
  if (function.isDeclaration())
    return getSizes().getExprs().size() == 5 ? success()
                                             : emitOpError("needs 5 sizes");
  size_t expected = getInputs().size() + getOutputs().size() +
                    getDims().getExprs().size() + 3;
  if (function.getNumArguments() != expected)
    return emitOpError("kernel ")
           << getKernelAttr() << " takes " << function.getNumArguments()
           << " arguments, expected " << expected;
  // launch_c2: extent, scratch, flops, bytes, cost.
  if (getSizes().getExprs().size() != 5)
    return emitOpError("needs 5 sizes");
  return success();
}

Type effk::getSumType(Type a) {
  if (a.isF64())
    return a;
  if (isa<IntegerType>(a))
    return IntegerType::get(a.getContext(), 32);
  return Float32Type::get(a.getContext());
}

Type GemmOp::getSumType() {
  // Bytes that have scales are floats.
  if (getBScales())
    return Float32Type::get(getContext());
  return effk::getSumType(cast<MemRefType>(getA().getType()).getElementType());
}

effk::CodeUnit effk::getCodeUnit(int64_t bits) {
  return bits == 3 ? CodeUnit{32, 3} : CodeUnit{32 / bits, 1};
}

static LogicalResult verifyCodes(GemmOp gemm) {
  auto bits = static_cast<int64_t>(gemm.getBits());
  // gemm_c9: integers of 2, 3, 4 or 8 bits, in blocks of whole units.
  if ((bits < 2 || bits > 4) && bits != 8)
    return gemm.emitOpError("has weights of ") << bits << " bits";
  if (static_cast<int64_t>(gemm.getBlock()) % getCodeUnit(bits).codes != 0)
    return gemm.emitOpError("blocks must be whole units of ")
           << getCodeUnit(bits).codes;
  // gemm_c10: a codebook has a number for each code, which is not multiplied.
  if (std::optional<ArrayRef<float>> codebook = gemm.getCodebook())
    if (bits == 8 || static_cast<int64_t>(codebook->size()) != 1 << bits ||
        gemm.getBZeros() || gemm.getAScales() || !gemm.getBScales())
      return gemm.emitOpError("has a codebook of ")
             << codebook->size() << " numbers for " << bits
             << " bits, or zeros or bytes beside it";
  return success();
}

/// What lies in panels, and how.
static LogicalResult verifyPanels(GemmOp gemm) {
  // gemm_c6: only panels are interleaved, and only bytes have a pad value.
  if (static_cast<int64_t>(gemm.getInterleave()) < 1 ||
      (gemm.getInterleave() > 1 && gemm.getBStride()))
    return gemm.emitOpError("interleave must be positive, and 1 with b_stride");
  if (gemm.getPadValue() != 0 &&
      !cast<MemRefType>(gemm.getA().getType()).getElementType().isInteger(8))
    return gemm.emitOpError("pad_value needs bytes");
  // gemm_c7: blocks have scales, and bytes of a both scales and sums.
  bool hasBlocks = gemm.getBScales() != nullptr;
  if (hasBlocks != (gemm.getBlock() != 0) || (gemm.getBZeros() && !hasBlocks) ||
      (gemm.getAScales() != nullptr) != (gemm.getASums() != nullptr) ||
      (gemm.getAScales() && !hasBlocks) ||
      (hasBlocks && (gemm.getBStride() || !gemm.getTapSizes().empty() ||
                     gemm.getInterleave() != 4)))
    return gemm.emitOpError(
        "blocks need scales, an interleave of 4 and neither "
        "b_stride nor taps");
  if (failed(verifyCodes(gemm)))
    return failure();
  // gemm_c8: whole tiles in a panel.
  int64_t panelWidth = gemm.getPanelWidth();
  if (panelWidth != 0 &&
      (panelWidth < 1 || panelWidth % gemm.getTile()[1] != 0 ||
       gemm.getBStride() || hasBlocks))
    return gemm.emitOpError(
        "panel_width must be a multiple of the tile's, and 0 with b_stride "
        "or blocks");
  // gemm_c11: a tile has one or two registers of rows.
  if (int64_t rows = gemm.getRegisterRows();
      rows != 0 &&
      (rows < 1 || rows > 16 ||
       (gemm.getTile()[0] != rows && gemm.getTile()[0] != 2 * rows)))
    return gemm.emitOpError("register_rows must be 1 to 16, and those or half "
                            "of those of the tile");
  return success();
}

LogicalResult GemmOp::verify() {
  // gemm_c1: a size and a stride for every row and tap dim.
  size_t taps = getTapSizes().size();
  if (getRowSizes().size() != getRowStrides().size() || getRowSizes().empty())
    return emitOpError("needs a stride for each row size, at least one");
  if (taps != getTapStrides().size())
    return emitOpError("needs a stride for each tap size");
  // gemm_c2: a window is described for every tap dim or not at all.
  size_t window = getWindowSizes().size();
  if (getWindowStrides().size() != window ||
      getWindowDilations().size() != window ||
      getWindowPads().size() != window ||
      (window != 0 && (window != taps || window > getRowSizes().size())))
    return emitOpError("needs a window size, stride, dilation and pad for each "
                       "tap dim, or none");
  // gemm_c3: the epilogue's operands are described one by one.
  size_t count = getEpilogueInputs().size();
  if (getMaps().size() != count || getEpilogueBases().size() != count ||
      getEpilogueStrides().size() != count)
    return emitOpError(
        "needs a map, a base and a stride for each epilogue input");
  if (llvm::any_of(getMaps(), [](int64_t map) { return map < 0 || map > 3; }))
    return emitOpError("maps must be 0 to 3");
  // gemm_c4: the epilogue takes the sum, m, n and one scalar per input and
  // gives an element of c.
  auto flat = [](Value memref) { return cast<MemRefType>(memref.getType()); };
  Type index = IndexType::get(getContext());
  SmallVector<Type> types = {getSumType(), index, index};
  for (Value input : getEpilogueInputs())
    types.push_back(flat(input).getElementType());
  Block &body = getEpilogue().front();
  if (TypeRange(body.getArgumentTypes()) != TypeRange(types))
    return emitOpError(
        "epilogue must take the sum, m, n and one scalar per input");
  TypeRange yielded = body.getTerminator()->getOperandTypes();
  if (yielded.size() != 1 || yielded[0] != flat(getC()).getElementType())
    return emitOpError("epilogue must yield an element of c");
  // gemm_c5: tile is [rows, width].
  if (getTile().size() != 2 || getTile()[0] < 1 || getTile()[1] < 1 ||
      getRowsPerBlock() < 1)
    return emitOpError(
        "tile must be [rows, width] and rows_per_block positive");
  return verifyPanels(*this);
}

GemmOp effk::createGemm(OpBuilder &builder, Location loc,
                        const GemmDescription &gemm, EpilogueBuilder epilogue) {
  Value zero = arith::ConstantIndexOp::create(builder, loc, 0);
  auto orZero = [&](Value value) { return value ? value : zero; };
  SmallVector<Value> inputs, bases, strides;
  SmallVector<int64_t> maps;
  Type a = cast<MemRefType>(gemm.a.getType()).getElementType();
  SmallVector<Type> types = {gemm.bScales ? builder.getF32Type()
                                          : effk::getSumType(a),
                             builder.getIndexType(), builder.getIndexType()};
  for (const EpilogueInput &input : gemm.epilogueInputs) {
    inputs.push_back(input.memref);
    bases.push_back(orZero(input.base));
    strides.push_back(orZero(input.stride));
    maps.push_back(static_cast<int64_t>(input.map));
    types.push_back(cast<MemRefType>(input.memref.getType()).getElementType());
  }
  auto op = GemmOp::create(
      builder, loc, gemm.a, orZero(gemm.rowBase), gemm.rowSizes,
      gemm.rowStrides, gemm.tapSizes, gemm.tapStrides, gemm.run,
      gemm.windowSizes, gemm.windowStrides, gemm.windowDilations,
      gemm.windowPads, gemm.b, orZero(gemm.bBase), gemm.bStride, gemm.bScales,
      gemm.bZeros, gemm.aScales, gemm.aSums, gemm.c, orZero(gemm.cBase),
      gemm.cStride, gemm.n, gemm.lo, gemm.hi, inputs, bases, strides, maps,
      ArrayRef<int64_t>{gemm.tileRows, gemm.tileWidth}, gemm.rowsPerBlock,
      gemm.rowsOuter, gemm.interleave, gemm.padValue, gemm.block, gemm.bits,
      gemm.panelWidth == gemm.tileWidth ? 0 : gemm.panelWidth,
      gemm.registerRows,
      gemm.codebook.empty() ? DenseF32ArrayAttr()
                            : builder.getDenseF32ArrayAttr(gemm.codebook));
  OpBuilder::InsertionGuard guard(builder);
  Block *body = builder.createBlock(&op.getEpilogue(), {}, types,
                                    SmallVector<Location>(types.size(), loc));
  ValueRange arguments = body->getArguments();
  Value element = epilogue(builder, loc, arguments[0], arguments[1],
                           arguments[2], arguments.drop_front(3));
  YieldOp::create(builder, loc, element);
  return op;
}
