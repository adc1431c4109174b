// Tile ops to vector code, by the table of microkernels.
#include "effc/Target/CPU/Passes.h"

#include "CPU/Microkernels/Microkernels.h"
#include "effc/Target/CPU/CPUTarget.h"
#include "effrt/effrt_abi.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

namespace effc {
#define GEN_PASS_DEF_LOWERTILES
#include "effc/Target/CPU/Passes.h.inc"
} // namespace effc

using namespace mlir;
using namespace effc;

namespace {

struct Microkernel {
  StringRef family;
  int64_t rows, vectors, bits;
  StringRef sum;
  uint64_t needs;
};

constexpr Microkernel microkernels[] = {
#define EFFC_MICROKERNEL(FAMILY, ROWS, VECTORS, BITS, SUM, NEEDS)              \
  {#FAMILY, ROWS, VECTORS, BITS, #SUM, NEEDS},
#include "CPU/Microkernels.def"
};

struct LowerTiles : effc::impl::LowerTilesBase<LowerTiles> {
  void runOnOperation() override {
    SmallVector<effk::GemmOp> gemms;
    getOperation().walk([&](effk::GemmOp gemm) { gemms.push_back(gemm); });
    if (gemms.empty())
      return;
    auto target = getOperation()->getAttrOfType<eff::TargetAttr>("eff.target");
    if (!target) {
      getOperation().emitError("has tile ops and must have `eff.target`");
      return signalPassFailure();
    }
    for (effk::GemmOp gemm : gemms)
      if (failed(lowerGemm(gemm, target)))
        return signalPassFailure();
    numTiles += gemms.size();
  }
};

} // namespace

bool effc::hasTile(StringRef family, int64_t rows, int64_t vectors, Type sum,
                   eff::TargetAttr target) {
  StringRef sumName = sum.isF64() ? "f64" : "f32";
  uint64_t features = getRequiredFeatures(target);
  return llvm::any_of(microkernels, [&](const Microkernel &kernel) {
    return kernel.family == family && rows <= kernel.rows &&
           vectors == kernel.vectors && kernel.sum == sumName &&
           kernel.bits == target.getVectorBits() &&
           (kernel.needs & ~features) == 0;
  });
}
