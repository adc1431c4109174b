// Contractions: rows x vectors accumulators in registers over the whole depth,
// one broadcast a row and one multiply-add a vector for every step of k (K.
// Goto, R. van de Geijn, "Anatomy of High-Performance Matrix Multiplication",
// with B packed at compile time). What a step multiplies is a Dot: one element
// of floats, groups of neighbours of small types. Convolutions are the same
// tile with a row pointer for each pixel and tap
// ("The Indirect Convolution Algorithm", M. Dukhan).
#include "CPU/Microkernels/Blocks.h"
#include "CPU/Microkernels/Epilogue.h"
#include "CPU/Microkernels/LoopBuilder.h"
#include "CPU/Microkernels/MatrixTiles.h"
#include "CPU/Microkernels/Microkernels.h"
#include "effc/Analysis/Microarchitecture.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/Interfaces/FunctionInterfaces.h"

using namespace mlir;
using namespace effc;

// An epilogue longer than this is emitted once for a row instead of unrolled
// over the rows of the tile.
static constexpr size_t unrolledEpilogueOps = 16;
// Tiles of at most this many rows have one of each smaller number of rows.
static constexpr int64_t mostExactTails = 8;
// How far a panel is fetched ahead that only one tile reads.
static constexpr int64_t readAheadBytes = 8192, lineBytes = 64;

namespace {

/// Where the rows of a tile lie: an offset into A for each, and with a window
/// their first coordinates.
struct TileRows {
  SmallVector<Value> offsets;
  /// [window dim][row]: coordinate of the first tap.
  SmallVector<SmallVector<Value>> coordinates;
};

/// Where a tap of a tile lies.
struct Depth {
  SmallVector<Value> rows;
  Value b;
  /// The number of its first row of B.
  Value first;
};

class GemmLowering : LoopBuilder {
public:
  GemmLowering(effk::GemmOp gemm, eff::TargetAttr target);
  LogicalResult lower();

private:
  LogicalResult verify();
  Value opaque(Value index);

  void emitIteration(Value iteration, Value numPanels, Value numBlocks);
  void emitFullOrMasked(Value begin, Value end);
  void emitFullOrNarrow(Value panel, int64_t columns, Value begin, Value end);
  void beginPanel(Value panel);
  void emitRows(Value begin, Value end);
  void fetchPanels(int64_t rows, Value m, Value begin, Value count,
                   bool isOnly = false);
  void emitTile(int64_t rows, Value m);
  void emitRegisters(Value begin, Value end);
  void emitRegisters(int64_t registers, Value m, Value count);
  bool staysInRun(int64_t rows);
  void followRows(int64_t rows, TileRows &located);
  TileRows locateRows(int64_t rows, Value m);
  SmallVector<Value> emitTaps(unsigned level, const TileRows &rows,
                              Value tapOffset, Value tap, ArrayRef<Value> valid,
                              ValueRange sums);
  SmallVector<Value> emitDepth(const TileRows &rows, Value tapOffset, Value tap,
                               ArrayRef<Value> valid, ValueRange sums);
  SmallVector<Value> emitSteps(const Depth &depth, int64_t steps, Value k,
                               Value mask, ValueRange sums);
  SmallVector<Value> loadColumns(Value bStart, Value k);
  Value getBStride();
  bool loadsTogether(int64_t rows, std::optional<int64_t> run);
  void emitStarts();
  Value alignedRun();
  Value panelDepth();
  void emitEpilogue(int64_t rows, Value m, ValueRange sums);
  void emitStoredSums(Value stack, Value rows, Value m);
  SmallVector<int64_t> tailRows(std::optional<int64_t> &exact);
  std::optional<int64_t> countRows();
  int64_t countFetched(int64_t rows);
  Value paddingRow();
  Value stackSums(int64_t rows);

  effk::GemmOp gemm;
  eff::TargetAttr target;
  Type aType, bType, sumType;
  int64_t tileRowCount, width, lanes, vectors, interleave;
  const Dot *dot = nullptr;
  VectorType vectorType;
  Epilogue epilogue;
  MatrixMemory memory;
  Value numRows, aPointer, bPointer, padding;
  // Of the current panel.
  Value column, panelPointer;
  SmallVector<Value> masks;
  // What sums of a vector of columns begin with.
  SmallVector<Value> starts;
  // Its size in bytes; null where panels are not streamed.
  Value panelBytes;
  // What the current tile fetches of the next panel: start and step for each k.
  Value fetchStart, fetchStep;
  int64_t fetchedLines = 1;
};

} // namespace

