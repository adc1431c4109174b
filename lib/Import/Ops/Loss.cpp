// Losses that models with a training head carry.
#include "Emitter.h"

using namespace mlir;
using namespace effc::eff;

namespace effc {

/// All elements of a tensor, summed or averaged to a scalar.
static Value reduceAll(Emitter &e, ReduceKind kind, Value x) {
  if (!x || rankOf(x) == 0)
    return x;
  return e.reduce(kind, x, llvm::to_vector(llvm::seq<int64_t>(0, rankOf(x))),
                  /*keepdims=*/false);
}

/// -x[n, target[n, ...], ...], weighted; targets that equal ignore_index count
/// nothing (NegativeLogLikelihoodLoss-22).
static Value emitLogLikelihood(Emitter &e, Value x, Value target,
                               Value weight) {
  NodeContext &ctx = e.ctx;
  std::string reduction = ctx.attrString("reduction", "mean");
  std::optional<int64_t> ignore = ctx.attrInt("ignore_index");
  if (reduction != "none" && reduction != "sum" && reduction != "mean") {
    (void)ctx.error("attribute reduction has the unknown value '" + reduction +
                    "'");
    return {};
  }
  if (rankOf(x) < 2 || rankOf(target) != rankOf(x) - 1) {
    (void)ctx.error("operands of ranks " + Twine(rankOf(x)) + " and " +
                    Twine(rankOf(target)) +
                    "; the second has one dim less than the first");
    return {};
  }
  for (int64_t i = 0; i < rankOf(target); ++i)
    if (failed(ctx.requireEqual(e.dim(target, i), e.dim(x, i == 0 ? 0 : i + 1),
                                "there is not one target for each element")))
      return {};
  Type type = elementTypeOf(x);
  Value used;
  if (ignore) {
    // An ignored target need not be an index; it reads class 0.
    used = e.compare(CompareKind::Ne, target, double(*ignore));
    target = e.select(used, target, scalarLike(ctx, target, 0));
  }
  Value share = weight ? e.gather(weight, target, 0) : Value();
  if (used)
    share = share ? e.select(used, share, e.scalar(type, 0.0))
                  : e.convert(used, type);
  Value picked = e.unsqueeze(target, {1});
  if (!picked)
    return {};
  Value loss = e.unary(
      UnaryKind::Neg,
      e.squeeze(ctx.create<GatherElementsOp>(x, picked, uint64_t(1)), {1}));
  if (share)
    loss = e.mul(loss, share);
  if (reduction == "none")
    return loss;
  if (reduction == "sum")
    return reduceAll(e, ReduceKind::Sum, loss);
  if (!share)
    return reduceAll(e, ReduceKind::Mean, loss);
  return e.div(reduceAll(e, ReduceKind::Sum, loss),
               reduceAll(e, ReduceKind::Sum, share));
}

LogicalResult importLogLikelihoodLoss(NodeContext &ctx) {
  if (failed(ctx.requireInputs(2, 3)))
    return failure();
  Emitter e(ctx);
  return ctx.setOutput(
      0, emitLogLikelihood(e, ctx.input(0), ctx.input(1), ctx.input(2)));
}

/// The loss of the logarithm of a softmax over axis 1, which is output 1.
LogicalResult importSoftmaxLoss(NodeContext &ctx) {
  if (failed(ctx.requireInputs(2, 3)))
    return failure();
  Emitter e(ctx);
  if (rankOf(ctx.input(0)) < 2)
    return ctx.error("the scores have rank " + Twine(rankOf(ctx.input(0))) +
                     ", at least 2 is needed");
  Value likelihood = e.softmax(ctx.input(0), 1, /*log=*/true);
  if (!likelihood ||
      failed(ctx.setOutput(
          0, emitLogLikelihood(e, likelihood, ctx.input(1), ctx.input(2)))))
    return failure();
  return ctx.outputUsed(1) ? ctx.setOutput(1, likelihood) : success();
}

} // namespace effc
