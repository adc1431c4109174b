// The interpreter of host functions for tests (see HostRunner.h).
#include "HostRunner.h"

#include "Emulation.h"
#include "effc/Conversion/Packing.h"
#include "effc/Pipeline/Stages.h"

using namespace mlir;
using namespace effc;

FailureOr<std::unique_ptr<HostRunner>>
HostRunner::create(OwningOpRef<ModuleOp> module, eff::TargetAttr target,
                   bool plain, WinogradUse winograd) {
  std::unique_ptr<HostRunner> runner(new HostRunner(std::move(module)));
  ModuleOp whole = runner->getModule();
  whole->setAttr("eff.target", target);
  PipelineOptions pipeline;
  pipeline.plain = plain;
  pipeline.winograd = winograd;
  pipeline.startAt = Stage::Fusion;
  if (failed(runStages(whole, pipeline)))
    return failure();
  OwningOpRef<ModuleOp> kernels = whole.clone();
  for (auto function :
       llvm::make_early_inc_range(kernels->getOps<func::FuncOp>()))
    if (!function->hasAttr("effk.kernel"))
      function.erase();
  for (auto function : whole.getOps<func::FuncOp>())
    if (!function->hasAttr("effk.kernel") && !function.isDeclaration())
      runner->host = function;
  // Instructions that this machine lacks are emulated.
  auto own = resolveCPU("native", whole.getLoc());
  if (failed(own))
    return failure();
  EmitOptions options =
      canRun(target) ? EmitOptions() : makeEmulationOptions(*own);
  options.plain = plain;
  options.compileThreads = 1;
  auto compiled = JITKernels::create(*kernels, target, options);
  if (failed(compiled))
    return failure();
  runner->kernels = std::move(*compiled);
  return runner;
}

int64_t HostRunner::evaluate(AffineExpr expr) const {
  if (auto constant = dyn_cast<AffineConstantExpr>(expr))
    return constant.getValue();
  if (auto symbol = dyn_cast<AffineSymbolExpr>(expr)) {
    auto list = host->getAttrOfType<ArrayAttr>("eff.symbols");
    auto derived =
        list && symbol.getPosition() < list.size()
            ? dyn_cast<eff::DerivedSymbolAttr>(list[symbol.getPosition()])
            : eff::DerivedSymbolAttr();
    if (!derived)
      return symbols[symbol.getPosition()];
    int64_t a = evaluate(derived.getSizes().getExprs()[0]),
            b = evaluate(derived.getSizes().getExprs()[1]);
    return derived.getKind() == "min" ? std::min(a, b) : std::max(a, b);
  }
  auto binary = cast<AffineBinaryOpExpr>(expr);
  int64_t a = evaluate(binary.getLHS()), b = evaluate(binary.getRHS());
  switch (binary.getKind()) {
  case AffineExprKind::Add:
    return a + b;
  case AffineExprKind::Mul:
    return a * b;
  case AffineExprKind::Mod:
    return a - llvm::divideFloorSigned(a, b) * b;
  case AffineExprKind::FloorDiv:
    return llvm::divideFloorSigned(a, b);
  default:
    return llvm::divideCeilSigned(a, b);
  }
}

HostRunner::Buffer HostRunner::makeBuffer(Type tensor, unsigned char fill) {
  unsigned element =
      getElementBytes(cast<RankedTensorType>(tensor).getElementType());
  return std::make_shared<GuardedBuffer>(
      evaluate(eff::getNumElements(tensor)) * element, element, fill);
}

/// The bytes that Emit writes for eff.constant and effk.packed.
HostRunner::Buffer HostRunner::makeConstant(Operation &op) {
  std::string bytes;
  llvm::raw_string_ostream os(bytes);
  Type type = op.getResult(0).getType();
  Type element = cast<RankedTensorType>(type).getElementType();
  auto emitError = [&] { return op.emitError(); };
  auto packed = dyn_cast<effk::PackedOp>(op);
  LogicalResult written = packed
                              ? packPanel(packed.getValue(), packed.getLayout(),
                                          element, os, emitError)
                              : writeDense(cast<eff::ConstantOp>(op).getValue(),
                                           element, os, emitError);
  Buffer buffer = makeBuffer(type, 0);
  if (failed(written) || bytes.size() != buffer->size())
    return nullptr;
  std::memcpy(buffer->data(), bytes.data(), bytes.size());
  buffer->makeReadOnly();
  return buffer;
}

