// How each operation works on permuted dims (see PropagateLayout.cpp).
#include "Layout.h"

using namespace mlir;
using namespace effc::eff;

namespace effc {
namespace {

int64_t getRank(Value value) {
  return cast<RankedTensorType>(value.getType()).getRank();
}

/// The number of elements, with a typical extent for symbols.
int64_t estimateSize(Value value) {
  constexpr int64_t typicalExtent = 64;
  int64_t size = 1;
  for (int64_t extent : cast<RankedTensorType>(value.getType()).getShape())
    size *= ShapedType::isDynamic(extent) ? typicalExtent : extent;
  return size;
}

/// Bringing this operand into another order moves no data at run time.
bool isFree(Value value) {
  if (value.getDefiningOp<ConstantOp>())
    return true;
  // At most one dim is not 1.
  int64_t large = 0;
  for (int64_t extent : cast<RankedTensorType>(value.getType()).getShape())
    large += extent != 1;
  return large <= 1;
}

/// A convolution reads this, directly or behind a few operations that can work
/// on permuted dims.
bool feedsConv(Value value, int64_t depth = 3) {
  return llvm::any_of(value.getUses(), [&](OpOperand &use) {
    Operation *user = use.getOwner();
    if (isa<ConvOp>(user))
      return use.getOperandNumber() == 0;
    return depth > 0 &&
           isa<ElementwiseOpInterface, ConcatOp, PadOp, SliceOp>(user) &&
           feedsConv(user->getResult(0), depth - 1);
  });
}

/// The permutation that an operation on all of these should work in: that of
/// the largest operand that has one, unless operands without one weigh more and
/// no convolution wants it permuted anyway.
std::optional<Permutation> choosePermutation(ValueRange operands, Value result,
                                             LayoutMap &layouts) {
  int64_t rank = getRank(result);
  const Version *best = nullptr;
  int64_t bestSize = -1, inOrder = 0, permuted = 0;
  for (Value operand : operands) {
    const Version *version = layouts.getPreferred(operand);
    int64_t size = estimateSize(operand);
    if (!version || getRank(operand) != rank) {
      inOrder += isFree(operand) ? 0 : size;
      continue;
    }
    permuted += size;
    if (size > bestSize) {
      best = version;
      bestSize = size;
    }
  }
  if (!best || (permuted < inOrder && !feedsConv(result)))
    return std::nullopt;
  return best->permutation;
}

/// The operand with as many dims as the permutation, in its order.
Value getOperand(Value operand, ArrayRef<int64_t> permutation,
                 LayoutMap &layouts) {
  auto type = cast<RankedTensorType>(operand.getType());
  auto missing = static_cast<int64_t>(permutation.size()) - type.getRank();
  if (llvm::all_of(type.getShape(), [](int64_t size) { return size == 1; }))
    return operand;
  if (missing > 0) {
    Dims dims(missing, constDim(type.getContext(), 1));
    llvm::append_range(dims, getDims(type));
    operand = layouts.builder.createOrFold<ReshapeOp>(
        operand.getLoc(), makeTensorType(type.getElementType(), dims), operand);
  }
  return layouts.getAs(operand, permutation);
}

/// A copy of the operation with other operands and a permuted result.
Operation *rebuild(Operation *op, ValueRange operands,
                   ArrayRef<int64_t> permutation, LayoutMap &layouts) {
  Operation *clone = layouts.builder.clone(*op);
  clone->setOperands(operands);
  clone->getResult(0).setType(
      permuteType(op->getResult(0).getType(), permutation));
  return clone;
}

/// The same with the first operand permuted alike and all others as they are.
template <typename OpTy>
OpTy rebuildOnFirst(OpTy op, ArrayRef<int64_t> permutation,
                    LayoutMap &layouts) {
  SmallVector<Value> operands(op->getOperands());
  operands[0] = layouts.getAs(operands[0], permutation);
  auto clone = cast<OpTy>(rebuild(op, operands, permutation, layouts));
  layouts.setResult(op->getResult(0), clone->getResult(0), permutation);
  return clone;
}

/// Elementwise operations, broadcasts and tiles: all operands alike.
bool propagateAll(Operation *op, LayoutMap &layouts) {
  std::optional<Permutation> permutation =
      choosePermutation(op->getOperands(), op->getResult(0), layouts);
  if (!permutation)
    return false;
  SmallVector<Value> operands;
  for (Value operand : op->getOperands())
    operands.push_back(getOperand(operand, *permutation, layouts));
  Operation *clone = rebuild(op, operands, *permutation, layouts);
  layouts.setResult(op->getResult(0), clone->getResult(0), *permutation);
  return true;
}

/// The preferred order of an operand.
std::optional<Permutation> getOrder(Value x, LayoutMap &layouts) {
  const Version *version = layouts.getPreferred(x);
  return version ? std::optional(version->permutation) : std::nullopt;
}

bool propagateConcat(ConcatOp op, LayoutMap &layouts) {
  std::optional<Permutation> permutation =
      choosePermutation(op.getInputs(), op.getY(), layouts);
  if (!permutation)
    return false;
  SmallVector<Value> operands;
  for (Value input : op.getInputs())
    operands.push_back(layouts.getAs(input, *permutation));
  auto clone = cast<ConcatOp>(rebuild(op, operands, *permutation, layouts));
  clone.setAxis(invert(*permutation)[op.getAxis()]);
  layouts.setResult(op, clone, *permutation);
  return true;
}

/// A list with an entry for each dim.
template <typename T>
SmallVector<T> permute(ArrayRef<T> entries, ArrayRef<int64_t> permutation) {
  SmallVector<T> result;
  for (int64_t axis : permutation)
    result.push_back(entries[axis]);
  return result;
}

bool propagateReduce(ReduceOp op, LayoutMap &layouts) {
  std::optional<Permutation> order = getOrder(op.getX(), layouts);
  if (!order)
    return false;
  SmallVector<int64_t> axes;
  Permutation kept;
  for (auto [i, axis] : llvm::enumerate(*order)) {
    if (llvm::is_contained(op.getAxes(), axis))
      axes.push_back(static_cast<int64_t>(i));
    else
      kept.push_back(axis);
  }
  Permutation result = *order;
  if (!op.getKeepdims()) {
    // Dims keep their order but lose their old numbers.
    result.clear();
    for (int64_t axis : kept)
      result.push_back(
          llvm::count_if(kept, [&](int64_t other) { return other < axis; }));
  }
  Value x = layouts.getAs(op.getX(), *order);
  auto clone = cast<ReduceOp>(rebuild(op, x, result, layouts));
  clone.setAxes(axes);
  layouts.setResult(op, clone, result);
  return true;
}

/// Operations along one axis that keep the shape.
template <typename OpTy> bool propagateAxis(OpTy op, LayoutMap &layouts) {
  std::optional<Permutation> order = getOrder(op.getX(), layouts);
  if (!order)
    return false;
  rebuildOnFirst(op, *order, layouts).setAxis(invert(*order)[op.getAxis()]);
  return true;
}

/// Pools and group normalisations, which know channels last themselves.
template <typename OpTy> bool propagateWindow(OpTy op, LayoutMap &layouts) {
  std::optional<Permutation> order = getOrder(op.getX(), layouts);
  if (op.getChannelsLast() || order != getChannelsLast(getRank(op.getX())))
    return false;
  rebuildOnFirst(op, *order, layouts).setChannelsLast(true);
  return true;
}

/// Whether a padded copy of the map is cheaper than borders: without them the
/// taps of a kernel row are one run of elements instead of a pointer each. That
/// shows where a tap has few channels and feeds few vectors of outputs.
/// Measured in cycles a pixel of the map: one a tap and pixel of the result,
/// and what a copied element costs; small maps are not worth a kernel of their
/// own.
bool isWorthPadding(ConvOp op) {
  constexpr double copyCycles = 0.4, leastCycles = 4000;
  constexpr int64_t mostVectors = 4, lanes = 16;
  Dims weight = getDims(op.getWeight().getType());
  SmallVector<int64_t> sizes;
  for (AffineExpr dim : weight)
    sizes.push_back(getConstant(dim).value_or(0));
  bool isPadded = llvm::any_of(op.getPads(), [](int64_t pad) { return pad; });
  if (!isPadded || op.getGroups() != 1 || op.getDilations().back() != 1 ||
      op.getPadValue() != 0 || llvm::is_contained(sizes, 0) ||
      !getElementTypeOrSelf(op.getX().getType()).isF32())
    return false;
  int64_t taps = 1, pixels = 1;
  for (int64_t size : ArrayRef(sizes).drop_front(2))
    taps *= size;
  for (int64_t stride : op.getStrides())
    pixels *= stride;
  double saved = static_cast<double>(taps - taps / sizes.back()) / pixels;
  return sizes[1] * llvm::divideCeil(sizes[0], lanes) <= mostVectors &&
         saved > copyCycles * sizes[1] &&
         saved * estimateSize(op.getX()) >= leastCycles * sizes[1];
}

/// The pads of a convolution as an operation of their own.
void padBefore(ConvOp op, OpBuilder &builder) {
  MLIRContext *context = op.getContext();
  Dims dims = getDims(op.getX().getType());
  Dims low(dims.size(), constDim(context, 0));
  ArrayRef<int64_t> pads = op.getPads();
  size_t spatial = pads.size() / 2, first = op.getChannelsLast() ? 1 : 2;
  for (size_t i = 0; i < spatial; ++i) {
    low[first + i] = constDim(context, pads[i]);
    dims[first + i] = simplify(dims[first + i] + pads[i] + pads[spatial + i]);
  }
  auto type = makeTensorType(getElementTypeOrSelf(op.getX().getType()), dims);
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPoint(op);
  op.getXMutable().assign(PadOp::create(builder, op.getLoc(), type,
                                        PadMode::Constant, op.getX(), Value(),
                                        DimsAttr::get(context, low)));
  op.setPads(SmallVector<int64_t>(pads.size(), 0));
}

bool propagateConv(ConvOp op, LayoutMap &layouts) {
  if (op.getChannelsLast())
    return false;
  // A map in its original order is padded first: rows are copied faster than
  // groups of a few channels.
  bool isPadded = isWorthPadding(op);
  bool isOriginal = !layouts.getPreferred(op.getX());
  if (isPadded && isOriginal)
    padBefore(op, layouts.builder);
  ConvOp last =
      rebuildOnFirst(op, getChannelsLast(getRank(op.getX())), layouts);
  last.setChannelsLast(true);
  if (isPadded && !isOriginal)
    padBefore(last, layouts.builder);
  return true;
}

bool propagateSlice(SliceOp op, LayoutMap &layouts) {
  std::optional<Permutation> order = getOrder(op.getX(), layouts);
  if (!order)
    return false;
  SliceOp clone = rebuildOnFirst(op, *order, layouts);
  clone.setOffsetsAttr(DimsAttr::get(
      op.getContext(), permute(op.getOffsets().getExprs(), *order)));
  clone.setStrides(permute(op.getStrides(), *order));
  return true;
}

bool propagatePad(PadOp op, LayoutMap &layouts) {
  std::optional<Permutation> order = getOrder(op.getX(), layouts);
  if (!order)
    return false;
  rebuildOnFirst(op, *order, layouts)
      .setLowAttr(DimsAttr::get(op.getContext(),
                                permute(op.getLow().getExprs(), *order)));
  return true;
}

bool propagateResize(ResizeOp op, LayoutMap &layouts) {
  std::optional<Permutation> order = getOrder(op.getX(), layouts);
  if (!order)
    return false;
  Permutation position = invert(*order);
  SmallVector<int64_t> axes;
  for (int64_t axis : op.getAxes())
    axes.push_back(position[axis]);
  rebuildOnFirst(op, *order, layouts).setAxes(axes);
  return true;
}

/// A product stays, but reads an operand's other version when that is the same
/// matrices transposed.
void useTransposedOperands(MatmulOp op, LayoutMap &layouts) {
  for (OpOperand *operand : {&op.getAMutable(), &op.getBMutable()}) {
    const Version *version = layouts.getPreferred(operand->get());
    if (!version)
      continue;
    Permutation swapped = version->permutation;
    std::swap(swapped[swapped.size() - 1], swapped[swapped.size() - 2]);
    if (!isIdentity(swapped))
      continue;
    operand->set(version->value);
    if (operand->getOperandNumber() == 0)
      op.setTransposeA(!op.getTransposeA());
    else
      op.setTransposeB(!op.getTransposeB());
  }
}

/// Every dim is known as an expression.
bool haveDims(TypeRange types) {
  return llvm::all_of(types, [](Type type) {
    return !llvm::is_contained(getDims(type), AffineExpr());
  });
}

} // namespace

bool propagateLayout(Operation *op, LayoutMap &layouts) {
  if (op->getNumResults() != 1 || op->getNumOperands() == 0 ||
      !haveDims(op->getOperandTypes()) || !haveDims(op->getResultTypes()))
    return false;
  if (auto matmul = dyn_cast<MatmulOp>(op)) {
    useTransposedOperands(matmul, layouts);
    return false;
  }
  if (isa<ElementwiseOpInterface, BroadcastOp, TileOp>(op))
    return propagateAll(op, layouts);
  return TypeSwitch<Operation *, bool>(op)
      .Case([&](ConvOp conv) { return propagateConv(conv, layouts); })
      .Case<PoolOp, GroupNormOp>(
          [&](auto window) { return propagateWindow(window, layouts); })
      .Case([&](ConcatOp concat) { return propagateConcat(concat, layouts); })
      .Case([&](ReduceOp reduce) { return propagateReduce(reduce, layouts); })
      .Case<SoftmaxOp, ScanOp>(
          [&](auto along) { return propagateAxis(along, layouts); })
      .Case([&](SliceOp slice) { return propagateSlice(slice, layouts); })
      .Case([&](PadOp pad) { return propagatePad(pad, layouts); })
      .Case([&](ResizeOp resize) { return propagateResize(resize, layouts); })
      .Case(
          [&](ReshapeOp reshape) { return propagateReshape(reshape, layouts); })
      .Case([&](TransposeOp transpose) {
        return propagateTranspose(transpose, layouts);
      })
      .Default(false);
}

} // namespace effc
