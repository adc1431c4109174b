// Layer, RMS and group norms written out, in the forms of PyTorch, TensorFlow
// and Keras (ONNX LayerNormalization-17, RMSNormalization-23; layer norm is
// arXiv 1607.06450, RMS norm 1910.07467, group norm 1803.08494).
#include "Matchers.h"
#include "effc/Transforms/Raise/Passes.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"

namespace effc {
#define GEN_PASS_DEF_RAISENORMS
#include "effc/Transforms/Raise/Passes.h.inc"
} // namespace effc

using namespace mlir;
using namespace effc::eff;
using namespace effc::raise;

namespace {

/// A norm and what it is scaled by, so far as found.
struct Norm {
  Value x, scale, bias;
  int64_t axis;
  double epsilon;
  Operation *root;
  Match match;
  bool centred;
};

/// sqrt(mean(a * b) + epsilon), or its reciprocal.
struct RootMean {
  Value a, b;
  int64_t axis;
  double epsilon;
};

} // namespace

//===----------------------------------------------------------------------===//
// Parts
//===----------------------------------------------------------------------===//

/// The factors of a square, which may differ as values: LN2 subtracts twice.
static std::optional<std::pair<Value, Value>> getSquare(Value value,
                                                        Match &match) {
  if (auto mul = match.findBinary(value, BinaryKind::Mul))
    return std::pair<Value, Value>(mul.getA(), mul.getB());
  Match found = match;
  auto pow = found.findBinary(value, BinaryKind::Pow);
  if (!pow || !isScalar(pow.getB(), 2.0))
    return std::nullopt;
  match = found;
  return std::pair<Value, Value>(pow.getA(), pow.getA());
}

/// The radicand of sqrt(v), v^0.5 (`power` 0.5) or v^-0.5 (`power` -0.5).
static Value getRadicand(Value value, double power, Match &match) {
  if (power > 0)
    if (auto sqrt = match.findUnary(value, UnaryKind::Sqrt))
      return sqrt.getX();
  Match found = match;
  auto pow = found.findBinary(value, BinaryKind::Pow);
  if (!pow || !isScalar(pow.getB(), power))
    return {};
  match = found;
  return pow.getA();
}

static std::optional<RootMean> getRootMean(Value value, double power,
                                           Match &match) {
  Value radicand = getRadicand(value, power, match);
  auto add =
      radicand ? match.findBinary(radicand, BinaryKind::Add) : BinaryOp();
  if (!add)
    return std::nullopt;
  for (auto [mean, constant] : operandOrders(add)) {
    std::optional<double> epsilon = getScalar(constant);
    if (!epsilon || *epsilon <= 0 || *epsilon > 1e-2)
      continue;
    auto reduction = getMean(mean, match);
    auto square =
        reduction ? getSquare(reduction->source, match) : std::nullopt;
    if (!square)
      return std::nullopt;
    return RootMean{square->first, square->second, reduction->axis, *epsilon};
  }
  return std::nullopt;
}

/// x of x - mean(x).
static Value getCentred(Value value, int64_t axis, Match &match) {
  Match found = match;
  auto sub = found.findBinary(value, BinaryKind::Sub);
  auto mean = sub ? getMean(sub.getB(), found) : std::nullopt;
  if (!mean || mean->axis != axis || !isSame(mean->source, sub.getA()))
    return {};
  match = found;
  return sub.getA();
}

//===----------------------------------------------------------------------===//
// Norms
//===----------------------------------------------------------------------===//

/// TensorFlow's form: k = g / root; x * k + (b - mean * k). `product` is k.
static std::optional<Norm> getFoldedNorm(BinaryOp product, Value scale, Value x,
                                         const RootMean &root, Match match) {
  SmallVector<BinaryOp, 2> users;
  for (Operation *user : product->getUsers())
    if (auto mul = dyn_cast<BinaryOp>(user);
        mul && mul.getKind() == BinaryKind::Mul)
      users.push_back(mul);
  if (users.size() != 2)
    return std::nullopt;
  if (!isSame(users[0].getA(), x) && !isSame(users[0].getB(), x))
    std::swap(users[0], users[1]);
  auto [scaled, shift] = std::pair(users[0], users[1]);
  if (!isSame(scaled.getA(), x) && !isSame(scaled.getB(), x))
    return std::nullopt;
  Value other = shift.getA() == product.getY() ? shift.getB() : shift.getA();
  auto mean = getMean(other, match);
  if (!mean || mean->axis != root.axis || !isSame(mean->source, x) ||
      !scaled->hasOneUse() || !shift->hasOneUse())
    return std::nullopt;
  auto sub = dyn_cast<BinaryOp>(*shift->user_begin());
  auto add = dyn_cast<BinaryOp>(*scaled->user_begin());
  if (!sub || sub.getKind() != BinaryKind::Sub || sub.getB() != shift.getY() ||
      !add || add.getKind() != BinaryKind::Add ||
      !llvm::is_contained(add->getOperands(), sub.getY()))
    return std::nullopt;
  for (BinaryOp op : {scaled, shift, sub, add})
    match.add(op);
  return Norm{x, scale, sub.getA(), root.axis, root.epsilon, add, match, true};
}

