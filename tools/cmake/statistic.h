// LLVM's counters have another layout where assertions are on, and Debian's
// libraries were built with them off: counters of passes would be read beyond
// what the libraries' constructors set.
#ifndef NDEBUG
#define NDEBUG
#include "llvm/ADT/Statistic.h"
#undef NDEBUG
#include <cassert>
#endif
