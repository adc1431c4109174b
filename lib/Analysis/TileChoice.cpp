// The model behind chooseGemmTile. A tile's k step costs the larger of its FMAs
// and loads, and at least the latency of an FMA (Microarchitecture.h); tiles at
// the edges cost what their own rows cost. Loop orders follow "weights that fit
// in L2 stay there, else the larger traffic is avoided". A panel that L2 does
// not hold beside the next one comes from L3 for each tile of rows.
#include "effc/Analysis/TileChoice.h"
#include "effc/Analysis/Microarchitecture.h"

#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/MathExtras.h"

using namespace effc;
using llvm::StringRef;

namespace {

struct Tile {
  int64_t rows, vectors;
  /// Registers of AMX (lib/Target/CPU/Microkernels/MatrixTiles.h).
  bool isMatrix = false;
};

// The first of equals wins. At most 8 rows where there is a choice: each is a
// stream through L1.
constexpr Tile wideTiles[] = {{6, 4}, {8, 3},  {8, 2}, {7, 2},
                              {6, 3}, {12, 1}, {8, 1}};
// With registers left for rows that several steps use.
constexpr Tile laneTiles[] = {{5, 4}, {7, 3},  {8, 2}, {7, 2},
                              {6, 3}, {12, 1}, {8, 1}};
constexpr Tile narrowTiles[] = {{4, 3}, {6, 2}, {12, 1}, {8, 1}};
constexpr Tile matrixTiles[] = {{32, 2, true}, {16, 4, true}, {32, 1, true}};

/// Cycles of AMX: Intel's Optimization Reference Manual, "Intel AMX", for
/// Sapphire Rapids; none has been measured here.
struct MatrixCosts {
  static constexpr int64_t rows = 16, groups = 16;
  /// A product of two registers, one after the other and each by itself.
  static constexpr double product = 16, latency = 52;
  static constexpr double load = 8, store = 16;
  /// Setting the shapes and giving the registers back.
  static constexpr double configuration = 220;
  /// A row that is copied, and a row of sums that goes through memory, beyond
  /// what a vector tile's costs.
  static constexpr double copy = 1.5, sum = 2;
};

/// The step of a tile where the target has the feature (any: empty). The first
/// that fits is what Microkernels.def has.
struct Step {
  GemmTypes types;
  StringRef feature;
  int64_t interleave, elementBytes;
  /// What AMX needs for the same panels.
  StringRef matrixFeature = "";
  /// In FMAs, loads included; pairs of bf16 have a cost of their own
  /// (Microarchitecture.h).
  double cost = 1;
  /// Whether rows are factors by lanes of registers, which they fill.
  bool byLanes = false;
};

constexpr Step steps[] = {{GemmTypes::F32, "", 1, 4},
                          {GemmTypes::BF16, "+avx512bf16", 2, 2, "+amx-bf16"},
                          {GemmTypes::BF16, "", 1, 2},
                          {GemmTypes::U8S8, "+avx512vnni", 4, 1, "+amx-int8"},
                          {GemmTypes::U8S8, "+dotprod", 4, 1, "", 1, true},
                          // Widened to words first; with NEON two of these.
                          {GemmTypes::U8S8, "+neon", 2, 1, "", 2.1, true},
                          {GemmTypes::U8S8, "", 2, 1, "", 1.7}};

constexpr int64_t largeSize = 1 << 16;
// Per tile and column vector: addresses, epilogue, stores; in k steps'
// currency.
constexpr double tileOverhead = 12.0;
// What L2 and L3 give where a panel is read again for each tile of rows (the
// latter measured on znver5 with 512 channels of 3x3 in panels of 64 columns).
constexpr double nearPanelBytes = 32.0, farPanelBytes = 18.0;
// What a second body of code for the last panel costs.
constexpr double narrowPanelCost = 1.12;

} // namespace

