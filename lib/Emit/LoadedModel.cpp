// One ORC session links all models of the process; each has a symbol table of
// its own, whose removal frees code and data. Weights are written straight to
// pages of their own and enter as an absolute symbol.
#include "effc/Emit/LoadedModel.h"
#include "CertificateWriter.h"
#include "Objects.h"
#include "Ops/Ops.h"
#include "effc/Emit/ModelTable.h"
#include "effc/Support/Diagnostics.h"
#include "llvm/ExecutionEngine/Orc/AbsoluteSymbols.h"
#include "llvm/ExecutionEngine/Orc/Core.h"
#include "llvm/ExecutionEngine/Orc/ExecutionUtils.h"
#include "llvm/ExecutionEngine/Orc/ObjectLinkingLayer.h"
#include "llvm/ExecutionEngine/Orc/SelfExecutorProcessControl.h"
#include "llvm/Support/Memory.h"
#include "llvm/Support/SmallVectorMemoryBuffer.h"

using namespace mlir;
namespace orc = llvm::orc;

namespace effc {

//===----------------------------------------------------------------------===//
// The linker
//===----------------------------------------------------------------------===//

class MemoryLinker {
public:
  explicit MemoryLinker(std::unique_ptr<orc::ExecutorProcessControl> control)
      : session(std::move(control)), layer(session) {
    // What cannot be linked is reported by the lookup that asked for it.
    session.setErrorReporter(
        [](llvm::Error error) { llvm::consumeError(std::move(error)); });
  }
  ~MemoryLinker() { llvm::consumeError(session.endSession()); }

  orc::ExecutionSession session;
  orc::ObjectLinkingLayer layer;
  uint64_t numModels = 0;
};

std::shared_ptr<MemoryLinker> createMemoryLinker(std::string &reason) {
  auto control = orc::SelfExecutorProcessControl::Create(
      nullptr, std::make_unique<orc::InPlaceTaskDispatcher>());
  if (control)
    return std::make_shared<MemoryLinker>(std::move(*control));
  reason = llvm::toString(control.takeError());
  return nullptr;
}

//===----------------------------------------------------------------------===//
// Weights
//===----------------------------------------------------------------------===//

namespace {

/// Writes into memory that is large enough; tells when it was not.
class MemoryStream : public llvm::raw_ostream {
public:
  explicit MemoryStream(llvm::sys::MemoryBlock block) : block(block) {
    SetUnbuffered();
  }
  ~MemoryStream() override { flush(); }
  bool isComplete(uint64_t size) const { return position == size; }

private:
  void write_impl(const char *data, size_t size) override {
    if (position + size <= block.allocatedSize())
      std::memcpy(static_cast<char *>(block.base()) + position, data, size);
    position += size;
  }
  uint64_t current_pos() const override { return position; }

  llvm::sys::MemoryBlock block;
  uint64_t position = 0;
};

} // namespace

static LogicalResult writeWeightPages(const ModelTable &table, Location loc,
                                      llvm::sys::OwningMemoryBlock &pages) {
  using llvm::sys::Memory;
  if (table.weightsSize == 0)
    return success();
  std::error_code code;
  pages = llvm::sys::OwningMemoryBlock(Memory::allocateMappedMemory(
      table.weightsSize, nullptr, Memory::MF_READ | Memory::MF_WRITE, code));
  if (code)
    return emitError(loc, DiagnosticCode::OutOfMemory)
           << "no memory for " << table.weightsSize
           << " bytes of weights: " << code.message();
  MemoryStream stream(pages.getMemoryBlock());
  if (failed(writeWeights(table, stream)))
    return failure();
  if (!stream.isComplete(table.weightsSize))
    return emitError(loc) << "internal error: weights of another size";
  code = Memory::protectMappedMemory(pages.getMemoryBlock(), Memory::MF_READ);
  if (code)
    return emitError(loc, DiagnosticCode::OutOfMemory)
           << "cannot protect weights: " << code.message();
  return success();
}

//===----------------------------------------------------------------------===//
// Models
//===----------------------------------------------------------------------===//

struct LoadedModel::Impl {
  explicit Impl(std::shared_ptr<MemoryLinker> linker)
      : linker(std::move(linker)) {}
  ~Impl() {
    if (library)
      llvm::consumeError(linker->session.removeJITDylib(*library));
  }

