// Determinants by Gaussian elimination with partial pivoting (Golub and Van
// Loan, Matrix Computations, 3.4), in f64 in a thread's scratch.
#include "Sampling.h"

using namespace mlir;
using namespace effc;
using namespace effc::eff;

namespace {

class Eliminator {
public:
  Eliminator(KernelEmitter &e, DetOp op)
      : e(e), op(op), at(e, e.b.getF64Type()),
        size(getDims(op.getX().getType()).back()),
        matrix(e.scratch(at.type, simplify(size * size))), n(e.size(size)) {}

  LogicalResult emit();

private:
  Value load(Value row, Value column) {
    return e.loadFlat(matrix, e.add(e.mul(row, n), column), at.type);
  }
  void store(Value x, Value row, Value column) {
    e.storeFlat(x, matrix, e.add(e.mul(row, n), column));
  }
  Value pivotRow(Value k);
  void eliminate(Value k, Value pivot);

  KernelEmitter &e;
  DetOp op;
  Coordinates at;
  AffineExpr size;
  Value matrix, n;
};

} // namespace

/// The row from k on with the largest element in column k; a NaN there wins, so
/// that it reaches the result.
Value Eliminator::pivotRow(Value k) {
  Value none = at.number(-1);
  return e.reduceLoop(k, n, ValueRange{none, k}, [&](Value row, ValueRange a) {
    Value x = math::AbsFOp::create(e.b, e.loc, load(row, k));
    Value wins =
        arith::CmpFOp::create(e.b, e.loc, arith::CmpFPredicate::UGT, x, a[0]);
    return SmallVector<Value>{at.select(wins, x, a[0]),
                              at.select(wins, row, a[1])};
  })[1];
}

/// Subtracts multiples of row k from those below; nothing when the pivot is 0,
/// since the determinant is then.
void Eliminator::eliminate(Value k, Value pivot) {
  Value zero = at.number(0);
  Value isZero =
      arith::CmpFOp::create(e.b, e.loc, arith::CmpFPredicate::OEQ, pivot, zero);
  Value next = e.add(k, e.index(1));
  e.loop(next, n, 1, [&](Value row) {
    Value factor = at.select(isZero, zero, at.div(load(row, k), pivot));
    e.loop(next, n, 1, [&](Value column) {
      store(at.sub(load(row, column), at.mul(factor, load(k, column))), row,
            column);
    });
  });
}

LogicalResult Eliminator::emit() {
  Dims outer = getDims(op.getType());
  Type element = cast<RankedTensorType>(op.getType()).getElementType();
  e.setExtent(product(e.b.getContext(), outer));
  e.parallelLoop([&](Value item) {
    KernelEmitter::Indices which = e.delinearize(item, outer);
    e.loopNest({size, size}, [&](ArrayRef<Value> index) {
      KernelEmitter::Indices full(which);
      llvm::append_range(full, index);
      Value x = e.element(op.getX(), full);
      store(convertScalar(e, x, element, at.type), index[0], index[1]);
    });
    Value result =
        e.reduceLoop(e.index(0), n, at.number(1), [&](Value k, ValueRange a) {
          Value row = pivotRow(k);
          // Swapped with itself nothing changes.
          e.loop(k, n, 1, [&](Value column) {
            Value x = load(k, column), y = load(row, column);
            store(y, k, column);
            store(x, row, column);
          });
          Value pivot = load(k, k);
          Value swapped = e.compare(arith::CmpIPredicate::ne, row, k);
          Value negative = arith::NegFOp::create(e.b, e.loc, a[0]);
          eliminate(k, pivot);
          return SmallVector<Value>{
              at.mul(at.select(swapped, negative, a[0]), pivot)};
        })[0];
    e.store(convertScalar(e, result, at.type, element), 0, which);
  });
  return success();
}

LogicalResult effc::emitDetKernel(KernelEmitter &e, Operation *anchor) {
  if (auto det = dyn_cast<DetOp>(anchor))
    return Eliminator(e, det).emit();
  return failure();
}
