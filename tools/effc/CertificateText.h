// A certificate as a page for people. Certificates come with libraries, from
// anybody: what is missing or of another type is an error, never a crash.
#ifndef EFFC_TOOLS_EFFC_CERTIFICATETEXT_H
#define EFFC_TOOLS_EFFC_CERTIFICATETEXT_H

#include <cstdint>
#include <optional>
#include <string>

namespace effc::tool {

/// The page, with or without the list of kernels; nothing and a reason when the
/// certificate is damaged or of another version.
std::optional<std::string> describeCertificate(const std::string &certificate,
                                               uint64_t libraryBytes,
                                               bool kernels,
                                               std::string &error);

} // namespace effc::tool

#endif // EFFC_TOOLS_EFFC_CERTIFICATETEXT_H
