// effc run: one run of a compiled library, with comparison.
#include "Compare.h"
#include "Profile.h"
#include "Tensors.h"

namespace effc::tool {

namespace {

struct RunVerb {
  explicit RunVerb(Console &console) : console(console) {}

  Console &console;
  std::string library, version;
  InputOptions inputs;
  std::string allOutputs;
  std::vector<std::string> singleOutputs;
  int threads = 0;
  int64_t steps = 0;
  bool profile = false;
  CompareOptions compare;

  int run();
  bool writeOutputs(const NpzArrays &outputs);
};

} // namespace

bool RunVerb::writeOutputs(const NpzArrays &outputs) {
  std::string error;
  if (!allOutputs.empty() && !writeNpz(allOutputs, outputs, error)) {
    console.fail(error, "", DiagnosticCode::CannotWriteResults);
    return false;
  }
  for (const std::string &text : singleOutputs) {
    auto [name, path] = splitPair(text, "--output");
    bool found = false;
    for (const auto &[key, array] : outputs) {
      if (key != name)
        continue;
      found = true;
      if (!writeNpy(path, array, error)) {
        console.fail(error, "", DiagnosticCode::CannotWriteResults);
        return false;
      }
    }
    if (!found) {
      console.fail("'" + name + "' is no output of the model",
                   "effc inspect " + library + " lists them",
                   DiagnosticCode::CannotWriteResults);
      return false;
    }
  }
  return true;
}

int RunVerb::run() {
  auto opened = Library::open(library, threads, console, version);
  if (!opened)
    return ExitFault;
  auto arrays = loadInputs(*opened, inputs, console);
  if (!arrays)
    return ExitFault;
  if (profile)
    (void)effrt_session_set_profiling(opened->session, 1);
  if (compare.isOn() && (steps || opened->numStates))
    return console.fail("--compare cannot feed the state of a session",
                        "compare the model compiled without --state",
                        DiagnosticCode::BadOption);
  std::vector<std::string> wanted;
  if (allOutputs.empty())
    for (const std::string &text : singleOutputs)
      wanted.push_back(splitPair(text, "--output").first);
  auto outputs = steps ? runSteps(*opened, *arrays, steps, wanted, console)
                       : runOnce(*opened, *arrays, console);
  if (!outputs || !writeOutputs(*outputs))
    return ExitFault;
  if (allOutputs.empty() && singleOutputs.empty() && !compare.isOn())
    printSummary(*outputs);
  if (profile)
    printKernels(describeKernels(*opened, nullptr), 20);
  if (compare.isOn())
    return compareOutputs(*arrays, *outputs, compare, console);
  return ExitDone;
}

void addRun(CLI::App &app, Console &console, Action &action) {
  CLI::App *verb = app.add_subcommand("run", "Run a compiled library once");
  auto state = std::make_shared<RunVerb>(console);
  verb->add_option("LIB", state->library, "The compiled library")->required();
  state->inputs.addOptions(*verb);
  verb->add_option("--outputs", state->allOutputs, "Write all outputs: F.npz");
  verb->add_option("--output", state->singleOutputs,
                   "Write one output: NAME=F.npy")
      ->take_all();
  verb->add_option("--threads", state->threads, "Threads; 0: one per core")
      ->envname("EFFC_THREADS")
      ->check(CLI::NonNegativeNumber);
  verb->add_option("--cpu", state->version,
                   "Which version of the library to run; else the best that "
                   "this machine can");
  verb->add_option("--steps", state->steps,
                   "Run this often in one session, which keeps its state: an "
                   "input with one more axis of this length in front gives a "
                   "frame to each run, outputs get such an axis")
      ->check(CLI::PositiveNumber);
  verb->add_flag("--profile", state->profile, "Print the time of each kernel");
  state->compare.addOptions(*verb);
  verb->footer("Example: effc run out/libmodel.so --input image=cat.npy "
               "--output logits=logits.npy");
  verb->callback(
      [state, &action] { action = [state] { return state->run(); }; });
}

} // namespace effc::tool
