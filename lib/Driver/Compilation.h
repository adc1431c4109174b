// State of one compilation.
#ifndef EFFC_LIB_DRIVER_COMPILATION_H
#define EFFC_LIB_DRIVER_COMPILATION_H

#include "Diagnostics.h"
#include "Eff/EffOps.h"
#include "EntryPoints.h"
#include "effc/Driver/Driver.h"
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

  /// Sees the module after each stage.
  std::function<void(Stage, mlir::ModuleOp)> onModule;

  /// Takes the objects in the place of Emit, which writes files.
  std::function<mlir::LogicalResult(mlir::ModuleOp, std::vector<KernelObject>,
                                    const LibraryOptions &)>
      onObjects;

private:
  bool checkOptions();
  bool checkQuantize();
  /// Whether the model is bytes or a regular file.
  bool checkModelFile();
  /// Imports an ONNX file or parses a saved stage.
  mlir::OwningOpRef<mlir::ModuleOp> readModel(const EntryPoint &entry);
  mlir::OwningOpRef<mlir::ModuleOp> importModel(const EntryPoint &entry);
  mlir::OwningOpRef<mlir::ModuleOp> parseStageFile();
  /// Reads the model and runs the stages; null after a reported failure.
  mlir::OwningOpRef<mlir::ModuleOp> lower(const EntryPoint &entry,
                                          eff::TargetAttr target);
  /// The same for all entry points, in one module.
  mlir::OwningOpRef<mlir::ModuleOp> lowerAll(eff::TargetAttr target);
  mlir::LogicalResult runPipeline(mlir::ModuleOp module);
  mlir::LogicalResult saveStage(Stage stage, mlir::ModuleOp module);
  void warnOfOmittedWeights(mlir::ModuleOp module);
  void recordStage(Stage stage, mlir::ModuleOp module);
  void recordQuantized(mlir::ModuleOp module);
  mlir::LogicalResult generate(mlir::ModuleOp module);
  LibraryOptions makeLibraryOptions(eff::TargetAttr target);
  mlir::LogicalResult writeLibrary(mlir::ModuleOp module,
                                   std::vector<KernelObject> objects,
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
  std::future<std::string> modelHash;
  std::optional<Stage> stopAfter, startAt;
  std::vector<EntryPoint> entries;
  /// The one being lowered; its stages are saved in a folder of its own when
  /// there are several.
  std::string entryName, stageFolder;
  /// What the certificate says of each stage.
  std::vector<std::pair<std::string, std::string>> passes;
  std::vector<QuantizedLayers> quantized;
  unsigned stageNumber = 0;
  std::chrono::steady_clock::time_point stageStart;
};

} // namespace effc

#endif // EFFC_LIB_DRIVER_COMPILATION_H
