// A range that is wide rounds coarsely, one that is narrow clips. Candidates:
// the extremes that were seen; percentiles; the least mean square error; the
// least relative entropy (Migacz, "8-bit inference with TensorRT", GTC 2017).
// They are compared by an estimate of what each does to the layers' results:
//   rounding * (sum of all squared weights)
//     + 16 * clipping * channels * (mean of the squared weights of those
//       channels that are clipped, by their energy)
// over the mean square of the result: errors of rounding are independent of
// each other, those of clipping are where the large channels are.
#include "Ranges.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringSwitch.h"
#include <cmath>
#include <limits>
#include <numeric>

using namespace effc;
using llvm::ArrayRef;

static constexpr int64_t mostByte = 255;
/// What is clipped is large and lies in few rows, whose results it changes
/// more than a mean square tells (docs/evidence.md, "Ranges").
static constexpr double clippingWeight = 16;

std::optional<ByteRange> ByteRange::get(double low, double high,
                                        llvm::StringLiteral method) {
  low = std::min(low, 0.0);
  high = std::max(high, 0.0);
  ByteRange range;
  range.method = method;
  // All zero: any step does.
  if (low == high)
    return range;
  double step = (high - low) / mostByte;
  range.scale = static_cast<float>(step);
  // Its reciprocal and products with the scales of weights are floats too.
  if (!(step > 0x1p-100 && step < 0x1p100))
    return std::nullopt;
  range.zero =
      std::clamp<int64_t>(std::llround(-low / range.scale), 0, mostByte);
  return range;
}

std::optional<RangeMethod> effc::parseRangeMethod(llvm::StringRef name) {
  return llvm::StringSwitch<std::optional<RangeMethod>>(name)
      .Case("best", RangeMethod::Best)
      .Case("min-max", RangeMethod::MinMax)
      .Case("percentile", RangeMethod::Percentile)
      .Case("mse", RangeMethod::MSE)
      .Case("entropy", RangeMethod::Entropy)
      .Default(std::nullopt);
}

namespace {

class RangeChooser {
public:
  RangeChooser(const TensorStatistics &tensor, ArrayRef<ChannelWeights> readers)
      : tensor(tensor), readers(readers), low(std::min(tensor.min, 0.0F)),
        high(std::max(tensor.max, 0.0F)),
        total(static_cast<double>(tensor.getNumFinite())) {
    for (int i = 0; i < TensorStatistics::numBins; ++i)
      if (tensor.bins[i] != 0)
        bins.push_back(
            {tensor.getBinStart(i), static_cast<double>(tensor.bins[i])});
  }

  std::optional<ByteRange> choose(RangeMethod method) {
    auto wants = [&](RangeMethod which) {
      return method == RangeMethod::Best || method == which;
    };
    if (wants(RangeMethod::MinMax))
      consider(low, high, "min-max");
    if (total == 0)
      return best;
    if (wants(RangeMethod::Percentile))
      for (double share : {1e-5, 1e-4, 1e-3})
        consider(getQuantile(share), getQuantile(1 - share), "percentile");
    if (wants(RangeMethod::Entropy)) {
      double most = findEntropyThreshold();
      consider(std::max(low, -most), std::min(high, most), "entropy");
    }
    if (wants(RangeMethod::MSE))
      searchSquares();
    return best;
  }

private:
  struct Bin {
    double start, count;
  };
  struct Errors {
    double rounding = 0, clipping = 0; ///< mean squares over all elements
  };

  Errors measure(const ByteRange &range) const;
  double estimate(const ByteRange &range) const;
  void consider(double from, double to, llvm::StringLiteral method);
  void searchSquares();
  double getQuantile(double share) const;
  double findEntropyThreshold() const;

  const TensorStatistics &tensor;
  ArrayRef<ChannelWeights> readers;
  double low, high, total;
  std::vector<Bin> bins;
  std::optional<ByteRange> best;
};

} // namespace

/// Values are spread evenly over their bin.
RangeChooser::Errors RangeChooser::measure(const ByteRange &range) const {
  constexpr int points = 4;
  double width = tensor.getBinWidth();
  Errors errors;
  for (const Bin &bin : bins) {
    for (int i = 0; i < points; ++i) {
      double x = std::clamp(bin.start + (i + 0.5) / points * width, low, high);
      double inside = std::clamp(x, range.getLow(), range.getHigh());
      double rounded = std::nearbyint(x / range.scale) * range.scale;
      double error = inside == x ? rounded - x : inside - x;
      (inside == x ? errors.rounding : errors.clipping) +=
          error * error * bin.count / points;
    }
  }
  errors.rounding /= total;
  errors.clipping /= total;
  return errors;
}

