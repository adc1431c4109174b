// Row kernels: softmax and the normalisations. A row (the normalised elements)
// is computed once into scratch in f32 while its statistics are gathered,
// unless it lies in memory as such; the result is made from there, with the
// elementwise ops around it pulled inside. Variance is the mean of squared
// differences, in a second pass over the row: safe when |mean| >> deviation.
#include "NormRows.h"
#include "mlir/Dialect/Math/IR/Math.h"

using namespace mlir;
using namespace effc;
using namespace effc::eff;

namespace {

using Indices = KernelEmitter::Indices;

/// The loop structure of a row kernel: which index runs over rows and which
/// within one.
struct Rows {
  KernelEmitter &e;
  Value x;
  Dims dims, outer, inner;
  SmallVector<int64_t> innerAxes;
  Type type;
  Value buffer; ///< null where the row is read from memory each time

  /// A row that stays as it is needs no copy where it is in memory as such.
  Rows(KernelEmitter &e, Value x, SmallVector<int64_t> axes,
       bool isRewritten = true)
      : e(e), x(x), dims(getDims(x.getType())), innerAxes(axes) {
    for (int64_t i = 0, rank = dims.size(); i < rank; ++i)
      (llvm::is_contained(innerAxes, i) ? inner : outer).push_back(dims[i]);
    Type element = cast<RankedTensorType>(x.getType()).getElementType();
    type = element.isF64() ? Type(e.b.getF64Type()) : Type(e.b.getF32Type());
    if (isRewritten || element != type || !e.getBuffer(x))
      buffer = e.scratch(type, product(e.b.getContext(), inner));
    e.setExtent(product(e.b.getContext(), outer));
  }

  Indices join(ArrayRef<Value> row, ArrayRef<Value> at) const {
    Indices result;
    size_t o = 0, n = 0;
    for (int64_t i = 0, rank = dims.size(); i < rank; ++i)
      result.push_back(llvm::is_contained(innerAxes, i) ? at[n++] : row[o++]);
    return result;
  }
  Indices innerOf(ArrayRef<Value> indices) const {
    Indices result;
    for (int64_t axis : innerAxes)
      result.push_back(indices[axis]);
    return result;
  }
  Value position(ArrayRef<Value> at) const { return e.linearize(at, inner); }
  Value load(ArrayRef<Value> row, ArrayRef<Value> at) const {
    if (!buffer)
      return e.wideElement(x, join(row, at));
    return memref::LoadOp::create(e.b, e.loc, buffer, position(at));
  }
  void save(Value value, ArrayRef<Value> at) const {
    e.storeFlat(value, buffer, position(at));
  }

