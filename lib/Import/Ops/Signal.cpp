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

/// A signal whose last dim holds the real part, or real and imaginary part.
/// Where only the run knows which, `needed` parts are checked for; without
/// such a need the imaginary part is filled with zeros.
static Value settleParts(Emitter &e, Value x, std::optional<int64_t> needed) {
  int64_t rank = rankOf(x);
  AffineExpr parts = e.dim(x, rank - 1);
  StringRef what = "the last dim is not 1 (real) or 2 (complex)";
  if (getConstant(parts))
    return x;
  if (needed)
    return withSize(e.ctx, x, rank - 1, *needed, what);
  if (failed(requireWithin(e.ctx, parts, 1, 2, what)))
    return {};
  Dims low(rank, e.constant(0)), high = low;
  high.back() = simplify(e.constant(2) - parts);
  return e.pad(x, low, high);
}

/// Whether constant sizes of the result say that it is another axis.
static bool mayTransform(Emitter &e, const Transform &t, int64_t axis) {
  if (e.ctx.bounds(transformLength(e, t, axis)).second < 1)
    return false;
  std::optional<Dims> declared = e.ctx.declaredDims(0);
  if (!declared || int64_t(declared->size()) != rankOf(t.x))
    return true;
  for (auto [size, known] : llvm::zip(transformDims(e, t, axis), *declared))
    if (known && getConstant(known) && getConstant(size) &&
        getConstant(known) != getConstant(size))
      return false;
  return true;
}

/// The place of an axis that is data in the list of those that can be it.
static Value emitPlace(Emitter &e, Value axis, ArrayRef<int64_t> axes,
                       int64_t rank) {
  NodeContext &ctx = e.ctx;
  int64_t count = axes.size();
  if (failed(ctx.requireEqual(getNumElements(axis.getType()), e.constant(1),
                              "the axis is not a scalar")))
    return {};
  SmallVector<int64_t> places(2 * rank, count);
  for (auto [place, candidate] : llvm::enumerate(axes))
    places[candidate] = places[candidate + rank] = place;
  axis =
      e.convert(e.reshape(axis, {e.constant(1)}), ctx.builder().getI64Type());
  Value place = e.gather(ctx.constantI64(places), e.add(axis, double(rank)), 0);
  if (!place ||
      failed(requireWithin(ctx, ctx.defineSize(place, 0, 0, count), 0,
                           count - 1, "the axis cannot be transformed")))
    return {};
  return e.reshape(place, {});
}

/// An axis that is data: a branch for each axis that can give the result.
static LogicalResult importRuntimeAxis(Emitter &e, const Transform &t) {
  NodeContext &ctx = e.ctx;
  SmallVector<int64_t> axes;
  for (int64_t axis = 0; axis + 1 < rankOf(t.x); ++axis)
    if (mayTransform(e, t, axis))
      axes.push_back(axis);
  if (axes.empty())
    return ctx.error("no axis gives the declared result");
  Value place = emitPlace(e, ctx.input(2), axes, rankOf(t.x));
  if (!place)
    return failure();
  std::function<LogicalResult(size_t, SmallVectorImpl<Value> &)> emit =
      [&](size_t i, SmallVectorImpl<Value> &results) {
        if (i + 1 < axes.size())
          return ctx.createIf(
              e.compare(CompareKind::Eq, place, double(i)),
              [&](SmallVectorImpl<Value> &values) {
                values.push_back(emitTransform(e, t, axes[i]));
                return success(values.back() != Value());
              },
              [&](SmallVectorImpl<Value> &values) {
                return emit(i + 1, values);
              },
              results);
        results.push_back(emitTransform(e, t, axes[i]));
        return success(results.back() != Value());
      };
  SmallVector<Value> results;
  if (failed(emit(0, results)))
    return failure();
  return ctx.setOutput(0, results.front());
}

LogicalResult importDFT(NodeContext &ctx) {
  bool axisIsInput = ctx.opset() >= 20;
  if (failed(ctx.requireInputs(1, axisIsInput ? 3 : 2)))
    return failure();
  Emitter e(ctx);
  Transform t{ctx.input(0), ctx.attrBool("inverse", false),
              ctx.attrBool("onesided", false), AffineExpr()};
  int64_t rank = rankOf(t.x);
  if (rank >= 2)
    t.x = settleParts(e, t.x,
                      t.onesided ? std::optional<int64_t>(t.inverse ? 2 : 1)
                                 : std::nullopt);
  if (!t.x)
    return failure();
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
  if (t.length && ctx.isLate(t.length) &&
      failed(ctx.requireEqual(ctx.maxSize(t.length, e.constant(1)), t.length,
                              "dft_length is not positive")))
    return failure();
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
  AffineExpr length, step;
};
} // namespace

