// How far a long task has come.
#ifndef EFFC_TOOLS_EFFC_PROGRESS_H
#define EFFC_TOOLS_EFFC_PROGRESS_H

#include "Console.h"
#include <chrono>

namespace effc::tool {

/// One line that is rewritten on a terminal, with -v a line a step elsewhere.
class Progress {
public:
  explicit Progress(const Console &console) : console(console) {}
  ~Progress() { clear(); }

  /// Step `number` of `count` begins.
  void show(const std::string &step, size_t number, size_t count);
  void clear();

private:
  const Console &console;
  bool shown = false;
  std::chrono::steady_clock::time_point last;
};

} // namespace effc::tool

#endif // EFFC_TOOLS_EFFC_PROGRESS_H
