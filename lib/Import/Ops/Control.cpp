// Handlers of If, Loop and Scan. A condition or trip count that is known
// decides at import; the rest becomes eff.if and eff.loop.
#include "Emitter.h"

using namespace mlir;

namespace effc {

/// The value as a bool of rank 0; that it has one element may be up to the run.
static Value asCondition(NodeContext &ctx, Value value) {
  AffineExpr count = eff::getNumElements(value.getType());
  std::optional<int64_t> known = eff::getConstant(count);
  if ((known && *known != 1) || !elementTypeOf(value).isInteger(1)) {
    (void)ctx.error("the condition is not a scalar bool");
    return {};
  }
  if (failed(ctx.requireEqual(count, eff::constDim(ctx.context(), 1),
                              "the condition has other than one element")))
    return {};
  return reshapeTo(ctx, value, {});
}

LogicalResult importIf(NodeContext &ctx) {
  const onnx::GraphProto *thenBranch = ctx.attrGraph("then_branch");
  const onnx::GraphProto *elseBranch = ctx.attrGraph("else_branch");
  if (failed(ctx.requireInputs(1)))
    return failure();
  if (!thenBranch || !elseBranch)
    return ctx.hasFailed() ? failure() : ctx.error("a branch is missing");
  std::optional<double> known = ctx.scalar(ctx.input(0));
  Value condition = asCondition(ctx, ctx.input(0));
  if (!condition)
    return failure();
  SmallVector<Value> results;
  auto branch = [&](const onnx::GraphProto &graph) {
    return [&ctx, &graph](SmallVectorImpl<Value> &values) {
      return ctx.inlineGraph(graph, values);
    };
  };
  LogicalResult imported =
      known ? ctx.inlineGraph(*known != 0 ? *thenBranch : *elseBranch, results)
            : ctx.createIf(condition, branch(*thenBranch), branch(*elseBranch),
                           results);
  if (failed(imported))
    return failure();
  if (results.size() != ctx.numOutputs())
    return ctx.error("the branch has " + Twine(results.size()) + " outputs");
  for (auto [index, value] : llvm::enumerate(results))
    if (failed(ctx.setOutput(index, value)))
      return failure();
  return success();
}

// Loop
// ----------------------------------------------------------------------------

LogicalResult importLoop(NodeContext &ctx) {
  const onnx::GraphProto *body = ctx.attrGraph("body");
  if (!body)
    return ctx.hasFailed() ? failure() : ctx.error("the body is missing");
  NodeContext::LoopSpec spec;
  if (Value count = ctx.input(0)) {
    std::optional<AffineExpr> trip = ctx.scalarSize(count);
    if (!trip)
      return ctx.error("the trip count is not an integer");
    spec.trip = *trip;
  }
  Value condition = ctx.input(1);
  if (condition && ctx.scalar(condition) == 0.0)
    spec.trip = eff::constDim(ctx.context(), 0);
  bool endless = !condition || ctx.alwaysGoesOn(*body);
  if (condition && !(endless && ctx.scalar(condition)))
    spec.condition = asCondition(ctx, condition);
  if (ctx.hasFailed())
    return failure();
  for (unsigned i = 2; i < ctx.numInputs(); ++i) {
    if (!ctx.hasInput(i))
      return ctx.error("carried value " + Twine(i - 2) + " is missing");
    spec.inits.push_back(ctx.input(i));
  }
  if (!spec.trip && !spec.condition)
    return ctx.error("the loop never ends: it has no trip count, and no "
                     "condition that may become false");
  size_t carried = spec.inits.size();
  Type i64 = ctx.builder().getI64Type();
  spec.body = [&](AffineExpr iteration, ValueRange arguments,
                  NodeContext::LoopValues &values) -> LogicalResult {
    // The body runs only while the condition holds.
    SmallVector<Value> inputs = {ctx.dimValues({iteration}, i64, {}),
                                 ctx.splat(ctx.builder().getI1Type(), 1)};
    llvm::append_range(inputs, arguments);
    SmallVector<Value> results;
    if (failed(ctx.inlineGraph(*body, results, inputs)))
      return failure();
    if (results.size() < 1 + carried)
      return ctx.error("the body has " + Twine(results.size()) +
                       " outputs for " + Twine(carried) + " carried values");
    ArrayRef<Value> rest = ArrayRef<Value>(results).drop_front();
    if (spec.condition)
      values.condition = asCondition(ctx, results.front());
    values.carried.assign(rest.begin(), rest.begin() + carried);
    values.collected.assign(rest.begin() + carried, rest.end());
    return success(!ctx.hasFailed());
  };
  SmallVector<Value> results;
  if (failed(ctx.createLoop(spec, results)))
    return failure();
  if (results.size() < ctx.numOutputs())
    return ctx.error("the body has too few outputs");
  for (unsigned i = 0; i < ctx.numOutputs(); ++i)
    if (failed(ctx.setOutput(i, results[i])))
      return failure();
  return success();
}

// Scan
// ----------------------------------------------------------------------------

namespace {

/// One Scan, or one batch entry of a Scan of opset 8.
class Scanner {
public:
  Scanner(NodeContext &ctx, const onnx::GraphProto &body)
      : ctx(ctx), e(ctx), body(body) {}

