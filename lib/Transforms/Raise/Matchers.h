// What the raising patterns share: a match that knows its intermediate values,
// and questions about values that look through what does not matter (converts
// between floats, reshapes that move unit dims, broadcasts of constants).
#ifndef EFFC_LIB_TRANSFORMS_RAISE_MATCHERS_H
#define EFFC_LIB_TRANSFORMS_RAISE_MATCHERS_H

#include "Eff/EffOps.h"
#include "mlir/IR/PatternMatch.h"
#include "mlir/Pass/Pass.h"
#include "llvm/ADT/SetVector.h"
#include <optional>

namespace effc::raise {

/// The ops of a pattern. Copies are cheap: alternatives work on a copy.
class Match {
public:
  void add(mlir::Operation *op) { ops.insert(op); }
  void add(const Match &other) {
    ops.insert(other.ops.begin(), other.ops.end());
  }

  /// No value but the root's is seen outside the pattern.
  bool isClosed(mlir::Operation *root) const;

  /// All places of the model that the raised op stands for.
  mlir::Location getLoc(mlir::OpBuilder &builder) const;

  /// The op that makes `value`, behind converts between floats; all are added.
  template <typename OpTy> OpTy find(mlir::Value value) {
    Match found = *this;
    auto op = llvm::dyn_cast_or_null<OpTy>(found.findAny(value));
    if (op)
      *this = found;
    return op;
  }
  eff::UnaryOp findUnary(mlir::Value value, eff::UnaryKind kind);
  eff::BinaryOp findBinary(mlir::Value value, eff::BinaryKind kind);
  mlir::Operation *findAny(mlir::Value value);

private:
  llvm::SmallSetVector<mlir::Operation *, 16> ops;
};

/// Equal up to the tolerance for constants that exporters rounded.
bool isClose(double a, double b);

/// The value before converts from float to float.
mlir::Value skipConverts(mlir::Value value);
inline bool isSame(mlir::Value a, mlir::Value b) {
  return a == b || skipConverts(a) == skipConverts(b);
}

/// The number that every element is, also when it is computed from constants.
std::optional<double> getScalar(mlir::Value value);
inline bool isScalar(mlir::Value value, double ideal) {
  std::optional<double> number = getScalar(value);
  return number && isClose(*number, ideal);
}

/// Both orders of the operands of an add or mul, else the only one.
llvm::SmallVector<std::pair<mlir::Value, mlir::Value>, 2>
operandOrders(eff::BinaryOp op);

/// a / b however written: div, or mul by a reciprocal.
struct Quotient {
  mlir::Value dividend, divisor;
  Match match;
};
llvm::SmallVector<Quotient, 2> getQuotients(eff::BinaryOp op);

/// A reduction over the last dims from `axis` on, these kept or put back.
struct Reduction {
  mlir::Value source;
  int64_t axis;
};
std::optional<Reduction> getReduction(mlir::Value value, eff::ReduceKind kind,
                                      Match &match);
/// ... of the mean, which may be a sum that is divided.
std::optional<Reduction> getMean(mlir::Value value, Match &match);

inline mlir::RankedTensorType getType(mlir::Value value) {
  return llvm::cast<mlir::RankedTensorType>(value.getType());
}
inline int64_t getRank(mlir::Value value) { return getType(value).getRank(); }
inline mlir::Type getElementType(mlir::Value value) {
  return getType(value).getElementType();
}

/// A tensor of floats with these sizes, by converting and reshaping; null when
/// the sizes do not agree.
mlir::Value castTo(mlir::OpBuilder &builder, mlir::Location loc,
                   mlir::Value value, mlir::RankedTensorType type);
/// Whether `castTo` can do it.
bool canCastTo(mlir::RankedTensorType from, mlir::RankedTensorType to);

/// Replaces the root and counts.
void finish(mlir::PatternRewriter &rewriter, mlir::Operation *root,
            mlir::Value value, mlir::Pass::Statistic *numRaised);

} // namespace effc::raise

#endif // EFFC_LIB_TRANSFORMS_RAISE_MATCHERS_H
