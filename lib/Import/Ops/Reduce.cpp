// Reductions, running sums and selections along axes.
#include "Emitter.h"

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

/// Whether reducing these axes (a bit each) of x gives y, as far as is known.
static bool givesResult(ArrayRef<AffineExpr> x, ArrayRef<AffineExpr> y,
                        unsigned axes, bool keepdims) {
  size_t next = 0;
  for (auto [i, size] : llvm::enumerate(x)) {
    bool reduced = axes >> i & 1;
    if (reduced && !keepdims)
      continue;
    if (next == y.size() || !y[next])
      return false;
    if (reduced ? getConstant(y[next]) != 1 : y[next] != size)
      return false;
    ++next;
  }
  return next == y.size();
}

/// Every set of axes that makes the declared result of x, as bits; `count` is
/// how many axes the operand has.
static SmallVector<unsigned> possibleAxes(NodeContext &ctx, Value x,
                                          int64_t count, bool keepdims) {
  std::optional<Dims> declared = ctx.declaredDims(0);
  Dims dims = getDims(x.getType());
  SmallVector<unsigned> sets;
  if (!declared || dims.size() > 8 || count == 0)
    return sets;
  for (unsigned axes = 1; axes < 1u << dims.size(); ++axes) {
    bool fits = count < 0 || llvm::popcount(axes) == count;
    if (fits && givesResult(dims, *declared, axes, keepdims))
      sets.push_back(axes);
  }
  return sets;
}

/// Axes that are known only at run time: what the declared result allows is
/// computed, and the operand selects. Most often only one set is possible.
static LogicalResult reduceRuntimeAxes(NodeContext &ctx, ReduceKind kind,
                                       bool keepdims) {
  constexpr size_t maxSets = 6;
  Emitter e(ctx);
  Value x = ctx.input(0), operand = ctx.input(1);
  int64_t rank = rankOf(x);
  int64_t count = getConstant(e.dim(operand, 0)).value_or(-1);
  SmallVector<unsigned> sets = possibleAxes(ctx, x, count, keepdims);
  if (sets.empty() || sets.size() > maxSets)
    return ctx.unsupported("the axes (input 1) are not constant and the "
                           "declared result does not tell them",
                           "make input 1 an initializer");
  auto reduceSet = [&](unsigned set) {
    SmallVector<int64_t> axes;
    for (int64_t i = 0; i < rank; ++i)
      if (set >> i & 1)
        axes.push_back(i);
    return e.reduce(kind, x, axes, keepdims);
  };
  Value y = reduceSet(sets.back());
  if (sets.size() == 1)
    return ctx.setOutput(0, y);
  // The set as a number with a bit for each axis.
  Value axes = e.select(e.compare(CompareKind::Lt, operand, 0.0),
                        e.add(operand, double(rank)), operand);
  Value bits = e.binary(BinaryKind::Pow, scalarLike(ctx, axes, 2.0), axes);
  Value code = e.reduce(ReduceKind::Sum, bits, {0}, /*keepdims=*/false);
  for (unsigned set : ArrayRef(sets).drop_back())
    y = e.select(e.compare(CompareKind::Eq, code, double(set)), reduceSet(set),
                 y);
  return ctx.setOutput(0, y);
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
      return reduceRuntimeAxes(ctx, kind, keepdims);
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

/// k: an attribute before opset 10, then an operand; the declared result may
/// tell it where that is only known at run time.
static AffineExpr readK(NodeContext &ctx, int64_t axis) {
  if (ctx.opset() < 10) {
    std::optional<int64_t> k = ctx.attrInt("k");
    return k ? constDim(ctx.context(), *k) : AffineExpr();
  }
  if (std::optional<Dims> k = ctx.sizes(ctx.input(1)); k && k->size() == 1)
    return k->front();
  for (unsigned output : {0u, 1u})
    if (std::optional<Dims> declared = ctx.declaredDims(output))
      if (axis < int64_t(declared->size()) && (*declared)[axis])
        return (*declared)[axis];
  return {};
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
