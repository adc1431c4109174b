// effc compile: options to driver, progress and results to the terminal.
#include "Compile.h"
#include "Calibrator.h"
#include "Progress.h"
#include "Supervise.h"
#include "Validator.h"
#include <cstdio>
#include <filesystem>

namespace effc::tool {

//===----------------------------------------------------------------------===//
// Sizes
//===----------------------------------------------------------------------===//

/// Parses each text; a bad one ends in a usage message.
template <typename Parse>
static auto parseAll(const std::vector<std::string> &texts, const char *option,
                     Parse parse) {
  std::string error;
  std::vector<typename decltype(parse(option, error))::value_type> result;
  for (const std::string &text : texts) {
    auto parsed = parse(text, error);
    if (!parsed)
      throw CLI::ValidationError(option, error);
    result.push_back(std::move(*parsed));
  }
  return result;
}

void SizeOptions::addOptions(CLI::App &verb) {
  verb.add_option("--dim", dims, "A named size: batch=8 or seq=1..512")
      ->take_all();
  verb.add_option("--input-shape", shapes,
                  "The shape of an input: image=1x3x224x224")
      ->take_all();
  verb.add_option("--input-value", values,
                  "Make an input a constant: rate=16000 or sizes=640,480")
      ->take_all();
}

std::vector<DimOption> SizeOptions::getDims() const {
  return parseAll(dims, "--dim", parseDim);
}

std::vector<std::pair<std::string, std::vector<int64_t>>>
SizeOptions::getShapes() const {
  return parseAll(shapes, "--input-shape", parseInputShape);
}

std::vector<std::pair<std::string, std::vector<double>>>
SizeOptions::getValues() const {
  return parseAll(values, "--input-value", parseInputValue);
}

void takeSizes(const SizeOptions &sizes, CompileOptions &options) {
  options.dims = sizes.getDims();
  options.inputShapes = sizes.getShapes();
  options.inputValues = sizes.getValues();
}

void addGraphOptions(CLI::App &verb, CompileOptions &options,
                     SizeOptions &sizes) {
  verb.add_option("MODEL", options.model, "An ONNX file")->required();
  sizes.addOptions(verb);
  verb.add_option("--output-names", options.outputNames,
                  "Only these outputs: a,b")
      ->delimiter(',');
  verb.add_option("--external-data-dir", options.externalDataDir,
                  "Where external weights lie, instead of the model's folder "
                  "(trusted: links are followed)");
}

/// Has `options` tell what happens: messages on `console`, stages in `progress`
/// and in `note`.
static void showOn(const Console &console, Progress &progress, StageNote &note,
                   CompileOptions &options) {
  options.onDiagnostic = [&](const Diagnostic &diagnostic) {
    progress.clear();
    console.report(diagnostic);
  };
  options.onStage = [&](const std::string &stage, unsigned number,
                        unsigned count) {
    note.set(stage);
    progress.show(stage, number, count);
  };
}

std::shared_ptr<const effrt_model_desc>
compileIntoMemory(MemoryCompiler &compiler, CompileOptions options,
                  const Console &console, StageNote &note,
                  CompileResult &result) {
  Progress progress(console);
  showOn(console, progress, note, options);
  options.onDiagnostic =
      [report = options.onDiagnostic](const Diagnostic &diagnostic) {
        // A layer without statistics is told here or nowhere.
        if (diagnostic.severity == Severity::Error ||
            diagnostic.code == DiagnosticCode::NotCalibrated)
          report(diagnostic);
      };
  auto desc = compiler.compile(options, result);
  progress.clear();
  return desc;
}

//===----------------------------------------------------------------------===//
// The verb
//===----------------------------------------------------------------------===//

namespace {

struct CompileVerb {
  explicit CompileVerb(Console &console) : console(console) {}

  Console &console;
  CompileOptions options;
  SizeOptions sizes;
  ValidateOptions validation;
  std::string compute = "f32", weights = "embedded", quantize = "off";
  std::vector<std::string> layers;
  int optLevel = 3, tuneSeconds = 0;

