// LLVM's counters have another layout where assertions are on, and Debian's
// libraries were built with them off. Builds that look at every load
// (CMakePresets.json: asan, fuzz) include this first.
#ifndef NDEBUG
#define NDEBUG
#include "llvm/ADT/Statistic.h"
#undef NDEBUG
#include <cassert>
#endif
