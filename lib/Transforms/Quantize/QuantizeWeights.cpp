// Weight-only quantisation (Frantar et al., "GPTQ", arXiv 2210.17323, without
// its correction of errors; FineQuant, arXiv 2308.09723): decoding reads all
// weights for a few rows, so that fewer bytes are less time, and f32 arithmetic
// stays. Each group of neighbours in a row has the scale, and perhaps the zero
// point, with the least square error of those tried. With `nf4` integers stand
// for quantiles of the normal distribution (Dettmers et al., "QLoRA", arXiv
// 2305.14314, appendix E); with `lossless` only what loses nothing is taken,
// as ternary weights are (Ma et al., BitNet b1.58, arXiv 2402.17764).
#include "Effk/EffkOps.h"
#include "LayerCost.h"
#include "LayerWeights.h"
#include "effc/Analysis/Constants.h"
#include "effc/Support/Diagnostics.h"
#include "effc/Transforms/Quantize/Passes.h"
#include <array>
#include <cmath>

namespace effc {
#define GEN_PASS_DEF_QUANTIZEWEIGHTS
#include "effc/Transforms/Quantize/Passes.h.inc"
} // namespace effc

using namespace mlir;
using namespace effc;
using namespace effc::eff;

namespace {

/// NormalFloat of 4 bits, from -1 to 1.
constexpr std::array<float, 16> normalFloats = {
    -1.0F,          -0.6961928010F, -0.5250730515F, -0.3949174881F,
    -0.2844413817F, -0.1847734302F, -0.0910500363F, 0.0F,
    0.0795802996F,  0.1609302014F,  0.2461123019F,  0.3379152417F,
    0.4407098293F,  0.5626170039F,  0.7229568362F,  1.0F};

/// The nearest one, by bins that are narrower than any two of them are apart:
/// a bin has at most one border.
class NormalFloatBins {
public:
  NormalFloatBins() {
    for (size_t bin = 0; bin < first.size(); ++bin)
      while (first[bin] < borders.size() &&
             getBorder(first[bin]) < float(bin) / perUnit - 1)
        ++first[bin];
    for (size_t i = 0; i < borders.size(); ++i)
      borders[i] = getBorder(i);
  }

  float round(float x) const {
    float at = std::clamp((x + 1) * perUnit, 0.0F, float(first.size() - 1));
    uint8_t code = first[static_cast<size_t>(at)];
    return static_cast<float>(code + (x > borders[code]));
  }

private:
  static constexpr float perUnit = 32;

  static float getBorder(size_t code) {
    return code + 1 < normalFloats.size()
               ? (normalFloats[code] + normalFloats[code + 1]) / 2
               : std::numeric_limits<float>::infinity();
  }

  /// The code below each bin's first border, and the border above each code.
  std::array<uint8_t, 65> first{};
  std::array<float, 16> borders{};
};

/// Shares of a group's range that its integers may span.
constexpr std::array<float, 5> shares = {1.0F, 0.95F, 0.9F, 0.85F, 0.8F};
/// Scales below this are zero: products with them would not be normal floats.
constexpr float leastScale = 0x1p-100F;

/// weight = (integer - zero) * scale.
struct GroupScale {
  float scale = 1, zero = 0;
  double error = std::numeric_limits<double>::infinity();
};

/// Groups of one size in `bits`.
struct GroupQuantizer {
  int64_t bits;
  bool isAsymmetric, hasNormalFloats;

  float most() const { return static_cast<float>((1 << bits) - 1); }
  float middle() const { return static_cast<float>(1 << (bits - 1)); }

  /// The integer that stands for a weight.
  float round(float x, const GroupScale &group) const {
    if (hasNormalFloats)
      return roundToNormalFloat(x / group.scale);
    return std::clamp(roundSmall(x / group.scale) + group.zero, 0.0F, most());
  }

  static float roundToNormalFloat(float x) {
    static const NormalFloatBins bins;
    return bins.round(x);
  }

