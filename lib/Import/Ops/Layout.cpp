// Handlers of operators that rearrange or repeat elements, and of those that
// make tensors from sizes.
#include "RuntimeShape.h"

using namespace mlir;

namespace effc {

// Pad and Tile
// ------------------------------------------------------------------

/// The same where a run decides which axes they are for.
static std::optional<eff::Dims> padsAtRuntime(NodeContext &ctx, int64_t rank) {
  Emitter e(ctx);
  Value axes = ctx.input(3), given = ctx.input(1);
  AffineExpr count = eff::getNumElements(axes.getType());
  if (rankOf(given) != 1) {
    (void)ctx.error("pads is not a list of integers");
    return std::nullopt;
  }
  if (failed(ctx.requireEqual(eff::getNumElements(given.getType()),
                              eff::simplify(count * 2),
                              "pads and axes differ in length")))
    return std::nullopt;
  eff::Dims pads;
  for (AffineExpr offset : {e.constant(0), count})
    for (AffineExpr pad : defineSizes(
             e, perAxis(e, axes, e.slice(given, 0, offset, count), rank, 0),
             INT32_MIN))
      pads.push_back(pad);
  if (ctx.hasFailed())
    return std::nullopt;
  return pads;
}

/// Begin and end pads for every axis, from the attribute or inputs 1 and 3.
static std::optional<eff::Dims> padSizes(NodeContext &ctx, int64_t rank) {
  eff::Dims given;
  if (ctx.hasAttr("pads")) {
    for (int64_t pad : ctx.attrInts("pads", ArrayRef<int64_t>()))
      given.push_back(eff::constDim(ctx.context(), pad));
  } else {
    Value list = ctx.input(1);
    bool axesKnown = !ctx.hasInput(3) || ctx.constants(ctx.input(3));
    if (list && !axesKnown)
      return padsAtRuntime(ctx, rank);
    std::optional<eff::Dims> sizes =
        ctx.sizes(ctx.hasInput(3) ? list : withLength(ctx, list, 2 * rank));
    if (!sizes) {
      if (!ctx.hasFailed())
        (void)ctx.error("pads is not a list of integers");
      return std::nullopt;
    }
    given = *sizes;
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
    AffineExpr begin = ctx.minSize(pads[axis], zero);
    AffineExpr end = ctx.minSize(pads[rank + axis], zero);
    x = sliceAxis(ctx, x, axis, eff::simplify(-begin),
                  eff::simplify(dims[axis] + begin + end));
    pads[axis] = ctx.maxSize(pads[axis], zero);
    pads[rank + axis] = ctx.maxSize(pads[rank + axis], zero);
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
  dims = settle(ctx, 0, dims);
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
  std::optional<eff::Dims> repeats =
      ctx.sizes(withLength(ctx, ctx.input(1), dims.size()));
  if (!repeats)
    return ctx.hasFailed() ? failure()
                           : ctx.error("repeats is not a list of integers");
  if (repeats->size() != dims.size())
    return ctx.error("repeats has " + Twine(repeats->size()) +
                     " entries for an operand of rank " + Twine(dims.size()));
  for (auto [dim, repeat] : llvm::zip(dims, *repeats))
    dim = eff::simplify(dim * repeat);
  dims = settle(ctx, 0, dims);
  RankedTensorType type = eff::makeTensorType(elementTypeOf(x), dims);
  if (type == x.getType())
    return ctx.setOutput(0, x);
  return ctx.setOutput(0, ctx.createTyped<eff::TileOp>(type, x));
}

// Channels and space
// --------------------------------------------------------------

namespace {
/// Of DepthToSpace and SpaceToDepth.
struct BlockAttrs {
  int64_t size;
  /// DCR: the block is the outer part of the channels.
  bool blockFirst;
};
} // namespace

static std::optional<BlockAttrs> readBlock(NodeContext &ctx) {
  int64_t size = ctx.attrInt("blocksize", 0);
  std::string mode = ctx.attrString("mode", "DCR");
  if (rankOf(ctx.input(0)) == 4 && size > 0 && (mode == "DCR" || mode == "CRD"))
    return BlockAttrs{size, mode == "DCR"};
  (void)ctx.error("needs an operand of rank 4, a blocksize above 0 and mode "
                  "DCR or CRD");
  return std::nullopt;
}

LogicalResult importDepthToSpace(NodeContext &ctx) {
  if (failed(ctx.requireInputs(1)))
    return failure();
  Value x = ctx.input(0);
  std::optional<BlockAttrs> attrs = readBlock(ctx);
  if (!attrs)
    return failure();
  eff::Dims d = eff::getDims(x.getType());
  AffineExpr b = eff::constDim(ctx.context(), attrs->size);
  AffineExpr depth = eff::exactDiv(d[1], b * b);
  if (failed(ctx.requireEqual(eff::simplify(depth * b * b), d[1],
                              "channels are no multiple of blocksize^2")))
    return failure();
  bool dcr = attrs->blockFirst;
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
  std::optional<BlockAttrs> attrs = readBlock(ctx);
  if (!attrs)
    return failure();
  eff::Dims d = eff::getDims(x.getType());
  AffineExpr b = eff::constDim(ctx.context(), attrs->size);
  AffineExpr height = eff::exactDiv(d[2], b), width = eff::exactDiv(d[3], b);
  if (failed(ctx.requireEqual(eff::simplify(height * b), d[2],
                              "height is no multiple of blocksize")) ||
      failed(ctx.requireEqual(eff::simplify(width * b), d[3],
                              "width is no multiple of blocksize")))
    return failure();
  Value split = reshapeTo(ctx, x, {d[0], d[1], height, b, width, b});
  Value moved = attrs->blockFirst ? transpose(ctx, split, {0, 3, 5, 1, 2, 4})
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
  if (std::optional<eff::Dims> known = ctx.knownSizes(shift);
      known && known->size() == 1) {
    diagonal = known->front();
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
  std::optional<AffineExpr> depth;
  if (std::optional<double> number = ctx.scalar(ctx.input(1)))
    depth = eff::constDim(ctx.context(), int64_t(*number));
  else if (eff::getConstant(eff::getNumElements(ctx.input(1).getType())) == 1)
    depth = ctx.scalarSize(
        convertTo(ctx, ctx.input(1), ctx.builder().getI64Type()));
  eff::Dims dims = eff::getDims(indices.getType());
  std::optional<int64_t> axis =
      normalizeAxis(ctx, ctx.attrInt("axis", -1), dims.size() + 1);
  if (!axis)
    return failure();
  if (!depth)
    return ctx.error("depth is not a number");
  eff::Dims all = dims;
  all.insert(all.begin() + *axis, *depth);
  depth = settle(ctx, 0, all)[*axis];
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
                           "select other outputs with --output-names");
  return ctx.hasFailed() ? failure() : ctx.error("no value is given");
}

LogicalResult importConstantOfShape(NodeContext &ctx) {
  if (failed(ctx.requireInputs(1)))
    return failure();
  std::optional<eff::Dims> dims =
      ctx.sizes(withLength(ctx, ctx.input(0), ctx.declaredRank(0)));
  if (!dims)
    return ctx.hasFailed() ? failure()
                           : ctx.error("the shape is not a list of integers");
  *dims = settle(ctx, 0, *dims);
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

/// max(0, ceil((limit - start) / delta)) of operands that are data.
static AffineExpr rangeLength(NodeContext &ctx) {
  Emitter e(ctx);
  AffineExpr one = e.constant(1);
  Type i64 = ctx.builder().getI64Type(), f64 = ctx.builder().getF64Type();
  bool isFloat = effc::isFloat(ctx.input(0));
  auto number = [&](unsigned index) {
    return e.convert(e.reshape(ctx.input(index), {one}), isFloat ? f64 : i64);
  };
  Value distance = e.sub(number(1), number(0)), delta = number(2);
  Value length = e.div(distance, delta);
  if (isFloat) {
    length = e.convert(e.unary(eff::UnaryKind::Ceil, length), i64);
  } else {
    // The quotient was rounded towards zero.
    Value rest = e.sub(distance, e.mul(length, delta));
    Value cut = e.both(e.compare(eff::CompareKind::Ne, rest, 0.0),
                       e.compare(eff::CompareKind::Eq,
                                 e.compare(eff::CompareKind::Lt, rest, 0.0),
                                 e.compare(eff::CompareKind::Lt, delta, 0.0)));
    length = e.add(length, e.convert(cut, i64));
  }
  length = e.binary(eff::BinaryKind::Max, length, 0.0);
  return ctx.defineSize(length, 0, 0, int64_t(1) << 47);
}

LogicalResult importRange(NodeContext &ctx) {
  if (failed(ctx.requireInputs(3)))
    return failure();
  ctx.ignoreAttr("stash_type");
  Type type = elementTypeOf(ctx.input(0));
  auto known = [&](unsigned index) -> std::optional<AffineExpr> {
    std::optional<eff::Dims> sizes = ctx.knownSizes(ctx.input(index));
    return sizes && sizes->size() == 1 ? std::optional(sizes->front())
                                       : std::nullopt;
  };
  std::optional<AffineExpr> start = known(0), limit = known(1), step = known(2);
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
  // Bounds that are floats or data.
  AffineExpr extent;
  std::optional<double> from = ctx.scalar(ctx.input(0)),
                        to = ctx.scalar(ctx.input(1)),
                        by = ctx.scalar(ctx.input(2));
  if (from && to && by && *by != 0)
    extent = eff::constDim(
        ctx.context(),
        std::max<int64_t>(0, int64_t(std::ceil((*to - *from) / *by))));
  else
    extent = settle(ctx, 0, {rangeLength(ctx)}).front();
  if (ctx.hasFailed())
    return failure();
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

static Value toBool(Emitter &e, Value x) {
  return elementTypeOf(x).isInteger(1)
             ? x
             : e.compare(eff::CompareKind::Ne, x, 0.0);
}

/// i64[rank, number of true elements]; the number is counted first. It is the
/// size of axis `axis` of the node's result.
static Value indicesOfTrue(Emitter &e, Value mask, int64_t axis) {
  if (!mask)
    return {};
  Type i64 = e.ctx.builder().getI64Type();
  AffineExpr elements = eff::getNumElements(mask.getType());
  Value flat = e.reshape(e.convert(mask, i64), {elements});
  Value count = e.reduce(eff::ReduceKind::Sum, flat, {0}, /*keepdims=*/true);
  AffineExpr size =
      e.ctx.defineSize(count, 0, 0, e.ctx.bounds(elements).second);
  size = settleSize(e.ctx, 0, axis, size);
  return e.ctx.createTyped<eff::NonZeroOp>(
      eff::makeTensorType(i64, {e.constant(rankOf(mask)), size}), mask);
}

LogicalResult importNonZero(NodeContext &ctx) {
  if (failed(ctx.requireInputs(1)))
    return failure();
  Emitter e(ctx);
  Value x = ctx.input(0);
  // Of ones the result counts up: the way to write a range before opset 11.
  auto repeated = x.getDefiningOp<eff::BroadcastOp>();
  std::optional<double> value =
      repeated ? ctx.scalar(repeated.getX()) : std::nullopt;
  if (rankOf(x) == 1 && value && *value != 0)
    return ctx.setOutput(0, e.iota(ctx.builder().getI64Type(),
                                   {e.constant(1), e.dim(x, 0)}, 1,
                                   e.constant(0)));
  // ONNX Runtime and numpy take a scalar for a vector of one element.
  if (rankOf(x) == 0)
    x = e.reshape(x, {e.constant(1)});
  return ctx.setOutput(0, indicesOfTrue(e, toBool(e, x), 1));
}

LogicalResult importCompress(NodeContext &ctx) {
  if (failed(ctx.requireInputs(2)))
    return failure();
  Emitter e(ctx);
  Value x = ctx.input(0), condition = ctx.input(1);
  int64_t axis = 0;
  if (std::optional<int64_t> given = ctx.attrInt("axis")) {
    std::optional<int64_t> normal = normalizeAxis(ctx, *given, rankOf(x));
    if (!normal)
      return failure();
    axis = *normal;
  } else {
    x = e.reshape(x, {eff::getNumElements(x.getType())});
  }
  if (rankOf(condition) != 1 || !elementTypeOf(condition).isInteger(1))
    return ctx.error("the condition is not a vector of bool");
  // A shorter condition leaves the rest out; a longer one fails in the gather.
  Value found = indicesOfTrue(e, condition, axis);
  if (!found)
    return failure();
  return ctx.setOutput(0,
                       e.gather(x, e.reshape(found, {e.dim(found, 1)}), axis));
}

} // namespace effc
