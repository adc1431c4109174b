// Pooling and resizing. Element functions serve every layout; with channels
// last, pooling has a kernel that runs over the channels inside, so that a
// window is a few vector operations.
#include "KernelEmitter.h"
#include "mlir/Dialect/Math/IR/Math.h"

using namespace mlir;
using namespace effc;
using namespace effc::eff;

namespace {

using Indices = KernelEmitter::Indices;

/// The windows of a pooling op: bounds of the taps of each spatial dim that lie
/// inside the operand.
struct Windows {
  KernelEmitter &e;
  Value x;
  ArrayRef<int64_t> kernel, strides, dilations, pads;
  size_t spatial, firstAxis;

  Windows(KernelEmitter &e, Value x, ArrayRef<int64_t> kernel,
          ArrayRef<int64_t> strides, ArrayRef<int64_t> dilations,
          ArrayRef<int64_t> pads, bool channelsLast)
      : e(e), x(x), kernel(kernel), strides(strides), dilations(dilations),
        pads(pads), spatial(kernel.size()), firstAxis(channelsLast ? 1 : 2) {}

  /// Operand coordinate of tap 0 for an output position.
  Value origin(size_t i, Value out) const {
    return e.sub(e.mul(out, e.index(strides[i])), e.index(pads[i]));
  }
  /// Taps [lower, upper) of dim i lie inside.
  std::pair<Value, Value> range(size_t i, Value start) const {
    Value extent = e.sizeOf(x, firstAxis + i), dilation = e.index(dilations[i]),
          zero = e.index(0);
    // ceil(-start / dilation) and ceil((extent - start) / dilation), on values
    // made non-negative first.
    Value before = e.maximum(e.sub(zero, start), zero);
    Value lower = e.div(e.add(before, e.index(dilations[i] - 1)), dilation);
    Value room = e.maximum(e.sub(extent, start), zero);
    Value upper =
        e.minimum(e.div(e.add(room, e.index(dilations[i] - 1)), dilation),
                  e.index(kernel[i]));
    return {lower, upper};
  }
  Value coordinate(size_t i, Value start, Value tap) const {
    return e.add(start, e.mul(tap, e.index(dilations[i])));
  }

  /// Loops over the taps inside, carrying values; the body gets the spatial
  /// coordinates.
  SmallVector<Value>
  reduce(ArrayRef<Value> out, ValueRange init,
         std::function<SmallVector<Value>(ArrayRef<Value>, ValueRange)> body)
      const {
    Indices at;
    std::function<SmallVector<Value>(ValueRange)> nest =
        [&](ValueRange carried) {
          size_t i = at.size();
          if (i == spatial)
            return body(at, carried);
          Value start = origin(i, out[i]);
          auto [lower, upper] = range(i, start);
          return e.reduceLoop(lower, upper, carried,
                              [&](Value tap, ValueRange args) {
                                at.push_back(coordinate(i, start, tap));
                                SmallVector<Value> next = nest(args);
                                at.pop_back();
                                return next;
                              });
        };
    return nest(init);
  }