static const Step &getStep(eff::TargetAttr target, GemmTypes types) {
  return *llvm::find_if(steps, [&](const Step &step) {
    return step.types == types && target.getFeatures().contains(step.feature);
  });
}

int64_t effc::getInterleave(eff::TargetAttr target, GemmTypes types) {
  return getStep(target, types).interleave;
}

static bool hasMatrixStep(eff::TargetAttr target, const Step &step) {
  return !step.matrixFeature.empty() &&
         target.getFeatures().contains(step.matrixFeature);
}

/// Of a vector's multiplication, in FMAs.
static double getDotCost(eff::TargetAttr target, const Step &step) {
  return step.types == GemmTypes::BF16 && step.interleave > 1
             ? getMicroarchitecture(target).bf16Dot
             : 1;
}

bool effc::hasMatrixTiles(eff::TargetAttr target, GemmTypes types) {
  return hasMatrixStep(target, getStep(target, types));
}

bool effc::isFasterThanF32(eff::TargetAttr target, GemmTypes types) {
  const Step &step = getStep(target, types);
  return hasMatrixStep(target, step) ||
         static_cast<double>(step.interleave) >
             step.cost * getDotCost(target, step);
}

static double stepCycles(const Microarchitecture &core, double dotCost,
                         int64_t rows, int64_t vectors) {
  return std::max({dotCost * rows * vectors / core.fmasPerCycle,
                   (rows + vectors) / core.loadsPerCycle, core.fmaLatency});
}

namespace {

/// The sizes that a tile is chosen for; the depth in steps.
struct ProductSizes {
  ProductSizes(eff::TargetAttr target, int64_t rows, int64_t columns,
               int64_t depth, int64_t stepBytes = 4, int64_t rowBytes = 0)
      : target(target), lanes(target.getVectorBits() / 32), rows(rows),
        columns(columns), depth(depth), stepBytes(stepBytes),
        rowBytes(rowBytes ? rowBytes : depth * stepBytes) {}
  ProductSizes(eff::TargetAttr target, std::optional<int64_t> m, int64_t n,
               int64_t k, const Step &step, int64_t rowBytes = 0)
      : ProductSizes(target, std::max<int64_t>(1, m.value_or(largeSize)),
                     std::max<int64_t>(1, n),
                     llvm::divideCeil(std::max<int64_t>(1, k), step.interleave),
                     step.elementBytes * step.interleave, rowBytes) {
    hasMatrix = hasMatrixStep(target, step);
    byLanes = step.byLanes;
    dotCost = getDotCost(target, step);
    run = depth;
  }

  void setRuns(const RowRuns &runs, int64_t interleave);
  llvm::SmallVector<Tile> getTiles() const;
  double estimateCycles(Tile tile) const;
  bool staysInL2(int64_t panelBytes) const;
  double estimateColumn(int64_t tileRows, int64_t vectors,
                        double panelCycles) const;
  double estimateMatrixColumn(int64_t tileRows, int64_t vectors,
                              double panelCycles) const;
  Tile chooseTile() const;

