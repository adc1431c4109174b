// Kernels compiled into this process: for constant folding, tuning and tests.
// The code is that of the object files, byte for byte.
#ifndef EFFC_TARGET_CPU_JITKERNELS_H
#define EFFC_TARGET_CPU_JITKERNELS_H

#include "effc/Target/CPU/CPUTarget.h"
#include "effrt/effrt_abi.h"
#include "llvm/Support/Error.h"

namespace llvm::orc {
class LLJIT;
} // namespace llvm::orc

namespace effc {

class JITKernels {
public:
  ~JITKernels();

  /// Compiles the kernel functions of `kernels`; a diagnostic on failure.
  static mlir::FailureOr<std::unique_ptr<JITKernels>>
  create(mlir::ModuleOp kernels, eff::TargetAttr target,
         const EmitOptions &options = {});

  /// The kernel's entry, or null if there is none of that name.
  effrt_kernel_fn lookup(llvm::StringRef name) const;

  /// Runs iterations [lo, hi) of a kernel with `scratchBytes` of scratch and
  /// gives the effrt_kernel_error it left.
  int32_t run(llvm::StringRef name, llvm::ArrayRef<void *> buffers,
              llvm::ArrayRef<int64_t> dims, int64_t lo, int64_t hi,
              size_t scratchBytes = 0) const;

private:
  JITKernels(std::unique_ptr<llvm::orc::LLJIT> jit, std::string prefix);

  std::unique_ptr<llvm::orc::LLJIT> jit;
  std::string prefix;
};

} // namespace effc

#endif // EFFC_TARGET_CPU_JITKERNELS_H
