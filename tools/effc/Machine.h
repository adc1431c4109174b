// The machine that is measured on: its name, its cores, what this process holds
// of its memory, and what it can do at most.
#ifndef EFFC_TOOLS_EFFC_MACHINE_H
#define EFFC_TOOLS_EFFC_MACHINE_H

#include <cstdint>
#include <string>
#include <vector>

namespace effc::tool {

std::string getCpuName();

/// The instructions that code needs (EFFRT_CPU_*), by the names of --cpu.
std::string describeIsa(uint64_t features);

/// Processes that wanted to run in the last minute, on average.
double getLoad();

/// Memory of this process that is resident, in bytes.
uint64_t getResidentBytes();

/// The cores that this process may use: one of each physical core first, then
/// those that share one.
std::vector<int> getCores();

/// Keeps this thread, and what it starts from here on, on `cores`.
void pinTo(const std::vector<int> &cores);

/// The most that any kernel can reach (Williams et al., "Roofline", 2009).
struct Roofline {
  double gflops = 0; ///< f32 multiply-adds in registers, each two operations
  double gbs = 0;    ///< reading memory in order, far beyond the caches
};

/// Measures both with that many threads, within about half a second.
Roofline measureRoofline(int threads);

} // namespace effc::tool

#endif // EFFC_TOOLS_EFFC_MACHINE_H
