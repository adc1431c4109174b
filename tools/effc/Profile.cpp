// Totals come from the runtime; shares and rates are computed here.
#include "Profile.h"
#include <algorithm>
#include <cstdio>

namespace effc::tool {

std::vector<ProfileRow> collectProfile(const Library &library) {
  std::vector<ProfileRow> rows;
  for (uint32_t program = 0; program < library.info.num_programs; ++program) {
    effrt_program_info info = {};
    info.struct_size = sizeof(info);
    if (effrt_model_program(library.model, program, &info))
      continue;
    for (uint32_t launch = 0; launch < info.num_launches; ++launch) {
      effrt_profile_entry entry = {};
      entry.struct_size = sizeof(entry);
      if (effrt_session_profile(library.session, program, launch, &entry) ||
          entry.calls == 0)
        continue;
      rows.push_back({entry, entry.total_ns / 1e6 / entry.calls});
    }
  }
  std::sort(rows.begin(), rows.end(),
            [](const auto &a, const auto &b) { return a.ms > b.ms; });
  return rows;
}

static std::string shorten(const std::string &text, size_t length) {
  return text.size() <= length ? text : text.substr(0, length - 3) + "...";
}

void printProfile(const Library &library, size_t limit) {
  std::vector<ProfileRow> rows = collectProfile(library);
  double total = 0;
  for (const ProfileRow &row : rows)
    total += row.ms;
  std::printf("%9s %6s %8s %8s  %-24s %-20s %s\n", "ms", "share", "GFLOP/s",
              "GB/s", "kernel", "choice", "nodes");
  for (size_t i = 0; i < std::min(limit, rows.size()); ++i) {
    const effrt_profile_entry &entry = rows[i].entry;
    double ns = entry.total_ns ? static_cast<double>(entry.total_ns) : 1;
    std::printf("%9.4f %5.1f%% %8.2f %8.2f  %-24s %-20s %s\n", rows[i].ms,
                total > 0 ? 100 * rows[i].ms / total : 0.0, entry.flops / ns,
                entry.bytes / ns, shorten(entry.kernel, 24).c_str(),
                shorten(entry.choice, 20).c_str(),
                shorten(entry.origin, 60).c_str());
  }
  if (rows.size() > limit)
    std::printf("and %zu more\n", rows.size() - limit);
  std::printf("%9.4f ms in %zu kernels\n", total, rows.size());
}

} // namespace effc::tool
