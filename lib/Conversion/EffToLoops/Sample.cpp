// Sampling of images (ONNX GridSample-20). The filter's taps are the same for
// all channels: a block of places gets its pixel positions and weights once, in
// scratch, and every channel then runs over the block with unit stride.
#include "Sampling.h"

using namespace mlir;
using namespace effc;
using namespace effc::eff;

namespace effc {

Type coordinateType(Value tensor) {
  Type element = cast<RankedTensorType>(tensor.getType()).getElementType();
  return element.isF64() ? element : Float32Type::get(tensor.getContext());
}

Value checkedImage(KernelEmitter &e, Value image, Value count) {
  Value outside = e.compare(arith::CmpIPredicate::uge, image, count);
  e.report(outside, /*EFFRT_KERNEL_INDEX_OUT_OF_RANGE=*/1);
  return e.b.createOrFold<arith::SelectOp>(e.loc, outside, e.index(0), image);
}

Coordinates::LinearTaps Coordinates::linearTaps(Value x, Value extent) {
  // Further out nothing is inside either way, and the conversion is defined.
  Value near = clamp(x, number(-2), add(real(extent), number(1)));
  Value base = floor(near), share = sub(near, base), first = index(base);
  LinearTaps taps;
  for (int64_t i = 0; i < 2; ++i) {
    Value raw = i ? e.add(first, e.index(1)) : first;
    Value inside = e.compare(arith::CmpIPredicate::ult, raw, extent);
    taps.indices[i] = select(inside, raw, e.index(-1));
    taps.weights[i] = i ? share : sub(number(1), share);
  }
  return taps;
}

} // namespace effc

namespace {

using Indices = KernelEmitter::Indices;

/// Places whose taps are in scratch at once.
constexpr int64_t blockSize = 64;
/// Up to so many taps are written out, so that the loop over a block is the
/// innermost.
constexpr int64_t maxUnrolled = 16;

class Sampler {
public:
  Sampler(KernelEmitter &e, SampleOp op)
      : e(e), op(op), at(e, coordinateType(op.getPlaces())),
        count(op.getNumTaps()),
        positions(e.scratch(e.b.getI64Type(), e.constExpr(count * blockSize))),
        weights(e.scratch(at.type, e.constExpr(count * blockSize))) {
    Dims places = getDims(op.getPlaces().getType());
    rows = places.front();
    out.assign(places.begin() + 1, places.end() - 1);
  }

  LogicalResult emit();

private:
  /// Pixels that count for one coordinate; zeros outside have index -1.
  struct AxisTaps {
    SmallVector<Value> indices, weights;
  };
  AxisTaps axisTaps(int64_t axis, Value place);
  Value bring(Value x, Value low, Value high, Value extent);
  Value bringIndex(Value raw, Value extent);
  Value reflected(Value x, Value low, Value high);
  SmallVector<Value> cubicWeights(Value share);
  void prepare(Value row, Value place, Value slot);
  Value pixel(Value image, Value channel, Value tap, Value slot, Type type);
  Value blend(Value image, Value channel, Value slot);

  KernelEmitter &e;
  SampleOp op;
  Coordinates at;
  int64_t count;
  Value positions, weights;
  AffineExpr rows;
  Dims out;
};

} // namespace

/// Reflected about both borders until it is between them.
Value Sampler::reflected(Value x, Value low, Value high) {
  Value span = at.sub(high, low), below = at.less(x, low);
  Value distance = at.select(below, at.sub(low, x), at.sub(x, high));
  Value turns = at.floor(at.div(distance, span));
  Value rest = at.sub(distance, at.mul(turns, span));
  Value half = at.mul(turns, at.number(0.5));
  Value odd = at.less(at.floor(half), half);
  Value up = at.add(low, rest), down = at.sub(high, rest);
  // From below the first turn leads up, from above down.
  Value rises = arith::XOrIOp::create(e.b, e.loc, below, odd);
  return at.select(rises, up, down);
}

/// A coordinate outside the borders, by the kind of padding. The cubic filter
/// repeats the border pixel for its taps only, as PyTorch and ONNX Runtime do.
Value Sampler::bring(Value x, Value low, Value high, Value extent) {
  bool perTap = op.getPadding() == SamplePadding::Border &&
                op.getMode() == ResizeMode::Cubic;
  if (op.getPadding() == SamplePadding::Zeros || perTap)
    return x;
  Value outside = at.either(at.less(x, low), at.less(high, x));
  Value inside =
      op.getPadding() == SamplePadding::Border
          ? at.clamp(x, at.number(0), at.sub(at.real(extent), at.number(1)))
          : reflected(x, low, high);
  return at.select(outside, inside, x);
}

