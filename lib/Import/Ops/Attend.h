// Attention as the operators of ONNX and com.microsoft share it: heads, masks
// and rotary embedding, in terms of eff.attention and eff.rope.
#ifndef EFFC_LIB_IMPORT_OPS_ATTEND_H
#define EFFC_LIB_IMPORT_OPS_ATTEND_H

#include "Emitter.h"

namespace effc {

/// What attention computes; the tensors are [batch, heads, tokens, width].
struct Attend {
  mlir::Value q, k, v;
  /// Additive, or i1 where true lets through; broadcasts to the scores.
  mlir::Value mask;
  double scale = 1.0, softcap = 0.0;
  bool causal = false;
  /// Keys that come before the first query: an expression, or one number per
  /// sample ([batch], i64) when `validKeys` is given.
  mlir::AffineExpr offset;
  /// Keys of each sample that count, [batch] of i64.
  mlir::Value validKeys;
  /// Keys to the left and right of a query's position; -1 is all.
  int64_t left = -1, right = -1;
  /// A logit for each head that takes part in the softmax and goes nowhere
  /// (attention sinks, arXiv 2309.17453); null without.
  mlir::Value sink;
  /// The mask says everything, also what eff.attention could by itself.
  bool explicitMask = false;
};

/// [batch, tokens, heads * width] as [batch, heads, tokens, width]; null and a
/// diagnostic when heads do not divide.
mlir::Value splitHeads(Emitter &e, mlir::Value x, int64_t heads);
/// The reverse.
mlir::Value mergeHeads(Emitter &e, mlir::Value x);

/// Every head of x, [batch, groups, tokens, width], for each query head that
/// reads it: [batch, heads, tokens, width].
mlir::Value repeatHeads(Emitter &e, mlir::Value x, mlir::AffineExpr heads);

/// The factor 1 / sqrt(width of q). Where only the run knows the width, q is
/// scaled by it and 1 is left.
double defaultScale(Emitter &e, mlir::Value &q);

/// Bool mask of what causality, windows and valid keys leave; null when all.
/// Sets `causal` when eff.attention's own rule says the same.
mlir::Value emitKeep(Emitter &e, const Attend &plan, bool &causal);
/// The mask, with the sizes of the scores where it may have to be repeated.
mlir::Value repeatMask(Emitter &e, const Attend &plan);
/// Both masks hold; either may be null.
mlir::Value combineMasks(Emitter &e, mlir::Value mask, mlir::Value keep,
                         mlir::Type type);
/// A bool mask as numbers to add.
mlir::Value additiveMask(Emitter &e, mlir::Value mask, mlir::Type type,
                         double excluded);

mlir::Value emitAttention(Emitter &e, const Attend &plan);

/// Attention of com.microsoft with the attributes of the node: `product` holds
/// the columns of Q, K and V in turn. `past` is [2, batch, heads, tokens,
/// width]; it, `mask` and `bias` may be null. Sets the node's outputs.
mlir::LogicalResult emitPackedAttention(Emitter &e, mlir::Value product,
                                        mlir::Value mask, mlir::Value past,
                                        mlir::Value bias);

/// Rotates the first `width` elements (0 for all) of the last dim.
mlir::Value emitRope(Emitter &e, mlir::Value x, mlir::Value cos,
                     mlir::Value sin, int64_t width, bool interleaved);

} // namespace effc

#endif // EFFC_LIB_IMPORT_OPS_ATTEND_H
