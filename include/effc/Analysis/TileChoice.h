// Which register tile and which order of loops a matrix product uses, from its
// sizes and the target alone: packing and code generation must agree on it.
#ifndef EFFC_ANALYSIS_TILECHOICE_H
#define EFFC_ANALYSIS_TILECHOICE_H

#include "Eff/EffOps.h"
#include <optional>

namespace effc {

/// The attributes `tile`, `rows_per_block` and `rows_outer` of effk.gemm.
struct TileChoice {
  int64_t rows = 0; ///< rows of the register tile
  int64_t width =
      0; ///< columns of the register tile and of a panel: whole vectors
  int64_t rowsPerBlock = 0; ///< rows of one iteration
  bool rowsOuter = false;   ///< row blocks outside, panels inside
};

/// The tile for an f32 product of m x k by k x n; m is nothing when symbolic.
/// `rowBytes` is what a row adds to the memory of A: less than 4 k for a
/// convolution, whose pixels are shared by taps; 0 is 4 k.
TileChoice chooseGemmTile(eff::TargetAttr target, std::optional<int64_t> m,
                          int64_t n, int64_t k, int64_t rowBytes = 0);

} // namespace effc

#endif // EFFC_ANALYSIS_TILECHOICE_H
