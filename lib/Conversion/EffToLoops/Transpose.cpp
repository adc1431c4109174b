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

/// One panel of f32 of which each column lies in a row of memory.
struct TransposedPanel {
  KernelEmitter &e;
  const MatrixAt &matrix;
  Value first, count;
  int64_t width, lanes;
  Value panels, target;

  /// Element k of a column of the panel. The last one stands for those of a
  /// square that are not there; nobody reads what comes of them.
  Value from(Value column, Value k) const {
    Value last = e.sub(count, e.index(1));
    Value number = e.add(first, e.minimum(column, last));
    return e.add(e.add(matrix.base, e.mul(number, matrix.columnStride)), k);
  }

  void emitSquare(Value column, Value k) const {
    auto type = VectorType::get(lanes, e.b.getF32Type());
    SmallVector<Value> rows;
    for (int64_t i = 0; i < lanes; ++i)
      rows.push_back(vector::LoadOp::create(
          e.b, e.loc, type, matrix.memref, from(e.add(column, e.index(i)), k)));
    rows = transposeSquare(e, rows);
    for (auto [i, vector] : llvm::enumerate(rows)) {
      Value row = e.mul(e.add(k, e.index(i)), e.index(width));
      vector::StoreOp::create(e.b, e.loc, vector, panels,
                              e.add(e.add(target, row), column));
    }
  }

  void emitRow(Value column, Value k) const {
    Value row = e.add(e.add(target, e.mul(k, e.index(width))), column);
    e.loop(e.index(lanes), [&](Value i) {
      Value x = memref::LoadOp::create(e.b, e.loc, matrix.memref,
                                       from(e.add(column, i), k));
      e.storeFlat(x, panels, e.add(row, i));
    });
  }

  void emit() const {
    Value depth = e.size(matrix.depth);
    Value squares = e.sub(depth, e.rem(depth, e.index(lanes)));
    e.loop(e.index(0), count, lanes, [&](Value column) {
      e.loop(e.index(0), squares, lanes,
             [&](Value k) { emitSquare(column, k); });
      e.loop(squares, depth, 1, [&](Value k) { emitRow(column, k); });
    });
  }
};

} // namespace

bool effc::packTransposedColumns(KernelEmitter &e, const MatrixAt &matrix,
                                 Value first, Value count, int64_t width,
                                 Value panels, Value target) {
  int64_t lanes = e.options.target.getVectorBits() / 32;
  if (getConstantIntValue(matrix.depthStride) != 1 || width % lanes != 0 ||
      !cast<MemRefType>(panels.getType()).getElementType().isF32())
    return false;
  TransposedPanel{e, matrix, first, count, width, lanes, panels, target}.emit();
  return true;
}
