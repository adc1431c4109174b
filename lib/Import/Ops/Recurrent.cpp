// LSTM, GRU and RNN: the steps of short sequences of a fixed length are written
// out, others are a loop. The products with the inputs are one for all steps;
// what remains in a step is the product with the state (ONNX LSTM-22, GRU-22,
// RNN-22).
#include "Emitter.h"
#include "mlir/IR/DialectResourceBlobManager.h"

#include <array>

using namespace mlir;

namespace effc {

/// Longer sequences written out would make the program too long.
static constexpr int64_t maxSteps = 256;

namespace {

struct Activation {
  eff::UnaryKind kind;
  std::optional<double> alpha, beta;
  /// What ONNX has only here: alpha x + beta, alpha tanh(beta x).
  enum Form { Plain, Affine, ScaledTanh } form = Plain;
};

/// Operands of one direction; states are null when they start from zero.
struct Direction {
  Value weights, recurrence;  // [gates * H, I], [gates * H, H]
  Value inputBias, stateBias; // [gates * H]; null without
  Value peephole;             // [3 * H] of LSTM; null without
  Value hidden, cell;         // [N, H]
  bool reverse = false;
  SmallVector<Activation> activations;
};

class Recurrence {
public:
  Recurrence(NodeContext &ctx, int64_t gates)
      : ctx(ctx), e(ctx), gates(gates) {}

  LogicalResult import();

private:
  LogicalResult readOperands();
  LogicalResult readWidth();
  LogicalResult readLengths();
  /// Input `index` with just these sizes, which is checked; null without it.
  LogicalResult readInput(unsigned index, ArrayRef<AffineExpr> dims);
  LogicalResult readActivations(ArrayRef<StringRef> defaults);
  Direction makeDirection(int64_t index);
  /// Entry `index` of the first dim of `value`, which vanishes.
  Value entry(Value value, int64_t index);
  Value gate(Value x, int64_t index);
  Value apply(const Activation &activation, Value x);
  /// The same of x within the attribute clip.
  Value activate(const Activation &activation, Value x);
  /// a + b * matrix^T, of which either summand may be null (zero).
  Value accumulate(Value a, Value b, Value matrix);
  Value sum(Value a, Value b) { return a && b ? e.add(a, b) : (a ? a : b); }
  Value project(const Direction &d);
  void step(Direction &d, Value x);
  /// One direction: all hidden states, [T, 1, N, H].
  Value runUnrolled(Direction &d);
  Value runLoop(Direction &d);
  void stepLSTM(Direction &d, Value x);
  void stepGRU(Direction &d, Value x);
  void stepRNN(Direction &d, Value x);

