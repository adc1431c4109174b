// One form for arithmetic with constants: recipes match additions and
// multiplications with the constant on the right, relu and clip.
#include "Eff/EffOps.h"
#include "Patterns.h"
#include "effc/Analysis/Constants.h"
#include <cmath>

using namespace mlir;
using namespace effc::eff;

namespace effc {
namespace {

/// Constants with more elements stay as they are: a copy would cost more than
/// the operation.
constexpr int64_t maxElements = 1 << 20;

Type elementTypeOf(Value value) {
  return cast<RankedTensorType>(value.getType()).getElementType();
}

bool isConstant(Value value) {
  return value.getDefiningOp<ConstantOp>() != nullptr;
}

/// A new constant with f of every element, or nothing when f refuses one.
Value mapConstant(PatternRewriter &rewriter, Value constant,
                  function_ref<std::optional<double>(double)> f) {
  std::optional<ConstantReader> reader = ConstantReader::get(constant);
  if (!reader || reader->size() > maxElements || reader->size() == 0)
    return {};
  ConstantBuilder result(reader->getType(), reader->isSplat());
  for (int64_t i = 0, e = reader->isSplat() ? 1 : reader->size(); i < e; ++i) {
    std::optional<double> value = f(reader->getNumber(i));
    if (!value)
      return {};
    result.setNumber(i, *value);
  }
  return ConstantOp::create(rewriter, constant.getLoc(),
                            result.finish("mapped"));
}

/// Moves a constant to the right of a commutative operation.
struct ConstantToRight : OpRewritePattern<BinaryOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(BinaryOp op,
                                PatternRewriter &rewriter) const override {
    switch (op.getKind()) {
    case BinaryKind::Add:
    case BinaryKind::Mul:
    case BinaryKind::Max:
    case BinaryKind::Min:
    case BinaryKind::And:
    case BinaryKind::Or:
    case BinaryKind::Xor:
      break;
    default:
      return rewriter.notifyMatchFailure(op, "not commutative");
    }
    if (!isConstant(op.getA()) || isConstant(op.getB()))
      return rewriter.notifyMatchFailure(op, "no constant on the left only");
    rewriter.replaceOpWithNewOp<BinaryOp>(op, op.getType(), op.getKind(),
                                          op.getB(), op.getA());
    return success();
  }
};

/// Moves a constant to the right of a comparison.
struct CompareConstantToRight : OpRewritePattern<CompareOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(CompareOp op,
                                PatternRewriter &rewriter) const override {
    if (!isConstant(op.getA()) || isConstant(op.getB()))
      return rewriter.notifyMatchFailure(op, "no constant on the left only");
    CompareKind kind = op.getKind();
    switch (kind) {
    case CompareKind::Lt:
      kind = CompareKind::Gt;
      break;
    case CompareKind::Le:
      kind = CompareKind::Ge;
      break;
    case CompareKind::Gt:
      kind = CompareKind::Lt;
      break;
    case CompareKind::Ge:
      kind = CompareKind::Le;
      break;
    default:
      break;
    }
    rewriter.replaceOpWithNewOp<CompareOp>(op, op.getType(), kind, op.getB(),
                                           op.getA());
    return success();
  }
};

/// Multiplying by it and dividing by it round nothing.
bool isPowerOfTwo(double value) {
  int exponent = 0;
  return std::abs(std::frexp(value, &exponent)) == 0.5;
}

/// Constants below it, and above its reciprocal, are far from overflow.
double getLimit(Type type) {
  if (type.isF16() || type.isBF16())
    return 0x1p14;
  return type.isF64() ? 0x1p1000 : 0x1p120;
}