  eff::TargetAttr target;
  int64_t lanes, rows, columns, depth;
  int64_t stepBytes; ///< of a column of B
  int64_t rowBytes;  ///< what a row adds to the memory of A
  bool hasMatrix = false, byLanes = false;
  double dotCost = 1;       ///< of vector tiles, in FMAs
  int64_t run = 0;          ///< steps that lie side by side
  double gatheredShare = 0; ///< of registers, whose rows lie apart
};

/// The most rows of a register of AMX that divide a run, or 0: not many fewer
/// than it has.
int64_t getRegisterRows(int64_t run) {
  constexpr int64_t leastRows = 7;
  for (int64_t rows = MatrixCosts::rows; rows >= leastRows; --rows)
    if (run % rows == 0)
      return rows;
  return 0;
}

void ProductSizes::setRuns(const RowRuns &runs, int64_t interleave) {
  if (runs.depth <= 0)
    return;
  run = llvm::divideCeil(runs.depth, interleave);
  // Registers that wrap to the next run.
  gatheredShare = 1;
  if (runs.length > 0)
    gatheredShare = getRegisterRows(runs.length)
                        ? 0
                        : std::min(1.0, static_cast<double>(MatrixCosts::rows) /
                                            static_cast<double>(runs.length));
}

/// Whether a panel stays for all tiles of rows, beside the rows where they stay
/// as well and a part of them where they stream by.
bool ProductSizes::staysInL2(int64_t panelBytes) const {
  int64_t l2 = target.getL2Bytes(), bytes = rows * rowBytes;
  return panelBytes + (bytes <= l2 / 2 ? bytes : l2 / 8) <= l2 / 4 * 3;
}

/// One panel; a step takes `panelCycles` at least.
double ProductSizes::estimateColumn(int64_t tileRows, int64_t vectors,
                                    double panelCycles) const {
  const Microarchitecture &core = getMicroarchitecture(target);
  auto tileCycles = [&](int64_t count) {
    return depth * std::max(panelCycles,
                            stepCycles(core, dotCost, count, vectors)) +
           tileOverhead * count * vectors;
  };
  int64_t tail = rows % tileRows;
  double cycles = static_cast<double>(rows / tileRows) * tileCycles(tileRows);
  return tail == 0 ? cycles : cycles + tileCycles(tail);
}

/// As estimateColumn; rows that are left are registers of their own.
double ProductSizes::estimateMatrixColumn(int64_t tileRows, int64_t vectors,
                                          double panelCycles) const {
  using Costs = MatrixCosts;
  double parts = llvm::divideCeil(depth, run) *
                 static_cast<double>(llvm::divideCeil(run, Costs::groups));
  double panelPart = panelCycles * depth / parts;
  auto tileCycles = [&](int64_t count) {
    int64_t registers = llvm::divideCeil(count, Costs::rows),
            sums = registers * vectors;
    double part = std::max({Costs::product * sums, Costs::latency, panelPart,
                            Costs::load * (registers + vectors)});
    bool isPart = count % Costs::rows != 0;
    part += (isPart ? 1 : gatheredShare) * Costs::copy * count;
    return parts * part + Costs::store * sums +
           (tileOverhead + Costs::sum) * count * vectors;
  };
  int64_t left = rows % tileRows, last = left % Costs::rows;
  double cycles =
      static_cast<double>(rows / tileRows) * tileCycles(tileRows) +
      static_cast<double>(left / Costs::rows) * tileCycles(Costs::rows);
  return last == 0 ? cycles : cycles + tileCycles(last);
}

double ProductSizes::estimateCycles(Tile tile) const {
  int64_t width = tile.vectors * lanes, panelRow = width * stepBytes;
  int64_t panelBytes = depth * panelRow;
  double panelCycles = 0;
  if (rows > tile.rows && panelBytes > target.getL1Bytes())
    panelCycles =
        panelRow / (staysInL2(panelBytes) ? nearPanelBytes : farPanelBytes);
  auto estimate = [&](int64_t vectors) {
    return tile.isMatrix ? estimateMatrixColumn(tile.rows, vectors, panelCycles)
                         : estimateColumn(tile.rows, vectors, panelCycles);
  };
  double cycles = static_cast<double>(columns / width) * estimate(tile.vectors);
  // The last panel leaves out vectors without a column.
  int64_t left = llvm::divideCeil(columns % width, lanes);
  if (left != 0)
    cycles += narrowPanelCost * estimate(left);
  return tile.isMatrix ? cycles + MatrixCosts::configuration : cycles;
}

llvm::SmallVector<Tile> ProductSizes::getTiles() const {
  llvm::ArrayRef<Tile> vectors = byLanes ? laneTiles : wideTiles;
  if (target.getVectorRegisters() < 32)
    vectors = narrowTiles;
  llvm::SmallVector<Tile> tiles(vectors);
  if (hasMatrix)
    llvm::append_range(tiles, matrixTiles);
  return tiles;
}

Tile ProductSizes::chooseTile() const {
  llvm::SmallVector<Tile> tiles = getTiles();
  Tile best = tiles.back();
  double bestCycles = -1.0;
  for (Tile tile : tiles) {
    // A narrower one has its first panel without idle vectors.
    if (tile.vectors > 1 && columns <= (tile.vectors - 1) * lanes)
      continue;
    double cycles = estimateCycles(tile);
    // Small gains are noise of the model; the order of the table decides.
    if (bestCycles < 0.0 || cycles < 0.98 * bestCycles) {
      best = tile;
      bestCycles = cycles;
    }
  }
  return best;
}

} // namespace

