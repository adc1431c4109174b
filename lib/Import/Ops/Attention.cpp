// Attention-23/24/25 and RotaryEmbedding-23.
#include "Attend.h"

#include <limits>

using namespace mlir;
using namespace effc::eff;

namespace effc {

static constexpr double infinity = std::numeric_limits<double>::infinity();

/// Input 3, padded at the end to all keys: what a shorter mask leaves out is
/// excluded.
static LogicalResult readMask(NodeContext &ctx, Attend &plan) {
  Value mask = ctx.input(3);
  if (!mask)
    return success();
  Emitter e(ctx);
  Type type = elementTypeOf(plan.q);
  if (rankOf(mask) < 1 || rankOf(mask) > 4)
    return ctx.error("the mask has rank " + Twine(rankOf(mask)) +
                     ", 1 to 4 are possible");
  bool isBool = elementTypeOf(mask).isInteger(1);
  if (!isBool)
    mask = e.convert(mask, type);
  AffineExpr keys = e.dim(plan.k, 2), given = e.dim(mask, rankOf(mask) - 1);
  AffineExpr missing = simplify(keys - given);
  if (given != keys && ctx.bounds(missing).second > 0) {
    // A mask of more keys than k is wrong.
    if (ctx.bounds(missing).first < 0 &&
        failed(ctx.requireEqual(ctx.maxSize(missing, e.constant(0)), missing,
                                "the mask has more keys than k")))
      return failure();
    Dims low(rankOf(mask), e.constant(0)), high = low;
    high.back() = missing;
    // Pads hold numbers; a bool mask becomes one first.
    if (isBool)
      mask = additiveMask(e, mask, type, -infinity);
    mask = e.pad(mask, low, high, e.scalar(type, -infinity));
  }
  plan.mask = mask;
  return success(bool(mask));
}

/// Q, K and V with heads apart and the cache in front; `merged` says that the
/// operands came as [batch, tokens, columns].
static LogicalResult readTensors(NodeContext &ctx, Attend &plan, bool &merged) {
  Emitter e(ctx);
  plan.q = ctx.input(0), plan.k = ctx.input(1), plan.v = ctx.input(2);
  merged = rankOf(plan.q) == 3;
  int64_t heads = ctx.attrInt("q_num_heads", 0);
  int64_t groups = ctx.attrInt("kv_num_heads", 0);
  if (merged) {
    for (auto [tensor, count] :
         {std::pair(&plan.q, heads), std::pair(&plan.k, groups),
          std::pair(&plan.v, groups)})
      if (!(*tensor = splitHeads(e, *tensor, count)))
        return failure();
  }
  if (rankOf(plan.q) != 4 || rankOf(plan.k) != 4 || rankOf(plan.v) != 4)
    return ctx.error("Q, K and V must all have rank 3 or all rank 4");
  plan.v = e.convert(plan.v, elementTypeOf(plan.q));
  Value pastKey = ctx.input(4), pastValue = ctx.input(5);
  if (bool(pastKey) != bool(pastValue))
    return ctx.error("past_key and past_value must be given together");
  plan.offset = e.constant(0);
  if (pastKey) {
    plan.offset = e.dim(pastKey, 2);
    plan.k = e.concat({pastKey, plan.k}, 2);
    plan.v = e.concat({e.convert(pastValue, elementTypeOf(plan.q)), plan.v}, 2);
  }
  if (Value valid = ctx.input(6)) {
    if (pastKey)
      return ctx.error("nonpad_kv_seqlen and past_key exclude each other");
    if (rankOf(valid) != 1)
      return ctx.error("nonpad_kv_seqlen has rank " + Twine(rankOf(valid)) +
                       ", not 1");
    plan.validKeys = valid;
    plan.offset = {};
  }
  return success(plan.k && plan.v);
}

/// The steps of attention one by one, for models that read the scores; mode
/// says at which step.
static Value emitSteps(Emitter &e, const Attend &plan, int64_t mode,
                       Value &scores) {
  Attend explicitPlan = plan;
  explicitPlan.explicitMask = true;
  bool causal = false;
  Value keep = emitKeep(e, explicitPlan, causal);
  Type type = elementTypeOf(plan.q);
  AffineExpr heads = e.dim(plan.q, 1);
  Value keys = repeatHeads(e, plan.k, heads);
  Value value = e.mul(e.matmul(plan.q, keys, false, true), plan.scale);
  scores = value;
  if (plan.softcap > 0)
    value = e.mul(e.unary(UnaryKind::Tanh, e.mul(value, 1.0 / plan.softcap)),
                  plan.softcap);
  if (mode == 1)
    scores = value;
  Value mask = combineMasks(e, repeatMask(e, plan), keep, type);
  if (mask) {
    if (elementTypeOf(mask).isInteger(1))
      mask = additiveMask(e, mask, type, -infinity);
    value = e.add(value, mask);
  }
  if (!value)
    return {};
  if (mode == 2)
    scores = value;
  Value share = e.softmax(value, 3);
  if (mask) {
    // A row without any key gives zeros, not NaN.
    Value best = e.reduce(ReduceKind::Max, value, {3}, /*keepdims=*/true);
    share = e.select(e.compare(CompareKind::Eq, best, -infinity),
                     e.scalar(type, 0.0), share);
  }
  if (mode == 3)
    scores = share;
  return e.matmul(share, repeatHeads(e, plan.v, heads));
}

LogicalResult importAttention(NodeContext &ctx) {
  if (failed(ctx.requireInputs(3, 7)))
    return failure();
  Emitter e(ctx);
  Attend plan;
  bool merged = false;
  // Softmax is computed in f32 at least, whatever is asked for.
  ctx.ignoreAttr("softmax_precision");
  plan.causal = ctx.attrBool("is_causal", false);
  plan.softcap = ctx.attrFloat("softcap", 0.0);
  plan.left = ctx.attrInt("left_window_size", -1);
  plan.right = ctx.attrInt("right_window_size", -1);
  int64_t mode = ctx.attrInt("qk_matmul_output_mode", 0);
  if (mode < 0 || mode > 3)
    return ctx.error("attribute qk_matmul_output_mode is not in [0, 3]");
  if (failed(readTensors(ctx, plan, merged)) || failed(readMask(ctx, plan)))
    return failure();
  std::optional<double> scale = ctx.attrFloat("scale");
  if (!scale)
    scale = defaultScale(e, plan.q);
  plan.scale = *scale;
  Value scores;
  Value y = ctx.outputUsed(3) ? emitSteps(e, plan, mode, scores)
                              : emitAttention(e, plan);
  if (failed(ctx.setOutput(0, merged ? mergeHeads(e, y) : y)))
    return failure();
  for (auto [index, value] :
       {std::pair(1u, plan.k), std::pair(2u, plan.v), std::pair(3u, scores)})
    if (ctx.outputUsed(index) && failed(ctx.setOutput(index, value)))
      return failure();
  return success();
}

// FlexAttention
// ----------------------------------------------------------------------

/// x through the graph of an attribute, which keeps type and shape.
static Value modify(Emitter &e, StringRef attribute, Value x) {
  const onnx::GraphProto *graph = e.ctx.attrGraph(attribute);
  if (!graph || !x)
    return x;
  SmallVector<Value> results;
  if (failed(e.ctx.inlineGraph(*graph, results, x)))
    return {};
  if (results.size() == 1 && results.front().getType() == x.getType())
    return results.front();
  (void)e.ctx.error("attribute " + attribute +
                    " must give one result of the type of its operand");
  return {};
}

/// Attention-like, with graphs that change the scores and the probabilities.
LogicalResult importFlexAttention(NodeContext &ctx) {
  if (failed(ctx.requireInputs(3)))
    return failure();
  Emitter e(ctx);
  Attend plan;
  plan.q = ctx.input(0), plan.k = ctx.input(1), plan.v = ctx.input(2);
  if (rankOf(plan.q) != 4 || rankOf(plan.k) != 4 || rankOf(plan.v) != 4)
    return ctx.error("Q, K and V must have rank 4");
  std::optional<double> scale = ctx.attrFloat("scale");
  if (!scale)
    scale = defaultScale(e, plan.q);
  Type given = elementTypeOf(plan.q);
  Type type = given.isF64() ? given : ctx.builder().getF32Type();
  if (std::optional<int64_t> precision = ctx.attrInt("softmax_precision"))
    type = ctx.elementType(*precision);
  if (!isa_and_nonnull<FloatType>(type))
    return ctx.hasFailed() ? failure()
                           : ctx.error("softmax_precision is not a float type");
  AffineExpr heads = e.dim(plan.q, 1);
  Value keys = repeatHeads(e, e.convert(plan.k, type), heads);
  Value scores = e.matmul(e.convert(plan.q, type), keys, false, true);
  scores = modify(e, "score_mod", e.mul(scores, *scale));
  Value share = modify(e, "prob_mod", e.softmax(scores, 3));
  Value values = repeatHeads(e, e.convert(plan.v, type), heads);
  return ctx.setOutput(
      0, e.convert(e.matmul(share, values), elementTypeOf(plan.v)));
}

/// x is [batch, heads, tokens, width], or [batch, tokens, columns] with the
/// attribute num_heads; positions pick rows of the tables.
LogicalResult importRotaryEmbedding(NodeContext &ctx) {
  if (failed(ctx.requireInputs(3, 4)))
    return failure();
  Emitter e(ctx);
  Value x = ctx.input(0), cos = ctx.input(1), sin = ctx.input(2);
  Dims dims = e.dims(x);
  bool interleaved = ctx.attrBool("interleaved", false);
  int64_t width = ctx.attrInt("rotary_embedding_dim", 0);
  int64_t heads = ctx.attrInt("num_heads", 0);
  bool merged = rankOf(x) == 3;
  if (!merged && rankOf(x) != 4)
    return ctx.error("the operand has rank " + Twine(rankOf(x)) +
                     ", it must be 3 or 4");
  if (merged && heads < 1)
    return ctx.error("attribute num_heads is needed for rank 3");
  if (Value positions = ctx.input(3)) {
    cos = e.gather(cos, positions, 0);
    sin = e.gather(sin, positions, 0);
  }
  if (!cos || !sin)
    return failure();
  if (rankOf(cos) != 3 || rankOf(sin) != 3)
    return ctx.error("the tables must give [batch, tokens, width / 2]");
  // Between [batch, tokens] and width for the heads.
  int64_t headAxis = merged ? 2 : 1;
  cos = e.unsqueeze(cos, {headAxis});
  sin = e.unsqueeze(sin, {headAxis});
  if (merged) {
    AffineExpr size = exactDiv(dims[2], e.constant(heads));
    x = e.reshape(x, {dims[0], dims[1], e.constant(heads), size});
  }
  return ctx.setOutput(
      0, e.reshape(emitRope(e, x, cos, sin, width, interleaved), dims));
}

} // namespace effc
