// Gates: which dialects may be left after a stage. A missing lowering is one
// clear message here instead of a failure three stages on.
#include "Eff/LateSizes.h"
#include "Effk/EffkOps.h"
#include "effc/Pipeline/Stages.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"

using namespace mlir;
using namespace effc;

/// Whether an op may stand in a function that is not a kernel after a stage.
static bool isAllowedOnHost(Operation *op, Stage stage) {
  if (isa<func::FuncOp, func::ReturnOp, eff::ConstantOp>(op))
    return true;
  if (isa<eff::EffDialect>(op->getDialect()) && stage < Stage::Fusion)
    return true;
  if (isa<eff::ReshapeOp, eff::IfOp, eff::LoopOp, eff::YieldOp,
          eff::DefineSizeOp, eff::CheckSizeOp>(op))
    return true;
  if (stage == Stage::Fusion)
    return isa<effk::KernelOp>(op);
  return stage == Stage::Conversion && isa<effk::LaunchOp, effk::PackedOp>(op);
}

static bool isAllowedInKernel(Operation *op) {
  StringRef dialect = op->getName().getDialectNamespace();
  return llvm::is_contained(
             {"arith", "math", "scf", "memref", "vector", "func"}, dialect) ||
         isa<effk::GemmOp, effk::ReportOp, effk::YieldOp>(op);
}

LogicalResult effc::checkGate(ModuleOp module, Stage stage) {
  bool ok = true;
  auto refuse = [&](Operation *op) {
    op->emitError("internal: ")
        << op->getName() << " is left after stage " << getStageName(stage);
    ok = false;
  };
  for (Operation &top : *module.getBody()) {
    auto function = dyn_cast<func::FuncOp>(top);
    if (!function) {
      refuse(&top);
      continue;
    }
    if (function->hasAttr("effk.kernel")) {
      function.walk([&](Operation *op) {
        if (!isAllowedInKernel(op))
          refuse(op);
      });
      continue;
    }
    // Kernels of the runtime are only declared.
    if (function.isDeclaration())
      continue;
    function.walk<WalkOrder::PreOrder>([&](Operation *op) {
      if (!isAllowedOnHost(op, stage))
        refuse(op);
      return isa<effk::KernelOp>(op) ? WalkResult::skip()
                                     : WalkResult::advance();
    });
    ok &= succeeded(eff::verifyLateSizes(function));
  }
  return success(ok);
}
