// What calibration learns of the tensors that layers read, and the file that
// keeps it (docs/quantization.md, "Calibration"). Counts and ranges do not
// depend on the order of values or samples; sums do, so samples go in order.
#ifndef EFFC_SUPPORT_STATISTICS_H
#define EFFC_SUPPORT_STATISTICS_H

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace effc {

/// One tensor over all samples.
struct TensorStatistics {
  static constexpr int numBins = 4096;
  static constexpr int leastExponent = -126, mostExponent = 128;
  static constexpr size_t maxChannels = 16384;

  /// Of all values, and of those that are no numbers.
  uint64_t count = 0, numNaN = 0, numInf = 0;
  /// Of the finite values; 0 when there is none.
  float min = 0, max = 0;
  /// The least for which bins over [-2^exponent, 2^exponent) hold all finite
  /// values; bin i begins at getBinStart(i). A larger value merges neighbouring
  /// bins, so the counts are what they were had the range been known before.
  int exponent = leastExponent;
  std::vector<uint64_t> bins = std::vector<uint64_t>(numBins);
  /// By channel, the last axis: the least and the largest of 0 and its finite
  /// values, their sum and that of their squares. Empty where the number of
  /// channels is not the same in all samples, or more than maxChannels.
  std::vector<float> channelMins, channelMaxs;
  std::vector<double> channelSums, channelSquares;
  /// There are no channels, and there will be none.
  bool mixedChannels = false;

  uint64_t getNumFinite() const { return count - numNaN - numInf; }
  size_t getNumChannels() const { return channelSquares.size(); }
  float getChannelMagnitude(size_t channel) const {
    return std::max(-channelMins[channel], channelMaxs[channel]);
  }
  double getBinStart(int bin) const;
  /// Where a value of magnitude below 2^exponent is counted.
  int getBin(float value) const;
  double getBinWidth() const;

  /// Values in C order; the last axis has `channels` of them (`number` is
  /// a multiple), 0: it has no fixed size.
  void add(const float *values, size_t number, size_t channels);
  void merge(const TensorStatistics &other);

private:
  void addRange(const float *values, size_t number);
  void raiseExponent(int to);
  bool takeChannels(size_t channels);
  void resizeChannels(size_t channels);
};

bool operator==(const TensorStatistics &a, const TensorStatistics &b);

struct SampleRecord {
  /// Of the file or folder in the samples folder.
  std::string name;
  /// SHA-256, hexadecimal, of the arrays that the model read.
  std::string hash;
};

/// What a calibration found, by layer, and what it is of.
struct Statistics {
  std::string compilerVersion;
  std::string modelFile, modelSha256;
  /// Of the files that the model keeps weights in; "" without.
  std::string externalSha256;
  /// Options of compile that change layers or what they read.
  std::vector<std::string> options;
  /// All samples are in; otherwise a calibration may go on from here.
  bool complete = false;
  /// In the order of their names.
  std::vector<SampleRecord> samples;
  /// What each layer reads, by its name (Transforms/Quantize/Layers.h).
  std::map<std::string, TensorStatistics> layers;
};

/// The file: equal statistics give equal bytes.
std::string printStatistics(const Statistics &statistics);

/// Nothing and a reason for what is no complete and consistent file.
std::optional<Statistics> parseStatistics(std::string_view text,
                                          std::string &error);

// The messages of these name the file.
std::optional<Statistics> readStatistics(const std::string &path,
                                         std::string &error);
/// Beside it, then renamed: the file is the old one or the new one.
bool writeStatistics(const std::string &path, const Statistics &statistics,
                     std::string &error);

} // namespace effc

#endif // EFFC_SUPPORT_STATISTICS_H
