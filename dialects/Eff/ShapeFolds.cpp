// Folds and canonicalisations of ShapeOps.td. Constants of the model are never
// copied here: only splats, small constants and views of resources are made.
#include "Eff/EffOps.h"
#include "Eff/Verify.h"
#include "mlir/IR/DialectResourceBlobManager.h"
#include "mlir/IR/PatternMatch.h"

using namespace mlir;
using namespace effc::eff;

OpFoldResult ConstantOp::fold(FoldAdaptor) { return getValue(); }

OpFoldResult DimValuesOp::fold(FoldAdaptor) {
  auto type = cast<RankedTensorType>(getType());
  SmallVector<Attribute> values;
  for (AffineExpr expr : getValues().getExprs()) {
    std::optional<int64_t> value = getConstant(expr);
    if (!value)
      return {};
    values.push_back(IntegerAttr::get(type.getElementType(), *value));
  }
  return DenseElementsAttr::get(type, values);
}

/// A splat keeps its value under any movement.
static Attribute foldSplat(Attribute operand, Type type) {
  auto splat = dyn_cast_if_present<SplatElementsAttr>(operand);
  auto tensor = cast<RankedTensorType>(type);
  if (!splat || !tensor.hasStaticShape())
    return {};
  return splat.resizeSplat(tensor);
}

OpFoldResult ReshapeOp::fold(FoldAdaptor adaptor) {
  if (getX().getType() == getType())
    return getX();
  if (auto inner = getX().getDefiningOp<ReshapeOp>()) {
    getXMutable().assign(inner.getX());
    return getResult();
  }
  auto type = cast<RankedTensorType>(getType());
  if (!type.hasStaticShape())
    return {};
  // The blob of a resource is shared, so the size does not matter.
  if (auto resource =
          dyn_cast_if_present<DenseResourceElementsAttr>(adaptor.getX()))
    return DenseResourceElementsAttr::get(type, resource.getRawHandle());
  if (auto dense = dyn_cast_if_present<DenseElementsAttr>(adaptor.getX()))
    return dense.reshape(type);
  return {};
}

OpFoldResult TransposeOp::fold(FoldAdaptor adaptor) {
  if (llvm::equal(getPermutation(),
                  llvm::seq<int64_t>(0, getPermutation().size())) &&
      getX().getType() == getType())
    return getX();
  return foldSplat(adaptor.getX(), getType());
}

OpFoldResult BroadcastOp::fold(FoldAdaptor adaptor) {
  if (getX().getType() == getType())
    return getX();
  return foldSplat(adaptor.getX(), getType());
}

OpFoldResult ConcatOp::fold(FoldAdaptor adaptor) {
  if (getInputs().size() == 1 && getInputs()[0].getType() == getType())
    return getInputs()[0];
  return {};
}

OpFoldResult SliceOp::fold(FoldAdaptor adaptor) {
  auto isZero = [](AffineExpr offset) { return getConstant(offset) == 0; };
  if (getX().getType() == getType() &&
      llvm::all_of(getOffsets().getExprs(), isZero) &&
      llvm::all_of(getStrides(), [](int64_t stride) { return stride == 1; }))
    return getX();
  return foldSplat(adaptor.getX(), getType());
}

OpFoldResult GatherOp::fold(FoldAdaptor adaptor) {
  return foldSplat(adaptor.getX(), getType());
}

namespace {

/// Composes two transposes.
struct ComposeTransposes : OpRewritePattern<TransposeOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(TransposeOp op,
                                PatternRewriter &rewriter) const override {
    auto inner = op.getX().getDefiningOp<TransposeOp>();
    if (!inner)
      return rewriter.notifyMatchFailure(op, "operand is no transpose");
    SmallVector<int64_t> permutation;
    for (int64_t axis : op.getPermutation())
      permutation.push_back(inner.getPermutation()[axis]);
    rewriter.replaceOpWithNewOp<TransposeOp>(op, op.getType(), inner.getX(),
                                             permutation);
    return success();
  }
};

/// A transpose that leaves the order of elements alone, because it moves only
/// dims of extent 1, is a reshape.
struct TransposeToReshape : OpRewritePattern<TransposeOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(TransposeOp op,
                                PatternRewriter &rewriter) const override {
    if (!op.isReshape())
      return rewriter.notifyMatchFailure(op, "elements change their order");
    rewriter.replaceOpWithNewOp<ReshapeOp>(op, op.getType(), op.getX());
    return success();
  }
};

/// Reshaping after an order-preserving transpose reshapes its operand.
struct ReshapeOfReorder : OpRewritePattern<ReshapeOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(ReshapeOp op,
                                PatternRewriter &rewriter) const override {
    auto inner = op.getX().getDefiningOp<TransposeOp>();
    if (!inner || !inner.isReshape())
      return rewriter.notifyMatchFailure(op, "operand changes the order");
    rewriter.replaceOpWithNewOp<ReshapeOp>(op, op.getType(), inner.getX());
    return success();
  }
};

} // namespace

bool TransposeOp::isReshape() {
  Dims dims = getDims(getX().getType());
  int64_t last = -1;
  for (int64_t axis : getPermutation()) {
    if (getConstant(dims[axis]) == 1)
      continue;
    if (axis < last)
      return false;
    last = axis;
  }
  return true;
}

void ReshapeOp::getCanonicalizationPatterns(RewritePatternSet &results,
                                            MLIRContext *context) {
  results.add<ReshapeOfReorder>(context);
}

void TransposeOp::getCanonicalizationPatterns(RewritePatternSet &results,
                                              MLIRContext *context) {
  results.add<ComposeTransposes, TransposeToReshape>(context);
}
