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

  /// Whether what varies by column can be stored several times in a row, and
  /// asks for that.
  bool canRepeatColumns() const;
  void repeatColumns(int64_t times);

  /// Inputs of the tile op: `rowBase` is the first row and `columnBase` the
  /// first column of this product in the result, `stride` the result's row
  /// length.
  llvm::SmallVector<effk::EpilogueInput>
  inputs(mlir::Value rowBase, mlir::Value columnBase, mlir::Value stride);

  mlir::Value build(mlir::Value sum, mlir::ValueRange loaded);

private:
  mlir::Value addBias(mlir::Value sum, mlir::Value value);

  KernelEmitter &e;
  mlir::Operation *anchor;
  mlir::Value bias;
  llvm::SmallVector<std::pair<mlir::Value, effk::EpilogueMap>> operands;
};

/// The element types of a product if tiles have them; `bias` may be null.
std::optional<GemmTypes> getGemmTypes(mlir::Value a, mlir::Value b,
                                      mlir::Value bias, mlir::Value result);

/// Whether everything is f32. Values may be null.
bool isTileable(llvm::ArrayRef<mlir::Value> values);

/// Rows times panels of a whole result of `rows` x `columns`: extent and tile
/// fields.
TileChoice chooseTile(KernelEmitter &e, mlir::AffineExpr rows, int64_t columns,
                      int64_t depth, GemmTypes types = GemmTypes::F32,
                      int64_t rowBytes = 0);
void setTile(effk::GemmDescription &gemm, const TileChoice &tile);
mlir::AffineExpr countTiles(const TileChoice &tile, mlir::AffineExpr rows,
                            mlir::AffineExpr columns);

void createTiles(KernelEmitter &e, const effk::GemmDescription &gemm,
                 EpilogueEmitter &epilogue);
/// Runs the tiles of one product that fall into the launch's [lo, hi).
void createWhole(KernelEmitter &e, effk::GemmDescription &gemm,
                 EpilogueEmitter &epilogue);

/// A matrix [depth, columns] in memory: element (k, n) at base + n *
/// columnStride + k * depthStride.
struct MatrixAt {
  mlir::Value memref, base, columnStride, depthStride;
  mlir::AffineExpr depth;
};

/// Packs `count` columns from `first` on into one panel of scratch from
/// element `target` on, zeros beyond the depth; what lies beyond the columns is
/// left to chance.
void packColumns(KernelEmitter &e, const MatrixAt &matrix, mlir::Value first,
                 mlir::Value count, int64_t width, int64_t interleave,
                 mlir::Value panels, mlir::Value target);

/// Packs all `columns` of a matrix into panels in scratch, one behind the
/// other.
void packPanels(KernelEmitter &e, const MatrixAt &matrix,
                mlir::AffineExpr columns, int64_t width, int64_t interleave,
                mlir::Value panels);

/// As packColumns by squares of vectors in registers, for f32, or pairs of
/// bf16, of which each column lies in a row of memory; false for anything else.
bool packTransposedColumns(KernelEmitter &e, const MatrixAt &matrix,
                           mlir::Value first, mlir::Value count, int64_t width,
                           int64_t interleave, mlir::Value panels,
                           mlir::Value target);

/// As packColumns by whole vectors of two rows each, for pairs of bf16 of which
/// each row of the matrix lies in a row of memory; false for anything else.
bool packPairsOfRows(KernelEmitter &e, const MatrixAt &matrix,
                     mlir::Value first, mlir::Value count, int64_t width,
                     int64_t interleave, mlir::Value panels,
                     mlir::Value target);

/// Scores to weights, a few rows at a time: row r of `rows` has `visible`
/// scores from r * stride on, which become exp(score - largest) with what is
/// left of their last vector 0; 1 / sum goes to inverses[r]. Weights go to the
/// same places of `weights`, whose elements may be narrower. Strides are whole
/// vectors, and there is memory for rows up to the next multiple of
/// `softmaxRows`. With `zeroMasked` rows of nothing but -infinity become 0.
constexpr int64_t softmaxRows = 4;
struct SoftmaxBuffers {
  mlir::Value scores, weights, stride, inverses;
};
void emitSoftmaxRows(KernelEmitter &e, const SoftmaxBuffers &buffers,
                     mlir::Value rows, mlir::Value visible, bool zeroMasked);

} // namespace effc

#endif // EFFC_LIB_CONVERSION_EFFTOLOOPS_GEMM_H
