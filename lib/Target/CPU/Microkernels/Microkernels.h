// What the families of microkernels share: the table of tiles and one builder a
// family.
#ifndef EFFC_LIB_TARGET_CPU_MICROKERNELS_H
#define EFFC_LIB_TARGET_CPU_MICROKERNELS_H

#include "Effk/EffkOps.h"

namespace effc {

/// Whether Microkernels.def has the tile for the target.
bool hasTile(llvm::StringRef family, int64_t rows, int64_t vectors,
             mlir::Type sum, eff::TargetAttr target);

/// Replaces the op by vector code; a diagnostic if it cannot be.
mlir::LogicalResult lowerGemm(effk::GemmOp gemm, eff::TargetAttr target);

} // namespace effc

#endif // EFFC_LIB_TARGET_CPU_MICROKERNELS_H
