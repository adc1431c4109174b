// Reductions: element functions that loop over the reduced axes, and a kernel
// for reductions that keep the innermost dim, which walks memory in order. Sums
// of f16 and bf16 are made in f32.
#include "KernelEmitter.h"
#include "mlir/Dialect/Math/IR/Math.h"

using namespace mlir;
using namespace effc;
using namespace effc::eff;

namespace {

using Indices = KernelEmitter::Indices;

/// A reduction as start value, step and final function, in the accumulator's
/// type.
struct Reducer {
  KernelEmitter &e;
  ReduceOp op;
  Type type;
  bool isFloat, isUnsigned;

  Reducer(KernelEmitter &e, ReduceOp op) : e(e), op(op) {
    Type element = cast<RankedTensorType>(op.getX().getType()).getElementType();
    isFloat = isa<FloatType>(element);
    isUnsigned = isUnsignedType(element);
    type = element.isF16() || element.isBF16() ? e.b.getF32Type()
                                               : getScalarType(element);
  }

  Value init() {
    double inf = std::numeric_limits<double>::infinity();
    unsigned width = type.getIntOrFloatBitWidth();
    auto integer = [&](APInt value) -> Value {
      return arith::ConstantOp::create(e.b, e.loc,
                                       e.b.getIntegerAttr(type, value));
    };
    switch (op.getKind()) {
    case ReduceKind::Max:
      if (isFloat)
        return e.constant(type, -inf);
      return integer(isUnsigned ? APInt::getMinValue(width)
                                : APInt::getSignedMinValue(width));
    case ReduceKind::Min:
      if (isFloat)
        return e.constant(type, inf);
      return integer(isUnsigned ? APInt::getMaxValue(width)
                                : APInt::getSignedMaxValue(width));
    case ReduceKind::Prod:
      return e.constant(type, 1);
    default:
      return e.constant(type, 0);
    }
  }

  Value add(Value a, Value x) {
    return isFloat ? arith::AddFOp::create(e.b, e.loc, a, x, e.sumFlags())
                         .getResult()
                   : arith::AddIOp::create(e.b, e.loc, a, x).getResult();
  }
  Value mul(Value a, Value x) {
    return isFloat ? arith::MulFOp::create(e.b, e.loc, a, x, e.sumFlags())
                         .getResult()
                   : arith::MulIOp::create(e.b, e.loc, a, x).getResult();
  }
  Value abs(Value x) {
    if (isFloat)
      return math::AbsFOp::create(e.b, e.loc, x);
    if (isUnsigned)
      return x;
    Value zero = e.constant(type, 0);
    return arith::MaxSIOp::create(e.b, e.loc, x,
                                  arith::SubIOp::create(e.b, e.loc, zero, x));
  }

  Value step(Value a, Value x) {
    switch (op.getKind()) {
    case ReduceKind::Max:
      if (isFloat)
        return arith::MaximumFOp::create(e.b, e.loc, a, x);
      return isUnsigned ? arith::MaxUIOp::create(e.b, e.loc, a, x).getResult()
                        : arith::MaxSIOp::create(e.b, e.loc, a, x).getResult();
    case ReduceKind::Min:
      if (isFloat)
        return arith::MinimumFOp::create(e.b, e.loc, a, x);
      return isUnsigned ? arith::MinUIOp::create(e.b, e.loc, a, x).getResult()
                        : arith::MinSIOp::create(e.b, e.loc, a, x).getResult();
    case ReduceKind::Prod:
      return mul(a, x);
    case ReduceKind::L1:
      return add(a, abs(x));
    case ReduceKind::L2:
    case ReduceKind::SumSquare:
      return add(a, mul(x, x));
    default:
      return add(a, x);
    }
  }

  /// Applies a float function, through f64 for integers.
  Value viaFloat(Value a, llvm::function_ref<Value(Value)> fn) {
    if (isFloat)
      return fn(a);
    Value wide = convertScalar(
        e, a, cast<RankedTensorType>(op.getX().getType()).getElementType(),
        e.b.getF64Type());
    return convertScalar(e, fn(wide), e.b.getF64Type(),
                         cast<RankedTensorType>(op.getType()).getElementType());
  }

