// Elementwise ops on every element type, with the values where implementations
// differ.
#include "LoopCase.h"
#include <cmath>
#include <functional>

using namespace effc;

namespace {

const std::vector<Real> specialFloats = {
    0, -0.0L, 1,  -1,  0.5L, -0.5L, 1.5L, 2.5L, -2.5L, 0.25L, 1e-30L,
    3, -3,    10, -10, 50,   -50,   95,   -110, NaN,   inf,   -inf};

/// Special values, then random ones; 65 in all, so that vectors have a rest.
Tensor floatsFor(const std::string &element, double low = -4, double high = 4) {
  Random random;
  Tensor x = random.floats({5, 13}, low, high, element);
  for (size_t i = 0; i < specialFloats.size(); ++i)
    x.values[i] = roundTo(element, specialFloats[i]);
  return x;
}

Tensor integersFor(const std::string &element, int64_t low, int64_t high) {
  Random random;
  Tensor x = random.integers({5, 13}, low, high, element);
  for (size_t i = 0; i < 4; ++i)
    x.values[i] =
        std::vector<Real>{lowestOf(element), highestOf(element), 0, 1}[i];
  return x;
}

double toleranceOf(const std::string &element) {
  if (element == "f16")
    return 1.5e-3;
  return element == "bf16" ? 1e-2 : 1e-5;
}

template <typename Fn> Tensor map(const Tensor &x, Fn fn) {
  return tabulate(x.element, x.shape,
                  [&](const Shape &index) { return fn(x.at(index)); });
}

struct UnaryCase {
  std::string kind;
  std::function<Real(Real)> fn;
  std::string attributes = "";
};

Real sigmoid(Real x) { return 1 / (1 + std::exp(-x)); }
Real softplus(Real x) {
  return std::fmax(x, 0) + std::log1p(std::exp(-std::fabs(x))) +
         (x - x == 0 || x > 0 || x < 0 ? 0 : x);
}
Real clamp(Real x, Real low, Real high) {
  return std::isnan(x) ? x : std::fmin(std::fmax(x, low), high);
}

std::vector<UnaryCase> mathCases() {
  using R = Real;
  return {
      {"abs", [](R x) { return std::fabs(x); }},
      {"neg", [](R x) { return -x; }},
      {"exp", [](R x) { return std::exp(x); }},
      {"log", [](R x) { return std::log(x); }},
      {"sqrt", [](R x) { return std::sqrt(x); }},
      {"reciprocal", [](R x) { return 1 / x; }},
      {"sin", [](R x) { return std::sin(x); }},
      {"cos", [](R x) { return std::cos(x); }},
      {"tan", [](R x) { return std::tan(x); }},
      {"asin", [](R x) { return std::asin(x); }},
      {"acos", [](R x) { return std::acos(x); }},
      {"atan", [](R x) { return std::atan(x); }},
      {"sinh", [](R x) { return std::sinh(x); }},
      {"cosh", [](R x) { return std::cosh(x); }},
      {"asinh", [](R x) { return std::asinh(x); }},
      {"acosh", [](R x) { return std::acosh(x); }},
      {"atanh", [](R x) { return std::atanh(x); }},
      {"tanh", [](R x) { return std::tanh(x); }},
      {"erf", [](R x) { return std::erf(x); }},
      {"ceil", [](R x) { return std::ceil(x); }},
      {"floor", [](R x) { return std::floor(x); }},
      {"round", [](R x) { return std::nearbyint(x); }},
      {"sign", [](R x) -> R { return x > 0   ? 1
                                     : x < 0 ? -1
                                             : x; }},
  };
}

std::vector<UnaryCase> activationCases() {
  using R = Real;
  return {
      {"relu", [](R x) { return x < 0 ? 0 : x; }},
      {"leaky_relu", [](R x) { return x < 0 ? 0.125L * x : x; },
       "{alpha = 0.125 : f64}"},
      {"elu", [](R x) { return x < 0 ? 0.5L * std::expm1(x) : x; },
       "{alpha = 0.5 : f64, beta = 0x7FF0000000000000 : f64}"},
      {"celu", [](R x) { return x < 0 ? 0.5L * std::expm1(x / 0.5L) : x; },
       "{alpha = 0.5 : f64, beta = 0x7FF0000000000000 : f64}"},
      {"selu", [](R x) { return 2 * (x < 0 ? 0.5L * std::expm1(x) : x); },
       "{alpha = 0.5 : f64, beta = 2.0 : f64}"},
      {"thresholded_relu", [](R x) { return x > 1.5L ? x : 0; },
       "{alpha = 1.5 : f64}"},
      {"softplus", softplus},
      {"softsign", [](R x) { return x / (1 + std::fabs(x)); }},
      {"sigmoid", sigmoid},
      {"hard_sigmoid", [](R x) { return clamp(0.25L * x + 0.5L, 0, 1); },
       "{alpha = 0.25 : f64, beta = 0.5 : f64}"},
      {"hard_swish", [](R x) { return x * clamp(x / 6 + 0.5L, 0, 1); }},
      {"mish", [](R x) { return x * std::tanh(softplus(x)); }},
      {"silu", [](R x) { return x * sigmoid(x); }},
      {"quick_gelu", [](R x) { return x * sigmoid(1.702L * x); },
       "{alpha = 1.702 : f64}"},
      {"gelu", [](R x) { return x / 2 * (1 + std::erf(x / std::sqrt(2.0L))); }},
      {"gelu_tanh",
       [](R x) {
         R inner =
             std::sqrt(2 / std::acos(-1.0L)) * (x + 0.044715L * x * x * x);
         return x / 2 * (1 + std::tanh(inner));
       }},
      {"clip", [](R x) { return clamp(x, -0.5L, 1.25L); },
       "{alpha = -0.5 : f64, beta = 1.25 : f64}"},
  };
}

class UnaryFloats : public testing::TestWithParam<std::string> {};

TEST_P(UnaryFloats, Math) {
  for (const UnaryCase &unary : mathCases()) {
    SCOPED_TRACE(unary.kind);
    Tensor x = floatsFor(GetParam(), -2, 2);
    check({"eff.unary " + unary.kind + " %a0",
           {x},
           {map(x, unary.fn)},
           {},
           {{13, "s0"}},
           toleranceOf(GetParam())});
  }
}

TEST_P(UnaryFloats, Activations) {
  for (const UnaryCase &unary : activationCases()) {
    SCOPED_TRACE(unary.kind);
    Tensor x = floatsFor(GetParam());
    check({"eff.unary " + unary.kind + " %a0 " + unary.attributes,
           {x},
           {map(x, unary.fn)},
           {},
           {},
           toleranceOf(GetParam())});
  }
}

TEST_P(UnaryFloats, Predicates) {
  Tensor x = floatsFor(GetParam());
  auto expect = [&](const std::string &text, auto fn) {
    Tensor y = tabulate("i1", x.shape,
                        [&](const Shape &at) -> Real { return fn(x.at(at)); });
    check({text, {x}, {y}});
  };
  expect("eff.unary isnan %a0", [](Real v) { return std::isnan(v); });
  expect("eff.unary isinf %a0 {alpha = 1.0 : f64, beta = 1.0 : f64}",
         [](Real v) { return std::isinf(v); });
  expect("eff.unary isinf %a0 {alpha = 1.0 : f64, beta = 0.0 : f64}",
         [](Real v) { return v == -inf; });
  expect("eff.unary isinf %a0 {alpha = 0.0 : f64, beta = 1.0 : f64}",
         [](Real v) { return v == inf; });
}

INSTANTIATE_TEST_SUITE_P(Elementwise, UnaryFloats,
                         testing::Values("f32", "f64", "f16", "bf16"));

TEST(Elementwise, ClipWithOneBound) {
  Tensor x = floatsFor("f32");
  check({"eff.unary clip %a0 {alpha = 0.5 : f64, beta = 0x7FF0000000000000 : "
         "f64}",
         {x},
         {map(x, [](Real v) { return clamp(v, 0.5L, inf); })}});
  check({"eff.unary clip %a0 {alpha = 0xFFF0000000000000 : f64, beta = 0.5 : "
         "f64}",
         {x},
         {map(x, [](Real v) { return clamp(v, -inf, 0.5L); })}});
  Tensor n = integersFor("i32", -9, 9);
  check({"eff.unary clip %a0 {alpha = 0xFFF0000000000000 : f64, beta = -1.0 : "
         "f64}",
         {n},
         {map(n, [](Real v) { return std::fmin(v, -1); })}});
  check({"eff.unary clip %a0 {alpha = 2.0 : f64, beta = 0x7FF0000000000000 : "
         "f64}",
         {n},
         {map(n, [](Real v) { return std::fmax(v, 2); })}});
}

TEST(Elementwise, ClipOfIntegersWithHugeBounds) {
  // 2^63 - 1 is no double; exporters write it for "no bound".
  Tensor x = integersFor("i64", -100, 100);
  check({"eff.unary clip %a0 {alpha = 0.0 : f64, beta = "
         "9223372036854775807.0 : f64}",
         {x},
         {map(x, [](Real v) { return std::fmax(v, 0); })}});
  Tensor y = integersFor("ui8", 0, 200);
  check({"eff.unary clip %a0 {alpha = -5.0 : f64, beta = 300.0 : f64}",
         {y},
         {y}});
  Tensor z = integersFor("i32", -100, 100);
  check({"eff.unary clip %a0 {alpha = -1.0e30 : f64, beta = 1.0e30 : f64}",
         {z},
         {z}});
}

class UnaryIntegers : public testing::TestWithParam<std::string> {};

TEST_P(UnaryIntegers, AllKinds) {
  const std::string &element = GetParam();
  Tensor x = integersFor(element, element[0] == 'u' ? 0 : -100, 100);
  auto expect = [&](const std::string &kind, auto fn) {
    SCOPED_TRACE(kind);
    check({"eff.unary " + kind, {x}, {map(x, fn)}});
  };
  expect("abs %a0", [](Real v) { return std::fabs(v); });
  expect("neg %a0", [](Real v) { return -v; });
  expect("sign %a0", [](Real v) -> Real { return (v > 0) - (v < 0); });
  expect("relu %a0", [](Real v) { return std::fmax(v, 0); });
  expect("bit_not %a0", [](Real v) { return -v - 1; });
  expect("clip %a0 {alpha = 3.0 : f64, beta = 70.0 : f64}",
         [](Real v) { return clamp(v, 3, 70); });
}

INSTANTIATE_TEST_SUITE_P(Elementwise, UnaryIntegers,
                         testing::Values("i64", "i32", "i8", "ui8", "ui64"));

// ---- Two operands ----

/// An integer brought into the range of the element type.
Real wrap(const std::string &element, __int128 value) {
  uint64_t bits = static_cast<uint64_t>(value);
  int width = getWidth(element);
  if (width < 64)
    bits &= (uint64_t(1) << width) - 1;
  Real result = bits;
  return result > highestOf(element) ? result - std::ldexp(Real(1), width)
                                     : result;
}

__int128 power(const std::string &element, __int128 x, __int128 y) {
  if (y < 0)
    return x == 1 ? 1 : x == -1 ? (y % 2 ? -1 : 1) : 0;
  __int128 result = 1;
  for (__int128 i = 0; i < y && i < 200; ++i)
    result = static_cast<__int128>(
        wrap(element, static_cast<__int128>(static_cast<uint64_t>(result) *
                                            static_cast<uint64_t>(x))));
  return result;
}

template <typename Fn>
Tensor zip(const std::string &element, const Shape &shape, const Tensor &a,
           const Tensor &b, Fn fn) {
  return tabulate(element, shape, [&](const Shape &index) -> Real {
    return fn(a.broadcast(index), b.broadcast(index));
  });
}

Real floorMod(Real x, Real y) {
  Real remainder = std::fmod(x, y);
  return remainder * y < 0 ? remainder + y : remainder;
}

class BinaryFloats : public testing::TestWithParam<std::string> {};

TEST_P(BinaryFloats, AllKinds) {
  const std::string &element = GetParam();
  std::vector<std::pair<std::string, std::function<Real(Real, Real)>>> cases = {
      {"add", [](Real x, Real y) { return x + y; }},
      {"sub", [](Real x, Real y) { return x - y; }},
      {"mul", [](Real x, Real y) { return x * y; }},
      {"div", [](Real x, Real y) { return x / y; }},
      {"mod", floorMod},
      {"fmod", [](Real x, Real y) { return std::fmod(x, y); }},
      {"max",
       [](Real x, Real y) {
         return x != x ? x : y != y ? y : std::fmax(x, y);
       }},
      {"min",
       [](Real x, Real y) {
         return x != x ? x : y != y ? y : std::fmin(x, y);
       }},
      {"prelu", [](Real x, Real y) { return x < 0 ? x * y : x; }},
  };
  Random random;
  Tensor a = floatsFor(element), b = random.floats({5, 13}, -3, 3, element);
  for (size_t i = 0; i < 12; ++i)
    b.values[i] = std::vector<Real>{2, -2, 0, 1, -1, 0.5L}[i % 6];
  b.values[20] = NaN;
  b.values[30] = inf;
  for (auto &[kind, fn] : cases) {
    SCOPED_TRACE(kind);
    check({"eff.binary " + kind + " %a0, %a1",
           {a, b},
           {zip(element, {5, 13}, a, b, fn)},
           {},
           {{13, "s0"}},
           toleranceOf(element)});
  }
}

TEST_P(BinaryFloats, Pow) {
  const std::string &element = GetParam();
  Random random;
  Tensor a = random.floats({5, 13}, 0.1, 3, element);
  Tensor b = random.floats({5, 13}, -3, 3, element);
  const std::vector<std::pair<Real, Real>> pairs = {
      {0, 0},      {0, 2},    {0, -1},  {-2, 3},  {-2, 2},
      {-2, 0.5L},  {1, NaN},  {NaN, 0}, {inf, 2}, {2, inf},
      {0.5L, inf}, {-inf, 3}, {2, -inf}};
  for (size_t i = 0; i < pairs.size(); ++i)
    std::tie(a.values[i], b.values[i]) = pairs[i];
  check({"eff.binary pow %a0, %a1",
         {a, b},
         {zip(element, {5, 13}, a, b,
              [](Real x, Real y) { return std::pow(x, y); })},
         {},
         {},
         toleranceOf(element)});
}

INSTANTIATE_TEST_SUITE_P(Elementwise, BinaryFloats,
                         testing::Values("f32", "f64", "f16", "bf16"));

class BinaryIntegers : public testing::TestWithParam<std::string> {};

TEST_P(BinaryIntegers, AllKinds) {
  const std::string &element = GetParam();
  using I = __int128;
  std::vector<std::pair<std::string, std::function<I(I, I)>>> cases = {
      {"add", [](I x, I y) { return x + y; }},
      {"sub", [](I x, I y) { return x - y; }},
      {"mul", [](I x, I y) { return x * y; }},
      {"div", [](I x, I y) { return x / y; }},
      {"mod", [](I x, I y) { return (x % y + y) % y; }},
      {"fmod", [](I x, I y) { return x % y; }},
      {"max", [](I x, I y) { return x > y ? x : y; }},
      {"min", [](I x, I y) { return x < y ? x : y; }},
      {"and", [](I x, I y) { return x & y; }},
      {"or", [](I x, I y) { return x | y; }},
      {"xor", [](I x, I y) { return x ^ y; }},
      {"prelu", [](I x, I y) { return x < 0 ? x * y : x; }},
  };
  bool isUnsigned = element[0] == 'u';
  Tensor a = integersFor(element, isUnsigned ? 0 : -100, 100);
  Tensor b = integersFor(element, isUnsigned ? 1 : -9, 9);
  for (Real &value : b.values)
    value = value == 0 ? 1 : value;
  b.values[0] = isUnsigned ? 3 : -1; // lowest / -1
  a.values[1] = lowestOf(element);   // lowest / highest
  for (auto &[kind, fn] : cases) {
    SCOPED_TRACE(kind);
    auto apply = [&, &fn = fn](Real x, Real y) {
      return wrap(element, fn(static_cast<I>(x), static_cast<I>(y)));
    };
    check({"eff.binary " + kind + " %a0, %a1",
           {a, b},
           {zip(element, {5, 13}, a, b, apply)}});
  }
}

TEST_P(BinaryIntegers, PowAndShifts) {
  const std::string &element = GetParam();
  bool isUnsigned = element[0] == 'u';
  Tensor a = integersFor(element, isUnsigned ? 0 : -5, 5);
  Tensor b = integersFor(element, isUnsigned ? 0 : -3, 20);
  b.values[0] = b.values[1] = 3;
  check({"eff.binary pow %a0, %a1",
         {a, b},
         {zip(element, {5, 13}, a, b, [&](Real x, Real y) {
           return wrap(element, power(element, x, y));
         })}});
  if (!isUnsigned)
    return;
  Tensor by = integersFor(element, 0, 9);
  by.values[5] = getWidth(element);
  auto shift = [&](bool left) {
    return zip(element, {5, 13}, a, by, [&](Real x, Real y) -> Real {
      if (y >= getWidth(element))
        return 0;
      __int128 value = x;
      int amount = y;
      return wrap(element, left ? value << amount : value >> amount);
    });
  };
  check({"eff.binary shl %a0, %a1", {a, by}, {shift(true)}});
  check({"eff.binary shr %a0, %a1", {a, by}, {shift(false)}});
}

TEST_P(BinaryIntegers, ReportsDivisionByZero) {
  const std::string &element = GetParam();
  Tensor a = integersFor(element, 0, 100), b = a;
  for (const char *kind : {"div", "mod", "fmod"}) {
    LoopCase c{std::string("eff.binary ") + kind + " %a0, %a1", {a, b}, {a}};
    c.error = 2;
    check(c);
    // A divisor that the compiler knows.
    c.inputs[1] = Tensor(element, {}, 0);
    c.constants = {1};
    check(c);
  }
}

INSTANTIATE_TEST_SUITE_P(Elementwise, BinaryIntegers,
                         testing::Values("i64", "i32", "i8", "ui8", "ui64"));

TEST(Elementwise, PowWithAnotherExponentType) {
  Random random;
  Tensor a = random.floats({7}, 0.5, 3), n = random.integers({7}, -3, 3);
  check(
      {"eff.binary pow %a0, %a1",
       {a, n},
       {zip("f32", {7}, a, n, [](Real x, Real y) { return std::pow(x, y); })}});
  Tensor i = random.integers({7}, 1, 9, "i32"), f = random.floats({7}, 0, 2);
  check({"eff.binary pow %a0, %a1",
         {i, f},
         {zip("i32", {7}, i, f,
              [](Real x, Real y) { return std::trunc(std::pow(x, y)); })}});
}

/// An exponent is negative by its own signedness, not by the base's.
TEST(Elementwise, PowBySignednessOfTheExponent) {
  auto expect = [](const Tensor &a, const Tensor &b) {
    check({"eff.binary pow %a0, %a1",
           {a, b},
           {zip(a.element, a.shape, a, b, [&](Real x, Real y) {
             return wrap(a.element, power(a.element, x, y));
           })}});
  };
  Tensor large("ui8", {5}, {130, 199, 128, 131, 200});
  Tensor negative("i8", {5}, {-1, -2, -3, -1, -4});
  expect(Tensor("ui8", {5}, {1, 3, 2, 5, 255}), large);
  expect(Tensor("i32", {5}, {1, 3, 2, -1, -1}), large);
  expect(Tensor("i8", {5}, {1, 3, -1, -1, -1}), large);
  expect(Tensor("ui8", {5}, {1, 3, 2, 255, 0}), negative);
  expect(Tensor("i32", {5}, {1, 3, 2, -1, -1}), negative);
}

TEST(Elementwise, Logic) {
  Random random;
  Tensor a = random.integers({9, 7}, 0, 1, "i1"),
         b = random.integers({9, 7}, 0, 1, "i1");
  auto expect = [&](const std::string &kind, auto fn) {
    check({"eff.binary " + kind + " %a0, %a1",
           {a, b},
           {zip("i1", {9, 7}, a, b, fn)}});
  };
  expect("and", [](bool x, bool y) { return x && y; });
  expect("or", [](bool x, bool y) { return x || y; });
  expect("xor", [](bool x, bool y) { return x != y; });
  check({"eff.unary not %a0", {a}, {map(a, [](Real v) { return v == 0; })}});
}

// ---- Comparison, choice, conversion ----

TEST(Elementwise, Compare) {
  std::vector<std::pair<std::string, std::function<bool(Real, Real)>>> cases = {
      {"eq", std::equal_to<Real>()}, {"ne", std::not_equal_to<Real>()},
      {"lt", std::less<Real>()},     {"le", std::less_equal<Real>()},
      {"gt", std::greater<Real>()},  {"ge", std::greater_equal<Real>()}};
  for (std::string element :
       {"f32", "f16", "f64", "i64", "i32", "ui8", "ui64", "i1"}) {
    Random random;
    Tensor a = isFloatElement(element) ? floatsFor(element)
               : element == "i1"       ? random.integers({5, 13}, 0, 1, "i1")
                                       : integersFor(element, 0, 3);
    Tensor b = a;
    std::shuffle(b.values.begin(), b.values.begin() + 50, random.engine);
    for (auto &[kind, fn] : cases) {
      SCOPED_TRACE(element + " " + kind);
      check({"eff.compare " + kind + " %a0, %a1",
             {a, b},
             {zip("i1", {5, 13}, a, b, fn)}});
    }
  }
}

TEST(Elementwise, SelectBroadcasts) {
  Random random;
  for (std::string element : {"f32", "f16", "i64", "i1", "ui8"}) {
    Tensor condition = random.integers({3, 1, 7}, 0, 1, "i1");
    Tensor a = random.integers({5, 7}, 0, 1, element),
           b = random.integers({1}, 0, 1, element);
    Tensor y = tabulate(element, {3, 5, 7}, [&](const Shape &at) {
      return condition.broadcast(at) ? a.broadcast(at) : b.broadcast(at);
    });
    check({"eff.select %a0, %a1, %a2",
           {condition, a, b},
           {y},
           {},
           {{3, "s0"}, {7, "s1"}}});
  }
}

Real convert(const std::string &to, Real x) {
  if (to == "i1")
    return x != 0;
  return roundTo(to, x);
}

TEST(Elementwise, ConvertBetweenAllTypes) {
  const std::vector<std::string> elements = {
      "f32", "f64", "f16",  "bf16", "i64",  "i32", "i16",
      "i8",  "ui8", "ui16", "ui32", "ui64", "i1"};
  for (const std::string &from : elements)
    for (const std::string &to : elements) {
      if (from == to)
        continue;
      SCOPED_TRACE(from + " to " + to);
      bool saturates = isFloatElement(from) && !isFloatElement(to);
      Tensor x = isFloatElement(from) ? floatsFor(from, -300, 300)
                 : from == "i1"       ? Random().integers({5, 13}, 0, 1, from)
                                      : integersFor(from, 0, 120);
      if (isFloatElement(from))
        for (size_t i = 0; i < 5; ++i)
          x.values[40 + i] = roundTo(
              from, std::vector<Real>{3e9L, -3e9L, 1e25L, -1e25L, 65520}[i]);
      Tensor y = tabulate(to, x.shape, [&](const Shape &at) -> Real {
        Real v = x.at(at);
        if (to == "i1" || !saturates)
          return convert(to, v);
        return std::isnan(v)
                   ? 0
                   : clamp(std::trunc(v), lowestOf(to), highestOf(to));
      });
      LoopCase c{"eff.convert %a0", {x}, {y}};
      c.relative = c.absolute = 0;
      check(c);
    }
}

// ---- Shapes ----

TEST(Elementwise, BroadcastsInEveryPosition) {
  Random random;
  const std::vector<std::pair<Shape, Shape>> pairs = {
      {{}, {}},           {{1}, {}},           {{7}, {1}},
      {{2, 3, 5}, {5}},   {{2, 3, 5}, {3, 1}}, {{2, 1, 5}, {1, 3, 1}},
      {{2, 3, 5}, {}},    {{1, 1, 1}, {1}},    {{4, 1, 3, 1}, {1, 2, 1, 5}},
      {{0, 3}, {3}},      {{2, 0}, {1, 1}},    {{9000}, {9000}},
      {{2, 9000}, {2, 1}}};
  for (auto &[left, right] : pairs) {
    Tensor a = random.floats(left), b = random.floats(right);
    Shape shape = left;
    for (size_t i = 0; i < right.size(); ++i) {
      int64_t &size = shape[shape.size() - right.size() + i];
      size = size == 1 ? right[i] : size;
    }
    auto subtract = [](Real x, Real y) { return x - y; };
    check({"eff.binary sub %a0, %a1",
           {a, b},
           {zip("f32", shape, a, b, subtract)},
           {},
           {{9000, "s0"}, {3, "s1"}}});
    if (a.shape == shape)
      check({"eff.binary sub %a0, %a1",
             {a, b},
             {zip("f32", shape, a, b, subtract)},
             {1}});
  }
}

TEST(Elementwise, FusesAChain) {
  Random random;
  Tensor x = random.floats({3, 17}), y = random.floats({17});
  check({R"(
  %c = eff.constant dense<2.0> : tensor<f32>
  %0 = eff.binary mul %a0, %c : ($0, tensor<f32>) -> $r
  %1 = eff.unary tanh %0 : ($r) -> $r
  %2 = eff.compare gt %1, %a1 : ($r, $1) -> $r:i1
  %r = eff.select %2, %1, %a0 : ($r:i1, $r, $0) -> $r)",
         {x, y},
         {tabulate("f32", {3, 17},
                   [&](const Shape &at) {
                     Real t = std::tanh(2 * x.at(at));
                     return t > y.broadcast(at) ? t : x.at(at);
                   })},
         {},
         {{3, "s0"}, {17, "s1"}},
         1e-5,
         1e-6,
         0,
         1});
}

} // namespace