static Type elementOf(Value memref) {
  return cast<MemRefType>(memref.getType()).getElementType();
}

GemmLowering::GemmLowering(effk::GemmOp gemm, eff::TargetAttr target)
    : LoopBuilder(ImplicitLocOpBuilder(gemm.getLoc(), gemm)), gemm(gemm),
      target(target), aType(elementOf(gemm.getA())),
      bType(elementOf(gemm.getB())), sumType(gemm.getSumType()),
      tileRowCount(gemm.getTile()[0]), width(gemm.getTile()[1]),
      lanes(target.getVectorBits() / sumType.getIntOrFloatBitWidth()),
      vectors(width / lanes), interleave(gemm.getInterleave()),
      vectorType(VectorType::get(lanes, sumType)), epilogue(gemm, lanes) {}

LogicalResult GemmLowering::verify() {
  dot = findTile(gemm.getBScales() ? "blocks" : "gemm", gemm, target);
  if (!dot)
    return gemm.emitOpError("has no microkernel of ")
           << tileRowCount << "x" << width << ", " << aType << " x " << bType
           << " to " << sumType << " by " << interleave << ", on "
           << target.getName();
  if (!gemm.getWindowSizes().empty() && !getConstantIntValue(gemm.getRun()))
    return gemm.emitOpError("with a window needs a constant run");
  std::optional<int64_t> run = getConstantIntValue(gemm.getRun());
  if (gemm.getBScales() && (!run || *run % gemm.getBlock() != 0))
    return gemm.emitOpError("needs a constant run of whole blocks");
  return epilogue.verify();
}

/// The index as LLVM cannot look behind it. Its strength reduction would
/// otherwise compute where a tail begins, divisions included, in every k step.
Value GemmLowering::opaque(Value index) {
  Type i64 = b.getI64Type();
  Value value = arith::IndexCastOp::create(b, i64, index);
  auto hidden = LLVM::InlineAsmOp::create(
      b, i64, value, /*asm_string=*/"", /*constraints=*/"=r,0",
      /*has_side_effects=*/false, /*is_align_stack=*/false,
      LLVM::TailCallKind::None, LLVM::AsmDialectAttr(), ArrayAttr());
  return arith::IndexCastOp::create(b, b.getIndexType(), hidden.getRes());
}

LogicalResult GemmLowering::lower() {
  if (failed(verify()))
    return failure();
  numRows = gemm.getRowSizes().front();
  for (Value size : gemm.getRowSizes().drop_front())
    numRows = mul(numRows, size);
  aPointer = pointer(aType, pointerOf(b, gemm.getA()), gemm.getRowBase());
  bPointer = pointer(bType, pointerOf(b, gemm.getB()), gemm.getBBase());
  if (!gemm.getWindowSizes().empty())
    padding = paddingRow();
  Value numPanels = arith::CeilDivUIOp::create(b, gemm.getN(), constant(width));
  Value numBlocks =
      arith::CeilDivUIOp::create(b, numRows, constant(gemm.getRowsPerBlock()));
  bool hasRegisters = !dot->tiles.empty();
  if (hasRegisters) {
    memory = allocateTiles(b, gemm);
    configureTiles(b, gemm);
  }
  forLoop(gemm.getLo(), gemm.getHi(), 1, {}, [&](Value iteration, ValueRange) {
    emitIteration(iteration, numPanels, numBlocks);
    return SmallVector<Value>();
  });
  if (hasRegisters)
    releaseTiles(b);
  gemm.erase();
  return success();
}

void GemmLowering::emitIteration(Value iteration, Value numPanels,
                                 Value numBlocks) {
  Value inner = gemm.getRowsOuter() ? numPanels : numBlocks;
  Value outerIndex = arith::DivUIOp::create(b, iteration, inner);
  Value innerIndex = arith::RemUIOp::create(b, iteration, inner);
  Value panel = gemm.getRowsOuter() ? innerIndex : outerIndex;
  Value block = gemm.getRowsOuter() ? outerIndex : innerIndex;
  beginPanel(panel);
  Value blockRows = constant(gemm.getRowsPerBlock());
  Value begin = mul(block, blockRows);
  Value end = arith::MinUIOp::create(b, add(begin, blockRows), numRows);
  std::optional<int64_t> columns = getConstantIntValue(gemm.getN());
  if (columns && !gemm.getBScales() &&
      llvm::divideCeil(*columns % width, lanes) % vectors != 0)
    return emitFullOrNarrow(panel, *columns, begin, end);
  if (gemm.getBStride() && masks[0] && target.getVectorBits() < 512)
    return emitFullOrMasked(begin, end);
  emitRows(begin, end);
}

