// Attention as exporters write it: product, scale, masks, softmax, product
// (arXiv 1706.03762; grouped queries 2305.13245). Everything between the two
// products goes into one op, and so do transposes and repeats around it that
// the op makes needless.
#include "Attention.h"
#include "effc/Transforms/Raise/Passes.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/Dominance.h"
#include "mlir/Transforms/CSE.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"

namespace effc {
#define GEN_PASS_DEF_RAISEATTENTION
#include "effc/Transforms/Raise/Passes.h.inc"
} // namespace effc

using namespace mlir;
using namespace effc::eff;
using namespace effc::raise;

namespace {

/// From the softmax to the product with V.
struct Output {
  MatmulOp product;
  bool zeroMaskedRows = false;
};

/// Everything about one attention.
struct Found {
  Scores scores;
  Output output;
  Match match;
  /// [batch, heads, queries, keys]
  Dims dims;
};

} // namespace

/// The select of `select(isnan(p), 0, p)`: rows without keys give zeros.
static SelectOp getNaNGuard(Value value, Match &match) {
  SelectOp guard;
  UnaryOp test;
  for (Operation *user : value.getUsers()) {
    if (auto select = dyn_cast<SelectOp>(user))
      guard = select;
    else if (auto unary = dyn_cast<UnaryOp>(user))
      test = unary;
  }
  if (!guard || !test || test.getKind() != UnaryKind::IsNaN ||
      guard.getCondition() != test.getY() || guard.getB() != value ||
      getScalar(guard.getA()) != 0.0 || guard.getType() != value.getType())
    return {};
  match.add(test);
  match.add(guard);
  return guard;
}

static std::optional<Output> findOutput(Value value, Scores &scores,
                                        Match &match) {
  Output output;
  for (unsigned steps = 0; steps < 8; ++steps) {
    if (SelectOp guard = getNaNGuard(value, match)) {
      output.zeroMaskedRows = true;
      value = guard.getY();
      continue;
    }
    if (!value.hasOneUse())
      return std::nullopt;
    Operation *user = *value.user_begin();
    if (auto matmul = dyn_cast<MatmulOp>(user)) {
      if (matmul.getA() != value || matmul.getTransposeA() ||
          isa_and_present<ConstantOp>(matmul.getB().getDefiningOp()))
        return std::nullopt;
      match.add(matmul);
      output.product = matmul;
      return output;
    }
    Dims from = getDims(value.getType());
    auto reshape = dyn_cast<ReshapeOp>(user);
    Dims to = reshape ? getDims(reshape.getType()) : from;
    // Joining or splitting batch and heads only.
    if ((!reshape && !isa<ConvertOp>(user)) || to.size() < 2 ||
        ArrayRef(from).take_back(2) != ArrayRef(to).take_back(2))
      return std::nullopt;
    if (to.size() == 4)
      scores.split = to;
    match.add(user);
    value = user->getResult(0);
  }
  return std::nullopt;
}

/// [batch, heads, queries, keys] for a product of any rank.
static Dims getScoreDims(const Scores &scores) {
  MatmulOp product = scores.product;
  Dims dims = getDims(product.getType());
  if (dims.size() == 4)
    return dims;
  if (!scores.split.empty())
    return scores.split;
  AffineExpr one = constDim(product.getContext(), 1);
  if (dims.size() == 2)
    return {one, one, dims[0], dims[1]};
  if (dims.size() == 3)
    return {dims[0], one, dims[1], dims[2]};
  if (dims.size() == 5)
    return {simplify(dims[0] * dims[1]), dims[2], dims[3], dims[4]};
  return {};
}

/// Whether an operand of a product can be seen as [B, H, rows, columns]; a
/// smaller number of heads must be that of groups.
static bool fits(Value operand, ArrayRef<AffineExpr> dims) {
  Dims own = getDims(operand.getType());
  if (own.size() == 4)
    return own[0] == dims[0] &&
           (own[1] == dims[1] || effc::eff::getConstant(own[1]) == 1);
  AffineExpr batch = product(operand.getContext(), ArrayRef(own).drop_back(2));
  AffineExpr heads = simplify(dims[0] * dims[1]);
  return simplify(batch - heads) == constDim(operand.getContext(), 0);
}

