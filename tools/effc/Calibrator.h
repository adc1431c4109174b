// Calibration: runs a model with probes over samples and counts what its layers
// read (docs/quantization.md, "Calibration").
#ifndef EFFC_TOOLS_EFFC_CALIBRATOR_H
#define EFFC_TOOLS_EFFC_CALIBRATOR_H

#include "Supervise.h"
#include "Tensors.h"
#include "effc/Driver/MemoryCompiler.h"
#include "effc/Support/Statistics.h"

namespace effc::tool {

struct CalibrateOptions {
  std::string samples;
  /// The first so many samples; 0: all.
  size_t limit = 0;
  /// 0: one per core. The result does not depend on it.
  int threads = 0;
  void addOptions(CLI::App &verb);
};

class Calibrator {
public:
  Calibrator(const Console &console, const CalibrateOptions &options)
      : console(console), options(options) {}

  /// Writes the statistics to `file`; those that an interrupted calibration
  /// left beside it are gone on with. Nothing after a reported error, then with
  /// its exit code.
  std::shared_ptr<const Statistics>
  run(const CompileOptions &compile, const std::string &file, StageNote &note);
  int exitCode = ExitFault;

private:
  bool checkPlace(const std::string &file);
  bool findSamples();
  bool compileProbed(const CompileOptions &compile, StageNote &note);
  /// Where an earlier attempt ended: the number of samples that are in.
  size_t resume(const std::string &partial);
  /// Why it is of no use, or "".
  std::string findDifference(const Statistics &partial);
  bool addSample(const std::string &name);
  void count(const NpzArrays &outputs);
  void warnOfValues(const std::string &name);
  /// The statistics so far, by layer.
  bool save(const std::string &path, bool complete);

  /// A probe and where it is among the outputs.
  struct Row {
    Probe probe;
    size_t output;
    size_t channels;
    TensorStatistics tensor;
    bool warned = false;
  };

  const Console &console;
  const CalibrateOptions &options;
  MemoryCompiler compiler;
  std::unique_ptr<Library> library;
  std::vector<std::string> names;
  std::vector<Row> rows;
  Statistics statistics;
  bool warnedOfUnused = false;
};

} // namespace effc::tool

#endif // EFFC_TOOLS_EFFC_CALIBRATOR_H