/// The last panel has vectors without a column: a tile without them.
void GemmLowering::emitFullOrNarrow(Value panel, int64_t columns, Value begin,
                                    Value end) {
  int64_t all = vectors, tail = columns % width;
  auto emitNarrow = [&] {
    vectors = llvm::divideCeil(tail, lanes);
    masks.assign(vectors, Value());
    if (tail % lanes != 0)
      masks.back() = vector::CreateMaskOp::create(
          b, VectorType::get(lanes, b.getI1Type()), constant(tail % lanes));
    emitRows(begin, end);
    vectors = all;
  };
  if (columns < width)
    return emitNarrow();
  Value full =
      compare(arith::CmpIPredicate::ult, panel, constant(columns / width));
  auto choice = scf::IfOp::create(b, full, /*withElseRegion=*/true);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPoint(choice.thenBlock()->getTerminator());
  masks.assign(vectors, Value());
  emitRows(begin, end);
  b.setInsertionPoint(choice.elseBlock()->getTerminator());
  emitNarrow();
}

/// Masked loads cost twice as much without AVX-512, so only the last panel has
/// them.
void GemmLowering::emitFullOrMasked(Value begin, Value end) {
  Value last = add(column, constant(width));
  Value full = compare(arith::CmpIPredicate::ule, last, gemm.getN());
  auto choice = scf::IfOp::create(b, full, /*withElseRegion=*/true);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPoint(choice.elseBlock()->getTerminator());
  emitRows(begin, end);
  b.setInsertionPoint(choice.thenBlock()->getTerminator());
  masks.assign(vectors, Value());
  emitRows(begin, end);
}

void GemmLowering::beginPanel(Value panel) {
  column = mul(panel, constant(width));
  masks.assign(vectors, Value());
  std::optional<int64_t> n = getConstantIntValue(gemm.getN());
  if (!n || *n % width != 0) {
    Value left = arith::SubIOp::create(b, gemm.getN(), column);
    for (int64_t v = 0; v < vectors; ++v) {
      Value valid = arith::SubIOp::create(b, left, constant(v * lanes));
      masks[v] = vector::CreateMaskOp::create(
          b, VectorType::get(lanes, b.getI1Type()), valid);
    }
  }
  if (gemm.getBStride()) {
    panelPointer = pointer(bType, bPointer, column);
    return;
  }
  Value depth = gemm.getBScales()
                    ? constant(*getConstantIntValue(gemm.getRun()) *
                               static_cast<int64_t>(gemm.getBits()) / 8)
                    : panelDepth();
  int64_t panelWidth = gemm.getPanelWidth();
  if (panelWidth != 0) {
    Value within = arith::RemUIOp::create(b, column, constant(panelWidth));
    Value before = arith::SubIOp::create(b, column, within);
    panelPointer =
        pointer(bType, bPointer,
                add(mul(before, depth), mul(within, constant(interleave))));
    return;
  }
  panelPointer = pointer(bType, bPointer, mul(column, depth));
  // Weights come from memory; panels in scratch were just written. A single
  // panel has no next one.
  std::optional<int64_t> columns = getConstantIntValue(gemm.getN());
  if (isa<BlockArgument>(gemm.getB()) && !(columns && *columns <= width))
    panelBytes =
        mul(depth, constant(width * bType.getIntOrFloatBitWidth() / 8));
}

