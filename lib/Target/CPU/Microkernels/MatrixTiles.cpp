// Up to 2x2 registers of sums with two of A and two of B (Intel's Optimization
// Reference Manual, "Intel AMX"; brgemm of oneDNN). Registers are named by
// number: LLVM's own allocation of them would set their shapes anew around
// calls and wherever they change. Panels hold interleaved neighbours as AMX
// wants them; rows of A are read where they lie if they are evenly spaced, else
// gathered first. What instructions do is in the Intel SDM (TDPBUSD, TDPBF16PS,
// LDTILECFG).
#include "CPU/Microkernels/MatrixTiles.h"
#include "CPU/Microkernels/Epilogue.h"
#include "CPU/Microkernels/LoopBuilder.h"

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/Interfaces/FunctionInterfaces.h"

using namespace mlir;
using namespace effc;

using Predicate = arith::CmpIPredicate;

// Registers: sums from 0 on, then those of A and of B. A row has 64 bytes.
static constexpr int64_t firstOfA = kMostSums, firstOfB = firstOfA + 2,
                         rowBytes = 64, groupBytes = 4,
                         registerBytes = kMatrixRows * rowBytes;
static constexpr llvm::StringLiteral configure = "llvm.x86.ldtilecfg",
                                     release = "llvm.x86.tilerelease";

int64_t effc::getRegisterRows(effk::GemmOp gemm) {
  int64_t rows = gemm.getRegisterRows();
  return rows ? rows : kMatrixRows;
}

/// Groups of neighbours of k that an instruction multiplies: all 16, or such
/// that none are left over where that takes one instruction more at most.
static int64_t getGroups(effk::GemmOp gemm) {
  std::optional<int64_t> run = getConstantIntValue(gemm.getRun());
  if (!run)
    return kMatrixRows;
  auto interleave = static_cast<int64_t>(gemm.getInterleave());
  int64_t groups = std::max<int64_t>(1, llvm::divideCeil(*run, interleave));
  int64_t least = llvm::divideCeil(groups, kMatrixRows);
  for (int64_t parts : {least, least + 1})
    if (groups % parts == 0)
      return groups / parts;
  return kMatrixRows;
}

namespace {

class MatrixEmitter : LoopBuilder {
public:
  MatrixEmitter(const ImplicitLocOpBuilder &builder, const MatrixTile &tile);
  void emit();

private:
  /// The rows of one register.
  struct Rows {
    Value count;
    SmallVector<Value> indices;
    /// Of the first row; [window dim].
    Value offset;
    SmallVector<Value> coordinates;
    /// Whether they are evenly spaced; null: they are.
    Value isEven;
  };

  void call(StringRef intrinsic, ArrayRef<int64_t> registers,
            Value pointer = {}, Value stride = {});
  Value byteAddress(Value base, int64_t bytes);
  void storeIndex(Value array, Value position, Value value);
  Value loadIndex(Value array, Value position);
  Value both(Value x, Value y);

  void locateRows();
  Rows locateRegister(int64_t number);
  Value isInside(const Rows &rows, ArrayRef<Value> shifts, bool allTaps);
  void storeRows(int64_t number);
  void emitTaps(unsigned level, Value offset, Value tap,
                SmallVector<Value> shifts);
  void emitTap(Value offset, Value tap, ArrayRef<Value> shifts);
  Value storePointers(int64_t number, Value offset, ArrayRef<Value> shifts);
  Value pointUnless(Value direct, int64_t number, Value offset,
                    ArrayRef<Value> shifts);
  void emitDepth(Value offset, Value tap, ArrayRef<Value> direct);
  void fetchNextPanel(Value position);
  void emitChunk(Value offset, Value bStart, Value k, Value left,
                 ArrayRef<Value> direct);
  void loadRows(int64_t number, Value offset, Value k, Value left,
                Value direct);
  void gatherRows(int64_t number, Value k, Value left);
  void loadColumns(int64_t vector, Value address, Value left);

  const MatrixTile &tile;
  effk::GemmOp gemm;
  Type aType, bType, i64, bytes;
  int64_t interleave, groups, chunk, width, rank, registerRows;
  /// Whether the last chunk of a run may be shorter than the others.
  bool hasTail;
  SmallVector<Rows> rows;
  /// The first neighbour of k of the current tap.
  Value first;
};

} // namespace

