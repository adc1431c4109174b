// What every verb shares: options of the whole program, messages, exit codes.
#ifndef EFFC_TOOLS_EFFC_CONSOLE_H
#define EFFC_TOOLS_EFFC_CONSOLE_H

#include "Format.h"
#include "effc/Driver/Diagnostic.h"
#include <CLI/CLI.hpp>
#include <functional>
#include <string>

namespace effc::tool {

/// CLI.md: 0 done, 1 the model or the options are at fault, 2 usage, 70 effc.
enum ExitCode { ExitDone = 0, ExitFault = 1, ExitUsage = 2, ExitInternal = 70 };

class Console {
public:
  /// Adds -q, -v, --color and --diagnostics.
  void addOptions(CLI::App &app);

  bool quiet = false;
  int verbosity = 0;
  /// What messages are about, put before them ("sample 'a': "): for copies.
  std::string context;

  /// Standard error takes colours.
  bool useColor() const;
  /// Standard error is a terminal and progress is wanted.
  bool showBar() const;

  void report(const Diagnostic &diagnostic) const;
  /// Reports and gives the exit code.
  int fail(const std::string &message, const std::string &remedy = "",
           DiagnosticCode code = DiagnosticCode::CommandFailed) const;
  /// The exit code of a verb that ended with `code`: results that did not
  /// reach standard output were not given.
  int finish(int code) const;
  void warn(const std::string &message,
            DiagnosticCode code = DiagnosticCode::IgnoredInput) const;
  /// A line of progress on standard error, nothing with -q.
  void progress(const std::string &line) const;

private:
  std::string color = "auto";
  std::string diagnostics = "text";
};

/// A verb adds its options to a new subcommand and says what runs it.
using Action = std::function<int()>;
void addCompile(CLI::App &app, Console &console, Action &action);
void addCheck(CLI::App &app, Console &console, Action &action);
void addRun(CLI::App &app, Console &console, Action &action);
void addBench(CLI::App &app, Console &console, Action &action);
void addInspect(CLI::App &app, Console &console, Action &action);
void addExplain(CLI::App &app, Console &console, Action &action);
void addOps(CLI::App &app, Console &console, Action &action);
void addCalibrate(CLI::App &app, Console &console, Action &action);

/// "seq=128" to its parts; throws CLI::ValidationError, which ends in a usage
/// message.
std::pair<std::string, std::string> splitPair(const std::string &text,
                                              const std::string &option);
int64_t parseInteger(const std::string &text, const std::string &option);

} // namespace effc::tool

#endif // EFFC_TOOLS_EFFC_CONSOLE_H
