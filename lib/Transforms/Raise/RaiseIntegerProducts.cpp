// Contractions of i32 whose operands are bytes less zero points, as the
// importer writes out quantised operators, become contractions of bytes with
// what the zero points add outside of the sum (Jacob et al., "Quantization and
// Training of Neural Networks for Efficient Integer-Arithmetic-Only Inference",
// section 2.3).
//
// All of it is exact. i32 with wraparound is the ring of integers modulo 2^32,
// to which bytes map unchanged, and the rewrites are identities of any
// commutative ring:
//   sum (x - zx)(w + s) = sum x w + s sum x - zx sum (w + s)
//   sum (a - za)(b - zb) = sum a b - zb sum a - za sum (b - zb)
// over the contracted indices, in whatever order the sums are made. A pad of a
// convolution is x = zx, whose difference is the zero that the model pads with.
#include "IntegerOperands.h"
#include "effc/Support/Diagnostics.h"
#include "effc/Transforms/Raise/Passes.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace effc {
#define GEN_PASS_DEF_RAISEINTEGERPRODUCTS
#include "effc/Transforms/Raise/Passes.h.inc"
} // namespace effc

using namespace mlir;
using namespace effc;
using namespace effc::eff;
using namespace effc::raise;

namespace {

bool isWide(Value value) {
  return cast<RankedTensorType>(value.getType())
      .getElementType()
      .isSignlessInteger(32);
}

/// A weight of fewer bits than its type: what the constant's values need.
constexpr StringLiteral wideWeights =
    "the weights of an output channel need more than 8 bits";

constexpr StringLiteral severalZeros =
    "an operand has several zero points along what is summed";

/// The elements of a constant weight, before it was made wider.
std::optional<ConstantReader> readWeight(Value weight) {
  if (auto convert = weight.getDefiningOp<ConvertOp>();
      convert &&
      isa<IntegerType>(getElementTypeOrSelf(convert.getX().getType())))
    weight = convert.getX();
  return ConstantReader::get(weight);
}

struct Rewriter {
  Operation *op;
  IntegerBuilder builder;
  /// Why the contraction stays, where it comes from bytes.
  StringRef reason;

  explicit Rewriter(Operation *op, OpBuilder &b)
      : op(op), builder{b, op->getLoc()} {}

  Value add(Value a, Value c) { return builder.binary(BinaryKind::Add, a, c); }
  Value sub(Value a, Value c) { return builder.binary(BinaryKind::Sub, a, c); }
  Value mul(Value a, Value c) { return builder.binary(BinaryKind::Mul, a, c); }

  Value decline(StringRef why) {
    reason = why;
    return {};
  }

  /// The new value of the result, or null.
  Value rewrite() {
    return TypeSwitch<Operation *, Value>(op)
        .Case([&](ConvOp conv) { return rewriteConv(conv); })
        .Case([&](LinearOp linear) {
          return rewriteLinear(linear.getX(), linear.getWeight(),
                               linear.getBias(), linear.getTransposeWeight());
        })
        .Case([&](MatmulOp matmul) {
          return isMatrix(matmul.getB()) && !matmul.getTransposeA()
                     ? rewriteLinear(matmul.getA(), matmul.getB(), {},
                                     matmul.getTransposeB())
                     : rewriteMatmul(matmul);
        })
        .Default([](Operation *) { return Value(); });
  }

  /// A constant with one matrix.
  static bool isMatrix(Value value) {
    auto type = cast<RankedTensorType>(value.getType());
    return readWeight(value) &&
           llvm::all_of(type.getShape().drop_back(2),
                        [](int64_t size) { return size == 1; });
  }

  /// `bias - zero * totals` where the zero point is known, in the shape of a
  /// bias; null for 0.
  Value makeBias(Value bias, int64_t zero, ArrayRef<int32_t> totals) {
    if (zero == 0)
      return bias;
    std::optional<ConstantReader> reader = ConstantReader::get(bias);
    SmallVector<int32_t> values;
    for (auto [i, total] : llvm::enumerate(totals)) {
      auto value = static_cast<uint32_t>(
          reader ? reader->getInt(static_cast<int64_t>(i)) : 0);
      value -= static_cast<uint32_t>(zero) * static_cast<uint32_t>(total);
      values.push_back(static_cast<int32_t>(value));
    }
    auto count = static_cast<int64_t>(values.size());
    Value moved = builder.constant(values, {count});
    return bias && !reader ? add(bias, moved) : moved;
  }

