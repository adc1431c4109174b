// The one figure that stands for the quality of a build: how good the first
// output is without loss and with it (docs/quantization.md, "Validation").
#ifndef EFFC_TOOLS_EFFC_METRIC_H
#define EFFC_TOOLS_EFFC_METRIC_H

#include "Console.h"
#include "effc/Emit/Certificate.h"
#include "effc/Support/Npy.h"
#include <memory>

namespace effc::tool {

/// What both builds gave for one sample; outputs in the order of the model.
struct SampleOutputs {
  const std::string &name;
  const NpzArrays &inputs, &before, &after;
};

/// Collects samples one after the other. Errors are reported on the console
/// that is given, whose context names the sample.
class Metric {
public:
  virtual ~Metric() = default;
  /// "cosine"; goes into the certificate.
  std::string name;

  /// Reads what it needs beside samples: labels.
  virtual bool open(const Console &) { return true; }
  virtual bool add(const SampleOutputs &, const Console &) { return true; }
  /// Sets `before` and `after`; everything else in `quality` is known.
  virtual bool finish(Quality &quality, const Console &) = 0;
};

/// What --metric takes, for messages.
extern const char kMetricForms[];

/// Null for what is none of kMetricForms.
std::unique_ptr<Metric> createMetric(const std::string &text);

} // namespace effc::tool

#endif // EFFC_TOOLS_EFFC_METRIC_H
