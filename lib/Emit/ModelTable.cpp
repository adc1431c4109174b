// Reads the host functions: values become buffers with lifetimes, launches
// become table rows, constants become offsets into the weights.
#include "effc/Emit/ModelTable.h"
#include "DimTable.h"
#include "Eff/Dims.h"
#include "effc/Conversion/Packing.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/SymbolTable.h"
#include "llvm/ADT/MapVector.h"
#include "llvm/Support/xxhash.h"
#include <set>

using namespace mlir;

namespace effc {

std::optional<int32_t> getDType(Type type) {
  if (type.isF32())
    return EFFRT_DTYPE_F32;
  if (type.isF64())
    return EFFRT_DTYPE_F64;
  if (type.isF16())
    return EFFRT_DTYPE_F16;
  if (type.isBF16())
    return EFFRT_DTYPE_BF16;
  if (isa<Float8E4M3FNType>(type))
    return EFFRT_DTYPE_F8E4M3FN;
  if (isa<Float8E4M3FNUZType>(type))
    return EFFRT_DTYPE_F8E4M3FNUZ;
  if (isa<Float8E5M2Type>(type))
    return EFFRT_DTYPE_F8E5M2;
  if (isa<Float8E5M2FNUZType>(type))
    return EFFRT_DTYPE_F8E5M2FNUZ;
  if (isa<Float8E8M0FNUType>(type))
    return EFFRT_DTYPE_F8E8M0FNU;
  if (isa<Float4E2M1FNType>(type))
    return EFFRT_DTYPE_F4E2M1FN;
  auto integer = dyn_cast<IntegerType>(type);
  if (!integer)
    return std::nullopt;
  bool isUnsigned = integer.isUnsigned();
  switch (integer.getWidth()) {
  case 1:
    return EFFRT_DTYPE_BOOL;
  case 2:
    return isUnsigned ? EFFRT_DTYPE_U2 : EFFRT_DTYPE_I2;
  case 4:
    return isUnsigned ? EFFRT_DTYPE_U4 : EFFRT_DTYPE_I4;
  case 8:
    return isUnsigned ? EFFRT_DTYPE_U8 : EFFRT_DTYPE_I8;
  case 16:
    return isUnsigned ? EFFRT_DTYPE_U16 : EFFRT_DTYPE_I16;
  case 32:
    return isUnsigned ? EFFRT_DTYPE_U32 : EFFRT_DTYPE_I32;
  case 64:
    return isUnsigned ? EFFRT_DTYPE_U64 : EFFRT_DTYPE_I64;
  default:
    return std::nullopt;
  }
}

namespace {

/// Offsets of constants; equal contents are stored once.
class WeightStore {
public:
  explicit WeightStore(ModelTable &table) : table(table) {}

  FailureOr<uint64_t> add(ElementsAttr value, effk::PanelAttr layout,
                          Type elementType, Location loc) {
    std::optional<ConstantData> data = getConstantData(value);
    unsigned size = getElementBytes(elementType);
    if (!data || size == 0)
      return emitError(loc) << "internal error: constant of type "
                            << value.getType() << " cannot be written";
    uint64_t count =
        layout ? getPackedElements(layout) : value.getNumElements();
    llvm::XXH128_hash_t hash = llvm::xxh3_128bits(llvm::ArrayRef<uint8_t>(
        reinterpret_cast<const uint8_t *>(data->bytes.data()),
        data->bytes.size()));
    SmallVector<size_t, 1> &same = byHash[{hash.low64, hash.high64}];
    for (size_t index : same)
      if (isSame(table.weights[index], *data, value, layout, elementType))
        return table.weights[index].offset;
    same.push_back(table.weights.size());
    // One cache line, so that every kernel may use aligned vectors.
    uint64_t offset = llvm::alignTo(table.weightsSize, 64);
    table.weights.push_back(
        {value, layout, elementType, loc, offset, count * size});
    table.weightsSize = offset + count * size;
    return offset;
  }

private:
  static bool isSame(const WeightEntry &entry, const ConstantData &data,
                     ElementsAttr value, effk::PanelAttr layout,
                     Type elementType) {
    if (entry.layout != layout || entry.elementType != elementType)
      return false;
    if (entry.value == value)
      return true;
    // Shape matters to a packed constant only through its layout and taps.
    bool sameShape = entry.value.getShapedType().getShape() ==
                     value.getShapedType().getShape();
    if ((layout && !sameShape) ||
        entry.value.getNumElements() != value.getNumElements())
      return false;
    std::optional<ConstantData> other = getConstantData(entry.value);
    return other && other->elementType == data.elementType &&
           other->splat == data.splat && other->bytes == data.bytes;
  }

