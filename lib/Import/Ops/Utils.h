// What handlers of several themes share.
#ifndef EFFC_LIB_IMPORT_OPS_UTILS_H
#define EFFC_LIB_IMPORT_OPS_UTILS_H

#include "../NodeContext.h"
#include "../OpTable.h"

namespace effc {

inline mlir::RankedTensorType tensorType(mlir::Value value) {
  return llvm::cast<mlir::RankedTensorType>(value.getType());
}
inline int64_t rankOf(mlir::Value value) { return tensorType(value).getRank(); }
inline mlir::Type elementTypeOf(mlir::Value value) {
  return tensorType(value).getElementType();
}

/// An axis in [0, rank), or nothing and a diagnostic. `rank` may be one more
/// than a tensor's (Unsqueeze, Flatten).
std::optional<int64_t> normalizeAxis(NodeContext &ctx, int64_t axis,
                                     int64_t rank);
/// Sorted, without duplicates; nothing and a diagnostic when out of range.
std::optional<llvm::SmallVector<int64_t>>
normalizeAxes(NodeContext &ctx, llvm::ArrayRef<int64_t> axes, int64_t rank);

/// Ints of an attribute up to opset `last`, of input `index` after it. Absent
/// gives nothing; an input that is not constant gives a diagnostic (check
/// `ctx.hasFailed()`).
std::optional<llvm::SmallVector<int64_t>>
attrOrInputInts(NodeContext &ctx, llvm::StringRef name, unsigned index);

/// x with these sizes (a no-op when it has them already).
mlir::Value reshapeTo(NodeContext &ctx, mlir::Value x,
                      llvm::ArrayRef<mlir::AffineExpr> dims);
mlir::Value broadcastTo(NodeContext &ctx, mlir::Value x,
                        llvm::ArrayRef<mlir::AffineExpr> dims);
mlir::Value transpose(NodeContext &ctx, mlir::Value x,
                      llvm::ArrayRef<int64_t> permutation);
mlir::Value convertTo(NodeContext &ctx, mlir::Value x, mlir::Type elementType,
                      bool saturate = true,
                      eff::RoundMode round = eff::RoundMode::Nearest);
/// x[offset : offset + extent] along one axis.
mlir::Value sliceAxis(NodeContext &ctx, mlir::Value x, int64_t axis,
                      mlir::AffineExpr offset, mlir::AffineExpr extent);
mlir::Value concat(NodeContext &ctx, mlir::ValueRange inputs, int64_t axis);
/// start + step * i along `axis` of a tensor with these sizes.
mlir::Value iota(NodeContext &ctx, llvm::ArrayRef<mlir::AffineExpr> dims,
                 mlir::Type elementType, int64_t axis, mlir::AffineExpr start,
                 mlir::AffineExpr step);
/// A scalar constant of x's element type.
mlir::Value scalarLike(NodeContext &ctx, mlir::Value x, double value);

mlir::Value unary(NodeContext &ctx, eff::UnaryKind kind, mlir::Value x,
                  std::optional<double> alpha = {},
                  std::optional<double> beta = {});
mlir::Value binary(NodeContext &ctx, eff::BinaryKind kind, mlir::Value a,
                   mlir::Value b);
mlir::Value compare(NodeContext &ctx, eff::CompareKind kind, mlir::Value a,
                    mlir::Value b);
mlir::Value select(NodeContext &ctx, mlir::Value condition, mlir::Value a,
                   mlir::Value b);
mlir::Value reduce(NodeContext &ctx, eff::ReduceKind kind, mlir::Value x,
                   llvm::ArrayRef<int64_t> axes, bool keepdims);

} // namespace effc

#endif // EFFC_LIB_IMPORT_OPS_UTILS_H
