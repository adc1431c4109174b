// What the cost models know of a core: a table by the names that LLVM has.
#ifndef EFFC_ANALYSIS_MICROARCHITECTURE_H
#define EFFC_ANALYSIS_MICROARCHITECTURE_H

#include "Eff/EffOps.h"

namespace effc {

/// Of full vectors, as wide as the target's.
struct Microarchitecture {
  double fmasPerCycle, loadsPerCycle;
  double fmaLatency; ///< cycles
  /// What multiplying pairs of bf16 (VDPBF16PS) costs, in FMAs.
  double bf16Dot = 1;
  /// Tiles of some rows read panels from memory faster when they fetch them
  /// ahead.
  bool needsReadAhead = false;
};

/// The row of the target's `tune`; without one, or where it is not known, that
/// of the first cores with AMX for what needs AMX, else what suits most cores
/// with its vectors.
const Microarchitecture &getMicroarchitecture(eff::TargetAttr target);

} // namespace effc

#endif // EFFC_ANALYSIS_MICROARCHITECTURE_H
