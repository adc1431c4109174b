// Static quantisation to bytes (Jacob et al., "Quantization and Training of
// Neural Networks for Efficient Integer-Arithmetic-Only Inference", arXiv
// 1712.05877): what a layer reads has one scale and zero point, chosen from
// calibration, its weights a scale for each output. The pass writes out what
// that means, integers times scales in f32; eff-raise-dequantized and
// eff-raise-integer-products make products of bytes of it.
#include "Balance.h"
#include "HalfValues.h"
#include "LayerCost.h"
#include "LayerWeights.h"
#include "effc/Analysis/Constants.h"
#include "effc/Support/Diagnostics.h"
#include "effc/Transforms/Quantize/Passes.h"
#include "llvm/ADT/MapVector.h"
#include "llvm/Support/Format.h"

namespace effc {
#define GEN_PASS_DEF_QUANTIZEINT8
#include "effc/Transforms/Quantize/Passes.h.inc"
} // namespace effc

using namespace mlir;
using namespace effc;
using namespace effc::eff;

namespace {

struct Candidate {
  QuantizableLayer layer;
  LayerWeights weights;
  const TensorStatistics *statistics;
  LayerCost cost;
};

/// Layers that read one tensor, if need be behind reshapes and transposes.
struct Group {
  Value value;
  std::vector<Candidate *> readers;
};

Value getRoot(Value value) {
  while (Operation *op = value.getDefiningOp()) {
    if (!isa<ReshapeOp, TransposeOp>(op))
      break;
    value = op->getOperand(0);
  }
  return value;
}

/// The bytes of a tensor, and what they mean: the tensor, or the tensor with
/// each channel divided by its factor.
struct ByteValues {
  ByteRange range;
  HalfValues narrow;

  ByteValues(MLIRContext *context, const ByteRange &range,
             const std::vector<float> &factors)
      : range(range),
        narrow(IntegerType::get(context, 8, IntegerType::Unsigned),
               [range, factors](OpBuilder &b, Value x) {
                 return round(b, x, range, factors);
               }) {}

  static Value scalar(OpBuilder &b, Location loc, Type type, double value) {
    return createScalar(b, loc, type, value);
  }

  /// Conversion saturates.
  static Value round(OpBuilder &b, Value x, const ByteRange &range,
                     ArrayRef<float> factors) {
    Location loc = x.getLoc();
    Type f32 = b.getF32Type();
    float steps = 1.0F / range.scale;
    Value scale = scalar(b, loc, f32, steps);
    if (!factors.empty()) {
      auto count = static_cast<int64_t>(factors.size());
      ConstantBuilder scales(RankedTensorType::get({count}, f32));
      for (auto [i, factor] : llvm::enumerate(factors))
        scales.setFloat(static_cast<int64_t>(i), steps / factor);
      scale = ConstantOp::create(b, loc, scales.finish("steps"));
    }
    Value y = BinaryOp::create(b, loc, BinaryKind::Mul, x, scale);
    y = UnaryOp::create(b, loc, UnaryKind::Round, y);
    if (range.zero != 0)
      y = BinaryOp::create(b, loc, BinaryKind::Add, y,
                           scalar(b, loc, f32, double(range.zero)));
    return ConvertOp::create(
        b, loc, y, IntegerType::get(b.getContext(), 8, IntegerType::Unsigned));
  }

  Value dequantize(OpBuilder &b, Location loc, Value bytes) const {
    Value y = ConvertOp::create(b, loc, bytes, b.getI32Type());
    if (range.zero != 0)
      y = BinaryOp::create(
          b, loc, BinaryKind::Sub, y,
          scalar(b, loc, b.getI32Type(), static_cast<double>(range.zero)));
    y = ConvertOp::create(b, loc, y, b.getF32Type());
    return BinaryOp::create(b, loc, BinaryKind::Mul, y,
                            scalar(b, loc, b.getF32Type(), range.scale));
  }
};

struct QuantizeInt8 : effc::impl::QuantizeInt8Base<QuantizeInt8> {
  using Base::Base;
  QuantizeInt8(const QuantizeInt8Options &options,
               std::shared_ptr<const Statistics> statistics,
               ArrayRef<TargetAttr> targets)
      : Base(options), known(std::move(statistics)), targets(targets) {}

