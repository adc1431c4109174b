// Transposed operands of products as panels: squares of vectors are loaded by
// rows, transposed in registers by perfect shuffles (as many as the logarithm
// of their size; H. Stone, "Parallel Processing with the Perfect Shuffle",
// 1971) and stored by columns.
#include "Gemm.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;
using namespace effc;
using namespace effc::eff;

/// The columns of a square of vectors.
static SmallVector<Value> transposeSquare(KernelEmitter &e,
                                          SmallVector<Value> rows) {
  int64_t lanes = rows.size(), half = lanes / 2;
  SmallVector<int64_t> low, high;
  for (int64_t i = 0; i < half; ++i) {
    low.append({i, lanes + i});
    high.append({half + i, lanes + half + i});
  }
  SmallVector<Value> next(lanes);
  for (int64_t stage = 1; stage < lanes; stage *= 2) {
    for (int64_t i = 0; i < half; ++i) {
      Value a = rows[i], c = rows[half + i];
      next[2 * i] = vector::ShuffleOp::create(e.b, e.loc, a, c, low);
      next[2 * i + 1] = vector::ShuffleOp::create(e.b, e.loc, a, c, high);
    }
    std::swap(rows, next);
  }
  return rows;
}

namespace {

/// One panel of which each column lies in a row of memory: of f32, or of bf16
/// two by two, which move together. Steps of k are of one or two elements.
struct TransposedPanel {
  KernelEmitter &e;
  const MatrixAt &matrix;
  Value first, count;
  int64_t width, lanes, pair;
  Value panels, target;

  /// Element k of a column of the panel. The last one stands for those of a
  /// square that are not there; nobody reads what comes of them.
  Value from(Value column, Value k) const {
    Value last = e.sub(count, e.index(1));
    Value number = e.add(first, e.minimum(column, last));
    return e.add(e.add(matrix.base, e.mul(number, matrix.columnStride)), k);
  }

  /// Where the step of `k` of a column lies in the panel.
  Value to(Value column, Value k) const {
    return e.add(e.add(target, e.mul(k, e.index(width))),
                 e.mul(column, e.index(pair)));
  }

  void emitSquare(Value column, Value k) const {
    Type element = cast<MemRefType>(panels.getType()).getElementType();
    auto type = VectorType::get(lanes * pair, element);
    auto moved = VectorType::get(lanes, e.b.getF32Type());
    SmallVector<Value> rows;
    for (int64_t i = 0; i < lanes; ++i) {
      Value row = vector::LoadOp::create(e.b, e.loc, type, matrix.memref,
                                         from(e.add(column, e.index(i)), k));
      rows.push_back(e.b.createOrFold<vector::BitCastOp>(e.loc, moved, row));
    }
    rows = transposeSquare(e, rows);
    for (auto [i, vector] : llvm::enumerate(rows)) {
      Value row = e.b.createOrFold<vector::BitCastOp>(e.loc, type, vector);
      vector::StoreOp::create(e.b, e.loc, row, panels,
                              to(column, e.add(k, e.index(i * pair))));
    }
  }

  void emitStep(Value column, Value k) const {
    e.loop(e.index(lanes), [&](Value i) {
      Value number = e.add(column, i);
      for (int64_t part = 0; part < pair; ++part) {
        Value x = memref::LoadOp::create(e.b, e.loc, matrix.memref,
                                         e.add(from(number, k), e.index(part)));
        e.storeFlat(x, panels, e.add(to(number, k), e.index(part)));
      }
    });
  }

  void emit() const {
    Value depth = e.size(matrix.depth);
    int64_t square = lanes * pair;
    Value squares = e.sub(depth, e.rem(depth, e.index(square)));
    e.loop(e.index(0), count, lanes, [&](Value column) {
      e.loop(e.index(0), squares, square,
             [&](Value k) { emitSquare(column, k); });
      e.loop(squares, depth, pair, [&](Value k) { emitStep(column, k); });
    });
  }
};

/// One panel of pairs of bf16, from rows of memory that are rows of the matrix.
struct PairedPanel {
  KernelEmitter &e;
  const MatrixAt &matrix;
  Value first, count;
  int64_t width, lanes;
  Value panels, target;

