// Where values are converted to fewer bits: to a narrower float type, or to
// bytes of one scale and zero point.
#ifndef EFFC_LIB_TRANSFORMS_QUANTIZE_HALFVALUES_H
#define EFFC_LIB_TRANSFORMS_QUANTIZE_HALFVALUES_H

#include "Eff/EffOps.h"
#include "mlir/IR/Builders.h"
#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/DenseSet.h"
#include <functional>

namespace effc {

/// Gives values in a narrow type to the operands that ask for it. Operands are
/// named first, because a value that all readers want narrow is made so, and
/// what only moves elements then moves fewer bytes.
class HalfValues {
public:
  /// How a value becomes narrow; larger ones must not become smaller.
  using Converter = std::function<mlir::Value(mlir::OpBuilder &, mlir::Value)>;

  explicit HalfValues(mlir::FloatType narrow);
  HalfValues(mlir::Type narrow, Converter convert)
      : narrow(narrow), convert(std::move(convert)) {}

  void want(mlir::OpOperand &operand) { wanted.insert(&operand); }
  /// The uses that would need the value wide beside the narrow one.
  llvm::SmallVector<mlir::OpOperand *> getOtherUses(mlir::Value value) const;
  /// Ops whose result has narrow elements when its operands have.
  bool isMovement(mlir::Operation *op) const;
  /// Every reader of the value wants it narrow, if need be behind movements.
  bool isOnlyWanted(mlir::Value value) const;

  /// The value in the narrow type: an existing one, or a conversion behind what
  /// makes it.
  mlir::Value get(mlir::Value value);
  /// Says that something else makes the narrow value.
  void set(mlir::Value value, mlir::Value half) { halves[value] = half; }

private:
  /// Whether to move narrow elements instead of converting moved ones.
  bool isMovedBetter(mlir::Value value) const;

  mlir::Type narrow;
  Converter convert;
  llvm::DenseSet<mlir::OpOperand *> wanted;
  llvm::DenseMap<mlir::Value, mlir::Value> halves;
};

} // namespace effc

#endif // EFFC_LIB_TRANSFORMS_QUANTIZE_HALFVALUES_H
