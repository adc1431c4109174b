// Layers of state-space and linear-attention models: LinearAttention-27,
// CausalConvWithState-27, TensorScatter-24.
#include "Attend.h"

using namespace mlir;
using namespace effc::eff;

namespace effc {

// LinearAttention -------------------------------------------------------------

namespace {
/// The recurrence with heads apart; G key/value heads with R query heads each.
/// All numbers are f32, or f64 where the operands are.
struct LinearRecurrence {
  Emitter e;
  int64_t heads = 0, groups = 0;
  bool gated = false, delta = false;
  AffineExpr batch, tokens, keyWidth, valueWidth;
  Value q, k, v;     // [B, T, G, R or 1, width]
  Value decay, beta; // [B, T, G, Dk or 1, 1], [B, T, G or 1, 1, 1]
  Value readers;     // what reads a state: [B, T, G, R or R + 1, Dk]
  Value scores;      // q k^T of a token: [B, T, G, R, 1]
  Value state;       // [B, G, Dk, Dv]
  Type type;

  explicit LinearRecurrence(NodeContext &ctx) : e(ctx) {}
  LogicalResult readRule();
  LogicalResult readSizes();
  LogicalResult readTensors();
  LogicalResult readGates();
  /// x with `size` entries along an axis, of which it may have one only.
  Value repeat(Value x, int64_t axis, AffineExpr size, const Twine &what);
  /// Entry t of a tensor with the tokens in dim 1, which vanishes.
  Value at(Value x, AffineExpr t) {
    return e.squeeze(e.slice(x, 1, t, e.constant(1)), {1});
  }
  void prepare();
  Value step(AffineExpr t);
  Value run();
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
  batch = e.dim(ctx.input(0), 0);
  tokens = e.dim(ctx.input(0), 1);
  keyWidth = exactDiv(e.dim(ctx.input(1), 2), e.constant(groups));
  valueWidth = exactDiv(e.dim(ctx.input(2), 2), e.constant(groups));
  AffineExpr columns[] = {simplify(keyWidth * heads),
                          simplify(keyWidth * groups),
                          simplify(valueWidth * groups)};
  for (unsigned i : {1, 2, 0})
    if (failed(
            ctx.requireEqual(e.dim(ctx.input(i), 2), columns[i],
                             "heads divide the columns of input " + Twine(i))))
      return failure();
  for (unsigned i : {1, 2, 4, 5}) {
    Value x = ctx.input(i);
    if (!x)
      continue;
    if (rankOf(x) != 3)
      return ctx.error("input " + Twine(i) + " must have rank 3");
    if (failed(ctx.requireEqual(e.dim(x, 0), batch, "batch sizes agree")) ||
        failed(ctx.requireEqual(e.dim(x, 1), tokens, "lengths agree")))
      return failure();
  }
  return success();
}

LogicalResult LinearRecurrence::readTensors() {
  NodeContext &ctx = e.ctx;
  Type given = elementTypeOf(ctx.input(0));
  type = given.isF64() ? given : ctx.builder().getF32Type();
  AffineExpr g = e.constant(groups);
  auto split = [&](unsigned i, int64_t share, AffineExpr width) {
    return e.reshape(e.convert(ctx.input(i), type),
                     {batch, tokens, g, e.constant(share), width});
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
  state = past ? e.reshape(e.convert(past, type), shape)
               : e.splat(type, shape, 0.0);
  return success(q && k && v && state);
}

Value LinearRecurrence::repeat(Value x, int64_t axis, AffineExpr size,
                               const Twine &what) {
  AffineExpr given = e.dim(x, axis), one = e.constant(1);
  if (given == size || given == one)
    return x;
  // What is one entry or all of them only the run knows.
  if (!x || failed(e.ctx.requireEqual(simplify((given - one) * given),
                                      simplify((given - one) * size), what)))
    return {};
  Type i64 = e.ctx.builder().getI64Type();
  Value last = e.ctx.dimValues({simplify(given - one)}, i64, {});
  Value index =
      e.binary(BinaryKind::Min, e.iota(i64, {size}, 0, e.constant(0)), last);
  return e.gather(x, index, axis);
}

LogicalResult LinearRecurrence::readGates() {
  NodeContext &ctx = e.ctx;
  AffineExpr g = e.constant(groups), one = e.constant(1);
  if (gated) {
    // One number a head, or one for every key column.
    AffineExpr width = exactDiv(e.dim(ctx.input(4), 2), g);
    decay = repeat(e.reshape(e.convert(ctx.input(4), type),
                             {batch, tokens, g, width, one}),
                   3, keyWidth, "the decay fits the keys");
    decay = e.unary(UnaryKind::Exp, decay);
  }
  if (delta) {
    beta = e.reshape(e.convert(ctx.input(5), type),
                     {batch, tokens, e.dim(ctx.input(5), 2), one, one});
    beta = repeat(beta, 2, g, "beta fits the heads");
  }
  return success(!ctx.hasFailed());
}

/// What does not need the state, for all tokens at once. The state is the large
/// operand of a step; so that one product reads it for keys and queries both,
/// the decay is applied to these, and a query adds its own token's share.
void LinearRecurrence::prepare() {
  scores = e.reduce(ReduceKind::Sum, e.mul(q, k), {4}, /*keepdims=*/true);
  readers = delta ? e.concat({k, q}, 3) : q;
  if (gated)
    readers = e.mul(readers, e.transpose(decay, {0, 1, 2, 4, 3}));
}

/// With d = exp(g): u = beta (v - (k d) S), y = (q d) S + (q k^T) u and then
/// S = d S + k^T u. Gives y as [B, heads * Dv].
Value LinearRecurrence::step(AffineExpr t) {
  AffineExpr first = e.constant(0), one = e.constant(1),
             share = e.constant(heads / groups);
  Value value = at(v, t), read = e.matmul(at(readers, t), state);
  if (delta) {
    value = e.mul(e.sub(value, e.slice(read, 2, first, one)), at(beta, t));
    read = e.slice(read, 2, one, share);
  }
  if (gated)
    state = e.mul(state, at(decay, t));
  Value key = e.transpose(at(k, t), {0, 1, 3, 2});
  state = e.add(state, e.mul(key, value));
  return e.reshape(e.add(read, e.mul(at(scores, t), value)),
                   {batch, simplify(valueWidth * heads)});
}

/// All tokens: [B, T, heads * Dv].
Value LinearRecurrence::run() {
  prepare();
  // A model that takes one token at a time.
  if (tokens == e.constant(1))
    return e.unsqueeze(step(e.constant(0)), {1});
  NodeContext::LoopSpec spec;
  spec.trip = tokens;
  spec.inits.push_back(state);
  spec.body = [&](AffineExpr t, ValueRange carried,
                  NodeContext::LoopValues &values) -> LogicalResult {
    state = carried[0];
    values.collected.push_back(step(t));
    values.carried.push_back(state);
    return success(!e.ctx.hasFailed());
  };
  SmallVector<Value> results;
  if (failed(e.ctx.createLoop(spec, results)))
    return {};
  state = results[0];
  return e.transpose(results[1], {1, 0, 2});
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
  Value y = layer.run();
  Type stateType = elementTypeOf(ctx.input(ctx.hasInput(3) ? 3 : 0));
  if (failed(ctx.setOutput(
          0, e.convert(e.mul(y, scale), elementTypeOf(ctx.input(0))))))
    return failure();
  return ctx.outputUsed(1) ? ctx.setOutput(1, e.convert(layer.state, stateType))
                           : success();
}

// CausalConvWithState ---------------------------------------------------------

namespace {
/// A depthwise convolution over the state and the operand in a row; what the
/// next call needs is the end of that row.
struct CausalConv {
  Emitter e;
  Value x, weight, bias, past;
  AffineExpr channels, kernel;

  explicit CausalConv(NodeContext &ctx) : e(ctx) {}
  LogicalResult readOperands();
  Value convolve(Value row);
  Value sumTaps(Value row);
};
} // namespace

LogicalResult CausalConv::readOperands() {
  NodeContext &ctx = e.ctx;
  x = ctx.input(0), weight = ctx.input(1);
  bias = ctx.input(2), past = ctx.input(3);
  if (rankOf(x) != 3 || rankOf(weight) != 3 || (past && rankOf(past) != 3))
    return ctx.error("operand, weight and state must have rank 3");
  if (bias && rankOf(bias) != 1)
    return ctx.error("the bias must have rank 1");
  channels = e.dim(x, 1);
  kernel = e.dim(weight, 2);
  auto require = [&](AffineExpr a, AffineExpr b, const Twine &what) {
    return !ctx.hasFailed() && succeeded(ctx.requireEqual(a, b, what));
  };
  AffineExpr one = e.constant(1);
  bool fine =
      require(e.dim(weight, 0), channels, "the weight fits the channels") &&
      require(e.dim(weight, 1), one, "the convolution is depthwise") &&
      require(ctx.maxSize(kernel, one), kernel, "the kernel is not empty") &&
      (!bias ||
       require(e.dim(bias, 0), channels, "the bias fits the channels")) &&
      (!past ||
       (require(e.dim(past, 0), e.dim(x, 0), "the state fits the batch") &&
        require(e.dim(past, 1), channels, "the state fits the channels") &&
        require(e.dim(past, 2), simplify(kernel - one),
                "the state holds kernel - 1 positions")));
  return success(fine);
}

Value CausalConv::convolve(Value row) {
  std::optional<int64_t> groups = getConstant(channels);
  if (!groups || *groups < 1 || !getConstant(kernel))
    return sumTaps(row);
  return e.ctx.create<ConvOp>(row, weight, bias, ArrayRef<int64_t>{1},
                              ArrayRef<int64_t>{1}, ArrayRef<int64_t>{0, 0},
                              uint64_t(*groups), /*channels_last=*/false);
}

/// The taps one after the other, where only the run knows how many channels or
/// taps there are.
Value CausalConv::sumTaps(Value row) {
  Type given = elementTypeOf(x);
  Type type = given.isF64() ? given : e.ctx.builder().getF32Type();
  Dims shape = {e.dim(x, 0), channels, e.dim(x, 2)};
  Dims column = {channels, e.constant(1)};
  NodeContext::LoopSpec spec;
  spec.trip = kernel;
  spec.inits.push_back(
      bias ? e.broadcast(e.reshape(e.convert(bias, type), column), shape)
           : e.splat(type, shape, 0));
  spec.body = [&](AffineExpr tap, ValueRange carried,
                  NodeContext::LoopValues &values) -> LogicalResult {
    Value part = e.convert(e.slice(row, 2, tap, shape[2]), type);
    Value factor = e.slice(weight, 2, tap, e.constant(1));
    factor = e.reshape(e.convert(factor, type), column);
    values.carried.push_back(e.add(carried[0], e.mul(part, factor)));
    return success(!e.ctx.hasFailed());
  };
  SmallVector<Value> results;
  if (e.ctx.hasFailed() || failed(e.ctx.createLoop(spec, results)))
    return {};
  return e.convert(results[0], given);
}

LogicalResult importCausalConvWithState(NodeContext &ctx) {
  if (failed(ctx.requireInputs(2, 4)))
    return failure();
  std::string activation = ctx.attrString("activation", "none");
  if (activation != "none" && activation != "silu" && activation != "swish")
    return ctx.error("attribute activation must be none, silu or swish, not '" +
                     activation + "'");
  CausalConv layer(ctx);
  if (failed(layer.readOperands()))
    return failure();
  Emitter &e = layer.e;
  Value x = layer.x;
  AffineExpr before = simplify(layer.kernel - 1), none = e.constant(0);
  Value row = layer.past ? e.concat({layer.past, x}, 2)
                         : e.pad(x, {none, none, before}, {none, none, none});
  Value y = layer.convolve(row);
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
