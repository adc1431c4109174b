// Counting values of tensors. Bins have widths of powers of two and merge in
// pairs, so every value is in the bin that it would be in had the whole range
// been known before: the result depends neither on order nor on grouping.
#include "effc/Support/Statistics.h"

#include <algorithm>
#include <cmath>

namespace effc {

/// Binary digits of the number of bins on either side of zero.
static constexpr int kHalfBinsLog2 = 11;
static constexpr int kHalfBins = 1 << kHalfBinsLog2;
static_assert(TensorStatistics::numBins == 2 * kHalfBins);

double TensorStatistics::getBinWidth() const {
  return std::ldexp(1.0, exponent - kHalfBinsLog2);
}

double TensorStatistics::getBinStart(int bin) const {
  return (bin - kHalfBins) * getBinWidth();
}

void TensorStatistics::raiseExponent(int to) {
  if (to <= exponent)
    return;
  // Beyond this everything is in the two bins beside zero.
  int shift = std::min(to - exponent, kHalfBinsLog2 + 1);
  std::vector<uint64_t> merged(numBins);
  for (int i = 0; i < numBins; ++i)
    merged[((i - kHalfBins) >> shift) + kHalfBins] += bins[i];
  bins = std::move(merged);
  exponent = to;
}

/// Whether there are values by channel, and so many.
bool TensorStatistics::takeChannels(size_t channels) {
  if (mixedChannels)
    return false;
  if (channelMagnitudes.empty() && channels > 0 && channels <= maxChannels) {
    channelMagnitudes.resize(channels);
    channelSquares.resize(channels);
  }
  if (channels > 0 && channels == channelMagnitudes.size())
    return true;
  mixedChannels = true;
  channelMagnitudes.clear();
  channelSquares.clear();
  return false;
}

void TensorStatistics::add(const float *values, size_t number,
                           size_t channels) {
  if (number == 0)
    return;
  uint64_t numFiniteBefore = getNumFinite();
  float low = 0, high = 0;
  if (numFiniteBefore) {
    low = min;
    high = max;
  }
  bool any = numFiniteBefore > 0;
  for (size_t i = 0; i < number; ++i) {
    // Zeros of either sign count as one.
    float value = values[i] + 0.0f;
    if (!std::isfinite(value)) {
      ++(std::isnan(value) ? numNaN : numInf);
      continue;
    }
    low = any ? std::min(low, value) : value;
    high = any ? std::max(high, value) : value;
    any = true;
  }
  count += number;
  if (any) {
    min = low;
    max = high;
  }
  int needed = leastExponent;
  (void)std::frexp(std::max(std::fabs(low), std::fabs(high)), &needed);
  raiseExponent(needed);

  double scale = std::ldexp(1.0, kHalfBinsLog2 - exponent);
  for (size_t i = 0; i < number; ++i) {
    if (!std::isfinite(values[i]))
      continue;
    double place = values[i] * scale;
    int bin = static_cast<int>(place);
    bin -= bin > place;
    ++bins[bin + kHalfBins];
  }
  if (!takeChannels(channels))
    return;
  for (size_t i = 0; i < number; ++i) {
    size_t channel = i % channels;
    float value = values[i];
    if (!std::isfinite(value))
      continue;
    float &magnitude = channelMagnitudes[channel];
    magnitude = std::max(magnitude, std::fabs(value));
    channelSquares[channel] += static_cast<double>(value) * value;
  }
}

void TensorStatistics::merge(const TensorStatistics &other) {
  if (other.count == 0)
    return;
  TensorStatistics theirs = other;
  if (getNumFinite() == 0) {
    min = theirs.min;
    max = theirs.max;
  } else if (theirs.getNumFinite()) {
    min = std::min(min, theirs.min);
    max = std::max(max, theirs.max);
  }
  count += theirs.count;
  numNaN += theirs.numNaN;
  numInf += theirs.numInf;
  raiseExponent(theirs.exponent);
  theirs.raiseExponent(exponent);
  for (int i = 0; i < numBins; ++i)
    bins[i] += theirs.bins[i];
  if (!takeChannels(theirs.channelMagnitudes.size()))
    return;
  for (size_t i = 0; i < channelMagnitudes.size(); ++i) {
    channelMagnitudes[i] =
        std::max(channelMagnitudes[i], theirs.channelMagnitudes[i]);
    channelSquares[i] += theirs.channelSquares[i];
  }
}

bool operator==(const TensorStatistics &a, const TensorStatistics &b) {
  return a.count == b.count && a.numNaN == b.numNaN && a.numInf == b.numInf &&
         a.min == b.min && a.max == b.max && a.exponent == b.exponent &&
         a.bins == b.bins && a.channelMagnitudes == b.channelMagnitudes &&
         a.channelSquares == b.channelSquares &&
         a.mixedChannels == b.mixedChannels;
}

} // namespace effc