  LogicalResult readAttributes(unsigned numInputs, unsigned numOutputs);
  LogicalResult readAxes();
  /// `length` null: that of the scanned tensors.
  LogicalResult run(ArrayRef<Value> states, ArrayRef<Value> scanned,
                    AffineExpr length, SmallVectorImpl<Value> &results);

  size_t numStates = 0, numScanned = 0, numCollected = 0;
  SmallVector<int64_t> axes, directions, outAxes, outDirections;

private:
  NodeContext &ctx;
  Emitter e;
  const onnx::GraphProto &body;
};

} // namespace

LogicalResult Scanner::readAttributes(unsigned numInputs, unsigned numOutputs) {
  int64_t count = ctx.attrInt("num_scan_inputs", 0);
  if (count < 1 || count > int64_t(numInputs))
    return ctx.error("num_scan_inputs is " + Twine(count) + " of " +
                     Twine(numInputs) + " inputs");
  numScanned = count;
  numStates = numInputs - numScanned;
  if (numOutputs < numStates)
    return ctx.error("fewer outputs than states");
  numCollected = numOutputs - numStates;
  axes.assign(numScanned, 0);
  directions.assign(numScanned, 0);
  outAxes.assign(numCollected, 0);
  outDirections.assign(numCollected, 0);
  return success();
}

LogicalResult Scanner::readAxes() {
  auto read = [&](StringRef name, SmallVectorImpl<int64_t> &list) {
    size_t count = list.size();
    SmallVector<int64_t> given = ctx.attrInts(name, list);
    if (given.size() != count)
      return ctx.error(name + " has " + Twine(given.size()) + " entries for " +
                       Twine(count));
    list.assign(given.begin(), given.end());
    return success();
  };
  return success(succeeded(read("scan_input_axes", axes)) &&
                 succeeded(read("scan_input_directions", directions)) &&
                 succeeded(read("scan_output_axes", outAxes)) &&
                 succeeded(read("scan_output_directions", outDirections)));
}

LogicalResult Scanner::run(ArrayRef<Value> states, ArrayRef<Value> scanned,
                           AffineExpr length, SmallVectorImpl<Value> &results) {
  NodeContext::LoopSpec spec;
  spec.inits.assign(states.begin(), states.end());
  SmallVector<int64_t> normal;
  for (auto [x, given] : llvm::zip_equal(scanned, axes)) {
    std::optional<int64_t> axis = normalizeAxis(ctx, given, rankOf(x));
    if (!axis)
      return failure();
    normal.push_back(*axis);
    AffineExpr size = e.dim(x, *axis);
    if (!length)
      length = size;
    if (!spec.trip)
      spec.trip = length;
    else if (failed(ctx.requireEqual(e.dim(scanned[0], normal[0]), size,
                                     "scanned tensors differ in length")))
      return failure();
  }
  spec.body = [&](AffineExpr iteration, ValueRange arguments,
                  NodeContext::LoopValues &values) -> LogicalResult {
    SmallVector<Value> inputs(arguments), outputs;
    for (size_t i = 0; i < scanned.size(); ++i) {
      AffineExpr at = iteration;
      if (directions[i])
        at = eff::simplify(e.dim(scanned[i], normal[i]) - 1 - iteration);
      Value part = e.slice(scanned[i], normal[i], at, e.constant(1));
      inputs.push_back(e.squeeze(part, {normal[i]}));
    }
    if (failed(ctx.inlineGraph(body, outputs, inputs)))
      return failure();
    if (outputs.size() != numStates + numCollected)
      return ctx.error("the body has " + Twine(outputs.size()) + " outputs");
    values.carried.assign(outputs.begin(), outputs.begin() + numStates);
    values.collected.assign(outputs.begin() + numStates, outputs.end());
    return success();
  };
  if (failed(ctx.createLoop(spec, results)))
    return failure();
  for (size_t i = 0; i < numCollected; ++i) {
    Value &y = results[numStates + i];
    if (outDirections[i])
      y = e.reverse(y);
    if (!y)
      return failure();
    std::optional<int64_t> axis = normalizeAxis(ctx, outAxes[i], rankOf(y));
    if (!axis)
      return failure();
    SmallVector<int64_t> permutation;
    for (int64_t k = 1; k < rankOf(y); ++k)
      permutation.push_back(k);
    permutation.insert(permutation.begin() + *axis, 0);
    y = e.transpose(y, permutation);
  }
  return success();
}

static LogicalResult setAll(NodeContext &ctx, ArrayRef<Value> results) {
  for (unsigned i = 0; i < ctx.numOutputs(); ++i)
    if (failed(ctx.setOutput(i, results[i])))
      return failure();
  return success();
}

LogicalResult importScanLoop(NodeContext &ctx) {
  const onnx::GraphProto *body = ctx.attrGraph("body");
  if (!body)
    return ctx.hasFailed() ? failure() : ctx.error("the body is missing");
  Scanner scanner(ctx, *body);
  if (failed(scanner.readAttributes(ctx.numInputs(), ctx.numOutputs())) ||
      failed(scanner.readAxes()))
    return failure();
  SmallVector<Value> inputs, results;
  for (unsigned i = 0; i < ctx.numInputs(); ++i) {
    if (!ctx.hasInput(i))
      return ctx.error("input " + Twine(i) + " is missing");
    inputs.push_back(ctx.input(i));
  }
  ArrayRef<Value> all = inputs;
  if (failed(scanner.run(all.take_front(scanner.numStates),
                         all.drop_front(scanner.numStates), {}, results)))
    return failure();
  return setAll(ctx, results);
}

/// Opset 8: all tensors have a batch dim first and the scanned dim second; each
/// entry of the batch is a scan of its own, as long as sequence_lens says.
LogicalResult importBatchedScan(NodeContext &ctx) {
  const onnx::GraphProto *body = ctx.attrGraph("body");
  if (!body)
    return ctx.hasFailed() ? failure() : ctx.error("the body is missing");
  Emitter e(ctx);
  Scanner scanner(ctx, *body);
  if (ctx.numInputs() < 2 ||
      failed(scanner.readAttributes(ctx.numInputs() - 1, ctx.numOutputs())))
    return ctx.hasFailed() ? failure() : ctx.error("inputs are missing");
  if (auto given = ctx.attrInts("directions")) {
    if (given->size() != scanner.numScanned)
      return ctx.error("directions has " + Twine(given->size()) + " entries");
    scanner.directions.assign(given->begin(), given->end());
  }
  SmallVector<Value> inputs;
  for (unsigned i = 1; i < ctx.numInputs(); ++i) {
    if (!ctx.hasInput(i) ||
        rankOf(ctx.input(i)) < (i - 1 < scanner.numStates ? 1 : 2))
      return ctx.error("input " + Twine(i) + " is missing or lacks a batch");
    inputs.push_back(ctx.input(i));
  }
  if (ctx.hasInput(0))
    return ctx.unsupported("sequences of different lengths",
                           "leave out sequence_lens");
  NodeContext::LoopSpec batch;
  batch.trip = e.dim(inputs.front(), 0);
  batch.body = [&](AffineExpr entry, ValueRange,
                   NodeContext::LoopValues &values) -> LogicalResult {
    SmallVector<Value> parts;
    for (Value input : inputs)
      parts.push_back(e.squeeze(e.slice(input, 0, entry, e.constant(1)), {0}));
    ArrayRef<Value> all = parts;
    SmallVector<Value> results;
    if (failed(scanner.run(all.take_front(scanner.numStates),
                           all.drop_front(scanner.numStates), {}, results)))
      return failure();
    values.collected = results;
    return success();
  };
  SmallVector<Value> results;
  if (failed(ctx.createLoop(batch, results)))
    return failure();
  return setAll(ctx, results);
}

} // namespace effc