/// While a panel is used for one tile of rows after the other, the next one
/// comes from memory: each tile fetches the part that its rows are of all. A
/// tile that is likely the only one is bound by its own panel, of which some
/// cores fetch too little by themselves beside several rows.
void GemmLowering::fetchPanels(int64_t rows, Value m, Value begin, Value count,
                               bool isOnly) {
  fetchStart = fetchStep = Value();
  fetchedLines = 1;
  if (!panelBytes || rows <= 2)
    return;
  if (isOnly && getMicroarchitecture(target).needsReadAhead) {
    fetchStart = pointer(b.getI8Type(), panelPointer, constant(readAheadBytes));
    int64_t stepBytes = width * bType.getIntOrFloatBitWidth() / 8;
    fetchStep = constant(stepBytes);
    fetchedLines = llvm::divideCeil(stepBytes * interleave, lineBytes);
    return;
  }
  Value before = mul(arith::SubIOp::create(b, m, begin), panelBytes);
  Value offset = add(panelBytes, arith::DivUIOp::create(b, before, count));
  fetchStart = pointer(b.getI8Type(), panelPointer, offset);
  int64_t rowBytes = width * bType.getIntOrFloatBitWidth() / 8;
  fetchStep = arith::CeilDivUIOp::create(b, constant(rows * rowBytes), count);
}

/// As fetchStep, when a block has all its rows.
int64_t GemmLowering::countFetched(int64_t rows) {
  int64_t blockRows = gemm.getRowsPerBlock();
  if (std::optional<int64_t> all = countRows())
    blockRows = std::clamp<int64_t>(*all, rows, blockRows);
  int64_t rowBytes = width * bType.getIntOrFloatBitWidth() / 8;
  return llvm::divideCeil(rows * rowBytes, blockRows);
}

std::optional<int64_t> GemmLowering::countRows() {
  int64_t rows = 1;
  for (Value size : gemm.getRowSizes()) {
    std::optional<int64_t> known = getConstantIntValue(size);
    if (!known)
      return std::nullopt;
    rows *= *known;
  }
  return rows;
}

/// The row counts of the smaller tiles for what is left of a block. When it is
/// known, `exact` is the only one.
SmallVector<int64_t> GemmLowering::tailRows(std::optional<int64_t> &exact) {
  int64_t perBlock = gemm.getRowsPerBlock();
  std::optional<int64_t> rows = countRows();
  if (rows && *rows <= perBlock)
    exact = *rows % tileRowCount;
  else if (rows && perBlock % tileRowCount == 0)
    exact = *rows % perBlock % tileRowCount;
  if (exact)
    return *exact ? SmallVector<int64_t>{*exact} : SmallVector<int64_t>{};
  // One tile for all rows that are left reads a panel once; of large tiles that
  // would be much code.
  SmallVector<int64_t> tails;
  int64_t tail = tileRowCount - 1;
  if (tileRowCount > mostExactTails)
    tail = llvm::bit_floor(static_cast<uint64_t>(tail));
  for (; tail > 0; tail = tileRowCount > mostExactTails ? tail / 2 : tail - 1)
    tails.push_back(tail);
  return tails;
}

void GemmLowering::emitRows(Value begin, Value end) {
  if (!dot->tiles.empty())
    return emitRegisters(begin, end);
  emitStarts();
  Value count = arith::SubIOp::create(b, end, begin);
  Value tile = constant(tileRowCount);
  Value left = arith::RemUIOp::create(b, count, tile);
  Value fullEnd = arith::SubIOp::create(b, end, left);
  forLoop(begin, fullEnd, tileRowCount, {}, [&](Value m, ValueRange) {
    fetchPanels(tileRowCount, m, begin, count);
    emitTile(tileRowCount, m);
    return SmallVector<Value>();
  });
  std::optional<int64_t> exact;
  Value m = fullEnd;
  for (int64_t tail : tailRows(exact)) {
    Value fits = compare(arith::CmpIPredicate::uge, left, constant(tail));
    ifThen(fits, [&] {
      Value first = opaque(m);
      fetchPanels(tail, first, begin, count, /*isOnly=*/!exact);
      emitTile(tail, first);
    });
    Value done = arith::SelectOp::create(b, fits, constant(tail), constant(0));
    m = add(m, done);
    left = arith::SubIOp::create(b, left, done);
  }
}

