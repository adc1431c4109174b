// The certificate of a compiled model: what it was made from and how. The part
// that follows from model and options goes into the library too.
#ifndef EFFC_EMIT_CERTIFICATE_H
#define EFFC_EMIT_CERTIFICATE_H

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace effc {

/// Layers of an entry point that compute with fewer bits than the model asks
/// for, by the names of their nodes.
struct QuantizedLayers {
  std::string entryPoint, to;
  std::vector<std::string> nodes;
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
