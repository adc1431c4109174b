// Normalisations and softmax.
#include "Emitter.h"

#include <cmath>

using namespace mlir;
using namespace effc::eff;

namespace effc {

// Softmax family ------------------------------------------------------------

/// Before opset 13 the operand counts as a matrix whose columns are all dims
/// from the axis on; returns the operand in that form and sets the axis.
static Value flattenForSoftmax(Emitter &e, Value x, int64_t &axis) {
  if (e.ctx.opset() >= 13 || axis == rankOf(x) - 1)
    return x;
  Dims dims = e.dims(x);
  ArrayRef<AffineExpr> all(dims);
  AffineExpr rows = product(e.ctx.context(), all.take_front(axis));
  AffineExpr columns = product(e.ctx.context(), all.drop_front(axis));
  axis = 1;
  return e.reshape(x, {rows, columns});
}

/// 1 at the first maximum along the axis, else 0.
static Value emitHardmax(Emitter &e, Value x, int64_t axis) {
  if (!x)
    return {};
  Value best = e.ctx.create<ArgReduceOp>(ReduceKind::Max, x, uint64_t(axis),
                                         /*keepdims=*/true,
                                         /*select_last=*/false);
  Dims dims(rankOf(x), e.constant(1));
  dims[axis] = e.dim(x, axis);
  Value index = e.iota(e.ctx.builder().getI64Type(), dims, axis, e.constant(0));
  return e.convert(e.compare(CompareKind::Eq, index, best), elementTypeOf(x));
}

LogicalResult importSoftmax(NodeContext &ctx) {
  if (failed(ctx.requireInputs(1)))
    return failure();
  Emitter e(ctx);
  Value x = ctx.input(0);
  if (rankOf(x) == 0)
    return ctx.error("the operand is a scalar");
  int64_t attribute = ctx.attrInt("axis", ctx.opset() < 13 ? 1 : -1);
  // Flattening may put all dims into the rows.
  bool flattens = ctx.opset() < 13;
  std::optional<int64_t> axis = flattens && attribute == rankOf(x)
                                    ? attribute
                                    : normalizeAxis(ctx, attribute, rankOf(x));
  if (!axis)
    return failure();
  Value flat = flattenForSoftmax(e, x, *axis);
  Value y = ctx.opType() == "Hardmax"
                ? emitHardmax(e, flat, *axis)
                : e.softmax(flat, *axis, ctx.opType() == "LogSoftmax");
  return ctx.setOutput(0, e.reshape(y, e.dims(x)));
}

// Layer and group normalisation ---------------------------------------------

/// The dims from `axis` on.
static SmallVector<int64_t> axesFrom(int64_t axis, Value x) {
  return llvm::to_vector(llvm::seq<int64_t>(axis, rankOf(x)));
}

/// Mean and 1 / sqrt(variance + epsilon), with the reduced dims kept.
static std::pair<Value, Value>
emitStatistics(Emitter &e, Value x, ArrayRef<int64_t> axes, double epsilon) {
  Value mean = e.reduce(ReduceKind::Mean, x, axes, /*keepdims=*/true);
  Value centred = e.sub(x, mean);
  Value variance =
      e.reduce(ReduceKind::Mean, e.mul(centred, centred), axes, true);
  Value inverse = e.unary(UnaryKind::Reciprocal,
                          e.unary(UnaryKind::Sqrt, e.add(variance, epsilon)));
  return {mean, inverse};
}

LogicalResult importLayerNorm(NodeContext &ctx) {
  if (failed(ctx.requireInputs(2, 3)))
    return failure();
  Emitter e(ctx);
  Value x = ctx.input(0);
  double epsilon = ctx.attrFloat("epsilon", 1e-5f);
  // eff.layer_norm computes in f32 at least.
  int64_t stash = ctx.attrInt("stash_type", 1);
  std::optional<int64_t> axis =
      normalizeAxis(ctx, ctx.attrInt("axis", -1), rankOf(x));
  if (!axis)
    return failure();
  Value bias = ctx.input(2);
  Value y =
      ctx.create<LayerNormOp>(x, ctx.broadcastOperand(ctx.input(1), e.dims(x)),
                              ctx.broadcastOperand(bias, e.dims(x)),
                              uint64_t(*axis), llvm::APFloat(epsilon));
  if (failed(ctx.setOutput(0, y)))
    return failure();
  if (!ctx.outputUsed(1) && !ctx.outputUsed(2))
    return success();
  Type stashType = ctx.elementType(stash);
  if (!stashType)
    return failure();
  auto [mean, inverse] =
      emitStatistics(e, e.convert(x, stashType), axesFrom(*axis, x), epsilon);
  if (ctx.outputUsed(1) && failed(ctx.setOutput(1, mean)))
    return failure();
  return ctx.outputUsed(2) ? ctx.setOutput(2, inverse) : success();
}

LogicalResult importRMSNorm(NodeContext &ctx) {
  if (failed(ctx.requireInputs(2)))
    return failure();
  Emitter e(ctx);
  Value x = ctx.input(0);
  double epsilon = ctx.attrFloat("epsilon", 1e-5f);
  ctx.ignoreAttr("stash_type");
  std::optional<int64_t> axis =
      normalizeAxis(ctx, ctx.attrInt("axis", -1), rankOf(x));
  if (!axis)
    return failure();
  Value y =
      ctx.create<RMSNormOp>(x, ctx.broadcastOperand(ctx.input(1), e.dims(x)),
                            uint64_t(*axis), llvm::APFloat(epsilon));
  if (failed(ctx.setOutput(0, y)) || !ctx.outputUsed(1))
    return success(bool(y));
  Value square = e.reduce(ReduceKind::Mean, e.mul(x, x), axesFrom(*axis, x),
                          /*keepdims=*/true);
  return ctx.setOutput(
      1, e.unary(UnaryKind::Reciprocal,
                 e.unary(UnaryKind::Sqrt, e.add(square, epsilon))));
}

/// A vector over channels in the shape that broadcasts to [N, C, spatial...].
static Value perChannel(Emitter &e, Value vector, int64_t rank) {
  Dims dims = {e.dim(vector, 0)};
  for (int64_t i = 2; i < rank; ++i)
    dims.push_back(e.constant(1));
  return e.reshape(vector, dims);
}

/// Group normalisation of a symbolic number of channels.
static Value emitGroupNorm(Emitter &e, Value x, Value scale, Value bias,
                           AffineExpr groups, double epsilon) {
  Dims dims = e.dims(x);
  AffineExpr rest = product(e.ctx.context(), ArrayRef(dims).drop_front(2));
  Value flat = e.reshape(
      x, {dims[0], groups, simplify(exactDiv(dims[1], groups) * rest)});
  auto [mean, inverse] = emitStatistics(e, flat, {2}, epsilon);
  Value y = e.reshape(e.mul(e.sub(flat, mean), inverse), dims);
  int64_t rank = dims.size();
  y = e.mul(y, perChannel(e, scale, rank));
  return e.add(y, perChannel(e, bias, rank));
}

static Value buildGroupNorm(Emitter &e, Value x, Value scale, Value bias,
                            AffineExpr groups) {
  NodeContext &ctx = e.ctx;
  double epsilon = ctx.attrFloat("epsilon", 1e-5f);
  std::optional<int64_t> channels = getConstant(e.dim(x, 1));
  std::optional<int64_t> count = getConstant(groups);
  if (count && (*count < 1 || (channels && *channels % *count != 0))) {
    (void)ctx.error("the number of groups, " + Twine(*count) +
                    ", does not divide the number of channels");
    return {};
  }
  if (!channels || !count)
    return emitGroupNorm(e, x, scale, bias, groups, epsilon);
  return ctx.create<GroupNormOp>(x, scale, bias, uint64_t(*count),
                                 llvm::APFloat(epsilon));
}

LogicalResult importInstanceNorm(NodeContext &ctx) {
  if (failed(ctx.requireInputs(3)))
    return failure();
  Value x = ctx.input(0);
  if (rankOf(x) < 3)
    return ctx.error("the operand has rank " + Twine(rankOf(x)) +
                     ", at least 3 is needed");
  Emitter e(ctx);
  return ctx.setOutput(
      0, buildGroupNorm(e, x, ctx.input(1), ctx.input(2), e.dim(x, 1)));
}

LogicalResult importGroupNorm(NodeContext &ctx) {
  if (failed(ctx.requireInputs(3)))
    return failure();
  Emitter e(ctx);
  Value x = ctx.input(0), scale = ctx.input(1), bias = ctx.input(2);
  ctx.ignoreAttr("stash_type");
  std::optional<int64_t> groups = ctx.attrInt("num_groups");
  if (!groups || *groups < 1)
    return ctx.error("attribute num_groups is missing or not positive");
  if (rankOf(x) < 3)
    return ctx.error("the operand has rank " + Twine(rankOf(x)) +
                     ", at least 3 is needed");
  AffineExpr count = e.constant(*groups);
  if (ctx.opset() < 21) {
    // Scale and bias are per group.
    AffineExpr channels = e.dim(x, 1), size = exactDiv(channels, count);
    for (Value *vector : {&scale, &bias}) {
      if (e.dim(*vector, 0) != count)
        return ctx.error("scale and bias must have one element a group");
      Value column = e.unsqueeze(*vector, {1});
      *vector = e.reshape(e.broadcast(column, {count, size}), {channels});
    }
  }
  return ctx.setOutput(0, buildGroupNorm(e, x, scale, bias, count));
}

/// GroupNorm of com.microsoft: channels last unless told otherwise, in the type
/// of scale and bias, with SiLU behind it.
LogicalResult importMsGroupNorm(NodeContext &ctx) {
  if (failed(ctx.requireInputs(3)))
    return failure();
  Emitter e(ctx);
  Value x = ctx.input(0), scale = ctx.input(1), bias = ctx.input(2);
  std::optional<int64_t> groups = ctx.attrInt("groups");
  int64_t activation = ctx.attrInt("activation", 0);
  bool last = ctx.attrBool("channels_last", true);
  int64_t rank = rankOf(x);
  if (!groups || *groups < 1)
    return ctx.error("attribute groups is missing or not positive");
  if (activation != 0 && activation != 1)
    return ctx.error("attribute activation is " + Twine(activation));
  if (rank < 3 || rankOf(scale) != 1 || rankOf(bias) != 1)
    return ctx.error("needs an operand of rank 3 or more, and scale and bias "
                     "of rank 1");
  SmallVector<int64_t> first{0, rank - 1}, back{0};
  for (int64_t i = 1; i < rank - 1; ++i) {
    first.push_back(i);
    back.push_back(i + 1);
  }
  back.push_back(1);
  Value wide = e.convert(x, elementTypeOf(scale));
  Value y = buildGroupNorm(e, last ? e.transpose(wide, first) : wide, scale,
                           bias, e.constant(*groups));
  if (y && activation)
    y = e.unary(UnaryKind::Silu, y);
  if (y && last)
    y = e.transpose(y, back);
  return ctx.setOutput(0, e.convert(y, elementTypeOf(x)));
}

// Batch normalisation ---------------------------------------------------------

/// Statistics that are constants become the factor and the addend here, in
/// double precision.
static std::optional<std::pair<Value, Value>>
foldBatchNorm(NodeContext &ctx, Type type, double epsilon,
              ArrayRef<int64_t> shape) {
  std::array<SmallVector<double>, 4> parts;
  for (unsigned i = 0; i < 4; ++i) {
    std::optional<SmallVector<double>> values = ctx.floats(ctx.input(i + 1));
    if (!values || (i && values->size() != parts[0].size()))
      return std::nullopt;
    parts[i] = std::move(*values);
  }
  auto [scale, bias, mean, variance] = parts;
  SmallVector<Attribute> factors, addends;
  for (size_t i = 0; i < scale.size(); ++i) {
    double factor = scale[i] / std::sqrt(variance[i] + epsilon);
    factors.push_back(FloatAttr::get(type, factor));
    addends.push_back(FloatAttr::get(type, bias[i] - mean[i] * factor));
  }
  auto tensor = RankedTensorType::get(shape, type);
  return std::pair(ctx.constant(DenseElementsAttr::get(tensor, factors)),
                   ctx.constant(DenseElementsAttr::get(tensor, addends)));
}

/// y = (x - mean) * scale / sqrt(variance + epsilon) + bias on tensors that
/// broadcast to x.
static Value emitBatchNorm(Emitter &e, Value x, ArrayRef<Value> parts,
                           double epsilon) {
  Value factor =
      e.div(parts[0], e.unary(UnaryKind::Sqrt, e.add(parts[3], epsilon)));
  Value addend = e.sub(parts[1], e.mul(parts[2], factor));
  return e.add(e.mul(x, factor), addend);
}

/// training_mode: statistics of the batch, and running averages of them.
static LogicalResult trainBatchNorm(NodeContext &ctx, ArrayRef<Value> parts,
                                    double epsilon, double momentum) {
  Emitter e(ctx);
  Value x = ctx.input(0);
  SmallVector<int64_t> axes = {0};
  llvm::append_range(axes, axesFrom(2, x));
  Value mean = e.reduce(ReduceKind::Mean, x, axes, /*keepdims=*/true);
  Value centred = e.sub(x, mean);
  Value variance =
      e.reduce(ReduceKind::Mean, e.mul(centred, centred), axes, true);
  Dims channels = {e.dim(x, 1)};
  auto blend = [&](Value old, Value now) {
    return e.add(e.mul(old, momentum),
                 e.mul(e.reshape(now, channels), 1.0 - momentum));
  };
  Value y = emitBatchNorm(e, x, {parts[0], parts[1], mean, variance}, epsilon);
  if (failed(ctx.setOutput(0, y)))
    return failure();
  if (ctx.outputUsed(1) && failed(ctx.setOutput(1, blend(ctx.input(3), mean))))
    return failure();
  return ctx.outputUsed(2) ? ctx.setOutput(2, blend(ctx.input(4), variance))
                           : success();
}

LogicalResult importBatchNorm(NodeContext &ctx) {
  if (failed(ctx.requireInputs(5)))
    return failure();
  Emitter e(ctx);
  Value x = ctx.input(0);
  double epsilon = ctx.attrFloat("epsilon", 1e-5f);
  double momentum = ctx.attrFloat("momentum", 0.9f);
  bool training = ctx.attrBool("training_mode", false);
  bool spatial = ctx.attrBool("spatial", true);
  if (!training)
    for (unsigned output = 1; output < ctx.numOutputs(); ++output)
      if (ctx.outputUsed(output))
        return ctx.unsupported("output " + Twine(output) +
                                   ", the statistics of training, is read",
                               "export the model for inference");
  // [C, 1...], or all dims but the batch's before opset 9 with spatial = 0.
  Dims shape;
  for (int64_t i = 1; i < rankOf(x); ++i)
    shape.push_back(i == 1 || !spatial ? e.dim(x, i) : e.constant(1));
  Type type = elementTypeOf(x);
  if (!training) {
    SmallVector<int64_t> constants;
    for (AffineExpr dim : shape)
      constants.push_back(getConstant(dim).value_or(-1));
    bool isStatic = !llvm::is_contained(constants, -1);
    if (isStatic && tensorType(ctx.input(1)).hasStaticShape() &&
        tensorType(ctx.input(1)).getNumElements() ==
            ShapedType::getNumElements(constants))
      if (auto folded = foldBatchNorm(ctx, type, epsilon, constants))
        return ctx.setOutput(0, e.add(e.mul(x, folded->first), folded->second));
  }
  SmallVector<Value> parts;
  for (unsigned i = 1; i < 5; ++i)
    parts.push_back(e.reshape(e.convert(ctx.input(i), type), shape));
  if (training && rankOf(x) < 2)
    return ctx.error("X has rank " + Twine(rankOf(x)) +
                     ", training needs a batch and channels");
  if (training)
    return trainBatchNorm(ctx, parts, epsilon, momentum);
  return ctx.setOutput(0, emitBatchNorm(e, x, parts, epsilon));
}

// Others
// ------------------------------------------------------------------------

/// x / (bias + alpha * mean of squares over `size` channels) ^ beta; the mean
/// is a pool over the channels, with the pads counted.
LogicalResult importLRN(NodeContext &ctx) {
  if (failed(ctx.requireInputs(1)))
    return failure();
  Emitter e(ctx);
  Value x = ctx.input(0);
  double alpha = ctx.attrFloat("alpha", 1e-4f);
  double beta = ctx.attrFloat("beta", 0.75);
  double bias = ctx.attrFloat("bias", 1.0);
  int64_t size = ctx.attrInt("size", 0);
  if (size < 1)
    return ctx.error("attribute size is missing or not positive");
  if (rankOf(x) < 2)
    return ctx.error("the operand has rank " + Twine(rankOf(x)) +
                     ", at least 2 is needed");
  Dims dims = e.dims(x);
  AffineExpr rest = product(ctx.context(), ArrayRef(dims).drop_front(2));
  Value square =
      e.reshape(e.mul(x, x), {dims[0], e.constant(1), dims[1], rest});
  if (!square)
    return failure();
  int64_t before = (size - 1) / 2, after = size - 1 - before;
  SmallVector<int64_t> ones = {1, 1};
  Value mean = ctx.createTyped<PoolOp>(
      square.getType(), PoolKind::Average, square,
      SmallVector<int64_t>{size, 1}, ones, ones,
      SmallVector<int64_t>{before, 0, after, 0}, /*count_include_pad=*/true);
  Value divisor =
      e.binary(BinaryKind::Pow, e.add(e.mul(mean, alpha), bias), beta);
  return ctx.setOutput(0, e.div(x, e.reshape(divisor, dims)));
}

LogicalResult importLpNormalization(NodeContext &ctx) {
  if (failed(ctx.requireInputs(1)))
    return failure();
  Emitter e(ctx);
  Value x = ctx.input(0);
  int64_t p = ctx.attrInt("p", 2);
  std::optional<int64_t> axis =
      normalizeAxis(ctx, ctx.attrInt("axis", -1), rankOf(x));
  if (!axis)
    return failure();
  if (p != 1 && p != 2)
    return ctx.error("attribute p is " + Twine(p) + ", it must be 1 or 2");
  Value norm = e.reduce(p == 1 ? ReduceKind::L1 : ReduceKind::L2, x, {*axis},
                        /*keepdims=*/true);
  // A zero norm gives zeros.
  Value divisor = e.select(e.compare(CompareKind::Eq, norm, 0.0),
                           scalarLike(ctx, x, 1.0), norm);
  return ctx.setOutput(0, e.div(x, divisor));
}

/// (x - mean) / (sqrt(variance) + 1e-9), as the body of the function has it.
LogicalResult importMeanVarianceNorm(NodeContext &ctx) {
  if (failed(ctx.requireInputs(1)))
    return failure();
  Emitter e(ctx);
  Value x = ctx.input(0);
  std::optional<SmallVector<int64_t>> axes =
      normalizeAxes(ctx, ctx.attrInts("axes", {0, 2, 3}), rankOf(x));
  if (!axes)
    return failure();
  Value centred = e.sub(x, e.reduce(ReduceKind::Mean, x, *axes, true));
  Value variance =
      e.reduce(ReduceKind::Mean, e.mul(centred, centred), *axes, true);
  Value deviation = e.unary(UnaryKind::Sqrt, variance);
  return ctx.setOutput(0, e.div(centred, e.add(deviation, 1e-9)));
}

} // namespace effc
