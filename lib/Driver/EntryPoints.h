// Several entry points of one model: `--dim seq=1,128,*` compiles it once for
// each value and puts the programs into one library over the same weights.
#ifndef EFFC_LIB_DRIVER_ENTRYPOINTS_H
#define EFFC_LIB_DRIVER_ENTRYPOINTS_H

#include "effc/Driver/Driver.h"
#include "mlir/IR/BuiltinOps.h"

namespace effc {

struct EntryPoint {
  /// "main" for the one that takes all sizes, else "seq_128".
  std::string name;
  std::vector<std::pair<std::string, int64_t>> dims;
};

/// One entry for each combination of values, the general one last.
std::vector<EntryPoint> expandEntryPoints(const std::vector<DimOption> &dims);

/// Moves the functions of `from` into `to`; `main` and the kernels get names
/// that begin with the entry point's.
void mergeEntryPoint(mlir::ModuleOp from, mlir::ModuleOp to,
                     const EntryPoint &entry);

} // namespace effc

#endif // EFFC_LIB_DRIVER_ENTRYPOINTS_H
