// Passes from eff to eff.
#ifndef EFFC_TRANSFORMS_PASSES_H
#define EFFC_TRANSFORMS_PASSES_H

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Pass/Pass.h"

namespace effc {
#define GEN_PASS_DECL
#include "effc/Transforms/Passes.h.inc"
#define GEN_PASS_REGISTRATION
#include "effc/Transforms/Passes.h.inc"
} // namespace effc

#endif // EFFC_TRANSFORMS_PASSES_H