/// Loop order and blocks around a tile.
static TileChoice planLoops(eff::TargetAttr target, Tile tile,
                            std::optional<int64_t> m, int64_t n, int64_t k,
                            int64_t rowBytes, const Step &step) {
  int64_t rows = std::max<int64_t>(1, m.value_or(largeSize));
  int64_t columns = std::max<int64_t>(1, n), depth = std::max<int64_t>(1, k);
  int64_t width = tile.vectors * (target.getVectorBits() / 32);
  int64_t tileRows = tile.isMatrix ? tile.rows : std::min(tile.rows, rows);

  rowBytes = rowBytes ? rowBytes : step.elementBytes * depth;
  int64_t l2 = target.getL2Bytes();
  bool weightsStay = columns * depth * step.elementBytes <= l2 / 4;
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
  return {tileRows,
          width,
          static_cast<int64_t>(llvm::alignTo(blockRows, tileRows)),
          rowsOuter,
          step.interleave,
          width,
          tile.isMatrix};
}

TileChoice effc::chooseConvTile(eff::TargetAttr target,
                                std::optional<int64_t> m, int64_t n, int64_t k,
                                int64_t rowBytes, GemmTypes types,
                                const RowRuns &runs) {
  const Step &step = getStep(target, types);
  ProductSizes product(target, m, n, k, step, rowBytes);
  product.setRuns(runs, step.interleave);
  TileChoice plain =
      planLoops(target, product.chooseTile(), m, n, k, rowBytes, step);
  int64_t lanes = target.getVectorBits() / 32;
  if (plain.isMatrix || types == GemmTypes::U8S8 ||
      target.getVectorRegisters() < 32 || plain.width == lanes ||
      runs.length <= 0)
    return plain;
  constexpr int64_t leastRows = 6, mostRows = 14;
  std::optional<Tile> best;
  double least =
      0.98 * product.estimateCycles({plain.rows, plain.width / lanes});
  for (int64_t vectors : {4, 3, 2})
    for (int64_t rows = mostRows; rows >= leastRows; --rows) {
      // Sums, a row of B and a broadcast, as in Microkernels.def.
      if (runs.length % rows != 0 ||
          rows * vectors + vectors + 1 > target.getVectorRegisters() ||
          n <= (vectors - 1) * lanes)
        continue;
      double cycles =
          (1 - runs.outside) * product.estimateCycles({rows, vectors});
      if (cycles < least) {
        best = {rows, vectors};
        least = 0.98 * cycles;
      }
    }
  return best ? planLoops(target, *best, m, n, k, rowBytes, step) : plain;
}

static TileChoice alignRegisters(TileChoice tile, int64_t run) {
  int64_t rows = getRegisterRows(run);
  if (rows == 0 || rows == MatrixCosts::rows)
    return tile;
  tile.registerRows = rows;
  tile.rows = tile.rows / MatrixCosts::rows * rows;
  tile.rowsPerBlock =
      static_cast<int64_t>(llvm::alignTo(tile.rowsPerBlock, tile.rows));
  return tile;
}