static Type elementOf(Value memref) {
  return cast<MemRefType>(memref.getType()).getElementType();
}

static int64_t bytesOf(Type type) { return type.getIntOrFloatBitWidth() / 8; }

MatrixEmitter::MatrixEmitter(const ImplicitLocOpBuilder &builder,
                             const MatrixTile &tile)
    : LoopBuilder(builder), tile(tile), gemm(tile.gemm),
      aType(elementOf(gemm.getA())), bType(elementOf(gemm.getB())),
      i64(b.getI64Type()), bytes(VectorType::get(rowBytes, b.getI8Type())),
      interleave(gemm.getInterleave()), groups(getGroups(gemm)),
      chunk(groups * interleave),
      width(gemm.getPanelWidth() ? gemm.getPanelWidth() : gemm.getTile()[1]),
      rank(gemm.getRowSizes().size()), registerRows(getRegisterRows(gemm)) {
  std::optional<int64_t> run = getConstantIntValue(gemm.getRun());
  hasTail = !run || *run % chunk != 0;
}

//===----------------------------------------------------------------------===//
// Instructions and memory
//===----------------------------------------------------------------------===//

void MatrixEmitter::call(StringRef intrinsic, ArrayRef<int64_t> registers,
                         Value pointer, Value stride) {
  SmallVector<Value> operands;
  for (int64_t number : registers)
    operands.push_back(
        LLVM::ConstantOp::create(b, b.getI8Type(), b.getI8IntegerAttr(number)));
  if (pointer) {
    operands.push_back(pointer);
    operands.push_back(arith::IndexCastOp::create(b, i64, stride));
  }
  LLVM::CallIntrinsicOp::create(b, b.getStringAttr(intrinsic), operands);
}

Value MatrixEmitter::byteAddress(Value base, int64_t bytes) {
  return pointer(b.getI8Type(), base, constant(bytes));
}

void MatrixEmitter::storeIndex(Value array, Value position, Value value) {
  LLVM::StoreOp::create(b, arith::IndexCastOp::create(b, i64, value),
                        pointer(i64, array, position), 8);
}

Value MatrixEmitter::loadIndex(Value array, Value position) {
  Value loaded = LLVM::LoadOp::create(b, i64, pointer(i64, array, position), 8);
  return arith::IndexCastOp::create(b, b.getIndexType(), loaded);
}

/// Of conditions; null is true.
Value MatrixEmitter::both(Value x, Value y) {
  return x && y ? arith::AndIOp::create(b, x, y) : x ? x : y;
}

//===----------------------------------------------------------------------===//
// Rows
//===----------------------------------------------------------------------===//

MatrixEmitter::Rows MatrixEmitter::locateRegister(int64_t number) {
  Rows result;
  bool isFull =
      getConstantIntValue(tile.count) == tile.registers * registerRows;
  result.count = tile.registers > 1 ? constant(registerRows) : tile.count;
  OperandRange sizes = gemm.getRowSizes(), strides = gemm.getRowStrides();
  result.indices.resize(rank);
  Value rest = add(tile.m, constant(number * registerRows));
  for (int64_t d = rank - 1; d > 0; --d) {
    result.indices[d] = arith::RemUIOp::create(b, rest, sizes[d]);
    rest = arith::DivUIOp::create(b, rest, sizes[d]);
  }
  result.indices[0] = rest;
  result.offset = mul(result.indices[0], strides[0]);
  for (int64_t d = 1; d < rank; ++d)
    result.offset = add(result.offset, mul(result.indices[d], strides[d]));
  int64_t window = gemm.getWindowSizes().size();
  for (int64_t d = 0; d < window; ++d)
    result.coordinates.push_back(arith::SubIOp::create(
        b, mul(result.indices[rank - window + d], gemm.getWindowStrides()[d]),
        gemm.getWindowPads()[d]));
  // A register is read whole.
  if (!isFull)
    result.isEven =
        compare(Predicate::eq, result.count, constant(registerRows));
  if (rank > 1 && !tile.isEven)
    result.isEven =
        both(result.isEven,
             compare(Predicate::ule,
                     add(result.indices.back(), constant(registerRows)),
                     sizes.back()));
  return result;
}

