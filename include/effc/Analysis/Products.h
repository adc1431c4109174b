// What matrix products and convolutions have in common, whichever op says it:
// operands, channels, how many terms a sum has.
#ifndef EFFC_ANALYSIS_PRODUCTS_H
#define EFFC_ANALYSIS_PRODUCTS_H

#include "Eff/EffOps.h"
#include <optional>

namespace effc {

/// A sum of products of `x` and `weight`, which need not be constant.
struct Product {
  mlir::Operation *op;
  mlir::Value x, weight, bias;
  /// The dim of the weight that is the result's channel, and that dim in the
  /// result.
  int64_t weightAxis = 0, axis = 0;

  /// Nothing for other ops than products and convolutions.
  static std::optional<Product> get(mlir::Operation *op);

  /// How many products one sum has; 0 when it is not known.
  int64_t countTerms() const;

  /// Whether a sum of products of two bytes, of either sign and off any zero
  /// point, fits into 32 bits.
  bool sumsOfBytesFit() const;

  /// A vector over channels in a shape that broadcasts to the result.
  mlir::Value alignToResult(mlir::OpBuilder &b, mlir::Value vector) const;
};

} // namespace effc

#endif // EFFC_ANALYSIS_PRODUCTS_H
