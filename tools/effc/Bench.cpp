// effc bench: how long runs take, alone or beside other engines.
#include "Profile.h"
#include "Tensors.h"
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <unistd.h>

namespace effc::tool {

using Clock = std::chrono::steady_clock;
using Json = nlohmann::ordered_json;

namespace {

struct BenchVerb {
  explicit BenchVerb(Console &console) : console(console) {}

  Console &console;
  std::string library;
  InputOptions inputs;
  int threads = 0;
  double seconds = 2;
  bool profile = false, json = false;
  std::vector<std::string> against;
  std::string model;
  std::string python = "python3";

  int run();
  bool measure(Library &opened, NpzArrays &arrays, Json &result);
  int runPeers(NpzArrays &arrays, Json &result);
  void print(const Json &result) const;
};

} // namespace

/// Memory of this process that is resident, in bytes.
static uint64_t getResidentBytes() {
  std::ifstream file("/proc/self/statm");
  uint64_t pages = 0, resident = 0;
  file >> pages >> resident;
  return resident * static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
}

static std::string getCpuName() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    size_t at = line.find(": ");
    if (line.rfind("model name", 0) == 0 && at != std::string::npos)
      return line.substr(at + 2);
  }
  return "unknown";
}

/// The instructions that the code needs, by the names of --cpu.
static std::string describeIsa(uint64_t features) {
  std::pair<uint64_t, const char *> names[] = {
      {EFFRT_CPU_AMX_INT8, "amx"},
      {EFFRT_CPU_AVX512_BF16, "v4-bf16"},
      {EFFRT_CPU_AVX512_VNNI, "v4-vnni"},
      {EFFRT_CPU_AVX512, "v4"},
      {EFFRT_CPU_AVX2, "v3"},
      {EFFRT_CPU_NEON, "neon"}};
  for (auto [bit, name] : names)
    if (features & bit)
      return name;
  return "baseline";
}

static double since(Clock::time_point start) {
  return std::chrono::duration<double, std::milli>(Clock::now() - start)
      .count();
}

bool BenchVerb::measure(Library &opened, NpzArrays &arrays, Json &result) {
  Bindings bindings;
  Clock::time_point start = Clock::now();
  if (!bindings.bind(opened, arrays, console))
    return false;
  std::vector<double> times;
  double firstMs = 0;
  Clock::time_point begin;
  // The first run and a few more warm caches, threads and clocks.
  for (int warm = 4;
       warm > 0 || since(begin) < seconds * 1000 || times.size() < 5;) {
    // Each run as the first, else it would take longer from run to run.
    if (opened.stateGrows())
      (void)effrt_session_reset(opened.session);
    Clock::time_point runStart = Clock::now();
    if (bindings.run(opened)) {
      console.fail(effrt_session_error(opened.session), "",
                   DiagnosticCode::RunFailed);
      return false;
    }
    if (warm > 0) {
      if (firstMs == 0)
        firstMs = since(start);
      if (--warm == 0 || since(start) > seconds * 500) {
        warm = 0;
        begin = Clock::now();
        if (profile)
          (void)effrt_session_set_profiling(opened.session, 1);
      }
      continue;
    }
    times.push_back(since(runStart));
  }
  std::sort(times.begin(), times.end());
  auto at = [&](double share) {
    return times[std::min(times.size() - 1,
                          static_cast<size_t>(share * times.size()))];
  };
  result["runs"] = times.size();
  result["median_ms"] = at(0.5);
  result["best_ms"] = times.front();
  result["p90_ms"] = at(0.9);
  result["p99_ms"] = at(0.99);
  result["open_ms"] = opened.openMs;
  result["first_run_ms"] = firstMs;
  return true;
}

/// The script that times other engines: beside an installed or a built effc.
static std::string findPeerScript() {
  std::error_code code;
  std::filesystem::path program =
      std::filesystem::read_symlink("/proc/self/exe", code);
  std::filesystem::path bin = program.parent_path();
  for (const char *relative : {"../share/effc/python/effc/bench_peer.py",
                               "../../../python/effc/bench_peer.py"})
    if (std::filesystem::exists(bin / relative, code))
      return (bin / relative).lexically_normal().string();
  return "";
}

static std::string quote(const std::string &text) {
  std::string result = "'";
  for (char c : text)
    result += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return result + "'";
}

/// Runs a shell command; its standard output, nothing when it fails.
static std::optional<std::string> capture(const std::string &command) {
  FILE *pipe = popen(command.c_str(), "r");
  if (!pipe)
    return std::nullopt;
  std::string output;
  char buffer[4096];
  for (size_t size; (size = fread(buffer, 1, sizeof(buffer), pipe)) > 0;)
    output.append(buffer, size);
  return pclose(pipe) == 0 ? std::optional(output) : std::nullopt;
}

