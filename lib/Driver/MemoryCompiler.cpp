// Keeps what is expensive to make from one compilation to the next: the MLIR
// context with its dialects, and the linker.
#include "effc/Driver/MemoryCompiler.h"
#include "Compilation.h"
#include "effc/Emit/LoadedModel.h"

using namespace mlir;

namespace effc {

/// A context keeps every type, attribute and weight that it has seen, so it is
/// replaced now and then.
static constexpr unsigned kMaxCompilations = 256;
static constexpr uint64_t kMaxModelBytes = 64 << 20;

struct MemoryCompiler::Impl {
  MLIRContext *getContext(const CompileOptions &options) {
    if (compilations == kMaxCompilations || modelBytes > kMaxModelBytes)
      context.reset();
    if (!context) {
      context = createContext();
      compilations = 0;
      modelBytes = 0;
    }
    ++compilations;
    modelBytes += getModelSize(options);
    return context.get();
  }

  std::unique_ptr<MLIRContext> context;
  std::shared_ptr<MemoryLinker> linker;
  unsigned compilations = 0;
  uint64_t modelBytes = 0;
};

MemoryCompiler::MemoryCompiler() : impl(std::make_unique<Impl>()) {}

MemoryCompiler::~MemoryCompiler() = default;

std::shared_ptr<const effrt_model_desc>
MemoryCompiler::compile(const CompileOptions &options, CompileResult &result) {
  result = CompileResult();
  Compilation compilation(options, result, impl->getContext(options));
  std::shared_ptr<LoadedModel> model;
  compilation.onObjects = [&](std::vector<LibraryVersion> versions,
                              const LibraryOptions &library) {
    Location loc = versions.front().module.getLoc();
    std::string reason;
    if (!impl->linker)
      impl->linker = createMemoryLinker(reason);
    if (!impl->linker)
      return LogicalResult(emitError(loc) << "internal error: " << reason);
    auto loaded = LoadedModel::load(std::move(versions), library, impl->linker);
    if (failed(loaded))
      return failure();
    model = std::move(*loaded);
    return success();
  };
  compilation.run();
  if (!model)
    return nullptr;
  return std::shared_ptr<const effrt_model_desc>(model, model->getTable());
}

} // namespace effc
