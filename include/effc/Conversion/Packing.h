// Bytes of constants as the library holds them: plain, or packed into the
// panels that a contraction tile reads (effk.panel). Both are streamed, so that
// a weight is never in memory twice.
#ifndef EFFC_CONVERSION_PACKING_H
#define EFFC_CONVERSION_PACKING_H

#include "Effk/EffkOps.h"
#include "mlir/IR/BuiltinAttributes.h"
#include <optional>

namespace effc {

/// The elements of a constant where they lie.
struct ConstantData {
  llvm::ArrayRef<char> bytes;
  mlir::Type elementType;
  /// One element stands for all.
  bool splat = false;
  /// Holds the bytes when the attribute's own form differs from memory's.
  std::vector<char> storage;
};

/// Bytes of one element in memory (one for what has fewer bits), 0 for types
/// without one.
unsigned getElementBytes(mlir::Type elementType);

/// Views the contents of a dense or resource attribute; nothing for other
/// attributes and for resources whose blob is missing or has another size.
std::optional<ConstantData> getConstantData(mlir::ElementsAttr value);

/// Writes the panels of `value` in `elementType`, panel by panel.
mlir::LogicalResult
packPanel(mlir::ElementsAttr value, effk::PanelAttr layout,
          mlir::Type elementType, llvm::raw_ostream &os,
          llvm::function_ref<mlir::InFlightDiagnostic()> emitError);

/// Writes the elements of `value` row-major in `elementType`.
mlir::LogicalResult
writeDense(mlir::ElementsAttr value, mlir::Type elementType,
           llvm::raw_ostream &os,
           llvm::function_ref<mlir::InFlightDiagnostic()> emitError);

} // namespace effc

#endif // EFFC_CONVERSION_PACKING_H
