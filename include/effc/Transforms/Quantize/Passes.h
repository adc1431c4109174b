// Passes that compute with fewer bits (see Passes.td).
#ifndef EFFC_TRANSFORMS_QUANTIZE_PASSES_H
#define EFFC_TRANSFORMS_QUANTIZE_PASSES_H

#include "Eff/EffOps.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Pass/Pass.h"

namespace effc {
#define GEN_PASS_DECL
#include "effc/Transforms/Quantize/Passes.h.inc"
#define GEN_PASS_REGISTRATION
#include "effc/Transforms/Quantize/Passes.h.inc"

struct Statistics;

/// With statistics that were read before; a layer must gain on all targets, or
/// on the module's where none is given.
std::unique_ptr<mlir::Pass>
createQuantizeInt8(const QuantizeInt8Options &options,
                   std::shared_ptr<const Statistics> statistics,
                   llvm::ArrayRef<eff::TargetAttr> targets);

std::unique_ptr<mlir::Pass>
createQuantizeBf16(const QuantizeBf16Options &options,
                   llvm::ArrayRef<eff::TargetAttr> targets);
std::unique_ptr<mlir::Pass>
createQuantizeDynamic(const QuantizeDynamicOptions &options,
                      llvm::ArrayRef<eff::TargetAttr> targets);
std::unique_ptr<mlir::Pass>
createQuantizeWeights(const QuantizeWeightsOptions &options,
                      llvm::ArrayRef<eff::TargetAttr> targets);

/// Function attribute: an array of {layer, node, precision, taken, reason,
/// error} for layers that could compute with fewer bits; `taken` ones do, and
/// `error`, where it is known, is an estimate over the size of the result.
/// Until eff-report-layers has run, `at` is the layer's location.
inline constexpr llvm::StringLiteral kQuantizedAttr = "eff.quantized";

/// Function attribute of eff-insert-probes: an array of {output, layers}.
inline constexpr llvm::StringLiteral kProbesAttr = "eff.probes";

} // namespace effc

#endif // EFFC_TRANSFORMS_QUANTIZE_PASSES_H
