// Products with weights of 2 to 8 bits that have a scale for each block (GPTQ,
// AWQ; MatMulNBits of ONNX Runtime) as tile ops that read the integers. Where
// the model allows it, rows are rounded to bytes first, a block at a time, as
// ONNX Runtime does at accuracy level 4.
#include "Gemm.h"
#include "mlir/Dialect/Math/IR/Math.h"

using namespace mlir;
using namespace effc;
using namespace effc::eff;

// Rows that share a panel while it is in the cache.
static constexpr int64_t mostBlockRows = 48;

namespace {

struct BlockLinear {
  KernelEmitter &e;
  BlockLinearOp op;
  int64_t depth, columns, block, bits;
  AffineExpr rows;
  TileChoice tile;
  effk::GemmDescription gemm;

  BlockLinear(KernelEmitter &e, BlockLinearOp op) : e(e), op(op) {
    Dims weight = getDims(op.getWeight().getType());
    columns = *getConstant(weight[0]);
    depth = *getConstant(weight[1]);
    block = static_cast<int64_t>(op.getBlock());
    bits =
        getElementTypeOrSelf(op.getWeight().getType()).getIntOrFloatBitWidth();
    rows =
        product(e.b.getContext(), ArrayRef(getDims(op.getType())).drop_back());
    chooseTile();
  }

  /// Two vectors of columns: with the sums of a block that is as many as the
  /// registers take.
  void chooseTile() {
    eff::TargetAttr target = e.options.target;
    tile.rows = target.getVectorRegisters() < 32 ? 2 : 6;
    tile.rowsPerBlock = mostBlockRows;
    if (std::optional<int64_t> known = getConstant(rows)) {
      tile.rows = std::clamp<int64_t>(*known, 1, tile.rows);
      tile.rowsPerBlock = std::min<int64_t>(
          mostBlockRows,
          llvm::alignTo(std::max<int64_t>(*known, 1), tile.rows));
    }
    tile.width = 2 * target.getVectorBits() / 32;
    tile.interleave = 4;
  }

  /// Rounding is declined where exact results are asked for.
  bool usesBytes() {
    return op.getBytes() && bits >= 4 && !e.options.exact &&
           getInterleave(e.options.target, GemmTypes::U8S8) == 4;
  }

  void packWeights() {
    MLIRContext *context = e.b.getContext();
    e.pack(op.getWeight(),
           effk::PanelAttr::get(
               context, bits == 8 ? "nk" : "bits" + std::to_string(bits), 1,
               depth * bits / 8, columns, tile.width, 4));
    for (Value parameter : {op.getScales(), op.getZeros()})
      if (parameter)
        e.pack(parameter, effk::PanelAttr::get(context, "nk", 1, depth / block,
                                               columns, tile.width));
  }

  /// A block of a row as integers from -127 to 127 times a scale, and their
  /// sum. Where something is not finite the scale is not either.
  void roundBlock(Value begin, Value number) {
    OpBuilder &b = e.b;
    Type f32 = b.getF32Type();
    auto load = [&](Value i) {
      Value x = e.loadFlat(e.getBuffer(op.getX()), e.add(begin, i), f32);
      return x.getType() == f32 ? x : arith::ExtFOp::create(b, e.loc, f32, x);
    };
    Value largest =
        e.reduceLoop(e.index(0), e.index(block), e.constant(f32, 0),
                     [&](Value i, ValueRange carried) {
                       Value size = math::AbsFOp::create(b, e.loc, load(i));
                       return SmallVector<Value>{arith::MaximumFOp::create(
                           b, e.loc, carried[0], size)};
                     })[0];
    Value most = e.constant(f32, 127), one = e.constant(f32, 1);
    Value scale = arith::DivFOp::create(b, e.loc, largest, most);
    Value isZero = arith::CmpFOp::create(b, e.loc, arith::CmpFPredicate::OEQ,
                                         scale, e.constant(f32, 0));
    Value inverse = arith::DivFOp::create(
        b, e.loc, one, arith::SelectOp::create(b, e.loc, isZero, one, scale));
    Value sum = e.reduceLoop(
        e.index(0), e.index(block), e.constant(b.getI32Type(), 0),
        [&](Value i, ValueRange carried) {
          Value x = arith::MulFOp::create(b, e.loc, load(i), inverse);
          x = math::RoundEvenOp::create(b, e.loc, x);
          x = arith::MaxNumFOp::create(b, e.loc, x, e.constant(f32, -127));
          x = arith::MinNumFOp::create(b, e.loc, x, most);
          Value integer = arith::FPToSIOp::create(b, e.loc, b.getI32Type(), x);
          e.storeFlat(arith::TruncIOp::create(b, e.loc, b.getI8Type(), integer),
                      gemm.a, e.add(begin, i));
          return SmallVector<Value>{
              arith::AddIOp::create(b, e.loc, carried[0], integer)};
        })[0];
    e.storeFlat(scale, gemm.aScales, number);
    e.storeFlat(arith::SIToFPOp::create(b, e.loc, f32, sum), gemm.aSums,
                number);
  }

