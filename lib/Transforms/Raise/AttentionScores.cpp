// Between softmax and Q K^T lie scales, a soft cap and masks, in any order that
// exporters choose (A1 to A7 of the idiom table).
#include "Attention.h"
#include "Polynomial.h"

#include <cmath>

using namespace mlir;
using namespace effc::eff;

namespace effc::raise {

/// What this much is added to scores takes a key out of the softmax.
static constexpr double excludes = -1e3;

static bool isProduct(MatmulOp op) {
  return !isa_and_present<ConstantOp>(op.getA().getDefiningOp()) &&
         !isa_and_present<ConstantOp>(op.getB().getDefiningOp());
}

/// Whether the value is computed from a product of two computed tensors by
/// what occurs between it and a softmax.
static bool leadsToProduct(Value value) {
  SetVector<Value> todo;
  todo.insert(value);
  // The set grows while it is walked; scores are few steps away.
  for (size_t i = 0; i < todo.size() && i < 24; ++i) {
    Operation *op = todo[i].getDefiningOp();
    if (auto matmul = dyn_cast_or_null<MatmulOp>(op))
      if (isProduct(matmul))
        return true;
    auto unary = dyn_cast_or_null<UnaryOp>(op);
    if (isa_and_present<BinaryOp, SelectOp, ReshapeOp, ConvertOp>(op) ||
        (unary && unary.getKind() == UnaryKind::Tanh))
      todo.insert(op->operand_begin(), op->operand_end());
  }
  return false;
}

static Dims getLastTwo(Value value) {
  Dims dims = getDims(value.getType());
  dims.erase(dims.begin(), dims.end() - 2);
  return dims;
}

namespace {

/// Walks up from the softmax; `factor` multiplies all that is still to come.
struct ScoresWalk {
  Match match;
  Scores scores;
  double factor = 1.0;

  /// The next value on the way, or null.
  Value step(Operation *op);
  Value stepBinary(BinaryOp op);
  Value stepSum(BinaryOp op);
  Value stepProductMask(BinaryOp sum, Value product, Value addend, double sign);
  Value stepSelect(SelectOp op);
  Value stepReshape(ReshapeOp op);
};

} // namespace

Value ScoresWalk::stepReshape(ReshapeOp op) {
  if (getRank(op.getX()) < 2 || getRank(op.getY()) < 2 ||
      getLastTwo(op.getX()) != getLastTwo(op.getY()))
    return {};
  for (Value value : {op.getX(), op.getY()})
    if (getRank(value) == 4)
      scores.split = getDims(value.getType());
  return op.getX();
}

Value ScoresWalk::stepSelect(SelectOp op) {
  for (bool inverted : {false, true}) {
    Value inner = inverted ? op.getB() : op.getA();
    std::optional<double> fill = getScalar(inverted ? op.getA() : op.getB());
    // Inside a soft cap there is no -inf.
    if (!fill || *fill > excludes || !leadsToProduct(inner) ||
        inner.getType() != op.getType() || factor <= 0)
      continue;
    scores.masks.push_back({op.getCondition(), /*isCondition=*/true, inverted,
                            *fill * factor, getDims(op.getType())});
    return inner;
  }
  return {};
}

/// s * b - c * (1 - b) with b of 0 and 1 is a choice by b (GPT-2).
Value ScoresWalk::stepProductMask(BinaryOp sum, Value product, Value addend,
                                  double sign) {
  Match found = match;
  auto mul = found.findBinary(product, BinaryKind::Mul);
  if (!mul)
    return {};
  for (auto [inner, b] : operandOrders(mul)) {
    if (getScalar(b) || !leadsToProduct(inner) ||
        inner.getType() != sum.getType() || !getDiagonal(b))
      continue;
    Match addendOps;
    auto polynomial = getPolynomial(addend, b, {}, addendOps);
    if (!polynomial)
      continue;
    double c = sign * (*polynomial)[{0, 0}];
    if (c * factor > excludes ||
        !isClose(polynomial, {{{0, 0}, sign * c}, {{1, 0}, -sign * c}}))
      continue;
    match = found;
    scores.masks.push_back({b, /*isCondition=*/true, /*inverted=*/false,
                            c * factor, getDims(sum.getType())});
    return inner;
  }
  return {};
}

Value ScoresWalk::stepSum(BinaryOp op) {
  double sign = op.getKind() == BinaryKind::Add ? 1.0 : -1.0;
  for (auto [inner, addend] : operandOrders(op)) {
    if (!leadsToProduct(inner) || leadsToProduct(addend))
      continue;
    if (Value next = stepProductMask(op, inner, addend, sign))
      return next;
    if (inner.getType() != op.getType())
      return {};
    if (getScalar(addend) != 0.0)
      scores.masks.push_back({addend, /*isCondition=*/false, false,
                              sign * factor, getDims(op.getType())});
    return inner;
  }
  return {};
}

Value ScoresWalk::stepBinary(BinaryOp op) {
  switch (op.getKind()) {
  case BinaryKind::Add:
  case BinaryKind::Sub:
    return stepSum(op);
  case BinaryKind::Mul:
  case BinaryKind::Div:
    for (auto [inner, number] : operandOrders(op)) {
      std::optional<double> c = getScalar(number);
      if (!c || *c == 0 || inner.getType() != op.getType())
        continue;
      factor = op.getKind() == BinaryKind::Mul ? factor * *c : factor / *c;
      return inner;
    }
    return {};
  default:
    return {};
  }
}

Value ScoresWalk::step(Operation *op) {
  if (auto binary = dyn_cast<BinaryOp>(op))
    return stepBinary(binary);
  if (auto select = dyn_cast<SelectOp>(op))
    return stepSelect(select);
  if (auto reshape = dyn_cast<ReshapeOp>(op))
    return stepReshape(reshape);
  auto unary = dyn_cast<UnaryOp>(op);
  if (!unary || unary.getKind() != UnaryKind::Tanh || scores.softcap != 0 ||
      factor <= 0)
    return {};
  scores.softcap = factor;
  factor = 1.0;
  return unary.getX();
}

std::optional<Scores> findScores(Value softmaxOperand, Match &match) {
  ScoresWalk walk;
  walk.match = match;
  Value value = softmaxOperand;
  for (unsigned steps = 0; value && steps < 16; ++steps) {
    Operation *op = walk.match.findAny(value);
    auto matmul = dyn_cast_or_null<MatmulOp>(op);
    if (matmul && isProduct(matmul)) {
      Scores &scores = walk.scores;
      scores.product = matmul;
      scores.scale = walk.factor;
      if (scores.softcap != 0)
        scores.scale *= scores.softcap;
      match = walk.match;
      return scores;
    }
    bool capped = walk.scores.softcap != 0;
    size_t masks = walk.scores.masks.size();
    value = op ? walk.step(op) : Value();
    // The op applies masks behind the cap.
    if (capped && walk.scores.masks.size() != masks)
      return std::nullopt;
  }
  return std::nullopt;
}

} // namespace effc::raise