  ModelTable &table;
  std::map<std::pair<uint64_t, uint64_t>, SmallVector<size_t, 1>> byHash;
};

/// Kernel entries: one for each function and origin.
class KernelStore {
public:
  KernelStore(ModelTable &table, ModuleOp module)
      : table(table), module(module) {}

  uint32_t add(effk::LaunchOp launch) {
    std::string function = launch.getKernel().str();
    std::string origin = launch.getOrigin().str();
    auto [it, isNew] =
        entries.try_emplace({function, origin}, uint32_t(table.kernels.size()));
    if (!isNew)
      return it->second;
    std::string name = function;
    for (int suffix = 2; !names.insert(name).second; ++suffix)
      name = function + "_" + std::to_string(suffix);
    table.kernels.push_back({name, function, origin,
                             describeChoice(module.lookupSymbol(function))});
    return it->second;
  }

  /// An attribute says it, else what the kernel is made of.
  static std::string describeChoice(Operation *function) {
    std::string choice = "loops";
    if (!function)
      return choice;
    if (auto attr = function->getAttrOfType<StringAttr>(kKernelChoiceAttr))
      return attr.str();
    function->walk([&](effk::GemmOp gemm) {
      choice = "gemm " + std::to_string(gemm.getTile()[0]) + "x" +
               std::to_string(gemm.getTile()[1]);
    });
    return choice;
  }

private:
  ModelTable &table;
  ModuleOp module;
  std::map<std::pair<std::string, std::string>, uint32_t> entries;
  std::set<std::string> names;
};

/// One host function.
class ProgramBuilder {
public:
  ProgramBuilder(func::FuncOp function, ProgramTable &program,
                 WeightStore &weights, KernelStore &kernels)
      : function(function), program(program), dims(program), weights(weights),
        kernels(kernels) {}

  LogicalResult build() {
    program.name = function.getName().str();
    if (failed(addSymbols()) || failed(addInputs()) || failed(addOutputs()) ||
        failed(addChecks()))
      return failure();
    for (Operation &op : function.getBody().front())
      if (failed(addOp(&op)))
        return failure();
    return success();
  }

private:
  LogicalResult addSymbols();
  LogicalResult addChecks();
  LogicalResult addInputs();
  LogicalResult addOutputs();
  LogicalResult addOp(Operation *op);
  LogicalResult addLaunch(effk::LaunchOp launch);
  FailureOr<TensorEntry> makeTensor(Type type, DictionaryAttr attrs,
                                    StringRef fallback, unsigned index);
  FailureOr<uint32_t> addBuffer(Value value, effrt_buffer_kind kind,
                                uint64_t position);
  /// The buffer that a launch reads; weights get theirs at first use.
  FailureOr<uint32_t> useBuffer(Value value);
  /// Uses only symbols that are declared so far.
  bool isKnown(AffineExpr size) const;
  std::optional<uint32_t> addSize(AffineExpr size);

  InFlightDiagnostic fault(Location loc) {
    return emitError(loc) << "internal error: ";
  }

