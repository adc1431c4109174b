// Conversions between f32 and floats of 8 and 4 bits in integer arithmetic:
// no branches, no tables and no library calls, so that LLVM makes vectors of
// them. lib/Support/SmallFloats.cpp does the same to constants.
#include "SmallFloats.h"
#include <cmath>

using namespace mlir;

namespace effc {
namespace {

using Predicate = arith::CmpIPredicate;
using Specials = SmallFloatFormat::Specials;

/// 32-bit integers and the floats of the same bits.
struct Bits {
  KernelEmitter &e;
  Type i32 = e.b.getI32Type(), f32 = e.b.getF32Type();

  Value number(uint32_t value) {
    return arith::ConstantOp::create(
        e.b, e.loc, e.b.getI32IntegerAttr(static_cast<int32_t>(value)));
  }
  Value toBits(Value x) { return arith::BitcastOp::create(e.b, e.loc, i32, x); }
  Value toFloat(Value x) {
    return arith::BitcastOp::create(e.b, e.loc, f32, x);
  }
  Value add(Value x, Value y) {
    return arith::AddIOp::create(e.b, e.loc, x, y);
  }
  Value add(Value x, uint32_t y) { return add(x, number(y)); }
  Value sub(Value x, uint32_t y) {
    return arith::SubIOp::create(e.b, e.loc, x, number(y));
  }
  Value both(Value x, uint32_t y) {
    return arith::AndIOp::create(e.b, e.loc, x, number(y));
  }
  Value either(Value x, Value y) {
    return arith::OrIOp::create(e.b, e.loc, x, y);
  }
  Value up(Value x, uint32_t by) {
    return arith::ShLIOp::create(e.b, e.loc, x, number(by));
  }
  Value down(Value x, uint32_t by) {
    return arith::ShRUIOp::create(e.b, e.loc, x, number(by));
  }
  /// All are magnitudes: unsigned.
  Value is(Predicate predicate, Value x, uint32_t y) {
    return arith::CmpIOp::create(e.b, e.loc, predicate, x, number(y));
  }
  Value select(Value condition, Value x, Value y) {
    return arith::SelectOp::create(e.b, e.loc, condition, x, y);
  }
  Value select(Value condition, uint32_t x, Value y) {
    return select(condition, number(x), y);
  }
  Value widen(Value byte) {
    return arith::ExtUIOp::create(e.b, e.loc, i32, byte);
  }
  Value narrow(Value x) {
    return arith::TruncIOp::create(e.b, e.loc, e.b.getI8Type(), x);
  }
  /// 0 or 1.
  Value flag(Value condition) {
    return arith::ExtUIOp::create(e.b, e.loc, i32, condition);
  }
};

constexpr uint32_t quietNaN = 0x7fc00000, infinity = 0x7f800000;

Value decodeExponent(Bits &c, Value byte) {
  Value code = c.widen(byte);
  Value bits =
      c.select(c.is(Predicate::eq, code, 0), 0x00400000u, c.up(code, 23));
  return c.toFloat(c.select(c.is(Predicate::eq, code, 255), quietNaN, bits));
}

/// Of the magnitude. The leading one of numbers below 2^-126 is explicit.
Value encodeExponent(Bits &c, Value magnitude, bool saturate,
                     SmallFloatRound round) {
  Value tiny = c.is(Predicate::ult, magnitude, 0x00800000);
  Value code = c.down(magnitude, 23);
  if (round == SmallFloatRound::Nearest)
    code = c.select(tiny, c.flag(c.is(Predicate::uge, magnitude, 0x00600000)),
                    c.down(c.add(magnitude, 0x00400000), 23));
  else if (round == SmallFloatRound::Up)
    code = c.select(tiny, c.flag(c.is(Predicate::ugt, magnitude, 0x00400000)),
                    c.down(c.add(magnitude, 0x007fffff), 23));
  code =
      c.select(c.is(Predicate::ugt, code, 254), saturate ? 254u : 255u, code);
  if (!saturate)
    code = c.select(c.is(Predicate::ult, magnitude, 0x00400000), 255u, code);
  code = c.select(c.is(Predicate::ugt, magnitude, infinity), 255u, code);
  return c.narrow(code);
}

} // namespace

Value emitDecode(KernelEmitter &e, Value byte, const SmallFloatFormat &format) {
  Bits c{e};
  if (format.specials == Specials::Exponent)
    return decodeExponent(c, byte);
  int mantissa = format.mantissaBits;
  Value code = c.widen(byte), rest = c.both(code, format.signBit() - 1);
  Value normal = c.add(c.up(rest, 23 - mantissa),
                       static_cast<uint32_t>(127 - format.bias) << 23);
  // Below the smallest normal number the code counts units.
  double unit = std::ldexp(1.0, 1 - format.bias - mantissa);
  Value count = arith::SIToFPOp::create(e.b, e.loc, c.f32, rest);
  Value tiny =
      arith::MulFOp::create(e.b, e.loc, count, e.constant(c.f32, unit));
  Value bits = c.select(c.is(Predicate::ult, rest, 1u << mantissa),
                        c.toBits(tiny), normal);
  if (format.hasSignedNaN()) {
    Value special = c.number(quietNaN);
    if (format.specials == Specials::Ieee)
      special = c.select(c.is(Predicate::eq, rest, format.overflowCode()),
                         infinity, special);
    bits =
        c.select(c.is(Predicate::ugt, rest, format.maxCode()), special, bits);
  }
  int signPlace = format.exponentBits + mantissa;
  Value sign = c.up(c.both(code, format.signBit()), 31 - signPlace);
  bits = c.either(bits, sign);
  if (format.specials == Specials::NegativeNaN)
    bits =
        c.select(c.is(Predicate::eq, code, format.nanCode()), quietNaN, bits);
  return c.toFloat(bits);
}

Value emitEncode(KernelEmitter &e, Value x, const SmallFloatFormat &format,
                 bool saturate, SmallFloatRound round) {
  Bits c{e};
  Value all = c.toBits(x), magnitude = c.both(all, 0x7fffffff);
  if (format.specials == Specials::Exponent)
    return encodeExponent(c, magnitude, saturate, round);
  int mantissa = format.mantissaBits, shift = 23 - mantissa;
  // To nearest even: half a unit, less one where the last bit is even.
  Value odd = c.both(c.down(magnitude, shift), 1);
  Value rounded =
      c.down(c.add(c.add(magnitude, (1u << (shift - 1)) - 1), odd), shift);
  Value code =
      c.sub(rounded, static_cast<uint32_t>(127 - format.bias) << mantissa);
  // Below the smallest normal number, a sum with the float whose unit is the
  // format's rounds to that unit.
  double magic = std::ldexp(1.0, 24 - format.bias - mantissa);
  Value sum = arith::AddFOp::create(e.b, e.loc, c.toFloat(magnitude),
                                    e.constant(c.f32, magic));
  Value tiny = arith::SubIOp::create(e.b, e.loc, c.toBits(sum),
                                     c.toBits(e.constant(c.f32, magic)));
  code = c.select(c.is(Predicate::ult, magnitude,
                       static_cast<uint32_t>(128 - format.bias) << 23),
                  tiny, code);
  code = c.select(c.is(Predicate::ugt, code, format.maxCode()),
                  saturate ? format.maxCode() : format.overflowCode(), code);
  Value isNaN = c.is(Predicate::ugt, magnitude, infinity);
  code = c.select(isNaN, format.nanCode(), code);
  Value sign = c.both(c.down(all, 31 - format.exponentBits - mantissa),
                      format.signBit());
  if (format.specials == Specials::NegativeNaN) {
    Value unsignedCode =
        arith::OrIOp::create(e.b, e.loc, c.is(Predicate::eq, code, 0),
                             c.is(Predicate::eq, code, format.nanCode()));
    sign = c.select(unsignedCode, 0u, sign);
  } else if (!format.hasSignedNaN()) {
    sign = c.select(isNaN, 0u, sign);
  }
  return c.narrow(c.either(code, sign));
}

} // namespace effc
