// Linear layers and convolutions as tile ops. Weights are packed at compile
// time; the elementwise ops behind the product run on its registers.
#include "Gemm.h"
#include "effc/Analysis/Epilogue.h"
#include "effc/Analysis/Planes.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"

using namespace mlir;
using namespace effc;
using namespace effc::eff;

using Indices = KernelEmitter::Indices;

namespace effc {

EpilogueEmitter::EpilogueEmitter(KernelEmitter &e, Operation *anchor,
                                 Value bias)
    : e(e), anchor(anchor), bias(bias) {}

LogicalResult EpilogueEmitter::collect() {
  Type result = anchor->getResult(0).getType();
  if (e.getKernel().getNumResults() != 1 ||
      getDims(e.getYielded(0).getType()) != getDims(result))
    return failure();
  // A splat is an immediate, not a buffer.
  if (bias && e.getBuffer(bias))
    operands.emplace_back(bias, effk::EpilogueMap::Column);
  for (Operation &op : e.getKernel().getBody().front().without_terminator()) {
    // What the anchor reads through is no part of the epilogue.
    bool isOperand = isa<TransposeOp>(op) &&
                     llvm::all_of(op.getUsers(), [&](Operation *user) {
                       return user == anchor;
                     });
    if (&op == anchor || isa<ConstantOp>(op) || isOperand)
      continue;
    if (!isa<ElementwiseOpInterface>(op) || !isVectorizable(&op))
      return failure();
    for (Value operand : op.getOperands()) {
      if (!e.getBuffer(operand))
        continue;
      std::optional<OperandMap> map =
          classifyOperand(operand.getType(), result);
      if (!map)
        return failure();
      auto entry =
          std::make_pair(operand, static_cast<effk::EpilogueMap>(*map));
      if (!llvm::is_contained(operands, entry))
        operands.push_back(entry);
    }
  }
  return success();
}

bool EpilogueEmitter::canRepeatColumns() const {
  return llvm::all_of(operands, [&](const auto &operand) {
    return operand.second == effk::EpilogueMap::Column
               ? static_cast<bool>(e.getPackable(operand.first))
               : operand.second != effk::EpilogueMap::Row;
  });
}

void EpilogueEmitter::repeatColumns(int64_t times) {
  llvm::SmallDenseSet<Value> packed;
  for (auto [tensor, map] : operands) {
    if (map != effk::EpilogueMap::Column || !packed.insert(tensor).second)
      continue;
    int64_t columns =
        times * cast<RankedTensorType>(tensor.getType()).getNumElements();
    e.pack(tensor,
           effk::PanelAttr::get(e.b.getContext(), "repeat",
                                /*groups=*/1, /*k=*/1, columns, columns));
  }
}

SmallVector<effk::EpilogueInput>
EpilogueEmitter::inputs(Value rowBase, Value columnBase, Value stride) {
  SmallVector<effk::EpilogueInput> result;
  for (auto [tensor, map] : operands) {
    effk::EpilogueInput input{e.getBuffer(tensor), map, {}, {}};
    if (map == effk::EpilogueMap::Column)
      input.base = columnBase;
    if (map == effk::EpilogueMap::Element) {
      input.base = e.add(e.mul(rowBase, stride), columnBase);
      input.stride = stride;
    }
    if (map == effk::EpilogueMap::Row) {
      input.base = rowBase;
      input.stride = e.index(1);
    }
    result.push_back(input);
  }
  return result;
}

/// The bias may be of a smaller float type than the sum.
Value EpilogueEmitter::addBias(Value sum, Value value) {
  if (!isa<FloatType>(sum.getType()))
    return arith::AddIOp::create(e.b, e.loc, sum, value);
  if (value.getType() != sum.getType())
    value = arith::ExtFOp::create(e.b, e.loc, sum.getType(), value);
  return arith::AddFOp::create(e.b, e.loc, sum, value);
}

Value EpilogueEmitter::build(Value sum, ValueRange loaded) {
  if (bias && !e.getBuffer(bias))
    sum = addBias(sum, e.element(bias, e.index(0)));
  for (auto [number, operand] : llvm::enumerate(operands)) {
    Value value = loaded[number];
    if (number == 0 && operand.first == bias) {
      sum = addBias(sum, value);
      continue;
    }
    e.bind(operand.first,
           [&e = e, value, tensor = operand.first](ArrayRef<Value>) -> Value {
             if (!cast<RankedTensorType>(tensor.getType())
                      .getElementType()
                      .isInteger(1))
               return value;
             return arith::CmpIOp::create(e.b, e.loc, arith::CmpIPredicate::ne,
                                          value,
                                          e.constant(value.getType(), 0));
           });
  }
  Type anchorType = getElementTypeOrSelf(anchor->getResult(0).getType());
  sum = convertScalar(e, sum, sum.getType(), anchorType);
  e.bind(anchor->getResult(0), [sum](ArrayRef<Value>) { return sum; });
  Indices indices(getDims(e.getYielded(0).getType()).size(), e.index(0));
  Value result = e.element(e.getYielded(0), indices);
  if (result.getType().isInteger(1))
    result = arith::ExtUIOp::create(e.b, e.loc, e.b.getI8Type(), result);
  return result;
}

std::optional<GemmTypes> getGemmTypes(Value a, Value b, Value bias,
                                      Value result) {
  auto elementOf = [](Value value) {
    return getElementTypeOrSelf(value.getType());
  };
  Type left = elementOf(a), right = elementOf(b), sum = elementOf(result);
  Type added = bias ? elementOf(bias) : sum;
  if (left.isF32() && right.isF32() && sum.isF32() && added.isF32())
    return GemmTypes::F32;
  if (left.isUnsignedInteger(8) && right.isSignlessInteger(8) &&
      sum.isSignlessInteger(32) && added == sum)
    return GemmTypes::U8S8;
  if (left.isBF16() && right.isBF16() && (sum.isF32() || sum.isBF16()) &&
      (added.isF32() || added.isBF16()))
    return GemmTypes::BF16;
  return std::nullopt;
}

bool isTileable(ArrayRef<Value> values) {
  return llvm::all_of(values, [](Value value) {
    return !value ||
           cast<RankedTensorType>(value.getType()).getElementType().isF32();
  });
}

TileChoice chooseTile(KernelEmitter &e, AffineExpr rows, int64_t columns,
                      int64_t depth, GemmTypes types, int64_t rowBytes) {
  return e.options.choices->gemm(getConstant(rows), columns, depth, rowBytes,
                                 types);
}

void setTile(effk::GemmDescription &gemm, const TileChoice &tile) {
  gemm.tileRows = tile.rows;
  gemm.tileWidth = tile.width;
  gemm.panelWidth = tile.panelWidth;
  gemm.registerRows = tile.registerRows;
  gemm.rowsPerBlock = tile.rowsPerBlock;
  gemm.rowsOuter = tile.rowsOuter;
  gemm.interleave = tile.interleave;
}

AffineExpr countTiles(const TileChoice &tile, AffineExpr rows,
                      AffineExpr columns) {
  return simplify(columns.ceilDiv(tile.width) *
                  rows.ceilDiv(tile.rowsPerBlock));
}

void createTiles(KernelEmitter &e, const effk::GemmDescription &gemm,
                 EpilogueEmitter &epilogue) {
  effk::createGemm(
      e.b, e.loc, gemm,
      [&](OpBuilder &, Location, Value sum, Value, Value, ValueRange loaded) {
        return epilogue.build(sum, loaded);
      });
}

void createWhole(KernelEmitter &e, effk::GemmDescription &gemm,
                 EpilogueEmitter &epilogue) {
  Block &entry = e.getFunction().getBody().front();
  gemm.lo = entry.getArgument(entry.getNumArguments() - 3);
  gemm.hi = entry.getArgument(entry.getNumArguments() - 2);
  createTiles(e, gemm, epilogue);
}

} // namespace effc

