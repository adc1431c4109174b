// Operators that place elements anew: CenterCropPad-18, EyeLike-22,
// ReverseSequence-10, MaxUnpool-22, Col2Im-18, and refusals of operators that
// ONNX withdrew before its first release.
#include "RuntimeShape.h"
#include "Windows.h"

using namespace mlir;
using namespace effc::eff;

namespace effc {

/// Sizes that a shape operand holds, or all of the declared result's; those of
/// the result's dims from `skip` on, or of `axes`.
static std::optional<Dims> sizesOrDeclared(NodeContext &ctx, unsigned index,
                                           size_t skip = 0,
                                           ArrayRef<int64_t> axes = {}) {
  std::optional<Dims> declared = ctx.declaredDims(0);
  if (std::optional<Dims> sizes = ctx.sizes(ctx.input(index))) {
    for (auto [i, size] : llvm::enumerate(*sizes))
      size = settleSize(ctx, 0, axes.empty() ? i + skip : axes[i], size);
    return sizes;
  }
  if (declared && declared->size() >= skip &&
      !llvm::is_contained(*declared, AffineExpr())) {
    declared->erase(declared->begin(), declared->begin() + skip);
    return declared;
  }
  (void)ctx.unsupported("the shape (input " + Twine(index) +
                            ") is computed from data",
                        "declare the result's shape in value_info");
  return std::nullopt;
}

LogicalResult importCenterCropPad(NodeContext &ctx) {
  if (failed(ctx.requireInputs(2)))
    return failure();
  Emitter e(ctx);
  Value x = ctx.input(0);
  SmallVector<int64_t> axes =
      ctx.attrInts("axes", llvm::to_vector(llvm::seq<int64_t>(0, rankOf(x))));
  bool isGiven = ctx.sizes(ctx.input(1)).has_value();
  std::optional<SmallVector<int64_t>> normal =
      normalizeAxes(ctx, axes, rankOf(x));
  if (!normal)
    return failure();
  for (int64_t &axis : axes)
    axis += axis < 0 ? rankOf(x) : 0;
  if (isGiven && ctx.sizes(ctx.input(1))->size() != axes.size())
    return ctx.error("shape has " + Twine(ctx.sizes(ctx.input(1))->size()) +
                     " elements for " + Twine(axes.size()) + " axes");
  std::optional<Dims> sizes = sizesOrDeclared(ctx, 1, /*skip=*/0, axes);
  if (!sizes)
    return failure();
  if (sizes->size() != (isGiven ? axes.size() : size_t(rankOf(x))))
    return ctx.error("shape has " + Twine(sizes->size()) + " elements for " +
                     Twine(axes.size()) + " axes");
  AffineExpr zero = e.constant(0);
  Dims low(rankOf(x), zero), result = e.dims(x);
  bool pads = false;
  for (auto [i, given] : llvm::enumerate(axes)) {
    std::optional<int64_t> axis = normalizeAxis(ctx, given, rankOf(x));
    if (!axis)
      return failure();
    AffineExpr from = e.dim(x, *axis), to = (*sizes)[isGiven ? i : *axis];
    if (getConstant(to).value_or(0) < 0)
      return ctx.error("shape holds " + toString(to));
    // Both halves round down at the front.
    AffineExpr surplus = ctx.maxSize(simplify(from - to), zero);
    x = e.slice(x, *axis, simplify(surplus.floorDiv(2)),
                simplify(from - surplus));
    AffineExpr missing = ctx.maxSize(simplify(to - from), zero);
    low[*axis] = simplify(missing.floorDiv(2));
    result[*axis] = to;
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
  std::optional<Dims> target = sizesOrDeclared(ctx, 2);
  if (!target)
    return failure();
  if (target->size() != dims.size())
    return ctx.error("output_shape has " + Twine(target->size()) +
                     " elements for rank " + Twine(dims.size()));
  Dims low(dims.size(), e.constant(0)), high;
  for (auto [to, size] : llvm::zip(*target, dims)) {
    AffineExpr more = simplify(to - size);
    if (ctx.bounds(more).first < 0)
      return ctx.unsupported("an output_shape that may be smaller than the "
                             "unpooled shape");
    high.push_back(more);
  }
  return ctx.setOutput(0, e.pad(y, low, high));
}

/// The number of windows along one dim.
static AffineExpr countWindows(const Windows &windows, AffineExpr size,
                               int64_t i, int64_t rank) {
  AffineExpr span =
      size + windows.pads[i] + windows.pads[i + rank] - windows.reach(i);
  return simplify(span.floorDiv(windows.strides[i]) + 1);
}

/// For a block shape that is data: the only one that gives the columns' shape,
/// given the sizes of the declared result.
static std::optional<SmallVector<int64_t>>
solveBlock(NodeContext &ctx, const Windows &windows, ArrayRef<AffineExpr> image,
           ArrayRef<AffineExpr> columns) {
  std::optional<Dims> declared = ctx.declaredDims(0);
  int64_t rank = image.size();
  std::optional<int64_t> count = getConstant(columns[2]), taps;
  if (declared && declared->size() >= 2 && (*declared)[1])
    taps = getConstant(exactDiv(columns[1], (*declared)[1]));
  if (!taps || !count || *taps < 1 || *taps > 4096)
    return std::nullopt;
  SmallVector<SmallVector<int64_t>> fits;
  Windows candidate = windows;
  std::function<void(int64_t, int64_t, int64_t)> visit =
      [&](int64_t i, int64_t left, int64_t found) {
        if (i == rank) {
          if (left == 1 && found == *count)
            fits.push_back(candidate.kernel);
          return;
        }
        for (int64_t size = 1; size <= left; ++size) {
          if (left % size)
            continue;
          candidate.kernel[i] = size;
          std::optional<int64_t> here =
              getConstant(countWindows(candidate, image[i], i, rank));
          if (here && *here > 0)
            visit(i + 1, left / size, found * *here);
        }
      };
  visit(0, *taps, 1);
  return fits.size() == 1 ? std::optional(fits.front()) : std::nullopt;
}

LogicalResult importCol2Im(NodeContext &ctx) {
  if (failed(ctx.requireInputs(3)))
    return failure();
  Emitter e(ctx);
  Value x = ctx.input(0);
  if (rankOf(x) != 3)
    return ctx.error("needs columns of rank 3");
  std::optional<Dims> image = sizesOrDeclared(ctx, 1, /*skip=*/2);
  if (!image)
    return failure();
  int64_t rank = image->size();
  Dims columns = e.dims(x);
  // readWindows takes an image of any batch and channels.
  Dims whole{columns[0], columns[1]};
  whole.append(*image);
  std::optional<SmallVector<int64_t>> block = ctx.constants(ctx.input(2));
  Dims kernel;
  for (int64_t i = 0; i < rank; ++i)
    kernel.push_back(
        e.constant(block && i < int64_t(block->size()) ? (*block)[i] : 1));
  std::optional<Windows> windows = readWindows(ctx, whole, kernel);
  if (!windows)
    return failure();
  if (!block)
    block = solveBlock(ctx, *windows, *image, columns);
  if (!block)
    return ctx.unsupported("block_shape (input 2) is not a constant",
                           "make it an initializer");
  int64_t taps = 1;
  for (int64_t size : *block) {
    if (size < 1 || size > INT32_MAX || taps > INT32_MAX)
      return ctx.error("block_shape (input 2) holds " + Twine(size));
    taps *= size;
  }
  windows->kernel = *block;
  if (int64_t(block->size()) != rank)
    return ctx.error("block_shape has " + Twine(block->size()) +
                     " elements for " + Twine(rank) + " spatial dims");
  Dims split{columns[0], exactDiv(columns[1], e.constant(taps))};
  Dims result = split;
  for (int64_t size : *block)
    split.push_back(e.constant(size));
  for (int64_t i = 0; i < rank; ++i)
    split.push_back(countWindows(*windows, (*image)[i], i, rank));
  result.append(*image);
  if (failed(ctx.requireEqual(simplify(split[1] * taps), columns[1],
                              "the columns are no multiple of the block")) ||
      failed(ctx.requireEqual(
          product(ctx.context(), ArrayRef(split).take_back(rank)), columns[2],
          "the columns are not as many as windows in the image")))
    return failure();
  Value parts = e.reshape(x, split);
  if (!parts)
    return failure();
  return ctx.setOutput(
      0, ctx.createTyped<Col2ImOp>(makeTensorType(elementTypeOf(x), result),
                                   parts, windows->strides, windows->dilations,
                                   ArrayRef(windows->pads).take_front(rank)));
}

/// Met in files of early converters; never part of a released opset.
LogicalResult importWithdrawn(NodeContext &ctx) {
  return ctx.unsupported("this operator was withdrawn before ONNX 1.0",
                         "convert the model again with a newer exporter");
}

} // namespace effc