  LogicalResult initialize(MLIRContext *context) override {
    filter = LayerFilter::get(context, "eff-quantize-int8", skip);
    if (!filter)
      return failure();
    auto fail = [&](const std::string &why) {
      return mlir::emitError(UnknownLoc::get(context))
             << "eff-quantize-int8: " << why;
    };
    method = parseRangeMethod(range);
    if (!method)
      return fail("'" + range + "' is no choice of ranges");
    if (known)
      return success();
    std::string error;
    std::optional<Statistics> read = readStatistics(statistics, error);
    if (!read)
      return fail(error);
    known = std::make_shared<const Statistics>(std::move(*read));
    return success();
  }

  /// Why a layer stays in f32, or "".
  std::string findReason(const QuantizableLayer &layer) const {
    if (!layer.getConstantWeight())
      return "both of its factors are computed";
    auto found = known->layers.find(layer.name);
    if (found == known->layers.end() || found->second.count == 0)
      return "the statistics do not have it";
    const TensorStatistics &tensor = found->second;
    if (tensor.numNaN + tensor.numInf != 0)
      return "it read NaN or infinities in calibration";
    if (tensor.min == 0 && tensor.max == 0)
      return "it read nothing but zeros in calibration";
    auto type = cast<RankedTensorType>(layer.product.x.getType());
    if (size_t channels = tensor.getNumChannels();
        channels && !type.isDynamicDim(type.getRank() - 1) &&
        type.getDimSize(type.getRank() - 1) != int64_t(channels))
      return "the statistics of its name are of another tensor";
    return layer.product.sumsOfBytesFit() ? ""
                                          : "its sums may not fit into 32 bits";
  }

  /// Layers that may be taken and gain by themselves.
  std::vector<Candidate> findCandidates() {
    std::vector<Candidate> candidates;
    visitLayers(getOperation(), *filter, journal,
                [&](const QuantizableLayer &layer) -> std::string {
                  if (std::string reason = findReason(layer); !reason.empty())
                    return reason;
                  std::optional<LayerWeights> weights =
                      LayerWeights::get(layer);
                  if (!weights)
                    return kNoMatrix.str();
                  LayerCost cost = estimateCost(layer, targets);
                  if (!always && !cost.obstacle.empty())
                    return cost.obstacle;
                  candidates.push_back({layer, std::move(*weights),
                                        &known->layers.at(layer.name), cost});
                  return "";
                });
    return candidates;
  }

  void runOnOperation() override {
    journal = LayerJournal("int8");
    if (failed(settleTargets(getOperation(), "eff-quantize-int8", targets)))
      return signalPassFailure();
    std::vector<Candidate> candidates = findCandidates();
    llvm::MapVector<Value, Group> groups;
    for (Candidate &candidate : candidates) {
      Value root = getRoot(candidate.layer.product.x);
      Group &group = groups[root];
      group.value = root;
      group.readers.push_back(&candidate);
    }
    for (auto &[root, group] : groups)
      quantize(group);
    numTaken += journal.getNumTaken();
    numDeclined += journal.getNumDeclined();
    journal.write(getOperation());
  }

  /// Readers that would need the tensor in f32 beside the bytes.
  SmallVector<OpOperand *> getOtherUses(const Group &group) {
    ByteValues values(&getContext(), {}, {});
    for (Candidate *reader : group.readers)
      values.narrow.want(reader->layer.getActivation());
    return values.narrow.getOtherUses(group.value);
  }