  NodeContext &ctx;
  Emitter e;
  int64_t gates, numDirections = 1;
  AffineExpr length, batch, width;
  Value x;
  /// The inputs of that number from 1 on, in the layout 0.
  std::array<Value, 8> operands;
  /// Lengths of the sequences, [N, 1]; null when all are the whole one.
  Value lengths;
  std::string direction;
  bool batchFirst = false, linearBeforeReset = false, inputForget = false;
  double clip = 0;
  SmallVector<Activation> activations;
};

} // namespace

/// A part of a constant is a constant: it refers to the same bytes.
static Value sliceConstant(NodeContext &ctx, Value value, int64_t index) {
  auto constant = value.getDefiningOp<eff::ConstantOp>();
  auto resource = constant
                      ? dyn_cast<DenseResourceElementsAttr>(constant.getValue())
                      : DenseResourceElementsAttr();
  AsmResourceBlob *blob =
      resource ? resource.getRawHandle().getBlob() : nullptr;
  RankedTensorType type = tensorType(value);
  if (!blob || !type.hasStaticShape() || type.getDimSize(0) == 0)
    return {};
  auto part = RankedTensorType::get(type.getShape().drop_front(),
                                    type.getElementType());
  size_t size = blob->getData().size() / type.getDimSize(0);
  ArrayRef<char> bytes = blob->getData().slice(index * size, size);
  size_t alignment = type.getElementTypeBitWidth() / 8;
  AsmResourceBlob shared(
      bytes, std::max<size_t>(alignment, 1), [](void *, size_t, size_t) {},
      /*dataIsMutable=*/false);
  return ctx.constant(DenseResourceElementsAttr::get(
      part, resource.getRawHandle().getKey(), std::move(shared)));
}

Value Recurrence::entry(Value value, int64_t index) {
  if (!value)
    return {};
  if (Value constant = sliceConstant(ctx, value, index))
    return constant;
  eff::Dims dims = eff::getDims(value.getType());
  Value part = sliceAxis(ctx, value, 0, eff::constDim(ctx.context(), index),
                         eff::constDim(ctx.context(), 1));
  return reshapeTo(ctx, part, ArrayRef<AffineExpr>(dims).drop_front());
}

Value Recurrence::gate(Value x, int64_t index) {
  if (!x)
    return {};
  return sliceAxis(ctx, x, rankOf(x) - 1, width * index, width);
}

Value Recurrence::apply(const Activation &activation, Value x) {
  if (activation.form == Activation::Affine)
    return e.add(e.mul(x, *activation.alpha), *activation.beta);
  if (activation.form == Activation::ScaledTanh)
    return e.mul(e.unary(activation.kind, e.mul(x, *activation.beta)),
                 *activation.alpha);
  return e.unary(activation.kind, x, activation.alpha, activation.beta);
}

Value Recurrence::activate(const Activation &activation, Value x) {
  if (clip > 0)
    x = e.unary(eff::UnaryKind::Clip, x, -clip, clip);
  return apply(activation, x);
}

Value Recurrence::accumulate(Value a, Value b, Value matrix) {
  if (!b)
    return a;
  return sum(a, ctx.create<eff::MatmulOp>(b, matrix, /*transpose_a=*/false,
                                          /*transpose_b=*/true));
}

LogicalResult Recurrence::readActivations(ArrayRef<StringRef> defaults) {
  SmallVector<std::string> names;
  if (auto given = ctx.attrStrings("activations"))
    names = *given;
  else
    for (int64_t i = 0; i < numDirections; ++i)
      names.append(defaults.begin(), defaults.end());
  if (names.size() != defaults.size() * numDirections)
    return ctx.error("activations has " + Twine(names.size()) + " entries");
  auto alphas =
      ctx.attrFloats("activation_alpha").value_or(SmallVector<double>());
  auto betas =
      ctx.attrFloats("activation_beta").value_or(SmallVector<double>());
  // Parameters are listed for those functions only that have them.
  size_t nextAlpha = 0, nextBeta = 0;
  auto alpha = [&](double fallback) {
    return nextAlpha < alphas.size() ? alphas[nextAlpha++] : fallback;
  };
  auto beta = [&](double fallback) {
    return nextBeta < betas.size() ? betas[nextBeta++] : fallback;
  };
  using K = eff::UnaryKind;
  for (StringRef name : names) {
    std::string lower = name.lower();
    if (lower == "sigmoid" || lower == "tanh" || lower == "relu" ||
        lower == "softsign" || lower == "softplus")
      activations.push_back({*eff::symbolizeUnaryKind(lower), {}, {}});
    else if (lower == "leakyrelu")
      activations.push_back({K::LeakyRelu, alpha(0.01), {}});
    else if (lower == "elu")
      activations.push_back({K::Elu, alpha(1), {}});
    else if (lower == "thresholdedrelu")
      activations.push_back({K::ThresholdedRelu, alpha(1), {}});
    else if (lower == "hardsigmoid")
      activations.push_back({K::HardSigmoid, alpha(0.2), beta(0.5)});
    else if (lower == "affine")
      activations.push_back({K::Tanh, alpha(1), beta(0), Activation::Affine});
    else if (lower == "scaledtanh")
      activations.push_back(
          {K::Tanh, alpha(1), beta(1), Activation::ScaledTanh});
    else
      return ctx.error("unknown activation '" + name + "'");
  }
  return success();
}

LogicalResult Recurrence::readOperands() {
  if (failed(ctx.requireInputs(3, gates == 4 ? 8 : 6)))
    return failure();
  direction = ctx.attrString("direction", "forward");
  batchFirst = ctx.attrBool("layout", false);
  clip = ctx.attrFloat("clip", 0);
  if (gates == 3)
    linearBeforeReset = ctx.attrBool("linear_before_reset", false);
  if (gates == 4)
    inputForget = ctx.attrBool("input_forget", false);
  numDirections = direction == "bidirectional" ? 2 : 1;
  x = ctx.input(0);
  if (rankOf(x) != 3 || rankOf(ctx.input(1)) != 3 || rankOf(ctx.input(2)) != 3)
    return ctx.error("X, W and R must have rank 3");
  if (batchFirst)
    x = transpose(ctx, x, {1, 0, 2});
  if (!x || failed(readWidth()))
    return failure();
  length = e.dim(x, 0);
  batch = e.dim(x, 1);
  AffineExpr directions = e.constant(numDirections), rows = width * gates;
  eff::Dims states = {directions, batch, width};
  return success(
      succeeded(readInput(1, {directions, rows, e.dim(ctx.input(1), 2)})) &&
      succeeded(readInput(2, {directions, rows, width})) &&
      succeeded(readInput(3, {directions, rows * 2})) &&
      succeeded(readInput(5, states)) && succeeded(readInput(6, states)) &&
      succeeded(readInput(7, {directions, width * 3})) &&
      succeeded(readLengths()));
}

/// The size of the state, of what tells it the first that is a constant.
LogicalResult Recurrence::readWidth() {
  std::optional<int64_t> given = ctx.attrInt("hidden_size");
  if (given && (*given < 1 || *given > std::numeric_limits<int32_t>::max()))
    return ctx.error("hidden_size " + Twine(*given) + " is out of range");
  width = e.dim(ctx.input(2), 2);
  AffineExpr rows = e.dim(ctx.input(1), 1);
  if (given)
    width = e.constant(*given);
  else if (!eff::getConstant(width) && eff::getConstant(rows))
    width = eff::exactDiv(rows, e.constant(gates));
  return success();
}

LogicalResult Recurrence::readInput(unsigned index, ArrayRef<AffineExpr> dims) {
  static constexpr StringRef names[] = {
      "X", "W", "R", "B", "sequence_lens", "initial_h", "initial_c", "P"};
  Value value = ctx.input(index);
  if (!value)
    return success();
  if (rankOf(value) != int64_t(dims.size()))
    return ctx.error(names[index] + " must have rank " + Twine(dims.size()));
  if (batchFirst && (index == 5 || index == 6))
    value = transpose(ctx, value, {1, 0, 2});
  for (size_t i = 0; i < dims.size(); ++i)
    if (!value || failed(ctx.requireEqual(e.dim(value, i), dims[i],
                                          "dim " + Twine(i) + " of " +
                                              names[index] + " does not fit")))
      return failure();
  operands[index] = e.reshape(value, dims);
  return success(bool(operands[index]));
}

LogicalResult Recurrence::readLengths() {
  if (failed(readInput(4, {batch})) || !ctx.hasInput(4))
    return success(!ctx.hasFailed());
  auto values = ctx.constants(ctx.input(4));
  if (values && llvm::all_of(*values, [&](int64_t v) {
        return eff::getConstant(length) == v;
      }))
    return success();
  lengths = e.reshape(operands[4], {batch, e.constant(1)});
  return success(bool(lengths));
}

Direction Recurrence::makeDirection(int64_t index) {
  Direction d;
  d.weights = entry(operands[1], index);
  d.recurrence = entry(operands[2], index);
  if (Value bias = entry(operands[3], index)) {
    AffineExpr count = width * gates;
    d.inputBias = sliceAxis(ctx, bias, 0, e.constant(0), count);
    d.stateBias = sliceAxis(ctx, bias, 0, count, count);
  }
  d.hidden = entry(operands[5], index);
  d.cell = entry(operands[6], index);
  d.peephole = entry(operands[7], index);
  d.reverse = direction == "reverse" || index == 1;
  size_t count = activations.size() / numDirections;
  d.activations.assign(activations.begin() + index * count,
                       activations.begin() + (index + 1) * count);
  return d;
}

void Recurrence::stepLSTM(Direction &d, Value x) {
  Value all = accumulate(x, d.hidden, d.recurrence);
  auto peek = [&](Value value, int64_t which, Value cell) {
    return d.peephole && cell
               ? e.add(value, e.mul(gate(d.peephole, which), cell))
               : value;
  };
  // W, R and B hold the gates i, o, f, c; P holds i, o, f.
  Value input = activate(d.activations[0], peek(gate(all, 0), 0, d.cell));
  Value forget =
      inputForget ? e.sub(scalarLike(ctx, input, 1), input)
                  : activate(d.activations[0], peek(gate(all, 2), 2, d.cell));
  Value candidate = activate(d.activations[1], gate(all, 3));
  Value added = e.mul(input, candidate);
  d.cell = d.cell ? e.add(e.mul(forget, d.cell), added) : added;
  Value output = activate(d.activations[0], peek(gate(all, 1), 1, d.cell));
  d.hidden = e.mul(output, apply(d.activations[2], d.cell));
}

/// Gates are z, r, h.
void Recurrence::stepGRU(Direction &d, Value x) {
  auto rows = [&](Value matrix, int64_t first, int64_t count) {
    return sliceAxis(ctx, matrix, 0, width * first, width * count);
  };
  Value fromState, update, reset, candidate;
  if (linearBeforeReset) {
    fromState = accumulate(d.stateBias, d.hidden, d.recurrence);
    update = activate(d.activations[0], sum(gate(x, 0), gate(fromState, 0)));
    reset = activate(d.activations[0], sum(gate(x, 1), gate(fromState, 1)));
    Value kept = gate(fromState, 2);
    candidate = sum(gate(x, 2), kept ? e.mul(reset, kept) : Value());
  } else {
    fromState = accumulate({}, d.hidden, rows(d.recurrence, 0, 2));
    update = activate(d.activations[0], sum(gate(x, 0), gate(fromState, 0)));
    reset = activate(d.activations[0], sum(gate(x, 1), gate(fromState, 1)));
    Value kept = d.hidden ? e.mul(reset, d.hidden) : Value();
    candidate = accumulate(gate(x, 2), kept, rows(d.recurrence, 2, 1));
  }
  candidate = activate(d.activations[1], candidate);
  Value rest = e.sub(scalarLike(ctx, update, 1), update);
  Value next = e.mul(rest, candidate);
  d.hidden = d.hidden ? e.add(next, e.mul(update, d.hidden)) : next;
}

void Recurrence::stepRNN(Direction &d, Value x) {
  d.hidden = activate(d.activations[0], accumulate(x, d.hidden, d.recurrence));
}

Value Recurrence::project(const Direction &d) {
  Value projected = ctx.create<eff::MatmulOp>(x, d.weights, false, true);
  projected = sum(projected, d.inputBias);
  // Only GRU with linear_before_reset keeps the state's bias apart.
  return linearBeforeReset ? projected : sum(projected, d.stateBias);
}

void Recurrence::step(Direction &d, Value x) {
  if (gates == 4)
    stepLSTM(d, x);
  else if (gates == 3)
    stepGRU(d, x);
  else
    stepRNN(d, x);
}

Value Recurrence::runUnrolled(Direction &d) {
  Value projected = project(d);
  int64_t steps = *eff::getConstant(length);
  SmallVector<Value> results(steps);
  for (int64_t i = 0; i < steps && !ctx.hasFailed(); ++i) {
    int64_t t = d.reverse ? steps - 1 - i : i;
    step(d, entry(projected, t));
    results[t] =
        e.reshape(d.hidden, {e.constant(1), e.constant(1), batch, width});
  }
  return ctx.hasFailed() ? Value() : concat(ctx, results, 0);
}

/// States of a sequence that is over stay, and its results are zero.
Value Recurrence::runLoop(Direction &d) {
  Value projected = project(d);
  if (!projected)
    return {};
  AffineExpr one = e.constant(1);
  eff::Dims shape = {batch, width};
  Value zeros = e.splat(elementTypeOf(x), shape, 0);
  NodeContext::LoopSpec spec;
  spec.trip = length;
  spec.inits.push_back(d.hidden ? d.hidden : zeros);
  if (gates == 4)
    spec.inits.push_back(d.cell ? d.cell : zeros);
  spec.body = [&](AffineExpr iteration, ValueRange carried,
                  NodeContext::LoopValues &values) -> LogicalResult {
    AffineExpr t =
        d.reverse ? eff::simplify(length - 1 - iteration) : iteration;
    Value part = e.squeeze(e.slice(projected, 0, t, one), {0});
    Direction now = d;
    now.hidden = carried[0];
    now.cell = gates == 4 ? Value(carried[1]) : Value();
    step(now, part);
    Value result = now.hidden;
    if (lengths) {
      Value runs =
          e.compare(eff::CompareKind::Lt,
                    ctx.dimValues({t}, elementTypeOf(lengths), {}), lengths);
      result = e.select(runs, now.hidden, e.scalar(elementTypeOf(x), 0));
      now.hidden = e.select(runs, now.hidden, carried[0]);
      if (gates == 4)
        now.cell = e.select(runs, now.cell, carried[1]);
    }
    if (!result || ctx.hasFailed())
      return failure();
    values.carried.push_back(now.hidden);
    if (gates == 4)
      values.carried.push_back(now.cell);
    if (ctx.outputUsed(0))
      values.collected.push_back(result);
    return success();
  };
  SmallVector<Value> results;
  if (failed(ctx.createLoop(spec, results)))
    return {};
  d.hidden = results[0];
  if (gates == 4)
    d.cell = results[1];
  if (!ctx.outputUsed(0))
    return d.hidden;
  Value all = d.reverse ? e.reverse(results.back()) : results.back();
  return e.reshape(all, {length, one, batch, width});
}

LogicalResult Recurrence::import() {
  static constexpr StringRef defaults[] = {"Sigmoid", "Tanh", "Tanh"};
  ArrayRef<StringRef> names = defaults;
  names = gates == 4   ? names
          : gates == 3 ? names.take_front(2)
                       : names.slice(1, 1);
  if (failed(readOperands()) || failed(readActivations(names)))
    return failure();
  AffineExpr one = e.constant(1);
  SmallVector<Value> sequences, lastHidden, lastCell;
  for (int64_t index = 0; index < numDirections; ++index) {
    Direction d = makeDirection(index);
    std::optional<int64_t> steps = eff::getConstant(length);
    bool unroll = !lengths && steps && *steps >= 1 && *steps <= maxSteps;
    sequences.push_back(unroll ? runUnrolled(d) : runLoop(d));
    if (ctx.hasFailed())
      return failure();
    lastHidden.push_back(reshapeTo(ctx, d.hidden, {one, batch, width}));
    if (d.cell)
      lastCell.push_back(reshapeTo(ctx, d.cell, {one, batch, width}));
  }
  auto set = [&](unsigned output, ArrayRef<Value> parts, int64_t axis,
                 ArrayRef<int64_t> batchMajor) {
    if (!ctx.outputUsed(output))
      return success();
    Value value = concat(ctx, parts, axis);
    if (batchFirst)
      value = transpose(ctx, value, batchMajor);
    return ctx.setOutput(output, value);
  };
  return success(succeeded(set(0, sequences, 1, {2, 0, 1, 3})) &&
                 succeeded(set(1, lastHidden, 0, {1, 0, 2})) &&
                 (gates != 4 || succeeded(set(2, lastCell, 0, {1, 0, 2}))));
}

LogicalResult importLSTM(NodeContext &ctx) {
  return Recurrence(ctx, 4).import();
}
LogicalResult importGRU(NodeContext &ctx) {
  return Recurrence(ctx, 3).import();
}
LogicalResult importRNN(NodeContext &ctx) {
  return Recurrence(ctx, 1).import();
}

} // namespace effc
