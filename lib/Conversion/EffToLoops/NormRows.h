// Norms of rows in memory, in vectors.
#ifndef EFFC_LIB_CONVERSION_EFFTOLOOPS_NORMROWS_H
#define EFFC_LIB_CONVERSION_EFFTOLOOPS_NORMROWS_H

#include "KernelEmitter.h"

namespace effc {

/// A layer norm, or with `rms` one that subtracts no mean. Scale and bias may
/// be null.
struct NormParts {
  mlir::Value x, scale, bias, result;
  int64_t axis;
  double epsilon;
  bool rms;
};

/// Emits the norm if it is all of the kernel and rows are a known number of
/// whole vectors; else gives false and emits nothing.
bool emitPlainNorm(KernelEmitter &e, const NormParts &parts);

} // namespace effc

#endif // EFFC_LIB_CONVERSION_EFFTOLOOPS_NORMROWS_H
