// Pooling of regions: RoiAlign (ONNX RoiAlign-16, from He et al., Mask R-CNN,
// 2017) and MaxRoiPool (Girshick, Fast R-CNN, 2015). How many samples or pixels
// a cell has follows from the regions, so every result element loops over its
// own.
#include "Sampling.h"

using namespace mlir;
using namespace effc;
using namespace effc::eff;

namespace {

using Indices = KernelEmitter::Indices;

/// Of an adaptive cell along one axis. A cell of more pixels than that is
/// sampled more thinly; it bounds the time that an absurd region takes.
constexpr double maxSamples = 1 << 12;

/// One axis of RoiAlign: number 0 is the rows, 1 the columns.
class CellAxis {
public:
  CellAxis(KernelEmitter &e, RoiAlignOp op, ArrayRef<Value> indices,
           int64_t number)
      : e(e), op(op), at(e, coordinateType(op.getRois())), number(number) {
    extent = e.sizeOf(op.getX(), number + 2);
    Value region = indices[0];
    Value cells = at.real(e.sizeOf(op.getResult(), number + 2));
    start = corner(region, 1 - number);
    Value length = at.sub(corner(region, 3 - number), start);
    if (!op.getHalfPixel())
      length = at.maximum(length, at.number(1));
    cell = at.div(length, cells);
    samples = op.getSamplingRatio()
                  ? e.index(op.getSamplingRatio())
                  : at.index(at.clamp(at.ceil(cell), at.number(0),
                                      at.number(maxSamples)));
    first = at.add(start, at.mul(at.real(indices[number + 2]), cell));
  }

  /// Two pixels and their weights; `outside` is set more than a pixel away.
  struct Taps {
    Value indices[2], weights[2], outside;
  };
  Taps taps(Value sample) {
    Value middle = at.add(at.real(sample), at.number(0.5));
    Value place = at.add(first, at.div(at.mul(middle, cell), at.real(samples)));
    Value size = at.real(extent), last = e.sub(extent, e.index(1));
    Taps taps;
    taps.outside =
        at.either(at.less(place, at.number(-1)), at.less(size, place));
    Value near = at.clamp(place, at.number(0), at.sub(size, at.number(1)));
    Value base = at.floor(near), share = at.sub(near, base);
    taps.indices[0] = at.index(base);
    taps.indices[1] = e.minimum(e.add(taps.indices[0], e.index(1)), last);
    taps.weights[0] = at.sub(at.number(1), share);
    taps.weights[1] = share;
    return taps;
  }

