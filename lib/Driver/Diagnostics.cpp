// Users see the file and the node's name, never a place in the IR.
#include "Diagnostics.h"
#include "effc/Support/Diagnostics.h"

using namespace mlir;

namespace effc {

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

Diagnostic DiagnosticCollector::makeRecord(mlir::Diagnostic &diagnostic) const {
  Diagnostic record;
  record.code = getCode(diagnostic).value_or(defaultCode);
  record.severity = getSeverity(diagnostic.getSeverity());
  record.message = diagnostic.str();
  record.file = getModelName(diagnostic.getLocation()).str();
  record.node = getNodeName(diagnostic.getLocation()).str();
  record.op = getOperator(diagnostic).str();
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
  diagnostic.stage = stage;
  anyError |= diagnostic.severity == Severity::Error;
  internalError |= StringRef(diagnostic.message).contains("internal error");
  if (callback)
    callback(diagnostic);
  all.push_back(std::move(diagnostic));
}

} // namespace effc
