// Attention of com.microsoft: packed operands, caches and padding masks in
// terms of eff.attention. Modes that need the run-time length of each sample
// in the cache are refused.
#include "Attend.h"
#include "Linear.h"

using namespace mlir;
using namespace effc::eff;

namespace effc {

/// Refuses attributes that are greater than their neutral value.
static LogicalResult
refuseModes(NodeContext &ctx, ArrayRef<std::pair<StringRef, int64_t>> modes) {
  for (auto [name, neutral] : modes)
    if (ctx.attrInt(name, neutral) > neutral)
      return ctx.unsupported("attribute " + name + " = " +
                                 Twine(ctx.attrInt(name, neutral)),
                             "export without this optimisation");
  return success();
}

static LogicalResult
refuseInputs(NodeContext &ctx,
             ArrayRef<std::pair<unsigned, StringRef>> inputs) {
  for (auto [index, name] : inputs)
    if (ctx.hasInput(index))
      return ctx.unsupported("input " + Twine(index) + " (" + name + ")",
                             "export without this optimisation");
  return success();
}

static std::optional<int64_t> readHeads(NodeContext &ctx, StringRef name) {
  int64_t heads = ctx.attrInt(name, 0);
  if (heads > 0)
    return heads;
  (void)ctx.error("attribute " + name + " is missing or not positive");
  return std::nullopt;
}

/// The attribute scale; 0 and absent mean the default.
static double readScale(Emitter &e, Value &q) {
  double scale = e.ctx.attrFloat("scale", 0.0);
  return scale != 0.0 ? scale : defaultScale(e, q);
}

/// Padding as numbers to add: `filter` where a token does not count. The mask
/// is [batch] lengths, [batch, keys] or [batch, queries, keys].
static Value emitPadding(Emitter &e, Value mask, const Attend &plan,
                         double filter) {
  NodeContext &ctx = e.ctx;
  Type type = elementTypeOf(plan.q);
  AffineExpr batch = e.dim(plan.q, 0), keys = e.dim(plan.k, 2);
  switch (rankOf(mask)) {
  case 1: {
    if (e.dim(mask, 0) != batch)
      break;
    Value index =
        e.iota(elementTypeOf(mask), {e.constant(1), keys}, 1, e.constant(0));
    Value keep = e.compare(CompareKind::Lt, index, e.unsqueeze(mask, {1}));
    return e.unsqueeze(additiveMask(e, keep, type, filter), {1, 2});
  }
  case 2:
  case 3: {
    AffineExpr columns = e.dim(mask, rankOf(mask) - 1);
    if (getConstant(columns) && getConstant(keys) && columns != keys)
      break;
    // The total length may be a size of its own.
    if (failed(ctx.requireEqual(columns, keys,
                                "the padding mask does not cover the keys")))
      return {};
    Value keep = e.compare(CompareKind::Gt, mask, 0.0);
    SmallVector<int64_t> axes = {1};
    if (rankOf(mask) == 2)
      axes.push_back(2);
    return e.unsqueeze(additiveMask(e, keep, type, filter), axes);
  }
  default:
    break;
  }
  (void)ctx.unsupported("a padding mask of rank " + Twine(rankOf(mask)) +
                            " that is neither lengths nor [batch, keys]",
                        "export without operator fusion");
  return {};
}

/// Puts padding and an additive bias into the plan's mask.
static LogicalResult addMasks(Emitter &e, Attend &plan, Value padding,
                              Value bias) {
  double filter = e.ctx.attrFloat("mask_filter_value", -10000.0);
  if (padding && !(plan.mask = emitPadding(e, padding, plan, filter)))
    return failure();
  if (bias)
    plan.mask = plan.mask ? e.add(plan.mask, bias) : bias;
  return success();
}

/// Keys and values after those of the cache.
static void prependCache(Emitter &e, Attend &plan, Value pastKey,
                         Value pastValue) {
  plan.offset = e.constant(0);
  if (!pastKey || !pastValue)
    return;
  plan.offset = e.dim(pastKey, 2);
  plan.k = e.concat({pastKey, plan.k}, 2);
  plan.v = e.concat({pastValue, plan.v}, 2);
}

static LogicalResult setOutputs(Emitter &e, const Attend &plan,
                                bool present = true) {
  NodeContext &ctx = e.ctx;
  if (failed(ctx.setOutput(0, mergeHeads(e, emitAttention(e, plan)))))
    return failure();
  for (auto [index, value] : {std::pair(1u, plan.k), std::pair(2u, plan.v)})
    if (present && ctx.outputUsed(index) && failed(ctx.setOutput(index, value)))
      return failure();
  return success();
}

// Attention
// -----------------------------------------------------------------------

/// Width of Q, K and V in the merged weight.
static LogicalResult readWidths(NodeContext &ctx, Value product,
                                std::array<AffineExpr, 3> &widths) {
  Emitter e(ctx);
  AffineExpr third = exactDiv(e.dim(product, 2), e.constant(3));
  widths = {third, third, third};
  std::optional<SmallVector<int64_t>> sizes = ctx.attrInts("qkv_hidden_sizes");
  if (!sizes || sizes->empty())
    return success();
  if (sizes->size() != 3)
    return ctx.error("attribute qkv_hidden_sizes must have 3 elements");
  for (auto [width, size] : llvm::zip(widths, *sizes))
    width = e.constant(size);
  return success();
}

LogicalResult emitPackedAttention(Emitter &e, Value product, Value mask,
                                  Value cache, Value bias) {
  NodeContext &ctx = e.ctx;
  if (failed(refuseModes(ctx, {{"do_rotary", 0},
                               {"past_present_share_buffer", 0},
                               {"rotary_embedding_dim", 0}})))
    return failure();
  std::optional<int64_t> heads = readHeads(ctx, "num_heads");
  std::array<AffineExpr, 3> widths;
  if (!heads || !product || failed(readWidths(ctx, product, widths)))
    return failure();
  Attend plan;
  AffineExpr begin = e.constant(0);
  for (auto [tensor, width] :
       llvm::zip(std::array<Value *, 3>{&plan.q, &plan.k, &plan.v}, widths)) {
    *tensor = splitHeads(e, e.slice(product, 2, begin, width), *heads);
    begin = simplify(begin + width);
  }
  if (failed(ctx.requireEqual(e.dim(product, 2), begin,
                              "the columns are those of Q, K and V")) ||
      (cache && failed(ctx.requireEqual(e.dim(cache, 0), e.constant(2),
                                        "the cache holds keys and values"))))
    return failure();
  plan.scale = readScale(e, plan.q);
  plan.causal = ctx.attrBool("unidirectional", false);
  SmallVector<Value> past(2);
  if (cache)
    for (int64_t i : {0, 1})
      past[i] = e.squeeze(e.slice(cache, 0, e.constant(i), e.constant(1)), {0});
  prependCache(e, plan, past[0], past[1]);
  if (failed(addMasks(e, plan, mask, bias)) ||
      failed(setOutputs(e, plan, /*present=*/false)))
    return failure();
  if (!ctx.outputUsed(1))
    return success();
  return ctx.setOutput(
      1, e.concat({e.unsqueeze(plan.k, {0}), e.unsqueeze(plan.v, {0})}, 0));
}

/// One product with the weights of Q, K and V side by side.
LogicalResult importMsAttention(NodeContext &ctx) {
  if (failed(ctx.requireInputs(2, 7)) ||
      failed(refuseInputs(ctx, {{6, "past_sequence_length"}})))
    return failure();
  Emitter e(ctx);
  Value product = emitMatMul(e, ctx.input(0), ctx.input(1));
  if (Value bias = ctx.input(2))
    product = e.add(product, bias);
  return emitPackedAttention(e, product, ctx.input(3), ctx.input(4),
                             ctx.input(5));
}

// MultiHeadAttention
// ----------------------------------------------------------------

/// The i-th of `count` tensors packed as [batch, tokens, heads, count, width].
static Value unpack(Emitter &e, Value packed, int64_t i, int64_t count) {
  if (e.ctx.hasFailed() ||
      failed(e.ctx.requireEqual(e.dim(packed, 3), e.constant(count),
                                "the number of packed tensors")))
    return {};
  Value part = e.slice(packed, 3, e.constant(i), e.constant(1));
  return e.transpose(e.squeeze(part, {3}), {0, 2, 1, 3});
}

/// Adds the bias, which holds the columns of Q, K and V in turn, to operands of
/// rank 3 before the heads are split.
static LogicalResult addBias(Emitter &e, MutableArrayRef<Value> operands,
                             Value bias) {
  if (!bias)
    return success();
  AffineExpr begin = e.constant(0);
  for (Value &x : operands) {
    if (!x || rankOf(x) != 3)
      return e.ctx.unsupported("a bias for operands with their heads apart",
                               "export without operator fusion");
    x = e.add(x, e.slice(bias, 0, begin, e.dim(x, 2)));
    begin = simplify(begin + e.dim(x, 2));
  }
  return e.ctx.requireEqual(e.dim(bias, 0), begin,
                            "the bias fits the columns of Q, K and V");
}

LogicalResult importMultiHeadAttention(NodeContext &ctx) {
  if (failed(ctx.requireInputs(1, 10)) ||
      failed(refuseInputs(
          ctx, {{8, "past_sequence_length"}, {9, "cache_indirection"}})))
    return failure();
  if (ctx.outputUsed(3))
    return ctx.unsupported("output 3 (the scores) is read",
                           "export without operator fusion");
  Emitter e(ctx);
  std::optional<int64_t> heads = readHeads(ctx, "num_heads");
  if (!heads)
    return failure();
  SmallVector<Value> operands = {ctx.input(0), ctx.input(1), ctx.input(2)};
  Attend plan;
  if (rankOf(operands[0]) == 5) {
    if (ctx.hasInput(3))
      return ctx.unsupported("a bias for packed operands",
                             "export without operator fusion");
    plan.q = unpack(e, operands[0], 0, 3);
    plan.k = unpack(e, operands[0], 1, 3);
    plan.v = unpack(e, operands[0], 2, 3);
  } else {
    if (!operands[1])
      return ctx.error("input 1 (key) is missing");
    bool packed = rankOf(operands[1]) == 5;
    if (packed && ctx.hasInput(3))
      return ctx.unsupported("a bias for packed operands",
                             "export without operator fusion");
    if (failed(addBias(e, operands, ctx.input(3))))
      return failure();
    auto split = [&](Value x) {
      return x && rankOf(x) == 4 ? x : splitHeads(e, x, *heads);
    };
    plan.q = split(operands[0]);
    plan.k = packed ? unpack(e, operands[1], 0, 2) : split(operands[1]);
    plan.v = packed ? unpack(e, operands[1], 1, 2) : split(operands[2]);
  }
  if (!plan.q || !plan.k || !plan.v)
    return failure();
  plan.scale = readScale(e, plan.q);
  plan.causal = ctx.attrBool("unidirectional", false);
  prependCache(e, plan, ctx.input(6), ctx.input(7));
  if (failed(addMasks(e, plan, ctx.input(4), ctx.input(5))))
    return failure();
  return setOutputs(e, plan);
}

// GroupQueryAttention
// ---------------------------------------------------------------

static LogicalResult checkGroupQuery(NodeContext &ctx) {
  if (failed(refuseModes(ctx, {{"qk_output", 0},
                               {"kv_cache_bit_width", 0},
                               {"sliding_window_cache", 0}})) ||
      failed(refuseInputs(ctx, {{12, "k_scale"},
                                {13, "v_scale"},
                                {14, "q_norm_weight"},
                                {15, "k_norm_weight"}})))
    return failure();
  for (StringRef name : {"k_quant_type", "v_quant_type"})
    if (ctx.attrString(name, "NONE") != "NONE")
      return ctx.unsupported("attribute " + name + ": a quantised cache",
                             "export with a float cache");
  return success();
}

/// Q, K and V from three operands, or one with their columns side by side.
static LogicalResult readGroupQuery(NodeContext &ctx, Attend &plan,
                                    int64_t heads, int64_t groups) {
  Emitter e(ctx);
  Value q = ctx.input(0), k = ctx.input(1), v = ctx.input(2);
  if (rankOf(q) != 3)
    return ctx.error("input 0 has rank " + Twine(rankOf(q)) + ", it must be 3");
  if (!k) {
    AffineExpr width = exactDiv(e.dim(q, 2), e.constant(heads + 2 * groups));
    AffineExpr columns = simplify(width * heads);
    AffineExpr others = simplify(width * groups);
    if (failed(ctx.requireEqual(e.dim(q, 2),
                                simplify(width * (heads + 2 * groups)),
                                "heads divide the columns")))
      return failure();
    k = e.slice(q, 2, columns, others);
    v = e.slice(q, 2, simplify(columns + others), others);
    q = e.slice(q, 2, e.constant(0), columns);
  }
  plan.q = splitHeads(e, q, heads);
  plan.k = splitHeads(e, k, groups);
  plan.v = splitHeads(e, v, groups);
  return success(plan.q && plan.k && plan.v);
}

/// Rotates Q and K by tables [positions, width / 2].
static LogicalResult rotate(NodeContext &ctx, Attend &plan, AffineExpr offset) {
  Emitter e(ctx);
  bool interleaved = ctx.attrBool("rotary_interleaved", false);
  Value cos = ctx.input(7), sin = ctx.input(8);
  if (!cos || !sin)
    return ctx.error("do_rotary needs inputs 7 and 8 (cos_cache, sin_cache)");
  Value positions = ctx.input(9);
  // Without positions the tables are sliced, which has to stay inside.
  AffineExpr end = simplify(offset + e.dim(plan.q, 2));
  for (Value table : {cos, sin})
    if (AffineExpr rows = e.dim(table, 0);
        !positions &&
        failed(ctx.requireEqual(ctx.maxSize(rows, end), rows,
                                "the tables have a row for each position")))
      return failure();
  for (Value *table : {&cos, &sin})
    *table = positions ? e.unsqueeze(e.gather(*table, positions, 0), {1})
                       : e.slice(*table, 0, offset, e.dim(plan.q, 2));
  std::optional<int64_t> half =
      cos ? getConstant(e.dim(cos, rankOf(cos) - 1)) : std::nullopt;
  if (!half)
    return ctx.error("the width of cos_cache is not constant");
  plan.q = emitRope(e, plan.q, cos, sin, 2 * *half, interleaved);
  plan.k = emitRope(e, plan.k, cos, sin, 2 * *half, interleaved);
  return success(plan.q && plan.k);
}

/// Samples of a batch may be padded differently, which decides where their keys
/// go in the cache; that is known only at run time. With one sample all keys
/// count and the new ones follow the cache, so a batch of 1 is required, and a
/// cache that holds exactly the earlier tokens.
LogicalResult importGroupQueryAttention(NodeContext &ctx) {
  if (failed(ctx.requireInputs(1, 16)) || failed(checkGroupQuery(ctx)))
    return failure();
  Emitter e(ctx);
  std::optional<int64_t> heads = readHeads(ctx, "num_heads");
  std::optional<int64_t> groups = readHeads(ctx, "kv_num_heads");
  if (!heads || !groups)
    return failure();
  Attend plan;
  if (failed(readGroupQuery(ctx, plan, *heads, *groups)) ||
      failed(ctx.requireEqual(e.dim(plan.q, 0), e.constant(1),
                              "GroupQueryAttention takes a batch of 1")))
    return failure();
  Value pastKey = ctx.input(3), pastValue = ctx.input(4);
  AffineExpr offset = pastKey ? e.dim(pastKey, 2) : e.constant(0);
  AffineExpr total = simplify(offset + e.dim(plan.q, 2));
  if (Value given = ctx.input(6))
    if (std::optional<AffineExpr> size = ctx.scalarSize(given))
      if (failed(ctx.requireEqual(*size, total,
                                  "total_sequence_length is the tokens of the "
                                  "cache and the new ones")))
        return failure();
  if (ctx.attrBool("do_rotary", false)) {
    if (failed(rotate(ctx, plan, offset)))
      return failure();
  } else {
    ctx.ignoreAttr("rotary_interleaved");
  }
  plan.scale = readScale(e, plan.q);
  plan.softcap = ctx.attrFloat("softcap", 0.0);
  plan.causal = ctx.attrBool("causal", true);
  prependCache(e, plan, pastKey, pastValue);
  plan.mask = ctx.input(10);
  // Without causality the window would not be anchored.
  int64_t window = ctx.attrInt("local_window_size", -1);
  if (window > 0 && !plan.causal)
    return ctx.unsupported("local_window_size without causal");
  // The window counts the position itself.
  plan.left = window > 0 ? window - 1 : -1;
  plan.sink = ctx.input(11);
  if (ctx.attrInt("smooth_softmax", 0) > 0 && !plan.sink)
    plan.sink = e.splat(elementTypeOf(plan.q), {e.constant(*heads)}, 0.0);
  if (plan.sink &&
      (rankOf(plan.sink) != 1 || e.dim(plan.sink, 0) != e.constant(*heads)))
    return ctx.error("head_sink must have one entry for each head");
  return setOutputs(e, plan);
}

// RotaryEmbedding
// -------------------------------------------------------------------

/// Inputs x, position_ids, cos_cache, sin_cache; one position is that of the
/// first token.
LogicalResult importMsRotaryEmbedding(NodeContext &ctx) {
  if (failed(ctx.requireInputs(4)) ||
      failed(refuseModes(ctx, {{"is_packed_batching", 0}})))
    return failure();
  Emitter e(ctx);
  Value x = ctx.input(0), positions = ctx.input(1);
  Dims dims = e.dims(x);
  bool interleaved = ctx.attrBool("interleaved", false);
  int64_t width = ctx.attrInt("rotary_embedding_dim", 0);
  int64_t heads = ctx.attrInt("num_heads", 0);
  double scale = ctx.attrFloat("scale", 1.0);
  bool merged = rankOf(x) == 3;
  if (!merged && rankOf(x) != 4)
    return ctx.error("the operand has rank " + Twine(rankOf(x)) +
                     ", it must be 3 or 4");
  if (scale != 1.0)
    return ctx.unsupported("attribute scale other than 1",
                           "scale the tables instead");
  if (rankOf(positions) == 1) {
    Value index =
        e.iota(elementTypeOf(positions),
               {e.constant(1), e.dim(x, merged ? 1 : 2)}, 1, e.constant(0));
    positions = e.add(index, positions);
  }
  Value cos = e.gather(ctx.input(2), positions, 0);
  Value sin = e.gather(ctx.input(3), positions, 0);
  if (!cos || !sin)
    return failure();
  int64_t headAxis = merged ? 2 : 1;
  cos = e.unsqueeze(cos, {headAxis});
  sin = e.unsqueeze(sin, {headAxis});
  if (merged) {
    AffineExpr size = heads ? exactDiv(dims[2], e.constant(heads))
                            : simplify(e.dim(cos, 3) * 2);
    x = e.reshape(x, {dims[0], dims[1], exactDiv(dims[2], size), size});
  }
  return ctx.setOutput(
      0, e.reshape(emitRope(e, x, cos, sin, width, interleaved), dims));
}

} // namespace effc