  Value rewriteLinear(Value x, Value w, Value bias, bool transposed) {
    std::optional<CentredBytes> bytes = CentredBytes::get(x);
    std::optional<ConstantReader> weight = readWeight(w);
    if (!bytes || !weight)
      return {};
    ArrayRef<int64_t> shape = weight->getType().getShape().take_back(2);
    int64_t columns = shape[1], outputs = shape[transposed ? 0 : 1];
    std::optional<ByteWeights> weights =
        ByteWeights::get(*weight, shape, outputs, [&](int64_t i) {
          return transposed ? i / columns : i % columns;
        });
    if (!weights)
      return decline(wideWeights);
    if (!bytes->hasUniformZero(0))
      return decline(severalZeros);
    bytes->makeUnsigned(builder);
    std::optional<int64_t> zero = bytes->getZeroNumber();
    Value input = bytes->materialize(builder);
    Value constant = ConstantOp::create(builder.b, w.getLoc(), weights->bytes);
    if (zero)
      bias = makeBias(bias, *zero, weights->totals);
    Value y =
        LinearOp::create(builder.b, builder.loc, op->getResult(0).getType(),
                         input, constant, bias, transposed);
    int64_t last = cast<RankedTensorType>(x.getType()).getRank() - 1;
    if (!weights->shifts.empty())
      y = add(y, mul(builder.sum(input, last),
                     builder.constant(weights->shifts, {outputs})));
    if (!zero)
      y = sub(y, mul(bytes->getZero(),
                     builder.constant(weights->totals, {outputs})));
    return y;
  }

  /// Both operands of a product may be computed.
  Value rewriteMatmul(MatmulOp matmul) {
    std::optional<CentredBytes> a = CentredBytes::get(matmul.getA()),
                                b = CentredBytes::get(matmul.getB());
    if (!a || !b)
      return {};
    if ((matmul.getTransposeA() ? !a->hasScalarZero()
                                : !a->hasUniformZero(0)) ||
        (matmul.getTransposeB() ? !b->hasScalarZero() : !b->hasUniformZero(1)))
      return decline(severalZeros);
    a->makeUnsigned(builder);
    b->makeSigned(builder);
    std::optional<int64_t> aZero = a->getZeroNumber(),
                           bZero = b->getZeroNumber();
    Value left = a->materialize(builder), right = b->materialize(builder);
    Value y =
        MatmulOp::create(builder.b, builder.loc, matmul.getType(), left, right,
                         matmul.getTransposeA(), matmul.getTransposeB());
    if (bZero != 0)
      y = sub(y, mul(sumRows(left, matmul.getTransposeA()), b->getZero()));
    if (aZero != 0)
      y = sub(y, mul(a->getZero(),
                     sumColumns(matmul.getB(), matmul.getTransposeB())));
    return y;
  }

  /// Of A over what is contracted: [..., M, 1].
  Value sumRows(Value a, bool transposed) {
    int64_t rank = cast<RankedTensorType>(a.getType()).getRank();
    return swapIf(transposed, builder.sum(a, transposed ? rank - 2 : rank - 1));
  }

  /// Of B: [..., 1, N].
  Value sumColumns(Value b, bool transposed) {
    int64_t rank = cast<RankedTensorType>(b.getType()).getRank();
    return swapIf(transposed, builder.sum(b, transposed ? rank - 1 : rank - 2));
  }

  /// The last two dims, of which one is 1.
  Value swapIf(bool swapped, Value x) {
    if (!swapped)
      return x;
    Dims dims = getDims(x.getType());
    std::swap(dims[dims.size() - 1], dims[dims.size() - 2]);
    return ReshapeOp::create(builder.b, builder.loc,
                             makeTensorType(builder.b.getI32Type(), dims), x);
  }

