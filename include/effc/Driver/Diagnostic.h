// What a user is told: one record per message, with notes that say the remedy.
// Plain C++, so that tools need no header of MLIR.
#ifndef EFFC_DRIVER_DIAGNOSTIC_H
#define EFFC_DRIVER_DIAGNOSTIC_H

#include "effc/Support/DiagnosticCodes.h"
#include <functional>
#include <string>
#include <vector>

namespace effc {

enum class Severity { Note, Remark, Warning, Error };

struct Diagnostic {
  Severity severity = Severity::Error;
  DiagnosticCode code = DiagnosticCode::InternalError;
  /// The file at fault, empty when it is none.
  std::string file;
  /// The ONNX node at fault, empty when there is none.
  std::string node;
  /// Its operator and opset, where they are known.
  std::string op;
  std::string message;
  /// The stage that was running, empty outside of a compilation.
  std::string stage;
  /// Reasons and remedies.
  std::vector<std::string> notes;
};

using DiagnosticCallback = std::function<void(const Diagnostic &)>;

const char *getSeverityName(Severity severity);

/// "vit.onnx: error: node 'attn' (Attention, opset 23): ... [EFFC-E0402]" and a
/// line for each note.
std::string formatText(const Diagnostic &diagnostic, bool color);

/// One line of JSON.
std::string formatJson(const Diagnostic &diagnostic);

} // namespace effc

#endif // EFFC_DRIVER_DIAGNOSTIC_H
