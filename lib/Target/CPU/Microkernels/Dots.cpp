// See Dots.h. Names of intrinsics are those of LLVM's IntrinsicsX86.td and
// IntrinsicsAArch64.td; what they compute is in the Intel SDM (VPDPBUSD,
// VPMADDWD, VDPBF16PS) and the Arm ARM (SDOT, USDOT by element).
#include "CPU/Microkernels/Dots.h"
#include "CPU/Microkernels/Epilogue.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;
using namespace effc;

using LocBuilder = ImplicitLocOpBuilder;

/// `count` elements of `element` for every lane.
static VectorType lanesOf(VectorType sum, Type element, int64_t count = 1) {
  return VectorType::get(sum.getNumElements() * count, element);
}

static Value callIntrinsic(LocBuilder &b, StringRef name, Type result,
                           ValueRange operands) {
  return LLVM::CallIntrinsicOp::create(b, result, b.getStringAttr(name),
                                       operands)
      .getResults();
}

/// `count` neighbours at the pointer as one integer; those without mask are
/// zero and not read.
static Value loadNeighbours(LocBuilder &b, Type element, int64_t count,
                            Value pointer, Value mask) {
  unsigned bits = element.getIntOrFloatBitWidth();
  Type integer = b.getIntegerType(bits * count);
  if (!mask)
    return LLVM::LoadOp::create(b, integer, pointer, bits / 8);
  Value loaded = loadVector(b, VectorType::get(count, b.getIntegerType(bits)),
                            pointer, mask);
  return LLVM::BitcastOp::create(b, integer, loaded);
}

/// The same `count` neighbours in every lane.
template <int64_t count>
static Value loadRowNeighbours(LocBuilder &b, VectorType sum, Type element,
                               Value pointer, Value mask) {
  Value row = loadNeighbours(b, element, count, pointer, mask);
  Value lanes =
      vector::BroadcastOp::create(b, lanesOf(sum, row.getType()), row);
  return LLVM::BitcastOp::create(b, lanesOf(sum, element, count), lanes);
}

//===----------------------------------------------------------------------===//
// Floats, one by one
//===----------------------------------------------------------------------===//

static bool takesFloats(Type a, Type b) {
  return isa<FloatType>(a) && isa<FloatType>(b);
}

static Value widen(LocBuilder &b, Value value, Type type) {
  return value.getType() == type ? value
                                 : arith::ExtFOp::create(b, type, value);
}

static Value loadRowFloat(LocBuilder &b, VectorType sum, Type a, Value pointer,
                          Value) {
  Value scalar =
      LLVM::LoadOp::create(b, a, pointer, a.getIntOrFloatBitWidth() / 8);
  return vector::BroadcastOp::create(b, sum,
                                     widen(b, scalar, sum.getElementType()));
}

static Value loadColumnsFloat(LocBuilder &b, VectorType sum, Type type,
                              Value pointer, Value mask) {
  return widen(b, loadVector(b, lanesOf(sum, type), pointer, mask), sum);
}

static Value multiplyAddFloat(LocBuilder &b, Value sum, Value row,
                              Value columns) {
  return vector::FMAOp::create(b, row, columns, sum);
}

//===----------------------------------------------------------------------===//
// Unsigned by signed bytes
//===----------------------------------------------------------------------===//

static bool takesBytes(Type a, Type b) {
  return a.isInteger(8) && b.isInteger(8);
}

/// Four at a time, without saturation: AVX512-VNNI.
static Value loadColumnsQuads(LocBuilder &b, VectorType sum, Type type,
                              Value pointer, Value mask) {
  return loadVector(b, lanesOf(sum, type, 4), pointer, mask);
}

static Value multiplyAddQuads(LocBuilder &b, Value sum, Value row,
                              Value columns) {
  return callIntrinsic(b, "llvm.x86.avx512.vpdpbusd.512", sum.getType(),
                       {sum, row, columns});
}

static Value multiplyAddSigned(LocBuilder &b, Value sum, Value row,
                               Value columns) {
  return callIntrinsic(b, "llvm.aarch64.neon.sdot.v4i32.v16i8", sum.getType(),
                       {sum, columns, row});
}

/// FEAT_I8MM.
static Value multiplyAddMixed(LocBuilder &b, Value sum, Value row,
                              Value columns) {
  return callIntrinsic(b, "llvm.aarch64.neon.usdot.v4i32.v16i8", sum.getType(),
                       {sum, row, columns});
}

/// Two at a time as words, because products of bytes in pairs (VPMADDUBSW)
/// saturate. NEON has lanes as factors instead of sums of pairs, so there the
/// first of all pairs come before the second ones.
static constexpr int64_t neonLanes = 4;

static Value separatePairs(LocBuilder &b, Value words) {
  auto split = vector::DeinterleaveOp::create(b, words);
  SmallVector<int64_t> all = llvm::to_vector(llvm::seq<int64_t>(2 * neonLanes));
  return vector::ShuffleOp::create(b, split.getRes1(), split.getRes2(), all);
}

static Value loadRowPairs(LocBuilder &b, VectorType sum, Type a, Value pointer,
                          Value mask) {
  Value bytes = loadRowNeighbours<2>(b, sum, a, pointer, mask);
  return arith::ExtUIOp::create(b, lanesOf(sum, b.getI16Type(), 2), bytes);
}

