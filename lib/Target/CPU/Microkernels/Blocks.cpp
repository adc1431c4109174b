// See Blocks.h. A block is summed by itself and scaled once, so that a weight
// costs a shift, a look-up and an FMA; or, with rows of bytes, an AND and a
// quarter of a VPDPBUSD. Decoding
// is bound by memory: weights are read once, in order, and prefetched by
// software across blocks and panels.
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
  SmallVector<Value> emitUnit(Value block, Value index, ValueRange partial);
  Value shiftRight(Value dwords, int64_t count);
  Value decodeBytes(Value dwords, int64_t part);
  Value getCode(ArrayRef<Value> unit, int64_t i);
  Value mask(Value code);
  /// Nibbles are signed bytes as they are.
  bool movesBytes() const { return tile.dot.movesLeft && bits == 8; }
  Value lookUp(ArrayRef<float> numbers, Value code);
  Value lookUpBytes(ArrayRef<float> numbers, Value code);
  Value decode(ArrayRef<Value> unit, int64_t i, Value zero);

  ImplicitLocOpBuilder &b;
  const BlockTile &tile;
  effk::GemmOp gemm;
  int64_t lanes, width, rows, bits, block, blocks;
  /// Whether A has bytes; how the codes of a column lie, and how many of them
  /// are multiplied at once.
  bool isBytes;
  effk::CodeUnit unit;
  int64_t perPart;
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
      isBytes(gemm.getAScales() != nullptr), unit(effk::getCodeUnit(bits)),
      perPart(isBytes ? 4 : 1),
      sets(std::max<int64_t>(1, enoughSums / (rows * tile.vectors))),
      f32(b.getF32Type()), i32(b.getI32Type()) {
  sets = std::min(sets, unit.codes / perPart);
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

Value BlockEmitter::shiftRight(Value dwords, int64_t count) {
  return count == 0
             ? dwords
             : Value(arith::ShRUIOp::create(b, dwords, splat(i32, count)));
}

/// Four codes of each lane as bytes.
Value BlockEmitter::decodeBytes(Value dwords, int64_t part) {
  if (bits == 4)
    dwords = arith::AndIOp::create(b, shiftRight(dwords, part * bits),
                                   splat(i32, 0x0f0f0f0f));
  Value bytes = LLVM::BitcastOp::create(
      b, VectorType::get(lanes * 4, b.getI8Type()), dwords);
  return movesBytes() ? moveLeft(b, bytes) : bytes;
}

/// The code of element i in the low bits of each lane, whatever above.
Value BlockEmitter::getCode(ArrayRef<Value> dwords, int64_t i) {
  if (bits == 3 && i < 30)
    return shiftRight(dwords[i / 10], i % 10 * 3);
  if (bits == 3) {
    // The ends of the dwords: two bits of one and one of the middle one.
    Value low = shiftRight(dwords[i == 30 ? 0 : 2], 30),
          high = shiftRight(dwords[1], i - 2), mask = splat(i32, 3),
          others = splat(i32, ~int64_t(3));
    return arith::OrIOp::create(b, arith::AndIOp::create(b, low, mask),
                                arith::AndIOp::create(b, high, others));
  }
  // Nibbles alternate between the first and the second four of eight.
  int64_t place = bits == 4 ? i % 4 * 2 + i / 4 : i;
  return shiftRight(dwords[0], place * bits);
}

Value BlockEmitter::mask(Value code) {
  return arith::AndIOp::create(b, code, splat(i32, (int64_t(1) << bits) - 1));
}

/// Numbers by the low bits of a code: a permutation of a register, or two; of
/// bytes with NEON.
Value BlockEmitter::lookUp(ArrayRef<float> numbers, Value code) {
  if (lanes == 4)
    return lookUpBytes(numbers, code);
  auto permute = [&](ArrayRef<float> part) -> Value {
    // What lies above the code does not matter.
    SmallVector<float> table;
    for (int64_t i = 0; i < lanes; ++i)
      table.push_back(part[i % part.size()]);
    Value values = arith::ConstantOp::create(
        b, DenseElementsAttr::get(tile.sum, ArrayRef<float>(table)));
    StringRef name =
        lanes == 16 ? "llvm.x86.avx512.permvar.sf.512" : "llvm.x86.avx2.permps";
    return LLVM::CallIntrinsicOp::create(b, tile.sum, b.getStringAttr(name),
                                         ValueRange{values, code})
        .getResult(0);
  };
  if (static_cast<int64_t>(numbers.size()) <= lanes)
    return permute(numbers);
  Value top = arith::ShLIOp::create(b, code, splat(i32, 32 - bits));
  Value isHigh =
      arith::CmpIOp::create(b, arith::CmpIPredicate::slt, top, splat(i32, 0));
  return arith::SelectOp::create(b, isHigh, permute(numbers.drop_front(lanes)),
                                 permute(numbers.take_front(lanes)));
}

/// TBL of the 4 bytes of each number, in as many registers as they take.
Value BlockEmitter::lookUpBytes(ArrayRef<float> numbers, Value code) {
  size_t perRegister = static_cast<size_t>(lanes);
  auto bytes = VectorType::get(4 * lanes, b.getI8Type());
  SmallVector<Value> operands;
  for (size_t i = 0; i < numbers.size(); i += perRegister) {
    Value part = arith::ConstantOp::create(
        b, DenseElementsAttr::get(tile.sum, numbers.slice(i, perRegister)));
    operands.push_back(LLVM::BitcastOp::create(b, bytes, part));
  }
  std::string name =
      "llvm.aarch64.neon.tbl" + std::to_string(operands.size()) + ".v16i8";
  // Byte 4 * code + i of the table becomes byte i.
  Value index =
      add(mul(mask(code), splat(i32, 0x04040404)), splat(i32, 0x03020100));
  operands.push_back(LLVM::BitcastOp::create(b, bytes, index));
  Value found =
      LLVM::CallIntrinsicOp::create(b, bytes, b.getStringAttr(name), operands)
          .getResult(0);
  return LLVM::BitcastOp::create(b, tile.sum, found);
}

/// Element i of each column as f32, without its middle or zero.
Value BlockEmitter::decode(ArrayRef<Value> dwords, int64_t i, Value zero) {
  Value code = getCode(dwords, i);
  if (std::optional<ArrayRef<float>> codebook = gemm.getCodebook())
    return lookUp(*codebook, code);
  int64_t middle = zero ? 0 : int64_t(1) << (bits - 1);
  Value weights;
  // Two permutations, or one of bytes, take longer than the arithmetic.
  if (bits < 8 && int64_t(1) << bits <= lanes && lanes > 4) {
    SmallVector<float> numbers;
    for (int64_t number = 0; number < int64_t(1) << bits; ++number)
      numbers.push_back(static_cast<float>(number - middle));
    weights = lookUp(numbers, code);
  }
  if (!weights) {
    Value integer = mask(code);
    if (middle)
      integer = arith::SubIOp::create(b, integer, splat(i32, middle));
    weights = arith::SIToFPOp::create(b, tile.sum, integer);
  }
  return zero ? arith::SubFOp::create(b, weights, zero) : weights;
}

/// Adds the products of one unit of each column to the partial sums.
SmallVector<Value> BlockEmitter::emitUnit(Value number, Value index,
                                          ValueRange partial) {
  Type aType = cast<MemRefType>(gemm.getA().getType()).getElementType();
  Value which = add(mul(number, constant(block / unit.codes)), index);
  Value start = offsetPointer(b, b.getI8Type(), tile.panel,
                              mul(which, constant(4 * width * unit.lanes)));
  SmallVector<SmallVector<Value>> dwords(tile.vectors);
  SmallVector<Value> next(partial);
  for (int64_t lane = 0; lane < unit.lanes; ++lane)
    for (int64_t v = 0; v < tile.vectors; ++v) {
      Value at =
          offsetPointer(b, i32, start, constant(lane * width + v * lanes));
      dwords[v].push_back(loadVector(b, VectorType::get(lanes, i32), at, {}));
      // Once a cache line.
      if (4 * (lane * width + v * lanes) % 64 != 0)
        continue;
      Value ahead =
          offsetPointer(b, b.getI8Type(), at, constant(prefetchBytes));
      LLVM::Prefetch::create(b, ahead, /*rw=*/0, /*hint=*/3, /*cache=*/1);
    }
  Value k = mul(which, constant(unit.codes));
  for (int64_t part = 0; part < unit.codes / perPart; ++part) {
    SmallVector<Value> decoded;
    for (int64_t v = 0; v < tile.vectors; ++v)
      decoded.push_back(isBytes ? decodeBytes(dwords[v][0], part)
                                : decode(dwords[v], part,
                                         zeros.empty() ? Value() : zeros[v]));
    Value at = add(k, constant(part * perPart));
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
  partial = forLoop(block / unit.codes, partial,
                    [&](Value index, ValueRange carried) {
                      return emitUnit(number, index, carried);
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
        if (movesBytes())
          sum = vector::FMAOp::create(b, splat(f32, 128), rowSum, sum);
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
