// Functions of f32 to branch-free arithmetic, so that loops over them become
// vectors; what is left goes to libm. On the plain path everything goes to
// libm.
#include "effc/Target/CPU/Passes.h"

#include "CPU/MathFunctions.h"
#include "mlir/Conversion/MathToLibm/MathToLibm.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/Matchers.h"
#include "mlir/Transforms/DialectConversion.h"
#include "llvm/ADT/TypeSwitch.h"

namespace effc {
#define GEN_PASS_DEF_LOWERMATH
#include "effc/Target/CPU/Passes.h.inc"
} // namespace effc

using namespace mlir;
using namespace effc;

static Type withElement(Type type, Type element) {
  auto vector = dyn_cast<VectorType>(type);
  return vector ? Type(vector.clone(element)) : element;
}

/// The number that all elements are.
static std::optional<double> getNumber(Value value) {
  if (auto broadcast = value.getDefiningOp<vector::BroadcastOp>())
    value = broadcast.getSource();
  FloatAttr number;
  if (DenseElementsAttr dense; matchPattern(value, m_Constant(&dense)))
    number = dense.isSplat() ? dense.getSplatValue<FloatAttr>() : FloatAttr();
  else
    matchPattern(value, m_Constant(&number));
  return number ? std::optional<double>(number.getValueAsDouble())
                : std::nullopt;
}

/// x^y for the constant exponents that models use, or null.
static Value expandConstantPower(ImplicitLocOpBuilder &b, Value x, Value y) {
  std::optional<double> exponent = getNumber(y);
  if (!exponent)
    return {};
  double value = *exponent;
  auto square = [&] { return arith::MulFOp::create(b, x, x); };
  if (value == 1.0)
    return x;
  if (value == 2.0)
    return square();
  if (value == 3.0)
    return arith::MulFOp::create(b, square(), x);
  if (value == 0.5)
    return math::SqrtOp::create(b, x);
  if (value == -0.5)
    return math::RsqrtOp::create(b, x);
  return {};
}

/// x / c for a constant c, of which QDQ models have several an element: the
/// product with the reciprocal and one correction with the exact remainder (P.
/// Markstein, "Computation of elementary functions on the IBM RISC System/6000
/// processor", 1990). The quotient is the rounded one unless it is subnormal or
/// overflows, where it may be the neighbour. Null for c near the ends of the
/// range.
static Value expandConstantQuotient(ImplicitLocOpBuilder &b, Value x, Value c) {
  constexpr double mostSize = 0x1p60;
  Type type = x.getType();
  std::optional<double> divisor = getNumber(c);
  if (!getElementTypeOrSelf(type).isF32() || !divisor ||
      !(std::abs(*divisor) < mostSize && std::abs(*divisor) > 1 / mostSize))
    return {};
  TypedAttr inverse = b.getF32FloatAttr(1.0F / static_cast<float>(*divisor));
  if (auto vector = dyn_cast<VectorType>(type))
    inverse = DenseElementsAttr::get(vector, Attribute(inverse));
  Value reciprocal = arith::ConstantOp::create(b, inverse);
  Value quotient = arith::MulFOp::create(b, x, reciprocal);
  Value remainder =
      math::FmaOp::create(b, arith::NegFOp::create(b, quotient), c, x);
  Value corrected = math::FmaOp::create(b, remainder, reciprocal, quotient);
  // That of infinity is NaN, and adding one of 0 would take the sign off -0.
  Value zero = arith::ConstantOp::create(b, b.getZeroAttr(type));
  Value remains =
      arith::CmpFOp::create(b, arith::CmpFPredicate::ONE, remainder, zero);
  return arith::SelectOp::create(b, remains, corrected, quotient);
}

/// The op on f32 operands as arithmetic, or null if there is no such form.
static Value expandFunction(ImplicitLocOpBuilder &b, Operation *op,
                            ValueRange operands) {
  MathFunctions f(b);
  Value x = operands[0];
  return TypeSwitch<Operation *, Value>(op)
      .Case<math::ExpOp>([&](auto) { return f.exp(x); })
      .Case<math::Exp2Op>([&](auto) { return f.exp2(x); })
      .Case<math::ExpM1Op>([&](auto) { return f.expm1(x); })
      .Case<math::LogOp>([&](auto) { return f.log(x); })
      .Case<math::Log2Op>([&](auto) { return f.log2(x); })
      .Case<math::Log10Op>([&](auto) { return f.log10(x); })
      .Case<math::Log1pOp>([&](auto) { return f.log1p(x); })
      .Case<math::TanhOp>([&](auto) { return f.tanh(x); })
      .Case<math::ErfOp>([&](auto) { return f.erf(x); })
      .Case<arith::DivFOp>(
          [&](auto) { return expandConstantQuotient(b, x, operands[1]); })
      .Case<math::SinOp>([&](auto) { return f.sin(x); })
      .Case<math::CosOp>([&](auto) { return f.cos(x); })
      .Case<math::PowFOp>([&](auto) {
        Value power = expandConstantPower(b, x, operands[1]);
        return power ? power : f.pow(x, operands[1]);
      })
      .Default(Value());
}

