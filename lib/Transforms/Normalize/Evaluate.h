// Values of operations on constants, by loops over the index space.
#ifndef EFFC_LIB_TRANSFORMS_NORMALIZE_EVALUATE_H
#define EFFC_LIB_TRANSFORMS_NORMALIZE_EVALUATE_H

#include "Eff/EffOps.h"
#include "effc/Analysis/Constants.h"
#include <functional>

namespace effc {

/// The result of an operation whose operands are these constants, or null when
/// there is no rule for it or the value is not defined (division by zero, an
/// index out of range).
mlir::ElementsAttr evaluate(mlir::Operation *op,
                            llvm::ArrayRef<ConstantReader> operands);

/// Elementwise operations.
mlir::ElementsAttr evaluateElementwise(mlir::Operation *op,
                                       llvm::ArrayRef<ConstantReader> operands);

/// Where an operand's elements lie, seen from the result's index space.
struct Walk {
  int64_t base = 0;
  llvm::SmallVector<int64_t, 6> strides;
};

/// Row-major strides.
llvm::SmallVector<int64_t, 6> getStrides(llvm::ArrayRef<int64_t> shape);

/// Calls `visit` for every index, row-major, with the position in each walk.
void walkIndices(
    llvm::ArrayRef<int64_t> shape, llvm::ArrayRef<Walk> walks,
    llvm::function_ref<void(int64_t, llvm::ArrayRef<int64_t>)> visit);

} // namespace effc

#endif // EFFC_LIB_TRANSFORMS_NORMALIZE_EVALUATE_H
