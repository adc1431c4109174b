// Control flow and late sizes as steps (effrt_abi.h). Carried values and
// results of branches have buffers of their own that copies fill; a value of
// late size is memory that grows, which loops swap instead of copying where
// they can.
#include "ProgramBuilder.h"

using namespace mlir;

namespace effc {

uint32_t ProgramBuilder::addStep(effrt_step_kind kind, uint32_t a, uint32_t b,
                                 uint32_t c) {
  program.steps.push_back({kind, a, b, c});
  return program.steps.size() - 1;
}

LogicalResult ProgramBuilder::addDefineSize(eff::DefineSizeOp op) {
  FailureOr<uint32_t> buffer = useBuffer(op.getX());
  if (failed(buffer))
    return failure();
  if (op.getSymbol() >= program.symbols.size() ||
      !program.symbols[op.getSymbol()].late)
    return fault(op.getLoc()) << "no late symbol to define";
  addStep(EFFRT_STEP_DEFINE, program.getRow(op.getSymbol()), *buffer,
          op.getElement());
  return success();
}

/// Sizes that other assignments of the list change first go through symbols of
/// their own.
LogicalResult ProgramBuilder::assign(ArrayRef<int64_t> symbols,
                                     ArrayRef<AffineExpr> sizes, Location loc) {
  MLIRContext *context = function.getContext();
  SmallVector<std::pair<unsigned, AffineExpr>> direct, last;
  llvm::SmallBitVector changed(late.size());
  for (auto [symbol, size] : llvm::zip_equal(symbols, sizes))
    if (size != getAffineSymbolExpr(symbol, context))
      changed.set(symbol);
  auto add = [&](unsigned symbol, AffineExpr size) {
    std::optional<uint32_t> dim = addSize(size);
    if (!dim)
      return failure();
    addStep(EFFRT_STEP_ASSIGN, program.getRow(symbol), *dim);
    return success();
  };
  for (auto [symbol, size] : llvm::zip_equal(symbols, sizes)) {
    if (symbol >= int64_t(late.size()) || !program.symbols[symbol].late)
      return fault(loc) << "no late symbol to assign";
    if (!changed.test(symbol))
      continue;
    llvm::SmallBitVector uses = late.getLate(size);
    uses.reset(symbol);
    uses &= changed;
    if (uses.none()) {
      direct.emplace_back(symbol, size);
      continue;
    }
    SymbolEntry next;
    next.name = "next " + program.symbols[symbol].name;
    next.min = INT64_MIN;
    next.max = INT64_MAX;
    next.late = true;
    unsigned position = program.symbols.size();
    program.symbols.push_back(next);
    if (failed(add(position, size)))
      return fault(loc) << "a size that nothing gives";
    last.emplace_back(symbol, getAffineSymbolExpr(position, context));
  }
  for (auto &list : {direct, last})
    for (auto [symbol, size] : list)
      if (failed(add(symbol, size)))
        return fault(loc) << "a size that nothing gives";
  return success();
}

FailureOr<uint32_t> ProgramBuilder::addOwnBuffer(Value value) {
  FailureOr<uint32_t> buffer = addBuffer(
      value,
      isLate(value.getType()) ? EFFRT_BUFFER_DYNAMIC : EFFRT_BUFFER_ARENA, 0);
  if (succeeded(buffer))
    program.buffers[*buffer].first = program.buffers[*buffer].last =
        program.steps.size();
  return buffer;
}

FailureOr<uint32_t> ProgramBuilder::copyToTemporary(Value value) {
  FailureOr<uint32_t> source = useBuffer(value);
  if (failed(source))
    return failure();
  effrt_buffer row = program.buffers[*source];
  row.kind =
      isLate(value.getType()) ? EFFRT_BUFFER_DYNAMIC : EFFRT_BUFFER_ARENA;
  row.value = 0;
  row.first = row.last = program.steps.size();
  uint32_t copy = program.buffers.size();
  program.buffers.push_back(row);
  addStep(EFFRT_STEP_COPY, copy, *source);
  return copy;
}

/// The memory of a value that a launch of this iteration made and nobody else
/// wants can be exchanged for that of a carried value.
bool ProgramBuilder::canSwap(Value from, ValueRange all, Block *body) {
  Value root = getRoot(from);
  auto launch = root.getDefiningOp<effk::LaunchOp>();
  if (!launch || launch->getBlock() != body)
    return false;
  return llvm::count_if(
             all, [&](Value other) { return getRoot(other) == root; }) == 1;
}

/// Copies or moves values into the buffers of others, all at once: what is both
/// a source and a target is saved first.
LogicalResult ProgramBuilder::copyAll(ValueRange from, ValueRange to) {
  llvm::DenseMap<Value, uint32_t> saved;
  for (size_t i = 0; i < from.size(); ++i) {
    Value root = getRoot(from[i]);
    bool overwritten = llvm::is_contained(to, root) && root != to[i];
    if (!overwritten || saved.count(root))
      continue;
    FailureOr<uint32_t> copy = copyToTemporary(from[i]);
    if (failed(copy))
      return failure();
    saved[root] = *copy;
  }
  for (auto [source, target] : llvm::zip_equal(from, to)) {
    Value root = getRoot(source);
    if (root == target)
      continue;
    uint32_t into = buffers.lookup(target);
    auto copy = saved.find(root);
    FailureOr<uint32_t> buffer = copy == saved.end()
                                     ? useBuffer(source)
                                     : FailureOr<uint32_t>(copy->second);
    if (failed(buffer))
      return failure();
    touch(*buffer);
    touch(into);
    bool grows = program.buffers[into].kind == EFFRT_BUFFER_DYNAMIC &&
                 program.buffers[*buffer].kind == EFFRT_BUFFER_DYNAMIC;
    auto argument = dyn_cast<BlockArgument>(target);
    if (grows && argument && copy == saved.end() &&
        canSwap(source, from, argument.getOwner()))
      addStep(EFFRT_STEP_SWAP, into, *buffer);
    else
      addStep(EFFRT_STEP_COPY, into, *buffer);
  }
  return success();
}

static eff::YieldOp getYield(Region &region) {
  return cast<eff::YieldOp>(region.front().getTerminator());
}

LogicalResult ProgramBuilder::addIf(eff::IfOp op) {
  FailureOr<uint32_t> condition = useBuffer(op.getCondition());
  if (failed(condition))
    return failure();
  uint32_t jump = addStep(EFFRT_STEP_JUMP_UNLESS, 0, *condition);
  for (Value result : op.getOutputs())
    if (failed(addOwnBuffer(result)))
      return failure();
  auto addBranch = [&](Region &region) -> LogicalResult {
    eff::YieldOp yield = getYield(region);
    if (failed(addBlock(region.front())) ||
        failed(copyAll(yield.getValues(), op.getOutputs())))
      return failure();
    return assign(op.getSymbols(), yield.getSizes().getExprs(), op.getLoc());
  };
  if (failed(addBranch(op.getThenRegion())))
    return failure();
  uint32_t leave = addStep(EFFRT_STEP_JUMP, 0);
  program.steps[jump].a = program.steps.size();
  if (failed(addBranch(op.getElseRegion())))
    return failure();
  program.steps[leave].a = program.steps.size();
  return success();
}

/// Carried values get their first contents, collected ones none.
LogicalResult ProgramBuilder::startLoop(eff::LoopOp op) {
  Block &body = op.getBody().front();
  for (BlockArgument argument : body.getArguments())
    if (failed(addOwnBuffer(argument)))
      return failure();
  if (failed(copyAll(op.getInits(), body.getArguments())) ||
      failed(assign(op.getSymbols(), op.getInitial().getExprs(), op.getLoc())))
    return failure();
  for (Value result : op.getOutputs().drop_front(op.getInits().size())) {
    FailureOr<uint32_t> buffer = addBuffer(result, EFFRT_BUFFER_DYNAMIC, 0);
    if (failed(buffer))
      return failure();
    addStep(EFFRT_STEP_CLEAR, *buffer);
  }
  return success();
}

LogicalResult
ProgramBuilder::closeIteration(eff::LoopOp op,
                               std::optional<uint32_t> condition) {
  Block &body = op.getBody().front();
  eff::YieldOp yield = getYield(op.getBody());
  ValueRange values = yield.getValues();
  if (condition) {
    FailureOr<uint32_t> next = useBuffer(values.front());
    if (failed(next))
      return failure();
    touch(*condition);
    addStep(EFFRT_STEP_COPY, *condition, *next);
    values = values.drop_front();
  }
  size_t carried = op.getInits().size();
  for (auto [value, result] : llvm::zip_equal(
           values.drop_front(carried), op.getOutputs().drop_front(carried))) {
    FailureOr<uint32_t> buffer = useBuffer(value);
    if (failed(buffer))
      return failure();
    addStep(EFFRT_STEP_APPEND, buffers.lookup(result), *buffer);
  }
  if (failed(copyAll(values.take_front(carried), body.getArguments())))
    return failure();
  return assign(op.getSymbols(), yield.getSizes().getExprs(), op.getLoc());
}

LogicalResult ProgramBuilder::addLoop(eff::LoopOp op) {
  std::optional<uint32_t> condition;
  if (op.getCondition()) {
    FailureOr<uint32_t> copy = copyToTemporary(op.getCondition());
    if (failed(copy))
      return failure();
    condition = *copy;
  }
  if (failed(startLoop(op)))
    return failure();
  uint32_t start = program.steps.size();
  SmallVector<uint32_t> exits;
  if (!op.getTrip().getExprs().empty()) {
    auto number =
        addSize(getAffineSymbolExpr(op.getSymbols().front(), op.getContext()));
    auto trip = addSize(op.getTrip().getExprs().front());
    if (!number || !trip)
      return fault(op.getLoc()) << "a trip count that nothing gives";
    exits.push_back(addStep(EFFRT_STEP_JUMP_UNLESS_LESS, 0, *number, *trip));
  }
  if (condition) {
    touch(*condition);
    exits.push_back(addStep(EFFRT_STEP_JUMP_UNLESS, 0, *condition));
  }
  if (failed(addBlock(op.getBody().front())) ||
      failed(closeIteration(op, condition)))
    return failure();
  uint32_t end = addStep(EFFRT_STEP_JUMP, start);
  for (uint32_t exit : exits)
    program.steps[exit].a = end + 1;
  // What the body reads of outside must last through all iterations.
  for (effrt_buffer &buffer : program.buffers)
    if (buffer.kind == EFFRT_BUFFER_ARENA && buffer.first < start &&
        buffer.last >= start)
      buffer.last = end;
  Block &body = op.getBody().front();
  for (auto [result, argument] :
       llvm::zip(op.getOutputs(), body.getArguments())) {
    uint32_t buffer = buffers.lookup(argument);
    buffers[result] = buffer;
    if (program.buffers[buffer].kind == EFFRT_BUFFER_ARENA)
      program.buffers[buffer].last = end;
  }
  return success();
}

/// What depends on late symbols says so, and symbols know what depends on them.
void ProgramBuilder::finishSteps() {
  bool straight = llvm::all_of(program.steps, [](const effrt_step &step) {
    return step.kind == EFFRT_STEP_LAUNCH;
  });
  if (straight) {
    program.steps.clear();
    return;
  }
  program.findDependents();
  auto isLateDim = [&](uint32_t dim) { return program.lateDims[dim]; };
  auto grows = [&](uint32_t buffer) {
    const effrt_buffer &row = program.buffers[buffer];
    return row.kind == EFFRT_BUFFER_DYNAMIC || isLateDim(row.bytes);
  };
  for (TensorEntry &output : program.outputs)
    output.late = llvm::any_of(output.dims, isLateDim);
  for (StateEntry &state : program.states)
    state.after.late = llvm::any_of(state.after.dims, isLateDim);
  for (LaunchEntry &launch : program.launches)
    launch.late = llvm::any_of(launch.dims, isLateDim) ||
                  llvm::any_of(launch.buffers, grows) ||
                  llvm::any_of(ArrayRef<uint32_t>{launch.extent, launch.scratch,
                                                  launch.flops, launch.bytes,
                                                  launch.cost},
                               isLateDim);
}

} // namespace effc
