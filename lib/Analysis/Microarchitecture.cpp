// From the vendors' optimisation guides and uops.info; znver5 and a server core
// with AMX were measured too (docs/evidence.md). Loads include the broadcasts
// of a register tile.
#include "effc/Analysis/Microarchitecture.h"

using namespace effc;

namespace {

struct Row {
  /// LLVM's names, separated by spaces.
  llvm::StringLiteral names;
  int64_t vectorBits;
  Microarchitecture values;
};

constexpr Row rows[] = {
    {"haswell broadwell", 256, {2, 2, 5}},
    {"skylake skylake-avx512 cascadelake cooperlake", 256, {2, 2, 4}},
    // VDPBF16PS was measured on one with AMX: 60 products where FMAs make 90.
    {"skylake-avx512 cascadelake cooperlake icelake-server sapphirerapids "
     "emeraldrapids graniterapids",
     512,
     {2, 2, 4, 3, true}},
    // One unit of 512 bits.
    {"icelake-client tigerlake rocketlake", 512, {1, 2, 4}},
    {"alderlake raptorlake meteorlake arrowlake lunarlake", 256, {2, 3, 4}},
    {"znver1", 256, {1, 1, 5}},
    {"znver2", 256, {2, 2, 5}},
    {"znver3", 256, {2, 2, 4}},
    // Halves of 256 bits, one after the other.
    {"znver4", 512, {1, 1, 4}},
    {"znver4", 256, {2, 2, 4}},
    {"znver5", 512, {2, 2, 4}},
    {"znver5", 256, {2, 3, 4}},
    {"cortex-a76 neoverse-n1", 128, {2, 2, 4}},
    {"neoverse-n2", 128, {2, 3, 4}},
    {"neoverse-v1 neoverse-v2 apple-m1 apple-m2 apple-m3", 128, {4, 3, 4}},
};

constexpr Microarchitecture generic = {2, 2, 4};

} // namespace

const Microarchitecture &effc::getMicroarchitecture(eff::TargetAttr target) {
  llvm::StringRef tune = target.getTune();
  if (tune.empty() && target.getFeatures().contains("+amx-tile"))
    tune = "sapphirerapids";
  for (const Row &row : rows) {
    llvm::SmallVector<llvm::StringRef> names;
    row.names.split(names, ' ');
    if (row.vectorBits == target.getVectorBits() &&
        llvm::is_contained(names, tune))
      return row.values;
  }
  return generic;
}