/// Whether the first and the last of evenly spaced rows, and so all of them,
/// have a tap, or all taps. Null where there is no window.
Value MatrixEmitter::isInside(const Rows &rows, ArrayRef<Value> shifts,
                              bool allTaps) {
  Value inside;
  int64_t window = gemm.getWindowSizes().size();
  for (int64_t d = 0; d < window; ++d) {
    Value first = rows.coordinates[d], last = first;
    if (allTaps)
      last =
          add(last,
              mul(arith::SubIOp::create(b, gemm.getTapSizes()[d], constant(1)),
                  gemm.getWindowDilations()[d]));
    else
      first = last = add(first, shifts[d]);
    if (d + 1 == window)
      last = add(last,
                 mul(constant(registerRows - 1), gemm.getWindowStrides()[d]));
    for (Value end : {first, last})
      inside =
          both(inside, compare(Predicate::ult, end, gemm.getWindowSizes()[d]));
  }
  return inside;
}

/// Where each row lies, for those that are gathered.
void MatrixEmitter::storeRows(int64_t number) {
  const Rows &own = rows[number];
  OperandRange sizes = gemm.getRowSizes(), strides = gemm.getRowStrides();
  int64_t window = gemm.getWindowSizes().size();
  int64_t all = tile.registers * registerRows;
  forLoop(
      constant(0), own.count, 1, own.indices,
      [&](Value row, ValueRange indices) {
        Value position = add(row, constant(number * registerRows));
        Value offset = mul(indices[0], strides[0]);
        for (int64_t d = 1; d < rank; ++d)
          offset = add(offset, mul(indices[d], strides[d]));
        storeIndex(tile.memory.offsets, position, offset);
        for (int64_t d = 0; d < window; ++d) {
          Value scaled =
              mul(indices[rank - window + d], gemm.getWindowStrides()[d]);
          storeIndex(tile.memory.coordinates, add(position, constant(d * all)),
                     arith::SubIOp::create(b, scaled, gemm.getWindowPads()[d]));
        }
        SmallVector<Value> next(indices);
        Value carry = constant(1);
        for (int64_t d = rank; d-- > 0;) {
          next[d] = add(indices[d], carry);
          if (d == 0)
            break;
          Value wraps = compare(Predicate::eq, next[d], sizes[d]);
          next[d] = arith::SelectOp::create(b, wraps, constant(0), next[d]);
          carry = arith::SelectOp::create(b, wraps, constant(1), constant(0));
        }
        return next;
      });
}

void MatrixEmitter::locateRows() {
  for (int64_t number = 0; number < tile.registers; ++number) {
    rows.push_back(locateRegister(number));
    if (hasTail) {
      storeRows(number);
      continue;
    }
    Value direct =
        both(rows.back().isEven, isInside(rows.back(), {}, /*allTaps=*/true));
    if (!direct)
      continue;
    Value no = arith::ConstantIntOp::create(b, 0, 1);
    ifThen(compare(Predicate::eq, direct, no), [&] { storeRows(number); });
  }
}

/// Where the rows' elements of a tap are; whether any row has it.
Value MatrixEmitter::storePointers(int64_t number, Value offset,
                                   ArrayRef<Value> shifts) {
  int64_t all = tile.registers * registerRows;
  Value no = arith::ConstantIntOp::create(b, 0, 1);
  return forLoop(
      constant(0), rows[number].count, 1, no,
      [&](Value row, ValueRange carried) -> SmallVector<Value> {
        Value position = add(row, constant(number * registerRows));
        Value start =
            pointer(aType, tile.a,
                    add(loadIndex(tile.memory.offsets, position), offset));
        Value inside;
        for (auto [d, shift] : llvm::enumerate(shifts)) {
          Value first = loadIndex(tile.memory.coordinates,
                                  add(position, constant(d * all)));
          inside = both(inside, compare(Predicate::ult, add(first, shift),
                                        gemm.getWindowSizes()[d]));
        }
        if (inside)
          start = arith::SelectOp::create(b, inside, start, tile.padding);
        LLVM::StoreOp::create(
            b, start, pointer(start.getType(), tile.memory.pointers, position),
            8);
        if (!inside)
          return {carried[0]};
        return {arith::OrIOp::create(b, carried[0], inside)};
      })[0];
}

//===----------------------------------------------------------------------===//
// Taps and depth
//===----------------------------------------------------------------------===//

