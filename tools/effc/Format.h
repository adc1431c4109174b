// Numbers as people read them; needs nothing else of the program.
#ifndef EFFC_TOOLS_EFFC_FORMAT_H
#define EFFC_TOOLS_EFFC_FORMAT_H

#include <cstdint>
#include <string>

namespace effc::tool {

/// "1.5 MB" and the like.
std::string formatBytes(uint64_t bytes);
/// printf into a string.
std::string format(const char *text, ...) __attribute__((format(printf, 1, 2)));

} // namespace effc::tool

#endif // EFFC_TOOLS_EFFC_FORMAT_H
