// The patterns of eff-canonicalize-model by theme.
#ifndef EFFC_LIB_TRANSFORMS_NORMALIZE_PATTERNS_H
#define EFFC_LIB_TRANSFORMS_NORMALIZE_PATTERNS_H

#include "mlir/IR/PatternMatch.h"

namespace effc {

/// Constants to the right, strength reduction, clips.
void populateArithmeticPatterns(mlir::RewritePatternSet &patterns);
/// Transposes, reshapes, broadcasts and converts.
void populateMovementPatterns(mlir::RewritePatternSet &patterns);
/// Products with constants, and what goes into their weights.
void populateWeightPatterns(mlir::RewritePatternSet &patterns);

/// Transposed convolutions as convolutions.
void populateConvTransposePatterns(mlir::RewritePatternSet &patterns);

} // namespace effc

#endif // EFFC_LIB_TRANSFORMS_NORMALIZE_PATTERNS_H
