// Conversions of scalars: eff.convert and eff.bitcast. ONNX leaves open what a
// float out of an integer's range becomes; here it saturates, and nothing is
// undefined behaviour of LLVM.
#include "SmallFloats.h"
#include "effc/Analysis/Constants.h"
#include "mlir/Dialect/Math/IR/Math.h"

using namespace mlir;
using namespace effc::eff;

namespace effc {

/// `x` within bounds, each a comparison and a choice that are one instruction;
/// NaN gives the lower one.
static Value clamp(KernelEmitter &e, Value x, double low, double high) {
  auto pick = [&](arith::CmpFPredicate predicate, Value y, double bound) {
    Value limit = e.constant(y.getType(), bound);
    Value inside = arith::CmpFOp::create(e.b, e.loc, predicate, y, limit);
    return arith::SelectOp::create(e.b, e.loc, inside, y, limit).getResult();
  };
  return pick(arith::CmpFPredicate::OLT,
              pick(arith::CmpFPredicate::OGT, x, low), high);
}

/// What is rounded to even where `x` is that, or that and an integer.
static Value findRounded(Value x, double &zero) {
  zero = 0;
  if (auto sum = x.getDefiningOp<arith::AddFOp>()) {
    FloatAttr added;
    if (!matchPattern(sum.getRhs(), m_Constant(&added)))
      return nullptr;
    zero = added.getValueAsDouble();
    x = sum.getLhs();
  }
  auto round = x.getDefiningOp<math::RoundEvenOp>();
  bool isSmall = std::fabs(zero) < 0x1p16 && zero == std::nearbyint(zero);
  return round && isSmall ? round.getOperand() : Value();
}

/// An f32 as an integer of 8 or 16 bits: clamped first, and converted by way of
/// i32, into which all of it fits. Quantisation rounds, adds a zero point and
/// converts: adding 1.5 * 2^23 rounds to even and leaves the integer in the low
/// bits.
static Value floatToSmall(KernelEmitter &e, Value x, Type to, bool isUnsigned) {
  OpBuilder &b = e.b;
  Location loc = e.loc;
  Type i32 = b.getI32Type(), f32 = x.getType();
  unsigned width = to.getIntOrFloatBitWidth();
  double low = isUnsigned ? 0 : -std::ldexp(1.0, int(width) - 1);
  double high = low + std::ldexp(1.0, int(width)) - 1, zero = 0;
  Value y = findRounded(x, zero);
  bool rounds = y != nullptr;
  if (!rounds)
    y = x;
  // Of unsigned types the lower bound is what NaN gives.
  if (!isUnsigned)
    y = arith::SelectOp::create(
        b, loc, arith::CmpFOp::create(b, loc, arith::CmpFPredicate::ORD, y, y),
        y, e.constant(f32, -zero));
  y = clamp(e, y, low - zero, high - zero);
  if (!rounds)
    return arith::TruncIOp::create(b, loc, to,
                                   arith::FPToSIOp::create(b, loc, i32, y));
  y = arith::AddFOp::create(b, loc, y, e.constant(f32, 0x1.8p23));
  y = arith::BitcastOp::create(b, loc, i32, y);
  if (zero != 0)
    y = arith::AddIOp::create(b, loc, y, e.constant(i32, zero));
  return arith::TruncIOp::create(b, loc, to, y);
}

/// Truncation towards zero that saturates; NaN gives 0.
static Value floatToInteger(KernelEmitter &e, Value x, Type to,
                            bool isUnsigned) {
  if (x.getType().isF32() && to.getIntOrFloatBitWidth() <= 16)
    return floatToSmall(e, x, to, isUnsigned);
  OpBuilder &b = e.b;
  Location loc = e.loc;
  unsigned width = to.getIntOrFloatBitWidth();
  double high = std::ldexp(1.0, isUnsigned ? width : width - 1);
  double low = isUnsigned ? 0 : -high;
  Value raw = isUnsigned ? arith::FPToUIOp::create(b, loc, to, x).getResult()
                         : arith::FPToSIOp::create(b, loc, to, x).getResult();
  auto clampTo = [&](arith::CmpFPredicate predicate, double bound,
                     const APInt &value) {
    Value outside = arith::CmpFOp::create(b, loc, predicate, x,
                                          e.constant(x.getType(), bound));
    Value limit =
        arith::ConstantOp::create(b, loc, b.getIntegerAttr(to, value));
    raw = arith::SelectOp::create(b, loc, outside, limit, raw);
  };
  clampTo(arith::CmpFPredicate::OGE, high,
          isUnsigned ? APInt::getMaxValue(width)
                     : APInt::getSignedMaxValue(width));
  clampTo(arith::CmpFPredicate::OLT, low,
          isUnsigned ? APInt::getMinValue(width)
                     : APInt::getSignedMinValue(width));
  clampTo(arith::CmpFPredicate::UNO, 0, APInt(width, 0));
  return raw;
}

static bool isSmallInteger(Type type) {
  auto integer = dyn_cast<IntegerType>(type);
  return integer && integer.getWidth() > 1 && integer.getWidth() < 8;
}

/// The low bits of a byte as a number of a type of fewer than eight.
static Value reduceToWidth(KernelEmitter &e, Value byte, Type type) {
  unsigned width = type.getIntOrFloatBitWidth();
  if (isUnsignedType(type) || isa<FloatType>(type))
    return arith::AndIOp::create(e.b, e.loc, byte,
                                 e.constant(byte.getType(), (1 << width) - 1));
  Value places = e.constant(byte.getType(), 8 - width);
  Value high = arith::ShLIOp::create(e.b, e.loc, byte, places);
  return arith::ShRSIOp::create(e.b, e.loc, high, places);
}

static Value convertFloat(KernelEmitter &e, Value x, Type target) {
  OpBuilder &b = e.b;
  Location loc = e.loc;
  unsigned fromWidth = x.getType().getIntOrFloatBitWidth(),
           toWidth = target.getIntOrFloatBitWidth();
  if (fromWidth == toWidth) // f16 <-> bf16
    return arith::TruncFOp::create(
        b, loc, target, arith::ExtFOp::create(b, loc, b.getF32Type(), x));
  if (fromWidth < toWidth)
    return arith::ExtFOp::create(b, loc, target, x);
  return arith::TruncFOp::create(b, loc, target, x);
}

/// Types that are scalars themselves: no floats or integers below a byte.
static Value convertPlain(KernelEmitter &e, Value x, Type from, Type to) {
  OpBuilder &b = e.b;
  Location loc = e.loc;
  Type source = x.getType(), target = getScalarType(to);
  if (source == target)
    return x;
  bool fromFloat = isa<FloatType>(source), toFloat = isa<FloatType>(target);
  unsigned fromWidth = source.getIntOrFloatBitWidth(),
           toWidth = target.getIntOrFloatBitWidth();
  if (to.isInteger(1)) {
    if (fromFloat)
      return arith::CmpFOp::create(b, loc, arith::CmpFPredicate::UNE, x,
                                   e.constant(source, 0));
    return arith::CmpIOp::create(b, loc, arith::CmpIPredicate::ne, x,
                                 e.constant(source, 0));
  }
  if (fromFloat && toFloat)
    return convertFloat(e, x, target);
  if (fromFloat) {
    if (fromWidth < 32)
      x = arith::ExtFOp::create(b, loc, b.getF32Type(), x);
    return floatToInteger(e, x, target, to.isUnsignedInteger());
  }
  if (toFloat)
    return isUnsignedType(from)
               ? arith::UIToFPOp::create(b, loc, target, x).getResult()
               : arith::SIToFPOp::create(b, loc, target, x).getResult();
  if (fromWidth > toWidth)
    return arith::TruncIOp::create(b, loc, target, x);
  return isUnsignedType(from)
             ? arith::ExtUIOp::create(b, loc, target, x).getResult()
             : arith::ExtSIOp::create(b, loc, target, x).getResult();
}

/// f64 as the f32 that rounds further as the f64 would: to odd where it is not
/// exact (Boldo and Melquiond, "When double rounding is odd").
static Value roundToOdd(KernelEmitter &e, Value x) {
  OpBuilder &b = e.b;
  Location loc = e.loc;
  Type i32 = b.getI32Type(), f32 = b.getF32Type(), f64 = b.getF64Type();
  Value near = arith::TruncFOp::create(b, loc, f32, x);
  Value back = arith::ExtFOp::create(b, loc, f64, near);
  Value bits = arith::BitcastOp::create(b, loc, i32, near);
  auto absolute = [&](Value v) -> Value {
    return math::AbsFOp::create(b, loc, v);
  };
  auto compare = [&](arith::CmpFPredicate predicate, Value y) {
    return arith::CmpFOp::create(b, loc, predicate, absolute(back), y);
  };
  Value above = compare(arith::CmpFPredicate::OGT, absolute(x));
  Value inexact = compare(arith::CmpFPredicate::ONE, absolute(x));
  // Beyond f32's range all formats overflow alike.
  Value finite =
      compare(arith::CmpFPredicate::OLT,
              e.constant(f64, std::numeric_limits<double>::infinity()));
  Value one = e.constant(i32, 1);
  Value lower = arith::SelectOp::create(
      b, loc, above, arith::SubIOp::create(b, loc, bits, one), bits);
  Value odd = arith::OrIOp::create(b, loc, lower, one);
  Value change = arith::AndIOp::create(b, loc, inexact, finite);
  return arith::BitcastOp::create(
      b, loc, f32, arith::SelectOp::create(b, loc, change, odd, bits));
}

Value convertScalar(KernelEmitter &e, Value x, Type from, Type to,
                    bool saturate, RoundMode round) {
  if (from == to)
    return x;
  Type f32 = e.b.getF32Type(), i32 = e.b.getI32Type();
  if (const SmallFloatFormat *format = getSmallFloatFormat(from)) {
    x = emitDecode(e, x, *format);
    from = f32;
  } else if (isSmallInteger(from)) {
    x = reduceToWidth(e, x, from);
    from = IntegerType::get(e.b.getContext(), 8,
                            isUnsignedType(from) ? IntegerType::Unsigned
                                                 : IntegerType::Signless);
  }
  if (const SmallFloatFormat *format = getSmallFloatFormat(to)) {
    Value wide =
        from.isF64() ? roundToOdd(e, x) : convertPlain(e, x, from, f32);
    return emitEncode(e, wide, *format, saturate,
                      static_cast<SmallFloatRound>(round));
  }
  if (!isSmallInteger(to))
    return convertPlain(e, x, from, to);
  // Any integer keeps its low bits; floats become one first.
  if (isa<FloatType>(from)) {
    x = convertPlain(e, x, from, i32);
    from = i32;
  }
  Value byte = convertPlain(e, x, from, e.b.getI8Type());
  return reduceToWidth(e, byte, to);
}

Value bitcastScalar(KernelEmitter &e, Value x, Type to) {
  OpBuilder &b = e.b;
  Type target = getScalarType(to), byte = b.getI8Type();
  if (x.getType().isInteger(1) && target != x.getType())
    x = arith::ExtUIOp::create(b, e.loc, byte, x);
  if (target.isInteger(1) && x.getType() != target)
    return arith::CmpIOp::create(b, e.loc, arith::CmpIPredicate::ne, x,
                                 e.constant(x.getType(), 0));
  if (target != x.getType())
    return arith::BitcastOp::create(b, e.loc, target, x);
  bool isPart = target == byte && to.getIntOrFloatBitWidth() < 8;
  return isPart ? reduceToWidth(e, x, to) : x;
}

} // namespace effc
