// effc compile: options to driver, progress and results to the terminal.
#include "Compile.h"
#include "Console.h"
#include "Supervise.h"
#include <algorithm>
#include <cstdio>
#include <cstdlib>

namespace effc::tool {

//===----------------------------------------------------------------------===//
// Sizes
//===----------------------------------------------------------------------===//

/// "8", "1..512" or "1,128,*".
static DimOption parseDim(const std::string &text) {
  auto [name, value] = splitPair(text, "--dim");
  DimOption dim;
  dim.name = name;
  size_t dots = value.find("..");
  if (dots != std::string::npos) {
    int64_t low = parseInteger(value.substr(0, dots), "--dim"),
            high = parseInteger(value.substr(dots + 2), "--dim");
    if (low < 0 || high < low)
      throw CLI::ValidationError(
          "--dim", "'" + text + "': expected LOW..HIGH, 0 or more");
    dim.range = {low, high};
    return dim;
  }
  for (size_t at = 0; at <= value.size();) {
    size_t end = std::min(value.find(',', at), value.size());
    std::string part = value.substr(at, end - at);
    at = end + 1;
    if (part == "*") {
      dim.general = true;
      continue;
    }
    int64_t size = parseInteger(part, "--dim");
    if (size < 0)
      throw CLI::ValidationError("--dim",
                                 "'" + text + "': sizes are 0 or more");
    // Twice the same would be two functions of one name.
    auto &values = dim.values;
    if (std::find(values.begin(), values.end(), size) == values.end())
      values.push_back(size);
  }
  return dim;
}

/// "1x3x224x224"; "?" keeps a size as declared, "" is a scalar.
static std::vector<int64_t> parseShape(const std::string &text) {
  std::vector<int64_t> shape;
  for (size_t at = 0; at <= text.size();) {
    size_t end = std::min(text.find('x', at), text.size());
    std::string part = text.substr(at, end - at);
    at = end + 1;
    shape.push_back(part == "?" ? -1 : parseInteger(part, "--input-shape"));
  }
  return shape;
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
  std::vector<DimOption> result;
  for (const std::string &text : dims)
    result.push_back(parseDim(text));
  return result;
}

std::vector<std::pair<std::string, std::vector<int64_t>>>
SizeOptions::getShapes() const {
  std::vector<std::pair<std::string, std::vector<int64_t>>> result;
  for (const std::string &text : shapes) {
    auto [name, shape] = splitPair(text, "--input-shape");
    result.emplace_back(name, parseShape(shape));
  }
  return result;
}

/// One number for all elements, or one for each.
static std::vector<double> parseNumbers(const std::string &text) {
  std::vector<double> numbers;
  for (size_t at = 0; at <= text.size();) {
    size_t end = std::min(text.find(',', at), text.size());
    std::string part = text.substr(at, end - at);
    at = end + 1;
    char *rest = nullptr;
    numbers.push_back(std::strtod(part.c_str(), &rest));
    if (part.empty() || *rest)
      throw CLI::ValidationError("--input-value",
                                 "'" + part + "' is not a number");
  }
  return numbers;
}

std::vector<std::pair<std::string, std::vector<double>>>
SizeOptions::getValues() const {
  std::vector<std::pair<std::string, std::vector<double>>> result;
  for (const std::string &text : values) {
    auto [name, numbers] = splitPair(text, "--input-value");
    result.emplace_back(name, parseNumbers(numbers));
  }
  return result;
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
  std::string compute = "f32", weights = "embedded";
  int optLevel = 3;

  int run();
  void recordCommandLine();
  void printResult(const CompileResult &result) const;
};

/// One line that is rewritten on a terminal, a line a stage elsewhere.
class Progress {
public:
  explicit Progress(const Console &console) : console(console) {}
  ~Progress() { clear(); }

