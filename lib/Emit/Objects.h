// The two objects that Emit writes itself: weights and the model table.
#ifndef EFFC_LIB_EMIT_OBJECTS_H
#define EFFC_LIB_EMIT_OBJECTS_H

#include "effc/Emit/Emit.h"
#include "effc/Emit/ModelTable.h"
#include "llvm/TargetParser/Triple.h"

namespace effc {

/// Names of what a model's objects define. Everything else is local.
struct ModelSymbols {
  explicit ModelSymbols(llvm::StringRef name)
      : table(("effc_model_" + name).str()),
        weights(("effc_weights_" + name).str()) {}

  std::string table;
  /// Hidden; across the objects of one library.
  std::string weights;
  /// The name under which every shared library exports its table.
  static constexpr llvm::StringLiteral anyTable = "effc_model_table";
};

/// What the table is built from.
std::vector<VersionModule>
getVersionModules(llvm::ArrayRef<LibraryVersion> versions);

/// The exported C functions of a model, in the order of the header.
std::vector<std::string> getTypedFunctions(const ModelTable &table);

/// The function that runs program `index`.
std::string getRunFunction(const ModelTable &table, size_t index);

/// Streams the bytes of all weights at their offsets.
mlir::LogicalResult writeWeights(const ModelTable &table,
                                 llvm::raw_ostream &os);

/// Streams a relocatable ELF64 object with the weights in one page-aligned
/// read-only section.
mlir::LogicalResult writeWeightsObject(const ModelTable &table,
                                       const llvm::Triple &triple,
                                       llvm::raw_ostream &os);

/// What the table says beyond the programs.
struct TableExtras {
  std::string certificate;
  /// The runtime poisons what lies between buffers.
  bool sanitize = false;
  /// Separate weights; empty when they are in the library.
  std::string weightsFile;
  uint64_t weightsHash = 0;
  /// The C functions of the header.
  bool typedFunctions = true;
};

/// Writes the object with the table and the typed functions.
mlir::LogicalResult writeTableObject(const ModelTable &table,
                                     const TableExtras &extras,
                                     const llvm::Triple &triple,
                                     mlir::Location loc,
                                     llvm::raw_pwrite_stream &os);

} // namespace effc

#endif // EFFC_LIB_EMIT_OBJECTS_H
