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

/// Constants of the same elements, if need be after folding.
bool areEqual(Value x, Value y) {
  if (x == y)
    return true;
  if (!x || !y || x.getType() != y.getType() || !isConstant(x) ||
      !isConstant(y))
    return false;
  Operation *p = x.getDefiningOp(), *q = y.getDefiningOp();
  return p->getName() == q->getName() &&
         p->getPropertiesAsAttribute() == q->getPropertiesAsAttribute() &&
         llvm::all_of(llvm::zip_equal(p->getOperands(), q->getOperands()),
                      [](auto pair) {
                        return areEqual(std::get<0>(pair), std::get<1>(pair));
                      });
}

/// Bytes of one scale and one zero point (null: none), written out as floats.
struct DequantizedBytes {
  Value bytes, zero, scale;

  static std::optional<DequantizedBytes> get(Value value);
  Value materialize(OpBuilder &b, Value bytes) const;
  bool hasSameNumbers(const DequantizedBytes &other) const {
    return areEqual(scale, other.scale) && areEqual(zero, other.zero) &&
           getElementType(bytes) == getElementType(other.bytes);
  }
  /// Larger bytes stand for larger numbers.
  bool keepsOrder() const {
    auto constant = scale.getDefiningOp<ConstantOp>();
    std::optional<ConstantReader> reader =
        constant ? ConstantReader::get(constant.getValue()) : std::nullopt;
    return reader && reader->getFloat(0) > 0;
  }
};

std::optional<DequantizedBytes> DequantizedBytes::get(Value value) {
  std::optional<Dequantized> whole = Dequantized::get(value);
  auto isOne = [](Value number) {
    RankedTensorType type = raise::getType(number);
    return type.hasStaticShape() && type.getNumElements() == 1 &&
           isConstant(number);
  };
  if (!whole || !whole->movements.empty() || !isOne(whole->scale))
    return std::nullopt;
  DequantizedBytes result{{}, {}, whole->scale};
  Value wide = whole->integers;
  if (auto sub = wide.getDefiningOp<BinaryOp>()) {
    result.zero = sub.getB();
    wide = sub.getA();
    if (!isOne(result.zero))
      return std::nullopt;
  }
  result.bytes = wide.getDefiningOp<ConvertOp>().getX();
  return result;
}

Value DequantizedBytes::materialize(OpBuilder &b, Value bytes) const {
  Location loc = bytes.getLoc();
  Value wide = ConvertOp::create(b, loc, bytes, b.getI32Type());
  if (zero)
    wide = BinaryOp::create(b, loc, BinaryKind::Sub, wide, zero);
  return BinaryOp::create(b, loc, BinaryKind::Mul,
                          ConvertOp::create(b, loc, wide, b.getF32Type()),
                          scale);
}

/// Every window has an element: the largest of none would be -inf.
bool hasFullWindows(PoolOp pool) {
  ArrayRef<int64_t> kernel = pool.getKernel();
  for (auto [i, pad] : llvm::enumerate(pool.getPads()))
    if (pad >= kernel[i % kernel.size()])
      return false;
  return true;
}

struct RaiseDequantized : effc::impl::RaiseDequantizedBase<RaiseDequantized> {
  /// Quantisers leave the operands of a maximum or of a concatenation as they
  /// are and dequantise before it, where products behind do not see it: both
  /// work on the bytes as well.
  void sink(Operation *op) {
    std::optional<DequantizedBytes> first =
        DequantizedBytes::get(op->getOperand(0));
    auto pool = dyn_cast<PoolOp>(op);
    if (!first || (pool && (pool.getKind() != PoolKind::Max ||
                            !first->keepsOrder() || !hasFullWindows(pool))))
      return;
    SmallVector<Value> bytes;
    for (Value operand : op->getOperands()) {
      std::optional<DequantizedBytes> other = DequantizedBytes::get(operand);
      if (!other || !first->hasSameNumbers(*other))
        return;
      bytes.push_back(other->bytes);
    }
    OpBuilder b(op);
    Operation *clone = b.clone(*op);
    clone->setOperands(bytes);
    Value result = clone->getResult(0);
    result.setType(withElementType(cast<RankedTensorType>(result.getType()),
                                   getElementType(first->bytes)));
    op->getResult(0).replaceAllUsesWith(first->materialize(b, result));
    op->erase();
    ++numSunk;
  }

  void runOnOperation() override {
    SmallVector<Operation *> orderly;
    getOperation().walk([&](Operation *op) {
      if (isa<PoolOp, ConcatOp>(op))
        orderly.push_back(op);
    });
    for (Operation *op : orderly)
      sink(op);
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
