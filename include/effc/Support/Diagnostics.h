// How diagnostics reach a user: one line that names the model and the ONNX
// node, or JSON records. MLIR's own handler drops the node's name.
#ifndef EFFC_SUPPORT_DIAGNOSTICS_H
#define EFFC_SUPPORT_DIAGNOSTICS_H

#include "effc/Support/DiagnosticCodes.h"
#include "mlir/IR/Diagnostics.h"
#include <optional>

namespace llvm {
class raw_ostream;
} // namespace llvm

namespace effc {

/// Diagnostics with a code. One without gets it from whoever prints it, by
/// what was going on.
mlir::InFlightDiagnostic emitError(mlir::Location loc, DiagnosticCode code);
mlir::InFlightDiagnostic emitWarning(mlir::Location loc, DiagnosticCode code);
mlir::InFlightDiagnostic emitRemark(mlir::Location loc, DiagnosticCode code);

/// The code that a diagnostic was emitted with.
std::optional<DiagnosticCode> getCode(mlir::Diagnostic &diagnostic);
/// The ONNX operator in its metadata ("Conv, opset 13"), "" when there is none.
llvm::StringRef getOperator(mlir::Diagnostic &diagnostic);
void setOperator(mlir::Diagnostic &diagnostic, mlir::Attribute name);

enum class DiagnosticsFormat { Text, Json };

/// The ONNX node that a location names, "" when there is none. In a location
/// fused from several nodes the first one counts.
llvm::StringRef getNodeName(mlir::Location loc);

/// The model file that a location names, "" when there is none.
llvm::StringRef getModelName(mlir::Location loc);

/// Prints the context's diagnostics while it lives:
///
///   vit.onnx: error: node 'encoder.3/attn' (Attention, opset 23): message
///   vit.onnx: note: remedy
///
/// followed by its code in brackets. With JSON every diagnostic is one object
/// on a line of its own.
class DiagnosticPrinter : public mlir::ScopedDiagnosticHandler {
public:
  DiagnosticPrinter(mlir::MLIRContext *context, llvm::raw_ostream &out,
                    DiagnosticsFormat format = DiagnosticsFormat::Text);

  int64_t numErrors() const { return errors; }
  int64_t numWarnings() const { return warnings; }
  /// Remarks are printed unless this was called.
  void hideRemarks() { showRemarks = false; }

private:
  void print(mlir::Diagnostic &diagnostic);
  void printText(mlir::Diagnostic &diagnostic);
  void printJson(mlir::Diagnostic &diagnostic);

  llvm::raw_ostream &out;
  DiagnosticsFormat format;
  int64_t errors = 0, warnings = 0;
  bool showRemarks = true;
};

} // namespace effc

#endif // EFFC_SUPPORT_DIAGNOSTICS_H
