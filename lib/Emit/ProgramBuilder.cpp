// Reads the host functions: values become buffers with lifetimes, launches
// become table rows, constants become offsets into the weights.
#include "ProgramBuilder.h"

using namespace mlir;

namespace effc {

/// The value whose memory `value` is a view of.
Value getRoot(Value value) {
  while (auto reshape = value.getDefiningOp<eff::ReshapeOp>())
    value = reshape.getX();
  return value;
}

LogicalResult ProgramBuilder::build() {
  program.name = function.getName().str();
  if (auto pairs = function->getAttrOfType<DenseI64ArrayAttr>("eff.states"))
    states = pairs.asArrayRef();
  program.states.resize(states.size() / 2);
  if (failed(addSymbols()) || failed(addInputs()) || failed(addOutputs()) ||
      failed(addChecks()) || failed(addBlock(function.getBody().front())))
    return failure();
  finishSteps();
  return success();
}

LogicalResult ProgramBuilder::addBlock(Block &block) {
  for (Operation &op : block)
    if (failed(addOp(&op)))
      return failure();
  return success();
}

std::optional<unsigned> ProgramBuilder::stateOfArgument(unsigned index) const {
  for (unsigned i = 0; i < states.size(); i += 2)
    if (states[i] == index)
      return i / 2;
  return std::nullopt;
}

std::optional<unsigned> ProgramBuilder::stateOfResult(unsigned index) const {
  for (unsigned i = 0; i < states.size(); i += 2)
    if (states[i + 1] == index)
      return i / 2;
  return std::nullopt;
}

unsigned ProgramBuilder::inputOfArgument(unsigned index) const {
  unsigned input = 0;
  for (unsigned i = 0; i < index; ++i)
    input += !stateOfArgument(i);
  return input;
}

LogicalResult ProgramBuilder::addSymbols() {
  auto symbols = function->getAttrOfType<ArrayAttr>("eff.symbols");
  if (!symbols)
    return success();
  for (Attribute attr : symbols) {
    SymbolEntry entry;
    if (auto symbol = dyn_cast<eff::SymbolAttr>(attr)) {
      entry.name = symbol.getName().str();
      unsigned argument = symbol.getInput();
      std::optional<unsigned> state = stateOfArgument(argument);
      entry.state = state.has_value();
      entry.input = state ? *state : inputOfArgument(argument);
      entry.axis = symbol.getAxis();
      entry.min = symbol.getMin();
      entry.max = symbol.getMax();
    } else if (auto symbol = dyn_cast<eff::LateSymbolAttr>(attr)) {
      entry.name = symbol.getName().str();
      entry.min = symbol.getMin();
      entry.max = symbol.getMax();
      entry.late = true;
    } else if (auto derived = dyn_cast<eff::DerivedSymbolAttr>(attr)) {
      entry.derived = derived.getKind().str();
      llvm::append_range(entry.sizes, derived.getSizes().getExprs());
      if (entry.sizes.size() != 2)
        return fault(function.getLoc())
               << "derived symbol of other than 2 sizes";
      // A symbol defined by itself would never end.
      for (AffineExpr size : entry.sizes)
        if (!isKnown(size))
          return fault(function.getLoc())
                 << "derived symbol uses a symbol declared after it";
    } else {
      return fault(function.getLoc()) << "unknown symbol " << attr;
    }
    program.symbols.push_back(std::move(entry));
  }
  return success();
}

bool ProgramBuilder::isKnown(AffineExpr size) const {
  bool known = bool(size);
  if (known)
    size.walk([&](AffineExpr expr) {
      if (auto symbol = dyn_cast<AffineSymbolExpr>(expr))
        known &= symbol.getPosition() < program.symbols.size();
      known &= !isa<AffineDimExpr>(expr);
    });
  return known;
}

std::optional<uint32_t> ProgramBuilder::addSize(AffineExpr size) {
  if (!isKnown(size))
    return std::nullopt;
  return dims.add(size);
}

std::optional<uint32_t> ProgramBuilder::addCheck(eff::CheckAttr check,
                                                 bool isLate) {
  ArrayRef<AffineExpr> sizes = check.getSizes().getExprs();
  if (sizes.size() != 2)
    return std::nullopt;
  auto a = addSize(sizes[0]), b = addSize(sizes[1]);
  if (!a || !b)
    return std::nullopt;
  program.checks.push_back({*a, *b, check.getMessage().str(), isLate});
  return program.checks.size() - 1;
}

LogicalResult ProgramBuilder::addChecks() {
  auto checks = function->getAttrOfType<ArrayAttr>("eff.checks");
  if (!checks)
    return success();
  for (Attribute attr : checks) {
    auto check = dyn_cast<eff::CheckAttr>(attr);
    if (!check || !addCheck(check, /*isLate=*/false))
      return fault(function.getLoc()) << "check of unknown sizes " << attr;
  }
  return success();
}

FailureOr<TensorEntry> ProgramBuilder::makeTensor(Type type,
                                                  DictionaryAttr attrs,
                                                  StringRef fallback,
                                                  unsigned index) {
  auto tensor = dyn_cast<RankedTensorType>(type);
  std::optional<int32_t> dtype;
  if (tensor)
    dtype = getDType(tensor.getElementType());
  if (!dtype)
    return fault(function.getLoc())
           << "type " << type << " at the boundary of a model";
  TensorEntry entry;
  entry.dtype = *dtype;
  if (auto name = attrs ? attrs.getAs<StringAttr>("eff.name") : StringAttr())
    entry.name = name.str();
  else
    entry.name = (fallback + Twine(index)).str();
  std::vector<std::string> names;
  for (const SymbolEntry &symbol : program.symbols)
    names.push_back(symbol.name);
  for (AffineExpr size : eff::getDims(type)) {
    std::optional<uint32_t> dim = addSize(size);
    if (!dim)
      return fault(function.getLoc())
             << "tensor '" << entry.name << "' has a size that nothing gives";
    entry.exprs.push_back(size);
    entry.dims.push_back(*dim);
    entry.texts.push_back(printSize(size, program, names, SizeStyle::Text));
  }
  return entry;
}

bool ProgramBuilder::isLate(Type tensor) const {
  return llvm::any_of(eff::getDims(tensor), [&](AffineExpr size) {
    return size && late.isLate(size);
  });
}

FailureOr<uint32_t> ProgramBuilder::addBuffer(Value value,
                                              effrt_buffer_kind kind,
                                              uint64_t position) {
  auto type = cast<RankedTensorType>(value.getType());
  unsigned size = getElementBytes(type.getElementType());
  eff::Dims shape = eff::getDims(type);
  if (size == 0 || llvm::is_contained(shape, AffineExpr()))
    return fault(value.getLoc()) << "buffer of type " << type;
  AffineExpr bytes = eff::product(type.getContext(), shape) * size;
  std::optional<uint32_t> dim = addSize(eff::simplify(bytes));
  if (!dim)
    return fault(value.getLoc()) << "buffer of unknown size: " << type;
  uint32_t index = program.buffers.size();
  program.buffers.push_back({kind, *dim, position, 0, 0});
  buffers[value] = index;
  return index;
}

bool ProgramBuilder::givesSize(const SymbolEntry &symbol) const {
  if (symbol.state)
    return symbol.axis < program.states[symbol.input].before.dims.size();
  return symbol.input < program.inputs.size() &&
         symbol.axis < program.inputs[symbol.input].dims.size();
}

LogicalResult ProgramBuilder::addInputs() {
  for (BlockArgument argument : function.getArguments()) {
    unsigned index = argument.getArgNumber();
    FailureOr<TensorEntry> entry = makeTensor(
        argument.getType(), function.getArgAttrDict(index), "input", index);
    if (failed(entry))
      return failure();
    FailureOr<uint32_t> buffer = failure();
    if (std::optional<unsigned> state = stateOfArgument(index)) {
      program.states[*state].before = std::move(*entry);
      buffer = addBuffer(argument, EFFRT_BUFFER_STATE_BEFORE, *state);
    } else {
      buffer = addBuffer(argument, EFFRT_BUFFER_INPUT, program.inputs.size());
      program.inputs.push_back(std::move(*entry));
    }
    if (failed(buffer))
      return failure();
  }
  for (const SymbolEntry &symbol : program.symbols)
    if (!symbol.isDerived() && !symbol.late && !givesSize(symbol))
      return fault(function.getLoc())
             << "symbol '" << symbol.name << "' names no dim of an input";
  return success();
}

LogicalResult ProgramBuilder::addOutputs() {
  Operation *terminator = function.getBody().front().getTerminator();
  for (auto [index, value] : llvm::enumerate(terminator->getOperands())) {
    FailureOr<TensorEntry> entry = makeTensor(
        value.getType(), function.getResultAttrDict(index), "output", index);
    if (failed(entry))
      return failure();
    std::string name = entry->name;
    Target target = {EFFRT_BUFFER_OUTPUT, unsigned(program.outputs.size())};
    if (std::optional<unsigned> state = stateOfResult(index)) {
      target = {EFFRT_BUFFER_STATE_AFTER, *state};
      program.states[*state].after = std::move(*entry);
    } else {
      program.outputs.push_back(std::move(*entry));
    }
    // Outputs are written where the caller wants them, so each needs a kernel
    // that writes it and nothing else may share its memory.
    Value root = getRoot(value);
    if (!root.getDefiningOp<effk::LaunchOp>())
      return fault(function.getLoc())
             << "output '" << name << "' is not computed by a launch";
    if (!outputs.try_emplace(root, target).second)
      return fault(function.getLoc())
             << "output '" << name << "' shares its memory with another output";
  }
  return success();
}

void ProgramBuilder::touch(uint32_t buffer) {
  effrt_buffer &row = program.buffers[buffer];
  if (row.kind == EFFRT_BUFFER_ARENA)
    row.last = program.steps.size();
}

FailureOr<uint32_t> ProgramBuilder::useBuffer(Value value) {
  Value root = getRoot(value);
  if (auto it = buffers.find(root); it != buffers.end()) {
    touch(it->second);
    return it->second;
  }
  FailureOr<uint64_t> offset = failure();
  Type elementType = getElementTypeOrSelf(root.getType());
  if (auto constant = root.getDefiningOp<eff::ConstantOp>())
    offset = weights.add(constant.getValue(), nullptr, elementType,
                         constant.getLoc());
  else if (auto packed = root.getDefiningOp<effk::PackedOp>())
    offset = weights.add(packed.getValue(), packed.getLayout(), elementType,
                         packed.getLoc());
  else
    return fault(value.getLoc()) << "operand of a launch without memory";
  if (failed(offset))
    return failure();
  return addBuffer(root, EFFRT_BUFFER_WEIGHT, *offset);
}

LogicalResult ProgramBuilder::addLaunch(effk::LaunchOp launch) {
  LaunchEntry entry;
  entry.kernel = kernels.add(launch);
  for (Value input : launch.getInputs()) {
    FailureOr<uint32_t> buffer = useBuffer(input);
    if (failed(buffer))
      return failure();
    entry.buffers.push_back(*buffer);
  }
  uint32_t step = program.steps.size();
  for (Value result : launch.getOutputs()) {
    auto output = outputs.find(result);
    FailureOr<uint32_t> buffer =
        output == outputs.end()
            ? addBuffer(result,
                        isLate(result.getType()) ? EFFRT_BUFFER_DYNAMIC
                                                 : EFFRT_BUFFER_ARENA,
                        0)
            : addBuffer(result, output->second.kind, output->second.index);
    if (failed(buffer))
      return failure();
    if (output == outputs.end())
      program.buffers[*buffer].first = program.buffers[*buffer].last = step;
    entry.buffers.push_back(*buffer);
  }
  auto addAll = [&](eff::DimsAttr sizes, SmallVectorImpl<uint32_t> &result) {
    for (AffineExpr size : sizes.getExprs()) {
      std::optional<uint32_t> dim = addSize(size);
      if (!dim)
        return failure();
      result.push_back(*dim);
    }
    return success();
  };
  SmallVector<uint32_t, 5> sizes;
  if (failed(addAll(launch.getDims(), entry.dims)) ||
      failed(addAll(launch.getSizes(), sizes)) || sizes.size() != 5)
    return fault(launch.getLoc()) << "launch with sizes that nothing gives";
  entry.extent = sizes[0];
  entry.scratch = sizes[1];
  entry.flops = sizes[2];
  entry.bytes = sizes[3];
  entry.cost = sizes[4];
  addStep(EFFRT_STEP_LAUNCH, program.launches.size());
  program.launches.push_back(std::move(entry));
  return success();
}

LogicalResult ProgramBuilder::addOp(Operation *op) {
  if (auto launch = dyn_cast<effk::LaunchOp>(op))
    return addLaunch(launch);
  if (auto size = dyn_cast<eff::DefineSizeOp>(op))
    return addDefineSize(size);
  if (auto check = dyn_cast<eff::CheckSizeOp>(op)) {
    std::optional<uint32_t> row = addCheck(check.getCheck(), /*isLate=*/true);
    if (!row)
      return fault(op->getLoc()) << "check of unknown sizes";
    addStep(EFFRT_STEP_CHECK, *row);
    return success();
  }
  if (auto branch = dyn_cast<eff::IfOp>(op))
    return addIf(branch);
  if (auto loop = dyn_cast<eff::LoopOp>(op))
    return addLoop(loop);
  // A yield belongs to the op around it.
  if (isa<eff::ConstantOp, effk::PackedOp, eff::ReshapeOp, eff::YieldOp,
          func::ReturnOp>(op))
    return success();
  return fault(op->getLoc())
         << "'" << op->getName() << "' is left in the host program";
}

} // namespace effc