int BenchVerb::runPeers(NpzArrays &arrays, Json &result) {
  if (model.empty())
    return console.fail("--against needs the model", "pass --model=MODEL.onnx");
  std::string script = findPeerScript();
  if (script.empty())
    return console.fail("bench_peer.py is not installed beside effc");
  std::string pattern =
      (std::filesystem::temp_directory_path() / "effc-bench-XXXXXX").string();
  if (!mkdtemp(pattern.data()))
    return console.fail("cannot write to '" + pattern + "'");
  std::string file = pattern + "/inputs.npz", error;
  int code = ExitDone;
  if (!writeNpz(file, arrays, error))
    code = console.fail(error);
  for (const std::string &engine : against) {
    if (code != ExitDone)
      break;
    auto output =
        capture(quote(python) + " " + quote(script) + " " + quote(engine) +
                " " + quote(model) + " " + quote(file) + " " +
                std::to_string(threads) + " " + std::to_string(seconds));
    Json peer = output ? Json::parse(*output, nullptr, false) : Json();
    if (peer.is_object())
      result["peers"][engine] = peer;
    else
      console.warn(engine + " could not be timed; is its Python package "
                            "installed?");
  }
  std::error_code ignored;
  std::filesystem::remove_all(pattern, ignored);
  return code;
}

void BenchVerb::print(const Json &result) const {
  auto line = [](const std::string &name, const Json &times) {
    std::printf("%-14s median %8.3f ms  best %8.3f ms  p99 %8.3f ms  (%zu "
                "runs)\n",
                name.c_str(), times.value("median_ms", 0.0),
                times.value("best_ms", 0.0), times.value("p99_ms", 0.0),
                times.value("runs", size_t(0)));
  };
  line("effc", result);
  if (result.contains("peers"))
    for (const auto &[name, times] : result["peers"].items()) {
      line(name, times);
      std::printf("%-14s effc takes %.2f of its time\n", "",
                  result.value("median_ms", 0.0) /
                      times.value("median_ms", 1.0));
    }
  std::printf("open %.2f ms, first run %.2f ms, %.1f MB resident, %d threads, "
              "%s\n",
              result.value("open_ms", 0.0), result.value("first_run_ms", 0.0),
              result.value("rss_mb", 0.0), result.value("threads", 0),
              result.value("isa", "").c_str());
}

int BenchVerb::run() {
  uint64_t before = getResidentBytes();
  auto opened = Library::open(library, threads, console);
  if (!opened)
    return ExitFault;
  auto arrays = loadInputs(*opened, inputs, console);
  if (!arrays)
    return ExitFault;
  uint64_t inputBytes = 0;
  for (const auto &[name, array] : *arrays)
    inputBytes += array.data.size();
  effrt_pool *pool = nullptr;
  Json result = {{"name", opened->info.name}};
  int used = threads;
  if (used == 0) {
    // As many as the session took.
    if (!effrt_pool_create(nullptr, &pool, nullptr))
      used = effrt_pool_num_threads(pool);
    effrt_pool_destroy(pool);
  }
  result["threads"] = used;
  if (!measure(*opened, *arrays, result))
    return ExitFault;
  // What the model added to the process; the compiler's own code is no part.
  uint64_t after = getResidentBytes();
  uint64_t added =
      after > before + inputBytes ? after - before - inputBytes : 0;
  result["rss_mb"] = added / 1e6;
  result["cpu"] = getCpuName();
  result["isa"] = describeIsa(opened->info.cpu_features);
  if (profile && json)
    for (const ProfileRow &row : collectProfile(*opened))
      result["kernels"].push_back({{"kernel", row.entry.kernel},
                                   {"nodes", row.entry.origin},
                                   {"choice", row.entry.choice},
                                   {"ms", row.ms}});
  int code = against.empty() ? int(ExitDone) : runPeers(*arrays, result);
  if (json)
    std::printf(
        "%s\n",
        result.dump(2, ' ', false, Json::error_handler_t::replace).c_str());
  else
    print(result);
  if (profile && !json)
    printProfile(*opened, 30);
  return code;
}

void addBench(CLI::App &app, Console &console, Action &action) {
  CLI::App *verb = app.add_subcommand("bench", "Time a compiled library");
  auto state = std::make_shared<BenchVerb>(console);
  verb->add_option("LIB", state->library, "The compiled library")->required();
  state->inputs.addOptions(*verb);
  verb->add_option("--threads", state->threads, "Threads; 0: one per core")
      ->envname("EFFC_THREADS")
      ->check(CLI::NonNegativeNumber);
  verb->add_option("--seconds", state->seconds, "How long to measure")
      ->check(CLI::PositiveNumber);
  verb->add_flag("--profile", state->profile, "Print the time of each kernel");
  verb->add_option("--against", state->against,
                   "Other engines to time: onnxruntime")
      ->delimiter(',')
      ->check(CLI::IsMember({"onnxruntime"}));
  verb->add_option("--model", state->model, "The model, for --against");
  verb->add_option("--python", state->python,
                   "The interpreter that has the other engines");
  verb->add_flag("--json", state->json, "One JSON object on standard output");
  verb->footer("Example: effc bench out/libmodel.so --inputs=random:1 "
               "--threads 1");
  verb->callback(
      [state, &action] { action = [state] { return state->run(); }; });
}

} // namespace effc::tool
