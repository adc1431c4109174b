// The bytes of a model: the parsed protobuf and its mapped external files. All
// of it is input from strangers; see the CVE list in section 4 of the import
// notes' rules: nothing outside the model's folder is read, nothing beyond a
// file's end.
#ifndef EFFC_LIB_IMPORT_MODELFILE_H
#define EFFC_LIB_IMPORT_MODELFILE_H

#include "mlir/Support/LLVM.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/ADT/Twine.h"
#include <memory>
#include <string>

namespace onnx {
class ModelProto;
class TensorProto;
} // namespace onnx

namespace effc {

/// A read-only mapping of a whole file.
class MappedFile {
public:
  /// Maps the regular file `path` below `folder`. `trusted` allows links and
  /// shared files. Null and a reason when refused.
  static std::shared_ptr<MappedFile> openBeneath(llvm::StringRef folder,
                                                 llvm::StringRef path,
                                                 bool trusted,
                                                 std::string &reason);
  /// Maps what the user named on the command line.
  static std::shared_ptr<MappedFile> open(llvm::StringRef path,
                                          std::string &reason);
  ~MappedFile();
  llvm::ArrayRef<char> bytes() const { return {data, size}; }

private:
  MappedFile() = default;
  static std::shared_ptr<MappedFile> map(int descriptor, bool trusted,
                                         std::string &reason);
  const char *data = nullptr;
  size_t size = 0;
};

/// Owns everything that constants of the module refer to.
class ModelFile {
public:
  ModelFile(llvm::StringRef name, llvm::StringRef folder, bool trusted);
  ~ModelFile();

  /// Parses with limits on size and nesting.
  bool parse(llvm::ArrayRef<char> bytes, std::string &reason);
  const onnx::ModelProto &model() const { return *proto; }
  llvm::StringRef name() const { return fileName; }

  /// The bytes that a tensor's external_data names; nothing and a reason when
  /// they are refused. `size` is what the tensor's type needs.
  std::optional<llvm::ArrayRef<char>>
  externalBytes(const onnx::TensorProto &tensor, uint64_t size,
                std::string &reason);
  /// SHA-256 of names and contents of the files that were read so far; ""
  /// without.
  std::string hashExternal() const;

private:
  std::string fileName, folder;
  bool trusted;
  std::unique_ptr<onnx::ModelProto> proto;
  llvm::StringMap<std::shared_ptr<MappedFile>> external;
};

} // namespace effc

#endif // EFFC_LIB_IMPORT_MODELFILE_H
