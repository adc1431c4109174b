// The parts of raising attention: what stands between the two products, masks,
// and the layout of heads. See RaiseAttention.cpp.
#ifndef EFFC_LIB_TRANSFORMS_RAISE_ATTENTION_H
#define EFFC_LIB_TRANSFORMS_RAISE_ATTENTION_H

#include "Matchers.h"

namespace effc::raise {

/// Something that is added to the scores, or a choice between scores and a
/// large negative number.
struct MaskTerm {
  mlir::Value value;
  /// `value` is bool: scores where it holds (or does not, when `inverted`).
  bool isCondition = false, inverted = false;
  /// Of an addend: what it is multiplied by. Of a condition: instead of scores.
  double number = 1.0;
  /// Sizes of the scores where the term applies.
  eff::Dims scores;
};

/// From the softmax back to Q K^T.
struct Scores {
  eff::MatmulOp product;
  double scale = 1.0, softcap = 0.0;
  llvm::SmallVector<MaskTerm, 2> masks;
  /// [batch, heads, queries, keys] where a reshape shows them, else empty.
  eff::Dims split;
};
std::optional<Scores> findScores(mlir::Value softmaxOperand, Match &match);

/// What the op takes for all terms.
struct Mask {
  mlir::Value value;
  bool causal = false;
};
/// Whether all terms can be written for scores [B, H, S, T].
bool canCombine(llvm::ArrayRef<MaskTerm> terms,
                llvm::ArrayRef<mlir::AffineExpr> scores);
Mask combineMasks(mlir::OpBuilder &builder, mlir::Location loc,
                  llvm::ArrayRef<MaskTerm> terms,
                  llvm::ArrayRef<mlir::AffineExpr> scores,
                  mlir::Type elementType);

/// c when the bool (or 0/1) tensor [..., S, T] is `key <= query + c`; with
/// `inverted` when it is the contrary.
struct Diagonal {
  mlir::AffineExpr offset;
  bool inverted = false;
};
std::optional<Diagonal> getDiagonal(mlir::Value condition);

/// x with the last two dims swapped, cancelling transposes that are there.
mlir::Value swapLastDims(mlir::OpBuilder &builder, mlir::Location loc,
                         mlir::Value x);

/// Takes factors off: x is what is returned times `scale`.
mlir::Value stripScale(mlir::OpBuilder &builder, mlir::Value x, double &scale);

/// [B, G, T, D] when x [B, H, T, D] repeats each of G groups; else null.
mlir::Value getRepeatedGroups(mlir::Value x);

/// [B, S, H, D] when x is its transpose [B, H, S, D]; else null. With a builder
/// it may be made of views.
mlir::Value getHeadsLast(mlir::OpBuilder &builder, mlir::Location loc,
                         mlir::Value x);

} // namespace effc::raise

#endif // EFFC_LIB_TRANSFORMS_RAISE_ATTENTION_H