  int run();
  int calibrateFirst(StageNote &note);
  int runChild(StageNote &note);
  void printResult(const CompileResult &result) const;
};

} // namespace

void CompileVerb::printResult(const CompileResult &result) const {
  if (!result.ir.empty())
    std::fputs(result.ir.c_str(), stdout);
  if (!result.files.empty()) {
    std::string others;
    for (size_t i = 1; i < result.files.size(); ++i)
      others += (i > 1 ? ", " : "") + result.files[i];
    console.progress("wrote " + result.files.front() + " (" +
                     formatBytes(result.libraryBytes) + "), " + others);
  }
  if (console.verbosity == 0)
    return;
  double total = 0;
  for (const StageTime &time : result.stages) {
    console.progress(format("%10.3f s  %s", time.seconds, time.stage.c_str()));
    total += time.seconds;
  }
  console.progress(format("%10.3f s  in all", total));
}

int CompileVerb::run() {
  if (options.outputDir.empty() && options.stopAfter.empty())
    return console.fail("no output folder", "pass -o DIR",
                        DiagnosticCode::BadOption);
  takeSizes(sizes, options);
  options.optLevel = optLevel;
  options.tuneSeconds = tuneSeconds;
  options.computeF64 = compute == "f64";
  options.separateWeights = weights == "separate";
  options.quantize = parseAll({quantize}, "--quantize", parseQuantize).front();
  options.layers = parseAll(layers, "--set", parseLayerOption);
  if (!validation.samples.empty() && options.quantize.empty() &&
      options.layers.empty())
    return console.fail("--validate compares builds with and without what is "
                        "lossy: it needs --quantize",
                        "", DiagnosticCode::BadOption);
  if (!validation.samples.empty() &&
      !(options.stopAfter.empty() && options.startAt.empty()))
    return console.fail("--validate has no effect with --stop-after and "
                        "--start-at",
                        "", DiagnosticCode::BadOption);
  return runSupervised(console, options.outputDir,
                       [&](StageNote &note) { return runChild(note); });
}

/// With a folder of samples: statistics of these, kept beside the library.
int CompileVerb::calibrateFirst(StageNote &note) {
  std::error_code code;
  if (!needsStatistics(options) ||
      !std::filesystem::is_directory(options.calibrate, code))
    return ExitDone;
  if (options.outputDir.empty())
    return console.fail("--calibrate=FOLDER keeps statistics beside the "
                        "library: there is no output folder",
                        "pass -o DIR, or a file of effc calibrate",
                        DiagnosticCode::BadOption);
  // What is wrong with other options is better known before than after.
  CompileOptions checked = options;
  checked.onDiagnostic = [&](const Diagnostic &diagnostic) {
    if (diagnostic.severity == Severity::Error)
      console.report(diagnostic);
  };
  if (int refused = checkCompileOptions(checked))
    return refused;
  bool isNew = std::filesystem::create_directories(options.outputDir, code);
  CalibrateOptions calibration;
  calibration.samples = options.calibrate;
  Calibrator calibrator(console, calibration);
  std::string file = options.outputDir + "/effc.stats";
  if (!calibrator.run(options, file, note)) {
    // Fails, as it should, where something is kept to go on from.
    if (isNew)
      std::filesystem::remove(options.outputDir, code);
    return calibrator.exitCode;
  }
  console.progress("wrote " + file);
  options.calibrate = file;
  return ExitDone;
}

int CompileVerb::runChild(StageNote &note) {
  if (int code = calibrateFirst(note))
    return code;
  if (!validation.samples.empty()) {
    Validator validator(console, validation);
    options.quality = validator.measure(options, note);
    if (!options.quality)
      return validator.exitCode;
  }
  Progress progress(console);
  showOn(console, progress, note, options);
  CompileResult result = compile(options);
  progress.clear();
  if (result.exitCode == 0)
    printResult(result);
  return result.exitCode;
}

static void addTargetOptions(CLI::App &verb, CompileVerb &state) {
  std::string names;
  for (const std::string &name : listCPUs())
    names += (names.empty() ? "" : ", ") + name;
  verb.add_option("--cpu", state.options.cpu,
                  "The machine, or a comma list of machines for one library "
                  "that chooses when it is opened: " +
                      names);
  verb.add_option("-O", state.optLevel, "0 (quick) to 3")
      ->check(CLI::Range(0, 3));
  verb.add_flag("--plain", state.options.plain,
                "Simple loops, one kernel an operation: the oracle");
  verb.add_flag("--exact", state.options.exact,
                "No algorithm that rounds more than a sum does: no Winograd");
  verb.add_option("--quantize", state.quantize,
                  "Lossy: what to multiply in where that is faster: bf16; "
                  "int8, which needs --calibrate; int8-dynamic; or weights "
                  "alone in w8, w4g32, w4g64, w4g128, w3g32, w2g32, ... (w8a, "
                  "...: with zero points), nf4g32, ... or, where nothing is "
                  "lost, ternary; off");
  verb.add_option("--calibrate", state.options.calibrate,
                  "For int8: a file of effc calibrate, or a folder of "
                  "samples (statistics go to effc.stats beside the library)");
  verb.add_option("--set", state.layers,
                  "For nodes by name: '*attn*: quantize=off'")
      ->take_all();
  state.validation.addOptions(verb);
  verb.add_flag("--tune{10}", state.tuneSeconds,
                "Time the candidates of each kernel for so many seconds in "
                "all and write the choices to effc.lock in the output folder, "
                "or to the file of --lock: --tune=30")
      ->check(CLI::Range(1, 86400));
  verb.add_option("--lock", state.options.lock, "Choices that --tune measured");
  verb.add_flag("--sanitize", state.options.sanitize,
                "AddressSanitizer in the kernels; the program that loads the "
                "library needs its runtime (docs/sanitizers.md)");
  verb.add_option("--compute", state.compute, "f32, or f64 with --plain")
      ->check(CLI::IsMember({"f32", "f64"}));
  verb.add_option("--compile-threads", state.options.compileThreads,
                  "Threads of the compiler; 0: one per core");
}

static void addStageOptions(CLI::App &verb, CompileVerb &state) {
  std::string names;
  for (const std::string &name : getStageNames())
    names += (names.empty() ? "" : ", ") + name;
  verb.add_option("--save-stages", state.options.saveStages,
                  "Write the IR after each stage into this folder");
  verb.add_option("--stop-after", state.options.stopAfter, names);
  verb.add_option("--start-at", state.options.startAt,
                  "Go on from a file of --save-stages");
  verb.add_flag("--verify-each", state.options.verifyEach,
                "Check the IR after every pass");
}

void addCompile(CLI::App &app, Console &console, Action &action) {
  CLI::App *verb = app.add_subcommand(
      "compile", "Compile a model into library, header and certificate");
  auto state = std::make_shared<CompileVerb>(console);
  CompileOptions &options = state->options;
  addGraphOptions(*verb, options, state->sizes);
  verb->add_option("--state", options.states,
                   "Keep an input in the session as the output of the run "
                   "before: IN:OUT; auto: past_*/present_* by name")
      ->take_all();
  verb->add_option("-o,--output", options.outputDir,
                   "The folder to write to, all or nothing");
  verb->add_option("--name", options.name,
                   "Of library and functions; else from the file's name");
  verb->add_flag("--static", options.staticLibrary, "An archive, lib{name}.a");
  verb->add_option("--weights", state->weights,
                   "embedded, or separate: {name}.weights beside the library")
      ->check(CLI::IsMember({"embedded", "separate"}));
  addTargetOptions(*verb, *state);
  addStageOptions(*verb, *state);
  verb->footer("Example: effc compile model.onnx -o out/ --dim batch=1");
  verb->callback(
      [state, &action] { action = [state] { return state->run(); }; });
}

} // namespace effc::tool
