// A compilation: import, stages, object code, library; each step timed and
// announced. What fails before the stages is the model's or the options' fault,
// what fails in them is effc's.
#include "Compilation.h"
#include "Effk/EffkOps.h"
#include "effc/Emit/Emit.h"
#include "effc/InitAll.h"
#include "effc/Support/Diagnostics.h"
#include "effc/Support/Statistics.h"
#include "effc/Target/CPU/CPUTarget.h"
#include "effc/Transforms/Quantize/Passes.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/DialectResourceBlobManager.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"

using namespace mlir;

namespace effc {

//===----------------------------------------------------------------------===//
// Stages
//===----------------------------------------------------------------------===//

static constexpr llvm::StringLiteral kCodegenStage = "codegen";
static constexpr llvm::StringLiteral kEmitStage = "emit";

std::vector<std::string> getStageNames() {
  std::vector<std::string> names;
  for (Stage stage : getStages())
    names.push_back(getStageName(stage).str());
  return names;
}

std::vector<std::string> listCPUs() {
  std::vector<std::string> names;
  for (StringRef name : getCPUNames())
    names.push_back(name.str());
  return names;
}

const char *getVersion() { return EFFC_VERSION; }

std::unique_ptr<MLIRContext> createContext() {
  DialectRegistry registry;
  registerAllDialects(registry);
  registerCPUTarget(registry);
  // Parallel passes would make the order of messages depend on the machine;
  // kernels are compiled in parallel by the target.
  auto context =
      std::make_unique<MLIRContext>(registry, MLIRContext::Threading::DISABLED);
  context->loadAllAvailableDialects();
  // Users know nodes, not operations of the IR.
  context->printOpOnDiagnostic(false);
  return context;
}

Compilation::Compilation(const CompileOptions &options, CompileResult &result,
                         MLIRContext *context)
    : options(options), result(result), context(context) {
  diagnostics =
      std::make_unique<DiagnosticCollector>(context, options.onDiagnostic);
}

void Compilation::beginStage(StringRef name) {
  endStage();
  ++stageNumber;
  stageStart = std::chrono::steady_clock::now();
  result.stages.push_back({name.str(), 0});
  diagnostics->setStage(name.str(), name == getStageName(Stage::Import)
                                        ? DiagnosticCode::OperandsDoNotFit
                                        : DiagnosticCode::InternalError);
  if (options.onStage)
    options.onStage(name.str(), stageNumber,
                    targets.size() * (entries.size() * getStages().size() + 1) +
                        1);
}

void Compilation::endStage() {
  if (result.stages.empty())
    return;
  std::chrono::duration<double> elapsed =
      std::chrono::steady_clock::now() - stageStart;
  result.stages.back().seconds = elapsed.count();
}

InFlightDiagnostic Compilation::error(DiagnosticCode code) {
  return emitError(FileLineColLoc::get(context, getModelFile(), 0, 0), code);
}

std::string Compilation::getModelFile() const {
  return llvm::sys::path::filename(options.model).str();
}

//===----------------------------------------------------------------------===//
// IR
//===----------------------------------------------------------------------===//

/// Weights beyond this are left out of saved stages, which then cannot be
/// resumed but can be read.
static constexpr int64_t kMaxPrintedBytes = 64 << 20;
/// In hexadecimal, with quotes, prefix and alignment.
static constexpr int64_t kMaxPrintedDigits = 2 * kMaxPrintedBytes + 16;

void Compilation::warnOfOmittedWeights(ModuleOp module) {
  if (warnedOfOmittedWeights || !options.onDiagnostic)
    return;
  module.walk([&](Operation *op) {
    op->getAttrDictionary().walk([&](DenseResourceElementsAttr weight) {
      AsmResourceBlob *blob = weight.getRawHandle().getBlob();
      if (warnedOfOmittedWeights || !blob ||
          int64_t(blob->getData().size()) <= kMaxPrintedBytes)
        return;
      warnedOfOmittedWeights = true;
      // Straight to the user: warnings that the collector sees end in the
      // certificate, which must not depend on what else is saved.
      Diagnostic record;
      record.severity = Severity::Warning;
      record.code = DiagnosticCode::WeightsLeftOut;
      record.file = getModelFile();
      record.message =
          "weights of more than " + std::to_string(kMaxPrintedBytes >> 20) +
          " MB, like '" + weight.getRawHandle().getKey().str() +
          "', are left out of the saved stages: these can be read but not "
          "resumed with --start-at";
      options.onDiagnostic(record);
    });
  });
}

LogicalResult Compilation::saveStage(Stage stage, ModuleOp module) {
  if (options.saveStages.empty())
    return success();
  // Files that cannot be written are not effc's fault.
  stageLost = true;
  if (std::error_code code = llvm::sys::fs::create_directories(
          stageFolder, /*IgnoreExisting=*/true, llvm::sys::fs::all_all))
    return error(DiagnosticCode::CannotWriteStage)
           << "cannot create '" << stageFolder << "': " << code.message();
  warnOfOmittedWeights(module);
  std::string file = stageFolder + "/" +
                     std::to_string(static_cast<unsigned>(stage) + 1) + "-" +
                     getStageName(stage).str() + ".mlir";
  std::error_code code;
  llvm::raw_fd_ostream os(file, code);
  if (!code) {
    OpPrintingFlags flags;
    flags.enableDebugInfo().elideLargeResourceString(kMaxPrintedDigits);
    module.print(os, flags);
    os.close();
    code = os.error();
    os.clear_error();
  }
  if (code)
    return error(DiagnosticCode::CannotWriteStage)
           << "cannot write '" << file << "': " << code.message();
  stageLost = false;
  return success();
}

/// Deterministic, and enough to see where a model grew or shrank.
void Compilation::recordStage(Stage stage, ModuleOp module) {
  unsigned operations = 0, kernels = 0;
  for (auto function : module.getOps<func::FuncOp>()) {
    if (function->hasAttr("effk.kernel"))
      ++kernels;
    else if (!function.isDeclaration())
      for (Operation &op : function.getBody().front())
        operations += !isa<eff::ConstantOp, func::ReturnOp>(op);
  }
  std::string text = std::to_string(operations) + " operations";
  if (kernels)
    text += ", " + std::to_string(kernels) + " kernel functions";
  if (entries.size() > 1)
    text = entryName + ": " + text;
  if (targets.size() > 1)
    text = versionName + ": " + text;
  passes.emplace_back(getStageName(stage).str(), text);
  if (stage == Stage::Layout) {
    recordQuantized(module);
    recordProbes(module);
  }
}

void Compilation::recordProbes(ModuleOp module) {
  for (auto function : module.getOps<func::FuncOp>()) {
    auto probes = function->getAttrOfType<ArrayAttr>(kProbesAttr);
    if (!probes)
      continue;
    for (auto row : probes.getAsRange<DictionaryAttr>()) {
      Probe &probe = result.probes.emplace_back();
      probe.output = row.getAs<StringAttr>("output").str();
      for (auto layer : row.getAs<ArrayAttr>("layers").getAsRange<StringAttr>())
        probe.layers.push_back(layer.str());
    }
  }
}

/// What layers compute in, where an option lets them have fewer bits.
void Compilation::recordQuantized(ModuleOp module) {
  // All versions have the same.
  if (module->getAttr("eff.target") != targets.front())
    return;
  for (auto function : module.getOps<func::FuncOp>()) {
    auto layers = function->getAttrOfType<ArrayAttr>(kQuantizedAttr);
    if (!layers || layers.empty())
      continue;
    QuantizedLayers &entry = quantized.emplace_back();
    entry.entryPoint = entryName.empty() ? function.getName().str() : entryName;
    for (auto layer : layers.getAsRange<DictionaryAttr>()) {
      LayerPrecision &precision = entry.layers.emplace_back();
      precision.layer = layer.getAs<StringAttr>("layer").str();
      precision.node = layer.getAs<StringAttr>("node").str();
      precision.precision = layer.getAs<StringAttr>("precision").str();
      precision.reason = layer.getAs<StringAttr>("reason").str();
      precision.taken = layer.getAs<BoolAttr>("taken").getValue();
      if (auto error = layer.getAs<FloatAttr>("error"))
        precision.error = error.getValueAsDouble();
    }
  }
}

/// Versions learn from those before them which packed weights there are.
void Compilation::sharePanels(Stage stage, ModuleOp module) {
  if (targets.size() == 1 || options.plain)
    return;
  if (stage == Stage::Fusion)
    module->setAttr(kPanelsAttr,
                    panels ? panels : DictionaryAttr::get(context, {}));
  if (stage == Stage::Conversion)
    panels = cast<DictionaryAttr>(module->removeAttr(kPanelsAttr));
}

LogicalResult Compilation::runPipeline(ModuleOp module) {
  PipelineOptions pipeline;
  pipeline.plain = options.plain;
  pipeline.exact = options.exact;
  pipeline.f64 = options.computeF64;
  pipeline.verify = options.verifyEach;
  pipeline.probes = options.probes;
  pipeline.quantize = options.quantize;
  for (const LayerOption &layer : options.layers)
    pipeline.layerSchemes.emplace_back(layer.nodes, layer.value);
  pipeline.statistics = statistics;
  pipeline.quiet = module->getAttr("eff.target") != targets.front();
  pipeline.targets.assign(targets.begin(), targets.end());
  if (startAt)
    pipeline.startAt = *startAt;
  if (stopAfter)
    pipeline.stopAfter = *stopAfter;
  pipeline.afterStage = [&](Stage stage, ModuleOp current) {
    if (failed(saveStage(stage, current)))
      return failure();
    recordStage(stage, current);
    if (stage == Stage::Fusion && failed(chooseKernels(current, pipeline)))
      return failure();
    sharePanels(stage, current);
    if (onModule)
      onModule(stage, current);
    Stage next = static_cast<Stage>(static_cast<unsigned>(stage) + 1);
    if (stage < pipeline.stopAfter)
      beginStage(getStageName(next));
    return success();
  };
  if (startAt && *startAt != Stage::Import)
    beginStage(getStageName(*startAt));
  return runStages(module, pipeline);
}

//===----------------------------------------------------------------------===//
// The whole
//===----------------------------------------------------------------------===//

/// Lossy options say something, or are refused.
bool Compilation::checkQuantize() {
  bool onlyOff = llvm::all_of(options.layers, [](const LayerOption &layer) {
    return layer.value == "off";
  });
  bool isLossy = !options.quantize.empty() || !onlyOff;
  if (isLossy && (options.plain || options.exact)) {
    error(DiagnosticCode::BadOption)
        << (options.quantize.empty() ? std::string("--set: quantize")
                                     : "--quantize=" + options.quantize)
        << " and " << (options.plain ? "--plain" : "--exact")
        << " exclude each other";
    return false;
  }
  if (!options.layers.empty() && onlyOff && options.quantize.empty()) {
    error(DiagnosticCode::BadOption) << "--set: quantize=off needs --quantize";
    return false;
  }
  if (isLossy && startAt && *startAt > Stage::Layout) {
    error(DiagnosticCode::BadOption)
        << "--quantize has no effect with --start-at="
        << getStageName(*startAt);
    return false;
  }
  return checkCalibration();
}

/// Statistics are for layers of int8, which need them.
bool Compilation::checkCalibration() {
  bool wanted = needsStatistics(options);
  if (wanted != !options.calibrate.empty()) {
    error(DiagnosticCode::BadOption)
        << (wanted
                ? "int8 needs samples or statistics: --calibrate=FOLDER or FILE"
                : "--calibrate has no effect without int8");
    return false;
  }
  if (!wanted)
    return true;
  if (startAt) {
    InFlightDiagnostic message = error(DiagnosticCode::BadOption);
    message << "--calibrate excludes --start-at";
    message.attachNote() << "a saved stage does not tell which model it is of";
    return false;
  }
  return true;
}

bool Compilation::refuseStatistics(const Twine &why) {
  InFlightDiagnostic message = error(DiagnosticCode::BadStatistics);
  message << "--calibrate=" << options.calibrate << ": " << why;
  message.attachNote() << "effc calibrate, with the same options for sizes "
                          "and inputs, makes new ones";
  return false;
}

/// Ranges of another model would be wrong without anything to show it.
bool Compilation::readStatisticsFile() {
  if (options.calibrate.empty())
    return true;
  auto refuse = [&](const Twine &why) { return refuseStatistics(why); };
  std::string why;
  std::optional<Statistics> read = readStatistics(options.calibrate, why);
  if (!read)
    return refuse(why);
  if (!read->complete)
    return refuse("the calibration has not come to its end");
  if (read->modelSha256 != modelHash.get())
    return refuse("made for another model, '" + read->modelFile + "'");
  if (read->compilerVersion != getVersion())
    return refuse("made by effc " + read->compilerVersion + ", this is " +
                  getVersion());
  std::vector<std::string> own =
      describeLayerOptions(makeProbedOptions(options));
  if (read->options != own) {
    auto list = [](const std::vector<std::string> &texts) {
      return texts.empty() ? "none" : "'" + llvm::join(texts, " ") + "'";
    };
    return refuse("made with other options: " + list(read->options) +
                  ", here " + list(own));
  }
  statistics = std::make_shared<const Statistics>(std::move(*read));
  return true;
}

bool Compilation::checkOptions() {
  auto parse = [&](const std::string &text, const char *option,
                   std::optional<Stage> &stage) {
    if (text.empty())
      return true;
    stage = parseStage(text);
    if (stage)
      return true;
    error(DiagnosticCode::BadOption)
        << option << "=" << text << ": expected one of "
        << llvm::join(getStageNames(), ", ");
    return false;
  };
  if (!parse(options.stopAfter, "--stop-after", stopAfter) ||
      !parse(options.startAt, "--start-at", startAt))
    return false;
  std::pair<const char *, bool> fileOptions[] = {
      {"--stop-after", stopAfter.has_value()},
      {"--static", options.staticLibrary},
      {"--weights=separate", options.separateWeights}};
  for (auto [option, given] : fileOptions)
    if (onObjects && given) {
      error(DiagnosticCode::BadOption)
          << option << " has no effect on a model in memory";
      return false;
    }
  // They act on import; silently ignored, the certificate would record them.
  std::pair<const char *, bool> importOptions[] = {
      {"--dim", !options.dims.empty()},
      {"--input-shape", !options.inputShapes.empty()},
      {"--input-value", !options.inputValues.empty()},
      {"--output-names", !options.outputNames.empty()},
      {"--state", !options.states.empty()}};
  for (auto [option, given] : importOptions)
    if (startAt && given) {
      InFlightDiagnostic message = error(DiagnosticCode::BadOption);
      message << option << " has no effect with --start-at";
      message.attachNote() << "sizes, inputs and outputs are chosen at import: "
                              "pass it where the stage is saved";
      return false;
    }
  if (!checkLockOptions())
    return false;
  if (options.computeF64 && !options.plain) {
    error(DiagnosticCode::BadOption) << "--compute=f64 needs --plain";
    return false;
  }
  if (!checkQuantize())
    return false;
  entries = expandEntryPoints(options.dims);
  return chooseName();
}

bool Compilation::chooseName() {
  name = options.name;
  if (name.empty())
    name = makeModelName(llvm::sys::path::stem(options.model));
  if (!isModelName(name)) {
    InFlightDiagnostic message = error(DiagnosticCode::BadModelName);
    message << "--name=" << name
            << ": expected a C identifier that is no keyword";
    message.attachNote() << "pass --name=" << makeModelName(name);
    return false;
  }
  return true;
}

FailureOr<LibraryVersion> Compilation::generate(ModuleOp module, size_t index) {
  beginStage(kCodegenStage);
  auto target = module->getAttrOfType<eff::TargetAttr>("eff.target");
  EmitOptions codegen;
  codegen.optLevel = options.optLevel;
  codegen.plain = options.plain;
  codegen.sanitize = options.sanitize;
  codegen.compileThreads = options.compileThreads;
  codegen.symbolPrefix = getKernelPrefix(index);
  FailureOr<ObjectFiles> objects = emitObject(module, target, codegen);
  if (failed(objects))
    return failure();
  LibraryVersion version;
  version.module = module;
  version.target = target.getName().str();
  version.cpuFeatures = getRequiredFeatures(target);
  for (std::unique_ptr<llvm::MemoryBuffer> &object : *objects)
    version.objects.push_back({"kernels", std::move(object)});
  return std::move(version);
}

LogicalResult Compilation::emit(std::vector<LibraryVersion> versions) {
  beginStage(kEmitStage);
  LibraryOptions library = makeLibraryOptions();
  result.modelSha256 = library.certificate.modelSha256;
  return onObjects ? onObjects(std::move(versions), library)
                   : writeLibrary(std::move(versions), library);
}

LibraryOptions Compilation::makeLibraryOptions() {
  LibraryOptions library;
  library.name = name;
  library.outputDir = options.outputDir;
  library.staticLibrary = options.staticLibrary;
  library.separateWeights = options.separateWeights;
  library.sanitize = options.sanitize;
  for (eff::TargetAttr target : targets)
    library.target +=
        (library.target.empty() ? "" : ",") + target.getName().str();
  library.triple = getTriple(targets.front()).str();
  library.certificate = makeCertificateInfo();
  return library;
}

LogicalResult Compilation::writeLibrary(std::vector<LibraryVersion> versions,
                                        const LibraryOptions &library) {
  FailureOr<LibraryResult> written = emitLibrary(std::move(versions), library);
  if (failed(written)) {
    // Files that cannot be written are not effc's fault.
    if (!diagnostics->hasInternalError())
      result.exitCode = 1;
    return failure();
  }
  result.files = written->files;
  result.libraryBytes = written->libraryBytes;
  return writeLock();
}

OwningOpRef<ModuleOp> Compilation::lower(size_t index, eff::TargetAttr target) {
  stageFolder = options.saveStages;
  entryName = entries[index].name;
  versionName = target.getName().str();
  if (targets.size() > 1)
    stageFolder += "/" + versionName;
  if (entries.size() > 1)
    stageFolder += "/" + entryName;
  beginStage(getStageName(Stage::Import));
  result.exitCode = 1;
  imported.resize(entries.size());
  OwningOpRef<ModuleOp> module = std::move(imported[index]);
  if (!module)
    module = readModel(entries[index]);
  if (module && target != targets.back())
    imported[index] = module->clone();
  if (!module) {
    if (diagnostics->hasInternalError())
      reportFault(nullptr);
    return {};
  }
  (*module)->setAttr("eff.target", target);
  result.exitCode = 70;
  if (failed(runPipeline(*module))) {
    if (stageLost)
      result.exitCode = 1;
    else
      reportFault(*module);
    return {};
  }
  return module;
}

OwningOpRef<ModuleOp> Compilation::lowerAll(eff::TargetAttr target) {
  if (entries.size() == 1)
    return lower(0, target);
  OwningOpRef<ModuleOp> all =
      ModuleOp::create(FileLineColLoc::get(context, getModelFile(), 0, 0));
  (*all)->setAttr("eff.target", target);
  for (auto [index, entry] : llvm::enumerate(entries)) {
    OwningOpRef<ModuleOp> module = lower(index, target);
    if (!module)
      return {};
    mergeEntryPoint(*module, *all, entry);
  }
  return all;
}

bool Compilation::checkAll() {
  if (!checkOptions() || !checkModelFile() || !resolveTargets())
    return false;
  bool usesBf16 = options.quantize == "bf16" ||
                  llvm::any_of(options.layers, [](const LayerOption &layer) {
                    return layer.value == "bf16";
                  });
  if (usesBf16 && !checkBf16())
    return false;
  if (!stopAfter || !options.lock.empty() || !options.calibrate.empty())
    startHashing();
  return readLock();
}

void Compilation::run() {
  result.exitCode = 1;
  if (!checkAll() || !readStatisticsFile())
    return;
  std::vector<OwningOpRef<ModuleOp>> modules;
  std::vector<LibraryVersion> versions;
  for (auto [index, target] : llvm::enumerate(targets)) {
    modules.push_back(lowerAll(target));
    if (!modules.back())
      return;
    if (stopAfter)
      continue;
    FailureOr<LibraryVersion> version = generate(*modules.back(), index);
    if (failed(version))
      return reportFault(*modules.back());
    versions.push_back(std::move(*version));
  }
  if (!stopAfter && failed(emit(std::move(versions)))) {
    if (result.exitCode == 70)
      reportFault(*modules.front());
    return;
  }
  endStage();
  if (stopAfter && options.saveStages.empty() && !onModule) {
    llvm::raw_string_ostream os(result.ir);
    OpPrintingFlags flags;
    flags.elideLargeResourceString(1024).elideLargeElementsAttrs(64);
    modules.front()->print(os, flags);
  }
  result.exitCode = 0;
}

/// What is lossy is decided for the library, not for a version.
bool Compilation::checkBf16() {
  for (eff::TargetAttr target : targets) {
    if (isFasterThanF32(target, GemmTypes::BF16))
      continue;
    if (targets.size() > 1) {
      InFlightDiagnostic message = error(DiagnosticCode::BadOption);
      message << "--quantize=bf16: '" << target.getName()
              << "' would compute in f32 and give other results than the other "
                 "versions";
      message.attachNote() << "leave it out of --cpu";
      return false;
    }
    emitWarning(FileLineColLoc::get(context, getModelFile(), 0, 0),
                DiagnosticCode::QuantizeWithoutGain)
        << "--quantize=bf16 has no effect: " << target.getName()
        << " does not multiply bf16 faster than f32";
  }
  return true;
}

bool Compilation::resolveTargets() {
  FailureOr<SmallVector<eff::TargetAttr>> resolved = resolveCPUs(
      options.cpu, FileLineColLoc::get(context, getModelFile(), 0, 0));
  if (failed(resolved))
    return false;
  targets = std::move(*resolved);
  // A saved stage is of one machine, and so is the text that is printed.
  bool isStages = startAt || (stopAfter && options.saveStages.empty());
  if (targets.size() > 1 && isStages && !onModule) {
    InFlightDiagnostic message = error(DiagnosticCode::BadOption);
    message << "--cpu=" << options.cpu << ": "
            << (startAt ? "--start-at" : "--stop-after")
            << " takes one machine";
    message.attachNote() << "name one of them"
                         << (startAt ? "" : ", or pass --save-stages=DIR");
    return false;
  }
  if (onObjects && targets.front() &&
      !isHostTriple(getTriple(targets.front()))) {
    error(DiagnosticCode::BadOption)
        << "--cpu=" << options.cpu
        << ": a model in memory runs on this machine only";
    return false;
  }
  return true;
}

CompileResult compile(const CompileOptions &options) {
  CompileResult result;
  std::unique_ptr<MLIRContext> context = createContext();
  Compilation(options, result, context.get()).run();
  return result;
}

int checkCompileOptions(const CompileOptions &options) {
  CompileResult result;
  std::unique_ptr<MLIRContext> context = createContext();
  return Compilation(options, result, context.get()).checkAll() ? 0 : 1;
}

} // namespace effc
