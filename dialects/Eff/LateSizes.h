// Which sizes of a function are late (ControlOps.td), whether each is used only
// behind the op that gives it its value, and the removal of what defines sizes
// that nobody uses.
#ifndef EFF_LATESIZES_H
#define EFF_LATESIZES_H

#include "Eff/EffOps.h"
#include "llvm/ADT/SmallBitVector.h"

namespace effc::eff {

/// The symbols that a function declares in `eff.symbols`.
class LateSizes {
public:
  explicit LateSizes(mlir::Operation *function);
  explicit LateSizes(llvm::ArrayRef<mlir::Attribute> symbols);

  /// The late symbols that a size depends on, also through derived ones.
  llvm::SmallBitVector getLate(mlir::AffineExpr size) const;
  bool isLate(mlir::AffineExpr size) const { return getLate(size).any(); }
  bool hasLate() const { return any; }
  size_t size() const { return late.size(); }

private:
  void read(llvm::ArrayRef<mlir::Attribute> symbols);

  llvm::SmallVector<llvm::SmallBitVector> late;
  bool any = false;
};

/// Calls `visit` for every size that the op's result types, attributes and
/// block arguments contain; not for what is in its regions.
void walkSizes(mlir::Operation *op,
               llvm::function_ref<void(mlir::AffineExpr)> visit);

/// Fails, with a diagnostic, where a late symbol is used before it has a value.
mlir::LogicalResult verifyLateSizes(mlir::Operation *function);

/// Erases dead ops, also in regions, and what defines symbols that are not
/// used.
void eraseDeadOps(mlir::Operation *function);

} // namespace effc::eff

#endif // EFF_LATESIZES_H
