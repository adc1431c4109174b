// Runs work in a child process, so that a crash of the compiler, wherever it
// happens, ends in a message and a reproducer and leaves no files.
#ifndef EFFC_TOOLS_EFFC_SUPERVISE_H
#define EFFC_TOOLS_EFFC_SUPERVISE_H

#include "Console.h"

namespace effc::tool {

/// What the child was doing, seen by the parent.
struct StageNote {
  char text[64];
  void set(const std::string &stage);
};

/// The child's exit code; 70 when it died. Temporary folders that it left in
/// `outputDir` are removed.
int runSupervised(const Console &console, const std::string &outputDir,
                  const std::function<int(StageNote &)> &work);

} // namespace effc::tool

#endif // EFFC_TOOLS_EFFC_SUPERVISE_H
