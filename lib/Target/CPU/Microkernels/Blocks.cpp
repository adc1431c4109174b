// See Blocks.h. A block is summed by itself and scaled once, so that a weight
// costs a shift, a look-up and an FMA; or, with rows of bytes, an AND and a
// quarter of a VPDPBUSD. Decoding is bound by memory: weights are read once,
// in order, and prefetched by software across blocks and panels.
#include "CPU/Microkernels/Blocks.h"
#include "CPU/Microkernels/Epilogue.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;
using namespace effc;

// How far weights are prefetched: a page or two of a stream.
static constexpr int64_t prefetchBytes = 8192;
// Sums that must be in flight to hide the latency of an FMA.
static constexpr int64_t enoughSums = 8;

namespace {

class BlockEmitter {
public:
  BlockEmitter(ImplicitLocOpBuilder &b, const BlockTile &tile);
  SmallVector<Value> emit();

private:
  using Body = function_ref<SmallVector<Value>(Value, ValueRange)>;

  Value constant(int64_t value) {
    return arith::ConstantIndexOp::create(b, value);
  }
  Value splat(Type type, int64_t value) {
    auto vector = VectorType::get(lanes, type);
    Attribute element = isa<FloatType>(type)
                            ? Attribute(b.getFloatAttr(type, double(value)))
                            : b.getIntegerAttr(type, value);
    return arith::ConstantOp::create(b,
                                     DenseElementsAttr::get(vector, element));
  }
  Value add(Value x, Value y) { return arith::AddIOp::create(b, x, y); }
  Value mul(Value x, Value y) { return arith::MulIOp::create(b, x, y); }
  SmallVector<Value> forLoop(int64_t count, ValueRange init, Body body);
  Value loadParameter(Value memref, Value block, int64_t vector);
  Value loadRowParameter(Value memref, Value block, int64_t row);
  SmallVector<Value> emitBlock(Value block, ValueRange sums);
  SmallVector<Value> emitDwords(Value block, Value index, ValueRange partial);
  Value decode(Value dwords, int64_t part, Value zero);

  ImplicitLocOpBuilder &b;
  const BlockTile &tile;
  effk::GemmOp gemm;
  int64_t lanes, width, rows, bits, block, blocks;
  /// Whether A has bytes; elements of a column in a lane's dword, and how many
  /// of them are multiplied at once.
  bool isBytes;
  int64_t perDword, perPart;
  /// Sets of sums that take turns.
  int64_t sets;
  Type f32, i32;
  /// Zeros of the current block, a vector each; none if all are the middle.
  SmallVector<Value> zeros;
};

} // namespace

BlockEmitter::BlockEmitter(ImplicitLocOpBuilder &b, const BlockTile &tile)
    : b(b), tile(tile), gemm(tile.gemm), lanes(tile.sum.getNumElements()),
      width(tile.vectors * lanes), rows(tile.rows.size()), bits(gemm.getBits()),
      block(gemm.getBlock()),
      blocks(*getConstantIntValue(gemm.getRun()) / block),
      isBytes(gemm.getAScales() != nullptr), perDword(32 / bits),
      perPart(isBytes ? 4 : 1),
      sets(std::max<int64_t>(1, enoughSums / (rows * tile.vectors))),
      f32(b.getF32Type()), i32(b.getI32Type()) {
  sets = std::min(sets, perDword / perPart);
}

SmallVector<Value> BlockEmitter::forLoop(int64_t count, ValueRange init,
                                         Body body) {
  auto loop =
      scf::ForOp::create(b, constant(0), constant(count), constant(1), init);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(loop.getBody());
  SmallVector<Value> next =
      body(loop.getInductionVar(), loop.getRegionIterArgs());
  b.setInsertionPointToEnd(loop.getBody());
  scf::YieldOp::create(b, next);
  return SmallVector<Value>(loop.getResults());
}

/// One for each column, as f32.
Value BlockEmitter::loadParameter(Value memref, Value number, int64_t vector) {
  Type element = cast<MemRefType>(memref.getType()).getElementType();
  Value offset =
      add(mul(tile.column, constant(blocks)),
          add(mul(number, constant(width)), constant(vector * lanes)));
  Value loaded =
      loadVector(b, VectorType::get(lanes, element),
                 offsetPointer(b, element, pointerOf(b, memref), offset), {});
  return element == f32 ? loaded : arith::ExtFOp::create(b, tile.sum, loaded);
}

/// One for a row, in every lane.
Value BlockEmitter::loadRowParameter(Value memref, Value number, int64_t row) {
  Value m = add(tile.m, constant(row));
  Value offset = add(mul(m, constant(blocks)), number);
  Value scalar = LLVM::LoadOp::create(
      b, f32, offsetPointer(b, f32, pointerOf(b, memref), offset), 4);
  return vector::BroadcastOp::create(b, tile.sum, scalar);
}