  Value finish(Value a) {
    OpBuilder &b = e.b;
    Location loc = e.loc;
    switch (op.getKind()) {
    case ReduceKind::Mean: {
      AffineExpr count = e.constExpr(1);
      for (int64_t axis : op.getAxes())
        count = count * getDim(op.getX().getType(), axis);
      Value number = arith::IndexCastOp::create(b, loc, b.getI64Type(),
                                                e.size(simplify(count)));
      Value divisor = convertScalar(e, number, b.getI64Type(), type);
      if (isFloat)
        return arith::DivFOp::create(b, loc, a, divisor);
      Value one = e.constant(type, 1);
      divisor = arith::MaxSIOp::create(b, loc, divisor, one);
      return isUnsigned
                 ? arith::DivUIOp::create(b, loc, a, divisor).getResult()
                 : arith::DivSIOp::create(b, loc, a, divisor).getResult();
    }
    case ReduceKind::L2:
      return viaFloat(
          a, [&](Value x) -> Value { return math::SqrtOp::create(b, loc, x); });
    case ReduceKind::LogSum:
      return viaFloat(
          a, [&](Value x) -> Value { return math::LogOp::create(b, loc, x); });
    default:
      return a;
    }
  }
};

/// Dims of the reduced axes, and a map from (kept indices, reduced indices) to
/// the operand's indices.
struct Axes {
  SmallVector<int64_t> reduced;
  Dims extents;
  bool keepdims;
  Axes(Value x, ArrayRef<int64_t> axes, bool keepdims)
      : reduced(axes), keepdims(keepdims) {
    for (int64_t axis : axes)
      extents.push_back(getDim(x.getType(), axis));
  }
  Indices operand(Value x, ArrayRef<Value> kept, ArrayRef<Value> inner) const {
    Indices result;
    size_t next = 0, from = 0;
    for (int64_t i = 0, rank = getDims(x.getType()).size(); i < rank; ++i) {
      if (llvm::is_contained(reduced, i)) {
        result.push_back(inner[next++]);
        from += keepdims;
      } else {
        result.push_back(kept[from++]);
      }
    }
    return result;
  }
};

Value sumExpLog(KernelEmitter &e, ReduceOp op, const Axes &axes,
                ArrayRef<Value> indices, Reducer &reducer) {
  // log(sum(exp(x - max))) + max, with max 0 where it is not finite.
  OpBuilder &b = e.b;
  Location loc = e.loc;
  auto at = [&](ArrayRef<Value> inner) {
    return e.wideElement(op.getX(), axes.operand(op.getX(), indices, inner));
  };
  double inf = std::numeric_limits<double>::infinity();
  Value start = e.constant(reducer.type, -inf);
  Value max = e.reduceNest(
      axes.extents, start, [&](ArrayRef<Value> inner, ValueRange a) {
        return SmallVector<Value>{
            arith::MaximumFOp::create(b, loc, a[0], at(inner))};
      })[0];
  Value finite = arith::CmpFOp::create(b, loc, arith::CmpFPredicate::OLT,
                                       math::AbsFOp::create(b, loc, max),
                                       e.constant(reducer.type, inf));
  Value shift =
      arith::SelectOp::create(b, loc, finite, max, e.constant(reducer.type, 0));
  Value sum =
      e.reduceNest(axes.extents, e.constant(reducer.type, 0),
                   [&](ArrayRef<Value> inner, ValueRange a) {
                     Value x = arith::SubFOp::create(b, loc, at(inner), shift);
                     return SmallVector<Value>{
                         reducer.add(a[0], math::ExpOp::create(b, loc, x))};
                   })[0];
  return arith::AddFOp::create(b, loc, math::LogOp::create(b, loc, sum), shift);
}

Value emitReduce(KernelEmitter &e, ReduceOp op, ArrayRef<Value> indices) {
  Reducer reducer(e, op);
  Axes axes(op.getX(), op.getAxes(), op.getKeepdims());
  Type result = cast<RankedTensorType>(op.getType()).getElementType();
  if (op.getKind() == ReduceKind::LogSumExp && reducer.isFloat)
    return convertScalar(e, sumExpLog(e, op, axes, indices, reducer),
                         reducer.type, result);
  Value sum = e.reduceNest(
      axes.extents, reducer.init(), [&](ArrayRef<Value> inner, ValueRange a) {
        Value x =
            e.wideElement(op.getX(), axes.operand(op.getX(), indices, inner));
        return SmallVector<Value>{reducer.step(a[0], x)};
      })[0];
  Value value = reducer.finish(sum);
  return convertScalar(e, value, value.getType(), result);
}

Value emitArgReduce(KernelEmitter &e, ArgReduceOp op, ArrayRef<Value> indices) {
  OpBuilder &b = e.b;
  Location loc = e.loc;
  Axes axes(op.getX(), {static_cast<int64_t>(op.getAxis())}, op.getKeepdims());
  Type element = cast<RankedTensorType>(op.getX().getType()).getElementType();
  auto at = [&](Value i) {
    return e.wideElement(op.getX(), axes.operand(op.getX(), indices, i));
  };
  bool isMax = op.getKind() == ReduceKind::Max, last = op.getSelectLast();
  // The first NaN wins over everything, as in numpy.
  auto better = [&](Value x, Value best) -> Value {
    if (isa<FloatType>(x.getType())) {
      auto predicate =
          isMax
              ? (last ? arith::CmpFPredicate::OGE : arith::CmpFPredicate::OGT)
              : (last ? arith::CmpFPredicate::OLE : arith::CmpFPredicate::OLT);
      Value wins = arith::CmpFOp::create(b, loc, predicate, x, best);
      Value xNaN =
          arith::CmpFOp::create(b, loc, arith::CmpFPredicate::UNO, x, x);
      Value bestNumber =
          arith::CmpFOp::create(b, loc, arith::CmpFPredicate::ORD, best, best);
      return arith::OrIOp::create(
          b, loc, wins, arith::AndIOp::create(b, loc, xNaN, bestNumber));
    }
    using P = arith::CmpIPredicate;
    bool isUnsigned = isUnsignedType(element);
    P max = isUnsigned ? (last ? P::uge : P::ugt) : (last ? P::sge : P::sgt);
    P min = isUnsigned ? (last ? P::ule : P::ult) : (last ? P::sle : P::slt);
    return arith::CmpIOp::create(b, loc, isMax ? max : min, x, best);
  };
  // No element yet: the first one wins. An empty axis gives index 0.
  Value none = e.index(-1);
  auto step = [&](Value i, ValueRange a) {
    Value x = at(i);
    Value first = e.compare(arith::CmpIPredicate::eq, a[1], none);
    Value wins = arith::OrIOp::create(b, loc, first, better(x, a[0]));
    return SmallVector<Value>{arith::SelectOp::create(b, loc, wins, x, a[0]),
                              arith::SelectOp::create(b, loc, wins, i, a[1])};
  };
  Type wide = element.isF16() || element.isBF16() ? Type(b.getF32Type())
                                                  : getScalarType(element);
  auto result = e.reduceLoop(e.index(0), e.size(axes.extents[0]),
                             ValueRange{e.constant(wide, 0), none}, step);
  Value index = e.maximum(result[1], e.index(0));
  return arith::IndexCastOp::create(b, loc, b.getI64Type(), index);
}

} // namespace

