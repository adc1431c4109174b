// Passes that find composite operations, and their patterns for other drivers.
#ifndef EFFC_TRANSFORMS_RAISE_PASSES_H
#define EFFC_TRANSFORMS_RAISE_PASSES_H

#include "Eff/EffOps.h"
#include "mlir/Pass/Pass.h"

namespace mlir {
class RewritePatternSet;
namespace func {
class FuncOp;
} // namespace func
} // namespace mlir

namespace effc {
#define GEN_PASS_DECL
#include "effc/Transforms/Raise/Passes.h.inc"
#define GEN_PASS_REGISTRATION
#include "effc/Transforms/Raise/Passes.h.inc"

/// Each adds one pattern set; `numRaised` counts what the patterns replace.
void populateRaiseActivationPatterns(
    mlir::RewritePatternSet &patterns,
    mlir::Pass::Statistic *numRaised = nullptr);
void populateRaiseNormPatterns(mlir::RewritePatternSet &patterns,
                               mlir::Pass::Statistic *numRaised = nullptr);
void populateRaiseSoftmaxPatterns(mlir::RewritePatternSet &patterns,
                                  mlir::Pass::Statistic *numRaised = nullptr);
void populateRaiseRopePatterns(mlir::RewritePatternSet &patterns,
                               mlir::Pass::Statistic *numRaised = nullptr);
void populateRaiseAttentionPatterns(mlir::RewritePatternSet &patterns,
                                    mlir::Pass::Statistic *numRaised = nullptr);
} // namespace effc

#endif // EFFC_TRANSFORMS_RAISE_PASSES_H