void MatrixEmitter::emit() {
  locateRows();
  int64_t sums = tile.registers * tile.vectors;
  for (int64_t sum = 0; sum < sums; ++sum)
    call("llvm.x86.tilezero", sum);
  emitTaps(0, constant(0), constant(0), {});
  Value stride = constant(tile.vectors * rowBytes);
  for (int64_t sum = 0; sum < sums; ++sum)
    call("llvm.x86.tilestored64", sum,
         byteAddress(tile.memory.sums, sum / tile.vectors * tile.vectors *
                                               registerRows * rowBytes +
                                           sum % tile.vectors * rowBytes),
         stride);
}

void MatrixEmitter::emitTaps(unsigned level, Value offset, Value tap,
                             SmallVector<Value> shifts) {
  if (level == gemm.getTapSizes().size())
    return emitTap(offset, tap, shifts);
  Value size = gemm.getTapSizes()[level];
  forLoop(constant(0), size, 1, {}, [&](Value index, ValueRange) {
    SmallVector<Value> own = shifts;
    if (!gemm.getWindowSizes().empty())
      own.push_back(mul(index, gemm.getWindowDilations()[level]));
    emitTaps(level + 1, add(offset, mul(index, gemm.getTapStrides()[level])),
             add(mul(tap, size), index), own);
    return SmallVector<Value>();
  });
}

/// Stores pointers where rows are not read where they lie.
Value MatrixEmitter::pointUnless(Value direct, int64_t number, Value offset,
                                 ArrayRef<Value> shifts) {
  Value yes = arith::ConstantIntOp::create(b, 1, 1);
  auto choice = scf::IfOp::create(b, TypeRange(yes.getType()), direct,
                                  /*withElseRegion=*/true);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(choice.thenBlock());
  scf::YieldOp::create(b, yes);
  b.setInsertionPointToStart(choice.elseBlock());
  scf::YieldOp::create(b, storePointers(number, offset, shifts));
  return choice.getResult(0);
}

void MatrixEmitter::emitTap(Value offset, Value tap, ArrayRef<Value> shifts) {
  Value any;
  bool always = shifts.empty() || gemm.getPadValue() != 0;
  SmallVector<Value> direct;
  for (int64_t number = 0; number < tile.registers; ++number) {
    direct.push_back(both(rows[number].isEven,
                          isInside(rows[number], shifts, /*allTaps=*/false)));
    if (hasTail) {
      Value own = storePointers(number, offset, shifts);
      any = any ? Value(arith::OrIOp::create(b, any, own)) : own;
      continue;
    }
    if (!direct.back())
      continue;
    Value own = pointUnless(direct.back(), number, offset, shifts);
    any = any ? Value(arith::OrIOp::create(b, any, own)) : own;
  }
  // Taps that no row of the tile has cost nothing.
  if (always || !any)
    return emitDepth(offset, tap, direct);
  ifThen(any, [&] { emitDepth(offset, tap, direct); });
}

/// A chunk's part of what the tile fetches, into L2: L1 has no room for it.
void MatrixEmitter::fetchNextPanel(Value position) {
  if (!tile.fetchStart)
    return;
  Value start =
      pointer(b.getI8Type(), tile.fetchStart, mul(position, tile.fetchStep));
  int64_t lines = llvm::divideCeil(chunk * tile.mostFetched, rowBytes);
  for (int64_t line = 0; line < lines; ++line)
    LLVM::Prefetch::create(b, byteAddress(start, line * rowBytes), /*rw=*/0,
                           /*hint=*/2, /*cache=*/1);
}

void MatrixEmitter::emitDepth(Value offset, Value tap, ArrayRef<Value> direct) {
  Value filled =
      mul(arith::CeilDivUIOp::create(b, gemm.getRun(), constant(interleave)),
          constant(interleave));
  first = mul(tap, filled);
  Value bStart = pointer(bType, tile.panel, mul(first, constant(width)));
  Value left = arith::RemUIOp::create(b, gemm.getRun(), constant(chunk));
  Value whole = arith::SubIOp::create(b, gemm.getRun(), left);
  forLoop(constant(0), whole, chunk, {}, [&](Value k, ValueRange) {
    emitChunk(offset, bStart, k, Value(), direct);
    return SmallVector<Value>();
  });
  if (!hasTail)
    return;
  ifThen(compare(Predicate::ne, left, constant(0)),
         [&] { emitChunk(offset, bStart, whole, left, direct); });
}

