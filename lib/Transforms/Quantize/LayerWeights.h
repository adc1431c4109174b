// The constant weights of a layer by output and channel, and as bytes.
#ifndef EFFC_LIB_TRANSFORMS_QUANTIZE_LAYERWEIGHTS_H
#define EFFC_LIB_TRANSFORMS_QUANTIZE_LAYERWEIGHTS_H

#include "Layers.h"
#include "Ranges.h"

namespace effc {

/// To nearest even, of magnitudes below 2^22: inline, unlike the function of
/// the C library.
inline float roundSmall(float x) {
  constexpr float magic = 0x1.8p23F;
  return x + magic - magic;
}

/// What calibration saw of the channels of a layer's input; empty where it is
/// not known.
struct ChannelInput {
  /// Mean squares and means; all the same without the former.
  std::vector<double> squares, means;

  /// Of the input when each channel is divided by its factor.
  ChannelInput balanced(llvm::ArrayRef<float> factors) const;
};

/// Integers from -127 to 127 and a scale for each output.
struct ByteWeight {
  mlir::ElementsAttr bytes;
  std::vector<float> scales;
  /// By how much the mean of each result became less; empty where the means
  /// of the input are not known.
  std::vector<double> lost;
  /// Estimated mean square of what the results are off by, over their own.
  double error = 0;

  /// The scales as a constant of `shape`.
  mlir::Value createScales(mlir::OpBuilder &b, mlir::Location loc,
                           llvm::ArrayRef<int64_t> shape) const;
};

/// Why a layer whose weights `LayerWeights::get` does not take stays in f32.
inline constexpr llvm::StringLiteral kNoMatrix =
    "its weights are no matrix of finite numbers";

class LayerWeights {
public:
  /// Nothing where the weights are not constant or not finite.
  static std::optional<LayerWeights> get(const QuantizableLayer &layer);

  /// Channels of the layer's input.
  int64_t getNumChannels() const { return channels * groups; }
  int64_t getNumOutputs() const { return outputs * groups; }
  /// Of a matrix.
  float at(int64_t output, int64_t channel) const {
    return values[output * outputStride + channel * channelStride];
  }
  ChannelWeights getChannelWeights() const;
  /// For each channel the largest magnitude.
  std::vector<float> getChannelMaxima() const;
  /// Those of channels times their factors.
  LayerWeights balanced(llvm::ArrayRef<float> factors) const;

  /// Each output is clipped where that gives the least error; the squares of
  /// the input's channels say how much each weight counts.
  ByteWeight quantize(const ChannelInput &input = {}) const;
  /// Estimates the error of `balanced(factors).quantize(...)` without clips.
  double estimateError(const ChannelInput &input,
                       llvm::ArrayRef<float> factors) const;

private:
  template <typename Function> void forEach(Function function) const;

  std::vector<float> values;
  mlir::RankedTensorType type;
  /// Channels and outputs of a group; elements of one pair are neighbours.
  int64_t outputs = 1, channels = 1, taps = 1, groups = 1;
  int64_t outputStride = 1, channelStride = 1;
};

} // namespace effc

#endif // EFFC_LIB_TRANSFORMS_QUANTIZE_LAYERWEIGHTS_H
