// Operators that place elements anew: CenterCropPad-18, EyeLike-22,
// ReverseSequence-10, MaxUnpool-22, Col2Im-18, and refusals of operators that
// ONNX withdrew before its first release.
#include "RuntimeShape.h"
#include "Windows.h"

using namespace mlir;
using namespace effc::eff;

namespace effc {

/// The elements of a shape operand of this length; late sizes where they are
/// data that the declared result does not tell. `axes`: of which dims.
static std::optional<Dims> readSizes(NodeContext &ctx, unsigned index,
                                     StringRef name, ArrayRef<int64_t> axes) {
  Value shape = ctx.input(index);
  if (rankOf(shape) == 1)
    shape = withLength(ctx, shape, axes.size());
  if (!shape)
    return std::nullopt;
  std::optional<Dims> sizes = ctx.sizes(shape);
  if (!sizes || sizes->size() != axes.size()) {
    (void)ctx.error(name + " (input " + Twine(index) + ") is not a list of " +
                    Twine(axes.size()) + " integers");
    return std::nullopt;
  }
  for (auto [axis, size] : llvm::zip(axes, *sizes)) {
    size = settleSize(ctx, 0, axis, size);
    if (getConstant(size).value_or(0) < 0) {
      (void)ctx.error(name + " (input " + Twine(index) + ") holds " +
                      toString(size));
      return std::nullopt;
    }
  }
  return sizes;
}

static SmallVector<int64_t> axesUpTo(int64_t rank) {
  return llvm::to_vector(llvm::seq<int64_t>(0, rank));
}

LogicalResult importCenterCropPad(NodeContext &ctx) {
  if (failed(ctx.requireInputs(2)))
    return failure();
  Emitter e(ctx);
  Value x = ctx.input(0);
  SmallVector<int64_t> axes = ctx.attrInts("axes", axesUpTo(rankOf(x)));
  for (int64_t &axis : axes) {
    std::optional<int64_t> normal = normalizeAxis(ctx, axis, rankOf(x));
    if (!normal)
      return failure();
    axis = *normal;
  }
  std::optional<Dims> sizes = readSizes(ctx, 1, "shape", axes);
  if (!sizes)
    return failure();
  AffineExpr zero = e.constant(0);
  Dims low(rankOf(x), zero), result = e.dims(x);
  bool pads = false;
  for (auto [axis, to] : llvm::zip(axes, *sizes)) {
    AffineExpr from = e.dim(x, axis);
    // Both halves round down at the front.
    AffineExpr surplus = ctx.maxSize(simplify(from - to), zero);
    x = e.slice(x, axis, simplify(surplus.floorDiv(2)),
                simplify(from - surplus));
    AffineExpr missing = ctx.maxSize(simplify(to - from), zero);
    low[axis] = simplify(missing.floorDiv(2));
    result[axis] = to;
    pads |= getConstant(missing) != 0;
  }
  if (!x || !pads)
    return ctx.setOutput(0, x);
  return ctx.setOutput(
      0, ctx.createTyped<PadOp>(makeTensorType(elementTypeOf(x), result),
                                PadMode::Constant, x, Value(),
                                DimsAttr::get(ctx.context(), low)));
}

LogicalResult importEyeLike(NodeContext &ctx) {
  if (failed(ctx.requireInputs(1)))
    return failure();
  Emitter e(ctx);
  Value x = ctx.input(0);
  if (rankOf(x) != 2)
    return ctx.error("needs an operand of rank 2");
  int64_t diagonal = ctx.attrInt("k", 0);
  std::optional<int64_t> number = ctx.attrInt("dtype");
  Type type = number ? ctx.elementType(*number) : elementTypeOf(x);
  if (ctx.hasFailed() || !type)
    return failure();
  Type i64 = ctx.builder().getI64Type();
  Value rows =
      e.iota(i64, {e.dim(x, 0), e.constant(1)}, 0, e.constant(diagonal));
  Value columns = e.iota(i64, {e.constant(1), e.dim(x, 1)}, 1, e.constant(0));
  return ctx.setOutput(
      0, e.convert(e.compare(CompareKind::Eq, rows, columns), type));
}

LogicalResult importReverseSequence(NodeContext &ctx) {
  if (failed(ctx.requireInputs(2)))
    return failure();
  Emitter e(ctx);
  Value x = ctx.input(0), lengths = ctx.input(1);
  int64_t batch = ctx.attrInt("batch_axis", 1);
  int64_t time = ctx.attrInt("time_axis", 0);
  if (rankOf(x) < 2 || rankOf(lengths) != 1 || batch + time != 1 ||
      batch * time != 0)
    return ctx.error("needs an operand of rank 2 or more, a list of lengths, "
                     "and axes 0 and 1");
  if (failed(ctx.requireEqual(e.dim(lengths, 0), e.dim(x, batch),
                              "there is not one length for each sequence")))
    return failure();
  Type i64 = ctx.builder().getI64Type();
  Dims step(2, e.constant(1)), sequence = step;
  step[time] = e.dim(x, time);
  sequence[batch] = e.dim(x, batch);
  Value t = e.iota(i64, step, time, e.constant(0));
  Value length = e.reshape(e.convert(lengths, i64), sequence);
  // A length beyond the axis gives an index that the gather reports.
  Value reversed = e.sub(e.add(length, -1.0), t);
  Value from = e.select(e.compare(CompareKind::Lt, t, length), reversed, t);
  Dims column = e.dims(x);
  for (size_t i = 2; i < column.size(); ++i)
    column[i] = e.constant(1);
  from = e.broadcast(e.reshape(from, column), e.dims(x));
  if (!from)
    return failure();
  return ctx.setOutput(0,
                       ctx.create<GatherElementsOp>(x, from, uint64_t(time)));
}

LogicalResult importMaxUnpool(NodeContext &ctx) {
  if (failed(ctx.requireInputs(2, 3)))
    return failure();
  Emitter e(ctx);
  Value x = ctx.input(0), indices = ctx.input(1);
  std::optional<Windows> windows = readWindows(ctx, e.dims(x), {});
  if (!windows)
    return failure();
  Dims dims = e.dims(x), from = e.dims(indices);
  if (from.size() != dims.size())
    return ctx.error("values and indices differ in rank");
  int64_t rank = windows->spatialRank();
  for (auto [a, b] : llvm::zip(dims, from))
    if (failed(ctx.requireEqual(a, b, "values and indices differ in shape")))
      return failure();
  for (int64_t i = 0; i < rank; ++i)
    dims[i + 2] =
        simplify((dims[i + 2] - 1) * windows->strides[i] + windows->kernel[i] -
                 windows->pads[i] - windows->pads[i + rank]);
  for (AffineExpr dim : dims)
    if (getConstant(dim).value_or(0) < 0)
      return ctx.error("the unpooled shape has a size of " + toString(dim));
  // Indices count in the whole tensor of that shape, whatever output_shape is.
  AffineExpr total = product(ctx.context(), dims);
  AffineExpr count = getNumElements(x.getType());
  Value zeros = e.splat(elementTypeOf(x), {total}, 0);
  Value flat = e.reshape(x, {count}), at = e.reshape(indices, {count});
  if (!zeros || !flat || !at)
    return failure();
  Value y = e.reshape(ctx.create<ScatterElementsOp>(ScatterKind::None, zeros,
                                                    at, flat, uint64_t(0)),
                      dims);
  if (!ctx.hasInput(2))
    return ctx.setOutput(0, y);
  std::optional<Dims> target =
      readSizes(ctx, 2, "output_shape", axesUpTo(dims.size()));
  if (!target)
    return failure();
  Dims low(dims.size(), e.constant(0)), high;
  for (auto [to, size] : llvm::zip(*target, dims)) {
    AffineExpr more = simplify(to - size);
    if (failed(ctx.requireEqual(ctx.maxSize(more, e.constant(0)), more,
                                "output_shape is smaller than the unpooled "
                                "shape")))
      return failure();
    high.push_back(more);
  }
  return ctx.setOutput(0, e.pad(y, low, high));
}

/// The number of windows along one dim, of a block with `size` taps in it.
static AffineExpr countWindows(const Windows &windows, AffineExpr size,
                               AffineExpr taps, int64_t i, int64_t rank) {
  AffineExpr span = size + windows.pads[i] + windows.pads[i + rank] - 1 -
                    (taps - 1) * windows.dilations[i];
  return simplify(span.floorDiv(windows.strides[i]) + 1);
}

/// The sizes of the block (input 2), which are positive.
static std::optional<Dims> readBlock(NodeContext &ctx, int64_t rank) {
  // Data settles by no dim of the result.
  Value shape = ctx.input(2);
  if (rankOf(shape) == 1)
    shape = withLength(ctx, shape, rank);
  std::optional<Dims> block = ctx.sizes(shape);
  if (!block || int64_t(block->size()) != rank) {
    if (shape)
      (void)ctx.error("block_shape (input 2) is not a list of " + Twine(rank) +
                      " integers");
    return std::nullopt;
  }
  for (AffineExpr size : *block)
    // Products of three do not overflow.
    if (failed(requireWithin(ctx, size, 1, 1 << 20,
                             "a size of block_shape is not from 1 to 2^20")))
      return std::nullopt;
  return block;
}

/// A list of sizes whose length only the declared result may tell.
static std::optional<int64_t> spatialRank(NodeContext &ctx, Value list) {
  if (rankOf(list) == 1)
    if (std::optional<int64_t> length = getConstant(getDim(list.getType(), 0)))
      return length;
  std::optional<int64_t> rank = ctx.declaredRank(0);
  return rank ? std::optional<int64_t>(*rank - 2) : std::nullopt;
}

LogicalResult importCol2Im(NodeContext &ctx) {
  if (failed(ctx.requireInputs(3)))
    return failure();
  Emitter e(ctx);
  Value x = ctx.input(0);
  if (rankOf(x) != 3)
    return ctx.error("needs columns of rank 3");
  std::optional<int64_t> rank = spatialRank(ctx, ctx.input(1));
  if (!rank)
    rank = spatialRank(ctx, ctx.input(2));
  if (rank && (*rank < 1 || *rank > 62))
    return ctx.error("an image of " + Twine(*rank) + " spatial dims");
  if (!rank)
    return ctx.unsupported("the rank of the result is computed from data",
                           "declare the result's rank in value_info, or fix "
                           "input sizes with --dim");
  SmallVector<int64_t> axes;
  for (int64_t i = 0; i < *rank; ++i)
    axes.push_back(i + 2);
  std::optional<Dims> image = readSizes(ctx, 1, "image_shape", axes);
  if (!image)
    return failure();
  std::optional<Dims> block = readBlock(ctx, *rank);
  if (!block)
    return failure();
  Dims columns = e.dims(x);
  // readWindows takes an image of any batch and channels.
  Dims whole{columns[0], columns[1]};
  whole.append(*image);
  std::optional<Windows> windows = readWindows(ctx, whole, *block);
  if (!windows)
    return failure();
  AffineExpr taps = product(ctx.context(), *block);
  Dims split{columns[0], settleSize(ctx, 0, 1, exactDiv(columns[1], taps))};
  Dims result = split;
  split.append(*block);
  for (int64_t i = 0; i < *rank; ++i)
    split.push_back(countWindows(*windows, (*image)[i], (*block)[i], i, *rank));
  result.append(*image);
  if (failed(ctx.requireEqual(simplify(split[1] * taps), columns[1],
                              "the columns are no multiple of the block")) ||
      failed(ctx.requireEqual(
          product(ctx.context(), ArrayRef(split).take_back(*rank)), columns[2],
          "the columns are not as many as windows in the image")))
    return failure();
  Value parts = e.reshape(x, split);
  if (!parts)
    return failure();
  return ctx.setOutput(
      0, ctx.createTyped<Col2ImOp>(makeTensorType(elementTypeOf(x), result),
                                   parts, windows->strides, windows->dilations,
                                   ArrayRef(windows->pads).take_front(*rank)));
}

/// Met in files of early converters; never part of a released opset.
LogicalResult importWithdrawn(NodeContext &ctx) {
  return ctx.unsupported("this operator was withdrawn before ONNX 1.0",
                         "convert the model again with a newer exporter");
}

} // namespace effc
