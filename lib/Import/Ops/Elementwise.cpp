// Arithmetic and comparisons, all with multidirectional
// broadcasting (ONNX Broadcasting.md).
#include "Emitter.h"

using namespace mlir;
using namespace effc::eff;

namespace effc {

LogicalResult importUnary(NodeContext &ctx) {
  if (failed(ctx.requireInputs(1)))
    return failure();
  UnaryKind kind = *llvm::StringSwitch<std::optional<UnaryKind>>(ctx.opType())
                        .Case("Abs", UnaryKind::Abs)
                        .Case("Neg", UnaryKind::Neg)
                        .Case("Exp", UnaryKind::Exp)
                        .Case("Log", UnaryKind::Log)
                        .Case("Sqrt", UnaryKind::Sqrt)
                        .Case("Reciprocal", UnaryKind::Reciprocal)
                        .Case("Sin", UnaryKind::Sin)
                        .Case("Cos", UnaryKind::Cos)
                        .Case("Tan", UnaryKind::Tan)
                        .Case("Asin", UnaryKind::Asin)
                        .Case("Acos", UnaryKind::Acos)
                        .Case("Atan", UnaryKind::Atan)
                        .Case("Sinh", UnaryKind::Sinh)
                        .Case("Cosh", UnaryKind::Cosh)
                        .Case("Tanh", UnaryKind::Tanh)
                        .Case("Asinh", UnaryKind::Asinh)
                        .Case("Acosh", UnaryKind::Acosh)
                        .Case("Atanh", UnaryKind::Atanh)
                        .Case("Erf", UnaryKind::Erf)
                        .Case("Sigmoid", UnaryKind::Sigmoid)
                        .Case("Ceil", UnaryKind::Ceil)
                        .Case("Floor", UnaryKind::Floor)
                        .Case("Round", UnaryKind::Round)
                        .Case("Sign", UnaryKind::Sign)
                        .Case("Not", UnaryKind::Not)
                        .Case("BitwiseNot", UnaryKind::BitNot)
                        .Case("IsNaN", UnaryKind::IsNaN)
                        .Case("Relu", UnaryKind::Relu)
                        .Case("Softplus", UnaryKind::Softplus)
                        .Case("Softsign", UnaryKind::Softsign)
                        .Case("HardSwish", UnaryKind::HardSwish)
                        .Case("Mish", UnaryKind::Mish)
                        .Default(std::nullopt);
  return ctx.setOutput(0, unary(ctx, kind, ctx.input(0)));
}

LogicalResult importIsInf(NodeContext &ctx) {
  if (failed(ctx.requireInputs(1)))
    return failure();
  double negative = ctx.attrBool("detect_negative", true);
  double positive = ctx.attrBool("detect_positive", true);
  return ctx.setOutput(
      0, unary(ctx, UnaryKind::IsInf, ctx.input(0), negative, positive));
}

/// The operands, as broadcast as only the run knows.
static SmallVector<Value> readOperands(NodeContext &ctx, unsigned count) {
  SmallVector<Value> operands;
  for (unsigned i = 0; i < count; ++i)
    operands.push_back(ctx.input(i));
  ctx.broadcastOperands(operands);
  return operands;
}

static Value emitBinary(NodeContext &ctx, BinaryKind kind) {
  SmallVector<Value> operands = readOperands(ctx, 2);
  return binary(ctx, kind, operands[0], operands[1]);
}

LogicalResult importBinary(NodeContext &ctx) {
  if (failed(ctx.requireInputs(2)))
    return failure();
  BinaryKind kind = *llvm::StringSwitch<std::optional<BinaryKind>>(ctx.opType())
                         .Case("Add", BinaryKind::Add)
                         .Case("Sub", BinaryKind::Sub)
                         .Case("Mul", BinaryKind::Mul)
                         .Case("Div", BinaryKind::Div)
                         .Cases({"And", "BitwiseAnd"}, BinaryKind::And)
                         .Cases({"Or", "BitwiseOr"}, BinaryKind::Or)
                         .Cases({"Xor", "BitwiseXor"}, BinaryKind::Xor)
                         .Default(std::nullopt);
  return ctx.setOutput(0, emitBinary(ctx, kind));
}

LogicalResult importMod(NodeContext &ctx) {
  if (failed(ctx.requireInputs(2)))
    return failure();
  bool truncate = ctx.attrBool("fmod", false);
  return ctx.setOutput(
      0, emitBinary(ctx, truncate ? BinaryKind::FMod : BinaryKind::Mod));
}

/// Since opset 12 the exponent may have another type; the result has the type
/// of the base. An integer base with a float exponent is computed in the
/// exponent's type (ONNX's reference does the same).
LogicalResult importPow(NodeContext &ctx) {
  if (failed(ctx.requireInputs(2)))
    return failure();
  Emitter e(ctx);
  SmallVector<Value> operands = readOperands(ctx, 2);
  Value base = operands[0], exponent = operands[1];
  if (!base || !exponent)
    return failure();
  Type type = elementTypeOf(base);
  if (isFloat(base))
    return ctx.setOutput(
        0, e.binary(BinaryKind::Pow, base, e.convert(exponent, type)));
  if (!isFloat(exponent))
    return ctx.setOutput(0, e.binary(BinaryKind::Pow, base, exponent));
  Value power = e.binary(BinaryKind::Pow,
                         e.convert(base, elementTypeOf(exponent)), exponent);
  return ctx.setOutput(0, e.convert(power, type));
}

LogicalResult importBitShift(NodeContext &ctx) {
  if (failed(ctx.requireInputs(2)))
    return failure();
  std::string direction = ctx.attrString("direction", "");
  if (direction != "LEFT" && direction != "RIGHT")
    return ctx.error("attribute direction must be LEFT or RIGHT");
  BinaryKind kind =
      direction == "LEFT" ? BinaryKind::ShiftLeft : BinaryKind::ShiftRight;
  return ctx.setOutput(0, emitBinary(ctx, kind));
}

/// Max, Min, Sum and Mean take any number of operands.
LogicalResult importVariadic(NodeContext &ctx) {
  unsigned count = ctx.numInputs();
  if (failed(ctx.requireInputs(std::max(count, 1u))))
    return failure();
  Emitter e(ctx);
  StringRef op = ctx.opType();
  BinaryKind kind = op == "Max"   ? BinaryKind::Max
                    : op == "Min" ? BinaryKind::Min
                                  : BinaryKind::Add;
  SmallVector<Value> operands = readOperands(ctx, count);
  Value result = operands.front();
  for (Value operand : llvm::drop_begin(operands))
    result = e.binary(kind, result, operand);
  if (op == "Mean" && count > 1 && result)
    result = e.binary(BinaryKind::Div, result, double(count));
  return ctx.setOutput(0, result);
}

LogicalResult importCompare(NodeContext &ctx) {
  if (failed(ctx.requireInputs(2)))
    return failure();
  CompareKind kind =
      *llvm::StringSwitch<std::optional<CompareKind>>(ctx.opType())
           .Case("Equal", CompareKind::Eq)
           .Case("Less", CompareKind::Lt)
           .Case("LessOrEqual", CompareKind::Le)
           .Case("Greater", CompareKind::Gt)
           .Case("GreaterOrEqual", CompareKind::Ge)
           .Default(std::nullopt);
  SmallVector<Value> operands = readOperands(ctx, 2);
  return ctx.setOutput(0, compare(ctx, kind, operands[0], operands[1]));
}

LogicalResult importWhere(NodeContext &ctx) {
  if (failed(ctx.requireInputs(3)))
    return failure();
  SmallVector<Value> operands = readOperands(ctx, 3);
  return ctx.setOutput(0, select(ctx, operands[0], operands[1], operands[2]));
}

} // namespace effc
