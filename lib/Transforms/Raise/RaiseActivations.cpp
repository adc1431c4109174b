// Activations by algebra: below the anchor (erf, tanh, sigmoid, ...) must lie
// the ideal polynomial in x, above it the ideal one in x and the anchor's value
// (GELU: arXiv 1606.08415; SiLU, hard swish: 1905.02244; Mish: 1908.08681).
#include "Polynomial.h"
#include "effc/Transforms/Raise/Passes.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"

#include <cmath>

namespace effc {
#define GEN_PASS_DEF_RAISEACTIVATIONS
#include "effc/Transforms/Raise/Passes.h.inc"
} // namespace effc

using namespace mlir;
using namespace effc::eff;
using namespace effc::raise;

namespace {

struct Activation {
  UnaryKind raised, anchor;
  Polynomial argument, result;
};

/// What an activation's ops leave: x and the op that holds the result.
struct Found {
  Value x;
  Operation *root;
  Match match;
};

} // namespace

static ArrayRef<Activation> getActivations() {
  static const double half = std::sqrt(0.5), root = std::sqrt(2 / M_PI);
  static const std::pair<int, int> one(0, 0), x(1, 0), xa(1, 1);
  static const Activation table[] = {
      {UnaryKind::Gelu, UnaryKind::Erf, {{x, half}}, {{x, 0.5}, {xa, 0.5}}},
      {UnaryKind::GeluTanh,
       UnaryKind::Tanh,
       {{x, root}, {{3, 0}, root * 0.044715}},
       {{x, 0.5}, {xa, 0.5}}},
      {UnaryKind::Silu, UnaryKind::Sigmoid, {{x, 1.0}}, {{xa, 1.0}}},
      {UnaryKind::QuickGelu, UnaryKind::Sigmoid, {{x, 1.702}}, {{xa, 1.0}}},
      {UnaryKind::HardSwish, UnaryKind::HardSigmoid, {{x, 1.0}}, {{xa, 1.0}}},
      {UnaryKind::HardSwish,
       UnaryKind::Clip,
       {{x, 1.0}, {one, 3.0}},
       {{xa, 1.0 / 6}}},
      // The argument is softplus(x), which is no polynomial.
      {UnaryKind::Mish, UnaryKind::Tanh, {}, {{xa, 1.0}}},
  };
  return table;
}

static bool isArithmetic(Operation *op) {
  if (auto unary = dyn_cast_or_null<UnaryOp>(op))
    return unary.getKind() == UnaryKind::Neg;
  return isa_and_present<BinaryOp, ConvertOp>(op);
}

/// Values that `value` may be arithmetic on, nearest first.
static SmallVector<Value> getSources(Value value) {
  SetVector<Value> seen;
  SmallVector<Value> todo = {value};
  for (unsigned depth = 0; depth < 9 && seen.size() < 32; ++depth) {
    SmallVector<Value> next;
    for (Value current : todo) {
      if (getScalar(current) || !seen.insert(current))
        continue;
      if (isArithmetic(current.getDefiningOp()))
        llvm::append_range(next, current.getDefiningOp()->getOperands());
    }
    todo = next;
  }
  return seen.takeVector();
}

/// Ops that the anchor reaches through arithmetic, nearest first.
static SmallVector<Operation *> getRoots(Operation *anchor) {
  SetVector<Operation *> seen;
  SmallVector<Operation *> todo = {anchor};
  for (unsigned depth = 0; depth < 7 && seen.size() < 32; ++depth) {
    SmallVector<Operation *> next;
    for (Operation *op : todo)
      for (Operation *user : op->getUsers())
        if (isArithmetic(user) && seen.insert(user))
          next.push_back(user);
    todo = next;
  }
  return seen.takeVector();
}

/// The anchor's own constants.
static bool hasIdealAttributes(UnaryOp anchor) {
  double alpha =
             anchor.getAlpha() ? anchor.getAlphaAttr().getValueAsDouble() : NAN,
         beta =
             anchor.getBeta() ? anchor.getBetaAttr().getValueAsDouble() : NAN;
  if (anchor.getKind() == UnaryKind::HardSigmoid)
    return isClose(alpha, 1.0 / 6) && isClose(beta, 0.5);
  if (anchor.getKind() == UnaryKind::Clip)
    return std::abs(alpha) < 1e-6 && isClose(beta, 6.0);
  return true;
}

/// x that the anchor's argument is the ideal function of.
static SmallVector<std::pair<Value, Match>>
getArguments(UnaryOp anchor, const Activation &activation) {
  SmallVector<std::pair<Value, Match>> arguments;
  Match match;
  match.add(anchor);
  if (activation.argument.empty()) {
    if (auto soft = match.findUnary(anchor.getX(), UnaryKind::Softplus))
      arguments.emplace_back(soft.getX(), match);
    return arguments;
  }
  for (Value x : getSources(anchor.getX())) {
    Match inner = match;
    if (isClose(getPolynomial(anchor.getX(), x, {}, inner),
                activation.argument))
      arguments.emplace_back(x, inner);
  }
  return arguments;
}

static std::optional<Found> find(UnaryOp anchor, const Activation &activation) {
  for (auto &[x, inner] : getArguments(anchor, activation))
    for (Operation *root : getRoots(anchor)) {
      // A convert behind the result is none of the pattern.
      if (!isa<BinaryOp>(root))
        continue;
      Match match = inner;
      Value result = root->getResult(0);
      if (isClose(getPolynomial(result, x, anchor.getY(), match),
                  activation.result) &&
          match.isClosed(root) && canCastTo(getType(x), getType(result)))
        return Found{x, root, match};
    }
  return std::nullopt;
}

namespace {

/// Replaces the ops around an anchor by one activation.
struct RaiseActivation : OpRewritePattern<UnaryOp> {
  RaiseActivation(MLIRContext *context, Pass::Statistic *numRaised)
      : OpRewritePattern(context), numRaised(numRaised) {}

  LogicalResult matchAndRewrite(UnaryOp anchor,
                                PatternRewriter &rewriter) const override {
    for (const Activation &activation : getActivations()) {
      if (anchor.getKind() != activation.anchor || !hasIdealAttributes(anchor))
        continue;
      std::optional<Found> found = find(anchor, activation);
      if (!found)
        continue;
      rewriter.setInsertionPoint(found->root);
      Location loc = found->match.getLoc(rewriter);
      auto type = getType(found->root->getResult(0));
      // Before a convert lies the same x; use the one of the result's type.
      Value x = skipConverts(found->x);
      if (getElementType(x) != type.getElementType())
        x = found->x;
      x = castTo(rewriter, loc, x, type);
      auto y = UnaryOp::create(rewriter, loc, type, activation.raised, x,
                               FloatAttr(), FloatAttr());
      finish(rewriter, found->root, y, numRaised);
      return success();
    }
    return rewriter.notifyMatchFailure(anchor, "is no anchor of an activation");
  }

  Pass::Statistic *numRaised;
};

struct RaiseActivations : effc::impl::RaiseActivationsBase<RaiseActivations> {
  void runOnOperation() override {
    RewritePatternSet patterns(&getContext());
    effc::populateRaiseActivationPatterns(patterns, &numRaised);
    if (failed(applyPatternsGreedily(getOperation(), std::move(patterns))))
      signalPassFailure();
  }
};

} // namespace

void effc::populateRaiseActivationPatterns(RewritePatternSet &patterns,
                                           Pass::Statistic *numRaised) {
  patterns.add<RaiseActivation>(patterns.getContext(), numRaised);
}