static Value loadColumnsPairs(LocBuilder &b, VectorType sum, Type type,
                              Value pointer, Value mask) {
  Value bytes = loadVector(b, lanesOf(sum, type, 2), pointer, mask);
  Value words =
      arith::ExtSIOp::create(b, lanesOf(sum, b.getI16Type(), 2), bytes);
  return sum.getNumElements() == neonLanes ? separatePairs(b, words) : words;
}

/// SMLAL and SMLAL2 by element.
static Value multiplyAddWords(LocBuilder &b, Value sum, Value row,
                              Value columns) {
  for (int64_t i : {0, 1}) {
    Value factor = vector::ShuffleOp::create(
        b, row, row, SmallVector<int64_t>(neonLanes, i));
    Value column = vector::ExtractStridedSliceOp::create(
        b, columns, ArrayRef<int64_t>{i * neonLanes},
        ArrayRef<int64_t>{neonLanes}, ArrayRef<int64_t>{1});
    auto widen = [&](Value words) {
      return arith::ExtSIOp::create(b, sum.getType(), words);
    };
    sum = arith::AddIOp::create(
        b, sum, arith::MulIOp::create(b, widen(factor), widen(column)));
  }
  return sum;
}

static Value multiplyAddPairs(LocBuilder &b, Value sum, Value row,
                              Value columns) {
  int64_t lanes = cast<VectorType>(sum.getType()).getNumElements();
  if (lanes == neonLanes)
    return multiplyAddWords(b, sum, row, columns);
  bool wide = lanes == 16;
  Value products = callIntrinsic(
      b, wide ? "llvm.x86.avx512.pmaddw.d.512" : "llvm.x86.avx2.pmadd.wd",
      sum.getType(), {row, columns});
  return arith::AddIOp::create(b, sum, products);
}

//===----------------------------------------------------------------------===//
// bf16 in pairs
//===----------------------------------------------------------------------===//

static bool takesBF16(Type a, Type b) { return a.isBF16() && b.isBF16(); }

static Value loadColumnsBF16(LocBuilder &b, VectorType sum, Type type,
                             Value pointer, Value mask) {
  Value pairs = loadVector(b, lanesOf(sum, b.getI32Type()), pointer, mask);
  return LLVM::BitcastOp::create(b, lanesOf(sum, type, 2), pairs);
}

static Value multiplyAddBF16(LocBuilder &b, Value sum, Value row,
                             Value columns) {
  return callIntrinsic(b, "llvm.x86.avx512bf16.dpbf16ps.512", sum.getType(),
                       {sum, row, columns});
}

//===----------------------------------------------------------------------===//
// Weights in dwords, which Blocks.cpp takes apart
//===----------------------------------------------------------------------===//

static bool takesFloatsByBytes(Type a, Type b) {
  return isa<FloatType>(a) && b.isInteger(8);
}

static constexpr Dot dots[] = {
    {"fma", 1, takesFloats, loadRowFloat, loadColumnsFloat, multiplyAddFloat},
    {"dpbusd", 4, takesBytes, loadRowNeighbours<4>, loadColumnsQuads,
     multiplyAddQuads},
    {"sdot", 4, takesBytes, loadRowNeighbours<4>, loadColumnsQuads,
     multiplyAddSigned, /*tiles=*/"", /*stepsTogether=*/4, /*movesLeft=*/true},
    {"usdot", 4, takesBytes, loadRowNeighbours<4>, loadColumnsQuads,
     multiplyAddMixed, /*tiles=*/"", /*stepsTogether=*/4},
    {"maddwd", 2, takesBytes, loadRowPairs, loadColumnsPairs, multiplyAddPairs},
    {"dpbf16", 2, takesBF16, loadRowNeighbours<2>, loadColumnsBF16,
     multiplyAddBF16},
    {"tdpbusd", 4, takesBytes, {}, {}, {}, "llvm.x86.tdpbusd"},
    {"tdpbf16ps", 2, takesBF16, {}, {}, {}, "llvm.x86.tdpbf16ps"},
    {"dwords", 4, takesFloatsByBytes, loadRowFloat, loadColumnsQuads,
     multiplyAddFloat}};

Value effc::moveLeft(LocBuilder &b, Value bytes) {
  auto type = cast<VectorType>(bytes.getType());
  Value highest = arith::ConstantOp::create(
      b, DenseElementsAttr::get(type,
                                b.getIntegerAttr(type.getElementType(), -128)));
  return arith::XOrIOp::create(b, bytes, highest);
}

Value effc::takeStep(LocBuilder &b, VectorType sum, Value together,
                     int64_t step) {
  auto type = cast<VectorType>(together.getType());
  Value lanes = LLVM::BitcastOp::create(b, sum, together);
  Value taken = vector::ShuffleOp::create(
      b, lanes, lanes, SmallVector<int64_t>(sum.getNumElements(), step));
  return LLVM::BitcastOp::create(b, type, taken);
}

const Dot &effc::getDot(StringRef name) {
  return *llvm::find_if(dots, [&](const Dot &dot) { return dot.name == name; });
}
