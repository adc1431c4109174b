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

/// Axes that are known only at run time, as far as the declared result tells:
/// the dims that it lacks or has as 1. A dim of size 1 may count as reduced.
static std::optional<SmallVector<int64_t>>
axesFromResult(ArrayRef<AffineExpr> x, ArrayRef<AffineExpr> y, bool keepdims) {
  SmallVector<int64_t> axes;
  if (keepdims) {
    if (x.size() != y.size())
      return std::nullopt;
    for (auto [i, size] : llvm::enumerate(y)) {
      if (!size || !x[i])
        return std::nullopt;
      if (getConstant(size) == 1)
        axes.push_back(i);
      else if (size != x[i])
        return std::nullopt;
    }
    return axes;
  }
  // The result's dims as a subsequence of the operand's; several ways are an
  // ambiguity unless only one is left from either side.
  auto match = [&](bool backwards) -> std::optional<SmallVector<int64_t>> {
    SmallVector<int64_t> dropped;
    int64_t j = backwards ? int64_t(y.size()) - 1 : 0;
    int64_t rank = x.size(), kept = y.size();
    for (int64_t n = 0; n < rank; ++n) {
      int64_t i = backwards ? rank - 1 - n : n;
      if (j >= 0 && j < kept && y[j] && y[j] == x[i])
        j += backwards ? -1 : 1;
      else
        dropped.push_back(i);
    }
    if (int64_t(dropped.size()) + kept != rank)
      return std::nullopt;
    llvm::sort(dropped);
    return dropped;
  };
  std::optional<SmallVector<int64_t>> first = match(false), last = match(true);
  return first && last && *first == *last ? first : std::nullopt;
}

LogicalResult importReduce(NodeContext &ctx) {
  if (failed(ctx.requireInputs(1, 2)))
    return failure();
  Emitter e(ctx);
  Value x = ctx.input(0);
  ReduceKind kind = *kindOf(ctx.opType());
  bool keepdims = ctx.attrBool("keepdims", true);
  bool noop = ctx.attrBool("noop_with_empty_axes", false);
  std::optional<SmallVector<int64_t>> axes;
  if (ctx.hasAttr("axes")) {
    axes = ctx.attrInts("axes");
  } else if (Value operand = ctx.input(1)) {
    axes = ctx.constants(operand);
    if (!axes && tensorType(operand).getShape() != ArrayRef<int64_t>{0}) {
      if (std::optional<Dims> declared = ctx.declaredDims(0))
        axes = axesFromResult(e.dims(x), *declared, keepdims);
      if (!axes)
        return ctx.unsupported("the axes (input 1) are not constant and the "
                               "declared result does not tell them",
                               "make input 1 an initializer");
      if (axes->empty() && rankOf(x) > 0)
        return ctx.setOutput(0, reduceNothing(e, kind, x));
    }
  }
  if ((!axes || axes->empty()) && noop)
    return ctx.setOutput(0, reduceNothing(e, kind, x));
  if (!axes || axes->empty())
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

LogicalResult importScan(NodeContext &ctx) {
  if (failed(ctx.requireInputs(2)))
    return failure();
  Value x = ctx.input(0);
  bool exclusive = ctx.attrBool("exclusive", false);
  bool reverse = ctx.attrBool("reverse", false);
  std::optional<SmallVector<int64_t>> axes = ctx.constants(ctx.input(1));
  if ((!axes || axes->size() != 1) && rankOf(x) == 1)
    axes = {0};
  if (!axes || axes->size() != 1)
    return ctx.unsupported("the axis (input 1) is not a constant number",
                           "make input 1 an initializer");
  std::optional<int64_t> axis = normalizeAxis(ctx, axes->front(), rankOf(x));
  if (!axis)
    return failure();
  ReduceKind kind =
      ctx.opType() == "CumSum" ? ReduceKind::Sum : ReduceKind::Prod;
  return ctx.setOutput(
      0, ctx.create<ScanOp>(kind, x, uint64_t(*axis), exclusive, reverse));
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