/// Half types are computed in f32.
static Value expandOp(ImplicitLocOpBuilder &b, Operation *op) {
  Type type = op->getResult(0).getType();
  Type element = getElementTypeOrSelf(type);
  if (element.isF32())
    return expandFunction(b, op, op->getOperands());
  if (!element.isF16() && !element.isBF16())
    return {};
  Type wide = withElement(type, b.getF32Type());
  SmallVector<Value> operands;
  for (Value operand : op->getOperands())
    operands.push_back(arith::ExtFOp::create(b, wide, operand));
  Value result = expandFunction(b, op, operands);
  return result ? arith::TruncFOp::create(b, type, result) : result;
}

/// f64 to a half type by way of f32: only that has instructions. The second
/// rounding is below what these types resolve.
static void splitConversion(Operation *op) {
  Type from = op->getOperand(0).getType(), to = op->getResult(0).getType();
  unsigned narrow = std::min(getElementTypeOrSelf(from).getIntOrFloatBitWidth(),
                             getElementTypeOrSelf(to).getIntOrFloatBitWidth());
  unsigned wide = std::max(getElementTypeOrSelf(from).getIntOrFloatBitWidth(),
                           getElementTypeOrSelf(to).getIntOrFloatBitWidth());
  if (narrow != 16 || wide != 64)
    return;
  ImplicitLocOpBuilder b(op->getLoc(), op);
  Type middle = withElement(from, b.getF32Type());
  Value x = op->getOperand(0), result;
  if (isa<arith::TruncFOp>(op)) {
    x = arith::TruncFOp::create(b, middle, x);
    result = arith::TruncFOp::create(b, to, x);
  } else {
    x = arith::ExtFOp::create(b, middle, x);
    result = arith::ExtFOp::create(b, to, x);
  }
  op->replaceAllUsesWith(ValueRange(result));
  op->erase();
}

namespace {

struct LowerMath : effc::impl::LowerMathBase<LowerMath> {
  using LowerMathBase::LowerMathBase;

  void runOnOperation() override {
    SmallVector<Operation *> functions, conversions;
    getOperation().walk([&](Operation *op) {
      bool isQuotient = isa<arith::DivFOp>(op) &&
                        getElementTypeOrSelf(op->getResult(0)).isF32();
      if (isa<math::MathDialect>(op->getDialect()) || isQuotient)
        functions.push_back(op);
      else if (isa<arith::TruncFOp, arith::ExtFOp>(op))
        conversions.push_back(op);
    });
    if (!plain)
      for (Operation *op : functions)
        expand(op);
    for (Operation *op : conversions)
      splitConversion(op);
    if (failed(callLibm()))
      signalPassFailure();
  }

  void expand(Operation *op) {
    ImplicitLocOpBuilder b(op->getLoc(), op);
    Value result = expandOp(b, op);
    if (!result)
      return;
    op->replaceAllUsesWith(ValueRange(result));
    op->erase();
    ++numExpanded;
  }

  /// LLVM's own forms of some of these lose digits, so none is left to it.
  LogicalResult callLibm() {
    RewritePatternSet patterns(&getContext());
    populateMathToLibmConversionPatterns(patterns);
    ConversionTarget target(getContext());
    target.addLegalDialect<arith::ArithDialect, func::FuncDialect,
                           math::MathDialect, vector::VectorDialect>();
    target.addIllegalOp<
        math::AcosOp, math::AcoshOp, math::AsinOp, math::AsinhOp, math::AtanOp,
        math::Atan2Op, math::AtanhOp, math::CbrtOp, math::CosOp, math::CoshOp,
        math::ErfOp, math::ErfcOp, math::ExpOp, math::Exp2Op, math::ExpM1Op,
        math::LogOp, math::Log2Op, math::Log10Op, math::Log1pOp, math::PowFOp,
        math::SinOp, math::SinhOp, math::TanOp, math::TanhOp>();
    return applyPartialConversion(getOperation(), target, std::move(patterns));
  }
};

} // namespace
