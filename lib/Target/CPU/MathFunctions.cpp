// Polynomials after S. Moshier's Cephes (exp, log, sin, cos), N. Juffa (erf)
// and Eigen (tanh). Rounding to an integer adds and subtracts 1.5 * 2^23: the
// low bits of the sum are then the integer, no conversion (undefined for NaN)
// is needed, and loop vectorisers take all of it.
#include "CPU/MathFunctions.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"

using namespace mlir;
using namespace effc;

static constexpr double log2e = 1.4426950408889634;
static constexpr double ln2 = 0.6931471805599453;
// ln2 = high + low; the high part times an integer of 9 bits is exact in f32.
static constexpr double ln2High = 0.693359375, ln2Low = -2.12194440e-4;
static constexpr double infinity = std::numeric_limits<double>::infinity();

Type MathFunctions::shapeLike(Value like, Type element) {
  auto vector = dyn_cast<VectorType>(like.getType());
  return vector ? Type(vector.clone(element)) : element;
}

Value MathFunctions::constant(double value, Value like) {
  Type element = getElementTypeOrSelf(like);
  TypedAttr attr = b.getFloatAttr(element, value);
  if (auto vector = dyn_cast<VectorType>(like.getType()))
    attr = DenseElementsAttr::get(vector, Attribute(attr));
  return arith::ConstantOp::create(b, attr);
}

Value MathFunctions::integer(int64_t value, Value like) {
  Type element = getElementTypeOrSelf(like);
  TypedAttr attr = b.getIntegerAttr(element, value);
  if (auto vector = dyn_cast<VectorType>(like.getType()))
    attr = DenseElementsAttr::get(vector, Attribute(attr));
  return arith::ConstantOp::create(b, attr);
}

Value MathFunctions::add(Value x, Value y) {
  return arith::AddFOp::create(b, x, y);
}
Value MathFunctions::sub(Value x, Value y) {
  return arith::SubFOp::create(b, x, y);
}
Value MathFunctions::mul(Value x, Value y) {
  return arith::MulFOp::create(b, x, y);
}
Value MathFunctions::div(Value x, Value y) {
  return arith::DivFOp::create(b, x, y);
}
Value MathFunctions::fma(Value x, Value y, Value z) {
  return math::FmaOp::create(b, x, y, z);
}
Value MathFunctions::abs(Value x) { return math::AbsFOp::create(b, x); }
Value MathFunctions::copySign(Value magnitude, Value sign) {
  return math::CopySignOp::create(b, magnitude, sign);
}
Value MathFunctions::select(Value condition, Value x, Value y) {
  return arith::SelectOp::create(b, condition, x, y);
}
Value MathFunctions::less(Value x, Value y) {
  return arith::CmpFOp::create(b, arith::CmpFPredicate::OLT, x, y);
}
Value MathFunctions::equal(Value x, Value y) {
  return arith::CmpFOp::create(b, arith::CmpFPredicate::OEQ, x, y);
}
Value MathFunctions::isNaN(Value x) {
  return arith::CmpFOp::create(b, arith::CmpFPredicate::UNO, x, x);
}

Value MathFunctions::clamp(Value x, double low, double high) {
  Value lowest = constant(low, x), highest = constant(high, x);
  x = select(less(x, lowest), lowest, x);
  return select(less(highest, x), highest, x);
}

Value MathFunctions::toBits(Value x) {
  unsigned width = getElementTypeOrSelf(x).getIntOrFloatBitWidth();
  return arith::BitcastOp::create(b, shapeLike(x, b.getIntegerType(width)), x);
}

Value MathFunctions::fromBits(Value bits) {
  bool wide = getElementTypeOrSelf(bits).isInteger(64);
  Type element = wide ? Type(b.getF64Type()) : Type(b.getF32Type());
  return arith::BitcastOp::create(b, shapeLike(bits, element), bits);
}

Value MathFunctions::polynomial(Value x, ArrayRef<double> coefficients) {
  Value sum = constant(coefficients.front(), x);
  for (double coefficient : coefficients.drop_front())
    sum = fma(sum, x, constant(coefficient, x));
  return sum;
}

