// Channels last for convolutions, whose inner loops then run over contiguous
// channels. One walk in the order of the program: every convolution is rebuilt
// with channels last, and every operation that can work on permuted dims is
// rebuilt on the version that its operands already have. Transposes appear only
// where an operation needs the original order, so they never have to be moved
// or cancelled afterwards.
#include "Layout.h"
#include "effc/Transforms/Passes.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"

using namespace mlir;
using namespace effc::eff;

namespace effc {
#define GEN_PASS_DEF_PROPAGATELAYOUT
#include "effc/Transforms/Passes.h.inc"

Permutation getChannelsLast(int64_t rank) {
  Permutation permutation = {0};
  for (int64_t i = 2; i < rank; ++i)
    permutation.push_back(i);
  permutation.push_back(1);
  return permutation;
}

Permutation invert(ArrayRef<int64_t> permutation) {
  Permutation inverse(permutation.size());
  for (auto [i, axis] : llvm::enumerate(permutation))
    inverse[axis] = static_cast<int64_t>(i);
  return inverse;
}

bool isIdentity(ArrayRef<int64_t> permutation) {
  return llvm::equal(permutation, llvm::seq<int64_t>(0, permutation.size()));
}

RankedTensorType permuteType(Type type, ArrayRef<int64_t> permutation) {
  Dims dims = getDims(type), permuted;
  for (int64_t axis : permutation)
    permuted.push_back(dims[axis]);
  return makeTensorType(cast<RankedTensorType>(type).getElementType(),
                        permuted);
}

//===----------------------------------------------------------------------===//
// LayoutMap
//===----------------------------------------------------------------------===//

const Version *LayoutMap::getPreferred(Value value) const {
  auto it = preferred.find(value);
  return it == preferred.end() ? nullptr : &it->second;
}

Value LayoutMap::createTranspose(Value value, ArrayRef<int64_t> permutation) {
  if (isIdentity(permutation))
    return value;
  Location loc = value.getLoc();
  RankedTensorType type = permuteType(value.getType(), permutation);
  auto transpose = TransposeOp::create(builder, loc, type, value, permutation);
  if (!transpose.isReshape())
    return transpose;
  transpose.erase();
  return builder.createOrFold<ReshapeOp>(loc, type, value);
}

Value LayoutMap::getAs(Value value, ArrayRef<int64_t> permutation) {
  if (isIdentity(permutation))
    return value;
  for (const Version &version : versions[value])
    if (ArrayRef<int64_t>(version.permutation) == permutation)
      return version.value;
  Value result;
  if (const Version *version = getPreferred(value)) {
    Permutation position = invert(version->permutation), rest;
    for (int64_t axis : permutation)
      rest.push_back(position[axis]);
    result = createTranspose(version->value, rest);
  } else {
    result = createTranspose(value, permutation);
  }
  add(value, result, permutation);
  return result;
}

void LayoutMap::add(Value value, Value version, ArrayRef<int64_t> permutation) {
  versions[value].push_back({version, Permutation(permutation)});
}

void LayoutMap::setResult(Value result, Value version,
                          ArrayRef<int64_t> permutation) {
  if (isIdentity(permutation)) {
    result.replaceAllUsesWith(version);
    return;
  }
  add(result, version, permutation);
  preferred[result] = {version, Permutation(permutation)};
}

//===----------------------------------------------------------------------===//
// Pass
//===----------------------------------------------------------------------===//

namespace {

struct PropagateLayout : impl::PropagateLayoutBase<PropagateLayout> {
  LogicalResult initialize(MLIRContext *context) override {
    RewritePatternSet owned(context);
    TransposeOp::getCanonicalizationPatterns(owned, context);
    ReshapeOp::getCanonicalizationPatterns(owned, context);
    cleanup = std::move(owned);
    return success();
  }

  void runOnOperation() override {
    // Each block for itself: values go in and out of regions as they are.
    SmallVector<Block *> blocks;
    getOperation().walk([&](Block *block) { blocks.push_back(block); });
    bool changed = false;
    for (Block *block : blocks)
      if (llvm::any_of(*block, [](Operation &op) { return isa<ConvOp>(op); })) {
        rewriteBody(*block);
        changed = true;
      }
    // Transposes of units become reshapes, chains of either become one.
    if (changed)
      (void)applyPatternsGreedily(getOperation(), cleanup);
    getOperation().walk([&](TransposeOp) { ++numTransposes; });
  }

  void rewriteBody(Block &body) {
    LayoutMap layouts(&getContext());
    SmallVector<Operation *> original, rewritten;
    for (Operation &op : body)
      original.push_back(&op);
    for (Operation *op : original) {
      layouts.builder.setInsertionPoint(op);
      if (propagateLayout(op, layouts))
        rewritten.push_back(op);
    }
    // Users come after producers, so that what is still used here is used in
    // the original order.
    for (Operation *op : llvm::reverse(rewritten)) {
      layouts.builder.setInsertionPoint(op);
      for (Value result : op->getResults()) {
        const Version *version = layouts.getPreferred(result);
        if (result.use_empty() || !version)
          continue;
        result.replaceAllUsesWith(
            TransposeOp::create(layouts.builder, op->getLoc(), result.getType(),
                                version->value, invert(version->permutation)));
      }
      op->erase();
    }
    numRewritten += rewritten.size();
  }

  FrozenRewritePatternSet cleanup;
};

} // namespace
} // namespace effc