  KernelEmitter &e;
  RoiAlignOp op;
  Coordinates at;
  int64_t number;
  Value extent, start, cell, samples, first;

private:
  Value corner(Value region, int64_t column) {
    Value raw = e.wideElement(op.getRois(), {region, e.index(column)});
    double scale = op.getSpatialScale().convertToDouble();
    return at.sub(at.mul(raw, at.number(scale)),
                  at.number(op.getHalfPixel() ? 0.5 : 0.0));
  }
};

Value imageOf(KernelEmitter &e, Value x, Value number) {
  return checkedImage(e, number, e.sizeOf(x, 0));
}

Value emitRoiAlign(KernelEmitter &e, RoiAlignOp op, ArrayRef<Value> indices) {
  CellAxis rows(e, op, indices, 0), columns(e, op, indices, 1);
  Coordinates value(e, coordinateType(op.getX()));
  bool isMean = op.getKind() == ReduceKind::Mean;
  Value image = imageOf(
      e, op.getX(), e.toIndex(e.element(op.getImages(), indices[0]), false));
  auto sample = [&](const CellAxis::Taps &row, const CellAxis::Taps &column) {
    Value result;
    for (int64_t i = 0; i < 4; ++i) {
      Value weight = rows.at.mul(row.weights[i / 2], column.weights[i % 2]);
      Value pixel = e.elementOrZero(
          op.getX(),
          {image, indices[1], row.indices[i / 2], column.indices[i % 2]},
          {0, 2, 3});
      Value term =
          value.mul(convertScalar(e, weight, weight.getType(), value.type),
                    convertScalar(e, pixel, pixel.getType(), value.type));
      // The maximum is over weighted pixels, as in ONNX's reference.
      if (result)
        term = isMean ? value.add(result, term)
                      : arith::MaximumFOp::create(e.b, e.loc, result, term)
                            .getResult();
      result = term;
    }
    Value outside = value.either(row.outside, column.outside);
    return value.select(outside, value.number(0), result);
  };
  Value init =
      value.number(isMean ? 0 : -std::numeric_limits<double>::infinity());
  auto step = [&](Value a, Value x) -> Value {
    if (isMean)
      return value.add(a, x);
    return arith::MaximumFOp::create(e.b, e.loc, a, x);
  };
  Value zero = e.index(0);
  Value total =
      e.reduceLoop(zero, rows.samples, init, [&](Value iy, ValueRange outer) {
        CellAxis::Taps row = rows.taps(iy);
        return e.reduceLoop(zero, columns.samples, outer,
                            [&](Value ix, ValueRange a) {
                              return SmallVector<Value>{
                                  step(a[0], sample(row, columns.taps(ix)))};
                            });
      })[0];
  Value count = e.mul(rows.samples, columns.samples);
  if (isMean) {
    total = value.div(total, value.real(e.maximum(count, e.index(1))));
  } else {
    Value any = e.compare(arith::CmpIPredicate::sgt, count, zero);
    total = value.select(any, total, value.number(0));
  }
  return convertScalar(e, total, value.type,
                       cast<RankedTensorType>(op.getType()).getElementType());
}

/// Pixels [begin, end) of a cell along one axis: regions are rounded to pixels,
/// cells to what covers them.
std::pair<Value, Value> poolRange(KernelEmitter &e, RoiPoolOp op,
                                  ArrayRef<Value> indices, int64_t number) {
  Coordinates at(e, coordinateType(op.getRois()));
  double scale = op.getSpatialScale().convertToDouble();
  auto corner = [&](int64_t column) {
    Value raw = e.wideElement(op.getRois(), {indices[0], e.index(column)});
    // Half away from zero; far outside of any image the position is the same.
    Value x = at.clamp(at.mul(raw, at.number(scale)), at.number(-1e9),
                       at.number(1e9));
    Value half = at.number(0.5);
    return at.select(at.less(x, at.number(0)), at.ceil(at.sub(x, half)),
                     at.floor(at.add(x, half)));
  };
  Value start = corner(2 - number), end = corner(4 - number);
  Value one = at.number(1),
        cells = at.real(e.sizeOf(op.getResult(), number + 2));
  Value length = at.maximum(at.add(at.sub(end, start), one), one);
  Value cell = at.div(length, cells), number0 = at.real(indices[number + 2]);
  Value low = at.add(at.floor(at.mul(number0, cell)), start);
  Value high = at.add(at.ceil(at.mul(at.add(number0, one), cell)), start);
  Value extent = e.sizeOf(op.getX(), number + 2);
  auto inside = [&](Value x) {
    return e.minimum(e.maximum(at.index(x), e.index(0)), extent);
  };
  return {inside(low), inside(high)};
}

Value emitRoiPool(KernelEmitter &e, RoiPoolOp op, ArrayRef<Value> indices) {
  auto [top, bottom] = poolRange(e, op, indices, 0);
  auto [left, right] = poolRange(e, op, indices, 1);
  Coordinates value(e, coordinateType(op.getX()));
  Coordinates at(e, coordinateType(op.getRois()));
  Value number = e.wideElement(op.getRois(), {indices[0], e.index(0)});
  Value image = imageOf(
      e, op.getX(),
      at.index(at.clamp(at.floor(number), at.number(-1), at.number(1e9))));
  Value lowest = value.number(-std::numeric_limits<double>::infinity());
  // No image, no pixel.
  Value some =
      e.compare(arith::CmpIPredicate::sgt, e.sizeOf(op.getX(), 0), e.index(0));
  bottom = value.select(some, bottom, top);
  Value total = e.reduceLoop(
      top, bottom, lowest,
      [&, left = left, right = right](Value y, ValueRange outer) {
        return e.reduceLoop(left, right, outer, [&](Value x, ValueRange a) {
          Value pixel = e.wideElement(op.getX(), {image, indices[1], y, x});
          return SmallVector<Value>{
              arith::MaximumFOp::create(e.b, e.loc, a[0], pixel)};
        });
      })[0];
  Value rowsLeft = e.compare(arith::CmpIPredicate::slt, top, bottom);
  Value columnsLeft = e.compare(arith::CmpIPredicate::slt, left, right);
  Value any = arith::AndIOp::create(e.b, e.loc, rowsLeft, columnsLeft);
  return convertScalar(e, value.select(any, total, value.number(0)), value.type,
                       cast<RankedTensorType>(op.getType()).getElementType());
}

} // namespace

Value effc::emitRoi(KernelEmitter &e, Operation *op, ArrayRef<Value> indices) {
  return TypeSwitch<Operation *, Value>(op)
      .Case([&](RoiAlignOp align) { return emitRoiAlign(e, align, indices); })
      .Case([&](RoiPoolOp pool) { return emitRoiPool(e, pool, indices); })
      .Default([](Operation *) { return Value(); });
}
