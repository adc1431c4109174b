// What Linux says in /proc and /sys.
#include "Machine.h"
#include "effrt/effrt_abi.h"
#include <algorithm>
#include <fstream>
#include <sched.h>
#include <set>
#include <unistd.h>

namespace effc::tool {

std::string getCpuName() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    size_t at = line.find(": ");
    if (line.rfind("model name", 0) == 0 && at != std::string::npos)
      return line.substr(at + 2);
  }
  return "unknown";
}

double getLoad() {
  std::ifstream file("/proc/loadavg");
  double load = 0;
  file >> load;
  return load;
}

uint64_t getResidentBytes() {
  std::ifstream file("/proc/self/statm");
  uint64_t pages = 0, resident = 0;
  file >> pages >> resident;
  return resident * static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
}

std::vector<int> getCores() {
  cpu_set_t allowed;
  CPU_ZERO(&allowed);
  (void)sched_getaffinity(0, sizeof(allowed), &allowed);
  std::vector<int> first, rest;
  std::set<std::string> seen;
  for (int core = 0; core < CPU_SETSIZE; ++core) {
    if (!CPU_ISSET(core, &allowed))
      continue;
    std::ifstream file("/sys/devices/system/cpu/cpu" + std::to_string(core) +
                       "/topology/thread_siblings_list");
    std::string siblings = std::to_string(core);
    (void)std::getline(file, siblings);
    (seen.insert(siblings).second ? first : rest).push_back(core);
  }
  first.insert(first.end(), rest.begin(), rest.end());
  return first;
}

void pinTo(const std::vector<int> &cores) {
  cpu_set_t set;
  CPU_ZERO(&set);
  for (int core : cores)
    CPU_SET(core, &set);
  (void)sched_setaffinity(0, sizeof(set), &set);
}

std::string describeIsa(uint64_t features) {
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

} // namespace effc::tool