  void quantize(Group &group) {
    std::optional<ByteRange> range = choose(group);
    auto declineAll = [&](const Twine &reason) {
      for (Candidate *reader : group.readers)
        journal.decline(reader->layer.op(), reason);
    };
    if (!range)
      return declineAll("its input is too small or too large to be scaled");
    SmallVector<OpOperand *> others = getOtherUses(group);
    double gain = 0, products = 0;
    for (Candidate *reader : group.readers) {
      gain += reader->cost.wide - reader->cost.narrow;
      products += reader->cost.narrow;
    }
    double conversion = estimateConversion(group.value);
    bool shares = sumsReadNarrow(group.value, others, products);
    bool isStoredNarrow =
        shares || (others.empty() && group.value.getDefiningOp());
    if (!always && !isStoredNarrow && gain <= conversion)
      return declineAll("converting its input takes as long as it gains");
    std::optional<Balance> balance;
    if (!shares && canBalance(group))
      balance = balanceChannels(group, *range);
    if (balance) {
      rewrite(group, *balance, {});
      return;
    }
    rewrite(group, Balance{{}, *range},
            shares ? others : SmallVector<OpOperand *>());
  }

  /// The last dim of what the readers read is that of the group's value, which
  /// is converted itself.
  static bool canBalance(const Group &group) {
    auto getChannels = [](Value value) {
      auto type = cast<RankedTensorType>(value.getType());
      return type.getRank() ? type.getShape().back() : ShapedType::kDynamic;
    };
    int64_t channels = getChannels(group.value);
    if (ShapedType::isDynamic(channels) ||
        isa_and_present<SliceOp, BroadcastOp, ConcatOp, PoolOp>(
            group.value.getDefiningOp()))
      return false;
    return llvm::all_of(group.readers, [&](Candidate *reader) {
      Value value = reader->layer.getActivation().get();
      for (; value != group.value; value = value.getDefiningOp()->getOperand(0))
        if (getChannels(value) != channels ||
            isa<TransposeOp>(value.getDefiningOp()))
          return false;
      return hasChannelsLast(reader->layer);
    });
  }

  std::optional<Balance> balanceChannels(const Group &group,
                                         const ByteRange &range) {
    const Candidate &first = *group.readers.front();
    if (*method != RangeMethod::Best)
      return std::nullopt;
    SmallVector<LayerWeights *> weights;
    for (Candidate *reader : group.readers)
      weights.push_back(&reader->weights);
    return chooseBalance(*first.statistics, range,
                         getChannelInput(first.layer, *first.statistics),
                         weights);
  }

  std::optional<ByteRange> choose(const Group &group) {
    std::vector<ChannelWeights> weights;
    for (Candidate *reader : group.readers) {
      ChannelWeights channels = reader->weights.getChannelWeights();
      if (!hasChannelsLast(reader->layer)) {
        double sum = 0;
        for (double weight : channels)
          sum += weight;
        channels = {sum};
      }
      weights.push_back(std::move(channels));
    }
    return chooseRange(*group.readers.front()->statistics, weights, *method);
  }

  void rewrite(const Group &group, const Balance &balance,
               ArrayRef<OpOperand *> sums) {
    ByteValues values(&getContext(), balance.range, balance.factors);
    for (Candidate *reader : group.readers)
      values.narrow.want(reader->layer.getActivation());
    for (OpOperand *sum : sums)
      values.narrow.want(*sum);
    for (Candidate *reader : group.readers) {
      OpOperand &activation = reader->layer.getActivation();
      Value bytes = values.narrow.get(activation.get());
      OpBuilder b(reader->layer.op());
      activation.set(values.dequantize(b, reader->layer.op()->getLoc(), bytes));
      ByteWeight weight = quantizeWeights(*reader, balance.factors);
      reader->layer.getWeight().set(
          dequantize(b, reader->layer.product, weight));
      if (!weight.lost.empty())
        giveBack(reader->layer.op(), weight.lost);
      std::string text;
      llvm::raw_string_ostream(text)
          << llvm::format("input from %.4g to %.4g (%.9g a "
                          "step, zero is %d) by ",
                          values.range.getLow(), values.range.getHigh(),
                          values.range.scale, int(values.range.zero))
          << values.range.method;
      if (!balance.factors.empty())
        llvm::raw_string_ostream(text)
            << llvm::format(", channels balanced by %.2g", balance.share);
      journal.take(reader->layer.op(), text,
                   std::sqrt(values.range.error + weight.error));
    }
    for (OpOperand *sum : sums) {
      OpBuilder b(sum->getOwner());
      sum->set(values.dequantize(b, sum->getOwner()->getLoc(),
                                 values.narrow.get(sum->get())));
    }
  }

