// Polynomials after S. Moshier's Cephes (log, sin, cos) and Eigen (tanh, erf).
// Rounding to an integer adds and subtracts 1.5 * 2^23: the low bits of the sum
// are then the integer, no conversion (undefined for NaN) is needed, and loop
// vectorisers take all of it.
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

/// x * factor rounded to an integer; its low bits are those of `bits`. Below
/// 2^22 (f32), 2^51 (f64).
Value MathFunctions::roundToInteger(Value x, double factor, Value &bits) {
  bool wide = getElementTypeOrSelf(x).isF64();
  Value magic = constant(wide ? 6755399441055744.0 : 12582912.0, x);
  Value sum =
      factor == 1.0 ? add(x, magic) : fma(x, constant(factor, x), magic);
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

// e^r = 1 + r + c[4] r^2 + ... + c[0] r^6 for |r| <= ln2 / 2, error 3e-9.
static constexpr double expCoefficients[] = {
    1.3814461417496204e-3, 8.368780836462975e-3, 4.166839271783829e-2,
    1.666651964187622e-1, 4.999999403953552e-1};

/// e^r - 1 for |r| <= ln2 / 2.
Value MathFunctions::expm1Polynomial(Value r) {
  return fma(polynomial(r, expCoefficients), mul(r, r), r);
}

/// 2^n e^(factor r). The factor 2^n would leave the exponents' range at n =
/// 128, so it is 2^(n-1), which is 0 for the smallest n, times twice the
/// polynomial.
Value MathFunctions::scaledExp(Value r, Value bits, double factor) {
  SmallVector<double> doubled(std::begin(expCoefficients),
                              std::end(expCoefficients));
  doubled.append({1.0, 1.0});
  double power = 2.0;
  for (double &coefficient : llvm::reverse(doubled)) {
    coefficient *= power;
    power *= factor;
  }
  return mul(polynomial(r, doubled), scaleBy(bits, 126, r));
}

Value MathFunctions::exp(Value x) {
  x = clamp(x, -87.3, 88.9);
  Value bits;
  Value n = roundToInteger(x, log2e, bits);
  Value r = fma(n, constant(-ln2High, x), x);
  r = fma(n, constant(-ln2Low, x), r);
  return scaledExp(r, bits, 1.0);
}

Value MathFunctions::exp2(Value x) {
  x = clamp(x, -126.0, 128.3);
  Value bits;
  Value n = roundToInteger(x, 1.0, bits);
  return scaledExp(sub(x, n), bits, ln2);
}

Value MathFunctions::expm1(Value x) {
  Value clamped = clamp(x, -87.3, 88.9);
  Value bits;
  Value n = roundToInteger(clamped, log2e, bits);
  Value r = fma(n, constant(-ln2High, x), clamped);
  r = fma(n, constant(-ln2Low, x), r);
  Value scale = scaleBy(bits, 127, x);
  Value y = fma(expm1Polynomial(r), scale, sub(scale, constant(1.0, x)));
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
  x = clamp(x, -3.8325066566467285, 3.8325066566467285);
  Value xx = mul(x, x);
  Value p = polynomial(xx, {2.1237322e-6, 2.86197959e-4, 3.65804834e-3,
                            5.2433021e-2, 1.87416077e-1, 1.12837911});
  Value q = polynomial(xx, {3.89185734e-5, 1.14329602e-3, 1.47520881e-2,
                            1.12945676e-1, 4.99425799e-1, 1.0});
  return div(mul(x, p), q);
}

Value MathFunctions::sin(Value x) { return sinCos(x, /*cosine=*/false); }
Value MathFunctions::cos(Value x) { return sinCos(x, /*cosine=*/true); }

/// Where x lies in quarter turns, modulo 4, for |x| from 2^50 on. x is y 2^s
/// with an integer y of 24 digits, so that of 2^s 2/pi only the rest modulo 4
/// counts (Payne and Hanek, 1983); it comes in three parts, of which y times
/// the first two is exact.
Value MathFunctions::quarterTurns(Value x) {
  struct Range {
    double end, scale, parts[3];
  };
  static constexpr Range ranges[] = {
      {0x1p76,
       0x1p-26,
       {1.7235269732773304, 1.0840630268460494e-09, -1.7737227042175265e-18}},
      {0x1p102,
       0x1p-52,
       {1.322750236839056, 1.277951348910289e-09, -2.7181173857954606e-18}},
      {0x1p128,
       0x1p-78,
       {1.8357618637382984, -6.480710551537427e-10, -2.1333796079983287e-18}}};
  Value size = abs(x);
  auto choose = [&](auto get) {
    Value chosen = constant(get(ranges[2]), x);
    for (const Range &range : {ranges[1], ranges[0]})
      chosen = select(less(size, constant(range.end, x)),
                      constant(get(range), x), chosen);
    return chosen;
  };
  Value y = mul(x, choose([](const Range &range) { return range.scale; }));
  Value turns =
      mul(y, choose([](const Range &range) { return range.parts[2]; }));
  for (int part : {1, 0}) {
    Value product = mul(
        y, choose([part](const Range &range) { return range.parts[part]; }));
    Value bits;
    Value n = roundToInteger(product, 0.25, bits);
    turns = add(turns, fma(n, constant(-4.0, x), product));
  }
  return turns;
}

Value MathFunctions::sinCos(Value x, bool cosine) {
  // The quadrant and the rest in f64, so that large arguments keep their
  // digits.
  Value wide = arith::ExtFOp::create(b, shapeLike(x, b.getF64Type()), x);
  Value bits;
  Value n = roundToInteger(wide, 0.6366197723675814, bits);
  Value rest = fma(n, constant(-1.5707963267948966, wide), wide);
  rest = fma(n, constant(-6.123233995736766e-17, wide), rest);
  // Beyond, n has no bits left for the quadrant.
  Value isSmall = less(abs(wide), constant(0x1p50, wide));
  Value turns = quarterTurns(wide), turnBits;
  Value fraction = sub(turns, roundToInteger(turns, 1.0, turnBits));
  rest =
      select(isSmall, rest, mul(fraction, constant(1.5707963267948966, wide)));
  bits = select(isSmall, bits, turnBits);
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
  Value n = roundToInteger(x, 1.0, bits);
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