/// Tiles of two registers of rows, if they have as many, then of one; the last
/// is a tile of fewer rows.
void GemmLowering::emitRegisters(Value begin, Value end) {
  std::optional<int64_t> exact;
  int64_t registerRows = getRegisterRows(gemm);
  Value count = arith::SubIOp::create(b, end, begin), first = begin;
  if (tileRowCount > registerRows) {
    Value left = arith::RemUIOp::create(b, count, constant(tileRowCount));
    Value fullEnd = arith::SubIOp::create(b, end, left);
    forLoop(begin, fullEnd, tileRowCount, {}, [&](Value m, ValueRange) {
      fetchPanels(tileRowCount, m, begin, count);
      emitRegisters(tileRowCount / registerRows, m, constant(tileRowCount));
      return SmallVector<Value>();
    });
    if (tailRows(exact).empty())
      return;
    first = fullEnd;
  }
  bool isFull = exact && *exact % registerRows == 0;
  forLoop(first, end, registerRows, {}, [&](Value m, ValueRange) {
    Value rows = constant(registerRows);
    if (!isFull)
      rows = arith::MinUIOp::create(b, rows, arith::SubIOp::create(b, end, m));
    fetchPanels(registerRows, m, begin, count);
    emitRegisters(1, m, rows);
    return SmallVector<Value>();
  });
}

void GemmLowering::emitRegisters(int64_t registers, Value m, Value count) {
  int64_t rows = registers * getRegisterRows(gemm);
  emitMatrixTile(b, {gemm, *dot, memory, vectors, registers, aPointer,
                     panelPointer, padding, m, count,
                     staysInRun(getRegisterRows(gemm)), fetchStart, fetchStep,
                     countFetched(rows)});
  epilogue.beginTile(b, column, masks);
  emitStoredSums(memory.sums, count, m);
}

/// Rows never wrap to the next index of an outer dim: they begin at multiples
/// of their number, where tiles or registers have as many.
bool GemmLowering::staysInRun(int64_t rows) {
  OperandRange sizes = gemm.getRowSizes();
  std::optional<int64_t> run = getConstantIntValue(sizes.back());
  bool isUnit =
      rows == (dot->tiles.empty() ? tileRowCount : getRegisterRows(gemm));
  return isUnit && sizes.size() > 1 && run && *run % rows == 0 &&
         static_cast<int64_t>(gemm.getRowsPerBlock()) % rows == 0;
}

/// Rows behind the first one at constant distances, so that one address serves
/// all of them.
void GemmLowering::followRows(int64_t rows, TileRows &located) {
  Value stride = gemm.getRowStrides().back();
  size_t window = located.coordinates.size();
  for (int64_t row = 1; row < rows; ++row) {
    Value number = constant(row);
    located.offsets.push_back(add(located.offsets[0], mul(number, stride)));
    for (size_t d = 0; d < window; ++d) {
      SmallVector<Value> &firsts = located.coordinates[d];
      Value first = firsts[0];
      if (d + 1 == window)
        first = add(first, mul(number, gemm.getWindowStrides()[d]));
      firsts.push_back(first);
    }
  }
}

TileRows GemmLowering::locateRows(int64_t rows, Value m) {
  TileRows result;
  bool oneRun = staysInRun(rows);
  OperandRange sizes = gemm.getRowSizes(), strides = gemm.getRowStrides();
  unsigned rank = sizes.size(), window = gemm.getWindowSizes().size();
  // The first row's indices, then each row from the one before, with carries.
  SmallVector<Value> indices(rank);
  Value rest = m;
  for (unsigned d = rank - 1; d > 0; --d) {
    indices[d] = arith::RemUIOp::create(b, rest, sizes[d]);
    rest = arith::DivUIOp::create(b, rest, sizes[d]);
  }
  indices[0] = rest;
  result.coordinates.resize(window);
  for (int64_t row = 0; row < rows; ++row) {
    Value offset = mul(indices[0], strides[0]);
    for (unsigned d = 1; d < rank; ++d)
      offset = add(offset, mul(indices[d], strides[d]));
    result.offsets.push_back(offset);
    for (unsigned d = 0; d < window; ++d) {
      Value scaled =
          mul(indices[rank - window + d], gemm.getWindowStrides()[d]);
      result.coordinates[d].push_back(
          arith::SubIOp::create(b, scaled, gemm.getWindowPads()[d]));
    }
    if (oneRun) {
      followRows(rows, result);
      break;
    }
    Value carry = constant(1);
    for (unsigned d = rank; d-- > 0 && row + 1 < rows;) {
      Value next = add(indices[d], carry);
      if (d == 0) {
        indices[0] = next;
        break;
      }
      Value wraps = compare(arith::CmpIPredicate::eq, next, sizes[d]);
      indices[d] = arith::SelectOp::create(b, wraps, constant(0), next);
      carry = arith::SelectOp::create(b, wraps, constant(1), constant(0));
    }
  }
  return result;
}