/// Products of all sums; `left` of the neighbours from `k` on (null: all of a
/// chunk).
void MatrixEmitter::emitChunk(Value offset, Value bStart, Value k, Value left,
                              ArrayRef<Value> direct) {
  Value bRow = pointer(bType, bStart, mul(k, constant(width)));
  fetchNextPanel(add(first, k));
  for (int64_t number = 0; number < tile.registers; ++number) {
    loadRows(number, offset, k, left, direct[number]);
    for (int64_t v = 0; v < tile.vectors; ++v) {
      if (number == 0)
        loadColumns(
            v, pointer(bType, bRow, constant(v * kMatrixRows * interleave)),
            left);
      call(tile.dot.tiles,
           {number * tile.vectors + v, firstOfA + number, firstOfB + v % 2});
    }
  }
}

void MatrixEmitter::loadRows(int64_t number, Value offset, Value k, Value left,
                             Value direct) {
  Value gathered =
      byteAddress(tile.memory.rows, number * registerRows * rowBytes);
  Value start = gathered, stride = constant(rowBytes);
  if (left) {
    gatherRows(number, k, left);
  } else {
    start = pointer(aType, tile.a, add(add(rows[number].offset, offset), k));
    stride = mul(gemm.getRowStrides().back(), constant(bytesOf(aType)));
    if (direct) {
      Value no = arith::ConstantIntOp::create(b, 0, 1);
      ifThen(compare(Predicate::eq, direct, no),
             [&] { gatherRows(number, k, left); });
      start = arith::SelectOp::create(b, direct, start, gathered);
      stride = arith::SelectOp::create(b, direct, stride, constant(rowBytes));
    }
  }
  call("llvm.x86.tileloadd64", firstOfA + number, start, stride);
}

/// Rows that do not exist keep what was there: their sums are not used.
void MatrixEmitter::gatherRows(int64_t number, Value k, Value left) {
  Value valid;
  auto lanes = VectorType::get(rowBytes, b.getI1Type());
  if (left)
    valid = vector::CreateMaskOp::create(b, lanes,
                                         mul(left, constant(bytesOf(aType))));
  else if (groups < kMatrixRows)
    valid =
        vector::CreateMaskOp::create(b, lanes, constant(groups * groupBytes));
  forLoop(constant(0), rows[number].count, 1, {}, [&](Value row, ValueRange) {
    Value position = add(row, constant(number * registerRows));
    Type type = tile.memory.pointers.getType();
    Value start = LLVM::LoadOp::create(
        b, type, pointer(type, tile.memory.pointers, position), 8);
    Value loaded =
        loadVector(b, cast<VectorType>(bytes), pointer(aType, start, k), valid);
    storeVector(b, loaded,
                pointer(b.getI8Type(), tile.memory.rows,
                        mul(position, constant(rowBytes))),
                Value());
    return SmallVector<Value>();
  });
}

/// The next panel, or what lies behind the last one, must not be read.
void MatrixEmitter::loadColumns(int64_t vector, Value address, Value left) {
  Value stride = constant(width * groupBytes);
  std::optional<int64_t> known =
      left ? getConstantIntValue(gemm.getRun()) : std::nullopt;
  if (left && !(known && llvm::divideCeil(*known % chunk, interleave) ==
                             static_cast<uint64_t>(groups))) {
    Value exist = arith::CeilDivUIOp::create(b, left, constant(interleave));
    Value copy = byteAddress(tile.memory.columns, vector % 2 * registerBytes);
    forLoop(constant(0), constant(groups), 1, {}, [&](Value group, ValueRange) {
      Value size =
          arith::SelectOp::create(b, compare(Predicate::ult, group, exist),
                                  constant(rowBytes), constant(0));
      Value valid = vector::CreateMaskOp::create(
          b, VectorType::get(rowBytes, b.getI1Type()), size);
      Value loaded = loadVector(
          b, cast<VectorType>(bytes),
          pointer(b.getI8Type(), address, mul(group, stride)), valid);
      storeVector(b, loaded,
                  pointer(b.getI8Type(), copy, mul(group, constant(rowBytes))),
                  Value());
      return SmallVector<Value>();
    });
    address = copy;
    stride = constant(rowBytes);
  }
  call("llvm.x86.tileloadd64", firstOfB + vector % 2, address, stride);
}

