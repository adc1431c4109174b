// The certificate of a library, as `effc inspect` reads it.
#include "CertificateText.h"
#include <string>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  // Certificates are C strings.
  std::string text(reinterpret_cast<const char *>(data), size);
  std::string error;
  for (bool kernels : {false, true}) {
    auto lines =
        effc::tool::describeCertificate(text.c_str(), 1234, kernels, error);
    if (!lines && error.empty())
      __builtin_trap();
  }
  return 0;
}
