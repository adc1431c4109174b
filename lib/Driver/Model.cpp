// Where a compilation begins: the model's file, its options for sizes, and what
// the certificate says of it.
#include "Compilation.h"
#include "effc/Import/Import.h"
#include "effc/Support/Statistics.h"
#include "mlir/IR/DialectResourceBlobManager.h"
#include "mlir/Parser/Parser.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/SHA256.h"

using namespace mlir;

namespace effc {

bool Compilation::checkModelFile() {
  llvm::sys::fs::file_status status;
  if (options.modelBytes ||
      (!llvm::sys::fs::status(options.model, status) &&
       status.type() == llvm::sys::fs::file_type::regular_file))
    return true;
  InFlightDiagnostic message = error(DiagnosticCode::CannotReadModel);
  if (!llvm::sys::fs::exists(status))
    message << "no such file: '" << options.model << "'";
  else
    // A pipe, for one, would be waited for.
    message << "cannot read '" << options.model
            << "': it is not a regular file";
  return false;
}

OwningOpRef<ModuleOp> Compilation::readModel(const EntryPoint &entry) {
  bool isText = StringRef(options.model).ends_with(".mlir");
  if (isText != startAt.has_value()) {
    InFlightDiagnostic message = error(DiagnosticCode::BadSavedStage);
    message << (isText ? "a saved stage needs --start-at"
                       : "--start-at needs a file of --save-stages");
    message.attachNote() << "2-normalize.mlir continues with --start-at=raise";
    return {};
  }
  if (!isText)
    return importModel(entry);
  return parseStageFile();
}

OwningOpRef<ModuleOp> Compilation::parseStageFile() {
  auto module = parseSourceFile<ModuleOp>(options.model, context);
  if (!module)
    return {};
  // The parser takes a resource without data, later stages do not.
  std::string absent;
  module->walk([&](Operation *op) {
    op->getAttrDictionary().walk([&](DenseResourceElementsAttr weight) {
      if (absent.empty() && !weight.getRawHandle().getBlob())
        absent = weight.getRawHandle().getKey().str();
    });
  });
  if (absent.empty())
    return module;
  InFlightDiagnostic message = error(DiagnosticCode::BadSavedStage);
  message << "the saved stage lacks the weight '" << absent << "'";
  message.attachNote() << "large weights are left out of saved stages: compile "
                          "the ONNX file instead";
  return {};
}

OwningOpRef<ModuleOp> Compilation::importModel(const EntryPoint &entry) {
  ImportOptions import;
  for (const DimOption &dim : options.dims)
    if (dim.range)
      import.dims.push_back({dim.name, dim.range->first, dim.range->second});
  for (const auto &[name, value] : entry.dims)
    import.dims.push_back({name, value, value});
  import.inputShapes = options.inputShapes;
  import.inputValues = options.inputValues;
  import.outputs = options.outputNames;
  import.states = options.states;
  import.externalDataDir = options.externalDataDir;
  import.hashExternal = options.probes || statistics;
  OwningOpRef<ModuleOp> module =
      options.modelBytes
          ? importOnnxBytes(*options.modelBytes, getModelFile(),
                            llvm::sys::path::parent_path(options.model),
                            context, import)
          : importOnnxFile(options.model, context, import);
  if (!module)
    return module;
  auto hash =
      dyn_cast_if_present<StringAttr>((*module)->removeAttr(kExternalHashAttr));
  result.externalSha256 = hash ? hash.str() : "";
  if (statistics && statistics->externalSha256 != result.externalSha256) {
    refuseStatistics("made for other external weights of '" +
                     statistics->modelFile + "'");
    return {};
  }
  return module;
}

uint64_t getModelSize(const CompileOptions &options) {
  uint64_t size = 0;
  if (options.modelBytes)
    return options.modelBytes->size();
  return llvm::sys::fs::file_size(options.model, size) ? 0 : size;
}

/// Lower-case hexadecimal.
static std::string hashBytes(StringRef bytes) {
  llvm::SHA256 hash;
  hash.update(bytes);
  return llvm::toHex(hash.final(), /*LowerCase=*/true);
}

/// Empty when the file cannot be read.
static std::string hashFile(StringRef file) {
  auto buffer = llvm::MemoryBuffer::getFile(file, /*IsText=*/false,
                                            /*RequiresNullTerminator=*/false);
  if (!buffer)
    return "";
  return hashBytes((*buffer)->getBuffer());
}

void Compilation::startHashing() {
  // Takes seconds for gigabytes; other stages leave a core free at times.
  if (options.modelBytes) {
    modelHash = std::async(std::launch::async, [bytes = *options.modelBytes] {
      return hashBytes(bytes);
    });
    return;
  }
  modelHash = std::async(std::launch::async,
                         [file = options.model] { return hashFile(file); });
}

CertificateInfo Compilation::makeCertificateInfo() {
  CertificateInfo info;
  info.compilerVersion = getVersion();
  info.modelFile = getModelFile();
  info.modelSha256 = modelHash.get();
  info.options = describeOptions(options);
  info.passes = passes;
  info.quantized = quantized;
  info.quality = options.quality;
  if (statistics) {
    info.calibration.emplace();
    info.calibration->sha256 = hashFile(options.calibrate);
    info.calibration->numSamples = statistics->samples.size();
  }
  for (const Diagnostic &diagnostic : diagnostics->getAll())
    if (diagnostic.severity == Severity::Warning)
      info.notes.push_back(diagnostic.message);
  return info;
}

void Compilation::reportFault(ModuleOp module) {
  result.exitCode = 70;
  int file;
  SmallString<128> path;
  Diagnostic record;
  if (llvm::sys::fs::createTemporaryFile("effc-" + name, "mlir", file, path)) {
    record.message = "internal error: no reproducer could be written";
    diagnostics->report(std::move(record));
    return;
  }
  llvm::raw_fd_ostream os(file, /*shouldClose=*/true);
  os << "// effc " << getVersion() << " failed in stage "
     << result.stages.back().stage << "\n// options:";
  for (const std::string &option : describeOptions(options))
    os << " " << option;
  os << "\n// model: " << getModelFile() << "\n";
  for (const Diagnostic &diagnostic : diagnostics->getAll()) {
    SmallVector<StringRef> lines;
    std::string text = formatText(diagnostic, /*color=*/false);
    StringRef(text).split(lines, '\n', -1, /*KeepEmpty=*/false);
    for (StringRef line : lines)
      os << "// " << line << "\n";
  }
  if (module) {
    // Weights are the user's and large; shapes reproduce most faults.
    OpPrintingFlags flags;
    flags.enableDebugInfo().elideLargeElementsAttrs(64);
    flags.elideLargeResourceString(1024).printGenericOpForm();
    module.print(os, flags);
  }
  os.close();
  os.clear_error();
  result.reproducer = path.str().str();
  record.file = getModelFile();
  record.message = "internal error in stage " + result.stages.back().stage +
                   ": this is a fault of effc, not of the model";
  record.notes.push_back("please report it with '" + result.reproducer +
                         "', which holds the program without its weights; "
                         "--plain may get you on until it is mended");
  diagnostics->report(std::move(record));
}

std::string describeSupportedOps(bool json) {
  std::string text;
  llvm::raw_string_ostream os(text);
  printSupportedOps(os, json ? SupportedOpsFormat::Json
                             : SupportedOpsFormat::Markdown);
  return text;
}

} // namespace effc
