// `--tune`: times the candidates of each distinct kernel on this machine.
#ifndef EFFC_LIB_DRIVER_TUNE_H
#define EFFC_LIB_DRIVER_TUNE_H

#include "effc/Driver/Lock.h"
#include "effc/Pipeline/Stages.h"
#include "effc/Target/Target.h"

namespace effc {

struct TuneOptions {
  PipelineOptions pipeline;
  EmitOptions codegen;
  /// For timing; generating the candidates comes on top.
  double seconds = 10;
};

struct TuneSummary {
  unsigned measured = 0, changed = 0;
  /// Kernels whose sizes only a run knows.
  unsigned unknown = 0;
  /// Kernels whose times varied more than the candidates differed.
  unsigned unsteady = 0;
  /// The median of all spreads.
  double spread = 0;
};

/// Adds an entry for each key of the kernels in `fused` (a module after the
/// stage Fusion, which is left as it is) that `lock` does not have yet.
mlir::FailureOr<TuneSummary>
tuneKernels(mlir::ModuleOp fused, const TuneOptions &options, LockTarget &lock);

} // namespace effc

#endif // EFFC_LIB_DRIVER_TUNE_H
