// effc: one program, a verb for each task. Every verb is a file of its own.
#include "Console.h"

using namespace effc::tool;

int main(int argc, char **argv) {
  CLI::App app("effc compiles ONNX models ahead of time into small libraries.",
               "effc");
  app.set_version_flag("--version", std::string("effc ") + EFFC_VERSION);
  app.require_subcommand(1);
  app.fallthrough();
  app.get_formatter()->column_width(32);
  app.footer("Example: effc compile model.onnx -o out/\n"
             "Exit codes: 0 done, 1 model or options at fault, 2 usage, "
             "70 effc at fault.");
  Console console;
  console.addOptions(app);
  Action action;
  addCompile(app, console, action);
  addCheck(app, console, action);
  addCalibrate(app, console, action);
  addRun(app, console, action);
  addBench(app, console, action);
  addInspect(app, console, action);
  addExplain(app, console, action);
  addOps(app, console, action);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError &error) {
    return app.exit(error) == 0 ? ExitDone : ExitUsage;
  }
  try {
    return console.finish(action());
  } catch (const CLI::ParseError &error) {
    (void)app.exit(error);
    return ExitUsage;
  } catch (const std::bad_alloc &) {
    return console.fail("out of memory", "", effc::DiagnosticCode::OutOfMemory);
  }
}
