// Handlers of operators that change shapes and join or cut tensors. Shape
// operands are read as expressions over symbols, late ones for what only a run
// knows; declared sizes are preferred to these and checked.
#include "RuntimeShape.h"

using namespace mlir;

namespace effc {

LogicalResult importReshape(NodeContext &ctx) {
  if (failed(ctx.requireInputs(2)))
    return failure();
  Value x = ctx.input(0);
  bool allowZero = ctx.attrBool("allowzero", false);
  std::optional<eff::Dims> dims = ctx.knownSizes(ctx.input(1));
  // A size of run time may be one that is copied or inferred.
  bool open = !dims || llvm::any_of(*dims, [&](AffineExpr size) {
    return ctx.isLate(size) && ctx.bounds(size).first < 0;
  });
  if (open)
    return ctx.setOutput(0, reshapeToRuntime(ctx, x, ctx.input(1), allowZero));
  eff::Dims source = eff::getDims(x.getType());
  AffineExpr known = eff::constDim(ctx.context(), 1);
  AffineExpr *inferred = nullptr;
  for (auto [axis, dim] : llvm::enumerate(*dims)) {
    std::optional<int64_t> constant = eff::getConstant(dim);
    if (constant == -1) {
      if (inferred)
        return ctx.error("the shape has more than one -1");
      inferred = &dim;
      continue;
    }
    if (constant == 0 && !allowZero) {
      if (axis >= source.size())
        return ctx.error("the shape copies dim " + Twine(axis) +
                         " of an operand of rank " + Twine(source.size()));
      dim = source[axis];
    } else if (constant && *constant < 0) {
      return ctx.error("the shape has a size of " + Twine(*constant));
    }
    known = known * dim;
  }
  AffineExpr count = eff::getNumElements(x.getType());
  if (inferred) {
    known = eff::simplify(known);
    std::optional<int64_t> total = eff::getConstant(count);
    std::optional<int64_t> divisor = eff::getConstant(known);
    if (divisor == 0 || (total && divisor && *total % *divisor != 0))
      return ctx.error("cannot infer -1: " + eff::toString(count) +
                       " elements over " + eff::toString(known));
    *inferred = eff::exactDiv(count, known);
  }
  if (failed(ctx.requireEqual(count, eff::product(ctx.context(), *dims),
                              "the new shape has another number of elements")))
    return failure();
  return ctx.setOutput(0, reshapeTo(ctx, x, *dims));
}

LogicalResult importFlatten(NodeContext &ctx) {
  if (failed(ctx.requireInputs(1)))
    return failure();
  Value x = ctx.input(0);
  eff::Dims dims = eff::getDims(x.getType());
  int64_t rank = dims.size();
  int64_t given = ctx.attrInt("axis", 1);
  // Axis `rank` is allowed too.
  std::optional<int64_t> axis =
      given == rank ? given : normalizeAxis(ctx, given, rank);
  if (!axis)
    return failure();
  ArrayRef<AffineExpr> all = dims;
  return ctx.setOutput(
      0, reshapeTo(ctx, x,
                   {eff::product(ctx.context(), all.take_front(*axis)),
                    eff::product(ctx.context(), all.drop_front(*axis))}));
}

/// Squeeze and Unsqueeze by axes that are data: sizes move to places that only
/// a run knows.
static std::optional<LogicalResult> importRuntimeAxes(NodeContext &ctx,
                                                      bool squeeze) {
  Emitter e(ctx);
  Value axes = ctx.input(1), x = ctx.input(0);
  if (!axes || ctx.hasAttr("axes") || ctx.constants(axes))
    return std::nullopt;
  int64_t rank = rankOf(x);
  std::optional<int64_t> declared = ctx.declaredRank(0);
  if (declared)
    declared = squeeze ? rank - *declared : *declared - rank;
  axes = withLength(ctx, axes, declared);
  if (!axes)
    return failure();
  int64_t count = tensorType(axes).getNumElements();
  int64_t result = squeeze ? rank - count : rank + count;
  if (result < 0)
    return ctx.error("more axes than dims");
  Type i64 = ctx.builder().getI64Type();
  eff::Dims source = e.dims(x);
  Value flags = axisFlags(e, axes, squeeze ? rank : result), sizes;
  if (squeeze) {
    Value kept = e.sub(e.scalar(i64, 1), flags);
    sizes = pickFlagged(e, ctx.dimValues(source, i64, {rank}), kept, result);
  } else {
    // The next size of the operand, or 1 where there is an axis.
    source.push_back(e.constant(1));
    Value old = ctx.create<eff::ScanOp>(
        eff::ReduceKind::Sum, e.sub(e.scalar(i64, 1), flags), uint64_t(0),
        /*exclusive=*/true, /*reverse=*/false);
    sizes =
        e.select(e.compare(eff::CompareKind::Ne, flags, 0.0), e.scalar(i64, 1),
                 e.gather(ctx.dimValues(source, i64, {rank + 1}), old, 0));
  }
  if (!sizes)
    return failure();
  eff::Dims dims = settle(ctx, 0, defineSizes(e, sizes));
  if (failed(ctx.requireEqual(eff::getNumElements(x.getType()),
                              eff::product(ctx.context(), dims),
                              "a dim that is not 1 is squeezed")))
    return failure();
  return ctx.setOutput(0, reshapeTo(ctx, x, dims));
}

/// A size is checked to be other than 1: the square of what it is more is not
/// 0.
static LogicalResult requireNotOne(NodeContext &ctx, AffineExpr dim) {
  AffineExpr square = eff::simplify((dim - 1) * (dim - 1));
  return ctx.requireEqual(
      ctx.maxSize(square, eff::constDim(ctx.context(), 1)), square,
      "a dim is 1 and would be squeezed without axes; give the axes");
}

/// Without axes, whether dims that the run knows are all squeezed or all kept.
/// The declared rank says; without one they are kept. Either is checked.
static std::optional<bool> dropsFreeDims(NodeContext &ctx,
                                         ArrayRef<AffineExpr> dims) {
  std::optional<int64_t> rank = ctx.declaredRank(0);
  int64_t ones = 0, unknown = 0;
  for (AffineExpr dim : dims) {
    ones += eff::getConstant(dim) == 1;
    unknown += !eff::getConstant(dim);
  }
  int64_t dropped = rank && unknown ? int64_t(dims.size()) - *rank - ones : 0;
  if (dropped == 0 || dropped == unknown)
    return dropped != 0;
  (void)ctx.unsupported("axes are absent and the declared rank does not tell "
                        "which dims are 1",
                        "give the axes, or fix sizes with --dim");
  return std::nullopt;
}

LogicalResult importSqueeze(NodeContext &ctx) {
  if (failed(ctx.requireInputs(1, 2)))
    return failure();
  if (auto done = importRuntimeAxes(ctx, /*squeeze=*/true))
    return *done;
  Value x = ctx.input(0);
  eff::Dims dims = eff::getDims(x.getType()), kept;
  std::optional<SmallVector<int64_t>> axes = attrOrInputInts(ctx, "axes", 1);
  if (axes)
    axes = normalizeAxes(ctx, *axes, dims.size());
  if (ctx.hasFailed())
    return failure();
  AffineExpr one = eff::constDim(ctx.context(), 1);
  std::optional<bool> dropsFree = axes ? false : dropsFreeDims(ctx, dims);
  if (!dropsFree)
    return failure();
  for (auto [axis, dim] : llvm::enumerate(dims)) {
    if (axes && llvm::is_contained(*axes, int64_t(axis))) {
      if (failed(ctx.requireEqual(dim, one,
                                  "squeezed dim " + Twine(axis) + " is not 1")))
        return failure();
      continue;
    }
    if (!axes && !eff::getConstant(dim)) {
      if (failed(*dropsFree
                     ? ctx.requireEqual(dim, one, "a squeezed dim is not 1")
                     : requireNotOne(ctx, dim)))
        return failure();
      if (*dropsFree)
        continue;
    }
    if (axes || dim != one)
      kept.push_back(dim);
  }
  return ctx.setOutput(0, reshapeTo(ctx, x, kept));
}

LogicalResult importUnsqueeze(NodeContext &ctx) {
  if (failed(ctx.requireInputs(1, 2)))
    return failure();
  if (auto done = importRuntimeAxes(ctx, /*squeeze=*/false))
    return *done;
  Value x = ctx.input(0);
  eff::Dims dims = eff::getDims(x.getType());
  std::optional<SmallVector<int64_t>> given = attrOrInputInts(ctx, "axes", 1);
  if (!given)
    return ctx.hasFailed() ? failure() : ctx.error("axes are missing");
  std::optional<SmallVector<int64_t>> axes =
      normalizeAxes(ctx, *given, dims.size() + given->size());
  if (!axes)
    return failure();
  if (axes->size() != given->size())
    return ctx.error("an axis is given twice");
  for (int64_t axis : *axes)
    dims.insert(dims.begin() + axis, eff::constDim(ctx.context(), 1));
  return ctx.setOutput(0, reshapeTo(ctx, x, dims));
}

LogicalResult importTranspose(NodeContext &ctx) {
  if (failed(ctx.requireInputs(1)))
    return failure();
  Value x = ctx.input(0);
  int64_t rank = rankOf(x);
  SmallVector<int64_t> permutation;
  for (int64_t axis = rank - 1; axis >= 0; --axis)
    permutation.push_back(axis);
  permutation = ctx.attrInts("perm", permutation);
  SmallVector<int64_t> sorted = permutation;
  llvm::sort(sorted);
  if (int64_t(sorted.size()) != rank)
    return ctx.error("perm has " + Twine(sorted.size()) +
                     " entries for an operand of rank " + Twine(rank));
  for (auto [axis, entry] : llvm::enumerate(sorted))
    if (int64_t(axis) != entry)
      return ctx.error("perm is not a permutation");
  return ctx.setOutput(0, transpose(ctx, x, permutation));
}

/// The shape for Expand to `rank` dims: one of unknown length is filled up with
/// ones in front.
static Value readExpandShape(NodeContext &ctx, int64_t rank) {
  Emitter e(ctx);
  Value shape = ctx.input(1);
  std::optional<int64_t> declared = ctx.declaredRank(0);
  if (rankOf(shape) != 1 || tensorType(shape).hasStaticShape() ||
      declared != rank)
    return withLength(ctx, shape, declared);
  AffineExpr length = e.dim(shape, 0), all = e.constant(rank);
  if (failed(ctx.requireEqual(ctx.maxSize(length, all), all,
                              "the rank of the result is not as declared")))
    return {};
  Value filled = e.concat({e.splat(elementTypeOf(shape), {all}, 1), shape}, 0);
  return e.slice(filled, 0, length, all);
}

LogicalResult importExpand(NodeContext &ctx) {
  if (failed(ctx.requireInputs(2)))
    return failure();
  Value x = ctx.input(0);
  std::optional<eff::Dims> target = ctx.sizes(readExpandShape(ctx, rankOf(x)));
  if (!target)
    return ctx.hasFailed() ? failure()
                           : ctx.error("the shape is not a list of integers");
  eff::Dims source = eff::getDims(x.getType());
  if (!eff::broadcastDims(source, *target))
    return ctx.error("the operand does not broadcast to the shape");
  // Either may be 1 where the other is not.
  eff::Dims dims = source;
  while (dims.size() < target->size())
    dims.insert(dims.begin(), eff::constDim(ctx.context(), 1));
  MutableArrayRef<AffineExpr> sizes =
      MutableArrayRef<AffineExpr>(dims).take_back(target->size());
  for (auto [size, wanted] : llvm::zip(sizes, *target)) {
    size = ctx.meetSizes(size, wanted);
    if (failed(ctx.requireBroadcast(
            wanted, size, "the operand does not broadcast to the shape")))
      return failure();
  }
  return ctx.setOutput(0, broadcastTo(ctx, x, settle(ctx, 0, dims)));
}

LogicalResult importConcat(NodeContext &ctx) {
  SmallVector<Value> inputs;
  for (unsigned i = 0; i < ctx.numInputs(); ++i)
    if (Value input = ctx.input(i))
      inputs.push_back(input);
  if (inputs.empty())
    return ctx.error("no inputs");
  std::optional<int64_t> given = ctx.attrInt("axis");
  if (!given)
    return ctx.error("attribute 'axis' is missing");
  std::optional<int64_t> axis =
      normalizeAxis(ctx, *given, rankOf(inputs.front()));
  if (!axis)
    return failure();
  for (Value input : inputs)
    if (rankOf(input) != rankOf(inputs.front()) ||
        elementTypeOf(input) != elementTypeOf(inputs.front()))
      return ctx.error("inputs differ in rank or element type");
  // Nothing is joined to an empty tensor (the first step of a KV cache).
  SmallVector<Value> filled;
  for (Value input : inputs)
    if (eff::getConstant(eff::getDim(input.getType(), *axis)) != 0)
      filled.push_back(input);
  if (filled.empty())
    filled.push_back(inputs.front());
  return ctx.setOutput(0, concat(ctx, filled, *axis));
}

/// The extents of Split's results as they are declared, where they are data.
static void settleSplit(NodeContext &ctx, eff::Dims &sizes, int64_t axis) {
  for (unsigned i = 0; i < std::min<size_t>(ctx.numOutputs(), sizes.size());
       ++i) {
    sizes[i] = settleSize(ctx, i, axis, sizes[i]);
  }
}

/// The extents of Split's results.
static std::optional<eff::Dims> splitSizes(NodeContext &ctx, AffineExpr size,
                                           int64_t axis) {
  if (ctx.hasAttr("split")) {
    eff::Dims sizes;
    for (int64_t part : ctx.attrInts("split", ArrayRef<int64_t>()))
      sizes.push_back(eff::constDim(ctx.context(), part));
    return sizes;
  }
  if (Value split = ctx.input(1)) {
    std::optional<eff::Dims> sizes =
        ctx.sizes(withLength(ctx, split, ctx.numOutputs()));
    if (!sizes && !ctx.hasFailed())
      (void)ctx.error("split is not a list of integers");
    if (sizes)
      settleSplit(ctx, *sizes, axis);
    return sizes;
  }
  int64_t count = ctx.attrInt("num_outputs", ctx.numOutputs());
  if (count <= 0 || count > int64_t(ctx.numOutputs())) {
    (void)ctx.error("num_outputs is " + Twine(count) + " for " +
                    Twine(ctx.numOutputs()) + " outputs");
    return std::nullopt;
  }
  AffineExpr chunk = eff::simplify(size.ceilDiv(count));
  eff::Dims sizes(count, chunk);
  // The last chunk is smaller when the size is no multiple.
  sizes.back() = eff::simplify(size - chunk * (count - 1));
  if (eff::simplify(chunk * count) == size)
    sizes.back() = chunk;
  return sizes;
}

LogicalResult importSplit(NodeContext &ctx) {
  if (failed(ctx.requireInputs(1, 2)))
    return failure();
  Value x = ctx.input(0);
  std::optional<int64_t> axis =
      normalizeAxis(ctx, ctx.attrInt("axis", 0), rankOf(x));
  if (!axis)
    return failure();
  AffineExpr size = eff::getDim(x.getType(), *axis);
  std::optional<eff::Dims> sizes = splitSizes(ctx, size, *axis);
  if (!sizes)
    return failure();
  if (sizes->size() < ctx.numOutputs())
    return ctx.error("split has fewer entries than there are outputs");
  AffineExpr offset = eff::constDim(ctx.context(), 0);
  for (auto [index, part] : llvm::enumerate(*sizes)) {
    if (eff::getConstant(part).value_or(0) < 0)
      return ctx.error("part " + Twine(index) + " of the split is " +
                       Twine(*eff::getConstant(part)));
    if (ctx.outputUsed(index) &&
        failed(ctx.setOutput(index, sliceAxis(ctx, x, *axis, offset, part))))
      return failure();
    offset = eff::simplify(offset + part);
  }
  return ctx.requireEqual(offset, size, "the split does not cover the axis");
}

// Slice
// -------------------------------------------------------------------------

namespace {
/// Start and extent along one axis.
struct Range {
  AffineExpr start, extent;
};
} // namespace

static Range sliceRange(NodeContext &ctx, AffineExpr size, AffineExpr start,
                        AffineExpr end, int64_t step) {
  AffineExpr zero = eff::constDim(ctx.context(), 0);
  if (step > 0) {
    AffineExpr first = clampBound(ctx, start, size, 0, size);
    AffineExpr last = clampBound(ctx, end, size, 0, size);
    AffineExpr distance = ctx.maxSize(eff::simplify(last - first), zero);
    return {first, eff::simplify(distance.ceilDiv(step))};
  }
  AffineExpr top = eff::simplify(size - 1);
  AffineExpr first = clampBound(ctx, start, size, 0, top);
  AffineExpr last = clampBound(ctx, end, size, -1, top);
  AffineExpr distance = ctx.maxSize(eff::simplify(first - last), zero);
  return {first, eff::simplify(distance.ceilDiv(-step))};
}

/// starts, ends, axes and steps of Slice, from attributes or inputs.
static std::optional<eff::Dims> sliceOperand(NodeContext &ctx, StringRef name,
                                             unsigned index) {
  if (ctx.hasAttr(name)) {
    eff::Dims dims;
    for (int64_t value : ctx.attrInts(name, ArrayRef<int64_t>()))
      dims.push_back(eff::constDim(ctx.context(), value));
    return dims;
  }
  std::optional<eff::Dims> dims = ctx.sizes(ctx.input(index));
  if (!dims && ctx.hasInput(index))
    (void)ctx.error(name + " is not a list of integers");
  return dims;
}

/// Axes and steps that are no constants.
static bool isSlicedAtRuntime(NodeContext &ctx) {
  if (ctx.hasInput(1) && !tensorType(ctx.input(1)).hasStaticShape())
    return true;
  for (unsigned index : {3u, 4u})
    if (ctx.hasInput(index) && !ctx.constants(ctx.input(index)))
      return true;
  return false;
}

LogicalResult importSlice(NodeContext &ctx) {
  if (failed(ctx.requireInputs(1, 5)))
    return failure();
  Value x = ctx.input(0);
  if (isSlicedAtRuntime(ctx)) {
    if (failed(ctx.requireInputs(3, 5)))
      return failure();
    return ctx.setOutput(0, sliceAtRuntime(ctx, x, ctx.input(1), ctx.input(2),
                                           ctx.input(3), ctx.input(4)));
  }
  std::optional<eff::Dims> starts = sliceOperand(ctx, "starts", 1);
  std::optional<eff::Dims> ends = sliceOperand(ctx, "ends", 2);
  std::optional<eff::Dims> axes = sliceOperand(ctx, "axes", 3);
  std::optional<eff::Dims> steps = sliceOperand(ctx, "steps", 4);
  if (ctx.hasFailed())
    return failure();
  if (!starts || !ends || starts->size() != ends->size() ||
      (axes && axes->size() != starts->size()) ||
      (steps && steps->size() != starts->size()))
    return ctx.error("starts, ends, axes and steps differ in length");
  eff::Dims dims = eff::getDims(x.getType());
  eff::Dims offsets(dims.size(), eff::constDim(ctx.context(), 0));
  SmallVector<int64_t> strides(dims.size(), 1);
  for (size_t i = 0; i < starts->size(); ++i) {
    int64_t given = i;
    if (axes) {
      std::optional<int64_t> constant = eff::getConstant((*axes)[i]);
      if (!constant)
        return ctx.error("an axis is not a constant");
      given = *constant;
    }
    std::optional<int64_t> axis = normalizeAxis(ctx, given, dims.size());
    if (!axis)
      return failure();
    std::optional<int64_t> step =
        steps ? eff::getConstant((*steps)[i]) : std::optional<int64_t>(1);
    if (!step)
      return ctx.unsupported("a step is not a constant");
    if (*step == 0)
      return ctx.error("a step is zero");
    // Beyond any size the step takes a single element.
    *step = std::clamp<int64_t>(*step, INT32_MIN, INT32_MAX);
    Range range = sliceRange(ctx, dims[*axis], (*starts)[i], (*ends)[i], *step);
    offsets[*axis] = range.start;
    dims[*axis] = range.extent;
    strides[*axis] = *step;
  }
  dims = settle(ctx, 0, dims);
  RankedTensorType type = eff::makeTensorType(elementTypeOf(x), dims);
  if (type == x.getType() &&
      llvm::all_of(strides, [](int64_t stride) { return stride == 1; }))
    return ctx.setOutput(0, x);
  return ctx.setOutput(
      0, ctx.createTyped<eff::SliceOp>(
             type, x, eff::DimsAttr::get(ctx.context(), offsets), strides));
}

} // namespace effc
