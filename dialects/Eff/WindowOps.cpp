// Verifiers, shape functions, costs and folds of WindowOps.td.
#include "Eff/EffOps.h"
#include "Eff/Verify.h"

using namespace mlir;
using namespace effc::eff;

/// What pool and pool_indices share.
template <typename OpTy>
static LogicalResult verifyPool(OpTy op, bool channelsLast) {
  if (failed(verifyDims(op)))
    return failure();
  Dims x = getDims(op.getX().getType()), y = getDims(op.getType());
  // pool_c1, pool_indices_c1: the rank stays and has spatial dims.
  if (x.size() != y.size() || x.size() < 3 || x.size() > 5)
    return op.emitOpError("takes rank ") << x.size() << " to rank " << y.size()
                                         << ", expected the same from 3 to 5";
  size_t spatial = x.size() - 2;
  // pool_c2, pool_indices_c2: attributes have an entry for each spatial dim.
  if (op.getKernel().size() != spatial || op.getStrides().size() != spatial ||
      op.getDilations().size() != spatial || op.getPads().size() != 2 * spatial)
    return op.emitOpError("has attributes that do not fit ")
           << spatial << " spatial dims";
  // pool_c3, pool_indices_c3: windows are not empty, pads not negative.
  auto isPositive = [](int64_t value) { return value > 0; };
  if (!llvm::all_of(op.getKernel(), isPositive) ||
      !llvm::all_of(op.getStrides(), isPositive) ||
      !llvm::all_of(op.getDilations(), isPositive) ||
      llvm::any_of(op.getPads(), [](int64_t value) { return value < 0; }))
    return op.emitOpError("needs positive kernel, strides and dilations, and "
                          "pads from 0 on");
  size_t channel = channelsLast ? x.size() - 1 : 1;
  size_t first = channelsLast ? 1 : 2;
  // pool_c4, pool_indices_c4: samples and channels stay.
  if (contradict(x[0], y[0]) || contradict(x[channel], y[channel]))
    return op.emitOpError("changes samples or channels, from ")
           << toString(x) << " to " << toString(y);
  for (size_t i = 0; i < spatial; ++i) {
    int64_t pads = op.getPads()[i] + op.getPads()[spatial + i];
    AffineExpr kernel = constDim(op.getContext(), op.getKernel()[i]);
    auto extent = [&](bool ceil) {
      return getConstant(getWindowExtent(x[first + i], pads, kernel,
                                         op.getDilations()[i],
                                         op.getStrides()[i], ceil));
    };
    std::optional<int64_t> low = extent(false), high = extent(true);
    std::optional<int64_t> size = getConstant(y[first + i]);
    // pool_c5, pool_indices_c5: the extent is the number of windows, rounded
    // down or up.
    if (size && low && high && (*size < *low || *size > *high))
      return op.emitOpError("spatial dim ")
             << i << " has extent " << *size << ", expected " << *low << " to "
             << *high;
  }
  return success();
}

LogicalResult PoolOp::verify() {
  // pool_c6: the element type stays, and is of numbers; averages are of floats.
  Type type = getElementType(getX());
  if (type != getElementType(getY()) || !isNumberOrBool(type) ||
      (getKind() == PoolKind::Average && !isFloat(type)))
    return emitOpError("pools ") << type << " to " << getElementType(getY());
  return verifyPool(*this, getChannelsLast());
}

AffineExpr PoolOp::getFlops() {
  int64_t taps = 1;
  for (int64_t extent : getKernel())
    taps *= extent;
  return simplify(getNumElements(getType()) * taps);
}

LogicalResult PoolIndicesOp::verify() {
  // pool_indices_c6: the result is i64.
  if (!getElementType(getY()).isSignlessInteger(64))
    return emitOpError("gives ") << getElementType(getY()) << ", expected i64";
  // pool_indices_c7: the element type has an order.
  if (!isNumberOrBool(getElementType(getX())))
    return emitOpError("is not defined on ") << getElementType(getX());
  return verifyPool(*this, /*channelsLast=*/false);
}

LogicalResult ResizeOp::verify() {
  if (failed(verifyDims(*this)))
    return failure();
  Dims x = getDims(getX().getType()), y = getDims(getType());
  // resize_c1: rank and element type, of numbers, stay.
  if (x.size() != y.size() ||
      getElementType(getX()) != getElementType(getY()) ||
      !isNumberOrBool(getElementType(getX())))
    return emitOpError("takes ") << getX().getType() << " to " << getType();
  // resize_c2: a scale for each axis, and start and end of the region if given.
  if (getScales().size() != getAxes().size() ||
      (!getRoi().empty() && getRoi().size() != 2 * getAxes().size()))
    return emitOpError("has ")
           << getScales().size() << " scales and " << getRoi().size()
           << " bounds for " << getAxes().size() << " axes";
  for (auto [i, axis] : llvm::enumerate(getAxes()))
    // resize_c3: axes are distinct and within the rank.
    if (axis < 0 || axis >= static_cast<int64_t>(x.size()) ||
        llvm::is_contained(getAxes().take_front(i), axis))
      return emitOpError("axis ")
             << axis << " is repeated or not within rank " << x.size();
  for (size_t i = 0; i < x.size(); ++i)
    // resize_c4: other dims stay.
    if (!llvm::is_contained(getAxes(), static_cast<int64_t>(i)) &&
        contradict(x[i], y[i]))
      return emitOpError("changes dim ") << i << ", which is not among axes";
  return success();
}
