// State of one compilation.
#ifndef EFFC_LIB_DRIVER_COMPILATION_H
#define EFFC_LIB_DRIVER_COMPILATION_H

#include "Diagnostics.h"
#include "Eff/EffOps.h"
#include "EntryPoints.h"
#include "effc/Driver/Driver.h"
#include "effc/Driver/Lock.h"
#include "effc/Emit/Emit.h"
#include "effc/Pipeline/Stages.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/OwningOpRef.h"
#include <chrono>
#include <future>
#include <memory>

namespace effc {

/// A context with all dialects, for one compilation after another.
std::unique_ptr<mlir::MLIRContext> createContext();

/// Bytes of the model's file, 0 when there is none.
uint64_t getModelSize(const CompileOptions &options);

class Compilation {
public:
  Compilation(const CompileOptions &options, CompileResult &result,
              mlir::MLIRContext *context);

  /// Fills the result.
  void run();
  /// Options, the model's file and --lock; reports what is wrong.
  bool checkAll();

  /// Sees the module after each stage.
  std::function<void(Stage, mlir::ModuleOp)> onModule;

  /// Takes the versions in the place of Emit, which writes files.
  std::function<mlir::LogicalResult(std::vector<LibraryVersion>,
                                    const LibraryOptions &)>
      onObjects;

private:
  bool checkOptions();
  bool chooseName();
  bool checkQuantize();
  bool checkCalibration();
  /// Reads --calibrate and refuses what does not belong to this compilation.
  bool readStatisticsFile();
  bool refuseStatistics(const llvm::Twine &why);
  bool checkBf16();
  bool resolveTargets();
  bool checkLockOptions();
  /// Reads --lock and refuses what does not belong to this compilation.
  bool readLock();
  /// Measures, and tells the module what was measured.
  mlir::LogicalResult chooseKernels(mlir::ModuleOp module,
                                    const PipelineOptions &pipeline);
  mlir::LogicalResult writeLock();
  /// Whether the model is bytes or a regular file.
  bool checkModelFile();
  /// Imports an ONNX file or parses a saved stage.
  mlir::OwningOpRef<mlir::ModuleOp> readModel(const EntryPoint &entry);
  mlir::OwningOpRef<mlir::ModuleOp> importModel(const EntryPoint &entry);
  mlir::OwningOpRef<mlir::ModuleOp> parseStageFile();
  /// Reads the model, once for all targets, and runs the stages; null after a
  /// reported failure.
  mlir::OwningOpRef<mlir::ModuleOp> lower(size_t entry, eff::TargetAttr target);
  /// The same for all entry points, in one module.
  mlir::OwningOpRef<mlir::ModuleOp> lowerAll(eff::TargetAttr target);
  void sharePanels(Stage stage, mlir::ModuleOp module);
  mlir::LogicalResult runPipeline(mlir::ModuleOp module);
  mlir::LogicalResult saveStage(Stage stage, mlir::ModuleOp module);
  void warnOfOmittedWeights(mlir::ModuleOp module);
  void recordStage(Stage stage, mlir::ModuleOp module);
  void recordQuantized(mlir::ModuleOp module);
  void recordProbes(mlir::ModuleOp module);
  mlir::FailureOr<LibraryVersion> generate(mlir::ModuleOp module, size_t index);
  mlir::LogicalResult emit(std::vector<LibraryVersion> versions);
  LibraryOptions makeLibraryOptions();
  mlir::LogicalResult writeLibrary(std::vector<LibraryVersion> versions,
                                   const LibraryOptions &library);
  /// Hashes the model's file while other stages run.
  void startHashing();
  CertificateInfo makeCertificateInfo();
  /// Writes a reproducer and says so; `module` may be null.
  void reportFault(mlir::ModuleOp module);

  void beginStage(llvm::StringRef name);
  void endStage();
  mlir::InFlightDiagnostic error(DiagnosticCode code);
  std::string getModelFile() const;

  const CompileOptions &options;
  CompileResult &result;
  mlir::MLIRContext *context;
  std::unique_ptr<DiagnosticCollector> diagnostics;
  bool warnedOfOmittedWeights = false;
  /// --save-stages could not write.
  bool stageLost = false;
  std::string name;
  std::shared_future<std::string> modelHash;
  std::optional<Lock> lock;
  /// The attribute `eff.panels` of the versions so far.
  mlir::DictionaryAttr panels;
  std::optional<Stage> stopAfter, startAt;
  std::vector<EntryPoint> entries;
  /// What the library has versions for, the best first.
  llvm::SmallVector<eff::TargetAttr> targets;
  /// The model as imported, by entry point, while another target needs it.
  std::vector<mlir::OwningOpRef<mlir::ModuleOp>> imported;
  /// The one being lowered; its stages are saved in a folder of its own when
  /// there are several, and of a version likewise.
  std::string entryName, versionName, stageFolder;
  /// What the certificate says of each stage.
  std::vector<std::pair<std::string, std::string>> passes;
  std::vector<QuantizedLayers> quantized;
  std::shared_ptr<const Statistics> statistics;
  unsigned stageNumber = 0;
  std::chrono::steady_clock::time_point stageStart;
};

} // namespace effc

#endif // EFFC_LIB_DRIVER_COMPILATION_H
