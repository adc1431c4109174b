// Sequences and optionals. Their lengths are known at import, so every
// operation is done on lists of values here and none reaches the IR.
#include "Emitter.h"

using namespace mlir;
using namespace effc::eff;

namespace effc {

static LogicalResult setList(NodeContext &ctx, ValueList list) {
  return ctx.setOutput(0, NonTensor{std::move(list), ""});
}

/// Operand 0 as a sequence, or null and a diagnostic.
static const ValueList *requireList(NodeContext &ctx) {
  const ValueList *list = ctx.inputList(0);
  if (!list)
    (void)ctx.error("input 0 is not a sequence");
  return list;
}

/// The scalar of an input in [-size, size - 1], counted from the start.
static std::optional<int64_t> readPosition(NodeContext &ctx, unsigned index,
                                           int64_t size) {
  if (!ctx.hasInput(index)) {
    (void)ctx.error("input " + Twine(index) + " is missing");
    return std::nullopt;
  }
  auto values = ctx.constants(ctx.input(index));
  if (!values || values->size() != 1) {
    (void)ctx.unsupported("the position in the sequence is computed from data",
                          "make it an initializer");
    return std::nullopt;
  }
  int64_t position = values->front();
  if (position >= -size && position < size)
    return position < 0 ? position + size : position;
  (void)ctx.error("position " + Twine(position) +
                  " is out of range for a sequence of " + Twine(size));
  return std::nullopt;
}

LogicalResult importSequenceConstruct(NodeContext &ctx) {
  if (failed(ctx.requireInputs(std::max(ctx.numInputs(), 1u))))
    return failure();
  ValueList list;
  for (unsigned i = 0; i < ctx.numInputs(); ++i)
    list.push_back(ctx.input(i));
  for (Value value : list)
    if (elementTypeOf(value) != elementTypeOf(list.front()))
      return ctx.error("the elements differ in type");
  return setList(ctx, std::move(list));
}

LogicalResult importSequenceEmpty(NodeContext &ctx) {
  if (!ctx.elementType(ctx.attrInt("dtype", 1)))
    return failure();
  return setList(ctx, {});
}

LogicalResult importSequenceAt(NodeContext &ctx) {
  const ValueList *list = requireList(ctx);
  if (!list)
    return failure();
  auto position = readPosition(ctx, 1, list->size());
  return position ? ctx.setOutput(0, (*list)[*position]) : failure();
}

LogicalResult importSequenceInsert(NodeContext &ctx) {
  const ValueList *list = requireList(ctx);
  if (!list)
    return failure();
  if (!ctx.hasInput(1))
    return ctx.error("input 1 is missing");
  ValueList result = *list;
  if (!result.empty() &&
      elementTypeOf(result.front()) != elementTypeOf(ctx.input(1)))
    return ctx.error("the elements differ in type");
  std::optional<int64_t> position = int64_t(result.size());
  // The end is a place of its own; negative numbers count from it.
  if (ctx.hasInput(2) && ctx.scalar(ctx.input(2)) != double(result.size()))
    position = readPosition(ctx, 2, result.size());
  if (!position)
    return failure();
  result.insert(result.begin() + *position, ctx.input(1));
  return setList(ctx, std::move(result));
}

LogicalResult importSequenceErase(NodeContext &ctx) {
  const ValueList *list = requireList(ctx);
  if (!list)
    return failure();
  std::optional<int64_t> position = int64_t(list->size()) - 1;
  if (list->empty() || ctx.hasInput(1))
    position = readPosition(ctx, 1, list->size());
  if (!position)
    return failure();
  ValueList result = *list;
  result.erase(result.begin() + *position);
  return setList(ctx, std::move(result));
}

LogicalResult importSequenceLength(NodeContext &ctx) {
  const ValueList *list = requireList(ctx);
  if (!list)
    return failure();
  return ctx.setOutput(
      0, reshapeTo(ctx, ctx.constantI64({int64_t(list->size())}), {}));
}

/// Longer sequences would make the program too long.
static constexpr int64_t maxElements = 1024;

/// As many parts as the list has elements, which may be data.
static LogicalResult readListedParts(NodeContext &ctx, AffineExpr extent,
                                     Value split,
                                     SmallVectorImpl<AffineExpr> &parts) {
  if (!tensorType(split).hasStaticShape())
    return ctx.unsupported("the length of the sequence depends on a free size",
                           "fix the size with --dim or --input-shape");
  if (tensorType(split).getNumElements() > maxElements)
    return ctx.unsupported("a sequence of more than " + Twine(maxElements) +
                           " elements");
  std::optional<Dims> sizes = ctx.sizes(split);
  if (!sizes)
    return ctx.error("split is not a list of integers");
  AffineExpr sum = constDim(ctx.context(), 0);
  for (AffineExpr size : *sizes) {
    if (getConstant(size).value_or(0) < 0)
      return ctx.error("split has a negative size");
    parts.push_back(size);
    sum = simplify(sum + size);
  }
  return ctx.requireEqual(sum, extent,
                          "the sizes in split do not cover the axis");
}

/// The sizes of the parts of an axis: given, or equal ones with a rest.
static LogicalResult readParts(NodeContext &ctx, AffineExpr extent,
                               SmallVectorImpl<AffineExpr> &parts) {
  auto constant = [&](int64_t v) { return constDim(ctx.context(), v); };
  Value split = ctx.input(1);
  if (split && rankOf(split) == 1)
    return readListedParts(ctx, extent, split, parts);
  std::optional<SmallVector<int64_t>> sizes =
      split ? ctx.constants(split) : SmallVector<int64_t>{1};
  if (!sizes)
    return ctx.unsupported("the length of the sequence is computed from data",
                           "make input 1 an initializer");
  std::optional<int64_t> all = getConstant(extent);
  if (!all)
    return ctx.unsupported("the length of the sequence depends on a free size",
                           "fix the size with --dim or --input-shape");
  if (sizes->size() != 1 || sizes->front() < 1)
    return ctx.error("split is not a positive number");
  for (int64_t begin = 0; begin < *all; begin += sizes->front()) {
    parts.push_back(constant(std::min(sizes->front(), *all - begin)));
    if (int64_t(parts.size()) > maxElements)
      return ctx.unsupported("a sequence of more than " + Twine(maxElements) +
                             " elements");
  }
  return success();
}

LogicalResult importSplitToSequence(NodeContext &ctx) {
  if (failed(ctx.requireInputs(1, 2)))
    return failure();
  Emitter e(ctx);
  Value x = ctx.input(0);
  auto axis = normalizeAxis(ctx, ctx.attrInt("axis", 0), rankOf(x));
  SmallVector<AffineExpr> parts;
  if (!axis || failed(readParts(ctx, e.dim(x, *axis), parts)))
    return failure();
  // Only without split may the axis vanish.
  bool keep = ctx.attrBool("keepdims", true) || ctx.hasInput(1);
  AffineExpr begin = e.constant(0);
  ValueList list;
  for (AffineExpr size : parts) {
    Value part = e.slice(x, *axis, begin, size);
    list.push_back(keep ? part : e.squeeze(part, {*axis}));
    begin = simplify(begin + size);
  }
  return setList(ctx, std::move(list));
}

LogicalResult importConcatFromSequence(NodeContext &ctx) {
  const ValueList *list = requireList(ctx);
  if (!list)
    return failure();
  std::optional<int64_t> axis = ctx.attrInt("axis");
  if (!axis)
    return ctx.error("attribute axis is missing");
  if (list->empty())
    return ctx.error("the sequence is empty");
  Emitter e(ctx);
  bool isNew = ctx.attrBool("new_axis", false);
  auto normal = normalizeAxis(ctx, *axis, rankOf(list->front()) + isNew);
  if (!normal)
    return failure();
  ValueList parts = *list;
  if (isNew)
    for (Value &part : parts) {
      if (rankOf(part) != rankOf(list->front()))
        return ctx.error("the elements differ in rank");
      part = e.unsqueeze(part, {*normal});
    }
  return ctx.setOutput(0, e.concat(parts, *normal));
}

/// The body once for each element; further operands are sequences of the same
/// length, or tensors for every call.
LogicalResult importSequenceMap(NodeContext &ctx) {
  const ValueList *list = requireList(ctx);
  const onnx::GraphProto *body = ctx.attrGraph("body");
  if (!list)
    return failure();
  if (!body)
    return ctx.hasFailed() ? failure() : ctx.error("attribute body is missing");
  SmallVector<ValueList> results(ctx.numOutputs());
  for (size_t i = 0, n = list->size(); i < n; ++i) {
    SmallVector<Value> arguments, values;
    for (unsigned input = 0; input < ctx.numInputs(); ++input) {
      const ValueList *other = ctx.inputList(input);
      if (other ? other->size() != n : !ctx.hasInput(input))
        return ctx.error("input " + Twine(input) +
                         " is missing or differs in length from input 0");
      arguments.push_back(other ? (*other)[i] : ctx.input(input));
    }
    if (failed(ctx.inlineGraph(*body, values, arguments)))
      return failure();
    if (values.size() != results.size())
      return ctx.error("the body has " + Twine(values.size()) + " outputs");
    for (auto [result, value] : llvm::zip(results, values))
      result.push_back(value);
  }
  for (auto [index, result] : llvm::enumerate(results))
    if (failed(ctx.setOutput(index, NonTensor{std::move(result), ""})))
      return failure();
  return success();
}

// Optionals -------------------------------------------------------------------

/// Hands operand 0 on, be it a tensor or a sequence.
static LogicalResult passOn(NodeContext &ctx) {
  if (const ValueList *list = ctx.inputList(0))
    return setList(ctx, *list);
  return ctx.setOutput(0, ctx.input(0));
}

/// Without an operand, `type` says what it would be.
LogicalResult importOptional(NodeContext &ctx) {
  ctx.ignoreAttr("type");
  if (ctx.hasInput(0) || ctx.inputList(0))
    return passOn(ctx);
  return ctx.setOutput(0, NonTensor());
}

LogicalResult importOptionalGetElement(NodeContext &ctx) {
  if (ctx.hasInput(0) || ctx.inputList(0))
    return passOn(ctx);
  return ctx.error("the optional has no element");
}

LogicalResult importOptionalHasElement(NodeContext &ctx) {
  bool present = ctx.hasInput(0) || ctx.inputList(0);
  return ctx.setOutput(0, ctx.splat(ctx.builder().getI1Type(), present));
}

/// Of sequences too.
LogicalResult importIdentity(NodeContext &ctx) {
  if (ctx.inputList(0))
    return passOn(ctx);
  if (failed(ctx.requireInputs(1)))
    return failure();
  return ctx.setOutput(0, ctx.input(0));
}

} // namespace effc