/// The number of heads of an operand of rank 4, else that of the scores.
static AffineExpr getHeads(Value operand, ArrayRef<AffineExpr> dims) {
  Dims own = getDims(operand.getType());
  return own.size() == 4 ? own[1] : dims[1];
}

static bool isConsistent(const Found &found) {
  MatmulOp first = found.scores.product, second = found.output.product;
  Type type = getElementType(second.getY());
  for (Value operand : {first.getA(), first.getB(), second.getB()})
    if (!fits(operand, found.dims) || getElementType(operand) != type)
      return false;
  // Only keys and values may have fewer heads, and both as many.
  if (getHeads(first.getA(), found.dims) != found.dims[1] ||
      getHeads(first.getB(), found.dims) != getHeads(second.getB(), found.dims))
    return false;
  // The op gives the product's sizes, under their own names.
  Dims result = {found.dims[0], found.dims[1], found.dims[2],
                 getDims(second.getType()).back()};
  return isa<FloatType>(type) && found.scores.scale > 0 &&
         canCastTo(makeTensorType(type, result), getType(second.getY())) &&
         canCombine(found.scores.masks, found.dims);
}

static std::optional<Found> find(SoftmaxOp softmax) {
  if (softmax.getLog() ||
      int64_t(softmax.getAxis()) != getRank(softmax.getX()) - 1)
    return std::nullopt;
  Found found;
  found.match.add(softmax);
  auto scores = findScores(softmax.getX(), found.match);
  if (!scores)
    return std::nullopt;
  found.scores = *scores;
  auto output = findOutput(softmax.getY(), found.scores, found.match);
  if (!output)
    return std::nullopt;
  found.output = *output;
  found.dims = getScoreDims(found.scores);
  if (found.dims.empty() || !found.match.isClosed(output->product) ||
      !isConsistent(found))
    return std::nullopt;
  return found;
}

namespace {

/// Builds the op for what was found.
struct AttentionBuilder {
  AttentionBuilder(PatternRewriter &rewriter, Found &found)
      : rewriter(rewriter), found(found), root(found.output.product),
        loc(found.match.getLoc(rewriter)) {}

  void findOperands();
  void groupHeads();
  void build();
  Value toFourDims(Value x);
  AttentionOp create(bool headsLast);

  PatternRewriter &rewriter;
  Found &found;
  MatmulOp root;
  Location loc;
  Value q, k, v;
  double scale = 1.0;
};

} // namespace

Value AttentionBuilder::toFourDims(Value x) {
  Dims dims = getDims(x.getType());
  if (dims.size() == 4)
    return x;
  size_t rank = dims.size();
  Dims wanted = {found.dims[0], found.dims[1], dims[rank - 2], dims[rank - 1]};
  while (auto view = x.getDefiningOp<ReshapeOp>())
    x = view.getX();
  return rewriter.createOrFold<ReshapeOp>(
      loc, makeTensorType(getElementType(x), wanted), x);
}

void AttentionBuilder::findOperands() {
  MatmulOp product = found.scores.product;
  scale = found.scores.scale;
  // Factors come off on both sides of a transpose.
  auto strip = [&](Value x, bool swap) {
    x = stripScale(rewriter, x, scale);
    return stripScale(rewriter, swap ? swapLastDims(rewriter, loc, x) : x,
                      scale);
  };
  q = toFourDims(strip(product.getA(), product.getTransposeA()));
  k = toFourDims(strip(product.getB(), !product.getTransposeB()));
  v = root.getB();
  if (root.getTransposeB())
    v = swapLastDims(rewriter, loc, v);
  v = toFourDims(v);
}

