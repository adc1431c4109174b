// Products in bf16 with sums in f32 (Kalamkar et al., "A Study of BFLOAT16 for
// Deep Learning Training", arXiv 1905.12322): operands are rounded once, to
// nearest even, and nothing else changes; of attention also the weights of the
// values. A layer is taken when the time that its products or its weights save
// is more than converting its input costs. Residual sums read a value in bf16
// too where that saves a conversion which is long beside the products.
#include "HalfValues.h"
#include "LayerCost.h"
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

/// Of products of computed factors and attention: f32 on one core, and how much
/// faster bf16 is at least.
constexpr double flopsPerCycle = 64, computedGain = 2.0;

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

/// Cycles that are gained where both factors are computed, less those that
/// conversions cost.
double estimateGain(Operation *op) {
  double flops = estimateSize(cast<CostOpInterface>(op).getFlops());
  double gain = flops / flopsPerCycle * (1 - 1 / computedGain);
  for (OpOperand *factor : getFactors(op))
    if (!isa<AttentionOp>(op) || !isMadeNarrow(factor->get()))
      gain -= estimateConversion(factor->get());
  return gain;
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
  QuantizeBf16(const QuantizeBf16Options &options, ArrayRef<TargetAttr> targets)
      : Base(options), targets(targets) {}

  LogicalResult initialize(MLIRContext *context) override {
    filter = LayerFilter::get(context, "eff-quantize-bf16", skip);
    return success(filter.has_value());
  }

  /// Why a layer stays in f32, or "".
  std::string findReason(Operation *op, const QuantizableLayer *layer) {
    if (always)
      return "";
    if (!llvm::all_of(targets, [](TargetAttr target) {
          return isFasterThanF32(target, GemmTypes::BF16);
        }))
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
    double gain = 0;
    if (layer && layer->getConstantWeight()) {
      LayerCost cost = estimateCost(*layer, targets, GemmTypes::BF16);
      if (!cost.obstacle.empty())
        return cost.obstacle;
      gain = cost.wide - cost.narrow - estimateConversion(layer->product.x);
    } else {
      gain = estimateGain(op);
    }
    return gain > 0 ? "" : "it multiplies too little to gain";
  }

  void runOnOperation() override {
    func::FuncOp function = getOperation();
    if (failed(settleTargets(function, "eff-quantize-bf16", targets)))
      return signalPassFailure();
    SmallVector<Operation *> taken;
    LayerJournal journal("bf16");
    layers.clear();
    for (const QuantizableLayer &layer : getQuantizableLayers(function))
      layers.try_emplace(layer.op(), layer);
    function.walk([&](Operation *op) {
      SmallVector<OpOperand *> factors = getFactors(op);
      if (factors.empty() || !llvm::all_of(factors, [](OpOperand *factor) {
            return isFloat(factor->get());
          }))
        return;
      if (filter->isLeftOut(op))
        return journal.leaveOut(op);
      auto layer = layers.find(op);
      std::string reason =
          findReason(op, layer == layers.end() ? nullptr : &layer->second);
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
    for (OpOperand *sum : findSums(taken, halves)) {
      halves.want(*sum);
      OpBuilder b(sum->getOwner());
      Value wide = sum->get();
      sum->set(ConvertOp::create(b, sum->getOwner()->getLoc(), halves.get(wide),
                                 b.getF32Type()));
    }
    for (Operation *op : taken) {
      for (OpOperand *factor : getFactors(op))
        factor->set(halves.get(factor->get()));
      if (auto attention = dyn_cast<AttentionOp>(op))
        storeNarrow(attention, halves);
    }
  }

  /// Sums that should read what layers read.
  SmallVector<OpOperand *> findSums(ArrayRef<Operation *> taken,
                                    const HalfValues &halves) {
    llvm::MapVector<Value, double> products;
    for (Operation *op : taken) {
      auto layer = layers.find(op);
      if (layer != layers.end() && layer->second.getConstantWeight())
        products[op->getOperand(0)] +=
            estimateCost(layer->second, targets, GemmTypes::BF16).narrow;
    }
    SmallVector<OpOperand *> sums;
    for (auto [value, cycles] : products)
      if (SmallVector<OpOperand *> others = halves.getOtherUses(value);
          sumsReadNarrow(value, others, cycles))
        llvm::append_range(sums, others);
    return sums;
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
  SmallVector<TargetAttr> targets;
  llvm::DenseMap<Operation *, QuantizableLayer> layers;
};

} // namespace

std::unique_ptr<Pass>
effc::createQuantizeBf16(const QuantizeBf16Options &options,
                         ArrayRef<TargetAttr> targets) {
  return std::make_unique<QuantizeBf16>(options, targets);
}