  void roundRows() {
    AffineExpr blocks = simplify(rows * (depth / block));
    gemm.a = e.scratch(e.b.getI8Type(), simplify(rows * depth));
    gemm.aScales = e.scratch(e.b.getF32Type(), blocks);
    gemm.aSums = e.scratch(e.b.getF32Type(), blocks);
    e.loop(e.size(blocks), [&](Value number) {
      roundBlock(e.mul(number, e.index(block)), number);
    });
  }

  void emit(EpilogueEmitter &epilogue) {
    packWeights();
    setTile(gemm, tile);
    gemm.a = e.getBuffer(op.getX());
    gemm.rowSizes = {e.size(rows)};
    gemm.rowStrides = {e.index(depth)};
    gemm.run = e.index(depth);
    gemm.b = e.getBuffer(op.getWeight());
    gemm.bScales = e.getBuffer(op.getScales());
    gemm.bZeros = op.getZeros() ? e.getBuffer(op.getZeros()) : Value();
    gemm.block = block;
    gemm.bits = bits;
    gemm.codebook = op.getCodebook().value_or(ArrayRef<float>());
    gemm.c = e.getResultBuffer(0);
    gemm.cStride = gemm.n = e.index(columns);
    gemm.epilogueInputs = epilogue.inputs(e.index(0), e.index(0), gemm.n);
    if (usesBytes()) {
      roundRows();
      e.getFunction()->setAttr(effk::kChoiceAttr,
                               e.b.getStringAttr("rounded rows, gemm " +
                                                 Twine(tile.rows) + "x" +
                                                 Twine(tile.width)));
    }
    e.setExtent(countTiles(tile, rows, e.constExpr(columns)));
    createWhole(e, gemm, epilogue);
  }
};

} // namespace

LogicalResult effc::emitBlockLinearKernel(KernelEmitter &e, Operation *anchor) {
  auto op = dyn_cast<BlockLinearOp>(anchor);
  if (!op || !e.getBuffer(op.getX()))
    return failure();
  auto isPacked = [&](Value value) {
    Type type = getElementTypeOrSelf(value.getType());
    return e.getPackable(value) &&
           (!isa<FloatType>(type) || type.isF32() || type.isF16());
  };
  Type x = getElementTypeOrSelf(op.getX().getType());
  int64_t bits =
      getElementTypeOrSelf(op.getWeight().getType()).getIntOrFloatBitWidth();
  EpilogueEmitter epilogue(e, op, Value());
  if ((!x.isF32() && !x.isF16()) || !isPacked(op.getWeight()) ||
      !isPacked(op.getScales()) ||
      (op.getZeros() && !isPacked(op.getZeros())) ||
      static_cast<int64_t>(op.getBlock()) % effk::getCodeUnit(bits).codes !=
          0 ||
      !getConstant(getDims(op.getWeight().getType())[0]) ||
      failed(epilogue.collect()))
    return failure();
  BlockLinear(e, op).emit(epilogue);
  return success();
}
