// Values as polynomials in two leaves, so that the many spellings of an
// activation or a mask are compared by their meaning.
#ifndef EFFC_LIB_TRANSFORMS_RAISE_POLYNOMIAL_H
#define EFFC_LIB_TRANSFORMS_RAISE_POLYNOMIAL_H

#include "Matchers.h"
#include <map>

namespace effc::raise {

/// {(power of the first leaf, power of the second): coefficient}.
using Polynomial = std::map<std::pair<int, int>, double>;

/// `value` in terms of the leaves (the second may be null), and the ops it
/// passes; nothing when it is no polynomial in them.
std::optional<Polynomial> getPolynomial(mlir::Value value, mlir::Value x,
                                        mlir::Value a, Match &match);

/// Equal in all coefficients.
bool isClose(const std::optional<Polynomial> &polynomial,
             const Polynomial &ideal);

} // namespace effc::raise

#endif // EFFC_LIB_TRANSFORMS_RAISE_POLYNOMIAL_H
