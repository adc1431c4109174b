// Products with constants: matmul becomes linear, and factors and addends for
// each channel go into weights and bias (batch normalisation among them).
#include "Eff/EffOps.h"
#include "Patterns.h"
#include "effc/Analysis/Constants.h"
#include <cmath>

using namespace mlir;
using namespace effc::eff;

namespace effc {
namespace {

/// Larger weights are not copied for the sake of one multiplication.
constexpr int64_t maxWeightElements = int64_t{1} << 28;

/// The number of a constant for each channel, if that is all it varies by.
/// `y` is what the constant is combined with.
std::optional<SmallVector<double>>
getPerChannel(Value constant, RankedTensorType y, int64_t axis) {
  std::optional<ConstantReader> reader = ConstantReader::get(constant);
  if (!reader || y.isDynamicDim(axis) || reader->size() == 0)
    return std::nullopt;
  int64_t channels = y.getDimSize(axis);
  RankedTensorType type = reader->getType();
  if (type.getRank() > y.getRank() ||
      (reader->size() != channels && reader->size() != 1))
    return std::nullopt;
  int64_t channelDim = axis - (y.getRank() - type.getRank());
  for (int64_t i = 0; i < type.getRank(); ++i)
    if (i != channelDim && type.getDimSize(i) != 1)
      return std::nullopt;
  SmallVector<double> values(channels);
  for (int64_t i = 0; i < channels; ++i)
    values[i] = reader->getFloat(reader->size() == 1 ? 0 : i);
  return values;
}

/// A new bias: old * factor + addend.
Value makeBias(PatternRewriter &rewriter, Location loc, Type elementType,
               Value old, ArrayRef<double> factors, ArrayRef<double> addends) {
  std::optional<ConstantReader> reader = ConstantReader::get(old);
  auto count =
      static_cast<int64_t>(factors.empty() ? addends.size() : factors.size());
  ConstantBuilder bias(RankedTensorType::get({count}, elementType));
  for (int64_t i = 0; i < count; ++i) {
    double value = reader ? reader->getFloat(i) : 0.0;
    value *= factors.empty() ? 1.0 : factors[i];
    value += addends.empty() ? 0.0 : addends[i];
    bias.setFloat(i, value);
  }
  return ConstantOp::create(rewriter, loc, bias.finish("bias"));
}

/// What the three operations with weights have in common here.
struct WeightedOp {
  static WeightedOp get(Value value) {
    WeightedOp result;
    result.op = value.getDefiningOp();
    if (!isa_and_present<LinearOp, ConvOp, ConvTransposeOp>(result.op)) {
      result.op = nullptr;
      return result;
    }
    TypeSwitch<Operation *>(result.op).Case<LinearOp, ConvOp, ConvTransposeOp>(
        [&](auto op) {
          result.weight = op.getWeight();
          result.bias = op.getBias();
        });
    result.type = cast<RankedTensorType>(value.getType());
    auto conv = dyn_cast<ConvOp>(result.op);
    bool last = isa<LinearOp>(result.op) || (conv && conv.getChannelsLast());
    result.axis = last ? result.type.getRank() - 1 : 1;
    return result;
  }

  bool hasConstantBias() const {
    return !bias || bias.getDefiningOp<ConstantOp>();
  }

  /// The result's channel that a weight belongs to.
  std::function<int64_t(int64_t)> getChannelOf() const {
    ArrayRef<int64_t> shape =
        cast<RankedTensorType>(weight.getType()).getShape();
    if (auto linear = dyn_cast<LinearOp>(op)) {
      int64_t columns = shape[1];
      if (linear.getTransposeWeight())
        return [=](int64_t i) { return i / columns; };
      return [=](int64_t i) { return i % columns; };
    }
    int64_t taps = ShapedType::getNumElements(shape.drop_front(2));
    if (isa<ConvOp>(op)) {
      int64_t stride = shape[1] * taps;
      return [=](int64_t i) { return i / stride; };
    }
    auto groups = static_cast<int64_t>(cast<ConvTransposeOp>(op).getGroups());
    int64_t outputs = shape[1], inputs = shape[0] / groups;
    return [=](int64_t i) {
      int64_t group = i / (taps * outputs) / inputs;
      return group * outputs + i / taps % outputs;
    };
  }

