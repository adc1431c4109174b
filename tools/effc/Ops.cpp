// effc ops: the operators that can be compiled.
#include "Console.h"
#include "effc/Driver/Driver.h"
#include <cstdio>

namespace effc::tool {

void addOps(CLI::App &app, Console &, Action &action) {
  CLI::App *verb =
      app.add_subcommand("ops", "List the ONNX operators that effc takes");
  auto json = std::make_shared<bool>(false);
  auto markdown = std::make_shared<bool>(false);
  auto *jsonFlag = verb->add_flag("--json", *json, "As JSON");
  verb->add_flag("--markdown", *markdown, "As a Markdown table (default)")
      ->excludes(jsonFlag);
  verb->footer("Example: effc ops --json");
  verb->callback([json, markdown, &action] {
    action = [json, markdown] {
      std::fputs(describeSupportedOps(*json).c_str(), stdout);
      return int(ExitDone);
    };
  });
}

} // namespace effc::tool