LogicalResult HostRunner::launch(effk::LaunchOp op) {
  SmallVector<void *> pointers;
  for (Value input : op.getInputs()) {
    buffers[input]->makeReadOnly();
    pointers.push_back(buffers[input]->data());
  }
  for (Value output : op.getOutputs()) {
    // Garbage that is neither a NaN nor a small number in any type.
    buffers[output] = makeBuffer(output.getType(), 0xa7);
    pointers.push_back(buffers[output]->data());
  }
  SmallVector<int64_t> dims;
  for (AffineExpr dim : op.getDims().getExprs())
    dims.push_back(evaluate(dim));
  ArrayRef<AffineExpr> sizes = op.getSizes().getExprs();
  int64_t extent = evaluate(sizes[0]), scratchBytes = evaluate(sizes[1]);
  effrt_kernel_fn kernel = kernels->lookup(op.getKernel());
  if (!kernel)
    return op.emitError("kernel is not there");
  // Up to three pieces, some perhaps empty, in any order.
  std::vector<int64_t> cuts = {0, extent};
  for (int i = 0; i < 2; ++i)
    cuts.push_back(std::uniform_int_distribution<int64_t>(0, extent)(random));
  llvm::sort(cuts);
  SmallVector<int> order = {0, 1, 2};
  std::shuffle(order.begin(), order.end(), random);
  for (int piece : order) {
    GuardedBuffer scratch(llvm::alignTo(scratchBytes, 64), 64, 0xff);
    effrt_kernel_args args = {pointers.data(), dims.data(), &error};
    kernel(&args, cuts[piece], cuts[piece + 1], scratch.data());
    if (!scratch.isIntact())
      return op.emitError("writes outside of its scratch memory");
  }
  for (Value output : op.getOutputs())
    if (!buffers[output]->isIntact())
      return op.emitError("writes outside of its result");
  return success();
}

LogicalResult HostRunner::runBlock(Block &block) {
  for (Operation &op : block)
    if (failed(runOp(op)))
      return failure();
  return success();
}

/// All at once.
void HostRunner::assign(ArrayRef<int64_t> targets, eff::DimsAttr sizes) {
  std::vector<int64_t> next = symbols;
  for (auto [target, size] : llvm::zip_equal(targets, sizes.getExprs()))
    next[target] = evaluate(size);
  symbols = next;
}

bool HostRunner::isTrue(Value condition) {
  return *static_cast<const char *>(buffers[condition]->data()) != 0;
}

LogicalResult HostRunner::runIf(eff::IfOp op) {
  Region &region =
      isTrue(op.getCondition()) ? op.getThenRegion() : op.getElseRegion();
  if (failed(runBlock(region.front())))
    return failure();
  auto yield = cast<eff::YieldOp>(region.front().getTerminator());
  for (auto [result, value] :
       llvm::zip_equal(op.getOutputs(), yield.getValues())) {
    Buffer buffer = buffers[value];
    buffers[result] = buffer;
  }
  assign(op.getSymbols(), yield.getSizes());
  return success();
}

