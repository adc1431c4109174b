// Weight-only quantisation (Frantar et al., "GPTQ", arXiv 2210.17323, without
// its correction of errors; FineQuant, arXiv 2308.09723): decoding reads all
// weights for a few rows, so that fewer bytes are less time, and f32 arithmetic
// stays. Each group of neighbours in a row has the scale, and perhaps the zero
// point, with the least square error of those tried.
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
  bool isAsymmetric;

  float most() const { return static_cast<float>((1 << bits) - 1); }
  float middle() const { return static_cast<float>(1 << (bits - 1)); }

  float round(float x, const GroupScale &group) const {
    return std::clamp(roundSmall(x / group.scale) + group.zero, 0.0F, most());
  }

  void consider(ArrayRef<float> x, float scale, float zero,
                GroupScale &best) const {
    // NaN where a group is zero.
    if (!(std::fabs(scale) >= leastScale))
      scale = 1;
    GroupScale tried{scale, zero, 0};
    for (float value : x) {
      double error = (round(value, tried) - zero) * scale - value;
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
    if ((bits == 4 || bits == 8) && group >= 16 && group <= 256 &&
        llvm::isPowerOf2_64(static_cast<uint64_t>(group)))
      return success();
    return mlir::emitError(UnknownLoc::get(context))
           << "eff-quantize-weights: bits are 4 or 8, groups powers of two "
              "from "
              "16 to 256";
  }

  /// Why a layer stays in f32, or "".
  std::string findReason(const QuantizableLayer &layer) const {
    if (!layer.getConstantWeight())
      return "both of its factors are computed";
    if (!isa<LinearOp>(layer.op()))
      return "only the weights of matrix products are read once a row";
    if (layer.product.countTerms() % group != 0 ||
        layer.product.countTerms() == 0)
      return "its rows are no whole number of groups";
    return always
               ? ""
               : estimateWeightOnlyCost(layer, bits, group, targets).obstacle;
  }

  std::string getScheme() const {
    std::string scheme = "w" + std::to_string(bits);
    if (bits == 4)
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
                  rewrite(layer, *weights, journal);
                  return "";
                });
    numTaken += journal.getNumTaken();
    numDeclined += journal.getNumDeclined();
    journal.write(getOperation());
  }

  void rewrite(const QuantizableLayer &layer, const LayerWeights &weights,
               LayerJournal &journal) {
    MLIRContext *context = &getContext();
    int64_t rows = weights.getNumOutputs(), depth = weights.getNumChannels(),
            groups = depth / group;
    Type integer = IntegerType::get(context, bits, IntegerType::Unsigned),
         f32 = Float32Type::get(context);
    ConstantBuilder integers(RankedTensorType::get({rows, depth}, integer)),
        scales(RankedTensorType::get({rows, groups}, f32)),
        zeros(RankedTensorType::get({rows, groups}, f32));
    GroupQuantizer quantizer{bits, asymmetric};
    double error = 0, energy = 0;
    std::vector<float> x(group);
    for (int64_t row = 0; row < rows; ++row)
      for (int64_t g = 0; g < groups; ++g) {
        for (int64_t i = 0; i < group; ++i) {
          x[i] = weights.at(row, g * group + i);
          energy += static_cast<double>(x[i]) * x[i];
        }
        GroupScale best = quantizer.choose(x);
        error += best.error;
        scales.setFloat(row * groups + g, best.scale);
        zeros.setFloat(row * groups + g, best.zero);
        for (int64_t i = 0; i < group; ++i)
          integers.setInt(row * depth + g * group + i,
                          static_cast<int64_t>(quantizer.round(x[i], best)));
      }
    // Not the layer's: a layer before may have been replaced.
    Operation *op = layer.op();
    OpBuilder b(op);
    Location loc = op->getLoc();
    auto constant = [&](ConstantBuilder &builder, StringRef name) -> Value {
      return ConstantOp::create(b, loc, builder.finish(name));
    };
    Value y = BlockLinearOp::create(
        b, loc, op->getResult(0).getType(), op->getOperand(0),
        constant(integers, "integers"), constant(scales, "scales"),
        asymmetric ? constant(zeros, "zeros") : Value(),
        static_cast<uint64_t>(group), /*bytes=*/false);
    if (Value bias = cast<LinearOp>(op).getBias())
      y = BinaryOp::create(b, loc, BinaryKind::Add, y, bias);
    journal.take(op, "only the weights",
                 energy > 0 ? std::sqrt(error / energy) : 0.0);
    op->getResult(0).replaceAllUsesWith(y);
    op->erase();
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
