// Matrix products and convolutions.
#include "Linear.h"
#include "Windows.h"

using namespace mlir;
using namespace effc::eff;

namespace effc {

Value emitMatMul(Emitter &e, Value a, Value b) {
  if (!a || !b)
    return {};
  if (rankOf(a) == 0 || rankOf(b) == 0) {
    (void)e.ctx.error("an operand is a scalar");
    return {};
  }
  bool vectorA = rankOf(a) == 1, vectorB = rankOf(b) == 1;
  if (vectorA)
    a = e.unsqueeze(a, {0});
  if (vectorB)
    b = e.unsqueeze(b, {1});
  Value operands[] = {a, b};
  e.ctx.broadcastOperands(operands, /*skip=*/2);
  Value y = e.matmul(operands[0], operands[1]);
  if (!y)
    return {};
  int64_t rank = rankOf(y);
  SmallVector<int64_t> extra;
  if (vectorA)
    extra.push_back(rank - 2);
  if (vectorB)
    extra.push_back(rank - 1);
  return e.squeeze(y, extra);
}

LogicalResult importMatMul(NodeContext &ctx) {
  if (failed(ctx.requireInputs(2)))
    return failure();
  Emitter e(ctx);
  return ctx.setOutput(0, emitMatMul(e, ctx.input(0), ctx.input(1)));
}

/// Adds C, which broadcasts to the product but not the other way round.
static Value addToProduct(Emitter &e, Value y, Value c) {
  if (!y || !c)
    return y;
  Value sum = e.add(y, e.ctx.broadcastOperand(c, e.dims(y)));
  if (sum && !areCompatibleTypes(sum.getType(), y.getType())) {
    (void)e.ctx.error("C does not broadcast to the shape of the product");
    return {};
  }
  return sum;
}

Value emitGemm(Emitter &e, Value a, Value b, Value c) {
  NodeContext &ctx = e.ctx;
  bool transA = ctx.attrBool("transA", false);
  bool transB = ctx.attrBool("transB", false);
  double alpha = ctx.attrFloat("alpha", 1.0), beta = ctx.attrFloat("beta", 1.0);
  if (rankOf(a) != 2 || rankOf(b) != 2) {
    (void)ctx.error("A and B have the ranks " + Twine(rankOf(a)) + " and " +
                    Twine(rankOf(b)) + "; both must be 2");
    return {};
  }
  if (!isFloat(a) && (alpha != 1.0 || beta != 1.0)) {
    (void)ctx.unsupported("alpha or beta other than 1 on integers",
                          "multiply by a separate node");
    return {};
  }
  if (beta == 0.0)
    c = {};
  int64_t columns = tensorType(b).getDimSize(transB ? 0 : 1);
  bool isBias = !c || (rankOf(c) == 1 && !ShapedType::isDynamic(columns) &&
                       tensorType(c).getDimSize(0) == columns);
  if (constantOf(b) && isFloat(a) && !transA && alpha == 1.0 && beta == 1.0 &&
      isBias)
    return ctx.create<LinearOp>(a, b, c, transB);
  Value y = e.matmul(a, b, transA, transB);
  if (alpha != 1.0)
    y = e.mul(y, alpha);
  return addToProduct(e, y, c && beta != 1.0 ? e.mul(c, beta) : c);
}

LogicalResult importGemm(NodeContext &ctx) {
  if (failed(ctx.requireInputs(2, 3)))
    return failure();
  Emitter e(ctx);
  return ctx.setOutput(0,
                       emitGemm(e, ctx.input(0), ctx.input(1), ctx.input(2)));
}

Value emitConv(Emitter &e, Value x, Value weight, Value bias) {
  NodeContext &ctx = e.ctx;
  if (!x || !weight)
    return {};
  ArrayRef<int64_t> shape = tensorType(weight).getShape();
  if (rankOf(weight) != rankOf(x) || rankOf(x) < 3) {
    (void)ctx.error("operand and weight have the ranks " + Twine(rankOf(x)) +
                    " and " + Twine(shape.size()) +
                    "; both must be equal and at least 3");
    return {};
  }
  int64_t groups = ctx.attrInt("group", 1);
  Dims kernel = e.dims(weight);
  std::optional<Windows> windows =
      readWindows(ctx, e.dims(x), ArrayRef(kernel).drop_front(2));
  if (!windows)
    return {};
  return ctx.create<ConvOp>(padWindows(e, x, *windows), weight, bias,
                            windows->strides, windows->dilations, windows->pads,
                            uint64_t(groups));
}

LogicalResult importConv(NodeContext &ctx) {
  if (failed(ctx.requireInputs(2, 3)))
    return failure();
  Emitter e(ctx);
  return ctx.setOutput(0,
                       emitConv(e, ctx.input(0), ctx.input(1), ctx.input(2)));
}

/// Splits what a transposed convolution crops (or adds, when negative) between
/// the two ends of a dim, as ConvTranspose-22 says.
static void shareCrop(int64_t total, bool upper, int64_t &begin, int64_t &end,
                      int64_t &outputPadding) {
  if (total < 0) {
    outputPadding -= total;
    total = 0;
  }
  begin = upper ? total / 2 : total - total / 2;
  end = total - begin;
}

namespace {
struct ConvTransposeParts {
  Value x, weight, bias;
  const Windows &windows;
  ArrayRef<int64_t> outputPadding;
  int64_t groups;