TileChoice effc::alignToRuns(eff::TargetAttr target, TileChoice tile,
                             int64_t run) {
  if (tile.isMatrix)
    return alignRegisters(tile, run);
  // Enough to hide the latency of FMAs, and no more than may be in flight.
  constexpr int64_t leastRows = 8, mostRows = 16;
  int64_t lanes = target.getVectorBits() / 32;
  if (tile.width != lanes || tile.rows < leastRows ||
      target.getVectorRegisters() < 32 || run % tile.rows == 0)
    return tile;
  for (int64_t rows = mostRows; rows >= leastRows; --rows)
    if (run % rows == 0) {
      tile.rows = rows;
      tile.rowsPerBlock =
          static_cast<int64_t>(llvm::alignTo(tile.rowsPerBlock, rows));
      break;
    }
  return tile;
}

int64_t effc::chooseJoinedPixels(eff::TargetAttr target, int64_t outputs,
                                 int64_t kernel, int64_t stride,
                                 int64_t width) {
  // Vectors of products a pixel; the gain must be worth the wider kernel's
  // edges.
  constexpr double leastGain = 1.2;
  int64_t lanes = target.getVectorBits() / 32, best = 1;
  auto costOf = [&](int64_t pixels) {
    return static_cast<double>(kernel + (pixels - 1) * stride) / pixels;
  };
  for (int64_t pixels = 2; pixels * outputs <= lanes; ++pixels)
    if (width % pixels == 0 && costOf(pixels) < costOf(best))
      best = pixels;
  return costOf(1) >= leastGain * costOf(best) ? best : 1;
}

TileChoice effc::chooseGemmTile(eff::TargetAttr target,
                                std::optional<int64_t> m, int64_t n, int64_t k,
                                int64_t rowBytes, GemmTypes types) {
  const Step &step = getStep(target, types);
  Tile tile = ProductSizes(target, m, n, k, step, rowBytes).chooseTile();
  return planLoops(target, tile, m, n, k, rowBytes, step);
}

std::optional<TileChoice>
effc::chooseGemmTile(eff::TargetAttr target, std::optional<int64_t> m,
                     int64_t n, int64_t k, int64_t rowBytes, GemmTypes types,
                     const PanelShape &panels, const RowRuns &runs) {
  // More than this a second copy of the weights is better.
  constexpr double mostLoss = 1.1;
  const Step &step = getStep(target, types);
  ProductSizes product(target, m, n, k, step, rowBytes);
  product.setRuns(runs, step.interleave);
  if (panels.interleave != step.interleave)
    return std::nullopt;
  // A part of each row of a panel uses a part of the sets of L1: a panel that
  // does not fit it as a whole would come from L2 for every tile of rows.
  int64_t panelBytes =
      std::max<int64_t>(1, k) * panels.width * step.elementBytes;
  bool fits = panelBytes <= target.getL1Bytes() / 2;
  std::optional<Tile> best;
  double least = std::numeric_limits<double>::infinity();
  for (Tile tile : product.getTiles()) {
    least = std::min(least, product.estimateCycles(tile));
    int64_t width = tile.vectors * product.lanes;
    if ((panels.width == width || (fits && panels.width % width == 0)) &&
        (!best ||
         product.estimateCycles(tile) < 0.98 * product.estimateCycles(*best)))
      best = tile;
  }
  if (!best || product.estimateCycles(*best) > mostLoss * least)
    return std::nullopt;
  TileChoice choice = planLoops(target, *best, m, n, k, rowBytes, step);
  choice.panelWidth = panels.width;
  return choice;
}

