// Element types of 8 and fewer bits: generated code and constant folding
// against the format's definition.
#include "LoopCase.h"
#include "effc/Support/SmallFloats.h"
#include "effrt/effrt_abi.h"
#include <algorithm>
#include <cmath>
#include <functional>

using namespace effc;

namespace {

struct Format {
  std::string type;
  int32_t dtype;
};

const std::vector<Format> formats = {{"f8E4M3FN", EFFRT_DTYPE_F8E4M3FN},
                                     {"f8E4M3FNUZ", EFFRT_DTYPE_F8E4M3FNUZ},
                                     {"f8E5M2", EFFRT_DTYPE_F8E5M2},
                                     {"f8E5M2FNUZ", EFFRT_DTYPE_F8E5M2FNUZ},
                                     {"f8E8M0FNU", EFFRT_DTYPE_F8E8M0FNU}};

/// Numbers of every size, on and beside the codes and half-way between.
std::vector<Real> numbers(const SmallFloatFormat &format) {
  std::vector<Real> list = {0,   -0.0L, inf,  -inf,  NaN,    1e30L,
                            464, 465,   -3.1, 1e-42, -1e-40, 3.4e38L};
  for (int code = 0; code + 1 < 256; ++code) {
    float a = decodeSmallFloat(format, code);
    float b = decodeSmallFloat(format, code + 1);
    float middle = a + (b - a) / 2;
    if (!std::isfinite(middle))
      continue;
    for (float x : {a, middle, std::nextafter(middle, 0.0f)})
      list.push_back(x);
  }
  return list;
}

/// The same with the operand as a constant, which is folded.
void checkBoth(LoopCase c) {
  c.relative = c.absolute = 0;
  check(c);
  c.constants = {0};
  c.dims = {};
  check(c);
}

TEST(SmallTypes, EncodesFloats) {
  for (const Format &f : formats)
    for (bool saturate : {true, false})
      for (std::string from : {"f32", "f64", "f16"}) {
        SCOPED_TRACE(f.type + " from " + from);
        const SmallFloatFormat &format = *getSmallFloatFormat(f.dtype);
        Tensor x(from, {int64_t(numbers(format).size())}, numbers(format));
        Tensor y = tabulate("ui8", x.shape, [&](const Shape &at) -> Real {
          return encodeSmallFloat(format, float(x.at(at)), saturate);
        });
        std::string attribute = saturate ? "" : " {saturate = false}";
        checkBoth({"  %0 = eff.convert %a0" + attribute +
                       " : ($0) -> $r:" + f.type +
                       " \n  %r = eff.bitcast %0 : ($r:" + f.type + " ) -> $r",
                   {x},
                   {y}});
      }
}

TEST(SmallTypes, RoundsExponents) {
  const SmallFloatFormat &format = *getSmallFloatFormat(EFFRT_DTYPE_F8E8M0FNU);
  const std::vector<std::pair<std::string, SmallFloatRound>> modes = {
      {"up", SmallFloatRound::Up}, {"down", SmallFloatRound::Down}};
  for (auto &[name, mode] : modes) {
    Tensor x("f32", {int64_t(numbers(format).size())}, numbers(format));
    Tensor y = tabulate("ui8", x.shape, [&](const Shape &at) -> Real {
      return encodeSmallFloat(format, float(x.at(at)), true, mode);
    });
    checkBoth({"  %0 = eff.convert %a0 {round = #eff<round_mode " + name +
                   ">} : ($0) -> $r:f8E8M0FNU \n  %r = eff.bitcast %0 : "
                   "($r:f8E8M0FNU ) -> $r",
               {x},
               {y}});
  }
}

TEST(SmallTypes, DecodesEveryCode) {
  for (const Format &f : formats)
    for (std::string to : {"f32", "f64", "i32"}) {
      SCOPED_TRACE(f.type + " to " + to);
      const SmallFloatFormat &format = *getSmallFloatFormat(f.dtype);
      Tensor x = tabulate("ui8", {256}, [](const Shape &at) { return at[0]; });
      Tensor y = tabulate(to, x.shape, [&](const Shape &at) -> Real {
        Real value = decodeSmallFloat(format, at[0]);
        if (to != "i32")
          return value;
        return std::isnan(value)
                   ? 0
                   : std::clamp(std::trunc(value), lowestOf(to), highestOf(to));
      });
      checkBoth({"  %0 = eff.bitcast %a0 : ($0) -> $r:" + f.type +
                     " \n  %r = eff.convert %0 : ($r:" + f.type + " ) -> $r",
                 {x},
                 {y}});
    }
}

/// f32 to the type and back.
TEST(SmallTypes, HoldsFewBits) {
  struct Row {
    std::string type;
    std::function<Real(Real)> keep;
  };
  auto wrap = [](int bits, bool isSigned) {
    return [=](Real x) -> Real {
      int64_t value = int64_t(std::trunc(x)) & ((1 << bits) - 1);
      return isSigned && value >> (bits - 1) ? value - (1 << bits) : value;
    };
  };
  const SmallFloatFormat &f4 = *getSmallFloatFormat(EFFRT_DTYPE_F4E2M1FN);
  const std::vector<Row> rows = {{"i4", wrap(4, true)},
                                 {"ui4", wrap(4, false)},
                                 {"i2", wrap(2, true)},
                                 {"ui2", wrap(2, false)},
                                 {"f4E2M1FN", [&](Real x) -> Real {
                                    return decodeSmallFloat(
                                        f4, encodeSmallFloat(f4, float(x)));
                                  }}};
  Tensor x = tabulate("f32", {161},
                      [](const Shape &at) { return at[0] * 0.25L - 20; });
  for (const Row &row : rows) {
    SCOPED_TRACE(row.type);
    Tensor y = tabulate("f32", x.shape,
                        [&](const Shape &at) { return row.keep(x.at(at)); });
    checkBoth({"  %0 = eff.convert %a0 : ($0) -> $r:" + row.type +
                   " \n  %r = eff.convert %0 : ($r:" + row.type + " ) -> $r",
               {x},
               {y}});
  }
}

/// A splat is part of the kernel.
TEST(SmallTypes, SelectsAConstant) {
  Tensor x("f32", {4}, std::vector<Real>{1, 2, 3, 4});
  Tensor condition("i1", {4}, std::vector<Real>{0, 1, 0, 1});
  for (auto &[type, text] :
       std::map<std::string, std::string>{{"i4", "-3"},
                                          {"ui4", "13"},
                                          {"f8E4M3FN", "-3.0"},
                                          {"f4E2M1FN", "-3.0"}}) {
    SCOPED_TRACE(type);
    Real c = type == "ui4" ? 13 : -3;
    check({"  %c = eff.constant dense<" + text + "> : tensor<" + type +
               ">\n  %0 = eff.convert %a0 : ($0) -> $r:" + type +
               " \n  %1 = eff.select %a1, %0, %c : ($1, $r:" + type +
               " , tensor<" + type + ">) -> $r:" + type +
               " \n  %r = eff.convert %1 : ($r:" + type + " ) -> $r",
           {x, condition},
           {Tensor("f32", {4}, std::vector<Real>{c, 2, c, 4})}});
  }
}

TEST(SmallTypes, BitcastKeepsBits) {
  Tensor x("f32", {4}, std::vector<Real>{1, -2, 0.5, 0});
  checkBoth(
      {"eff.bitcast %a0",
       {x},
       {Tensor("i32", {4},
               std::vector<Real>{0x3f800000, -0x40000000, 0x3f000000, 0})}});
  Tensor bytes("ui8", {4}, std::vector<Real>{0, 1, 2, 255});
  checkBoth({"eff.bitcast %a0",
             {bytes},
             {Tensor("i1", {4}, std::vector<Real>{0, 1, 1, 1})}});
  checkBoth({"eff.bitcast %a0",
             {bytes},
             {Tensor("i8", {4}, std::vector<Real>{0, 1, 2, -1})}});
}

} // namespace
