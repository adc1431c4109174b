// Handlers of operators that change shapes and join or cut tensors. Shape
// operands are read as expressions over symbols; what is only known at run time
// is taken from the declared result type, if there is one.
#include "Utils.h"

using namespace mlir;

namespace effc {

/// The sizes that operand `index` holds, or those declared for the result.
static std::optional<eff::Dims> targetDims(NodeContext &ctx, unsigned index) {
  if (std::optional<eff::Dims> dims = ctx.sizes(ctx.input(index)))
    return dims;
  std::optional<eff::Dims> declared = ctx.declaredDims(0);
  if (declared && !llvm::is_contained(*declared, AffineExpr()))
    return declared;
  (void)ctx.unsupported("the shape is computed from data",
                        "declare the result's shape in value_info, or fix "
                        "input sizes with --dim");
  return std::nullopt;
}

LogicalResult importReshape(NodeContext &ctx) {
  if (failed(ctx.requireInputs(2)))
    return failure();
  Value x = ctx.input(0);
  bool allowZero = ctx.attrBool("allowzero", false);
  std::optional<eff::Dims> dims = targetDims(ctx, 1);
  if (!dims)
    return failure();
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

/// For axes that only a run knows: the declared sizes, when they are complete.
static std::optional<eff::Dims> declaredSizes(NodeContext &ctx,
                                              unsigned index) {
  std::optional<eff::Dims> dims = ctx.declaredDims(index);
  if (dims && llvm::is_contained(*dims, AffineExpr()))
    return std::nullopt;
  return dims;
}

/// Squeeze and Unsqueeze by axes that are data: only their result is known.
static std::optional<LogicalResult> importRuntimeAxes(NodeContext &ctx) {
  Value axes = ctx.input(1);
  std::optional<eff::Dims> dims = declaredSizes(ctx, 0);
  if (!axes || ctx.constants(axes) || !dims)
    return std::nullopt;
  Value x = ctx.input(0);
  if (failed(ctx.requireEqual(eff::getNumElements(x.getType()),
                              eff::product(ctx.context(), *dims),
                              "the declared sizes do not fit the operand")))
    return failure();
  return ctx.setOutput(0, reshapeTo(ctx, x, *dims));
}

LogicalResult importSqueeze(NodeContext &ctx) {
  if (failed(ctx.requireInputs(1, 2)))
    return failure();
  if (auto done = importRuntimeAxes(ctx))
    return *done;
  Value x = ctx.input(0);
  eff::Dims dims = eff::getDims(x.getType()), kept;
  std::optional<SmallVector<int64_t>> axes = attrOrInputInts(ctx, "axes", 1);
  if (axes)
    axes = normalizeAxes(ctx, *axes, dims.size());
  if (ctx.hasFailed())
    return failure();
  AffineExpr one = eff::constDim(ctx.context(), 1);
  for (auto [axis, dim] : llvm::enumerate(dims)) {
    if (axes && llvm::is_contained(*axes, int64_t(axis))) {
      if (failed(ctx.requireEqual(dim, one,
                                  "squeezed dim " + Twine(axis) + " is not 1")))
        return failure();
      continue;
    }
    if (!axes && !eff::getConstant(dim))
      return ctx.unsupported("axes are absent and dim " + Twine(axis) +
                                 " is not known to be other than 1",
                             "fix the size with --dim");
    if (axes || dim != one)
      kept.push_back(dim);
  }
  return ctx.setOutput(0, reshapeTo(ctx, x, kept));
}

LogicalResult importUnsqueeze(NodeContext &ctx) {
  if (failed(ctx.requireInputs(1, 2)))
    return failure();
  if (auto done = importRuntimeAxes(ctx))
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

LogicalResult importExpand(NodeContext &ctx) {
  if (failed(ctx.requireInputs(2)))
    return failure();
  Value x = ctx.input(0);
  std::optional<eff::Dims> target = targetDims(ctx, 1);
  if (!target)
    return failure();
  std::optional<eff::Dims> dims =
      eff::broadcastDims(eff::getDims(x.getType()), *target);
  if (!dims)
    return ctx.error("the operand does not broadcast to the shape");
  return ctx.setOutput(0, broadcastTo(ctx, x, *dims));
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

/// The extents of Split's results, when the operand with them is data.
static std::optional<eff::Dims> declaredSplit(NodeContext &ctx, int64_t axis) {
  eff::Dims sizes;
  for (unsigned i = 0; i < ctx.numOutputs(); ++i) {
    std::optional<eff::Dims> dims = declaredSizes(ctx, i);
    if (!dims || int64_t(dims->size()) <= axis)
      return std::nullopt;
    sizes.push_back((*dims)[axis]);
  }
  return sizes;
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
    std::optional<eff::Dims> sizes = ctx.sizes(split);
    if (!sizes)
      sizes = declaredSplit(ctx, axis);
    if (!sizes)
      (void)ctx.unsupported("split is computed from data");
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

/// A bound counted from the front: negative constants count from the end, and
/// all is clamped to [low, high].
static AffineExpr clampBound(NodeContext &ctx, AffineExpr bound,
                             AffineExpr size, int64_t low, AffineExpr high) {
  AffineExpr lowest = eff::constDim(ctx.context(), low);
  if (std::optional<int64_t> constant = eff::getConstant(bound)) {
    // Sentinels lie beyond any size.
    if (*constant >= INT32_MAX)
      return high;
    if (*constant <= INT32_MIN)
      return lowest;
    if (*constant < 0)
      bound = eff::simplify(bound + size);
  } else if (ctx.bounds(bound).second < 0) {
    bound = eff::simplify(bound + size);
  }
  return ctx.maxSize(ctx.minSize(bound, high), lowest);
}

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
    (void)ctx.unsupported(name + " is computed from data",
                          "fix input sizes with --dim");
  return dims;
}

LogicalResult importSlice(NodeContext &ctx) {
  if (failed(ctx.requireInputs(1, 5)))
    return failure();
  Value x = ctx.input(0);
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
  RankedTensorType type = eff::makeTensorType(elementTypeOf(x), dims);
  if (type == x.getType() &&
      llvm::all_of(strides, [](int64_t stride) { return stride == 1; }))
    return ctx.setOutput(0, x);
  return ctx.setOutput(
      0, ctx.createTyped<eff::SliceOp>(
             type, x, eff::DimsAttr::get(ctx.context(), offsets), strides));
}

} // namespace effc
