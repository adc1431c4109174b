// Deformable convolution (ONNX DeformConv-19; Zhu et al., Deformable ConvNets
// v2, 2019) without an image-to-column matrix in memory: a thread samples the
// columns of a block of output pixels into scratch, then multiplies the weights
// with them. The taps of a block are found once for all channels of a group.
#include "Sampling.h"

using namespace mlir;
using namespace effc;
using namespace effc::eff;

namespace {

using Indices = KernelEmitter::Indices;

/// Output pixels of one item, two or four vectors.
constexpr int64_t blockSize = 32;

class Deformer {
public:
  Deformer(KernelEmitter &e, DeformConvOp op)
      : e(e), op(op), at(e, coordinateType(op.getX())),
        x(getDims(op.getX().getType())), w(getDims(op.getWeight().getType())),
        y(getDims(op.getType())), taps(simplify(w[2] * w[3])),
        pixels(simplify(y[2] * y[3])),
        positions(e.scratch(e.b.getI64Type(), e.constExpr(4 * blockSize))),
        weights(e.scratch(at.type, e.constExpr(4 * blockSize))),
        columns(e.scratch(at.type, simplify(x[1] * taps * blockSize))),
        sums(e.scratch(at.type, e.constExpr(blockSize))) {}

  LogicalResult emit();

private:
  Value offset(Value pixel, Value tap, int64_t number);
  void prepare(Value pixel, Value tap, Value slot);
  Value sampled(Value channel, Value slot);
  void multiply(Value m, Value size, Value start);

  /// Place `number` of a block in a scratch row.
  Value slotOf(Value row, Value slot) {
    return e.add(e.mul(row, e.index(blockSize)), slot);
  }

  KernelEmitter &e;
  DeformConvOp op;
  Coordinates at;
  Dims x, w, y;
  AffineExpr taps, pixels;
  /// Of four pixels for every place of the block; the sampled columns, one row
  /// for each channel and tap; the sums of one output channel.
  Value positions, weights, columns, sums;
  Value image, group;
};

} // namespace

/// The coordinate (0: row, 1: column) that a tap reads for an output pixel.
Value Deformer::offset(Value pixel, Value tap, int64_t number) {
  Indices out = e.delinearize(pixel, {y[2], y[3]});
  Indices inKernel = e.delinearize(tap, {w[2], w[3]});
  Value regular =
      e.add(e.sub(e.mul(out[number], e.index(op.getStrides()[number])),
                  e.index(op.getPads()[number])),
            e.mul(inKernel[number], e.index(op.getDilations()[number])));
  Value row = e.add(e.mul(group, e.size(taps)), tap);
  Value channel = e.add(e.mul(row, e.index(2)), e.index(number));
  Value moved = e.wideElement(op.getOffset(), {image, channel, out[0], out[1]});
  return at.add(at.real(regular), moved);
}

/// Stores the four pixels around the place that a tap reads, and their weights
/// with the mask in them.
void Deformer::prepare(Value pixel, Value tap, Value slot) {
  Value height = e.size(x[2]), width = e.size(x[3]);
  Coordinates::LinearTaps rows = at.linearTaps(offset(pixel, tap, 0), height);
  Coordinates::LinearTaps cols = at.linearTaps(offset(pixel, tap, 1), width);
  Value scale;
  if (op.getMask()) {
    Indices out = e.delinearize(pixel, {y[2], y[3]});
    Value row = e.add(e.mul(group, e.size(taps)), tap);
    scale = e.wideElement(op.getMask(), {image, row, out[0], out[1]});
  }
  for (int64_t i = 0; i < 4; ++i) {
    Value row = rows.indices[i / 2], column = cols.indices[i % 2];
    Value gone =
        at.either(e.compare(arith::CmpIPredicate::slt, row, e.index(0)),
                  e.compare(arith::CmpIPredicate::slt, column, e.index(0)));
    Value position =
        at.select(gone, e.index(-1), e.add(e.mul(row, width), column));
    Value weight = at.mul(rows.weights[i / 2], cols.weights[i % 2]);
    if (scale)
      weight = at.mul(weight, scale);
    Value to = slotOf(e.index(i), slot);
    Value wide =
        arith::IndexCastOp::create(e.b, e.loc, e.b.getI64Type(), position);
    e.storeFlat(wide, positions, to);
    e.storeFlat(weight, weights, to);
  }
}

