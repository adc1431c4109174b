// Everything that the tools register.
#include "effc/InitAll.h"
#include "Eff/EffOps.h"
#include "Effk/EffkOps.h"
#include "effc/Conversion/Passes.h"
#include "effc/Fusion/Passes.h"
#include "effc/Pipeline/Stages.h"
#include "effc/Target/CPU/Passes.h"
#include "effc/Transforms/Passes.h"
#include "effc/Transforms/Quantize/Passes.h"
#include "effc/Transforms/Raise/Passes.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/DialectRegistry.h"

namespace effc {

void registerAllDialects(mlir::DialectRegistry &registry) {
  registry.insert<eff::EffDialect, effk::EffkDialect, mlir::arith::ArithDialect,
                  mlir::func::FuncDialect, mlir::LLVM::LLVMDialect,
                  mlir::math::MathDialect, mlir::memref::MemRefDialect,
                  mlir::scf::SCFDialect, mlir::vector::VectorDialect>();
}

void registerAllPasses() {
  // One line for each library with passes.
  registerConversionPasses();
  registerFusionPasses();
  registerEffcTargetCPUPasses();
  registerStagePipelines();
  registerEffcTransformsPasses();
  registerEffcQuantizePasses();
  registerEffcRaisePasses();
}

} // namespace effc