/// The pixel that a tap stands for, -1 for none.
Value Sampler::bringIndex(Value raw, Value extent) {
  Value zero = e.index(0), last = e.sub(extent, e.index(1));
  if (op.getPadding() == SamplePadding::Zeros) {
    Value inside = e.compare(arith::CmpIPredicate::ult, raw, extent);
    return at.select(inside, raw, e.index(-1));
  }
  if (op.getPadding() == SamplePadding::Reflection) {
    // Taps lie at most two pixels outside; more than one turn is only needed
    // in images of one or two pixels.
    int64_t edge = op.getAlignCorners() ? 0 : 1;
    auto turnLow = [&](Value i) {
      Value below = e.compare(arith::CmpIPredicate::slt, i, zero);
      return at.select(below, e.sub(e.index(-edge), i), i);
    };
    raw = turnLow(raw);
    Value above = e.compare(arith::CmpIPredicate::sgt, raw, last);
    Value mirrored = e.sub(e.add(e.mul(last, e.index(2)), e.index(edge)), raw);
    raw = turnLow(at.select(above, mirrored, raw));
  }
  return e.maximum(e.minimum(raw, last), zero);
}

/// Keys' cubic kernel with a = -0.75 at distances 1 + t, t, 1 - t, 2 - t.
SmallVector<Value> Sampler::cubicWeights(Value t) {
  constexpr double a = -0.75;
  auto near = [&](Value d) {
    Value inner = at.sub(at.mul(at.number(a + 2), d), at.number(a + 3));
    return at.add(at.mul(at.mul(inner, d), d), at.number(1));
  };
  auto far = [&](Value d) {
    Value y = at.sub(at.mul(at.number(a), d), at.number(5 * a));
    y = at.add(at.mul(y, d), at.number(8 * a));
    return at.sub(at.mul(y, d), at.number(4 * a));
  };
  Value one = at.number(1), other = at.sub(one, t);
  return {far(at.add(t, one)), near(t), near(other), far(at.add(other, one))};
}

Sampler::AxisTaps Sampler::axisTaps(int64_t axis, Value place) {
  Value extent = e.sizeOf(op.getX(), axis + 2);
  bool nearest = op.getMode() == ResizeMode::Nearest;
  bool cubic = op.getMode() == ResizeMode::Cubic;
  double border = op.getAlignCorners() ? 0 : 0.5;
  Value size = at.real(extent);
  if (nearest)
    place = math::RoundEvenOp::create(e.b, e.loc, place);
  Value x = bring(place, at.number(-border),
                  at.sub(size, at.number(1 - border)), extent);
  // Further out all taps are outside, and the conversion is defined.
  x = at.clamp(x, at.number(-4), at.add(size, at.number(4)));
  Value base = at.floor(x), share = at.sub(x, base);
  Value first = e.add(at.index(base), e.index(cubic ? -1 : 0));
  AxisTaps taps;
  if (nearest)
    taps.weights = {at.number(1)};
  else if (cubic)
    taps.weights = cubicWeights(share);
  else
    taps.weights = {at.sub(at.number(1), share), share};
  for (size_t i = 0; i < taps.weights.size(); ++i)
    taps.indices.push_back(bringIndex(e.add(first, e.index(i)), extent));
  return taps;
}

/// Stores the taps of one place: pixel positions in the image, or -1, and
/// weights.
void Sampler::prepare(Value row, Value place, Value slot) {
  Indices index{row};
  llvm::append_range(index, e.delinearize(place, out));
  index.push_back({});
  SmallVector<AxisTaps> axes;
  for (int64_t axis = 0; axis < op.getSpatialRank(); ++axis) {
    index.back() = e.index(axis);
    axes.push_back(axisTaps(axis, e.wideElement(op.getPlaces(), index)));
  }
  int64_t number = 0;
  std::function<void(size_t, Value, Value, Value)> visit =
      [&](size_t axis, Value position, Value weight, Value none) {
        if (axis == axes.size()) {
          if (none)
            position = at.select(none, e.index(-1), position);
          Value to = e.add(e.index(number++ * blockSize), slot);
          Value wide = arith::IndexCastOp::create(e.b, e.loc, e.b.getI64Type(),
                                                  position);
          e.storeFlat(wide, positions, to);
          return e.storeFlat(weight, weights, to);
        }
        Value extent = e.sizeOf(op.getX(), axis + 2);
        for (auto [i, w] : llvm::zip(axes[axis].indices, axes[axis].weights)) {
          Value next = axis ? e.add(e.mul(position, extent), i) : i;
          Value product = axis ? at.mul(weight, w) : w;
          Value gone = none;
          if (op.getPadding() == SamplePadding::Zeros) {
            gone = e.compare(arith::CmpIPredicate::slt, i, e.index(0));
            gone = none ? at.either(none, gone) : gone;
          }
          visit(axis + 1, next, product, gone);
        }
      };
  visit(0, {}, {}, {});
}

