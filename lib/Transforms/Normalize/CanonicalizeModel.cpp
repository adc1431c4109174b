// Brings a model into the form that later passes match, so that few patterns of
// raising and fusion cover what many exporters write.
#include "Eff/EffOps.h"
#include "Patterns.h"
#include "effc/Transforms/Passes.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"

using namespace mlir;

namespace effc {
#define GEN_PASS_DEF_CANONICALIZEMODEL
#include "effc/Transforms/Passes.h.inc"

namespace {

/// Counts replaced operations.
struct Counter : RewriterBase::Listener {
  void notifyOperationReplaced(Operation *, ValueRange) override { ++count; }
  int64_t count = 0;
};

struct CanonicalizeModel : impl::CanonicalizeModelBase<CanonicalizeModel> {
  LogicalResult initialize(MLIRContext *context) override {
    RewritePatternSet owned(context);
    auto *dialect = context->getLoadedDialect<eff::EffDialect>();
    for (RegisteredOperationName op : context->getRegisteredOperations())
      if (&op.getDialect() == dialect)
        op.getCanonicalizationPatterns(owned, context);
    populateArithmeticPatterns(owned);
    populateMovementPatterns(owned);
    populateWeightPatterns(owned);
    populateConvTransposePatterns(owned);
    patterns = std::move(owned);
    return success();
  }

  void runOnOperation() override {
    Counter counter;
    GreedyRewriteConfig config;
    config.setListener(&counter);
    // What is left when the driver stops early is correct, only less tidy.
    (void)applyPatternsGreedily(getOperation(), patterns, config);
    numRewrites += counter.count;
  }

  FrozenRewritePatternSet patterns;
};

} // namespace
} // namespace effc
