// QDQ models hold quantised tensors and write out what they mean in floats:
// DequantizeLinear, a float operator, QuantizeLinear. A product of dequantised
// operands is a product of their integers and one scale for each output:
//   sum (sx qx) (sw qw) = sx sw (sum qx qw)
// The right side is exact where the left rounds each term, so results differ by
// less than the left side's own error (Jacob et al., arXiv 1712.05877).
#include "Matchers.h"
#include "effc/Analysis/Constants.h"
#include "effc/Analysis/Products.h"
#include "effc/Support/Diagnostics.h"
#include "effc/Transforms/Raise/Passes.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace effc {
#define GEN_PASS_DEF_RAISEDEQUANTIZED
#include "effc/Transforms/Raise/Passes.h.inc"
} // namespace effc

using namespace mlir;
using namespace effc;
using namespace effc::eff;
using namespace effc::raise;

namespace {

/// value = integers * scale.
struct Dequantized {
  /// i32, in the shape before `movements`.
  Value integers;
  Value scale;
  /// Reshapes and transposes up to the value, the last first.
  SmallVector<Operation *> movements;

  static std::optional<Dequantized> get(Value value);

  /// The integers in the value's shape.
  Value materialize(OpBuilder &b) const;
  /// The scale by index of dim `axis` of the value, or of one element when it
  /// is one for all; null when it varies otherwise.
  Value getScaleAlong(OpBuilder &b, int64_t axis, int64_t rank) const;
};

/// Integers of at most 8 bits, less a zero point.
bool isCentred(Value value) {
  if (auto sub = value.getDefiningOp<BinaryOp>();
      sub && sub.getKind() == BinaryKind::Sub &&
      sub.getA().getType() == sub.getType())
    value = sub.getA();
  auto convert = value.getDefiningOp<ConvertOp>();
  if (!convert || !getElementType(value).isSignlessInteger(32))
    return false;
  auto from = dyn_cast<IntegerType>(getElementType(convert.getX()));
  return from && from.getWidth() > 1 && from.getWidth() <= 8;
}

std::optional<Dequantized> Dequantized::get(Value value) {
  Dequantized result;
  for (Operation *op = value.getDefiningOp();
       isa_and_present<ReshapeOp, TransposeOp>(op);
       op = value.getDefiningOp()) {
    result.movements.push_back(op);
    value = op->getOperand(0);
  }
  auto mul = value.getDefiningOp<BinaryOp>();
  if (!mul || mul.getKind() != BinaryKind::Mul ||
      !getElementType(value).isF32())
    return std::nullopt;
  for (auto [scaled, scale] : operandOrders(mul)) {
    auto convert = scaled.getDefiningOp<ConvertOp>();
    if (!convert || !isCentred(convert.getX()) ||
        scaled.getType() != value.getType())
      continue;
    result.integers = convert.getX();
    result.scale = scale;
    return result;
  }
  return std::nullopt;
}

Value Dequantized::materialize(OpBuilder &b) const {
  Value result = integers;
  for (Operation *op : llvm::reverse(movements)) {
    Operation *clone = b.clone(*op);
    clone->setOperand(0, result);
    clone->getResult(0).setType(
        withElementType(op->getResult(0).getType(), b.getI32Type()));
    result = clone->getResult(0);
  }
  return result;
}

Value Dequantized::getScaleAlong(OpBuilder &b, int64_t axis,
                                 int64_t rank) const {
  RankedTensorType type = raise::getType(scale);
  if (!type.hasStaticShape())
    return {};
  if (type.getNumElements() == 1)
    return b.createOrFold<ReshapeOp>(
        scale.getLoc(), RankedTensorType::get({}, type.getElementType()),
        scale);
  // Where the axis lies before the movements.
  for (Operation *op : movements) {
    auto transpose = dyn_cast<TransposeOp>(op);
    if (!transpose)
      return {};
    axis = transpose.getPermutation()[axis];
  }
  int64_t own = axis - (rank - type.getRank());
  if (own < 0 || type.getDimSize(own) != type.getNumElements())
    return {};
  return b.createOrFold<ReshapeOp>(
      scale.getLoc(),
      RankedTensorType::get({type.getNumElements()}, type.getElementType()),
      scale);
}

/// Whether it is constant, if need be after folding.
bool isConstant(Value value) {
  if (!value.getDefiningOp())
    return false;
  if (value.getDefiningOp<ConstantOp>())
    return true;
  Operation *op = value.getDefiningOp();
  return isa<ConvertOp, BinaryOp, ReshapeOp, TransposeOp>(op) &&
         llvm::all_of(op->getOperands(), isConstant);
}

struct RaiseDequantized : effc::impl::RaiseDequantizedBase<RaiseDequantized> {
  void runOnOperation() override {
    SmallVector<Operation *> products;
    getOperation().walk([&](Operation *op) {
      if (std::optional<Product> product = Product::get(op);
          product && getElementType(op->getResult(0)).isF32() &&
          (!isa<MatmulOp>(op) || getRank(product->weight) == 2))
        products.push_back(op);
    });
    // Operands change as products before are replaced.
    for (Operation *op : products)
      raise(*Product::get(op));
  }

  void raise(const Product &product) {
    std::optional<Dequantized> x = Dequantized::get(product.x),
                               w = Dequantized::get(product.weight);
    if (!x || !w || !isConstant(w->integers) || isConstant(x->integers))
      return;
    OpBuilder b(product.op);
    if (!product.sumsOfBytesFit())
      return decline(product.op, "its sums may not fit into 32 bits");
    if (raise::getType(x->scale).getNumElements() != 1)
      return decline(product.op, "its input has several scales");
    Value inputScale = x->getScaleAlong(b, /*axis=*/0, getRank(x->integers));
    Value weightScale =
        w->getScaleAlong(b, product.weightAxis, getRank(w->integers));
    if (!weightScale)
      return decline(product.op, "its weights have scales within a sum");
    product.op->getResult(0).replaceAllUsesWith(
        rebuild(product, *x, *w, b, inputScale, weightScale));
    product.op->erase();
    ++numRaised;
  }

  Value rebuild(const Product &product, const Dequantized &x,
                const Dequantized &w, OpBuilder &b, Value inputScale,
                Value weightScale) {
    Location loc = product.op->getLoc();
    OperationState state(loc, product.op->getName());
    state.addOperands({x.materialize(b), w.materialize(b)});
    state.addTypes(
        withElementType(product.op->getResult(0).getType(), b.getI32Type()));
    state.propertiesAttr = product.op->getPropertiesAsAttribute();
    Value sum = b.create(state)->getResult(0);
    auto binary = [&](BinaryKind kind, Value p, Value q) -> Value {
      return BinaryOp::create(b, loc, kind, p, q);
    };
    Value scale = binary(BinaryKind::Mul, inputScale, weightScale);
    Value y =
        binary(BinaryKind::Mul, ConvertOp::create(b, loc, sum, b.getF32Type()),
               product.alignToResult(b, scale));
    return product.bias ? binary(BinaryKind::Add, y,
                                 product.alignToResult(b, product.bias))
                        : y;
  }

  void decline(Operation *op, StringRef reason) {
    emitRemark(op->getLoc(), DiagnosticCode::IntegerProduct)
        << "the product of dequantised tensors is computed in f32: " << reason;
    ++numDeclined;
  }
};

} // namespace
