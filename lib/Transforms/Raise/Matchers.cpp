// Looking through what does not matter; see Matchers.h.
#include "Matchers.h"
#include "effc/Analysis/Arithmetic.h"
#include "effc/Analysis/Constants.h"

#include <cmath>

using namespace mlir;
using namespace effc::eff;

namespace effc::raise {

bool isClose(double a, double b) {
  // Infinities are equal to themselves only.
  return a == b || std::abs(a - b) <= 1e-3 * std::max(std::abs(b), 1e-30);
}

/// Idioms may cross conversions between these; 8 and 4 bits round too much.
static bool isFloat(Value value) {
  auto type = dyn_cast<FloatType>(getElementType(value));
  return type && type.getWidth() >= 16;
}

Value skipConverts(Value value) {
  while (auto convert = value.getDefiningOp<ConvertOp>()) {
    if (!isFloat(convert.getX()) || !isFloat(value))
      break;
    value = convert.getX();
  }
  return value;
}

//===----------------------------------------------------------------------===//
// Match
//===----------------------------------------------------------------------===//

bool Match::isClosed(Operation *root) const {
  return llvm::all_of(ops, [&](Operation *op) {
    return op == root || llvm::all_of(op->getUsers(), [&](Operation *user) {
             return ops.contains(user) || isOpTriviallyDead(user);
           });
  });
}

Location Match::getLoc(OpBuilder &builder) const {
  SmallVector<Location> locations;
  for (Operation *op : ops)
    locations.push_back(op->getLoc());
  return builder.getFusedLoc(locations);
}

Operation *Match::findAny(Value value) {
  while (auto convert = value.getDefiningOp<ConvertOp>()) {
    if (!isFloat(convert.getX()) || !isFloat(value))
      break;
    add(convert);
    value = convert.getX();
  }
  if (Operation *op = value.getDefiningOp()) {
    add(op);
    return op;
  }
  return nullptr;
}

UnaryOp Match::findUnary(Value value, UnaryKind kind) {
  Match found = *this;
  auto op = found.find<UnaryOp>(value);
  if (!op || op.getKind() != kind)
    return {};
  *this = found;
  return op;
}

BinaryOp Match::findBinary(Value value, BinaryKind kind) {
  Match found = *this;
  auto op = found.find<BinaryOp>(value);
  if (!op || op.getKind() != kind)
    return {};
  *this = found;
  return op;
}

//===----------------------------------------------------------------------===//
// Scalars
//===----------------------------------------------------------------------===//

static std::optional<double> getScalar(Value value, unsigned depth) {
  Operation *op = value.getDefiningOp();
  if (!op || depth == 0)
    return std::nullopt;
  if (isa<ConstantOp>(op))
    return getScalarConstant(value);
  if (auto dims = dyn_cast<DimValuesOp>(op)) {
    ArrayRef<AffineExpr> exprs = dims.getValues().getExprs();
    std::optional<int64_t> number;
    if (exprs.size() == 1)
      number = getConstant(exprs.front());
    return number ? std::optional<double>(*number) : std::nullopt;
  }
  if (isa<ReshapeOp, BroadcastOp>(op))
    return getScalar(op->getOperand(0), depth - 1);
  if (auto convert = dyn_cast<ConvertOp>(op))
    // To an integer it may truncate.
    return isFloat(value) ? getScalar(convert.getX(), depth - 1) : std::nullopt;
  if (!isFloat(value))
    return std::nullopt;
  if (auto unary = dyn_cast<UnaryOp>(op)) {
    std::optional<double> x = getScalar(unary.getX(), depth - 1);
    return x ? applyFloat(unary.getKind(), *x) : std::nullopt;
  }
  if (auto binary = dyn_cast<BinaryOp>(op)) {
    std::optional<double> a = getScalar(binary.getA(), depth - 1);
    std::optional<double> b = a ? getScalar(binary.getB(), depth - 1) : a;
    return b ? applyFloat(binary.getKind(), *a, *b) : std::nullopt;
  }
  return std::nullopt;
}

std::optional<double> getScalar(Value value) {
  // Exporters compute 1 / sqrt(sqrt(head size)) and the like: a short chain.
  return getScalar(value, /*depth=*/10);
}

//===----------------------------------------------------------------------===//
// Arithmetic
//===----------------------------------------------------------------------===//

SmallVector<std::pair<Value, Value>, 2> operandOrders(BinaryOp op) {
  SmallVector<std::pair<Value, Value>, 2> orders = {{op.getA(), op.getB()}};
  if (op.getKind() == BinaryKind::Add || op.getKind() == BinaryKind::Mul)
    orders.push_back({op.getB(), op.getA()});
  return orders;
}

SmallVector<Quotient, 2> getQuotients(BinaryOp op) {
  SmallVector<Quotient, 2> quotients;
  Match match;
  match.add(op);
  if (op.getKind() == BinaryKind::Div)
    quotients.push_back({op.getA(), op.getB(), match});
  if (op.getKind() != BinaryKind::Mul)
    return quotients;
  for (auto [a, b] : operandOrders(op)) {
    Match inner = match;
    if (auto reciprocal = inner.findUnary(b, UnaryKind::Reciprocal))
      quotients.push_back({a, reciprocal.getX(), inner});
    else if (auto div = inner.findBinary(b, BinaryKind::Div))
      if (isScalar(div.getA(), 1.0))
        quotients.push_back({a, div.getB(), inner});
  }
  return quotients;
}

//===----------------------------------------------------------------------===//
// Reductions
//===----------------------------------------------------------------------===//

/// The first of the trailing axes that a reduction goes over.
static std::optional<int64_t> getTrailingAxis(ReduceOp op) {
  ArrayRef<int64_t> axes = op.getAxes();
  int64_t rank = getRank(op.getX());
  if (axes.empty() || axes.back() != rank - 1 ||
      axes.back() - axes.front() + 1 != int64_t(axes.size()))
    return std::nullopt;
  return axes.front();
}

/// The sizes of x with the dims from `axis` on reduced to 1.
static bool hasKeptDims(Value value, Value x, int64_t axis) {
  Dims dims = getDims(x.getType());
  for (int64_t i = axis; i < int64_t(dims.size()); ++i)
    dims[i] = constDim(value.getContext(), 1);
  return getDims(value.getType()) == dims;
}

/// max(x, -inf), as canonicalised.
static bool isUnboundedClip(Operation *op) {
  auto clip = dyn_cast<UnaryOp>(op);
  return clip && clip.getKind() == UnaryKind::Clip && !clip.getBeta() &&
         (!clip.getAlpha() || clip.getAlpha()->convertToDouble() == -INFINITY);
}

std::optional<Reduction> getReduction(Value value, ReduceKind kind,
                                      Match &match) {
  Match found = match;
  Value current = value;
  while (Operation *op = found.findAny(current)) {
    if (auto reduce = dyn_cast<ReduceOp>(op)) {
      std::optional<int64_t> axis = getTrailingAxis(reduce);
      if (reduce.getKind() != kind || !axis ||
          !hasKeptDims(value, reduce.getX(), *axis))
        return std::nullopt;
      match = found;
      return Reduction{reduce.getX(), *axis};
    }
    auto binary = dyn_cast<BinaryOp>(op);
    if (binary && binary.getKind() == BinaryKind::Max) {
      // JAX guards against a maximum over nothing.
      bool first = getScalar(binary.getA()) == -INFINITY;
      if (!first && getScalar(binary.getB()) != -INFINITY)
        return std::nullopt;
      current = first ? binary.getB() : binary.getA();
    } else if (isa<ReshapeOp, BroadcastOp>(op) || isUnboundedClip(op)) {
      current = op->getOperand(0);
    } else {
      return std::nullopt;
    }
  }
  return std::nullopt;
}

std::optional<Reduction> getMean(Value value, Match &match) {
  if (auto mean = getReduction(value, ReduceKind::Mean, match))
    return mean;
  Match found = match;
  auto op = found.find<BinaryOp>(value);
  if (!op ||
      (op.getKind() != BinaryKind::Div && op.getKind() != BinaryKind::Mul))
    return std::nullopt;
  for (auto [a, b] : operandOrders(op)) {
    std::optional<double> factor = getScalar(b);
    auto sum = factor ? getReduction(a, ReduceKind::Sum, found) : std::nullopt;
    if (!sum)
      continue;
    int64_t count = 1;
    for (int64_t size : getType(sum->source).getShape().drop_front(sum->axis))
      count = ShapedType::isDynamic(size) ? 0 : count * size;
    if (count == 0 ||
        !isClose(op.getKind() == BinaryKind::Div ? *factor : 1 / *factor,
                 double(count)))
      continue;
    match = found;
    return sum;
  }
  return std::nullopt;
}

//===----------------------------------------------------------------------===//
// Replacing
//===----------------------------------------------------------------------===//

bool canCastTo(RankedTensorType from, RankedTensorType to) {
  if (!isa<FloatType>(from.getElementType()) ||
      !isa<FloatType>(to.getElementType()))
    return false;
  return getDims(from) == getDims(to) ||
         getNumElements(from) == getNumElements(to);
}

Value castTo(OpBuilder &builder, Location loc, Value value,
             RankedTensorType type) {
  if (!canCastTo(getType(value), type))
    return {};
  if (getElementType(value) != type.getElementType())
    value = ConvertOp::create(builder, loc, value, type.getElementType());
  if (value.getType() != type)
    value = builder.createOrFold<ReshapeOp>(loc, type, value);
  return value;
}

void finish(PatternRewriter &rewriter, Operation *root, Value value,
            Pass::Statistic *numRaised) {
  rewriter.replaceOp(root, value);
  if (numRaised)
    ++*numRaised;
}

} // namespace effc::raise
