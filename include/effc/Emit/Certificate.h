// The certificate of a compiled model: what it was made from and how. The part
// that follows from model and options goes into the library too.
#ifndef EFFC_EMIT_CERTIFICATE_H
#define EFFC_EMIT_CERTIFICATE_H

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace effc {

/// A layer that could compute with fewer bits. Layers of one node have names
/// with numbers.
struct LayerPrecision {
  std::string layer, node, precision, reason;
  /// It does.
  bool taken = false;
  /// Estimated, over the size of the result.
  std::optional<double> error;
};

/// The layers of an entry point, where an option lets them have fewer bits.
struct QuantizedLayers {
  std::string entryPoint;
  std::vector<LayerPrecision> layers;
};

/// One output of a lossy build beside the same of a build that is not, over all
/// samples.
struct OutputQuality {
  std::string name;
  /// Finite ones.
  uint64_t elements = 0;
  /// Means over all elements: of the squared error, and of the squared element
  /// of the build without loss.
  double mse = 0, meanSquare = 0;
  /// Of the two outputs of a sample as vectors, the mean over samples.
  double cosine = 0;
};

/// The statistics that ranges come from; their name does not count.
struct Calibration {
  std::string sha256;
  uint64_t numSamples = 0;
};

/// What a lossy build costs, measured (docs/quantization.md, "Validation").
struct Quality {
  uint64_t numSamples = 0;
  std::string samplesSha256;
  /// Which version of the library was measured, by the names of --cpu, and
  /// whether with kernels that were chosen by --tune.
  std::string version;
  bool tuned = false;
  std::vector<OutputQuality> outputs;
  /// "cosine", "mse", "kl", "nats" or "top1" of the first output, or "command".
  std::string metric;
  double before = 0, after = 0;
};

/// What earlier stages know and Emit prints.
struct CertificateInfo {
  std::string compilerVersion;
  /// File name without folder, so that bytes do not depend on where it lies.
  std::string modelFile;
  std::string modelSha256;
  /// Options that change the result, as written on the command line.
  std::vector<std::string> options;
  /// Passes in order, with one line each on what they did.
  std::vector<std::pair<std::string, std::string>> passes;
  std::vector<QuantizedLayers> quantized;
  std::optional<Calibration> calibration;
  std::optional<Quality> quality;
  /// Warnings of the compile.
  std::vector<std::string> notes;
};

} // namespace effc

#endif // EFFC_EMIT_CERTIFICATE_H
