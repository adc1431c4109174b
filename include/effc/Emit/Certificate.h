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

/// A layer that could compute with fewer bits, by the name of its node.
struct LayerPrecision {
  std::string node, precision, reason;
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
  /// Warnings of the compile.
  std::vector<std::string> notes;
};

} // namespace effc

#endif // EFFC_EMIT_CERTIFICATE_H
