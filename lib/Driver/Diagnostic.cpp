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

static std::string formatLine(const std::string &file, Severity severity,
                              const std::string &text, bool color) {
  std::string line = (file.empty() ? "effc" : makePrintable(file)) + ": ";
  if (color)
    line += getColor(severity);
  line += std::string(getSeverityName(severity)) + ": ";
  if (color)
    line += "\033[0m";
  return line + makePrintable(text) + "\n";
}

std::string formatText(const Diagnostic &diagnostic, bool color) {
  std::string text;
  if (!diagnostic.node.empty())
    text += "node '" + diagnostic.node + "'";
  if (!diagnostic.op.empty())
    text += (text.empty() ? "(" : " (") + diagnostic.op + ")";
  text += (text.empty() ? "" : ": ") + diagnostic.message + " [" +
          getCodeText(diagnostic.code) + "]";
  std::string lines =
      formatLine(diagnostic.file, diagnostic.severity, text, color);
  for (const std::string &note : diagnostic.notes)
    lines += formatLine(diagnostic.file, Severity::Note, note, color);
  return lines;
}

std::string formatJson(const Diagnostic &diagnostic) {
  nlohmann::ordered_json json = {
      {"severity", getSeverityName(diagnostic.severity)},
      {"code", getCodeText(diagnostic.code)},
      {"stage", diagnostic.stage},
      {"file", diagnostic.file},
      {"node", diagnostic.node},
      {"operator", diagnostic.op},
      {"message", diagnostic.message},
      {"notes", diagnostic.notes}};
  // Names in a model are bytes; JSON takes UTF-8 only.
  return json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) +
         "\n";
}

} // namespace effc
