// Products of two computed matrices as tile ops, one of a batch after the
// other. What the tile cannot read where it lies is copied into scratch first:
// a transposed left side whole, the right side a panel at a time.
#include "Gemm.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"

using namespace mlir;
using namespace effc;
using namespace effc::eff;

using Indices = KernelEmitter::Indices;

namespace {

class BatchedMatmul {
public:
  BatchedMatmul(KernelEmitter &e, MatmulOp op, GemmTypes types,
                EpilogueEmitter &epilogue)
      : e(e), op(op), epilogue(epilogue), a(getDims(op.getA().getType())),
        b(getDims(op.getB().getType())), batch(getDims(op.getType())) {
    columns = batch.pop_back_val();
    rows = batch.pop_back_val();
    depth = a[a.size() - (op.getTransposeA() ? 2 : 1)];
    tile = chooseGemmTile(e.options.target, getConstant(rows),
                          getConstant(columns).value_or(64),
                          getConstant(depth).value_or(64), 0, types);
  }
  void emit();

private:
  void describe();
  Value base(ArrayRef<AffineExpr> dims, ArrayRef<Value> at);
  void setA(Value base);
  void emitProduct(Value item);
  void emitPanels();
  void emitPanel(Value item, Value panel);
  void setPosition(Value item, Value column);

  AffineExpr product(ArrayRef<AffineExpr> dims) const {
    return eff::product(e.b.getContext(), dims);
  }
  Type storageOf(Value tensor) const {
    return getStorageType(getElementTypeOrSelf(tensor.getType()));
  }

  KernelEmitter &e;
  MatmulOp op;
  EpilogueEmitter &epilogue;
  Dims a, b, batch;
  AffineExpr rows, columns, depth;
  TileChoice tile;
  effk::GemmDescription gemm;
  Value aPacked, bPacked;
};

} // namespace

/// What is the same for every product.
void BatchedMatmul::describe() {
  setTile(gemm, tile);
  gemm.rowSizes = {e.size(rows)};
  gemm.rowStrides = {e.size(depth)};
  gemm.run = e.size(depth);
  gemm.c = e.getResultBuffer(0);
  gemm.cStride = e.size(columns);
  gemm.lo = e.index(0);
  if (op.getTransposeA())
    aPacked = e.scratch(storageOf(op.getA()), simplify(rows * depth));
  if (!op.getTransposeB() && tile.interleave == 1)
    return;
  AffineExpr filled = depth.ceilDiv(tile.interleave) * tile.interleave;
  bPacked = e.scratch(storageOf(op.getB()), simplify(filled * tile.width));
}

/// Where the operand's matrix of this product begins; dims of 1 broadcast.
Value BatchedMatmul::base(ArrayRef<AffineExpr> dims, ArrayRef<Value> at) {
  Indices own;
  ArrayRef<AffineExpr> outer = dims.drop_back(2);
  size_t skipped = at.size() - outer.size();
  for (size_t i = 0; i < outer.size(); ++i)
    own.push_back(e.repeated(outer[i], batch[skipped + i], at[skipped + i]));
  return e.mul(e.linearize(own, outer), e.size(product(dims.take_back(2))));
}

void BatchedMatmul::setA(Value base) {
  gemm.a = e.getBuffer(op.getA());
  gemm.rowBase = base;
  if (!aPacked)
    return;
  e.loop(e.size(rows), [&](Value m) {
    e.loop(e.size(depth), [&](Value k) {
      Value from = e.add(base, e.add(e.mul(k, e.size(rows)), m));
      Value x = memref::LoadOp::create(e.b, e.loc, gemm.a, from);
      e.storeFlat(x, aPacked, e.add(e.mul(m, e.size(depth)), k));
    });
  });
  gemm.a = aPacked;
  gemm.rowBase = e.index(0);
}

/// Where the results of product `item` from a column on lie.
void BatchedMatmul::setPosition(Value item, Value column) {
  Value first = e.mul(item, e.size(rows));
  gemm.cBase = e.add(e.mul(first, gemm.cStride), column);
  gemm.epilogueInputs = epilogue.inputs(first, column, gemm.cStride);
}

/// All of a product whose right side is read where it lies.
void BatchedMatmul::emitProduct(Value item) {
  Indices at = e.delinearize(item, batch);
  setA(base(a, at));
  gemm.b = e.getBuffer(op.getB());
  gemm.bBase = base(b, at);
  gemm.bStride = gemm.n = e.size(columns);
  setPosition(item, e.index(0));
}

/// A panel of product `item`.
void BatchedMatmul::emitPanel(Value item, Value panel) {
  Value first = e.mul(panel, e.index(tile.width));
  // Known to be a whole panel: no masks.
  std::optional<int64_t> known = getConstant(columns);
  gemm.n = known && *known % tile.width == 0
               ? e.index(tile.width)
               : e.minimum(e.index(tile.width), e.sub(e.size(columns), first));
  MatrixAt matrix{e.getBuffer(op.getB()), base(b, e.delinearize(item, batch)),
                  op.getTransposeB() ? e.size(depth) : e.index(1),
                  op.getTransposeB() ? e.index(1) : e.size(columns), depth};
  packColumns(e, matrix, first, gemm.n, tile.width, tile.interleave, bPacked,
              e.index(0));
  gemm.b = bPacked;
  setPosition(item, first);
  createTiles(e, gemm, epilogue);
}

