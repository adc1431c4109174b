// Shapes that are computed at run time (see RuntimeShape.h).
#include "RuntimeShape.h"

using namespace mlir;
using namespace effc::eff;

namespace effc {

/// Larger sizes do not exist; sums of two do not overflow.
static constexpr int64_t largestSize = int64_t(1) << 47;

static Value toI64(Emitter &e, Value x) {
  return e.convert(x, e.ctx.builder().getI64Type());
}

static int64_t lengthOf(Value vector) {
  return tensorType(vector).getNumElements();
}

static bool isEmpty(Value list) {
  return getConstant(getNumElements(list.getType())) == 0;
}

/// Axes as a row, counted from the front.
static Value axesRow(Emitter &e, Value axes, int64_t rank) {
  Value wide = toI64(e, axes);
  Value front = e.select(e.compare(CompareKind::Lt, wide, 0.0),
                         e.add(wide, double(rank)), wide);
  return e.reshape(front, {e.constant(1), getNumElements(axes.getType())});
}

/// bool[rank, length]: axis a is entry i of the list.
static Value matchAxes(Emitter &e, Value axes, int64_t rank) {
  Value all = e.iota(e.ctx.builder().getI64Type(),
                     {e.constant(rank), e.constant(1)}, 0, e.constant(0));
  return e.compare(CompareKind::Eq, all, axesRow(e, axes, rank));
}

Value axisFlags(Emitter &e, Value axes, int64_t rank) {
  Type i64 = e.ctx.builder().getI64Type();
  if (rank == 0 || isEmpty(axes))
    return e.splat(i64, {e.constant(rank)}, 0);
  // The largest of no numbers is the smallest there is: no axis is named.
  return e.binary(BinaryKind::Max,
                  e.reduce(ReduceKind::Max, toI64(e, matchAxes(e, axes, rank)),
                           {1}, /*keepdims=*/false),
                  0.0);
}

Value perAxis(Emitter &e, Value axes, Value values, int64_t rank,
              double fallback) {
  Type i64 = e.ctx.builder().getI64Type();
  Value rest = e.splat(i64, {e.constant(rank)}, fallback);
  if (rank == 0 || isEmpty(axes))
    return rest;
  Value row = e.reshape(toI64(e, values),
                        {e.constant(1), getNumElements(axes.getType())});
  Value mine = e.select(matchAxes(e, axes, rank), row, e.scalar(i64, 0));
  Value sum = e.reduce(ReduceKind::Sum, mine, {1}, /*keepdims=*/false);
  return e.select(e.compare(CompareKind::Ne, axisFlags(e, axes, rank), 0.0),
                  sum, rest);
}

Dims defineSizes(Emitter &e, Value vector, int64_t min) {
  Dims sizes;
  for (int64_t i = 0, n = vector ? lengthOf(vector) : 0; i < n; ++i)
    sizes.push_back(e.ctx.defineSize(vector, i, min, largestSize));
  return sizes;
}

Value pickFlagged(Emitter &e, Value list, Value flags, int64_t count) {
  Value mask = e.compare(CompareKind::Ne, flags, 0.0);
  if (!mask)
    return {};
  auto type = RankedTensorType::get({1, count}, e.ctx.builder().getI64Type());
  Value at = e.ctx.createTyped<NonZeroOp>(type, mask);
  return e.gather(list, e.reshape(at, {e.constant(count)}), 0);
}

AffineExpr settleSize(NodeContext &ctx, unsigned output, int64_t axis,
                      AffineExpr size) {
  std::optional<Dims> declared = ctx.declaredDims(output);
  if (!declared || axis >= int64_t(declared->size()))
    return size;
  AffineExpr known = (*declared)[axis];
  if (!known || !ctx.isLate(size) || ctx.isLate(known) ||
      failed(ctx.requireEqual(size, known, "a size is not as declared")))
    return size;
  return known;
}

Dims settle(NodeContext &ctx, unsigned output, ArrayRef<AffineExpr> dims) {
  Dims result(dims);
  std::optional<Dims> declared = ctx.declaredDims(output);
  if (!declared || declared->size() != dims.size())
    return result;
  for (auto [axis, dim] : llvm::enumerate(result))
    dim = settleSize(ctx, output, axis, dim);
  return result;
}

AffineExpr clampBound(NodeContext &ctx, AffineExpr bound, AffineExpr size,
                      int64_t low, AffineExpr high) {
  AffineExpr lowest = constDim(ctx.context(), low);
  if (std::optional<int64_t> constant = getConstant(bound)) {
    // Sentinels lie beyond any size.
    if (*constant >= INT32_MAX)
      return high;
    if (*constant <= INT32_MIN)
      return lowest;
    if (*constant < 0)
      bound = simplify(bound + size);
  } else if (ctx.bounds(bound).second < 0) {
    bound = simplify(bound + size);
  } else if (ctx.isLate(bound) && ctx.bounds(bound).first < 0) {
    // floordiv is -1 below 0 and else 0.
    AffineExpr near =
        ctx.maxSize(ctx.minSize(bound, size), simplify(-size - 1));
    AffineExpr sign = near.floorDiv(largestSize);
    bound = simplify(near - size * sign);
  }
  return ctx.maxSize(ctx.minSize(bound, high), lowest);
}

Value withSize(NodeContext &ctx, Value x, int64_t axis, int64_t size,
               const Twine &what) {
  if (!x)
    return {};
  AffineExpr fixed = constDim(ctx.context(), size);
  if (failed(ctx.requireEqual(getDim(x.getType(), axis), fixed, what)))
    return {};
  return sliceAxis(ctx, x, axis, constDim(ctx.context(), 0), fixed);
}

LogicalResult requireWithin(NodeContext &ctx, AffineExpr size, int64_t min,
                            int64_t max, const Twine &what) {
  if (std::optional<int64_t> constant = getConstant(size))
    return *constant < min || *constant > max
               ? ctx.error(what + ": " + Twine(*constant))
               : success();
  AffineExpr low = constDim(ctx.context(), min);
  AffineExpr high = constDim(ctx.context(), max);
  return success(
      succeeded(ctx.requireEqual(ctx.maxSize(size, low), size, what)) &&
      succeeded(ctx.requireEqual(ctx.minSize(size, high), size, what)));
}

Value withLength(NodeContext &ctx, Value vector,
                 std::optional<int64_t> length) {
  if (!vector || rankOf(vector) != 1) {
    (void)ctx.error("the shape is not a vector");
    return {};
  }
  if (tensorType(vector).hasStaticShape())
    return vector;
  if (!length || *length < 0) {
    (void)ctx.unsupported("the rank of the result is computed from data",
                          "declare the result's rank in value_info, or fix "
                          "input sizes with --dim");
    return {};
  }
  return withSize(ctx, vector, 0, *length,
                  "the rank of the result is not as declared");
}

Value reshapeToRuntime(NodeContext &ctx, Value x, Value shape, bool allowZero) {
  Emitter e(ctx);
  shape = withLength(ctx, shape, ctx.declaredRank(0));
  if (!shape)
    return {};
  Type i64 = ctx.builder().getI64Type();
  Dims source = e.dims(x), copied;
  int64_t length = lengthOf(shape);
  for (int64_t i = 0; i < length; ++i)
    copied.push_back(i < int64_t(source.size()) ? source[i] : e.constant(0));
  Value sizes = toI64(e, shape);
  if (!allowZero)
    sizes = e.select(e.compare(CompareKind::Eq, sizes, 0.0),
                     ctx.dimValues(copied, i64, {length}), sizes);
  AffineExpr count = getNumElements(x.getType());
  Value open = e.compare(CompareKind::Eq, sizes, -1.0);
  Value others = e.select(open, e.scalar(i64, 1), sizes);
  Value product = e.reduce(ReduceKind::Prod, others, {0}, /*keepdims=*/true);
  Value rest = e.div(ctx.dimValues({count}, i64, {1}),
                     e.binary(BinaryKind::Max, product, 1.0));
  sizes = e.select(open, rest, sizes);
  if (!sizes)
    return {};
  Dims dims = defineSizes(e, sizes);
  // What is known of the shape needs no symbol.
  if (std::optional<Dims> known = ctx.partialSizes(shape))
    for (auto [dim, element] : llvm::zip(dims, *known))
      if (element && ctx.bounds(element).first > 0)
        dim = element;
  dims = settle(ctx, 0, dims);
  if (failed(ctx.requireEqual(count, eff::product(ctx.context(), dims),
                              "the new shape has another number of elements")))
    return {};
  return e.reshape(x, dims);
}

namespace {
/// One axis of a slice: scalars where it starts and steps, and its extent.
struct AxisRange {
  Value start, step;
  AffineExpr extent;
};
} // namespace

/// ONNX's rules for start and end, in tensors of one entry per axis.
static SmallVector<AxisRange> rangesAtRuntime(Emitter &e, Value x, Value starts,
                                              Value ends, Value steps) {
  Type i64 = e.ctx.builder().getI64Type();
  int64_t rank = rankOf(x);
  auto bound = [&](Value a, BinaryKind kind, Value b) {
    return e.binary(kind, a, b);
  };
  Value size = e.ctx.dimValues(e.dims(x), i64, {rank});
  Value zero = e.scalar(i64, 0), one = e.scalar(i64, 1);
  auto fromFront = [&](Value v) {
    return e.select(e.compare(CompareKind::Lt, v, 0.0), e.add(v, size), v);
  };
  Value limit = e.scalar(i64, double(int64_t(1) << 31));
  Value step = bound(bound(steps, BinaryKind::Min, limit), BinaryKind::Max,
                     e.sub(zero, limit));
  Value down = e.compare(CompareKind::Lt, step, 0.0);
  Value top = e.select(down, e.sub(size, one), size);
  Value lowest = e.select(down, e.scalar(i64, -1), zero);
  Value start = bound(bound(fromFront(starts), BinaryKind::Min, top),
                      BinaryKind::Max, zero);
  Value end = bound(bound(fromFront(ends), BinaryKind::Min, top),
                    BinaryKind::Max, lowest);
  Value distance = e.select(down, e.sub(start, end), e.sub(end, start));
  Value width = e.unary(UnaryKind::Abs, step);
  distance = bound(distance, BinaryKind::Max, zero);
  Value extent = e.div(e.sub(e.add(distance, width), one),
                       bound(width, BinaryKind::Max, one));
  // A step of 0 leads nowhere; no size takes -1.
  extent = e.select(e.compare(CompareKind::Eq, step, 0.0), e.scalar(i64, -1),
                    extent);
  SmallVector<AxisRange> ranges;
  if (!extent)
    return ranges;
  auto scalar = [&](Value v, int64_t i) {
    return e.reshape(e.slice(v, 0, e.constant(i), e.constant(1)), {});
  };
  for (auto [i, size] : llvm::enumerate(defineSizes(e, extent)))
    ranges.push_back({scalar(start, i), scalar(step, i), size});
  return ranges;
}

Value sliceAtRuntime(NodeContext &ctx, Value x, Value starts, Value ends,
                     Value axes, Value steps) {
  Emitter e(ctx);
  Type i64 = ctx.builder().getI64Type();
  int64_t rank = rankOf(x);
  AffineExpr length = getNumElements(starts.getType());
  for (Value list : {starts, ends, axes, steps})
    if (list && (rankOf(list) != 1 ||
                 failed(ctx.requireEqual(
                     getNumElements(list.getType()), length,
                     "starts, ends, axes and steps differ in length")))) {
      if (!ctx.hasFailed())
        (void)ctx.error("starts, ends, axes and steps differ in length");
      return {};
    }
  if (!axes)
    axes = e.iota(i64, {length}, 0, e.constant(0));
  if (!steps)
    steps = e.splat(i64, {length}, 1);
  // Beyond any size, and not beyond what a double holds.
  SmallVector<AxisRange> ranges =
      rangesAtRuntime(e, x, perAxis(e, axes, starts, rank, 0),
                      perAxis(e, axes, ends, rank, double(largestSize)),
                      perAxis(e, axes, steps, rank, 1));
  if (int64_t(ranges.size()) != rank)
    return {};
  Dims extents;
  for (const AxisRange &range : ranges)
    extents.push_back(range.extent);
  extents = settle(ctx, 0, extents);
  std::optional<SmallVector<int64_t>> known = ctx.constants(axes);
  for (int64_t axis = 0; axis < rank; ++axis) {
    // An axis that is not sliced.
    if (known && !llvm::is_contained(*known, axis) &&
        !llvm::is_contained(*known, axis - rank))
      continue;
    Value at = e.iota(i64, {extents[axis]}, 0, e.constant(0));
    at = e.add(e.mul(at, ranges[axis].step), ranges[axis].start);
    x = e.gather(x, at, axis);
  }
  return x;
}

} // namespace effc