std::vector<TileChoice> effc::getGemmCandidates(eff::TargetAttr target,
                                                std::optional<int64_t> m,
                                                int64_t n, int64_t k,
                                                int64_t rowBytes,
                                                GemmTypes types) {
  // Tiles that the model puts within this factor of the best may be better.
  constexpr double near = 1.3;
  constexpr size_t mostTiles = 4;
  const Step &step = getStep(target, types);
  ProductSizes product(target, m, n, k, step, rowBytes);
  llvm::SmallVector<Tile> tiles = product.getTiles();
  llvm::stable_sort(tiles, [&](Tile a, Tile b) {
    return product.estimateCycles(a) < product.estimateCycles(b);
  });
  double best = product.estimateCycles(tiles.front());
  TileChoice chosen = chooseGemmTile(target, m, n, k, rowBytes, types);
  std::vector<TileChoice> candidates = {chosen};
  for (Tile tile : llvm::ArrayRef(tiles).take_front(mostTiles))
    if (product.estimateCycles(tile) <= near * best)
      candidates.push_back(planLoops(target, tile, m, n, k, rowBytes, step));
  // Around the model's own tile.
  TileChoice turned = chosen, larger = chosen, smaller = chosen;
  turned.rowsOuter = !chosen.rowsOuter;
  larger.rowsPerBlock = 2 * chosen.rowsPerBlock;
  smaller.rowsPerBlock =
      llvm::alignTo(llvm::divideCeil(chosen.rowsPerBlock, 2), chosen.rows);
  candidates.push_back(turned);
  if (chosen.rowsPerBlock < product.rows)
    candidates.push_back(larger);
  if (smaller.rowsPerBlock < chosen.rowsPerBlock)
    candidates.push_back(smaller);
  return candidates;
}

//===----------------------------------------------------------------------===//
// Winograd
//===----------------------------------------------------------------------===//

// Cycles a vector of channels and tile: 6x6 loads, transform and stores, a
// third more for windows copied at the border; the same of the results.
static constexpr double inputTransformCycles = 220.0,
                        outputTransformCycles = 260.0;
// Weights that do not stay in L2 come from L3 or memory, once a strip.
static constexpr double farBytesPerCycle = 8.0, nearBytesPerCycle = 32.0;
// What the model must promise, since it may be wrong by that much.
static constexpr double leastGain = 1.15;
// Tiles of a strip: more reuse the weights, fewer stay in L2 and feed threads.
static constexpr int64_t mostTiles = 64, mostTilesOfSmallWeights = 32,
                         leastTiles = 16;
// Iterations of a launch that are worth a loop order which reads inputs twice.
static constexpr int64_t enoughItems = 8, leastBlock = 64;

double effc::estimateReading(eff::TargetAttr target, int64_t bytes) {
  return bytes /
         (bytes > target.getL2Bytes() ? farBytesPerCycle : nearBytesPerCycle);
}

double effc::estimateProductCycles(eff::TargetAttr target,
                                   std::optional<int64_t> m, int64_t n,
                                   int64_t k, GemmTypes types,
                                   const RowRuns &runs) {
  const Step &step = getStep(target, types);
  ProductSizes product(target, m, n, k, step);
  product.setRuns(runs, step.interleave);
  Tile tile = product.chooseTile();
  double cycles =
      (tile.isMatrix ? 1 : step.cost) * product.estimateCycles(tile);
  return cycles + estimateReading(target, step.elementBytes *
                                              std::max<int64_t>(1, n) * k);
}

static int64_t chooseStrip(eff::TargetAttr target, const WinogradSizes &sizes,
                           std::optional<int64_t> tiles) {
  int64_t pointBytes = 4 * WinogradTile::points;
  int64_t most = std::clamp(target.getL2Bytes() / (pointBytes * sizes.channels),
                            leastTiles, mostTiles);
  if (pointBytes * sizes.channels * sizes.outputs <= target.getL2Bytes())
    most = std::min(most, mostTilesOfSmallWeights);
  if (!tiles)
    return most;
  // Strips of about the same size.
  int64_t strips = llvm::divideCeil(std::max<int64_t>(*tiles, 1), most);
  int64_t strip = llvm::divideCeil(std::max<int64_t>(*tiles, 1), strips);
  return strips == 1 ? strip : llvm::alignTo(strip, 2);
}

