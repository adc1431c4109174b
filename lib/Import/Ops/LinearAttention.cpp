// Layers of state-space and linear-attention models: LinearAttention-27,
// CausalConvWithState-27, TensorScatter-24.
#include "Attend.h"

using namespace mlir;
using namespace effc::eff;

namespace effc {

// LinearAttention -------------------------------------------------------------

/// Longer sequences would make the program too long.
static constexpr int64_t maxTokens = 256;

namespace {
/// The recurrence with heads apart; G key/value heads with R query heads each.
/// All numbers are f32, or f64 where the operands are.
struct LinearRecurrence {
  Emitter e;
  int64_t heads = 0, groups = 0, tokens = 0;
  bool gated = false, delta = false;
  AffineExpr batch, keyWidth, valueWidth;
  Value q, k, v;     // [B, T, G, R or 1, width]
  Value decay, beta; // [B, T, G, Dk or 1, 1], [B, T, G or 1, 1, 1]
  Value state;       // [B, G, Dk, Dv]
  Type type;

  explicit LinearRecurrence(NodeContext &ctx) : e(ctx) {}
  LogicalResult readRule();
  LogicalResult readSizes();
  LogicalResult readTensors();
  LogicalResult readGates();
  /// Entry t of a tensor with the tokens in dim 1, which vanishes.
  Value at(Value x, int64_t t) {
    return e.squeeze(e.slice(x, 1, e.constant(t), e.constant(1)), {1});
  }
  Value step(int64_t t);
};
} // namespace

LogicalResult LinearRecurrence::readRule() {
  NodeContext &ctx = e.ctx;
  std::string rule = ctx.attrString("update_rule", "gated_delta");
  gated = rule == "gated" || rule == "gated_delta";
  delta = rule == "delta" || rule == "gated_delta";
  if (!gated && !delta && rule != "linear")
    return ctx.error("attribute update_rule has the unknown value '" + rule +
                     "'");
  if (gated != ctx.hasInput(4) || delta != ctx.hasInput(5))
    return ctx.error("the rule " + rule + (gated ? " needs" : " forbids") +
                     " input 4 (decay) and" + (delta ? " needs" : " forbids") +
                     " input 5 (beta)");
  return success();
}

LogicalResult LinearRecurrence::readSizes() {
  NodeContext &ctx = e.ctx;
  // A hint for implementations that work in chunks.
  ctx.ignoreAttr("chunk_size");
  heads = ctx.attrInt("q_num_heads", 0);
  groups = ctx.attrInt("kv_num_heads", 0);
  if (heads < 1 || groups < 1 || heads % groups != 0)
    return ctx.error("q_num_heads must be a positive multiple of kv_num_heads");
  for (unsigned i : {0, 1, 2})
    if (rankOf(ctx.input(i)) != 3)
      return ctx.error("input " + Twine(i) + " must have rank 3");
  std::optional<int64_t> length = getConstant(e.dim(ctx.input(0), 1));
  if (!length || *length > maxTokens)
    return ctx.unsupported("the sequence has a length of " +
                               toString(e.dim(ctx.input(0), 1)) + "; up to " +
                               Twine(maxTokens) + " is supported",
                           "fix the length with --dim or --input-shape");
  tokens = *length;
  batch = e.dim(ctx.input(0), 0);
  for (auto [i, count] : {std::pair(0u, heads), {1u, groups}, {2u, groups}}) {
    auto columns = getConstant(e.dim(ctx.input(i), 2));
    if (columns && *columns % count != 0)
      return ctx.error(Twine(count) + " heads do not divide " +
                       Twine(*columns) + " columns");
  }
  keyWidth = exactDiv(e.dim(ctx.input(1), 2), e.constant(groups));
  valueWidth = exactDiv(e.dim(ctx.input(2), 2), e.constant(groups));
  return success();
}

LogicalResult LinearRecurrence::readTensors() {
  NodeContext &ctx = e.ctx;
  Type given = elementTypeOf(ctx.input(0));
  type = given.isF64() ? given : ctx.builder().getF32Type();
  AffineExpr t = e.constant(tokens), g = e.constant(groups);
  auto split = [&](unsigned i, int64_t share, AffineExpr width) {
    return e.reshape(e.convert(ctx.input(i), type),
                     {batch, t, g, e.constant(share), width});
  };
  q = split(0, heads / groups, keyWidth);
  k = split(1, 1, keyWidth);
  v = split(2, 1, valueWidth);
  Dims shape = {batch, g, keyWidth, valueWidth};
  Value past = ctx.input(3);
  if (past && rankOf(past) != 4)
    return ctx.error("input 3 (past_state) must have rank 4");
  for (int64_t i = 0; past && i < 4; ++i)
    if (failed(ctx.requireEqual(e.dim(past, i), shape[i],
                                "the past state fits keys and values")))
      return failure();
  state = past ? e.convert(past, type) : e.splat(type, shape, 0.0);
  return success(q && k && v && state);
}

LogicalResult LinearRecurrence::readGates() {
  NodeContext &ctx = e.ctx;
  AffineExpr t = e.constant(tokens), g = e.constant(groups),
             one = e.constant(1);
  for (unsigned i : {4, 5})
    if (ctx.hasInput(i) && rankOf(ctx.input(i)) != 3)
      return ctx.error("input " + Twine(i) + " must have rank 3");
  if (gated) {
    // One number a head, or one for every key column.
    AffineExpr columns = e.dim(ctx.input(4), 2);
    bool perHead = columns == g;
    if (!perHead &&
        failed(ctx.requireEqual(columns, simplify(keyWidth * groups),
                                "the decay fits the keys")))
      return failure();
    decay = e.reshape(e.convert(ctx.input(4), type),
                      {batch, t, g, perHead ? one : keyWidth, one});
    decay = e.unary(UnaryKind::Exp, decay);
  }
  if (delta) {
    AffineExpr columns = e.dim(ctx.input(5), 2);
    if (columns != one &&
        failed(ctx.requireEqual(columns, g, "beta fits the heads")))
      return failure();
    beta = e.reshape(e.convert(ctx.input(5), type),
                     {batch, t, columns == one ? one : g, one, one});
  }
  return success();
}

/// S = exp(g) S + k (x) beta (v - S^T k); gives q^T S as [B, 1, heads * Dv].
Value LinearRecurrence::step(int64_t t) {
  Value key = at(k, t), value = at(v, t);
  if (gated)
    state = e.mul(state, at(decay, t));
  if (delta)
    value = e.mul(e.sub(value, e.matmul(key, state)), at(beta, t));
  state = e.add(state, e.mul(e.transpose(key, {0, 1, 3, 2}), value));
  return e.reshape(e.matmul(at(q, t), state),
                   {batch, e.constant(1), simplify(valueWidth * heads)});
}

LogicalResult importLinearAttention(NodeContext &ctx) {
  if (failed(ctx.requireInputs(3, 6)))
    return failure();
  LinearRecurrence layer(ctx);
  if (failed(layer.readRule()) || failed(layer.readSizes()) ||
      failed(layer.readTensors()) || failed(layer.readGates()))
    return failure();
  double scale = ctx.attrFloat("scale", 0.0);
  Emitter &e = layer.e;
  if (scale == 0.0)
    scale = defaultScale(e, layer.q);
  SmallVector<Value> rows;
  for (int64_t t = 0; t < layer.tokens && !ctx.hasFailed(); ++t)
    rows.push_back(layer.step(t));
  Dims empty = {layer.batch, e.constant(0),
                simplify(layer.valueWidth * layer.heads)};
  Value y = rows.empty() ? e.splat(layer.type, empty, 0.0) : e.concat(rows, 1);
  Type stateType = elementTypeOf(ctx.input(ctx.hasInput(3) ? 3 : 0));
  if (failed(ctx.setOutput(
          0, e.convert(e.mul(y, scale), elementTypeOf(ctx.input(0))))))
    return failure();
  return ctx.outputUsed(1) ? ctx.setOutput(1, e.convert(layer.state, stateType))
                           : success();
}

// CausalConvWithState ---------------------------------------------------------

/// A depthwise convolution over the state and the operand in a row; what the
/// next call needs is the end of that row.
LogicalResult importCausalConvWithState(NodeContext &ctx) {
  if (failed(ctx.requireInputs(2, 4)))
    return failure();
  Emitter e(ctx);
  Value x = ctx.input(0), weight = ctx.input(1), past = ctx.input(3);
  std::string activation = ctx.attrString("activation", "none");
  if (activation != "none" && activation != "silu" && activation != "swish")
    return ctx.error("attribute activation must be none, silu or swish, not '" +
                     activation + "'");
  if (rankOf(x) != 3 || rankOf(weight) != 3 || (past && rankOf(past) != 3))
    return ctx.error("operand, weight and state must have rank 3");
  std::optional<int64_t> channels = getConstant(e.dim(weight, 0));
  std::optional<int64_t> kernel = getConstant(e.dim(weight, 2));
  if (!channels || !kernel || *kernel < 1 || *channels < 1)
    return ctx.unsupported("the weight has sizes that are free or zero",
                           "fix them with --dim or --input-shape");
  AffineExpr before = e.constant(*kernel - 1), none = e.constant(0);
  if (past && failed(ctx.requireEqual(e.dim(past, 2), before,
                                      "the state holds kernel - 1 positions")))
    return failure();
  Value row = past ? e.concat({past, x}, 2)
                   : e.pad(x, {none, none, before}, {none, none, none});
  Value y = ctx.create<ConvOp>(row, weight, ctx.input(2), ArrayRef<int64_t>{1},
                               ArrayRef<int64_t>{1}, ArrayRef<int64_t>{0, 0},
                               uint64_t(*channels), /*channels_last=*/false);
  if (activation != "none")
    y = e.unary(UnaryKind::Silu, y);
  if (failed(ctx.setOutput(0, y)))
    return failure();
  return ctx.outputUsed(1)
             ? ctx.setOutput(1, e.slice(row, 2, e.dim(x, 2), before))
             : success();
}

// TensorScatter ---------------------------------------------------------------

/// A copy of the cache with the update from write_indices[b] on; an index
/// beyond the end is an error at run time, with mode circular it wraps.
LogicalResult importTensorScatter(NodeContext &ctx) {
  if (failed(ctx.requireInputs(2, 3)))
    return failure();
  Emitter e(ctx);
  Value cache = ctx.input(0), update = ctx.input(1), begin = ctx.input(2);
  std::string mode = ctx.attrString("mode", "linear");
  int64_t rank = rankOf(cache);
  auto axis = normalizeAxis(ctx, ctx.attrInt("axis", -2), rank);
  if (!axis)
    return failure();
  if (*axis == 0 || rankOf(update) != rank || (begin && rankOf(begin) != 1))
    return ctx.error("cache and update must have one rank, write_indices rank "
                     "1, and axis must not be the batch");
  if (mode != "linear" && mode != "circular")
    return ctx.error("attribute mode has the unknown value '" + mode + "'");
  for (int64_t i = 0; i < rank; ++i)
    if (i != *axis &&
        failed(ctx.requireEqual(e.dim(cache, i), e.dim(update, i),
                                "cache and update agree beside the axis")))
      return failure();
  Type i64 = ctx.builder().getI64Type();
  Dims shape(rank, e.constant(1));
  shape[*axis] = e.dim(update, *axis);
  Value position = e.iota(i64, shape, *axis, e.constant(0));
  if (begin) {
    shape[*axis] = e.constant(1);
    shape[0] = e.dim(update, 0);
    position = e.add(position, e.reshape(e.convert(begin, i64), shape));
  }
  if (mode == "circular") {
    Value size = ctx.dimValues({e.dim(cache, *axis)}, i64, {});
    position = e.binary(BinaryKind::Mod, position, size);
  }
  return ctx.setOutput(
      0, ctx.create<ScatterElementsOp>(ScatterKind::None, cache,
                                       e.broadcast(position, e.dims(update)),
                                       update, uint64_t(*axis)));
}

} // namespace effc
