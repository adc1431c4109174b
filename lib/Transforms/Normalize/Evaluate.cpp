// Movements of constants, by loops over the index space.
#include "Evaluate.h"

using namespace mlir;
using namespace effc::eff;

namespace effc {

SmallVector<int64_t, 6> getStrides(ArrayRef<int64_t> shape) {
  SmallVector<int64_t, 6> strides(shape.size(), 1);
  for (int64_t i = static_cast<int64_t>(shape.size()) - 2; i >= 0; --i)
    strides[i] = strides[i + 1] * shape[i + 1];
  return strides;
}

void walkIndices(ArrayRef<int64_t> shape, ArrayRef<Walk> walks,
                 function_ref<void(int64_t, ArrayRef<int64_t>)> visit) {
  if (llvm::is_contained(shape, 0))
    return;
  SmallVector<int64_t> index(shape.size(), 0), positions;
  for (const Walk &walk : walks)
    positions.push_back(walk.base);
  for (int64_t count = 0;; ++count) {
    visit(count, positions);
    auto axis = static_cast<int64_t>(shape.size()) - 1;
    for (; axis >= 0; --axis) {
      bool wraps = ++index[axis] == shape[axis];
      int64_t steps = wraps ? 1 - shape[axis] : 1;
      for (auto [position, walk] : llvm::zip(positions, walks))
        position += steps * walk.strides[axis];
      if (!wraps)
        break;
      index[axis] = 0;
    }
    if (axis < 0)
      return;
  }
}

namespace {

/// Copies one element of the operand to every element of the result.
ElementsAttr move(RankedTensorType type, const ConstantReader &operand,
                  const Walk &walk) {
  ConstantBuilder result(type);
  unsigned size = getElementSize(operand.getKind());
  walkIndices(type.getShape(), walk,
              [&](int64_t index, ArrayRef<int64_t> positions) {
                std::memcpy(result.at(index), operand.at(positions[0]), size);
              });
  return result.finish("moved");
}

ElementsAttr evaluateTranspose(TransposeOp op, RankedTensorType type,
                               const ConstantReader &x) {
  SmallVector<int64_t, 6> strides = getStrides(x.getType().getShape());
  Walk walk;
  for (int64_t axis : op.getPermutation())
    walk.strides.push_back(strides[axis]);
  return move(type, x, walk);
}

ElementsAttr evaluateBroadcast(RankedTensorType type, const ConstantReader &x) {
  ArrayRef<int64_t> shape = x.getType().getShape();
  SmallVector<int64_t, 6> strides = getStrides(shape);
  Walk walk;
  walk.strides.assign(type.getRank() - shape.size(), 0);
  for (auto [size, stride] : llvm::zip(shape, strides))
    walk.strides.push_back(size == 1 ? 0 : stride);
  return move(type, x, walk);
}

ElementsAttr evaluateSlice(SliceOp op, RankedTensorType type,
                           const ConstantReader &x) {
  SmallVector<int64_t, 6> strides = getStrides(x.getType().getShape());
  Walk walk;
  for (auto [i, expr] : llvm::enumerate(op.getOffsets().getExprs())) {
    std::optional<int64_t> offset = getConstant(expr);
    if (!offset)
      return {};
    walk.base += *offset * strides[i];
    walk.strides.push_back(op.getStrides()[i] * strides[i]);
  }
  return move(type, x, walk);
}

/// Writes all elements of a part into a box of the result.
void insert(ConstantBuilder &result, ArrayRef<int64_t> resultShape,
            const ConstantReader &part, ArrayRef<int64_t> offsets) {
  Walk walk;
  walk.strides = getStrides(resultShape);
  for (auto [offset, stride] : llvm::zip(offsets, walk.strides))
    walk.base += offset * stride;
  unsigned size = getElementSize(part.getKind());
  walkIndices(part.getType().getShape(), walk,
              [&](int64_t index, ArrayRef<int64_t> positions) {
                std::memcpy(result.at(positions[0]), part.at(index), size);
              });
}

ElementsAttr evaluateConcat(ConcatOp op, RankedTensorType type,
                            ArrayRef<ConstantReader> inputs) {
  ConstantBuilder result(type);
  SmallVector<int64_t> offsets(type.getRank(), 0);
  for (const ConstantReader &input : inputs) {
    insert(result, type.getShape(), input, offsets);
    offsets[op.getAxis()] += input.getType().getDimSize(op.getAxis());
  }
  return result.finish("joined");
}

ElementsAttr evaluatePad(PadOp op, RankedTensorType type,
                         ArrayRef<ConstantReader> operands) {
  if (op.getMode() != PadMode::Constant)
    return {};
  SmallVector<int64_t> offsets;
  for (AffineExpr expr : op.getLow().getExprs()) {
    std::optional<int64_t> low = getConstant(expr);
    if (!low)
      return {};
    offsets.push_back(*low);
  }
  ConstantBuilder result(type);
  if (operands.size() == 2)
    for (int64_t i = 0; i < type.getNumElements(); ++i)
      std::memcpy(result.at(i), operands[1].at(0),
                  getElementSize(result.getKind()));
  insert(result, type.getShape(), operands[0], offsets);
  return result.finish("padded");
}

ElementsAttr evaluateGather(GatherOp op, RankedTensorType type,
                            const ConstantReader &x,
                            const ConstantReader &indices) {
  ArrayRef<int64_t> shape = x.getType().getShape();
  auto axis = static_cast<int64_t>(op.getAxis());
  int64_t outer = ShapedType::getNumElements(shape.take_front(axis));
  int64_t inner = ShapedType::getNumElements(shape.drop_front(axis + 1));
  unsigned size = getElementSize(x.getKind());
  ConstantBuilder result(type);
  int64_t to = 0;
  for (int64_t i = 0; i < outer; ++i)
    for (int64_t j = 0; j < indices.size(); ++j) {
      int64_t index = indices.getInt(j);
      index += index < 0 ? shape[axis] : 0;
      if (index < 0 || index >= shape[axis])
        return {};
      for (int64_t k = 0; k < inner; ++k)
        std::memcpy(result.at(to++),
                    x.at((i * shape[axis] + index) * inner + k), size);
    }
  return result.finish("gathered");
}

ElementsAttr evaluateIota(IotaOp op, RankedTensorType type) {
  std::optional<int64_t> start = getConstant(op.getBounds().getExprs()[0]);
  std::optional<int64_t> step = getConstant(op.getBounds().getExprs()[1]);
  if (!start || !step)
    return {};
  ConstantBuilder result(type);
  Walk walk{*start, SmallVector<int64_t, 6>(type.getRank(), 0)};
  if (type.getRank() > 0)
    walk.strides[op.getAxis()] = *step;
  walkIndices(type.getShape(), walk,
              [&](int64_t index, ArrayRef<int64_t> positions) {
                if (isFloatKind(result.getKind()))
                  result.setFloat(index, static_cast<double>(positions[0]));
                else
                  result.setInt(index, positions[0]);
              });
  return result.finish("iota");
}

} // namespace

ElementsAttr evaluate(Operation *op, ArrayRef<ConstantReader> operands) {
  if (op->getNumResults() != 1)
    return {};
  auto type = dyn_cast<RankedTensorType>(op->getResult(0).getType());
  if (!type || !type.hasStaticShape() || !getElementKind(type.getElementType()))
    return {};
  if (isa<ElementwiseOpInterface>(op))
    return evaluateElementwise(op, operands);
  return TypeSwitch<Operation *, ElementsAttr>(op)
      .Case([&](TransposeOp transpose) {
        return evaluateTranspose(transpose, type, operands[0]);
      })
      .Case([&](BroadcastOp) { return evaluateBroadcast(type, operands[0]); })
      .Case([&](SliceOp slice) {
        return evaluateSlice(slice, type, operands[0]);
      })
      .Case([&](ConcatOp concat) {
        return evaluateConcat(concat, type, operands);
      })
      .Case([&](PadOp pad) { return evaluatePad(pad, type, operands); })
      .Case([&](GatherOp gather) {
        return evaluateGather(gather, type, operands[0], operands[1]);
      })
      .Case([&](IotaOp iota) { return evaluateIota(iota, type); })
      .Default(ElementsAttr());
}

} // namespace effc
