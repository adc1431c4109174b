// The arithmetic of unary and binary operations on single elements: what
// folding computes and what raising recognises constants by.
#ifndef EFFC_ANALYSIS_ARITHMETIC_H
#define EFFC_ANALYSIS_ARITHMETIC_H

#include "Eff/EffOps.h"
#include <optional>

namespace effc {

/// Floats in double. None for operations that need attributes or that have no
/// rule here.
std::optional<double> applyFloat(eff::UnaryKind kind, double x);
std::optional<double> applyFloat(eff::BinaryKind kind, double a, double b);

/// Integers in 64 bits, wrapping; the caller cuts. None as above, and for a
/// division by zero.
std::optional<int64_t> applyInt(eff::UnaryKind kind, int64_t x);
std::optional<int64_t> applyInt(eff::BinaryKind kind, int64_t a, int64_t b);

} // namespace effc

#endif // EFFC_ANALYSIS_ARITHMETIC_H
