// Operators of com.microsoft that expand into existing ones; semantics as in
// ONNX Runtime's docs/ContribOperators.md.
#include "Linear.h"

using namespace mlir;
using namespace effc::eff;

namespace effc {

// Activations -----------------------------------------------------------------

/// Gelu, BiasGelu (erf) and FastGelu (tanh), of the sum with an optional bias.
LogicalResult importMsGelu(NodeContext &ctx) {
  if (failed(ctx.requireInputs(1, 2)))
    return failure();
  Emitter e(ctx);
  Value x = ctx.input(0);
  if (Value bias = ctx.input(1))
    x = e.add(x, bias);
  bool fast = ctx.opType() == "FastGelu";
  return ctx.setOutput(
      0, e.unary(fast ? UnaryKind::GeluTanh : UnaryKind::Gelu, x));
}

LogicalResult importQuickGelu(NodeContext &ctx) {
  if (failed(ctx.requireInputs(1)))
    return failure();
  Emitter e(ctx);
  Value x = ctx.input(0);
  double alpha = ctx.attrFloat("alpha", 1.702f);
  Value gate = e.unary(UnaryKind::Sigmoid, e.mul(x, alpha));
  return ctx.setOutput(0, e.mul(x, gate));
}

/// The activation of a fused operator, by name.
static Value emitActivation(Emitter &e, Value x, StringRef name,
                            ArrayRef<double> parameters) {
  auto parameter = [&](size_t i, double fallback) {
    return i < parameters.size() ? parameters[i] : fallback;
  };
  if (name.empty())
    return x;
  if (name == "Relu")
    return e.unary(UnaryKind::Relu, x);
  if (name == "Tanh")
    return e.unary(UnaryKind::Tanh, x);
  if (name == "Sigmoid")
    return e.unary(UnaryKind::Sigmoid, x);
  if (name == "LeakyRelu")
    return e.unary(UnaryKind::LeakyRelu, x, parameter(0, 0.01f));
  if (name == "Clip")
    return e.unary(UnaryKind::Clip, x, parameter(0, -3.4028235e38f),
                   parameter(1, 3.4028235e38f));
  if (name == "HardSigmoid")
    return e.unary(UnaryKind::HardSigmoid, x, parameter(0, 0.2f),
                   parameter(1, 0.5));
  (void)e.ctx.unsupported("the fused activation '" + name + "'",
                          "export without operator fusion");
  return {};
}

// Contractions
// ------------------------------------------------------------------

/// With `batch`, [m, b..., k] becomes [b..., m, k] (transBatchA, transBatchB);
/// then the last two dims may be swapped.
static Value emitFusedTranspose(Emitter &e, Value x, bool transpose,
                                bool batch) {
  int64_t rank = rankOf(x);
  if (rank < 2 || (!transpose && !batch))
    return x;
  SmallVector<int64_t> order = llvm::to_vector(llvm::seq<int64_t>(0, rank));
  if (batch)
    std::rotate(order.begin(), order.begin() + 1, order.end() - 1);
  if (transpose)
    std::swap(order[rank - 2], order[rank - 1]);
  return e.transpose(x, order);
}

LogicalResult importFusedMatMul(NodeContext &ctx) {
  if (failed(ctx.requireInputs(2)))
    return failure();
  Emitter e(ctx);
  double alpha = ctx.attrFloat("alpha", 1.0);
  Value a = emitFusedTranspose(e, ctx.input(0), ctx.attrBool("transA", false),
                               ctx.attrBool("transBatchA", false));
  Value b = emitFusedTranspose(e, ctx.input(1), ctx.attrBool("transB", false),
                               ctx.attrBool("transBatchB", false));
  Value y = emitMatMul(e, a, b);
  return ctx.setOutput(0, alpha == 1.0 ? y : e.mul(y, alpha));
}

/// Gemm and an activation whose parameters have names of their own.
LogicalResult importFusedGemm(NodeContext &ctx) {
  if (failed(ctx.requireInputs(2, 3)))
    return failure();
  Emitter e(ctx);
  std::string name = ctx.attrString("activation", "");
  std::optional<double> alpha = ctx.attrFloat("activation_alpha");
  std::optional<double> beta = ctx.attrFloat("activation_beta");
  ctx.ignoreAttr("activation_gamma");
  SmallVector<double> parameters;
  if (alpha)
    parameters.push_back(*alpha);
  if (alpha && beta)
    parameters.push_back(*beta);
  Value y = emitGemm(e, ctx.input(0), ctx.input(1), ctx.input(2));
  return ctx.setOutput(0, emitActivation(e, y, name, parameters));
}

/// Conv, plus Z, then an activation.
LogicalResult importFusedConv(NodeContext &ctx) {
  if (failed(ctx.requireInputs(2, 4)))
    return failure();
  Emitter e(ctx);
  std::string name = ctx.attrString("activation", "");
  SmallVector<double> parameters =
      ctx.attrFloats("activation_params").value_or(SmallVector<double>());
  Value y = emitConv(e, ctx.input(0), ctx.input(1), ctx.input(2));
  if (Value addend = ctx.input(3))
    y = e.add(y, addend);
  return ctx.setOutput(0, emitActivation(e, y, name, parameters));
}

// Normalisations
// ------------------------------------------------------------------

static Value emitNorm(Emitter &e, Value x, Value scale, Value bias, bool simple,
                      double epsilon) {
  if (!x)
    return {};
  uint64_t axis = rankOf(x) - 1;
  if (!simple)
    return e.ctx.create<LayerNormOp>(x, scale, bias, axis,
                                     llvm::APFloat(epsilon));
  return e.ctx.create<RMSNormOp>(x, scale, axis, llvm::APFloat(epsilon));
}

/// Outputs that hold the statistics of training.
static LogicalResult refuseOutputs(NodeContext &ctx,
                                   ArrayRef<unsigned> indices) {
  for (unsigned index : indices)
    if (ctx.outputUsed(index))
      return ctx.unsupported("output " + Twine(index) + " is read",
                             "export the model for inference");
  return success();
}

/// Inputs x, skip, gamma, [beta,] bias; output 3 is the sum.
LogicalResult importSkipNorm(NodeContext &ctx) {
  bool simple = ctx.opType() == "SkipSimplifiedLayerNormalization";
  if (failed(ctx.requireInputs(3, simple ? 4 : 5)) ||
      failed(refuseOutputs(ctx, {1, 2})))
    return failure();
  Emitter e(ctx);
  double epsilon = ctx.attrFloat("epsilon", 1e-12f);
  Value beta = simple ? Value() : ctx.input(3);
  Value bias = ctx.input(simple ? 3 : 4);
  Value sum = e.add(ctx.input(0), ctx.input(1));
  if (bias)
    sum = e.add(sum, bias);
  if (failed(ctx.setOutput(
          0, emitNorm(e, sum, ctx.input(2), beta, simple, epsilon))))
    return failure();
  return ctx.outputUsed(3) ? ctx.setOutput(3, sum) : success();
}

/// The sum of word, position and segment embeddings, normalised; output 1 is
/// the number of tokens that the mask keeps, output 2 the sum.
LogicalResult importEmbedLayerNorm(NodeContext &ctx) {
  if (failed(ctx.requireInputs(1, 9)))
    return failure();
  for (unsigned index : {2u, 3u, 5u, 6u})
    if (!ctx.hasInput(index))
      return ctx.error("input " + Twine(index) + " is missing");
  Emitter e(ctx);
  double epsilon = ctx.attrFloat("epsilon", 1e-12f);
  int64_t maskType = ctx.attrInt("mask_index_type", 0);
  Value ids = ctx.input(0), segments = ctx.input(1);
  if (rankOf(ids) != 2)
    return ctx.error("input_ids has rank " + Twine(rankOf(ids)) +
                     ", it must be 2");
  Value sum = e.gather(ctx.input(2), ids, 0);
  // Positions are 0, 1, ... unless given.
  AffineExpr known = e.dim(ctx.input(3), 0);
  if (!ctx.hasInput(8) &&
      failed(ctx.requireEqual(ctx.maxSize(known, e.dim(ids, 1)), known,
                              "there is a row for each position")))
    return failure();
  Value rows = ctx.input(8)
                   ? e.gather(ctx.input(3), ctx.input(8), 0)
                   : e.slice(ctx.input(3), 0, e.constant(0), e.dim(ids, 1));
  sum = e.add(sum, rows);
  if (segments && ctx.input(4))
    sum = e.add(sum, e.gather(ctx.input(4), segments, 0));
  Value y =
      emitNorm(e, sum, ctx.input(5), ctx.input(6), /*simple=*/false, epsilon);
  if (failed(ctx.setOutput(0, y)))
    return failure();
  if (ctx.outputUsed(1)) {
    if (maskType > 1)
      return ctx.unsupported("attribute mask_index_type " + Twine(maskType),
                             "export without operator fusion");
    Type i32 = ctx.builder().getIntegerType(32);
    Value mask = ctx.input(7);
    Value count = mask ? e.reduce(ReduceKind::Sum, e.convert(mask, i32), {1},
                                  /*keepdims=*/false)
                       : e.splat(i32, {e.dim(ids, 0)}, 0.0);
    if (failed(ctx.setOutput(1, count)))
      return failure();
  }
  return ctx.outputUsed(2) ? ctx.setOutput(2, sum) : success();
}

} // namespace effc
