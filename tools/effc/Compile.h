// Options that compile and check share.
#ifndef EFFC_TOOLS_EFFC_COMPILE_H
#define EFFC_TOOLS_EFFC_COMPILE_H

#include "effc/Driver/Driver.h"
#include <CLI/CLI.hpp>
#include <string>
#include <vector>

namespace effc::tool {

/// --dim and --input-shape.
struct SizeOptions {
  std::vector<std::string> dims, shapes;

  void addOptions(CLI::App &verb);
  std::vector<DimOption> getDims() const;
  std::vector<std::pair<std::string, std::vector<int64_t>>> getShapes() const;
};

} // namespace effc::tool

#endif // EFFC_TOOLS_EFFC_COMPILE_H
