// Selection and update by index.
#include "RuntimeShape.h"

using namespace mlir;
using namespace effc::eff;

namespace effc {

/// The attribute axis, in range for operand 0.
static std::optional<int64_t> readAxis(NodeContext &ctx, int64_t fallback) {
  return normalizeAxis(ctx, ctx.attrInt("axis", fallback),
                       rankOf(ctx.input(0)));
}

LogicalResult importGather(NodeContext &ctx) {
  if (failed(ctx.requireInputs(2)))
    return failure();
  std::optional<int64_t> axis = readAxis(ctx, 0);
  if (!axis)
    return failure();
  return ctx.setOutput(0,
                       Emitter(ctx).gather(ctx.input(0), ctx.input(1), *axis));
}

/// Off the axis an element's own place is its index in the operand. Ranks are
/// for the verifiers to compare.
static LogicalResult requireFit(NodeContext &ctx, Value indices, Value x,
                                int64_t axis) {
  Dims small = getDims(indices.getType()), large = getDims(x.getType());
  for (auto [i, sizes] : llvm::enumerate(llvm::zip(small, large))) {
    auto [own, whole] = sizes;
    if (int64_t(i) != axis &&
        failed(ctx.requireEqual(ctx.maxSize(own, whole), whole,
                                "indices reach beyond the operand")))
      return failure();
  }
  return success();
}

LogicalResult importGatherElements(NodeContext &ctx) {
  if (failed(ctx.requireInputs(2)))
    return failure();
  std::optional<int64_t> axis = readAxis(ctx, 0);
  if (!axis || failed(requireFit(ctx, ctx.input(1), ctx.input(0), *axis)))
    return failure();
  return ctx.setOutput(0, ctx.create<GatherElementsOp>(
                              ctx.input(0), ctx.input(1), uint64_t(*axis)));
}

/// Index tuples whose length a run knows: `length` follows from the ranks of
/// the other tensors. What the operator takes is for its verifier to say.
static Value withTuples(NodeContext &ctx, Value indices,
                        std::optional<int64_t> length) {
  int64_t rank = rankOf(indices);
  if (rank == 0 || !length || *length < 1 ||
      getConstant(getDim(indices.getType(), rank - 1)))
    return indices;
  return withSize(ctx, indices, rank - 1, *length,
                  "the length of index tuples does not fit the ranks");
}

LogicalResult importGatherND(NodeContext &ctx) {
  if (failed(ctx.requireInputs(2)))
    return failure();
  int64_t batchDims = ctx.attrInt("batch_dims", 0);
  int64_t limit = std::min(rankOf(ctx.input(0)), rankOf(ctx.input(1)));
  if (batchDims < 0 || batchDims >= limit)
    return ctx.error("attribute batch_dims is " + Twine(batchDims) +
                     ", it must be in [0, " + Twine(limit) + ")");
  std::optional<int64_t> length = ctx.declaredRank(0);
  if (length)
    length =
        rankOf(ctx.input(0)) + rankOf(ctx.input(1)) - 1 - batchDims - *length;
  Value indices = withTuples(ctx, ctx.input(1), length);
  return ctx.setOutput(
      0, ctx.create<GatherNDOp>(ctx.input(0), indices, uint64_t(batchDims)));
}

static std::optional<ScatterKind> readReduction(NodeContext &ctx) {
  std::string name = ctx.attrString("reduction", "none");
  auto kind = llvm::StringSwitch<std::optional<ScatterKind>>(name)
                  .Case("none", ScatterKind::None)
                  .Case("add", ScatterKind::Add)
                  .Case("mul", ScatterKind::Mul)
                  .Case("max", ScatterKind::Max)
                  .Case("min", ScatterKind::Min)
                  .Default(std::nullopt);
  if (!kind)
    (void)ctx.error("attribute reduction has the unknown value '" + name + "'");
  return kind;
}

LogicalResult importScatterElements(NodeContext &ctx) {
  if (failed(ctx.requireInputs(3)))
    return failure();
  std::optional<int64_t> axis = readAxis(ctx, 0);
  std::optional<ScatterKind> kind = readReduction(ctx);
  if (!axis || !kind ||
      failed(requireFit(ctx, ctx.input(1), ctx.input(0), *axis)))
    return failure();
  return ctx.setOutput(
      0, ctx.create<ScatterElementsOp>(*kind, ctx.input(0), ctx.input(1),
                                       ctx.input(2), uint64_t(*axis)));
}

LogicalResult importScatterND(NodeContext &ctx) {
  if (failed(ctx.requireInputs(3)))
    return failure();
  std::optional<ScatterKind> kind = readReduction(ctx);
  if (!kind)
    return failure();
  Value x = ctx.input(0), updates = ctx.input(2);
  int64_t length = rankOf(x) + rankOf(ctx.input(1)) - 1 - rankOf(updates);
  Value indices = withTuples(ctx, ctx.input(1), length);
  return ctx.setOutput(0, ctx.create<ScatterNDOp>(*kind, x, indices, updates));
}

} // namespace effc
