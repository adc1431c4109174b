// What --tune and --lock do to a compilation.
#include "Compilation.h"
#include "Tune.h"
#include "effc/Support/Diagnostics.h"
#include "effc/Target/CPU/CPUTarget.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/raw_ostream.h"

using namespace mlir;

namespace effc {

/// A lock is small; what is larger is none.
static constexpr uint64_t kMostLockBytes = 64 << 20;

bool Compilation::checkLockOptions() {
  bool tune = options.tuneSeconds > 0;
  if (!tune && options.lock.empty())
    return true;
  const char *option = tune ? "--tune" : "--lock";
  std::pair<const char *, bool> others[] = {
      {"--plain", options.plain},
      {"--start-at", startAt.has_value()},
      {"--stop-after", tune && stopAfter.has_value()},
      {"--sanitize", tune && options.sanitize}};
  for (auto [other, given] : others)
    if (given) {
      error(DiagnosticCode::BadOption)
          << option << " has no effect with " << other;
      return false;
    }
  if (tune && onObjects) {
    error(DiagnosticCode::BadOption)
        << "--tune has no effect on a model in memory";
    return false;
  }
  return true;
}

bool Compilation::readLock() {
  if (options.tuneSeconds > 0) {
    for (eff::TargetAttr target : targets)
      if (!canRun(target)) {
        InFlightDiagnostic message = error(DiagnosticCode::BadOption);
        message << "--tune: this machine cannot run code for '"
                << target.getName() << "'";
        message.attachNote() << "tune on a machine that can, and compile "
                                "elsewhere with --lock";
        return false;
      }
    lock.emplace();
    return true;
  }
  if (options.lock.empty())
    return true;
  auto refuse = [&](const Twine &why) {
    InFlightDiagnostic message = error(DiagnosticCode::BadLock);
    message << "--lock=" << options.lock << ": " << why;
    message.attachNote() << "pass --tune to measure again, or leave --lock out";
    return false;
  };
  uint64_t size = 0;
  if (std::error_code code = llvm::sys::fs::file_size(options.lock, size))
    return refuse("cannot be read: " + code.message());
  if (!llvm::sys::fs::is_regular_file(options.lock) || size > kMostLockBytes)
    return refuse("is no lock");
  auto buffer = llvm::MemoryBuffer::getFile(options.lock);
  if (!buffer)
    return refuse("cannot be read: " + buffer.getError().message());
  std::string why;
  StringRef text = (*buffer)->getBuffer();
  lock = parseLock({text.data(), text.size()}, why);
  if (!lock)
    return refuse("is damaged: " + why);
  if (lock->compilerVersion != getVersion())
    return refuse("made by effc " + lock->compilerVersion + ", this is " +
                  getVersion());
  if (lock->modelSha256 != modelHash.get())
    return refuse("made for another model, '" + lock->modelFile + "'");
  for (eff::TargetAttr target : targets) {
    LockTarget *found = lock->find(describeTarget(target));
    if (!found)
      return refuse("made for another machine; this one is " +
                    describeTarget(target));
    std::string bad = findBadChoice(*found, target);
    if (!bad.empty())
      return refuse("is damaged: " + bad);
  }
  return true;
}

/// Tells of times that are none: straight to the user, because the certificate
/// must not depend on what else ran.
static void warnOfSpread(const TuneSummary &summary, const std::string &file,
                         const DiagnosticCallback &callback) {
  if (summary.unsteady == 0 || !callback)
    return;
  Diagnostic record;
  record.severity = Severity::Warning;
  record.code = DiagnosticCode::UnsteadyTimes;
  record.file = file;
  record.message =
      llvm::formatv("--tune: times vary too much to choose by for {0} of {1} "
                    "kernels, typically by {2:F0} %",
                    summary.unsteady, summary.measured, 100 * summary.spread);
  record.notes.push_back("other work runs on this machine; the cost model's "
                         "choice stays for these kernels");
  callback(record);
}

static void warnOfFreeSizes(const TuneSummary &summary, const std::string &file,
                            const DiagnosticCallback &callback) {
  if (summary.unknown == 0 || !callback)
    return;
  Diagnostic record;
  record.severity = Severity::Warning;
  record.code = DiagnosticCode::IgnoredInput;
  record.file = file;
  record.message = llvm::formatv("--tune: {0} kernels have sizes that only a "
                                 "run knows and were not timed",
                                 summary.unknown);
  record.notes.push_back("give the sizes with --dim or --input-shape");
  callback(record);
}

LogicalResult Compilation::chooseKernels(ModuleOp module,
                                         const PipelineOptions &pipeline) {
  if (!lock)
    return success();
  auto target = module->getAttrOfType<eff::TargetAttr>("eff.target");
  LockTarget *found = lock->find(describeTarget(target));
  if (options.tuneSeconds > 0) {
    if (!found) {
      lock->targets.push_back(
          {target.getName().str(), describeTarget(target), {}});
      found = &lock->targets.back();
    }
    TuneOptions tune;
    tune.pipeline = pipeline;
    tune.codegen.optLevel = options.optLevel;
    tune.codegen.compileThreads = options.compileThreads;
    tune.codegen.symbolPrefix = getKernelPrefix(0);
    tune.seconds = options.tuneSeconds / (entries.size() * targets.size());
    FailureOr<TuneSummary> summary = tuneKernels(module, tune, *found);
    if (failed(summary))
      return failure();
    warnOfSpread(*summary, getModelFile(), options.onDiagnostic);
    warnOfFreeSizes(*summary, getModelFile(), options.onDiagnostic);
  }
  module->setAttr(kChoicesAttr, makeChoices(context, *found));
  return success();
}

LogicalResult Compilation::writeLock() {
  if (options.tuneSeconds <= 0)
    return success();
  lock->compilerVersion = getVersion();
  lock->modelFile = getModelFile();
  lock->modelSha256 = modelHash.get();
  std::string file = options.lock;
  if (file.empty())
    file = options.outputDir + "/effc.lock";
  llvm::Error failed =
      llvm::writeToOutput(file, [&](llvm::raw_ostream &os) -> llvm::Error {
        os << printLock(*lock);
        return llvm::Error::success();
      });
  if (failed) {
    result.exitCode = 1;
    return error(DiagnosticCode::CannotWriteOutput)
           << "cannot write '" << file
           << "': " << llvm::toString(std::move(failed));
  }
  result.files.push_back(file);
  return success();
}

} // namespace effc
