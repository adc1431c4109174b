// Formats of 8 and 4 bits against LLVM's APFloat: every code, and every place
// where rounding decides.
#include "effc/Support/SmallFloats.h"
#include "effrt/effrt_abi.h"
#include "llvm/ADT/APFloat.h"
#include "gtest/gtest.h"
#include <cmath>

using namespace effc;
using llvm::APFloat;
using llvm::APInt;

namespace {

struct Case {
  int32_t dtype;
  const llvm::fltSemantics &semantics;
  unsigned bits;
};

std::vector<Case> cases() {
  return {{EFFRT_DTYPE_F8E4M3FN, APFloat::Float8E4M3FN(), 8},
          {EFFRT_DTYPE_F8E4M3FNUZ, APFloat::Float8E4M3FNUZ(), 8},
          {EFFRT_DTYPE_F8E5M2, APFloat::Float8E5M2(), 8},
          {EFFRT_DTYPE_F8E5M2FNUZ, APFloat::Float8E5M2FNUZ(), 8},
          {EFFRT_DTYPE_F8E8M0FNU, APFloat::Float8E8M0FNU(), 8},
          {EFFRT_DTYPE_F4E2M1FN, APFloat::Float4E2M1FN(), 4}};
}

TEST(SmallFloats, EveryCodeIsTheNumberOfLLVM) {
  for (const Case &c : cases()) {
    SCOPED_TRACE(c.dtype);
    const SmallFloatFormat *format = getSmallFloatFormat(c.dtype);
    ASSERT_NE(format, nullptr);
    for (unsigned code = 0; code < 1u << c.bits; ++code) {
      APFloat expected(c.semantics, APInt(c.bits, code));
      bool inexact;
      expected.convert(APFloat::IEEEsingle(), APFloat::rmNearestTiesToEven,
                       &inexact);
      float value = decodeSmallFloat(*format, code);
      if (expected.isNaN())
        EXPECT_TRUE(std::isnan(value)) << code;
      else
        EXPECT_EQ(value, expected.convertToFloat()) << code;
      // And back: every number keeps its code.
      if (!std::isnan(value))
        EXPECT_EQ(encodeSmallFloat(*format, value, false), code);
    }
  }
}

/// Numbers around every code and half-way between neighbours.
template <typename Fn>
void forEachBorder(const SmallFloatFormat &format, unsigned codes, Fn fn) {
  for (unsigned code = 0; code + 1 < codes; ++code) {
    float a = decodeSmallFloat(format, code);
    float b = decodeSmallFloat(format, code + 1);
    if (!std::isfinite(a) || !std::isfinite(b))
      continue;
    float middle = a + (b - a) / 2;
    for (float x : {a, middle})
      for (float y :
           {std::nextafter(x, -INFINITY), x, std::nextafter(x, INFINITY)})
        fn(y);
  }
}

TEST(SmallFloats, RoundToNearestEvenAsLLVM) {
  for (const Case &c : cases()) {
    if (c.dtype == EFFRT_DTYPE_F8E8M0FNU)
      continue;
    SCOPED_TRACE(c.dtype);
    const SmallFloatFormat *format = getSmallFloatFormat(c.dtype);
    forEachBorder(*format, 1u << c.bits, [&](float x) {
      APFloat expected(x);
      bool inexact;
      expected.convert(c.semantics, APFloat::rmNearestTiesToEven, &inexact);
      unsigned code = encodeSmallFloat(*format, x, false);
      EXPECT_EQ(code, expected.bitcastToAPInt().getZExtValue()) << x;
    });
  }
}

TEST(SmallFloats, SaturateOrNot) {
  struct Row {
    int32_t dtype;
    float x;
    unsigned saturated, other;
  };
  const float inf = INFINITY;
  const Row rows[] = {{EFFRT_DTYPE_F8E4M3FN, 464, 0x7e, 0x7e},
                      {EFFRT_DTYPE_F8E4M3FN, 465, 0x7e, 0x7f},
                      {EFFRT_DTYPE_F8E4M3FN, -inf, 0xfe, 0xff},
                      {EFFRT_DTYPE_F8E4M3FNUZ, 1e9f, 0x7f, 0x80},
                      {EFFRT_DTYPE_F8E4M3FNUZ, -inf, 0xff, 0x80},
                      {EFFRT_DTYPE_F8E4M3FNUZ, -0.0f, 0x00, 0x00},
                      {EFFRT_DTYPE_F8E4M3FNUZ, -1e-9f, 0x00, 0x00},
                      {EFFRT_DTYPE_F8E5M2, 61440, 0x7b, 0x7c},
                      {EFFRT_DTYPE_F8E5M2, inf, 0x7b, 0x7c},
                      {EFFRT_DTYPE_F8E5M2, -0.0f, 0x80, 0x80},
                      {EFFRT_DTYPE_F8E5M2FNUZ, inf, 0x7f, 0x80},
                      {EFFRT_DTYPE_F4E2M1FN, -100, 0xf, 0xf},
                      {EFFRT_DTYPE_F4E2M1FN, NAN, 0x8, 0x8},
                      {EFFRT_DTYPE_F8E8M0FNU, inf, 254, 255},
                      {EFFRT_DTYPE_F8E8M0FNU, 0, 0, 255},
                      {EFFRT_DTYPE_F8E8M0FNU, NAN, 255, 255}};
  for (const Row &row : rows) {
    SCOPED_TRACE(row.x);
    const SmallFloatFormat *format = getSmallFloatFormat(row.dtype);
    EXPECT_EQ(encodeSmallFloat(*format, row.x, true), row.saturated);
    EXPECT_EQ(encodeSmallFloat(*format, row.x, false), row.other);
  }
  EXPECT_EQ(getSmallFloatFormat(EFFRT_DTYPE_F16), nullptr);
}

TEST(SmallFloats, ExponentsRoundInThreeWays) {
  const SmallFloatFormat *format = getSmallFloatFormat(EFFRT_DTYPE_F8E8M0FNU);
  auto encode = [&](float x, SmallFloatRound round) {
    return int(encodeSmallFloat(*format, x, true, round));
  };
  const float least = std::ldexp(1.0f, -127);
  struct Row {
    float x;
    int nearest, up, down;
  };
  const Row rows[] = {
      {1, 127, 127, 127},   {1.25f, 127, 128, 127},   {1.5f, 128, 128, 127},
      {least, 0, 0, 0},     {1.25f * least, 0, 1, 0}, {1.5f * least, 1, 1, 0},
      {least / 4, 0, 0, 0}, {0.124f, 124, 124, 123},  {3e38f, 254, 254, 254}};
  for (const Row &row : rows) {
    EXPECT_EQ(encode(row.x, SmallFloatRound::Nearest), row.nearest) << row.x;
    EXPECT_EQ(encode(row.x, SmallFloatRound::Up), row.up) << row.x;
    EXPECT_EQ(encode(row.x, SmallFloatRound::Down), row.down) << row.x;
  }
}

} // namespace