void AttentionBuilder::groupHeads() {
  Value groupedK = getRepeatedGroups(k), groupedV = getRepeatedGroups(v);
  if (groupedK && groupedV &&
      getDim(groupedK.getType(), 1) == getDim(groupedV.getType(), 1)) {
    k = groupedK;
    v = groupedV;
  }
}

AttentionOp AttentionBuilder::create(bool headsLast) {
  Type element = getElementType(root.getY());
  Mask mask =
      combineMasks(rewriter, loc, found.scores.masks, found.dims, element);
  // The product of the scale and the cap is inside the cap's tanh.
  Dims dims = getDims(q.getType());
  dims[3] = getDim(v.getType(), 3);
  return AttentionOp::create(rewriter, loc, makeTensorType(element, dims), q, k,
                             v, mask.value, rewriter.getF64FloatAttr(scale),
                             rewriter.getBoolAttr(mask.causal),
                             rewriter.getF64FloatAttr(found.scores.softcap),
                             rewriter.getBoolAttr(headsLast),
                             rewriter.getBoolAttr(found.output.zeroMaskedRows));
}

void AttentionBuilder::build() {
  findOperands();
  groupHeads();
  Value lastQ = getHeadsLast(rewriter, loc, q);
  Value lastK = lastQ ? getHeadsLast(rewriter, loc, k) : Value();
  Value lastV = lastK ? getHeadsLast(rewriter, loc, v) : Value();
  if (!lastV) {
    Value y = create(/*headsLast=*/false).getY();
    rewriter.replaceOp(root, castTo(rewriter, loc, y, getType(root.getY())));
    return;
  }
  q = lastQ;
  k = lastK;
  v = lastV;
  Value y = create(/*headsLast=*/true).getY();
  auto user = root->hasOneUse() ? dyn_cast<TransposeOp>(*root->user_begin())
                                : TransposeOp();
  if (user && user.getPermutation() == ArrayRef<int64_t>{0, 2, 1, 3}) {
    rewriter.replaceOp(user, y);
    return;
  }
  Dims dims = getDims(y.getType());
  std::swap(dims[1], dims[2]);
  y = TransposeOp::create(rewriter, loc,
                          makeTensorType(getElementType(y), dims), y,
                          ArrayRef<int64_t>{0, 2, 1, 3});
  rewriter.replaceOp(root, castTo(rewriter, loc, y, getType(root.getY())));
}

namespace {

struct RaiseAttentionPattern : OpRewritePattern<SoftmaxOp> {
  RaiseAttentionPattern(MLIRContext *context, Pass::Statistic *numRaised)
      : OpRewritePattern(context), numRaised(numRaised) {}

  LogicalResult matchAndRewrite(SoftmaxOp softmax,
                                PatternRewriter &rewriter) const override {
    std::optional<Found> found = find(softmax);
    if (!found)
      return rewriter.notifyMatchFailure(softmax,
                                         "is not between two products");
    rewriter.setInsertionPoint(found->output.product);
    AttentionBuilder(rewriter, *found).build();
    if (numRaised)
      ++*numRaised;
    return success();
  }

  Pass::Statistic *numRaised;
};

struct RaiseAttention : effc::impl::RaiseAttentionBase<RaiseAttention> {
  void runOnOperation() override {
    RewritePatternSet patterns(&getContext());
    effc::populateRaiseAttentionPatterns(patterns, &numRaised);
    if (failed(applyPatternsGreedily(getOperation(), std::move(patterns))))
      return signalPassFailure();
    // Layers share a mask; each attention made its own tensor of it.
    IRRewriter rewriter(&getContext());
    DominanceInfo dominance(getOperation());
    eliminateCommonSubExpressions(rewriter, dominance, getOperation());
  }
};

} // namespace

void effc::populateRaiseAttentionPatterns(RewritePatternSet &patterns,
                                          Pass::Statistic *numRaised) {
  patterns.add<RaiseAttentionPattern>(patterns.getContext(), numRaised);
}
