// Rotary embedding (RoFormer, arXiv 2104.09864) in the forms of Hugging Face:
// x * cos + concat(-x_hi, x_lo) * sin with tables of whole rows (R1, R2, R4,
// R6), and rotated halves or pairs put together again (R3).
#include "Matchers.h"
#include "effc/Analysis/Constants.h"
#include "effc/Transforms/Raise/Passes.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/Dominance.h"
#include "mlir/Transforms/CSE.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"

namespace effc {
#define GEN_PASS_DEF_RAISEROPE
#include "effc/Transforms/Raise/Passes.h.inc"
} // namespace effc

using namespace mlir;
using namespace effc::eff;
using namespace effc::raise;

//===----------------------------------------------------------------------===//
// Tables
//===----------------------------------------------------------------------===//

static AffineExpr getLastDim(Value value) {
  return getDims(value.getType()).back();
}

/// The type with the last dim halved.
static RankedTensorType getHalfType(Value value) {
  Dims dims = getDims(value.getType());
  dims.back() = simplify(dims.back().floorDiv(2));
  return makeTensorType(getElementType(value), dims);
}

static bool hasEqualHalves(ConstantOp op) {
  auto reader = effc::ConstantReader::get(op.getValue());
  if (!reader || reader->getType().getRank() == 0)
    return false;
  int64_t row = reader->getType().getShape().back(), half = row / 2;
  if (row == 0 || row % 2 != 0)
    return false;
  if (reader->isSplat())
    return true;
  for (int64_t begin = 0; begin < reader->size(); begin += row)
    for (int64_t i = begin; i < begin + half; ++i)
      if (reader->getNumber(i) != reader->getNumber(i + half))
        return false;
  return true;
}

static Value sliceHalf(OpBuilder &builder, Value value) {
  Dims offsets(getRank(value), constDim(value.getContext(), 0));
  SmallVector<int64_t> strides(getRank(value), 1);
  return SliceOp::create(builder, value.getLoc(), getHalfType(value), value,
                         DimsAttr::get(value.getContext(), offsets), strides);
}

/// Operands of `op` that must be halved so that its result is; nothing when
/// the op does not work on each element of the last dim alone.
static std::optional<SmallVector<OpOperand *>>
getHalvedOperands(Operation *op) {
  SmallVector<OpOperand *> operands;
  Value result = op->getResult(0);
  if (auto gather = dyn_cast<GatherOp>(op)) {
    if (int64_t(gather.getAxis()) == getRank(gather.getX()) - 1)
      return std::nullopt;
    operands.push_back(&op->getOpOperand(0));
    return operands;
  }
  if (auto transpose = dyn_cast<TransposeOp>(op))
    if (transpose.getPermutation().back() != getRank(result) - 1)
      return std::nullopt;
  if (isa<ReshapeOp>(op) &&
      (getRank(op->getOperand(0)) == 0 ||
       getLastDim(op->getOperand(0)) != getLastDim(result)))
    return std::nullopt;
  if (auto broadcast = dyn_cast<BroadcastOp>(op))
    if (broadcast.isUndecided())
      return std::nullopt;
  if (auto slice = dyn_cast<SliceOp>(op))
    if (getLastDim(slice.getX()) != getLastDim(result) ||
        slice.getStrides().back() != 1)
      return std::nullopt;
  if (!isa<UnaryOp, BinaryOp, ConvertOp, ReshapeOp, TransposeOp, BroadcastOp,
           SliceOp>(op))
    return std::nullopt;
  for (OpOperand &operand : op->getOpOperands()) {
    bool repeats = getRank(operand.get()) == 0 ||
                   effc::eff::getConstant(getLastDim(operand.get())) == 1;
    if (!repeats)
      operands.push_back(&operand);
  }
  return operands;
}

/// The part concat(f, f) repeats.
static Value getRepeatedPart(Operation *op) {
  auto concat = dyn_cast<ConcatOp>(op);
  if (!concat || concat.getInputs().size() != 2 ||
      concat.getInputs()[0] != concat.getInputs()[1] ||
      int64_t(concat.getAxis()) != getRank(concat.getY()) - 1)
    return {};
  return concat.getInputs()[0];
}