namespace effc {

Value emitReduction(KernelEmitter &e, Operation *op, ArrayRef<Value> indices) {
  if (auto reduce = dyn_cast<ReduceOp>(op))
    return emitReduce(e, reduce, indices);
  if (auto reduce = dyn_cast<ArgReduceOp>(op))
    return emitArgReduce(e, reduce, indices);
  return {};
}

/// Reductions of inner axes other than the last (NHWC pooling of a whole map):
/// a block of the last dim is accumulated in scratch while the reduced axes are
/// walked in memory order.
LogicalResult emitReduceKernel(KernelEmitter &e, Operation *anchor) {
  constexpr int64_t block = 64;
  auto op = dyn_cast<ReduceOp>(anchor);
  if (!op || op.getKind() == ReduceKind::LogSumExp)
    return failure();
  Dims dims = getDims(op.getX().getType());
  int64_t last = dims.size() - 1;
  ArrayRef<int64_t> axes = op.getAxes();
  // Only axes [first, last) are reduced, and all of them; the result is yielded
  // as it is or through elementwise ops.
  if (axes.empty() || axes.back() != last - 1 ||
      axes.back() - axes.front() + 1 != static_cast<int64_t>(axes.size()) ||
      !op.getKeepdims() || e.getKernel().getNumResults() != 1)
    return failure();
  Reducer reducer(e, op);
  Axes reduced(op.getX(), axes, /*keepdims=*/true);
  Dims outer(dims.begin(), dims.begin() + axes.front());
  AffineExpr blocks = dims[last].ceilDiv(block);
  outer.push_back(blocks);
  e.setExtent(product(e.b.getContext(), outer));
  Value acc = e.scratch(reducer.type, e.constExpr(block));
  e.parallelLoop([&](Value item) {
    Indices at = e.delinearize(item, outer);
    Value begin = e.mul(at.back(), e.index(block));
    Value count = e.minimum(e.index(block), e.sub(e.size(dims[last]), begin));
    e.loop(count, [&](Value i) { e.storeFlat(reducer.init(), acc, i); });
    e.loopNest(reduced.extents, [&](ArrayRef<Value> inner) {
      e.loop(count, [&](Value i) {
        Indices operand(at.begin(), at.end() - 1);
        llvm::append_range(operand, inner);
        operand.push_back(e.add(begin, i));
        Value old = e.loadFlat(acc, i, reducer.type);
        e.storeFlat(reducer.step(old, e.wideElement(op.getX(), operand)), acc,
                    i);
      });
    });
    e.loop(count, [&](Value i) {
      Type result = cast<RankedTensorType>(op.getType()).getElementType();
      e.bind(op.getResult(), [&, i](ArrayRef<Value>) {
        Value sum = reducer.finish(e.loadFlat(acc, i, reducer.type));
        return convertScalar(e, sum, sum.getType(), result);
      });
      Indices out(at.begin(), at.end() - 1);
      out.append(axes.size(), e.index(0));
      out.push_back(e.add(begin, i));
      e.store(e.element(e.getYielded(0), out), 0, out);
    });
  });
  return success();
}

} // namespace effc
