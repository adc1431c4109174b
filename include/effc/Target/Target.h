// What a target offers to the rest of the compiler: a description of the
// machine for the upper layers and object code for a module of kernel
// functions. Nothing else of a target is visible above this header.
#ifndef EFFC_TARGET_TARGET_H
#define EFFC_TARGET_TARGET_H

#include "Eff/EffOps.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/Pass/PassManager.h"
#include "llvm/Support/MemoryBuffer.h"
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace llvm {
class Module;
} // namespace llvm

namespace effc {

struct EmitOptions {
  /// 0 to 3, as compilers count.
  unsigned optLevel = 3;
  /// Scalar loops, libm, no vectorisers: the oracle.
  bool plain = false;
  /// Threads that compile at the same time; 0 is one for each core. The output
  /// does not depend on it.
  unsigned compileThreads = 0;
  /// AddressSanitizer's checks around every access. The process that runs the
  /// code must have its runtime.
  bool sanitize = false;
  /// For tests of kernels that this machine cannot run: code is made for
  /// another machine than tiles are chosen for, after `rewrite` took the
  /// instructions out of each module that it lacks. Null: the target's own.
  eff::TargetAttr machine;
  std::function<void(llvm::Module &)> rewrite;
  /// Put before every kernel's name, so that several models can live in one
  /// program.
  std::string symbolPrefix;
};

using ObjectFiles = std::vector<std::unique_ptr<llvm::MemoryBuffer>>;

class Target {
public:
  virtual ~Target();

  /// The name in `--target`.
  virtual llvm::StringRef getName() const = 0;

  /// The description of the machine that `cpu` (`--cpu`) names, or a diagnostic
  /// at `loc`.
  virtual mlir::FailureOr<eff::TargetAttr>
  resolve(mlir::Location loc, llvm::StringRef cpu) const = 0;

  /// What a machine must have to run the code: a set of effrt_cpu_feature.
  virtual uint64_t getRequiredFeatures(eff::TargetAttr target) const = 0;

  /// The passes that take a module of kernel functions to the LLVM dialect.
  virtual void buildPipeline(mlir::OpPassManager &pm, eff::TargetAttr target,
                             bool plain) const = 0;

  /// Object files for the kernel functions of `kernels`, which is left as it
  /// is.
  virtual mlir::FailureOr<ObjectFiles>
  emitObjects(mlir::ModuleOp kernels, eff::TargetAttr target,
              const EmitOptions &options) const = 0;
};

} // namespace effc

#endif // EFFC_TARGET_TARGET_H