/// x rounded to an integer; its low bits are those of `bits`. |x| < 2^22 (f32),
/// 2^51 (f64).
Value MathFunctions::roundToInteger(Value x, Value &bits) {
  bool wide = getElementTypeOrSelf(x).isF64();
  Value magic = constant(wide ? 6755399441055744.0 : 12582912.0, x);
  Value sum = add(x, magic);
  bits = toBits(sum);
  return sub(sum, magic);
}

/// 2^(n + bias - exponent bias) for the n in the low bits.
Value MathFunctions::scaleBy(Value bits, int64_t bias, Value like) {
  int64_t mantissa = getElementTypeOrSelf(like).isF64() ? 52 : 23;
  Value shifted = arith::ShLIOp::create(b, bits, integer(mantissa, bits));
  return fromBits(
      arith::AddIOp::create(b, shifted, integer(bias << mantissa, bits)));
}

/// e^r - 1 for |r| <= ln2 / 2.
Value MathFunctions::expPolynomial(Value r) {
  Value p = polynomial(r, {1.9875691500e-4, 1.3981999507e-3, 8.3334519073e-3,
                           4.1665795894e-2, 1.6666665459e-1, 5.0000001201e-1});
  return fma(p, mul(r, r), r);
}

// 2^n would leave the exponents' range at n = 128, so the factor is 2^(n-1),
// which is 0 for the smallest n.
Value MathFunctions::exp(Value x) {
  x = clamp(x, -87.3, 88.9);
  Value bits;
  Value n = roundToInteger(mul(x, constant(log2e, x)), bits);
  Value r = fma(n, constant(-ln2High, x), x);
  r = fma(n, constant(-ln2Low, x), r);
  Value y = add(expPolynomial(r), constant(1.0, x));
  return mul(add(y, y), scaleBy(bits, 126, x));
}

Value MathFunctions::exp2(Value x) {
  x = clamp(x, -126.0, 128.3);
  Value bits;
  Value n = roundToInteger(x, bits);
  Value r = mul(sub(x, n), constant(ln2, x));
  Value y = add(expPolynomial(r), constant(1.0, x));
  return mul(add(y, y), scaleBy(bits, 126, x));
}

Value MathFunctions::expm1(Value x) {
  Value clamped = clamp(x, -87.3, 88.9);
  Value bits;
  Value n = roundToInteger(mul(clamped, constant(log2e, x)), bits);
  Value r = fma(n, constant(-ln2High, x), clamped);
  r = fma(n, constant(-ln2Low, x), r);
  Value scale = scaleBy(bits, 127, x);
  Value y = fma(expPolynomial(r), scale, sub(scale, constant(1.0, x)));
  // Keeps the sign of zero.
  return select(equal(x, constant(0.0, x)), x, y);
}

Value MathFunctions::log(Value x) {
  // Denormals are scaled into the normal range.
  Value tiny = less(x, constant(1.17549435e-38, x));
  Value scaled = select(tiny, mul(x, constant(8388608.0, x)), x);
  Value bits = toBits(scaled);
  // The mantissa m is in [sqrt(1/2), sqrt(2)).
  Value offset = arith::SubIOp::create(b, bits, integer(0x3f3504f3, bits));
  Value exponent = arith::ShRSIOp::create(b, offset, integer(23, bits));
  Value m = fromBits(arith::SubIOp::create(
      b, bits, arith::ShLIOp::create(b, exponent, integer(23, bits))));
  Value e = arith::SIToFPOp::create(b, x.getType(), exponent);
  e = select(tiny, sub(e, constant(23.0, x)), e);
  Value z = sub(m, constant(1.0, x));
  Value zz = mul(z, z);
  Value p = polynomial(z, {7.0376836292e-2, -1.1514610310e-1, 1.1676998740e-1,
                           -1.2420140846e-1, 1.4249322787e-1, -1.6668057665e-1,
                           2.0000714765e-1, -2.4999993993e-1, 3.3333331174e-1});
  Value y = mul(mul(p, z), zz);
  y = fma(e, constant(ln2Low, x), y);
  y = fma(zz, constant(-0.5, x), y);
  Value result = fma(e, constant(ln2High, x), add(z, y));
  Value zero = constant(0.0, x), inf = constant(infinity, x);
  result = select(equal(x, inf), inf, result);
  result = select(equal(x, zero), constant(-infinity, x), result);
  Value undefined =
      arith::CmpFOp::create(b, arith::CmpFPredicate::ULT, x, zero);
  return select(undefined, constant(std::nan(""), x), result);
}