  /// What it stands for.
  float decode(float integer, const GroupScale &group) const {
    return group.scale * (hasNormalFloats
                              ? normalFloats[static_cast<size_t>(integer)]
                              : integer - group.zero);
  }

  void consider(ArrayRef<float> x, float scale, float zero,
                GroupScale &best) const {
    // NaN where a group is zero.
    if (!(std::fabs(scale) >= leastScale))
      scale = 1;
    GroupScale tried{scale, zero, 0};
    for (float value : x) {
      double error = decode(round(value, tried), tried) - value;
      tried.error += error * error;
    }
    if (tried.error < best.error)
      best = tried;
  }

  GroupScale choose(ArrayRef<float> x) const {
    auto [least, largest] = std::minmax_element(x.begin(), x.end());
    float low = std::min(*least, 0.0F), high = std::max(*largest, 0.0F);
    GroupScale best;
    // The end that is farther from 0 may take the integer that only one end
    // has.
    float far = -low > high ? low : high;
    for (float share : shares) {
      if (hasNormalFloats) {
        consider(x, std::fabs(far) * share, 0, best);
        continue;
      }
      if (isAsymmetric) {
        float scale = (high - low) * share / most();
        float zero = scale >= leastScale ? roundSmall(-low * share / scale) : 0;
        consider(x, scale, zero, best);
        continue;
      }
      consider(x, -far * share / middle(), middle(), best);
      consider(x, std::fabs(far) * share / (middle() - 1), middle(), best);
    }
    return best;
  }
};

struct QuantizeWeights : effc::impl::QuantizeWeightsBase<QuantizeWeights> {
  using Base::Base;
  QuantizeWeights(const QuantizeWeightsOptions &options,
                  ArrayRef<TargetAttr> targets)
      : Base(options), targets(targets) {}

  LogicalResult initialize(MLIRContext *context) override {
    filter = LayerFilter::get(context, "eff-quantize-weights", skip);
    if (!filter)
      return failure();
    bool hasBits = (bits >= 2 && bits <= 4) || bits == 8;
    auto isGroup = [&] {
      return group == 0 ||
             (group >= std::max<int64_t>(getUnit(), 16) && group <= 256 &&
              llvm::isPowerOf2_64(static_cast<uint64_t>(group)));
    };
    if (hasBits && isGroup() && (!nf4 || (bits == 4 && !asymmetric)))
      return success();
    return mlir::emitError(UnknownLoc::get(context))
           << "eff-quantize-weights: bits are 2, 3, 4 or 8; groups powers of "
              "two from 16, of 3 bits from 32, to 256, or 0; and nf4 has 4 "
              "bits and no zero points";
  }

  /// Integers that lie together in memory.
  int64_t getUnit() const { return effk::getCodeUnit(bits).codes; }

  int64_t getGroup(const QuantizableLayer &layer) const {
    return group ? group : layer.product.countTerms();
  }

  /// Why a layer stays in f32, or "".
  std::string findReason(const QuantizableLayer &layer) const {
    if (!layer.getConstantWeight())
      return "both of its factors are computed";
    if (!isa<LinearOp>(layer.op()))
      return "only the weights of matrix products are read once a row";
    int64_t terms = layer.product.countTerms();
    if (terms == 0 || terms % getGroup(layer) != 0 || terms % getUnit() != 0)
      return "its rows are no whole number of groups";
    if (always)
      return "";
    return estimateWeightOnlyCost(layer, bits, getGroup(layer), targets)
        .obstacle;
  }

  std::string getScheme() const {
    if (lossless && bits == 2 && group == 0)
      return "ternary";
    std::string scheme = nf4 ? "nf4" : "w" + std::to_string(bits);
    if (bits != 8 && group != 0)
      scheme += "g" + std::to_string(group);
    return scheme + (asymmetric ? "a" : "");
  }

