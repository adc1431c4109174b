// Users see the file and the node's name, never a place in the IR.
#include "Diagnostics.h"
#include "effc/Support/Diagnostics.h"
#include "mlir/IR/BuiltinAttributes.h"

using namespace mlir;

namespace effc {

/// The importer attaches the operator: "Conv, opset 17".
static std::string getOperator(mlir::Diagnostic &diagnostic) {
  for (const DiagnosticArgument &argument : diagnostic.getMetadata())
    if (argument.getKind() ==
        DiagnosticArgument::DiagnosticArgumentKind::Attribute)
      if (auto text = dyn_cast<StringAttr>(argument.getAsAttribute()))
        return text.str();
  return "";
}

static Severity getSeverity(DiagnosticSeverity severity) {
  switch (severity) {
  case DiagnosticSeverity::Error:
    return Severity::Error;
  case DiagnosticSeverity::Warning:
    return Severity::Warning;
  case DiagnosticSeverity::Remark:
    return Severity::Remark;
  default:
    return Severity::Note;
  }
}

static Diagnostic makeRecord(mlir::Diagnostic &diagnostic) {
  Diagnostic record;
  record.severity = getSeverity(diagnostic.getSeverity());
  record.message = diagnostic.str();
  record.file = getModelName(diagnostic.getLocation()).str();
  record.node = getNodeName(diagnostic.getLocation()).str();
  record.op = getOperator(diagnostic);
  for (mlir::Diagnostic &note : diagnostic.getNotes())
    record.notes.push_back(note.str());
  return record;
}

DiagnosticCollector::DiagnosticCollector(MLIRContext *context,
                                         DiagnosticCallback callback)
    : callback(std::move(callback)),
      handler(context, [this](mlir::Diagnostic &diagnostic) {
        report(makeRecord(diagnostic));
        return success();
      }) {}

void DiagnosticCollector::report(Diagnostic diagnostic) {
  anyError |= diagnostic.severity == Severity::Error;
  internalError |= StringRef(diagnostic.message).contains("internal error");
  if (callback)
    callback(diagnostic);
  all.push_back(std::move(diagnostic));
}

} // namespace effc
