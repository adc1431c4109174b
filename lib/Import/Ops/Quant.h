// Linear quantisation, written out: y = saturate(round(x / scale) + zero).
#ifndef EFFC_LIB_IMPORT_OPS_QUANT_H
#define EFFC_LIB_IMPORT_OPS_QUANT_H

#include "Emitter.h"

namespace effc {

/// A scale or zero point in a shape that broadcasts to x: one number, one for
/// each index of `axis`, or one for each block of `block` along it.
mlir::Value alignParameter(Emitter &e, mlir::Value parameter, mlir::Value x,
                           int64_t axis, int64_t block);

/// saturate(round(x) + zero) of f32 numbers; `zero` may be null. Floats of 8
/// and 4 bits round by their own conversion.
mlir::Value emitSaturate(Emitter &e, mlir::Value x, mlir::Value zero,
                         mlir::Type type, bool saturate = true);

/// x - zero in i32 or, for floats of 8 and 4 bits, in f32; `zero` may be null.
mlir::Value emitCentred(Emitter &e, mlir::Value x, mlir::Value zero);

/// (x - zero) * scale in f32, with one scale for all or in a shape that
/// broadcasts; `zero` may be null.
mlir::Value emitDequantize(Emitter &e, mlir::Value x, mlir::Value scale,
                           mlir::Value zero);

/// A parameter of one element as a scalar, others as they are.
mlir::Value withoutUnitDim(Emitter &e, mlir::Value parameter);

struct DynamicQuantization {
  mlir::Value value, scale, zero;
};
/// u8 with the scale and zero point that cover the operand and zero.
DynamicQuantization emitDynamicQuantize(Emitter &e, mlir::Value x);

/// QLinearConv with the operands of the node, but for x.
mlir::Value emitQLinearConv(Emitter &e, mlir::Value x);

/// Floats of 8 and 4 bits.
bool isSmallFloat(mlir::Type type);

/// Integers of 2 to 32 bits and floats of 8 and 4; else false and a
/// diagnostic.
bool isQuantizable(NodeContext &ctx, mlir::Type type);

} // namespace effc

#endif // EFFC_LIB_IMPORT_OPS_QUANT_H