/// Panels are shared out, unless each would have to copy the left side.
void BatchedMatmul::emitPanels() {
  gemm.hi = e.size(simplify(rows.ceilDiv(tile.rowsPerBlock)));
  AffineExpr products = product(batch),
             panels = simplify(columns.ceilDiv(tile.width));
  auto prepare = [&](Value item) { setA(base(a, e.delinearize(item, batch))); };
  if (aPacked) {
    e.setExtent(products);
    e.parallelLoop([&](Value item) {
      prepare(item);
      e.loop(e.size(panels), [&](Value panel) { emitPanel(item, panel); });
    });
    return;
  }
  e.setExtent(simplify(products * panels));
  e.parallelLoop([&](Value number) {
    Value item = e.div(number, e.size(panels));
    prepare(item);
    emitPanel(item, e.rem(number, e.size(panels)));
  });
}

void BatchedMatmul::emit() {
  describe();
  if (bPacked)
    return emitPanels();
  AffineExpr products = product(batch);
  // A single product whose operands are read where they lie is shared out by
  // tiles instead of by products.
  if (!aPacked && getConstant(products) == 1) {
    e.setExtent(countTiles(tile, rows, columns));
    emitProduct(e.index(0));
    createWhole(e, gemm, epilogue);
    return;
  }
  gemm.hi = e.size(countTiles(tile, rows, columns));
  e.setExtent(products);
  e.parallelLoop([&](Value item) {
    emitProduct(item);
    createTiles(e, gemm, epilogue);
  });
}

LogicalResult effc::emitMatmulKernel(KernelEmitter &e, Operation *anchor) {
  auto op = dyn_cast<MatmulOp>(anchor);
  if (!op || !e.getBuffer(op.getA()) || !e.getBuffer(op.getB()))
    return failure();
  std::optional<GemmTypes> types =
      getGemmTypes(op.getA(), op.getB(), Value(), op);
  EpilogueEmitter epilogue(e, op, Value());
  if (!types || failed(epilogue.collect()))
    return failure();
  BatchedMatmul(e, op, *types, epilogue).emit();
  return success();
}

//===----------------------------------------------------------------------===//
// Packing at run time
//===----------------------------------------------------------------------===//

void effc::packColumns(KernelEmitter &e, const MatrixAt &matrix, Value first,
                       Value count, int64_t width, int64_t interleave,
                       Value panels, Value target) {
  if (packTransposedColumns(e, matrix, first, count, width, interleave, panels,
                            target) ||
      packPairsOfRows(e, matrix, first, count, width, interleave, panels,
                      target))
    return;
  Type element = cast<MemRefType>(panels.getType()).getElementType();
  Value zero = isa<FloatType>(element)
                   ? e.constant(element, 0)
                   : arith::ConstantOp::create(e.b, e.loc,
                                               e.b.getIntegerAttr(element, 0));
  Value depth = e.size(matrix.depth), group = e.index(interleave);
  Value start = e.add(matrix.base, e.mul(first, matrix.columnStride));
  // Rows [k, k + interleave) of the panel; of the matrix there are `rows`.
  auto packGroup = [&](Value k, Value rows) {
    Value row = e.add(target, e.mul(k, e.index(width)));
    e.loop(count, [&](Value n) {
      Value from = e.add(e.add(start, e.mul(n, matrix.columnStride)),
                         e.mul(k, matrix.depthStride));
      for (int64_t i = 0; i < interleave; ++i) {
        Value exists, at = from;
        if (rows) {
          exists = e.compare(arith::CmpIPredicate::ult, e.index(i), rows);
          Value offset = e.b.createOrFold<arith::SelectOp>(
              e.loc, exists, e.index(i), e.index(0));
          at = e.add(from, e.mul(offset, matrix.depthStride));
        } else {
          at = e.add(from, e.mul(e.index(i), matrix.depthStride));
        }
        Value x = memref::LoadOp::create(e.b, e.loc, matrix.memref, at);
        if (exists)
          x = arith::SelectOp::create(e.b, e.loc, exists, x, zero);
        e.storeFlat(x, panels, e.add(row, e.add(e.mul(n, group), e.index(i))));
      }
    });
    e.loop(e.mul(count, group), e.index(width * interleave), 1,
           [&](Value n) { e.storeFlat(zero, panels, e.add(row, n)); });
  };
  Value left = e.rem(depth, group), whole = e.sub(depth, left);
  e.loop(e.index(0), whole, interleave,
         [&](Value k) { packGroup(k, Value()); });
  if (interleave > 1 && getConstant(matrix.depth).value_or(1) % interleave != 0)
    e.loop(whole, depth, interleave, [&](Value k) { packGroup(k, left); });
}

void effc::packPanels(KernelEmitter &e, const MatrixAt &matrix,
                      AffineExpr columns, int64_t width, int64_t interleave,
                      Value panels) {
  AffineExpr filled = simplify(matrix.depth.ceilDiv(interleave) * interleave);
  e.loop(e.size(simplify(columns.ceilDiv(width))), [&](Value panel) {
    Value first = e.mul(panel, e.index(width));
    Value target = e.mul(first, e.size(filled));
    Value count = e.minimum(e.index(width), e.sub(e.size(columns), first));
    packColumns(e, matrix, first, count, width, interleave, panels, target);
  });
}