  llvm::Error createLibrary();
  llvm::Error add(std::unique_ptr<llvm::MemoryBuffer> object) {
    return linker->layer.add(*library, std::move(object));
  }
  llvm::Error defineWeights(StringRef name);
  llvm::Expected<const effrt_model_desc *> lookup(StringRef name) {
    auto symbol = linker->session.lookup({library}, name);
    if (!symbol)
      return symbol.takeError();
    return symbol->getAddress().toPtr<const effrt_model_desc *>();
  }

  std::shared_ptr<MemoryLinker> linker;
  orc::JITDylib *library = nullptr;
  llvm::sys::OwningMemoryBlock weights;
};

llvm::Error LoadedModel::Impl::createLibrary() {
  library = &linker->session.createBareJITDylib(
      "model" + std::to_string(linker->numModels++));
  // Kernels of the plain path call libm, and any may call memcpy.
  auto process = orc::DynamicLibrarySearchGenerator::GetForCurrentProcess('\0');
  if (!process)
    return process.takeError();
  library->addGenerator(std::move(*process));
  // The runtime's kernels are not among the symbols that the process exports.
  orc::SymbolMap kernels;
  for (const effrt_op_entry *entry = effrt_op_table; entry->name; ++entry)
    kernels[linker->session.intern(entry->name)] = {
        orc::ExecutorAddr::fromPtr(entry->fn), llvm::JITSymbolFlags::Exported};
  return library->define(orc::absoluteSymbols(std::move(kernels)));
}

llvm::Error LoadedModel::Impl::defineWeights(StringRef name) {
  if (!weights.base())
    return llvm::Error::success();
  return library->define(
      orc::absoluteSymbols({{linker->session.intern(name),
                             {orc::ExecutorAddr::fromPtr(weights.base()),
                              llvm::JITSymbolFlags::Exported}}}));
}

LoadedModel::LoadedModel(std::unique_ptr<Impl> impl) : impl(std::move(impl)) {}

LoadedModel::~LoadedModel() = default;

static FailureOr<std::unique_ptr<llvm::MemoryBuffer>>
makeTableObject(const ModelTable &table, const LibraryOptions &options,
                Location loc) {
  TableExtras extras;
  extras.certificate = makeCertificate(table, options);
  extras.typedFunctions = false;
  extras.sanitize = options.sanitize;
  SmallVector<char, 0> bytes;
  llvm::raw_svector_ostream stream(bytes);
  if (failed(writeTableObject(table, extras, llvm::Triple(options.triple), loc,
                              stream)))
    return failure();
  return std::unique_ptr<llvm::MemoryBuffer>(
      std::make_unique<llvm::SmallVectorMemoryBuffer>(
          std::move(bytes), "table", /*RequiresNullTerminator=*/false));
}

FailureOr<std::unique_ptr<LoadedModel>>
LoadedModel::load(std::vector<LibraryVersion> versions,
                  const LibraryOptions &options,
                  std::shared_ptr<MemoryLinker> linker) {
  Location loc = versions.front().module.getLoc();
  FailureOr<ModelTable> table =
      buildModelTable(getVersionModules(versions), options.name);
  if (failed(table))
    return failure();
  auto tableObject = makeTableObject(*table, options, loc);
  auto impl = std::make_unique<Impl>(std::move(linker));
  if (failed(tableObject) ||
      failed(writeWeightPages(*table, loc, impl->weights)))
    return failure();
  ModelSymbols symbols(table->name);
  llvm::Error error = impl->createLibrary();
  if (!error)
    error = impl->defineWeights(symbols.weights);
  for (LibraryVersion &version : versions)
    for (KernelObject &object : version.objects)
      if (!error)
        error = impl->add(std::move(object.buffer));
  if (!error)
    error = impl->add(std::move(*tableObject));
  const effrt_model_desc *found = nullptr;
  if (!error) {
    auto symbol = impl->lookup(symbols.table);
    if (symbol)
      found = *symbol;
    else
      error = symbol.takeError();
  }
  if (error)
    return emitError(loc) << "internal error: cannot link the model: "
                          << llvm::toString(std::move(error));
  std::unique_ptr<LoadedModel> model(new LoadedModel(std::move(impl)));
  model->table = found;
  return std::move(model);
}

} // namespace effc
