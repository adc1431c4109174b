// The model as effrt_abi.h describes it, in memory: what the table object, the
// header and the certificate are written from.
#ifndef EFFC_EMIT_MODELTABLE_H
#define EFFC_EMIT_MODELTABLE_H

#include "Effk/EffkOps.h"
#include "effrt/effrt_abi.h"
#include "mlir/IR/BuiltinOps.h"
#include <string>
#include <vector>

namespace effc {

/// A free or late size of a program, or the smaller or larger of two sizes.
/// Free ones are given by an input or by a state.
struct SymbolEntry {
  std::string name;
  /// Free sizes only: of input or state `input`.
  uint32_t input = 0, axis = 0;
  bool state = false;
  int64_t min = 0, max = 0;
  /// Set by steps.
  bool late = false;
  /// "min", "max" or "broadcast" of `sizes` for derived ones; these have no
  /// table entry.
  std::string derived;
  llvm::SmallVector<mlir::AffineExpr, 2> sizes;

  /// Given by the caller.
  bool isFree() const { return derived.empty() && !late && !state; }
  bool isDerived() const { return !derived.empty(); }
  /// Of one that is not derived.
  effrt_symbol_source getSource() const {
    if (late)
      return EFFRT_SYMBOL_STEP;
    return state ? EFFRT_SYMBOL_STATE : EFFRT_SYMBOL_INPUT;
  }
  /// Late ones: the dims that depend on it.
  std::vector<uint32_t> dependents;
};

struct CheckEntry {
  uint32_t a, b;
  std::string message;
  bool late;
};

struct TensorEntry {
  std::string name;
  int32_t dtype;
  llvm::SmallVector<mlir::AffineExpr, 6> exprs;
  llvm::SmallVector<uint32_t, 6> dims;
  llvm::SmallVector<std::string, 6> texts;
  bool late = false;
};

/// What sessions keep from run to run.
struct StateEntry {
  TensorEntry before, after;
};

struct LaunchEntry {
  uint32_t kernel;
  llvm::SmallVector<uint32_t, 6> buffers;
  llvm::SmallVector<uint32_t, 6> dims;
  uint32_t extent, scratch, flops, bytes, cost;
  bool late = false;
};

struct ProgramTable {
  std::string name;
  /// As the function declares them: free, late and derived ones mixed.
  std::vector<SymbolEntry> symbols;
  std::vector<effrt_dim_op> dims;
  std::vector<CheckEntry> checks;
  std::vector<TensorEntry> inputs, outputs;
  std::vector<StateEntry> states;
  std::vector<effrt_buffer> buffers;
  std::vector<LaunchEntry> launches;
  /// None when the launches run in order.
  std::vector<effrt_step> steps;
  /// With steps: whether each dim depends on a late symbol.
  std::vector<bool> lateDims;

  /// The value of every dim when no symbol is free, else nothing.
  std::optional<std::vector<int64_t>> evaluateStatic() const;
  size_t getNumFreeSymbols() const;
  /// The row of a symbol that is not derived in the model's table: those of
  /// inputs come first, then those of states, then late ones.
  uint32_t getRow(unsigned symbol) const;
  /// Fills `lateDims` and the dependents of late symbols.
  void findDependents();
};

/// A kernel function as one place uses it: functions that serve several ONNX
/// nodes have an entry for each, so that profiles name the node.
struct KernelEntry {
  std::string name;
  std::string function;
  std::string origin;
  std::string choice;
};

struct WeightEntry {
  mlir::ElementsAttr value;
  /// Null for a plain row-major constant.
  effk::PanelAttr layout;
  mlir::Type elementType;
  mlir::Location loc;
  uint64_t offset, bytes;
};

/// What follows from the machine that code is made for.
struct VersionTable {
  std::string target;
  uint64_t cpuFeatures = 0;
  std::vector<ProgramTable> programs;
  std::vector<KernelEntry> kernels;
  /// Weights in layouts that no version before has.
  uint64_t ownWeightBytes = 0;
};

struct ModelTable {
  std::string name;
  /// The first that a machine can run is used. All have the same programs,
  /// inputs and outputs.
  std::vector<VersionTable> versions;
  /// Of all versions.
  std::vector<WeightEntry> weights;
  uint64_t weightsSize = 0;

  const VersionTable &best() const { return versions.front(); }
  /// All programs have the same.
  bool hasStates() const { return !best().programs.back().states.empty(); }
};

/// The effrt_dtype of an element type, nothing for types a model cannot hold.
std::optional<int32_t> getDType(mlir::Type elementType);

/// A machine and the module that was lowered for it.
struct VersionModule {
  mlir::ModuleOp module;
  std::string target;
  uint64_t cpuFeatures = 0;
};

/// Builds the table from the host functions of each module: those with
/// `eff.symbols`, and `@main`. Errors here are faults of the compiler, not of
/// the model.
mlir::FailureOr<ModelTable>
buildModelTable(llvm::ArrayRef<VersionModule> versions, llvm::StringRef name);

/// Bytes of intermediate values by the runtime's own planner; nothing while
/// sizes are free.
std::optional<uint64_t> planArena(const ProgramTable &program);

/// A size in the terms of a reader ("past + seq") or of C code.
enum class SizeStyle { Text, C };

/// `names` has an entry for each symbol; derived ones are expanded. In C style
/// floor and ceil division and min, max become calls of functions whose names
/// begin with `prefix`.
std::string printSize(mlir::AffineExpr size, const ProgramTable &program,
                      llvm::ArrayRef<std::string> names, SizeStyle style,
                      llvm::StringRef prefix = "");

} // namespace effc

#endif // EFFC_EMIT_MODELTABLE_H
