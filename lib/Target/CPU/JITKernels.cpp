// Object files of kernels, linked into this process by ORC.
#include "effc/Target/CPU/JITKernels.h"
#include "Effk/EffkOps.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "llvm/ExecutionEngine/Orc/ExecutionUtils.h"
#include "llvm/ExecutionEngine/Orc/LLJIT.h"
#include <cstdlib>

using namespace mlir;
using namespace effc;

JITKernels::JITKernels(std::unique_ptr<llvm::orc::LLJIT> jit,
                       std::string prefix)
    : jit(std::move(jit)), prefix(std::move(prefix)) {}

JITKernels::~JITKernels() = default;

/// An empty process-wide linker that knows the functions of this process, libm
/// among them.
static llvm::Expected<std::unique_ptr<llvm::orc::LLJIT>>
createLinker(ObjectFiles objects) {
  auto jit = llvm::orc::LLJITBuilder().create();
  if (!jit)
    return jit.takeError();
  auto process = llvm::orc::DynamicLibrarySearchGenerator::GetForCurrentProcess(
      (*jit)->getDataLayout().getGlobalPrefix());
  if (!process)
    return process.takeError();
  (*jit)->getMainJITDylib().addGenerator(std::move(*process));
  for (std::unique_ptr<llvm::MemoryBuffer> &object : objects)
    if (llvm::Error error = (*jit)->addObjectFile(std::move(object)))
      return std::move(error);
  return std::move(*jit);
}

FailureOr<std::unique_ptr<JITKernels>>
JITKernels::create(ModuleOp kernels, eff::TargetAttr target,
                   const EmitOptions &options) {
  FailureOr<ObjectFiles> objects = emitObject(kernels, target, options);
  if (failed(objects))
    return failure();
  auto jit = createLinker(std::move(*objects));
  if (!jit)
    return kernels.emitError()
           << "cannot load kernels: " << llvm::toString(jit.takeError());
  // Objects are linked when first asked for; a function that they miss is an
  // error here and not in a call.
  for (auto kernel : kernels.getOps<func::FuncOp>()) {
    if (!kernel->hasAttr("effk.kernel") || kernel.isExternal())
      continue;
    auto symbol =
        (*jit)->lookup(options.symbolPrefix + kernel.getSymName().str());
    if (!symbol)
      return kernel.emitError() << "cannot load the kernel: "
                                << llvm::toString(symbol.takeError());
  }
  return std::unique_ptr<JITKernels>(
      new JITKernels(std::move(*jit), options.symbolPrefix));
}

effrt_kernel_fn JITKernels::lookup(StringRef name) const {
  // The runtime's kernels are functions of this process.
  bool ofRuntime = name.starts_with(effk::kLibraryPrefix);
  auto symbol = jit->lookup((ofRuntime ? "" : prefix) + name.str());
  if (!symbol) {
    llvm::consumeError(symbol.takeError());
    return nullptr;
  }
  return symbol->toPtr<effrt_kernel_fn>();
}

int32_t JITKernels::run(StringRef name, ArrayRef<void *> buffers,
                        ArrayRef<int64_t> dims, int64_t lo, int64_t hi,
                        size_t scratchBytes) const {
  int32_t error = EFFRT_KERNEL_OK;
  effrt_kernel_args args = {buffers.data(), dims.data(), &error};
  // aligned_alloc wants whole multiples of the alignment.
  size_t bytes = llvm::alignTo(scratchBytes, 64);
  std::unique_ptr<void, decltype(&std::free)> scratch(
      bytes ? std::aligned_alloc(64, bytes) : nullptr, &std::free);
  lookup(name)(&args, lo, hi, scratch.get());
  return error;
}
