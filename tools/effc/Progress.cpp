// Progress on standard error.
#include "Progress.h"
#include <algorithm>
#include <cstdio>

namespace effc::tool {

/// A bar has a sign a step up to here.
static constexpr size_t kMostWidth = 40;
/// Between two pictures of many short steps.
static constexpr std::chrono::milliseconds kPause(50);

void Progress::show(const std::string &step, size_t number, size_t count) {
  if (!console.showBar()) {
    if (console.verbosity > 0)
      console.progress(format("[%zu/%zu] %s", number, count, step.c_str()));
    return;
  }
  auto now = std::chrono::steady_clock::now();
  if (shown && count > kMostWidth && now - last < kPause)
    return;
  last = now;
  size_t width = std::min(count, kMostWidth);
  size_t done = count > width ? number * width / count : number;
  std::string bar(done, '='), rest(width - done, ' ');
  std::string text = count > width ? format("%zu/%zu ", number, count) : "";
  std::fprintf(stderr, "\r\033[K[%s>%s] %s%s", bar.c_str(), rest.c_str(),
               text.c_str(), makePrintable(step).c_str());
  shown = true;
}

void Progress::clear() {
  if (shown)
    std::fprintf(stderr, "\r\033[K");
  shown = false;
}

} // namespace effc::tool
