// Tiles of AMX: registers of 16 rows of 64 bytes, of which an instruction
// multiplies two and adds the products to a third.
#ifndef EFFC_LIB_TARGET_CPU_MICROKERNELS_MATRIXTILES_H
#define EFFC_LIB_TARGET_CPU_MICROKERNELS_MATRIXTILES_H

#include "CPU/Microkernels/Dots.h"
#include "Effk/EffkOps.h"

namespace effc {

/// Most rows of a register, and how many registers of sums a tile may have.
constexpr int64_t kMatrixRows = 16, kMostSums = 4;

/// The rows of the op's registers of sums and of A.
int64_t getRegisterRows(effk::GemmOp gemm);

/// Stack space for the tiles of an effk.gemm, taken once a call.
struct MatrixMemory {
  mlir::Value sums;    ///< of the tile, row by row
  mlir::Value rows;    ///< tiles of A whose rows are gathered
  mlir::Value columns; ///< tiles of B that are filled up with zeros
  /// Of each row: where it lies in A, its first coordinates, and where the
  /// elements of the current tap are.
  mlir::Value offsets, coordinates, pointers;
};

/// One tile of an effk.gemm that has a dot of tiles.
struct MatrixTile {
  effk::GemmOp gemm;
  const Dot &dot;
  const MatrixMemory &memory;
  /// Registers side by side, and one below the other.
  int64_t vectors, registers;
  /// Where A begins, the panel, and a row that stands for what is outside of
  /// the window (null without one).
  mlir::Value a, panel, padding;
  /// The first row, and how many there are: all, unless there is one register.
  mlir::Value m, count;
  /// No register wraps to the next index of an outer dim.
  bool isEven;
  /// Of the next panel, what this tile fetches: the first byte, and how many
  /// for each neighbour of k (null: none), at most so many.
  mlir::Value fetchStart, fetchStep;
  int64_t mostFetched;
};

MatrixMemory allocateTiles(mlir::ImplicitLocOpBuilder &builder,
                           effk::GemmOp gemm);

/// Gives the registers their shapes, for all tiles of the op.
void configureTiles(mlir::ImplicitLocOpBuilder &builder, effk::GemmOp gemm);
void releaseTiles(mlir::ImplicitLocOpBuilder &builder);

/// Leaves the sums in memory, rows of `vectors` times 16.
void emitMatrixTile(const mlir::ImplicitLocOpBuilder &builder,
                    const MatrixTile &tile);

/// Where all products of a function want the same shapes, gives them once.
void configureOnce(mlir::FunctionOpInterface function);

} // namespace effc

#endif // EFFC_LIB_TARGET_CPU_MICROKERNELS_MATRIXTILES_H
