// Messages go to standard error, results to standard output or files.
#include "Console.h"
#include <cerrno>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <unistd.h>

namespace effc::tool {

void Console::addOptions(CLI::App &app) {
  app.add_flag("-q,--quiet", quiet, "No progress, errors only");
  app.add_flag("-v,--verbose", verbosity, "More detail; twice for all of it");
  app.add_option("--color", color, "auto, always or never")
      ->check(CLI::IsMember({"auto", "always", "never"}));
  app.add_option("--diagnostics", diagnostics, "text or json")
      ->check(CLI::IsMember({"text", "json"}));
}

bool Console::useColor() const {
  if (color != "auto")
    return color == "always";
  const char *off = std::getenv("NO_COLOR");
  return isatty(STDERR_FILENO) && !(off && *off);
}

bool Console::showBar() const {
  return !quiet && diagnostics == "text" && isatty(STDERR_FILENO);
}

void Console::report(const Diagnostic &diagnostic) const {
  if (quiet && diagnostic.severity != Severity::Error)
    return;
  if (diagnostic.severity == Severity::Remark && verbosity == 0)
    return;
  std::string text = diagnostics == "json" ? formatJson(diagnostic)
                                           : formatText(diagnostic, useColor());
  // What was printed before comes before, also when both go to one file.
  std::fflush(stdout);
  std::fputs(text.c_str(), stderr);
}

int Console::fail(const std::string &message, const std::string &remedy,
                  DiagnosticCode code) const {
  Diagnostic diagnostic;
  diagnostic.code = code;
  diagnostic.message = context + message;
  if (!remedy.empty())
    diagnostic.notes.push_back(remedy);
  report(diagnostic);
  return ExitFault;
}

int Console::finish(int code) const {
  // Buffered bytes may fail only here.
  bool lost = std::fflush(stdout) != 0 || std::ferror(stdout) != 0;
  std::fflush(nullptr);
  if (!lost || code != ExitDone)
    return code;
  return fail(std::string("cannot write to standard output: ") +
                  std::strerror(errno),
              "", DiagnosticCode::CannotWriteResults);
}

void Console::warn(const std::string &message, DiagnosticCode code) const {
  Diagnostic diagnostic;
  diagnostic.code = code;
  diagnostic.severity = Severity::Warning;
  diagnostic.message = context + message;
  report(diagnostic);
}

void Console::progress(const std::string &line) const {
  if (!quiet && diagnostics == "text")
    std::fprintf(stderr, "%s\n", line.c_str());
}

std::pair<std::string, std::string> splitPair(const std::string &text,
                                              const std::string &option) {
  // ONNX names may hold '='; values never do.
  size_t at = text.rfind('=');
  if (at == std::string::npos || at == 0 || at + 1 == text.size())
    throw CLI::ValidationError(option, "'" + text + "': expected NAME=VALUE");
  return {text.substr(0, at), text.substr(at + 1)};
}

int64_t parseInteger(const std::string &text, const std::string &option) {
  errno = 0;
  char *end = nullptr;
  long long value = std::strtoll(text.c_str(), &end, 10);
  if (text.empty() || *end != 0 || errno != 0)
    throw CLI::ValidationError(option, "'" + text + "': expected an integer");
  return value;
}

} // namespace effc::tool
