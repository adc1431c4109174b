// With a few channels a tap of channels last is a short run, and bringing the
// map into that order costs a good part of the sums. The taps of a row of the
// kernel are a run in a plane as well.
#include "effc/Analysis/Planes.h"

using namespace mlir;
using namespace effc;

bool effc::areWorthPlanes(ArrayRef<int64_t> weight) {
  // Fewer outputs are joined by pixels instead (chooseJoinedPixels).
  constexpr int64_t mostChannels = 4, leastOutputs = 9, leastRun = 2;
  return weight.size() >= 3 && weight[0] >= leastOutputs && weight[1] >= 1 &&
         weight[1] <= mostChannels && weight.back() >= leastRun;
}

eff::TransposeOp effc::getTransposedPlanes(eff::ConvOp conv) {
  auto transpose = conv.getX().getDefiningOp<eff::TransposeOp>();
  if (!transpose || !conv.getChannelsLast() || conv.getGroups() != 1 ||
      conv.getDilations().back() != 1 ||
      llvm::any_of(conv.getPads(), [](int64_t pad) { return pad != 0; }) ||
      !getElementTypeOrSelf(conv.getX().getType()).isF32() ||
      !getElementTypeOrSelf(conv.getType()).isF32())
    return {};
  auto rank = static_cast<int64_t>(conv.getStrides().size()) + 2;
  SmallVector<int64_t> order = {0};
  for (int64_t dim = 2; dim < rank; ++dim)
    order.push_back(dim);
  order.push_back(1);
  SmallVector<int64_t> weight;
  for (AffineExpr dim : eff::getDims(conv.getWeight().getType()))
    weight.push_back(eff::getConstant(dim).value_or(0));
  return transpose.getPermutation() == ArrayRef(order) && areWorthPlanes(weight)
             ? transpose
             : eff::TransposeOp();
}
