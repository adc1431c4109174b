// See LayerCost.h. Products cost what the model behind the choice of tiles says
// (TileChoice.cpp); a 3x3 convolution of f32 may have Winograd's algorithm
// instead, which is compared with bytes only: direct sums in bf16 take as long
// where they were measured, and less memory.
#include "LayerCost.h"

using namespace mlir;
using namespace effc;
using namespace effc::eff;

static constexpr double launchCycles = 1200;
/// 4 bytes read and one written an element.
static constexpr double convertBytesPerCycle = 6;
/// From the i32 sum to the f32 one, for a vector of results.
static constexpr double epilogueCycles = 2;
/// Weights of blocks become f32 in each tile of a few rows; measured with 128
/// rows.
static constexpr double unpackCost = 1.3;

double effc::estimateConversion(Value value) {
  return 5 * estimateSize(getNumElements(value.getType())) /
             convertBytesPerCycle +
         launchCycles;
}

bool effc::sumsReadNarrow(Value value, ArrayRef<OpOperand *> otherUses,
                          double products) {
  constexpr double mostConversion = 0.15;
  return value.getDefiningOp() && !otherUses.empty() &&
         llvm::all_of(otherUses,
                      [](OpOperand *use) {
                        auto add = dyn_cast<BinaryOp>(use->getOwner());
                        return add && add.getKind() == BinaryKind::Add;
                      }) &&
         estimateConversion(value) > mostConversion * products;
}

/// How many times faster than the direct sum a convolution of f32 is.
static double getWinogradGain(ConvOp conv, TargetAttr target) {
  Dims w = getDims(conv.getWeight().getType()), y = getDims(conv.getType());
  auto areOne = [](ArrayRef<int64_t> values) {
    return llvm::all_of(values, [](int64_t value) { return value == 1; });
  };
  if (w.size() != 4 || conv.getGroups() != 1 || getConstant(w[2]) != 3 ||
      getConstant(w[3]) != 3 || !areOne(conv.getStrides()) ||
      !areOne(conv.getDilations()))
    return 1;
  size_t first = conv.getChannelsLast() ? 1 : 2;
  WinogradSizes sizes{getConstant(y[0]), getConstant(y[first]),
                      getConstant(y[first + 1]), *getConstant(w[1]),
                      *getConstant(w[0])};
  WinogradChoice choice = chooseWinograd(target, sizes);
  return choice.isFaster ? choice.gain : 1;
}

static LayerCost estimateOn(const QuantizableLayer &layer, TargetAttr target,
                            GemmTypes types) {
  LayerCost cost;
  Dims w = getDims(layer.product.weight.getType()),
       y = getDims(layer.op()->getResult(0).getType());
  int64_t outputs = *getConstant(w[layer.product.weightAxis]),
          terms = layer.product.countTerms(), groups = 1, bytes = terms;
  double rows = estimateSize(product(w[0].getContext(), y)) / double(outputs);
  double winograd = 1;
  RowRuns runs;
  if (auto conv = dyn_cast<ConvOp>(layer.op())) {
    groups = static_cast<int64_t>(conv.getGroups());
    int64_t channels = *getConstant(w[1]);
    if (groups > 1 &&
        std::min(channels, outputs / groups) < kLeastGroupChannels) {
      cost.obstacle = channels == 1 ? "memory bounds a depthwise convolution"
                                    : "its groups have few channels";
      return cost;
    }
    if (types == GemmTypes::U8S8)
      winograd = getWinogradGain(conv, target);
    // What lies side by side is filled up to a step: a row of the kernel where
    // maps are padded for registers of AMX, else a tap.
    int64_t step = getInterleave(target, types), row = channels;
    if (hasMatrixTiles(target, types))
      row *= *getConstant(w.back());
    runs.depth = llvm::alignTo(row, step);
    bytes = terms / row * runs.depth;
    if (terms == channels)
      runs.depth = 0;
    size_t last = y.size() - (conv.getChannelsLast() ? 2 : 1);
    runs.length = getConstant(y[last]).value_or(0);
  }
  auto estimate = [&](int64_t depth, GemmTypes factors) {
    return static_cast<double>(groups) *
           estimateProductCycles(target, static_cast<int64_t>(rows),
                                 outputs / groups, depth, factors, runs);
  };
  cost.wide = estimate(terms, GemmTypes::F32) / winograd;
  cost.narrow = estimate(bytes, types);
  if (types == GemmTypes::U8S8)
    cost.narrow += epilogueCycles * rows *
                   llvm::divideCeil(outputs, target.getVectorBits() / 32);
  if (cost.narrow >= cost.wide)
    cost.obstacle = "the target multiplies f32 as fast";
  return cost;
}

static LayerCost
getWorst(ArrayRef<TargetAttr> targets,
         llvm::function_ref<LayerCost(TargetAttr target)> estimate) {
  LayerCost worst;
  for (TargetAttr target : targets) {
    LayerCost cost = estimate(target);
    if (!cost.obstacle.empty())
      return cost;
    if (target == targets.front() ||
        cost.wide - cost.narrow < worst.wide - worst.narrow)
      worst = cost;
  }
  return worst;
}

LayerCost effc::estimateCost(const QuantizableLayer &layer,
                             ArrayRef<TargetAttr> targets, GemmTypes types) {
  return getWorst(targets, [&](TargetAttr target) {
    return estimateOn(layer, target, types);
  });
}

LayerCost effc::estimateWeightOnlyCost(const QuantizableLayer &layer,
                                       int64_t bits, int64_t group,
                                       ArrayRef<TargetAttr> targets) {
  int64_t terms = layer.product.countTerms();
  Dims y = getDims(layer.op()->getResult(0).getType());
  int64_t outputs = *getConstant(y.back());
  // Who asks for small weights decodes: rows that only a run knows are one.
  y.pop_back();
  int64_t rows = getConstant(product(layer.op()->getContext(), y)).value_or(1);
  return getWorst(targets, [&](TargetAttr target) {
    LayerCost cost;
    cost.wide =
        estimateProductCycles(target, rows, outputs, terms, GemmTypes::F32);
    int64_t weights = terms * outputs;
    double arithmetic = cost.wide - estimateReading(target, 4 * weights);
    cost.narrow =
        unpackCost * arithmetic +
        estimateReading(target, weights * bits / 8 + 4 * weights / group);
    if (cost.narrow >= cost.wide)
      cost.obstacle = "it has too many rows to gain by fewer bytes of weights";
    return cost;
  });
}

LogicalResult effc::settleTargets(func::FuncOp function, StringRef pass,
                                  SmallVectorImpl<TargetAttr> &targets) {
  auto own = function->getParentOfType<ModuleOp>()->getAttrOfType<TargetAttr>(
      "eff.target");
  if (targets.empty() && own)
    targets.push_back(own);
  if (!targets.empty())
    return success();
  return emitError(function.getLoc()) << pass << " needs a target";
}
