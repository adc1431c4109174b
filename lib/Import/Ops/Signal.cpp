// Signal processing: DFT-20 and STFT-17 in terms of eff.dft, windows and
// MelWeightMatrix-17 as elementwise formulas in f64, Det-22.
#include "RuntimeShape.h"

#include <cmath>

using namespace mlir;
using namespace effc::eff;

namespace effc {

constexpr double pi = 3.14159265358979323846;

/// The only element of a numeric operand as a scalar f64.
static Value emitNumber(Emitter &e, Value x) {
  return e.convert(e.reshape(x, {}), e.ctx.builder().getF64Type());
}

static Value emitSize(Emitter &e, AffineExpr size) {
  Type i64 = e.ctx.builder().getI64Type();
  return emitNumber(e, e.ctx.dimValues({size}, i64, {1}));
}

/// A size that a scalar operand holds, else the declared size of dim `axis` of
/// the result; null and a diagnostic when neither is known.
static AffineExpr sizeOrDeclared(NodeContext &ctx, unsigned index,
                                 size_t axis) {
  if (std::optional<AffineExpr> size = ctx.scalarSize(ctx.input(index)))
    return settleSize(ctx, 0, axis, *size);
  std::optional<Dims> declared = ctx.declaredDims(0);
  if (declared && axis < declared->size() && (*declared)[axis])
    return (*declared)[axis];
  (void)ctx.unsupported("the size (input " + Twine(index) +
                            ") is computed from data",
                        "make it an initializer");
  return {};
}

// Windows
// -------------------------------------------------------------------------

LogicalResult importSignalWindow(NodeContext &ctx) {
  if (failed(ctx.requireInputs(1)))
    return failure();
  Emitter e(ctx);
  bool periodic = ctx.attrBool("periodic", true);
  Type type = ctx.elementType(ctx.attrInt("output_datatype", 1));
  AffineExpr size = sizeOrDeclared(ctx, 0, 0);
  if (!type || !size)
    return failure();
  if (getConstant(size).value_or(0) < 0)
    return ctx.error("size is " + toString(size));
  Type f64 = ctx.builder().getF64Type();
  Value n = e.iota(f64, {size}, 0, e.constant(0));
  Value length = emitSize(e, periodic ? size : simplify(size - 1));
  auto wave = [&](int64_t periods) {
    Value angle = e.div(e.mul(n, 2 * pi * periods), length);
    return e.unary(UnaryKind::Cos, angle);
  };
  Value y;
  if (ctx.opType() == "HannWindow") {
    Value sine = e.unary(UnaryKind::Sin, e.div(e.mul(n, pi), length));
    y = e.mul(sine, sine);
  } else if (ctx.opType() == "HammingWindow") {
    double alpha = 25.0 / 46.0;
    y = e.add(e.mul(wave(1), alpha - 1), alpha);
  } else {
    y = e.add(e.add(e.mul(wave(1), -0.5), e.mul(wave(2), 0.08)), 0.42);
  }
  return ctx.setOutput(0, e.convert(y, type));
}

LogicalResult importMelWeightMatrix(NodeContext &ctx) {
  if (failed(ctx.requireInputs(5)))
    return failure();
  Emitter e(ctx);
  Type type = ctx.elementType(ctx.attrInt("output_datatype", 1));
  AffineExpr bands = sizeOrDeclared(ctx, 0, 1);
  if (!type || !bands)
    return failure();
  AffineExpr bins;
  if (std::optional<AffineExpr> length = ctx.scalarSize(ctx.input(1)))
    bins = settleSize(ctx, 0, 0, simplify(length->floorDiv(2) + 1));
  else
    bins = sizeOrDeclared(ctx, 1, 0);
  if (!bins)
    return failure();
  double perMel = 2595 / std::log(10.0);
  auto mel = [&](unsigned index) {
    Value hertz = emitNumber(e, ctx.input(index));
    return e.mul(e.unary(UnaryKind::Log, e.add(e.mul(hertz, 1 / 700.0), 1.0)),
                 perMel);
  };
  Value low = mel(3), high = mel(4);
  Type f64 = ctx.builder().getF64Type();
  // Borders of the bands, equally far apart in mel, as bins.
  AffineExpr borders = simplify(bands + 2);
  Value step = e.div(e.sub(high, low), emitSize(e, borders));
  Value at = e.add(e.mul(e.iota(f64, {borders}, 0, e.constant(0)), step), low);
  Value hertz =
      e.mul(e.add(e.unary(UnaryKind::Exp, e.mul(at, 1 / perMel)), -1.0), 700.0);
  Value scale = e.add(emitNumber(e, ctx.input(1)), 1.0);
  Value border = e.unary(UnaryKind::Floor, e.div(e.mul(hertz, scale),
                                                 emitNumber(e, ctx.input(2))));
  auto column = [&](int64_t first) {
    return e.reshape(e.slice(border, 0, e.constant(first), bands),
                     {e.constant(1), bands});
  };
  Value left = column(0), middle = column(1), right = column(2);
  Value bin = e.iota(f64, {bins, e.constant(1)}, 0, e.constant(0));
  Value zero = e.scalar(f64, 0), one = e.scalar(f64, 1);
  auto within = [&](Value from, CompareKind below, Value to) {
    return e.both(e.compare(CompareKind::Ge, bin, from),
                  e.compare(below, bin, to));
  };
  Value rise = e.sub(middle, left), fall = e.sub(right, middle);
  Value steep = e.compare(CompareKind::Eq, rise, 0.0);
  Value up =
      e.select(within(left, CompareKind::Le, middle),
               e.div(e.sub(bin, left), e.select(steep, one, rise)), zero);
  up = e.select(
      steep, e.select(e.compare(CompareKind::Eq, bin, middle), one, zero), up);
  Value falls = e.both(within(middle, CompareKind::Lt, right),
                       e.compare(CompareKind::Gt, fall, 0.0));
  Value y = e.select(falls, e.div(e.sub(right, bin), fall), up);
  return ctx.setOutput(0, e.convert(y, type));
}

// Fourier transforms
// --------------------------------------------------------------

/// exp(-2 pi i n / length) for all n as [length, 2]: a constant where that is
/// small, else computed.
static Value emitTwiddles(Emitter &e, AffineExpr length) {
  constexpr int64_t maxConstant = 1 << 16;
  Type f64 = e.ctx.builder().getF64Type();
  std::optional<int64_t> size = getConstant(length);
  if (size && *size <= maxConstant) {
    SmallVector<double> table;
    for (int64_t n = 0; n < *size; ++n) {
      double angle = -2 * pi * double(n) / double(*size);
      table.push_back(std::cos(angle));
      table.push_back(std::sin(angle));
    }
    return e.ctx.constant(DenseElementsAttr::get(
        RankedTensorType::get({*size, 2}, f64), ArrayRef<double>(table)));
  }
  Value angle =
      e.mul(e.div(e.iota(f64, {length, e.constant(1)}, 0, e.constant(0)),
                  emitSize(e, length)),
            -2 * pi);
  return e.concat(
      {e.unary(UnaryKind::Cos, angle), e.unary(UnaryKind::Sin, angle)}, 1);
}

namespace {
struct Transform {
  Value x;
  bool inverse, onesided;
  /// Null: what the operand's size gives.
  AffineExpr length;
};
} // namespace

static AffineExpr transformLength(Emitter &e, const Transform &t,
                                  int64_t axis) {
  if (t.length)
    return t.length;
  AffineExpr size = e.dim(t.x, axis);
  return t.inverse && t.onesided ? simplify((size - 1) * 2) : size;
}

static Dims transformDims(Emitter &e, const Transform &t, int64_t axis) {
  Dims dims = e.dims(t.x);
  AffineExpr length = transformLength(e, t, axis);
  dims[axis] =
      t.onesided && !t.inverse ? simplify(length.floorDiv(2) + 1) : length;
  dims.back() = e.constant(t.onesided && t.inverse ? 1 : 2);
  return dims;
}

static Value emitTransform(Emitter &e, const Transform &t, int64_t axis) {
  Value table = emitTwiddles(e, transformLength(e, t, axis));
  if (!table)
    return {};
  return e.ctx.createTyped<DftOp>(
      makeTensorType(elementTypeOf(t.x), transformDims(e, t, axis)), t.x, table,
      Value(), uint64_t(axis), t.inverse, t.onesided, uint64_t(0));
}

/// An axis that is data: every axis that gives the declared result is
/// transformed, and the right one picked; others are a run-time error.
static LogicalResult importRuntimeAxis(Emitter &e, const Transform &t) {
  NodeContext &ctx = e.ctx;
  std::optional<Dims> declared = ctx.declaredDims(0);
  int64_t rank = rankOf(t.x);
  SmallVector<Value> results;
  // For axis + rank: the place among the results, or one beyond.
  SmallVector<int64_t> places(2 * rank, rank);
  if (declared && !llvm::is_contained(*declared, AffineExpr()))
    for (int64_t axis = 0; axis + 1 < rank; ++axis) {
      if (transformDims(e, t, axis) != *declared)
        continue;
      places[axis] = places[axis + rank] = results.size();
      results.push_back(e.unsqueeze(emitTransform(e, t, axis), {0}));
    }
  if (results.empty())
    return ctx.unsupported("the axis (input 2) is computed from data",
                           "make it an initializer");
  Value axis =
      e.convert(e.reshape(ctx.input(2), {}), ctx.builder().getI64Type());
  Value place = e.gather(ctx.constantI64(places), e.add(axis, double(rank)), 0);
  return ctx.setOutput(0, e.gather(e.concat(results, 0), place, 0));
}

LogicalResult importDFT(NodeContext &ctx) {
  bool axisIsInput = ctx.opset() >= 20;
  if (failed(ctx.requireInputs(1, axisIsInput ? 3 : 2)))
    return failure();
  Emitter e(ctx);
  Transform t{ctx.input(0), ctx.attrBool("inverse", false),
              ctx.attrBool("onesided", false), AffineExpr()};
  int64_t rank = rankOf(t.x);
  std::optional<int64_t> parts =
      rank < 2 ? std::nullopt : getConstant(e.dim(t.x, rank - 1));
  if (!isFloat(t.x) || (parts != 1 && parts != 2))
    return ctx.error("needs a float operand whose last dim is 1 (real) or 2 "
                     "(complex)");
  if (t.onesided && !t.inverse && parts == 2)
    return ctx.error("onesided needs a real operand");
  if (t.onesided && t.inverse && parts == 1)
    return ctx.error("an inverse onesided transform needs a complex operand");
  std::optional<int64_t> given = axisIsInput ? -2 : ctx.attrInt("axis", 1);
  bool runtimeAxis = false;
  if (axisIsInput && ctx.hasInput(2)) {
    std::optional<SmallVector<int64_t>> axis = ctx.constants(ctx.input(2));
    runtimeAxis = !axis;
    if (axis && axis->size() != 1)
      return ctx.error("the axis (input 2) is not a scalar");
    given = axis ? axis->front() : 0;
  }
  std::optional<int64_t> axis = normalizeAxis(ctx, *given, rank);
  if (!axis)
    return failure();
  if (*axis == rank - 1)
    return ctx.error("the axis is the one of real and imaginary parts");
  if (ctx.hasInput(1)) {
    if (std::optional<AffineExpr> length = ctx.scalarSize(ctx.input(1)))
      t.length = *length;
    else if (!runtimeAxis && (!t.onesided || t.inverse))
      t.length = sizeOrDeclared(ctx, 1, *axis);
    if (!t.length)
      return ctx.unsupported("dft_length (input 1) is computed from data",
                             "make it an initializer");
  }
  // Far beyond any memory; finding factors of such a number would take long.
  if (t.length && getConstant(t.length).value_or(0) > int64_t(1) << 32)
    return ctx.error("dft_length is " + toString(t.length));
  if (runtimeAxis)
    return importRuntimeAxis(e, t);
  if (ctx.bounds(transformLength(e, t, *axis)).second < 1)
    return ctx.error("the length of the transform is " +
                     toString(transformLength(e, t, *axis)));
  return ctx.setOutput(0, emitTransform(e, t, *axis));
}

namespace {
/// Length of a frame and distance of frames.
struct Frames {
  AffineExpr length;
  int64_t step = 0;
};
} // namespace

/// Length and step as far as operands tell; what is data must be the only value
/// that gives the declared result.
static std::optional<Frames> readFrames(Emitter &e, Value x, bool onesided) {
  NodeContext &ctx = e.ctx;
  Frames frames;
  if (Value window = ctx.input(2)) {
    frames.length = e.dim(window, 0);
  } else if (!ctx.hasInput(3)) {
    (void)ctx.error("neither window nor frame_length is given");
    return std::nullopt;
  }
  // What is data may follow from the declared result.
  auto known = [&](unsigned index) -> std::optional<AffineExpr> {
    std::optional<Dims> sizes = ctx.knownSizes(ctx.input(index));
    return sizes && sizes->size() == 1 ? std::optional(sizes->front())
                                       : std::nullopt;
  };
  if (std::optional<AffineExpr> given = known(3)) {
    if (frames.length && failed(ctx.requireEqual(frames.length, *given,
                                                 "window and frame_length "
                                                 "differ")))
      return std::nullopt;
    frames.length = *given;
  }
  std::optional<AffineExpr> step = known(1);
  frames.step = step ? getConstant(*step).value_or(0) : 0;
  if (step && frames.step < 1) {
    (void)ctx.error("frame_step is " + toString(*step));
    return std::nullopt;
  }
  if (frames.length && frames.step)
    return frames;
  std::optional<Dims> declared = ctx.declaredDims(0);
  std::optional<int64_t> signal = getConstant(e.dim(x, 1)), count, bins;
  if (declared && declared->size() == 4 && (*declared)[1] && (*declared)[2]) {
    count = getConstant((*declared)[1]);
    bins = getConstant((*declared)[2]);
  }
  SmallVector<Frames> fits;
  for (int64_t odd = 0; signal && count && bins && odd < 2; ++odd) {
    int64_t length = onesided ? 2 * (*bins - 1) + odd : *bins;
    if ((!onesided && odd) || length < 1 || length > *signal ||
        (frames.length && getConstant(frames.length) != length))
      continue;
    for (int64_t step = 1; step <= std::min<int64_t>(*signal, 1 << 20); ++step)
      if ((!frames.step || frames.step == step) &&
          (*signal - length) / step + 1 == *count)
        fits.push_back({e.constant(length), step});
  }
  if (fits.size() == 1)
    return fits.front();
  (void)ctx.unsupported("frame_step or frame_length is computed from data and "
                        "the declared result does not tell it",
                        "make them initializers");
  return std::nullopt;
}

LogicalResult importSTFT(NodeContext &ctx) {
  if (failed(ctx.requireInputs(2, 4)))
    return failure();
  Emitter e(ctx);
  Value x = ctx.input(0), window = ctx.input(2);
  bool onesided = ctx.attrBool("onesided", true);
  // A signal may come without the dim of its parts.
  if (rankOf(x) == 2)
    x = e.unsqueeze(x, {2});
  std::optional<int64_t> parts =
      rankOf(x) == 3 ? getConstant(e.dim(x, 2)) : std::nullopt;
  if (!isFloat(x) || (parts != 1 && parts != 2))
    return ctx.error("needs a float signal [batch, length, 1 or 2]");
  if (window && (rankOf(window) != 1 || !isFloat(window)))
    return ctx.error("the window is not a list of floats");
  if (onesided && parts == 2)
    return ctx.error("onesided needs a real signal");
  std::optional<Frames> frames = readFrames(e, x, onesided);
  if (!frames)
    return failure();
  AffineExpr length = frames->length;
  AffineExpr surplus = simplify(e.dim(x, 1) - length);
  if (ctx.bounds(length).second < 1 || ctx.bounds(surplus).second < 0)
    return ctx.error("frames of " + toString(length) +
                     " elements do not fit a signal of " +
                     toString(e.dim(x, 1)));
  // A signal shorter than a frame has none.
  AffineExpr count =
      simplify((ctx.maxSize(simplify(surplus + frames->step), e.constant(0)))
                   .floorDiv(frames->step));
  Dims dims{e.dim(x, 0), count,
            onesided ? simplify(length.floorDiv(2) + 1) : length,
            e.constant(2)};
  Value table = emitTwiddles(e, length);
  if (!table)
    return failure();
  return ctx.setOutput(
      0, ctx.createTyped<DftOp>(makeTensorType(elementTypeOf(x), dims), x,
                                table, window, uint64_t(1), /*inverse=*/false,
                                onesided, uint64_t(frames->step)));
}

LogicalResult importDet(NodeContext &ctx) {
  if (failed(ctx.requireInputs(1)))
    return failure();
  Emitter e(ctx);
  Value x = ctx.input(0);
  int64_t rank = rankOf(x);
  if (rank < 2 || !isFloat(x))
    return ctx.error("needs a float operand of rank 2 or more");
  Dims dims = e.dims(x);
  if (failed(ctx.requireEqual(dims[rank - 1], dims[rank - 2],
                              "the matrices are not square")))
    return failure();
  return ctx.setOutput(0, ctx.create<DetOp>(x));
}

} // namespace effc
