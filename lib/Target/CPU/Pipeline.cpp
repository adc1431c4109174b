// The order of passes from kernel functions to the LLVM dialect. Vectors exist
// only where a tile op made them; loops over scalars go to LLVM as they are and
// its loop vectoriser takes them.
#include "effc/Target/CPU/CPUTarget.h"
#include "effc/Target/CPU/Passes.h"

#include "mlir/Conversion/Passes.h"
#include "mlir/Dialect/Arith/Transforms/Passes.h"
#include "mlir/Dialect/MemRef/Transforms/Passes.h"
#include "mlir/Transforms/Passes.h"

using namespace mlir;

void effc::buildCPUPipeline(OpPassManager &pm, eff::TargetAttr target,
                            bool plain) {
  pm.addPass(createLowerTiles());
  pm.addPass(memref::createExpandStridedMetadataPass());
  LowerMathOptions lowerMath;
  lowerMath.plain = plain;
  pm.addPass(createLowerMath(lowerMath));
  // Half types are for storage: arithmetic on them is done in f32, and rounding
  // to bf16 in integers, for which LLVM would call a library function.
  arith::ArithEmulateUnsupportedFloatsOptions emulate;
  emulate.sourceTypeStrs = {"bf16", "f16"};
  emulate.targetTypeStr = "f32";
  pm.addPass(arith::createArithEmulateUnsupportedFloats(emulate));
  pm.addPass(createExpandArith());
  if (!plain)
    pm.addPass(createAnnotateLoops());
  pm.addPass(createLowerKernelABI());
  pm.addPass(createSCFToControlFlowPass());
  pm.addPass(createConvertVectorToLLVMPass());
  pm.addPass(createConvertMathToLLVMPass());
  pm.addPass(createArithToLLVMConversionPass());
  pm.addPass(createConvertIndexToLLVMPass());
  pm.addPass(createFinalizeMemRefToLLVMConversionPass());
  pm.addPass(createConvertControlFlowToLLVMPass());
  pm.addPass(createConvertFuncToLLVMPass());
  pm.addPass(createReconcileUnrealizedCastsPass());
  if (!plain)
    pm.addPass(createAnnotateLoops());
}

LogicalResult effc::lowerToLLVM(ModuleOp module, eff::TargetAttr target,
                                bool plain) {
  PassManager pm(module.getContext());
  buildCPUPipeline(pm, target, plain);
  return pm.run(module);
}
