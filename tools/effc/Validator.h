// Validation: outputs of a lossy build beside those of the same build without
// (docs/quantization.md, "Validation").
#ifndef EFFC_TOOLS_EFFC_VALIDATOR_H
#define EFFC_TOOLS_EFFC_VALIDATOR_H

#include "Metric.h"
#include "Supervise.h"
#include "Tensors.h"
#include "effc/Driver/MemoryCompiler.h"

namespace effc::tool {

struct ValidateOptions {
  /// A folder of samples; empty: no validation.
  std::string samples;
  /// One of kMetricForms.
  std::string metric = "cosine";
  void addOptions(CLI::App &verb);
};

class Validator {
public:
  Validator(const Console &console, const ValidateOptions &options)
      : console(console), options(options) {}

  /// Compiles both into memory and runs them over the samples. Nothing after a
  /// reported error, then with its exit code.
  std::optional<Quality> measure(const CompileOptions &compile,
                                 StageNote &note);
  int exitCode = ExitFault;

private:
  std::unique_ptr<Library> compileModel(const CompileOptions &compile,
                                        StageNote &note);
  bool addSample(const std::string &name);
  /// Sums of one output of one sample.
  bool addOutput(size_t index, const NpyArray &before, const NpyArray &after,
                 const Console &inside);
  bool finish();

  /// Of one output, over all samples.
  struct Sums {
    uint64_t elements = 0;
    double error = 0, square = 0, cosine = 0;
  };

  const Console &console;
  const ValidateOptions &options;
  MemoryCompiler compiler;
  std::unique_ptr<Library> before, after;
  std::vector<Sums> sums;
  std::unique_ptr<Metric> metric;
  std::string hashes;
  Quality quality;
};

} // namespace effc::tool

#endif // EFFC_TOOLS_EFFC_VALIDATOR_H