namespace {

/// The sizes of a convolution by name; NHWC.
struct ConvShape {
  Dims x, y;
  SmallVector<int64_t> kernel, strides;
  int64_t groups, channels, outputs; ///< channels and outputs of one group
  /// Neighbouring pixels of a row of the result that are one row of the
  /// product.
  int64_t pixels = 1;
  size_t spatial;
  bool padded;

  static std::optional<ConvShape> get(ConvOp op) {
    ConvShape shape;
    shape.x = getDims(op.getX().getType());
    shape.y = getDims(op.getType());
    Dims weight = getDims(op.getWeight().getType());
    SmallVector<int64_t> sizes;
    for (AffineExpr dim : weight) {
      if (!getConstant(dim))
        return std::nullopt;
      sizes.push_back(*getConstant(dim));
    }
    shape.groups = op.getGroups();
    shape.outputs = sizes[0] / shape.groups;
    shape.channels = sizes[1];
    shape.kernel.assign(sizes.begin() + 2, sizes.end());
    shape.strides = llvm::to_vector(op.getStrides());
    shape.spatial = shape.kernel.size();
    shape.padded =
        llvm::any_of(op.getPads(), [](int64_t pad) { return pad != 0; });
    return shape;
  }
  /// All pixels of the operand are rows, one behind the other.
  bool isPointwise() const {
    return taps() == 1 && !padded &&
           llvm::all_of(strides, [](int64_t stride) { return stride == 1; });
  }
  int64_t taps() const {
    int64_t count = 1;
    for (int64_t size : kernel)
      count *= size;
    return count;
  }