/// x - c = x + (-c), x / c = x * (1 / c) where 1 / c is exact: a quotient that
/// is rounded twice may lie on the other side of an integer.
struct InvertConstant : OpRewritePattern<BinaryOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(BinaryOp op,
                                PatternRewriter &rewriter) const override {
    Type type = elementTypeOf(op);
    bool isSub = op.getKind() == BinaryKind::Sub;
    if (!isa<FloatType>(type) || (!isSub && op.getKind() != BinaryKind::Div))
      return rewriter.notifyMatchFailure(op, "no difference or quotient");
    double limit = getLimit(type);
    auto invert = [&](double value) -> std::optional<double> {
      if (isSub)
        return -value;
      if (!isPowerOfTwo(value) || !(std::abs(value) < limit) ||
          !(std::abs(1.0 / value) < limit))
        return std::nullopt;
      return 1.0 / value;
    };
    Value constant = mapConstant(rewriter, op.getB(), invert);
    if (!constant)
      return rewriter.notifyMatchFailure(op, "no constant with an inverse");
    rewriter.replaceOpWithNewOp<BinaryOp>(
        op, op.getType(), isSub ? BinaryKind::Add : BinaryKind::Mul, op.getA(),
        constant);
    return success();
  }
};

/// x^2 = x * x, x^0.5 = sqrt(x), x^-1 = 1 / x.
struct ReducePower : OpRewritePattern<BinaryOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(BinaryOp op,
                                PatternRewriter &rewriter) const override {
    if (op.getKind() != BinaryKind::Pow || op.getType() != op.getA().getType())
      return rewriter.notifyMatchFailure(op, "no power of the result's shape");
    std::optional<double> exponent = getScalarConstant(op.getB());
    if (exponent == 2.0) {
      rewriter.replaceOpWithNewOp<BinaryOp>(op, op.getType(), BinaryKind::Mul,
                                            op.getA(), op.getA());
      return success();
    }
    if (!isa<FloatType>(elementTypeOf(op)) ||
        (exponent != 0.5 && exponent != -1.0))
      return rewriter.notifyMatchFailure(op, "no short form of the power");
    rewriter.replaceOpWithNewOp<UnaryOp>(
        op, exponent == 0.5 ? UnaryKind::Sqrt : UnaryKind::Reciprocal,
        op.getA());
    return success();
  }
};

/// 1 / x is a reciprocal.
struct DivideOne : OpRewritePattern<BinaryOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(BinaryOp op,
                                PatternRewriter &rewriter) const override {
    if (op.getKind() != BinaryKind::Div ||
        op.getType() != op.getB().getType() ||
        !isa<FloatType>(elementTypeOf(op)) ||
        getScalarConstant(op.getA()) != 1.0)
      return rewriter.notifyMatchFailure(op, "does not divide one");
    rewriter.replaceOpWithNewOp<UnaryOp>(op, UnaryKind::Reciprocal, op.getB());
    return success();
  }
};

/// (x * c) * d = x * (c * d) where a power of two among them rounds nothing and
/// neither product leaves the range without the other. Sums stay: adding
/// 1.5 * 2^23 and taking it off again rounds to an integer.
struct ComposeFactors : OpRewritePattern<BinaryOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(BinaryOp op,
                                PatternRewriter &rewriter) const override {
    auto inner = op.getA().getDefiningOp<BinaryOp>();
    Type type = elementTypeOf(op);
    if (op.getKind() != BinaryKind::Mul || !inner ||
        inner.getKind() != BinaryKind::Mul || !inner->hasOneUse() ||
        !isa<FloatType>(type))
      return rewriter.notifyMatchFailure(op, "no chain of products");
    std::optional<double> c = getScalarConstant(inner.getB());
    std::optional<double> d = getScalarConstant(op.getB());
    if (!c || !d || inner.getA().getType() != op.getType())
      return rewriter.notifyMatchFailure(op, "not two single numbers");
    double product = *c * *d, size = std::abs(product), limit = getLimit(type);
    bool sameSide = (std::abs(*c) <= 1 && std::abs(*d) <= 1) ||
                    (std::abs(*c) >= 1 && std::abs(*d) >= 1);
    if ((!isPowerOfTwo(*c) && !isPowerOfTwo(*d)) || !sameSide ||
        !(size < limit) || !(size > 1.0 / limit))
      return rewriter.notifyMatchFailure(op, "the product would round");
    Location loc = rewriter.getFusedLoc({op.getLoc(), inner.getLoc()});
    Value constant = createScalar(rewriter, loc, type, product);
    auto result = BinaryOp::create(rewriter, loc, op.getType(), op.getKind(),
                                   inner.getA(), constant);
    rewriter.replaceOp(op, result);
    return success();
  }
};

/// Lower and upper bound; infinite where there is none.
using Bounds = std::pair<double, double>;

