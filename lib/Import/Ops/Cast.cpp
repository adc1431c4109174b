// Cast, CastLike and BitCast: conversions of the element type. The rules for
// floats of 8 bits are the tables of ONNX Cast-25.
#include "Utils.h"

using namespace mlir;

namespace effc {

/// How a node rounds to float8e8m0. CastLike and all before opset 24 lack the
/// attribute, whose default is "up".
static std::optional<eff::RoundMode> readRoundMode(NodeContext &ctx) {
  std::string mode = ctx.attrString("round_mode", "up");
  std::optional<eff::RoundMode> round = eff::symbolizeRoundMode(mode);
  if (!round)
    (void)ctx.error("attribute round_mode is '" + mode +
                    "', expected up, down or nearest");
  return round;
}

static LogicalResult importConversion(NodeContext &ctx, Type type) {
  Value x = ctx.input(0);
  bool saturate = ctx.attrBool("saturate", true);
  std::optional<eff::RoundMode> round = readRoundMode(ctx);
  if (!type || !round)
    return failure();
  // Only where they matter, so that equal conversions look equal.
  bool isSmall = isa<FloatType>(type) && type.getIntOrFloatBitWidth() == 8;
  return ctx.setOutput(0, convertTo(ctx, x, type, saturate || !isSmall,
                                    isa<Float8E8M0FNUType>(type)
                                        ? *round
                                        : eff::RoundMode::Nearest));
}

LogicalResult importCast(NodeContext &ctx) {
  std::optional<int64_t> to = ctx.attrInt("to");
  if (failed(ctx.requireInputs(1)))
    return failure();
  if (!to)
    return ctx.hasFailed() ? failure() : ctx.error("attribute 'to' is missing");
  return importConversion(ctx, ctx.elementType(*to));
}

LogicalResult importCastLike(NodeContext &ctx) {
  if (failed(ctx.requireInputs(2)))
    return failure();
  return importConversion(ctx, elementTypeOf(ctx.input(1)));
}

LogicalResult importBitCast(NodeContext &ctx) {
  std::optional<int64_t> to = ctx.attrInt("to");
  if (failed(ctx.requireInputs(1)))
    return failure();
  if (!to)
    return ctx.hasFailed() ? failure() : ctx.error("attribute 'to' is missing");
  Type type = ctx.elementType(*to);
  Value x = ctx.input(0);
  if (!type || type == elementTypeOf(x))
    return type ? ctx.setOutput(0, x) : failure();
  return ctx.setOutput(0, ctx.createTyped<eff::BitcastOp>(
                              eff::withElementType(x.getType(), type), x));
}

} // namespace effc
