// Activation functions; what has no kind of its own in eff.unary is written
// out.
#include "Emitter.h"

#include <limits>

using namespace mlir;
using namespace effc::eff;

namespace effc {

/// Functions with one or two float attributes.
LogicalResult importActivation(NodeContext &ctx) {
  if (failed(ctx.requireInputs(1)))
    return failure();
  StringRef op = ctx.opType();
  Value x = ctx.input(0);
  auto build = [&](UnaryKind kind, std::optional<double> alpha,
                   std::optional<double> beta) {
    return ctx.setOutput(0, unary(ctx, kind, x, alpha, beta));
  };
  if (op == "LeakyRelu")
    return build(UnaryKind::LeakyRelu, ctx.attrFloat("alpha", 0.01f), {});
  if (op == "Elu")
    return build(UnaryKind::Elu, ctx.attrFloat("alpha", 1.0), {});
  if (op == "Celu")
    return build(UnaryKind::Celu, ctx.attrFloat("alpha", 1.0), {});
  if (op == "ThresholdedRelu")
    return build(UnaryKind::ThresholdedRelu, ctx.attrFloat("alpha", 1.0), {});
  if (op == "Selu")
    return build(UnaryKind::Selu, ctx.attrFloat("alpha", 1.67326319217681885f),
                 ctx.attrFloat("gamma", 1.05070102214813232f));
  assert(op == "HardSigmoid" && "row without a case");
  return build(UnaryKind::HardSigmoid, ctx.attrFloat("alpha", 0.2f),
               ctx.attrFloat("beta", 0.5));
}

/// max(x, 0) + slope * min(x, 0); the slope broadcasts to x only.
LogicalResult importPRelu(NodeContext &ctx) {
  if (failed(ctx.requireInputs(2)))
    return failure();
  Value x = ctx.input(0), slope = ctx.input(1);
  if (rankOf(slope) > rankOf(x))
    return ctx.error("the slope has rank " + Twine(rankOf(slope)) +
                     ", more than the operand's " + Twine(rankOf(x)));
  slope = ctx.broadcastOperand(slope, getDims(x.getType()));
  return ctx.setOutput(0, binary(ctx, BinaryKind::PRelu, x, slope));
}

/// a * sigmoid(alpha * a).
static Value emitSwish(Emitter &e, Value x, double alpha) {
  if (alpha == 1.0)
    return e.unary(UnaryKind::Silu, x);
  return e.mul(x, e.unary(UnaryKind::Sigmoid, e.mul(x, alpha)));
}

LogicalResult importSwish(NodeContext &ctx) {
  bool gated = ctx.opType() == "SwiGLU";
  if (failed(ctx.requireInputs(gated ? 2 : 1)))
    return failure();
  Emitter e(ctx);
  Value y = emitSwish(e, ctx.input(0), ctx.attrFloat("alpha", 1.0));
  return ctx.setOutput(0, gated ? e.mul(y, ctx.input(1)) : y);
}

LogicalResult importGelu(NodeContext &ctx) {
  if (failed(ctx.requireInputs(1)))
    return failure();
  std::string approximate = ctx.attrString("approximate", "none");
  if (approximate != "none" && approximate != "tanh")
    return ctx.error("attribute approximate must be none or tanh, not '" +
                     approximate + "'");
  UnaryKind kind =
      approximate == "none" ? UnaryKind::Gelu : UnaryKind::GeluTanh;
  return ctx.setOutput(0, unary(ctx, kind, ctx.input(0)));
}

/// x < -lambd ? x + bias : x > lambd ? x - bias : 0. Integers are computed as
/// floats because the attributes are.
LogicalResult importShrink(NodeContext &ctx) {
  if (failed(ctx.requireInputs(1)))
    return failure();
  Emitter e(ctx);
  double lambd = ctx.attrFloat("lambd", 0.5), bias = ctx.attrFloat("bias", 0.0);
  Type type = elementTypeOf(ctx.input(0));
  Value x = ctx.input(0);
  if (!isFloat(x))
    x = e.convert(x, ctx.builder().getF64Type());
  Value right = e.select(e.compare(CompareKind::Gt, x, lambd), e.add(x, -bias),
                         scalarLike(ctx, x, 0));
  Value y =
      e.select(e.compare(CompareKind::Lt, x, -lambd), e.add(x, bias), right);
  return ctx.setOutput(0, e.convert(y, type));
}

/// Clip is min(max(x, low), high): where the bounds cross, the upper one wins.
static LogicalResult clip(NodeContext &ctx, std::optional<double> low,
                          std::optional<double> high) {
  constexpr double infinity = std::numeric_limits<double>::infinity();
  Value x = ctx.input(0);
  if (!low && !high)
    return ctx.setOutput(0, x);
  double upper = high.value_or(infinity);
  double lower = std::min(low.value_or(-infinity), upper);
  return ctx.setOutput(0, unary(ctx, UnaryKind::Clip, x, lower, upper));
}

LogicalResult importClipAttributes(NodeContext &ctx) {
  if (failed(ctx.requireInputs(1)))
    return failure();
  return clip(ctx, ctx.attrFloat("min"), ctx.attrFloat("max"));
}

LogicalResult importClip(NodeContext &ctx) {
  if (failed(ctx.requireInputs(1, 3)))
    return failure();
  Value low = ctx.input(1), high = ctx.input(2);
  if (isFloat(ctx.input(0))) {
    std::optional<double> min = low ? ctx.scalar(low) : std::nullopt;
    std::optional<double> max = high ? ctx.scalar(high) : std::nullopt;
    if (bool(low) == bool(min) && bool(high) == bool(max))
      return clip(ctx, min, max);
  }
  // Integer bounds need not fit a double.
  Emitter e(ctx);
  Value y = ctx.input(0);
  for (auto [kind, bound] :
       {std::pair(BinaryKind::Max, low), std::pair(BinaryKind::Min, high)})
    if (bound)
      y = e.binary(kind, y, e.reshape(bound, {}));
  return ctx.setOutput(0, y);
}

} // namespace effc
