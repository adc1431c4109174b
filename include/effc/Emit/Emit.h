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
  /// As given by --cpu: a name, or several.
  std::string target;
  std::string triple;
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

/// The model as compiled for one machine.
struct LibraryVersion {
  mlir::ModuleOp module;
  std::vector<KernelObject> objects;
  /// The name in --cpu.
  std::string target;
  /// Set of effrt_cpu_feature.
  uint64_t cpuFeatures = 0;
};

/// Kernel functions of a version have this before their names in the objects.
std::string getKernelPrefix(size_t version);

/// Whether a word can name a model: a C identifier that is no keyword.
bool isModelName(llvm::StringRef name);

/// A model name made of any text, such as the stem of a file name.
std::string makeModelName(llvm::StringRef text);

/// Writes all files of a model beside their place and then renames them. The
/// first version that a machine can run is the one that it will use.
mlir::FailureOr<LibraryResult> emitLibrary(std::vector<LibraryVersion> versions,
                                           const LibraryOptions &options);

} // namespace effc

#endif // EFFC_EMIT_EMIT_H
