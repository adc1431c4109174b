// effc bench: how long runs take, alone or in turn with other engines. Rounds
// that alternate between the engines make a ratio that holds on a machine whose
// speed varies: each round compares neighbours in time.
#include "BenchReport.h"
#include "Compare.h"
#include "Machine.h"
#include "Peer.h"
#include "Profile.h"
#include "Subject.h"
#include "TemporaryFolder.h"
#include "Timing.h"
#include "effc/Driver/Driver.h"
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <unistd.h>

namespace effc::tool {

namespace {

/// ENGINE or ENGINE=FILE, which is the model for this engine; `effc` runs
/// another library of effc.
struct Entry {
  std::string engine, file;

  static Entry parse(const std::string &text) {
    size_t equals = text.find('=');
    return equals == std::string::npos
               ? Entry{text, ""}
               : Entry{text.substr(0, equals), text.substr(equals + 1)};
  }

  /// Why it is none, or "".
  static std::string check(const std::string &text) {
    Entry entry = parse(text);
    bool isOurs = entry.engine == "effc";
    std::error_code code;
    if (!isOurs && entry.engine != "onnxruntime" &&
        entry.engine != "openvino" && entry.engine != "openvino-bf16")
      return "'" + entry.engine +
             "' is none of onnxruntime, openvino, openvino-bf16 and effc=LIB";
    if (isOurs && entry.file.empty())
      return "expected effc=LIB";
    if (!entry.file.empty() && !std::filesystem::exists(entry.file, code))
      return "no such file: '" + entry.file + "'";
    return "";
  }
};

struct Rival {
  Rival(const std::string &name, const Entry &entry, const std::string &place,
        const PeerOptions &options, const Console &console)
      : name(name), engine(entry.engine),
        peer(entry.engine, entry.file, place, options) {
    if (engine == "effc")
      own = std::make_unique<Subject>(console);
  }

  std::string name, engine;
  Peer peer;
  /// Instead of a process, where it is a library of effc.
  std::unique_ptr<Subject> own;
  Timing timing;
  Json facts = Json::object();
  bool agrees = false;
};

struct BenchVerb {
  explicit BenchVerb(Console &console) : console(console), subject(console) {}

  Console &console;
  std::string library, version;
  InputOptions inputs;
  int threads = 0, rounds = 15;
  double seconds = 2;
  bool profile = false, json = false;
  std::vector<std::string> against;
  PeerOptions peerOptions;
  std::string model;
  double tolerance = 0.01;
  std::string picture;

  int run();

private:
  bool startPeers();
  void startPeer(Rival &rival);
  bool startOwn(Rival &rival, const std::string &path);
  void compareOutputs(Rival &rival, const NpzArrays &expected);
  bool takeRounds();
  bool takeTurn(size_t engine);
  void warnOf(const Rival &rival, const std::string &why);
  Json describe();
  void describeScore(Json &result);
  void warnIfUnsteady(Json &result);
  bool measureKernels(Json &result);
  void print(const Json &result) const;

