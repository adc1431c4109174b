// ONNX model files to modules of the `eff` dialect. The result is one function
// `main` whose arguments and results carry their ONNX names in `eff.name`;
// sizes that are free are declared in its attribute `eff.symbols`
// (docs/architecture.md), arguments and results that sessions keep are pairs in
// `eff.states`.
#ifndef EFFC_IMPORT_IMPORT_H
#define EFFC_IMPORT_IMPORT_H

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/OwningOpRef.h"
#include <string>
#include <utility>
#include <vector>

namespace llvm {
class raw_ostream;
} // namespace llvm

namespace effc {

/// What a named size may be; one value when `min` is `max`.
struct DimRange {
  std::string name;
  int64_t min, max;
};

struct ImportOptions {
  /// Values and ranges of named sizes (`--dim batch=8`, `--dim seq=1..512`).
  std::vector<DimRange> dims;
  /// Shapes of inputs (`--input-shape x=1x3x224x224`); -1 keeps a size as
  /// declared.
  std::vector<std::pair<std::string, std::vector<int64_t>>> inputShapes;
  /// Inputs that become constants, by their elements (one for all when only
  /// one is given): decides an If on a mode or a sampling rate.
  std::vector<std::pair<std::string, std::vector<double>>> inputValues;
  /// The outputs to keep, in this order; all when empty. What only other
  /// outputs need is not imported.
  std::vector<std::string> outputs;
  /// Inputs that a session keeps as outputs of the run before: "IN:OUT", or
  /// "auto" for those called past and present.
  std::vector<std::string> states;
  /// A trusted folder for external data; links below it are followed. Empty:
  /// the model's folder, and no link is followed.
  std::string externalDataDir;
  /// The module gets `kExternalHashAttr`.
  bool hashExternal = false;
  /// The largest value that a free size may take.
  int64_t maxFreeSize = (int64_t(1) << 31) - 1;
};

/// Module attribute: SHA-256 of the names and contents of the files that
/// weights lie in, where there are any.
inline constexpr llvm::StringLiteral kExternalHashAttr = "eff.external_sha256";

/// Reads a model. On failure the module is null and diagnostics have been
/// emitted. Constants of the module refer to the file's contents, which live as
/// long as the context.
mlir::OwningOpRef<mlir::ModuleOp> importOnnxFile(llvm::StringRef path,
                                                 mlir::MLIRContext *context,
                                                 const ImportOptions &options);

/// The same for bytes in memory; `name` is used in messages, external data is
/// looked for below `folder`.
mlir::OwningOpRef<mlir::ModuleOp> importOnnxBytes(llvm::StringRef bytes,
                                                  llvm::StringRef name,
                                                  llvm::StringRef folder,
                                                  mlir::MLIRContext *context,
                                                  const ImportOptions &options);

enum class SupportedOpsFormat { Markdown, Json };
/// The operators that the importer takes, by domain.
void printSupportedOps(llvm::raw_ostream &out, SupportedOpsFormat format);

} // namespace effc

#endif // EFFC_IMPORT_IMPORT_H
