// From MLIR's diagnostics to records for users.
#ifndef EFFC_LIB_DRIVER_DIAGNOSTICS_H
#define EFFC_LIB_DRIVER_DIAGNOSTICS_H

#include "effc/Driver/Diagnostic.h"
#include "mlir/IR/Diagnostics.h"

namespace effc {

/// Hands every diagnostic of a context to a callback while it lives, and
/// remembers what was said.
class DiagnosticCollector {
public:
  DiagnosticCollector(mlir::MLIRContext *context, DiagnosticCallback callback);

  /// Some message admits a fault of effc.
  bool hasInternalError() const { return internalError; }
  bool hasError() const { return anyError; }
  const std::vector<Diagnostic> &getAll() const { return all; }
  /// What runs from here on, for records; and the code of what operations
  /// refuse there by themselves: the model's fault in the import, effc's later.
  void setStage(std::string name, DiagnosticCode code) {
    stage = std::move(name);
    defaultCode = code;
  }
  /// Reports something that has no place in the IR.
  void report(Diagnostic diagnostic);

private:
  Diagnostic makeRecord(mlir::Diagnostic &diagnostic) const;

  DiagnosticCallback callback;
  std::string stage;
  DiagnosticCode defaultCode = DiagnosticCode::InternalError;
  std::vector<Diagnostic> all;
  bool internalError = false, anyError = false;
  mlir::ScopedDiagnosticHandler handler;
};

} // namespace effc

#endif // EFFC_LIB_DRIVER_DIAGNOSTICS_H
