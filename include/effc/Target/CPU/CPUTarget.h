// x86-64 machines with at least AVX2, aarch64 machines with NEON. Kernel
// functions become functions of the runtime's kernel ABI (effrt_kernel_fn);
// tile ops become vector code; LLVM does the rest.
#ifndef EFFC_TARGET_CPU_CPUTARGET_H
#define EFFC_TARGET_CPU_CPUTARGET_H

#include "effc/Target/Target.h"

namespace effc {

/// The names that `--cpu` takes, for messages and help.
llvm::ArrayRef<llvm::StringRef> getCPUNames();

/// The machine named `name`: one of getCPUNames(). `native` is the best of the
/// others that this machine can run, tuned for it.
mlir::FailureOr<eff::TargetAttr> resolveCPU(llvm::StringRef name,
                                            mlir::Location loc);

/// The machines of a comma list of such names, those with the most instructions
/// first, each once.
mlir::FailureOr<llvm::SmallVector<eff::TargetAttr>>
resolveCPUs(llvm::StringRef names, mlir::Location loc);

/// What LLVM calls the architecture and system.
llvm::StringRef getTriple(eff::TargetAttr target);

/// Whether this machine has all that code for `target` needs.
bool canRun(eff::TargetAttr target);

/// Whether code of that architecture runs in this process.
bool isHostTriple(llvm::StringRef triple);

/// The set of effrt_cpu_feature that code for `target` needs.
uint64_t getRequiredFeatures(eff::TargetAttr target);

/// Everything that translation to LLVM IR needs of a registry; call it before
/// the context is made.
void registerCPUTarget(mlir::DialectRegistry &registry);

/// Kernel functions (see `effk-lower-kernel-abi`) to the LLVM dialect.
void buildCPUPipeline(mlir::OpPassManager &pm, eff::TargetAttr target,
                      bool plain);
mlir::LogicalResult lowerToLLVM(mlir::ModuleOp module, eff::TargetAttr target,
                                bool plain);

/// One object file for every group of kernels. The groups, and so the bytes,
/// depend on the module only.
mlir::FailureOr<ObjectFiles> emitObject(mlir::ModuleOp kernels,
                                        eff::TargetAttr target,
                                        const EmitOptions &options);

const Target &getCPUTarget();

} // namespace effc

#endif // EFFC_TARGET_CPU_CPUTARGET_H
