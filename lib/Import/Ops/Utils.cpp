// What handlers of several themes share. A null operand stays null: the step
// that failed has reported.
#include "Utils.h"

using namespace mlir;

namespace effc {

std::optional<int64_t> normalizeAxis(NodeContext &ctx, int64_t axis,
                                     int64_t rank) {
  if (axis >= -rank && axis < rank)
    return axis < 0 ? axis + rank : axis;
  (void)ctx.error("axis " + Twine(axis) + " is out of range for rank " +
                  Twine(rank));
  return std::nullopt;
}

std::optional<SmallVector<int64_t>>
normalizeAxes(NodeContext &ctx, ArrayRef<int64_t> axes, int64_t rank) {
  SmallVector<int64_t> result;
  for (int64_t axis : axes) {
    std::optional<int64_t> normal = normalizeAxis(ctx, axis, rank);
    if (!normal)
      return std::nullopt;
    result.push_back(*normal);
  }
  llvm::sort(result);
  result.erase(llvm::unique(result), result.end());
  return result;
}

std::optional<SmallVector<int64_t>>
attrOrInputInts(NodeContext &ctx, StringRef name, unsigned index) {
  if (ctx.hasAttr(name))
    return ctx.attrInts(name);
  if (!ctx.hasInput(index))
    return std::nullopt;
  std::optional<SmallVector<int64_t>> values = ctx.constants(ctx.input(index));
  if (!values)
    (void)ctx.unsupported(name + " (input " + Twine(index) +
                              ") is not a constant",
                          "make it an initializer");
  return values;
}

Value reshapeTo(NodeContext &ctx, Value x, ArrayRef<AffineExpr> dims) {
  if (!x)
    return {};
  RankedTensorType type = eff::makeTensorType(elementTypeOf(x), dims);
  if (type == x.getType())
    return x;
  // Small constants keep being known.
  if (auto constant = x.getDefiningOp<eff::ConstantOp>())
    if (auto dense = dyn_cast<DenseElementsAttr>(constant.getValue());
        dense && type.hasStaticShape() &&
        type.getNumElements() == dense.getNumElements())
      return ctx.constant(dense.reshape(type));
  return ctx.createTyped<eff::ReshapeOp>(type, x);
}

Value broadcastTo(NodeContext &ctx, Value x, ArrayRef<AffineExpr> dims) {
  if (!x)
    return {};
  RankedTensorType type = eff::makeTensorType(elementTypeOf(x), dims);
  if (type == x.getType())
    return x;
  return ctx.createTyped<eff::BroadcastOp>(type, x);
}

Value transpose(NodeContext &ctx, Value x, ArrayRef<int64_t> permutation) {
  if (!x || llvm::is_sorted(permutation))
    return x;
  return ctx.create<eff::TransposeOp>(x, permutation);
}

Value convertTo(NodeContext &ctx, Value x, Type elementType, bool saturate,
                eff::RoundMode round) {
  if (!x || elementTypeOf(x) == elementType)
    return x;
  return ctx.createTyped<eff::ConvertOp>(
      eff::withElementType(x.getType(), elementType), x, saturate, round);
}

Value sliceAxis(NodeContext &ctx, Value x, int64_t axis, AffineExpr offset,
                AffineExpr extent) {
  if (!x)
    return {};
  eff::Dims dims = eff::getDims(x.getType());
  if (!normalizeAxis(ctx, axis, dims.size()))
    return {};
  if (dims[axis] == extent && eff::getConstant(offset) == 0)
    return x;
  dims[axis] = extent;
  eff::Dims offsets(dims.size(), eff::constDim(ctx.context(), 0));
  offsets[axis] = offset;
  SmallVector<int64_t> strides(dims.size(), 1);
  return ctx.createTyped<eff::SliceOp>(
      eff::makeTensorType(elementTypeOf(x), dims), x,
      eff::DimsAttr::get(ctx.context(), offsets), strides);
}

Value concat(NodeContext &ctx, ValueRange inputs, int64_t axis) {
  if (inputs.size() == 1)
    return inputs.front();
  return ctx.create<eff::ConcatOp>(inputs, axis);
}

Value iota(NodeContext &ctx, ArrayRef<AffineExpr> dims, Type elementType,
           int64_t axis, AffineExpr start, AffineExpr step) {
  return ctx.createTyped<eff::IotaOp>(
      eff::makeTensorType(elementType, dims), axis,
      eff::DimsAttr::get(ctx.context(), {start, step}));
}

Value scalarLike(NodeContext &ctx, Value x, double value) {
  return x ? ctx.splat(elementTypeOf(x), value) : Value();
}

Value unary(NodeContext &ctx, eff::UnaryKind kind, Value x,
            std::optional<double> alpha, std::optional<double> beta) {
  if (!x)
    return {};
  Builder &b = ctx.builder();
  return ctx.create<eff::UnaryOp>(
      kind, x, alpha ? b.getF64FloatAttr(*alpha) : FloatAttr(),
      beta ? b.getF64FloatAttr(*beta) : FloatAttr());
}

Value binary(NodeContext &ctx, eff::BinaryKind kind, Value a, Value b) {
  return a && b ? ctx.create<eff::BinaryOp>(kind, a, b) : Value();
}

Value compare(NodeContext &ctx, eff::CompareKind kind, Value a, Value b) {
  return a && b ? ctx.create<eff::CompareOp>(kind, a, b) : Value();
}

Value select(NodeContext &ctx, Value condition, Value a, Value b) {
  return condition && a && b ? ctx.create<eff::SelectOp>(condition, a, b)
                             : Value();
}

Value reduce(NodeContext &ctx, eff::ReduceKind kind, Value x,
             ArrayRef<int64_t> axes, bool keepdims) {
  return x ? ctx.create<eff::ReduceOp>(kind, x, axes, keepdims) : Value();
}

} // namespace effc