double RangeChooser::estimate(const ByteRange &range) const {
  Errors errors = measure(range);
  const std::vector<double> &squares = tensor.channelSquares;
  double bound = std::numeric_limits<double>::infinity();
  if (range.getLow() > low)
    bound = std::min(bound, -range.getLow());
  if (range.getHigh() < high)
    bound = std::min(bound, range.getHigh());
  double sum = 0;
  for (const ChannelWeights &weights : readers) {
    double all = std::accumulate(weights.begin(), weights.end(), 0.0);
    double energy = 0, clipped = 0, clippedEnergy = 0;
    bool known = squares.size() == weights.size();
    for (size_t c = 0; known && c < squares.size(); ++c) {
      energy += squares[c] * weights[c];
      if (tensor.getChannelMagnitude(c) <= bound)
        continue;
      clipped += squares[c] * weights[c];
      clippedEnergy += squares[c];
    }
    // The share of weights that clipped elements meet, and the mean square of
    // the results.
    double share =
        clippedEnergy > 0 ? clipped / clippedEnergy * squares.size() : all;
    double mean = 0;
    if (known) {
      mean = energy * squares.size() / total;
    } else {
      for (const Bin &bin : bins)
        mean += bin.start * bin.start * bin.count / total;
      mean *= all;
    }
    double error =
        errors.rounding * all + clippingWeight * errors.clipping * share;
    sum += mean > 0 ? error / mean : 0;
  }
  return sum / std::max<size_t>(1, readers.size());
}

void RangeChooser::consider(double from, double to,
                            llvm::StringLiteral method) {
  std::optional<ByteRange> range =
      ByteRange::get(std::max(from, low), std::min(to, high), method);
  if (!range)
    return;
  range->error = total > 0 ? estimate(*range) : 0;
  if (!best || range->error < best->error)
    best = range;
}

/// Shrinks both ends, then each, by steps of a fiftieth.
void RangeChooser::searchSquares() {
  constexpr int steps = 50, least = 10;
  std::optional<ByteRange> other;
  std::swap(best, other);
  double from = low, to = high;
  auto search = [&](bool moveLow, bool moveHigh) {
    double bestFrom = from, bestTo = to, left = from, right = to;
    for (int i = steps; i >= least; --i) {
      double factor = static_cast<double>(i) / steps;
      double l = moveLow ? left * factor : left,
             r = moveHigh ? right * factor : right;
      double before = best ? best->error : 0;
      bool none = !best;
      consider(l, r, "mse");
      if (best && (none || best->error < before)) {
        bestFrom = l;
        bestTo = r;
      }
    }
    from = bestFrom;
    to = bestTo;
  };
  search(true, true);
  if (low < 0 && high > 0) {
    search(true, false);
    search(false, true);
  }
  if (other && (!best || other->error <= best->error))
    best = other;
}

double RangeChooser::getQuantile(double share) const {
  double seen = 0, wanted = share * total;
  for (const Bin &bin : bins) {
    seen += bin.count;
    if (seen >= wanted)
      return share < 0.5 ? bin.start : bin.start + tensor.getBinWidth();
  }
  return high;
}

/// The magnitude up to which 128 steps tell least different things from what
/// was seen, where that is clipped there.
double RangeChooser::findEntropyThreshold() const {
  constexpr int half = TensorStatistics::numBins / 2, levels = 128, stride = 16;
  std::vector<double> counts(half);
  for (int i = 0; i < half; ++i)
    counts[i] =
        static_cast<double>(tensor.bins[half + i] + tensor.bins[half - 1 - i]);
  double least = std::numeric_limits<double>::infinity();
  int chosen = half;
  for (int end = levels; end <= half; end += stride) {
    double kept = std::accumulate(counts.begin(), counts.begin() + end, 0.0);
    if (kept == 0)
      continue;
    double divergence = 0;
    for (int level = 0; level < levels; ++level) {
      int first = level * end / levels, last = (level + 1) * end / levels;
      auto begin = counts.begin() + first, behind = counts.begin() + last;
      double sum = std::accumulate(begin, behind, 0.0);
      double filled =
          std::count_if(begin, behind, [](double c) { return c > 0; });
      for (int i = first; i < last; ++i) {
        // What is clipped counts as seen in the last bin.
        double p = (counts[i] + (i == end - 1 ? total - kept : 0)) / total;
        double q = counts[i] > 0 ? sum / filled / kept : 1e-12;
        if (p > 0)
          divergence += p * std::log(p / q);
      }
    }
    if (divergence < least) {
      least = divergence;
      chosen = end;
    }
  }
  return chosen * tensor.getBinWidth();
}

std::optional<ByteRange> effc::chooseRange(const TensorStatistics &tensor,
                                           ArrayRef<ChannelWeights> readers,
                                           RangeMethod method) {
  return RangeChooser(tensor, readers).choose(method);
}
