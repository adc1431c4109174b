// Movement in terms of the sizes of the operand.
#include "Emitter.h"

using namespace mlir;
using namespace effc::eff;

namespace effc {

Value Emitter::unsqueeze(Value x, ArrayRef<int64_t> axes) {
  if (!x)
    return {};
  Dims result = dims(x);
  for (int64_t axis : axes) {
    if (!normalizeAxis(ctx, axis, result.size() + 1))
      return {};
    result.insert(result.begin() + axis, constant(1));
  }
  return reshape(x, result);
}

Value Emitter::squeeze(Value x, ArrayRef<int64_t> axes) {
  Dims result;
  for (auto [i, dim] : llvm::enumerate(dims(x)))
    if (!llvm::is_contained(axes, int64_t(i)))
      result.push_back(dim);
  return reshape(x, result);
}

Value Emitter::sliceBy(Value x, int64_t axis, int64_t offset, AffineExpr size,
                       int64_t stride) {
  if (!x)
    return {};
  Dims sizes = dims(x);
  if (!normalizeAxis(ctx, axis, sizes.size()))
    return {};
  Dims offsets(sizes.size(), constant(0));
  SmallVector<int64_t> strides(sizes.size(), 1);
  sizes[axis] = size;
  offsets[axis] = constant(offset);
  strides[axis] = stride;
  return ctx.createTyped<SliceOp>(makeTensorType(elementTypeOf(x), sizes), x,
                                  DimsAttr::get(ctx.context(), offsets),
                                  strides);
}

Value Emitter::reverse(Value x) {
  Dims all = dims(x), offsets(all.size(), constant(0));
  if (!x)
    return {};
  offsets[0] = eff::simplify(all[0] - 1);
  SmallVector<int64_t> strides(all.size(), 1);
  strides[0] = -1;
  return ctx.createTyped<eff::SliceOp>(
      x.getType(), x, eff::DimsAttr::get(ctx.context(), offsets), strides);
}

SmallVector<Value> Emitter::split(Value x, int64_t axis, int64_t count) {
  SmallVector<Value> parts(count);
  AffineExpr size = exactDiv(dim(x, axis), constant(count));
  for (int64_t i = 0; i < count; ++i)
    parts[i] = slice(x, axis, simplify(size * i), size);
  return parts;
}

Value Emitter::pad(Value x, ArrayRef<AffineExpr> low, ArrayRef<AffineExpr> high,
                   Value value) {
  if (!x)
    return {};
  Dims sizes = dims(x);
  if (low.size() != sizes.size() || high.size() != sizes.size()) {
    (void)ctx.error("rank " + Twine(sizes.size()) + " where " +
                    Twine(low.size()) + " is needed");
    return {};
  }
  bool any = false;
  for (size_t i = 0; i < sizes.size(); ++i) {
    any |= getConstant(low[i]) != 0 || getConstant(high[i]) != 0;
    sizes[i] = simplify(sizes[i] + low[i] + high[i]);
  }
  if (!any)
    return x;
  return ctx.createTyped<PadOp>(makeTensorType(elementTypeOf(x), sizes),
                                PadMode::Constant, x, value,
                                DimsAttr::get(ctx.context(), low));
}

ConstantOp constantOf(Value value) {
  return value ? value.getDefiningOp<ConstantOp>() : ConstantOp();
}

} // namespace effc
