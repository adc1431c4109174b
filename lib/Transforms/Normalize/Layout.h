// Versions of values with permuted dims, and the rules that carry them through
// operations (see PropagateLayout.cpp).
#ifndef EFFC_LIB_TRANSFORMS_NORMALIZE_LAYOUT_H
#define EFFC_LIB_TRANSFORMS_NORMALIZE_LAYOUT_H

#include "Eff/EffOps.h"
#include "mlir/IR/Builders.h"

namespace effc {

/// Dim i of the version is dim permutation[i] of the value.
using Permutation = llvm::SmallVector<int64_t, 6>;

/// Channels behind the spatial dims: 0, 2, 3, ..., 1.
Permutation getChannelsLast(int64_t rank);
Permutation invert(llvm::ArrayRef<int64_t> permutation);
bool isIdentity(llvm::ArrayRef<int64_t> permutation);
mlir::RankedTensorType permuteType(mlir::Type type,
                                   llvm::ArrayRef<int64_t> permutation);

struct Version {
  mlir::Value value;
  Permutation permutation;
};

/// Knows the versions of values and makes new ones.
class LayoutMap {
public:
  explicit LayoutMap(mlir::MLIRContext *context) : builder(context) {}

  /// The version that later operations should go on with, if any.
  const Version *getPreferred(mlir::Value value) const;

  /// `value` with its dims permuted: an existing version or a new transpose at
  /// the builder's position.
  mlir::Value getAs(mlir::Value value, llvm::ArrayRef<int64_t> permutation);

  /// Records how an operation's result came out. A version in the original
  /// order replaces the result.
  void setResult(mlir::Value result, mlir::Value version,
                 llvm::ArrayRef<int64_t> permutation);

  /// Records a version that need not be preferred.
  void add(mlir::Value value, mlir::Value version,
           llvm::ArrayRef<int64_t> permutation);

  mlir::OpBuilder builder;

private:
  mlir::Value createTranspose(mlir::Value value,
                              llvm::ArrayRef<int64_t> permutation);

  llvm::DenseMap<mlir::Value, llvm::SmallVector<Version, 2>> versions;
  llvm::DenseMap<mlir::Value, Version> preferred;
};

/// Rewrites one operation in terms of preferred versions and records its
/// results. False when there is no rule or no gain: then the operation stays.
bool propagateLayout(mlir::Operation *op, LayoutMap &layouts);

/// Reshapes and transposes, which change what a permutation means.
bool propagateReshape(eff::ReshapeOp op, LayoutMap &layouts);
bool propagateTranspose(eff::TransposeOp op, LayoutMap &layouts);

} // namespace effc

#endif // EFFC_LIB_TRANSFORMS_NORMALIZE_LAYOUT_H
