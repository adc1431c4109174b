// The `effk` dialect: everything a user of its operations includes.
#ifndef EFFK_EFFKOPS_H
#define EFFK_EFFKOPS_H

#include "Eff/EffOps.h"
#include "mlir/IR/SymbolTable.h"
#include "mlir/Interfaces/ControlFlowInterfaces.h"

#include "Effk/EffkDialect.h.inc"
#define GET_ATTRDEF_CLASSES
#include "Effk/EffkAttrs.h.inc"
#define GET_OP_CLASSES
#include "Effk/EffkOps.h.inc"

namespace effc::effk {

/// Names of the runtime's kernels (eff.library) begin with this.
inline constexpr llvm::StringLiteral kLibraryPrefix = "effrt_op_";

/// Attribute of a kernel function: a line on how it computes, where that is not
/// to be seen from its tile ops.
inline constexpr llvm::StringLiteral kChoiceAttr = "eff.choice";

/// Where an input of a gemm's epilogue is read; values of GemmOp's `maps`.
enum class EpilogueMap : int64_t {
  Scalar = 0,
  Column = 1,
  Element = 2,
  Row = 3
};

/// What products with left elements of type `a` are summed in.
mlir::Type getSumType(mlir::Type a);

struct EpilogueInput {
  mlir::Value memref;
  EpilogueMap map;
  mlir::Value base;
  /// Between rows. May be null when the map does not use it.
  mlir::Value stride;
};

/// Codes of a column that lie together in panels of `bits` (#effk.panel), and
/// how many lanes of 4 bytes they take.
struct CodeUnit {
  int64_t codes, lanes;
};
CodeUnit getCodeUnit(int64_t bits);

/// The operands of GemmOp by name; see its description. Bases that are null are
/// zero.
struct GemmDescription {
  mlir::Value a, rowBase;
  llvm::SmallVector<mlir::Value> rowSizes, rowStrides;
  llvm::SmallVector<mlir::Value> tapSizes, tapStrides;
  mlir::Value run;
  llvm::SmallVector<mlir::Value> windowSizes, windowStrides, windowDilations,
      windowPads;
  mlir::Value b, bBase;
  /// Null: panels.
  mlir::Value bStride;
  mlir::Value c, cBase, cStride, n;
  mlir::Value lo, hi;
  llvm::SmallVector<EpilogueInput> epilogueInputs;
  int64_t tileRows = 0, tileWidth = 0, rowsPerBlock = 0;
  bool rowsOuter = false;
  int64_t interleave = 1, padValue = 0;
  /// Of blocks; null or 0 without.
  mlir::Value bScales, bZeros, aScales, aSums;
  int64_t block = 0, bits = 8;
  llvm::ArrayRef<float> codebook;
  /// 0: that of the tile.
  int64_t panelWidth = 0;
  /// 0: 16 with AMX, else none.
  int64_t registerRows = 0;
};

/// Gives the element to store, from the sum, its position and the epilogue's
/// inputs.
using EpilogueBuilder = llvm::function_ref<mlir::Value(
    mlir::OpBuilder &, mlir::Location, mlir::Value sum, mlir::Value m,
    mlir::Value n, mlir::ValueRange inputs)>;

GemmOp createGemm(mlir::OpBuilder &builder, mlir::Location loc,
                  const GemmDescription &gemm, EpilogueBuilder epilogue);

} // namespace effc::effk

#endif // EFFK_EFFKOPS_H
