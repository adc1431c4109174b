// Arithmetic on polynomials of values; see Polynomial.h.
#include "Polynomial.h"

using namespace mlir;
using namespace effc::eff;

namespace effc::raise {

static Polynomial times(const Polynomial &p, const Polynomial &q) {
  Polynomial product;
  for (const auto &[i, v] : p)
    for (const auto &[j, w] : q)
      product[{i.first + j.first, i.second + j.second}] += v * w;
  return product;
}

static Polynomial plus(Polynomial p, const Polynomial &q, double factor) {
  for (const auto &[i, v] : q)
    p[i] += factor * v;
  return p;
}

static std::optional<double> getConstant(const Polynomial &p) {
  if (p.size() != 1 || p.begin()->first != std::pair(0, 0))
    return std::nullopt;
  return p.begin()->second;
}

static std::optional<Polynomial> combine(BinaryKind kind, const Polynomial &a,
                                         const Polynomial &b) {
  switch (kind) {
  case BinaryKind::Add:
    return plus(a, b, 1.0);
  case BinaryKind::Sub:
    return plus(a, b, -1.0);
  case BinaryKind::Mul:
    return times(a, b);
  case BinaryKind::Div:
    if (auto divisor = getConstant(b); divisor && *divisor != 0)
      return times(a, {{{0, 0}, 1 / *divisor}});
    return std::nullopt;
  case BinaryKind::Pow:
    if (auto power = getConstant(b); power == 2.0)
      return times(a, a);
    else if (power == 3.0)
      return times(a, times(a, a));
    return std::nullopt;
  default:
    return std::nullopt;
  }
}

static std::optional<Polynomial> getPolynomial(Value value, Value x, Value a,
                                               Match &match, unsigned depth) {
  if (isSame(value, x))
    return Polynomial{{{1, 0}, 1.0}};
  if (a && isSame(value, a)) {
    // Converts between the anchor and its use are inside the pattern.
    match.findAny(value);
    return Polynomial{{{0, 1}, 1.0}};
  }
  if (auto number = getScalar(value))
    return Polynomial{{{0, 0}, *number}};
  if (depth == 0)
    return std::nullopt;
  Operation *op = match.findAny(value);
  auto unary = dyn_cast_or_null<UnaryOp>(op);
  if (unary && unary.getKind() == UnaryKind::Neg) {
    auto inner = getPolynomial(unary.getX(), x, a, match, depth - 1);
    return inner ? std::optional(plus({}, *inner, -1.0)) : std::nullopt;
  }
  auto binary = dyn_cast_or_null<BinaryOp>(op);
  if (!binary)
    return std::nullopt;
  auto left = getPolynomial(binary.getA(), x, a, match, depth - 1);
  auto right =
      left ? getPolynomial(binary.getB(), x, a, match, depth - 1) : left;
  return right ? combine(binary.getKind(), *left, *right) : std::nullopt;
}

std::optional<Polynomial> getPolynomial(Value value, Value x, Value a,
                                        Match &match) {
  Match found = match;
  auto polynomial = getPolynomial(value, x, a, found, /*depth=*/9);
  if (polynomial)
    match = found;
  return polynomial;
}

bool isClose(const std::optional<Polynomial> &polynomial,
             const Polynomial &ideal) {
  if (!polynomial)
    return false;
  Polynomial terms = *polynomial;
  for (const auto &[power, coefficient] : ideal) {
    auto found = terms.find(power);
    if (found == terms.end() || !isClose(found->second, coefficient))
      return false;
    terms.erase(found);
  }
  return llvm::all_of(
      terms, [](const auto &term) { return std::abs(term.second) <= 1e-9; });
}

} // namespace effc::raise
