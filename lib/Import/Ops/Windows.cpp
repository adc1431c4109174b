// auto_pad and ceil_mode as the documents of Conv-22, MaxPool-22 and
// AveragePool-22 define them, on constant and symbolic sizes.
#include "Windows.h"

using namespace mlir;
using namespace effc::eff;

namespace effc {

/// Larger numbers would overflow in products of them with sizes.
static constexpr int64_t maxExtent = int64_t(1) << 31;

/// An attribute with one positive number for each spatial dim.
static bool readPerDim(NodeContext &ctx, StringRef name, int64_t count,
                       SmallVector<int64_t> &values) {
  values = ctx.attrInts(name, SmallVector<int64_t>(count, 1));
  if (int64_t(values.size()) != count) {
    (void)ctx.error("attribute " + name + " has " + Twine(values.size()) +
                    " elements for " + Twine(count) + " spatial dims");
    return false;
  }
  for (int64_t value : values)
    if (value < 1) {
      (void)ctx.error("attribute " + name + " holds " + Twine(value) +
                      ", which is not positive");
      return false;
    } else if (value > maxExtent) {
      (void)ctx.error("attribute " + name + " holds " + Twine(value) +
                      ", beyond 2^31");
      return false;
    }
  return true;
}

/// SAME_*: as many windows as strides, the pads share what these need.
static void padSame(NodeContext &ctx, ArrayRef<AffineExpr> x, bool upper,
                    Windows &windows) {
  int64_t rank = windows.spatialRank();
  SmallVector<AffineExpr> begins, ends;
  bool symbolic = false;
  for (int64_t i = 0; i < rank; ++i) {
    AffineExpr in = x[i + 2], zero = constDim(ctx.context(), 0);
    int64_t stride = windows.strides[i];
    AffineExpr reach = windows.reachSize(i);
    AffineExpr total = simplify((in.ceilDiv(stride) - 1) * stride + reach - in);
    // A window at least as long as the stride never needs cropping.
    if (ctx.bounds(reach).first < stride)
      total = ctx.maxSize(total, zero);
    AffineExpr half = simplify(total.floorDiv(2));
    AffineExpr rest = simplify(total - half);
    begins.push_back(upper ? half : rest);
    ends.push_back(upper ? rest : half);
    symbolic |= !getConstant(total);
  }
  begins.append(ends);
  windows.pads.assign(2 * rank, 0);
  if (symbolic) {
    windows.symbolicPads.assign(begins.begin(), begins.end());
    return;
  }
  for (auto [pad, expr] : llvm::zip(windows.pads, begins))
    pad = *getConstant(expr);
}

static bool readPads(NodeContext &ctx, ArrayRef<AffineExpr> x,
                     Windows &windows) {
  int64_t rank = windows.spatialRank();
  std::string mode = ctx.attrString("auto_pad", "NOTSET");
  SmallVector<int64_t> none(2 * rank, 0);
  windows.pads = ctx.attrInts("pads", none);
  if (int64_t(windows.pads.size()) != 2 * rank) {
    (void)ctx.error("attribute pads has " + Twine(windows.pads.size()) +
                    " elements for " + Twine(rank) + " spatial dims");
    return false;
  }
  for (int64_t pad : windows.pads)
    if (pad < -maxExtent || pad > maxExtent) {
      (void)ctx.error("attribute pads has the value " + Twine(pad) +
                      ", beyond 2^31");
      return false;
    }
  if (mode == "NOTSET" || mode.empty())
    return true;
  windows.autoPad = true;
  if (mode == "VALID") {
    windows.pads = none;
    return true;
  }
  if (mode != "SAME_UPPER" && mode != "SAME_LOWER") {
    (void)ctx.error("attribute auto_pad has the unknown value '" + mode + "'");
    return false;
  }
  padSame(ctx, x, mode == "SAME_UPPER", windows);
  return true;
}

/// The kernel's extents: of the attribute kernel_shape or of the weight, whose
/// symbolic sizes must be as the attribute says.
static bool readKernel(NodeContext &ctx, int64_t rank,
                       ArrayRef<AffineExpr> weight, Windows &windows) {
  if (!ctx.hasAttr("kernel_shape")) {
    if (weight.empty())
      (void)ctx.error("attribute kernel_shape is missing");
    for (AffineExpr size : weight)
      windows.kernel.push_back(
          getConstant(size).value_or(ShapedType::kDynamic));
    windows.extents.assign(weight.begin(), weight.end());
    return !weight.empty();
  }
  if (!readPerDim(ctx, "kernel_shape", rank, windows.kernel))
    return false;
  for (int64_t extent : windows.kernel)
    windows.extents.push_back(constDim(ctx.context(), extent));
  for (auto [size, extent] : llvm::zip(weight, windows.kernel))
    if (failed(ctx.requireEqual(
            size, constDim(ctx.context(), extent),
            "attribute kernel_shape contradicts the weight's shape")))
      return false;
  return true;
}

std::optional<Windows> readWindows(NodeContext &ctx, ArrayRef<AffineExpr> x,
                                   ArrayRef<AffineExpr> kernel) {
  Windows windows;
  if (x.size() < 3) {
    (void)ctx.error("the operand has rank " + Twine(x.size()) +
                    ", at least 3 is needed");
    return std::nullopt;
  }
  int64_t rank = x.size() - 2;
  if (!readKernel(ctx, rank, kernel, windows) ||
      !readPerDim(ctx, "strides", rank, windows.strides) ||
      !readPerDim(ctx, "dilations", rank, windows.dilations) ||
      !readPads(ctx, x, windows))
    return std::nullopt;
  if (rank > 3) {
    (void)ctx.unsupported(Twine(rank) + " spatial dims",
                          "at most 3 are supported; merge dims by a Reshape");
    return std::nullopt;
  }
  return windows;
}

Value moveChannels(Emitter &e, Value x, bool toLast) {
  if (!x)
    return {};
  SmallVector<int64_t> order =
      llvm::to_vector(llvm::seq<int64_t>(0, rankOf(x)));
  if (toLast)
    std::rotate(order.begin() + 1, order.begin() + 2, order.end());
  else
    std::rotate(order.begin() + 1, order.end() - 1, order.end());
  return e.transpose(x, order);
}

Value padWindows(Emitter &e, Value x, const Windows &windows, Value value) {
  if (windows.symbolicPads.empty())
    return x;
  int64_t rank = windows.spatialRank();
  Dims low(2, e.constant(0)), high(2, e.constant(0));
  low.append(windows.symbolicPads.begin(), windows.symbolicPads.begin() + rank);
  high.append(windows.symbolicPads.begin() + rank, windows.symbolicPads.end());
  return e.pad(x, low, high, value);
}

Dims pooledDims(NodeContext &ctx, ArrayRef<AffineExpr> x,
                const Windows &windows) {
  Dims result(x.begin(), x.begin() + 2);
  int64_t rank = windows.spatialRank();
  for (int64_t i = 0; i < rank; ++i) {
    int64_t stride = windows.strides[i];
    AffineExpr padded = x[i + 2] + windows.pads[i] + windows.pads[i + rank];
    if (!windows.symbolicPads.empty())
      padded =
          padded + windows.symbolicPads[i] + windows.symbolicPads[i + rank];
    AffineExpr span = simplify(padded - windows.reach(i));
    if (windows.ceilMode && !windows.autoPad) {
      // Windows that would start in the end pad do not count.
      AffineExpr all = simplify(span.ceilDiv(stride) + 1);
      AffineExpr inside =
          simplify((x[i + 2] + windows.pads[i]).ceilDiv(stride));
      result.push_back(ctx.minSize(all, inside));
    } else {
      result.push_back(simplify(span.floorDiv(stride) + 1));
    }
  }
  return result;
}

} // namespace effc