  static ByteWeight quantizeWeights(const Candidate &reader,
                                    ArrayRef<float> factors) {
    ChannelInput input = getChannelInput(reader.layer, *reader.statistics);
    return factors.empty() ? reader.weights.quantize(input)
                           : reader.weights.balanced(factors).quantize(
                                 input.balanced(factors));
  }

  /// Adds what rounded weights took from the mean of each result to the bias
  /// (Nagel et al., "Data-Free Quantization Through Weight Equalization and
  /// Bias Correction", arXiv 1906.04721, section 4.2).
  static void giveBack(Operation *op, ArrayRef<double> lost) {
    auto linear = dyn_cast<LinearOp>(op);
    auto conv = dyn_cast<ConvOp>(op);
    if (!linear && !conv)
      return;
    OpBuilder b(op);
    auto count = static_cast<int64_t>(lost.size());
    ConstantBuilder sums(RankedTensorType::get({count}, b.getF32Type()));
    Value bias = linear ? linear.getBias() : conv.getBias();
    std::optional<ConstantReader> old;
    if (bias)
      old = ConstantReader::get(bias);
    for (int64_t i = 0; i < count; ++i)
      sums.setFloat(i, lost[i] + (old ? old->getFloat(i) : 0));
    Value more = ConstantOp::create(b, op->getLoc(), sums.finish("bias"));
    if (bias && !old)
      more = BinaryOp::create(b, op->getLoc(), BinaryKind::Add, bias, more);
    (linear ? linear.getBiasMutable() : conv.getBiasMutable()).assign(more);
  }

  static ChannelInput getChannelInput(const QuantizableLayer &layer,
                                      const TensorStatistics &tensor) {
    ChannelInput input;
    size_t channels = hasChannelsLast(layer) ? tensor.getNumChannels() : 0;
    double rows = static_cast<double>(tensor.count) /
                  static_cast<double>(std::max<size_t>(1, channels));
    for (size_t c = 0; c < channels; ++c) {
      input.squares.push_back(tensor.channelSquares[c] / rows);
      input.means.push_back(tensor.channelSums[c] / rows);
    }
    return input;
  }

  /// Statistics are by the last dim of what is read.
  static bool hasChannelsLast(const QuantizableLayer &layer) {
    if (auto conv = dyn_cast<ConvOp>(layer.op()))
      return conv.getChannelsLast();
    auto matmul = dyn_cast<MatmulOp>(layer.op());
    return !matmul || !matmul.getTransposeA();
  }

  static Value dequantize(OpBuilder &b, const Product &product,
                          const ByteWeight &weight) {
    Location loc = product.op->getLoc();
    SmallVector<int64_t> shape(
        cast<RankedTensorType>(product.weight.getType()).getRank(), 1);
    shape[product.weightAxis] = static_cast<int64_t>(weight.scales.size());
    Value y = ConstantOp::create(b, loc, weight.bytes);
    y = ConvertOp::create(b, loc, y, b.getI32Type());
    y = ConvertOp::create(b, loc, y, b.getF32Type());
    return BinaryOp::create(b, loc, BinaryKind::Mul, y,
                            weight.createScales(b, loc, shape));
  }

  LayerJournal journal{"int8"};
  std::optional<LayerFilter> filter;
  std::optional<RangeMethod> method;
  std::shared_ptr<const Statistics> known;
  SmallVector<TargetAttr> targets;
};

} // namespace

std::unique_ptr<Pass>
effc::createQuantizeInt8(const QuantizeInt8Options &options,
                         std::shared_ptr<const Statistics> statistics,
                         ArrayRef<TargetAttr> targets) {
  return std::make_unique<QuantizeInt8>(options, std::move(statistics),
                                        targets);
}