/// Whether both halves of every row are equal, provably.
static bool hasEqualHalves(Value table, unsigned depth = 16) {
  Operation *op = table.getDefiningOp();
  if (!op || depth == 0)
    return false;
  if (auto constant = dyn_cast<ConstantOp>(op))
    return hasEqualHalves(constant);
  if (getRepeatedPart(op))
    return true;
  auto operands = getHalvedOperands(op);
  return operands && llvm::all_of(*operands, [&](OpOperand *operand) {
           return hasEqualHalves(operand->get(), depth - 1);
         });
}

/// The first half of every row of a table with equal halves. Ops stand beside
/// those they copy, so that all users of the table can share them.
static Value getFirstHalf(OpBuilder &builder, Value table) {
  Operation *op = table.getDefiningOp();
  if (Value part = getRepeatedPart(op))
    return part;
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointAfter(op);
  if (isa<ConstantOp>(op))
    return sliceHalf(builder, table);
  IRMapping mapping;
  auto operands = getHalvedOperands(op);
  for (OpOperand *operand : *operands)
    mapping.map(operand->get(), getFirstHalf(builder, operand->get()));
  builder.setInsertionPointAfter(op);
  Operation *copy = builder.clone(*op, mapping);
  copy->getResult(0).setType(getHalfType(table));
  return copy->getResult(0);
}

//===----------------------------------------------------------------------===//
// Halves and pairs
//===----------------------------------------------------------------------===//

namespace {

/// A part of the last dim: every `stride`-th element from `offset` on.
struct Part {
  Value source;
  int64_t offset, stride;
};

/// What a rotation is written with.
struct Rope {
  Value x, cos, sin;
  bool interleaved = false;
};

} // namespace

static std::optional<Part> getSlicedPart(SliceOp slice) {
  Dims from = getDims(slice.getX().getType()), to = getDims(slice.getType());
  ArrayRef<AffineExpr> offsets = slice.getOffsets().getExprs();
  for (size_t i = 0; i + 1 < from.size(); ++i)
    if (from[i] != to[i] || effc::eff::getConstant(offsets[i]) != 0 ||
        slice.getStrides()[i] != 1)
      return std::nullopt;
  auto offset = effc::eff::getConstant(offsets.back());
  auto whole = effc::eff::getConstant(from.back());
  auto count = effc::eff::getConstant(to.back());
  if (!offset || !whole || !count || *whole != *count * 2)
    return std::nullopt;
  return Part{slice.getX(), *offset, slice.getStrides().back()};
}

/// Half of the last dim, or every other element of it.
static std::optional<Part> getPart(Value value, Match &match) {
  Match found = match;
  auto slice = found.find<SliceOp>(value);
  auto part = slice ? getSlicedPart(slice) : std::nullopt;
  if (part)
    match = found;
  return part;
}

/// x * cos + concat(-x_hi, x_lo) * sin.
static std::optional<Rope> findRotation(BinaryOp straight, BinaryOp turned,
                                        Match &match) {
  for (auto [rotated, sin] : operandOrders(turned)) {
    Match found = match;
    auto concat = found.find<ConcatOp>(rotated);
    if (!concat || concat.getInputs().size() != 2 ||
        int64_t(concat.getAxis()) != getRank(concat.getY()) - 1)
      continue;
    Match negated = found;
    Value high;
    if (auto neg = negated.findUnary(concat.getInputs()[0], UnaryKind::Neg))
      high = neg.getX();
    else if (auto mul =
                 negated.findBinary(concat.getInputs()[0], BinaryKind::Mul))
      for (auto [inner, number] : operandOrders(mul))
        if (getScalar(number) == -1.0)
          high = inner;
    if (!high)
      continue;
    found = negated;
    auto second = getPart(high, found);
    auto first = getPart(concat.getInputs()[1], found);
    if (!first || !second || !isSame(first->source, second->source) ||
        first->stride != 1 || second->stride != 1 || first->offset != 0 ||
        second->offset == 0)
      continue;
    for (auto [x, cos] : operandOrders(straight))
      if (isSame(x, first->source) && hasEqualHalves(cos) &&
          hasEqualHalves(sin)) {
        match = found;
        return Rope{x, cos, sin, false};
      }
  }
  return std::nullopt;
}

