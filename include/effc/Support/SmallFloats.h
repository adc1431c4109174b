// Floats of 8 and 4 bits as numbers: the formats of OCP's "8-bit Floating Point
// Specification" and "Microscaling Formats (MX)", and the variants without
// negative zero of arXiv 2206.02915. Rounding and saturation are ONNX Cast's.
#ifndef EFFC_SUPPORT_SMALLFLOATS_H
#define EFFC_SUPPORT_SMALLFLOATS_H

#include <cstdint>

namespace effc {

/// Sign, exponent and mantissa, from the top; e8m0 has an exponent only.
struct SmallFloatFormat {
  enum class Specials {
    None,        ///< every code is a number; NaN becomes -0
    Ieee,        ///< the highest exponent holds infinity and NaN
    HighestNaN,  ///< all ones is NaN, there is no infinity
    NegativeNaN, ///< the code of -0 is NaN, there is no infinity
    Exponent     ///< e8m0: no sign, no zero, all ones is NaN
  };
  int exponentBits;
  int mantissaBits;
  int bias;
  Specials specials;

  uint32_t signBit() const { return 1u << (exponentBits + mantissaBits); }
  /// The code of the largest number.
  uint32_t maxCode() const;
  /// What a number beyond becomes that does not saturate.
  uint32_t overflowCode() const;
  uint32_t nanCode() const;
  /// NaN keeps its sign.
  bool hasSignedNaN() const {
    return specials == Specials::Ieee || specials == Specials::HighestNaN;
  }
};

/// The format of an effrt_dtype, null for all others.
const SmallFloatFormat *getSmallFloatFormat(int32_t dtype);

/// How e8m0 rounds; the others always round to nearest even.
enum class SmallFloatRound { Nearest, Up, Down };

float decodeSmallFloat(const SmallFloatFormat &format, uint8_t code);
uint8_t encodeSmallFloat(const SmallFloatFormat &format, float value,
                         bool saturate = true,
                         SmallFloatRound round = SmallFloatRound::Nearest);

} // namespace effc

#endif // EFFC_SUPPORT_SMALLFLOATS_H
