// Kernels that write their result in an order of their own: scans, top-k,
// scatter. Results are stored as they are; elementwise neighbours are not
// pulled in.
#include "KernelEmitter.h"

using namespace mlir;
using namespace effc;
using namespace effc::eff;

namespace {

using Indices = KernelEmitter::Indices;

/// All dims but one, and the way back.
struct Lines {
  Dims outer;
  int64_t axis;
  Lines(Type tensor, int64_t axis) : outer(getDims(tensor)), axis(axis) {
    outer.erase(outer.begin() + axis);
  }
  Indices at(ArrayRef<Value> line, Value position) const {
    Indices indices(line);
    indices.insert(indices.begin() + axis, position);
    return indices;
  }
};

LogicalResult emitScan(KernelEmitter &e, ScanOp op) {
  Lines lines(op.getType(), op.getAxis());
  e.setExtent(product(e.b.getContext(), lines.outer));
  Type element = cast<RankedTensorType>(op.getType()).getElementType();
  bool isSum = op.getKind() == ReduceKind::Sum;
  e.parallelLoop([&](Value item) {
    Indices line = e.delinearize(item, lines.outer);
    Value extent = e.sizeOf(op.getX(), op.getAxis());
    Type type = element.isF16() || element.isBF16() ? Type(e.b.getF32Type())
                                                    : getScalarType(element);
    e.reduceLoop(
        e.index(0), extent, e.constant(type, isSum ? 0 : 1),
        [&](Value i, ValueRange a) {
          Value position =
              op.getReverse() ? e.sub(e.sub(extent, e.index(1)), i) : i;
          Indices at = lines.at(line, position);
          Value x = e.wideElement(op.getX(), at), next;
          if (isa<FloatType>(type))
            next = isSum
                       ? arith::AddFOp::create(e.b, e.loc, a[0], x).getResult()
                       : arith::MulFOp::create(e.b, e.loc, a[0], x).getResult();
          else
            next = isSum
                       ? arith::AddIOp::create(e.b, e.loc, a[0], x).getResult()
                       : arith::MulIOp::create(e.b, e.loc, a[0], x).getResult();
          e.store(
              convertScalar(e, op.getExclusive() ? a[0] : next, type, element),
              0, at);
          return SmallVector<Value>{next};
        });
  });
  return success();
}

/// One pass that counts: element by element, in row-major order.
LogicalResult emitNonZero(KernelEmitter &e, NonZeroOp op) {
  OpBuilder &b = e.b;
  Dims shape = getDims(op.getX().getType()), result = getDims(op.getType());
  e.parallelLoop([&](Value) {
    Value room = e.size(result[1]), buffer = e.getResultBuffer(0);
    Type i64 = b.getI64Type();
    auto keep = [&](Value position, ArrayRef<Value> indices) {
      for (auto [dim, index] : llvm::enumerate(indices))
        e.storeFlat(arith::IndexCastOp::create(b, e.loc, i64, index), buffer,
                    e.add(e.mul(e.index(dim), room), position));
    };
    Value count = e.reduceNest(
        shape, e.index(0), [&](ArrayRef<Value> indices, ValueRange found) {
          Value hit = e.element(op.getX(), indices);
          Value fits = e.compare(arith::CmpIPredicate::slt, found[0], room);
          Value kept = arith::AndIOp::create(b, e.loc, hit, fits);
          auto branch = scf::IfOp::create(b, e.loc, kept, /*withElse=*/false);
          {
            OpBuilder::InsertionGuard guard(b);
            b.setInsertionPointToStart(&branch.getThenRegion().front());
            keep(found[0], indices);
          }
          Value step = arith::IndexCastUIOp::create(
              b, e.loc, b.getIndexType(),
              arith::ExtUIOp::create(b, e.loc, i64, kept));
          return SmallVector<Value>{e.add(found[0], step)};
        })[0];
    e.loop(count, room, 1, [&](Value position) {
      SmallVector<Value> zeros(shape.size(), e.index(0));
      keep(position, zeros);
    });
  });
  return success();
}

/// Insertion into a sorted list of k: stable, O(n k). NaN sorts as the largest
/// value.
struct TopK {
  KernelEmitter &e;
  OpBuilder &b;
  TopKOp op;
  Lines lines;
  Type element, type;
  AffineExpr k;
  Value values, positions;

  TopK(KernelEmitter &e, TopKOp op)
      : e(e), b(e.b), op(op), lines(op.getX().getType(), op.getAxis()),
        element(cast<RankedTensorType>(op.getX().getType()).getElementType()),
        type(getScalarType(element)),
        k(getDim(op.getValues().getType(), op.getAxis())),
        values(e.scratch(type, k)), positions(e.scratch(b.getI64Type(), k)) {}

