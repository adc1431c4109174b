// What may be fused behind a tiled contraction: one definition for Fusion,
// which joins ops, and Conversion, which emits them.
#ifndef EFFC_ANALYSIS_EPILOGUE_H
#define EFFC_ANALYSIS_EPILOGUE_H

#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Operation.h"
#include <optional>

namespace effc {

/// How an epilogue operand varies over a result viewed as a matrix [rows, last
/// dim].
enum class OperandMap { Scalar, Column, Element, Row };

/// Classifies an operand that broadcasts to `result`; nothing when it is
/// neither constant, per column, per row nor per element.
std::optional<OperandMap> classifyOperand(mlir::Type operand,
                                          mlir::Type result);

/// Whether an elementwise op can run on the registers of a tile. Integer
/// division and powers cannot: they report errors or loop.
bool isVectorizable(mlir::Operation *op);

} // namespace effc

#endif // EFFC_ANALYSIS_EPILOGUE_H
