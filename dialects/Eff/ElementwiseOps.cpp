// Verifiers, shape functions, costs and folds of ElementwiseOps.td.
#include "Eff/EffOps.h"
#include "Eff/Verify.h"

using namespace mlir;
using namespace effc::eff;

/// The broadcast of all operands' shapes; reports a contradiction.
template <typename OpTy>
static FailureOr<Dims> inferBroadcast(std::optional<Location> location,
                                      ValueRange operands) {
  if (failed(checkDims<OpTy>(location, operands)))
    return failure();
  Dims dims = getDims(operands.front().getType());
  for (Value operand : operands.drop_front()) {
    Dims other = getDims(operand.getType());
    // binary_c1, compare_c1, select_c1: shapes broadcast.
    std::optional<Dims> joined = broadcastDims(dims, other);
    if (!joined)
      return inferError<OpTy>(location, "shapes ", toString(dims), " and ",
                              toString(other), " do not broadcast");
    dims = *joined;
  }
  return dims;
}

//===----------------------------------------------------------------------===//
// unary
//===----------------------------------------------------------------------===//

static bool givesBool(UnaryKind kind) {
  return kind == UnaryKind::IsNaN || kind == UnaryKind::IsInf ||
         kind == UnaryKind::Not;
}

LogicalResult UnaryOp::inferReturnTypes(
    MLIRContext *context, std::optional<Location> location, ValueRange operands,
    DictionaryAttr attributes, OpaqueProperties properties, RegionRange regions,
    SmallVectorImpl<Type> &inferredReturnTypes) {
  Adaptor op(operands, attributes, properties, regions);
  Type type = op.getX().getType();
  if (givesBool(op.getKind()))
    type = withElementType(type, IntegerType::get(context, 1));
  inferredReturnTypes.push_back(type);
  return success();
}

/// Whether a function is defined on elements of this type.
static bool accepts(UnaryKind kind, Type type) {
  switch (kind) {
  case UnaryKind::Not:
    return isBool(type);
  case UnaryKind::BitNot:
    return isInteger(type);
  case UnaryKind::Abs:
  case UnaryKind::Neg:
  case UnaryKind::Sign:
  case UnaryKind::Relu:
  case UnaryKind::Clip:
    return isFloat(type) || isInteger(type);
  default:
    return isFloat(type);
  }
}

LogicalResult UnaryOp::verify() {
  if (failed(verifyInferred(*this)))
    return failure();
  // unary_c1: the function is defined on the element type.
  if (!accepts(getKind(), getElementType(getX())))
    return emitOpError("'") << stringifyUnaryKind(getKind())
                            << "' is not defined on " << getElementType(getX());
  // unary_c2: functions with parameters have them.
  bool needsAlpha = false, needsBeta = false;
  switch (getKind()) {
  case UnaryKind::Clip:
  case UnaryKind::HardSigmoid:
  case UnaryKind::Selu:
  case UnaryKind::IsInf:
    needsBeta = true;
    [[fallthrough]];
  case UnaryKind::LeakyRelu:
  case UnaryKind::Elu:
  case UnaryKind::Celu:
  case UnaryKind::ThresholdedRelu:
    needsAlpha = true;
    break;
  default:
    break;
  }
  if ((needsAlpha && !getAlpha()) || (needsBeta && !getBeta()))
    return emitOpError("'") << stringifyUnaryKind(getKind()) << "' needs "
                            << (needsBeta ? "alpha and beta" : "alpha");
  return success();
}

//===----------------------------------------------------------------------===//
// binary
//===----------------------------------------------------------------------===//

LogicalResult BinaryOp::inferReturnTypes(
    MLIRContext *context, std::optional<Location> location, ValueRange operands,
    DictionaryAttr attributes, OpaqueProperties properties, RegionRange regions,
    SmallVectorImpl<Type> &inferredReturnTypes) {
  FailureOr<Dims> dims = inferBroadcast<BinaryOp>(location, operands);
  if (failed(dims))
    return failure();
  inferredReturnTypes.push_back(
      makeTensorType(getElementType(operands.front()), *dims));
  return success();
}

static bool accepts(BinaryKind kind, Type type) {
  switch (kind) {
  case BinaryKind::And:
  case BinaryKind::Or:
  case BinaryKind::Xor:
    return isBool(type) || isInteger(type);
  case BinaryKind::ShiftLeft:
  case BinaryKind::ShiftRight:
    return isInteger(type);
  default:
    return isFloat(type) || isInteger(type);
  }
}

LogicalResult BinaryOp::verify() {
  if (failed(verifyInferred(*this)))
    return failure();
  Type a = getElementType(getA()), b = getElementType(getB());
  // binary_c2: operands have one element type; only an exponent may differ.
  if (a != b && getKind() != BinaryKind::Pow)
    return emitOpError("operands have element types ") << a << " and " << b;
  // binary_c3: the function is defined on the element type.
  if (!accepts(getKind(), a) || !accepts(getKind(), b))
    return emitOpError("'")
           << stringifyBinaryKind(getKind()) << "' is not defined on " << a;
  return success();
}

//===----------------------------------------------------------------------===//
// compare, select, convert
//===----------------------------------------------------------------------===//

LogicalResult CompareOp::inferReturnTypes(
    MLIRContext *context, std::optional<Location> location, ValueRange operands,
    DictionaryAttr attributes, OpaqueProperties properties, RegionRange regions,
    SmallVectorImpl<Type> &inferredReturnTypes) {
  FailureOr<Dims> dims = inferBroadcast<CompareOp>(location, operands);
  if (failed(dims))
    return failure();
  inferredReturnTypes.push_back(
      makeTensorType(IntegerType::get(context, 1), *dims));
  return success();
}

