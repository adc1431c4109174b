// A round gives each contestant a turn, in an order that changes from round to
// round; the score is the median of the ratios of the rounds, because both
// times of a ratio come from neighbouring moments (docs/benchmarks.md). Times
// are processor time: others on the machine take the core away for longer than
// most kernels run.
#include "Race.h"
#include "Machine.h"
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <ctime>
#include <unistd.h>

namespace effc::bench {

/// A turn lasts about as long, and does not count at first: the caches were
/// the other's.
constexpr double turnSeconds = 2e-3, warmSeconds = 1e-3;
/// What runs longer than that needs no warm caches.
constexpr double longSeconds = 20e-3;
constexpr int warmRuns = 2;
/// Shorter runs are timed several together: the clock takes half a microsecond.
constexpr double leastSeconds = 100e-6;
/// Rounds of a row; those of slow kernels end earlier.
constexpr int rounds = 15, leastRounds = 3;
constexpr double rowSeconds = 4;

static double median(std::vector<double> values) {
  auto middle = values.begin() + static_cast<ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

/// Processor time of the process, all its threads.
static double now() {
  timespec time = {};
  (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) +
         1e-9 * static_cast<double>(time.tv_nsec);
}

/// Seconds of a run: the median over a turn.
template <typename Run> static double takeTurn(Run &&run) {
  double start = now(), spent = 0;
  int warm = 0;
  do {
    run();
    spent = now() - start;
    ++warm;
  } while (spent < warmSeconds || (warm < warmRuns && spent < longSeconds));
  int repeat = std::max(1, static_cast<int>(leastSeconds * warm / spent));
  std::vector<double> times;
  double end = now() + turnSeconds;
  double from = now();
  do {
    for (int i = 0; i < repeat; ++i)
      run();
    double to = now();
    times.push_back((to - from) / repeat);
    from = to;
  } while (from < end);
  return median(std::move(times));
}

//===----------------------------------------------------------------------===//
// Results
//===----------------------------------------------------------------------===//

/// Largest difference over the largest element; infinite where shapes differ
/// or a value is no number.
static double compare(const Array &ours, const Array &theirs) {
  if (ours.shape != theirs.shape || ours.dtype != EFFRT_DTYPE_F32)
    return INFINITY;
  double difference = 0, largest = 0;
  for (int64_t i = 0; i < ours.size(); ++i) {
    double a = ours.data<float>()[i], b = theirs.data<float>()[i];
    if (!std::isfinite(a) || !std::isfinite(b))
      return INFINITY;
    difference = std::max(difference, std::abs(a - b));
    largest = std::max(largest, std::abs(b));
  }
  return largest > 0 ? difference / largest : INFINITY;
}

/// Both sides once; the largest difference.
static double compareResults(Contest &contest) {
  contest.ours->run();
  double worst = 0;
  for (auto &peer : contest.theirs) {
    peer->run();
    Array result = unpack(peer->result, peer->plain, contest.ours->output.shape,
                          EFFRT_DTYPE_F32);
    worst = std::max(worst, compare(contest.ours->output, result));
  }
  return worst;
}

/// The fastest way, by the best of a few turns.
static OneDnn *choosePeer(Contest &contest) {
  OneDnn *best = nullptr;
  double least = INFINITY;
  for (int turn = 0; turn < (contest.theirs.size() > 1 ? 3 : 1); ++turn)
    for (auto &peer : contest.theirs) {
      double seconds = takeTurn([&] { peer->run(); });
      if (seconds < least) {
        least = seconds;
        best = peer.get();
      }
    }
  return best;
}

static void report(benchmark::State &state, const char *unit, double amount,
                   double ours, double theirs) {
  if (amount <= 0)
    return;
  state.counters[std::string("effc_") + unit] = amount / ours / 1e9;
  if (theirs > 0)
    state.counters[std::string("onednn_") + unit] = amount / theirs / 1e9;
}

//===----------------------------------------------------------------------===//
// Rows
//===----------------------------------------------------------------------===//

static void race(benchmark::State &state, Contest &contest) {
  double difference = compareResults(contest);
  if (difference > contest.tolerance) {
    char text[64];
    (void)snprintf(text, sizeof(text), "results differ by %.2g", difference);
    state.SkipWithError(text);
    return;
  }
  OneDnn *peer = choosePeer(contest);
  std::vector<double> ours, theirs, ratios;
  double end = now() + rowSeconds;
  for (int round = 0; round < leastRounds || (round < rounds && now() < end);
       ++round) {
    double mine = 0, other = 0;
    for (bool first : {true, false})
      if (first == (round % 2 == 0))
        mine = takeTurn([&] { contest.ours->run(); });
      else if (peer)
        other = takeTurn([&] { peer->run(); });
    ours.push_back(mine);
    theirs.push_back(other);
    ratios.push_back(other / mine);
  }
  double mine = median(ours), other = median(theirs);
  for (auto _ : state)
    state.SetIterationTime(mine);
  state.counters["effc_us"] = mine * 1e6;
  if (peer) {
    state.counters["onednn_us"] = other * 1e6;
    state.counters["ratio"] = median(ratios);
    state.counters["difference"] = difference;
  }
  state.counters["launches"] = static_cast<double>(contest.ours->launches);
  report(state, "gflops", contest.flops, mine, other);
  report(state, "gbs", contest.bytes, mine, other);
  state.SetLabel(contest.ours->choice);
}

void addRow(const std::string &name, std::function<Contest()> make) {
  auto *row = benchmark::RegisterBenchmark(
      name.c_str(), [make = std::move(make)](benchmark::State &state) {
        try {
          Contest contest = make();
          race(state, contest);
        } catch (const std::exception &error) {
          state.SkipWithError(error.what());
        }
      });
  row->Iterations(1)->UseManualTime()->Unit(benchmark::kMicrosecond);
}

int runFamily(int argc, char **argv) {
  // Whatever threads oneDNN was built for, it asks for the cores when it is
  // loaded: the program begins again where there is one.
  std::vector<int> cores = tool::getCores();
  if (cores.size() > 1) {
    tool::pinTo({cores.back()});
    execv("/proc/self/exe", argv);
    perror("execv");
    return 1;
  }
  benchmark::AddCustomContext("onednn", getOneDnnVersion());
  benchmark::AddCustomContext("cpu", tool::getCpuName());
  tool::Roofline roof = tool::measureRoofline(1);
  benchmark::AddCustomContext("peak_gflops", std::to_string(roof.gflops));
  benchmark::AddCustomContext("read_gbs", std::to_string(roof.gbs));
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv))
    return 1;
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}

} // namespace effc::bench
