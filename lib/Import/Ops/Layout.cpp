// Handlers of operators that rearrange or repeat elements, and of those that
// make tensors from sizes.
#include "Utils.h"

using namespace mlir;

namespace effc {

// Pad and Tile
// ------------------------------------------------------------------

/// Begin and end pads for every axis, from the attribute or inputs 1 and 3.
static std::optional<eff::Dims> padSizes(NodeContext &ctx, int64_t rank) {
  eff::Dims given;
  if (ctx.hasAttr("pads")) {
    for (int64_t pad : ctx.attrInts("pads", ArrayRef<int64_t>()))
      given.push_back(eff::constDim(ctx.context(), pad));
  } else if (auto sizes = ctx.sizes(ctx.input(1))) {
    given = *sizes;
  } else {
    (void)ctx.unsupported("pads are computed from data");
    return std::nullopt;
  }
  SmallVector<int64_t> axes = llvm::to_vector(llvm::seq<int64_t>(0, rank));
  if (ctx.hasInput(3)) {
    std::optional<SmallVector<int64_t>> constant = ctx.constants(ctx.input(3));
    if (!constant) {
      (void)ctx.unsupported("axes are not constant");
      return std::nullopt;
    }
    axes.clear();
    for (int64_t axis : *constant) {
      std::optional<int64_t> normal = normalizeAxis(ctx, axis, rank);
      if (!normal)
        return std::nullopt;
      axes.push_back(*normal);
    }
  }
  if (given.size() != 2 * axes.size()) {
    (void)ctx.error("pads has " + Twine(given.size()) + " entries for " +
                    Twine(axes.size()) + " axes");
    return std::nullopt;
  }
  eff::Dims pads(2 * rank, eff::constDim(ctx.context(), 0));
  for (auto [i, axis] : llvm::enumerate(axes)) {
    pads[axis] = given[i];
    pads[rank + axis] = given[axes.size() + i];
  }
  return pads;
}

/// Cuts off what negative pads say, and makes these pads zero.
static Value cropNegative(NodeContext &ctx, Value x,
                          MutableArrayRef<AffineExpr> pads) {
  eff::Dims dims = eff::getDims(x.getType());
  size_t rank = dims.size();
  AffineExpr zero = eff::constDim(ctx.context(), 0);
  for (size_t axis = 0; axis < rank; ++axis) {
    int64_t begin =
        std::min<int64_t>(0, eff::getConstant(pads[axis]).value_or(0));
    int64_t end =
        std::min<int64_t>(0, eff::getConstant(pads[rank + axis]).value_or(0));
    if (!begin && !end)
      continue;
    x = sliceAxis(ctx, x, axis, eff::constDim(ctx.context(), -begin),
                  eff::simplify(dims[axis] + (begin + end)));
    if (begin)
      pads[axis] = zero;
    if (end)
      pads[rank + axis] = zero;
  }
  return x;
}

LogicalResult importPad(NodeContext &ctx) {
  if (failed(ctx.requireInputs(1, 4)))
    return failure();
  Value x = ctx.input(0);
  int64_t rank = rankOf(x);
  std::optional<eff::Dims> pads = padSizes(ctx, rank);
  if (!pads)
    return failure();
  std::string name = ctx.attrString("mode", "constant");
  auto mode = eff::symbolizePadMode(name);
  if (!mode)
    return ctx.error("unknown mode '" + name + "'");
  for (AffineExpr pad : *pads)
    if (!eff::getConstant(pad) && ctx.bounds(pad).first < 0)
      return ctx.unsupported("a pad of size " + eff::toString(pad) +
                                 " may be negative",
                             "fix input sizes with --dim");
  Value value;
  if (*mode == eff::PadMode::Constant) {
    value = ctx.input(2);
    if (ctx.hasAttr("value"))
      value = scalarLike(ctx, x, ctx.attrFloat("value", 0));
    if (value && rankOf(value) != 0)
      value = reshapeTo(ctx, value, {});
    if (value && ctx.scalar(value) == 0.0)
      value = {};
  } else {
    ctx.ignoreAttr("value");
  }
  x = cropNegative(ctx, x, *pads);
  if (!x)
    return failure();
  eff::Dims dims = eff::getDims(x.getType()), low;
  bool changed = false;
  for (int64_t axis = 0; axis < rank; ++axis) {
    AffineExpr added = eff::simplify((*pads)[axis] + (*pads)[rank + axis]);
    changed |= eff::getConstant(added) != 0;
    dims[axis] = eff::simplify(dims[axis] + added);
    low.push_back((*pads)[axis]);
  }
  if (!changed)
    return ctx.setOutput(0, x);
  return ctx.setOutput(0,
                       ctx.createTyped<eff::PadOp>(
                           eff::makeTensorType(elementTypeOf(x), dims), *mode,
                           x, value, eff::DimsAttr::get(ctx.context(), low)));
}

LogicalResult importTile(NodeContext &ctx) {
  if (failed(ctx.requireInputs(2)))
    return failure();
  Value x = ctx.input(0);
  eff::Dims dims = eff::getDims(x.getType());
  std::optional<eff::Dims> repeats = ctx.sizes(ctx.input(1));
  if (!repeats) {
    std::optional<eff::Dims> declared = ctx.declaredDims(0);
    if (!declared || llvm::is_contained(*declared, AffineExpr()) ||
        declared->size() != dims.size())
      return ctx.unsupported("repeats are computed from data");
    dims = *declared;
  } else {
    if (repeats->size() != dims.size())
      return ctx.error("repeats has " + Twine(repeats->size()) +
                       " entries for an operand of rank " + Twine(dims.size()));
    for (auto [dim, repeat] : llvm::zip(dims, *repeats))
      dim = eff::simplify(dim * repeat);
  }
  RankedTensorType type = eff::makeTensorType(elementTypeOf(x), dims);
  if (type == x.getType())
    return ctx.setOutput(0, x);
  return ctx.setOutput(0, ctx.createTyped<eff::TileOp>(type, x));
}

// Channels and space
// --------------------------------------------------------------

LogicalResult importDepthToSpace(NodeContext &ctx) {
  if (failed(ctx.requireInputs(1)))
    return failure();
  Value x = ctx.input(0);
  int64_t block = ctx.attrInt("blocksize", 0);
  std::string mode = ctx.attrString("mode", "DCR");
  if (rankOf(x) != 4 || block <= 0 || (mode != "DCR" && mode != "CRD"))
    return ctx.error("needs an operand of rank 4, a blocksize above 0 and mode "
                     "DCR or CRD");
  eff::Dims d = eff::getDims(x.getType());
  AffineExpr b = eff::constDim(ctx.context(), block);
  AffineExpr depth = eff::exactDiv(d[1], b * b);
  if (failed(ctx.requireEqual(eff::simplify(depth * b * b), d[1],
                              "channels are no multiple of blocksize^2")))
    return failure();
  bool dcr = mode == "DCR";
  Value split = dcr ? reshapeTo(ctx, x, {d[0], b, b, depth, d[2], d[3]})
                    : reshapeTo(ctx, x, {d[0], depth, b, b, d[2], d[3]});
  Value moved = dcr ? transpose(ctx, split, {0, 3, 4, 1, 5, 2})
                    : transpose(ctx, split, {0, 1, 4, 2, 5, 3});
  return ctx.setOutput(
      0, reshapeTo(ctx, moved, {d[0], depth, d[2] * b, d[3] * b}));
}

LogicalResult importSpaceToDepth(NodeContext &ctx) {
  if (failed(ctx.requireInputs(1)))
    return failure();
  Value x = ctx.input(0);
  int64_t block = ctx.attrInt("blocksize", 0);
  std::string mode = ctx.attrString("mode", "DCR");
  if (rankOf(x) != 4 || block <= 0 || (mode != "DCR" && mode != "CRD"))
    return ctx.error("needs an operand of rank 4, a blocksize above 0 and mode "
                     "DCR or CRD");
  eff::Dims d = eff::getDims(x.getType());
  AffineExpr b = eff::constDim(ctx.context(), block);
  AffineExpr height = eff::exactDiv(d[2], b), width = eff::exactDiv(d[3], b);
  if (failed(ctx.requireEqual(eff::simplify(height * b), d[2],
                              "height is no multiple of blocksize")) ||
      failed(ctx.requireEqual(eff::simplify(width * b), d[3],
                              "width is no multiple of blocksize")))
    return failure();
  Value split = reshapeTo(ctx, x, {d[0], d[1], height, b, width, b});
  Value moved = mode == "DCR" ? transpose(ctx, split, {0, 3, 5, 1, 2, 4})
                              : transpose(ctx, split, {0, 1, 3, 5, 2, 4});
  return ctx.setOutput(
      0, reshapeTo(ctx, moved, {d[0], d[1] * b * b, height, width}));
}

/// A mask that holds on and beside one diagonal of the last two dims.
LogicalResult importTrilu(NodeContext &ctx) {
  if (failed(ctx.requireInputs(1, 2)))
    return failure();
  Value x = ctx.input(0);
  AffineExpr diagonal = eff::constDim(ctx.context(), 0);
  Value shift = ctx.input(1);
  if (std::optional<AffineExpr> size = ctx.scalarSize(shift)) {
    diagonal = *size;
    shift = {};
  }
  bool upper = ctx.attrBool("upper", true);
  eff::Dims dims = eff::getDims(x.getType());
  size_t rank = dims.size();
  if (rank < 2)
    return ctx.error("needs an operand of rank 2 or more");
  eff::Dims row = {dims[rank - 2], eff::constDim(ctx.context(), 1)};
  eff::Dims column = {eff::constDim(ctx.context(), 1), dims[rank - 1]};
  AffineExpr zero = eff::constDim(ctx.context(), 0);
  AffineExpr one = eff::constDim(ctx.context(), 1);
  Type i64 = ctx.builder().getI64Type();
  Value rows = iota(ctx, row, i64, 0, diagonal, one);
  if (shift)
    rows = binary(ctx, eff::BinaryKind::Add, rows, reshapeTo(ctx, shift, {}));
  Value columns = iota(ctx, column, i64, 1, zero, one);
  Value kept = compare(ctx, upper ? eff::CompareKind::Ge : eff::CompareKind::Le,
                       columns, rows);
  return ctx.setOutput(0, select(ctx, kept, x, scalarLike(ctx, x, 0)));
}

LogicalResult importOneHot(NodeContext &ctx) {
  if (failed(ctx.requireInputs(3)))
    return failure();
  Value indices = ctx.input(0), values = ctx.input(2);
  std::optional<AffineExpr> depth = ctx.scalarSize(ctx.input(1));
  if (!depth)
    if (std::optional<double> number = ctx.scalar(ctx.input(1)))
      depth = eff::constDim(ctx.context(), int64_t(*number));
  eff::Dims dims = eff::getDims(indices.getType());
  std::optional<int64_t> axis =
      normalizeAxis(ctx, ctx.attrInt("axis", -1), dims.size() + 1);
  if (!axis)
    return failure();
  if (!depth) {
    std::optional<eff::Dims> declared = ctx.declaredDims(0);
    if (!declared || declared->size() != dims.size() + 1 || !(*declared)[*axis])
      return ctx.unsupported("depth is computed from data");
    depth = (*declared)[*axis];
  }
  Type i64 = ctx.builder().getI64Type();
  AffineExpr zero = eff::constDim(ctx.context(), 0);
  AffineExpr one = eff::constDim(ctx.context(), 1);
  // Negative indices count from the end.
  Value wide = convertTo(ctx, indices, i64);
  Value classes = ctx.dimValues({*depth}, i64, {});
  Value wrapped = select(
      ctx, compare(ctx, eff::CompareKind::Lt, wide, scalarLike(ctx, wide, 0)),
      binary(ctx, eff::BinaryKind::Add, wide, classes), wide);
  dims.insert(dims.begin() + *axis, one);
  wrapped = reshapeTo(ctx, wrapped, dims);
  eff::Dims line(dims.size(), one);
  line[*axis] = *depth;
  Value hot = compare(ctx, eff::CompareKind::Eq, wrapped,
                      iota(ctx, line, i64, *axis, zero, one));
  Value off = sliceAxis(ctx, values, 0, zero, one);
  Value on = sliceAxis(ctx, values, 0, one, one);
  return ctx.setOutput(
      0, select(ctx, hot, reshapeTo(ctx, on, {}), reshapeTo(ctx, off, {})));
}

// Tensors from sizes
// ----------------------------------------------------------------

LogicalResult importShape(NodeContext &ctx) {
  // Sizes are always known; evaluation of shape values deals with these nodes.
  return ctx.error("input 0 is missing");
}

LogicalResult importConstant(NodeContext &ctx) {
  if (ElementsAttr value = ctx.attrTensor("value"))
    return ctx.setOutput(0, ctx.constant(value));
  if (ElementsAttr value = ctx.attrTensor("sparse_value"))
    return ctx.setOutput(0, ctx.constant(value));
  Builder &b = ctx.builder();
  if (std::optional<int64_t> value = ctx.attrInt("value_int"))
    return ctx.setOutput(
        0, ctx.constant(DenseElementsAttr::get(
               RankedTensorType::get({}, b.getI64Type()), *value)));
  if (std::optional<double> value = ctx.attrFloat("value_float"))
    return ctx.setOutput(0, ctx.splat(b.getF32Type(), *value));
  if (std::optional<SmallVector<int64_t>> values = ctx.attrInts("value_ints"))
    return ctx.setOutput(0, ctx.constantI64(*values));
  if (std::optional<SmallVector<double>> values =
          ctx.attrFloats("value_floats")) {
    SmallVector<float> narrow(values->begin(), values->end());
    return ctx.setOutput(
        0, ctx.constant(DenseElementsAttr::get(
               RankedTensorType::get(narrow.size(), b.getF32Type()),
               ArrayRef<float>(narrow))));
  }
  if (ctx.hasAttr("value_string") || ctx.hasAttr("value_strings"))
    return ctx.unsupported("strings are not supported",
                           "select other outputs with --output");
  return ctx.hasFailed() ? failure() : ctx.error("no value is given");
}

LogicalResult importConstantOfShape(NodeContext &ctx) {
  if (failed(ctx.requireInputs(1)))
    return failure();
  std::optional<eff::Dims> dims = ctx.sizes(ctx.input(0));
  if (!dims)
    dims = ctx.declaredDims(0);
  if (!dims || llvm::is_contained(*dims, AffineExpr()))
    return ctx.unsupported("the shape is computed from data",
                           "fix input sizes with --dim");
  for (AffineExpr dim : *dims)
    if (eff::getConstant(dim).value_or(0) < 0)
      return ctx.error("the shape has a size of " + eff::toString(dim));
  Value scalar = ctx.splat(ctx.builder().getF32Type(), 0);
  if (ctx.hasAttr("value")) {
    ElementsAttr value = ctx.attrTensor("value");
    if (!value || value.getNumElements() != 1)
      return ctx.error("value is not a tensor of one element");
    scalar = reshapeTo(ctx, ctx.constant(value), {});
  }
  RankedTensorType type = eff::makeTensorType(elementTypeOf(scalar), *dims);
  // A constant of repeated elements takes no memory, whatever its size.
  if (type.hasStaticShape() && ctx.scalar(scalar))
    return ctx.setOutput(0, ctx.splat(type.getElementType(),
                                      *ctx.scalar(scalar), type.getShape()));
  return ctx.setOutput(0, broadcastTo(ctx, scalar, *dims));
}

LogicalResult importRange(NodeContext &ctx) {
  if (failed(ctx.requireInputs(3)))
    return failure();
  ctx.ignoreAttr("stash_type");
  Type type = elementTypeOf(ctx.input(0));
  std::optional<AffineExpr> start = ctx.scalarSize(ctx.input(0));
  std::optional<AffineExpr> limit = ctx.scalarSize(ctx.input(1));
  std::optional<AffineExpr> step = ctx.scalarSize(ctx.input(2));
  if (start && limit && step && eff::getConstant(*step)) {
    int64_t width = *eff::getConstant(*step);
    if (width == 0)
      return ctx.error("delta is zero");
    AffineExpr distance = width > 0 ? eff::simplify(*limit - *start)
                                    : eff::simplify(*start - *limit);
    AffineExpr extent =
        eff::simplify(ctx.maxSize(distance, eff::constDim(ctx.context(), 0))
                          .ceilDiv(std::abs(width)));
    return ctx.setOutput(0, iota(ctx, {extent}, type, 0, *start, *step));
  }
  // Bounds that are floats or data: the length must be known.
  AffineExpr extent;
  std::optional<double> from = ctx.scalar(ctx.input(0)),
                        to = ctx.scalar(ctx.input(1)),
                        by = ctx.scalar(ctx.input(2));
  if (from && to && by && *by != 0)
    extent = eff::constDim(
        ctx.context(),
        std::max<int64_t>(0, int64_t(std::ceil((*to - *from) / *by))));
  else if (auto declared = ctx.declaredDims(0);
           declared && declared->size() == 1)
    extent = declared->front();
  if (!extent)
    return ctx.unsupported("the length is computed from data",
                           "fix input sizes with --dim");
  AffineExpr zero = eff::constDim(ctx.context(), 0);
  AffineExpr one = eff::constDim(ctx.context(), 1);
  Value index = iota(ctx, {extent}, type, 0, zero, one);
  Value delta = reshapeTo(ctx, ctx.input(2), {});
  Value first = reshapeTo(ctx, ctx.input(0), {});
  return ctx.setOutput(0,
                       binary(ctx, eff::BinaryKind::Add, first,
                              binary(ctx, eff::BinaryKind::Mul, index, delta)));
}

// The rest
// ----------------------------------------------------------------------------

/// Without a number that sizes decide, both branches are computed and their
/// results selected from, which needs equal shapes.
static LogicalResult importBothBranches(NodeContext &ctx,
                                        const onnx::GraphProto &thenBranch,
                                        const onnx::GraphProto &elseBranch) {
  SmallVector<Value> taken, other;
  if (failed(ctx.inlineGraph(thenBranch, taken)) ||
      failed(ctx.inlineGraph(elseBranch, other)))
    return failure();
  if (taken.size() != ctx.numOutputs() || other.size() != ctx.numOutputs())
    return ctx.error("the branches differ in the number of outputs");
  Value condition = reshapeTo(ctx, ctx.input(0), {});
  for (auto [index, a, b] : llvm::enumerate(taken, other)) {
    if (a.getType() != b.getType())
      return ctx.unsupported(
          "the condition is not decided by sizes and the branches differ in "
          "shape",
          "fix input sizes with --dim or --input-shape, or the input that "
          "decides with --input-value");
    if (failed(ctx.setOutput(index, select(ctx, condition, a, b))))
      return failure();
  }
  return success();
}

LogicalResult importIf(NodeContext &ctx) {
  const onnx::GraphProto *thenBranch = ctx.attrGraph("then_branch");
  const onnx::GraphProto *elseBranch = ctx.attrGraph("else_branch");
  if (failed(ctx.requireInputs(1)))
    return failure();
  if (!thenBranch || !elseBranch)
    return ctx.hasFailed() ? failure() : ctx.error("a branch is missing");
  if (eff::getConstant(eff::getNumElements(ctx.input(0).getType())) != 1)
    return ctx.error("the condition is not a scalar");
  std::optional<double> condition = ctx.scalar(ctx.input(0));
  if (!condition)
    return importBothBranches(ctx, *thenBranch, *elseBranch);
  SmallVector<Value> results;
  if (failed(ctx.inlineGraph(*condition != 0 ? *thenBranch : *elseBranch,
                             results)))
    return failure();
  if (results.size() != ctx.numOutputs())
    return ctx.error("the branch has " + Twine(results.size()) + " outputs");
  for (auto [index, value] : llvm::enumerate(results))
    if (failed(ctx.setOutput(index, value)))
      return failure();
  return success();
}

/// Only of tensors without zeros, where the result counts up: the way to write
/// a range before opset 11.
LogicalResult importNonZero(NodeContext &ctx) {
  if (failed(ctx.requireInputs(1)))
    return failure();
  Value x = ctx.input(0);
  auto repeated = x.getDefiningOp<eff::BroadcastOp>();
  std::optional<double> value =
      repeated ? ctx.scalar(repeated.getX()) : std::nullopt;
  if (rankOf(x) != 1 || !value || *value == 0)
    return ctx.unsupported("the number of elements that are not zero depends "
                           "on data");
  eff::Dims dims = {eff::constDim(ctx.context(), 1),
                    eff::getDim(x.getType(), 0)};
  return ctx.setOutput(0, iota(ctx, dims, ctx.builder().getI64Type(), 1,
                               eff::constDim(ctx.context(), 0),
                               eff::constDim(ctx.context(), 1)));
}

} // namespace effc
