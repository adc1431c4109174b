// Totals come from the runtime; shares and rates are computed here. A kernel
// can take no less time than its operations at the peak of the arithmetic, nor
// than its bytes at the rate of memory: the larger of the two is its roof, and
// what decides it is its limit. Data that stays in caches can be above the
// roof.
#include "Profile.h"
#include <algorithm>
#include <cstdio>

namespace effc::tool {

static Json describe(const effrt_profile_entry &entry,
                     const Roofline *roofline) {
  double calls = static_cast<double>(entry.calls);
  double ms = static_cast<double>(entry.total_ns) / 1e6 / calls;
  double flops = static_cast<double>(entry.flops) / calls;
  double bytes = static_cast<double>(entry.bytes) / calls;
  double rate = ms > 0 ? 1e-6 / ms : 0;
  Json row = {{"kernel", entry.kernel},
              {"nodes", entry.origin},
              {"choice", entry.choice},
              {"calls", entry.calls},
              {"ms", ms},
              {"flops", flops},
              {"bytes", bytes},
              {"gflops", flops * rate},
              {"gbs", bytes * rate}};
  if (!roofline || roofline->gflops <= 0 || roofline->gbs <= 0)
    return row;
  double compute = row["gflops"].get<double>() / roofline->gflops;
  double memory = row["gbs"].get<double>() / roofline->gbs;
  row["limit"] = compute > memory ? "compute" : "memory";
  row["roof_share"] = std::max(compute, memory);
  return row;
}

Json describeKernels(const Library &library, const Roofline *roofline) {
  Json rows = Json::array();
  for (uint32_t program = 0; program < library.info.num_programs; ++program) {
    effrt_program_info info = {};
    info.struct_size = sizeof(info);
    if (effrt_model_program(library.model, program, &info))
      continue;
    for (uint32_t launch = 0; launch < info.num_launches; ++launch) {
      effrt_profile_entry entry = {};
      entry.struct_size = sizeof(entry);
      if (!effrt_session_profile(library.session, program, launch, &entry) &&
          entry.calls > 0)
        rows.push_back(describe(entry, roofline));
    }
  }
  std::sort(rows.begin(), rows.end(), [](const Json &a, const Json &b) {
    return a["ms"].get<double>() > b["ms"].get<double>();
  });
  return rows;
}

static std::string shorten(const Json &value, size_t length) {
  std::string text = value.get<std::string>();
  return text.size() <= length ? text : text.substr(0, length - 3) + "...";
}

void printKernels(const Json &kernels, size_t limit) {
  double total = 0;
  for (const Json &row : kernels)
    total += row["ms"].get<double>();
  bool roofs = !kernels.empty() && kernels[0].contains("limit");
  std::printf("%9s %6s %8s %8s %s %-24s %-20s %s\n", "ms", "share", "GFLOP/s",
              "GB/s", roofs ? " of roof  limit   " : "", "kernel", "choice",
              "nodes");
  for (size_t i = 0; i < std::min(limit, kernels.size()); ++i) {
    const Json &row = kernels[i];
    double ms = row["ms"].get<double>();
    std::string roof;
    if (roofs)
      roof = format("%7.0f %%  %-7s ", 100 * row["roof_share"].get<double>(),
                    row["limit"].get<std::string>().c_str());
    std::printf("%9.4f %5.1f%% %8.2f %8.2f %s %-24s %-20s %s\n", ms,
                total > 0 ? 100 * ms / total : 0.0, row["gflops"].get<double>(),
                row["gbs"].get<double>(), roof.c_str(),
                shorten(row["kernel"], 24).c_str(),
                shorten(row["choice"], 20).c_str(),
                shorten(row["nodes"], 60).c_str());
  }
  if (kernels.size() > limit)
    std::printf("and %zu more\n", kernels.size() - limit);
  std::printf("%9.4f ms in %zu kernels\n", total, kernels.size());
}

} // namespace effc::tool
