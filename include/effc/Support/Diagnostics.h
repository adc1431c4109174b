// How diagnostics reach a user: one line that names the model and the ONNX
// node, or JSON records. MLIR's own handler drops the node's name.
#ifndef EFFC_SUPPORT_DIAGNOSTICS_H
#define EFFC_SUPPORT_DIAGNOSTICS_H

#include "mlir/IR/Diagnostics.h"

namespace llvm {
class raw_ostream;
} // namespace llvm

namespace effc {

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
/// The operator comes from a StringAttr in the diagnostic's metadata. With
/// JSON every diagnostic is one object on a line of its own.
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