  /// Computes the row into scratch and carries one value over it.
  Value
  fill(ArrayRef<Value> row, Value init,
       llvm::function_ref<Value(Value carried, Value element)> step) const {
    return e.reduceNest(inner, init, [&](ArrayRef<Value> at, ValueRange a) {
      Value value = e.wideElement(x, join(row, at));
      if (buffer)
        save(value, at);
      return SmallVector<Value>{step(a[0], value)};
    })[0];
  }
  Value reduce(ArrayRef<Value> row, Value init,
               llvm::function_ref<Value(Value carried, Value element,
                                        ArrayRef<Value> at)>
                   step) const {
    return e.reduceNest(inner, init, [&](ArrayRef<Value> at, ValueRange a) {
      return SmallVector<Value>{step(a[0], load(row, at), at)};
    })[0];
  }
  /// Stores the kernel's results for this row.
  void finish(ArrayRef<Value> row) const {
    e.loopNest(inner, [&](ArrayRef<Value> at) {
      Indices indices = join(row, at);
      for (unsigned i = 0; i < e.getKernel().getNumResults(); ++i)
        e.store(e.element(e.getYielded(i), indices), i, indices);
    });
  }
  Value count() const {
    Value n = e.size(product(e.b.getContext(), inner));
    Value integer = arith::IndexCastOp::create(e.b, e.loc, e.b.getI64Type(), n);
    return arith::SIToFPOp::create(e.b, e.loc, type, integer);
  }
};

Value addf(KernelEmitter &e, Value a, Value x) {
  return arith::AddFOp::create(e.b, e.loc, a, x, e.sumFlags());
}
Value mulf(KernelEmitter &e, Value a, Value x) {
  return arith::MulFOp::create(e.b, e.loc, a, x, e.sumFlags());
}
Value subf(KernelEmitter &e, Value a, Value x) {
  return arith::SubFOp::create(e.b, e.loc, a, x, e.mathFlags());
}

Value narrow(KernelEmitter &e, Value x, Value like) {
  return convertScalar(e, x, x.getType(),
                       cast<RankedTensorType>(like.getType()).getElementType());
}

LogicalResult emitSoftmax(KernelEmitter &e, SoftmaxOp op) {
  Rows rows(e, op.getX(), {static_cast<int64_t>(op.getAxis())});
  OpBuilder &b = e.b;
  e.parallelLoop([&](Value item) {
    Indices row = e.delinearize(item, rows.outer);
    Value lowest =
        e.constant(rows.type, -std::numeric_limits<double>::infinity());
    Value max = rows.fill(row, lowest, [&](Value a, Value x) -> Value {
      return e.runningMax(a, x);
    });
    Value sum = rows.reduce(row, e.constant(rows.type, 0),
                            [&](Value a, Value x, ArrayRef<Value> at) {
                              Value shifted = subf(e, x, max);
                              Value power =
                                  math::ExpOp::create(b, e.loc, shifted);
                              rows.save(op.getLog() ? shifted : power, at);
                              return addf(e, a, power);
                            });
    Value scale =
        op.getLog()
            ? math::LogOp::create(b, e.loc, sum).getResult()
            : arith::DivFOp::create(b, e.loc, e.constant(rows.type, 1), sum)
                  .getResult();
    e.bind(op.getResult(), [&, scale](ArrayRef<Value> indices) {
      Value x = rows.load(row, rows.innerOf(indices));
      return narrow(e, op.getLog() ? subf(e, x, scale) : mulf(e, x, scale),
                    op.getResult());
    });
    rows.finish(row);
  });
  return success();
}

/// An operand that broadcasts to x from the right, at an element of x.
Value parameter(KernelEmitter &e, Value tensor, ArrayRef<Value> indices) {
  Dims dims = getDims(tensor.getType());
  Indices at;
  for (size_t i = 0; i < dims.size(); ++i)
    at.push_back(getConstant(dims[i]) == 1
                     ? e.index(0)
                     : indices[indices.size() - dims.size() + i]);
  return e.wideElement(tensor, at);
}

/// Mean (unless `rms`) and inverse deviation of the row in scratch.
std::pair<Value, Value> statistics(Rows &rows, ArrayRef<Value> row, Value sum,
                                   double epsilon, bool rms) {
  KernelEmitter &e = rows.e;
  OpBuilder &b = e.b;
  Value count = rows.count(), zero = e.constant(rows.type, 0);
  Value mean =
      rms ? Value() : arith::DivFOp::create(b, e.loc, sum, count).getResult();
  Value squares =
      rms ? sum
          : rows.reduce(row, zero, [&](Value a, Value x, ArrayRef<Value>) {
              Value difference = subf(e, x, mean);
              return addf(e, a, mulf(e, difference, difference));
            });
  Value variance = arith::DivFOp::create(b, e.loc, squares, count);
  Value deviation = math::SqrtOp::create(
      b, e.loc, addf(e, variance, e.constant(rows.type, epsilon)));
  return {mean,
          arith::DivFOp::create(b, e.loc, e.constant(rows.type, 1), deviation)};
}

void emitNormRows(Rows &rows, Value result, double epsilon, bool rms,
                  llvm::function_ref<Indices(Value)> rowOf,
                  std::function<Value(Value, ArrayRef<Value>)> affine) {
  KernelEmitter &e = rows.e;
  e.parallelLoop([&](Value item) {
    Indices row = rowOf(item);
    Value sum = rows.fill(row, e.constant(rows.type, 0), [&](Value a, Value x) {
      return addf(e, a, rms ? mulf(e, x, x) : x);
    });
    auto [mean, inverse] = statistics(rows, row, sum, epsilon, rms);
    e.bind(result,
           [&, mean = mean, inverse = inverse](ArrayRef<Value> indices) {
             Value x = rows.load(row, rows.innerOf(indices));
             Value normal = mulf(e, rms ? x : subf(e, x, mean), inverse);
             return narrow(e, affine(normal, indices), result);
           });
    rows.finish(row);
  });
}

SmallVector<int64_t> axesFrom(Value x, int64_t axis) {
  return llvm::to_vector(llvm::seq<int64_t>(axis, getDims(x.getType()).size()));
}

LogicalResult emitLayerNorm(KernelEmitter &e, Value x, Value scale, Value bias,
                            int64_t axis, double epsilon, bool rms,
                            Value result) {
  if (emitPlainNorm(e, {x, scale, bias, result, axis, epsilon, rms}))
    return success();
  Rows rows(e, x, axesFrom(x, axis), /*isRewritten=*/false);
  emitNormRows(
      rows, result, epsilon, rms,
      [&](Value item) { return e.delinearize(item, rows.outer); },
      [&e, scale, bias](Value normal, ArrayRef<Value> indices) {
        if (scale)
          normal = mulf(e, normal, parameter(e, scale, indices));
        return bias ? addf(e, normal, parameter(e, bias, indices)) : normal;
      });
  return success();
}

/// Groups are rows of [N, groups, C / groups, spatial...]: the emitter sees x
/// under that shape.
struct GroupNorm {
  KernelEmitter &e;
  GroupNormOp op;
  int64_t rank, channelAxis, perGroup;
  Dims inner, outer;
  Type type;
  Value buffer;

