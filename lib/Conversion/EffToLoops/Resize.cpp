// Resize (ONNX Resize-19): every resized axis gives a list of (operand index,
// weight); the result is the sum over their product. Indices and weights depend
// on one output coordinate only and are hoisted out of the inner loop where it
// runs over another dim.
#include "KernelEmitter.h"
#include "mlir/Dialect/Math/IR/Math.h"

using namespace mlir;
using namespace effc;
using namespace effc::eff;

namespace {

using Indices = KernelEmitter::Indices;

/// Arithmetic on coordinates, in f32 as ONNX's reference implementations do.
struct Axis {
  KernelEmitter &e;
  OpBuilder &b;
  Location loc;
  ResizeOp op;
  size_t number;
  Type f32;
  Value inSize, outSize;

  Axis(KernelEmitter &e, ResizeOp op, size_t number)
      : e(e), b(e.b), loc(e.loc), op(op), number(number),
        f32(e.b.getF32Type()) {
    int64_t axis = op.getAxes()[number];
    inSize = e.sizeOf(op.getX(), axis);
    outSize = e.sizeOf(op.getResult(), axis);
  }

  Value real(double x) { return e.constant(f32, x); }
  Value toFloat(Value index) {
    Value integer = arith::IndexCastOp::create(b, loc, b.getI64Type(), index);
    return arith::SIToFPOp::create(b, loc, f32, integer);
  }
  Value toIndex(Value x) {
    return arith::IndexCastOp::create(
        b, loc, b.getIndexType(),
        arith::FPToSIOp::create(b, loc, b.getI64Type(), x));
  }
  Value add(Value x, Value y) {
    return b.createOrFold<arith::AddFOp>(loc, x, y);
  }
  Value sub(Value x, Value y) {
    return b.createOrFold<arith::SubFOp>(loc, x, y);
  }
  Value mul(Value x, Value y) {
    return b.createOrFold<arith::MulFOp>(loc, x, y);
  }
  Value div(Value x, Value y) {
    return b.createOrFold<arith::DivFOp>(loc, x, y);
  }

  Value scale() {
    double value = op.getScales()[number];
    return std::isnan(value) ? div(toFloat(outSize), toFloat(inSize))
                             : real(value);
  }

  /// ONNX Resize, coordinate_transformation_mode: where output element `out`
  /// lies in the operand.
  Value coordinate(Value out) {
    Value x = toFloat(out), half = real(0.5), one = real(1), zero = real(0);
    auto halfPixel = [&] { return sub(div(add(x, half), scale()), half); };
    switch (op.getCoordinateMode()) {
    case CoordinateMode::HalfPixel:
      return halfPixel();
    case CoordinateMode::TfHalfPixelForNN:
      return div(add(x, half), scale());
    case CoordinateMode::Asymmetric:
      return div(x, scale());
    case CoordinateMode::PytorchHalfPixel: {
      Value many = e.compare(arith::CmpIPredicate::sgt, outSize, e.index(1));
      return arith::SelectOp::create(b, loc, many, halfPixel(), zero);
    }
    case CoordinateMode::HalfPixelSymmetric: {
      // The output's width may not be scale * input's: keep the centre where it
      // is.
      Value adjustment = div(toFloat(outSize), mul(scale(), toFloat(inSize)));
      Value centre = mul(toFloat(inSize), half);
      return add(mul(centre, sub(one, adjustment)), halfPixel());
    }
    case CoordinateMode::AlignCorners: {
      Value many = e.compare(arith::CmpIPredicate::sgt, outSize, e.index(1));
      // In this order the last element, and all that meet one, meet it exactly.
      Value moved =
          div(mul(x, sub(toFloat(inSize), one)), sub(toFloat(outSize), one));
      return arith::SelectOp::create(b, loc, many, moved, zero);
    }
    case CoordinateMode::TfCropAndResize: {
      Value start = real(op.getRoi()[number]),
            end = real(op.getRoi()[number + op.getAxes().size()]);
      Value span = sub(toFloat(inSize), one),
            many = e.compare(arith::CmpIPredicate::sgt, outSize, e.index(1));
      Value way =
          div(mul(mul(x, sub(end, start)), span), sub(toFloat(outSize), one));
      Value spread = add(mul(start, span), way);
      Value middle = mul(half, mul(add(start, end), span));
      return arith::SelectOp::create(b, loc, many, spread, middle);
    }
    }
    return {};
  }

