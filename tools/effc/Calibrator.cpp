// Samples go one after another in the order of their names, so that sums are
// the same whether a calibration was interrupted or not; within a sample each
// probe is counted by one thread.
#include "Calibrator.h"
#include "Compile.h"
#include "Progress.h"
#include "Samples.h"
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <sys/file.h>
#include <sys/stat.h>
#include <thread>
#include <unistd.h>

namespace effc::tool {

/// Below it there is a warning.
static constexpr size_t kFewSamples = 16;
/// Of the time between two writes of partial statistics, spent writing.
static constexpr double kMostWriting = 0.05;
static constexpr double kLeastPause = 1.0; ///< seconds

using Clock = std::chrono::steady_clock;

static double secondsSince(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

void CalibrateOptions::addOptions(CLI::App &verb) {
  verb.add_option("--limit", limit, "Only the first so many samples")
      ->check(CLI::PositiveNumber);
  verb.add_option("--threads", threads, "Threads; 0: one per core")
      ->envname("EFFC_THREADS")
      ->check(CLI::NonNegativeNumber);
}

namespace {

/// That nobody else writes the same file meanwhile: an advisory lock, which
/// ends with the process however that ends. Whoever holds it removes the file,
/// so one that is no longer there does not count.
class FileLock {
public:
  explicit FileLock(std::string path) : path(std::move(path)) {}
  FileLock(const FileLock &) = delete;
  FileLock &operator=(const FileLock &) = delete;
  ~FileLock() {
    if (file < 0)
      return;
    (void)unlink(path.c_str());
    (void)close(file);
  }

  /// 0, or errno.
  int take() {
    while (true) {
      file = open(path.c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0600);
      if (file < 0)
        return errno;
      int reason = flock(file, LOCK_EX | LOCK_NB) ? errno : 0;
      struct stat own = {}, there = {};
      if (!reason && fstat(file, &own) == 0 &&
          stat(path.c_str(), &there) == 0 && own.st_ino == there.st_ino)
        return 0;
      (void)close(file);
      file = -1;
      if (reason)
        return reason;
    }
  }

private:
  std::string path;
  int file = -1;
};

} // namespace

//===----------------------------------------------------------------------===//
// What there is to do
//===----------------------------------------------------------------------===//

/// Better now than after an hour.
bool Calibrator::checkPlace(const std::string &file) {
  std::error_code code;
  std::filesystem::path folder = std::filesystem::path(file).parent_path();
  int reason = 0;
  if (std::filesystem::is_directory(file, code))
    reason = EISDIR;
  else if (access(folder.empty() ? "." : folder.c_str(), W_OK | X_OK) != 0)
    reason = errno;
  if (!reason)
    return true;
  console.fail("cannot write '" + file + "': " + std::strerror(reason), "",
               DiagnosticCode::CannotWriteResults);
  return false;
}

bool Calibrator::findSamples() {
  std::string error;
  auto found = listSamples(options.samples, error);
  if (!found) {
    console.fail(error,
                 "a sample is a file NAME.npz whose keys are inputs of the "
                 "model, or a folder of INPUT.npy or INPUT.pb",
                 DiagnosticCode::BadSamples);
    return false;
  }
  names = std::move(*found);
  if (options.limit && names.size() > options.limit)
    names.resize(options.limit);
  if (names.size() < kFewSamples)
    console.warn(format("%zu sample%s few to calibrate with", names.size(),
                        names.size() == 1 ? " is" : "s are"),
                 DiagnosticCode::FewSamples);
  return true;
}

bool Calibrator::compileProbed(const CompileOptions &compile, StageNote &note) {
  CompileOptions probed = makeProbedOptions(compile);
  CompileResult result;
  auto desc = compileIntoMemory(compiler, probed, console, note, result);
  exitCode = result.exitCode;
  if (!desc)
    return false;
  exitCode = ExitFault;
  if (result.probes.empty()) {
    console.fail("the model has no product or convolution to calibrate for", "",
                 DiagnosticCode::CommandFailed);
    return false;
  }
  library = Library::create(std::move(desc), options.threads, console);
  if (!library)
    return false;
  for (Probe &probe : result.probes) {
    Row &row = rows.emplace_back();
    while (library->outputs[row.output].name != probe.output)
      ++row.output;
    const effrt_tensor_info &info = library->outputs[row.output];
    int64_t last = info.rank ? info.dims[info.rank - 1] : 0;
    row.channels = last > 0 ? static_cast<size_t>(last) : 0;
    row.probe = std::move(probe);
  }
  statistics.compilerVersion = getVersion();
  statistics.modelFile =
      std::filesystem::path(compile.model).filename().string();
  statistics.modelSha256 = result.modelSha256;
  statistics.externalSha256 = result.externalSha256;
  statistics.options = describeLayerOptions(probed);
  return true;
}

//===----------------------------------------------------------------------===//
// Going on
//===----------------------------------------------------------------------===//

std::string Calibrator::findDifference(const Statistics &partial) {
  if (partial.modelSha256 != statistics.modelSha256)
    return "it is of another model";
  if (partial.externalSha256 != statistics.externalSha256)
    return "it is of other external weights";
  if (partial.compilerVersion != statistics.compilerVersion)
    return "it is of another version of effc";
  if (partial.options != statistics.options)
    return "it was made with other options";
  for (const Row &row : rows)
    for (const std::string &layer : row.probe.layers)
      if (!partial.layers.count(layer))
        return "it lacks layer '" + layer + "'";
  if (partial.samples.size() > names.size())
    return "it has other samples";
  std::vector<std::string> unused;
  for (size_t i = 0; i < partial.samples.size(); ++i) {
    const SampleRecord &record = partial.samples[i];
    std::string error;
    if (record.name != names[i])
      return "it has other samples";
    auto arrays = readSample(options.samples, record.name, library->inputs,
                             unused, error);
    if (!arrays || hashArrays(*arrays) != record.hash)
      return "sample '" + record.name + "' has changed";
  }
  return "";
}

size_t Calibrator::resume(const std::string &partial) {
  std::error_code code;
  if (!std::filesystem::exists(partial, code))
    return 0;
  std::string error;
  auto earlier = readStatistics(partial, error);
  if (earlier)
    error = findDifference(*earlier);
  if (!error.empty()) {
    console.warn("'" + partial + "' is not used: " + error,
                 DiagnosticCode::StartedAgain);
    return 0;
  }
  for (Row &row : rows) {
    row.tensor = std::move(earlier->layers.at(row.probe.layers.front()));
    row.warned = row.tensor.numNaN + row.tensor.numInf > 0;
  }
  statistics.samples = std::move(earlier->samples);
  console.progress(format("going on after sample %zu of %zu",
                          statistics.samples.size(), names.size()));
  return statistics.samples.size();
}

bool Calibrator::save(const std::string &path, bool complete) {
  statistics.complete = complete;
  for (const Row &row : rows)
    for (const std::string &layer : row.probe.layers)
      statistics.layers[layer] = row.tensor;
  std::string error;
  if (writeStatistics(path, statistics, error))
    return true;
  console.fail(error, "", DiagnosticCode::CannotWriteResults);
  return false;
}

//===----------------------------------------------------------------------===//
// Samples
//===----------------------------------------------------------------------===//

/// Rows are shared out; none is counted by two threads.
void Calibrator::count(const NpzArrays &outputs) {
  size_t cores = std::max(1u, std::thread::hardware_concurrency());
  size_t wanted =
      options.threads ? static_cast<size_t>(options.threads) : cores;
  std::atomic<size_t> next = 0;
  auto work = [&] {
    for (size_t i = next++; i < rows.size(); i = next++) {
      Row &row = rows[i];
      const NpyArray &array = outputs[row.output].second;
      row.tensor.add(reinterpret_cast<const float *>(array.data.data()),
                     array.data.size() / sizeof(float), row.channels);
    }
  };
  std::vector<std::thread> threads;
  for (size_t i = 1; i < std::min({wanted, cores, rows.size()}); ++i)
    threads.emplace_back(work);
  work();
  for (std::thread &thread : threads)
    thread.join();
}

/// Once for each probe: one bad sample is often not the only one.
void Calibrator::warnOfValues(const std::string &name) {
  for (Row &row : rows) {
    const TensorStatistics &tensor = row.tensor;
    if (row.warned || tensor.numNaN + tensor.numInf == 0)
      continue;
    row.warned = true;
    console.warn(format("sample '%s': layer '%s' reads %llu NaN and %llu "
                        "infinities",
                        name.c_str(), row.probe.layers.front().c_str(),
                        static_cast<unsigned long long>(tensor.numNaN),
                        static_cast<unsigned long long>(tensor.numInf)),
                 DiagnosticCode::NotFinite);
  }
}

bool Calibrator::addSample(const std::string &name) {
  std::vector<std::string> unused;
  std::string error;
  auto arrays =
      readSample(options.samples, name, library->inputs, unused, error);
  if (!arrays) {
    console.fail(error, "", DiagnosticCode::BadSamples);
    return false;
  }
  Console inside = console;
  inside.context = "sample '" + name + "': ";
  for (const std::string &array : unused)
    if (!warnedOfUnused)
      warnUnused(array, inside);
  warnedOfUnused |= !unused.empty();
  auto outputs = runOnce(*library, *arrays, inside);
  if (!outputs)
    return false;
  count(*outputs);
  warnOfValues(name);
  statistics.samples.push_back({name, hashArrays(*arrays)});
  return true;
}

std::shared_ptr<const Statistics> Calibrator::run(const CompileOptions &compile,
                                                  const std::string &file,
                                                  StageNote &note) {
  if (!checkPlace(file))
    return nullptr;
  FileLock lock(file + ".lock");
  if (int reason = lock.take()) {
    console.fail("cannot write '" + file + "': " +
                     (reason == EWOULDBLOCK ? "another calibration writes it"
                                            : std::strerror(reason)),
                 "", DiagnosticCode::CannotWriteResults);
    return nullptr;
  }
  if (!findSamples() || !compileProbed(compile, note))
    return nullptr;
  std::string partial = file + ".partial";
  size_t first = resume(partial), saved = first;
  note.set("calibrate");
  Progress progress(console);
  auto last = Clock::now();
  double pause = kLeastPause;
  for (size_t i = first; i < names.size(); ++i) {
    progress.show("sample " + names[i], i + 1, names.size());
    if (secondsSince(last) > pause) {
      auto start = Clock::now();
      if (!save(partial, /*complete=*/false))
        return nullptr;
      saved = i;
      last = Clock::now();
      pause = std::max(kLeastPause, secondsSince(start) / kMostWriting);
    }
    if (!addSample(names[i])) {
      progress.clear();
      if (i > saved)
        (void)save(partial, /*complete=*/false);
      return nullptr;
    }
  }
  progress.clear();
  // By way of the partial file, so that none is left over.
  if (!save(partial, /*complete=*/true))
    return nullptr;
  if (std::rename(partial.c_str(), file.c_str()) != 0) {
    console.fail("cannot write '" + file + "': " + std::strerror(errno), "",
                 DiagnosticCode::CannotWriteResults);
    return nullptr;
  }
  return std::make_shared<Statistics>(std::move(statistics));
}

} // namespace effc::tool
