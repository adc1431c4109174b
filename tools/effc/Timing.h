// Times of runs in rounds, and what can be said of them.
#ifndef EFFC_TOOLS_EFFC_TIMING_H
#define EFFC_TOOLS_EFFC_TIMING_H

#include <nlohmann/json.hpp>
#include <vector>

namespace effc::tool {

/// The element at `share` of the way from the least to the largest; 0 for none.
double getQuantile(std::vector<double> values, double share);

/// How far the middle half lies apart, relative to the median.
double getSpread(const std::vector<double> &values);

/// Times of one engine in milliseconds.
class Timing {
public:
  /// The times of one turn, at least one.
  void addRound(const std::vector<double> &times);

  bool empty() const { return rounds.empty(); }
  /// The median of each round.
  const std::vector<double> &getRounds() const { return rounds; }
  /// The median of the rounds, 0 before the first.
  double getMedian() const { return getQuantile(rounds, 0.5); }

  double getBest() const { return getQuantile(all, 0); }

  /// Adds runs, median_ms, best_ms, p90_ms, p99_ms, rounds_ms, spread.
  void describe(nlohmann::ordered_json &result) const;

private:
  std::vector<double> all, rounds;
};

} // namespace effc::tool

#endif // EFFC_TOOLS_EFFC_TIMING_H
