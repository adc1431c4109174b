// What the shape functions and verifiers of all themed files share. Private to
// the dialect.
#ifndef EFF_VERIFY_H
#define EFF_VERIFY_H

#include "Eff/EffOps.h"
#include "mlir/IR/Diagnostics.h"

namespace effc::eff {

/// Emits "'eff.op' op ..." when there is a location; always fails.
template <typename OpTy, typename... Args>
mlir::LogicalResult inferError(std::optional<mlir::Location> location,
                               Args &&...args) {
  if (!location)
    return mlir::failure();
  mlir::InFlightDiagnostic diagnostic = mlir::emitError(*location);
  diagnostic << "'" << OpTy::getOperationName() << "' op ";
  (diagnostic << ... << std::forward<Args>(args));
  return diagnostic;
}

/// "[1, s0, 3]" for messages.
std::string toString(llvm::ArrayRef<mlir::AffineExpr> dims);

/// A constant contradicts another constant; symbolic sizes never do.
bool contradict(mlir::AffineExpr a, mlir::AffineExpr b);
bool contradict(llvm::ArrayRef<mlir::AffineExpr> a,
                llvm::ArrayRef<mlir::AffineExpr> b);

/// `from` broadcasts to `to` without changing it.
bool broadcastsTo(llvm::ArrayRef<mlir::AffineExpr> from,
                  llvm::ArrayRef<mlir::AffineExpr> to);

/// Every size of these tensors is known as an expression.
bool haveDims(mlir::TypeRange types);

template <typename OpTy>
mlir::LogicalResult checkDims(std::optional<mlir::Location> location,
                              mlir::ValueRange operands) {
  for (mlir::Value operand : operands)
    if (!haveDims(operand.getType()))
      return inferError<OpTy>(
          location, "operand of type ", operand.getType(),
          " has a dynamic dim without an #eff.dims encoding");
  return mlir::success();
}

/// The same for an op with explicit result types.
mlir::LogicalResult verifyDims(mlir::Operation *op);

/// Runs the shape function and compares. Called first by verifiers, which can
/// then rely on ranks and attribute lengths: the interface's own verification
/// comes after them.
template <typename OpTy> mlir::LogicalResult verifyInferred(OpTy op) {
  llvm::SmallVector<mlir::Type, 1> types;
  if (failed(OpTy::inferReturnTypes(
          op->getContext(), op->getLoc(), op->getOperands(),
          op->getRawDictionaryAttrs(), op->getPropertiesStorage(),
          op->getRegions(), types)))
    return mlir::failure();
  if (!OpTy::isCompatibleReturnTypes(types, op->getResultTypes()))
    return op->emitOpError("has type ")
           << op->getResult(0).getType() << ", expected " << types[0];
  return mlir::success();
}

inline mlir::Type getElementType(mlir::Value value) {
  return llvm::cast<mlir::RankedTensorType>(value.getType()).getElementType();
}

inline int64_t getRank(mlir::Value value) {
  return llvm::cast<mlir::RankedTensorType>(value.getType()).getRank();
}

/// f16, bf16, f32 or f64.
bool isFloat(mlir::Type type);
/// i8..i64 or ui8..ui64; neither bool nor integers of 4 or 2 bits.
bool isInteger(mlir::Type type);
inline bool isBool(mlir::Type type) { return type.isInteger(1); }
/// What operations compute with; other types are only moved and converted.
inline bool isNumberOrBool(mlir::Type type) {
  return isFloat(type) || isInteger(type) || isBool(type);
}
/// i32 or i64.
bool isIndex(mlir::Type type);

/// The extent of a window operation along one dim; `ceil` rounds up.
mlir::AffineExpr getWindowExtent(mlir::AffineExpr extent, int64_t pads,
                                 mlir::AffineExpr kernel, int64_t dilation,
                                 int64_t stride, bool ceil = false);

} // namespace effc::eff

#endif // EFF_VERIFY_H