  /// The same operation with other weights and bias.
  Value rebuild(PatternRewriter &rewriter, Location loc, Value newWeight,
                Value newBias) const {
    OperationState state(loc, op->getName());
    state.addOperands({op->getOperand(0), newWeight});
    if (newBias)
      state.addOperands(newBias);
    state.addTypes(op->getResultTypes());
    state.addAttributes(op->getDiscardableAttrDictionary().getValue());
    state.propertiesAttr = op->getPropertiesAsAttribute();
    return rewriter.create(state)->getResult(0);
  }

  Operation *op = nullptr;
  Value weight, bias;
  RankedTensorType type;
  int64_t axis = 0;
};

/// The weighted operation and the numbers for each of its channels that a
/// binary operation combines; nothing unless both fit.
std::optional<SmallVector<double>> matchPerChannel(BinaryOp op,
                                                   WeightedOp &producer) {
  producer = WeightedOp::get(op.getA());
  if (!producer.op || !producer.op->hasOneUse() ||
      op.getType() != op.getA().getType() || !producer.hasConstantBias() ||
      !isa<FloatType>(producer.type.getElementType()))
    return std::nullopt;
  return getPerChannel(op.getB(), producer.type, producer.axis);
}

/// op(x, w) + c becomes a bias.
struct AddIntoBias : OpRewritePattern<BinaryOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(BinaryOp op,
                                PatternRewriter &rewriter) const override {
    WeightedOp producer;
    if (op.getKind() != BinaryKind::Add)
      return rewriter.notifyMatchFailure(op, "no addition");
    std::optional<SmallVector<double>> addends = matchPerChannel(op, producer);
    if (!addends)
      return rewriter.notifyMatchFailure(op, "no weights or no bias");
    // A sum that leaves few bits of a result rounds it, maybe on purpose.
    auto type = cast<FloatType>(producer.type.getElementType());
    double limit = std::ldexp(1.0, int(type.getFPMantissaWidth()) - 4);
    if (llvm::any_of(*addends, [&](double x) { return std::abs(x) >= limit; }))
      return rewriter.notifyMatchFailure(op, "the sum rounds the result");
    Location loc = rewriter.getFusedLoc({producer.op->getLoc(), op.getLoc()});
    Value bias = makeBias(rewriter, loc, producer.type.getElementType(),
                          producer.bias, {}, *addends);
    rewriter.replaceOp(op,
                       producer.rebuild(rewriter, loc, producer.weight, bias));
    return success();
  }
};

/// op(x, w) * c scales the weights.
struct MulIntoWeights : OpRewritePattern<BinaryOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(BinaryOp op,
                                PatternRewriter &rewriter) const override {
    WeightedOp producer;
    if (op.getKind() != BinaryKind::Mul)
      return rewriter.notifyMatchFailure(op, "no multiplication");
    std::optional<SmallVector<double>> factors = matchPerChannel(op, producer);
    std::optional<ConstantReader> weight = ConstantReader::get(producer.weight);
    if (!factors || !weight || weight->size() > maxWeightElements)
      return rewriter.notifyMatchFailure(op, "no weights to scale");
    Location loc = rewriter.getFusedLoc({producer.op->getLoc(), op.getLoc()});
    ConstantBuilder scaled(weight->getType());
    std::function<int64_t(int64_t)> channelOf = producer.getChannelOf();
    for (int64_t i = 0, e = weight->size(); i < e; ++i)
      scaled.setFloat(i, weight->getFloat(i) * (*factors)[channelOf(i)]);
    Value newWeight = ConstantOp::create(rewriter, producer.weight.getLoc(),
                                         scaled.finish("weight"));
    Value newBias;
    if (producer.bias)
      newBias = makeBias(rewriter, loc, producer.type.getElementType(),
                         producer.bias, *factors, {});
    rewriter.replaceOp(op, producer.rebuild(rewriter, loc, newWeight, newBias));
    return success();
  }
};