/// A product's factors in both orders, each with the other's operand.
static SmallVector<std::pair<Value, Value>, 2> getFactors(Value value,
                                                          Match &match) {
  auto mul = match.findBinary(value, BinaryKind::Mul);
  return mul ? operandOrders(mul) : SmallVector<std::pair<Value, Value>, 2>();
}

/// a * cos +- b * sin with parts a and b: both, and the tables.
static std::optional<std::pair<Part, Part>>
findRotatedPart(Value value, BinaryKind kind, Value &cos, Value &sin,
                Match &match) {
  Match sum = match;
  auto op = sum.findBinary(value, kind);
  if (!op)
    return std::nullopt;
  for (auto [left, right] : operandOrders(op)) {
    Match found = sum;
    auto lefts = getFactors(left, found), rights = getFactors(right, found);
    for (auto [a, c] : lefts)
      for (auto [b, s] : rights) {
        Match parts = found;
        auto first = getPart(a, parts), second = getPart(b, parts);
        if (!first || !second || (cos && (cos != c || sin != s)) ||
            !isSame(first->source, second->source))
          continue;
        cos = c;
        sin = s;
        match = parts;
        return std::pair(*first, *second);
      }
  }
  return std::nullopt;
}

/// Two rotated parts, `low` of x_lo cos - x_hi sin.
static std::optional<Rope> findRotatedParts(Value low, Value high,
                                            Match &match) {
  Rope rope;
  Match found = match;
  auto first = findRotatedPart(low, BinaryKind::Sub, rope.cos, rope.sin, found);
  auto second =
      first ? findRotatedPart(high, BinaryKind::Add, rope.cos, rope.sin, found)
            : std::nullopt;
  if (!second || !isSame(first->first.source, second->first.source))
    return std::nullopt;
  Part x = first->first, y = first->second;
  if (second->first.offset != y.offset || second->second.offset != x.offset ||
      x.offset != 0 || x.stride != y.stride || y.offset == 0)
    return std::nullopt;
  rope.x = x.source;
  rope.interleaved = x.stride == 2;
  match = found;
  return rope;
}

/// The value before a unit dim was added at the end.
static Value skipTrailingUnit(Value value, Match &match) {
  Match found = match;
  auto reshape = found.find<ReshapeOp>(value);
  if (!reshape)
    return {};
  Dims from = getDims(reshape.getX().getType()),
       to = getDims(reshape.getType());
  from.push_back(constDim(value.getContext(), 1));
  if (from != to)
    return {};
  match = found;
  return reshape.getX();
}

//===----------------------------------------------------------------------===//
// Patterns
//===----------------------------------------------------------------------===//

/// Whether the tables can be operands of the op for x.
static bool fits(const Rope &rope, RankedTensorType type, bool wholeRows) {
  Dims half = getDims(rope.x.getType());
  if (half.empty() || half != getDims(type) ||
      !effc::eff::getConstant(half.back()) ||
      *effc::eff::getConstant(half.back()) % 2 != 0)
    return false;
  half.back() = simplify(half.back().floorDiv(2));
  for (Value table : {rope.cos, rope.sin}) {
    if (getElementType(table) != type.getElementType())
      return false;
    Dims dims =
        wholeRows ? getDims(getHalfType(table)) : getDims(table.getType());
    auto all = broadcastDims(half, dims);
    if (!all || *all != half)
      return false;
  }
  return true;
}

