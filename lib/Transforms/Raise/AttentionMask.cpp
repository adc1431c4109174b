// Masks of attention: which are causal, and one tensor for all others.
#include "Attention.h"
#include "effc/Analysis/Constants.h"

#include <cmath>

using namespace mlir;
using namespace effc::eff;

namespace effc::raise {

//===----------------------------------------------------------------------===//
// Positions
//===----------------------------------------------------------------------===//

namespace {

/// An integer tensor as offset + sum of coefficient * index.
struct Position {
  SmallVector<int64_t> coefficients;
  AffineExpr offset;
};

} // namespace

static std::optional<Position> getPosition(Value value, unsigned depth);

static std::optional<Position> getSlicePosition(SliceOp op, unsigned depth) {
  auto position = getPosition(op.getX(), depth);
  if (!position)
    return std::nullopt;
  for (auto [i, c] : llvm::enumerate(position->coefficients)) {
    position->offset = position->offset + op.getOffsets().getExprs()[i] * c;
    c *= op.getStrides()[i];
  }
  return position;
}

/// Dims of extent 1 come and go.
static std::optional<Position> getReshapePosition(ReshapeOp op,
                                                  unsigned depth) {
  auto position = getPosition(op.getX(), depth);
  if (!position)
    return std::nullopt;
  Dims from = getDims(op.getX().getType()), to = getDims(op.getType());
  SmallVector<int64_t> coefficients;
  size_t next = 0;
  auto isUnit = [](AffineExpr dim) { return effc::eff::getConstant(dim) == 1; };
  for (AffineExpr dim : to) {
    while (next < from.size() && isUnit(from[next]) && !isUnit(dim))
      ++next;
    if (isUnit(dim)) {
      coefficients.push_back(0);
      continue;
    }
    if (next == from.size() || from[next] != dim)
      return std::nullopt;
    coefficients.push_back(position->coefficients[next++]);
  }
  return Position{coefficients, position->offset};
}

static std::optional<Position> getSumPosition(BinaryOp op, unsigned depth) {
  int64_t sign = op.getKind() == BinaryKind::Add ? 1 : -1;
  if (op.getKind() != BinaryKind::Add && op.getKind() != BinaryKind::Sub)
    return std::nullopt;
  auto a = getPosition(op.getA(), depth);
  auto b = a ? getPosition(op.getB(), depth) : std::nullopt;
  if (!b)
    return std::nullopt;
  size_t rank = std::max(a->coefficients.size(), b->coefficients.size());
  Position sum{SmallVector<int64_t>(rank, 0), a->offset + b->offset * sign};
  for (auto [i, c] : llvm::enumerate(llvm::reverse(a->coefficients)))
    sum.coefficients[rank - 1 - i] += c;
  for (auto [i, c] : llvm::enumerate(llvm::reverse(b->coefficients)))
    sum.coefficients[rank - 1 - i] += sign * c;
  return sum;
}

static std::optional<Position> getScalarPosition(Value value) {
  Position position{SmallVector<int64_t>(getRank(value), 0), {}};
  if (auto dims = value.getDefiningOp<DimValuesOp>()) {
    if (dims.getValues().getExprs().size() != 1)
      return std::nullopt;
    position.offset = dims.getValues().getExprs().front();
    return position;
  }
  std::optional<double> number = getScalar(value);
  if (!number || *number != std::floor(*number) || std::abs(*number) > 1e9)
    return std::nullopt;
  position.offset = constDim(value.getContext(), int64_t(*number));
  return position;
}

static std::optional<Position> getPosition(Value value, unsigned depth) {
  Operation *op = value.getDefiningOp();
  if (!op || depth == 0)
    return std::nullopt;
  if (auto scalar = getScalarPosition(value))
    return scalar;
  if (auto iota = dyn_cast<IotaOp>(op)) {
    ArrayRef<AffineExpr> bounds = iota.getBounds().getExprs();
    std::optional<int64_t> step = effc::eff::getConstant(bounds[1]);
    Position position{SmallVector<int64_t>(getRank(value), 0), bounds[0]};
    if (!step || position.coefficients.empty())
      return std::nullopt;
    position.coefficients[iota.getAxis()] = *step;
    return position;
  }
  if (auto convert = dyn_cast<ConvertOp>(op))
    return isa<IntegerType>(getElementType(convert.getX()))
               ? getPosition(convert.getX(), depth - 1)
               : std::nullopt;
  if (auto slice = dyn_cast<SliceOp>(op))
    return getSlicePosition(slice, depth - 1);
  if (auto reshape = dyn_cast<ReshapeOp>(op))
    return getReshapePosition(reshape, depth - 1);
  if (auto binary = dyn_cast<BinaryOp>(op))
    return getSumPosition(binary, depth - 1);
  if (auto broadcast = dyn_cast<BroadcastOp>(op)) {
    auto position = broadcast.isUndecided()
                        ? std::nullopt
                        : getPosition(broadcast.getX(), depth - 1);
    if (position)
      position->coefficients.insert(position->coefficients.begin(),
                                    getRank(value) - getRank(broadcast.getX()),
                                    0);
    return position;
  }
  if (auto transpose = dyn_cast<TransposeOp>(op)) {
    auto position = getPosition(transpose.getX(), depth - 1);
    if (!position)
      return std::nullopt;
    SmallVector<int64_t> coefficients;
    for (int64_t axis : transpose.getPermutation())
      coefficients.push_back(position->coefficients[axis]);
    return Position{coefficients, position->offset};
  }
  return std::nullopt;
}

//===----------------------------------------------------------------------===//
// Diagonals
//===----------------------------------------------------------------------===//

/// key <= query + offset, from a comparison of positions.
static std::optional<Diagonal> getComparedDiagonal(CompareOp op,
                                                   unsigned depth) {
  auto a = getPosition(op.getA(), depth), b = getPosition(op.getB(), depth);
  int64_t rank = getRank(op.getY());
  if (!a || !b || rank < 2)
    return std::nullopt;
  // a - b over the dims of the result.
  SmallVector<int64_t> difference(rank, 0);
  for (auto [i, c] : llvm::enumerate(llvm::reverse(a->coefficients)))
    difference[rank - 1 - i] += c;
  for (auto [i, c] : llvm::enumerate(llvm::reverse(b->coefficients)))
    difference[rank - 1 - i] -= c;
  for (int64_t c : ArrayRef(difference).drop_back(2))
    if (c != 0)
      return std::nullopt;
  AffineExpr offset = a->offset - b->offset;
  int64_t query = difference[rank - 2], key = difference[rank - 1];
  bool flipped = key == -1 && query == 1;
  if (!flipped && (key != 1 || query != -1))
    return std::nullopt;
  // With flipped the difference is query - key + offset, else key - query +
  // offset; compared with 0.
  AffineExpr bound = flipped ? offset : -offset;
  switch (op.getKind()) {
  case CompareKind::Le:
    return flipped ? Diagonal{bound - 1, true} : Diagonal{bound, false};
  case CompareKind::Lt:
    return flipped ? Diagonal{bound, true} : Diagonal{bound - 1, false};
  case CompareKind::Ge:
    return flipped ? Diagonal{bound, false} : Diagonal{bound - 1, true};
  case CompareKind::Gt:
    return flipped ? Diagonal{bound - 1, false} : Diagonal{bound, true};
  default:
    return std::nullopt;
  }
}

/// A constant that is 1 on and below a diagonal and 0 above.
static std::optional<Diagonal> getConstantDiagonal(ConstantOp op) {
  auto reader = ConstantReader::get(op.getValue());
  if (!reader || reader->isSplat() || reader->getType().getRank() < 2)
    return std::nullopt;
  ArrayRef<int64_t> shape = reader->getType().getShape();
  int64_t rows = shape[shape.size() - 2], columns = shape.back();
  // The first row's length gives the offset.
  int64_t offset = -1;
  while (offset + 1 < columns && reader->getNumber(offset + 1) == 1)
    ++offset;
  for (int64_t i = 0, size = reader->size(); i < size; ++i) {
    int64_t row = i / columns % rows, column = i % columns;
    if (reader->getNumber(i) != (column <= row + offset ? 1 : 0))
      return std::nullopt;
  }
  return Diagonal{constDim(op.getContext(), offset)};
}

static std::optional<Diagonal> getDiagonal(Value condition, unsigned depth) {
  Operation *op = condition.getDefiningOp();
  if (!op || depth == 0)
    return std::nullopt;
  if (auto constant = dyn_cast<ConstantOp>(op))
    return getConstantDiagonal(constant);
  if (auto compare = dyn_cast<CompareOp>(op))
    return getComparedDiagonal(compare, depth);
  if (auto slice = dyn_cast<SliceOp>(op)) {
    auto diagonal = getDiagonal(slice.getX(), depth - 1);
    if (!diagonal)
      return std::nullopt;
    ArrayRef<AffineExpr> offsets = slice.getOffsets().getExprs().take_back(2);
    for (int64_t stride : slice.getStrides().take_back(2))
      if (stride != 1)
        return std::nullopt;
    diagonal->offset = diagonal->offset + offsets[0] - offsets[1];
    return diagonal;
  }
  if (auto unary = dyn_cast<UnaryOp>(op)) {
    auto diagonal = unary.getKind() == UnaryKind::Not
                        ? getDiagonal(unary.getX(), depth - 1)
                        : std::nullopt;
    if (diagonal)
      diagonal->inverted = !diagonal->inverted;
    return diagonal;
  }
  // A triangle of ones.
  if (auto select = dyn_cast<SelectOp>(op)) {
    if (getScalar(select.getA()) == 1.0 && getScalar(select.getB()) == 0.0)
      return getDiagonal(select.getCondition(), depth - 1);
    return std::nullopt;
  }
  if (isa<ConvertOp>(op))
    return getDiagonal(op->getOperand(0), depth - 1);
  if (!isa<ReshapeOp, BroadcastOp>(op))
    return std::nullopt;
  Dims from = getDims(op->getOperand(0).getType()),
       to = getDims(condition.getType());
  if (from.size() < 2 || to.size() < 2 ||
      ArrayRef(from).take_back(2) != ArrayRef(to).take_back(2))
    return std::nullopt;
  return getDiagonal(op->getOperand(0), depth - 1);
}

std::optional<Diagonal> getDiagonal(Value condition) {
  return getDiagonal(condition, /*depth=*/16);
}

//===----------------------------------------------------------------------===//
// Terms
//===----------------------------------------------------------------------===//

static bool addsLeadingUnitDims(Operation *op) {
  auto reshape = dyn_cast<ReshapeOp>(op);
  if (!reshape)
    return false;
  Dims from = getDims(reshape.getX().getType()),
       to = getDims(reshape.getType());
  return from.size() <= to.size() &&
         ArrayRef(to).take_back(from.size()) == ArrayRef(from);
}

/// An addend that is 0 or a large negative number by a condition.
static MaskTerm getConditionTerm(MaskTerm term) {
  if (term.isCondition || term.number != 1.0)
    return term;
  Value value = term.value;
  while (auto *op = value.getDefiningOp()) {
    if (auto select = dyn_cast<SelectOp>(op)) {
      for (bool inverted : {false, true}) {
        auto zero = getScalar(inverted ? select.getB() : select.getA());
        auto fill = getScalar(inverted ? select.getA() : select.getB());
        if (zero == 0.0 && fill && *fill <= -1e3)
          return {select.getCondition(), true, inverted, *fill, term.scores};
      }
      return term;
    }
    // Leading unit dims come and go.
    auto broadcast = dyn_cast<BroadcastOp>(op);
    if (broadcast && broadcast.isUndecided())
      return term;
    if (!isa<ConvertOp, BroadcastOp>(op) && !addsLeadingUnitDims(op))
      return term;
    value = op->getOperand(0);
  }
  return term;
}

/// Whether one of `count` terms is `key <= query + (keys - queries)`.
static bool isCausal(const MaskTerm &term, size_t count,
                     ArrayRef<AffineExpr> scores) {
  // Where another mask excludes a row's other keys, what a small fill leaves
  // of these decides; alone, a row always has a key that outweighs it.
  if (!term.isCondition || (count > 1 && term.number > -1e30))
    return false;
  auto diagonal = getDiagonal(term.value);
  if (!diagonal || diagonal->inverted != term.inverted)
    return false;
  AffineExpr expected = simplify(scores[3] - scores[2]);
  // With fewer keys than queries the first queries would see none.
  return isNotNegative(expected,
                       Value(term.value).getParentRegion()->getParentOp()) &&
         effc::eff::getConstant(simplify(diagonal->offset - expected)) == 0;
}

/// The mask's sizes for scores of four dims: nothing when a leading dim that is
/// not 1 stands for several of the four.
static std::optional<Dims> getMaskDims(Value mask, const MaskTerm &term,
                                       ArrayRef<AffineExpr> scores) {
  Dims dims = getDims(mask.getType());
  int64_t rank = term.scores.size();
  auto isUnit = [](AffineExpr dim) { return effc::eff::getConstant(dim) == 1; };
  if (rank == 4)
    return dims;
  if (rank == 3 && dims.size() == 3 && !isUnit(dims[0]))
    return Dims{scores[0], scores[1], dims[1], dims[2]};
  while (dims.size() > 2 && isUnit(dims.front()))
    dims.erase(dims.begin());
  // Of rank 5 the heads are the third dim, as in the four.
  if (rank == 5 && dims.size() == 3)
    return dims;
  return dims.size() <= 2 ? std::optional(dims) : std::nullopt;
}

bool canCombine(ArrayRef<MaskTerm> terms, ArrayRef<AffineExpr> scores) {
  return llvm::all_of(terms, [&](const MaskTerm &term) {
    MaskTerm condition = getConditionTerm(term);
    if (isCausal(condition, terms.size(), scores))
      return true;
    auto dims = getMaskDims(term.value, term, scores);
    if (!dims || dims->size() > 4)
      return false;
    // The mask must not be larger than the scores.
    auto all = broadcastDims(*dims, scores);
    return all && ArrayRef<AffineExpr>(*all) == scores;
  });
}

/// The term as an addend.
static Value getAddend(OpBuilder &builder, Location loc, const MaskTerm &term,
                       Value value, Type elementType) {
  auto scalar = [&](double number) {
    return createScalar(builder, loc, elementType, number);
  };
  auto type = withElementType(value.getType(), elementType);
  if (!term.isCondition) {
    if (getElementType(value) != elementType)
      value = ConvertOp::create(builder, loc, value, elementType);
    if (term.number == 1.0)
      return value;
    return BinaryOp::create(builder, loc, type, BinaryKind::Mul, value,
                            scalar(term.number));
  }
  if (!getElementType(value).isInteger(1))
    value = ConvertOp::create(builder, loc, value, builder.getI1Type());
  Value zero = scalar(0), fill = scalar(term.number);
  return SelectOp::create(builder, loc, type, value,
                          term.inverted ? fill : zero,
                          term.inverted ? zero : fill);
}

Mask combineMasks(OpBuilder &builder, Location loc, ArrayRef<MaskTerm> terms,
                  ArrayRef<AffineExpr> scores, Type elementType) {
  Mask mask;
  SmallVector<MaskTerm> rest;
  for (const MaskTerm &term : terms) {
    if (isCausal(getConditionTerm(term), terms.size(), scores))
      mask.causal = true;
    else
      rest.push_back(term);
  }
  auto fitted = [&](const MaskTerm &term) {
    Dims dims = *getMaskDims(term.value, term, scores);
    return builder.createOrFold<ReshapeOp>(
        loc, makeTensorType(getElementType(term.value), dims), term.value);
  };
  // A single condition stays a condition: a byte a score instead of a float.
  if (rest.size() == 1) {
    MaskTerm term = getConditionTerm(rest.front());
    if (term.isCondition && std::isinf(term.number) &&
        getElementType(term.value).isInteger(1) &&
        getMaskDims(term.value, term, scores)) {
      mask.value = fitted(term);
      if (term.inverted)
        mask.value =
            UnaryOp::create(builder, loc, mask.value.getType(), UnaryKind::Not,
                            mask.value, FloatAttr(), FloatAttr());
      return mask;
    }
  }
  for (const MaskTerm &term : rest) {
    Value addend = getAddend(builder, loc, term, fitted(term), elementType);
    if (!mask.value) {
      mask.value = addend;
      continue;
    }
    auto dims =
        broadcastDims(getDims(mask.value.getType()), getDims(addend.getType()));
    mask.value =
        BinaryOp::create(builder, loc, makeTensorType(elementType, *dims),
                         BinaryKind::Add, mask.value, addend);
  }
  return mask;
}

} // namespace effc::raise
