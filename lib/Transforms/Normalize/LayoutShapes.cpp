// Reshapes and transposes of permuted values (see PropagateLayout.cpp). A
// reshape is seen as groups of dims that merge or split on their own, so that
// flattening spatial dims or splitting channels works in either order.
#include "Layout.h"

using namespace mlir;
using namespace effc::eff;

namespace effc {
namespace {

/// Operand dims that become result dims; both ascending. Dims of extent 1 are
/// in no group of the operand; of the result, leading ones form the first
/// group.
struct Group {
  SmallVector<int64_t> from, to;
};

SmallVector<int64_t> getLargeDims(ArrayRef<AffineExpr> dims) {
  SmallVector<int64_t> large;
  for (auto [i, dim] : llvm::enumerate(dims))
    if (getConstant(dim) != 1)
      large.push_back(static_cast<int64_t>(i));
  return large;
}

/// The fewest leading dims of both lists with the same product.
std::optional<std::pair<size_t, size_t>>
matchPrefix(ArrayRef<int64_t> from, ArrayRef<AffineExpr> fromDims,
            ArrayRef<int64_t> to, ArrayRef<AffineExpr> toDims) {
  MLIRContext *context = fromDims[0].getContext();
  auto prefix = [&](ArrayRef<int64_t> axes, ArrayRef<AffineExpr> dims) {
    SmallVector<AffineExpr> extents;
    for (int64_t axis : axes)
      extents.push_back(dims[axis]);
    return product(context, extents);
  };
  for (size_t total = 2; total <= from.size() + to.size(); ++total)
    for (size_t m = 1; m < total; ++m)
      if (m <= from.size() && total - m <= to.size() &&
          prefix(from.take_front(m), fromDims) ==
              prefix(to.take_front(total - m), toDims))
        return std::pair(m, total - m);
  return std::nullopt;
}

/// Splits a reshape into groups, or nothing when it cannot be told.
std::optional<SmallVector<Group>> findGroups(ReshapeOp op) {
  Dims fromDims = getDims(op.getX().getType()), toDims = getDims(op.getType());
  SmallVector<int64_t> fromLarge = getLargeDims(fromDims);
  SmallVector<int64_t> toLarge = getLargeDims(toDims);
  ArrayRef<int64_t> from = fromLarge, to = toLarge;
  SmallVector<Group> groups;
  while (!from.empty() && !to.empty()) {
    auto match = matchPrefix(from, fromDims, to, toDims);
    if (!match)
      return std::nullopt;
    Group &group = groups.emplace_back();
    llvm::append_range(group.from, from.take_front(match->first));
    llvm::append_range(group.to, to.take_front(match->second));
    from = from.drop_front(match->first);
    to = to.drop_front(match->second);
  }
  if (!from.empty() || !to.empty() || groups.empty())
    return std::nullopt;
  // Units stay in front of everything, or go with the dim behind them.
  Group front;
  for (int64_t i = 0; i < static_cast<int64_t>(toDims.size()); ++i) {
    if (llvm::is_contained(toLarge, i))
      continue;
    auto isBehind = [&](const Group &group) { return group.to.back() > i; };
    Group *owner = llvm::find_if(groups, isBehind);
    if (i < toLarge.front())
      owner = &front;
    else if (owner == groups.end())
      owner = &groups.back();
    owner->to.push_back(i);
    llvm::sort(owner->to);
  }
  groups.insert(groups.begin(), front);
  return groups;
}

/// Groups in the order in which a permutation has their first dims.
SmallVector<Group> orderGroups(ArrayRef<Group> groups,
                               ArrayRef<int64_t> permutation) {
  SmallVector<Group> ordered = {groups.front()};
  for (int64_t axis : permutation)
    for (const Group &group : groups)
      if (!group.from.empty() && group.from.front() == axis)
        ordered.push_back(group);
  return ordered;
}

} // namespace

bool propagateReshape(ReshapeOp op, LayoutMap &layouts) {
  const Version *version = layouts.getPreferred(op.getX());
  if (!version)
    return false;
  std::optional<SmallVector<Group>> groups = findGroups(op);
  if (!groups)
    return false;
  groups = orderGroups(*groups, version->permutation);
  Permutation source, result;
  for (const Group &group : *groups) {
    llvm::append_range(source, group.from);
    llvm::append_range(result, group.to);
  }
  // The operand's order without its units, to see whether it is as needed.
  Dims dims = getDims(op.getX().getType());
  SmallVector<int64_t> large = getLargeDims(dims), current;
  for (int64_t axis : version->permutation)
    if (llvm::is_contained(large, axis))
      current.push_back(axis);
  Value x = version->value;
  if (current != ArrayRef<int64_t>(source)) {
    // Dims of a group are apart or out of order. In the original order this
    // costs the same transpose, so it must lead to what convolutions want.
    if (result != getChannelsLast(result.size()))
      return false;
    Permutation units;
    for (int64_t i = 0; i < static_cast<int64_t>(dims.size()); ++i)
      if (!llvm::is_contained(large, i))
        units.push_back(i);
    source.insert(source.begin(), units.begin(), units.end());
    x = layouts.getAs(op.getX(), source);
  }
  Value reshaped = layouts.builder.createOrFold<ReshapeOp>(
      op.getLoc(), permuteType(op.getType(), result), x);
  layouts.setResult(op, reshaped, result);
  return true;
}

bool propagateTranspose(TransposeOp op, LayoutMap &layouts) {
  Permutation position = invert(op.getPermutation());
  const Version *version = layouts.getPreferred(op.getX());
  if (!version) {
    // The operand is the transposed result's other version. That is worth going
    // on with when it is what convolutions want.
    if (position.size() < 3 || position != getChannelsLast(position.size())) {
      layouts.add(op, op.getX(), position);
      return false;
    }
    layouts.setResult(op, op.getX(), position);
    return true;
  }
  Permutation permutation;
  for (int64_t axis : version->permutation)
    permutation.push_back(position[axis]);
  layouts.setResult(op, version->value, permutation);
  return true;
}

} // namespace effc
