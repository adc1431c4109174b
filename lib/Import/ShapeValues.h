// Contents of small tensors as far as they are known at import: constants, or
// expressions over symbols. Shape arithmetic of exporters is evaluated on
// these, so that no shape computation is left to run.
#ifndef EFFC_LIB_IMPORT_SHAPEVALUES_H
#define EFFC_LIB_IMPORT_SHAPEVALUES_H

#include "Eff/EffOps.h"
#include "mlir/IR/BuiltinAttributes.h"
#include <optional>

namespace effc {

class NodeContext;
class SizeSymbols;

/// Larger tensors are data, not shapes.
constexpr int64_t maxShapeElements = 4096;

struct ShapeElement {
  enum Kind { Unknown, Int, Float, Expr };
  Kind kind = Unknown;
  int64_t integer = 0;
  double number = 0;
  /// The value of an Expr is expr / denominator; 1 in int tensors.
  mlir::AffineExpr expr;
  int64_t denominator = 1;

  static ShapeElement of(int64_t value);
  static ShapeElement ofFloat(double value);
  /// Becomes Int when the expression is constant.
  static ShapeElement of(mlir::AffineExpr expr, int64_t denominator = 1);

  bool isConstant() const { return kind == Int || kind == Float; }
  double asDouble() const { return kind == Int ? double(integer) : number; }
  /// The value as a size, null unless it is a whole number.
  mlir::AffineExpr asSize(mlir::MLIRContext *context) const;
  bool operator==(const ShapeElement &other) const;
};

struct ShapeValue {
  mlir::Type elementType;
  llvm::SmallVector<int64_t> shape;
  std::vector<ShapeElement> elements;

  bool isConstant() const;
  /// All elements are constants or whole expressions.
  bool isKnown() const;
  bool isUnknown() const;
  mlir::ElementsAttr toAttr() const;
};

/// The contents of a constant; nothing when it is too large.
std::optional<ShapeValue> readShapeValue(mlir::ElementsAttr attr,
                                         int64_t limit = maxShapeElements);

/// Evaluates a node; one value per output, or nothing when it has no rule or
/// its operands are not known well enough.
std::optional<llvm::SmallVector<ShapeValue, 1>>
evaluateShapeValues(NodeContext &ctx, SizeSymbols &symbols);

} // namespace effc

#endif // EFFC_LIB_IMPORT_SHAPEVALUES_H
