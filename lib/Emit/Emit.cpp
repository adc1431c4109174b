// Orders the steps: table, certificate, objects, link, header; then renames.
#include "effc/Emit/Emit.h"
#include "CertificateWriter.h"
#include "Header.h"
#include "Link.h"
#include "Objects.h"
#include "OutputFolder.h"
#include "Report.h"
#include "effc/Emit/ModelTable.h"
#include "effc/Support/Diagnostics.h"
#include "llvm/Support/FileSystem.h"

using namespace mlir;

namespace effc {

namespace {

/// FNV-1a, 64 bits, as the runtime checks separate weights; passes bytes on.
class HashingStream : public llvm::raw_ostream {
public:
  explicit HashingStream(raw_ostream &os) : os(os) { SetUnbuffered(); }
  ~HashingStream() override { flush(); }
  uint64_t getHash() const { return hash; }

private:
  void write_impl(const char *data, size_t size) override {
    for (size_t i = 0; i < size; ++i)
      hash = (hash ^ static_cast<uint8_t>(data[i])) * 0x100000001b3u;
    position += size;
    os.write(data, size);
  }
  uint64_t current_pos() const override { return position; }

  raw_ostream &os;
  uint64_t hash = 0xcbf29ce484222325u, position = 0;
};

class LibraryWriter {
public:
  LibraryWriter(const LibraryOptions &options, ModelTable table, Location loc)
      : options(options), table(std::move(table)), loc(loc),
        folder(options.outputDir, loc),
        link{llvm::Triple(options.triple), loc, {}, "", "", {}, false, ""} {}

  FailureOr<LibraryResult> write(std::vector<LibraryVersion> versions);

private:
  LogicalResult writeObjects(std::vector<LibraryVersion> versions);
  LogicalResult writeWeightsFile();
  LogicalResult writeTable();
  LogicalResult checkSpace();
  LogicalResult linkLibrary();
  LogicalResult writeText(StringRef name, StringRef text);