  std::vector<int> cores;
  TemporaryFolder scratch{"bench"};
  Subject subject;
  Timing timing;
  std::vector<std::unique_ptr<Rival>> rivals;
};

} // namespace

//===----------------------------------------------------------------------===//
// Other engines
//===----------------------------------------------------------------------===//

void BenchVerb::warnOf(const Rival &rival, const std::string &why) {
  console.warn(rival.name + " was not timed: " + why,
               DiagnosticCode::PeerNotTimed);
}

bool BenchVerb::startPeers() {
  std::string why;
  if (!scratch.create()) {
    console.fail("cannot write to '" + scratch.path + "'");
    return false;
  }
  peerOptions.folder = scratch.path;
  peerOptions.threads = threads;
  peerOptions.names = subject.getResultNames();
  peerOptions.fixed = subject.library->symbols.empty();
  auto feed = subject.getFeed(why);
  if (feed && !writeNpz(scratch.path + "/inputs.npz", *feed, why)) {
    console.fail(why);
    return false;
  }
  for (const std::string &name : against) {
    if (std::any_of(rivals.begin(), rivals.end(),
                    [&](const auto &rival) { return rival->name == name; }))
      continue;
    Entry entry = Entry::parse(name);
    if (entry.file.empty())
      entry.file = model;
    rivals.push_back(std::make_unique<Rival>(
        name, entry, "peer" + std::to_string(rivals.size()), peerOptions,
        console));
    if (rivals.back()->own) {
      if (!startOwn(*rivals.back(), entry.file))
        return false;
      continue;
    }
    if (feed) {
      startPeer(*rivals.back());
      continue;
    }
    rivals.back()->facts["error"] = why;
    warnOf(*rivals.back(), why);
  }
  // All have been read; an interrupt should not leave large files behind.
  std::error_code ignored;
  for (const auto &file :
       std::filesystem::directory_iterator(scratch.path, ignored))
    if (file.path().extension() == ".npz")
      std::filesystem::remove(file.path(), ignored);
  return true;
}

void BenchVerb::startPeer(Rival &rival) {
  console.progress("starting " + rival.name);
  if (auto answer = rival.peer.start()) {
    rival.facts["version"] = answer->value("version", "unknown");
    for (const char *key : {"open_ms", "first_run_ms", "rss_mb"})
      rival.facts[key] = (*answer)[key];
    if (auto expected = rival.peer.readOutputs())
      compareOutputs(rival, *expected);
  }
  if (!rival.peer.getError().empty()) {
    rival.facts["error"] = rival.peer.getError();
    warnOf(rival, rival.peer.getError());
  }
}

bool BenchVerb::startOwn(Rival &rival, const std::string &path) {
  Subject &own = *rival.own;
  if (!own.start(path, threads, inputs, /*compared=*/true))
    return false;
  rival.facts["version"] = getVersion();
  rival.facts["open_ms"] = own.library->openMs;
  rival.facts["first_run_ms"] = own.firstRunMs;
  rival.facts["rss_mb"] = static_cast<double>(own.residentBytes) / 1e6;
  compareOutputs(rival, own.outputs);
  return true;
}

static const NpyArray *findArray(const NpzArrays &arrays,
                                 const std::string &name) {
  for (const auto &[key, array] : arrays)
    if (key == name)
      return &array;
  return nullptr;
}

void BenchVerb::compareOutputs(Rival &rival, const NpzArrays &expected) {
  double largest = 0;
  std::string where, missing;
  for (const auto &[name, got] : subject.outputs) {
    double difference = INFINITY;
    if (const NpyArray *array = findArray(expected, name))
      difference = getRelativeDifference(got, *array);
    else
      missing = name;
    if (where.empty() || difference > largest)
      where = name;
    largest = std::max(largest, difference);
  }
  // bf16 has 8 bits of mantissa, which long chains of operations halve.
  bool isShort = rival.engine == "openvino-bf16";
  rival.agrees = largest <= tolerance * (isShort ? 10 : 1);
  // JSON has no infinity.
  if (std::isfinite(largest))
    rival.facts["difference"] = largest;
  else
    rival.facts["difference"] = nullptr;
  rival.facts["differs_in"] = missing.empty() ? where : missing;
  rival.facts["agrees"] = rival.agrees;
  if (rival.agrees)
    return;
  std::string what =
      !missing.empty() ? "it has no output '" + missing + "'"
      : std::isfinite(largest)
          ? format("its output '%s' differs by %.2g of the largest element",
                   where.c_str(), largest)
          : "its output '" + where +
                "' has another shape, or a NaN or "
                "infinity elsewhere";
  console.warn(rival.name + " does not count: " + what,
               DiagnosticCode::PeerNotTimed);
}

//===----------------------------------------------------------------------===//
// Rounds
//===----------------------------------------------------------------------===//

/// A run that takes long warms its caches by itself.
static double getWarmSeconds(const Timing &timing, double firstMs) {
  return (timing.empty() ? firstMs : timing.getMedian()) < 50 ? 0.003 : 0;
}

bool BenchVerb::takeTurn(size_t engine) {
  double slice = seconds / rounds;
  // Threads of the engine before may still spin.
  (void)usleep(5000);
  if (engine == 0) {
    auto times =
        subject.takeTurn(slice, getWarmSeconds(timing, subject.firstRunMs));
    if (times.empty())
      return false;
    timing.addRound(times);
    return true;
  }
  Rival &rival = *rivals[engine - 1];
  if (rival.facts.contains("error"))
    return true;
  double warm =
      getWarmSeconds(rival.timing, rival.facts["first_run_ms"].get<double>());
  auto times = rival.own ? rival.own->takeTurn(slice, warm)
                         : rival.peer.takeTurn(slice, warm);
  if (!times.empty()) {
    rival.timing.addRound(times);
    return true;
  }
  if (rival.own)
    return false;
  rival.facts["error"] = rival.peer.getError();
  warnOf(rival, rival.peer.getError());
  return true;
}

bool BenchVerb::takeRounds() {
  size_t count = rivals.size() + 1;
  for (int round = 0; round < rounds; ++round)
    for (size_t i = 0; i < count; ++i)
      if (!takeTurn(round % 2 ? count - 1 - i : i))
        return false;
  return true;
}

//===----------------------------------------------------------------------===//
// Results
//===----------------------------------------------------------------------===//

Json BenchVerb::describe() {
  Json result = {{"name", subject.library->info.name}, {"threads", threads}};
  timing.describe(result);
  result["open_ms"] = subject.library->openMs;
  result["first_run_ms"] = subject.firstRunMs;
  result["rss_mb"] = static_cast<double>(subject.residentBytes) / 1e6;
  result["weights_mb"] =
      static_cast<double>(subject.library->info.weights_bytes) / 1e6;
  result["cpu"] = getCpuName();
  result["isa"] = describeIsa(subject.library->info.cpu_features);
  result["cores"] = cores;
  result["load"] = getLoad();
  for (const auto &rival : rivals) {
    if (!rival->timing.empty())
      rival->timing.describe(rival->facts);
    result["peers"][rival->name] = rival->facts;
  }
  if (!rivals.empty())
    describeScore(result);
  warnIfUnsteady(result);
  return result;
}

void BenchVerb::describeScore(Json &result) {
  const std::vector<double> &own = timing.getRounds();
  std::vector<double> scores;
  for (size_t round = 0; round < own.size(); ++round) {
    double best = INFINITY;
    for (const auto &rival : rivals)
      if (rival->agrees && !rival->facts.contains("error"))
        best = std::min(best, rival->timing.getRounds()[round]);
    if (std::isfinite(best) && own[round] > 0)
      scores.push_back(best / own[round]);
  }
  if (scores.empty())
    result["score"] = nullptr;
  else
    result["score"] = getQuantile(scores, 0.5);
  double fastest = INFINITY;
  for (const auto &rival : rivals)
    if (rival->agrees && !rival->facts.contains("error"))
      fastest = std::min(fastest, rival->timing.getBest());
  if (scores.empty())
    result["score_of_best"] = nullptr;
  else
    result["score_of_best"] = fastest / timing.getBest();
  result["score_rounds"] = scores;
  result["score_spread"] = getSpread(scores);
}

void BenchVerb::warnIfUnsteady(Json &result) {
  double spread = getSpread(timing.getRounds());
  for (const auto &rival : rivals)
    if (!rival->facts.contains("error"))
      spread = std::max(spread, getSpread(rival->timing.getRounds()));
  bool unsteady = spread > 0.1;
  result["unsteady"] = unsteady || size_t(threads) > cores.size();
  if (size_t(threads) > cores.size())
    console.warn(format("%d threads on %zu cores", threads, cores.size()),
                 DiagnosticCode::UnsteadyTimes);
  if (unsteady)
    console.warn(format("times of the rounds vary by %.0f %%: is the machine "
                        "busy? (load %.1f)",
                        100 * spread, getLoad()),
                 DiagnosticCode::UnsteadyTimes);
}

bool BenchVerb::measureKernels(Json &result) {
  (void)effrt_session_set_profiling(subject.library->session, 1);
  // Clocks around each kernel would make the times above longer.
  if (subject.takeTurn(std::min(seconds, 0.5), 0).empty())
    return false;
  Roofline roofline = measureRoofline(threads);
  result["roofline"] = {{"gflops", roofline.gflops}, {"gbs", roofline.gbs}};
  result["kernels"] = describeKernels(*subject.library, &roofline);
  return true;
}

void BenchVerb::print(const Json &result) const {
  if (json) {
    std::printf(
        "%s\n",
        result.dump(2, ' ', false, Json::error_handler_t::replace).c_str());
    return;
  }
  printBench(result);
}

int BenchVerb::run() {
  if (model.empty() &&
      std::any_of(against.begin(), against.end(), [](const std::string &name) {
        return Entry::parse(name).file.empty();
      }))
    return console.fail("--against needs the model", "pass --model=MODEL.onnx");
  std::error_code code;
  if (!model.empty() && !std::filesystem::exists(model, code))
    return console.fail("no such file: '" + model + "'");
  cores = getCores();
  if (threads == 0)
    threads = static_cast<int>(std::max<size_t>(1, cores.size()));
  if (cores.size() > size_t(threads))
    cores.resize(threads);
  // Engines take turns, so they may share the cores.
  pinTo(cores);
  if (!subject.start(library, threads, inputs, !against.empty(), version) ||
      (!against.empty() && !startPeers()) || !takeRounds())
    return ExitFault;
  Json result = describe();
  if (profile && !measureKernels(result))
    return ExitFault;
  print(result);
  std::string error;
  if (!picture.empty() && !writeBenchPicture(result, picture, error))
    return console.fail(error, "", DiagnosticCode::CannotWriteResults);
  return ExitDone;
}

void addBench(CLI::App &app, Console &console, Action &action) {
  CLI::App *verb = app.add_subcommand("bench", "Time a compiled library");
  auto state = std::make_shared<BenchVerb>(console);
  verb->add_option("LIB", state->library, "The compiled library")->required();
  state->inputs.addOptions(*verb);
  verb->add_option("--cpu", state->version,
                   "Which version of the library to time; else the best that "
                   "this machine can run");
  verb->add_option("--threads", state->threads, "Threads; 0: one per core")
      ->envname("EFFC_THREADS")
      ->check(CLI::NonNegativeNumber);
  verb->add_option("--seconds", state->seconds,
                   "How long to measure each engine")
      ->check(CLI::PositiveNumber);
  verb->add_option("--rounds", state->rounds,
                   "Turns that each engine takes in that time")
      ->check(CLI::Range(1, 10000));
  verb->add_flag("--profile", state->profile,
                 "The time of each kernel beside the machine's limits");
  verb->add_option("--against", state->against,
                   "Other engines to time in turn: onnxruntime, openvino, "
                   "openvino-bf16; with a model of their own as "
                   "openvino=MODEL.xml, another library as effc=LIB")
      ->delimiter(',')
      ->check(Entry::check);
  verb->add_option("--model", state->model, "The model, for --against");
  state->peerOptions.python = "python3";
  verb->add_option("--python", state->peerOptions.python,
                   "The interpreter that has the other engines")
      ->envname("EFFC_PYTHON");
  verb->add_option("--timeout", state->peerOptions.timeout,
                   "Seconds that another engine has for an answer")
      ->check(CLI::Range(0.001, 86400.0));
  verb->add_option("--tolerance", state->tolerance,
                   "Difference, relative to the largest element, up to which "
                   "outputs of another engine are the same; ten times "
                   "that for bf16")
      ->check(CLI::NonNegativeNumber);
  verb->add_flag("--json", state->json, "One JSON object on standard output");
  verb->add_option("--picture", state->picture,
                   "Draw engines and kernels: F.png or F.svg")
      ->check(CLI::Validator(checkPictureName, "FILE"));
  verb->footer("Example: effc bench out/libmodel.so --inputs=random:1 "
               "--threads 1\n  --against=onnxruntime,openvino "
               "--model=model.onnx");
  verb->callback(
      [state, &action] { action = [state] { return state->run(); }; });
}

} // namespace effc::tool
