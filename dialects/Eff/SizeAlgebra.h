// Normal form of sizes: polynomials with integer coefficients over symbols and
// indivisible terms (quotients and remainders). MLIR's simplifier does not
// expand products of symbolic sums, so equal sizes would look different.
#ifndef EFF_SIZEALGEBRA_H
#define EFF_SIZEALGEBRA_H

#include "mlir/IR/AffineExpr.h"
#include <map>
#include <optional>

namespace effc::eff {

/// A product of atoms, sorted; empty for 1.
using Monomial = llvm::SmallVector<mlir::AffineExpr, 4>;

struct MonomialOrder {
  /// Lexicographic with the largest first: it fits multiplication, which long
  /// division needs, and prints `s0 * s1 + s0 + 1`.
  bool operator()(const Monomial &a, const Monomial &b) const;
};

class Polynomial {
public:
  /// Nothing when it would get too large or overflow.
  static std::optional<Polynomial> fromExpr(mlir::AffineExpr expr);
  static Polynomial constant(int64_t value);

  mlir::AffineExpr toExpr(mlir::MLIRContext *context) const;
  std::optional<int64_t> getConstant() const;
  bool isZero() const { return terms.empty(); }

  std::optional<Polynomial> plus(const Polynomial &other,
                                 int64_t factor = 1) const;
  std::optional<Polynomial> times(const Polynomial &other) const;
  /// The quotient when nothing is left over.
  std::optional<Polynomial> dividedBy(const Polynomial &divisor) const;
  std::optional<Polynomial> floorDiv(const Polynomial &divisor,
                                     mlir::MLIRContext *context) const;
  std::optional<Polynomial> mod(const Polynomial &divisor,
                                mlir::MLIRContext *context) const;

private:
  bool add(const Monomial &monomial, int64_t coefficient);
  static Polynomial atom(mlir::AffineExpr expr);
  std::optional<Polynomial> floorDivConstant(int64_t divisor,
                                             mlir::MLIRContext *context) const;
  /// Divides both by what all their terms have in common.
  static void cancel(Polynomial &a, Polynomial &b);

  std::map<Monomial, int64_t, MonomialOrder> terms;
};

} // namespace effc::eff

#endif // EFF_SIZEALGEBRA_H
