// State of one compilation.
#ifndef EFFC_LIB_DRIVER_COMPILATION_H
#define EFFC_LIB_DRIVER_COMPILATION_H

#include "Diagnostics.h"
#include "effc/Driver/Driver.h"
#include "effc/Emit/Certificate.h"
#include "effc/Pipeline/Stages.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/OwningOpRef.h"
#include <chrono>
#include <memory>

namespace effc {

class Compilation {
public:
  Compilation(const CompileOptions &options, CompileResult &result);

  /// Fills the result.
  void run();

  /// Sees the module when `stopAfter` ended the compilation.
  std::function<void(mlir::ModuleOp)> onStop;

private:
  bool checkOptions();
  /// Imports an ONNX file or parses a saved stage.
  mlir::OwningOpRef<mlir::ModuleOp> readModel();
  mlir::OwningOpRef<mlir::ModuleOp> importModel();
  /// Puts the bounds of `--dim seq=1..512` into the symbols.
  mlir::LogicalResult boundSymbols(mlir::ModuleOp module);
  mlir::LogicalResult runPipeline(mlir::ModuleOp module);
  mlir::LogicalResult saveStage(Stage stage, mlir::ModuleOp module);
  mlir::LogicalResult generate(mlir::ModuleOp module);
  CertificateInfo makeCertificateInfo();
  /// Writes a reproducer and says so; `module` may be null.
  void reportFault(mlir::ModuleOp module);

  void beginStage(llvm::StringRef name);
  void endStage();
  mlir::InFlightDiagnostic error();
  std::string getModelFile() const;

  const CompileOptions &options;
  CompileResult &result;
  std::unique_ptr<mlir::MLIRContext> context;
  std::unique_ptr<DiagnosticCollector> diagnostics;
  std::string name;
  std::optional<Stage> stopAfter, startAt;
  unsigned stageNumber = 0;
  std::chrono::steady_clock::time_point stageStart;
};

} // namespace effc

#endif // EFFC_LIB_DRIVER_COMPILATION_H
