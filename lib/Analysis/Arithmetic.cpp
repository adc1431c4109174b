// The arithmetic of unary and binary operations on single elements.
#include "effc/Analysis/Arithmetic.h"
#include <cmath>

using namespace effc::eff;

namespace effc {

std::optional<double> applyFloat(UnaryKind kind, double x) {
  switch (kind) {
  case UnaryKind::Abs:
    return std::abs(x);
  case UnaryKind::Neg:
    return -x;
  case UnaryKind::Exp:
    return std::exp(x);
  case UnaryKind::Log:
    return std::log(x);
  case UnaryKind::Sqrt:
    return std::sqrt(x);
  case UnaryKind::Reciprocal:
    return 1.0 / x;
  case UnaryKind::Sin:
    return std::sin(x);
  case UnaryKind::Cos:
    return std::cos(x);
  case UnaryKind::Tanh:
    return std::tanh(x);
  case UnaryKind::Erf:
    return std::erf(x);
  case UnaryKind::Sigmoid:
    return 1.0 / (1.0 + std::exp(-x));
  case UnaryKind::Ceil:
    return std::ceil(x);
  case UnaryKind::Floor:
    return std::floor(x);
  case UnaryKind::Round:
    return std::nearbyint(x);
  case UnaryKind::Sign:
    return static_cast<double>((x > 0) - (x < 0));
  case UnaryKind::Relu:
    return x < 0 ? 0.0 : x;
  default:
    return std::nullopt;
  }
}

std::optional<int64_t> applyInt(UnaryKind kind, int64_t x) {
  switch (kind) {
  case UnaryKind::Abs:
    return x < 0 ? static_cast<int64_t>(-static_cast<uint64_t>(x)) : x;
  case UnaryKind::Neg:
    return static_cast<int64_t>(-static_cast<uint64_t>(x));
  case UnaryKind::Sign:
    return (x > 0) - (x < 0);
  case UnaryKind::Relu:
    return std::max<int64_t>(x, 0);
  case UnaryKind::Not:
    return x == 0;
  case UnaryKind::BitNot:
    return ~x;
  default:
    return std::nullopt;
  }
}

std::optional<double> applyFloat(BinaryKind kind, double a, double b) {
  switch (kind) {
  case BinaryKind::Add:
    return a + b;
  case BinaryKind::Sub:
    return a - b;
  case BinaryKind::Mul:
    return a * b;
  case BinaryKind::Div:
    return a / b;
  case BinaryKind::FMod:
    return std::fmod(a, b);
  case BinaryKind::Pow:
    return std::pow(a, b);
  case BinaryKind::Max:
    return std::isnan(a) || a > b ? a : b;
  case BinaryKind::Min:
    return std::isnan(a) || a < b ? a : b;
  default:
    return std::nullopt;
  }
}

std::optional<int64_t> applyInt(BinaryKind kind, int64_t a, int64_t b) {
  auto x = static_cast<uint64_t>(a), y = static_cast<uint64_t>(b);
  bool isDivision = kind == BinaryKind::Div || kind == BinaryKind::Mod ||
                    kind == BinaryKind::FMod;
  if (isDivision && (b == 0 || b == -1))
    return b == 0 || kind != BinaryKind::Div
               ? (b == 0 ? std::nullopt : std::optional<int64_t>(0))
               : std::optional(static_cast<int64_t>(-x));
  switch (kind) {
  case BinaryKind::Add:
    return static_cast<int64_t>(x + y);
  case BinaryKind::Sub:
    return static_cast<int64_t>(x - y);
  case BinaryKind::Mul:
    return static_cast<int64_t>(x * y);
  case BinaryKind::Div:
    return a / b;
  case BinaryKind::FMod:
    return a % b;
  case BinaryKind::Mod:
    return a % b + ((a % b != 0 && (a % b < 0) != (b < 0)) ? b : 0);
  case BinaryKind::Max:
    return std::max(a, b);
  case BinaryKind::Min:
    return std::min(a, b);
  case BinaryKind::And:
    return a & b;
  case BinaryKind::Or:
    return a | b;
  case BinaryKind::Xor:
    return a ^ b;
  default:
    return std::nullopt;
  }
}

} // namespace effc