static Value createRope(OpBuilder &builder, Location loc, const Rope &rope,
                        RankedTensorType type) {
  Value x = castTo(builder, loc, rope.x, type);
  return RopeOp::create(builder, loc, type, x, rope.cos, rope.sin,
                        rope.interleaved);
}

namespace {

struct RaiseRotation : OpRewritePattern<BinaryOp> {
  RaiseRotation(MLIRContext *context, Pass::Statistic *numRaised)
      : OpRewritePattern(context), numRaised(numRaised) {}

  LogicalResult matchAndRewrite(BinaryOp op,
                                PatternRewriter &rewriter) const override {
    if (op.getKind() != BinaryKind::Add)
      return rewriter.notifyMatchFailure(op, "is no sum");
    auto type = getType(op.getY());
    for (auto [left, right] : operandOrders(op)) {
      Match match;
      match.add(op);
      auto straight = match.findBinary(left, BinaryKind::Mul);
      auto turned = match.findBinary(right, BinaryKind::Mul);
      auto rope = straight && turned ? findRotation(straight, turned, match)
                                     : std::nullopt;
      if (!rope || !match.isClosed(op) || !fits(*rope, type, true))
        continue;
      rope->cos = getFirstHalf(rewriter, rope->cos);
      rope->sin = getFirstHalf(rewriter, rope->sin);
      Location loc = match.getLoc(rewriter);
      finish(rewriter, op, createRope(rewriter, loc, *rope, type), numRaised);
      return success();
    }
    return rewriter.notifyMatchFailure(op, "is no rotation");
  }

  Pass::Statistic *numRaised;
};

/// Rotated halves, or pairs, put together again.
struct RaiseRotatedParts : OpRewritePattern<ConcatOp> {
  RaiseRotatedParts(MLIRContext *context, Pass::Statistic *numRaised)
      : OpRewritePattern(context), numRaised(numRaised) {}

  LogicalResult matchAndRewrite(ConcatOp op,
                                PatternRewriter &rewriter) const override {
    if (op.getInputs().size() != 2 ||
        int64_t(op.getAxis()) != getRank(op.getY()) - 1)
      return rewriter.notifyMatchFailure(op, "joins no two last dims");
    Match match;
    match.add(op);
    Value low = op.getInputs()[0], high = op.getInputs()[1];
    Operation *root = op;
    // Pairs: [..., D/2, 1] twice, then a reshape to [..., D].
    Match paired = match;
    Value even = skipTrailingUnit(low, paired);
    Value odd = even ? skipTrailingUnit(high, paired) : Value();
    if (odd && op->hasOneUse() && isa<ReshapeOp>(*op->user_begin())) {
      root = *op->user_begin();
      paired.add(root);
      match = paired;
      low = even;
      high = odd;
    }
    auto rope = findRotatedParts(low, high, match);
    auto type = getType(root->getResult(0));
    if (!rope || rope->interleaved != (root != op) || !match.isClosed(root) ||
        !fits(*rope, type, false))
      return rewriter.notifyMatchFailure(op, "joins no rotated parts");
    rewriter.setInsertionPoint(root);
    Location loc = match.getLoc(rewriter);
    finish(rewriter, root, createRope(rewriter, loc, *rope, type), numRaised);
    return success();
  }

  Pass::Statistic *numRaised;
};

struct RaiseRope : effc::impl::RaiseRopeBase<RaiseRope> {
  void runOnOperation() override {
    RewritePatternSet patterns(&getContext());
    effc::populateRaiseRopePatterns(patterns, &numRaised);
    if (failed(applyPatternsGreedily(getOperation(), std::move(patterns))))
      return signalPassFailure();
    // Every rotation made its own half tables.
    IRRewriter rewriter(&getContext());
    DominanceInfo dominance(getOperation());
    eliminateCommonSubExpressions(rewriter, dominance, getOperation());
  }
};

} // namespace

void effc::populateRaiseRopePatterns(RewritePatternSet &patterns,
                                     Pass::Statistic *numRaised) {
  patterns.add<RaiseRotation, RaiseRotatedParts>(patterns.getContext(),
                                                 numRaised);
}
