// A model in this process: the objects of a library, linked into memory by
// LLVM's JITLink in place of lld, without any file.
#ifndef EFFC_EMIT_LOADEDMODEL_H
#define EFFC_EMIT_LOADEDMODEL_H

#include "effc/Emit/Emit.h"
#include "effrt/effrt_abi.h"

namespace effc {

class MemoryLinker;

/// Owns code, table and weights; all of it goes with the object.
class LoadedModel {
public:
  LoadedModel(const LoadedModel &) = delete;
  ~LoadedModel();

  /// Takes what emitLibrary takes; `options` of files and folders mean nothing
  /// here. The typed C functions are left out, as nobody could call them.
  static mlir::FailureOr<std::unique_ptr<LoadedModel>>
  load(std::vector<LibraryVersion> versions, const LibraryOptions &options,
       std::shared_ptr<MemoryLinker> linker);

  const effrt_model_desc *getTable() const { return table; }

private:
  struct Impl;
  explicit LoadedModel(std::unique_ptr<Impl> impl);

  std::unique_ptr<Impl> impl;
  const effrt_model_desc *table = nullptr;
};

/// Links any number of models, which keep it alive. Null and a reason when this
/// process cannot link.
std::shared_ptr<MemoryLinker> createMemoryLinker(std::string &reason);

} // namespace effc

#endif // EFFC_EMIT_LOADEDMODEL_H