/// The pixel of one tap in `type`; what is outside counts 0 and is not
/// multiplied, since a clamped read may meet an infinity.
Value Sampler::pixel(Value image, Value channel, Value tap, Value slot,
                     Type type) {
  Value from = e.add(tap, slot);
  Value raw = e.toIndex(e.loadFlat(positions, from, e.b.getI64Type()), false);
  bool zeros = op.getPadding() == SamplePadding::Zeros;
  // A position counts in the whole image, so the dims before the last are 0.
  Indices index(op.getSpatialRank() + 2, e.index(0));
  index[0] = image;
  index[1] = channel;
  index.back() = zeros ? e.maximum(raw, e.index(0)) : raw;
  SmallVector<int64_t> axes{0};
  for (int64_t i = 0; i < op.getSpatialRank(); ++i)
    axes.push_back(i + 2);
  Type element = cast<RankedTensorType>(op.getX().getType()).getElementType();
  Value value = e.elementOrZero(op.getX(), index, axes);
  if (value.getType() != type)
    value = convertScalar(e, value, element, type);
  if (!zeros)
    return value;
  Value inside = e.compare(arith::CmpIPredicate::sge, raw, e.index(0));
  return at.select(inside, value, e.constant(type, 0));
}

Value Sampler::blend(Value image, Value channel, Value slot) {
  Type element = cast<RankedTensorType>(op.getX().getType()).getElementType();
  if (count == 1)
    return pixel(image, channel, e.index(0), slot, getScalarType(element));
  Type type = element.isF64() ? Type(e.b.getF64Type()) : e.b.getF32Type();
  auto term = [&](Value tap) -> Value {
    Value weight = e.loadFlat(weights, e.add(tap, slot), at.type);
    return arith::MulFOp::create(
        e.b, e.loc, pixel(image, channel, tap, slot, type),
        convertScalar(e, weight, at.type, type), e.mathFlags());
  };
  auto sum = [&](Value a, Value x) -> Value {
    return arith::AddFOp::create(e.b, e.loc, a, x, e.mathFlags());
  };
  Value total;
  if (count <= maxUnrolled)
    for (int64_t i = 0; i < count; ++i) {
      Value x = term(e.index(i * blockSize));
      total = total ? sum(total, x) : x;
    }
  else
    total = e.reduceLoop(e.index(0), e.index(count), e.constant(type, 0),
                         [&](Value i, ValueRange a) {
                           Value tap = e.mul(i, e.index(blockSize));
                           return SmallVector<Value>{sum(a[0], term(tap))};
                         })[0];
  return convertScalar(e, total, type, element);
}

LogicalResult Sampler::emit() {
  MLIRContext *context = e.b.getContext();
  AffineExpr places = product(context, out);
  AffineExpr blocks = simplify(places.ceilDiv(blockSize));
  e.setExtent(simplify(rows * blocks));
  e.parallelLoop([&](Value item) {
    Indices split = e.delinearize(item, {rows, blocks});
    Value row = split[0], start = e.mul(split[1], e.index(blockSize));
    Value size = e.minimum(e.sub(e.size(places), start), e.index(blockSize));
    Value image = row;
    if (op.getImages())
      image = checkedImage(e, e.toIndex(e.element(op.getImages(), row), false),
                           e.sizeOf(op.getX(), 0));
    e.loop(size, [&](Value slot) { prepare(row, e.add(start, slot), slot); });
    AffineExpr channels = getDim(op.getX().getType(), 1);
    e.loop(e.size(channels), [&](Value channel) {
      Value line = e.linearize({row, channel}, {rows, channels});
      Value base = e.add(e.mul(line, e.size(places)), start);
      e.loop(size, [&](Value slot) {
        e.storeFlat(blend(image, channel, slot), e.getResultBuffer(0),
                    e.add(base, slot));
      });
    });
  });
  return success();
}

LogicalResult effc::emitSampleKernel(KernelEmitter &e, Operation *anchor) {
  if (auto sample = dyn_cast<SampleOp>(anchor))
    return Sampler(e, sample).emit();
  return failure();
}