Value Deformer::sampled(Value channel, Value slot) {
  Value total;
  for (int64_t i = 0; i < 4; ++i) {
    Value from = slotOf(e.index(i), slot);
    Value raw = e.toIndex(e.loadFlat(positions, from, e.b.getI64Type()), false);
    Value inside = e.compare(arith::CmpIPredicate::sge, raw, e.index(0));
    // A position counts in the whole image.
    Value pixel = e.elementOrZero(
        op.getX(), {image, channel, e.index(0), e.maximum(raw, e.index(0))},
        {2, 3});
    pixel = at.select(inside, convertScalar(e, pixel, pixel.getType(), at.type),
                      at.number(0));
    Value term = at.mul(pixel, e.loadFlat(weights, from, at.type));
    total = total ? at.add(total, term) : term;
  }
  return total;
}

/// One output channel of a block: its weights times the columns of its group,
/// four columns at a time so that the sums are loaded less often.
void Deformer::multiply(Value m, Value size, Value start) {
  Value depth = e.size(simplify(w[1] * taps));
  Value perGroup = e.size(exactDiv(w[0], e.constExpr(op.getGroups())));
  Value first = e.mul(e.div(m, perGroup), depth);
  e.loop(e.index(blockSize),
         [&](Value slot) { e.storeFlat(at.number(0), sums, slot); });
  auto accumulate = [&](Value row, int64_t rows) {
    SmallVector<Value> factors;
    for (int64_t i = 0; i < rows; ++i) {
      // A position counts in the whole filter.
      Value weight = e.wideElement(
          op.getWeight(), {m, e.index(0), e.index(0), e.add(row, e.index(i))});
      factors.push_back(weight);
    }
    e.loop(e.index(blockSize), [&](Value slot) {
      Value sum = e.loadFlat(sums, slot, at.type);
      for (int64_t i = 0; i < rows; ++i) {
        Value from = e.add(first, e.add(row, e.index(i)));
        sum = at.add(sum,
                     at.mul(factors[i],
                            e.loadFlat(columns, slotOf(from, slot), at.type)));
      }
      e.storeFlat(sum, sums, slot);
    });
  };
  Value whole = e.mul(e.div(depth, e.index(4)), e.index(4));
  e.loop(e.index(0), whole, 4, [&](Value row) { accumulate(row, 4); });
  e.loop(whole, depth, 1, [&](Value row) { accumulate(row, 1); });
  Value base = e.add(
      e.mul(e.linearize({image, m}, {y[0], y[1]}), e.size(pixels)), start);
  Type element = cast<RankedTensorType>(op.getType()).getElementType();
  e.loop(size, [&](Value slot) {
    Value sum = e.loadFlat(sums, slot, at.type);
    e.storeFlat(convertScalar(e, sum, at.type, element), e.getResultBuffer(0),
                e.add(base, slot));
  });
}

LogicalResult Deformer::emit() {
  AffineExpr blocks = simplify(pixels.ceilDiv(blockSize));
  e.setExtent(simplify(y[0] * blocks));
  AffineExpr groups = e.constExpr(op.getOffsetGroups());
  AffineExpr perGroup = exactDiv(x[1], groups);
  e.parallelLoop([&](Value item) {
    Indices split = e.delinearize(item, {y[0], blocks});
    image = split[0];
    Value start = e.mul(split[1], e.index(blockSize));
    Value size = e.minimum(e.sub(e.size(pixels), start), e.index(blockSize));
    e.loopNest({groups, taps}, [&](ArrayRef<Value> which) {
      group = which[0];
      Value tap = which[1];
      e.loop(size, [&](Value slot) { prepare(e.add(start, slot), tap, slot); });
      e.loop(e.size(perGroup), [&](Value inGroup) {
        Value channel = e.add(e.mul(group, e.size(perGroup)), inGroup);
        Value row = e.add(e.mul(channel, e.size(taps)), tap);
        e.loop(size, [&](Value slot) {
          e.storeFlat(sampled(channel, slot), columns, slotOf(row, slot));
        });
        // The last block is shorter; sums of its rest are not stored.
        e.loop(size, e.index(blockSize), 1, [&](Value slot) {
          e.storeFlat(at.number(0), columns, slotOf(row, slot));
        });
      });
    });
    e.loop(e.size(w[0]), [&](Value m) { multiply(m, size, start); });
  });
  return success();
}

LogicalResult effc::emitDeformConvKernel(KernelEmitter &e, Operation *anchor) {
  if (auto op = dyn_cast<DeformConvOp>(anchor))
    return Deformer(e, op).emit();
  return failure();
}
