// Which register tile and which order of loops a matrix product uses, from its
// sizes and the target alone: packing and code generation must agree on it.
#ifndef EFFC_ANALYSIS_TILECHOICE_H
#define EFFC_ANALYSIS_TILECHOICE_H

#include "Eff/EffOps.h"
#include <optional>
#include <string>
#include <vector>

namespace effc {

/// The element types of a product: what tiles exist for.
enum class GemmTypes {
  F32,  ///< f32 x f32
  BF16, ///< bf16 x bf16, summed in f32
  U8S8  ///< ui8 x i8, summed in i32
};

/// The attributes `tile`, `rows_per_block`, `rows_outer` and `interleave` of
/// effk.gemm.
struct TileChoice {
  int64_t rows = 0; ///< rows of the register tile
  int64_t width =
      0; ///< columns of the register tile and of a panel: whole vectors
  int64_t rowsPerBlock = 0; ///< rows of one iteration
  bool rowsOuter = false;   ///< row blocks outside, panels inside
  int64_t interleave = 1;   ///< neighbours of k that a step multiplies
  int64_t panelWidth = 0;   ///< of packed weights: width, or a multiple of it
  bool isMatrix = false;    ///< of registers of AMX, which have all their rows
  int64_t registerRows = 0; ///< where these are fewer than 16 (alignToRuns)
};

/// How many neighbours of k the target's tiles multiply in a step.
int64_t getInterleave(eff::TargetAttr target, GemmTypes types);

/// Whether registers of AMX multiply them.
bool hasMatrixTiles(eff::TargetAttr target, GemmTypes types);

/// Whether a product of many terms takes less time than in f32.
bool isFasterThanF32(eff::TargetAttr target, GemmTypes types);

/// The tile for a product of m x k by k x n; m is nothing when symbolic.
/// `rowBytes` is what a row adds to the memory of A: less than 4 k for a
/// convolution, whose pixels are shared by taps; 0 is a whole row of k.
TileChoice chooseGemmTile(eff::TargetAttr target, std::optional<int64_t> m,
                          int64_t n, int64_t k, int64_t rowBytes = 0,
                          GemmTypes types = GemmTypes::F32);

/// Cycles to read weights once: from near, or from far where L2 does not hold
/// them.
double estimateReading(eff::TargetAttr target, int64_t bytes);

/// Rows of a convolution's product lie in runs, the rows of its result.
struct RowRuns {
  int64_t length = 0; ///< 0: unknown
  /// Of all pairs of a run and a row of the kernel, what part lies above or
  /// below the map: a tile that ends with its run leaves these out.
  double outside = 0;
  /// The neighbours of k that lie side by side; 0: all of them.
  int64_t depth = 0;
};

/// Cycles of one core that such a product takes, with reading its weights; of
/// a convolution rows lie in runs.
double estimateProductCycles(eff::TargetAttr target, std::optional<int64_t> m,
                             int64_t n, int64_t k, GemmTypes types,
                             const RowRuns &runs = {});

/// The tile for a convolution, which may end with the runs where that is worth
/// it.
TileChoice chooseConvTile(eff::TargetAttr target, std::optional<int64_t> m,
                          int64_t n, int64_t k, int64_t rowBytes,
                          GemmTypes types, const RowRuns &runs);

/// A tile of one vector, or of AMX, for rows that lie in runs of `run`: with as
/// many as divide a run, so that no tile, or register, wraps to the next one.
TileChoice alignToRuns(eff::TargetAttr target, TileChoice tile, int64_t run);

/// How many neighbouring pixels of a convolution with few outputs to compute as
/// one pixel of as many times the outputs, by one wider kernel; 1 where that
/// gains little. `width` is the number of pixels in a row.
int64_t chooseJoinedPixels(eff::TargetAttr target, int64_t outputs,
                           int64_t kernel, int64_t stride, int64_t width);

/// How weights lie that another version of the library reads.
struct PanelShape {
  int64_t width = 0, interleave = 1;
};

/// The tile that reads such panels, or nothing where one with panels of its own
/// is clearly faster.
std::optional<TileChoice>
chooseGemmTile(eff::TargetAttr target, std::optional<int64_t> m, int64_t n,
               int64_t k, int64_t rowBytes, GemmTypes types,
               const PanelShape &panels, const RowRuns &runs = {});

/// What to time for such a product: the choice above, then other tiles, blocks
/// and loop orders that the model puts near it.
std::vector<TileChoice> getGemmCandidates(eff::TargetAttr target,
                                          std::optional<int64_t> m, int64_t n,
                                          int64_t k, int64_t rowBytes,
                                          GemmTypes types);

/// F(4x4, 3x3): a tile of 6x6 inputs gives 4x4 outputs from 36 products.
struct WinogradTile {
  static constexpr int64_t outputs = 4, inputs = 6, points = 36;
  /// The points that the polynomials are taken at: 0, +-near, +-far, infinity.
  /// All factors that follow from these are exact in f32.
  static constexpr double near = 0.75, far = 1.5;
};

/// A 3x3 convolution of stride 1; what is symbolic is nothing.
struct WinogradSizes {
  std::optional<int64_t> images, rows, columns; ///< of the result
  int64_t channels = 0, outputs = 0;
};

struct WinogradChoice {
  int64_t strip = 0;  ///< tiles of one iteration
  int64_t block = 0;  ///< output channels of one iteration; divides them
  TileChoice product; ///< a strip's tiles x channels x outputs
  bool isFaster = false;
  double gain = 0;    ///< estimated time of the direct sum over its own
  std::string reason; ///< why it is, or is not, faster
};

/// How to compute a convolution by Winograd's algorithm and whether that is
/// faster than the direct sum.
WinogradChoice chooseWinograd(eff::TargetAttr target,
                              const WinogradSizes &sizes);

/// What to time beside the direct sum: the choice above and other strips.
std::vector<WinogradChoice> getWinogradCandidates(eff::TargetAttr target,
                                                  const WinogradSizes &sizes);

/// Where Winograd's algorithm is used. Always is for tests and measurements.
enum class WinogradUse { WhereFaster, Never, Always };

} // namespace effc

#endif // EFFC_ANALYSIS_TILECHOICE_H
