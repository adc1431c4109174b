// From kernel objects and the host program to the files a user gets: library,
// C header and certificate, all or none of them.
#ifndef EFFC_EMIT_EMIT_H
#define EFFC_EMIT_EMIT_H

#include "effc/Emit/Certificate.h"
#include "mlir/IR/BuiltinOps.h"
#include "llvm/Support/MemoryBuffer.h"
#include <string>
#include <vector>

namespace effc {

struct LibraryOptions {
  /// A C identifier: lib{name}.so, {name}.h, {name}_run.
  std::string name;
  std::string outputDir;
  /// An archive instead of a shared library.
  bool staticLibrary = false;
  /// Weights in {name}.weights beside the library.
  bool separateWeights = false;
  /// Kernels were compiled with AddressSanitizer.
  bool sanitize = false;
  /// As given by --cpu.
  std::string target;
  std::string triple;
  /// Set of effrt_cpu_feature.
  uint64_t cpuFeatures = 0;
  /// libeffrt_model.a; empty: looked up beside the running program.
  std::string runtimeArchive;
  CertificateInfo certificate;
};

struct LibraryResult {
  /// Paths of the written files, the library first.
  std::vector<std::string> files;
  uint64_t libraryBytes = 0;
};

/// A relocatable object and the name it has in messages.
struct KernelObject {
  std::string name;
  std::unique_ptr<llvm::MemoryBuffer> buffer;
};

/// Kernel functions have this before their names in the objects.
inline constexpr llvm::StringLiteral kKernelSymbolPrefix = "effc_kernel_";

/// Whether a word can name a model: a C identifier that is no keyword.
bool isModelName(llvm::StringRef name);

/// A model name made of any text, such as the stem of a file name.
std::string makeModelName(llvm::StringRef text);

/// Writes all files of a model beside their place and then renames them.
mlir::FailureOr<LibraryResult> emitLibrary(mlir::ModuleOp module,
                                           std::vector<KernelObject> objects,
                                           const LibraryOptions &options);

} // namespace effc

#endif // EFFC_EMIT_EMIT_H