Value MathFunctions::log2(Value x) { return mul(log(x), constant(log2e, x)); }

Value MathFunctions::log10(Value x) {
  return mul(log(x), constant(0.4342944819032518, x));
}

Value MathFunctions::log1p(Value x) {
  // What rounding 1 + x loses comes back as a derivative (W. Kahan).
  Value u = add(constant(1.0, x), x);
  Value lost = sub(x, sub(u, constant(1.0, x)));
  Value y = log(u);
  Value corrected = add(y, div(lost, u));
  Value finite = less(abs(y), constant(infinity, x));
  y = select(finite, corrected, y);
  return select(equal(x, constant(0.0, x)), x, y);
}

Value MathFunctions::tanh(Value x) {
  Value clamped = clamp(x, -7.99881172180175781, 7.99881172180175781);
  Value xx = mul(clamped, clamped);
  Value p = polynomial(xx, {-2.76076847742355e-16, 2.00018790482477e-13,
                            -8.60467152213735e-11, 5.12229709037114e-08,
                            1.48572235717979e-05, 6.37261928875436e-04,
                            4.89352455891786e-03});
  Value q = polynomial(xx, {1.19825839466702e-06, 1.18534705686654e-04,
                            2.26843463243900e-03, 4.89352518554385e-03});
  Value y = div(mul(clamped, p), q);
  return select(less(abs(x), constant(0.0004, x)), x, y);
}

Value MathFunctions::erf(Value x) {
  Value t = clamp(abs(x), 0.0, 10.0);
  Value s = mul(x, x);
  Value small = polynomial(s, {-5.96761703e-4, 4.99119423e-3, -2.67681349e-2,
                               1.12819925e-1, -3.76125336e-1, 1.28379166e-1});
  small = fma(small, x, x);
  Value r = polynomial(t, {-1.72853470e-5, 3.83197126e-4, -3.88396438e-3,
                           2.42546219e-2, -1.06777877e-1, -6.34846687e-1,
                           -1.28717512e-1});
  r = fma(r, t, sub(constant(0.0, x), t));
  Value large = copySign(sub(constant(1.0, x), exp(r)), x);
  return select(less(constant(0.921875, x), t), large, small);
}

Value MathFunctions::sin(Value x) { return sinCos(x, /*cosine=*/false); }
Value MathFunctions::cos(Value x) { return sinCos(x, /*cosine=*/true); }

Value MathFunctions::sinCos(Value x, bool cosine) {
  // The quadrant and the rest in f64, so that large arguments keep their
  // digits.
  Value wide = arith::ExtFOp::create(b, shapeLike(x, b.getF64Type()), x);
  Value bits;
  Value n = roundToInteger(mul(wide, constant(0.6366197723675814, wide)), bits);
  Value rest = fma(n, constant(-1.5707963267948966, wide), wide);
  rest = fma(n, constant(-6.123233995736766e-17, wide), rest);
  Value r = arith::TruncFOp::create(b, x.getType(), rest);
  Value quadrant =
      arith::TruncIOp::create(b, shapeLike(x, b.getI32Type()), bits);
  if (cosine)
    quadrant = arith::AddIOp::create(b, quadrant, integer(1, quadrant));
  Value z = mul(r, r);
  Value sine =
      polynomial(z, {-1.9515295891e-4, 8.3321608736e-3, -1.6666654611e-1});
  sine = fma(mul(sine, z), r, r);
  Value cosineValue = polynomial(
      z, {2.443315711809948e-5, -1.388731625493765e-3, 4.166664568298827e-2});
  cosineValue =
      fma(cosineValue, mul(z, z), fma(z, constant(-0.5, x), constant(1.0, x)));
  Value one = integer(1, quadrant);
  Value odd = arith::CmpIOp::create(b, arith::CmpIPredicate::ne,
                                    arith::AndIOp::create(b, quadrant, one),
                                    integer(0, quadrant));
  Value y = select(odd, cosineValue, sine);
  // Bit 1 of the quadrant is the sign.
  Value sign = arith::ShLIOp::create(
      b, arith::AndIOp::create(b, quadrant, integer(2, quadrant)),
      integer(30, quadrant));
  return fromBits(arith::XOrIOp::create(b, toBits(y), sign));
}

