// Operators whose kernels are written in the runtime's C (lib/Runtime/Ops):
// they fill results of the largest size and say how much of them counts.
#include "RuntimeShape.h"

using namespace mlir;
using namespace effc::eff;

namespace effc {

/// The runtime's kernel `name`; null on failure.
static Operation *callLibrary(NodeContext &ctx, StringRef name,
                              ArrayRef<Value> inputs, ArrayRef<AffineExpr> dims,
                              ArrayRef<AffineExpr> work,
                              ArrayRef<Type> results) {
  OperationState state(ctx.loc(), LibraryOp::getOperationName());
  LibraryOp::build(ctx.builder(), state, results, name, inputs,
                   DimsAttr::get(ctx.context(), dims),
                   DimsAttr::get(ctx.context(), work));
  return ctx.insert(state, /*infer=*/false);
}

LogicalResult importNonMaxSuppression(NodeContext &ctx) {
  if (failed(ctx.requireInputs(2, 5)))
    return failure();
  Emitter e(ctx);
  Value boxes = ctx.input(0), scores = ctx.input(1);
  int64_t centered = ctx.attrInt("center_point_box", 0);
  if (rankOf(boxes) != 3 || rankOf(scores) != 3 || !isFloat(boxes) ||
      !isFloat(scores))
    return ctx.error("boxes and scores must be floats of rank 3");
  AffineExpr batch = e.dim(scores, 0), classes = e.dim(scores, 1),
             count = e.dim(scores, 2);
  if (failed(ctx.requireEqual(e.dim(boxes, 0), batch,
                              "boxes and scores differ in batch")) ||
      failed(ctx.requireEqual(e.dim(boxes, 1), count,
                              "boxes and scores differ in number")) ||
      failed(ctx.requireEqual(e.dim(boxes, 2), e.constant(4),
                              "boxes have other than 4 coordinates")))
    return failure();
  AffineExpr most = e.constant(0);
  if (ctx.hasInput(2)) {
    std::optional<AffineExpr> given = ctx.scalarSize(ctx.input(2));
    if (!given)
      return ctx.error("max_output_boxes_per_class is not an integer");
    most = ctx.minSize(ctx.maxSize(*given, most), count);
  }
  auto threshold = [&](unsigned index, double fallback) {
    Value given = ctx.input(index);
    return given ? reshapeTo(ctx, given, {e.constant(1)})
                 : ctx.splat(ctx.builder().getF32Type(), fallback, {1});
  };
  AffineExpr room = simplify(batch * classes * most), one = e.constant(1);
  Type i64 = ctx.builder().getI64Type();
  Operation *op = callLibrary(
      ctx, "nms",
      {boxes, scores, threshold(3, 0),
       threshold(4, -std::numeric_limits<double>::infinity())},
      {batch, classes, count, most, e.constant(centered), room},
      {one, simplify(count * 24), simplify(batch * classes * count * 16)},
      {makeTensorType(i64, {room, e.constant(3)}), makeTensorType(i64, {one})});
  if (!op)
    return failure();
  AffineExpr found =
      ctx.defineSize(op->getResult(1), 0, 0, ctx.bounds(room).second);
  found = settle(ctx, 0, {found, e.constant(3)}).front();
  return ctx.setOutput(0, e.slice(op->getResult(0), 0, e.constant(0), found));
}

LogicalResult importUnique(NodeContext &ctx) {
  if (failed(ctx.requireInputs(1)))
    return failure();
  Emitter e(ctx);
  Value x = ctx.input(0);
  bool sorted = ctx.attrBool("sorted", true);
  SmallVector<int64_t> permutation, inverse;
  Dims entry;
  if (std::optional<int64_t> given = ctx.attrInt("axis")) {
    std::optional<int64_t> axis = normalizeAxis(ctx, *given, rankOf(x));
    if (!axis)
      return failure();
    // The axis goes first, and comes back in the end.
    for (int64_t i = 0; i < rankOf(x); ++i)
      if (i != *axis) {
        permutation.push_back(i);
        entry.push_back(e.dim(x, i));
      }
    permutation.insert(permutation.begin(), *axis);
    for (int64_t i = 1; i < rankOf(x); ++i)
      inverse.push_back(i);
    inverse.insert(inverse.begin() + *axis, 0);
    x = e.transpose(x, permutation);
  } else {
    x = e.reshape(x, {getNumElements(x.getType())});
  }
  if (!x || ctx.hasFailed())
    return failure();
  AffineExpr count = e.dim(x, 0), one = e.constant(1);
  AffineExpr length = eff::product(ctx.context(), entry);
  x = e.reshape(x, {count, length});
  Type i64 = ctx.builder().getI64Type();
  Type list = makeTensorType(i64, {count});
  Operation *op =
      callLibrary(ctx, "unique", {x}, {count, length, e.constant(sorted)},
                  {one, simplify(count * 16), simplify(count * length * 16)},
                  {x.getType(), list, list, list, makeTensorType(i64, {one})});
  if (!op)
    return failure();
  AffineExpr found =
      ctx.defineSize(op->getResult(4), 0, 0, ctx.bounds(count).second);
  auto prefix = [&](unsigned result) {
    return e.slice(op->getResult(result), 0, e.constant(0), found);
  };
  Dims shape = entry;
  shape.insert(shape.begin(), found);
  Value y = e.reshape(prefix(0), shape);
  if (!inverse.empty())
    y = e.transpose(y, inverse);
  Value results[] = {y, prefix(1), op->getResult(2), prefix(3)};
  for (unsigned i = 0; i < std::min(4u, ctx.numOutputs()); ++i)
    if (ctx.outputUsed(i) && failed(ctx.setOutput(i, results[i])))
      return failure();
  return success();
}

} // namespace effc
