// The depth loop of tiles whose weights are small integers with a scale for
// each block.
#ifndef EFFC_LIB_TARGET_CPU_MICROKERNELS_BLOCKS_H
#define EFFC_LIB_TARGET_CPU_MICROKERNELS_BLOCKS_H

#include "CPU/Microkernels/Dots.h"
#include "Effk/EffkOps.h"

namespace effc {

/// One tile of an effk.gemm with b_scales.
struct BlockTile {
  effk::GemmOp gemm;
  const Dot &dot;
  mlir::VectorType sum;
  int64_t vectors;
  /// The panel's first column and where it lies.
  mlir::Value column, panel;
  /// The number of the first row, and where rows lie in A.
  mlir::Value m;
  llvm::SmallVector<mlir::Value> rows;
};

/// The sums of the tile, row by row.
llvm::SmallVector<mlir::Value> emitBlocks(mlir::ImplicitLocOpBuilder &builder,
                                          const BlockTile &tile);

} // namespace effc

#endif // EFFC_LIB_TARGET_CPU_MICROKERNELS_BLOCKS_H
