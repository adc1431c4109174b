// Numbers of 8 and fewer bits as scalars of kernels.
#ifndef EFFC_LIB_CONVERSION_EFFTOLOOPS_SMALLFLOATS_H
#define EFFC_LIB_CONVERSION_EFFTOLOOPS_SMALLFLOATS_H

#include "KernelEmitter.h"
#include "effc/Support/SmallFloats.h"

namespace effc {

/// The f32 that a byte stands for.
mlir::Value emitDecode(KernelEmitter &e, mlir::Value byte,
                       const SmallFloatFormat &format);

/// The byte of an f32.
mlir::Value emitEncode(KernelEmitter &e, mlir::Value x,
                       const SmallFloatFormat &format, bool saturate,
                       SmallFloatRound round);

} // namespace effc

#endif // EFFC_LIB_CONVERSION_EFFTOLOOPS_SMALLFLOATS_H
