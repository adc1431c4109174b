// Products in bf16 with sums in f32 (Kalamkar et al., "A Study of BFLOAT16 for
// Deep Learning Training", arXiv 1905.12322): operands are rounded once, to
// nearest even, and nothing else changes; of attention also the weights of the
// values. A layer is taken when the time that its products or its weights save
// is more than converting its input costs.
#include "HalfValues.h"
#include "LayerCost.h"
#include "effc/Analysis/TileChoice.h"
#include "effc/Support/Diagnostics.h"
#include "effc/Transforms/Quantize/Passes.h"

namespace effc {
#define GEN_PASS_DEF_QUANTIZEBF16
#include "effc/Transforms/Quantize/Passes.h.inc"
} // namespace effc

using namespace mlir;
using namespace effc;
using namespace effc::eff;

namespace {

/// What the model of time below counts with, in ns of one core.
constexpr double flopsPerNs = 250;       ///< of f32; bf16 has twice as many
constexpr double weightBytesPerNs = 20;  ///< read once, from far
constexpr double convertBytesPerNs = 24; ///< 4 read and 2 written an element
constexpr double launchNs = 300;
/// How much faster a product in bf16 is.
constexpr double bf16Gain = 2.0;

bool isFloat(Value value) {
  return cast<RankedTensorType>(value.getType()).getElementType().isF32();
}

/// The operands of a layer that are multiplied.
SmallVector<OpOperand *> getFactors(Operation *op) {
  SmallVector<OpOperand *> factors;
  if (Product::get(op))
    factors = {&op->getOpOperand(0), &op->getOpOperand(1)};
  if (isa<AttentionOp>(op))
    factors = {&op->getOpOperand(0), &op->getOpOperand(1),
               &op->getOpOperand(2)};
  return factors;
}

/// The layer that computes the value stores it narrow at no cost.
bool isMadeNarrow(Value value) {
  Operation *op = value.getDefiningOp();
  while (isa_and_present<ReshapeOp, TransposeOp, SliceOp>(op))
    op = op->getOperand(0).getDefiningOp();
  return isa_and_present<LinearOp, RopeOp, ElementwiseOpInterface>(op);
}

/// ns that are gained by less arithmetic or fewer bytes of weights, less those
/// that conversions cost.
double estimateGain(Operation *op) {
  double flops = estimateSize(cast<CostOpInterface>(op).getFlops());
  double weights = 0, converted = 0;
  for (OpOperand *factor : getFactors(op)) {
    if (isa<AttentionOp>(op) && isMadeNarrow(factor->get()))
      continue;
    double count = estimateSize(getNumElements(factor->get().getType()));
    (factor->get().getDefiningOp<ConstantOp>() ? weights : converted) += count;
  }
  double arithmetic = flops / flopsPerNs * (1 - 1 / bf16Gain);
  double memory = 2 * weights / weightBytesPerNs;
  return std::max(arithmetic, memory) - 6 * converted / convertBytesPerNs -
         launchNs;
}

bool isDepthwise(ConvOp conv) {
  return conv.getGroups() > 1 &&
         getConstant(getDim(conv.getWeight().getType(), 1)) == 1 &&
         conv.getWeight().getDefiningOp<ConstantOp>();
}

/// Memory bounds it, so it gains by reading what its producer stores in half
/// the bytes: measured 1.01 to 1.05 times as fast for whole models.
bool isStoredNarrow(ConvOp conv) {
  return conv.getX().hasOneUse() && conv.getX().getDefiningOp();
}

/// Why a convolution gains nothing, or "".
std::string findObstacle(ConvOp conv) {
  Dims w = getDims(conv.getWeight().getType());
  std::optional<int64_t> outputs = getConstant(w[0]),
                         channels = getConstant(w[1]);
  if (!outputs || !channels || !conv.getWeight().getDefiningOp<ConstantOp>())
    return "its weights are no constant";
  auto groups = static_cast<int64_t>(conv.getGroups());
  if (groups > 1 &&
      std::min(*channels, *outputs / groups) < kLeastGroupChannels)
    return "its groups have few channels";
  return "";
}

/// Why an attention gains nothing, or "".
std::string findObstacle(AttentionOp op) {
  Dims q = getDims(op.getQ().getType()), k = getDims(op.getK().getType()),
       v = getDims(op.getV().getType());
  if (!getConstant(q[3]) || !getConstant(v[3]))
    return "its heads have no known width";
  int64_t tokens = op.getHeadsLast() ? 1 : 2;
  return q[tokens] == k[tokens]
             ? ""
             : "it has other keys than its own, which would be converted again "
               "in each run";
}

struct QuantizeBf16 : effc::impl::QuantizeBf16Base<QuantizeBf16> {
  using Base::Base;

