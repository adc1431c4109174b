// Counting values of tensors. Bins have widths of powers of two and merge in
// pairs, so every value is in the bin that it would be in had the whole range
// been known before: the result depends neither on order nor on grouping.
#include "effc/Support/Statistics.h"

#include <algorithm>
#include <cmath>
#include <limits>

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

int TensorStatistics::getBin(float value) const {
  double place =
      std::ldexp(static_cast<double>(value), kHalfBinsLog2 - exponent);
  return static_cast<int>(std::floor(place)) + kHalfBins;
}

void TensorStatistics::resizeChannels(size_t channels) {
  channelMins.resize(channels);
  channelMaxs.resize(channels);
  channelSums.resize(channels);
  channelSquares.resize(channels);
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
  if (getNumChannels() == 0 && channels > 0 && channels <= maxChannels)
    resizeChannels(channels);
  if (channels > 0 && channels == getNumChannels())
    return true;
  mixedChannels = true;
  resizeChannels(0);
  return false;
}

static bool isFinite(float value) {
  return std::fabs(value) <= std::numeric_limits<float>::max();
}

/// Takes the range in; zeros of either sign count as one.
void TensorStatistics::addRange(const float *values, size_t number) {
  constexpr float infinity = std::numeric_limits<float>::infinity();
  float low = infinity, high = -infinity;
  size_t numFinite = 0, numNotNaN = 0;
  for (size_t i = 0; i < number; ++i) {
    float value = values[i] + 0.0f;
    bool finite = isFinite(value);
    numFinite += finite;
    numNotNaN += value == value;
    low = std::min(low, finite ? value : infinity);
    high = std::max(high, finite ? value : -infinity);
  }
  bool any = getNumFinite() > 0;
  count += number;
  numNaN += number - numNotNaN;
  numInf += numNotNaN - numFinite;
  if (numFinite == 0)
    return;
  min = any ? std::min(min, low) : low;
  max = any ? std::max(max, high) : high;
  int needed = leastExponent;
  float most = std::max(std::fabs(min), std::fabs(max));
  if (most > 0)
    (void)std::frexp(most, &needed);
  raiseExponent(needed);
}

void TensorStatistics::add(const float *values, size_t number,
                           size_t channels) {
  if (number == 0)
    return;
  addRange(values, number);
  double scale = std::ldexp(1.0, kHalfBinsLog2 - exponent);
  for (size_t i = 0; i < number; ++i) {
    if (!isFinite(values[i]))
      continue;
    double place = values[i] * scale;
    int bin = static_cast<int>(place);
    bin -= bin > place;
    ++bins[bin + kHalfBins];
  }
  if (!takeChannels(channels))
    return;
  for (const float *row = values; row < values + number; row += channels)
    for (size_t channel = 0; channel < channels; ++channel) {
      float value = isFinite(row[channel]) ? row[channel] : 0.0f;
      channelMins[channel] = std::min(channelMins[channel], value);
      channelMaxs[channel] = std::max(channelMaxs[channel], value);
      channelSums[channel] += value;
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
  if (!takeChannels(theirs.getNumChannels()))
    return;
  for (size_t i = 0; i < getNumChannels(); ++i) {
    channelMins[i] = std::min(channelMins[i], theirs.channelMins[i]);
    channelMaxs[i] = std::max(channelMaxs[i], theirs.channelMaxs[i]);
    channelSums[i] += theirs.channelSums[i];
    channelSquares[i] += theirs.channelSquares[i];
  }
}

bool operator==(const TensorStatistics &a, const TensorStatistics &b) {
  return a.count == b.count && a.numNaN == b.numNaN && a.numInf == b.numInf &&
         a.min == b.min && a.max == b.max && a.exponent == b.exponent &&
         a.bins == b.bins && a.channelMins == b.channelMins &&
         a.channelMaxs == b.channelMaxs && a.channelSums == b.channelSums &&
         a.channelSquares == b.channelSquares &&
         a.mixedChannels == b.mixedChannels;
}

} // namespace effc
