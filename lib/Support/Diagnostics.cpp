// Text and JSON forms of diagnostics (see Diagnostics.h).
#include "effc/Support/Diagnostics.h"
#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/Location.h"
#include "llvm/Support/JSON.h"

using namespace mlir;

namespace effc {

StringRef getNodeName(Location loc) {
  StringRef name;
  loc->walk([&](Location inner) {
    if (auto named = dyn_cast<NameLoc>(inner)) {
      name = named.getName();
      return WalkResult::interrupt();
    }
    return WalkResult::advance();
  });
  return name;
}

StringRef getModelName(Location loc) {
  StringRef name;
  loc->walk([&](Location inner) {
    if (auto file = dyn_cast<FileLineColLoc>(inner)) {
      name = file.getFilename();
      return WalkResult::interrupt();
    }
    return WalkResult::advance();
  });
  return name;
}

// In a diagnostic's metadata the code is its number in the table, the operator
// a StringAttr.

static InFlightDiagnostic setCode(InFlightDiagnostic &&diagnostic,
                                  DiagnosticCode code) {
  // Nobody listens to some, which then have no contents.
  if (Diagnostic *contents = diagnostic.getUnderlyingDiagnostic())
    contents->getMetadata().push_back(
        DiagnosticArgument(static_cast<unsigned>(code)));
  return std::move(diagnostic);
}

InFlightDiagnostic emitError(Location loc, DiagnosticCode code) {
  return setCode(mlir::emitError(loc), code);
}

InFlightDiagnostic emitWarning(Location loc, DiagnosticCode code) {
  return setCode(mlir::emitWarning(loc), code);
}

InFlightDiagnostic emitRemark(Location loc, DiagnosticCode code) {
  return setCode(mlir::emitRemark(loc), code);
}

std::optional<DiagnosticCode> getCode(Diagnostic &diagnostic) {
  for (const DiagnosticArgument &argument : diagnostic.getMetadata())
    if (argument.getKind() ==
        DiagnosticArgument::DiagnosticArgumentKind::Unsigned)
      return static_cast<DiagnosticCode>(argument.getAsUnsigned());
  return std::nullopt;
}

StringRef getOperator(Diagnostic &diagnostic) {
  for (const DiagnosticArgument &argument : diagnostic.getMetadata())
    if (argument.getKind() ==
        DiagnosticArgument::DiagnosticArgumentKind::Attribute)
      if (auto text = dyn_cast<StringAttr>(argument.getAsAttribute()))
        return text.getValue();
  return "";
}

void setOperator(Diagnostic &diagnostic, Attribute name) {
  diagnostic.getMetadata().push_back(DiagnosticArgument(name));
}

/// The text of its code. Only the importer runs where this printer serves, and
/// what ops refuse there are operands.
static const char *getPrintedCode(Diagnostic &diagnostic) {
  return getCodeText(
      getCode(diagnostic).value_or(DiagnosticCode::OperandsDoNotFit));
}

static StringRef getSeverityName(DiagnosticSeverity severity) {
  switch (severity) {
  case DiagnosticSeverity::Error:
    return "error";
  case DiagnosticSeverity::Warning:
    return "warning";
  case DiagnosticSeverity::Remark:
    return "remark";
  case DiagnosticSeverity::Note:
    return "note";
  }
  return "note";
}

DiagnosticPrinter::DiagnosticPrinter(MLIRContext *context,
                                     llvm::raw_ostream &out,
                                     DiagnosticsFormat format)
    : ScopedDiagnosticHandler(context), out(out), format(format) {
  setHandler([this](Diagnostic &diagnostic) {
    print(diagnostic);
    return success();
  });
}

void DiagnosticPrinter::print(Diagnostic &diagnostic) {
  switch (diagnostic.getSeverity()) {
  case DiagnosticSeverity::Error:
    ++errors;
    break;
  case DiagnosticSeverity::Warning:
    ++warnings;
    break;
  case DiagnosticSeverity::Remark:
    if (!showRemarks)
      return;
    break;
  case DiagnosticSeverity::Note:
    break;
  }
  if (format == DiagnosticsFormat::Json)
    printJson(diagnostic);
  else
    printText(diagnostic);
  out.flush();
}

void DiagnosticPrinter::printText(Diagnostic &diagnostic) {
  Location loc = diagnostic.getLocation();
  StringRef model = getModelName(loc);
  std::string file = model.empty() ? "effc" : makePrintable(model.str());
  std::string text;
  llvm::raw_string_ostream os(text);
  StringRef node = getNodeName(loc), onnxOperator = getOperator(diagnostic);
  if (!node.empty())
    os << "node '" << node << "'";
  if (!onnxOperator.empty())
    os << (node.empty() ? "(" : " (") << onnxOperator << ")";
  if (!node.empty() || !onnxOperator.empty())
    os << ": ";
  os << diagnostic << " [" << getPrintedCode(diagnostic) << "]";
  out << file << ": " << getSeverityName(diagnostic.getSeverity()) << ": "
      << makePrintable(text) << "\n";
  for (Diagnostic &note : diagnostic.getNotes())
    out << file << ": note: " << makePrintable(note.str()) << "\n";
}

void DiagnosticPrinter::printJson(Diagnostic &diagnostic) {
  Location loc = diagnostic.getLocation();
  llvm::json::OStream json(out);
  // Names in a model are bytes; JSON takes UTF-8 only.
  auto text = [](StringRef raw) { return llvm::json::fixUTF8(raw); };
  json.object([&] {
    json.attribute("severity", getSeverityName(diagnostic.getSeverity()));
    json.attribute("code", getPrintedCode(diagnostic));
    json.attribute("file", text(getModelName(loc)));
    json.attribute("node", text(getNodeName(loc)));
    json.attribute("operator", text(getOperator(diagnostic)));
    json.attribute("message", text(diagnostic.str()));
    json.attributeArray("notes", [&] {
      for (Diagnostic &note : diagnostic.getNotes())
        json.value(text(note.str()));
    });
  });
  out << "\n";
}

} // namespace effc
