// Arithmetic on single elements of shape values. Everything that cannot be
// said as an expression is unknown.
#ifndef EFFC_LIB_IMPORT_SHAPEARITHMETIC_H
#define EFFC_LIB_IMPORT_SHAPEARITHMETIC_H

#include "ShapeValues.h"
#include "SizeSymbols.h"

namespace effc {

double toDouble(llvm::APFloat value);

/// Operations whose result has element type `type`.
class ShapeArithmetic {
public:
  enum class Comparison { Equal, Less, LessOrEqual, Greater, GreaterOrEqual };
  enum class Rounding { Floor, Ceil, Even, Zero };

  ShapeArithmetic(SizeSymbols &symbols, mlir::Type type)
      : symbols(symbols), type(type) {}

  /// Rounds or wraps a constant to the type.
  ShapeElement round(ShapeElement element) const;
  /// a + sign * b.
  ShapeElement add(const ShapeElement &a, const ShapeElement &b,
                   int64_t sign = 1) const;
  ShapeElement multiply(const ShapeElement &a, const ShapeElement &b) const;
  ShapeElement divide(const ShapeElement &a, const ShapeElement &b) const;
  ShapeElement modulo(const ShapeElement &a, const ShapeElement &b,
                      bool fmod) const;
  /// The larger or smaller one; may make a derived symbol.
  ShapeElement extreme(const ShapeElement &a, const ShapeElement &b,
                       bool larger);
  ShapeElement absolute(const ShapeElement &a) const;
  ShapeElement roundTo(const ShapeElement &a, Rounding mode) const;
  /// From any element type to this one.
  ShapeElement convert(const ShapeElement &a) const;
  /// 0, 1 or unknown.
  ShapeElement compare(const ShapeElement &a, const ShapeElement &b,
                       Comparison kind) const;

private:
  bool toRational(const ShapeElement &element, mlir::AffineExpr &expr,
                  int64_t &denominator) const;

  SizeSymbols &symbols;
  mlir::Type type;
};

} // namespace effc

#endif // EFFC_LIB_IMPORT_SHAPEARITHMETIC_H
