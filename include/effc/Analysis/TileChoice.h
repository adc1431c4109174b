// Which register tile a matrix product uses, from its sizes and the target
// alone.
#ifndef EFFC_ANALYSIS_TILECHOICE_H
#define EFFC_ANALYSIS_TILECHOICE_H

#include "Eff/EffOps.h"
#include <optional>

namespace effc {

struct TileChoice {
  int64_t rows = 0; ///< rows of the register tile
  int64_t width =
      0; ///< columns of the register tile and of a panel: whole vectors
  int64_t rowsPerBlock = 0; ///< rows of one iteration
  bool rowsOuter = false;   ///< row blocks outside, panels inside
};

/// The tile for an f32 product of m x k by k x n; m is nothing when symbolic.
TileChoice chooseGemmTile(eff::TargetAttr target, std::optional<int64_t> m,
                          int64_t n, int64_t k);

} // namespace effc

#endif // EFFC_ANALYSIS_TILECHOICE_H