void effc::emitMatrixTile(const ImplicitLocOpBuilder &builder,
                          const MatrixTile &tile) {
  MatrixEmitter(builder, tile).emit();
}

MatrixMemory effc::allocateTiles(ImplicitLocOpBuilder &b, effk::GemmOp gemm) {
  OpBuilder::InsertionGuard guard(b);
  auto function = gemm->getParentOfType<FunctionOpInterface>();
  b.setInsertionPointToStart(&function.getFunctionBody().front());
  auto allocate = [&](int64_t bytes) -> Value {
    Value count =
        LLVM::ConstantOp::create(b, b.getI64Type(), b.getI64IntegerAttr(bytes));
    return LLVM::AllocaOp::create(b, LLVM::LLVMPointerType::get(b.getContext()),
                                  b.getI8Type(), count, rowBytes);
  };
  int64_t rows = gemm.getTile()[0];
  int64_t window = gemm.getWindowSizes().size();
  MatrixMemory memory;
  memory.sums = allocate(rows * gemm.getTile()[1] * groupBytes);
  memory.rows = allocate(rows * rowBytes);
  memory.columns = allocate(2 * registerBytes);
  memory.offsets = allocate(rows * 8);
  memory.coordinates = allocate(rows * 8 * std::max<int64_t>(1, window));
  memory.pointers = allocate(rows * 8);
  return memory;
}

//===----------------------------------------------------------------------===//
// Shapes of the registers
//===----------------------------------------------------------------------===//

void effc::configureTiles(ImplicitLocOpBuilder &b, effk::GemmOp gemm) {
  int64_t groups = getGroups(gemm), rows = getRegisterRows(gemm);
  auto module = gemm->getParentOfType<ModuleOp>();
  std::string name =
      "tiles." + std::to_string(rows) + "." + std::to_string(groups);
  auto global = module.lookupSymbol<LLVM::GlobalOp>(name);
  if (!global) {
    // Palette 1, bytes of a row from byte 16 on, rows from 48 on.
    SmallVector<int8_t> shapes(rowBytes, 0);
    shapes[0] = 1;
    for (int64_t number = 0; number < firstOfB + 2; ++number) {
      bool isA = number >= firstOfA && number < firstOfB;
      shapes[16 + 2 * number] =
          static_cast<int8_t>(isA ? groups * groupBytes : rowBytes);
      shapes[48 + number] =
          static_cast<int8_t>(number < firstOfB ? rows : groups);
    }
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(module.getBody());
    auto type = LLVM::LLVMArrayType::get(b.getI8Type(), rowBytes);
    auto value = DenseElementsAttr::get(
        RankedTensorType::get({rowBytes}, b.getI8Type()), ArrayRef(shapes));
    global =
        LLVM::GlobalOp::create(b, type, /*isConstant=*/true,
                               LLVM::Linkage::Internal, name, value, rowBytes);
  }
  Value address = LLVM::AddressOfOp::create(b, global);
  LLVM::CallIntrinsicOp::create(b, b.getStringAttr(configure), address);
}

void effc::releaseTiles(ImplicitLocOpBuilder &b) {
  LLVM::CallIntrinsicOp::create(b, b.getStringAttr(release), ValueRange());
}

void effc::configureOnce(FunctionOpInterface function) {
  SmallVector<LLVM::CallIntrinsicOp> all;
  SetVector<StringRef> shapes;
  function->walk([&](LLVM::CallIntrinsicOp op) {
    if (op.getIntrin() == configure)
      shapes.insert(
          op.getArgs()[0].getDefiningOp<LLVM::AddressOfOp>().getGlobalName());
    if (op.getIntrin() == configure || op.getIntrin() == release)
      all.push_back(op);
  });
  if (shapes.size() != 1)
    return;
  Block &body = function.getFunctionBody().front();
  LLVM::CallIntrinsicOp first = all.front();
  OpBuilder b(&body, body.begin());
  Value address = b.clone(*first.getArgs()[0].getDefiningOp())->getResult(0);
  LLVM::CallIntrinsicOp::create(b, first.getLoc(), b.getStringAttr(configure),
                                address);
  b.setInsertionPoint(body.getTerminator());
  LLVM::CallIntrinsicOp::create(b, first.getLoc(), b.getStringAttr(release),
                                ValueRange());
  for (LLVM::CallIntrinsicOp op : all)
    op.erase();
}