  Value clampIndex(Value index) {
    return e.minimum(e.maximum(index, e.index(0)), e.sub(inSize, e.index(1)));
  }

  Value nearest(Value x) {
    Value half = real(0.5);
    switch (op.getNearestMode()) {
    case NearestMode::Floor:
      return math::FloorOp::create(b, loc, x);
    case NearestMode::Ceil:
      return math::CeilOp::create(b, loc, x);
    case NearestMode::RoundPreferCeil:
      return math::FloorOp::create(b, loc, add(x, half));
    case NearestMode::RoundPreferFloor:
      return math::CeilOp::create(b, loc, sub(x, half));
    }
    return {};
  }

  /// Keys' cubic convolution kernel (1981), parameter a, at distance |d|.
  Value cubic(Value distance) {
    double a = op.getCubicCoeffA().convertToDouble();
    Value d = math::AbsFOp::create(b, loc, distance), one = real(1);
    Value near =
        add(mul(mul(sub(mul(real(a + 2), d), real(a + 3)), d), d), one);
    Value far = mul(
        real(a), sub(mul(add(mul(sub(d, real(5)), d), real(8)), d), real(4)));
    Value isNear =
        arith::CmpFOp::create(b, loc, arith::CmpFPredicate::OLE, d, one);
    Value isFar =
        arith::CmpFOp::create(b, loc, arith::CmpFPredicate::OLT, d, real(2));
    return arith::SelectOp::create(
        b, loc, isNear, near,
        arith::SelectOp::create(b, loc, isFar, far, real(0)));
  }
  Value triangle(Value distance) {
    Value d = math::AbsFOp::create(b, loc, distance);
    return arith::MaximumFOp::create(b, loc, sub(real(1), d), real(0));
  }
  Value filter(Value distance) {
    return op.getMode() == ResizeMode::Cubic ? cubic(distance)
                                             : triangle(distance);
  }

  /// How much wider the filter is than at scale 1: only antialiasing when
  /// shrinking widens it.
  Value stretch() {
    if (!op.getAntialias())
      return real(1);
    return arith::MaximumFOp::create(b, loc, div(real(1), scale()), real(1));
  }

  /// Carries sums over the taps of one axis: body(index, weight, carried).
  /// Weights are not normalised unless needed.
  SmallVector<Value>
  taps(Value out, ValueRange init,
       llvm::function_ref<SmallVector<Value>(Value, Value, ValueRange)> body) {
    Value x = coordinate(out);
    if (op.getMode() == ResizeMode::Nearest)
      return body(clampIndex(toIndex(nearest(x))), real(1), init);
    Value wide = stretch();
    Value reach = mul(real(op.getMode() == ResizeMode::Cubic ? 2 : 1), wide);
    Value first, count;
    if (op.getAntialias()) {
      first = e.add(toIndex(math::FloorOp::create(b, loc, sub(x, reach))),
                    e.index(1));
      Value last = toIndex(math::CeilOp::create(b, loc, add(x, reach)));
      count = e.maximum(e.sub(last, first), e.index(0));
    } else {
      int64_t span = op.getMode() == ResizeMode::Cubic ? 2 : 1;
      first =
          e.add(toIndex(math::FloorOp::create(b, loc, x)), e.index(1 - span));
      count = e.index(2 * span);
    }
    bool renormalise = op.getExcludeOutside() || op.getAntialias();
    auto weightAt = [&](Value tap) -> std::pair<Value, Value> {
      Value raw = e.add(first, tap);
      Value weight = filter(div(sub(toFloat(raw), x), wide));
      if (op.getExcludeOutside()) {
        Value inside = e.compare(arith::CmpIPredicate::ult, raw, inSize);
        weight = arith::SelectOp::create(b, loc, inside, weight, real(0));
      }
      return {clampIndex(raw), weight};
    };
    Value inverse = real(1);
    if (renormalise) {
      Value total = e.reduceLoop(
          e.index(0), count, real(0), [&](Value tap, ValueRange a) {
            return SmallVector<Value>{add(a[0], weightAt(tap).second)};
          })[0];
      inverse = div(real(1), total);
    }
    return e.reduceLoop(e.index(0), count, init, [&](Value tap, ValueRange a) {
      auto [index, weight] = weightAt(tap);
      return body(index, mul(weight, inverse), a);
    });
  }
};

} // namespace