/// The weights of a part: f32 without their middle or zero, or bytes.
Value BlockEmitter::decode(Value dwords, int64_t part, Value zero) {
  int64_t shift = part * bits;
  if (isBytes && bits == 8)
    return LLVM::BitcastOp::create(b, VectorType::get(lanes * 4, b.getI8Type()),
                                   dwords);
  Value shifted =
      shift ? Value(arith::ShRUIOp::create(b, dwords, splat(i32, shift)))
            : dwords;
  if (isBytes)
    return LLVM::BitcastOp::create(
        b, VectorType::get(lanes * 4, b.getI8Type()),
        arith::AndIOp::create(b, shifted, splat(i32, 0x0f0f0f0f)));
  int64_t middle = zero ? 0 : int64_t(1) << (bits - 1);
  Value weights;
  if (bits == 4 && lanes == 16) {
    // The look-up takes the low four bits of each lane.
    SmallVector<float> table;
    for (int64_t i = 0; i < 16; ++i)
      table.push_back(static_cast<float>(i - middle));
    Value values = arith::ConstantOp::create(
        b, DenseElementsAttr::get(tile.sum, ArrayRef<float>(table)));
    weights =
        LLVM::CallIntrinsicOp::create(
            b, tile.sum, b.getStringAttr("llvm.x86.avx512.permvar.sf.512"),
            ValueRange{values, shifted})
            .getResults();
  } else {
    Value masked = shift + bits == 32
                       ? shifted
                       : arith::AndIOp::create(
                             b, shifted, splat(i32, (int64_t(1) << bits) - 1));
    if (middle)
      masked = arith::SubIOp::create(b, masked, splat(i32, middle));
    weights = arith::SIToFPOp::create(b, tile.sum, masked);
  }
  return zero ? arith::SubFOp::create(b, weights, zero) : weights;
}

/// Adds the products of one dword of each column to the partial sums.
SmallVector<Value> BlockEmitter::emitDwords(Value number, Value index,
                                            ValueRange partial) {
  Type aType = cast<MemRefType>(gemm.getA().getType()).getElementType();
  Value dword = add(mul(number, constant(block / perDword)), index);
  Value start = offsetPointer(b, b.getI8Type(), tile.panel,
                              mul(dword, constant(4 * width)));
  SmallVector<Value> weights, next(partial);
  for (int64_t v = 0; v < tile.vectors; ++v) {
    Value at = offsetPointer(b, i32, start, constant(v * lanes));
    weights.push_back(loadVector(b, VectorType::get(lanes, i32), at, {}));
    Value ahead = offsetPointer(b, b.getI8Type(), at, constant(prefetchBytes));
    LLVM::Prefetch::create(b, ahead, /*rw=*/0, /*hint=*/3, /*cache=*/1);
  }
  Value k = mul(dword, constant(perDword));
  for (int64_t part = 0; part < perDword / perPart; ++part) {
    // Nibbles alternate between the first and the second four of eight.
    int64_t place = bits == 8 ? part
                    : isBytes ? 4 * part
                              : part / 2 + part % 2 * 4;
    SmallVector<Value> decoded;
    for (int64_t v = 0; v < tile.vectors; ++v)
      decoded.push_back(
          decode(weights[v], part, zeros.empty() ? Value() : zeros[v]));
    Value at = add(k, constant(place));
    for (int64_t row = 0; row < rows; ++row) {
      Value element = tile.dot.loadRow(
          b, isBytes ? VectorType::get(lanes, i32) : tile.sum, aType,
          offsetPointer(b, aType, tile.rows[row], at), {});
      for (int64_t v = 0; v < tile.vectors; ++v) {
        Value &sum = next[(part % sets * rows + row) * tile.vectors + v];
        // Of bytes the weights are the unsigned ones.
        sum = isBytes ? tile.dot.multiplyAdd(b, sum, decoded[v], element)
                      : tile.dot.multiplyAdd(b, sum, element, decoded[v]);
      }
    }
  }
  return next;
}

SmallVector<Value> BlockEmitter::emitBlock(Value number, ValueRange sums) {
  zeros.clear();
  if (gemm.getBZeros())
    for (int64_t v = 0; v < tile.vectors; ++v)
      zeros.push_back(loadParameter(gemm.getBZeros(), number, v));
  Value none = splat(isBytes ? i32 : f32, 0);
  SmallVector<Value> partial(sets * sums.size(), none);
  partial =
      forLoop(block / perDword, partial, [&](Value index, ValueRange carried) {
        return emitDwords(number, index, carried);
      });
  SmallVector<Value> scales, next;
  for (int64_t v = 0; v < tile.vectors; ++v)
    scales.push_back(loadParameter(gemm.getBScales(), number, v));
  for (int64_t row = 0; row < rows; ++row) {
    Value rowScale, rowSum;
    if (isBytes) {
      rowScale = loadRowParameter(gemm.getAScales(), number, row);
      rowSum = loadRowParameter(gemm.getASums(), number, row);
    }
    for (int64_t v = 0; v < tile.vectors; ++v) {
      size_t at = row * tile.vectors + v;
      Value sum = partial[at], scale = scales[v];
      for (int64_t set = 1; set < sets; ++set) {
        Value other = partial[set * sums.size() + at];
        sum = isBytes ? Value(arith::AddIOp::create(b, sum, other))
                      : Value(arith::AddFOp::create(b, sum, other));
      }
      if (isBytes) {
        // (w - zero) a = w a - zero a; all of it is exact in f32.
        Value zero =
            zeros.empty() ? splat(f32, int64_t(1) << (bits - 1)) : zeros[v];
        sum = arith::SIToFPOp::create(b, tile.sum, sum);
        sum = vector::FMAOp::create(b, arith::NegFOp::create(b, zero), rowSum,
                                    sum);
        scale = arith::MulFOp::create(b, scale, rowScale);
      }
      next.push_back(vector::FMAOp::create(b, sum, scale, sums[at]));
    }
  }
  return next;
}

SmallVector<Value> BlockEmitter::emit() {
  SmallVector<Value> sums(rows * tile.vectors, splat(f32, 0));
  return forLoop(blocks, sums, [&](Value number, ValueRange carried) {
    return emitBlock(number, carried);
  });
}

SmallVector<Value> effc::emitBlocks(ImplicitLocOpBuilder &builder,
                                    const BlockTile &tile) {
  return BlockEmitter(builder, tile).emit();
}