void GemmLowering::emitTile(int64_t rows, Value m) {
  TileRows located = locateRows(rows, m);
  if (gemm.getBScales()) {
    BlockTile tile{gemm,   *dot,         vectorType, vectors,
                   column, panelPointer, m,          {}};
    for (Value offset : located.offsets)
      tile.rows.push_back(pointer(aType, aPointer, offset));
    return emitEpilogue(rows, m, emitBlocks(b, tile));
  }
  SmallVector<Value> sums;
  for (int64_t row = 0; row < rows; ++row)
    llvm::append_range(sums, starts);
  Value none = constant(0);
  sums = emitTaps(0, located, none, none, {}, sums);
  emitEpilogue(rows, m, sums);
}

SmallVector<Value> GemmLowering::emitTaps(unsigned level, const TileRows &rows,
                                          Value tapOffset, Value tap,
                                          ArrayRef<Value> valid,
                                          ValueRange sums) {
  if (level == gemm.getTapSizes().size())
    return emitDepth(rows, tapOffset, tap, valid, sums);
  Value size = gemm.getTapSizes()[level];
  return forLoop(
      constant(0), size, 1, sums, [&](Value index, ValueRange carried) {
        Value offset = add(tapOffset, mul(index, gemm.getTapStrides()[level]));
        Value position = add(mul(tap, size), index);
        if (gemm.getWindowSizes().empty())
          return emitTaps(level + 1, rows, offset, position, {}, carried);
        Value shift = mul(index, gemm.getWindowDilations()[level]);
        SmallVector<Value> inside;
        Value any;
        for (auto [row, first] : llvm::enumerate(rows.coordinates[level])) {
          Value ok = compare(arith::CmpIPredicate::ult, add(first, shift),
                             gemm.getWindowSizes()[level]);
          if (level > 0)
            ok = arith::AndIOp::create(b, ok, valid[row]);
          inside.push_back(ok);
          any = any ? Value(arith::OrIOp::create(b, any, ok)) : ok;
        }
        if (gemm.getPadValue() != 0 || dot->movesLeft)
          return emitTaps(level + 1, rows, offset, position, inside, carried);
        // Taps that no row of the tile has cost nothing: above and below the
        // image that is a whole row of them.
        auto conditional = scf::IfOp::create(b, TypeRange(carried), any,
                                             /*withElseRegion=*/true);
        OpBuilder::InsertionGuard guard(b);
        b.setInsertionPointToStart(conditional.thenBlock());
        scf::YieldOp::create(
            b, emitTaps(level + 1, rows, offset, position, inside, carried));
        b.setInsertionPointToStart(conditional.elseBlock());
        scf::YieldOp::create(b, carried);
        return SmallVector<Value>(conditional.getResults());
      });
}

SmallVector<Value> GemmLowering::emitDepth(const TileRows &rows,
                                           Value tapOffset, Value tap,
                                           ArrayRef<Value> valid,
                                           ValueRange sums) {
  Depth depth;
  for (auto [row, offset] : llvm::enumerate(rows.offsets)) {
    Value start = pointer(aType, aPointer, add(offset, tapOffset));
    if (!valid.empty())
      start = arith::SelectOp::create(b, valid[row], start, padding);
    depth.rows.push_back(start);
  }
  depth.first = mul(tap, alignedRun());
  depth.b = pointer(bType, panelPointer, mul(depth.first, getBStride()));
  std::optional<int64_t> run = getConstantIntValue(gemm.getRun());
  SmallVector<Value> result(sums);
  Value done = constant(0), left;
  SmallVector<int64_t, 2> stepCounts = {1};
  if (loadsTogether(depth.rows.size(), run))
    stepCounts.insert(stepCounts.begin(), dot->stepsTogether);
  for (int64_t steps : stepCounts) {
    int64_t size = steps * interleave;
    left = arith::RemUIOp::create(b, gemm.getRun(), constant(size));
    Value end = arith::SubIOp::create(b, gemm.getRun(), left);
    result = forLoop(done, end, size, result, [&](Value k, ValueRange carried) {
      return emitSteps(depth, steps, k, Value(), carried);
    });
    if (size == 1 || (run && *run % size == 0))
      return result;
    done = end;
  }
  // The last neighbours: what B has beyond them is zero, what A has must not be
  // read.
  Value isLeft = compare(arith::CmpIPredicate::ne, left, constant(0));
  auto conditional = scf::IfOp::create(b, TypeRange(sums), isLeft,
                                       /*withElseRegion=*/true);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(conditional.thenBlock());
  Value mask = vector::CreateMaskOp::create(
      b, VectorType::get(interleave, b.getI1Type()), left);
  scf::YieldOp::create(b, emitSteps(depth, 1, done, mask, result));
  b.setInsertionPointToStart(conditional.elseBlock());
  scf::YieldOp::create(b, result);
  return SmallVector<Value>(conditional.getResults());
}

