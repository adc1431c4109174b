// See LayerWeights.h. Weights are symmetric, a scale for each output: no zero
// point is needed and the scale is applied to the sum (Krishnamoorthi,
// "Quantizing deep convolutional networks for efficient inference", arXiv
// 1806.08342, section 3.1).
#include "LayerWeights.h"
#include "effc/Analysis/Constants.h"
#include <array>
#include <cmath>

using namespace mlir;
using namespace effc;
using namespace effc::eff;

/// The largest integer either way: -128 would make the range uneven.
static constexpr float mostInteger = 127;
/// Shares of the largest weight that 127 may stand for.
static constexpr std::array<float, 4> clips = {1.0F, 0.9F, 0.8F, 0.7F};

std::optional<LayerWeights> LayerWeights::get(const QuantizableLayer &layer) {
  std::optional<ConstantReader> reader =
      ConstantReader::get(layer.product.weight);
  if (!reader || reader->size() == 0)
    return std::nullopt;
  LayerWeights weights;
  weights.type = reader->getType();
  weights.values.resize(reader->size());
  for (int64_t i = 0, e = reader->size(); i < e; ++i) {
    weights.values[i] = static_cast<float>(reader->getFloat(i));
    if (!std::isfinite(weights.values[i]))
      return std::nullopt;
  }
  ArrayRef<int64_t> shape = weights.type.getShape();
  int64_t axis = layer.product.weightAxis;
  weights.outputs = shape[axis];
  if (auto conv = dyn_cast<ConvOp>(layer.op())) {
    weights.groups = static_cast<int64_t>(conv.getGroups());
    weights.channels = shape[1];
    weights.taps = reader->size() / (shape[0] * shape[1]);
    weights.outputs /= weights.groups;
    weights.channelStride = weights.taps;
    weights.outputStride = weights.channels * weights.taps;
  } else if (shape.size() == 2) {
    weights.channels = shape[1 - axis];
    weights.channelStride = axis == 0 ? 1 : shape[1];
    weights.outputStride = axis == 0 ? shape[1] : 1;
  } else {
    return std::nullopt;
  }
  return weights;
}

/// Calls with output, channel of the input and index; in the order of memory
/// where outputs are neighbours.
template <typename Function>
void LayerWeights::forEach(Function function) const {
  if (outputStride == 1 && groups == 1) {
    for (int64_t c = 0; c < channels; ++c)
      for (int64_t o = 0; o < outputs; ++o)
        function(o, c, c * channelStride + o);
    return;
  }
  for (int64_t o = 0; o < outputs * groups; ++o)
    for (int64_t c = 0; c < channels; ++c)
      for (int64_t tap = 0; tap < taps; ++tap)
        function(o, c + o / outputs * channels,
                 o * outputStride + c * channelStride + tap);
}

ChannelWeights LayerWeights::getChannelWeights() const {
  ChannelWeights sums(getNumChannels(), 0);
  forEach([&](int64_t, int64_t c, int64_t i) {
    sums[c] += static_cast<double>(values[i]) * values[i];
  });
  return sums;
}

std::vector<float> LayerWeights::getChannelMaxima() const {
  std::vector<float> maxima(getNumChannels(), 0.0F);
  forEach([&](int64_t, int64_t c, int64_t i) {
    maxima[c] = std::max(maxima[c], std::fabs(values[i]));
  });
  return maxima;
}

LayerWeights LayerWeights::balanced(ArrayRef<float> factors) const {
  LayerWeights result = *this;
  forEach([&](int64_t, int64_t c, int64_t i) {
    result.values[i] = values[i] * factors[c];
  });
  return result;
}

ChannelInput ChannelInput::balanced(ArrayRef<float> factors) const {
  ChannelInput result = *this;
  for (size_t c = 0; c < result.squares.size(); ++c)
    result.squares[c] /= static_cast<double>(factors[c]) * factors[c];
  for (size_t c = 0; c < result.means.size(); ++c)
    result.means[c] /= factors[c];
  return result;
}

double LayerWeights::estimateError(const ChannelInput &input,
                                   ArrayRef<float> factors) const {
  std::vector<float> largest(getNumOutputs(), 0.0F);
  double energy = 0;
  forEach([&](int64_t o, int64_t c, int64_t i) {
    largest[o] = std::max(largest[o], std::fabs(values[i] * factors[c]));
    energy += input.squares[c] * values[i] * values[i];
  });
  double steps = 0, sum = 0;
  for (float most : largest)
    steps += static_cast<double>(most) * most / (mostInteger * mostInteger);
  for (size_t c = 0; c < factors.size(); ++c)
    sum += input.squares[c] / (static_cast<double>(factors[c]) * factors[c]);
  // Each output reads the channels of its group.
  double error = steps * sum / static_cast<double>(groups) * taps / 12;
  return energy > 0 ? error / energy : 0;
}

ByteWeight LayerWeights::quantize(const ChannelInput &input) const {
  int64_t all = outputs * groups;
  std::vector<float> largest(all, 0.0F);
  forEach([&](int64_t o, int64_t, int64_t i) {
    largest[o] = std::max(largest[o], std::fabs(values[i]));
  });
  ByteWeight result;
  result.scales.resize(all);
  auto scaleOf = [&](int64_t o, size_t clip) {
    float scale = largest[o] * clips[clip] / mostInteger;
    // An output of zeros, or of what is too small to be scaled, is zero.
    return scale >= 0x1p-100F ? scale : 1.0F;
  };
  auto isKnown = [&](const std::vector<double> &channels) {
    return static_cast<int64_t>(channels.size()) == getNumChannels();
  };
  bool known = isKnown(input.squares);
  std::vector<std::array<double, clips.size()>> errors(all);
  double energy = 0;
  forEach([&](int64_t o, int64_t c, int64_t i) {
    double weight = known ? input.squares[c] : 1.0;
    energy += weight * values[i] * values[i];
    for (size_t clip = 0; clip < clips.size(); ++clip) {
      float scale = scaleOf(o, clip);
      float integer = std::clamp(values[i] / scale, -mostInteger, mostInteger);
      double error = roundSmall(integer) * scale - values[i];
      errors[o][clip] += weight * error * error;
    }
  });
  double error = 0;
  for (int64_t o = 0; o < all; ++o) {
    size_t best = 0;
    for (size_t clip = 1; clip < clips.size(); ++clip)
      if (errors[o][clip] < errors[o][best])
        best = clip;
    result.scales[o] = scaleOf(o, best);
    error += errors[o][best];
  }
  result.error = energy > 0 ? error / energy : 0;
  ConstantBuilder builder(RankedTensorType::get(
      type.getShape(), IntegerType::get(type.getContext(), 8)));
  bool knowsMeans = isKnown(input.means);
  result.lost.resize(knowsMeans ? all : 0);
  forEach([&](int64_t o, int64_t c, int64_t i) {
    float integer = roundSmall(
        std::clamp(values[i] / result.scales[o], -mostInteger, mostInteger));
    builder.setInt(i, static_cast<int64_t>(integer));
    if (knowsMeans)
      result.lost[o] +=
          (values[i] - static_cast<double>(integer) * result.scales[o]) *
          input.means[c];
  });
  result.bytes = builder.finish("bytes");
  return result;
}

Value ByteWeight::createScales(OpBuilder &b, Location loc,
                               ArrayRef<int64_t> shape) const {
  ConstantBuilder constant(RankedTensorType::get(shape, b.getF32Type()));
  for (auto [i, scale] : llvm::enumerate(scales))
    constant.setFloat(static_cast<int64_t>(i), scale);
  return eff::ConstantOp::create(b, loc, constant.finish("scales"));
}
