// Quantised operators of com.microsoft: elementwise ones, pools and products
// (ONNX Runtime, docs/ContribOperators.md). Each is its float operator between
// a dequantisation and a quantisation; products of integers sum in i32.
#include "Attend.h"
#include "Linear.h"
#include "Quant.h"
#include "Windows.h"

using namespace mlir;
using namespace effc::eff;

namespace effc {

// Elementwise -----------------------------------------------------------------

/// All inputs but zero points are needed.
static LogicalResult requireOperands(NodeContext &ctx,
                                     ArrayRef<unsigned> needed, unsigned max) {
  if (failed(ctx.requireInputs(1, max)))
    return failure();
  for (unsigned index : needed)
    if (!ctx.hasInput(index))
      return ctx.error("input " + Twine(index) + " is missing");
  return success();
}

/// The quantised operand whose scale and zero point follow it, as f32.
static Value readOperand(Emitter &e, unsigned index) {
  return emitDequantize(e, e.ctx.input(index), e.ctx.input(index + 1),
                        e.ctx.input(index + 2));
}

/// Sets the output, quantised by the scale at `index` and the zero point after
/// it, which may be absent: 0 then, of the type `like`.
static LogicalResult setQuantized(Emitter &e, Value y, unsigned index,
                                  Type like) {
  NodeContext &ctx = e.ctx;
  Value zero = ctx.input(index + 1);
  Type type = zero ? elementTypeOf(zero) : like;
  if (!isQuantizable(ctx, type))
    return failure();
  Value scale = e.convert(withoutUnitDim(e, ctx.input(index)),
                          ctx.builder().getF32Type());
  return ctx.setOutput(
      0, emitSaturate(e, e.div(y, scale), withoutUnitDim(e, zero), type));
}

LogicalResult importQLinearBinary(NodeContext &ctx) {
  if (failed(requireOperands(ctx, {1, 3, 4, 6}, 8)))
    return failure();
  Emitter e(ctx);
  Value a = readOperand(e, 0), b = readOperand(e, 3);
  Value y = ctx.opType() == "QLinearAdd" ? e.add(a, b) : e.mul(a, b);
  return setQuantized(e, y, 6, elementTypeOf(ctx.input(0)));
}

/// QLinearSigmoid and QLinearLeakyRelu.
LogicalResult importQLinearUnary(NodeContext &ctx) {
  if (failed(requireOperands(ctx, {1, 3}, 5)))
    return failure();
  Emitter e(ctx);
  Value x = readOperand(e, 0);
  Value y =
      ctx.opType() == "QLinearSigmoid"
          ? e.unary(UnaryKind::Sigmoid, x)
          : e.unary(UnaryKind::LeakyRelu, x, ctx.attrFloat("alpha", 0.01f));
  return setQuantized(e, y, 3, elementTypeOf(ctx.input(0)));
}

/// Attribute `opset` says whether Softmax's dims from the axis on are flattened
/// (before 13).
LogicalResult importQLinearSoftmax(NodeContext &ctx) {
  if (failed(requireOperands(ctx, {1, 3}, 5)))
    return failure();
  Emitter e(ctx);
  Value x = readOperand(e, 0);
  int64_t rank = rankOf(ctx.input(0));
  bool flattens = ctx.attrInt("opset", 13) < 13;
  std::optional<int64_t> axis =
      normalizeAxis(ctx, ctx.attrInt("axis", -1), rank);
  if (!axis || !x)
    return failure();
  Value flat = x;
  if (flattens) {
    Dims dims = e.dims(x);
    flat = e.reshape(
        x, {product(ctx.context(), ArrayRef(dims).take_front(*axis)),
            product(ctx.context(), ArrayRef(dims).drop_front(*axis))});
  }
  Value y = e.softmax(flat, flattens ? 1 : *axis);
  return setQuantized(e, e.reshape(y, e.dims(x)), 3,
                      elementTypeOf(ctx.input(0)));
}

/// Operands come as triples after scale and zero point of the result.
LogicalResult importQLinearConcat(NodeContext &ctx) {
  if (failed(requireOperands(ctx, {2, 3}, ctx.numInputs())))
    return failure();
  if ((ctx.numInputs() - 2) % 3 != 0)
    return ctx.error("operands must come with a scale and a zero point each");
  Emitter e(ctx);
  std::optional<int64_t> axis =
      normalizeAxis(ctx, ctx.attrInt("axis", 0), rankOf(ctx.input(2)));
  if (!axis)
    return failure();
  SmallVector<Value> parts;
  for (unsigned i = 2; i < ctx.numInputs(); i += 3) {
    if (!ctx.hasInput(i) || !ctx.hasInput(i + 1))
      return ctx.error("input " + Twine(i) + " or its scale is missing");
    parts.push_back(readOperand(e, i));
    if (!parts.back())
      return failure();
  }
  return setQuantized(e, e.concat(parts, *axis), 0,
                      elementTypeOf(ctx.input(2)));
}

LogicalResult importQLinearWhere(NodeContext &ctx) {
  if (failed(requireOperands(ctx, {1, 2, 4, 5, 7}, 9)))
    return failure();
  Emitter e(ctx);
  Value y = e.select(ctx.input(0), readOperand(e, 1), readOperand(e, 4));
  return setQuantized(e, y, 7, elementTypeOf(ctx.input(1)));
}

// Pools and reductions --------------------------------------------------------

LogicalResult importQLinearAveragePool(NodeContext &ctx) {
  if (failed(requireOperands(ctx, {1, 3}, 5)))
    return failure();
  Emitter e(ctx);
  Value x = readOperand(e, 0);
  if (!x)
    return failure();
  bool global = ctx.opType() == "QLinearGlobalAveragePool";
  bool last = ctx.attrBool("channels_last", false);
  if (rankOf(x) < 3)
    return ctx.error("the operand has rank " + Twine(rankOf(x)) +
                     ", at least 3 is needed");
  if (last)
    x = moveChannels(e, x, /*toLast=*/false);
  Value y = global ? e.reduce(ReduceKind::Mean, x,
                              llvm::to_vector(llvm::seq<int64_t>(2, rankOf(x))),
                              /*keepdims=*/true)
                   : emitAveragePool(e, x);
  if (last)
    y = moveChannels(e, y, /*toLast=*/true);
  return setQuantized(e, y, 3, elementTypeOf(ctx.input(0)));
}

LogicalResult importQLinearReduceMean(NodeContext &ctx) {
  if (failed(requireOperands(ctx, {1, 3}, 5)))
    return failure();
  Emitter e(ctx);
  Value x = readOperand(e, 0);
  if (!x)
    return failure();
  std::optional<SmallVector<int64_t>> axes = normalizeAxes(
      ctx,
      ctx.attrInts("axes", llvm::to_vector(llvm::seq<int64_t>(0, rankOf(x)))),
      rankOf(x));
  if (!axes)
    return failure();
  bool keepdims = ctx.attrBool("keepdims", true);
  Value y = axes->empty() ? x : e.reduce(ReduceKind::Mean, x, *axes, keepdims);
  return setQuantized(e, y, 3, elementTypeOf(ctx.input(0)));
}

LogicalResult importMsQLinearConv(NodeContext &ctx) {
  if (failed(ctx.requireInputs(8, 9)))
    return failure();
  Emitter e(ctx);
  bool last = ctx.attrBool("channels_last", false);
  Value x = ctx.input(0);
  if (rankOf(x) < 3)
    return ctx.error("the operand has rank " + Twine(rankOf(x)) +
                     ", at least 3 is needed");
  Value y = emitQLinearConv(e, last ? moveChannels(e, x, false) : x);
  return ctx.setOutput(0, last ? moveChannels(e, y, true) : y);
}

// Products --------------------------------------------------------------------

/// (a - aZero) (b - bZero) aScale bScale + bias.
static Value emitScaledProduct(Emitter &e, Value a, Value aScale, Value aZero,
                               Value b, Value bScale, Value bZero, Value bias) {
  Type f32 = e.ctx.builder().getF32Type();
  Value sum = emitMatMul(e, emitCentred(e, a, withoutUnitDim(e, aZero)),
                         emitCentred(e, b, withoutUnitDim(e, bZero)));
  Value scale = e.mul(e.convert(withoutUnitDim(e, aScale), f32),
                      e.convert(withoutUnitDim(e, bScale), f32));
  Value y = e.mul(e.convert(sum, f32), scale);
  return bias ? e.add(y, e.convert(bias, f32)) : y;
}

LogicalResult importMatMulIntegerToFloat(NodeContext &ctx) {
  if (failed(ctx.requireInputs(4, 7)))
    return failure();
  Emitter e(ctx);
  Value y =
      emitScaledProduct(e, ctx.input(0), ctx.input(2), ctx.input(4),
                        ctx.input(1), ctx.input(3), ctx.input(5), ctx.input(6));
  return ctx.setOutput(0, e.convert(y, elementTypeOf(ctx.input(2))));
}

LogicalResult importDynamicQuantizeMatMul(NodeContext &ctx) {
  if (failed(ctx.requireInputs(3, 5)))
    return failure();
  Emitter e(ctx);
  DynamicQuantization a = emitDynamicQuantize(e, ctx.input(0));
  return ctx.setOutput(0, emitScaledProduct(e, a.value, a.scale, a.zero,
                                            ctx.input(1), ctx.input(2),
                                            ctx.input(3), ctx.input(4)));
}

/// alpha (A - a) (B - b) aScale bScale, plus C in units of the product; without
/// a scale for it the result is a float.
LogicalResult importQGemm(NodeContext &ctx) {
  if (failed(ctx.requireInputs(6, 9)))
    return failure();
  Emitter e(ctx);
  Type f32 = ctx.builder().getF32Type();
  double alpha = ctx.attrFloat("alpha", 1.0);
  bool transA = ctx.attrBool("transA", false);
  bool transB = ctx.attrBool("transB", false);
  Value a = ctx.input(0), b = ctx.input(3);
  if (rankOf(a) != 2 || rankOf(b) != 2)
    return ctx.error("A and B must have rank 2");
  auto matrix = [&](unsigned index, bool transposed) {
    Value zero = withoutUnitDim(e, ctx.input(index + 2));
    Value x = e.ctx.input(index);
    // Zero points of B are one for each column of the product.
    if (transposed)
      x = e.transpose(x, {1, 0});
    return emitCentred(e, x, zero);
  };
  Value sum = e.matmul(matrix(0, transA), matrix(3, transB));
  if (Value c = ctx.input(6))
    sum = e.add(sum, c);
  Value scale = e.mul(e.convert(withoutUnitDim(e, ctx.input(1)), f32),
                      e.convert(withoutUnitDim(e, ctx.input(4)), f32));
  if (alpha != 1.0)
    scale = e.mul(scale, alpha);
  Value y = e.mul(e.convert(sum, f32), scale);
  if (!ctx.hasInput(7))
    return ctx.setOutput(0, e.convert(y, elementTypeOf(ctx.input(1))));
  return setQuantized(e, y, 7, elementTypeOf(a));
}

LogicalResult importQAttention(NodeContext &ctx) {
  if (failed(ctx.requireInputs(5, 9)))
    return failure();
  Emitter e(ctx);
  Value product =
      emitScaledProduct(e, ctx.input(0), ctx.input(3), ctx.input(6),
                        ctx.input(1), ctx.input(4), ctx.input(7), ctx.input(2));
  return emitPackedAttention(e, e.convert(product, elementTypeOf(ctx.input(2))),
                             ctx.input(5), ctx.input(8), /*bias=*/{});
}

} // namespace effc
