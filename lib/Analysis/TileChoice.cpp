// The model behind chooseGemmTile. A tile's k step costs the larger of its FMAs
// and loads, two of each a cycle, and at least the latency of an FMA; tiles at
// the edges cost what their own rows cost. Loop orders follow "weights that fit
// in L2 stay there, else the larger traffic is avoided".
#include "effc/Analysis/TileChoice.h"

#include "llvm/Support/MathExtras.h"

using namespace effc;

namespace {

struct Tile {
  int64_t rows, vectors;
};

// The first of equals wins. At most 8 rows where there is a choice: each is a
// stream through L1.
constexpr Tile wideTiles[] = {{6, 4}, {8, 3},  {8, 2}, {7, 2},
                              {6, 3}, {12, 1}, {8, 1}};
constexpr Tile narrowTiles[] = {{4, 3}, {6, 2}, {12, 1}, {8, 1}};

constexpr int64_t largeSize = 1 << 16;
// Two FMAs a cycle with a latency of four.
constexpr double latencyCycles = 4.0;
// Per tile and column vector: addresses, epilogue, stores; in k steps'
// currency.
constexpr double tileOverhead = 12.0;

} // namespace

static double stepCycles(int64_t rows, int64_t vectors) {
  double fmas = rows * vectors / 2.0, loads = (rows + vectors) / 2.0;
  return std::max({fmas, loads, latencyCycles});
}

static double estimateCycles(Tile tile, int64_t lanes, int64_t rows,
                             int64_t columns, int64_t depth) {
  auto tileCycles = [&](int64_t tileRows) {
    return depth * stepCycles(tileRows, tile.vectors) +
           tileOverhead * tileRows * tile.vectors;
  };
  int64_t tail = rows % tile.rows;
  double column = static_cast<double>(rows / tile.rows) * tileCycles(tile.rows);
  if (tail != 0)
    column += tileCycles(tail);
  return column * llvm::divideCeil(columns, tile.vectors * lanes);
}

static Tile chooseTile(eff::TargetAttr target, int64_t lanes, int64_t rows,
                       int64_t columns, int64_t depth) {
  llvm::ArrayRef<Tile> tiles = wideTiles;
  if (target.getVectorRegisters() < 32)
    tiles = narrowTiles;
  Tile best = tiles.front();
  double bestCycles = -1.0;
  for (Tile tile : tiles) {
    double cycles = estimateCycles(tile, lanes, rows, columns, depth);
    // Small gains are noise of the model; the order of the table decides.
    if (bestCycles < 0.0 || cycles < 0.98 * bestCycles) {
      best = tile;
      bestCycles = cycles;
    }
  }
  return best;
}

TileChoice effc::chooseGemmTile(eff::TargetAttr target,
                                std::optional<int64_t> m, int64_t n, int64_t k,
                                int64_t rowBytes) {
  int64_t lanes = target.getVectorBits() / 32;
  int64_t rows = std::max<int64_t>(1, m.value_or(largeSize));
  int64_t columns = std::max<int64_t>(1, n), depth = std::max<int64_t>(1, k);
  Tile tile = chooseTile(target, lanes, rows, columns, depth);
  int64_t width = tile.vectors * lanes;
  int64_t tileRows = std::min(tile.rows, rows);

  rowBytes = rowBytes ? rowBytes : 4 * depth;
  int64_t l2 = target.getL2Bytes();
  bool weightsStay = columns * depth * 4 <= l2 / 4;
  bool rowsStay = rows * rowBytes <= l2 / 2;
  // A block of rows that stays in L2 while panels stream by, or that is
  // streamed by itself.
  int64_t blockRows = std::clamp<int64_t>(l2 / 2 / rowBytes, tileRows, 1024);
  bool rowsOuter = weightsStay || (!rowsStay && blockRows > width);
  if (weightsStay)
    blockRows = std::min<int64_t>(blockRows, 96);
  // Enough iterations for the threads, as long as a panel is used by a few
  // tiles.
  int64_t panels = llvm::divideCeil(columns, width);
  while (panels * llvm::divideCeil(rows, blockRows) < 16 &&
         blockRows >= 8 * tileRows)
    blockRows /= 2;
  // Blocks of about the same size.
  int64_t blocks = llvm::divideCeil(rows, blockRows);
  if (m)
    blockRows = llvm::divideCeil(rows, blocks);
  return {tileRows, width,
          static_cast<int64_t>(llvm::alignTo(blockRows, tileRows)), rowsOuter};
}