  /// `count` neighbours become one pixel of as many times the outputs, which is
  /// the same memory: their taps are those of one wider kernel, whose weights
  /// are zero where a neighbour has no tap (#effk.panel "pixels").
  void joinPixels(int64_t count) {
    MLIRContext *context = y[0].getContext();
    pixels = count;
    outputs *= count;
    kernel.back() += (count - 1) * strides.back();
    strides.back() *= count;
    y.back() = getAffineConstantExpr(outputs, context);
    AffineExpr &width = y[spatial];
    width = getAffineConstantExpr(*getConstant(width) / count, context);
  }
};

/// Joins as many neighbours as fill a vector best. Zero weights spread what is
/// not finite to a neighbour, as Winograd's transforms do, so that --exact
/// turns this off as well.
void joinPixels(KernelEmitter &e, ConvOp op, ConvShape &shape, GemmTypes types,
                EpilogueEmitter &epilogue) {
  std::optional<int64_t> width = getConstant(shape.y[shape.spatial]);
  if (types != GemmTypes::F32 || shape.groups != 1 || !width ||
      e.options.exact || op.getDilations().back() != 1 ||
      !epilogue.canRepeatColumns())
    return;
  int64_t pixels =
      chooseJoinedPixels(e.options.target, shape.outputs, shape.kernel.back(),
                         shape.strides.back(), *width);
  if (pixels == 1)
    return;
  shape.joinPixels(pixels);
  epilogue.repeatColumns(pixels);
}

/// Of all pairs of a row of the result and one of the kernel, what part lies
/// above or below the map.
double shareOutside(ConvOp op, const ConvShape &shape) {
  std::optional<int64_t> height = getConstant(shape.x[1]),
                         rows = getConstant(shape.y[1]);
  if (shape.spatial != 2 || !height || !rows || *rows <= 0 ||
      op.getPadValue() != 0)
    return 0;
  // How many rows of the result begin above this line of the padded map.
  auto rowsBefore = [&](int64_t line) {
    return std::clamp<int64_t>(
        llvm::divideCeil(std::max<int64_t>(line, 0), shape.strides[0]), 0,
        *rows);
  };
  int64_t inside = 0;
  for (int64_t kh = 0; kh < shape.kernel[0]; ++kh) {
    int64_t first = op.getPads()[0] - kh * op.getDilations()[0];
    inside += rowsBefore(first + *height) - rowsBefore(first);
  }
  return 1 - static_cast<double>(inside) / (*rows * shape.kernel[0]);
}

/// Whether the taps of spatial dim i and the channels are contiguous.
bool mergesTaps(ConvOp op, const ConvShape &shape, size_t i) {
  return i + 1 == shape.spatial && !shape.padded && op.getDilations()[i] == 1 &&
         shape.groups == 1;
}

TileChoice chooseConvTile(KernelEmitter &e, ConvOp op, const ConvShape &shape,
                          GemmTypes types) {
  AffineExpr rows = product(e.b.getContext(), ArrayRef(shape.y).drop_back());
  // A pixel of the result adds stride^2 pixels of the operand to the cache.
  int64_t rowBytes =
      getElementTypeOrSelf(op.getX().getType()).getIntOrFloatBitWidth() / 8 *
      shape.channels;
  for (int64_t stride : shape.strides)
    rowBytes *= stride;
  // A pointwise one has a single run of pixels.
  std::optional<int64_t> run = getConstant(shape.y[shape.spatial]);
  RowRuns runs;
  if (shape.taps() > 1)
    runs.depth =
        shape.channels *
        (mergesTaps(op, shape, shape.spatial - 1) ? shape.kernel.back() : 1);
  if (run && shape.taps() > 1) {
    runs.length = *run;
    runs.outside = shareOutside(op, shape);
  }
  TileChoice tile = e.options.choices->gemm(getConstant(rows), shape.outputs,
                                            shape.taps() * shape.channels,
                                            rowBytes, types, runs);
  bool inRuns = tile.isMatrix ? !shape.isPointwise() : shape.taps() > 1;
  return run && inRuns ? alignToRuns(e.options.target, tile, *run) : tile;
}

/// Elements between neighbours along spatial dim i of an NHWC tensor.
AffineExpr pixelStride(ArrayRef<AffineExpr> dims, size_t i,
                       MLIRContext *context) {
  return product(context, dims.drop_front(2 + i));
}

/// Rows, taps and windows of a convolution over `a` (all but the group's
/// offset).
void describeRows(KernelEmitter &e, ConvOp op, const ConvShape &shape,
                  effk::GemmDescription &gemm) {
  MLIRContext *context = e.b.getContext();
  AffineExpr channelsIn = shape.x.back();
  gemm.run = e.index(shape.channels);
  if (shape.isPointwise()) {
    gemm.rowSizes = {e.size(product(context, ArrayRef(shape.y).drop_back()))};
    gemm.rowStrides = {e.size(channelsIn)};
    return;
  }
  gemm.rowSizes = {e.size(shape.y[0])};
  gemm.rowStrides = {e.size(product(context, ArrayRef(shape.x).drop_front()))};
  AffineExpr base = e.constExpr(0);
  for (size_t i = 0; i < shape.spatial; ++i) {
    AffineExpr stride = pixelStride(shape.x, i, context);
    gemm.rowSizes.push_back(e.size(shape.y[1 + i]));
    gemm.rowStrides.push_back(e.size(simplify(stride * shape.strides[i])));
    base = base - stride * op.getPads()[i];
    if (mergesTaps(op, shape, i)) {
      // The last kernel dim and the channels are contiguous: one run.
      gemm.run = e.index(shape.channels * shape.kernel[i]);
      continue;
    }
    gemm.tapSizes.push_back(e.index(shape.kernel[i]));
    gemm.tapStrides.push_back(e.size(simplify(stride * op.getDilations()[i])));
    if (shape.padded) {
      gemm.windowSizes.push_back(e.size(shape.x[1 + i]));
      gemm.windowStrides.push_back(e.index(shape.strides[i]));
      gemm.windowDilations.push_back(e.index(op.getDilations()[i]));
      gemm.windowPads.push_back(e.index(op.getPads()[i]));
    }
  }
  gemm.rowBase = e.size(simplify(base));
}

/// As describeRows where the map is planes: a run is a row of the kernel in one
/// of them.
void describePlanes(KernelEmitter &e, ConvOp op, const ConvShape &shape,
                    effk::GemmDescription &gemm) {
  MLIRContext *context = e.b.getContext();
  // Elements between neighbours along spatial dim i of a plane.
  auto strideOf = [&](size_t i) {
    return product(context,
                   ArrayRef(shape.x).slice(2 + i, shape.spatial - 1 - i));
  };
  gemm.rowSizes = {e.size(shape.y[0])};
  gemm.rowStrides = {e.size(product(context, ArrayRef(shape.x).drop_front()))};
  gemm.tapSizes = {e.index(shape.channels)};
  gemm.tapStrides = {
      e.size(product(context, ArrayRef(shape.x).slice(1, shape.spatial)))};
  for (size_t i = 0; i < shape.spatial; ++i) {
    AffineExpr stride = strideOf(i);
    gemm.rowSizes.push_back(e.size(shape.y[1 + i]));
    gemm.rowStrides.push_back(e.size(simplify(stride * shape.strides[i])));
    if (i + 1 == shape.spatial)
      break;
    gemm.tapSizes.push_back(e.index(shape.kernel[i]));
    gemm.tapStrides.push_back(e.size(simplify(stride * op.getDilations()[i])));
  }
  gemm.run = e.index(shape.kernel.back());
}

} // namespace