  LogicalResult initialize(MLIRContext *context) override {
    filter = LayerFilter::get(context, "eff-quantize-bf16", skip);
    return success(filter.has_value());
  }

  /// Why a layer stays in f32, or "".
  std::string findReason(Operation *op, TargetAttr target) {
    if (always)
      return "";
    if (!target || getInterleave(target, GemmTypes::BF16) == 1)
      return "the target does not multiply bf16 faster";
    if (auto attention = dyn_cast<AttentionOp>(op))
      if (std::string obstacle = findObstacle(attention); !obstacle.empty())
        return obstacle;
    if (auto conv = dyn_cast<ConvOp>(op)) {
      if (isDepthwise(conv))
        return isStoredNarrow(conv)
                   ? ""
                   : "memory bounds it, and its input is stored in f32";
      if (std::string obstacle = findObstacle(conv); !obstacle.empty())
        return obstacle;
    }
    return estimateGain(op) > 0 ? "" : "it multiplies too little to gain";
  }

  void runOnOperation() override {
    func::FuncOp function = getOperation();
    auto target =
        function->getParentOfType<ModuleOp>()->getAttrOfType<TargetAttr>(
            "eff.target");
    SmallVector<Operation *> taken;
    LayerJournal journal("bf16");
    (void)getQuantizableLayers(function); // names them
    function.walk([&](Operation *op) {
      SmallVector<OpOperand *> factors = getFactors(op);
      if (factors.empty() || !llvm::all_of(factors, [](OpOperand *factor) {
            return isFloat(factor->get());
          }))
        return;
      if (filter->isLeftOut(op))
        return journal.leaveOut(op);
      std::string reason = findReason(op, target);
      if (!reason.empty())
        return journal.decline(op, reason);
      taken.push_back(op);
      journal.take(op);
    });
    convert(taken);
    numTaken += journal.getNumTaken();
    numDeclined += journal.getNumDeclined();
    journal.write(function);
  }

  void convert(ArrayRef<Operation *> taken) {
    auto bf16 = BFloat16Type::get(&getContext());
    HalfValues halves(bf16);
    for (Operation *op : taken)
      for (OpOperand *factor : getFactors(op))
        halves.want(*factor);
    for (Operation *op : taken) {
      for (OpOperand *factor : getFactors(op))
        factor->set(halves.get(factor->get()));
      if (auto attention = dyn_cast<AttentionOp>(op))
        storeNarrow(attention, halves);
    }
  }

  /// No conversion becomes part of an attention: one that only narrow readers
  /// have makes narrow values itself. The other one has no uses then.
  static void storeNarrow(AttentionOp op, HalfValues &halves) {
    Value result = op.getResult();
    auto type = cast<RankedTensorType>(result.getType());
    Type narrow = cast<RankedTensorType>(op.getQ().getType()).getElementType();
    if (type.getElementType() == narrow || !halves.isOnlyWanted(result))
      return;
    Operation *clone = OpBuilder(op).clone(*op);
    clone->getResult(0).setType(withElementType(type, narrow));
    halves.set(result, clone->getResult(0));
  }

  std::optional<LayerFilter> filter;
};

} // namespace
