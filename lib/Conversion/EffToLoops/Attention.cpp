// Attention. The definition works by rows of scores: for each (batch, head,
// query) the scores over all keys go into scratch, become weights, and are
// applied to the values. With enough queries the same is done for blocks of
// rows with tile products: keys are packed once a head, the scores of a block
// stay in L2, nothing is rescaled (no online softmax: rows are complete). Of
// bf16 both products multiply pairs; scores are f32, weights are rounded before
// the division by their sum, values are packed once a head as well.
#include "Gemm.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include <numeric>

using namespace mlir;
using namespace effc;
using namespace effc::eff;

namespace {

using Indices = KernelEmitter::Indices;

/// Queries of one block: about so many, whole tiles of both products.
constexpr int64_t typicalBlockRows = 32, mostBlockRows = 64;
/// From how many on blocks are worth packing the keys.
constexpr int64_t minRowsForTiles = 8;

struct Attention {
  KernelEmitter &e;
  mutable AttentionOp op; // a handle: accessors are not const
  OpBuilder &b;
  bool last;
  Dims q, k, v;
  AffineExpr heads, groups, queries, keys;
  Type element, type;
  Value row, sums, lowest, zero;

  Attention(KernelEmitter &e, AttentionOp op)
      : e(e), op(op), b(e.b), last(op.getHeadsLast()),
        q(getDims(op.getQ().getType())), k(getDims(op.getK().getType())),
        v(getDims(op.getV().getType())) {
    int64_t headAxis = last ? 2 : 1, rowAxis = last ? 1 : 2;
    heads = q[headAxis];
    groups = k[headAxis];
    queries = q[rowAxis];
    keys = k[rowAxis];
    element = cast<RankedTensorType>(op.getType()).getElementType();
    type = element.isF64() ? Type(b.getF64Type()) : Type(b.getF32Type());
    lowest = e.constant(type, -std::numeric_limits<double>::infinity());
    zero = e.constant(type, 0);
  }

  /// Indices of element (batch, head, position, channel) in either layout.
  Indices place(Value batch, Value head, Value position, Value channel) const {
    return last ? Indices{batch, position, head, channel}
                : Indices{batch, head, position, channel};
  }
  Value groupOf(Value head) const {
    return e.div(head, e.size(exactDiv(heads, groups)));
  }
  /// Keys that query `position` may see: all, or up to its own place counted
  /// from the end.
  Value visibleKeys(Value position) const {
    Value all = e.size(keys);
    if (!op.getCausal())
      return all;
    Value reach =
        e.add(e.add(position, e.index(1)), e.size(simplify(keys - queries)));
    return e.maximum(e.index(0), e.minimum(all, reach));
  }

  /// Scale and softcap.
  Value scaled(Value dot) const {
    Value score = arith::MulFOp::create(
        b, e.loc, dot, e.constant(type, op.getScale().convertToDouble()));
    double cap = op.getSoftcap().convertToDouble();
    if (cap <= 0)
      return score;
    Value inner = arith::DivFOp::create(b, e.loc, score, e.constant(type, cap));
    return arith::MulFOp::create(
        b, e.loc, math::TanhOp::create(b, e.loc, inner), e.constant(type, cap));
  }
  Value masked(Value score, Value mask) const {
    if (mask.getType().isInteger(1))
      return arith::SelectOp::create(b, e.loc, mask, score, lowest);
    return arith::AddFOp::create(b, e.loc, score, mask);
  }

