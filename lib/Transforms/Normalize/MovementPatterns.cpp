// Transposes, reshapes, broadcasts and converts: composed, or gone where the
// operation behind them does the same.
#include "Eff/EffOps.h"
#include "Patterns.h"
#include "effc/Analysis/Constants.h"

using namespace mlir;
using namespace effc::eff;

namespace effc {
namespace {

Type elementTypeOf(Value value) {
  return cast<RankedTensorType>(value.getType()).getElementType();
}

/// Every value of `from` is one of `to`.
bool isWidening(Type from, Type to) {
  if (from == to)
    return true;
  auto fromFloat = dyn_cast<FloatType>(from), toFloat = dyn_cast<FloatType>(to);
  // Formats of 8 and 4 bits differ in range as well; f32 holds them all.
  if (fromFloat && fromFloat.getWidth() < 16)
    return to.isF32() || to.isF64();
  if (toFloat && toFloat.getWidth() < 16)
    return false;
  if (fromFloat && toFloat)
    return fromFloat.getFPMantissaWidth() <= toFloat.getFPMantissaWidth() &&
           fromFloat.getWidth() < toFloat.getWidth();
  auto fromInt = dyn_cast<IntegerType>(from), toInt = dyn_cast<IntegerType>(to);
  if (fromInt && toInt)
    return fromInt.getWidth() < toInt.getWidth() &&
           (fromInt.getWidth() == 1 ||
            fromInt.isUnsigned() == toInt.isUnsigned());
  return fromInt && toFloat && !fromInt.isUnsigned() &&
         fromInt.getWidth() <= toFloat.getFPMantissaWidth();
}

/// Converting twice converts once when the first conversion keeps every value.
struct ComposeConverts : OpRewritePattern<ConvertOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(ConvertOp op,
                                PatternRewriter &rewriter) const override {
    auto inner = op.getX().getDefiningOp<ConvertOp>();
    if (!inner ||
        !isWidening(elementTypeOf(inner.getX()), elementTypeOf(inner)))
      return rewriter.notifyMatchFailure(op, "no lossless conversion before");
    Location loc = rewriter.getFusedLoc({op.getLoc(), inner.getLoc()});
    rewriter.replaceOp(op, ConvertOp::create(rewriter, loc, op.getType(),
                                             inner.getX(), op.getSaturate(),
                                             op.getRound()));
    return success();
  }
};

/// An elementwise operation broadcasts by itself.
struct DropBroadcast : OpInterfaceRewritePattern<ElementwiseOpInterface> {
  using OpInterfaceRewritePattern::OpInterfaceRewritePattern;
  LogicalResult matchAndRewrite(ElementwiseOpInterface op,
                                PatternRewriter &rewriter) const override {
    Type type = op->getResult(0).getType();
    for (OpOperand &operand : op->getOpOperands()) {
      auto broadcast = operand.get().getDefiningOp<BroadcastOp>();
      if (!broadcast || broadcast.isUndecided())
        continue;
      Dims dims = getDims(broadcast.getX().getType());
      bool contradiction = false;
      for (OpOperand &other : op->getOpOperands()) {
        if (&other == &operand)
          continue;
        auto joined = broadcastDims(getDims(other.get().getType()), dims);
        contradiction |= !joined;
        dims = joined.value_or(dims);
      }
      if (contradiction || dims != getDims(type))
        continue;
      rewriter.modifyOpInPlace(op, [&] { operand.set(broadcast.getX()); });
      return success();
    }
    return rewriter.notifyMatchFailure(op, "no operand needs no broadcast");
  }
};

/// A constant, or one with its dims permuted.
bool isConstantMatrix(Value value) {
  if (auto transpose = value.getDefiningOp<TransposeOp>())
    value = transpose.getX();
  return value.getDefiningOp<ConstantOp>() != nullptr;
}

/// Swapping the last two dims of an operand is a flag of the product. What
/// remains of the permutation keeps the last dim in place. In front of weights
/// the transpose stays: eff.linear has no such flag.
struct TransposeIntoMatmul : OpRewritePattern<MatmulOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(MatmulOp op,
                                PatternRewriter &rewriter) const override {
    for (bool isA : {true, false}) {
      Value operand = isA ? op.getA() : op.getB();
      auto transpose = operand.getDefiningOp<TransposeOp>();
      if (!transpose || (isA && isConstantMatrix(op.getB())))
        continue;
      auto permutation = llvm::to_vector(transpose.getPermutation());
      size_t rank = permutation.size();
      if (permutation[rank - 2] != static_cast<int64_t>(rank) - 1)
        continue;
      std::swap(permutation[rank - 1], permutation[rank - 2]);
      Value inner = rewriter.createOrFold<TransposeOp>(
          transpose.getLoc(), transpose.getX(), permutation);
      rewriter.modifyOpInPlace(op, [&] {
        if (isA) {
          op.getAMutable().assign(inner);
          op.setTransposeA(!op.getTransposeA());
        } else {
          op.getBMutable().assign(inner);
          op.setTransposeB(!op.getTransposeB());
        }
      });
      return success();
    }
    return rewriter.notifyMatchFailure(op, "no operand swaps its last dims");
  }
};

