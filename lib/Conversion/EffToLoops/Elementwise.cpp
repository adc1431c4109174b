// Scalar code of the elementwise ops. Integer semantics are ONNX's: division
// truncates, Mod follows the divisor's sign, and neither traps: a zero divisor
// is reported and treated as one.
#include "KernelEmitter.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include <limits>

using namespace mlir;
using namespace effc;
using namespace effc::eff;

namespace {

/// Scalar arithmetic at one location with the emitter's flags.
struct Scalar {
  KernelEmitter &e;
  OpBuilder &b;
  Location loc;
  arith::FastMathFlagsAttr flags;

  explicit Scalar(KernelEmitter &e)
      : e(e), b(e.b), loc(e.loc),
        flags(arith::FastMathFlagsAttr::get(e.b.getContext(), e.mathFlags())) {}

  Value constant(Type type, double value) { return e.constant(type, value); }
  Value like(Value x, double value) { return e.constant(x.getType(), value); }
  Value add(Value x, Value y) {
    return arith::AddFOp::create(b, loc, x, y, flags);
  }
  Value sub(Value x, Value y) {
    return arith::SubFOp::create(b, loc, x, y, flags);
  }
  Value mul(Value x, Value y) {
    return arith::MulFOp::create(b, loc, x, y, flags);
  }
  Value div(Value x, Value y) {
    return arith::DivFOp::create(b, loc, x, y, flags);
  }
  Value neg(Value x) { return arith::NegFOp::create(b, loc, x); }
  Value maximum(Value x, Value y) {
    return arith::MaximumFOp::create(b, loc, x, y);
  }
  Value minimum(Value x, Value y) {
    return arith::MinimumFOp::create(b, loc, x, y);
  }
  Value exp(Value x) { return math::ExpOp::create(b, loc, x); }
  Value abs(Value x) { return math::AbsFOp::create(b, loc, x); }
  Value less(Value x, Value y) {
    return arith::CmpFOp::create(b, loc, arith::CmpFPredicate::OLT, x, y);
  }
  Value select(Value c, Value x, Value y) {
    return arith::SelectOp::create(b, loc, c, x, y);
  }
  /// 1 / (1 + exp(-x)): saturates cleanly at both ends.
  Value sigmoid(Value x) {
    return div(like(x, 1), add(like(x, 1), exp(neg(x))));
  }
  /// log(1 + exp(x)) without overflow.
  Value softplus(Value x) {
    Value tail = math::Log1pOp::create(b, loc, exp(neg(abs(x))));
    return add(maximum(x, like(x, 0)), tail);
  }
  /// x clamped to [low, high] where NaN stays NaN.
  Value clamp(Value x, double low, double high) {
    return minimum(maximum(x, like(x, low)), like(x, high));
  }
};

/// Activations that multiply x by a gate between 0 and 1.
Value emitGate(Scalar &s, UnaryKind kind, Value x, double alpha) {
  switch (kind) {
  case UnaryKind::HardSwish:
    return s.mul(
        x, s.clamp(s.add(s.mul(x, s.like(x, 1.0 / 6)), s.like(x, 0.5)), 0, 1));
  case UnaryKind::Mish:
    return s.mul(x, math::TanhOp::create(s.b, s.loc, s.softplus(x)));
  case UnaryKind::Silu:
    return s.mul(x, s.sigmoid(x));
  case UnaryKind::QuickGelu:
    return s.mul(x, s.sigmoid(s.mul(s.like(x, alpha), x)));
  case UnaryKind::Gelu: {
    Value erf = math::ErfOp::create(
        s.b, s.loc, s.mul(x, s.like(x, 0.70710678118654752440)));
    return s.mul(s.mul(x, s.like(x, 0.5)), s.add(s.like(x, 1), erf));
  }
  case UnaryKind::GeluTanh: {
    // 0.5 x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))): arXiv 1606.08415.
    Value cube = s.mul(s.mul(x, x), x);
    Value inner = s.mul(s.like(x, 0.79788456080286535588),
                        s.add(x, s.mul(s.like(x, 0.044715), cube)));
    Value tanh = math::TanhOp::create(s.b, s.loc, inner);
    return s.mul(s.mul(x, s.like(x, 0.5)), s.add(s.like(x, 1), tanh));
  }
  default:
    return {};
  }
}

Value emitFloatActivation(Scalar &s, UnaryKind kind, Value x, double alpha,
                          double beta) {
  Value zero = s.like(x, 0);
  auto negative = [&] { return s.less(x, zero); };
  auto expm1 = [&](Value v) -> Value {
    return math::ExpM1Op::create(s.b, s.loc, v);
  };
  switch (kind) {
  case UnaryKind::Relu:
    return s.select(negative(), zero, x);
  case UnaryKind::LeakyRelu:
    return s.select(negative(), s.mul(x, s.like(x, alpha)), x);
  case UnaryKind::Elu:
    return s.select(negative(), s.mul(s.like(x, alpha), expm1(x)), x);
  case UnaryKind::Celu:
    return s.select(negative(),
                    s.mul(s.like(x, alpha), expm1(s.div(x, s.like(x, alpha)))),
                    x);
  case UnaryKind::Selu:
    return s.mul(s.like(x, beta),
                 s.select(negative(), s.mul(s.like(x, alpha), expm1(x)), x));
  case UnaryKind::ThresholdedRelu: {
    Value above = arith::CmpFOp::create(s.b, s.loc, arith::CmpFPredicate::OGT,
                                        x, s.like(x, alpha));
    return s.select(above, x, zero);
  }
  case UnaryKind::Softplus:
    return s.softplus(x);
  case UnaryKind::Softsign:
    return s.div(x, s.add(s.like(x, 1), s.abs(x)));
  case UnaryKind::Sigmoid:
    return s.sigmoid(x);
  case UnaryKind::HardSigmoid:
    return s.clamp(s.add(s.mul(x, s.like(x, alpha)), s.like(x, beta)), 0, 1);
  case UnaryKind::Clip:
    return s.clamp(x, alpha, beta);
  default:
    return emitGate(s, kind, x, alpha);
  }
}

template <typename Op> Value createUnary(Scalar &s, Value x) {
  return Op::create(s.b, s.loc, x);
}

/// The functions that are one op of the math dialect; null for the others.
Value (*getMathFunction(UnaryKind kind))(Scalar &, Value) {
  using Entry = std::pair<UnaryKind, Value (*)(Scalar &, Value)>;
  static const Entry functions[] = {
      {UnaryKind::Log, createUnary<math::LogOp>},
      {UnaryKind::Sqrt, createUnary<math::SqrtOp>},
      {UnaryKind::Sin, createUnary<math::SinOp>},
      {UnaryKind::Cos, createUnary<math::CosOp>},
      {UnaryKind::Tan, createUnary<math::TanOp>},
      {UnaryKind::Asin, createUnary<math::AsinOp>},
      {UnaryKind::Acos, createUnary<math::AcosOp>},
      {UnaryKind::Atan, createUnary<math::AtanOp>},
      {UnaryKind::Sinh, createUnary<math::SinhOp>},
      {UnaryKind::Cosh, createUnary<math::CoshOp>},
      {UnaryKind::Asinh, createUnary<math::AsinhOp>},
      {UnaryKind::Acosh, createUnary<math::AcoshOp>},
      {UnaryKind::Atanh, createUnary<math::AtanhOp>},
      {UnaryKind::Tanh, createUnary<math::TanhOp>},
      {UnaryKind::Erf, createUnary<math::ErfOp>},
      {UnaryKind::Ceil, createUnary<math::CeilOp>},
      {UnaryKind::Floor, createUnary<math::FloorOp>},
      {UnaryKind::Round, createUnary<math::RoundEvenOp>},
  };
  for (const Entry &entry : functions)
    if (entry.first == kind)
      return entry.second;
  return nullptr;
}

Value emitFloatMath(Scalar &s, UnaryKind kind, Value x, double alpha,
                    double beta) {
  OpBuilder &b = s.b;
  Location loc = s.loc;
  auto is = [&](arith::CmpFPredicate p, Value y) -> Value {
    return arith::CmpFOp::create(b, loc, p, x, y);
  };
  if (auto *function = getMathFunction(kind))
    return function(s, x);
  switch (kind) {
  case UnaryKind::Abs:
    return s.abs(x);
  case UnaryKind::Neg:
    return s.neg(x);
  case UnaryKind::Exp:
    return s.exp(x);
  case UnaryKind::Reciprocal:
    return s.div(s.like(x, 1), x);
  case UnaryKind::Sign: {
    Value above = is(arith::CmpFPredicate::OGT, s.like(x, 0));
    Value below = is(arith::CmpFPredicate::OLT, s.like(x, 0));
    return s.select(above, s.like(x, 1), s.select(below, s.like(x, -1), x));
  }
  case UnaryKind::IsNaN:
    return is(arith::CmpFPredicate::UNO, x);
  case UnaryKind::IsInf: {
    Value no = arith::ConstantOp::create(b, loc, b.getBoolAttr(false));
    double inf = std::numeric_limits<double>::infinity();
    Value negative =
        alpha != 0 ? is(arith::CmpFPredicate::OEQ, s.like(x, -inf)) : no;
    Value positive =
        beta != 0 ? is(arith::CmpFPredicate::OEQ, s.like(x, inf)) : no;
    return arith::OrIOp::create(b, loc, negative, positive);
  }
  default:
    return emitFloatActivation(s, kind, x, alpha, beta);
  }
}

/// Absent bounds do not bound, and bounds beyond the type are its limits.
Value clipInteger(KernelEmitter &e, Value x, bool isUnsigned, UnaryOp op) {
  OpBuilder &b = e.b;
  unsigned width = x.getType().getIntOrFloatBitWidth();
  auto bound = [&](const APFloat &value) -> Value {
    APSInt integer(width, isUnsigned);
    bool isExact;
    // Saturates; a fraction rounds towards zero.
    value.convertToInteger(integer, APFloat::rmTowardZero, &isExact);
    return arith::ConstantOp::create(b, e.loc,
                                     b.getIntegerAttr(x.getType(), integer));
  };
  if (op.getAlpha()) {
    Value low = bound(*op.getAlpha());
    x = isUnsigned ? arith::MaxUIOp::create(b, e.loc, x, low).getResult()
                   : arith::MaxSIOp::create(b, e.loc, x, low).getResult();
  }
  if (op.getBeta()) {
    Value high = bound(*op.getBeta());
    x = isUnsigned ? arith::MinUIOp::create(b, e.loc, x, high).getResult()
                   : arith::MinSIOp::create(b, e.loc, x, high).getResult();
  }
  return x;
}

Value emitIntegerUnary(KernelEmitter &e, UnaryKind kind, Value x,
                       bool isUnsigned, UnaryOp op) {
  OpBuilder &b = e.b;
  Location loc = e.loc;
  Value zero = e.constant(x.getType(), 0);
  auto negative = [&]() -> Value {
    return arith::CmpIOp::create(b, loc, arith::CmpIPredicate::slt, x, zero);
  };
  switch (kind) {
  case UnaryKind::Abs:
    if (isUnsigned)
      return x;
    return arith::SelectOp::create(b, loc, negative(),
                                   arith::SubIOp::create(b, loc, zero, x), x);
  case UnaryKind::Neg:
    return arith::SubIOp::create(b, loc, zero, x);
  case UnaryKind::Not:
  case UnaryKind::BitNot: {
    Value ones =
        arith::ConstantOp::create(b, loc, b.getIntegerAttr(x.getType(), -1));
    return arith::XOrIOp::create(b, loc, x, ones);
  }
  case UnaryKind::Relu:
    if (isUnsigned)
      return x;
    return arith::MaxSIOp::create(b, loc, x, zero);
  case UnaryKind::Sign: {
    auto above =
        isUnsigned ? arith::CmpIPredicate::ugt : arith::CmpIPredicate::sgt;
    Value positive = arith::CmpIOp::create(b, loc, above, x, zero);
    Value other =
        isUnsigned ? zero
                   : arith::SelectOp::create(b, loc, negative(),
                                             e.constant(x.getType(), -1), zero)
                         .getResult();
    return arith::SelectOp::create(b, loc, positive, e.constant(x.getType(), 1),
                                   other);
  }
  case UnaryKind::Clip:
    return clipInteger(e, x, isUnsigned, op);
  default:
    return {};
  }
}

Value emitUnary(KernelEmitter &e, UnaryOp op, Value x) {
  double alpha = op.getAlpha() ? op.getAlpha()->convertToDouble() : 0;
  double beta = op.getBeta() ? op.getBeta()->convertToDouble() : 0;
  Type type = cast<RankedTensorType>(op.getX().getType()).getElementType();
  if (isa<IntegerType>(x.getType()))
    return emitIntegerUnary(e, op.getKind(), x, isUnsignedType(type), op);
  Scalar s(e);
  // f16 and bf16 compute in f32.
  bool narrow = x.getType().isF16() || x.getType().isBF16();
  Value wide = narrow ? convertScalar(e, x, x.getType(), e.b.getF32Type()) : x;
  Value y = emitFloatMath(s, op.getKind(), wide, alpha, beta);
  return narrow && y && !y.getType().isInteger(1)
             ? convertScalar(e, y, y.getType(), x.getType())
             : y;
}

/// Division that cannot trap: by zero it is reported, and the lowest value by
/// -1 wraps.
Value emitIntegerDivision(KernelEmitter &e, BinaryKind kind, Value x, Value y,
                          bool isUnsigned) {
  OpBuilder &b = e.b;
  Location loc = e.loc;
  Value zero = e.constant(x.getType(), 0), one = e.constant(x.getType(), 1);
  Value isZero =
      arith::CmpIOp::create(b, loc, arith::CmpIPredicate::eq, y, zero);
  APInt constant;
  if (!matchPattern(y, m_ConstantInt(&constant)) || constant.isZero())
    e.report(isZero, /*EFFRT_KERNEL_DIVISION_BY_ZERO=*/2);
  if (isUnsigned) {
    Value safe = arith::SelectOp::create(b, loc, isZero, one, y);
    if (kind == BinaryKind::Div)
      return arith::DivUIOp::create(b, loc, x, safe);
    return arith::RemUIOp::create(b, loc, x, safe);
  }
  Value minusOne = e.constant(x.getType(), -1);
  Value isMinusOne =
      arith::CmpIOp::create(b, loc, arith::CmpIPredicate::eq, y, minusOne);
  Value unsafe = arith::OrIOp::create(b, loc, isZero, isMinusOne);
  Value safe = arith::SelectOp::create(b, loc, unsafe, one, y);
  if (kind == BinaryKind::Div) {
    Value quotient = arith::DivSIOp::create(b, loc, x, safe);
    Value negated = arith::SubIOp::create(b, loc, zero, x);
    return arith::SelectOp::create(b, loc, isMinusOne, negated, quotient);
  }
  Value remainder = arith::RemSIOp::create(b, loc, x, safe);
  if (kind == BinaryKind::FMod)
    return remainder;
  // The remainder takes the divisor's sign.
  Value product = arith::XOrIOp::create(b, loc, remainder, safe);
  Value differ =
      arith::CmpIOp::create(b, loc, arith::CmpIPredicate::slt, product, zero);
  Value notZero =
      arith::CmpIOp::create(b, loc, arith::CmpIPredicate::ne, remainder, zero);
  Value fix = arith::AndIOp::create(b, loc, differ, notZero);
  return arith::SelectOp::create(
      b, loc, fix, arith::AddIOp::create(b, loc, remainder, safe), remainder);
}

/// Exponentiation by squaring over all exponent bits; negative exponents give 0
/// or +-1 as truncation does.
Value emitIntegerPow(KernelEmitter &e, Value x, Value y, bool xIsUnsigned,
                     bool yIsUnsigned) {
  OpBuilder &b = e.b;
  Location loc = e.loc;
  unsigned width = y.getType().getIntOrFloatBitWidth();
  Value one = e.constant(x.getType(), 1), zero = e.constant(x.getType(), 0);
  Value yOne = e.constant(y.getType(), 1), yZero = e.constant(y.getType(), 0);
  auto isOdd = [&](Value exponent) -> Value {
    Value bit = arith::AndIOp::create(b, loc, exponent, yOne);
    return arith::CmpIOp::create(b, loc, arith::CmpIPredicate::ne, bit, yZero);
  };
  auto step = [&](Value, ValueRange args) {
    Value odd = isOdd(args[2]);
    Value product = arith::MulIOp::create(b, loc, args[0], args[1]);
    Value next = arith::SelectOp::create(b, loc, odd, product, args[0]);
    Value square = arith::MulIOp::create(b, loc, args[1], args[1]);
    Value rest = arith::ShRUIOp::create(b, loc, args[2], yOne);
    return SmallVector<Value>{next, square, rest};
  };
  auto result =
      e.reduceLoop(e.index(0), e.index(width), ValueRange{one, x, y}, step);
  if (yIsUnsigned)
    return result[0];
  // A negative power is a fraction: only 1 and -1 have whole ones.
  Value negative =
      arith::CmpIOp::create(b, loc, arith::CmpIPredicate::slt, y, yZero);
  Value isOne = arith::CmpIOp::create(b, loc, arith::CmpIPredicate::eq, x, one);
  Value small = arith::SelectOp::create(b, loc, isOne, one, zero);
  if (!xIsUnsigned) {
    Value minusOne = e.constant(x.getType(), -1);
    Value isMinusOne =
        arith::CmpIOp::create(b, loc, arith::CmpIPredicate::eq, x, minusOne);
    Value sign = arith::SelectOp::create(b, loc, isOdd(y), minusOne, one);
    small = arith::SelectOp::create(b, loc, isMinusOne, sign, small);
  }
  return arith::SelectOp::create(b, loc, negative, small, result[0]);
}

/// Shifting by the width or more gives 0 instead of poison.
Value emitShift(KernelEmitter &e, BinaryKind kind, Value x, Value y) {
  OpBuilder &b = e.b;
  Location loc = e.loc;
  Value width = e.constant(y.getType(), y.getType().getIntOrFloatBitWidth());
  Value inside =
      arith::CmpIOp::create(b, loc, arith::CmpIPredicate::ult, y, width);
  Value amount =
      arith::SelectOp::create(b, loc, inside, y, e.constant(y.getType(), 0));
  Value shifted = kind == BinaryKind::ShiftLeft
                      ? arith::ShLIOp::create(b, loc, x, amount).getResult()
                      : arith::ShRUIOp::create(b, loc, x, amount).getResult();
  return arith::SelectOp::create(b, loc, inside, shifted,
                                 e.constant(x.getType(), 0));
}

Value emitIntegerBinary(KernelEmitter &e, BinaryKind kind, Value x, Value y,
                        bool isUnsigned) {
  OpBuilder &b = e.b;
  Location loc = e.loc;
  switch (kind) {
  case BinaryKind::Add:
    return arith::AddIOp::create(b, loc, x, y);
  case BinaryKind::Sub:
    return arith::SubIOp::create(b, loc, x, y);
  case BinaryKind::Mul:
    return arith::MulIOp::create(b, loc, x, y);
  case BinaryKind::Div:
  case BinaryKind::Mod:
  case BinaryKind::FMod:
    return emitIntegerDivision(e, kind, x, y, isUnsigned);
  case BinaryKind::Pow:
    return emitIntegerPow(e, x, y, isUnsigned, isUnsigned);
  case BinaryKind::Max:
    return isUnsigned ? arith::MaxUIOp::create(b, loc, x, y).getResult()
                      : arith::MaxSIOp::create(b, loc, x, y).getResult();
  case BinaryKind::Min:
    return isUnsigned ? arith::MinUIOp::create(b, loc, x, y).getResult()
                      : arith::MinSIOp::create(b, loc, x, y).getResult();
  case BinaryKind::And:
    return arith::AndIOp::create(b, loc, x, y);
  case BinaryKind::Or:
    return arith::OrIOp::create(b, loc, x, y);
  case BinaryKind::Xor:
    return arith::XOrIOp::create(b, loc, x, y);
  case BinaryKind::PRelu: {
    Value zero = e.constant(x.getType(), 0);
    auto below =
        isUnsigned ? arith::CmpIPredicate::ult : arith::CmpIPredicate::slt;
    Value negative = arith::CmpIOp::create(b, loc, below, x, zero);
    return arith::SelectOp::create(b, loc, negative,
                                   arith::MulIOp::create(b, loc, x, y), x);
  }
  case BinaryKind::ShiftLeft:
  case BinaryKind::ShiftRight:
    return emitShift(e, kind, x, y);
  }
  return {};
}

Value emitFloatBinary(KernelEmitter &e, BinaryKind kind, Value x, Value y) {
  Scalar s(e);
  OpBuilder &b = e.b;
  Location loc = e.loc;
  switch (kind) {
  case BinaryKind::Add:
    return s.add(x, y);
  case BinaryKind::Sub:
    return s.sub(x, y);
  case BinaryKind::Mul:
    return s.mul(x, y);
  case BinaryKind::Div:
    return s.div(x, y);
  case BinaryKind::FMod:
    return arith::RemFOp::create(b, loc, x, y);
  case BinaryKind::Mod: {
    Value remainder = arith::RemFOp::create(b, loc, x, y);
    Value differ = s.less(s.mul(remainder, y), s.like(x, 0));
    return s.select(differ, s.add(remainder, y), remainder);
  }
  case BinaryKind::Pow:
    return math::PowFOp::create(b, loc, x, y);
  case BinaryKind::Max:
    return s.maximum(x, y);
  case BinaryKind::Min:
    return s.minimum(x, y);
  case BinaryKind::PRelu:
    return s.select(s.less(x, s.like(x, 0)), s.mul(x, y), x);
  default:
    return {};
  }
}

Value emitBinary(KernelEmitter &e, BinaryOp op, Value x, Value y) {
  Type type = cast<RankedTensorType>(op.getA().getType()).getElementType();
  Type from = cast<RankedTensorType>(op.getB().getType()).getElementType();
  if (type != from) {
    // Only Pow and shifts mix types: compute in the base's type, but integer
    // exponents keep theirs.
    if (isa<IntegerType>(x.getType()) && isa<FloatType>(y.getType())) {
      Value wide = convertScalar(e, x, type, y.getType());
      Value power = emitFloatBinary(e, op.getKind(), wide, y);
      return power ? convertScalar(e, power, y.getType(), type) : power;
    }
    if (op.getKind() == BinaryKind::Pow && isa<IntegerType>(from) &&
        isa<IntegerType>(x.getType()))
      return emitIntegerPow(e, x, y, isUnsignedType(type),
                            isUnsignedType(from));
    y = convertScalar(e, y, from, type);
  }
  if (isa<IntegerType>(x.getType()))
    return emitIntegerBinary(e, op.getKind(), x, y, isUnsignedType(type));
  bool narrow = x.getType().isF16() || x.getType().isBF16();
  Type wide = narrow ? e.b.getF32Type() : x.getType();
  Value result =
      emitFloatBinary(e, op.getKind(), convertScalar(e, x, x.getType(), wide),
                      convertScalar(e, y, y.getType(), wide));
  return result && narrow ? convertScalar(e, result, wide, x.getType())
                          : result;
}

Value emitCompare(KernelEmitter &e, CompareOp op, Value x, Value y) {
  Type type = cast<RankedTensorType>(op.getA().getType()).getElementType();
  if (isa<FloatType>(x.getType())) {
    static const arith::CmpFPredicate predicates[] = {
        arith::CmpFPredicate::OEQ, arith::CmpFPredicate::UNE,
        arith::CmpFPredicate::OLT, arith::CmpFPredicate::OLE,
        arith::CmpFPredicate::OGT, arith::CmpFPredicate::OGE};
    return arith::CmpFOp::create(
        e.b, e.loc, predicates[static_cast<unsigned>(op.getKind())], x, y);
  }
  using P = arith::CmpIPredicate;
  static const P signedPredicates[] = {P::eq,  P::ne,  P::slt,
                                       P::sle, P::sgt, P::sge};
  static const P unsignedPredicates[] = {P::eq,  P::ne,  P::ult,
                                         P::ule, P::ugt, P::uge};
  const P *predicates =
      isUnsignedType(type) ? unsignedPredicates : signedPredicates;
  return arith::CmpIOp::create(
      e.b, e.loc, predicates[static_cast<unsigned>(op.getKind())], x, y);
}

} // namespace