/// `op` is dividend / root of the square's mean.
static std::optional<Norm> getNorm(BinaryOp op, Value dividend,
                                   const RootMean &root, Match match) {
  Value x = getCentred(root.a, root.axis, match);
  Value twin = x ? getCentred(root.b, root.axis, match) : Value();
  if (x && twin && isSame(x, twin)) {
    Value outer = getCentred(dividend, root.axis, match);
    if (outer && isSame(outer, x))
      return Norm{outer, {}, {}, root.axis, root.epsilon, op, match, true};
    return getFoldedNorm(op, dividend, x, root, match);
  }
  if (isSame(root.a, root.b) && isSame(root.a, dividend))
    return Norm{dividend, {}, {}, root.axis, root.epsilon, op, match, false};
  return std::nullopt;
}

/// Whether the last dims alone are normalised; over all of several dims it is
/// no layer norm of a network but statistics of one tensor.
static bool isPlausible(const Norm &norm) {
  return norm.axis > 0 || getRank(norm.x) == 1;
}

static std::optional<Norm> findNorm(BinaryOp op) {
  for (Quotient &quotient : getQuotients(op))
    if (auto root = getRootMean(quotient.divisor, 0.5, quotient.match))
      if (auto norm = getNorm(op, quotient.dividend, *root, quotient.match))
        return norm;
  if (op.getKind() != BinaryKind::Mul)
    return std::nullopt;
  for (auto [a, b] : operandOrders(op)) {
    Match match;
    match.add(op);
    if (auto root = getRootMean(b, -0.5, match))
      if (auto norm = getNorm(op, a, *root, match))
        return norm;
  }
  return std::nullopt;
}

/// A tensor of the normalised dims, for scale or bias.
static bool isParameter(Value value, const Norm &norm) {
  auto type = getType(value);
  Dims dims = getDims(type), all = getDims(norm.root->getResult(0).getType());
  if (getElementType(norm.root->getResult(0)) != type.getElementType() ||
      dims.size() > all.size())
    return false;
  // Leading unit dims do not matter, other dims must be normalised ones.
  int64_t missing = all.size() - dims.size();
  for (auto [i, dim] : llvm::enumerate(dims))
    if (effc::eff::getConstant(dim) != 1 &&
        (int64_t(i) + missing < norm.axis || dim != all[i + missing]))
      return false;
  return !value.getDefiningOp() || isa<ConstantOp>(value.getDefiningOp()) ||
         getRank(value) <= int64_t(all.size()) - norm.axis;
}

/// Takes the product with the scale or the sum with the bias into the norm.
static Value takeParameter(Norm &norm, BinaryKind kind) {
  Operation *root = norm.root;
  if (!root->hasOneUse())
    return {};
  auto op = dyn_cast<BinaryOp>(*root->user_begin());
  if (!op || op.getKind() != kind || op.getType() != root->getResultTypes()[0])
    return {};
  for (auto [value, parameter] : operandOrders(op))
    if (value == root->getResult(0) && isParameter(parameter, norm)) {
      norm.root = op;
      norm.match.add(op);
      return parameter;
    }
  return {};
}

namespace {

/// Replaces what a norm is written out as by the op.
struct RaiseNorm : OpRewritePattern<BinaryOp> {
  RaiseNorm(MLIRContext *context, Pass::Statistic *numRaised)
      : OpRewritePattern(context), numRaised(numRaised) {}

  LogicalResult matchAndRewrite(BinaryOp op,
                                PatternRewriter &rewriter) const override {
    std::optional<Norm> norm = findNorm(op);
    if (!norm || !isPlausible(*norm))
      return rewriter.notifyMatchFailure(op, "is not x / sqrt(mean + epsilon)");
    if (!norm->match.isClosed(norm->root))
      return rewriter.notifyMatchFailure(op, "an intermediate value is used");
    // The folded form brings its parameters; they may not fit.
    if (norm->scale &&
        (!isParameter(norm->scale, *norm) || !isParameter(norm->bias, *norm)))
      return rewriter.notifyMatchFailure(op, "scale or bias has other dims");
    auto type = getType(norm->root->getResult(0));
    if (getDims(norm->x.getType()) != getDims(type))
      return rewriter.notifyMatchFailure(op, "the shape of x changes");
    if (!norm->scale)
      norm->scale = takeParameter(*norm, BinaryKind::Mul);
    if (norm->centred && !norm->bias)
      norm->bias = takeParameter(*norm, BinaryKind::Add);
    rewriter.setInsertionPoint(norm->root);
    Location loc = norm->match.getLoc(rewriter);
    Value x = castTo(rewriter, loc, norm->x, type), y;
    auto epsilon = rewriter.getF64FloatAttr(norm->epsilon);
    auto axis = rewriter.getI64IntegerAttr(norm->axis);
    if (norm->centred)
      y = LayerNormOp::create(rewriter, loc, type, x, norm->scale, norm->bias,
                              axis, epsilon);
    else
      y = RMSNormOp::create(rewriter, loc, type, x, norm->scale, axis, epsilon);
    finish(rewriter, norm->root, y, numRaised);
    return success();
  }

