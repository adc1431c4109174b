// Two contestants in turn in one process, and what came of it.
#ifndef EFFC_BENCH_RACE_H
#define EFFC_BENCH_RACE_H

#include "Compiled.h"
#include "OneDnn.h"
#include <benchmark/benchmark.h>
#include <functional>

namespace effc::bench {

/// One row: what both sides are, made when the row is run.
struct Contest {
  std::unique_ptr<Compiled> ours;
  /// Ways to say the same to oneDNN; the fastest counts. None: no peer.
  std::vector<std::unique_ptr<OneDnn>> theirs;
  /// Inputs that `ours` reads.
  std::vector<Array> inputs;
  /// Operations or bytes of a run, whichever the family is judged by.
  double flops = 0, bytes = 0;
  /// Largest difference of the results over the largest element.
  double tolerance = 1e-4;
};

/// Registers a row of the program; `make` may throw, which fails the row.
void addRow(const std::string &name, std::function<Contest()> make);

/// The main function of a family: pins the process to one core, tells Google
/// Benchmark what is compared and runs the rows.
int runFamily(int argc, char **argv);

} // namespace effc::bench

#endif // EFFC_BENCH_RACE_H
