// Passes that turn kernel regions into loops (see Passes.td).
#ifndef EFFC_CONVERSION_PASSES_H
#define EFFC_CONVERSION_PASSES_H

#include "effc/Analysis/TileChoice.h"
#include "mlir/Pass/Pass.h"

namespace effc {
#define GEN_PASS_DECL
#include "effc/Conversion/Passes.h.inc"
#define GEN_PASS_REGISTRATION
#include "effc/Conversion/Passes.h.inc"
} // namespace effc

#endif // EFFC_CONVERSION_PASSES_H
