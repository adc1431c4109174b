// See Dots.h. Names of intrinsics are those of LLVM's IntrinsicsX86.td; what
// they compute is in the Intel SDM (VPDPBUSD, VPMADDWD, VDPBF16PS).
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

/// Two at a time as words, because products of bytes in pairs (VPMADDUBSW)
/// saturate.
static Value loadRowPairs(LocBuilder &b, VectorType sum, Type a, Value pointer,
                          Value mask) {
  Value bytes = loadRowNeighbours<2>(b, sum, a, pointer, mask);
  return arith::ExtUIOp::create(b, lanesOf(sum, b.getI16Type(), 2), bytes);
}

static Value loadColumnsPairs(LocBuilder &b, VectorType sum, Type type,
                              Value pointer, Value mask) {
  Value bytes = loadVector(b, lanesOf(sum, type, 2), pointer, mask);
  return arith::ExtSIOp::create(b, lanesOf(sum, b.getI16Type(), 2), bytes);
}

/// The same from the operations of any machine, for NEON.
static Value multiplyAddWords(LocBuilder &b, Value sum, Value row,
                              Value columns) {
  auto type = cast<VectorType>(sum.getType());
  VectorType words = lanesOf(type, b.getI32Type(), 2);
  Value products =
      arith::MulIOp::create(b, arith::ExtSIOp::create(b, words, row),
                            arith::ExtSIOp::create(b, words, columns));
  auto split = vector::DeinterleaveOp::create(b, products);
  return arith::AddIOp::create(
      b, arith::AddIOp::create(b, sum, split.getRes1()), split.getRes2());
}

static Value multiplyAddPairs(LocBuilder &b, Value sum, Value row,
                              Value columns) {
  int64_t lanes = cast<VectorType>(sum.getType()).getNumElements();
  if (lanes < 8)
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
    {"maddwd", 2, takesBytes, loadRowPairs, loadColumnsPairs, multiplyAddPairs},
    {"dpbf16", 2, takesBF16, loadRowNeighbours<2>, loadColumnsBF16,
     multiplyAddBF16},
    {"tdpbusd", 4, takesBytes, {}, {}, {}, "llvm.x86.tdpbusd"},
    {"tdpbf16ps", 2, takesBF16, {}, {}, {}, "llvm.x86.tdpbf16ps"},
    {"dwords", 4, takesFloatsByBytes, loadRowFloat, loadColumnsQuads,
     multiplyAddFloat}};

const Dot &effc::getDot(StringRef name) {
  return *llvm::find_if(dots, [&](const Dot &dot) { return dot.name == name; });
}