/// Whether rows are loaded for several steps: the registers take these, the
/// sums, and columns.
bool GemmLowering::loadsTogether(int64_t rows, std::optional<int64_t> run) {
  return dot->stepsTogether > 1 &&
         (!run || *run >= dot->stepsTogether * interleave) &&
         rows * vectors + rows + vectors < target.getVectorRegisters();
}

/// The neighbours from `k` on; `mask` says which of them a row has (one step;
/// null: all).
SmallVector<Value> GemmLowering::emitSteps(const Depth &depth, int64_t steps,
                                           Value k, Value mask,
                                           ValueRange sums) {
  auto move = [&](Value row) {
    return dot->movesLeft ? moveLeft(b, row) : row;
  };
  SmallVector<Value> together, next(sums);
  if (steps > 1)
    for (Value start : depth.rows)
      together.push_back(
          move(loadVector(b, VectorType::get(steps * interleave, aType),
                          pointer(aType, start, k), Value())));
  for (int64_t step = 0; step < steps; ++step) {
    Value at = step == 0 ? k : add(k, constant(step * interleave));
    if (fetchStart && !mask) {
      Value fetched = mul(add(depth.first, at), fetchStep);
      for (int64_t line = 0; line < fetchedLines; ++line)
        LLVM::Prefetch::create(
            b,
            pointer(b.getI8Type(), fetchStart,
                    add(fetched, constant(lineBytes * line))),
            /*rw=*/0, /*hint=*/3, /*cache=*/1);
    }
    SmallVector<Value> columns = loadColumns(depth.b, at);
    for (auto [row, start] : llvm::enumerate(depth.rows)) {
      Value element = steps > 1
                          ? takeStep(b, vectorType, together[row], step)
                          : move(dot->loadRow(b, vectorType, aType,
                                              pointer(aType, start, at), mask));
      for (int64_t v = 0; v < vectors; ++v) {
        Value &sum = next[row * vectors + v];
        sum = dot->multiplyAdd(b, sum, element, columns[v]);
      }
    }
  }
  return next;
}

Value GemmLowering::getBStride() {
  if (gemm.getBStride())
    return gemm.getBStride();
  auto panelWidth = static_cast<int64_t>(gemm.getPanelWidth());
  return constant(panelWidth ? panelWidth : width);
}

SmallVector<Value> GemmLowering::loadColumns(Value bStart, Value k) {
  SmallVector<Value> columns;
  Value row = pointer(bType, bStart, mul(k, getBStride()));
  for (int64_t v = 0; v < vectors; ++v) {
    Value address = pointer(bType, row, constant(v * lanes * interleave));
    // Panels are padded.
    Value valid = gemm.getBStride() ? masks[v] : Value();
    columns.push_back(dot->loadColumns(b, vectorType, bType, address, valid));
  }
  return columns;
}

/// Zero, or 128 times the sum of each column, which is what rows moved by 128
/// add too little: sum a b = sum (a - 128) b + 128 sum b. As -128 is a byte and
/// 128 is not, the sums are those of its negative.
void GemmLowering::emitStarts() {
  Value zero = arith::ConstantOp::create(b, b.getZeroAttr(vectorType));
  starts.assign(vectors, zero);
  if (!dot->movesLeft || gemm.getBScales())
    return;
  Value row = moveLeft(
      b, arith::ConstantOp::create(
             b, b.getZeroAttr(VectorType::get(lanes * interleave, aType))));
  starts = forLoop(constant(0), panelDepth(), interleave, starts,
                   [&](Value k, ValueRange carried) {
                     SmallVector<Value> next;
                     for (auto [sum, columns] : llvm::zip_equal(
                              carried, loadColumns(panelPointer, k)))
                       next.push_back(dot->multiplyAdd(b, sum, row, columns));
                     return next;
                   });
  for (Value &start : starts)
    start = arith::SubIOp::create(b, zero, start);
}

