// Text and JSON forms of diagnostics.
#include "effc/Driver/Diagnostic.h"
#include <nlohmann/json.hpp>

namespace effc {

const char *getSeverityName(Severity severity) {
  switch (severity) {
  case Severity::Note:
    return "note";
  case Severity::Remark:
    return "remark";
  case Severity::Warning:
    return "warning";
  default:
    return "error";
  }
}

static const char *getColor(Severity severity) {
  switch (severity) {
  case Severity::Error:
    return "\033[1;31m";
  case Severity::Warning:
    return "\033[1;33m";
  default:
    return "\033[1;36m";
  }
}

std::string formatText(const Diagnostic &diagnostic, bool color) {
  std::string text =
      (diagnostic.file.empty() ? "effc" : diagnostic.file) + ": ";
  if (color)
    text += getColor(diagnostic.severity);
  text += std::string(getSeverityName(diagnostic.severity)) + ": ";
  if (color)
    text += "\033[0m";
  if (!diagnostic.node.empty())
    text += "node '" + diagnostic.node + "': ";
  text += diagnostic.message + "\n";
  for (const Diagnostic &note : diagnostic.notes)
    text += formatText(note, color);
  return text;
}

static nlohmann::ordered_json makeJson(const Diagnostic &diagnostic) {
  nlohmann::ordered_json json = {
      {"severity", getSeverityName(diagnostic.severity)},
      {"message", diagnostic.message}};
  if (!diagnostic.file.empty())
    json["file"] = diagnostic.file;
  if (!diagnostic.node.empty())
    json["node"] = diagnostic.node;
  for (const Diagnostic &note : diagnostic.notes)
    json["notes"].push_back(makeJson(note));
  return json;
}

std::string formatJson(const Diagnostic &diagnostic) {
  return makeJson(diagnostic)
             .dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) +
         "\n";
}

} // namespace effc
