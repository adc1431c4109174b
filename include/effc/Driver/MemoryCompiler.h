// compile(options) into this process: for tests, fuzzers and programs that
// compile and run many models. Plain C++, without MLIR.
#ifndef EFFC_DRIVER_MEMORYCOMPILER_H
#define EFFC_DRIVER_MEMORYCOMPILER_H

#include "effc/Driver/Driver.h"
#include "effrt/effrt_abi.h"
#include <memory>

namespace effc {

/// Compiles one model after another. Compilers are independent of each other;
/// one is used by one thread at a time.
class MemoryCompiler {
public:
  MemoryCompiler();
  ~MemoryCompiler();

  /// A table for effrt_model_create, or null and a result that says why. No
  /// file is written: options of files and folders, and those that stop before
  /// code, are refused. Code and weights go with the last copy of the pointer,
  /// which may outlive the compiler; sessions on the model must be gone by
  /// then. Kernels that the runtime holds are looked for among the exports of
  /// the process: a program that compiles into memory links libeffrt.so.
  std::shared_ptr<const effrt_model_desc> compile(const CompileOptions &options,
                                                  CompileResult &result);

private:
  struct Impl;
  std::unique_ptr<Impl> impl;
};

} // namespace effc

#endif // EFFC_DRIVER_MEMORYCOMPILER_H