/// A product with a constant matrix is linear.
struct MatmulToLinear : OpRewritePattern<MatmulOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(MatmulOp op,
                                PatternRewriter &rewriter) const override {
    auto constant = op.getB().getDefiningOp<ConstantOp>();
    auto type = cast<RankedTensorType>(op.getB().getType());
    auto aType = cast<RankedTensorType>(op.getA().getType());
    if (!constant || op.getTransposeA() ||
        !isa<FloatType>(type.getElementType()) ||
        type.getRank() > aType.getRank() ||
        llvm::any_of(type.getShape().drop_back(2),
                     [](int64_t size) { return size != 1; }))
      return rewriter.notifyMatchFailure(op, "right operand is no matrix");
    Value weight = op.getB();
    if (type.getRank() > 2)
      weight = rewriter.createOrFold<ReshapeOp>(
          constant.getLoc(),
          RankedTensorType::get(type.getShape().take_back(2),
                                type.getElementType()),
          weight);
    rewriter.replaceOpWithNewOp<LinearOp>(op, op.getType(), op.getA(), weight,
                                          Value(), op.getTransposeB());
    return success();
  }
};

/// The weights of a linear are read either way round.
struct TransposeIntoLinear : OpRewritePattern<LinearOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(LinearOp op,
                                PatternRewriter &rewriter) const override {
    auto transpose = op.getWeight().getDefiningOp<TransposeOp>();
    if (!transpose || transpose.getPermutation()[0] != 1)
      return rewriter.notifyMatchFailure(op, "weights are not transposed");
    rewriter.modifyOpInPlace(op, [&] {
      op.getWeightMutable().assign(transpose.getX());
      op.setTransposeWeight(!op.getTransposeWeight());
    });
    return success();
  }
};

/// A product with the transpose of a constant matrix is linear.
struct MatmulOfTransposeToLinear : OpRewritePattern<MatmulOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(MatmulOp op,
                                PatternRewriter &rewriter) const override {
    auto transpose = op.getB().getDefiningOp<TransposeOp>();
    if (!transpose || op.getTransposeA() ||
        transpose.getPermutation().size() != 2 ||
        !transpose.getX().getDefiningOp<ConstantOp>() ||
        transpose.getPermutation()[0] != 1)
      return rewriter.notifyMatchFailure(op, "no transposed constant matrix");
    rewriter.replaceOpWithNewOp<LinearOp>(op, op.getType(), op.getA(),
                                          transpose.getX(), Value(),
                                          !op.getTransposeB());
    return success();
  }
};

/// What the convolution pads with around the spatial dims is one of its pads.
struct PadIntoConv : OpRewritePattern<ConvOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(ConvOp op,
                                PatternRewriter &rewriter) const override {
    auto pad = op.getX().getDefiningOp<PadOp>();
    if (!pad || pad.getMode() != PadMode::Constant ||
        (pad.getValue() ? getScalarConstant(pad.getValue()) : 0.0) !=
            double(int64_t(op.getPadValue())))
      return rewriter.notifyMatchFailure(op, "another value is padded");
    Dims inner = getDims(pad.getX().getType()), outer = getDims(pad.getType());
    size_t spatial = inner.size() - 2, first = op.getChannelsLast() ? 1 : 2;
    auto pads = llvm::to_vector(op.getPads());
    for (size_t i = 0; i < inner.size(); ++i) {
      AffineExpr low = pad.getLow().getExprs()[i];
      std::optional<int64_t> before = getConstant(low);
      std::optional<int64_t> after =
          getConstant(simplify(outer[i] - inner[i] - low));
      bool isSpatial = i >= first && i < first + spatial;
      if (!before || !after || (!isSpatial && (*before || *after)))
        return rewriter.notifyMatchFailure(op, "pads are not spatial numbers");
      if (!isSpatial)
        continue;
      pads[i - first] += *before;
      pads[i - first + spatial] += *after;
    }
    rewriter.modifyOpInPlace(op, [&] {
      op.getXMutable().assign(pad.getX());
      op.setPads(pads);
      op->setLoc(rewriter.getFusedLoc({pad.getLoc(), op.getLoc()}));
    });
    return success();
  }
};

} // namespace

void populateWeightPatterns(RewritePatternSet &patterns) {
  patterns.add<AddIntoBias, MulIntoWeights, MatmulToLinear, TransposeIntoLinear,
               MatmulOfTransposeToLinear, PadIntoConv>(patterns.getContext());
}

} // namespace effc