  /// Whether x goes before y: equal elements keep their order.
  Value before(Value x, Value y) {
    if (isa<FloatType>(type)) {
      auto predicate = op.getLargest() ? arith::CmpFPredicate::OGT
                                       : arith::CmpFPredicate::OLT;
      Value wins = arith::CmpFOp::create(b, e.loc, predicate, x, y);
      Value special = op.getLargest() ? x : y, other = op.getLargest() ? y : x;
      Value isNaN = arith::CmpFOp::create(b, e.loc, arith::CmpFPredicate::UNO,
                                          special, special);
      Value number = arith::CmpFOp::create(b, e.loc, arith::CmpFPredicate::ORD,
                                           other, other);
      return arith::OrIOp::create(
          b, e.loc, wins, arith::AndIOp::create(b, e.loc, isNaN, number));
    }
    using P = arith::CmpIPredicate;
    bool isUnsigned = isUnsignedType(element);
    P predicate = op.getLargest() ? (isUnsigned ? P::ugt : P::sgt)
                                  : (isUnsigned ? P::ult : P::slt);
    return arith::CmpIOp::create(b, e.loc, predicate, x, y);
  }

  /// Puts x, element `at` of the line, into the first `length` places. It is
  /// carried down the list; from where it is placed, the displaced ones go on.
  void insert(Value x, Value at, Value length, Value none) {
    auto step = [&](Value j, ValueRange carried) {
      Value oldPosition = memref::LoadOp::create(b, e.loc, positions, j);
      Value oldValue = memref::LoadOp::create(b, e.loc, values, j);
      Value empty = arith::CmpIOp::create(b, e.loc, arith::CmpIPredicate::eq,
                                          oldPosition, none);
      Value displaced = arith::CmpIOp::create(
          b, e.loc, arith::CmpIPredicate::ne, carried[1], at);
      Value wins = arith::OrIOp::create(b, e.loc, displaced,
                                        before(carried[0], oldValue));
      Value place = arith::OrIOp::create(b, e.loc, empty, wins);
      auto pick = [&](Value yes, Value no) -> Value {
        return arith::SelectOp::create(b, e.loc, place, yes, no);
      };
      e.storeFlat(pick(carried[0], oldValue), values, j);
      e.storeFlat(pick(carried[1], oldPosition), positions, j);
      return SmallVector<Value>{pick(oldValue, carried[0]),
                                pick(oldPosition, carried[1])};
    };
    e.reduceLoop(e.index(0), length, ValueRange{x, at}, step);
  }

