// First layers: a convolution of a few channels that reads the planes of its
// map where they lie. One definition for Fusion, which takes the transposition
// into the kernel, and Conversion, which emits it.
#ifndef EFFC_ANALYSIS_PLANES_H
#define EFFC_ANALYSIS_PLANES_H

#include "Eff/EffOps.h"

namespace effc {

/// The transposition to channels last that this convolution can do without: its
/// operand is what is read. Null where there is none or it is better made.
eff::TransposeOp getTransposedPlanes(eff::ConvOp conv);

/// Whether channels, outputs and last size of the kernel are worth reading
/// planes, given as OIHW weights.
bool areWorthPlanes(mlir::ArrayRef<int64_t> weight);

} // namespace effc

#endif // EFFC_ANALYSIS_PLANES_H