  /// Turns `visible` scores at `base` of a buffer into weights (not
  /// normalised); gives 1 / sum.
  Value weights(Value buffer, Value base, Value visible) const {
    auto at = [&](Value t) { return e.add(base, t); };
    Value max =
        e.reduceLoop(e.index(0), visible, lowest, [&](Value t, ValueRange a) {
          Value score = memref::LoadOp::create(b, e.loc, buffer, at(t));
          return SmallVector<Value>{e.runningMax(a[0], score)};
        })[0];
    if (op.getZeroMaskedRows()) {
      Value none = arith::CmpFOp::create(b, e.loc, arith::CmpFPredicate::OEQ,
                                         max, lowest);
      max = arith::SelectOp::create(b, e.loc, none, zero, max);
    }
    Value total =
        e.reduceLoop(e.index(0), visible, zero, [&](Value t, ValueRange a) {
          Value shifted = arith::SubFOp::create(
              b, e.loc, memref::LoadOp::create(b, e.loc, buffer, at(t)), max);
          Value weight = math::ExpOp::create(b, e.loc, shifted);
          e.storeFlat(weight, buffer, at(t));
          return SmallVector<Value>{
              arith::AddFOp::create(b, e.loc, a[0], weight, e.sumFlags())};
        })[0];
    if (op.getZeroMaskedRows()) {
      Value none = arith::CmpFOp::create(b, e.loc, arith::CmpFPredicate::OEQ,
                                         total, zero);
      total =
          arith::SelectOp::create(b, e.loc, none, e.constant(type, 1), total);
    }
    return arith::DivFOp::create(b, e.loc, e.constant(type, 1), total);
  }

  /// The scores' sizes along the dims of the mask.
  Dims maskedDims() const {
    Dims scores = {q[0], heads, queries, keys};
    size_t rank = getDims(op.getMask().getType()).size();
    return Dims(scores.end() - rank, scores.end());
  }
  Indices maskIndices(ArrayRef<Value> score) const {
    Dims dims = getDims(op.getMask().getType()), to = maskedDims();
    Indices at;
    for (size_t i = 0; i < dims.size(); ++i)
      at.push_back(
          e.repeated(dims[i], to[i], score[score.size() - dims.size() + i]));
    return at;
  }
  /// The mask has an element for each key, next to each other.
  bool maskRunsAlongKeys() const {
    Dims dims = getDims(op.getMask().getType());
    return e.getBuffer(op.getMask()) && !dims.empty() &&
           getConstant(dims.back()) != 1 && !mayBeRepeated(dims.back(), keys);
  }

  Value maskElement(ArrayRef<Value> score) const {
    return e.wideElement(op.getMask(), maskIndices(score));
  }

  void emitRow(Value batch, Value head, Value position) {
    Value group = groupOf(head), visible = visibleKeys(position);
    auto flags = e.sumFlags();
    e.loop(visible, [&](Value t) {
      Value dot = e.reduceLoop(
          e.index(0), e.size(q[3]), zero, [&](Value d, ValueRange acc) {
            Value x = e.wideElement(op.getQ(), place(batch, head, position, d));
            Value y = e.wideElement(op.getK(), place(batch, group, t, d));
            Value product = arith::MulFOp::create(b, e.loc, x, y, flags);
            return SmallVector<Value>{
                arith::AddFOp::create(b, e.loc, acc[0], product, flags)};
          })[0];
      Value score = scaled(dot);
      if (op.getMask())
        score = masked(score, maskElement({batch, head, position, t}));
      e.storeFlat(score, row, t);
    });
    Value inverse = weights(row, e.index(0), visible);
    e.loop(e.size(v[3]), [&](Value d) { e.storeFlat(zero, sums, d); });
    e.loop(visible, [&](Value t) {
      Value weight = memref::LoadOp::create(b, e.loc, row, t);
      e.loop(e.size(v[3]), [&](Value d) {
        Value x = e.wideElement(op.getV(), place(batch, group, t, d));
        Value old = memref::LoadOp::create(b, e.loc, sums, d);
        Value product =
            arith::MulFOp::create(b, e.loc, weight, x, e.mathFlags());
        e.storeFlat(
            arith::AddFOp::create(b, e.loc, old, product, e.mathFlags()), sums,
            d);
      });
    });
    e.loop(e.size(v[3]), [&](Value d) {
      Value y = arith::MulFOp::create(
          b, e.loc, memref::LoadOp::create(b, e.loc, sums, d), inverse);
      e.store(convertScalar(e, y, type, element), 0,
              place(batch, head, position, d));
    });
  }

  // ---- Blocks of rows ----

  /// Start of (batch, head) and distance between positions in a tensor of these
  /// dims.
  std::pair<Value, Value> matrix(const Dims &dims, Value batch,
                                 Value head) const {
    MLIRContext *context = b.getContext();
    Value sample =
        e.mul(batch, e.size(product(context, ArrayRef(dims).drop_front())));
    AffineExpr step = last ? dims[3] : simplify(dims[2] * dims[3]);
    AffineExpr stride = last ? simplify(dims[2] * dims[3]) : dims[3];
    return {e.add(sample, e.mul(head, e.size(step))), e.size(stride)};
  }