/// The bounds that an operation puts on its first operand.
std::optional<Bounds> getBounds(Operation *op) {
  double infinity = std::numeric_limits<double>::infinity();
  if (auto unary = dyn_cast_if_present<UnaryOp>(op)) {
    if (unary.getKind() == UnaryKind::Relu)
      return Bounds(0.0, infinity);
    if (unary.getKind() == UnaryKind::Clip)
      return Bounds(unary.getAlpha()->convertToDouble(),
                    unary.getBeta()->convertToDouble());
  }
  auto binary = dyn_cast_if_present<BinaryOp>(op);
  if (!binary || binary.getType() != binary.getA().getType())
    return std::nullopt;
  std::optional<double> bound = getScalarConstant(binary.getB());
  // 64-bit integers do not fit the attribute.
  if (!bound || std::isnan(*bound) ||
      (!isa<FloatType>(elementTypeOf(binary)) &&
       elementTypeOf(binary).getIntOrFloatBitWidth() > 32))
    return std::nullopt;
  if (binary.getKind() == BinaryKind::Max)
    return Bounds(*bound, infinity);
  if (binary.getKind() == BinaryKind::Min)
    return Bounds(-infinity, *bound);
  return std::nullopt;
}

/// Only zero as lower bound is a relu.
template <typename OpTy> struct BoundToRelu : OpRewritePattern<OpTy> {
  using OpRewritePattern<OpTy>::OpRewritePattern;
  LogicalResult matchAndRewrite(OpTy op,
                                PatternRewriter &rewriter) const override {
    std::optional<Bounds> bounds = getBounds(op);
    if (!bounds || bounds->first != 0 || !std::isinf(bounds->second) ||
        isRelu(op))
      return rewriter.notifyMatchFailure(op, "no lower bound of zero only");
    rewriter.replaceOpWithNewOp<UnaryOp>(op, UnaryKind::Relu,
                                         op->getOperand(0));
    return success();
  }

  static bool isRelu(Operation *op) {
    auto unary = dyn_cast<UnaryOp>(op);
    return unary && unary.getKind() == UnaryKind::Relu;
  }
};

/// Bounds that follow each other are one relu or clip.
template <typename OpTy> struct ComposeBounds : OpRewritePattern<OpTy> {
  using OpRewritePattern<OpTy>::OpRewritePattern;
  LogicalResult matchAndRewrite(OpTy op,
                                PatternRewriter &rewriter) const override {
    Operation *inner = op->getOperand(0).getDefiningOp();
    std::optional<Bounds> outer = getBounds(op), before = getBounds(inner);
    if (!outer || !before || !inner->hasOneUse())
      return rewriter.notifyMatchFailure(op, "no chain of bounds");
    auto [low, high] = *outer;
    if (!(low <= high) || !(before->first <= before->second))
      return rewriter.notifyMatchFailure(op, "bounds are out of order");
    double newLow = std::min(std::max(before->first, low), high);
    double newHigh = std::min(std::max(before->second, low), high);
    bool isRelu = newLow == 0 && std::isinf(newHigh);
    if (!isRelu && (std::isinf(newLow) || std::isinf(newHigh)))
      return rewriter.notifyMatchFailure(op, "only one bound");
    Location loc = rewriter.getFusedLoc({op.getLoc(), inner->getLoc()});
    FloatAttr alpha, beta;
    if (!isRelu) {
      alpha = rewriter.getF64FloatAttr(newLow);
      beta = rewriter.getF64FloatAttr(newHigh);
    }
    rewriter.replaceOp(
        op, UnaryOp::create(rewriter, loc, op.getType(),
                            isRelu ? UnaryKind::Relu : UnaryKind::Clip,
                            inner->getOperand(0), alpha, beta));
    return success();
  }
};

} // namespace

void populateArithmeticPatterns(RewritePatternSet &patterns) {
  patterns.add<ConstantToRight, CompareConstantToRight, InvertConstant,
               ReducePower, DivideOne, ComposeFactors, BoundToRelu<BinaryOp>,
               BoundToRelu<UnaryOp>, ComposeBounds<BinaryOp>,
               ComposeBounds<UnaryOp>>(patterns.getContext());
}

} // namespace effc