namespace effc {

/// The operand's indices after broadcasting: aligned at the right, 0 where its
/// dim is 1.
static KernelEmitter::Indices broadcastIndices(KernelEmitter &e, Value operand,
                                               ArrayRef<Value> indices) {
  Dims dims = getDims(operand.getType());
  KernelEmitter::Indices result;
  size_t skipped = indices.size() - dims.size();
  for (size_t i = 0; i < dims.size(); ++i)
    result.push_back(getConstant(dims[i]) == 1 ? e.index(0)
                                               : indices[skipped + i]);
  return result;
}

Value emitElementwise(KernelEmitter &e, Operation *op,
                      ArrayRef<Value> indices) {
  if (!isa<ElementwiseOpInterface>(op))
    return {};
  SmallVector<Value> x;
  for (Value operand : op->getOperands())
    x.push_back(e.element(operand, broadcastIndices(e, operand, indices)));
  return TypeSwitch<Operation *, Value>(op)
      .Case([&](UnaryOp unary) { return emitUnary(e, unary, x[0]); })
      .Case([&](BinaryOp binary) { return emitBinary(e, binary, x[0], x[1]); })
      .Case([&](CompareOp compare) {
        return emitCompare(e, compare, x[0], x[1]);
      })
      .Case([&](SelectOp) {
        return arith::SelectOp::create(e.b, e.loc, x[0], x[1], x[2]);
      })
      .Case([&](ConvertOp convert) {
        return convertScalar(
            e, x[0],
            cast<RankedTensorType>(convert.getX().getType()).getElementType(),
            cast<RankedTensorType>(convert.getType()).getElementType(),
            convert.getSaturate(), convert.getRound());
      })
      .Case([&](BitcastOp bitcast) {
        return bitcastScalar(
            e, x[0],
            cast<RankedTensorType>(bitcast.getType()).getElementType());
      })
      .Default([](Operation *) { return Value(); });
}

} // namespace effc