  /// The mask as an epilogue input for the rows from `first` on; fails when it
  /// does not run along the keys.
  FailureOr<effk::EpilogueInput> maskInput(Value batch, Value head,
                                           Value first) const {
    if (!maskRunsAlongKeys())
      return failure();
    Dims dims = getDims(op.getMask().getType());
    Indices at = maskIndices({batch, head, first, e.index(0)});
    AffineExpr rows = dims.size() < 2 ? e.constExpr(1) : dims[dims.size() - 2];
    bool perRow = getConstant(rows) != 1;
    Value stride =
        perRow ? e.repeated(rows, queries, e.size(dims.back())) : Value();
    effk::EpilogueInput input{e.getBuffer(op.getMask()),
                              perRow ? effk::EpilogueMap::Element
                                     : effk::EpilogueMap::Column,
                              e.linearize(at, dims), stride};
    return input;
  }

  Value countTiles(const TileChoice &tile, Value rows, Value columns) const {
    auto ceil = [&](Value x, int64_t d) {
      return e.div(e.add(x, e.index(d - 1)), e.index(d));
    };
    return e.mul(ceil(columns, tile.width), ceil(rows, tile.rowsPerBlock));
  }

  void setTile(effk::GemmDescription &gemm, const TileChoice &tile, Value rows,
               Value columns) const {
    gemm.tileRows = tile.rows;
    gemm.tileWidth = tile.width;
    gemm.rowsPerBlock = tile.rowsPerBlock;
    gemm.rowsOuter = tile.rowsOuter;
    gemm.interleave = tile.interleave;
    gemm.rowSizes = {rows};
    gemm.n = columns;
    gemm.lo = e.index(0);
    gemm.hi = countTiles(tile, rows, columns);
  }

  struct Buffers {
    TileChoice scoreTile, valueTile;
    /// `weights` is `scores` where both are f32; no panels of values that are
    /// read where they lie.
    Value keyPanels, valuePanels, scores, weights, inverses;
    AffineExpr stride; ///< of the rows of scores and weights
    int64_t rows = 0;  ///< of a block
  };

  /// What both products multiply, if there are tiles for it.
  std::optional<GemmTypes> getTypes() const {
    Value all[] = {op.getQ(), op.getK(), op.getV()};
    if (isTileable(all))
      return GemmTypes::F32;
    bool bf16 = llvm::all_of(all, [](Value value) {
      return getElementTypeOrSelf(value.getType()).isBF16();
    });
    if (bf16 && getInterleave(e.options.target, GemmTypes::BF16) == 2)
      return GemmTypes::BF16;
    return std::nullopt;
  }

  bool canTile() const {
    bool buffers = e.getBuffer(op.getQ()) && e.getBuffer(op.getK()) &&
                   e.getBuffer(op.getV());
    bool mask = !op.getMask() || maskRunsAlongKeys();
    std::optional<int64_t> rows = getConstant(queries);
    return !e.options.plain && buffers && mask && getTypes() &&
           getConstant(q[3]) && getConstant(v[3]) &&
           (!rows || *rows >= minRowsForTiles);
  }

  static int64_t chooseBlockRows(const TileChoice &scores,
                                 const TileChoice &values) {
    int64_t unit = std::lcm(softmaxRows, std::lcm(scores.rows, values.rows));
    int64_t rows = llvm::divideCeil(typicalBlockRows, unit) * unit;
    return rows <= mostBlockRows ? rows : typicalBlockRows;
  }