LogicalResult CompareOp::verify() {
  if (failed(verifyInferred(*this)))
    return failure();
  // compare_c2: operands have one element type.
  if (getElementType(getA()) != getElementType(getB()))
    return emitOpError("operands have element types ")
           << getElementType(getA()) << " and " << getElementType(getB());
  // compare_c3: the element type has an order of its own.
  if (!isNumberOrBool(getElementType(getA())))
    return emitOpError("is not defined on ") << getElementType(getA());
  return success();
}

LogicalResult SelectOp::inferReturnTypes(
    MLIRContext *context, std::optional<Location> location, ValueRange operands,
    DictionaryAttr attributes, OpaqueProperties properties, RegionRange regions,
    SmallVectorImpl<Type> &inferredReturnTypes) {
  FailureOr<Dims> dims = inferBroadcast<SelectOp>(location, operands);
  if (failed(dims))
    return failure();
  inferredReturnTypes.push_back(
      makeTensorType(getElementType(operands[1]), *dims));
  return success();
}

LogicalResult SelectOp::verify() {
  if (failed(verifyInferred(*this)))
    return failure();
  // select_c2: the condition is bool.
  if (!isBool(getElementType(getCondition())))
    return emitOpError("condition has element type ")
           << getElementType(getCondition()) << ", expected i1";
  // select_c3: both choices have one element type.
  if (getElementType(getA()) != getElementType(getB()))
    return emitOpError("choices have element types ")
           << getElementType(getA()) << " and " << getElementType(getB());
  return success();
}

/// Only the element type differs between operand and result.
template <typename OpTy> static LogicalResult verifyKeepsShape(OpTy op) {
  if (failed(verifyDims(op)))
    return failure();
  Dims from = getDims(op.getX().getType()), to = getDims(op.getType());
  if (contradict(from, to))
    return op.emitOpError("changes shape ")
           << toString(from) << " to " << toString(to);
  return success();
}

// convert_c1: the shape stays.
LogicalResult ConvertOp::verify() { return verifyKeepsShape(*this); }

/// Bits of an element in memory.
static unsigned getBits(Type type) {
  return isBool(type) ? 8 : type.getIntOrFloatBitWidth();
}

LogicalResult BitcastOp::verify() {
  // bitcast_c1: the shape stays.
  if (failed(verifyKeepsShape(*this)))
    return failure();
  // bitcast_c2: both element types have one width.
  Type from = getElementType(getX()), to = getElementType(getY());
  if (getBits(from) != getBits(to))
    return emitOpError("element types ")
           << from << " and " << to << " differ in width";
  return success();
}

//===----------------------------------------------------------------------===//
// Folds
//===----------------------------------------------------------------------===//

OpFoldResult UnaryOp::fold(FoldAdaptor) {
  auto inner = getX().getDefiningOp<UnaryOp>();
  bool twice = inner && inner.getKind() == getKind();
  switch (getKind()) {
  case UnaryKind::Neg:
  case UnaryKind::Not:
  case UnaryKind::BitNot:
    return twice ? inner.getX() : OpFoldResult();
  case UnaryKind::Abs:
  case UnaryKind::Relu:
  case UnaryKind::Ceil:
  case UnaryKind::Floor:
  case UnaryKind::Round:
    return twice ? getX() : OpFoldResult();
  default:
    return {};
  }
}

/// The one number that all elements of a small constant are.
static std::optional<double> getSplat(Attribute attribute) {
  auto splat = dyn_cast_if_present<SplatElementsAttr>(attribute);
  if (!splat)
    return std::nullopt;
  if (isa<FloatType>(splat.getElementType()))
    return splat.getSplatValue<APFloat>().convertToDouble();
  if (splat.getElementType().isUnsignedInteger())
    return splat.getSplatValue<APInt>().roundToDouble(/*isSigned=*/false);
  return splat.getSplatValue<APInt>().roundToDouble(/*isSigned=*/true);
}

/// f(x, value) = x.
static bool isRightIdentity(BinaryKind kind, double value) {
  switch (kind) {
  case BinaryKind::Add:
  case BinaryKind::Sub:
  case BinaryKind::Or:
  case BinaryKind::Xor:
  case BinaryKind::ShiftLeft:
  case BinaryKind::ShiftRight:
    return value == 0;
  case BinaryKind::Mul:
  case BinaryKind::Div:
  case BinaryKind::Pow:
  case BinaryKind::PRelu:
    return value == 1;
  default:
    return false;
  }
}

static bool isCommutative(BinaryKind kind) {
  return kind == BinaryKind::Add || kind == BinaryKind::Mul ||
         kind == BinaryKind::Or || kind == BinaryKind::Xor;
}

OpFoldResult BinaryOp::fold(FoldAdaptor adaptor) {
  std::optional<double> a = getSplat(adaptor.getA()),
                        b = getSplat(adaptor.getB());
  if (getA().getType() == getType() && b && isRightIdentity(getKind(), *b))
    return getA();
  if (getB().getType() == getType() && a && isCommutative(getKind()) &&
      isRightIdentity(getKind(), *a))
    return getB();
  // Neither min and max nor logic of a value with itself does anything.
  if (getA() == getB() &&
      (getKind() == BinaryKind::Max || getKind() == BinaryKind::Min ||
       getKind() == BinaryKind::And || getKind() == BinaryKind::Or))
    return getA();
  return {};
}

OpFoldResult ConvertOp::fold(FoldAdaptor) {
  return getX().getType() == getType() ? getX() : OpFoldResult();
}

OpFoldResult BitcastOp::fold(FoldAdaptor) {
  return getX().getType() == getType() ? getX() : OpFoldResult();
}
