// Linking in process: a shared library, or an archive whose only global
// symbols are the exported ones.
#ifndef EFFC_LIB_EMIT_LINK_H
#define EFFC_LIB_EMIT_LINK_H

#include "mlir/IR/Diagnostics.h"
#include "llvm/TargetParser/Triple.h"
#include <string>
#include <vector>

namespace effc {

struct LinkInputs {
  llvm::Triple triple;
  mlir::Location loc;
  /// Paths of relocatable objects.
  std::vector<std::string> objects;
  /// Path of the weights' object, empty without; it is never copied in memory.
  std::string weights;
  std::string runtimeArchive;
  std::vector<std::string> exports;
  /// The program that loads the library has functions that this one lacks:
  /// those of AddressSanitizer.
  bool sanitize = false;
  /// An existing folder for files on the way.
  std::string workDir;
};

/// Finds libeffrt_model.a for `triple` beside the running program.
mlir::FailureOr<std::string> findRuntimeArchive(const llvm::Triple &triple,
                                                mlir::Location loc);

mlir::LogicalResult linkShared(const LinkInputs &inputs, llvm::StringRef soname,
                               llvm::StringRef output);

/// `member` names the object in the archive.
mlir::LogicalResult linkStatic(const LinkInputs &inputs, llvm::StringRef member,
                               llvm::StringRef output);

} // namespace effc

#endif // EFFC_LIB_EMIT_LINK_H
