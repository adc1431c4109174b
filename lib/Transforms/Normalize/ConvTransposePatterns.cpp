// Transposed convolutions with constant weights as convolutions. With stride s
// an output at s * j + r reads inputs j, j - 1, ... with every s-th weight from
// r on, so the s phases are s times as many output channels of a convolution
// with stride 1, and interleaving them is a movement. (Shi et al., Is the
// deconvolution layer the same as a convolutional layer?, arXiv 1609.07009.)
#include "Eff/EffOps.h"
#include "Patterns.h"
#include "effc/Analysis/Constants.h"

using namespace mlir;
using namespace effc::eff;

namespace effc {
namespace {

struct ConvTransposeToConv : OpRewritePattern<ConvTransposeOp> {
  using OpRewritePattern::OpRewritePattern;

  /// Extents of one rewrite.
  struct Plan {
    size_t spatial;
    int64_t groups, inputs, outputs; ///< channels of one group
    SmallVector<int64_t> kernel, strides, dilations, taps;
    SmallVector<int64_t> extents; ///< of the convolution's result
    int64_t phases = 1;
  };

  static std::optional<Plan> makePlan(ConvTransposeOp op) {
    auto weight = cast<RankedTensorType>(op.getWeight().getType());
    auto x = cast<RankedTensorType>(op.getX().getType());
    auto y = cast<RankedTensorType>(op.getType());
    Plan plan;
    plan.spatial = weight.getRank() - 2;
    plan.groups = static_cast<int64_t>(op.getGroups());
    plan.inputs = weight.getDimSize(0) / plan.groups;
    plan.outputs = weight.getDimSize(1);
    plan.strides.assign(op.getStrides().begin(), op.getStrides().end());
    plan.dilations.assign(op.getDilations().begin(), op.getDilations().end());
    for (size_t i = 0; i < plan.spatial; ++i) {
      int64_t stride = plan.strides[i];
      if (x.isDynamicDim(2 + i) || y.isDynamicDim(2 + i) ||
          (stride > 1 && plan.dilations[i] > 1))
        return std::nullopt;
      plan.kernel.push_back(weight.getDimSize(2 + i));
      plan.taps.push_back(llvm::divideCeil(plan.kernel[i], stride));
      int64_t last = y.getDimSize(2 + i) + op.getPads()[i];
      plan.extents.push_back(std::max<int64_t>(llvm::divideCeil(last, stride),
                                               x.getDimSize(2 + i)));
      plan.phases *= stride;
    }
    return plan;
  }

  /// [groups, phases..., outputs, inputs, taps...], flipped, zeros where a
  /// phase has fewer weights.
  static ElementsAttr makeWeights(const Plan &plan,
                                  const ConstantReader &weight) {
    SmallVector<int64_t> shape = {plan.groups * plan.phases * plan.outputs,
                                  plan.inputs};
    llvm::append_range(shape, plan.taps);
    ConstantBuilder result(
        RankedTensorType::get(shape, weight.getType().getElementType()));
    int64_t kernelSize = ShapedType::getNumElements(plan.kernel);
    int64_t tapsSize = ShapedType::getNumElements(plan.taps);
    unsigned bytes = getElementSize(weight.getKind());
    for (int64_t to = 0; to < shape[0] * shape[1] * tapsSize; ++to) {
      int64_t input = to / tapsSize % plan.inputs;
      int64_t channel = to / tapsSize / plan.inputs;
      int64_t output = channel % plan.outputs;
      int64_t phase = channel / plan.outputs % plan.phases;
      int64_t group = channel / plan.outputs / plan.phases;
      int64_t tap = to % tapsSize, from = 0, scale = 1;
      bool exists = true;
      for (size_t i = plan.spatial; i-- > 0;) {
        int64_t at = (plan.taps[i] - 1 - tap % plan.taps[i]) * plan.strides[i] +
                     phase % plan.strides[i];
        exists &= at < plan.kernel[i];
        from += at * scale;
        scale *= plan.kernel[i];
        tap /= plan.taps[i];
        phase /= plan.strides[i];
      }
      if (exists)
        std::memcpy(
            result.at(to),
            weight.at(((group * plan.inputs + input) * plan.outputs + output) *
                          kernelSize +
                      from),
            bytes);
    }
    return result.finish("weight");
  }

