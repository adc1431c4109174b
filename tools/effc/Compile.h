// Options that verbs which compile share.
#ifndef EFFC_TOOLS_EFFC_COMPILE_H
#define EFFC_TOOLS_EFFC_COMPILE_H

#include "Supervise.h"
#include "effc/Driver/MemoryCompiler.h"
#include <CLI/CLI.hpp>
#include <string>
#include <vector>

namespace effc::tool {

/// --dim, --input-shape and --input-value.
struct SizeOptions {
  std::vector<std::string> dims, shapes, values;

  void addOptions(CLI::App &verb);
  std::vector<DimOption> getDims() const;
  std::vector<std::pair<std::string, std::vector<int64_t>>> getShapes() const;
  std::vector<std::pair<std::string, std::vector<double>>> getValues() const;
};

/// MODEL and the options that change its graph; those of sizes are taken over
/// with takeSizes, when all are parsed.
void addGraphOptions(CLI::App &verb, CompileOptions &options,
                     SizeOptions &sizes);
void takeSizes(const SizeOptions &sizes, CompileOptions &options);

/// Compiles into memory and shows how far it is. Of diagnostics only errors
/// are shown: the rest is told when the library is made.
std::shared_ptr<const effrt_model_desc>
compileIntoMemory(MemoryCompiler &compiler, CompileOptions options,
                  const Console &console, StageNote &note,
                  CompileResult &result);

} // namespace effc::tool

#endif // EFFC_TOOLS_EFFC_COMPILE_H