  void emitLine(ArrayRef<Value> line) {
    Value limit = e.size(k), one = e.index(1),
          none = e.constant(b.getI64Type(), -1);
    e.loop(limit, [&](Value i) { e.storeFlat(none, positions, i); });
    e.loop(e.sizeOf(op.getX(), op.getAxis()), [&](Value i) {
      Value x = e.element(op.getX(), lines.at(line, i));
      Value at = arith::IndexCastOp::create(b, e.loc, b.getI64Type(), i);
      insert(x, at, e.minimum(limit, e.add(i, one)), none);
    });
    e.loop(limit, [&](Value i) {
      Indices at = lines.at(line, i);
      Value value = memref::LoadOp::create(b, e.loc, values, i);
      if (element.isInteger(1))
        value = convertScalar(e, value, value.getType(), element);
      e.store(value, 0, at);
      e.store(memref::LoadOp::create(b, e.loc, positions, i), 1, at);
    });
  }
};

LogicalResult emitTopK(KernelEmitter &e, TopKOp op) {
  TopK topK(e, op);
  e.setExtent(product(e.b.getContext(), topK.lines.outer));
  e.parallelLoop([&](Value item) {
    topK.emitLine(e.delinearize(item, topK.lines.outer));
  });
  return success();
}

Value combine(KernelEmitter &e, ScatterKind kind, Value old, Value update,
              bool isUnsigned) {
  OpBuilder &b = e.b;
  bool isFloat = isa<FloatType>(old.getType());
  switch (kind) {
  case ScatterKind::None:
    return update;
  case ScatterKind::Add:
    return isFloat ? arith::AddFOp::create(b, e.loc, old, update).getResult()
                   : arith::AddIOp::create(b, e.loc, old, update).getResult();
  case ScatterKind::Mul:
    return isFloat ? arith::MulFOp::create(b, e.loc, old, update).getResult()
                   : arith::MulIOp::create(b, e.loc, old, update).getResult();
  case ScatterKind::Max:
    if (isFloat)
      return arith::MaximumFOp::create(b, e.loc, old, update);
    return isUnsigned
               ? arith::MaxUIOp::create(b, e.loc, old, update).getResult()
               : arith::MaxSIOp::create(b, e.loc, old, update).getResult();
  case ScatterKind::Min:
    if (isFloat)
      return arith::MinimumFOp::create(b, e.loc, old, update);
    return isUnsigned
               ? arith::MinUIOp::create(b, e.loc, old, update).getResult()
               : arith::MinSIOp::create(b, e.loc, old, update).getResult();
  }
  return {};
}

/// An index tensor's element, wrapped and checked; `inside` says whether it may
/// be written to.
Value scatterIndex(KernelEmitter &e, Value tensor, ArrayRef<Value> at,
                   Value extent, Value &inside) {
  Value index = e.toIndex(e.element(tensor, at), false);
  Value negative = e.compare(arith::CmpIPredicate::slt, index, e.index(0));
  Value wrapped = e.b.createOrFold<arith::SelectOp>(
      e.loc, negative, e.add(index, extent), index);
  Value outside = e.compare(arith::CmpIPredicate::uge, wrapped, extent);
  e.report(outside, /*EFFRT_KERNEL_INDEX_OUT_OF_RANGE=*/1);
  Value fits = e.compare(arith::CmpIPredicate::ult, wrapped, extent);
  inside = inside ? e.b.createOrFold<arith::AndIOp>(e.loc, inside, fits) : fits;
  return wrapped;
}

/// Copies x, then applies the updates in their order: one item, so that
/// duplicates have one meaning.
template <typename Op>
LogicalResult
emitScatter(KernelEmitter &e, Op op,
            llvm::function_ref<Indices(ArrayRef<Value>, Value &)> target) {
  Type element = cast<RankedTensorType>(op.getType()).getElementType();
  Dims dims = getDims(op.getType());
  e.parallelLoop([&](Value) {
    e.loopNest(dims, [&](ArrayRef<Value> at) {
      e.store(e.element(op.getX(), at), 0, at);
    });
    e.loopNest(getDims(op.getUpdates().getType()), [&](ArrayRef<Value> at) {
      Value inside;
      Indices where = target(at, inside);
      auto write = [&] {
        Value position = e.linearize(where, dims);
        Value old = e.loadFlat(e.getResultBuffer(0), position, element);
        bool narrow = element.isF16() || element.isBF16();
        Type type = narrow ? Type(e.b.getF32Type()) : getScalarType(element);
        Value update = e.wideElement(op.getUpdates(), at);
        Value next =
            combine(e, op.getKind(), convertScalar(e, old, old.getType(), type),
                    update, isUnsignedType(element));
        e.storeFlat(narrow ? convertScalar(e, next, type, element) : next,
                    e.getResultBuffer(0), position);
      };
      if (!inside)
        return write();
      auto ifOp =
          scf::IfOp::create(e.b, e.loc, inside, /*withElseRegion=*/false);
      OpBuilder::InsertionGuard guard(e.b);
      e.b.setInsertionPointToStart(ifOp.thenBlock());
      write();
    });
  });
  return success();
}

} // namespace

LogicalResult effc::emitSequentialKernel(KernelEmitter &e, Operation *anchor) {
  return TypeSwitch<Operation *, LogicalResult>(anchor)
      .Case([&](ScanOp op) { return emitScan(e, op); })
      .Case([&](NonZeroOp op) { return emitNonZero(e, op); })
      .Case([&](TopKOp op) { return emitTopK(e, op); })
      .Case([&](ScatterElementsOp op) {
        return emitScatter(e, op, [&](ArrayRef<Value> at, Value &inside) {
          Indices where(at);
          Value extent = e.sizeOf(op.getX(), op.getAxis());
          where[op.getAxis()] =
              scatterIndex(e, op.getIndices(), at, extent, inside);
          return where;
        });
      })
      .Case([&](ScatterNDOp op) {
        Dims indexDims = getDims(op.getIndices().getType());
        int64_t outer = indexDims.size() - 1,
                tuple = *getConstant(indexDims.back());
        return emitScatter(
            e, op, [&, outer, tuple](ArrayRef<Value> at, Value &inside) {
              Indices where;
              for (int64_t i = 0; i < tuple; ++i) {
                Indices indexAt(at.take_front(outer));
                indexAt.push_back(e.index(i));
                where.push_back(scatterIndex(e, op.getIndices(), indexAt,
                                             e.sizeOf(op.getX(), i), inside));
              }
              llvm::append_range(where, at.drop_front(outer));
              return where;
            });
      })
      .Default([](Operation *) { return failure(); });
}
