// Runs a host function after Conversion the way the runtime does, but hostile:
// every launch is cut into pieces at random places that run in random order
// with dirty scratch memory, results start as garbage, inputs cannot be written
// and nothing behind a buffer can be touched (see docs/architecture.md, "The
// host program is data", and effrt_kernel_fn in effrt_abi.h).
#ifndef EFFC_TEST_LIB_HOSTRUNNER_H
#define EFFC_TEST_LIB_HOSTRUNNER_H

#include "Effk/EffkOps.h"
#include "GuardedBuffer.h"
#include "effc/Analysis/TileChoice.h"
#include "effc/Target/CPU/JITKernels.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include <random>

namespace effc {

class HostRunner {
public:
  using Bytes = std::vector<char>;
  struct Outcome {
    std::vector<Bytes> results;
    int32_t error = EFFRT_KERNEL_OK;
  };

  /// Takes a module of eff ops through Fusion and Conversion and compiles its
  /// kernels; what this machine cannot execute of the target is emulated.
  static mlir::FailureOr<std::unique_ptr<HostRunner>>
  create(mlir::OwningOpRef<mlir::ModuleOp> module, eff::TargetAttr target,
         bool plain, WinogradUse winograd = WinogradUse::WhereFaster);

  /// Runs the module's one host function. `symbols` are the values of s0, s1,
  /// ...; `seed` decides the cuts.
  mlir::FailureOr<Outcome> run(llvm::ArrayRef<Bytes> inputs,
                               llvm::ArrayRef<int64_t> symbols, uint32_t seed);

  /// Number of launches of the host function.
  unsigned countLaunches();
  mlir::ModuleOp getModule() { return *module; }

private:
  using Buffer = std::shared_ptr<GuardedBuffer>;

  HostRunner(mlir::OwningOpRef<mlir::ModuleOp> module)
      : module(std::move(module)) {}
  mlir::LogicalResult runOp(mlir::Operation &op);
  mlir::LogicalResult runBlock(mlir::Block &block);
  mlir::LogicalResult runIf(eff::IfOp op);
  mlir::LogicalResult runLoop(eff::LoopOp op);
  void assign(llvm::ArrayRef<int64_t> targets, eff::DimsAttr sizes);
  bool isTrue(mlir::Value condition);
  mlir::LogicalResult launch(effk::LaunchOp op);
  Buffer makeConstant(mlir::Operation &op);
  Buffer makeBuffer(mlir::Type tensor, unsigned char fill);
  int64_t evaluate(mlir::AffineExpr expr) const;

  mlir::OwningOpRef<mlir::ModuleOp> module;
  mlir::func::FuncOp host;
  std::unique_ptr<JITKernels> kernels;

  // Of the run in progress.
  std::vector<int64_t> symbols;
  std::mt19937 random;
  llvm::DenseMap<mlir::Value, Buffer> buffers;
  int32_t error;
};

} // namespace effc

#endif // EFFC_TEST_LIB_HOSTRUNNER_H
