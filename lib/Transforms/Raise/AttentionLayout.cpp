// How q, k and v come to attention: transposes that cancel, factors that move
// into the scale, groups that are repeated for each head, heads that can stay
// behind the tokens so that projections feed attention without copies.
#include "Attention.h"

using namespace mlir;
using namespace effc::eff;

namespace effc::raise {

static Value transposeBy(OpBuilder &builder, Location loc, Value x,
                         ArrayRef<int64_t> permutation) {
  SmallVector<int64_t> composed(permutation);
  if (auto inner = x.getDefiningOp<TransposeOp>()) {
    for (int64_t &axis : composed)
      axis = inner.getPermutation()[axis];
    x = inner.getX();
  }
  bool identity = true;
  Dims all = getDims(x.getType()), dims;
  for (auto [i, axis] : llvm::enumerate(composed)) {
    identity &= int64_t(i) == axis;
    dims.push_back(all[axis]);
  }
  if (identity)
    return x;
  auto type = makeTensorType(getElementType(x), dims);
  return TransposeOp::create(builder, loc, type, x, composed);
}

/// A reshape that leaves the last two dims alone.
static ReshapeOp getBatchReshape(Value x) {
  auto reshape = x.getDefiningOp<ReshapeOp>();
  if (!reshape || getRank(reshape.getX()) < 2 || getRank(x) < 2)
    return {};
  Dims from = getDims(reshape.getX().getType()), to = getDims(x.getType());
  bool same = ArrayRef(from).take_back(2) == ArrayRef(to).take_back(2);
  return same ? reshape : ReshapeOp();
}

Value swapLastDims(OpBuilder &builder, Location loc, Value x) {
  // Batch dims are joined for a batched product and split again.
  if (auto reshape = getBatchReshape(x)) {
    Dims dims = getDims(x.getType());
    std::swap(dims[dims.size() - 1], dims[dims.size() - 2]);
    Value inner = swapLastDims(builder, loc, reshape.getX());
    // Views of one tensor collapse.
    while (auto view = inner.getDefiningOp<ReshapeOp>())
      inner = view.getX();
    return builder.createOrFold<ReshapeOp>(
        loc, makeTensorType(getElementType(x), dims), inner);
  }
  int64_t rank = getRank(x);
  SmallVector<int64_t> permutation =
      llvm::to_vector(llvm::seq<int64_t>(0, rank));
  std::swap(permutation[rank - 1], permutation[rank - 2]);
  return transposeBy(builder, loc, x, permutation);
}

Value stripScale(OpBuilder &builder, Value x, double &scale) {
  Operation *op = x.getDefiningOp();
  if (auto binary = dyn_cast_or_null<BinaryOp>(op)) {
    if (binary.getKind() != BinaryKind::Mul &&
        binary.getKind() != BinaryKind::Div)
      return x;
    for (auto [inner, number] : operandOrders(binary)) {
      std::optional<double> c = getScalar(number);
      if (!c || *c == 0 || inner.getType() != x.getType())
        continue;
      scale = binary.getKind() == BinaryKind::Mul ? scale * *c : scale / *c;
      return stripScale(builder, inner, scale);
    }
    return x;
  }
  // Before the heads were split; other users keep their own copy.
  if (!isa_and_present<TransposeOp, ReshapeOp>(op) || !op->hasOneUse())
    return x;
  Value inner = stripScale(builder, op->getOperand(0), scale);
  if (inner == op->getOperand(0))
    return x;
  Operation *copy = builder.clone(*op);
  copy->setOperand(0, inner);
  return copy->getResult(0);
}

Value getRepeatedGroups(Value x) {
  auto join = x.getDefiningOp<ReshapeOp>();
  auto repeat = join ? join.getX().getDefiningOp<BroadcastOp>() : BroadcastOp();
  auto insert = repeat ? repeat.getX().getDefiningOp<ReshapeOp>() : ReshapeOp();
  if (!insert || getRank(insert.getX()) != 4 || getRank(x) != 4)
    return {};
  Dims groups = getDims(insert.getX().getType()),
       single = getDims(insert.getType()), many = getDims(repeat.getType()),
       heads = getDims(x.getType());
  if (single.size() != 5 || many.size() != 5)
    return {};
  AffineExpr one = constDim(x.getContext(), 1), count = many[2];
  Dims inserted = {groups[0], groups[1], one, groups[2], groups[3]};
  Dims repeated = {groups[0], groups[1], count, groups[2], groups[3]};
  Dims joined = {groups[0], simplify(groups[1] * count), groups[2], groups[3]};
  if (single != inserted || many != repeated || heads != joined)
    return {};
  return insert.getX();
}

/// [B, S, H, D] of part i of packed [n, B, H, S, D], itself a transpose.
static Value getPackedPart(OpBuilder &builder, Location loc, Value x) {
  auto drop = x.getDefiningOp<ReshapeOp>();
  auto slice = drop ? drop.getX().getDefiningOp<SliceOp>() : SliceOp();
  auto transpose =
      slice ? slice.getX().getDefiningOp<TransposeOp>() : TransposeOp();
  if (!transpose || getRank(transpose.getX()) != 5)
    return {};
  Dims part = getDims(slice.getType()), all = getDims(slice.getX().getType()),
       dims = getDims(x.getType());
  if (ArrayRef(part).drop_front() != ArrayRef(dims) ||
      ArrayRef(all).drop_front() != ArrayRef(dims) ||
      effc::eff::getConstant(part[0]) != 1)
    return {};
  // Only from [B, S, n, H, D], where the part's rows lie together.
  if (transpose.getPermutation() != ArrayRef<int64_t>{2, 0, 3, 1, 4})
    return {};
  Dims source = getDims(transpose.getX().getType()), offsets;
  for (int64_t i = 0; i < 5; ++i)
    offsets.push_back(i == 2 ? slice.getOffsets().getExprs()[0]
                             : constDim(x.getContext(), 0));
  source[2] = part[0];
  Type element = getElementType(x);
  SmallVector<int64_t> strides(5, 1);
  Value cut = SliceOp::create(builder, loc, makeTensorType(element, source),
                              transpose.getX(),
                              DimsAttr::get(x.getContext(), offsets), strides);
  Dims result = {source[0], source[1], source[3], source[4]};
  return ReshapeOp::create(builder, loc, makeTensorType(element, result), cut);
}

Value getHeadsLast(OpBuilder &builder, Location loc, Value x) {
  if (auto transpose = x.getDefiningOp<TransposeOp>())
    return transpose.getPermutation() == ArrayRef<int64_t>{0, 2, 1, 3}
               ? transpose.getX()
               : Value();
  return getPackedPart(builder, loc, x);
}

} // namespace effc::raise
