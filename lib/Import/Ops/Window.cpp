// Pooling.
#include "Windows.h"

#include <cmath>
#include <limits>

using namespace mlir;
using namespace effc::eff;

namespace effc {

/// What a maximum over a window may ignore.
static Value lowestValue(Emitter &e, Type type) {
  if (isa<FloatType>(type))
    return e.scalar(type, -std::numeric_limits<double>::infinity());
  unsigned width = type.getIntOrFloatBitWidth();
  return e.scalar(type,
                  type.isUnsignedInteger() ? 0.0 : -std::ldexp(1.0, width - 1));
}

static std::optional<Windows> readPool(NodeContext &ctx, Value x) {
  std::optional<Windows> windows = readWindows(ctx, getDims(x.getType()), {});
  if (windows)
    windows->ceilMode = ctx.attrBool("ceil_mode", false);
  return windows;
}

static Value emitPool(Emitter &e, PoolKind kind, Value x,
                      const Windows &windows, ArrayRef<AffineExpr> dims,
                      bool countPads) {
  if (!x)
    return {};
  return e.ctx.createTyped<PoolOp>(makeTensorType(elementTypeOf(x), dims), kind,
                                   x, windows.kernel, windows.strides,
                                   windows.dilations, windows.pads, countPads);
}

LogicalResult importMaxPool(NodeContext &ctx) {
  if (failed(ctx.requireInputs(1)))
    return failure();
  Emitter e(ctx);
  Value x = ctx.input(0);
  std::optional<Windows> windows = readPool(ctx, x);
  if (!windows)
    return failure();
  bool columnMajor = ctx.attrInt("storage_order", 0) == 1;
  Dims dims = pooledDims(ctx, e.dims(x), *windows);
  Value padded = padWindows(e, x, *windows, lowestValue(e, elementTypeOf(x)));
  if (failed(ctx.setOutput(0, emitPool(e, PoolKind::Max, padded, *windows, dims,
                                       /*countPads=*/false))))
    return failure();
  if (!ctx.outputUsed(1))
    return success();
  if (padded != x)
    return ctx.unsupported("indices with auto_pad on symbolic sizes",
                           "fix the sizes with --input-shape");
  return ctx.setOutput(1, ctx.createTyped<PoolIndicesOp>(
                              makeTensorType(ctx.builder().getI64Type(), dims),
                              x, windows->kernel, windows->strides,
                              windows->dilations, windows->pads, columnMajor));
}

/// MaxPool of [N, spatial..., C].
LogicalResult importNhwcMaxPool(NodeContext &ctx) {
  if (failed(ctx.requireInputs(1)))
    return failure();
  Emitter e(ctx);
  int64_t rank = rankOf(ctx.input(0));
  if (rank < 3)
    return ctx.error("the operand has rank " + Twine(rank) +
                     ", at least 3 is needed");
  Value x = moveChannels(e, ctx.input(0), /*toLast=*/false);
  std::optional<Windows> windows = readPool(ctx, x);
  if (!windows)
    return failure();
  Dims dims = pooledDims(ctx, e.dims(x), *windows);
  Value padded = padWindows(e, x, *windows, lowestValue(e, elementTypeOf(x)));
  Value y = emitPool(e, PoolKind::Max, padded, *windows, dims,
                     /*countPads=*/false);
  return ctx.setOutput(0, moveChannels(e, y, /*toLast=*/true));
}

Value emitAveragePool(Emitter &e, Value x) {
  NodeContext &ctx = e.ctx;
  std::optional<Windows> windows = readPool(ctx, x);
  if (!windows)
    return {};
  bool countPads = ctx.attrBool("count_include_pad", false);
  Dims dims = pooledDims(ctx, e.dims(x), *windows);
  Value padded = padWindows(e, x, *windows);
  Value y = emitPool(e, PoolKind::Average, padded, *windows, dims, countPads);
  if (padded != x && !countPads) {
    // The pads are elements now: divide by the share of true ones.
    Value ones = e.splat(elementTypeOf(x), e.dims(x), 1.0);
    y = e.div(y, emitPool(e, PoolKind::Average, padWindows(e, ones, *windows),
                          *windows, dims, countPads));
  }
  return y;
}

LogicalResult importAveragePool(NodeContext &ctx) {
  if (failed(ctx.requireInputs(1)))
    return failure();
  Emitter e(ctx);
  return ctx.setOutput(0, emitAveragePool(e, ctx.input(0)));
}

/// |x| ^ p, which `emitRoot` undoes.
static Value emitPower(Emitter &e, Value x, double p) {
  if (p == 2.0)
    return e.mul(x, x);
  Value magnitude = e.unary(UnaryKind::Abs, x);
  return p == 1.0 ? magnitude : e.binary(BinaryKind::Pow, magnitude, p);
}

static Value emitRoot(Emitter &e, Value x, double p) {
  if (p == 2.0)
    return e.unary(UnaryKind::Sqrt, x);
  return p == 1.0 ? x : e.binary(BinaryKind::Pow, x, 1.0 / p);
}

/// The p-norm of windows: p-th powers, averaged with all pads as elements so
/// that the divisor is the kernel's size, times that size.
LogicalResult importLpPool(NodeContext &ctx) {
  if (failed(ctx.requireInputs(1)))
    return failure();
  Emitter e(ctx);
  Value x = ctx.input(0);
  std::optional<Windows> windows = readPool(ctx, x);
  if (!windows)
    return failure();
  double p = ctx.attrInt("p", 2);
  if (p < 1)
    return ctx.error("attribute p is not positive");
  Dims dims = pooledDims(ctx, e.dims(x), *windows);
  Value power = padWindows(e, emitPower(e, x, p), *windows);
  int64_t rank = windows->spatialRank(), size = 1;
  Dims low(rank + 2, e.constant(0)), high = low;
  for (int64_t i = 0; i < rank; ++i) {
    size *= windows->kernel[i];
    low[i + 2] = e.constant(windows->pads[i]);
    // Up to the end of the last window, which ceil_mode may put outside.
    AffineExpr needed = (dims[i + 2] - 1) * windows->strides[i] +
                        windows->reach(i) - e.dim(power, i + 2) -
                        windows->pads[i];
    high[i + 2] = ctx.maxSize(simplify(needed), e.constant(0));
  }
  Windows unpadded = *windows;
  unpadded.pads.assign(2 * rank, 0);
  Value mean = emitPool(e, PoolKind::Average, e.pad(power, low, high), unpadded,
                        dims, /*countPads=*/true);
  return ctx.setOutput(0, emitRoot(e, e.mul(mean, double(size)), p));
}

LogicalResult importGlobalPool(NodeContext &ctx) {
  if (failed(ctx.requireInputs(1)))
    return failure();
  Emitter e(ctx);
  Value x = ctx.input(0);
  if (rankOf(x) < 2)
    return ctx.error("the operand has rank " + Twine(rankOf(x)) +
                     ", at least 2 is needed");
  SmallVector<int64_t> axes = llvm::to_vector(llvm::seq<int64_t>(2, rankOf(x)));
  double p = ctx.opType() == "GlobalLpPool" ? ctx.attrInt("p", 2) : 1;
  if (p < 1)
    return ctx.error("attribute p is not positive");
  auto pool = [&](ReduceKind kind, Value operand) {
    return axes.empty() ? operand : e.reduce(kind, operand, axes, true);
  };
  if (ctx.opType() == "GlobalAveragePool")
    return ctx.setOutput(0, pool(ReduceKind::Mean, x));
  if (ctx.opType() == "GlobalMaxPool")
    return ctx.setOutput(0, pool(ReduceKind::Max, x));
  return ctx.setOutput(
      0, emitRoot(e, pool(ReduceKind::Sum, emitPower(e, x, p)), p));
}

} // namespace effc