  void runOnOperation() override {
    if (failed(settleTargets(getOperation(), "eff-quantize-weights", targets)))
      return signalPassFailure();
    LayerJournal journal(getScheme());
    visitLayers(getOperation(), *filter, journal,
                [&](const QuantizableLayer &layer) -> std::string {
                  if (std::string reason = findReason(layer); !reason.empty())
                    return reason;
                  std::optional<LayerWeights> weights =
                      LayerWeights::get(layer);
                  if (!weights)
                    return kNoMatrix.str();
                  return rewrite(layer, *weights, journal);
                });
    numTaken += journal.getNumTaken();
    numDeclined += journal.getNumDeclined();
    journal.write(getOperation());
  }

  /// The weights as integers, and what they are off by.
  struct Quantized {
    ConstantBuilder integers, scales, zeros;
    double error = 0, energy = 0;
  };

  Quantized quantize(const LayerWeights &weights, int64_t group) {
    int64_t rows = weights.getNumOutputs(), depth = weights.getNumChannels(),
            groups = depth / group;
    MLIRContext *context = &getContext();
    Type integer = IntegerType::get(context, bits, IntegerType::Unsigned),
         f32 = Float32Type::get(context);
    auto parameters = RankedTensorType::get({rows, groups}, f32);
    Quantized result{
        ConstantBuilder(RankedTensorType::get({rows, depth}, integer)),
        ConstantBuilder(parameters), ConstantBuilder(parameters)};
    GroupQuantizer quantizer{bits, asymmetric, nf4};
    std::vector<float> x(group);
    for (int64_t row = 0; row < rows; ++row)
      for (int64_t g = 0; g < groups; ++g) {
        for (int64_t i = 0; i < group; ++i) {
          x[i] = weights.at(row, g * group + i);
          result.energy += static_cast<double>(x[i]) * x[i];
        }
        GroupScale best = quantizer.choose(x);
        result.error += best.error;
        result.scales.setFloat(row * groups + g, best.scale);
        result.zeros.setFloat(row * groups + g, best.zero);
        for (int64_t i = 0; i < group; ++i)
          result.integers.setInt(
              row * depth + g * group + i,
              static_cast<int64_t>(quantizer.round(x[i], best)));
      }
    return result;
  }

  /// Says why the layer stays after all, or "".
  std::string rewrite(const QuantizableLayer &layer,
                      const LayerWeights &weights, LayerJournal &journal) {
    Quantized quantized = quantize(weights, getGroup(layer));
    if (lossless && quantized.error != 0)
      return "its rows are no integers of " + std::to_string(bits) +
             " bits times a scale";
    // Not the layer's: a layer before may have been replaced.
    Operation *op = layer.op();
    OpBuilder b(op);
    Location loc = op->getLoc();
    auto constant = [&](ConstantBuilder &builder, StringRef name) -> Value {
      return ConstantOp::create(b, loc, builder.finish(name));
    };
    Value y = BlockLinearOp::create(
        b, loc, op->getResult(0).getType(), op->getOperand(0),
        constant(quantized.integers, "integers"),
        constant(quantized.scales, "scales"),
        asymmetric ? constant(quantized.zeros, "zeros") : Value(),
        static_cast<uint64_t>(getGroup(layer)), /*bytes=*/false,
        nf4 ? b.getDenseF32ArrayAttr(normalFloats) : DenseF32ArrayAttr());
    if (Value bias = cast<LinearOp>(op).getBias())
      y = BinaryOp::create(b, loc, BinaryKind::Add, y, bias);
    journal.take(op, "only the weights",
                 quantized.energy > 0
                     ? std::sqrt(quantized.error / quantized.energy)
                     : 0.0);
    op->getResult(0).replaceAllUsesWith(y);
    op->erase();
    return "";
  }

  std::optional<LayerFilter> filter;
  SmallVector<TargetAttr> targets;
};

} // namespace

std::unique_ptr<Pass>
effc::createQuantizeWeights(const QuantizeWeightsOptions &options,
                            ArrayRef<TargetAttr> targets) {
  return std::make_unique<QuantizeWeights>(options, targets);
}
