// Sizes of tensors as expressions over a function's symbols (see EffAttrs.td).
// A size is an AffineExpr that uses symbols only; products of symbols make it
// semi-affine, which MLIR's uniquing and simplifier handle.
#ifndef EFF_DIMS_H
#define EFF_DIMS_H

#include "mlir/IR/AffineExpr.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Operation.h"
#include <optional>

namespace effc::eff {

using Dims = llvm::SmallVector<mlir::AffineExpr, 6>;

/// A constant size.
mlir::AffineExpr constDim(mlir::MLIRContext *context, int64_t value);

/// The value of a constant size, else nothing.
std::optional<int64_t> getConstant(mlir::AffineExpr dim);

/// As written in `#eff.dims`: "s0 + 1".
std::string toString(mlir::AffineExpr dim);

/// All sizes of a tensor; a dynamic dim without encoding gives a null
/// expression.
Dims getDims(mlir::Type tensorType);

/// The size of one dim.
mlir::AffineExpr getDim(mlir::Type tensorType, int64_t axis);

/// The number of elements.
mlir::AffineExpr getNumElements(mlir::Type tensorType);

/// The product of sizes, simplified; 1 for none.
mlir::AffineExpr product(mlir::MLIRContext *context,
                         llvm::ArrayRef<mlir::AffineExpr> dims);

/// The canonical form of a size: like terms collected, equal factors cancelled
/// in divisions.
mlir::AffineExpr simplify(mlir::AffineExpr dim);

/// The exact quotient of two sizes when it can be found (the size of a
/// reshape's -1): factors common to both products cancel. What does not cancel
/// becomes a floor division.
mlir::AffineExpr exactDiv(mlir::AffineExpr numerator,
                          mlir::AffineExpr denominator);

/// A tensor type with these sizes; gets a `#eff.dims` encoding unless all are
/// constant.
mlir::RankedTensorType makeTensorType(mlir::Type elementType,
                                      llvm::ArrayRef<mlir::AffineExpr> dims);

/// The same shape with another element type.
mlir::RankedTensorType withElementType(mlir::Type tensorType,
                                       mlir::Type elementType);

/// Multidirectional broadcasting (ONNX Broadcasting.md) of two shapes, or
/// nothing when constant sizes contradict. A constant other than 1 wins over a
/// symbolic size; of two different symbolic sizes the first is taken and
/// equality is left to a check (see `collectEqualities`).
std::optional<Dims> broadcastDims(llvm::ArrayRef<mlir::AffineExpr> a,
                                  llvm::ArrayRef<mlir::AffineExpr> b);

/// Only a run knows whether a dim of this size is repeated to one of size `to`:
/// neither is it 1 nor are both the same expression.
bool mayBeRepeated(mlir::AffineExpr size, mlir::AffineExpr to);

/// The distance between elements of such a dim: 0 where its size is 1, else 1.
/// (Where the size is 0 nothing is read.)
mlir::AffineExpr repeatedStep(mlir::AffineExpr size);

/// `to` where the size is 1, else the size: `to` if the one may be repeated to
/// the other.
mlir::AffineExpr repeatedSize(mlir::AffineExpr size, mlir::AffineExpr to);

/// Types agree in element type, rank and every dim that is constant in both.
bool areCompatibleTypes(mlir::TypeRange inferred, mlir::TypeRange actual);
/// The same for a contraction's result, which may have the wider element type
/// that its products are summed in.
bool areCompatibleSums(mlir::TypeRange inferred, mlir::TypeRange actual);

/// Certainly at least 0, of symbols that a function declares in `eff.symbols`:
/// a sum of symbols with positive factors. Only late symbols may be negative.
bool isNotNegative(mlir::AffineExpr size,
                   llvm::ArrayRef<mlir::Attribute> symbols);

/// The same for a size in the function around `op`.
bool isNotNegative(mlir::AffineExpr size, mlir::Operation *op);

/// Rewrites every symbol of a size.
mlir::AffineExpr replaceSymbols(mlir::AffineExpr dim,
                                llvm::ArrayRef<mlir::AffineExpr> replacements);

} // namespace effc::eff

#endif // EFF_DIMS_H
