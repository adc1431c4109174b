// Verifiers, shape functions, costs and folds of NormOps.td.
#include "Eff/EffOps.h"
#include "Eff/Verify.h"

using namespace mlir;
using namespace effc::eff;

/// Work per element, from counting the operations of the plain formulas; an
/// exponential counts 10.
static AffineExpr perElement(Value x, int64_t count) {
  return simplify(getNumElements(x.getType()) * count);
}

/// Normalisations give the type of x, which must be of floats.
template <typename OpTy>
static LogicalResult inferSame(std::optional<Location> location, Value x,
                               ValueRange operands, int64_t axis,
                               SmallVectorImpl<Type> &types) {
  if (failed(checkDims<OpTy>(location, operands)))
    return failure();
  // softmax_c1, layer_norm_c1, rms_norm_c1: the axis is within the rank.
  if (axis < 0 || axis >= getRank(x))
    return inferError<OpTy>(location, "axis ", axis, " is not within rank ",
                            getRank(x));
  // softmax_c2, layer_norm_c2, rms_norm_c2, group_norm_c2: elements are floats.
  if (!isFloat(getElementType(x)))
    return inferError<OpTy>(location, "normalises ", getElementType(x),
                            ", expected floats");
  types.push_back(x.getType());
  return success();
}

/// layer_norm_c3, rms_norm_c3: scale and bias have x's element type and
/// broadcast to x.
static LogicalResult verifyParameter(Operation *op, Value x, Value parameter,
                                     StringRef name) {
  if (!parameter)
    return success();
  if (getElementType(parameter) != getElementType(x) ||
      !broadcastsTo(getDims(parameter.getType()), getDims(x.getType())))
    return op->emitOpError()
           << name << " of type " << parameter.getType()
           << " does not broadcast to x of type " << x.getType();
  return success();
}

LogicalResult SoftmaxOp::inferReturnTypes(
    MLIRContext *context, std::optional<Location> location, ValueRange operands,
    DictionaryAttr attributes, OpaqueProperties properties, RegionRange regions,
    SmallVectorImpl<Type> &inferredReturnTypes) {
  Adaptor op(operands, attributes, properties, regions);
  return inferSame<SoftmaxOp>(location, op.getX(), operands,
                              static_cast<int64_t>(op.getAxis()),
                              inferredReturnTypes);
}

LogicalResult SoftmaxOp::verify() { return verifyInferred(*this); }

AffineExpr SoftmaxOp::getFlops() { return perElement(getX(), 14); }

LogicalResult LayerNormOp::inferReturnTypes(
    MLIRContext *context, std::optional<Location> location, ValueRange operands,
    DictionaryAttr attributes, OpaqueProperties properties, RegionRange regions,
    SmallVectorImpl<Type> &inferredReturnTypes) {
  Adaptor op(operands, attributes, properties, regions);
  return inferSame<LayerNormOp>(location, op.getX(), operands,
                                static_cast<int64_t>(op.getAxis()),
                                inferredReturnTypes);
}

LogicalResult LayerNormOp::verify() {
  if (failed(verifyInferred(*this)))
    return failure();
  if (failed(verifyParameter(*this, getX(), getScale(), "scale")))
    return failure();
  return verifyParameter(*this, getX(), getBias(), "bias");
}

AffineExpr LayerNormOp::getFlops() { return perElement(getX(), 8); }

LogicalResult RMSNormOp::inferReturnTypes(
    MLIRContext *context, std::optional<Location> location, ValueRange operands,
    DictionaryAttr attributes, OpaqueProperties properties, RegionRange regions,
    SmallVectorImpl<Type> &inferredReturnTypes) {
  Adaptor op(operands, attributes, properties, regions);
  return inferSame<RMSNormOp>(location, op.getX(), operands,
                              static_cast<int64_t>(op.getAxis()),
                              inferredReturnTypes);
}

LogicalResult RMSNormOp::verify() {
  if (failed(verifyInferred(*this)))
    return failure();
  return verifyParameter(*this, getX(), getScale(), "scale");
}

AffineExpr RMSNormOp::getFlops() { return perElement(getX(), 4); }

LogicalResult GroupNormOp::inferReturnTypes(
    MLIRContext *context, std::optional<Location> location, ValueRange operands,
    DictionaryAttr attributes, OpaqueProperties properties, RegionRange regions,
    SmallVectorImpl<Type> &inferredReturnTypes) {
  Adaptor op(operands, attributes, properties, regions);
  // group_norm_c1: x has samples and channels.
  if (getRank(op.getX()) < 2)
    return inferError<GroupNormOp>(location, "takes x of rank ",
                                   getRank(op.getX()), ", expected at least 2");
  return inferSame<GroupNormOp>(location, op.getX(), operands, /*axis=*/1,
                                inferredReturnTypes);
}

LogicalResult GroupNormOp::verify() {
  if (failed(verifyInferred(*this)))
    return failure();
  Dims x = getDims(getX().getType());
  AffineExpr channels = getChannelsLast() ? x.back() : x[1];
  // group_norm_c3: groups divide the channels.
  auto groups = static_cast<int64_t>(getGroups());
  std::optional<int64_t> count = getConstant(channels);
  if (groups < 1 || (count && *count % groups != 0))
    return emitOpError() << groups << " groups do not divide "
                         << toString(channels) << " channels";
  // group_norm_c4: scale and bias have an element for each channel.
  for (Value parameter : {getScale(), getBias()})
    if (parameter && (getElementType(parameter) != getElementType(getX()) ||
                      contradict(getDims(parameter.getType()), Dims{channels})))
      return emitOpError("scale or bias has type ")
             << parameter.getType() << ", expected one element for each of "
             << toString(channels) << " channels";
  return success();
}

AffineExpr GroupNormOp::getFlops() { return perElement(getX(), 8); }