  Value rewriteConv(ConvOp conv) {
    std::optional<CentredBytes> bytes = CentredBytes::get(conv.getX());
    std::optional<ConstantReader> weight = readWeight(conv.getWeight());
    if (!bytes || !weight || conv.getPadValue() != 0)
      return {};
    ArrayRef<int64_t> shape = weight->getType().getShape();
    int64_t outputs = shape[0], perOutput = weight->size() / outputs;
    std::optional<ByteWeights> weights = ByteWeights::get(
        *weight, shape, outputs, [&](int64_t i) { return i / perOutput; });
    if (!weights)
      return decline(wideWeights);
    if (!bytes->hasScalarZero())
      return decline(severalZeros);
    bool padded =
        llvm::any_of(conv.getPads(), [](int64_t pad) { return pad != 0; });
    if (padded && !bytes->isZeroOfBytes())
      return decline("the zero point that pads is not a byte");
    bytes->makeUnsigned(builder);
    std::optional<int64_t> zero = bytes->getZeroNumber();
    Value input = bytes->materialize(builder);
    SmallVector<int64_t> pads(conv.getPads());
    if (padded && !zero) {
      input = padBy(input, bytes->getZero(), conv);
      pads.assign(pads.size(), 0);
    }
    Value bias = conv.getBias();
    if (zero)
      bias = makeBias(bias, *zero, weights->totals);
    auto convolve = [&](Value constant, Value newBias, Type type) {
      return ConvOp::create(builder.b, builder.loc, type, input, constant,
                            newBias, conv.getStrides(), conv.getDilations(),
                            pads, conv.getGroups(), conv.getChannelsLast(),
                            padded && zero ? *zero : 0);
    };
    Value y =
        convolve(ConstantOp::create(builder.b, builder.loc, weights->bytes),
                 bias, conv.getType());
    SmallVector<int64_t> channels(shape.size() - 1, 1);
    channels[conv.getChannelsLast() ? shape.size() - 2 : 0] = outputs;
    if (!weights->shifts.empty())
      y = add(y, mul(sumWindows(conv, convolve),
                     builder.constant(weights->shifts, channels)));
    if (!zero)
      y = sub(y, mul(bytes->getZero(),
                     builder.constant(weights->totals, channels)));
    return y;
  }

  /// Pads of a number that only the run knows.
  Value padBy(Value input, Value zero, ConvOp conv) {
    Dims dims = getDims(input.getType());
    Type ui8 = cast<RankedTensorType>(input.getType()).getElementType();
    SmallVector<AffineExpr> low(dims.size(),
                                constDim(builder.b.getContext(), 0));
    size_t first = conv.getChannelsLast() ? 1 : 2,
           spatial = conv.getStrides().size();
    for (size_t i = 0; i < spatial; ++i) {
      int64_t before = conv.getPads()[i], after = conv.getPads()[spatial + i];
      low[first + i] = constDim(builder.b.getContext(), before);
      dims[first + i] = simplify(dims[first + i] + before + after);
    }
    Value value = builder.convert(zero, ui8);
    if (cast<RankedTensorType>(value.getType()).getRank() != 0)
      value = ReshapeOp::create(builder.b, builder.loc,
                                RankedTensorType::get({}, ui8), value);
    return PadOp::create(builder.b, builder.loc, makeTensorType(ui8, dims),
                         PadMode::Constant, input, value,
                         DimsAttr::get(builder.b.getContext(), low));
  }

  /// Sums of the input over each window: a convolution with ones. One channel
  /// serves all outputs of the only group.
  Value sumWindows(ConvOp conv,
                   llvm::function_ref<Value(Value, Value, Type)> convolve) {
    SmallVector<int64_t> shape(
        cast<RankedTensorType>(conv.getWeight().getType()).getShape());
    Dims dims = getDims(conv.getType());
    if (conv.getGroups() == 1) {
      shape[0] = 1;
      dims[conv.getChannelsLast() ? dims.size() - 1 : 1] =
          constDim(builder.b.getContext(), 1);
    }
    ConstantBuilder ones(
        RankedTensorType::get(shape, builder.b.getIntegerType(8)),
        /*splat=*/true);
    ones.setInt(0, 1);
    Value constant =
        ConstantOp::create(builder.b, builder.loc, ones.finish("ones"));
    return convolve(constant, {}, makeTensorType(builder.b.getI32Type(), dims));
  }
};

struct RaiseIntegerProducts
    : effc::impl::RaiseIntegerProductsBase<RaiseIntegerProducts> {
  void runOnOperation() override {
    SmallVector<Operation *> products;
    getOperation().walk([&](Operation *op) {
      if (isa<MatmulOp, LinearOp, ConvOp>(op) && isWide(op->getOperand(0)) &&
          isWide(op->getOperand(1)))
        products.push_back(op);
    });
    for (Operation *op : products) {
      OpBuilder b(op);
      Rewriter rewriter(op, b);
      if (Value y = rewriter.rewrite()) {
        op->getResult(0).replaceAllUsesWith(y);
        op->erase();
        ++numRaised;
      } else if (!rewriter.reason.empty()) {
        emitRemark(op->getLoc(), DiagnosticCode::IntegerProduct)
            << "the product is computed in 32-bit integers: "
            << rewriter.reason;
        ++numDeclined;
      }
    }
  }
};

} // namespace
