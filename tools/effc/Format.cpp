// Text of numbers.
#include "Format.h"
#include <cstdarg>
#include <cstdio>

namespace effc::tool {

std::string format(const char *text, ...) {
  va_list arguments, again;
  va_start(arguments, text);
  va_copy(again, arguments);
  int length = std::vsnprintf(nullptr, 0, text, arguments);
  va_end(arguments);
  std::string result(length > 0 ? length : 0, '\0');
  std::vsnprintf(result.data(), result.size() + 1, text, again);
  va_end(again);
  return result;
}

std::string formatBytes(uint64_t bytes) {
  static const char *const units[] = {"bytes", "KB", "MB", "GB"};
  double value = static_cast<double>(bytes);
  int unit = 0;
  for (; unit < 3 && value >= 1000; ++unit)
    value /= 1000;
  return format(unit == 0 ? "%.0f %s" : "%.2f %s", value, units[unit]);
}

} // namespace effc::tool
