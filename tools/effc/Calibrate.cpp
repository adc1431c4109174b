// effc calibrate: statistics of what layers read, for static quantisation.
#include "Calibrator.h"
#include "Compile.h"
#include <filesystem>

namespace effc::tool {

namespace {

struct CalibrateVerb {
  explicit CalibrateVerb(Console &console) : console(console) {}

  Console &console;
  CompileOptions compile;
  SizeOptions sizes;
  CalibrateOptions options;
  std::string file;

  int run();
};

} // namespace

int CalibrateVerb::run() {
  takeSizes(sizes, compile);
  std::string folder = std::filesystem::path(file).parent_path().string();
  return runSupervised(console, folder, [&](StageNote &note) {
    Calibrator calibrator(console, options);
    auto statistics = calibrator.run(compile, file, note);
    if (!statistics)
      return calibrator.exitCode;
    console.progress(format("wrote %s: %zu layers, %zu samples", file.c_str(),
                            statistics->layers.size(),
                            statistics->samples.size()));
    return static_cast<int>(ExitDone);
  });
}

void addCalibrate(CLI::App &app, Console &console, Action &action) {
  CLI::App *verb = app.add_subcommand(
      "calibrate", "Run a model over samples and keep what its layers read");
  auto state = std::make_shared<CalibrateVerb>(console);
  verb->add_option("-o,--output", state->file,
                   "The file of statistics; when interrupted, the same "
                   "command goes on from FILE.partial")
      ->required();
  verb->add_option("--samples", state->options.samples,
                   "A folder of samples: NAME.npz, keys are inputs of the "
                   "model, or folders of INPUT.npy or INPUT.pb")
      ->required();
  state->options.addOptions(*verb);
  addGraphOptions(*verb, state->compile, state->sizes);
  verb->footer("Example: effc calibrate model.onnx -o model.stats "
               "--samples samples/");
  verb->callback(
      [state, &action] { action = [state] { return state->run(); }; });
}

} // namespace effc::tool