  Buffers makeBuffers() {
    Buffers buffers;
    eff::TargetAttr target = e.options.target;
    GemmTypes types = *getTypes();
    auto chooseTile = [&](int64_t n, int64_t k) {
      return chooseGemmTile(target, typicalBlockRows, n, k, 0, types);
    };
    int64_t typicalKeys = getConstant(keys).value_or(1024);
    buffers.scoreTile = chooseTile(typicalKeys, *getConstant(q[3]));
    buffers.valueTile = chooseTile(*getConstant(v[3]), typicalKeys);
    buffers.rows = chooseBlockRows(buffers.scoreTile, buffers.valueTile);
    buffers.scoreTile.rowsPerBlock = buffers.valueTile.rowsPerBlock =
        buffers.rows;
    Type factor = getElementTypeOrSelf(op.getK().getType());
    int64_t pair = buffers.scoreTile.interleave;
    auto panels = [&](AffineExpr columns, AffineExpr depth, int64_t width) {
      return e.scratch(factor, simplify(columns.ceilDiv(width) * width *
                                        depth.ceilDiv(pair) * pair));
    };
    buffers.keyPanels = panels(keys, q[3], buffers.scoreTile.width);
    if (pair > 1)
      buffers.valuePanels = panels(v[3], keys, buffers.valueTile.width);
    // One vector more than needed, so that rows of a power of two do not fall
    // into the same places of the cache.
    int64_t lanes = target.getVectorBits() / 32;
    buffers.stride = simplify(keys.ceilDiv(lanes) * lanes + lanes);
    AffineExpr size = simplify(buffers.stride * buffers.rows);
    buffers.scores = e.scratch(type, size);
    buffers.weights = factor == type ? buffers.scores : e.scratch(factor, size);
    buffers.inverses = e.scratch(type, e.constExpr(buffers.rows));
    return buffers;
  }

  void emitScores(const Buffers &buffers, Value batch, Value head, Value first,
                  Value rows, Value visible) {
    auto [base, stride] = matrix(q, batch, head);
    effk::GemmDescription gemm;
    setTile(gemm, buffers.scoreTile, rows, visible);
    gemm.a = e.getBuffer(op.getQ());
    gemm.rowBase = e.add(base, e.mul(first, stride));
    gemm.rowStrides = {stride};
    gemm.run = e.size(q[3]);
    gemm.b = buffers.keyPanels;
    gemm.c = buffers.scores;
    gemm.cStride = e.size(buffers.stride);
    if (op.getMask())
      gemm.epilogueInputs = {*maskInput(batch, head, first)};
    Value reach = op.getCausal()
                      ? e.add(first, e.size(simplify(keys - queries)))
                      : Value();
    effk::createGemm(
        b, e.loc, gemm,
        [&](OpBuilder &, Location, Value sum, Value m, Value n,
            ValueRange loaded) {
          Value score = scaled(sum);
          if (op.getMask()) {
            Value mask = loaded[0];
            if (mask.getType().isInteger(8))
              mask = arith::CmpIOp::create(b, e.loc, arith::CmpIPredicate::ne,
                                           mask, e.constant(mask.getType(), 0));
            else
              mask = convertScalar(e, mask, mask.getType(), type);
            score = masked(score, mask);
          }
          if (!reach)
            return score;
          Value limit = arith::AddIOp::create(b, e.loc, m, reach);
          Value seen = arith::CmpIOp::create(
              b, e.loc, arith::CmpIPredicate::sle, n, limit);
          return arith::SelectOp::create(b, e.loc, seen, score, lowest)
              .getResult();
        });
  }

  void emitValues(const Buffers &buffers, Value batch, Value head, Value group,
                  Value first, Value rows, Value visible) {
    auto [vBase, vStride] = matrix(v, batch, group);
    auto [outBase, outStride] = matrix(getDims(op.getType()), batch, head);
    effk::GemmDescription gemm;
    setTile(gemm, buffers.valueTile, rows, e.size(v[3]));
    gemm.a = buffers.weights;
    gemm.rowStrides = {e.size(buffers.stride)};
    gemm.run = visible;
    gemm.c = e.getResultBuffer(0);
    gemm.cBase = e.add(outBase, e.mul(first, outStride));
    gemm.cStride = outStride;
    gemm.epilogueInputs = {
        {buffers.inverses, effk::EpilogueMap::Row, e.index(0), e.index(1)}};
    if (!buffers.valuePanels) {
      gemm.b = e.getBuffer(op.getV());
      gemm.bBase = vBase;
      gemm.bStride = vStride;
      return createValues(gemm);
    }
    // Panels are of all keys, products of those that are visible: each of its
    // own.
    gemm.b = buffers.valuePanels;
    AffineExpr depth =
        simplify(keys.ceilDiv(gemm.interleave) * gemm.interleave);
    int64_t width = gemm.tileWidth, columns = *getConstant(v[3]);
    Value cBase = gemm.cBase;
    for (int64_t column = 0; column < columns; column += width) {
      Value count = e.index(std::min(width, columns - column));
      setTile(gemm, buffers.valueTile, rows, count);
      gemm.bBase = e.mul(e.index(column), e.size(depth));
      gemm.cBase = e.add(cBase, e.index(column));
      createValues(gemm);
    }
  }