LogicalResult effc::emitLinearKernel(KernelEmitter &e, Operation *anchor) {
  auto op = dyn_cast<LinearOp>(anchor);
  if (!op || !e.getPackable(op.getWeight()) || !e.getBuffer(op.getX()))
    return failure();
  std::optional<GemmTypes> types =
      getGemmTypes(op.getX(), op.getWeight(), op.getBias(), op);
  Dims x = getDims(op.getX().getType()), y = getDims(op.getType());
  std::optional<int64_t> depth = getConstant(x.back()),
                         columns = getConstant(y.back());
  EpilogueEmitter epilogue(e, op, op.getBias());
  if (!types || !depth || !columns || *depth == 0 || failed(epilogue.collect()))
    return failure();
  AffineExpr rows = product(e.b.getContext(), ArrayRef(y).drop_back());
  TileChoice tile = chooseTile(e, rows, *columns, *depth, *types);
  e.pack(op.getWeight(),
         effk::PanelAttr::get(
             e.b.getContext(), op.getTransposeWeight() ? "nk" : "kn",
             /*groups=*/1, *depth, *columns, tile.panelWidth, tile.interleave));
  effk::GemmDescription gemm;
  setTile(gemm, tile);
  gemm.a = e.getBuffer(op.getX());
  gemm.rowSizes = {e.size(rows)};
  gemm.rowStrides = {e.index(*depth)};
  gemm.run = e.index(*depth);
  gemm.b = e.getBuffer(op.getWeight());
  gemm.c = e.getResultBuffer(0);
  gemm.cStride = gemm.n = e.index(*columns);
  gemm.epilogueInputs = epilogue.inputs(e.index(0), e.index(0), gemm.n);
  e.setExtent(countTiles(tile, rows, y.back()));
  createWhole(e, gemm, epilogue);
  return success();
}