  /// Brings [N, groups, phases..., outputs, extents...] into the order
  /// [N, groups, outputs, extent, phase, extent, phase, ...] and joins dims.
  static Value interleave(PatternRewriter &rewriter, Location loc, Value value,
                          const Plan &plan) {
    auto type = cast<RankedTensorType>(value.getType());
    Dims batch = getDims(type), split = {batch[0]}, joined = {batch[0]};
    auto constant = [&](int64_t size) {
      return constDim(type.getContext(), size);
    };
    auto spatial = static_cast<int64_t>(plan.spatial);
    SmallVector<int64_t> permutation = {0, 1, 2 + spatial};
    split.push_back(constant(plan.groups));
    for (int64_t stride : plan.strides)
      split.push_back(constant(stride));
    split.push_back(constant(plan.outputs));
    joined.push_back(constant(plan.groups * plan.outputs));
    for (int64_t i = 0; i < spatial; ++i) {
      split.push_back(constant(plan.extents[i]));
      joined.push_back(constant(plan.extents[i] * plan.strides[i]));
      permutation.append({3 + spatial + i, 2 + i});
    }
    Type element = type.getElementType();
    value =
        ReshapeOp::create(rewriter, loc, makeTensorType(element, split), value);
    value = TransposeOp::create(rewriter, loc, value, permutation);
    return ReshapeOp::create(rewriter, loc, makeTensorType(element, joined),
                             value);
  }

  LogicalResult matchAndRewrite(ConvTransposeOp op,
                                PatternRewriter &rewriter) const override {
    std::optional<Plan> plan = makePlan(op);
    std::optional<ConstantReader> weight = ConstantReader::get(op.getWeight());
    std::optional<ConstantReader> bias = ConstantReader::get(op.getBias());
    if (!plan || !weight || (op.getBias() && !bias))
      return rewriter.notifyMatchFailure(op, "sizes or weights are unknown");
    Location loc = op.getLoc();
    auto x = cast<RankedTensorType>(op.getX().getType());
    SmallVector<int64_t> pads, ends, ones(plan->spatial, 1);
    for (size_t i = 0; i < plan->spatial; ++i) {
      pads.push_back((plan->taps[i] - 1) * plan->dilations[i]);
      ends.push_back(plan->extents[i] - x.getDimSize(2 + i));
    }
    pads.append(ends);
    Value newBias;
    if (bias) {
      // The same for every phase.
      int64_t count = plan->groups * plan->phases * plan->outputs;
      ConstantBuilder repeated(
          RankedTensorType::get({count}, bias->getType().getElementType()));
      for (int64_t i = 0; i < count; ++i) {
        int64_t group = i / plan->outputs / plan->phases;
        repeated.setFloat(
            i, bias->getFloat(group * plan->outputs + i % plan->outputs));
      }
      newBias = ConstantOp::create(rewriter, loc, repeated.finish("bias"));
    }
    Value newWeight = ConstantOp::create(rewriter, op.getWeight().getLoc(),
                                         makeWeights(*plan, *weight));
    Value value = ConvOp::create(rewriter, loc, op.getX(), newWeight, newBias,
                                 ones, plan->dilations, pads, op.getGroups());
    if (plan->phases > 1)
      value = interleave(rewriter, loc, value, *plan);
    SmallVector<AffineExpr> offsets(2, rewriter.getAffineConstantExpr(0));
    for (size_t i = 0; i < plan->spatial; ++i)
      offsets.push_back(rewriter.getAffineConstantExpr(op.getPads()[i]));
    rewriter.replaceOpWithNewOp<SliceOp>(
        op, op.getType(), value, DimsAttr::get(op.getContext(), offsets),
        SmallVector<int64_t>(offsets.size(), 1));
    return success();
  }
};

} // namespace

void populateConvTransposePatterns(RewritePatternSet &patterns) {
  patterns.add<ConvTransposeToConv>(patterns.getContext());
}

} // namespace effc
