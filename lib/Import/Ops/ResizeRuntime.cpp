// Resize whose sizes, scales or region are only known at run time: the sizes,
// and then axis by axis where each result element lies (in f32, as eff.resize
// has it), which elements are around it, how much each weighs. The formulas are
// those of the document of Resize-19.
#include "Resize.h"
#include "RuntimeShape.h"

#include <cmath>

using namespace mlir;
using namespace effc::eff;

namespace effc {

/// Element i of a vector operand, as a vector of one.
static Value elementOf(Emitter &e, Value vector, int64_t i) {
  return e.convert(e.slice(vector, 0, e.constant(i), e.constant(1)),
                   e.ctx.builder().getF64Type());
}

static Value regionOf(Emitter &e, const ResizePlan &plan, size_t i) {
  return plan.runtimeRoi ? elementOf(e, plan.runtimeRoi, i)
                         : e.splat(e.ctx.builder().getF64Type(),
                                   {e.constant(1)}, plan.roi[i]);
}

/// The operand's sizes along the axes, i64.
static Value oldSizes(Emitter &e, const ResizePlan &plan) {
  Dims all = e.dims(e.ctx.input(0)), old;
  for (int64_t axis : plan.axes)
    old.push_back(all[axis]);
  return e.ctx.dimValues(old, e.ctx.builder().getI64Type(),
                         {int64_t(old.size())});
}

/// New sizes of the axes, those that the result declares where it does.
static LogicalResult takeSizes(Emitter &e, Value sizes, ResizePlan &plan) {
  Dims late = defineSizes(e, sizes);
  plan.sizes.clear();
  for (auto [size, axis] : llvm::zip(late, plan.axes))
    plan.sizes.push_back(settleSize(e.ctx, 0, axis, size));
  return success(sizes && !e.ctx.hasFailed());
}

LogicalResult sizesFromRuntimeScales(NodeContext &ctx, Value scales,
                                     ResizePlan &plan) {
  Emitter e(ctx);
  if (plan.axes.empty())
    return success();
  Type f32 = ctx.builder().getF32Type(), f64 = ctx.builder().getF64Type();
  Value factor = e.convert(scales, f64);
  if (plan.coordinates == CoordinateMode::TfCropAndResize) {
    SmallVector<Value> lengths;
    for (size_t i = 0, n = plan.axes.size(); i < n; ++i)
      lengths.push_back(e.sub(regionOf(e, plan, i + n), regionOf(e, plan, i)));
    factor = e.mul(factor, e.concat(lengths, 0));
  }
  // ONNX's scales are float32, and so is the product in its runtimes.
  Value product =
      e.mul(e.convert(oldSizes(e, plan), f32), e.convert(factor, f32));
  return takeSizes(
      e,
      e.convert(e.unary(UnaryKind::Floor, product), ctx.builder().getI64Type()),
      plan);
}

LogicalResult applyRuntimePolicy(NodeContext &ctx, bool smallest,
                                 ResizePlan &plan) {
  Emitter e(ctx);
  Type i64 = ctx.builder().getI64Type(), f64 = ctx.builder().getF64Type();
  int64_t count = plan.axes.size();
  Value old = e.convert(oldSizes(e, plan), f64);
  Value wanted = e.convert(ctx.dimValues(plan.sizes, i64, {count}), f64);
  Value scale = e.reduce(smallest ? ReduceKind::Min : ReduceKind::Max,
                         e.div(wanted, old), {0}, /*keepdims=*/true);
  Value sizes = e.unary(UnaryKind::Floor, e.add(e.mul(old, scale), 0.5));
  plan.runtimeScales = e.broadcast(scale, {e.constant(count)});
  return takeSizes(e, e.convert(sizes, i64), plan);
}

namespace {
class AxisResizer {
public:
  AxisResizer(NodeContext &ctx, const ResizePlan &plan, size_t index)
      : e(ctx), plan(plan), index(index), real(ctx.builder().getF32Type()) {
    AffineExpr in = getDim(ctx.input(0).getType(), plan.axes[index]);
    size = number(in);
    last = e.add(size, -1.0);
    outSize = number(plan.sizes[index]);
    outIndex = e.iota(real, {plan.sizes[index]}, 0, e.constant(0));
    scale = axisScale();
  }