/// log2 of a positive f32 in f64, to about 40 bits.
Value MathFunctions::log2Wide(Value magnitude) {
  Value x =
      arith::ExtFOp::create(b, shapeLike(magnitude, b.getF64Type()), magnitude);
  Value bits = toBits(x);
  Value offset =
      arith::SubIOp::create(b, bits, integer(0x3fe6a09e667f3bcd, bits));
  Value exponent = arith::ShRSIOp::create(b, offset, integer(52, bits));
  Value m = fromBits(arith::SubIOp::create(
      b, bits, arith::ShLIOp::create(b, exponent, integer(52, bits))));
  Value narrow = arith::TruncIOp::create(
      b, shapeLike(magnitude, b.getI32Type()), exponent);
  Value e = arith::SIToFPOp::create(b, x.getType(), narrow);
  Value one = constant(1.0, x);
  Value s = div(sub(m, one), add(m, one));
  Value p = polynomial(
      mul(s, s), {1.0 / 13, 1.0 / 11, 1.0 / 9, 1.0 / 7, 1.0 / 5, 1.0 / 3, 1.0});
  return fma(mul(p, s), constant(2 * log2e, x), e);
}

/// 2^x in f64, to about 36 bits, for |x| < 1000.
Value MathFunctions::exp2Wide(Value x) {
  Value bits;
  Value n = roundToInteger(x, bits);
  Value r = mul(sub(x, n), constant(ln2, x));
  Value p = polynomial(r, {1.0 / 362880, 1.0 / 40320, 1.0 / 5040, 1.0 / 720,
                           1.0 / 120, 1.0 / 24, 1.0 / 6, 0.5, 1.0, 1.0});
  return mul(p, scaleBy(bits, 1023, x));
}

Value MathFunctions::pow(Value x, Value y) {
  Value zero = constant(0.0, x), one = constant(1.0, x),
        inf = constant(infinity, x);
  Value magnitude = abs(x);
  Value exponent = log2Wide(magnitude);
  Value wideInf = constant(infinity, exponent);
  exponent = select(equal(magnitude, inf), wideInf, exponent);
  exponent =
      select(equal(magnitude, zero), constant(-infinity, exponent), exponent);
  exponent = select(equal(magnitude, one), constant(0.0, exponent), exponent);
  Value wideY = arith::ExtFOp::create(b, exponent.getType(), y);
  // 0 * infinity is 1^infinity = 1.
  Value product = select(equal(magnitude, one), constant(0.0, exponent),
                         mul(wideY, exponent));
  Value result = arith::TruncFOp::create(
      b, x.getType(), exp2Wide(clamp(product, -300.0, 300.0)));
  // Negative bases: odd integers flip the sign, anything but an integer is
  // undefined.
  auto isFraction = [&](Value value) -> Value {
    return arith::CmpFOp::create(b, arith::CmpFPredicate::UNE,
                                 math::FloorOp::create(b, value), value);
  };
  Value fraction = isFraction(y);
  Value halfFraction = isFraction(mul(y, constant(0.5, y)));
  Value negative = less(copySign(one, x), zero);
  // A half that is no integer is odd, if y is an integer.
  Value odd = arith::CmpIOp::create(b, arith::CmpIPredicate::ne, fraction,
                                    halfFraction);
  Value flips = arith::AndIOp::create(b, negative, odd);
  result = select(flips, sub(constant(-0.0, x), result), result);
  Value finiteBase =
      arith::AndIOp::create(b, less(x, zero), less(magnitude, inf));
  result = select(arith::AndIOp::create(b, finiteBase, fraction),
                  constant(std::nan(""), x), result);
  Value undefined = arith::OrIOp::create(b, isNaN(x), isNaN(y));
  result = select(undefined, constant(std::nan(""), x), result);
  Value isOne = arith::OrIOp::create(b, equal(y, zero), equal(x, one));
  return select(isOne, one, result);
}