  /// The elements of rows k and k + 1 in turn, of whole vectors of columns and
  /// of single columns behind them; without a second row zeros.
  void emitPair(Value k, bool hasSecond) const {
    auto element = cast<MemRefType>(panels.getType()).getElementType();
    auto type = VectorType::get(lanes, element);
    Value from = e.add(e.add(matrix.base, first), e.mul(k, matrix.depthStride));
    Value second = e.add(from, matrix.depthStride);
    Value to = e.add(target, e.mul(k, e.index(width)));
    Value zero = e.constant(element, 0);
    SmallVector<int64_t> turns;
    for (int64_t i = 0; i < lanes; ++i)
      turns.append({i, lanes + i});
    Value whole = e.sub(count, e.rem(count, e.index(lanes)));
    e.loop(e.index(0), whole, lanes, [&](Value n) {
      auto load = [&](Value at) -> Value {
        return vector::LoadOp::create(e.b, e.loc, type, matrix.memref,
                                      e.add(at, n));
      };
      Value low = load(from);
      Value high = hasSecond
                       ? load(second)
                       : vector::BroadcastOp::create(e.b, e.loc, type, zero);
      Value both = vector::ShuffleOp::create(e.b, e.loc, low, high, turns);
      vector::StoreOp::create(e.b, e.loc, both, panels,
                              e.add(to, e.mul(n, e.index(2))));
    });
    e.loop(whole, count, 1, [&](Value n) {
      Value at = e.add(to, e.mul(n, e.index(2)));
      auto load = [&](Value row) -> Value {
        return memref::LoadOp::create(e.b, e.loc, matrix.memref, e.add(row, n));
      };
      e.storeFlat(load(from), panels, at);
      e.storeFlat(hasSecond ? load(second) : zero, panels,
                  e.add(at, e.index(1)));
    });
  }

  void emit() const {
    Value depth = e.size(matrix.depth);
    Value whole = e.sub(depth, e.rem(depth, e.index(2)));
    e.loop(e.index(0), whole, 2, [&](Value k) { emitPair(k, true); });
    if (getConstant(matrix.depth).value_or(1) % 2 != 0)
      e.loop(whole, depth, 2, [&](Value k) { emitPair(k, false); });
  }
};

} // namespace

bool effc::packTransposedColumns(KernelEmitter &e, const MatrixAt &matrix,
                                 Value first, Value count, int64_t width,
                                 int64_t interleave, Value panels,
                                 Value target) {
  int64_t lanes = e.options.target.getVectorBits() / 32;
  Type element = cast<MemRefType>(panels.getType()).getElementType();
  bool pairs = element.isBF16() && interleave == 2 &&
               getConstant(matrix.depth).value_or(1) % 2 == 0;
  bool singles = element.isF32() && interleave == 1;
  if (getConstantIntValue(matrix.depthStride) != 1 || width % lanes != 0 ||
      !(singles || pairs))
    return false;
  TransposedPanel{e,     matrix,     first,  count, width,
                  lanes, interleave, panels, target}
      .emit();
  return true;
}

bool effc::packPairsOfRows(KernelEmitter &e, const MatrixAt &matrix,
                           Value first, Value count, int64_t width,
                           int64_t interleave, Value panels, Value target) {
  int64_t lanes = e.options.target.getVectorBits() / 32;
  Type element = cast<MemRefType>(panels.getType()).getElementType();
  if (getConstantIntValue(matrix.columnStride) != 1 || interleave != 2 ||
      !element.isBF16())
    return false;
  PairedPanel{e, matrix, first, count, width, lanes, panels, target}.emit();
  return true;
}