/// For a length or step that is data: the only one that gives the declared
/// result of a signal of constant length.
static std::optional<Frames> solveFrames(Emitter &e, AffineExpr size,
                                         const Frames &known, bool onesided) {
  std::optional<Dims> declared = e.ctx.declaredDims(0);
  std::optional<int64_t> signal = getConstant(size), count, bins, step;
  if (declared && declared->size() == 4 && (*declared)[1] && (*declared)[2]) {
    count = getConstant((*declared)[1]);
    bins = getConstant((*declared)[2]);
  }
  if (known.step)
    step = getConstant(known.step);
  SmallVector<Frames> fits;
  for (int64_t odd = 0; signal && count && bins && odd < 2; ++odd) {
    int64_t length = onesided ? 2 * (*bins - 1) + odd : *bins;
    if ((!onesided && odd) || length < 1 || length > *signal ||
        (known.length && getConstant(known.length) != length))
      continue;
    for (int64_t i = 1; i <= std::min<int64_t>(*signal, 1 << 20); ++i)
      if ((!known.step || step == i) && (*signal - length) / i + 1 == *count)
        fits.push_back({e.constant(length), e.constant(i)});
  }
  return fits.size() == 1 ? std::optional(fits.front()) : std::nullopt;
}

/// Length and step of frames, of operands 1 to 3 or, where these are data, of
/// the declared result or the run.
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
  std::optional<AffineExpr> given = known(3);
  // The window tells what the run only compares.
  if (!given && frames.length && ctx.hasInput(3))
    given = ctx.scalarSize(ctx.input(3));
  if (given) {
    if (frames.length && failed(ctx.requireEqual(frames.length, *given,
                                                 "window and frame_length "
                                                 "differ")))
      return std::nullopt;
    if (!frames.length || getConstant(*given))
      frames.length = *given;
  }
  if (std::optional<AffineExpr> step = known(1))
    frames.step = *step;
  if (!frames.length || !frames.step)
    if (auto solved = solveFrames(e, e.dim(x, 1), frames, onesided))
      return solved;
  for (auto [index, size] : {std::pair(1, &frames.step), {3, &frames.length}})
    if (!*size) {
      std::optional<AffineExpr> late = ctx.scalarSize(ctx.input(index));
      if (!late) {
        (void)ctx.error("frame_step or frame_length is not a number");
        return std::nullopt;
      }
      *size = *late;
    }
  for (AffineExpr size : {frames.length, frames.step})
    if (ctx.bounds(size).second < 1) {
      (void)ctx.error("frame_step or frame_length is " + toString(size));
      return std::nullopt;
    } else if (failed(ctx.requireEqual(ctx.maxSize(size, e.constant(1)), size,
                                       "frame_step or frame_length is not "
                                       "positive"))) {
      return std::nullopt;
    }
  return frames;
}

/// Overlapping frames [batch, count, length, parts] whose distance only the
/// run knows, times the window.
static Value emitFrames(Emitter &e, Value x, const Frames &frames,
                        AffineExpr count) {
  Type i64 = e.ctx.builder().getI64Type();
  Value start =
      iota(e.ctx, {count, e.constant(1)}, i64, 0, e.constant(0), frames.step);
  Value at = e.add(
      start, e.iota(i64, {e.constant(1), frames.length}, 1, e.constant(0)));
  Value parts = e.gather(x, at, 1);
  Value window = e.ctx.input(2);
  if (!window)
    return parts;
  window = e.reshape(e.convert(window, elementTypeOf(x)),
                     {frames.length, e.constant(1)});
  return e.mul(parts, window);
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
  if (rankOf(x) == 3)
    x = settleParts(e, x, onesided ? std::optional<int64_t>(1) : std::nullopt);
  if (!x)
    return failure();
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
  if (ctx.bounds(surplus).second < 0)
    return ctx.error("frames of " + toString(length) +
                     " elements do not fit a signal of " +
                     toString(e.dim(x, 1)));
  // A signal shorter than a frame has none.
  AffineExpr count =
      simplify((ctx.maxSize(simplify(surplus + frames->step), e.constant(0)))
                   .floorDiv(frames->step));
  AffineExpr bins = onesided ? simplify(length.floorDiv(2) + 1) : length;
  Type type = makeTensorType(elementTypeOf(x),
                             {e.dim(x, 0), count, bins, e.constant(2)});
  Value table = emitTwiddles(e, length);
  std::optional<int64_t> step = getConstant(frames->step);
  if (!step) {
    x = emitFrames(e, x, *frames, count);
    window = {};
  }
  if (!table || !x)
    return failure();
  return ctx.setOutput(0, ctx.createTyped<DftOp>(type, x, table, window,
                                                 uint64_t(step ? 1 : 2),
                                                 /*inverse=*/false, onesided,
                                                 uint64_t(step.value_or(0))));
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