  Value run(Value x);

private:
  Value number(AffineExpr value) {
    return e.convert(e.reshape(e.iota(e.ctx.builder().getI64Type(),
                                      {e.constant(1)}, 0, value),
                               {}),
                     real);
  }
  Value axisScale();
  /// What holds for results of several elements, else what does for one.
  Value unlessSingle(Value many, Value single) {
    return e.select(e.compare(CompareKind::Gt, outSize, 1.0), many, single);
  }
  Value isInside(Value position) {
    return e.both(e.compare(CompareKind::Ge, position, 0.0),
                  e.compare(CompareKind::Le, position, last));
  }
  Value cropped();
  Value coordinate();
  Value weigh(Value distance);
  Value nearest(Value place);
  Value pick(Value x, Value position);
  Value blend(Value x, Value place);
  Value blendWide(Value x, Value place);

  Emitter e;
  const ResizePlan &plan;
  size_t index;
  Type real;
  Value size, last, outSize, outIndex, scale;
};
} // namespace

/// The scale of the run, else of the sizes.
Value AxisResizer::axisScale() {
  if (plan.runtimeScales)
    return e.reshape(e.convert(elementOf(e, plan.runtimeScales, index), real),
                     {});
  double known = plan.scales[index];
  return std::isnan(known) ? e.div(outSize, size) : e.scalar(real, known);
}

/// tf_crop_and_resize: from start to end, or their middle for one element.
Value AxisResizer::cropped() {
  auto bound = [&](size_t i) {
    return e.convert(e.reshape(regionOf(e, plan, i), {}), real);
  };
  Value start = bound(index), end = bound(index + plan.axes.size());
  Value step = e.div(e.mul(e.sub(end, start), last), e.add(outSize, -1.0));
  return unlessSingle(e.add(e.mul(outIndex, step), e.mul(start, last)),
                      e.mul(e.mul(e.add(start, end), last), 0.5));
}

Value AxisResizer::coordinate() {
  Value centre = e.div(e.add(outIndex, 0.5), scale);
  switch (plan.coordinates) {
  case CoordinateMode::TfCropAndResize:
    return cropped();
  case CoordinateMode::AlignCorners:
    return unlessSingle(e.mul(outIndex, e.div(last, e.add(outSize, -1.0))),
                        e.scalar(real, 0));
  case CoordinateMode::Asymmetric:
    return e.div(outIndex, scale);
  case CoordinateMode::TfHalfPixelForNN:
    return centre;
  case CoordinateMode::PytorchHalfPixel:
    return unlessSingle(e.add(centre, -0.5), e.scalar(real, 0));
  case CoordinateMode::HalfPixelSymmetric: {
    // The result may be less wide than scale * size: keep the centre.
    Value share = e.div(outSize, e.mul(scale, size));
    Value shift = e.mul(e.mul(size, 0.5), e.sub(e.scalar(real, 1.0), share));
    return e.add(e.add(centre, -0.5), shift);
  }
  case CoordinateMode::HalfPixel:
    return e.add(centre, -0.5);
  }
  return {};
}

/// The weight of an element at this distance: a triangle or Keys' cubic, 0
/// beyond their ends.
Value AxisResizer::weigh(Value distance) {
  Value t = e.unary(UnaryKind::Abs, distance);
  if (plan.mode == ResizeMode::Linear)
    return e.binary(BinaryKind::Max, e.sub(e.scalar(real, 1.0), t), 0.0);
  double a = plan.cubic;
  auto polynomial = [&](double c3, double c2, double c1, double c0) {
    Value y = e.add(e.mul(t, c3), c2);
    y = e.add(e.mul(y, t), c1);
    return e.add(e.mul(y, t), c0);
  };
  Value far =
      e.select(e.compare(CompareKind::Lt, t, 2.0),
               polynomial(a, -5 * a, 8 * a, -4 * a), e.scalar(real, 0.0));
  return e.select(e.compare(CompareKind::Le, t, 1.0),
                  polynomial(a + 2, -(a + 3), 0, 1), far);
}

Value AxisResizer::nearest(Value place) {
  auto round = [&](UnaryKind kind, double shift) {
    return e.unary(kind, e.add(place, shift));
  };
  if (plan.ceilsWhenShrinking)
    return e.select(e.compare(CompareKind::Lt, scale, 1.0),
                    round(UnaryKind::Ceil, 0.0), round(UnaryKind::Floor, 0.0));
  switch (plan.nearest) {
  case NearestMode::Floor:
    return round(UnaryKind::Floor, 0.0);
  case NearestMode::Ceil:
    return round(UnaryKind::Ceil, 0.0);
  case NearestMode::RoundPreferFloor:
    return round(UnaryKind::Ceil, -0.5);
  case NearestMode::RoundPreferCeil:
    return round(UnaryKind::Floor, 0.5);
  }
  return {};
}

/// The elements at these places, which count to the nearest edge.
Value AxisResizer::pick(Value x, Value position) {
  Value inside =
      e.binary(BinaryKind::Min, e.binary(BinaryKind::Max, position, 0.0), last);
  return e.gather(x, e.convert(inside, e.ctx.builder().getI64Type()),
                  plan.axes[index]);
}

/// The sum of two or four elements around each place.
Value AxisResizer::blend(Value x, Value place) {
  Dims column(rankOf(x) - plan.axes[index], e.constant(1));
  column[0] = plan.sizes[index];
  Type type = elementTypeOf(x);
  Value below = e.unary(UnaryKind::Floor, place), total, y;
  bool linear = plan.mode == ResizeMode::Linear;
  SmallVector<Value> weights, elements;
  for (int64_t k = linear ? 0 : -1; k <= (linear ? 1 : 2); ++k) {
    Value position = e.add(below, double(k));
    Value weight = weigh(e.sub(place, position));
    if (plan.excludeOutside)
      weight = e.select(isInside(position), weight, e.scalar(real, 0.0));
    weights.push_back(weight);
    elements.push_back(pick(x, position));
    total = total ? e.add(total, weight) : weight;
  }
  for (auto [weight, element] : llvm::zip(weights, elements)) {
    Value share = plan.excludeOutside ? e.div(weight, total) : weight;
    Value term = e.mul(element, e.convert(e.reshape(share, column), type));
    y = y ? e.add(y, term) : term;
  }
  return y;
}

/// antialias: shrinking stretches the filter, so the run knows how many
/// elements it covers. They become a dim behind the axis, which is summed.
Value AxisResizer::blendWide(Value x, Value place) {
  Type i64 = e.ctx.builder().getI64Type(), type = elementTypeOf(x);
  int64_t axis = plan.axes[index];
  Value wide =
      e.binary(BinaryKind::Max, e.div(e.scalar(real, 1.0), scale), 1.0);
  Value reach = e.mul(wide, plan.mode == ResizeMode::Cubic ? 2.0 : 1.0);
  Value count = e.add(e.mul(e.unary(UnaryKind::Ceil, reach), 2.0), 1.0);
  count = e.convert(e.reshape(count, {e.constant(1)}), i64);
  AffineExpr taps =
      e.ctx.defineSize(count, 0, /*min=*/0, /*max=*/int64_t(1) << 47);
  AffineExpr rows = plan.sizes[index], one = e.constant(1);
  place = e.reshape(place, {rows, one});
  Value first = e.unary(UnaryKind::Floor, e.sub(place, reach));
  Value position = e.add(first, e.iota(real, {one, taps}, 1, e.constant(0)));
  Value weight = weigh(e.div(e.sub(position, place), wide));
  if (plan.excludeOutside)
    weight = e.select(isInside(position), weight, e.scalar(real, 0.0));
  weight = e.div(weight, e.reduce(ReduceKind::Sum, weight, {1}, true));
  Dims column(rankOf(x) - axis + 1, one);
  column[0] = rows;
  column[1] = taps;
  Value terms =
      e.mul(pick(x, position), e.convert(e.reshape(weight, column), type));
  return e.reduce(ReduceKind::Sum, terms, {axis + 1}, /*keepdims=*/false);
}

Value AxisResizer::run(Value x) {
  if (!x)
    return {};
  Value place = coordinate();
  Value y = plan.mode == ResizeMode::Nearest ? pick(x, nearest(place))
            : plan.antialias                 ? blendWide(x, place)
                                             : blend(x, place);
  if (plan.coordinates != CoordinateMode::TfCropAndResize)
    return y;
  Dims column(rankOf(x) - plan.axes[index], e.constant(1));
  column[0] = plan.sizes[index];
  return e.select(e.reshape(isInside(place), column), y,
                  e.scalar(elementTypeOf(x), plan.extrapolation));
}

Value emitRuntimeResize(NodeContext &ctx, const ResizePlan &plan) {
  Emitter e(ctx);
  Value x = ctx.input(0);
  Type type = elementTypeOf(x);
  bool rounds = plan.mode != ResizeMode::Nearest && !isFloat(x);
  if (rounds)
    x = e.convert(x, ctx.builder().getF32Type());
  for (size_t i = 0; i < plan.axes.size(); ++i)
    x = AxisResizer(ctx, plan, i).run(x);
  return rounds ? e.convert(e.unary(UnaryKind::Round, x), type) : x;
}

} // namespace effc