  /// The number that an average divides by, as a float.
  Value divisor(ArrayRef<Value> out, bool countPads, Type type) const {
    Value count = e.index(1);
    for (size_t i = 0; i < spatial; ++i) {
      Value start = origin(i, out[i]);
      Value taps;
      if (countPads) {
        // Every tap before the end of the padded extent counts.
        Value end =
            e.add(e.sizeOf(x, firstAxis + i), e.index(pads[spatial + i]));
        Value room = e.maximum(e.sub(end, start), e.index(0));
        Value inside = e.div(e.add(room, e.index(dilations[i] - 1)),
                             e.index(dilations[i]));
        taps = e.minimum(inside, e.index(kernel[i]));
      } else {
        auto [lower, upper] = range(i, start);
        taps = e.sub(upper, lower);
      }
      count = e.mul(count, taps);
    }
    Value integer = arith::IndexCastOp::create(e.b, e.loc, e.b.getI64Type(),
                                               e.maximum(count, e.index(1)));
    return arith::SIToFPOp::create(e.b, e.loc, type, integer);
  }
};

Windows windowsOf(KernelEmitter &e, PoolOp op) {
  return Windows(e, op.getX(), op.getKernel(), op.getStrides(),
                 op.getDilations(), op.getPads(), op.getChannelsLast());
}

Type accumulatorType(KernelEmitter &e, Value x) {
  Type element = cast<RankedTensorType>(x.getType()).getElementType();
  return element.isF16() || element.isBF16() ? Type(e.b.getF32Type())
                                             : getScalarType(element);
}

Value poolInit(KernelEmitter &e, PoolOp op, Type type) {
  if (op.getKind() == PoolKind::Average)
    return e.constant(type, 0);
  if (isa<FloatType>(type))
    return e.constant(type, -std::numeric_limits<double>::infinity());
  bool isUnsigned = isUnsignedType(
      cast<RankedTensorType>(op.getX().getType()).getElementType());
  unsigned width = type.getIntOrFloatBitWidth();
  APInt lowest =
      isUnsigned ? APInt::getMinValue(width) : APInt::getSignedMinValue(width);
  return arith::ConstantOp::create(e.b, e.loc,
                                   e.b.getIntegerAttr(type, lowest));
}

Value poolStep(KernelEmitter &e, PoolOp op, Value a, Value x) {
  if (op.getKind() == PoolKind::Average)
    return arith::AddFOp::create(e.b, e.loc, a, x, e.sumFlags());
  if (isa<FloatType>(x.getType()))
    return arith::MaximumFOp::create(e.b, e.loc, a, x);
  return isUnsignedType(
             cast<RankedTensorType>(op.getX().getType()).getElementType())
             ? arith::MaxUIOp::create(e.b, e.loc, a, x).getResult()
             : arith::MaxSIOp::create(e.b, e.loc, a, x).getResult();
}

Indices operandIndices(bool channelsLast, Value n, Value c,
                       ArrayRef<Value> at) {
  Indices indices{n};
  if (!channelsLast)
    indices.push_back(c);
  llvm::append_range(indices, at);
  if (channelsLast)
    indices.push_back(c);
  return indices;
}

Value emitPool(KernelEmitter &e, PoolOp op, ArrayRef<Value> indices) {
  Windows windows = windowsOf(e, op);
  bool last = op.getChannelsLast();
  ArrayRef<Value> out = indices.slice(last ? 1 : 2, windows.spatial);
  Value channel = last ? indices.back() : indices[1];
  Type type = accumulatorType(e, op.getX());
  Value sum = windows.reduce(
      out, poolInit(e, op, type), [&](ArrayRef<Value> at, ValueRange a) {
        Value x = e.wideElement(op.getX(),
                                operandIndices(last, indices[0], channel, at));
        return SmallVector<Value>{poolStep(e, op, a[0], x)};
      })[0];
  if (op.getKind() == PoolKind::Average)
    sum = arith::DivFOp::create(
        e.b, e.loc, sum, windows.divisor(out, op.getCountIncludePad(), type));
  return convertScalar(e, sum, type,
                       cast<RankedTensorType>(op.getType()).getElementType());
}

Value emitPoolIndices(KernelEmitter &e, PoolIndicesOp op,
                      ArrayRef<Value> indices) {
  Windows windows(e, op.getX(), op.getKernel(), op.getStrides(),
                  op.getDilations(), op.getPads(), false);
  OpBuilder &b = e.b;
  Dims dims = getDims(op.getX().getType());
  // Column-major positions run over the spatial dims in the opposite order.
  auto position = [&](ArrayRef<Value> at) {
    Indices full{indices[0], indices[1]};
    llvm::append_range(full, at);
    if (!op.getColumnMajor())
      return e.linearize(full, dims);
    std::reverse(full.begin() + 2, full.end());
    Dims reversed = dims;
    std::reverse(reversed.begin() + 2, reversed.end());
    return e.linearize(full, reversed);
  };
  auto at = [&](ArrayRef<Value> spatial) {
    Indices full{indices[0], indices[1]};
    llvm::append_range(full, spatial);
    return e.wideElement(op.getX(), full);
  };
  Type type = accumulatorType(e, op.getX());
  Value none = e.index(-1), start = e.constant(type, 0);
  auto step = [&](ArrayRef<Value> spatial, ValueRange a) {
    Value x = at(spatial);
    Value first = e.compare(arith::CmpIPredicate::eq, a[1], none);
    bool isUnsigned = isUnsignedType(
        cast<RankedTensorType>(op.getX().getType()).getElementType());
    Value greater =
        isa<FloatType>(type)
            ? arith::CmpFOp::create(b, e.loc, arith::CmpFPredicate::OGT, x,
                                    a[0])
                  .getResult()
            : arith::CmpIOp::create(b, e.loc,
                                    isUnsigned ? arith::CmpIPredicate::ugt
                                               : arith::CmpIPredicate::sgt,
                                    x, a[0])
                  .getResult();
    Value wins = arith::OrIOp::create(b, e.loc, first, greater);
    return SmallVector<Value>{
        arith::SelectOp::create(b, e.loc, wins, x, a[0]),
        arith::SelectOp::create(b, e.loc, wins, position(spatial), a[1])};
  };
  Value best =
      windows.reduce(indices.drop_front(2), ValueRange{start, none}, step)[1];
  return arith::IndexCastOp::create(b, e.loc, b.getI64Type(), best);
}

/// The sum of the taps of all windows that cover a pixel.
Value emitCol2Im(KernelEmitter &e, Col2ImOp op, ArrayRef<Value> indices) {
  Dims x = getDims(op.getX().getType());
  size_t spatial = op.getStrides().size();
  Type type = accumulatorType(e, op.getX());
  OpBuilder &b = e.b;
  Value zero = e.constant(type, 0);
  auto step = [&](ArrayRef<Value> taps, ValueRange a) {
    Indices source{indices[0], indices[1]};
    llvm::append_range(source, taps);
    Value covers;
    for (size_t i = 0; i < spatial; ++i) {
      Value stride = e.index(op.getStrides()[i]);
      Value place = e.sub(e.add(indices[i + 2], e.index(op.getPads()[i])),
                          e.mul(taps[i], e.index(op.getDilations()[i])));
      // Negative places become large: no window is there.
      Value window = e.div(place, stride);
      Value exact =
          e.compare(arith::CmpIPredicate::eq, e.mul(window, stride), place);
      Value inside = e.compare(arith::CmpIPredicate::ult, window,
                               e.size(x[2 + spatial + i]));
      Value start = e.compare(arith::CmpIPredicate::sge, place, e.index(0));
      for (Value condition : {exact, inside, start})
        covers = covers
                     ? b.createOrFold<arith::AndIOp>(e.loc, covers, condition)
                     : condition;
      source.push_back(window);
    }
    auto ifOp = scf::IfOp::create(b, e.loc, TypeRange{type}, covers,
                                  /*withElseRegion=*/true);
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(ifOp.thenBlock());
    Value tap = e.wideElement(op.getX(), source);
    Value sum = isa<FloatType>(type)
                    ? arith::AddFOp::create(b, e.loc, a[0], tap, e.sumFlags())
                          .getResult()
                    : arith::AddIOp::create(b, e.loc, a[0], tap).getResult();
    scf::YieldOp::create(b, e.loc, sum);
    b.setInsertionPointToStart(ifOp.elseBlock());
    scf::YieldOp::create(b, e.loc, a[0]);
    return SmallVector<Value>{ifOp.getResult(0)};
  };
  Value sum = e.reduceNest(ArrayRef(x).slice(2, spatial), zero, step)[0];
  return convertScalar(e, sum, type,
                       cast<RankedTensorType>(op.getType()).getElementType());
}

/// The operand rows of one output pixel are accumulated over all channels in
/// scratch.
LogicalResult emitPoolKernel(KernelEmitter &e, PoolOp op) {
  if (!op.getChannelsLast() || e.getKernel().getNumResults() != 1)
    return failure();
  Windows windows = windowsOf(e, op);
  Dims dims = getDims(op.getType());
  Dims outer(dims.begin(), dims.end() - 1);
  Type type = accumulatorType(e, op.getX());
  Value acc = e.scratch(type, dims.back());
  e.setExtent(product(e.b.getContext(), outer));
  e.parallelLoop([&](Value item) {
    Indices pixel = e.delinearize(item, outer);
    ArrayRef<Value> out = ArrayRef(pixel).drop_front();
    Value channels = e.size(dims.back());
    e.loop(channels,
           [&](Value c) { e.storeFlat(poolInit(e, op, type), acc, c); });
    windows.reduce(out, {}, [&](ArrayRef<Value> at, ValueRange) {
      e.loop(channels, [&](Value c) {
        Value old = memref::LoadOp::create(e.b, e.loc, acc, c);
        Value x =
            e.wideElement(op.getX(), operandIndices(true, pixel[0], c, at));
        e.storeFlat(poolStep(e, op, old, x), acc, c);
      });
      return SmallVector<Value>{};
    });
    Value divisor;
    if (op.getKind() == PoolKind::Average)
      divisor = windows.divisor(out, op.getCountIncludePad(), type);
    e.loop(channels, [&](Value c) {
      e.bind(op.getResult(), [&](ArrayRef<Value>) {
        Value sum = memref::LoadOp::create(e.b, e.loc, acc, c);
        if (divisor)
          sum = arith::DivFOp::create(e.b, e.loc, sum, divisor);
        return convertScalar(
            e, sum, type,
            cast<RankedTensorType>(op.getType()).getElementType());
      });
      Indices target(pixel);
      target.push_back(c);
      e.store(e.element(e.getYielded(0), target), 0, target);
    });
  });
  return success();
}

} // namespace

namespace effc {

Value emitResize(KernelEmitter &e, ResizeOp op, ArrayRef<Value> indices);

Value emitWindow(KernelEmitter &e, Operation *op, ArrayRef<Value> indices) {
  return TypeSwitch<Operation *, Value>(op)
      .Case([&](PoolOp pool) { return emitPool(e, pool, indices); })
      .Case(
          [&](PoolIndicesOp pool) { return emitPoolIndices(e, pool, indices); })
      .Case([&](Col2ImOp op) { return emitCol2Im(e, op, indices); })
      .Case([&](ResizeOp resize) { return emitResize(e, resize, indices); })
      .Default([](Operation *) { return Value(); });
}

LogicalResult emitWindowKernel(KernelEmitter &e, Operation *anchor) {
  if (auto pool = dyn_cast<PoolOp>(anchor))
    return emitPoolKernel(e, pool);
  return failure();
}

} // namespace effc