  func::FuncOp function;
  ProgramTable &program;
  DimTable dims;
  WeightStore &weights;
  KernelStore &kernels;
  llvm::DenseMap<Value, uint32_t> buffers;
  llvm::DenseMap<Value, unsigned> outputs;
};

} // namespace

/// The value whose memory `value` is a view of.
static Value getRoot(Value value) {
  while (auto reshape = value.getDefiningOp<eff::ReshapeOp>())
    value = reshape.getX();
  return value;
}

LogicalResult ProgramBuilder::addSymbols() {
  auto symbols = function->getAttrOfType<ArrayAttr>("eff.symbols");
  if (!symbols)
    return success();
  for (Attribute attr : symbols) {
    SymbolEntry entry;
    if (auto symbol = dyn_cast<eff::SymbolAttr>(attr)) {
      entry.name = symbol.getName().str();
      entry.input = symbol.getInput();
      entry.axis = symbol.getAxis();
      entry.min = symbol.getMin();
      entry.max = symbol.getMax();
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

LogicalResult ProgramBuilder::addChecks() {
  auto checks = function->getAttrOfType<ArrayAttr>("eff.checks");
  if (!checks)
    return success();
  for (Attribute attr : checks) {
    auto check = dyn_cast<eff::CheckAttr>(attr);
    if (!check || check.getSizes().getExprs().size() != 2)
      return fault(function.getLoc()) << "unknown check " << attr;
    auto a = addSize(check.getSizes().getExprs()[0]),
         b = addSize(check.getSizes().getExprs()[1]);
    if (!a || !b)
      return fault(function.getLoc()) << "check of unknown sizes " << attr;
    program.checks.push_back({*a, *b, check.getMessage().str()});
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

LogicalResult ProgramBuilder::addInputs() {
  for (BlockArgument argument : function.getArguments()) {
    unsigned index = argument.getArgNumber();
    FailureOr<TensorEntry> entry = makeTensor(
        argument.getType(), function.getArgAttrDict(index), "input", index);
    if (failed(entry))
      return failure();
    program.inputs.push_back(std::move(*entry));
    if (failed(addBuffer(argument, EFFRT_BUFFER_INPUT, index)))
      return failure();
  }
  for (const SymbolEntry &symbol : program.symbols)
    if (symbol.isFree() &&
        (symbol.input >= program.inputs.size() ||
         symbol.axis >= program.inputs[symbol.input].dims.size()))
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
    program.outputs.push_back(std::move(*entry));
    // Outputs are written where the caller wants them, so each needs a kernel
    // that writes it and nothing else may share its memory.
    Value root = getRoot(value);
    if (!root.getDefiningOp<effk::LaunchOp>())
      return fault(function.getLoc())
             << "output '" << program.outputs.back().name
             << "' is not computed by a launch";
    if (!outputs.try_emplace(root, index).second)
      return fault(function.getLoc())
             << "output '" << program.outputs.back().name
             << "' shares its memory with another output";
  }
  return success();
}

FailureOr<uint32_t> ProgramBuilder::useBuffer(Value value) {
  Value root = getRoot(value);
  if (auto it = buffers.find(root); it != buffers.end()) {
    effrt_buffer &buffer = program.buffers[it->second];
    if (buffer.kind == EFFRT_BUFFER_ARENA)
      buffer.last = program.launches.size();
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
  uint32_t step = program.launches.size();
  for (Value result : launch.getOutputs()) {
    auto output = outputs.find(result);
    FailureOr<uint32_t> buffer =
        output == outputs.end()
            ? addBuffer(result, EFFRT_BUFFER_ARENA, 0)
            : addBuffer(result, EFFRT_BUFFER_OUTPUT, output->second);
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
  program.launches.push_back(std::move(entry));
  return success();
}

LogicalResult ProgramBuilder::addOp(Operation *op) {
  if (auto launch = dyn_cast<effk::LaunchOp>(op))
    return addLaunch(launch);
  if (isa<eff::ConstantOp, effk::PackedOp, eff::ReshapeOp, func::ReturnOp>(op))
    return success();
  return fault(op->getLoc())
         << "'" << op->getName() << "' is left in the host program";
}

FailureOr<ModelTable> buildModelTable(ModuleOp module, StringRef name) {
  ModelTable table;
  table.name = name.str();
  WeightStore weights(table);
  KernelStore kernels(table, module);
  SmallVector<func::FuncOp> hosts;
  func::FuncOp general;
  for (auto function : module.getOps<func::FuncOp>()) {
    if (function.isDeclaration())
      continue;
    if (function.getName() == "main")
      general = function;
    else if (function->hasAttr("eff.symbols"))
      hosts.push_back(function);
  }
  if (general)
    hosts.push_back(general);
  if (hosts.empty())
    return emitError(module.getLoc())
           << "internal error: the module has no host function";
  for (func::FuncOp host : hosts) {
    table.programs.emplace_back();
    if (failed(ProgramBuilder(host, table.programs.back(), weights, kernels)
                   .build()))
      return failure();
  }
  return table;
}

} // namespace effc