/// How many times faster than the direct sum.
static double estimateGain(eff::TargetAttr target, const WinogradSizes &sizes,
                           const WinogradChoice &choice, int64_t tiles) {
  int64_t lanes = target.getVectorBits() / 32;
  constexpr int64_t pixels = WinogradTile::outputs * WinogradTile::outputs;
  int64_t rows = tiles * pixels;
  if (sizes.rows && sizes.columns)
    rows = sizes.images.value_or(1) * *sizes.rows * *sizes.columns;
  ProductSizes direct(target, rows, sizes.outputs, 9 * sizes.channels);
  double directCycles =
      direct.estimateCycles(direct.chooseTile()) +
      estimateReading(target, 36 * sizes.channels * sizes.outputs);
  auto stripCycles = [&](int64_t count) {
    Tile tile{choice.product.rows, choice.product.width / lanes};
    return WinogradTile::points *
           ProductSizes(target, count, sizes.outputs, sizes.channels)
               .estimateCycles(tile);
  };
  double cycles = tiles / choice.strip * stripCycles(choice.strip);
  if (tiles % choice.strip != 0)
    cycles += stripCycles(tiles % choice.strip);
  cycles +=
      tiles * (llvm::divideCeil(sizes.channels, lanes) * inputTransformCycles +
               llvm::divideCeil(sizes.outputs, lanes) * outputTransformCycles);
  cycles += llvm::divideCeil(tiles, choice.strip) *
            estimateReading(target, 4 * WinogradTile::points * sizes.channels *
                                        sizes.outputs);
  return directCycles / cycles;
}

/// Of one image where the batch is free: more only make it better.
static std::optional<int64_t> countTiles(const WinogradSizes &sizes) {
  if (!sizes.rows || !sizes.columns)
    return std::nullopt;
  return sizes.images.value_or(1) *
         llvm::divideCeil(*sizes.rows, WinogradTile::outputs) *
         llvm::divideCeil(*sizes.columns, WinogradTile::outputs);
}

static WinogradChoice planStrips(eff::TargetAttr target,
                                 const WinogradSizes &sizes, int64_t strip) {
  std::optional<int64_t> known = countTiles(sizes);
  WinogradChoice choice;
  choice.strip = strip;
  choice.product =
      chooseGemmTile(target, choice.strip, sizes.outputs, sizes.channels);
  int64_t tiles = known.value_or(4 * choice.strip);
  int64_t width = choice.product.width,
          strips = llvm::divideCeil(tiles, choice.strip), blocks = 1;
  while (strips * blocks < enoughItems &&
         sizes.outputs % (2 * blocks * width) == 0 &&
         sizes.outputs / (2 * blocks) >= leastBlock)
    blocks *= 2;
  choice.block = sizes.outputs / blocks;
  double gain = tiles > 0 ? estimateGain(target, sizes, choice, tiles) : 0;
  choice.isFaster = gain >= leastGain;
  choice.gain = gain;
  choice.reason = llvm::formatv("{0} channels, {1} output channels, {2} tiles: "
                                "estimated {3:F2} times as fast",
                                sizes.channels, sizes.outputs,
                                known ? std::to_string(*known) : "any", gain)
                      .str();
  return choice;
}

WinogradChoice effc::chooseWinograd(eff::TargetAttr target,
                                    const WinogradSizes &sizes) {
  return planStrips(target, sizes,
                    chooseStrip(target, sizes, countTiles(sizes)));
}

std::vector<WinogradChoice>
effc::getWinogradCandidates(eff::TargetAttr target,
                            const WinogradSizes &sizes) {
  int64_t strip = chooseStrip(target, sizes, countTiles(sizes));
  std::vector<WinogradChoice> candidates;
  for (int64_t other : {strip, strip / 2, 2 * strip})
    if (other >= 1)
      candidates.push_back(
          planStrips(target, sizes, std::min(other, 2 * mostTiles)));
  return candidates;
}
