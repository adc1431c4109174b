// The median of rounds, rather than of all runs, gives every moment of a noisy
// machine the same weight for all engines.
#include "Timing.h"
#include <algorithm>

namespace effc::tool {

double getQuantile(std::vector<double> values, double share) {
  if (values.empty())
    return 0;
  size_t last = values.size() - 1;
  auto at = values.begin() +
            std::min(last, static_cast<size_t>(share * values.size()));
  std::nth_element(values.begin(), at, values.end());
  return *at;
}

double getSpread(const std::vector<double> &values) {
  double median = getQuantile(values, 0.5);
  return median > 0
             ? (getQuantile(values, 0.75) - getQuantile(values, 0.25)) / median
             : 0;
}

void Timing::addRound(const std::vector<double> &times) {
  all.insert(all.end(), times.begin(), times.end());
  rounds.push_back(getQuantile(times, 0.5));
}

void Timing::describe(nlohmann::ordered_json &result) const {
  result["runs"] = all.size();
  result["median_ms"] = getMedian();
  result["best_ms"] = getBest();
  result["p90_ms"] = getQuantile(all, 0.9);
  result["p99_ms"] = getQuantile(all, 0.99);
  result["rounds_ms"] = rounds;
  result["spread"] = getSpread(rounds);
}

} // namespace effc::tool
