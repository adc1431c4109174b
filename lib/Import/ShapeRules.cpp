// Evaluation of nodes on known contents: dispatch, elementwise arithmetic and
// reductions. Data movement is in ShapeMovement.cpp.
#include "ShapeRules.h"

#include <cmath>

using namespace mlir;

namespace effc {

using Comparison = ShapeArithmetic::Comparison;
using Rounding = ShapeArithmetic::Rounding;

std::optional<SmallVector<int64_t>>
ShapeRuleInput::constants(unsigned index) const {
  const ShapeValue *value = operand(index);
  if (!value)
    return std::nullopt;
  SmallVector<int64_t> result;
  for (const ShapeElement &element : value->elements) {
    if (element.kind != ShapeElement::Int)
      return std::nullopt;
    result.push_back(element.integer);
  }
  return result;
}

std::optional<int64_t> countShapeElements(ArrayRef<int64_t> shape) {
  int64_t count = 1;
  for (int64_t size : shape) {
    if (size < 0 || size > maxShapeElements)
      return std::nullopt;
    count *= size;
    if (count > maxShapeElements)
      return std::nullopt;
  }
  return count;
}

void forEachIndex(ArrayRef<int64_t> shape,
                  function_ref<void(ArrayRef<int64_t>)> visit) {
  if (llvm::is_contained(shape, 0))
    return;
  SmallVector<int64_t> index(shape.size(), 0);
  while (true) {
    visit(index);
    int64_t axis = int64_t(shape.size()) - 1;
    while (axis >= 0 && ++index[axis] == shape[axis])
      index[axis--] = 0;
    if (axis < 0)
      return;
  }
}

int64_t broadcastPosition(ArrayRef<int64_t> shape, ArrayRef<int64_t> index) {
  int64_t position = 0;
  size_t lead = index.size() - shape.size();
  for (auto [axis, size] : llvm::enumerate(shape))
    position = position * size + (size == 1 ? 0 : index[lead + axis]);
  return position;
}

std::optional<SmallVector<int64_t>>
broadcastShapes(ArrayRef<const ShapeValue *> operands) {
  size_t rank = 0;
  for (const ShapeValue *operand : operands)
    rank = std::max(rank, operand->shape.size());
  SmallVector<int64_t> shape(rank, 1);
  for (const ShapeValue *operand : operands) {
    size_t lead = rank - operand->shape.size();
    for (auto [axis, size] : llvm::enumerate(operand->shape)) {
      int64_t &result = shape[lead + axis];
      if (result == 1)
        result = size;
      else if (size != 1 && size != result)
        return std::nullopt;
    }
  }
  if (!countShapeElements(shape))
    return std::nullopt;
  return shape;
}

static ShapeResults single(ShapeResult value) {
  if (!value)
    return std::nullopt;
  return SmallVector<ShapeValue, 1>{std::move(*value)};
}

// Elementwise
// -------------------------------------------------------------------

static ShapeResults
mapUnary(ShapeRuleInput &in, Type type,
         function_ref<ShapeElement(const ShapeElement &)> apply) {
  const ShapeValue *x = in.operand(0);
  if (!x)
    return std::nullopt;
  ShapeValue result{type, x->shape, {}};
  for (const ShapeElement &element : x->elements)
    result.elements.push_back(apply(element));
  return single(result);
}

static ShapeResults
mapBinary(ShapeRuleInput &in, Type type,
          function_ref<ShapeElement(const ShapeElement &, const ShapeElement &)>
              apply) {
  const ShapeValue *a = in.operand(0), *b = in.operand(1);
  if (!a || !b)
    return std::nullopt;
  auto shape = broadcastShapes({a, b});
  if (!shape)
    return std::nullopt;
  ShapeValue result{type, *shape, {}};
  forEachIndex(*shape, [&](ArrayRef<int64_t> index) {
    result.elements.push_back(
        apply(a->elements[broadcastPosition(a->shape, index)],
              b->elements[broadcastPosition(b->shape, index)]));
  });
  return single(result);
}

static ShapeResults evalCast(ShapeRuleInput &in) {
  Type type;
  if (in.ctx.opType() == "CastLike") {
    if (Value like = in.ctx.input(1))
      type = cast<RankedTensorType>(like.getType()).getElementType();
  } else if (std::optional<int64_t> to = in.ctx.attrInt("to")) {
    type = in.ctx.elementType(*to);
  }
  // Rounding to 8 bits has variants; leave it to the operation.
  if (!type || (type.getIntOrFloatBitWidth() <= 8 && !type.isInteger(1)))
    return std::nullopt;
  ShapeArithmetic arithmetic(in.symbols, type);
  return mapUnary(in, type, [&](const ShapeElement &element) {
    return arithmetic.convert(element);
  });
}

static ShapeElement evalUnaryElement(ShapeArithmetic &arithmetic, Type type,
                                     StringRef op, const ShapeElement &x) {
  if (op == "Neg")
    return arithmetic.add(isa<FloatType>(type) ? ShapeElement::ofFloat(0)
                                               : ShapeElement::of(int64_t(0)),
                          x, -1);
  if (op == "Abs")
    return arithmetic.absolute(x);
  if (op == "Floor")
    return arithmetic.roundTo(x, Rounding::Floor);
  if (op == "Ceil")
    return arithmetic.roundTo(x, Rounding::Ceil);
  if (op == "Round")
    return arithmetic.roundTo(x, Rounding::Even);
  if (op == "Not")
    return x.kind == ShapeElement::Int ? ShapeElement::of(x.integer == 0)
                                       : ShapeElement();
  if (op == "Sqrt")
    return x.isConstant() ? arithmetic.round(
                                ShapeElement::ofFloat(std::sqrt(x.asDouble())))
                          : ShapeElement();
  if (op == "Reciprocal")
    return arithmetic.divide(ShapeElement::ofFloat(1), x);
  return {};
}

static ShapeResults evalUnary(ShapeRuleInput &in) {
  if (!in.operand(0))
    return std::nullopt;
  Type type = in.operand(0)->elementType;
  ShapeArithmetic arithmetic(in.symbols, type);
  return mapUnary(in, type, [&](const ShapeElement &x) {
    return evalUnaryElement(arithmetic, type, in.ctx.opType(), x);
  });
}

/// Exponents of shape arithmetic are small whole numbers.
static ShapeElement evalPower(ShapeArithmetic &arithmetic,
                              const ShapeElement &base,
                              const ShapeElement &exponent) {
  if (!exponent.isConstant())
    return {};
  double power = exponent.asDouble();
  if (base.kind == ShapeElement::Float)
    return power == 0.5
               ? arithmetic.round(ShapeElement::ofFloat(std::sqrt(base.number)))
           : power == 2 ? arithmetic.multiply(base, base)
                        : ShapeElement();
  if (power != std::floor(power) || power < 1 || power > 8)
    return {};
  ShapeElement result = base;
  for (int i = 1; i < power; ++i)
    result = arithmetic.multiply(result, base);
  return result;
}

static ShapeElement evalBinaryElement(ShapeArithmetic &arithmetic, StringRef op,
                                      bool fmod, const ShapeElement &a,
                                      const ShapeElement &b) {
  if (op == "Add")
    return arithmetic.add(a, b);
  if (op == "Sub")
    return arithmetic.add(a, b, -1);
  if (op == "Mul")
    return arithmetic.multiply(a, b);
  if (op == "Div")
    return arithmetic.divide(a, b);
  if (op == "Mod")
    return arithmetic.modulo(a, b, fmod);
  if (op == "Pow")
    return evalPower(arithmetic, a, b);
  return {};
}

static ShapeResults evalBinary(ShapeRuleInput &in) {
  if (!in.operand(0))
    return std::nullopt;
  Type type = in.operand(0)->elementType;
  ShapeArithmetic arithmetic(in.symbols, type);
  StringRef op = in.ctx.opType();
  bool fmod = op == "Mod" && in.ctx.attrBool("fmod", false);
  return mapBinary(in, type, [&](const ShapeElement &a, const ShapeElement &b) {
    return evalBinaryElement(arithmetic, op, fmod, a, b);
  });
}

static ShapeResults evalExtreme(ShapeRuleInput &in) {
  if (in.operands.empty() || llvm::is_contained(in.operands, nullptr))
    return std::nullopt;
  auto shape = broadcastShapes(in.operands);
  if (!shape)
    return std::nullopt;
  Type type = in.operand(0)->elementType;
  ShapeArithmetic arithmetic(in.symbols, type);
  bool larger = in.ctx.opType() == "Max";
  ShapeValue result{type, *shape, {}};
  forEachIndex(*shape, [&](ArrayRef<int64_t> index) {
    ShapeElement best;
    for (auto [i, operand] : llvm::enumerate(in.operands)) {
      const ShapeElement &element =
          operand->elements[broadcastPosition(operand->shape, index)];
      best = i == 0 ? element : arithmetic.extreme(best, element, larger);
    }
    result.elements.push_back(best);
  });
  return single(result);
}

static ShapeResults evalCompare(ShapeRuleInput &in) {
  StringRef op = in.ctx.opType();
  Comparison kind = op == "Equal"         ? Comparison::Equal
                    : op == "Less"        ? Comparison::Less
                    : op == "LessOrEqual" ? Comparison::LessOrEqual
                    : op == "Greater"     ? Comparison::Greater
                                          : Comparison::GreaterOrEqual;
  Type type = IntegerType::get(in.ctx.context(), 1);
  ShapeArithmetic arithmetic(in.symbols, type);
  return mapBinary(in, type, [&](const ShapeElement &a, const ShapeElement &b) {
    return arithmetic.compare(a, b, kind);
  });
}

static ShapeResults evalLogic(ShapeRuleInput &in) {
  StringRef op = in.ctx.opType();
  return mapBinary(
      in, IntegerType::get(in.ctx.context(), 1),
      [&](const ShapeElement &a, const ShapeElement &b) -> ShapeElement {
        bool knownA = a.kind == ShapeElement::Int;
        bool knownB = b.kind == ShapeElement::Int;
        if (op == "Xor")
          return knownA && knownB
                     ? ShapeElement::of((a.integer != 0) != (b.integer != 0))
                     : ShapeElement();
        // One operand may decide alone.
        bool decisive = op == "Or";
        if ((knownA && (a.integer != 0) == decisive) ||
            (knownB && (b.integer != 0) == decisive))
          return ShapeElement::of(decisive);
        return knownA && knownB ? ShapeElement::of(!decisive) : ShapeElement();
      });
}

static ShapeResults evalWhere(ShapeRuleInput &in) {
  const ShapeValue *c = in.operand(0), *a = in.operand(1), *b = in.operand(2);
  if (!c || !a || !b)
    return std::nullopt;
  auto shape = broadcastShapes({c, a, b});
  if (!shape)
    return std::nullopt;
  ShapeValue result{a->elementType, *shape, {}};
  forEachIndex(*shape, [&](ArrayRef<int64_t> index) {
    const ShapeElement &condition =
        c->elements[broadcastPosition(c->shape, index)];
    const ShapeElement &x = a->elements[broadcastPosition(a->shape, index)];
    const ShapeElement &y = b->elements[broadcastPosition(b->shape, index)];
    if (condition.kind == ShapeElement::Int)
      result.elements.push_back(condition.integer ? x : y);
    else
      result.elements.push_back(x == y ? x : ShapeElement());
  });
  return single(result);
}

// Sizes and reductions
// ------------------------------------------------------------

static ShapeResults evalShape(ShapeRuleInput &in) {
  Value x = in.ctx.input(0);
  if (!x)
    return std::nullopt;
  eff::Dims dims = eff::getDims(x.getType());
  Type type = IntegerType::get(in.ctx.context(), 64);
  if (in.ctx.opType() == "Size")
    return single(ShapeValue{
        type, {}, {ShapeElement::of(eff::getNumElements(x.getType()))}});
  int64_t rank = dims.size();
  auto clamp = [&](int64_t position) {
    return std::clamp<int64_t>(position < 0 ? position + rank : position, 0,
                               rank);
  };
  int64_t start = clamp(in.ctx.attrInt("start", 0));
  int64_t end = std::max(start, clamp(in.ctx.attrInt("end", rank)));
  ShapeValue result{type, {end - start}, {}};
  for (int64_t axis = start; axis < end; ++axis)
    result.elements.push_back(ShapeElement::of(dims[axis]));
  return single(result);
}

static ShapeElement combine(ShapeArithmetic &arithmetic, StringRef op,
                            const ShapeElement &a, const ShapeElement &b) {
  if (op == "ReduceSum")
    return arithmetic.add(a, b);
  if (op == "ReduceProd")
    return arithmetic.multiply(a, b);
  return arithmetic.extreme(a, b, op == "ReduceMax");
}

static ShapeResults evalReduce(ShapeRuleInput &in) {
  const ShapeValue *x = in.operand(0);
  if (!x || x->elements.empty())
    return std::nullopt;
  std::optional<SmallVector<int64_t>> axes = in.ctx.attrInts("axes");
  if (!axes && in.ctx.hasInput(1) && !(axes = in.constants(1)))
    return std::nullopt;
  bool keepdims = in.ctx.attrBool("keepdims", true);
  int64_t rank = x->shape.size();
  llvm::SmallBitVector reduced(rank);
  for (int64_t axis : axes.value_or(SmallVector<int64_t>())) {
    if (axis < -rank || axis >= rank)
      return std::nullopt;
    reduced.set(axis < 0 ? axis + rank : axis);
  }
  if (!axes || axes->empty()) {
    if (in.ctx.attrBool("noop_with_empty_axes", false))
      return single(*x);
    reduced.set();
  }
  ShapeValue kept{x->elementType, {}, {}}, result{x->elementType, {}, {}};
  for (auto [axis, size] : llvm::enumerate(x->shape)) {
    kept.shape.push_back(reduced[axis] ? 1 : size);
    if (keepdims || !reduced[axis])
      result.shape.push_back(kept.shape.back());
  }
  ShapeArithmetic arithmetic(in.symbols, x->elementType);
  SmallVector<std::optional<ShapeElement>> sums(
      *countShapeElements(kept.shape));
  size_t position = 0;
  forEachIndex(x->shape, [&](ArrayRef<int64_t> index) {
    auto &sum = sums[broadcastPosition(kept.shape, index)];
    const ShapeElement &element = x->elements[position++];
    sum = sum ? combine(arithmetic, in.ctx.opType(), *sum, element) : element;
  });
  for (auto &sum : sums)
    result.elements.push_back(*sum);
  return single(result);
}

// Dispatch
// ------------------------------------------------------------------------

ShapeRule findArithmeticRule(StringRef opType) {
  return llvm::StringSwitch<ShapeRule>(opType)
      .Cases({"Shape", "Size"}, evalShape)
      .Cases({"Cast", "CastLike"}, evalCast)
      .Cases(
          {"Neg", "Abs", "Floor", "Ceil", "Round", "Not", "Sqrt", "Reciprocal"},
          evalUnary)
      .Cases({"Add", "Sub", "Mul", "Div", "Mod", "Pow"}, evalBinary)
      .Cases({"Min", "Max"}, evalExtreme)
      .Cases({"Equal", "Less", "LessOrEqual", "Greater", "GreaterOrEqual"},
             evalCompare)
      .Cases({"And", "Or", "Xor"}, evalLogic)
      .Case("Where", evalWhere)
      .Cases({"ReduceSum", "ReduceProd", "ReduceMax", "ReduceMin"}, evalReduce)
      .Default(nullptr);
}

/// A small integer tensor whose contents nobody knows still has positions:
/// other operands of a Concat may be known.
static bool isSmallInteger(Value value) {
  auto type = cast<RankedTensorType>(value.getType());
  return type.getElementType().isInteger() && type.hasStaticShape() &&
         type.getNumElements() <= 64;
}

std::optional<SmallVector<ShapeValue, 1>>
evaluateShapeValues(NodeContext &ctx, SizeSymbols &symbols) {
  ShapeRule rule = findArithmeticRule(ctx.opType());
  bool movement = !rule;
  if (!rule)
    rule = findMovementRule(ctx.opType());
  if (!rule)
    return std::nullopt;
  ShapeRuleInput in{ctx, symbols, {}};
  bool onlyType = ctx.opType() == "Shape" || ctx.opType() == "Size";
  std::vector<std::unique_ptr<ShapeValue>> unknown;
  bool known = false;
  for (unsigned i = 0; i < ctx.numInputs() && !onlyType; ++i) {
    Value value = ctx.input(i);
    const ShapeValue *contents = ctx.contents(value);
    known |= contents != nullptr;
    if (value && !contents) {
      if (!movement || !isSmallInteger(value))
        return std::nullopt;
      auto type = cast<RankedTensorType>(value.getType());
      unknown.push_back(std::make_unique<ShapeValue>());
      *unknown.back() = {type.getElementType(),
                         SmallVector<int64_t>(type.getShape()),
                         std::vector<ShapeElement>(type.getNumElements())};
      contents = unknown.back().get();
    }
    in.operands.push_back(contents);
  }
  if (!known && !onlyType)
    return std::nullopt;
  ShapeResults results = rule(in);
  if (!results || results->size() < ctx.numOutputs())
    return std::nullopt;
  return results;
}

} // namespace effc