  GroupNorm(KernelEmitter &e, GroupNormOp op, int64_t channelAxis,
            int64_t channels)
      : e(e), op(op), rank(getDims(op.getX().getType()).size()),
        channelAxis(channelAxis), perGroup(channels / op.getGroups()) {
    Dims dims = getDims(op.getX().getType());
    inner.push_back(e.constExpr(perGroup));
    for (int64_t i = 1; i < rank; ++i)
      if (i != channelAxis)
        inner.push_back(dims[i]);
    outer = {dims[0], e.constExpr(op.getGroups())};
    Type element = cast<RankedTensorType>(op.getX().getType()).getElementType();
    type = element.isF64() ? Type(e.b.getF64Type()) : Type(e.b.getF32Type());
    e.setExtent(product(e.b.getContext(), outer));
    buffer = e.scratch(type, product(e.b.getContext(), inner));
  }

  Indices indicesOf(ArrayRef<Value> row, ArrayRef<Value> at) {
    Indices result(rank);
    result[0] = row[0];
    result[channelAxis] = e.add(e.mul(row[1], e.index(perGroup)), at[0]);
    size_t next = 1;
    for (int64_t i = 1; i < rank; ++i)
      if (i != channelAxis)
        result[i] = at[next++];
    return result;
  }

  /// In memory order: channels last in the inner loop only where they are.
  Value walk(Value init,
             llvm::function_ref<Value(Value, ArrayRef<Value>)> step) {
    Dims order = inner;
    if (op.getChannelsLast())
      std::rotate(order.begin(), order.begin() + 1, order.end());
    return e.reduceNest(order, init, [&](ArrayRef<Value> at, ValueRange a) {
      Indices canonical(at);
      if (op.getChannelsLast())
        std::rotate(canonical.begin(), canonical.end() - 1, canonical.end());
      return SmallVector<Value>{step(a[0], canonical)};
    })[0];
  }

  Value mean(Value sum) {
    Value n = arith::IndexCastOp::create(
        e.b, e.loc, e.b.getI64Type(), e.size(product(e.b.getContext(), inner)));
    Value count = arith::SIToFPOp::create(e.b, e.loc, type, n);
    return arith::DivFOp::create(e.b, e.loc, sum, count);
  }

  Value centred(ArrayRef<Value> at, Value mean) {
    Value x =
        memref::LoadOp::create(e.b, e.loc, buffer, e.linearize(at, inner));
    return subf(e, x, mean);
  }

  Value inverseDeviation(Value squares) {
    Value epsilon = e.constant(type, op.getEpsilon().convertToDouble());
    Value deviation =
        math::SqrtOp::create(e.b, e.loc, addf(e, mean(squares), epsilon));
    return arith::DivFOp::create(e.b, e.loc, e.constant(type, 1), deviation);
  }

  Value affine(Value y, Value channel) {
    if (op.getScale())
      y = mulf(e, y, e.wideElement(op.getScale(), channel));
    if (op.getBias())
      y = addf(e, y, e.wideElement(op.getBias(), channel));
    return narrow(e, y, op.getResult());
  }

  void emitRow(ArrayRef<Value> row) {
    Value zero = e.constant(type, 0);
    Value sum = walk(zero, [&](Value a, ArrayRef<Value> at) {
      Value x = e.wideElement(op.getX(), indicesOf(row, at));
      e.storeFlat(x, buffer, e.linearize(at, inner));
      return addf(e, a, x);
    });
    Value average = mean(sum);
    Value squares = walk(zero, [&](Value a, ArrayRef<Value> at) {
      Value difference = centred(at, average);
      return addf(e, a, mulf(e, difference, difference));
    });
    Value inverse = inverseDeviation(squares);
    walk(zero, [&](Value a, ArrayRef<Value> at) {
      Indices indices = indicesOf(row, at);
      e.bind(op.getResult(), [&](ArrayRef<Value>) {
        return affine(mulf(e, centred(at, average), inverse),
                      indices[channelAxis]);
      });
      e.store(e.element(e.getYielded(0), indices), 0, indices);
      return a;
    });
  }
};

LogicalResult emitGroupNorm(KernelEmitter &e, GroupNormOp op) {
  Dims dims = getDims(op.getX().getType());
  int64_t channelAxis = op.getChannelsLast() ? dims.size() - 1 : 1;
  std::optional<int64_t> channels = getConstant(dims[channelAxis]);
  if (!channels)
    return failure();
  GroupNorm norm(e, op, channelAxis, *channels);
  e.parallelLoop(
      [&](Value item) { norm.emitRow(e.delinearize(item, norm.outer)); });
  return success();
}

} // namespace

LogicalResult effc::emitRowKernel(KernelEmitter &e, Operation *anchor) {
  return TypeSwitch<Operation *, LogicalResult>(anchor)
      .Case([&](SoftmaxOp op) { return emitSoftmax(e, op); })
      .Case([&](LayerNormOp op) {
        return emitLayerNorm(e, op.getX(), op.getScale(), op.getBias(),
                             op.getAxis(), op.getEpsilon().convertToDouble(),
                             /*rms=*/false, op.getResult());
      })
      .Case([&](RMSNormOp op) {
        return emitLayerNorm(e, op.getX(), op.getScale(), Value(), op.getAxis(),
                             op.getEpsilon().convertToDouble(),
                             /*rms=*/true, op.getResult());
      })
      .Case([&](GroupNormOp op) { return emitGroupNorm(e, op); })
      .Default([](Operation *) { return failure(); });
}
