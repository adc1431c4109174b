// What the model targets share: bytes to a module, with the promise that every
// failure is told.
#ifndef EFFC_TEST_FUZZ_IMPORTCASE_H
#define EFFC_TEST_FUZZ_IMPORTCASE_H

#include "effc/Import/Import.h"
#include "mlir/IR/Diagnostics.h"
#include "mlir/IR/MLIRContext.h"

namespace effc {

/// A context lives for some inputs: making one costs more than most of them,
/// and what it has once made unique it keeps.
class FuzzContext {
public:
  explicit FuzzContext(const mlir::DialectRegistry &registry)
      : registry(registry) {}

  mlir::MLIRContext &get() {
    if (!context || ++uses == 100) {
      uses = 0;
      context = std::make_unique<mlir::MLIRContext>(
          registry, mlir::MLIRContext::Threading::DISABLED);
      context->loadAllAvailableDialects();
    }
    return *context;
  }

private:
  const mlir::DialectRegistry &registry;
  std::unique_ptr<mlir::MLIRContext> context;
  unsigned uses = 0;
};

/// Counts errors and keeps their text.
class ErrorCounter {
public:
  explicit ErrorCounter(mlir::MLIRContext *context)
      : handler(context, [this](mlir::Diagnostic &diagnostic) {
          if (diagnostic.getSeverity() != mlir::DiagnosticSeverity::Error)
            return mlir::success();
          ++count;
          text += diagnostic.str() + "\n";
          return mlir::success();
        }) {}
  unsigned count = 0;
  std::string text;

private:
  mlir::ScopedDiagnosticHandler handler;
};

/// Null when the model was refused; a refusal without a message is a find.
inline mlir::OwningOpRef<mlir::ModuleOp>
importCase(const uint8_t *data, size_t size, mlir::MLIRContext *context,
           const ErrorCounter &errors) {
  llvm::StringRef bytes(reinterpret_cast<const char *>(data), size);
  ImportOptions options;
  auto module =
      importOnnxBytes(bytes, "fuzz.onnx", "/nonexistent", context, options);
  if (bool(module) == (errors.count > 0) ||
      llvm::StringRef(errors.text).contains("internal error")) {
    llvm::errs() << "find: " << (module ? "imported" : "refused") << " with "
                 << errors.count << " errors:\n"
                 << errors.text;
    __builtin_trap();
  }
  return module;
}

} // namespace effc

#endif // EFFC_TEST_FUZZ_IMPORTCASE_H