  void show(const std::string &stage, unsigned number, unsigned count) {
    if (!console.showBar()) {
      if (console.verbosity > 0)
        console.progress(format("[%u/%u] %s", number, count, stage.c_str()));
      return;
    }
    std::string bar(number, '='), rest(count - number, ' ');
    std::fprintf(stderr, "\r\033[K[%s>%s] %s", bar.c_str(), rest.c_str(),
                 stage.c_str());
    shown = true;
  }

  void clear() {
    if (shown)
      std::fprintf(stderr, "\r\033[K");
    shown = false;
  }

private:
  const Console &console;
  bool shown = false;
};

} // namespace

/// What the certificate keeps: options that change the result, in one order.
void CompileVerb::recordCommandLine() {
  auto add = [&](bool given, const std::string &text) {
    if (given)
      options.commandLine.push_back(text);
  };
  add(true, "--cpu=" + options.cpu);
  for (const std::string &dim : sizes.dims)
    add(true, "--dim=" + dim);
  for (const std::string &shape : sizes.shapes)
    add(true, "--input-shape=" + shape);
  for (const std::string &value : sizes.values)
    add(true, "--input-value=" + value);
  for (const std::string &output : options.outputNames)
    add(true, "--output-names=" + output);
  add(options.plain, "--plain");
  add(options.computeF64, "--compute=f64");
  add(optLevel != 3, "-O" + std::to_string(optLevel));
  add(options.separateWeights, "--weights=separate");
  add(options.staticLibrary, "--static");
}

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
    return console.fail("no output folder", "pass -o DIR");
  options.dims = sizes.getDims();
  options.inputShapes = sizes.getShapes();
  options.inputValues = sizes.getValues();
  options.optLevel = optLevel;
  options.computeF64 = compute == "f64";
  options.separateWeights = weights == "separate";
  recordCommandLine();
  return runSupervised(console, options.outputDir, [&](StageNote &note) {
    Progress progress(console);
    options.onDiagnostic = [&](const Diagnostic &diagnostic) {
      progress.clear();
      console.report(diagnostic);
    };
    options.onStage = [&](const std::string &stage, unsigned number,
                          unsigned count) {
      note.set(stage);
      progress.show(stage, number, count);
    };
    CompileResult result = compile(options);
    progress.clear();
    if (result.exitCode == 0)
      printResult(result);
    return result.exitCode;
  });
}

static void addTargetOptions(CLI::App &verb, CompileVerb &state) {
  std::string names;
  for (const std::string &name : listCPUs())
    names += (names.empty() ? "" : ", ") + name;
  verb.add_option("--cpu", state.options.cpu, "The machine: " + names);
  verb.add_option("-O", state.optLevel, "0 (quick) to 3")
      ->check(CLI::Range(0, 3));
  verb.add_flag("--plain", state.options.plain,
                "Simple loops, one kernel an operation: the oracle");
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
  verb->add_option("MODEL", options.model, "An ONNX file")->required();
  verb->add_option("-o,--output", options.outputDir,
                   "The folder to write to, all or nothing");
  verb->add_option("--name", options.name,
                   "Of library and functions; else from the file's name");
  verb->add_flag("--static", options.staticLibrary, "An archive, lib{name}.a");
  verb->add_option("--weights", state->weights,
                   "embedded, or separate: {name}.weights beside the library")
      ->check(CLI::IsMember({"embedded", "separate"}));
  state->sizes.addOptions(*verb);
  verb->add_option("--output-names", options.outputNames,
                   "Only these outputs: a,b")
      ->delimiter(',');
  verb->add_option("--external-data-dir", options.externalDataDir,
                   "Where external weights lie, instead of the model's folder "
                   "(trusted: links are followed)");
  addTargetOptions(*verb, *state);
  addStageOptions(*verb, *state);
  verb->footer("Example: effc compile model.onnx -o out/ --dim batch=1");
  verb->callback(
      [state, &action] { action = [state] { return state->run(); }; });
}

} // namespace effc::tool