/// Joins slices of unit stride.
struct ComposeSlices : OpRewritePattern<SliceOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(SliceOp op,
                                PatternRewriter &rewriter) const override {
    auto inner = op.getX().getDefiningOp<SliceOp>();
    auto isOne = [](int64_t stride) { return stride == 1; };
    if (!inner || !llvm::all_of(op.getStrides(), isOne) ||
        !llvm::all_of(inner.getStrides(), isOne))
      return rewriter.notifyMatchFailure(op, "no chain of unit strides");
    SmallVector<AffineExpr> offsets;
    for (auto [a, b] :
         llvm::zip(op.getOffsets().getExprs(), inner.getOffsets().getExprs()))
      offsets.push_back(eff::simplify(a + b));
    Location loc = rewriter.getFusedLoc({op.getLoc(), inner.getLoc()});
    rewriter.replaceOp(
        op, SliceOp::create(rewriter, loc, op.getType(), inner.getX(),
                            DimsAttr::get(op.getContext(), offsets),
                            op.getStrides()));
    return success();
  }
};

/// Gathering one constant index is a slice.
struct GatherToSlice : OpRewritePattern<GatherOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(GatherOp op,
                                PatternRewriter &rewriter) const override {
    std::optional<ConstantReader> indices =
        ConstantReader::get(op.getIndices());
    if (!indices || indices->size() != 1)
      return rewriter.notifyMatchFailure(op, "not one constant index");
    Dims dims = getDims(op.getX().getType());
    auto axis = static_cast<int64_t>(op.getAxis());
    int64_t index = indices->getInt(0);
    AffineExpr offset = constDim(op.getContext(), index);
    if (index < 0)
      offset = eff::simplify(offset + dims[axis]);
    std::optional<int64_t> first = getConstant(offset);
    std::optional<int64_t> extent = getConstant(dims[axis]);
    if (!first || *first < 0 || !extent || *first >= *extent)
      return rewriter.notifyMatchFailure(op, "index may be out of range");
    SmallVector<AffineExpr> offsets(dims.size(), constDim(op.getContext(), 0));
    offsets[axis] = offset;
    dims[axis] = constDim(op.getContext(), 1);
    auto type = cast<RankedTensorType>(op.getX().getType());
    auto slice = SliceOp::create(
        rewriter, op.getLoc(), makeTensorType(type.getElementType(), dims),
        op.getX(), DimsAttr::get(op.getContext(), offsets),
        SmallVector<int64_t>(dims.size(), 1));
    rewriter.replaceOpWithNewOp<ReshapeOp>(op, op.getType(), slice);
    return success();
  }
};

} // namespace

void populateMovementPatterns(RewritePatternSet &patterns) {
  patterns.add<ComposeConverts, DropBroadcast, TransposeIntoMatmul,
               ComposeSlices, GatherToSlice>(patterns.getContext());
}

} // namespace effc
