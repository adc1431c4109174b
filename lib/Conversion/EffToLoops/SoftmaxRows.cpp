// Softmax of a block of scores in vectors, several rows in step so that the
// latencies of one hide behind the others. Exponentials are to the base 2; the
// division by the sum is left to whoever reads the weights.
#include "Gemm.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;
using namespace effc;

namespace {

struct SoftmaxRows {
  KernelEmitter &e;
  Value scores, results, visible;
  VectorType type;
  SmallVector<Value> bases; ///< of the rows
  Value whole;              ///< scores in whole vectors
  Value mask;               ///< lanes of the last vector
  OpBuilder &b;
  Location loc;

  SoftmaxRows(KernelEmitter &e, const SoftmaxBuffers &buffers, Value visible)
      : e(e), scores(buffers.scores), results(buffers.weights),
        visible(visible),
        type(VectorType::get(e.options.target.getVectorBits() / 32,
                             e.b.getF32Type())),
        b(e.b), loc(e.loc) {
    Value left = e.rem(visible, e.index(lanes()));
    whole = e.sub(visible, left);
    mask = vector::CreateMaskOp::create(
        b, loc, VectorType::get(lanes(), b.getI1Type()), left);
  }
  int64_t lanes() const { return type.getNumElements(); }
  Value splat(Value scalar) const {
    return vector::BroadcastOp::create(b, loc, type, scalar);
  }
  Value splat(double value) const {
    return splat(e.constant(b.getF32Type(), value));
  }
  Value load(Value base, Value at) const {
    return vector::LoadOp::create(b, loc, type, scores, e.add(base, at));
  }

  using Step = llvm::function_ref<Value(unsigned row, Value at, Value scores,
                                        Value carried)>;

  /// Carries a vector for each row over its scores, -infinity behind the last.
  SmallVector<Value> overScores(double init, Step step) const {
    SmallVector<Value> start(bases.size(), splat(init));
    auto stepRows = [&](Value at, ValueRange carried, bool last) {
      SmallVector<Value> next;
      for (auto [row, base] : llvm::enumerate(bases)) {
        Value x = load(base, at);
        if (last)
          x = arith::SelectOp::create(
              b, loc, mask, x, splat(-std::numeric_limits<double>::infinity()));
        next.push_back(step(row, at, x, carried[row]));
      }
      return next;
    };
    SmallVector<Value> sums = e.reduceLoop(
        e.index(0), e.div(whole, e.index(lanes())), start,
        [&](Value i, ValueRange carried) {
          return stepRows(e.mul(i, e.index(lanes())), carried, false);
        });
    Value rest = e.compare(arith::CmpIPredicate::ult, whole, visible);
    auto ifOp = scf::IfOp::create(b, loc, TypeRange(ValueRange(sums)), rest,
                                  /*withElseRegion=*/true);
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(ifOp.elseBlock());
    scf::YieldOp::create(b, loc, sums);
    b.setInsertionPointToStart(ifOp.thenBlock());
    scf::YieldOp::create(b, loc, stepRows(whole, sums, true));
    return SmallVector<Value>(ifOp.getResults());
  }

  Value reduce(vector::CombiningKind kind, Value vector,
               arith::FastMathFlags flags) const {
    return vector::ReductionOp::create(b, loc, kind, vector, flags);
  }

  SmallVector<Value> maxima(bool zeroMasked) const {
    Value lowest =
        e.constant(b.getF32Type(), -std::numeric_limits<double>::infinity());
    auto flags = arith::FastMathFlags::nnan | arith::FastMathFlags::nsz;
    SmallVector<Value> result;
    for (Value max : overScores(-std::numeric_limits<double>::infinity(),
                                [&](unsigned, Value, Value x, Value carried) {
                                  return e.runningMax(carried, x);
                                })) {
      max = reduce(vector::CombiningKind::MAXNUMF, max, flags);
      if (zeroMasked) {
        Value none = arith::CmpFOp::create(b, loc, arith::CmpFPredicate::OEQ,
                                           max, lowest);
        max = arith::SelectOp::create(b, loc, none,
                                      e.constant(b.getF32Type(), 0), max);
      }
      result.push_back(splat(max));
    }
    return result;
  }

  void store(Value weight, Value at) const {
    Type element = cast<MemRefType>(results.getType()).getElementType();
    if (element != type.getElementType())
      weight = arith::TruncFOp::create(
          b, loc, VectorType::get(lanes(), element), weight);
    vector::StoreOp::create(b, loc, weight, results, at);
  }

  /// Stores the weights; 1 / their sum for each row.
  SmallVector<Value> weights(ArrayRef<Value> maxima, bool zeroMasked) const {
    Value log2e = splat(1.4426950408889634);
    SmallVector<Value> result;
    Value one = e.constant(b.getF32Type(), 1);
    for (Value sum : overScores(
             0, [&](unsigned row, Value at, Value x, Value carried) -> Value {
               Value shifted = arith::SubFOp::create(b, loc, x, maxima[row]);
               Value scaled = arith::MulFOp::create(b, loc, shifted, log2e);
               Value weight = math::Exp2Op::create(b, loc, scaled);
               store(weight, e.add(bases[row], at));
               return arith::AddFOp::create(b, loc, carried, weight);
             })) {
      Value total = reduce(vector::CombiningKind::ADD, sum,
                           arith::FastMathFlags::reassoc);
      if (zeroMasked) {
        Value none =
            arith::CmpFOp::create(b, loc, arith::CmpFPredicate::OEQ, total,
                                  e.constant(b.getF32Type(), 0));
        total = arith::SelectOp::create(b, loc, none, one, total);
      }
      result.push_back(arith::DivFOp::create(b, loc, one, total));
    }
    return result;
  }
};

} // namespace

void effc::emitSoftmaxRows(KernelEmitter &e, const SoftmaxBuffers &buffers,
                           Value rows, Value visible, bool zeroMasked) {
  SoftmaxRows softmax(e, buffers, visible);
  e.loop(e.index(0), rows, softmaxRows, [&](Value first) {
    softmax.bases.clear();
    for (int64_t i = 0; i < softmaxRows; ++i)
      softmax.bases.push_back(e.mul(e.add(first, e.index(i)), buffers.stride));
    SmallVector<Value> maxima = softmax.maxima(zeroMasked);
    for (auto [i, inverse] :
         llvm::enumerate(softmax.weights(maxima, zeroMasked)))
      e.storeFlat(inverse, buffers.inverses, e.add(first, e.index(i)));
  });
}