namespace effc {

Value emitResize(KernelEmitter &e, ResizeOp op, ArrayRef<Value> indices) {
  Type element = cast<RankedTensorType>(op.getType()).getElementType();
  Indices source(indices);
  OpBuilder &b = e.b;
  size_t count = op.getAxes().size();
  if (op.getMode() == ResizeMode::Nearest) {
    for (size_t i = 0; i < count; ++i) {
      Value out = indices[op.getAxes()[i]];
      source[op.getAxes()[i]] = e.hoisted(out, [&] {
        Axis axis(e, op, i);
        return axis.clampIndex(
            axis.toIndex(axis.nearest(axis.coordinate(out))));
      });
    }
    Value value = e.element(op.getX(), source);
    if (op.getCoordinateMode() != CoordinateMode::TfCropAndResize)
      return value;
  }
  Type type = element.isF64() ? Type(b.getF64Type()) : Type(b.getF32Type());
  std::function<Value(size_t)> sum = [&](size_t i) -> Value {
    if (i == count) {
      Value x = e.element(op.getX(), source);
      return convertScalar(e, x, element, type);
    }
    Axis axis(e, op, i);
    Value zero = e.constant(type, 0);
    return axis.taps(indices[op.getAxes()[i]], zero,
                     [&](Value index, Value weight, ValueRange a) {
                       source[op.getAxes()[i]] = index;
                       Value scaled = arith::MulFOp::create(
                           b, e.loc,
                           convertScalar(e, weight, weight.getType(), type),
                           sum(i + 1));
                       return SmallVector<Value>{
                           arith::AddFOp::create(b, e.loc, a[0], scaled)};
                     })[0];
  };
  Value result = sum(0);
  if (op.getCoordinateMode() == CoordinateMode::TfCropAndResize) {
    Value outside = arith::ConstantOp::create(b, e.loc, b.getBoolAttr(false));
    for (size_t i = 0; i < count; ++i) {
      Axis axis(e, op, i);
      Value x = axis.coordinate(indices[op.getAxes()[i]]);
      Value below = arith::CmpFOp::create(b, e.loc, arith::CmpFPredicate::OLT,
                                          x, axis.real(0));
      Value last = axis.sub(axis.toFloat(axis.inSize), axis.real(1));
      Value above =
          arith::CmpFOp::create(b, e.loc, arith::CmpFPredicate::OGT, x, last);
      outside = arith::OrIOp::create(
          b, e.loc, outside, arith::OrIOp::create(b, e.loc, below, above));
    }
    Value fill = e.constant(type, op.getExtrapolationValue().convertToDouble());
    result = arith::SelectOp::create(b, e.loc, outside, fill, result);
  }
  if (isa<IntegerType>(element))
    result = math::RoundEvenOp::create(b, e.loc, result);
  return convertScalar(e, result, type, element);
}

} // namespace effc
