// Tile ops to vector code, by the table of microkernels.
#include "effc/Target/CPU/Passes.h"

#include "CPU/Microkernels/MatrixTiles.h"
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
  StringRef sum, dot;
  uint64_t needs;
};

constexpr Microkernel microkernels[] = {
#define EFFC_MICROKERNEL(FAMILY, ROWS, VECTORS, BITS, SUM, DOT, NEEDS)         \
  {#FAMILY, ROWS, VECTORS, BITS, #SUM, #DOT, NEEDS},
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
    getOperation().walk(configureOnce);
    numTiles += gemms.size();
  }
};

} // namespace

static bool isNamed(Type type, StringRef name) {
  std::string text;
  llvm::raw_string_ostream(text) << type;
  return text == name;
}

const Dot *effc::findTile(StringRef family, effk::GemmOp gemm,
                          eff::TargetAttr target) {
  Type a = cast<MemRefType>(gemm.getA().getType()).getElementType(),
       b = cast<MemRefType>(gemm.getB().getType()).getElementType();
  Type sum = gemm.getSumType();
  int64_t columnBits = gemm.getTile()[1] * sum.getIntOrFloatBitWidth();
  uint64_t features = getRequiredFeatures(target);
  for (const Microkernel &kernel : microkernels) {
    const Dot &dot = getDot(kernel.dot);
    bool rowsFit = gemm.getTile()[0] <= kernel.rows && !gemm.getRegisterRows();
    if (!dot.tiles.empty())
      rowsFit = gemm.getTile()[0] * kMatrixRows ==
                kernel.rows * getRegisterRows(gemm);
    if (kernel.family == family && rowsFit &&
        kernel.bits == target.getVectorBits() &&
        columnBits == kernel.vectors * kernel.bits &&
        isNamed(sum, kernel.sum) && dot.takes(a, b) &&
        dot.interleave == static_cast<int64_t>(gemm.getInterleave()) &&
        (kernel.needs & ~features) == 0)
      return &dot;
  }
  return nullptr;
}