LogicalResult HostRunner::runLoop(eff::LoopOp op) {
  Block &body = op.getBody().front();
  auto yield = cast<eff::YieldOp>(body.getTerminator());
  size_t carried = op.getInits().size(), first = op.getCondition() ? 1 : 0;
  std::vector<Buffer> values;
  for (Value init : op.getInits())
    values.push_back(buffers[init]);
  std::vector<Bytes> collected(op.getNumResults() - carried);
  bool goesOn = !op.getCondition() || isTrue(op.getCondition());
  assign(op.getSymbols(), op.getInitial());
  auto isBelowTrip = [&] {
    return op.getTrip().getExprs().empty() ||
           symbols[op.getSymbols().front()] <
               evaluate(op.getTrip().getExprs().front());
  };
  while (goesOn && isBelowTrip()) {
    for (auto [argument, value] : llvm::zip_equal(body.getArguments(), values))
      buffers[argument] = value;
    if (failed(runBlock(body)))
      return failure();
    goesOn = first == 0 || isTrue(yield.getValues().front());
    for (size_t i = 0; i < carried; ++i)
      values[i] = buffers[yield.getValues()[first + i]];
    for (size_t i = 0; i < collected.size(); ++i) {
      Buffer part = buffers[yield.getValues()[first + carried + i]];
      auto *bytes = static_cast<const char *>(part->data());
      collected[i].insert(collected[i].end(), bytes, bytes + part->size());
    }
    assign(op.getSymbols(), yield.getSizes());
  }
  for (auto [index, result] : llvm::enumerate(op.getOutputs())) {
    if (index < carried) {
      buffers[result] = values[index];
      continue;
    }
    const Bytes &bytes = collected[index - carried];
    Buffer buffer = makeBuffer(result.getType(), 0);
    if (buffer->size() != bytes.size())
      return op.emitError("collects other sizes than it says");
    std::memcpy(buffer->data(), bytes.data(), bytes.size());
    buffers[result] = buffer;
  }
  return success();
}

LogicalResult HostRunner::runOp(Operation &op) {
  if (auto size = dyn_cast<eff::DefineSizeOp>(op)) {
    int64_t value;
    std::memcpy(&value,
                static_cast<const char *>(buffers[size.getX()]->data()) +
                    size.getElement() * sizeof(value),
                sizeof(value));
    symbols[size.getSymbol()] = value;
    return success();
  }
  if (auto check = dyn_cast<eff::CheckSizeOp>(op)) {
    ArrayRef<AffineExpr> sizes = check.getCheck().getSizes().getExprs();
    if (evaluate(sizes[0]) != evaluate(sizes[1]))
      return op.emitError(check.getCheck().getMessage().getValue());
    return success();
  }
  if (auto branch = dyn_cast<eff::IfOp>(op))
    return runIf(branch);
  if (auto loop = dyn_cast<eff::LoopOp>(op))
    return runLoop(loop);
  if (auto launchOp = dyn_cast<effk::LaunchOp>(op))
    return launch(launchOp);
  if (auto reshape = dyn_cast<eff::ReshapeOp>(op)) {
    Buffer buffer = buffers[reshape.getX()];
    buffers[reshape.getY()] = buffer;
    return success();
  }
  if (isa<func::ReturnOp, eff::YieldOp>(op))
    return success();
  if (!isa<eff::ConstantOp, effk::PackedOp>(op))
    return op.emitError("is not a host op");
  buffers[op.getResult(0)] = makeConstant(op);
  return success(buffers[op.getResult(0)] != nullptr);
}

FailureOr<HostRunner::Outcome> HostRunner::run(ArrayRef<Bytes> inputs,
                                               ArrayRef<int64_t> values,
                                               uint32_t seed) {
  symbols = values;
  if (auto list = host->getAttrOfType<ArrayAttr>("eff.symbols"))
    symbols.resize(std::max(symbols.size(), list.size()));
  random.seed(seed);
  buffers.clear();
  error = EFFRT_KERNEL_OK;
  Block &body = host.getBody().front();
  for (auto [argument, bytes] : llvm::zip_equal(body.getArguments(), inputs)) {
    Buffer buffer = makeBuffer(argument.getType(), 0);
    if (buffer->size() != bytes.size())
      return host.emitError("input ")
             << argument.getArgNumber() << " has " << bytes.size()
             << " bytes instead of " << buffer->size();
    if (!bytes.empty())
      std::memcpy(buffer->data(), bytes.data(), bytes.size());
    buffers[argument] = buffer;
  }
  if (failed(runBlock(body)))
    return failure();
  Outcome outcome;
  outcome.error = error;
  for (Value result : body.getTerminator()->getOperands()) {
    Buffer buffer = buffers[result];
    outcome.results.emplace_back(buffer->data(),
                                 buffer->data() + buffer->size());
  }
  return outcome;
}

unsigned HostRunner::countLaunches() {
  unsigned count = 0;
  host.walk([&](effk::LaunchOp) { ++count; });
  return count;
}