  Value emit(Emitter &e, Value bias, ArrayRef<int64_t> pads) const {
    return e.ctx.create<ConvTransposeOp>(x, weight, bias, windows.strides,
                                         windows.dilations, pads, outputPadding,
                                         uint64_t(groups));
  }
};
} // namespace

/// What is cropped of each spatial dim of the full result (negative is added)
/// for `output_shape`, or input size times stride under SAME_*; empty without
/// either.
static std::optional<Dims> totalCrop(NodeContext &ctx, ArrayRef<AffineExpr> x,
                                     const Windows &windows,
                                     ArrayRef<int64_t> outputPadding) {
  int64_t rank = windows.spatialRank();
  std::string mode = ctx.attrString("auto_pad", "NOTSET");
  std::optional<SmallVector<int64_t>> shape = ctx.attrInts("output_shape");
  if (shape && int64_t(shape->size()) == rank + 2)
    shape->erase(shape->begin(), shape->begin() + 2);
  if (shape && int64_t(shape->size()) != rank) {
    (void)ctx.error("attribute output_shape has " + Twine(shape->size()) +
                    " elements for " + Twine(rank) + " spatial dims");
    return std::nullopt;
  }
  for (int64_t size : shape.value_or(SmallVector<int64_t>()))
    if (size < 0 || size > INT32_MAX) {
      (void)ctx.error("attribute output_shape has a size of " + Twine(size));
      return std::nullopt;
    }
  Dims totals;
  if (!shape && mode != "SAME_UPPER" && mode != "SAME_LOWER")
    return totals;
  for (int64_t i = 0; i < rank; ++i) {
    int64_t stride = windows.strides[i];
    AffineExpr total = windows.reachSize(i) + outputPadding[i] - stride;
    if (shape)
      total = total + x[i + 2] * stride - (*shape)[i];
    totals.push_back(simplify(total));
  }
  return totals;
}

/// A transposed convolution that is cut where only the run knows. What is added
/// holds nothing but the bias.
static Value emitCropped(Emitter &e, const ConvTransposeParts &parts,
                         ArrayRef<AffineExpr> totals, bool upper) {
  int64_t rank = totals.size();
  Value y = parts.emit(e, Value(), SmallVector<int64_t>(2 * rank, 0));
  Dims low(rank + 2, e.constant(0)), high = low;
  for (auto [i, total] : llvm::enumerate(totals)) {
    AffineExpr cut = e.ctx.maxSize(total, e.constant(0));
    AffineExpr half = cut.floorDiv(2);
    y = e.slice(y, i + 2, simplify(upper ? half : cut - half),
                simplify(e.dim(y, i + 2) - cut));
    high[i + 2] = simplify(cut - total);
  }
  y = e.pad(y, low, high);
  if (!parts.bias)
    return y;
  Dims column(rank + 1, e.constant(1));
  column[0] = getNumElements(parts.bias.getType());
  return e.add(y, e.reshape(parts.bias, column));
}

LogicalResult importConvTranspose(NodeContext &ctx) {
  if (failed(ctx.requireInputs(2, 3)))
    return failure();
  Emitter e(ctx);
  Value x = ctx.input(0), weight = ctx.input(1);
  ArrayRef<int64_t> shape = tensorType(weight).getShape();
  if (rankOf(weight) != rankOf(x) || rankOf(x) < 3)
    return ctx.error("operand and weight have the ranks " + Twine(rankOf(x)) +
                     " and " + Twine(shape.size()) +
                     "; both must be equal and at least 3");
  int64_t groups = ctx.attrInt("group", 1);
  Dims dims = e.dims(x), kernel = e.dims(weight);
  std::optional<Windows> windows =
      readWindows(ctx, dims, ArrayRef(kernel).drop_front(2));
  if (!windows)
    return failure();
  int64_t rank = windows->spatialRank();
  SmallVector<int64_t> outputPadding =
      ctx.attrInts("output_padding", SmallVector<int64_t>(rank, 0));
  if (int64_t(outputPadding.size()) != rank)
    return ctx.error("attribute output_padding has " +
                     Twine(outputPadding.size()) + " elements for " +
                     Twine(rank) + " spatial dims");
  std::optional<Dims> totals = totalCrop(ctx, dims, *windows, outputPadding);
  if (!totals)
    return failure();
  bool upper = ctx.attrString("auto_pad", "NOTSET") == "SAME_UPPER";
  ConvTransposeParts parts{x,        weight,        ctx.input(2),
                           *windows, outputPadding, groups};
  auto isSymbolic = [](AffineExpr total) { return !getConstant(total); };
  if (llvm::any_of(*totals, isSymbolic))
    return ctx.setOutput(0, emitCropped(e, parts, *totals, upper));
  for (auto [i, total] : llvm::enumerate(*totals))
    shareCrop(*getConstant(total), upper, windows->pads[i],
              windows->pads[i + rank], outputPadding[i]);
  return ctx.setOutput(0, parts.emit(e, parts.bias, windows->pads));
}

} // namespace effc
