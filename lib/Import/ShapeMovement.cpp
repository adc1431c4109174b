// Evaluation of data movement on known contents (see ShapeRules.cpp). A rule
// that meets something odd gives up; the operator's handler then reports it.
#include "ShapeRules.h"

using namespace mlir;

namespace effc {

static ShapeResults single(ShapeValue value) {
  return SmallVector<ShapeValue, 1>{std::move(value)};
}

static std::optional<int64_t> axisOf(int64_t axis, int64_t rank) {
  if (axis < -rank || axis >= rank)
    return std::nullopt;
  return axis < 0 ? axis + rank : axis;
}

/// Row-major position of an index in a shape.
static int64_t positionOf(ArrayRef<int64_t> shape, ArrayRef<int64_t> index) {
  int64_t position = 0;
  for (auto [size, i] : llvm::zip(shape, index))
    position = position * size + i;
  return position;
}

/// The same elements under another shape.
static ShapeResults reshaped(const ShapeValue &x, ArrayRef<int64_t> shape) {
  if (countShapeElements(shape) != int64_t(x.elements.size()))
    return std::nullopt;
  return single({x.elementType, SmallVector<int64_t>(shape), x.elements});
}

/// Result element at an index = x at the index that `source` gives.
static ShapeResults
picked(const ShapeValue &x, ArrayRef<int64_t> shape,
       function_ref<void(ArrayRef<int64_t>, MutableArrayRef<int64_t>)> source) {
  if (!countShapeElements(shape))
    return std::nullopt;
  ShapeValue result{x.elementType, SmallVector<int64_t>(shape), {}};
  SmallVector<int64_t> index(x.shape.size());
  forEachIndex(shape, [&](ArrayRef<int64_t> at) {
    source(at, index);
    result.elements.push_back(x.elements[positionOf(x.shape, index)]);
  });
  return single(result);
}

static ShapeResults evalReshape(ShapeRuleInput &in) {
  const ShapeValue *x = in.operand(0);
  auto target = in.constants(1);
  if (!x || !target)
    return std::nullopt;
  bool allowZero = in.ctx.attrBool("allowzero", false);
  int64_t count = 1, inferred = -1;
  for (auto [axis, size] : llvm::enumerate(*target)) {
    if (size == 0 && !allowZero) {
      if (axis >= x->shape.size())
        return std::nullopt;
      size = x->shape[axis];
    }
    if (size == -1)
      inferred = axis;
    else if (size < 0 || size > maxShapeElements)
      return std::nullopt;
    else
      count *= size;
    if (count > maxShapeElements)
      return std::nullopt;
  }
  if (inferred >= 0) {
    if (count == 0)
      return std::nullopt;
    (*target)[inferred] = x->elements.size() / count;
  }
  return reshaped(*x, *target);
}

static std::optional<SmallVector<int64_t>> axesOf(ShapeRuleInput &in,
                                                  int64_t rank) {
  std::optional<SmallVector<int64_t>> axes = in.ctx.attrInts("axes");
  if (!axes)
    axes = in.constants(1);
  if (!axes)
    return std::nullopt;
  for (int64_t &axis : *axes) {
    std::optional<int64_t> normal = axisOf(axis, rank);
    if (!normal)
      return std::nullopt;
    axis = *normal;
  }
  llvm::sort(*axes);
  return axes;
}

static ShapeResults evalSqueeze(ShapeRuleInput &in) {
  const ShapeValue *x = in.operand(0);
  if (!x)
    return std::nullopt;
  int64_t rank = x->shape.size();
  std::optional<SmallVector<int64_t>> axes = axesOf(in, rank);
  if (!axes && (in.ctx.hasInput(1) || in.ctx.hasAttr("axes")))
    return std::nullopt;
  SmallVector<int64_t> shape;
  for (int64_t axis = 0; axis < rank; ++axis)
    if (axes ? !llvm::is_contained(*axes, axis) : x->shape[axis] != 1)
      shape.push_back(x->shape[axis]);
  return reshaped(*x, shape);
}

static ShapeResults evalUnsqueeze(ShapeRuleInput &in) {
  const ShapeValue *x = in.operand(0);
  if (!x)
    return std::nullopt;
  size_t added = in.operand(1)
                     ? in.operand(1)->elements.size()
                     : in.ctx.attrInts("axes", ArrayRef<int64_t>()).size();
  auto axes = axesOf(in, x->shape.size() + added);
  if (!axes)
    return std::nullopt;
  SmallVector<int64_t> shape(x->shape);
  for (int64_t axis : *axes) {
    if (axis > int64_t(shape.size()))
      return std::nullopt;
    shape.insert(shape.begin() + axis, 1);
  }
  return reshaped(*x, shape);
}

static ShapeResults evalTranspose(ShapeRuleInput &in) {
  const ShapeValue *x = in.operand(0);
  if (!x)
    return std::nullopt;
  int64_t rank = x->shape.size();
  SmallVector<int64_t> reversed;
  for (int64_t axis = rank - 1; axis >= 0; --axis)
    reversed.push_back(axis);
  SmallVector<int64_t> permutation = in.ctx.attrInts("perm", reversed);
  SmallVector<int64_t> shape;
  if (int64_t(permutation.size()) != rank)
    return std::nullopt;
  for (int64_t axis : permutation) {
    if (axis < 0 || axis >= rank)
      return std::nullopt;
    shape.push_back(x->shape[axis]);
  }
  return picked(*x, shape,
                [&](ArrayRef<int64_t> at, MutableArrayRef<int64_t> source) {
                  for (auto [i, axis] : llvm::enumerate(permutation))
                    source[axis] = at[i];
                });
}

static ShapeResults evalExpand(ShapeRuleInput &in) {
  const ShapeValue *x = in.operand(0);
  auto target = in.constants(1);
  if (!x || !target || !countShapeElements(*target))
    return std::nullopt;
  ShapeValue shapeOnly{x->elementType, SmallVector<int64_t>(*target), {}};
  auto shape = broadcastShapes({x, &shapeOnly});
  if (!shape)
    return std::nullopt;
  ShapeValue result{x->elementType, *shape, {}};
  forEachIndex(*shape, [&](ArrayRef<int64_t> at) {
    result.elements.push_back(x->elements[broadcastPosition(x->shape, at)]);
  });
  return single(result);
}

static ShapeResults evalTile(ShapeRuleInput &in) {
  const ShapeValue *x = in.operand(0);
  auto repeats = in.constants(1);
  if (!x || !repeats || repeats->size() != x->shape.size())
    return std::nullopt;
  SmallVector<int64_t> shape;
  for (auto [size, repeat] : llvm::zip(x->shape, *repeats)) {
    if (repeat < 0 || repeat > maxShapeElements)
      return std::nullopt;
    shape.push_back(size * repeat);
  }
  return picked(*x, shape,
                [&](ArrayRef<int64_t> at, MutableArrayRef<int64_t> source) {
                  for (size_t i = 0; i < at.size(); ++i)
                    source[i] = at[i] % x->shape[i];
                });
}

static ShapeResults evalConcat(ShapeRuleInput &in) {
  if (in.operands.empty() || llvm::is_contained(in.operands, nullptr))
    return std::nullopt;
  SmallVector<int64_t> shape(in.operand(0)->shape);
  std::optional<int64_t> axis = axisOf(in.ctx.attrInt("axis", 1), shape.size());
  if (!axis)
    return std::nullopt;
  shape[*axis] = 0;
  for (const ShapeValue *operand : in.operands) {
    if (operand->shape.size() != shape.size())
      return std::nullopt;
    for (size_t i = 0; i < shape.size(); ++i)
      if (int64_t(i) != *axis && operand->shape[i] != shape[i])
        return std::nullopt;
    shape[*axis] += operand->shape[*axis];
  }
  if (!countShapeElements(shape))
    return std::nullopt;
  ShapeValue result{
      in.operand(0)->elementType, SmallVector<int64_t>(shape), {}};
  SmallVector<int64_t> index;
  forEachIndex(shape, [&](ArrayRef<int64_t> at) {
    index.assign(at.begin(), at.end());
    size_t which = 0;
    while (index[*axis] >= in.operands[which]->shape[*axis])
      index[*axis] -= in.operands[which++]->shape[*axis];
    const ShapeValue &operand = *in.operands[which];
    result.elements.push_back(
        operand.elements[positionOf(operand.shape, index)]);
  });
  return single(result);
}

static ShapeResults evalSlice(ShapeRuleInput &in) {
  const ShapeValue *x = in.operand(0);
  if (!x)
    return std::nullopt;
  bool attributes = in.ctx.hasAttr("starts");
  auto list = [&](StringRef name, unsigned index) {
    return attributes ? in.ctx.attrInts(name) : in.constants(index);
  };
  auto starts = list("starts", 1), ends = list("ends", 2);
  auto axes = list("axes", 3), steps = list("steps", 4);
  if (!starts || !ends || starts->size() != ends->size() ||
      (!attributes &&
       ((in.ctx.hasInput(3) && !axes) || (in.ctx.hasInput(4) && !steps))))
    return std::nullopt;
  int64_t rank = x->shape.size();
  SmallVector<int64_t> shape(x->shape), offsets(rank, 0), strides(rank, 1);
  for (size_t i = 0; i < starts->size(); ++i) {
    int64_t given = axes && i < axes->size() ? (*axes)[i] : int64_t(i);
    std::optional<int64_t> axis = axisOf(given, rank);
    int64_t step = steps && i < steps->size() ? (*steps)[i] : 1;
    if (!axis || step == 0 || step == INT64_MIN)
      return std::nullopt;
    int64_t size = x->shape[*axis];
    if (size == 0)
      continue;
    auto clamp = [&](int64_t position, int64_t low, int64_t high) {
      return std::clamp(position < 0 ? position + size : position, low, high);
    };
    int64_t start = step > 0 ? clamp((*starts)[i], 0, size)
                             : clamp((*starts)[i], 0, size - 1);
    int64_t end =
        step > 0 ? clamp((*ends)[i], 0, size) : clamp((*ends)[i], -1, size - 1);
    int64_t distance = step > 0 ? end - start : start - end;
    int64_t width = step > 0 ? step : -step;
    shape[*axis] = distance <= 0 ? 0 : (distance - 1) / width + 1;
    offsets[*axis] = start;
    strides[*axis] = step;
  }
  return picked(*x, shape,
                [&](ArrayRef<int64_t> at, MutableArrayRef<int64_t> source) {
                  for (size_t i = 0; i < at.size(); ++i)
                    source[i] = offsets[i] + at[i] * strides[i];
                });
}

static ShapeResults evalGather(ShapeRuleInput &in) {
  const ShapeValue *x = in.operand(0), *indices = in.operand(1);
  auto values = in.constants(1);
  if (!x || !values)
    return std::nullopt;
  std::optional<int64_t> axis =
      axisOf(in.ctx.attrInt("axis", 0), x->shape.size());
  if (!axis)
    return std::nullopt;
  for (int64_t &value : *values) {
    std::optional<int64_t> normal = axisOf(value, x->shape[*axis]);
    if (!normal)
      return std::nullopt;
    value = *normal;
  }
  size_t inner = indices->shape.size();
  SmallVector<int64_t> shape(x->shape.begin(), x->shape.begin() + *axis);
  shape.append(indices->shape.begin(), indices->shape.end());
  shape.append(x->shape.begin() + *axis + 1, x->shape.end());
  return picked(
      *x, shape, [&](ArrayRef<int64_t> at, MutableArrayRef<int64_t> source) {
        for (int64_t i = 0; i < *axis; ++i)
          source[i] = at[i];
        source[*axis] =
            (*values)[positionOf(indices->shape, at.slice(*axis, inner))];
        for (size_t i = *axis + 1; i < x->shape.size(); ++i)
          source[i] = at[i - 1 + inner];
      });
}

static ShapeResults evalSplit(ShapeRuleInput &in) {
  const ShapeValue *x = in.operand(0);
  if (!x)
    return std::nullopt;
  std::optional<int64_t> axis =
      axisOf(in.ctx.attrInt("axis", 0), x->shape.size());
  auto sizes = in.ctx.attrInts("split");
  if (!sizes)
    sizes = in.constants(1);
  if (!axis || (!sizes && in.ctx.hasInput(1)))
    return std::nullopt;
  int64_t extent = x->shape[*axis], count = in.ctx.numOutputs();
  if (!sizes) {
    count = in.ctx.attrInt("num_outputs", count);
    if (count <= 0)
      return std::nullopt;
    int64_t chunk = (extent + count - 1) / count;
    sizes.emplace();
    for (int64_t rest = extent, i = 0; i < count; ++i, rest -= chunk)
      sizes->push_back(std::clamp<int64_t>(rest, 0, chunk));
  }
  SmallVector<ShapeValue, 1> results;
  int64_t offset = 0;
  for (int64_t size : *sizes) {
    if (size < 0 || offset + size > extent)
      return std::nullopt;
    SmallVector<int64_t> shape(x->shape);
    shape[*axis] = size;
    ShapeResults part = picked(
        *x, shape, [&](ArrayRef<int64_t> at, MutableArrayRef<int64_t> source) {
          llvm::copy(at, source.begin());
          source[*axis] += offset;
        });
    results.push_back(std::move(part->front()));
    offset += size;
  }
  return results;
}

static ShapeResults evalConstantOfShape(ShapeRuleInput &in) {
  auto shape = in.constants(0);
  if (!shape || !countShapeElements(*shape))
    return std::nullopt;
  ShapeValue value{
      Float32Type::get(in.ctx.context()), {}, {ShapeElement::ofFloat(0)}};
  if (ElementsAttr attr = in.ctx.attrTensor("value")) {
    std::optional<ShapeValue> given = readShapeValue(attr);
    if (!given || given->elements.size() != 1)
      return std::nullopt;
    value = *given;
  }
  return single({value.elementType, SmallVector<int64_t>(*shape),
                 std::vector<ShapeElement>(*countShapeElements(*shape),
                                           value.elements[0])});
}

static ShapeResults evalRange(ShapeRuleInput &in) {
  auto start = in.constants(0), limit = in.constants(1), step = in.constants(2);
  if (!start || !limit || !step || start->size() != 1 || limit->size() != 1 ||
      step->size() != 1 || (*step)[0] == 0)
    return std::nullopt;
  __int128 distance = __int128((*limit)[0]) - (*start)[0];
  __int128 width = (*step)[0];
  __int128 count = distance / width + (distance % width != 0);
  if ((distance > 0) != (width > 0) || distance == 0)
    count = 0;
  if (count > maxShapeElements)
    return std::nullopt;
  ShapeValue result{in.operand(0)->elementType, {int64_t(count)}, {}};
  for (int64_t i = 0; i < int64_t(count); ++i)
    result.elements.push_back(ShapeElement::of((*start)[0] + i * (*step)[0]));
  return single(result);
}

static ShapeResults evalNonZero(ShapeRuleInput &in) {
  const ShapeValue *x = in.operand(0);
  if (!x || !x->isConstant())
    return std::nullopt;
  SmallVector<SmallVector<int64_t>> found;
  size_t position = 0;
  forEachIndex(x->shape, [&](ArrayRef<int64_t> index) {
    if (x->elements[position++].asDouble() != 0)
      found.emplace_back(index);
  });
  int64_t rank = x->shape.size(), count = found.size();
  ShapeValue result{IntegerType::get(in.ctx.context(), 64), {rank, count}, {}};
  for (int64_t axis = 0; axis < rank; ++axis)
    for (const auto &index : found)
      result.elements.push_back(ShapeElement::of(index[axis]));
  return single(result);
}

static ShapeResults evalScatterND(ShapeRuleInput &in) {
  const ShapeValue *x = in.operand(0), *indices = in.operand(1),
                   *updates = in.operand(2);
  auto values = in.constants(1);
  if (!x || !values || !updates || indices->shape.empty() ||
      in.ctx.attrString("reduction", "none") != "none")
    return std::nullopt;
  size_t depth = indices->shape.back();
  if (depth == 0 || depth > x->shape.size())
    return std::nullopt;
  size_t inner = 1;
  for (int64_t size : llvm::drop_begin(x->shape, depth))
    inner *= size;
  size_t count = values->size() / depth;
  if (updates->elements.size() != count * inner)
    return std::nullopt;
  ShapeValue result = *x;
  for (size_t i = 0; i < count; ++i) {
    int64_t position = 0;
    for (size_t d = 0; d < depth; ++d) {
      std::optional<int64_t> index =
          axisOf((*values)[i * depth + d], x->shape[d]);
      if (!index)
        return std::nullopt;
      position = position * x->shape[d] + *index;
    }
    for (size_t j = 0; j < inner; ++j)
      result.elements[position * inner + j] = updates->elements[i * inner + j];
  }
  return single(result);
}

static ShapeResults evalTrilu(ShapeRuleInput &in) {
  const ShapeValue *x = in.operand(0);
  if (!x || x->shape.size() < 2)
    return std::nullopt;
  auto k = in.constants(1);
  if (in.ctx.hasInput(1) && (!k || k->size() != 1))
    return std::nullopt;
  int64_t diagonal = k ? (*k)[0] : 0;
  bool upper = in.ctx.attrBool("upper", true);
  ShapeValue result = *x;
  size_t position = 0, rank = x->shape.size();
  bool isFloat = isa<FloatType>(x->elementType);
  forEachIndex(x->shape, [&](ArrayRef<int64_t> index) {
    int64_t distance = index[rank - 1] - index[rank - 2];
    if (upper ? distance < diagonal : distance > diagonal)
      result.elements[position] =
          isFloat ? ShapeElement::ofFloat(0) : ShapeElement::of(int64_t(0));
    ++position;
  });
  return single(result);
}

static ShapeResults evalCumSum(ShapeRuleInput &in) {
  const ShapeValue *x = in.operand(0);
  auto given = in.constants(1);
  if (!x || x->shape.size() != 1 || !given || given->size() != 1 ||
      !axisOf((*given)[0], 1))
    return std::nullopt;
  bool exclusive = in.ctx.attrBool("exclusive", false);
  bool reverse = in.ctx.attrBool("reverse", false);
  ShapeArithmetic arithmetic(in.symbols, x->elementType);
  ShapeElement sum = isa<FloatType>(x->elementType)
                         ? ShapeElement::ofFloat(0)
                         : ShapeElement::of(int64_t(0));
  ShapeValue result = *x;
  size_t count = x->elements.size();
  for (size_t i = 0; i < count; ++i) {
    size_t at = reverse ? count - 1 - i : i;
    ShapeElement next = arithmetic.add(sum, x->elements[at]);
    result.elements[at] = exclusive ? sum : next;
    sum = next;
  }
  return single(result);
}

ShapeRule findMovementRule(StringRef opType) {
  return llvm::StringSwitch<ShapeRule>(opType)
      .Case("Reshape", evalReshape)
      .Case("Squeeze", evalSqueeze)
      .Case("Unsqueeze", evalUnsqueeze)
      .Case("Transpose", evalTranspose)
      .Case("Expand", evalExpand)
      .Case("Tile", evalTile)
      .Case("Concat", evalConcat)
      .Case("Slice", evalSlice)
      .Case("Gather", evalGather)
      .Case("Split", evalSplit)
      .Case("ConstantOfShape", evalConstantOfShape)
      .Case("Range", evalRange)
      .Case("NonZero", evalNonZero)
      .Case("ScatterND", evalScatterND)
      .Case("Trilu", evalTrilu)
      .Case("CumSum", evalCumSum)
      .Default(nullptr);
}

} // namespace effc
