// Contractions that operators of several themes expand into.
#ifndef EFFC_LIB_IMPORT_OPS_LINEAR_H
#define EFFC_LIB_IMPORT_OPS_LINEAR_H

#include "Emitter.h"

namespace effc {

/// numpy.matmul: operands of rank 1 get a dim that the result loses again.
mlir::Value emitMatMul(Emitter &e, mlir::Value a, mlir::Value b);

/// alpha * op(A) op(B) + beta * C with the attributes of the node (Gemm); C may
/// be null.
mlir::Value emitGemm(Emitter &e, mlir::Value a, mlir::Value b, mlir::Value c);

/// x convolved; groups, strides and pads as the node's attributes say.
mlir::Value emitConv(Emitter &e, mlir::Value x, mlir::Value weight,
                     mlir::Value bias);

} // namespace effc

#endif // EFFC_LIB_IMPORT_OPS_LINEAR_H
