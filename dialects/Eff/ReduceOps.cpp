// Verifiers, shape functions, costs and folds of ReduceOps.td.
#include "Eff/EffOps.h"
#include "Eff/Verify.h"

using namespace mlir;
using namespace effc::eff;

//===----------------------------------------------------------------------===//
// reduce
//===----------------------------------------------------------------------===//

LogicalResult ReduceOp::inferReturnTypes(
    MLIRContext *context, std::optional<Location> location, ValueRange operands,
    DictionaryAttr attributes, OpaqueProperties properties, RegionRange regions,
    SmallVectorImpl<Type> &inferredReturnTypes) {
  Adaptor op(operands, attributes, properties, regions);
  if (failed(checkDims<ReduceOp>(location, operands)))
    return failure();
  Dims x = getDims(op.getX().getType()), dims;
  int64_t last = -1;
  // reduce_c1: axes are sorted, distinct and within the rank.
  for (int64_t axis : op.getAxes()) {
    if (axis <= last || axis >= static_cast<int64_t>(x.size()))
      return inferError<ReduceOp>(location, "axis ", axis,
                                  " is not sorted or not within rank ",
                                  x.size());
    last = axis;
  }
  for (auto [axis, dim] : llvm::enumerate(x)) {
    if (!llvm::is_contained(op.getAxes(), static_cast<int64_t>(axis)))
      dims.push_back(dim);
    else if (op.getKeepdims())
      dims.push_back(constDim(context, 1));
  }
  inferredReturnTypes.push_back(
      makeTensorType(getElementType(op.getX()), dims));
  return success();
}

LogicalResult ReduceOp::verify() {
  if (failed(verifyInferred(*this)))
    return failure();
  Type type = getElementType(getX());
  // reduce_c2: elements are numbers; max and min also order bools.
  bool ordered = getKind() == ReduceKind::Max || getKind() == ReduceKind::Min;
  if (!isFloat(type) && !isInteger(type) && !(ordered && isBool(type)))
    return emitOpError("'")
           << stringifyReduceKind(getKind()) << "' is not defined on " << type;
  return success();
}

AffineExpr ReduceOp::getFlops() { return getNumElements(getX().getType()); }

OpFoldResult ReduceOp::fold(FoldAdaptor) {
  switch (getKind()) {
  case ReduceKind::Sum:
  case ReduceKind::Mean:
  case ReduceKind::Max:
  case ReduceKind::Min:
  case ReduceKind::Prod:
    break;
  default:
    return {};
  }
  // Over axes of extent 1 these do nothing; the rank must stay, too.
  if (getX().getType() != getType())
    return {};
  for (int64_t axis : getAxes())
    if (getConstant(getDim(getX().getType(), axis)) != 1)
      return {};
  return getX();
}

//===----------------------------------------------------------------------===//
// arg_reduce, scan, topk
//===----------------------------------------------------------------------===//

/// Checks an axis against the rank of a tensor.
template <typename OpTy>
static LogicalResult checkAxis(std::optional<Location> location, Value x,
                               int64_t axis) {
  if (axis < 0 || axis >= getRank(x))
    return inferError<OpTy>(location, "axis ", axis, " is not within rank ",
                            getRank(x));
  return success();
}

LogicalResult ArgReduceOp::inferReturnTypes(
    MLIRContext *context, std::optional<Location> location, ValueRange operands,
    DictionaryAttr attributes, OpaqueProperties properties, RegionRange regions,
    SmallVectorImpl<Type> &inferredReturnTypes) {
  Adaptor op(operands, attributes, properties, regions);
  auto axis = static_cast<int64_t>(op.getAxis());
  // arg_reduce_c1: the axis is within the rank.
  if (failed(checkDims<ArgReduceOp>(location, operands)) ||
      failed(checkAxis<ArgReduceOp>(location, op.getX(), axis)))
    return failure();
  Dims dims = getDims(op.getX().getType());
  if (op.getKeepdims())
    dims[axis] = constDim(context, 1);
  else
    dims.erase(dims.begin() + axis);
  inferredReturnTypes.push_back(
      makeTensorType(IntegerType::get(context, 64), dims));
  return success();
}

LogicalResult ArgReduceOp::verify() {
  if (failed(verifyInferred(*this)))
    return failure();
  // arg_reduce_c2: looks for the largest or the smallest.
  if (getKind() != ReduceKind::Max && getKind() != ReduceKind::Min)
    return emitOpError("kind is '")
           << stringifyReduceKind(getKind()) << "', expected max or min";
  // arg_reduce_c3: the element type has an order.
  if (!isNumberOrBool(getElementType(getX())))
    return emitOpError("is not defined on ") << getElementType(getX());
  return success();
}

AffineExpr ArgReduceOp::getFlops() { return getNumElements(getX().getType()); }

LogicalResult
ScanOp::inferReturnTypes(MLIRContext *context, std::optional<Location> location,
                         ValueRange operands, DictionaryAttr attributes,
                         OpaqueProperties properties, RegionRange regions,
                         SmallVectorImpl<Type> &inferredReturnTypes) {
  Adaptor op(operands, attributes, properties, regions);
  // scan_c1: the axis is within the rank.
  if (failed(checkAxis<ScanOp>(location, op.getX(),
                               static_cast<int64_t>(op.getAxis()))))
    return failure();
  inferredReturnTypes.push_back(op.getX().getType());
  return success();
}

LogicalResult ScanOp::verify() {
  if (failed(verifyInferred(*this)))
    return failure();
  // scan_c2: runs a sum or a product.
  if (getKind() != ReduceKind::Sum && getKind() != ReduceKind::Prod)
    return emitOpError("kind is '")
           << stringifyReduceKind(getKind()) << "', expected sum or prod";
  // scan_c3: the element type is one of numbers.
  if (!isNumberOrBool(getElementType(getX())))
    return emitOpError("is not defined on ") << getElementType(getX());
  return success();
}

LogicalResult TopKOp::verify() {
  if (failed(verifyDims(*this)))
    return failure();
  auto axis = static_cast<int64_t>(getAxis());
  // topk_c1: the axis is within the rank.
  if (failed(checkAxis<TopKOp>(getLoc(), getX(), axis)))
    return failure();
  // topk_c2: the results differ from x only in the axis; indices are i64.
  Dims x = getDims(getX().getType()), values = getDims(getValues().getType());
  Dims indices = getDims(getIndices().getType());
  if (!getElementType(getIndices()).isSignlessInteger(64) ||
      getElementType(getValues()) != getElementType(getX()) ||
      contradict(values, indices) || values.size() != x.size())
    return emitOpError("results have types ")
           << getValues().getType() << " and " << getIndices().getType()
           << ", expected elements of x and i64 in the shape of x but for the "
              "axis";
  // topk_c3: no more elements than there are.
  std::optional<int64_t> k = getConstant(values[axis]);
  std::optional<int64_t> extent = getConstant(x[axis]);
  if (k && extent && *k > *extent)
    return emitOpError("takes ") << *k << " of " << *extent << " elements";
  x[axis] = values[axis];
  // topk_c4: all other dims stay.
  if (contradict(x, values))
    return emitOpError("changes dims other than the axis");
  // topk_c5: the element type has an order.
  if (!isNumberOrBool(getElementType(getX())))
    return emitOpError("is not defined on ") << getElementType(getX());
  return success();
}