/// Rows of B for one tap.
Value GemmLowering::alignedRun() {
  if (interleave == 1)
    return gemm.getRun();
  Value groups =
      arith::CeilDivUIOp::create(b, gemm.getRun(), constant(interleave));
  return mul(groups, constant(interleave));
}

/// Rows of B for all of them.
Value GemmLowering::panelDepth() {
  Value depth = alignedRun();
  for (Value size : gemm.getTapSizes())
    depth = mul(depth, size);
  return depth;
}

void GemmLowering::emitEpilogue(int64_t rows, Value m, ValueRange sums) {
  epilogue.beginTile(b, column, masks);
  if (epilogue.getCost() <= unrolledEpilogueOps || rows == 1) {
    for (int64_t row = 0; row < rows; ++row)
      epilogue.emitRow(b, add(m, constant(row)),
                       SmallVector<Value>(sums.slice(row * vectors, vectors)));
    return;
  }
  Value stack = stackSums(rows);
  for (auto [index, sum] : llvm::enumerate(sums))
    storeVector(b, sum, pointer(sumType, stack, constant(index * lanes)),
                Value());
  emitStoredSums(stack, constant(rows), m);
}

/// The epilogue of rows from `m` on whose sums lie behind each other.
void GemmLowering::emitStoredSums(Value stack, Value rows, Value m) {
  forLoop(constant(0), rows, 1, {}, [&](Value row, ValueRange) {
    SmallVector<Value> loaded;
    Value start = pointer(sumType, stack, mul(row, constant(vectors * lanes)));
    for (int64_t v = 0; v < vectors; ++v)
      loaded.push_back(loadVector(b, vectorType,
                                  pointer(sumType, start, constant(v * lanes)),
                                  Value()));
    epilogue.emitRow(b, add(m, row), loaded);
    return SmallVector<Value>();
  });
}

/// Stack space for the sums of a tile, taken once a call of the function.
Value GemmLowering::stackSums(int64_t rows) {
  OpBuilder::InsertionGuard guard(b);
  auto function = gemm->getParentOfType<FunctionOpInterface>();
  b.setInsertionPointToStart(&function.getFunctionBody().front());
  Value count = LLVM::ConstantOp::create(b, b.getI64Type(),
                                         b.getI64IntegerAttr(rows * vectors));
  return LLVM::AllocaOp::create(b, LLVM::LLVMPointerType::get(b.getContext()),
                                vectorType, count, target.getVectorBits() / 8);
}

/// A constant row, which stands for pixels outside the image.
Value GemmLowering::paddingRow() {
  int64_t run = *getConstantIntValue(gemm.getRun());
  auto value = static_cast<int64_t>(gemm.getPadValue());
  auto module = gemm->getParentOfType<ModuleOp>();
  std::string name;
  llvm::raw_string_ostream(name)
      << "padding." << aType << "." << value << "." << run;
  auto global = module.lookupSymbol<LLVM::GlobalOp>(name);
  if (!global) {
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(module.getBody());
    auto type = LLVM::LLVMArrayType::get(aType, run);
    Attribute initial;
    if (value != 0)
      initial = DenseElementsAttr::get(RankedTensorType::get({run}, aType),
                                       APInt(8, value, /*isSigned=*/false,
                                             /*implicitTrunc=*/true));
    global = LLVM::GlobalOp::create(b, type, /*isConstant=*/true,
                                    LLVM::Linkage::Internal, name, initial, 64);
    if (!initial) {
      Block *block = b.createBlock(&global.getInitializerRegion());
      b.setInsertionPointToStart(block);
      LLVM::ReturnOp::create(b, Value(LLVM::ZeroOp::create(b, type)));
    }
  }
  return LLVM::AddressOfOp::create(b, global);
}

LogicalResult effc::lowerGemm(effk::GemmOp gemm, eff::TargetAttr target) {
  return GemmLowering(gemm, target).lower();
}
