// Kernel functions to the runtime's kernel ABI (effrt_kernel_fn). The body
// stays a function of its own, because LLVM keeps the no-alias promise of
// arguments best when they are not inlined.
#include "effc/Target/CPU/Passes.h"

#include "Effk/EffkOps.h"
#include "effrt/effrt_abi.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

namespace effc {
#define GEN_PASS_DEF_LOWERKERNELABI
#include "effc/Target/CPU/Passes.h.inc"
} // namespace effc

using namespace mlir;
using namespace effc;

namespace {

bool isFlatMemRef(Type type) {
  auto memref = dyn_cast<MemRefType>(type);
  return memref && memref.getRank() == 1 && memref.getLayout().isIdentity();
}

/// The arguments of a kernel function, by role.
struct KernelSignature {
  unsigned numBuffers = 0;
  unsigned numResults = 0;
  unsigned numDims = 0;

  static FailureOr<KernelSignature> get(func::FuncOp kernel);
};

FailureOr<KernelSignature> KernelSignature::get(func::FuncOp kernel) {
  KernelSignature signature;
  auto results = kernel->getAttrOfType<IntegerAttr>("effk.results");
  TypeRange types = kernel.getArgumentTypes();
  if (!results || types.size() < 3 || kernel.getNumResults() != 0)
    return kernel.emitOpError("is a kernel and must have `effk.results`, no "
                              "results and the arguments lo, hi and scratch");
  while (isFlatMemRef(types[signature.numBuffers]) &&
         signature.numBuffers + 1 < types.size())
    ++signature.numBuffers;
  signature.numResults = results.getInt();
  signature.numDims = types.size() - signature.numBuffers - 3;
  bool indices =
      llvm::all_of(types.drop_front(signature.numBuffers).drop_back(),
                   [](Type type) { return type.isIndex(); });
  if (types.size() < signature.numBuffers + 3u || !indices ||
      !isFlatMemRef(types.back()) ||
      signature.numResults > signature.numBuffers)
    return kernel.emitOpError("is a kernel and must take flat memrefs, then an "
                              "index a dim, lo, hi, then the scratch memref");
  return signature;
}

/// A memref over a bare pointer. Sizes are left undefined: nothing may ask.
Value wrapPointer(ImplicitLocOpBuilder &builder, Value pointer,
                  MemRefType type) {
  Type i64 = builder.getI64Type();
  auto pair = LLVM::LLVMArrayType::get(i64, 1);
  auto structType = LLVM::LLVMStructType::getLiteral(
      builder.getContext(),
      {pointer.getType(), pointer.getType(), i64, pair, pair});
  auto constant = [&](int64_t value) {
    return LLVM::ConstantOp::create(builder, i64,
                                    builder.getI64IntegerAttr(value));
  };
  Value desc = LLVM::PoisonOp::create(builder, structType);
  desc =
      LLVM::InsertValueOp::create(builder, desc, pointer, ArrayRef<int64_t>{0});
  desc =
      LLVM::InsertValueOp::create(builder, desc, pointer, ArrayRef<int64_t>{1});
  desc = LLVM::InsertValueOp::create(builder, desc, constant(0),
                                     ArrayRef<int64_t>{2});
  desc = LLVM::InsertValueOp::create(builder, desc, constant(1),
                                     ArrayRef<int64_t>{4, 0});
  return UnrealizedConversionCastOp::create(builder, type, desc).getResult(0);
}

/// Reports become `local = condition ? code : local`, which the vectoriser
/// knows as a reduction; the return passes the locals on.
void lowerReports(func::FuncOp body, Value error) {
  SmallVector<effk::ReportOp> reports;
  body.walk([&](effk::ReportOp report) { reports.push_back(report); });
  if (reports.empty())
    return;
  ImplicitLocOpBuilder builder(body.getLoc(), body.getContext());
  builder.setInsertionPointToStart(&body.front());
  Type i32 = builder.getI32Type();
  Value one =
      LLVM::ConstantOp::create(builder, i32, builder.getI32IntegerAttr(1));
  Value zero =
      LLVM::ConstantOp::create(builder, i32, builder.getI32IntegerAttr(0));
  SmallVector<Value> slots;
  for (size_t i = 0; i < reports.size(); ++i) {
    Value slot = LLVM::AllocaOp::create(builder, error.getType(), i32, one, 4);
    LLVM::StoreOp::create(builder, zero, slot);
    slots.push_back(slot);
  }
  for (auto [report, slot] : llvm::zip_equal(reports, slots)) {
    ImplicitLocOpBuilder at(report.getLoc(), report);
    Value code = LLVM::ConstantOp::create(at, i32, report.getCodeAttr());
    Value old = LLVM::LoadOp::create(at, i32, slot);
    Value updated =
        arith::SelectOp::create(at, report.getCondition(), code, old);
    LLVM::StoreOp::create(at, updated, slot);
    report.erase();
  }
  builder.setInsertionPoint(body.front().getTerminator());
  Value code = zero;
  for (Value slot : slots) {
    Value unset =
        arith::CmpIOp::create(builder, arith::CmpIPredicate::eq, code, zero);
    Value value = LLVM::LoadOp::create(builder, i32, slot);
    code = arith::SelectOp::create(builder, unset, value, code);
  }
  Value failed =
      arith::CmpIOp::create(builder, arith::CmpIPredicate::ne, code, zero);
  scf::IfOp::create(builder, failed, [&](OpBuilder &inner, Location loc) {
    LLVM::StoreOp::create(inner, loc, code, error, 4, false, false, false,
                          LLVM::AtomicOrdering::monotonic);
    scf::YieldOp::create(inner, loc);
  });
}

/// Turns the memref arguments into pointers and appends the error pointer.
void lowerSignature(func::FuncOp body, const KernelSignature &signature) {
  MLIRContext *context = body.getContext();
  auto pointerType = LLVM::LLVMPointerType::get(context);
  ImplicitLocOpBuilder builder(body.getLoc(), context);
  Block &entry = body.front();
  builder.setInsertionPointToStart(&entry);
  unsigned numInputs = signature.numBuffers - signature.numResults;
  for (BlockArgument argument : entry.getArguments()) {
    auto type = dyn_cast<MemRefType>(argument.getType());
    if (!type)
      continue;
    argument.setType(pointerType);
    Value memref = wrapPointer(builder, argument, type);
    argument.replaceUsesWithIf(memref, [&](OpOperand &use) {
      return !isa<LLVM::InsertValueOp>(use.getOwner());
    });
    unsigned index = argument.getArgNumber();
    body.setArgAttr(index, LLVM::LLVMDialect::getNoAliasAttrName(),
                    builder.getUnitAttr());
    if (index < numInputs)
      body.setArgAttr(index, LLVM::LLVMDialect::getReadonlyAttrName(),
                      builder.getUnitAttr());
  }
  Value error = entry.addArgument(pointerType, body.getLoc());
  body.setType(builder.getFunctionType(entry.getArgumentTypes(), {}));
  SmallVector<Attribute> argAttrs(entry.getNumArguments(),
                                  builder.getDictionaryAttr({}));
  if (ArrayAttr given = body.getArgAttrsAttr())
    llvm::copy(given, argAttrs.begin());
  body.setAllArgAttrs(argAttrs);
  lowerReports(body, error);
}

/// The function that the runtime calls: loads what the body takes.
void buildEntry(func::FuncOp body, StringAttr name,
                const KernelSignature &signature) {
  MLIRContext *context = body.getContext();
  ImplicitLocOpBuilder builder(body.getLoc(), body);
  auto ptr = LLVM::LLVMPointerType::get(context);
  Type i64 = builder.getI64Type();
  auto entry = func::FuncOp::create(
      builder, name, builder.getFunctionType({ptr, i64, i64, ptr}, {}));
  entry->setAttr("effk.entry", builder.getUnitAttr());
  Block *block = entry.addEntryBlock();
  builder.setInsertionPointToStart(block);
  auto loadAt = [&](Type type, Value base, int32_t index) -> Value {
    Value address = LLVM::GEPOp::create(builder, ptr, type, base,
                                        ArrayRef<LLVM::GEPArg>{index});
    return LLVM::LoadOp::create(builder, type, address);
  };
  // effrt_kernel_args: three pointers.
  static_assert(sizeof(effrt_kernel_args) == 3 * sizeof(void *));
  Value args = block->getArgument(0);
  Value buffers = loadAt(ptr, args, 0);
  Value dims = loadAt(ptr, args, 1);
  auto toIndex = [&](Value value) -> Value {
    return arith::IndexCastOp::create(builder, builder.getIndexType(), value);
  };
  SmallVector<Value> operands;
  for (unsigned i = 0; i < signature.numBuffers; ++i)
    operands.push_back(loadAt(ptr, buffers, i));
  for (unsigned i = 0; i < signature.numDims; ++i)
    operands.push_back(toIndex(loadAt(i64, dims, i)));
  operands.push_back(toIndex(block->getArgument(1)));
  operands.push_back(toIndex(block->getArgument(2)));
  operands.push_back(block->getArgument(3));
  operands.push_back(loadAt(ptr, args, 2));
  func::CallOp::create(builder, body, operands);
  func::ReturnOp::create(builder);
}

/// Whether LLVM may change the order of a sum in the loop.
bool hasReassociation(scf::ForOp loop) {
  WalkResult walk = loop->walk([](arith::ArithFastMathInterface op) {
    arith::FastMathFlagsAttr flags = op.getFastMathFlagsAttr();
    bool reassociates =
        flags &&
        bitEnumContainsAny(flags.getValue(), arith::FastMathFlags::reassoc);
    return reassociates ? WalkResult::interrupt() : WalkResult::advance();
  });
  return walk.wasInterrupted();
}

/// Any split of [lo, hi) gives the same bits, so the code of an item must not
/// depend on its neighbours. Where the loops of an item are short enough to be
/// unrolled, LLVM makes vectors across items, and sums that it may reorder come
/// out differently in the vector body and in the rest.
void keepItemsApart(func::FuncOp kernel) {
  MLIRContext *context = kernel.getContext();
  Block &entry = kernel.getBody().front();
  Value lo = entry.getArgument(entry.getNumArguments() - 3),
        hi = entry.getArgument(entry.getNumArguments() - 2);
  auto yes = BoolAttr::get(context, true);
  LLVM::LoopVectorizeAttr vectorize = LLVM::LoopVectorizeAttr::get(
      context, /*disable=*/yes, {}, {}, {}, {}, {}, {});
  LLVM::LoopUnrollAttr unroll = LLVM::LoopUnrollAttr::get(
      context, /*disable=*/yes, {}, {}, {}, {}, {}, {});
  auto annotation =
      LLVM::LoopAnnotationAttr::get(context, {}, vectorize, {}, unroll, {}, {},
                                    {}, {}, {}, {}, {}, {}, {}, {}, {});
  for (auto loop : kernel.getOps<scf::ForOp>())
    if (loop.getLowerBound() == lo && loop.getUpperBound() == hi &&
        hasReassociation(loop))
      loop->setAttr("llvm.loop_annotation", annotation);
}

struct LowerKernelABI : effc::impl::LowerKernelABIBase<LowerKernelABI> {
  void runOnOperation() override {
    ModuleOp module = getOperation();
    for (auto kernel :
         llvm::make_early_inc_range(module.getOps<func::FuncOp>())) {
      if (!kernel->hasAttr("effk.kernel") || kernel.isExternal())
        continue;
      FailureOr<KernelSignature> signature = KernelSignature::get(kernel);
      if (failed(signature))
        return signalPassFailure();
      StringAttr name = kernel.getSymNameAttr();
      kernel.setSymName((name.getValue() + ".body").str());
      kernel.setPrivate();
      keepItemsApart(kernel);
      kernel->removeAttr("effk.kernel");
      kernel->removeAttr("effk.results");
      lowerSignature(kernel, *signature);
      buildEntry(kernel, name, *signature);
      ++numKernels;
    }
  }
};

} // namespace