  void createValues(const effk::GemmDescription &gemm) const {
    effk::createGemm(
        b, e.loc, gemm,
        [&](OpBuilder &, Location, Value sum, Value, Value, ValueRange loaded) {
          Value y = arith::MulFOp::create(b, e.loc, sum, loaded[0]);
          return convertScalar(e, y, type, element);
        });
  }

  void emitBlocks(const Buffers &buffers, Value batch, Value head) {
    Value group = groupOf(head);
    auto [kBase, kStride] = matrix(k, batch, group);
    MatrixAt keyMatrix{e.getBuffer(op.getK()), kBase, kStride, e.index(1),
                       q[3]};
    packPanels(e, keyMatrix, keys, buffers.scoreTile.width,
               buffers.scoreTile.interleave, buffers.keyPanels);
    if (buffers.valuePanels) {
      auto [vBase, vStride] = matrix(v, batch, group);
      MatrixAt values{e.getBuffer(op.getV()), vBase, e.index(1), vStride, keys};
      packPanels(e, values, v[3], buffers.valueTile.width,
                 buffers.valueTile.interleave, buffers.valuePanels);
    }
    Value count = e.size(queries);
    e.loop(e.index(0), count, buffers.rows, [&](Value first) {
      Value rows = e.minimum(e.index(buffers.rows), e.sub(count, first));
      Value visible = visibleKeys(e.sub(e.add(first, rows), e.index(1)));
      emitScores(buffers, batch, head, first, rows, visible);
      emitSoftmaxRows(e,
                      {buffers.scores, buffers.weights, e.size(buffers.stride),
                       buffers.inverses},
                      rows, visible, op.getZeroMaskedRows());
      emitValues(buffers, batch, head, group, first, rows, visible);
    });
  }

  void emitDefinition() {
    Dims outer{q[0], heads, queries};
    e.setExtent(product(b.getContext(), outer));
    row = e.scratch(type, keys);
    sums = e.scratch(type, v[3]);
    e.parallelLoop([&](Value item) {
      Indices at = e.delinearize(item, outer);
      emitRow(at[0], at[1], at[2]);
    });
  }

  void emitTiled() {
    Buffers buffers = makeBuffers();
    bool decide = !getConstant(queries);
    if (decide) {
      row = e.scratch(type, keys);
      sums = e.scratch(type, v[3]);
    }
    Dims outer{q[0], heads};
    e.setExtent(product(b.getContext(), outer));
    e.parallelLoop([&](Value item) {
      Indices at = e.delinearize(item, outer);
      if (!decide)
        return emitBlocks(buffers, at[0], at[1]);
      Value many = e.compare(arith::CmpIPredicate::sge, e.size(queries),
                             e.index(minRowsForTiles));
      auto ifOp = scf::IfOp::create(b, e.loc, many, /*withElseRegion=*/true);
      OpBuilder::InsertionGuard guard(b);
      b.setInsertionPointToStart(ifOp.thenBlock());
      emitBlocks(buffers, at[0], at[1]);
      b.setInsertionPointToStart(ifOp.elseBlock());
      e.loop(e.size(queries),
             [&](Value position) { emitRow(at[0], at[1], position); });
    });
  }
};

} // namespace

LogicalResult effc::emitAttentionKernel(KernelEmitter &e, Operation *anchor) {
  auto op = dyn_cast<AttentionOp>(anchor);
  if (!op)
    return failure();
  Attention attention(e, op);
  if (attention.canTile())
    attention.emitTiled();
  else
    attention.emitDefinition();
  return success();
}
