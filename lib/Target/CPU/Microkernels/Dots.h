// How one step of a register tile multiplies: the instructions behind the
// products of Microkernels.def.
#ifndef EFFC_LIB_TARGET_CPU_MICROKERNELS_DOTS_H
#define EFFC_LIB_TARGET_CPU_MICROKERNELS_DOTS_H

#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

namespace effc {

/// sum[lane] += products of `interleave` neighbours of k of a row and of each
/// column.
struct Dot {
  llvm::StringLiteral name;
  int64_t interleave;

  /// Whether it multiplies elements of these types.
  bool (*takes)(mlir::Type a, mlir::Type b);
  /// The neighbours of a row at a pointer, in every lane. `mask` says which of
  /// them exist; null: all.
  mlir::Value (*loadRow)(mlir::ImplicitLocOpBuilder &builder,
                         mlir::VectorType sum, mlir::Type a,
                         mlir::Value pointer, mlir::Value mask);
  /// Those of a vector of columns. Columns without mask (null: all exist) are
  /// zero.
  mlir::Value (*loadColumns)(mlir::ImplicitLocOpBuilder &builder,
                             mlir::VectorType sum, mlir::Type b,
                             mlir::Value pointer, mlir::Value mask);
  mlir::Value (*multiplyAdd)(mlir::ImplicitLocOpBuilder &builder,
                             mlir::Value sum, mlir::Value row,
                             mlir::Value columns);
  /// The intrinsic that multiplies registers of AMX (MatrixTiles.h), instead of
  /// the functions above; empty: there is none.
  llvm::StringLiteral tiles = "";

  /// The steps whose neighbours of a row one load brings, where an instruction
  /// multiplies by a lane of a register; otherwise 1.
  int64_t stepsTogether = 1;
  /// Both factors are signed: 128 is taken from the bytes of the left one
  /// before (moveLeft), and sums have to be put right.
  bool movesLeft = false;
};

/// By name; all that Microkernels.def names exist.
const Dot &getDot(llvm::StringRef name);

/// Unsigned bytes less 128 as signed ones.
mlir::Value moveLeft(mlir::ImplicitLocOpBuilder &builder, mlir::Value bytes);

/// The neighbours of step `step` of those loaded together, in every lane.
mlir::Value takeStep(mlir::ImplicitLocOpBuilder &builder, mlir::VectorType sum,
                     mlir::Value together, int64_t step);

} // namespace effc

#endif // EFFC_LIB_TARGET_CPU_MICROKERNELS_DOTS_H
