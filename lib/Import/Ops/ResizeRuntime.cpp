// Resize whose scales or region are only known at run time, axis by axis: where
// each result element lies (in f64), which elements are around it, how much
// each weighs. The formulas are those of the document of Resize-19.
#include "Resize.h"

using namespace mlir;
using namespace effc::eff;

namespace effc {

namespace {
class AxisResizer {
public:
  AxisResizer(NodeContext &ctx, const ResizePlan &plan, size_t index,
              double cubic, bool excludeOutside)
      : e(ctx), plan(plan), index(index), cubic(cubic),
        excludeOutside(excludeOutside), f64(ctx.builder().getF64Type()) {
    AffineExpr in = getDim(ctx.input(0).getType(), plan.axes[index]);
    size = number(in);
    last = e.add(size, -1.0);
    outSize = number(plan.sizes[index]);
    outIndex = e.iota(f64, {plan.sizes[index]}, 0, e.constant(0));
  }

  Value run(Value x, double extrapolation);

private:
  Value number(AffineExpr value) {
    return e.convert(e.reshape(e.iota(e.ctx.builder().getI64Type(),
                                      {e.constant(1)}, 0, value),
                               {}),
                     f64);
  }
  /// Element i of a vector operand, as a scalar.
  Value element(Value vector, int64_t i) {
    return e.convert(
        e.reshape(e.slice(vector, 0, e.constant(i), e.constant(1)), {}), f64);
  }
  Value region(size_t i) {
    return plan.runtimeRoi ? element(plan.runtimeRoi, i)
                           : e.scalar(f64, plan.roi[i]);
  }
  Value cropped();
  Value coordinate();
  Value weigh(Value distance);
  Value pick(Value x, Value position);

  Emitter e;
  const ResizePlan &plan;
  size_t index;
  double cubic;
  bool excludeOutside;
  Type f64;
  Value size, last, outSize, outIndex;
};
} // namespace

/// tf_crop_and_resize: from start to end, or their middle for one element.
Value AxisResizer::cropped() {
  Value start = region(index), end = region(index + plan.axes.size());
  if (getConstant(plan.sizes[index]) == 1)
    return e.mul(e.mul(e.add(start, end), last),
                 e.splat(f64, {e.constant(1)}, 0.5));
  Value step = e.div(e.mul(e.sub(end, start), last), e.add(outSize, -1.0));
  return e.add(e.mul(outIndex, step), e.mul(start, last));
}

Value AxisResizer::coordinate() {
  if (plan.coordinates == CoordinateMode::TfCropAndResize)
    return cropped();
  Value scale = element(plan.runtimeScales, index);
  Value centre = e.div(e.add(outIndex, 0.5), scale);
  switch (plan.coordinates) {
  case CoordinateMode::Asymmetric:
    return e.div(outIndex, scale);
  case CoordinateMode::TfHalfPixelForNN:
    return centre;
  case CoordinateMode::PytorchHalfPixel:
    if (getConstant(plan.sizes[index]) == 1)
      return e.splat(f64, {e.constant(1)}, 0.0);
    return e.add(centre, -0.5);
  case CoordinateMode::HalfPixelSymmetric: {
    // The result may be less wide than scale * size: keep the centre.
    Value share = e.div(outSize, e.mul(scale, size));
    Value shift = e.mul(e.mul(size, 0.5), e.sub(e.scalar(f64, 1.0), share));
    return e.add(e.add(centre, -0.5), shift);
  }
  default:
    return e.add(centre, -0.5);
  }
}

/// The weight of an element at this distance: a triangle or Keys' cubic.
Value AxisResizer::weigh(Value distance) {
  Value t = e.unary(UnaryKind::Abs, distance);
  if (plan.mode == ResizeMode::Linear)
    return e.sub(e.scalar(f64, 1.0), t);
  double a = cubic;
  auto polynomial = [&](double c3, double c2, double c1, double c0) {
    Value y = e.add(e.mul(t, c3), c2);
    y = e.add(e.mul(y, t), c1);
    return e.add(e.mul(y, t), c0);
  };
  return e.select(e.compare(CompareKind::Le, t, 1.0),
                  polynomial(a + 2, -(a + 3), 0, 1),
                  polynomial(a, -5 * a, 8 * a, -4 * a));
}

/// The elements at these places, which count to the nearest edge.
Value AxisResizer::pick(Value x, Value position) {
  Value inside =
      e.binary(BinaryKind::Min, e.binary(BinaryKind::Max, position, 0.0), last);
  return e.gather(x, e.convert(inside, e.ctx.builder().getI64Type()),
                  plan.axes[index]);
}

Value AxisResizer::run(Value x, double extrapolation) {
  if (!x)
    return {};
  Value place = coordinate();
  Type type = elementTypeOf(x);
  Dims column(rankOf(x) - plan.axes[index], e.constant(1));
  column[0] = plan.sizes[index];
  Value y;
  if (plan.mode == ResizeMode::Nearest) {
    bool floor = plan.nearest == NearestMode::Floor ||
                 plan.nearest == NearestMode::RoundPreferCeil;
    double shift = plan.nearest == NearestMode::RoundPreferFloor  ? -0.5
                   : plan.nearest == NearestMode::RoundPreferCeil ? 0.5
                                                                  : 0.0;
    y = pick(x, e.unary(floor ? UnaryKind::Floor : UnaryKind::Ceil,
                        e.add(place, shift)));
  } else {
    Value below = e.unary(UnaryKind::Floor, place);
    bool linear = plan.mode == ResizeMode::Linear;
    SmallVector<Value> weights, elements;
    for (int64_t k = linear ? 0 : -1; k <= (linear ? 1 : 2); ++k) {
      Value position = e.add(below, double(k));
      Value weight = weigh(e.sub(place, position));
      if (excludeOutside)
        weight = e.select(e.both(e.compare(CompareKind::Ge, position, 0.0),
                                 e.compare(CompareKind::Le, position, last)),
                          weight, e.scalar(f64, 0.0));
      weights.push_back(weight);
      elements.push_back(pick(x, position));
    }
    Value total = weights.front();
    for (Value weight : ArrayRef(weights).drop_front())
      total = e.add(total, weight);
    for (auto [weight, element] : llvm::zip(weights, elements)) {
      Value share = excludeOutside ? e.div(weight, total) : weight;
      Value term = e.mul(element, e.convert(e.reshape(share, column), type));
      y = y ? e.add(y, term) : term;
    }
  }
  if (plan.coordinates != CoordinateMode::TfCropAndResize)
    return y;
  Value outside =
      e.binary(BinaryKind::Or, e.compare(CompareKind::Lt, place, 0.0),
               e.compare(CompareKind::Gt, place, last));
  return e.select(e.reshape(outside, column), e.scalar(type, extrapolation), y);
}

Value emitRuntimeResize(NodeContext &ctx, const ResizePlan &plan, double cubic,
                        bool excludeOutside, double extrapolation) {
  Value x = ctx.input(0);
  if (!isFloat(x) && plan.mode != ResizeMode::Nearest) {
    (void)ctx.unsupported("interpolation of integers with scales that are not "
                          "constant",
                          "make input 2 an initializer");
    return {};
  }
  for (size_t i = 0; i < plan.axes.size(); ++i)
    x = AxisResizer(ctx, plan, i, cubic, excludeOutside).run(x, extrapolation);
  return x;
}

} // namespace effc
