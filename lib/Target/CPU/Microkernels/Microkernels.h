// What the families of microkernels share: the table of tiles and one builder a
// family.
#ifndef EFFC_LIB_TARGET_CPU_MICROKERNELS_H
#define EFFC_LIB_TARGET_CPU_MICROKERNELS_H

#include "CPU/Microkernels/Dots.h"
#include "Effk/EffkOps.h"

namespace effc {

/// How the tile of Microkernels.def multiplies; null if the target has no such
/// tile.
const Dot *findTile(llvm::StringRef family, effk::GemmOp gemm,
                    eff::TargetAttr target);

/// Replaces the op by vector code; a diagnostic if it cannot be.
mlir::LogicalResult lowerGemm(effk::GemmOp gemm, eff::TargetAttr target);

} // namespace effc

#endif // EFFC_LIB_TARGET_CPU_MICROKERNELS_H
