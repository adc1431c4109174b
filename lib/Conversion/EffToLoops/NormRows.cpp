// Norms of rows that lie in memory and are stored as they come out: in
// vectors, four rows in step so that the additions, divisions and roots of one
// hide behind the others'. A row is summed in the same order whether it has
// company or not. Variance is the mean of squared differences, as in Row.cpp.
#include "NormRows.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;
using namespace effc;
using namespace effc::eff;

namespace {

constexpr int64_t rowsInStep = 4;
/// Rows of so many elements stay in L1 while they are read three times.
constexpr int64_t mostElements = 2048;

/// Sums of a row that stand side by side.
constexpr int64_t mostSums = 4;

struct NormRows {
  KernelEmitter &e;
  Value x, scale, bias, y; ///< buffers; scale and bias may be null
  int64_t count;
  double epsilon;
  bool rms;
  VectorType type;
  int64_t sums;
  SmallVector<Value> bases; ///< of the rows in step
  OpBuilder &b;
  Location loc;

  NormRows(KernelEmitter &e, int64_t count, double epsilon, bool rms)
      : e(e), count(count), epsilon(epsilon), rms(rms),
        type(VectorType::get(e.options.target.getVectorBits() / 32,
                             e.b.getF32Type())),
        b(e.b), loc(e.loc) {
    sums = mostSums;
    while (count / lanes() % sums != 0)
      sums /= 2;
  }
  int64_t lanes() const { return type.getNumElements(); }
  Value load(Value buffer, Value at) const {
    return vector::LoadOp::create(b, loc, type, buffer, at);
  }
  Value splat(Value scalar) const {
    return vector::BroadcastOp::create(b, loc, type, scalar);
  }
  Value scalar(double value) const { return e.constant(b.getF32Type(), value); }

  using Step = llvm::function_ref<Value(unsigned row, Value x, Value carried)>;

  /// A sum over each row.
  SmallVector<Value> overRows(Step step) const {
    SmallVector<Value> zeros(bases.size() * sums, splat(scalar(0)));
    SmallVector<Value> parts =
        e.reduceLoop(e.index(0), e.index(count / lanes() / sums), zeros,
                     [&](Value i, ValueRange carried) {
                       Value first = e.mul(i, e.index(sums * lanes()));
                       SmallVector<Value> next;
                       for (auto [row, base] : llvm::enumerate(bases))
                         for (int64_t part = 0; part < sums; ++part) {
                           Value at = e.add(first, e.index(part * lanes()));
                           next.push_back(step(row, load(x, e.add(base, at)),
                                               carried[row * sums + part]));
                         }
                       return next;
                     });
    SmallVector<Value> result;
    for (size_t row = 0; row < bases.size(); ++row) {
      Value sum = parts[row * sums];
      for (int64_t part = 1; part < sums; ++part)
        sum = arith::AddFOp::create(b, loc, sum, parts[row * sums + part]);
      result.push_back(
          vector::ReductionOp::create(b, loc, vector::CombiningKind::ADD, sum,
                                      arith::FastMathFlags::reassoc));
    }
    return result;
  }

  SmallVector<Value> means() const {
    SmallVector<Value> result = overRows([&](unsigned, Value x, Value sum) {
      return arith::AddFOp::create(b, loc, sum, x).getResult();
    });
    for (Value &mean : result)
      mean = splat(arith::DivFOp::create(b, loc, mean, scalar(count)));
    return result;
  }

  SmallVector<Value> inverseDeviations(ArrayRef<Value> means) const {
    SmallVector<Value> result = overRows([&](unsigned row, Value x, Value sum) {
      if (!rms)
        x = arith::SubFOp::create(b, loc, x, means[row]);
      return math::FmaOp::create(b, loc, x, x, sum).getResult();
    });
    for (Value &inverse : result) {
      Value variance = arith::DivFOp::create(b, loc, inverse, scalar(count));
      Value deviation = math::SqrtOp::create(
          b, loc, arith::AddFOp::create(b, loc, variance, scalar(epsilon)));
      inverse = splat(arith::DivFOp::create(b, loc, scalar(1), deviation));
    }
    return result;
  }

  void emitRows(ArrayRef<Value> items) {
    bases.clear();
    for (Value item : items)
      bases.push_back(e.mul(item, e.index(count)));
    SmallVector<Value> mean = rms ? SmallVector<Value>() : means();
    SmallVector<Value> inverse = inverseDeviations(mean);
    e.loop(e.index(0), e.index(count), lanes(), [&](Value at) {
      Value factor = scale ? load(scale, at) : Value(),
            shift = bias ? load(bias, at) : Value();
      for (auto [row, base] : llvm::enumerate(bases)) {
        Value value = load(x, e.add(base, at));
        if (!rms)
          value = arith::SubFOp::create(b, loc, value, mean[row]);
        value = arith::MulFOp::create(b, loc, value, inverse[row]);
        if (factor && shift)
          value = math::FmaOp::create(b, loc, value, factor, shift);
        else if (factor)
          value = arith::MulFOp::create(b, loc, value, factor);
        else if (shift)
          value = arith::AddFOp::create(b, loc, value, shift);
        vector::StoreOp::create(b, loc, value, y, e.add(base, at));
      }
    });
  }

  void emit() {
    unsigned arguments = e.getFunction().getNumArguments();
    Value lo = e.getFunction().getArgument(arguments - 3),
          hi = e.getFunction().getArgument(arguments - 2);
    Value left = e.rem(e.sub(hi, lo), e.index(rowsInStep));
    Value whole = e.sub(hi, left);
    e.loop(lo, whole, rowsInStep, [&](Value first) {
      SmallVector<Value> items;
      for (int64_t i = 0; i < rowsInStep; ++i)
        items.push_back(e.add(first, e.index(i)));
      emitRows(items);
    });
    e.loop(whole, hi, 1, [&](Value item) { emitRows(item); });
  }
};

} // namespace

bool effc::emitPlainNorm(KernelEmitter &e, const NormParts &parts) {
  if (e.options.plain || !e.getBuffer(parts.x) ||
      e.getKernel().getNumResults() != 1 || e.getYielded(0) != parts.result)
    return false;
  MLIRContext *context = e.b.getContext();
  Dims dims = getDims(parts.x.getType());
  ArrayRef<AffineExpr> inner = ArrayRef(dims).drop_front(parts.axis);
  std::optional<int64_t> count = getConstant(product(context, inner));
  int64_t lanes = e.options.target.getVectorBits() / 32;
  if (!count || *count == 0 || *count > mostElements || *count % lanes != 0)
    return false;
  for (Value tensor : {parts.x, parts.scale, parts.bias}) {
    if (!tensor)
      continue;
    auto type = cast<RankedTensorType>(tensor.getType());
    bool whole = tensor == parts.x || getDims(type) == inner;
    if (!type.getElementType().isF32() || !e.getBuffer(tensor) || !whole)
      return false;
  }
  e.setExtent(product(context, ArrayRef(dims).take_front(parts.axis)));
  NormRows rows(e, *count, parts.epsilon, parts.rms);
  rows.x = e.getBuffer(parts.x);
  rows.scale = parts.scale ? e.getBuffer(parts.scale) : Value();
  rows.bias = parts.bias ? e.getBuffer(parts.bias) : Value();
  rows.y = e.getResultBuffer(0);
  rows.emit();
  return true;
}
