// Transformers have channels that are a hundred times as large as others, for
// which the steps of one scale are too coarse. A product does not change when a
// channel is divided and its weights are multiplied by the same factor, and
// weights have room, since their sizes differ less (Xiao et al.,
// "SmoothQuant", arXiv 2211.10438). Here the factor costs nothing: rounding
// multiplies by a constant anyway. Of some shares of the difference the one is
// taken whose estimated error, of activations and weights, is least.
#include "Balance.h"
#include <cmath>

using namespace effc;
using llvm::ArrayRef;

/// The error that remains has to be this much smaller.
static constexpr double leastGain = 0.7;

static std::vector<float> getFactors(ArrayRef<double> inputs,
                                     ArrayRef<double> weights, double share) {
  std::vector<double> logs(inputs.size());
  double sum = 0;
  size_t number = 0;
  for (size_t c = 0; c < logs.size(); ++c) {
    if (inputs[c] == 0 || weights[c] == 0)
      continue;
    logs[c] =
        share * std::log2(inputs[c]) - (1 - share) * std::log2(weights[c]);
    sum += logs[c];
    ++number;
  }
  double mean = number ? sum / static_cast<double>(number) : 0;
  std::vector<float> factors(logs.size(), 1.0F);
  for (size_t c = 0; c < logs.size(); ++c)
    if (inputs[c] != 0 && weights[c] != 0)
      factors[c] = static_cast<float>(
          std::exp2(std::clamp(logs[c] - mean, -20.0, 20.0)));
  return factors;
}

/// As ByteRange::error, of values spread evenly over a step.
static double estimateRounding(const ByteRange &range, ArrayRef<float> factors,
                               const ChannelInput &input,
                               const ChannelWeights &weights) {
  double error = 0, energy = 0;
  for (size_t c = 0; c < factors.size(); ++c) {
    double step = static_cast<double>(range.scale) * factors[c];
    error += std::min(step * step / 12, input.squares[c]) * weights[c];
    energy += input.squares[c] * weights[c];
  }
  return energy > 0 ? error / energy : 0;
}

std::optional<Balance> effc::chooseBalance(const TensorStatistics &tensor,
                                           const ByteRange &range,
                                           const ChannelInput &input,
                                           ArrayRef<LayerWeights *> readers) {
  size_t channels = tensor.getNumChannels();
  if (channels == 0 || input.squares.size() != channels)
    return std::nullopt;
  std::vector<double> inputs(channels), largest(channels);
  std::vector<ChannelWeights> weights;
  for (size_t c = 0; c < channels; ++c)
    inputs[c] = tensor.getChannelMagnitude(c);
  for (LayerWeights *reader : readers) {
    weights.push_back(reader->getChannelWeights());
    if (weights.back().size() != channels)
      return std::nullopt;
    for (auto [c, most] : llvm::enumerate(reader->getChannelMaxima()))
      largest[c] = std::max(largest[c], static_cast<double>(most));
  }
  auto addWeights = [&](double error, ArrayRef<float> factors) {
    for (LayerWeights *reader : readers)
      error += reader->estimateError(input, factors) /
               static_cast<double>(readers.size());
    return error;
  };
  double least =
      leastGain * addWeights(range.error, std::vector<float>(channels, 1.0F));
  std::optional<Balance> best;
  for (double share : {0.25, 0.5, 0.75, 1.0}) {
    Balance balance;
    balance.factors = getFactors(inputs, largest, share);
    balance.share = share;
    double low = 0, high = 0;
    for (size_t c = 0; c < channels; ++c) {
      double factor = balance.factors[c];
      low = std::min(low, tensor.channelMins[c] / factor);
      high = std::max(high, tensor.channelMaxs[c] / factor);
    }
    std::optional<ByteRange> divided = ByteRange::get(low, high, "min-max");
    if (!divided)
      continue;
    balance.range = *divided;
    for (const ChannelWeights &each : weights)
      balance.range.error +=
          estimateRounding(*divided, balance.factors, input, each) /
          static_cast<double>(weights.size());
    double error = addWeights(balance.range.error, balance.factors);
    if (error >= least)
      continue;
    least = error;
    best = std::move(balance);
  }
  return best;
}