LogicalResult effc::emitConvKernel(KernelEmitter &e, Operation *anchor) {
  auto op = dyn_cast<ConvOp>(anchor);
  if (!op || !op.getChannelsLast() || !e.getPackable(op.getWeight()))
    return failure();
  TransposeOp planes = getTransposedPlanes(op);
  Value map = e.getBuffer(planes ? planes.getX() : op.getX());
  if (!map)
    return failure();
  std::optional<GemmTypes> types =
      getGemmTypes(op.getX(), op.getWeight(), op.getBias(), op);
  std::optional<ConvShape> shape = ConvShape::get(op);
  EpilogueEmitter epilogue(e, op, op.getBias());
  if (!types || !shape || shape->channels == 0 || failed(epilogue.collect()))
    return failure();
  if (!planes)
    joinPixels(e, op, *shape, *types, epilogue);
  AffineExpr rows = product(e.b.getContext(), ArrayRef(shape->y).drop_back());
  int64_t depth = shape->taps() * shape->channels, outputs = shape->outputs;
  TileChoice tile = chooseConvTile(e, op, *shape, *types);
  effk::GemmDescription gemm;
  setTile(gemm, tile);
  gemm.padValue = static_cast<int64_t>(op.getPadValue());
  (planes ? describePlanes : describeRows)(e, op, *shape, gemm);
  auto panels = effk::PanelAttr::get(
      e.b.getContext(),
      planes              ? "nk"
      : shape->pixels > 1 ? "pixels"
                          : "oihw",
      shape->groups, depth, outputs, tile.panelWidth, tile.interleave,
      planes ? 1 : depth / *getConstantIntValue(gemm.run));
  e.pack(op.getWeight(), panels);
  int64_t panelSize = panels.getNumElements() / shape->groups;
  gemm.a = map;
  gemm.b = e.getBuffer(op.getWeight());
  gemm.c = e.getResultBuffer(0);
  gemm.n = e.index(outputs);
  gemm.cStride = e.size(shape->y.back());
  AffineExpr tiles = countTiles(tile, rows, e.constExpr(outputs));
  if (shape->groups == 1) {
    gemm.epilogueInputs = epilogue.inputs(e.index(0), e.index(0), gemm.cStride);
    e.setExtent(tiles);
    createWhole(e, gemm, epilogue);
    return success();
  }
  // One item is one group: all its tiles.
  e.setExtent(e.constExpr(shape->groups));
  Value base = gemm.rowBase ? gemm.rowBase : e.index(0);
  gemm.lo = e.index(0);
  gemm.hi = e.size(tiles);
  e.parallelLoop([&](Value group) {
    gemm.rowBase = e.add(base, e.mul(group, e.index(shape->channels)));
    gemm.bBase = e.mul(group, e.index(panelSize));
    gemm.cBase = e.mul(group, e.index(outputs));
    gemm.epilogueInputs = epilogue.inputs(e.index(0), gemm.cBase, gemm.cStride);
    createTiles(e, gemm, epilogue);
  });
  return success();
}