  Pass::Statistic *numRaised;
};

/// Takes a product or sum with one number a channel behind a group norm;
/// `root` moves on.
static Value takeChannelParameter(Operation *&root, BinaryKind kind,
                                  Match &match) {
  if (!root->hasOneUse())
    return {};
  auto op = dyn_cast<BinaryOp>(*root->user_begin());
  if (!op || op.getKind() != kind || op.getType() != root->getResultTypes()[0])
    return {};
  Dims all = getDims(op.getType());
  for (auto [value, parameter] : operandOrders(op)) {
    Dims dims = getDims(parameter.getType());
    int64_t channel = int64_t(dims.size()) - int64_t(all.size()) + 1;
    if (value != root->getResult(0) || channel < 0 || dims[channel] != all[1] ||
        getNumElements(parameter.getType()) != all[1])
      continue;
    root = op;
    match.add(op);
    return parameter;
  }
  return {};
}

/// Reshape to groups, instance norm, reshape back (PyTorch's group norm).
struct RaiseGroupNorm : OpRewritePattern<ReshapeOp> {
  RaiseGroupNorm(MLIRContext *context, Pass::Statistic *numRaised)
      : OpRewritePattern(context), numRaised(numRaised) {}

  LogicalResult matchAndRewrite(ReshapeOp op,
                                PatternRewriter &rewriter) const override {
    Match match;
    match.add(op);
    auto norm = match.find<GroupNormOp>(op.getX());
    auto reshape = norm ? match.find<ReshapeOp>(norm.getX()) : ReshapeOp();
    if (!reshape || norm.getChannelsLast() ||
        getDims(reshape.getX().getType()) != getDims(op.getType()))
      return rewriter.notifyMatchFailure(op, "ends no norm between reshapes");
    Dims inner = getDims(norm.getX().getType()), all = getDims(op.getType());
    std::optional<int64_t> groups = effc::eff::getConstant(inner[1]);
    if (all.size() < 3 || inner[0] != all[0] ||
        groups != int64_t(norm.getGroups()) || !match.isClosed(op))
      return rewriter.notifyMatchFailure(op, "normalises no channel groups");
    if ((norm.getScale() && !isScalar(norm.getScale(), 1.0)) ||
        (norm.getBias() && getScalar(norm.getBias()) != 0.0))
      return rewriter.notifyMatchFailure(op, "scales each group");
    return replace(op, norm, reshape.getX(), match, rewriter);
  }

  LogicalResult replace(ReshapeOp op, GroupNormOp norm, Value x, Match &match,
                        PatternRewriter &rewriter) const {
    Operation *root = op;
    Value scale = takeChannelParameter(root, BinaryKind::Mul, match);
    Value bias = takeChannelParameter(root, BinaryKind::Add, match);
    rewriter.setInsertionPoint(root);
    Location loc = match.getLoc(rewriter);
    auto type = getType(op.getY());
    AffineExpr channels = getDim(type, 1);
    auto flat = makeTensorType(type.getElementType(), {channels});
    for (Value *parameter : {&scale, &bias})
      if (*parameter)
        *parameter = castTo(rewriter, loc, *parameter, flat);
    x = castTo(rewriter, loc, x, type);
    Value y = GroupNormOp::create(rewriter, loc, type, x, scale, bias,
                                  norm.getGroupsAttr(), norm.getEpsilonAttr());
    finish(rewriter, root, y, numRaised);
    return success();
  }

  Pass::Statistic *numRaised;
};

struct RaiseNorms : effc::impl::RaiseNormsBase<RaiseNorms> {
  void runOnOperation() override {
    RewritePatternSet patterns(&getContext());
    effc::populateRaiseNormPatterns(patterns, &numRaised);
    if (failed(applyPatternsGreedily(getOperation(), std::move(patterns))))
      signalPassFailure();
  }
};

} // namespace

void effc::populateRaiseNormPatterns(RewritePatternSet &patterns,
                                     Pass::Statistic *numRaised) {
  patterns.add<RaiseNorm, RaiseGroupNorm>(patterns.getContext(), numRaised);
}
