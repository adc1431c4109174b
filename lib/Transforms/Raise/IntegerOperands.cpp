// See IntegerOperands.h. What the importer writes as convert(x) - convert(zero)
// may have been folded, reshaped or transposed since.
#include "IntegerOperands.h"

using namespace mlir;
using namespace effc;
using namespace effc::eff;
using namespace effc::raise;

static constexpr int64_t lowest = -128, highest = 127, half = 128;

static Type elementTypeOf(Value value) {
  return cast<RankedTensorType>(value.getType()).getElementType();
}

static bool isBytes(Value value) { return elementTypeOf(value).isInteger(8); }

//===----------------------------------------------------------------------===//
// IntegerBuilder
//===----------------------------------------------------------------------===//

Value IntegerBuilder::constant(ArrayRef<int32_t> values,
                               ArrayRef<int64_t> shape) {
  ConstantBuilder builder(RankedTensorType::get(shape, b.getI32Type()));
  for (auto [i, value] : llvm::enumerate(values))
    builder.setInt(static_cast<int64_t>(i), value);
  return ConstantOp::create(b, loc, builder.finish("sums"));
}

Value IntegerBuilder::sum(Value x, int64_t axis) {
  if (isBytes(x))
    x = convert(x, b.getI32Type());
  return ReduceOp::create(b, loc, ReduceKind::Sum, x, ArrayRef<int64_t>{axis},
                          /*keepdims=*/true);
}

//===----------------------------------------------------------------------===//
// CentredBytes
//===----------------------------------------------------------------------===//

std::optional<CentredBytes> CentredBytes::get(Value value) {
  CentredBytes result;
  if (result.readConstant(value))
    return result;
  // Zero points of one number are the same behind movements.
  for (Operation *op = value.getDefiningOp();
       isa_and_present<ReshapeOp, TransposeOp>(op);
       op = value.getDefiningOp()) {
    result.movements.push_back(op);
    value = op->getOperand(0);
  }
  if (auto sub = value.getDefiningOp<BinaryOp>();
      sub && sub.getKind() == BinaryKind::Sub &&
      sub.getA().getType() == sub.getType()) {
    result.zero = sub.getB();
    value = sub.getA();
  }
  auto convert = value.getDefiningOp<ConvertOp>();
  if (!convert || !isBytes(convert.getX()) ||
      (!result.movements.empty() && !result.hasScalarZero()))
    return std::nullopt;
  result.bytes = convert.getX();
  return result;
}

/// A constant that fits into bytes of either sign.
bool CentredBytes::readConstant(Value value) {
  std::optional<ConstantReader> reader = ConstantReader::get(value);
  if (!reader || reader->size() == 0)
    return false;
  int64_t low = 0, high = 0;
  for (int64_t i = 0; i < reader->size(); ++i) {
    low = std::min(low, reader->getInt(i));
    high = std::max(high, reader->getInt(i));
  }
  bool isSigned = low >= lowest && high <= highest;
  if (!isSigned && (low < 0 || high > highest + half))
    return false;
  RankedTensorType type = reader->getType();
  ConstantBuilder builder(
      RankedTensorType::get(type.getShape(),
                            IntegerType::get(type.getContext(), 8,
                                             isSigned ? IntegerType::Signless
                                                      : IntegerType::Unsigned)),
      reader->isSplat());
  for (int64_t i = 0, e = reader->isSplat() ? 1 : reader->size(); i < e; ++i)
    builder.setInt(i, reader->getInt(i));
  OpBuilder b(value.getDefiningOp());
  bytes = ConstantOp::create(b, value.getLoc(), builder.finish("bytes"));
  return true;
}

std::optional<int64_t> CentredBytes::getZeroNumber() const {
  if (!zero)
    return 0;
  std::optional<ConstantReader> reader = ConstantReader::get(zero);
  if (!reader || reader->size() != 1)
    return std::nullopt;
  return reader->getInt(0);
}

bool CentredBytes::hasScalarZero() const {
  return !zero || getConstant(getNumElements(zero.getType())) == 1;
}