  const LibraryOptions &options;
  ModelTable table;
  Location loc;
  OutputFolder folder;
  LinkInputs link;
  TableExtras extras;
  std::string libraryName;
  std::string libraryPath;
};

} // namespace

LogicalResult LibraryWriter::writeText(StringRef name, StringRef text) {
  return folder.write(folder.add(name), [&](llvm::raw_pwrite_stream &os) {
    os << text;
    return success();
  });
}

LogicalResult LibraryWriter::writeWeightsFile() {
  if (table.weightsSize == 0)
    return success();
  if (options.separateWeights) {
    extras.weightsFile = options.name + ".weights";
    return folder.write(folder.add(extras.weightsFile),
                        [&](llvm::raw_pwrite_stream &os) {
                          HashingStream hashing(os);
                          LogicalResult result = writeWeights(table, hashing);
                          extras.weightsHash = hashing.getHash();
                          return result;
                        });
  }
  link.weights = folder.getWorkPath("weights.o");
  return folder.write(link.weights, [&](llvm::raw_pwrite_stream &os) {
    return writeWeightsObject(table, link.triple, os);
  });
}

LogicalResult LibraryWriter::writeTable() {
  extras.sanitize = options.sanitize;
  extras.certificate = makeCertificate(table, options);
  std::string file = folder.getWorkPath("table.o");
  link.objects.push_back(file);
  return folder.write(file, [&](llvm::raw_pwrite_stream &os) {
    return writeTableObject(table, extras, link.triple, loc, os);
  });
}

LogicalResult
LibraryWriter::writeObjects(std::vector<LibraryVersion> versions) {
  std::vector<KernelObject> objects;
  for (LibraryVersion &version : versions)
    for (KernelObject &object : version.objects)
      objects.push_back(std::move(object));
  for (auto [index, object] : llvm::enumerate(objects)) {
    std::string file =
        folder.getWorkPath("kernels" + std::to_string(index) + ".o");
    link.objects.push_back(file);
    llvm::MemoryBuffer &buffer = *object.buffer;
    if (failed(folder.write(file, [&](llvm::raw_pwrite_stream &os) {
          os << buffer.getBuffer();
          return success();
        })))
      return failure();
    object.buffer.reset();
  }
  return success();
}

/// The linker maps its output into memory, where a full disk is a crash.
LogicalResult LibraryWriter::checkSpace() {
  uint64_t needed = 1 << 20, size = 0;
  std::vector<std::string> inputs = link.objects;
  inputs.push_back(link.runtimeArchive);
  if (!link.weights.empty())
    inputs.push_back(link.weights);
  for (const std::string &file : inputs)
    if (!llvm::sys::fs::file_size(file, size))
      needed += size;
  auto space = llvm::sys::fs::disk_space(folder.getWorkDir());
  if (!space || space->available >= needed)
    return success();
  InFlightDiagnostic error = emitError(loc, DiagnosticCode::NoSpace)
                             << "no space left in '" << options.outputDir
                             << "': linking needs " << (needed >> 20) + 1
                             << " MB, " << (space->available >> 20)
                             << " MB are free";
  error.attachNote() << "nothing was changed; free some space or choose "
                        "another folder with -o";
  return error;
}

LogicalResult LibraryWriter::linkLibrary() {
  link.workDir = folder.getWorkDir();
  link.exports = getTypedFunctions(table);
  link.exports.push_back(ModelSymbols(table.name).table);
  link.runtimeArchive = options.runtimeArchive;
  if (link.runtimeArchive.empty()) {
    FailureOr<std::string> archive = findRuntimeArchive(link.triple, loc);
    if (failed(archive))
      return failure();
    link.runtimeArchive = *archive;
  }
  if (failed(checkSpace()))
    return failure();
  libraryName = "lib" + options.name + (options.staticLibrary ? ".a" : ".so");
  libraryPath = folder.add(libraryName);
  link.sanitize = options.sanitize;
  if (options.staticLibrary)
    return linkStatic(link, options.name, libraryPath);
  link.exports.push_back(ModelSymbols::anyTable.str());
  return linkShared(link, libraryName, libraryPath);
}

FailureOr<LibraryResult>
LibraryWriter::write(std::vector<LibraryVersion> versions) {
  if (failed(folder.open()) || failed(writeObjects(std::move(versions))) ||
      failed(writeWeightsFile()) || failed(writeTable()) ||
      failed(linkLibrary()))
    return failure();
  LibraryResult result;
  if (std::error_code code =
          llvm::sys::fs::file_size(libraryPath, result.libraryBytes))
    return emitError(loc, DiagnosticCode::CannotWriteOutput)
           << "cannot read '" << libraryPath << "': " << code.message();
  std::string header;
  llvm::raw_string_ostream headerStream(header);
  writeHeader(table, options.certificate, headerStream);
  std::string certificate =
      completeCertificate(extras.certificate, result.libraryBytes, libraryName);
  if (failed(writeText(options.name + ".h", header)) ||
      failed(writeText(options.name + ".json", certificate)) ||
      failed(writeText(options.name + ".html", makeReport(certificate))))
    return failure();
  auto files = folder.commit();
  if (failed(files))
    return failure();
  result.files = std::move(*files);
  // The library first, whatever was written before it.
  auto library = llvm::find_if(result.files, [&](StringRef file) {
    return file.ends_with(libraryName);
  });
  std::rotate(result.files.begin(), library, library + 1);
  return result;
}

std::vector<VersionModule>
getVersionModules(ArrayRef<LibraryVersion> versions) {
  std::vector<VersionModule> modules;
  for (const LibraryVersion &version : versions)
    modules.push_back({version.module, version.target, version.cpuFeatures});
  return modules;
}

/// What it costs that a version packs weights for registers of its own.
static void reportVersions(const ModelTable &table, Location loc) {
  for (const VersionTable &version : llvm::drop_begin(table.versions))
    emitRemark(loc, DiagnosticCode::WeightsOfVersion)
        << "version '" << version.target << "' adds " << version.ownWeightBytes
        << " bytes of weights to " << table.best().ownWeightBytes
        << ": layouts that it shares with versions before it are stored once";
}

FailureOr<LibraryResult> emitLibrary(std::vector<LibraryVersion> versions,
                                     const LibraryOptions &options) {
  ModuleOp module = versions.front().module;
  if (!isModelName(options.name)) {
    InFlightDiagnostic error =
        emitError(module.getLoc(), DiagnosticCode::BadModelName)
        << "'" << options.name << "' cannot name a model: expected a C "
        << "identifier that is no keyword";
    error.attachNote() << "pass --name=" << makeModelName(options.name);
    return error;
  }
  FailureOr<ModelTable> table =
      buildModelTable(getVersionModules(versions), options.name);
  if (failed(table))
    return failure();
  reportVersions(*table, module.getLoc());
  return LibraryWriter(options, std::move(*table), module.getLoc())
      .write(std::move(versions));
}

} // namespace effc
