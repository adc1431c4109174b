// Polynomials over symbols (see SizeAlgebra.h).
#include "Eff/SizeAlgebra.h"
#include "mlir/IR/AffineMap.h"
#include "llvm/Support/MathExtras.h"
#include "llvm/Support/raw_ostream.h"

#include <numeric>

using namespace mlir;

namespace effc::eff {

/// More terms are not worth the time; such a size stays as it is written.
static constexpr size_t maxTerms = 64;

/// Symbols by position, then everything else by its text: an order that does
/// not depend on addresses.
static int compareAtoms(AffineExpr a, AffineExpr b) {
  if (a == b)
    return 0;
  auto x = dyn_cast<AffineSymbolExpr>(a), y = dyn_cast<AffineSymbolExpr>(b);
  if (x && y)
    return x.getPosition() < y.getPosition() ? -1 : 1;
  if (x || y)
    return x ? -1 : 1;
  auto text = [](AffineExpr expr) {
    std::string result;
    llvm::raw_string_ostream(result) << expr;
    return result;
  };
  return text(a).compare(text(b));
}

bool MonomialOrder::operator()(const Monomial &a, const Monomial &b) const {
  for (auto [x, y] : llvm::zip(a, b))
    if (int order = compareAtoms(x, y))
      return order < 0;
  return a.size() > b.size();
}

Polynomial Polynomial::constant(int64_t value) {
  Polynomial result;
  if (value != 0)
    result.terms[{}] = value;
  return result;
}

Polynomial Polynomial::atom(AffineExpr expr) {
  Polynomial result;
  result.terms[{expr}] = 1;
  return result;
}

std::optional<int64_t> Polynomial::getConstant() const {
  if (terms.empty())
    return 0;
  if (terms.size() == 1 && terms.begin()->first.empty())
    return terms.begin()->second;
  return std::nullopt;
}

/// False on overflow.
bool Polynomial::add(const Monomial &monomial, int64_t coefficient) {
  auto [it, isNew] = terms.try_emplace(monomial, coefficient);
  if (!isNew && llvm::AddOverflow(it->second, coefficient, it->second))
    return false;
  if (it->second == 0)
    terms.erase(it);
  return terms.size() <= maxTerms;
}

std::optional<Polynomial> Polynomial::plus(const Polynomial &other,
                                           int64_t factor) const {
  Polynomial result = *this;
  for (auto &[monomial, coefficient] : other.terms) {
    int64_t scaled;
    if (llvm::MulOverflow(coefficient, factor, scaled) ||
        !result.add(monomial, scaled))
      return std::nullopt;
  }
  return result;
}

static Monomial multiply(const Monomial &a, const Monomial &b) {
  Monomial product;
  std::merge(a.begin(), a.end(), b.begin(), b.end(),
             std::back_inserter(product),
             [](AffineExpr x, AffineExpr y) { return compareAtoms(x, y) < 0; });
  return product;
}

/// a / b when b's atoms are among a's.
static std::optional<Monomial> divide(const Monomial &a, const Monomial &b) {
  Monomial quotient = a;
  for (AffineExpr atom : b) {
    auto it = llvm::find(quotient, atom);
    if (it == quotient.end())
      return std::nullopt;
    quotient.erase(it);
  }
  return quotient;
}

std::optional<Polynomial> Polynomial::times(const Polynomial &other) const {
  if (terms.size() * other.terms.size() > maxTerms)
    return std::nullopt;
  Polynomial result;
  for (auto &[a, x] : terms)
    for (auto &[b, y] : other.terms) {
      int64_t coefficient;
      if (llvm::MulOverflow(x, y, coefficient) ||
          !result.add(multiply(a, b), coefficient))
        return std::nullopt;
    }
  return result;
}

std::optional<Polynomial>
Polynomial::dividedBy(const Polynomial &divisor) const {
  if (divisor.isZero())
    return std::nullopt;
  auto &[leadMonomial, leadCoefficient] = *divisor.terms.begin();
  Polynomial rest = *this, quotient;
  for (size_t step = 0; !rest.isZero(); ++step) {
    auto &[monomial, coefficient] = *rest.terms.begin();
    std::optional<Monomial> ratio = divide(monomial, leadMonomial);
    if (!ratio || coefficient % leadCoefficient != 0 || step > maxTerms)
      return std::nullopt;
    Polynomial term;
    term.terms[*ratio] = coefficient / leadCoefficient;
    std::optional<Polynomial> product = term.times(divisor);
    std::optional<Polynomial> next =
        product ? rest.plus(*product, -1) : std::nullopt;
    std::optional<Polynomial> sum = quotient.plus(term);
    if (!next || !sum)
      return std::nullopt;
    rest = std::move(*next);
    quotient = std::move(*sum);
  }
  return quotient;
}

void Polynomial::cancel(Polynomial &a, Polynomial &b) {
  int64_t divisor = 0;
  std::optional<Monomial> common;
  for (Polynomial *p : {&a, &b})
    for (auto &[monomial, coefficient] : p->terms) {
      divisor = std::gcd(divisor, coefficient);
      if (!common) {
        common = monomial;
        continue;
      }
      Monomial shared, others = monomial;
      for (AffineExpr atom : *common)
        if (auto it = llvm::find(others, atom); it != others.end()) {
          shared.push_back(atom);
          others.erase(it);
        }
      common = shared;
    }
  if (!common || divisor == 0 || (divisor == 1 && common->empty()))
    return;
  Polynomial factor;
  factor.terms[*common] = divisor;
  a = *a.dividedBy(factor);
  b = *b.dividedBy(factor);
}

/// Whole multiples of the divisor leave the quotient: (4a + 6) floordiv 4 is
/// a + 1 + 2 floordiv 4.
std::optional<Polynomial>
Polynomial::floorDivConstant(int64_t divisor, MLIRContext *context) const {
  Polynomial whole, rest;
  int64_t common = divisor;
  for (auto &[monomial, coefficient] : terms) {
    int64_t quotient = llvm::divideFloorSigned(coefficient, divisor);
    int64_t remainder = coefficient - quotient * divisor;
    // Only constants may be split: the quotient of a symbol's part would
    // depend on how it is written.
    if (!monomial.empty() && remainder != 0) {
      quotient = 0;
      remainder = coefficient;
    }
    if (quotient != 0)
      whole.terms[monomial] = quotient;
    if (remainder != 0)
      rest.terms[monomial] = remainder;
    if (!monomial.empty())
      common = std::gcd(common, remainder);
  }
  // floor((g r + k) / (g c)) = floor((r + floor(k / g)) / c).
  if (common > 1) {
    divisor /= common;
    Polynomial scaled;
    for (auto &[monomial, coefficient] : rest.terms)
      if (int64_t quotient = llvm::divideFloorSigned(coefficient, common))
        scaled.terms[monomial] = quotient;
    rest = std::move(scaled);
  }
  if (divisor == 1)
    return whole.plus(rest);
  if (std::optional<int64_t> value = rest.getConstant())
    return whole.plus(constant(llvm::divideFloorSigned(*value, divisor)));
  // (x floordiv a) floordiv b = x floordiv (a b).
  if (rest.terms.size() == 1 && rest.terms.begin()->second == 1 &&
      rest.terms.begin()->first.size() == 1) {
    auto inner =
        dyn_cast<AffineBinaryOpExpr>(rest.terms.begin()->first.front());
    if (inner && inner.getKind() == AffineExprKind::FloorDiv)
      if (auto by = dyn_cast<AffineConstantExpr>(inner.getRHS());
          by && by.getValue() > 0 && by.getValue() < (int64_t(1) << 31) &&
          divisor < (int64_t(1) << 31))
        return whole.plus(atom(getAffineBinaryOpExpr(
            AffineExprKind::FloorDiv, inner.getLHS(),
            getAffineConstantExpr(by.getValue() * divisor, context))));
  }
  return whole.plus(
      atom(getAffineBinaryOpExpr(AffineExprKind::FloorDiv, rest.toExpr(context),
                                 getAffineConstantExpr(divisor, context))));
}

std::optional<Polynomial> Polynomial::floorDiv(const Polynomial &divisor,
                                               MLIRContext *context) const {
  if (divisor.isZero())
    return std::nullopt;
  if (std::optional<Polynomial> exact = dividedBy(divisor))
    return exact;
  Polynomial above = *this, below = divisor;
  cancel(above, below);
  if (std::optional<int64_t> value = below.getConstant())
    return *value > 0 ? above.floorDivConstant(*value, context) : std::nullopt;
  return atom(getAffineBinaryOpExpr(
      AffineExprKind::FloorDiv, above.toExpr(context), below.toExpr(context)));
}

std::optional<Polynomial> Polynomial::mod(const Polynomial &divisor,
                                          MLIRContext *context) const {
  if (divisor.isZero())
    return std::nullopt;
  if (dividedBy(divisor))
    return constant(0);
  std::optional<int64_t> value = divisor.getConstant();
  if (!value)
    return atom(getAffineBinaryOpExpr(AffineExprKind::Mod, toExpr(context),
                                      divisor.toExpr(context)));
  if (*value < 0)
    return std::nullopt;
  Polynomial rest;
  for (auto &[monomial, coefficient] : terms)
    if (int64_t remainder =
            coefficient - llvm::divideFloorSigned(coefficient, *value) * *value)
      rest.terms[monomial] = remainder;
  if (rest.getConstant())
    return rest;
  return atom(getAffineBinaryOpExpr(AffineExprKind::Mod, rest.toExpr(context),
                                    getAffineConstantExpr(*value, context)));
}

static std::optional<Polynomial> fromBinary(AffineBinaryOpExpr expr) {
  std::optional<Polynomial> a = Polynomial::fromExpr(expr.getLHS());
  std::optional<Polynomial> b = Polynomial::fromExpr(expr.getRHS());
  if (!a || !b)
    return std::nullopt;
  MLIRContext *context = expr.getContext();
  switch (expr.getKind()) {
  case AffineExprKind::Add:
    return a->plus(*b);
  case AffineExprKind::Mul:
    return a->times(*b);
  case AffineExprKind::FloorDiv:
    return a->floorDiv(*b, context);
  case AffineExprKind::CeilDiv: {
    // One form of rounding: ceil(x / y) = floor((x + y - 1) / y) for y > 0.
    if (std::optional<Polynomial> exact = a->dividedBy(*b))
      return exact;
    std::optional<Polynomial> sum = a->plus(*b);
    if (sum)
      sum = sum->plus(Polynomial::constant(1), -1);
    return sum ? sum->floorDiv(*b, context) : std::nullopt;
  }
  case AffineExprKind::Mod:
    return a->mod(*b, context);
  default:
    return std::nullopt;
  }
}

std::optional<Polynomial> Polynomial::fromExpr(AffineExpr expr) {
  if (auto value = dyn_cast<AffineConstantExpr>(expr))
    return constant(value.getValue());
  if (auto binary = dyn_cast<AffineBinaryOpExpr>(expr))
    return fromBinary(binary);
  return atom(expr);
}

AffineExpr Polynomial::toExpr(MLIRContext *context) const {
  AffineExpr sum = getAffineConstantExpr(0, context);
  for (auto &[monomial, coefficient] : terms) {
    AffineExpr product;
    for (AffineExpr atom : monomial)
      product = product ? product * atom : atom;
    AffineExpr scale = getAffineConstantExpr(coefficient, context);
    sum = sum + (product ? product * scale : scale);
  }
  return sum;
}

} // namespace effc::eff
