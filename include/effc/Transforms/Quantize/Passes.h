// Passes that compute with fewer bits (see Passes.td).
#ifndef EFFC_TRANSFORMS_QUANTIZE_PASSES_H
#define EFFC_TRANSFORMS_QUANTIZE_PASSES_H

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Pass/Pass.h"

namespace effc {
#define GEN_PASS_DECL
#include "effc/Transforms/Quantize/Passes.h.inc"
#define GEN_PASS_REGISTRATION
#include "effc/Transforms/Quantize/Passes.h.inc"

/// Function attribute: an array of {node, to} for layers that compute with
/// fewer bits than the model asks for.
inline constexpr llvm::StringLiteral kQuantizedAttr = "eff.quantized";

/// Function attribute of eff-insert-probes: an array of {output, layers}.
inline constexpr llvm::StringLiteral kProbesAttr = "eff.probes";

} // namespace effc

#endif // EFFC_TRANSFORMS_QUANTIZE_PASSES_H
