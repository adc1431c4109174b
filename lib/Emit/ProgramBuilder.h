// How host functions become table rows: what programs share, and the builder of
// one program.
#ifndef EFFC_LIB_EMIT_PROGRAMBUILDER_H
#define EFFC_LIB_EMIT_PROGRAMBUILDER_H

#include "DimTable.h"
#include "Eff/LateSizes.h"
#include "effc/Conversion/Packing.h"
#include "effc/Emit/ModelTable.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/SymbolTable.h"
#include "llvm/Support/xxhash.h"
#include <map>
#include <set>

namespace effc {

/// Offsets of constants; equal contents are stored once.
class WeightStore {
public:
  explicit WeightStore(ModelTable &table) : table(table) {}

  mlir::FailureOr<uint64_t> add(mlir::ElementsAttr value,
                                effk::PanelAttr layout, mlir::Type elementType,
                                mlir::Location loc) {
    std::optional<ConstantData> data = getConstantData(value);
    unsigned size = getElementBytes(elementType);
    if (!data || size == 0)
      return mlir::emitError(loc) << "internal error: constant of type "
                                  << value.getType() << " cannot be written";
    uint64_t count = layout ? layout.getNumElements() : value.getNumElements();
    llvm::XXH128_hash_t hash = llvm::xxh3_128bits(llvm::ArrayRef<uint8_t>(
        reinterpret_cast<const uint8_t *>(data->bytes.data()),
        data->bytes.size()));
    llvm::SmallVector<size_t, 1> &same = byHash[{hash.low64, hash.high64}];
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
                     mlir::ElementsAttr value, effk::PanelAttr layout,
                     mlir::Type elementType) {
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
  std::map<std::pair<uint64_t, uint64_t>, llvm::SmallVector<size_t, 1>> byHash;
};

/// Kernel entries: one for each function and origin.
class KernelStore {
public:
  KernelStore(VersionTable &table, mlir::ModuleOp module)
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
  static std::string describeChoice(mlir::Operation *function) {
    std::string choice = "loops";
    if (!function)
      return choice;
    if (auto attr =
            function->getAttrOfType<mlir::StringAttr>(effk::kChoiceAttr))
      return attr.str();
    function->walk([&](effk::GemmOp gemm) {
      choice = "gemm " + std::to_string(gemm.getTile()[0]) + "x" +
               std::to_string(gemm.getTile()[1]);
    });
    return choice;
  }

private:
  VersionTable &table;
  mlir::ModuleOp module;
  std::map<std::pair<std::string, std::string>, uint32_t> entries;
  std::set<std::string> names;
};

/// One host function.
class ProgramBuilder {
public:
  ProgramBuilder(mlir::func::FuncOp function, ProgramTable &program,
                 WeightStore &weights, KernelStore &kernels)
      : function(function), program(program), dims(program),
        late(function.getOperation()), weights(weights), kernels(kernels) {}

  mlir::LogicalResult build();

private:
  mlir::LogicalResult addSymbols();
  mlir::LogicalResult addChecks();
  mlir::LogicalResult addInputs();
  mlir::LogicalResult addOutputs();
  mlir::LogicalResult addBlock(mlir::Block &block);
  mlir::LogicalResult addOp(mlir::Operation *op);
  std::optional<unsigned> stateOfArgument(unsigned index) const;
  std::optional<unsigned> stateOfResult(unsigned index) const;
  /// The input that an argument is; states are none.
  unsigned inputOfArgument(unsigned index) const;
  /// Whether there is a dim that the symbol names.
  bool givesSize(const SymbolEntry &symbol) const;
  mlir::LogicalResult addLaunch(effk::LaunchOp launch);
  mlir::FailureOr<TensorEntry> makeTensor(mlir::Type type,
                                          mlir::DictionaryAttr attrs,
                                          llvm::StringRef fallback,
                                          unsigned index);
  mlir::FailureOr<uint32_t> addBuffer(mlir::Value value, effrt_buffer_kind kind,
                                      uint64_t position);
  /// The buffer that a launch or step reads; weights get theirs at first use.
  mlir::FailureOr<uint32_t> useBuffer(mlir::Value value);
  /// The buffer is alive at the next step.
  void touch(uint32_t buffer);
  /// Uses only symbols that are declared so far.
  bool isKnown(mlir::AffineExpr size) const;
  std::optional<uint32_t> addSize(mlir::AffineExpr size);
  std::optional<uint32_t> addCheck(eff::CheckAttr check, bool late);
  bool isLate(mlir::Type tensor) const;
  void finishSteps();

  // Steps.cpp
  mlir::LogicalResult addDefineSize(eff::DefineSizeOp op);
  mlir::LogicalResult addIf(eff::IfOp op);
  mlir::LogicalResult addLoop(eff::LoopOp op);
  mlir::LogicalResult startLoop(eff::LoopOp op);
  mlir::LogicalResult closeIteration(eff::LoopOp op,
                                     std::optional<uint32_t> condition);
  /// Memory for a value that steps write.
  mlir::FailureOr<uint32_t> addOwnBuffer(mlir::Value value);
  mlir::LogicalResult copyAll(mlir::ValueRange from, mlir::ValueRange to);
  mlir::FailureOr<uint32_t> copyToTemporary(mlir::Value value);
  bool canSwap(mlir::Value from, mlir::ValueRange all, mlir::Block *body);
  /// symbols = sizes, all at once.
  mlir::LogicalResult assign(llvm::ArrayRef<int64_t> symbols,
                             llvm::ArrayRef<mlir::AffineExpr> sizes,
                             mlir::Location loc);
  uint32_t addStep(effrt_step_kind kind, uint32_t a, uint32_t b = 0,
                   uint32_t c = 0);

  mlir::InFlightDiagnostic fault(mlir::Location loc) {
    return mlir::emitError(loc) << "internal error: ";
  }

  mlir::func::FuncOp function;
  ProgramTable &program;
  DimTable dims;
  eff::LateSizes late;
  WeightStore &weights;
  KernelStore &kernels;
  llvm::DenseMap<mlir::Value, uint32_t> buffers;
  /// What a value is for the caller or the session.
  struct Target {
    effrt_buffer_kind kind;
    unsigned index;
  };
  llvm::DenseMap<mlir::Value, Target> outputs;
  /// Pairs of argument and result.
  llvm::ArrayRef<int64_t> states;
};

/// The value whose memory `value` is a view of.
mlir::Value getRoot(mlir::Value value);

} // namespace effc

#endif // EFFC_LIB_EMIT_PROGRAMBUILDER_H
