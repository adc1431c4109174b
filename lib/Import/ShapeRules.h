// One evaluation rule for every operator of shape arithmetic.
#ifndef EFFC_LIB_IMPORT_SHAPERULES_H
#define EFFC_LIB_IMPORT_SHAPERULES_H

#include "NodeContext.h"
#include "ShapeArithmetic.h"

namespace effc {

using ShapeResults = std::optional<llvm::SmallVector<ShapeValue, 1>>;
using ShapeResult = std::optional<ShapeValue>;

/// What a rule sees: the node and the contents of its operands.
struct ShapeRuleInput {
  NodeContext &ctx;
  SizeSymbols &symbols;
  llvm::SmallVector<const ShapeValue *, 4> operands;

  /// Null when absent.
  const ShapeValue *operand(unsigned index) const {
    return index < operands.size() ? operands[index] : nullptr;
  }
  /// The operand's elements when all are constant integers.
  std::optional<llvm::SmallVector<int64_t>> constants(unsigned index) const;
};

using ShapeRule = ShapeResults (*)(ShapeRuleInput &);

/// Null when the operator has no rule.
ShapeRule findArithmeticRule(llvm::StringRef opType);
ShapeRule findMovementRule(llvm::StringRef opType);

/// The number of elements, nothing when it is negative or too large.
std::optional<int64_t> countShapeElements(llvm::ArrayRef<int64_t> shape);

/// Row-major position -> index; calls `visit` for every index of a shape.
void forEachIndex(llvm::ArrayRef<int64_t> shape,
                  llvm::function_ref<void(llvm::ArrayRef<int64_t>)> visit);
/// Position of `index` (of a broadcast shape) in a tensor of `shape`.
int64_t broadcastPosition(llvm::ArrayRef<int64_t> shape,
                          llvm::ArrayRef<int64_t> index);
/// The shape of several operands broadcast together.
std::optional<llvm::SmallVector<int64_t>>
broadcastShapes(llvm::ArrayRef<const ShapeValue *> operands);

} // namespace effc

#endif // EFFC_LIB_IMPORT_SHAPERULES_H
