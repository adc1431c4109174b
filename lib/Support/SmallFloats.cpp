// The same steps as the generated code (lib/Conversion/EffToLoops/
// SmallFloats.cpp), so that folding a constant gives the same bits.
#include "effc/Support/SmallFloats.h"
#include "effrt/effrt_abi.h"
#include <cmath>
#include <cstring>

namespace effc {

using Specials = SmallFloatFormat::Specials;

const SmallFloatFormat *getSmallFloatFormat(int32_t dtype) {
  static const SmallFloatFormat e4m3fn = {4, 3, 7, Specials::HighestNaN};
  static const SmallFloatFormat e4m3fnuz = {4, 3, 8, Specials::NegativeNaN};
  static const SmallFloatFormat e5m2 = {5, 2, 15, Specials::Ieee};
  static const SmallFloatFormat e5m2fnuz = {5, 2, 16, Specials::NegativeNaN};
  static const SmallFloatFormat e2m1 = {2, 1, 1, Specials::None};
  static const SmallFloatFormat e8m0 = {8, 0, 127, Specials::Exponent};
  switch (dtype) {
  case EFFRT_DTYPE_F8E4M3FN:
    return &e4m3fn;
  case EFFRT_DTYPE_F8E4M3FNUZ:
    return &e4m3fnuz;
  case EFFRT_DTYPE_F8E5M2:
    return &e5m2;
  case EFFRT_DTYPE_F8E5M2FNUZ:
    return &e5m2fnuz;
  case EFFRT_DTYPE_F4E2M1FN:
    return &e2m1;
  case EFFRT_DTYPE_F8E8M0FNU:
    return &e8m0;
  default:
    return nullptr;
  }
}

uint32_t SmallFloatFormat::maxCode() const {
  switch (specials) {
  case Specials::Ieee:
    return signBit() - 1 - (1u << mantissaBits);
  case Specials::HighestNaN:
    return signBit() - 2;
  case Specials::Exponent:
    return 254;
  default:
    return signBit() - 1;
  }
}

uint32_t SmallFloatFormat::overflowCode() const {
  switch (specials) {
  case Specials::Ieee:
  case Specials::HighestNaN:
  case Specials::Exponent:
    return maxCode() + 1;
  case Specials::NegativeNaN:
    return nanCode();
  default:
    return maxCode();
  }
}

uint32_t SmallFloatFormat::nanCode() const {
  switch (specials) {
  case Specials::Ieee: // quiet
    return maxCode() + 1 + (1u << (mantissaBits - 1));
  case Specials::HighestNaN:
    return signBit() - 1;
  case Specials::Exponent:
    return 255;
  default:
    return signBit();
  }
}

namespace {

uint32_t toBits(float value) {
  uint32_t bits;
  std::memcpy(&bits, &value, sizeof(bits));
  return bits;
}

float toFloat(uint32_t bits) {
  float value;
  std::memcpy(&value, &bits, sizeof(value));
  return value;
}

constexpr uint32_t quietNaN = 0x7fc00000;

float decodeExponent(uint8_t code) {
  if (code == 255)
    return toFloat(quietNaN);
  return toFloat(code == 0 ? 0x00400000u : static_cast<uint32_t>(code) << 23);
}

/// Of the magnitude: the sign has no meaning here.
uint8_t encodeExponent(uint32_t magnitude, bool saturate,
                       SmallFloatRound round) {
  if (magnitude > 0x7f800000)
    return 255;
  // The bits of the halves and the whole of an exponent, for numbers whose
  // leading one is explicit and for those (below 2^-126) where it is not.
  bool tiny = magnitude < 0x00800000;
  uint32_t code = magnitude >> 23;
  if (round == SmallFloatRound::Nearest)
    code = tiny ? magnitude >= 0x00600000 : (magnitude + 0x00400000) >> 23;
  else if (round == SmallFloatRound::Up)
    code = tiny ? magnitude > 0x00400000 : (magnitude + 0x007fffff) >> 23;
  if (code > 254)
    code = saturate ? 254 : 255;
  return static_cast<uint8_t>(!saturate && magnitude < 0x00400000 ? 255 : code);
}

} // namespace

float decodeSmallFloat(const SmallFloatFormat &format, uint8_t code) {
  if (format.specials == Specials::Exponent)
    return decodeExponent(code);
  uint32_t rest = code & (format.signBit() - 1);
  bool negative = code & format.signBit();
  if (format.specials == Specials::NegativeNaN && negative && rest == 0)
    return toFloat(quietNaN);
  int unit = 1 - format.bias - format.mantissaBits;
  float value = rest >> format.mantissaBits == 0
                    ? std::ldexp(static_cast<float>(rest), unit)
                    : toFloat((rest << (23 - format.mantissaBits)) +
                              (static_cast<uint32_t>(127 - format.bias) << 23));
  if (format.hasSignedNaN() && rest > format.maxCode())
    value = toFloat(format.specials == Specials::Ieee &&
                            rest == format.overflowCode()
                        ? 0x7f800000
                        : quietNaN);
  return negative ? -value : value;
}

uint8_t encodeSmallFloat(const SmallFloatFormat &format, float value,
                         bool saturate, SmallFloatRound round) {
  uint32_t bits = toBits(value), magnitude = bits & 0x7fffffff;
  if (format.specials == Specials::Exponent)
    return encodeExponent(magnitude, saturate, round);
  uint32_t sign = bits >> 31 ? format.signBit() : 0;
  if (magnitude > 0x7f800000)
    return static_cast<uint8_t>(format.nanCode() |
                                (format.hasSignedNaN() ? sign : 0));
  int shift = 23 - format.mantissaBits;
  uint32_t half = (1u << (shift - 1)) - 1, odd = magnitude >> shift & 1;
  uint32_t code =
      ((magnitude + half + odd) >> shift) -
      (static_cast<uint32_t>(127 - format.bias) << format.mantissaBits);
  // Below the smallest normal number the float unit rounds to the unit.
  if (magnitude < static_cast<uint32_t>(128 - format.bias) << 23) {
    float unit = std::ldexp(1.0f, 24 - format.bias - format.mantissaBits);
    code = toBits(toFloat(magnitude) + unit) - toBits(unit);
  }
  if (code > format.maxCode())
    code = saturate ? format.maxCode() : format.overflowCode();
  if (format.specials == Specials::NegativeNaN &&
      (code == 0 || code == format.nanCode()))
    sign = 0;
  return static_cast<uint8_t>(code | sign);
}

} // namespace effc
