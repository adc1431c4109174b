// Reductions, running sums and selections along axes.
#include "RuntimeShape.h"

using namespace mlir;
using namespace effc::eff;

namespace effc {

static std::optional<ReduceKind> kindOf(StringRef op) {
  return llvm::StringSwitch<std::optional<ReduceKind>>(op)
      .Case("ReduceSum", ReduceKind::Sum)
      .Case("ReduceMean", ReduceKind::Mean)
      .Case("ReduceMax", ReduceKind::Max)
      .Case("ReduceMin", ReduceKind::Min)
      .Case("ReduceProd", ReduceKind::Prod)
      .Case("ReduceL1", ReduceKind::L1)
      .Case("ReduceL2", ReduceKind::L2)
      .Case("ReduceSumSquare", ReduceKind::SumSquare)
      .Case("ReduceLogSum", ReduceKind::LogSum)
      .Case("ReduceLogSumExp", ReduceKind::LogSumExp)
      .Default(std::nullopt);
}

/// A reduction over no axes still does what surrounds the sum.
static Value reduceNothing(Emitter &e, ReduceKind kind, Value x) {
  switch (kind) {
  case ReduceKind::L1:
  case ReduceKind::L2:
    return e.unary(UnaryKind::Abs, x);
  case ReduceKind::SumSquare:
    return e.mul(x, x);
  case ReduceKind::LogSum:
    return e.unary(UnaryKind::Log, x);
  default:
    return x;
  }
}

/// A reduction over several axes as one over each: what is done to the elements
/// first, the step, and what is done to the result.
static Value reduceOneByOne(Emitter &e, ReduceKind kind, Value x,
                            function_ref<Value(ReduceKind, Value)> step) {
  switch (kind) {
  case ReduceKind::L1:
    return step(ReduceKind::Sum, e.unary(UnaryKind::Abs, x));
  case ReduceKind::L2:
    return e.unary(UnaryKind::Sqrt, step(ReduceKind::Sum, e.mul(x, x)));
  case ReduceKind::SumSquare:
    return step(ReduceKind::Sum, e.mul(x, x));
  case ReduceKind::LogSum:
    return e.unary(UnaryKind::Log, step(ReduceKind::Sum, x));
  default:
    return step(kind, x);
  }
}

/// 1 for each axis that the operand names; no axes at all are all axes.
static Value reducedFlags(Emitter &e, Value axes, int64_t rank, bool noop) {
  Value flags = axisFlags(e, axes, rank);
  if (noop || rank == 0)
    return flags;
  Value count = e.reduce(ReduceKind::Sum, flags, {0}, /*keepdims=*/true);
  return e.binary(BinaryKind::Max, flags,
                  e.convert(e.compare(CompareKind::Eq, count, 0.0),
                            e.ctx.builder().getI64Type()));
}

/// The sizes that are left without the flagged axes, in order.
static LogicalResult setWithoutAxes(Emitter &e, Value y, Value flags,
                                    ArrayRef<AffineExpr> source) {
  NodeContext &ctx = e.ctx;
  Type i64 = ctx.builder().getI64Type();
  Value operand = ctx.input(1);
  int64_t rank = source.size();
  std::optional<int64_t> left = ctx.declaredRank(0);
  if (tensorType(operand).hasStaticShape())
    left = rank - tensorType(operand).getNumElements();
  if (!left || *left < 0)
    return ctx.unsupported("the rank of the result is computed from data",
                           "declare the rank of the result in value_info, or "
                           "make input 1 an initializer");
  Value keeps = e.sub(e.scalar(i64, 1), flags);
  if (!tensorType(operand).hasStaticShape()) {
    Value count = e.reduce(ReduceKind::Sum, keeps, {0}, /*keepdims=*/true);
    if (!count || failed(ctx.requireEqual(
                      ctx.defineSize(count, 0, 0, rank), e.constant(*left),
                      "the rank of the result is not as declared")))
      return failure();
  }
  Value kept = pickFlagged(e, ctx.dimValues(source, i64, {rank}), keeps, *left);
  Dims dims = settle(ctx, 0, defineSizes(e, kept));
  if (ctx.hasFailed() ||
      failed(ctx.requireEqual(getNumElements(y.getType()),
                              eff::product(ctx.context(), dims),
                              "an axis is given twice")))
    return failure();
  return ctx.setOutput(0, e.reshape(y, dims));
}

/// Axes that are known only at run time: a flag for each axis decides whether
/// the operand or its reduction goes on, and a late size how much of it.
static LogicalResult reduceRuntimeAxes(NodeContext &ctx, ReduceKind kind,
                                       bool keepdims, bool noop) {
  Emitter e(ctx);
  Value x = ctx.input(0), operand = ctx.input(1);
  int64_t rank = rankOf(x);
  if (rankOf(operand) != 1)
    return ctx.error("the axes (input 1) are not a vector");
  Type type = elementTypeOf(x);
  Value flags = reducedFlags(e, operand, rank, noop);
  Dims source = e.dims(x), sizes;
  for (int64_t axis = 0; axis < rank; ++axis)
    sizes.push_back(ctx.defineSize(flags, axis, 0, 1));
  for (auto [size, dim] : llvm::zip(sizes, source))
    size = simplify(dim - size * (dim - 1));
  if (keepdims)
    sizes = settle(ctx, 0, sizes);
  // Bools are reduced as numbers.
  bool isBool = type.isInteger(1);
  if (isBool)
    x = e.convert(x, ctx.builder().getI32Type());
  bool viaFloat =
      !isFloat(x) && (kind == ReduceKind::L2 || kind == ReduceKind::LogSum ||
                      kind == ReduceKind::LogSumExp);
  if (viaFloat)
    x = e.convert(x, ctx.builder().getF64Type());
  Value y = reduceOneByOne(e, kind, x, [&](ReduceKind step, Value v) {
    for (int64_t axis = 0; axis < rank && v; ++axis) {
      Value flag =
          e.reshape(e.slice(flags, 0, e.constant(axis), e.constant(1)), {});
      Value reduced = e.reduce(step, v, {axis}, /*keepdims=*/true);
      // A reduction over no elements has one.
      Dims low(rank, e.constant(0)), high = low;
      high[axis] =
          simplify(ctx.maxSize(source[axis], e.constant(1)) - source[axis]);
      if (getConstant(high[axis]) != 0)
        v = e.pad(v, low, high);
      Value chosen =
          e.select(e.compare(CompareKind::Ne, flag, 0.0), reduced, v);
      v = e.slice(chosen, axis, e.constant(0), sizes[axis]);
    }
    return v;
  });
  if (isBool)
    y = e.compare(CompareKind::Ne, y, 0.0);
  else if (viaFloat)
    y = e.convert(y, type);
  if (!y || keepdims)
    return ctx.setOutput(0, y);
  return setWithoutAxes(e, y, flags, source);
}

LogicalResult importReduce(NodeContext &ctx) {
  if (failed(ctx.requireInputs(1, 2)))
    return failure();
  Emitter e(ctx);
  Value x = ctx.input(0), operand = ctx.input(1);
  ReduceKind kind = *kindOf(ctx.opType());
  bool keepdims = ctx.attrBool("keepdims", true);
  bool noop = ctx.attrBool("noop_with_empty_axes", false);
  std::optional<SmallVector<int64_t>> axes;
  if (ctx.hasAttr("axes")) {
    axes = ctx.attrInts("axes");
  } else if (operand) {
    bool isEmpty = tensorType(operand).getShape() == ArrayRef<int64_t>{0};
    axes = ctx.constants(operand);
    if (!axes && !isEmpty)
      return reduceRuntimeAxes(ctx, kind, keepdims, noop);
  }
  bool none = !axes || axes->empty();
  if (none && noop)
    return ctx.setOutput(0, reduceNothing(e, kind, x));
  if (none)
    axes = llvm::to_vector(llvm::seq<int64_t>(0, rankOf(x)));
  axes = normalizeAxes(ctx, *axes, rankOf(x));
  if (!axes)
    return failure();
  if (axes->empty())
    return ctx.setOutput(0, reduceNothing(e, kind, x));
  return ctx.setOutput(0, e.reduce(kind, x, *axes, keepdims));
}

LogicalResult importArgReduce(NodeContext &ctx) {
  if (failed(ctx.requireInputs(1)))
    return failure();
  Value x = ctx.input(0);
  ReduceKind kind =
      ctx.opType() == "ArgMax" ? ReduceKind::Max : ReduceKind::Min;
  std::optional<int64_t> axis =
      normalizeAxis(ctx, ctx.attrInt("axis", 0), rankOf(x));
  bool keepdims = ctx.attrBool("keepdims", true);
  bool selectLast = ctx.attrBool("select_last_index", false);
  if (!axis)
    return failure();
  return ctx.setOutput(0, ctx.create<ArgReduceOp>(kind, x, uint64_t(*axis),
                                                  keepdims, selectLast));
}

/// An axis that is known only at run time: all are computed (they have one
/// shape), and the operand selects.
static LogicalResult scanRuntimeAxis(NodeContext &ctx,
                                     llvm::function_ref<Value(int64_t)> scan) {
  Emitter e(ctx);
  int64_t rank = rankOf(ctx.input(0));
  if (rank < 1 || rank > 4)
    return ctx.unsupported("the axis (input 1) is not constant",
                           "make input 1 an initializer");
  Value axis = e.reshape(ctx.input(1), {});
  Value y = scan(rank - 1);
  for (int64_t i = 0; i < rank - 1; ++i) {
    Value chosen =
        e.binary(BinaryKind::Or, e.compare(CompareKind::Eq, axis, double(i)),
                 e.compare(CompareKind::Eq, axis, double(i - rank)));
    y = e.select(chosen, scan(i), y);
  }
  return ctx.setOutput(0, y);
}

LogicalResult importScan(NodeContext &ctx) {
  if (failed(ctx.requireInputs(2)))
    return failure();
  Value x = ctx.input(0);
  bool exclusive = ctx.attrBool("exclusive", false);
  bool reverse = ctx.attrBool("reverse", false);
  ReduceKind kind =
      ctx.opType() == "CumSum" ? ReduceKind::Sum : ReduceKind::Prod;
  auto scan = [&](int64_t axis) {
    return ctx.create<ScanOp>(kind, x, uint64_t(axis), exclusive, reverse);
  };
  std::optional<SmallVector<int64_t>> axes = ctx.constants(ctx.input(1));
  if (!axes)
    return scanRuntimeAxis(ctx, scan);
  if (axes->size() != 1)
    return ctx.error("the axis (input 1) is not one number");
  std::optional<int64_t> axis = normalizeAxis(ctx, axes->front(), rankOf(x));
  return axis ? ctx.setOutput(0, scan(*axis)) : failure();
}

/// k: an attribute before opset 10, then an operand.
static AffineExpr readK(NodeContext &ctx, int64_t axis) {
  if (ctx.opset() < 10) {
    std::optional<int64_t> k = ctx.attrInt("k");
    return k ? constDim(ctx.context(), *k) : AffineExpr();
  }
  std::optional<AffineExpr> k = ctx.scalarSize(ctx.input(1));
  if (!k)
    return {};
  Dims dims = getDims(ctx.input(0).getType());
  dims[axis] = *k;
  for (unsigned output : {0u, 1u})
    dims = settle(ctx, output, dims);
  return dims[axis];
}

LogicalResult importTopK(NodeContext &ctx) {
  if (failed(ctx.requireInputs(ctx.opset() < 10 ? 1 : 2)))
    return failure();
  Value x = ctx.input(0);
  std::optional<int64_t> axis =
      normalizeAxis(ctx, ctx.attrInt("axis", -1), rankOf(x));
  bool largest = ctx.attrBool("largest", true);
  // Unsorted results may come in any order, so in this one too.
  ctx.ignoreAttr("sorted");
  if (!axis)
    return failure();
  AffineExpr k = readK(ctx, *axis);
  if (!k)
    return ctx.unsupported("k is not constant", "make input 1 an initializer");
  Dims dims = getDims(x.getType());
  if (std::optional<int64_t> count = getConstant(k),
      size = getConstant(dims[*axis]);
      count && (*count < 0 || (size && *count > *size)))
    return ctx.error("k is " + Twine(*count) + ", the axis has fewer elements");
  // Sizes of run time are checked when they are known.
  if (failed(ctx.requireEqual(ctx.maxSize(k, dims[*axis]), dims[*axis],
                              "k exceeds the elements of the axis")) ||
      failed(ctx.requireEqual(ctx.maxSize(k, constDim(ctx.context(), 0)), k,
                              "k is negative")))
    return failure();
  dims[*axis] = k;
  OperationState state(ctx.loc(), TopKOp::getOperationName());
  TopKOp::build(ctx.builder(), state, makeTensorType(elementTypeOf(x), dims),
                makeTensorType(ctx.builder().getI64Type(), dims), x,
                uint64_t(*axis), largest);
  Operation *op = ctx.insert(state, /*infer=*/false);
  if (!op || failed(ctx.setOutput(0, op->getResult(0))))
    return failure();
  return ctx.outputUsed(1) ? ctx.setOutput(1, op->getResult(1)) : success();
}

} // namespace effc
