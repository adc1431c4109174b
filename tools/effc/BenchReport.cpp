// Tables of engines and kernels.
#include "BenchReport.h"
#include "Format.h"
#include "Profile.h"
#include <cstdio>

namespace effc::tool {

static std::string describeDifference(const Json &peer) {
  if (!peer.contains("difference"))
    return "";
  std::string where = " ('" + peer["differs_in"].get<std::string>() + "')";
  std::string text = peer["difference"].is_null()
                         ? "altogether"
                         : format("%.1e", peer["difference"].get<double>());
  return text + where + (peer["agrees"].get<bool>() ? "" : ": does not count");
}

static void printEngine(const std::string &name, const Json &times,
                        const std::string &difference) {
  std::printf(
      "%-14s %10.4f %10.4f %10.4f %8.1f %9.2f %9.2f %9.1f  %s\n", name.c_str(),
      times["median_ms"].get<double>(), times["best_ms"].get<double>(),
      times["p99_ms"].get<double>(), 100 * times["spread"].get<double>(),
      times["open_ms"].get<double>(), times["first_run_ms"].get<double>(),
      times["rss_mb"].get<double>(), difference.c_str());
}

static std::string listCores(const Json &cores) {
  std::string text = cores.size() == 1 ? "core" : "cores";
  for (size_t i = 0; i < cores.size(); ++i)
    text += (i ? "," : " ") + cores[i].dump();
  return text;
}

void printBench(const Json &result) {
  int threads = result["threads"].get<int>();
  std::printf("%s: %d thread%s, pinned to %s, %s, code for %s\n",
              result["name"].get<std::string>().c_str(), threads,
              threads == 1 ? "" : "s", listCores(result["cores"]).c_str(),
              result["cpu"].get<std::string>().c_str(),
              result["isa"].get<std::string>().c_str());
  std::printf("%-14s %10s %10s %10s %8s %9s %9s %9s  %s\n", "", "median ms",
              "best ms", "p99 ms", "spread %", "open ms", "first ms",
              "added MB", result.contains("peers") ? "differs by" : "");
  printEngine("effc", result, "");
  if (result.contains("peers"))
    for (const auto &[name, peer] : result["peers"].items()) {
      if (peer.contains("error"))
        std::printf("%-14s not timed: %s\n", name.c_str(),
                    peer["error"].get<std::string>().c_str());
      else
        printEngine(name, peer, describeDifference(peer));
    }
  size_t rounds = result["rounds_ms"].size();
  if (result.contains("score") && result["score"].is_null())
    std::printf("no score: no other engine was timed and gave the same\n");
  else if (result.contains("score"))
    std::printf("score %.3f: the fastest other engine's time over effc's, "
                "median of %zu rounds, spread %.1f %%\n",
                result["score"].get<double>(), rounds,
                100 * result["score_spread"].get<double>());
  if (!result.contains("kernels"))
    return;
  printKernels(result["kernels"], 30);
  std::printf("roofs: %.1f GFLOP/s, %.1f GB/s on %d thread%s\n",
              result["roofline"]["gflops"].get<double>(),
              result["roofline"]["gbs"].get<double>(), threads,
              threads == 1 ? "" : "s");
}

} // namespace effc::tool
