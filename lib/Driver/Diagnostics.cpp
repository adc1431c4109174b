// Locations are NameLoc(node, file), fused where ops were fused: users see the
// file and the node's name, never a place in the IR.
#include "Diagnostics.h"
#include "mlir/IR/Location.h"

using namespace mlir;

namespace effc {

static void readLocation(Location loc, Diagnostic &record) {
  if (auto name = dyn_cast<NameLoc>(loc)) {
    if (record.node.empty())
      record.node = name.getName().str();
    readLocation(name.getChildLoc(), record);
  } else if (auto place = dyn_cast<FileLineColLoc>(loc)) {
    if (record.file.empty())
      record.file = place.getFilename().str();
    // Import counts nodes from line 0, column 0; an IR file is read by people.
    if (place.getColumn() != 0 &&
        place.getFilename().getValue().ends_with(".mlir"))
      record.file += ":" + std::to_string(place.getLine()) + ":" +
                     std::to_string(place.getColumn());
  } else if (auto fused = dyn_cast<FusedLoc>(loc)) {
    // The first stands for all: it is where the fused op began.
    for (Location part : fused.getLocations()) {
      readLocation(part, record);
      if (!record.node.empty())
        break;
    }
  } else if (auto call = dyn_cast<CallSiteLoc>(loc)) {
    readLocation(call.getCallee(), record);
  }
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
  readLocation(diagnostic.getLocation(), record);
  // Many messages name the node themselves, with its operator.
  if (StringRef(record.message).starts_with("node '"))
    record.node.clear();
  for (mlir::Diagnostic &note : diagnostic.getNotes()) {
    Diagnostic below = makeRecord(note);
    if (below.node == record.node)
      below.node.clear();
    if (below.file.empty())
      below.file = record.file;
    record.notes.push_back(std::move(below));
  }
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
