// What the kernels built on tile-level matrix products share: tile choice and
// the fused epilogue.
#ifndef EFFC_LIB_CONVERSION_EFFTOLOOPS_GEMM_H
#define EFFC_LIB_CONVERSION_EFFTOLOOPS_GEMM_H

#include "KernelEmitter.h"
#include "effc/Analysis/TileChoice.h"

namespace effc {

/// The ops between an anchor and the kernel's result as the epilogue of a tile
/// op. Collects what they read; `build` is given to createGemm.
class EpilogueEmitter {
public:
  /// `bias` may be null; else it is added per column first.
  EpilogueEmitter(KernelEmitter &e, mlir::Operation *anchor, mlir::Value bias);

  /// Fails when an operand cannot be loaded by row, column or element.
  mlir::LogicalResult collect();

  /// Inputs of the tile op: `rowBase` is the first row and `columnBase` the
  /// first column of this product in the result, `stride` the result's row
  /// length.
  llvm::SmallVector<effk::EpilogueInput>
  inputs(mlir::Value rowBase, mlir::Value columnBase, mlir::Value stride);

  mlir::Value build(mlir::Value sum, mlir::ValueRange loaded);

private:
  KernelEmitter &e;
  mlir::Operation *anchor;
  mlir::Value bias;
  llvm::SmallVector<std::pair<mlir::Value, effk::EpilogueMap>> operands;
};

/// Whether tile ops handle these operands and results: everything f32.
bool isTileable(llvm::ArrayRef<mlir::Value> values);

/// Rows times panels of a whole result of `rows` x `columns`: extent and tile
/// fields.
TileChoice chooseTile(KernelEmitter &e, mlir::AffineExpr rows, int64_t columns,
                      int64_t depth, int64_t rowBytes = 0);

/// Packs [columns, depth] rows (element (n, k) at base + n * stride + k) into
/// panels of depth x width in scratch, zeros beyond the columns.
void packTransposed(KernelEmitter &e, mlir::Value source, mlir::Value base,
                    mlir::Value stride, mlir::AffineExpr columns,
                    mlir::AffineExpr depth, int64_t width, mlir::Value panels);

} // namespace effc

#endif // EFFC_LIB_CONVERSION_EFFTOLOOPS_GEMM_H