bool CentredBytes::hasUniformZero(int64_t fromLast) const {
  if (!zero)
    return true;
  Dims dims = getDims(zero.getType());
  auto rank = static_cast<int64_t>(dims.size());
  return fromLast >= rank || getConstant(dims[rank - 1 - fromLast]) == 1;
}

bool CentredBytes::isZeroOfBytes() const {
  if (std::optional<int64_t> number = getZeroNumber())
    return *number >= (isSigned() ? lowest : 0) &&
           *number <= (isSigned() ? highest : highest + half);
  auto convert = zero.getDefiningOp<ConvertOp>();
  return convert && elementTypeOf(convert.getX()) == elementType();
}

void CentredBytes::moveBy(IntegerBuilder &builder, int64_t shift, Type type) {
  auto ui8 = IntegerType::get(type.getContext(), 8, IntegerType::Unsigned);
  auto convertTo = [&](Type to) {
    if (elementType() != to)
      bytes = builder.convert(bytes, to);
  };
  convertTo(ui8);
  bytes = builder.binary(BinaryKind::Add, bytes, builder.number(ui8, half));
  convertTo(type);
  Type i32 = builder.b.getI32Type();
  if (std::optional<int64_t> number = getZeroNumber())
    zero = builder.number(i32, *number + shift);
  else
    zero = builder.binary(BinaryKind::Add, zero, builder.number(i32, shift));
}

void CentredBytes::makeUnsigned(IntegerBuilder &builder) {
  if (isSigned())
    moveBy(builder, half,
           IntegerType::get(builder.b.getContext(), 8, IntegerType::Unsigned));
}

void CentredBytes::makeSigned(IntegerBuilder &builder) {
  if (!isSigned())
    moveBy(builder, -half, builder.b.getIntegerType(8));
}

Value CentredBytes::materialize(IntegerBuilder &builder) {
  Value result = bytes;
  for (Operation *op : llvm::reverse(movements)) {
    Operation *clone = builder.b.clone(*op);
    clone->setOperand(0, result);
    clone->getResult(0).setType(
        withElementType(op->getResult(0).getType(), elementTypeOf(result)));
    result = clone->getResult(0);
  }
  return result;
}

//===----------------------------------------------------------------------===//
// ByteWeights
//===----------------------------------------------------------------------===//

std::optional<ByteWeights>
ByteWeights::get(const ConstantReader &weight, ArrayRef<int64_t> shape,
                 int64_t outputs,
                 llvm::function_ref<int64_t(int64_t)> outputOf) {
  if (weight.size() == 0)
    return std::nullopt;
  SmallVector<int64_t> low(outputs, std::numeric_limits<int64_t>::max()),
      high(outputs, std::numeric_limits<int64_t>::min());
  SmallVector<uint32_t> totals(outputs, 0);
  for (int64_t i = 0, e = weight.size(); i < e; ++i) {
    int64_t value = weight.getInt(i), output = outputOf(i);
    low[output] = std::min(low[output], value);
    high[output] = std::max(high[output], value);
    totals[output] += static_cast<uint32_t>(value);
  }
  ByteWeights result;
  result.totals.assign(totals.begin(), totals.end());
  result.shifts.assign(outputs, 0);
  for (int64_t output = 0; output < outputs; ++output) {
    if (low[output] >= lowest && high[output] <= highest)
      continue;
    if (high[output] - low[output] > highest - lowest)
      return std::nullopt;
    result.shifts[output] = static_cast<int32_t>(low[output] - lowest);
  }
  ConstantBuilder builder(RankedTensorType::get(
      shape, IntegerType::get(weight.getType().getContext(), 8)));
  for (int64_t i = 0, e = weight.size(); i < e; ++i)
    builder.setInt(i, weight.getInt(i) - result.shifts[outputOf(i)]);
  result.bytes = builder.finish("bytes");
  if (llvm::all_of(result.shifts, [](int32_t shift) { return shift == 0; }))
    result.shifts.clear();
  return result;
}
