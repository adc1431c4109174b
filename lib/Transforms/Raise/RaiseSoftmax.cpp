// Softmax written out: exp(x - max) / sum, over the last dim, as in exports of
// frameworks that lower it themselves (JAX, old Keras).
#include "Matchers.h"
#include "effc/Transforms/Raise/Passes.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"

namespace effc {
#define GEN_PASS_DEF_RAISESOFTMAX
#include "effc/Transforms/Raise/Passes.h.inc"
} // namespace effc

using namespace mlir;
using namespace effc::eff;
using namespace effc::raise;

namespace {

struct RaiseSoftmaxPattern : OpRewritePattern<BinaryOp> {
  RaiseSoftmaxPattern(MLIRContext *context, Pass::Statistic *numRaised)
      : OpRewritePattern(context), numRaised(numRaised) {}

  LogicalResult matchAndRewrite(BinaryOp op,
                                PatternRewriter &rewriter) const override {
    for (Quotient &quotient : getQuotients(op)) {
      Match &match = quotient.match;
      UnaryOp exp = match.findUnary(quotient.dividend, UnaryKind::Exp);
      auto sum = getReduction(quotient.divisor, ReduceKind::Sum, match);
      if (!exp || !sum || !isSame(sum->source, exp.getY()))
        continue;
      BinaryOp sub = match.findBinary(exp.getX(), BinaryKind::Sub);
      auto max =
          sub ? getReduction(sub.getB(), ReduceKind::Max, match) : std::nullopt;
      if (!max || !isSame(max->source, sub.getA()) || max->axis != sum->axis ||
          max->axis != getRank(max->source) - 1)
        continue;
      auto type = getType(op.getY());
      if (!match.isClosed(op) || !canCastTo(getType(sub.getA()), type))
        continue;
      Location loc = match.getLoc(rewriter);
      Value x = castTo(rewriter, loc, sub.getA(), type);
      Value y = SoftmaxOp::create(rewriter, loc, type, x, max->axis);
      finish(rewriter, op, y, numRaised);
      return success();
    }
    return rewriter.notifyMatchFailure(op, "is not exp(x - max) / sum");
  }

  Pass::Statistic *numRaised;
};

struct RaiseSoftmax : effc::impl::RaiseSoftmaxBase<RaiseSoftmax> {
  void runOnOperation() override {
    RewritePatternSet patterns(&getContext());
    effc::populateRaiseSoftmaxPatterns(patterns, &numRaised);
    if (failed(applyPatternsGreedily(getOperation(), std::move(patterns))))
      signalPassFailure();
  }
};

} // namespace

void effc::populateRaiseSoftmaxPatterns(RewritePatternSet &patterns,
                                        Pass::Statistic *numRaised) {
  patterns.add<RaiseSoftmaxPattern>(patterns.getContext(), numRaised);
}
