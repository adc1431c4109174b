// Dynamic quantisation by row, of which language models call each a token
// (Dettmers et al., "LLM.int8()", arXiv 2208.07339; Yao et al., "ZeroQuant",
// arXiv 2206.01861): a run finds the largest element of each row, so that no
// calibration is needed and an outlier coarsens its own row only. Products
// are of bytes, as in QuantizeInt8.cpp.
#include "LayerCost.h"
#include "LayerWeights.h"
#include "effc/Analysis/Constants.h"
#include "effc/Support/Diagnostics.h"
#include "effc/Transforms/Quantize/Passes.h"
#include "llvm/ADT/MapVector.h"

namespace effc {
#define GEN_PASS_DEF_QUANTIZEDYNAMIC
#include "effc/Transforms/Quantize/Passes.h.inc"
} // namespace effc

using namespace mlir;
using namespace effc;
using namespace effc::eff;

namespace {

/// A row is symmetric around this byte.
constexpr double middle = 128, mostStep = 127;
/// Rows whose elements are all smaller count as zero.
constexpr double leastElement = 0x1p-90;
/// Rows are read twice: for the largest element, and to be rounded.
constexpr double conversionCost = 1.8;

struct Candidate {
  QuantizableLayer layer;
  LayerWeights weights;
  LayerCost cost;
};

/// `value = (bytes - 128) * scale`, a scale for each row.
struct RoundedRows {
  Value centred, scale;

  static RoundedRows get(Value x) {
    OpBuilder b(x.getContext());
    b.setInsertionPointAfterValue(x);
    Location loc = x.getLoc();
    Type f32 = b.getF32Type();
    auto scalar = [&](Type type, double value) {
      return createScalar(b, loc, type, value);
    };
    int64_t last = cast<RankedTensorType>(x.getType()).getRank() - 1;
    Value size = UnaryOp::create(b, loc, UnaryKind::Abs, x);
    Value largest =
        ReduceOp::create(b, loc, ReduceKind::Max, size, ArrayRef<int64_t>{last},
                         /*keepdims=*/true);
    largest = BinaryOp::create(b, loc, BinaryKind::Max, largest,
                               scalar(f32, leastElement));
    RoundedRows rows;
    rows.scale = BinaryOp::create(b, loc, BinaryKind::Mul, largest,
                                  scalar(f32, 1 / mostStep));
    Value inverse = UnaryOp::create(b, loc, UnaryKind::Reciprocal, rows.scale);
    Value y = BinaryOp::create(b, loc, BinaryKind::Mul, x, inverse);
    y = UnaryOp::create(b, loc, UnaryKind::Round, y);
    y = BinaryOp::create(b, loc, BinaryKind::Add, y, scalar(f32, middle));
    Value bytes = ConvertOp::create(
        b, loc, y, IntegerType::get(b.getContext(), 8, IntegerType::Unsigned));
    Value wide = ConvertOp::create(b, loc, bytes, b.getI32Type());
    rows.centred = BinaryOp::create(b, loc, BinaryKind::Sub, wide,
                                    scalar(b.getI32Type(), middle));
    return rows;
  }
};

struct QuantizeDynamic : effc::impl::QuantizeDynamicBase<QuantizeDynamic> {
  using Base::Base;
  QuantizeDynamic(const QuantizeDynamicOptions &options,
                  ArrayRef<TargetAttr> targets)
      : Base(options), targets(targets) {}

  LogicalResult initialize(MLIRContext *context) override {
    filter = LayerFilter::get(context, "eff-quantize-dynamic", skip);
    return success(filter.has_value());
  }

  /// Why a layer stays in f32, or "".
  std::string findReason(const QuantizableLayer &layer) const {
    if (!layer.getConstantWeight())
      return "both of its factors are computed";
    if (isa<ConvOp>(layer.op()))
      return "rows of a convolution overlap";
    if (!isa<LinearOp>(layer.op()))
      return "its rows are not those of one matrix";
    return layer.product.sumsOfBytesFit() ? ""
                                          : "its sums may not fit into 32 bits";
  }

  void runOnOperation() override {
    if (failed(settleTargets(getOperation(), "eff-quantize-dynamic", targets)))
      return signalPassFailure();
    journal = LayerJournal("int8-dynamic");
    llvm::MapVector<Value, std::vector<Candidate>> groups;
    visitLayers(
        getOperation(), *filter, journal,
        [&](const QuantizableLayer &layer) -> std::string {
          if (std::string reason = findReason(layer); !reason.empty())
            return reason;
          std::optional<LayerWeights> weights = LayerWeights::get(layer);
          if (!weights)
            return kNoMatrix.str();
          LayerCost cost = estimateCost(layer, targets);
          if (!always && !cost.obstacle.empty())
            return cost.obstacle;
          groups[layer.product.x].push_back({layer, std::move(*weights), cost});
          return "";
        });
    for (auto &[x, readers] : groups)
      quantize(readers);
    numTaken += journal.getNumTaken();
    numDeclined += journal.getNumDeclined();
    journal.write(getOperation());
  }

  /// Layers that read one tensor. It may be another value than it was, where a
  /// layer that made it was replaced.
  void quantize(ArrayRef<Candidate> readers) {
    Value x = readers.front().layer.op()->getOperand(0);
    double gain = 0;
    for (const Candidate &reader : readers)
      gain += reader.cost.wide - reader.cost.narrow;
    if (!always && gain <= conversionCost * estimateConversion(x)) {
      for (const Candidate &reader : readers)
        journal.decline(reader.layer.op(),
                        "rounding its input takes as long as it gains");
      return;
    }
    RoundedRows rows = RoundedRows::get(x);
    for (const Candidate &reader : readers)
      rewrite(reader, rows);
  }

  void rewrite(const Candidate &reader, const RoundedRows &rows) {
    auto op = cast<LinearOp>(reader.layer.op());
    OpBuilder b(op);
    Location loc = op.getLoc();
    ByteWeight weight = reader.weights.quantize();
    Value bytes = ConstantOp::create(b, loc, weight.bytes);
    Value integers = LinearOp::create(
        b, loc, withElementType(op.getType(), b.getI32Type()), rows.centred,
        ConvertOp::create(b, loc, bytes, b.getI32Type()), Value(),
        op.getTransposeWeight());
    auto binary = [&](BinaryKind kind, Value p, Value q) -> Value {
      return BinaryOp::create(b, loc, kind, p, q);
    };
    Value y = ConvertOp::create(b, loc, integers, b.getF32Type());
    auto outputs = static_cast<int64_t>(weight.scales.size());
    y = binary(BinaryKind::Mul, y, weight.createScales(b, loc, outputs));
    y = binary(BinaryKind::Mul, y, rows.scale);
    if (op.getBias())
      y = binary(BinaryKind::Add, y, op.getBias());
    journal.take(op, "each row in a range of its own", std::nullopt);
    op.getResult().replaceAllUsesWith(y);
    op.erase();
  }

  std::optional<LayerFilter> filter;
  SmallVector<TargetAttr> targets;
  LayerJournal journal{"int8-dynamic"};
};

} // namespace

std::unique_ptr<Pass>
effc::createQuantizeDynamic(const QuantizeDynamicOptions &options,
                            ArrayRef<TargetAttr> targets) {
  return std::make_unique<QuantizeDynamic>(options, targets);
}
