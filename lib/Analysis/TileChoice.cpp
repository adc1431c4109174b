// Tile choice by padded columns and register pressure. Widths are whole
// vectors; rows are what the accumulators leave room for (one register for the
// broadcast, one vector row of B). At most 8 rows: more streams of A than that
// collide in an 8-way L1.
#include "effc/Analysis/TileChoice.h"

using namespace effc;

TileChoice effc::chooseGemmTile(eff::TargetAttr target,
                                std::optional<int64_t> m, int64_t n,
                                int64_t k) {
  int64_t lanes = target.getVectorBits() / 32,
          registers = target.getVectorRegisters();
  int64_t maxVectors = registers >= 32 ? 4 : 3;
  TileChoice best;
  double bestCost = 0;
  for (int64_t vectors = 1; vectors <= maxVectors; ++vectors) {
    int64_t width = vectors * lanes;
    int64_t rows = std::min<int64_t>(8, (registers - vectors - 1) / vectors);
    // Padded work, plus what loads cost per multiply-add: (vectors + rows)
    // loads for vectors * rows.
    double padded =
        static_cast<double>(llvm::alignTo(std::max<int64_t>(n, 1), width));
    double loads = static_cast<double>(vectors + rows) /
                   static_cast<double>(vectors * rows);
    double cost = padded * (1 + 0.5 * loads);
    if (best.width == 0 || cost < bestCost) {
      best.width = width;
      best.rows = rows;
      bestCost = cost;
    }
  }
  if (m && *m < best.rows)
    best.rows = std::max<int64_t>(*m, 1);
  // Small weights stay in L2 while the rows stream by; large ones are read
  // once, panel by panel.
  best.rowsOuter = k * n * 4 <= 256 * 1024;
  int64_t fitting = std::max<int64_t>(
      best.rows, target.getL2Bytes() / 4 / std::max<int64_t>(k * 4, 1));
  int64_t block = std::min<int64_t>(
      best.rowsOuter ? 4 * best.rows : 16 * best.rows, fitting);
  best.rowsPerBlock = std::max(best.rows, block / best.rows * best.rows);
  return best;
}
