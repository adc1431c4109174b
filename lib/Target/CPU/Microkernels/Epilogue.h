// The epilogue of a contraction: a region on scalars, emitted on vectors of
// columns.
#ifndef EFFC_LIB_TARGET_CPU_MICROKERNELS_EPILOGUE_H
#define EFFC_LIB_TARGET_CPU_MICROKERNELS_EPILOGUE_H

#include "Effk/EffkOps.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

namespace effc {

/// Adds elements to a pointer.
mlir::Value offsetPointer(mlir::ImplicitLocOpBuilder &builder,
                          mlir::Type element, mlir::Value pointer,
                          mlir::Value offset);

/// The bare pointer of a flat memref.
mlir::Value pointerOf(mlir::ImplicitLocOpBuilder &builder, mlir::Value memref);

/// A vector at `pointer`, of the lanes where `mask` (may be null) is set; the
/// others are zero.
mlir::Value loadVector(mlir::ImplicitLocOpBuilder &builder,
                       mlir::VectorType type, mlir::Value pointer,
                       mlir::Value mask);
void storeVector(mlir::ImplicitLocOpBuilder &builder, mlir::Value value,
                 mlir::Value pointer, mlir::Value mask);

class Epilogue {
public:
  Epilogue(effk::GemmOp gemm, int64_t lanes) : gemm(gemm), lanes(lanes) {}

  /// An error if an op of the region has no vector form.
  mlir::LogicalResult verify();

  /// How many ops are emitted for a vector.
  size_t getCost();

  /// Emits what depends on the tile but not on the row, for columns [n, n +
  /// lanes * masks). A null mask is a full vector.
  void beginTile(mlir::ImplicitLocOpBuilder &builder, mlir::Value n,
                 mlir::ArrayRef<mlir::Value> masks);

  /// Stores the row `m` of the result.
  void emitRow(mlir::ImplicitLocOpBuilder &builder, mlir::Value m,
               mlir::ArrayRef<mlir::Value> sums);

private:
  mlir::Value emitVector(mlir::ImplicitLocOpBuilder &builder, mlir::Value sum,
                         mlir::Value m, unsigned vector,
                         mlir::ArrayRef<mlir::Value> rowInputs);
  mlir::Value loadInput(mlir::ImplicitLocOpBuilder &builder, unsigned input,
                        unsigned vector, mlir::Value offset);

  effk::GemmOp gemm;
  int64_t lanes;
  mlir::Value column;
  llvm::SmallVector<mlir::Value> masks;
  /// Of each input: its vectors for the tile (scalar: one), or none.
  llvm::SmallVector<llvm::SmallVector<mlir::Value>> tileInputs;
};

} // namespace effc

#endif // EFFC_LIB_TARGET_CPU_MICROKERNELS_EPILOGUE_H
