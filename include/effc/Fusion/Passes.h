// Passes that group ops into kernels (see Passes.td).
#ifndef EFFC_FUSION_PASSES_H
#define EFFC_FUSION_PASSES_H

#include "mlir/Pass/Pass.h"

namespace effc {
#define GEN_PASS_DECL
#include "effc/Fusion/Passes.h.inc"
#define GEN_PASS_REGISTRATION
#include "effc/Fusion/Passes.h.inc"
} // namespace effc

#endif // EFFC_FUSION_PASSES_H
