// What the intrinsics compute is in the Intel SDM (VPDPBUSD, VPMADDWD,
// VDPBF16PS). Subnormal numbers, which VDPBF16PS takes for zeros, are kept.
// Instructions of AMX become calls of functions of this process.
#include "Emulation.h"
#include "MatrixEmulation.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/IR/IRBuilder.h"
#include "llvm/IR/Module.h"
#include <map>
#include <mutex>

using namespace llvm;

namespace {

/// Lanes first, first + step, ... of a vector.
Value *takeEvery(IRBuilder<> &b, Value *vector, unsigned first, unsigned step) {
  unsigned count = cast<FixedVectorType>(vector->getType())->getNumElements();
  SmallVector<int> lanes;
  for (unsigned i = first; i < count; i += step)
    lanes.push_back(i);
  return b.CreateShuffleVector(vector, lanes);
}

Value *widen(IRBuilder<> &b, Value *vector, Type *element, bool isSigned) {
  auto *type = VectorType::get(
      element, cast<VectorType>(vector->getType())->getElementCount());
  return isSigned ? b.CreateSExt(vector, type) : b.CreateZExt(vector, type);
}

/// sum + the products of `group` neighbours.
Value *addProducts(IRBuilder<> &b, Value *sum, Value *products,
                   unsigned group) {
  for (unsigned i = 0; i < group; ++i) {
    Value *part = takeEvery(b, products, i, group);
    sum = sum ? b.CreateAdd(sum, part) : part;
  }
  return sum;
}

/// The lanes of bytes that LLVM declares as words of 32 bits in some versions.
Value *asBytes(IRBuilder<> &b, Value *vector) {
  auto *type = cast<FixedVectorType>(vector->getType());
  unsigned bytes = type->getPrimitiveSizeInBits() / 8;
  return b.CreateBitCast(vector, FixedVectorType::get(b.getInt8Ty(), bytes));
}

Value *dotBytes(IRBuilder<> &b, ArrayRef<Value *> x) {
  Type *i32 = b.getInt32Ty();
  Value *products =
      b.CreateMul(widen(b, asBytes(b, x[1]), i32, /*isSigned=*/false),
                  widen(b, asBytes(b, x[2]), i32, /*isSigned=*/true));
  return addProducts(b, x[0], products, 4);
}

Value *multiplyAddWords(IRBuilder<> &b, ArrayRef<Value *> x) {
  Type *i32 = b.getInt32Ty();
  return addProducts(
      b, nullptr,
      b.CreateMul(widen(b, x[0], i32, true), widen(b, x[1], i32, true)), 2);
}

/// A bf16 is the upper half of a float.
Value *widenBF16(IRBuilder<> &b, Value *vector) {
  auto *type = cast<FixedVectorType>(vector->getType());
  auto *words =
      FixedVectorType::get(b.getInt16Ty(), type->getPrimitiveSizeInBits() / 16);
  Value *bits = widen(b, b.CreateBitCast(vector, words), b.getInt32Ty(), false);
  return b.CreateBitCast(
      b.CreateShl(bits, 16),
      FixedVectorType::get(b.getFloatTy(), words->getNumElements()));
}

/// The odd ones first, each with one rounding.
Value *dotBF16(IRBuilder<> &b, ArrayRef<Value *> x) {
  Value *sum = x[0], *left = widenBF16(b, x[1]), *right = widenBF16(b, x[2]);
  for (unsigned i : {1u, 0u})
    sum = b.CreateIntrinsic(
        Intrinsic::fma, {sum->getType()},
        {takeEvery(b, left, i, 2), takeEvery(b, right, i, 2), sum});
  return sum;
}

/// A call of a function that takes 64-bit numbers and pointers.
template <auto function> Value *callHost(IRBuilder<> &b, ArrayRef<Value *> x) {
  SmallVector<Value *> arguments;
  SmallVector<Type *> types;
  for (Value *value : x) {
    bool isNumber = value->getType()->isIntegerTy();
    arguments.push_back(isNumber ? b.CreateZExt(value, b.getInt64Ty()) : value);
    types.push_back(arguments.back()->getType());
  }
  auto *type = FunctionType::get(b.getVoidTy(), types, /*isVarArg=*/false);
  auto address = reinterpret_cast<uintptr_t>(function);
  Value *callee = b.CreateIntToPtr(b.getInt64(address), b.getPtrTy());
  return b.CreateCall(type, callee, arguments);
}

struct Row {
  StringLiteral prefix;
  Value *(*emulate)(IRBuilder<> &, ArrayRef<Value *>);
};

constexpr Row rows[] = {
    {"llvm.x86.avx512.vpdpbusd.", dotBytes},
    {"llvm.x86.avx512.pmaddw.d.", multiplyAddWords},
    {"llvm.x86.avx512bf16.dpbf16ps.", dotBF16},
    {"llvm.x86.ldtilecfg", callHost<effc::amx::loadConfiguration>},
    {"llvm.x86.tilerelease", callHost<effc::amx::release>},
    {"llvm.x86.tilezero", callHost<effc::amx::zero>},
    {"llvm.x86.tileloadd64", callHost<effc::amx::load>},
    {"llvm.x86.tilestored64", callHost<effc::amx::store>},
    {"llvm.x86.tdpbusd", callHost<effc::amx::multiplyBytes>},
    {"llvm.x86.tdpbf16ps", callHost<effc::amx::multiplyBF16>}};

/// Families that a machine of AVX2 lacks.
constexpr StringLiteral families[] = {"llvm.x86.avx512", "llvm.x86.avxvnni",
                                      "llvm.x86.tdp", "llvm.x86.tile",
                                      "llvm.x86.ldtile"};

std::mutex mutex;
std::map<std::string, unsigned> emulated;

} // namespace

static void emulate(Function &function, const Row &row) {
  SmallVector<CallInst *> calls;
  for (User *user : function.users())
    if (auto *call = dyn_cast<CallInst>(user))
      calls.push_back(call);
  for (CallInst *call : calls) {
    IRBuilder<> b(call);
    SmallVector<Value *> arguments(call->args());
    call->replaceAllUsesWith(row.emulate(b, arguments));
    call->eraseFromParent();
  }
  std::lock_guard<std::mutex> lock(mutex);
  emulated[function.getName().str()] += calls.size();
}

bool effc::emulateIntrinsics(Module &module) {
  bool complete = true;
  for (Function &function : module) {
    StringRef name = function.getName();
    const Row *row = find_if(
        rows, [&](const Row &row) { return name.starts_with(row.prefix); });
    if (row != std::end(rows))
      emulate(function, *row);
    else
      complete &= none_of(families, [&](StringRef family) {
        return name.starts_with(family) && !function.use_empty();
      });
  }
  return complete;
}

effc::EmitOptions effc::makeEmulationOptions(eff::TargetAttr machine) {
  EmitOptions options;
  options.machine = machine;
  // What is left would end in an error of LLVM, whose text names it.
  options.rewrite = [](Module &module) { (void)emulateIntrinsics(module); };
  return options;
}

std::string effc::describeEmulated() {
  std::lock_guard<std::mutex> lock(mutex);
  std::string text;
  for (const auto &[name, count] : emulated)
    text += (text.empty() ? "" : ", ") + name + " (" + std::to_string(count) +
            " calls)";
  return text.empty() ? "none" : text;
}
