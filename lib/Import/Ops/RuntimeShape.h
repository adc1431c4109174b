// Shapes that operators compute from integer tensors at run time: the
// arithmetic on those tensors, and late symbols for its results
// (ControlOps.td).
#ifndef EFFC_LIB_IMPORT_OPS_RUNTIMESHAPE_H
#define EFFC_LIB_IMPORT_OPS_RUNTIMESHAPE_H

#include "Emitter.h"

namespace effc {

/// Which of `rank` axes a list of axes names: 0 or 1 for each, i64[rank].
mlir::Value axisFlags(Emitter &e, mlir::Value axes, int64_t rank);

/// i64[rank]: for each axis the value that `values` has for it, or `fallback`
/// when `axes` does not name it.
mlir::Value perAxis(Emitter &e, mlir::Value axes, mlir::Value values,
                    int64_t rank, double fallback);

/// The elements of an i64 vector as sizes from `min` on.
eff::Dims defineSizes(Emitter &e, mlir::Value vector, int64_t min = 0);

/// The elements of `list` (i64[n]) whose flag (0 or 1) is set, `count` of them.
mlir::Value pickFlagged(Emitter &e, mlir::Value list, mlir::Value flags,
                        int64_t count);

/// x with the constant `size` of one dim, which is checked where it is not
/// known. Null, with a diagnostic, where it is another one.
mlir::Value withSize(NodeContext &ctx, mlir::Value x, int64_t axis,
                     int64_t size, const llvm::Twine &what);

/// The size is checked to lie between two constants.
mlir::LogicalResult requireWithin(NodeContext &ctx, mlir::AffineExpr size,
                                  int64_t min, int64_t max,
                                  const llvm::Twine &what);

/// The vector with a static length: `length` where it is not known, which is
/// checked. Null, with a diagnostic, without either.
mlir::Value withLength(NodeContext &ctx, mlir::Value vector,
                       std::optional<int64_t> length);

/// Sizes that output `output` has by its declaration replace late ones; that
/// they are right is checked when the late ones are known.
eff::Dims settle(NodeContext &ctx, unsigned output,
                 llvm::ArrayRef<mlir::AffineExpr> dims);

/// The same for one size.
mlir::AffineExpr settleSize(NodeContext &ctx, unsigned output, int64_t axis,
                            mlir::AffineExpr size);

/// A bound of a range of `size` elements counted from the front: it may count
/// from the end and lie outside; clamped to [low, high].
mlir::AffineExpr clampBound(NodeContext &ctx, mlir::AffineExpr bound,
                            mlir::AffineExpr size, int64_t low,
                            mlir::AffineExpr high);

/// Reshape to a shape with elements that only a run knows, where 0 copies a
/// size and -1 is inferred. Null, with a diagnostic, when its length is
/// unknown.
mlir::Value reshapeToRuntime(NodeContext &ctx, mlir::Value x, mlir::Value shape,
                             bool allowZero);

/// Slice by axes or steps that only a run knows. Operands may be null.
mlir::Value sliceAtRuntime(NodeContext &ctx, mlir::Value x, mlir::Value starts,
                           mlir::Value ends, mlir::Value axes,
                           mlir::Value steps);

} // namespace effc

#endif // EFFC_LIB_IMPORT_OPS_RUNTIMESHAPE_H
