// Functions of f32 against libm in f64: everywhere within a few units in the
// last place, right at the edges.
#include "KernelFixture.h"

#include "llvm/Support/FormatVariadic.h"
#include <cmath>
#include <limits>
#include <random>

using namespace effc;
using namespace mlir;

namespace {

constexpr float inf = std::numeric_limits<float>::infinity();
const float nan = std::nanf("");

class MathTest : public KernelFixture {
protected:
  std::vector<float> apply(const std::string &op, std::vector<float> x,
                           std::vector<float> y = {}) {
    const char *text = R"mlir(
func.func @f(%x: memref<?xf32>, %y: memref<?xf32>, %z: memref<?xf32>, %lo: index, %hi: index,
             %scratch: memref<?xi8>) attributes {{effk.kernel, effk.results = 1 : i64} {{
  %c1 = arith.constant 1 : index
  scf.for %i = %lo to %hi step %c1 {{
    %a = memref.load %x[%i] : memref<?xf32>
    %b = memref.load %y[%i] : memref<?xf32>
    %r = math.{0} {1} : f32
    memref.store %r, %z[%i] : memref<?xf32>
  }
  return
})mlir";
    auto kernels = compile(
        llvm::formatv(text, op, y.empty() ? "%a" : "%a, %b").str(), "v3");
    std::vector<float> z(x.size());
    if (y.empty())
      y = x;
    if (kernels)
      kernels->run("f", {x.data(), y.data(), z.data()}, {}, 0, x.size());
    return z;
  }

  /// Compares on [low, high] with a bound on the error relative to the result.
  void check(const std::string &op, double (*exact)(double), float low,
             float high, double bound) {
    std::mt19937 engine(7);
    std::uniform_real_distribution<float> values(low, high);
    std::vector<float> x(100003);
    for (float &value : x)
      value = values(engine);
    std::vector<float> z = apply(op, x);
    double worst = 0.0;
    float at = 0.0f;
    for (size_t i = 0; i < x.size(); ++i) {
      double want = exact(x[i]);
      double error = std::fabs(z[i] - want) / std::max(std::fabs(want), 1e-37);
      if (!(error <= worst)) {
        worst = error;
        at = x[i];
      }
    }
    EXPECT_LE(worst, bound) << op << " at " << at;
  }

  void checkEdges(const std::string &op, double (*exact)(double)) {
    std::vector<float> x = {0.0f,   -0.0f,  inf,     -inf, nan,  1e30f,
                            -1e30f, 1e-40f, -1e-40f, 1.0f, -1.0f};
    std::vector<float> z = apply(op, x);
    for (size_t i = 0; i < x.size(); ++i) {
      float want = static_cast<float>(exact(x[i]));
      if (std::isnan(want))
        EXPECT_TRUE(std::isnan(z[i])) << op << "(" << x[i] << ") is " << z[i];
      else if (std::isinf(want) || want == 0.0f)
        EXPECT_TRUE(z[i] == want && std::signbit(z[i]) == std::signbit(want))
            << op << "(" << x[i] << ") is " << z[i];
      else
        EXPECT_NEAR(z[i], want, 3e-7f * std::fabs(want))
            << op << "(" << x[i] << ")";
    }
  }
};

TEST_F(MathTest, Exponentials) {
  check("exp", std::exp, -86.9f, 88.7f, 3e-7);
  check("exp2", std::exp2, -125.0f, 127.9f, 3e-7);
  check("expm1", std::expm1, -1.0f, 1.0f, 3e-7);
  check("expm1", std::expm1, -20.0f, 80.0f, 3e-7);
  for (auto [op, exact] :
       {std::pair<const char *, double (*)(double)>{"exp", std::exp},
        {"exp2", std::exp2},
        {"expm1", std::expm1}})
    checkEdges(op, exact);
}

TEST_F(MathTest, Logarithms) {
  check("log", std::log, 0.0f, 3.0f, 3e-7);
  check("log", std::log, 0.0f, 3e38f, 3e-7);
  check("log2", std::log2, 0.5f, 100.0f, 3e-7);
  check("log10", std::log10, 0.0f, 1e6f, 3e-7);
  check("log1p", std::log1p, -0.9f, 1.0f, 3e-7);
  check("log1p", std::log1p, -1e-3f, 1e-3f, 3e-7);
  for (auto [op, exact] :
       {std::pair<const char *, double (*)(double)>{"log", std::log},
        {"log2", std::log2},
        {"log10", std::log10},
        {"log1p", std::log1p}})
    checkEdges(op, exact);
}

TEST_F(MathTest, SaturatingFunctions) {
  check("tanh", std::tanh, -1.0f, 1.0f, 4e-7);
  check("tanh", std::tanh, -12.0f, 12.0f, 4e-7);
  check("erf", std::erf, -1.0f, 1.0f, 4e-7);
  check("erf", std::erf, -6.0f, 6.0f, 4e-7);
  checkEdges("tanh", std::tanh);
  checkEdges("erf", std::erf);
}

TEST_F(MathTest, TrigonometricFunctions) {
  for (float range : {1.0f, 100.0f, 1e6f}) {
    check("sin", std::sin, -range, range, 3e-7);
    check("cos", std::cos, -range, range, 3e-7);
  }
  // The way to the quadrant is another from 2^50 on.
  for (auto [low, high] : {std::pair(1e6f, 4e15f),
                           {1e15f, 1e24f},
                           {1e22f, 1e31f},
                           {1e30f, 3.4e38f}}) {
    check("sin", std::sin, low, high, 1e-6);
    check("cos", std::cos, -high, -low, 1e-6);
  }
  checkEdges("cos", std::cos);
  std::vector<float> special = apply("sin", {0.0f, -0.0f, inf, nan});
  EXPECT_EQ(special[0], 0.0f);
  EXPECT_TRUE(std::isnan(special[2]) && std::isnan(special[3]));
}

TEST_F(MathTest, Powers) {
  std::mt19937 engine(7);
  std::uniform_real_distribution<float> bases(0.0f, 20.0f),
      exponents(-12.0f, 12.0f);
  std::vector<float> x, y;
  for (int i = 0; i < 20000; ++i) {
    x.push_back(bases(engine));
    y.push_back(exponents(engine));
  }
  for (float base :
       {0.0f, -0.0f, 1.0f, -1.0f, 2.0f, -2.0f, 0.5f, inf, -inf, nan, 1e-40f})
    for (float exponent : {0.0f, -0.0f, 1.0f, -1.0f, 2.0f, 3.0f, -3.0f, 0.5f,
                           1.5f, inf, -inf, nan, 1e10f}) {
      x.push_back(base);
      y.push_back(exponent);
    }
  std::vector<float> z = apply("powf", x, y);
  for (size_t i = 0; i < x.size(); ++i) {
    float want = static_cast<float>(
        std::pow(static_cast<double>(x[i]), static_cast<double>(y[i])));
    bool same = std::isnan(want) ? std::isnan(z[i])
                                 : want == z[i] || std::fabs(z[i] - want) <=
                                                       3e-7f * std::fabs(want);
    EXPECT_TRUE(same) << x[i] << "^" << y[i] << " is " << z[i] << ", expected "
                      << want;
  }
}

TEST_F(MathTest, PlainPathCallsLibm) {
  EmitOptions options;
  options.plain = true;
  auto kernels = compile(R"mlir(
func.func @f(%x: memref<?xf32>, %y: memref<?xf64>, %z: memref<?xf64>, %lo: index, %hi: index,
             %scratch: memref<?xi8>) attributes {effk.kernel, effk.results = 1 : i64} {
  %a = memref.load %x[%lo] : memref<?xf32>
  %b = memref.load %y[%lo] : memref<?xf64>
  %c = math.erf %a : f32
  %d = math.log1p %b : f64
  %e = arith.extf %c : f32 to f64
  %f = arith.addf %d, %e : f64
  memref.store %f, %z[%lo] : memref<?xf64>
  return
})mlir",
                         "v3", options);
  ASSERT_TRUE(kernels);
  float x = 0.7f;
  double y = 1e-12, z = 0.0;
  kernels->run("f", {&x, &y, &z}, {}, 0, 1);
  EXPECT_EQ(z, std::log1p(y) + static_cast<double>(std::erf(x)));
}

/// Quotients by a constant have the bits of a division, half way between
/// integers as well, where rounding would show it.
TEST_F(MathTest, ConstantQuotients) {
  const char *text = R"mlir(
func.func @f(%x: memref<?xf32>, %z: memref<?xf32>, %lo: index, %hi: index,
             %scratch: memref<?xi8>) attributes {{effk.kernel, effk.results = 1 : i64} {{
  %c1 = arith.constant 1 : index
  %c = arith.constant {0} : f32
  scf.for %i = %lo to %hi step %c1 {{
    %a = memref.load %x[%i] : memref<?xf32>
    %r = arith.divf %a, %c : f32
    memref.store %r, %z[%i] : memref<?xf32>
  }
  return
})mlir";
  for (float c : {0.0123456789F, -3.0F, 1.1754945e-10F, 0.99999994F, 7.5e8F}) {
    std::vector<float> x = {0.0F, -0.0F, inf, -inf, nan, 1e-20F, -1e20F, c};
    for (int k = -300; k < 300; ++k) {
      float half = (static_cast<float>(k) + 0.5F) * c;
      x.insert(x.end(),
               {half, std::nextafter(half, inf), std::nextafter(half, -inf)});
    }
    char number[32];
    std::snprintf(number, sizeof number, "%.9e", c);
    auto kernels = compile(llvm::formatv(text, number).str(), "v3");
    ASSERT_TRUE(kernels);
    std::vector<float> z(x.size());
    kernels->run("f", {x.data(), z.data()}, {}, 0, x.size());
    for (size_t i = 0; i < x.size(); ++i) {
      float want = x[i] / c;
      if (std::isnan(want))
        EXPECT_TRUE(std::isnan(z[i])) << x[i] << " / " << c;
      else
        EXPECT_TRUE(z[i] == want && std::signbit(z[i]) == std::signbit(want))
            << x[i] << " / " << c << " is " << z[i];
    }
  }
}

} // namespace
