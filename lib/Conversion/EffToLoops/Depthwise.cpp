// Depthwise convolution, and that of groups of 2 and 4 channels, channels last.
// A lane is an output; a group's channels are in neighbouring lanes, each is
// given to all of them before it is multiplied. An item is a strip: a few
// neighbouring columns of the result, all its rows, one vector of channels.
// What bounds these kernels beyond L1 is how often a line comes from L2, and a
// strip that walks down the map needs each of its lines once. Sums stay in
// registers: those of all output rows that a row of the map is a tap of where
// they and the kernel fit, else those of one row, which reads the lines again
// from L1. Taps outside of the map do not exist: to the sides they are left out
// when the code is made, rows above and below are skipped. Where the width is
// not known an item is an output row. Bytes and bf16 are widened as they are
// loaded; a zero point is taken from them and put back with the bias, so that
// taps that do not exist count as zero.
#include "KernelEmitter.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;
using namespace effc;
using namespace effc::eff;

namespace {

using Indices = KernelEmitter::Indices;
using Vectors = SmallVector<Value>;
/// What a tap multiplies each channel of a group by, for a vector of outputs.
using Tap = SmallVector<Value, 1>;

/// Neighbouring output pixels computed together: at most, and of one row only.
constexpr int64_t mostPixels = 14, fewPixels = 7;

/// Output columns [start, start + count).
struct Tile {
  int64_t start, count;
  bool inside; ///< all taps are
};

/// Tells a column, counted from the first tap of the first pixel, that does not
/// exist.
using Outside = function_ref<bool(int64_t)>;

struct Depthwise {
  KernelEmitter &e;
  ConvOp op;
  Dims x, y; ///< with two spatial dims
  int64_t kernelH = 1, kernelW, strideH = 1, strideW, dilationH = 1, dilationW,
          padTop = 0, padBottom = 0, padLeft, padRight, channels, lanes,
          inputs;    ///< channels of a group, and outputs
  VectorType vector; ///< of sums
  Value sums, zeroPoint;
  /// The current image and output row, the input row of its first tap, and the
  /// rows of the kernel that lie inside.
  Value image, row, startH, kh0, kh1;

  Depthwise(KernelEmitter &e, ConvOp op)
      : e(e), op(op), x(getDims(op.getX().getType())),
        y(getDims(op.getType())) {
    Dims w = getDims(op.getWeight().getType());
    ArrayRef<int64_t> pads = op.getPads();
    channels = *getConstant(w[0]);
    inputs = *getConstant(w[1]);
    kernelW = *getConstant(w.back());
    strideW = op.getStrides().back();
    dilationW = op.getDilations().back();
    padLeft = pads[pads.size() / 2 - 1];
    padRight = pads.back();
    if (pads.size() == 4) {
      kernelH = *getConstant(w[2]);
      strideH = op.getStrides()[0];
      dilationH = op.getDilations()[0];
      padTop = pads[0];
      padBottom = pads[2];
    } else {
      x.insert(x.begin() + 1, e.constExpr(1));
      y.insert(y.begin() + 1, e.constExpr(1));
    }
    lanes = std::min<int64_t>(e.options.target.getVectorBits() / 32,
                              llvm::bit_floor<uint64_t>(channels));
    vector = VectorType::get(lanes, getSumType(op));
  }

  static Type getSumType(ConvOp op) {
    return cast<RankedTensorType>(op.getType()).getElementType();
  }

  Value load(Value buffer, Value position) {
    return vector::LoadOp::create(e.b, e.loc, vector, buffer, position);
  }
  /// Elements of a tensor in the type of the sums.
  Value loadWide(Value tensor, Value position) {
    Value buffer = e.getBuffer(tensor);
    Type element = cast<RankedTensorType>(tensor.getType()).getElementType();
    auto type = VectorType::get(
        lanes, cast<MemRefType>(buffer.getType()).getElementType());
    if (type == vector)
      return load(buffer, position);
    Value narrow = vector::LoadOp::create(e.b, e.loc, type, buffer, position);
    if (isa<FloatType>(element))
      return arith::ExtFOp::create(e.b, e.loc, vector, narrow);
    return element.isUnsignedInteger()
               ? arith::ExtUIOp::create(e.b, e.loc, vector, narrow).getResult()
               : arith::ExtSIOp::create(e.b, e.loc, vector, narrow).getResult();
  }
  /// An element of the map, which may lie to the side of it.
  Value locate(Value line, Value column, Value c) {
    Value start = e.linearize({image, line, e.index(0), e.index(0)}, x);
    return e.add(e.add(start, e.mul(column, e.index(channels))), c);
  }
  Value pixel(Value position) {
    Value v = loadWide(op.getX(), position);
    return zeroPoint ? arith::SubIOp::create(e.b, e.loc, v, zeroPoint) : v;
  }
  Tap weight(Value tap, Value c) {
    Tap result;
    for (int64_t i = 0; i < inputs; ++i) {
      Value row = e.add(e.mul(tap, e.index(inputs)), e.index(i));
      result.push_back(
          loadWide(op.getWeight(), e.add(e.mul(row, e.index(channels)), c)));
    }
    return result;
  }
  /// Channel i of each group, for all of the group's lanes.
  Value spread(Value v, int64_t i) {
    SmallVector<int64_t> from;
    for (int64_t lane = 0; lane < lanes; ++lane)
      from.push_back(lane / inputs * inputs + i);
    return vector::ShuffleOp::create(e.b, e.loc, v, v, from);
  }
  Value multiplyAdd(Value a, Value v, const Tap &tap) {
    if (inputs == 1)
      return multiplyAdd(a, v, tap[0]);
    for (int64_t i = 0; i < inputs; ++i)
      a = multiplyAdd(a, spread(v, i), tap[i]);
    return a;
  }
  Value multiplyAdd(Value a, Value v, Value w) {
    if (!isa<FloatType>(vector.getElementType()))
      return arith::AddIOp::create(e.b, e.loc, a,
                                   arith::MulIOp::create(e.b, e.loc, v, w));
    Value product = arith::MulFOp::create(e.b, e.loc, v, w, e.mathFlags());
    return arith::AddFOp::create(e.b, e.loc, a, product, e.mathFlags());
  }

  /// What sums begin with.
  Value start(Value c) {
    Value sum = bias(c);
    if (!zeroPoint)
      return sum;
    for (int64_t tap = 0; tap < kernelH * kernelW; ++tap)
      sum = multiplyAdd(sum, zeroPoint, weight(e.index(tap), c));
    return sum;
  }

  Value bias(Value c) {
    if (!op.getBias())
      return arith::ConstantOp::create(e.b, e.loc, e.b.getZeroAttr(vector));
    if (Value buffer = e.getBuffer(op.getBias()))
      return load(buffer, c);
    e.loop(e.index(lanes), [&](Value lane) {
      e.storeFlat(e.element(op.getBias(), e.add(c, lane)), sums, lane);
    });
    return load(sums, e.index(0));
  }

  /// The first tap inside and one past the last, of `count` taps from `start`.
  std::pair<Value, Value> tapRange(Value start, Value extent, int64_t count,
                                   int64_t dilation) {
    Value zero = e.index(0), step = e.index(dilation),
          round = e.index(dilation - 1);
    Value lower =
        e.div(e.add(e.maximum(e.sub(zero, start), zero), round), step);
    Value upper =
        e.div(e.add(e.maximum(e.sub(extent, start), zero), round), step);
    return {lower, e.minimum(upper, e.index(count))};
  }

  void when(Value condition, function_ref<void()> body) {
    auto conditional =
        scf::IfOp::create(e.b, e.loc, condition, /*withElseRegion=*/false);
    OpBuilder::InsertionGuard guard(e.b);
    e.b.setInsertionPoint(conditional.thenBlock()->getTerminator());
    body();
  }

  /// What is fused behind, for the pixels from `ow` on and the channels of a
  /// vector at `c` but the first `done`. Bounds are constants: LLVM makes one
  /// vector of the loop.
  void finish(ValueRange values, Value ow, Value c, int64_t done) {
    for (auto [i, value] : llvm::enumerate(values))
      vector::StoreOp::create(e.b, e.loc, value, sums,
                              e.index(static_cast<int64_t>(i) * lanes));
    for (int64_t i = 0; i < static_cast<int64_t>(values.size()); ++i)
      e.loop(e.index(done), e.index(lanes), 1, [&](Value lane) {
        Value from = e.add(e.index(i * lanes), lane);
        e.bind(op.getResult(), [&](ArrayRef<Value>) -> Value {
          return memref::LoadOp::create(e.b, e.loc, sums, from);
        });
        Indices at{image, row, e.add(ow, e.index(i)), e.add(c, lane)};
        if (op.getPads().size() != 4)
          at.erase(at.begin() + 1);
        e.store(e.element(e.getYielded(0), at), 0, at);
      });
  }

  /// Loads each column of a row of the map once, from `at` on, for `count`
  /// pixels, and runs `use(pixel, kw, value)` for what it is a tap of.
  void forTaps(Value at, int64_t count, Outside outside,
               function_ref<void(int64_t, int64_t, Value)> use) {
    int64_t reach = (count - 1) * strideW + (kernelW - 1) * dilationW;
    for (int64_t column = 0; column <= reach; ++column) {
      Value v;
      for (int64_t kw = 0; kw < kernelW && !outside(column); ++kw) {
        int64_t from = column - kw * dilationW;
        if (from < 0 || from % strideW != 0 || from / strideW >= count)
          continue;
        if (!v)
          v = pixel(e.add(at, e.index(column * channels)));
        use(from / strideW, kw, v);
      }
    }
  }

  void beginRow(Value number) {
    row = number;
    startH = e.sub(e.mul(row, e.index(strideH)), e.index(padTop));
    std::tie(kh0, kh1) = std::pair(e.index(0), e.index(kernelH));
    if (padTop != 0 || padBottom != 0)
      std::tie(kh0, kh1) = tapRange(startH, e.size(x[1]), kernelH, dilationH);
  }

  /// The sums of `count` pixels of the row, the first tap of the first one in
  /// column startW.
  Vectors sumRow(Value startW, int64_t count, Value c, Value init,
                 Outside outside) {
    return e.reduceLoop(
        kh0, kh1, Vectors(count, init), [&](Value kh, ValueRange carried) {
          Vectors sum(carried);
          SmallVector<Tap> weights;
          Value line = e.add(startH, e.mul(kh, e.index(dilationH)));
          for (int64_t kw = 0; kw < kernelW; ++kw)
            weights.push_back(
                weight(e.add(e.mul(kh, e.index(kernelW)), e.index(kw)), c));
          Value at = locate(line, startW, c);
          forTaps(at, count, outside, [&](int64_t pixel, int64_t kw, Value v) {
            sum[pixel] = multiplyAdd(sum[pixel], v, weights[kw]);
          });
          return sum;
        });
  }

  //===--------------------------------------------------------------------===//
  // Strips
  //===--------------------------------------------------------------------===//

  struct Strip {
    Value ow, startW, c;
    Value isLast; ///< shares channels with the one before
    int64_t count;
    Value init;
  };

  /// Output rows that one row of the map is a tap of.
  int64_t rowsInFlight() const { return llvm::divideCeil(kernelH, strideH); }

  /// Whether sums of all rows in flight are kept. The kernel must fit beside
  /// them: with it in memory this is slower than to read lines again.
  bool keepsRows() const {
    return dilationH == 1 && rowsInFlight() > 1 &&
           3 * kernelH * kernelW * inputs <=
               e.options.target.getVectorRegisters();
  }

  int64_t stripWidth() const {
    int64_t registers = e.options.target.getVectorRegisters();
    if (!keepsRows())
      return registers < 32 ? fewPixels : mostPixels;
    return std::min((registers - 1 - kernelH * kernelW * inputs) /
                        rowsInFlight(),
                    mostPixels);
  }

  /// Adds row `line` of the map, the `phase`th of the rows that a step goes
  /// down by: row kh of the kernel for the sums of kh / stride rows ago.
  Vectors addLine(const Strip &strip, ArrayRef<Tap> weights, Value line,
                  int64_t phase, ValueRange carried, Outside outside) {
    auto exists = scf::IfOp::create(
        e.b, e.loc, TypeRange(carried),
        e.compare(arith::CmpIPredicate::ult, line, e.size(x[1])),
        /*withElseRegion=*/true);
    OpBuilder::InsertionGuard guard(e.b);
    e.b.setInsertionPointToStart(exists.elseBlock());
    scf::YieldOp::create(e.b, e.loc, carried);
    e.b.setInsertionPointToStart(exists.thenBlock());
    Vectors sum(carried);
    Value at = locate(line, strip.startW, strip.c);
    forTaps(at, strip.count, outside, [&](int64_t pixel, int64_t kw, Value v) {
      for (int64_t kh = phase; kh < kernelH; kh += strideH) {
        Value &into = sum[kh / strideH * strip.count + pixel];
        into = multiplyAdd(into, v, weights[kh * kernelW + kw]);
      }
    });
    scf::YieldOp::create(e.b, e.loc, sum);
    return Vectors(exists.getResults());
  }

  /// Rows [begin, end) of the strip, with the sums of all rows in flight.
  void walkDown(const Strip &strip, Value begin, Value end, Outside outside) {
    int64_t flight = rowsInFlight(), count = strip.count;
    SmallVector<Tap> weights;
    for (int64_t tap = 0; tap < kernelH * kernelW; ++tap)
      weights.push_back(weight(e.index(tap), strip.c));
    Vectors init(flight * count, strip.init);
    e.reduceLoop(
        begin, e.add(end, e.index(flight - 1)), init,
        [&](Value step, ValueRange carried) {
          Vectors sum(carried);
          Value line = e.sub(e.mul(step, e.index(strideH)), e.index(padTop));
          for (int64_t phase = 0; phase < std::min(strideH, kernelH); ++phase)
            sum = addLine(strip, weights, e.add(line, e.index(phase)), phase,
                          sum, outside);
          row = e.sub(step, e.index(flight - 1));
          when(e.compare(arith::CmpIPredicate::sge, row, begin),
               [&] { finishStrip(strip, ValueRange(sum).take_back(count)); });
          Vectors next(count, strip.init);
          llvm::append_range(next, ValueRange(sum).drop_back(count));
          return next;
        });
  }

  /// Channels of the last vector that the one before has as well.
  int64_t sharedLanes() const {
    return channels % lanes == 0 ? 0 : lanes - channels % lanes;
  }

  void finishStrip(const Strip &strip, ValueRange values) {
    if (sharedLanes() == 0)
      return finish(values, strip.ow, strip.c, 0);
    auto choice = scf::IfOp::create(e.b, e.loc, strip.isLast,
                                    /*withElseRegion=*/true);
    OpBuilder::InsertionGuard guard(e.b);
    e.b.setInsertionPoint(choice.thenBlock()->getTerminator());
    finish(values, strip.ow, strip.c, sharedLanes());
    e.b.setInsertionPoint(choice.elseBlock()->getTerminator());
    finish(values, strip.ow, strip.c, 0);
  }

  /// Tiles of about the same size.
  SmallVector<Tile> makeTiles(int64_t width, int64_t mapWidth) {
    SmallVector<Tile> tiles;
    int64_t count =
        llvm::divideCeil(width, llvm::divideCeil(width, stripWidth()));
    for (int64_t start = 0; start < width; start += count) {
      Tile tile{start, std::min(count, width - start), false};
      int64_t from = start * strideW - padLeft;
      int64_t last =
          from + (tile.count - 1) * strideW + (kernelW - 1) * dilationW;
      tile.inside = from >= 0 && last < mapWidth;
      tiles.push_back(tile);
    }
    return tiles;
  }

  /// Rows [begin, end) of the strip at column `at`, one of those whose code is
  /// that of `tile`.
  void emitStrip(const Tile &tile, Value at, int64_t mapWidth, Value vectorAt,
                 Value begin, Value end) {
    Strip strip;
    strip.count = tile.count;
    strip.ow = at;
    strip.startW = e.sub(e.mul(at, e.index(strideW)), e.index(padLeft));
    strip.c = e.mul(vectorAt, e.index(lanes));
    if (sharedLanes() != 0) {
      Value last = e.index(channels - lanes);
      strip.isLast = e.compare(arith::CmpIPredicate::ugt, strip.c, last);
      strip.c = e.minimum(strip.c, last);
    }
    strip.init = start(strip.c);
    int64_t base = tile.start * strideW - padLeft;
    auto outside = [&](int64_t column) {
      return !tile.inside && (base + column < 0 || base + column >= mapWidth);
    };
    if (keepsRows())
      return walkDown(strip, begin, end, outside);
    e.loop(begin, end, 1, [&](Value number) {
      beginRow(number);
      finishStrip(strip, sumRow(strip.startW, strip.count, strip.c, strip.init,
                                outside));
    });
  }

  /// Whether a function such as exp follows, which takes as long as the sums.
  bool hasLongEpilogue() const {
    return llvm::any_of(e.getKernel().getBody().front(), [](Operation &other) {
      auto unary = dyn_cast<UnaryOp>(other);
      return unary &&
             llvm::is_contained(
                 {UnaryKind::Exp, UnaryKind::Log, UnaryKind::Tanh,
                  UnaryKind::Erf, UnaryKind::Sigmoid, UnaryKind::Silu,
                  UnaryKind::Gelu, UnaryKind::Mish, UnaryKind::Softplus},
                 unary.getKind());
    });
  }

  /// Rows of an item. Vectors that share lines should find them in L1. Threads
  /// should all have something to do, for which rows between parts are read
  /// twice.
  AffineExpr rowsOfPart(int64_t strips, int64_t columns) const {
    constexpr int64_t lineBytes = 64, enoughItems = 8, leastRows = 8;
    // With a long epilogue arithmetic is what bounds a row. It is the faster
    // the more steadily lines come: side by side.
    if (!keepsRows() && strideH == 1 && hasLongEpilogue())
      return e.constExpr(1);
    std::optional<int64_t> height = getConstant(y[1]);
    int64_t rows = height.value_or(std::numeric_limits<int64_t>::max());
    if (channels * 4 % lineBytes != 0 || lanes * 4 < lineBytes) {
      int64_t most =
          e.options.target.getL1Bytes() / 2 / (lineBytes * columns * strideH);
      rows = std::min(rows, std::max(most, leastRows));
    }
    if (height)
      while (strips * llvm::divideCeil(*height, rows) < enoughItems &&
             rows >= 2 * leastRows)
        rows = llvm::divideCeil(rows, 2);
    return rows > (1 << 30) ? y[1] : e.constExpr(std::max<int64_t>(rows, 1));
  }

  /// All strips of a map whose width is known.
  void emitStrips(int64_t width, int64_t mapWidth) {
    SmallVector<Tile> tiles = makeTiles(width, mapWidth);
    int64_t vectors = llvm::divideCeil(channels, lanes);
    auto number = static_cast<int64_t>(tiles.size());
    AffineExpr partRows =
        rowsOfPart(number * vectors, (tiles[0].count - 1) * strideW +
                                         (kernelW - 1) * dilationW + 1);
    Dims items{y[0], simplify(y[1].ceilDiv(partRows)), e.constExpr(number),
               e.constExpr(vectors)};
    if (partRows == y[1])
      items[1] = e.constExpr(1);
    e.setExtent(product(e.b.getContext(), items));
    e.parallelLoop([&](Value item) {
      Indices at = e.delinearize(item, items);
      image = at[0];
      Value begin = e.mul(at[1], e.size(partRows));
      Value end = e.minimum(e.add(begin, e.size(partRows)), e.size(y[1]));
      for (size_t i = 0; i < tiles.size();) {
        size_t next = i + 1;
        while (next < tiles.size() && tiles[i].inside && tiles[next].inside &&
               tiles[next].count == tiles[i].count)
          ++next;
        auto emit = [&] {
          Value ow = next - i == 1 ? e.index(tiles[i].start)
                                   : e.mul(at[2], e.index(tiles[0].count));
          emitStrip(tiles[i], ow, mapWidth, at[3], begin, end);
        };
        Value low = e.compare(arith::CmpIPredicate::uge, at[2], e.index(i)),
              high = e.compare(arith::CmpIPredicate::ult, at[2], e.index(next));
        if (tiles.size() == next - i)
          emit();
        else
          when(e.b.createOrFold<arith::AndIOp>(e.loc, low, high), emit);
        i = next;
      }
    });
  }

  //===--------------------------------------------------------------------===//
  // Rows
  //===--------------------------------------------------------------------===//

  /// Runs `body(c, done)` for vectors of channels from `c`, the first `done` of
  /// which are stored already: the last vector may begin in the one before.
  void forChannels(function_ref<void(Value, int64_t)> body) {
    int64_t whole = channels / lanes * lanes;
    e.loop(e.index(0), e.index(whole), lanes, [&](Value c) { body(c, 0); });
    if (whole != channels)
      body(e.index(channels - lanes), sharedLanes());
  }

  /// `count` pixels from `ow` on, all taps of which are inside.
  void emitTile(Value ow, int64_t count) {
    Value startW = e.sub(e.mul(ow, e.index(strideW)), e.index(padLeft));
    forChannels([&](Value c, int64_t done) {
      finish(sumRow(startW, count, c, start(c), [](int64_t) { return false; }),
             ow, c, done);
    });
  }

  /// One pixel at a border that only the run knows.
  void emitBorder(Value ow) {
    Value startW = e.sub(e.mul(ow, e.index(strideW)), e.index(padLeft));
    auto [kw0, kw1] = tapRange(startW, e.size(x[2]), kernelW, dilationW);
    forChannels([&, kw0 = kw0, kw1 = kw1](Value c, int64_t done) {
      Value init = start(c);
      Vectors acc =
          e.reduceLoop(kh0, kh1, init, [&](Value kh, ValueRange outer) {
            Value line = e.add(startH, e.mul(kh, e.index(dilationH)));
            return e.reduceLoop(
                kw0, kw1, outer, [&](Value kw, ValueRange inner) -> Vectors {
                  Value column = e.add(startW, e.mul(kw, e.index(dilationW)));
                  Value v = pixel(locate(line, column, c));
                  Value tap = e.add(e.mul(kh, e.index(kernelW)), kw);
                  return {multiplyAdd(inner[0], v, weight(tap, c))};
                });
          });
      finish(acc, ow, c, done);
    });
  }

  /// A row of any width: columns [begin, end) have all taps inside.
  void emitAnyRow() {
    int64_t reach = (kernelW - 1) * dilationW;
    Value width = e.size(y[2]);
    Value room =
        e.sub(e.add(e.size(x[2]), e.index(padLeft)), e.index(reach + 1));
    Value fitting =
        e.add(e.div(e.maximum(room, e.index(0)), e.index(strideW)), e.index(1));
    Value right = e.b.createOrFold<arith::SelectOp>(
        e.loc, e.compare(arith::CmpIPredicate::slt, room, e.index(0)),
        e.index(0), e.minimum(fitting, width));
    Value begin = e.minimum(e.index(llvm::divideCeil(padLeft, strideW)), width);
    Value end = e.maximum(begin, right);
    Value tiles = e.div(e.sub(end, begin), e.index(fewPixels));
    Value middle = e.add(begin, e.mul(tiles, e.index(fewPixels)));
    e.loop(e.index(0), begin, 1, [&](Value ow) { emitBorder(ow); });
    e.loop(begin, middle, fewPixels,
           [&](Value ow) { emitTile(ow, fewPixels); });
    e.loop(middle, end, 1, [&](Value ow) { emitTile(ow, 1); });
    e.loop(end, width, 1, [&](Value ow) { emitBorder(ow); });
  }

  void emitRows() {
    Dims outer{y[0], y[1]};
    e.setExtent(product(e.b.getContext(), outer));
    e.parallelLoop([&](Value item) {
      Indices at = e.delinearize(item, outer);
      image = at[0];
      beginRow(at[1]);
      emitAnyRow();
    });
  }

  void emit() {
    sums = e.scratch(vector.getElementType(), e.constExpr(mostPixels * lanes));
    if (auto value = static_cast<int64_t>(op.getPadValue()))
      zeroPoint = arith::ConstantOp::create(
          e.b, e.loc,
          DenseElementsAttr::get(
              vector, e.b.getIntegerAttr(vector.getElementType(), value)));
    std::optional<int64_t> width = getConstant(y[2]),
                           mapWidth = getConstant(x[2]);
    if (width && mapWidth && *width > 0)
      emitStrips(*width, *mapWidth);
    else
      emitRows();
  }
};

/// f32, or bf16 and bytes with wider sums.
bool hasTypes(ConvOp op) {
  auto elementOf = [](Value value) {
    return cast<RankedTensorType>(value.getType()).getElementType();
  };
  Type x = elementOf(op.getX()), w = elementOf(op.getWeight()),
       sum = elementOf(op.getY());
  if (op.getBias() && elementOf(op.getBias()) != sum)
    return false;
  bool floats = x == w && (x.isF32() || x.isBF16()) && sum.isF32();
  return floats || (x.isInteger(8) && w.isInteger(8) && sum.isInteger(32));
}

} // namespace

LogicalResult effc::emitDepthwiseKernel(KernelEmitter &e, Operation *anchor) {
  auto op = dyn_cast<ConvOp>(anchor);
  if (!op || !op.getChannelsLast() || op.getStrides().size() > 2 ||
      !e.getPackable(op.getWeight()))
    return failure();
  Dims w = getDims(op.getWeight().getType());
  std::optional<int64_t> outputs = getConstant(w[0]),
                         kernelH = w.size() == 4 ? getConstant(w[2]) : 1,
                         kernelW = getConstant(w.back());
  std::optional<int64_t> inputs = getConstant(w[1]);
  if (!hasTypes(op) || !outputs || !kernelH || !kernelW || !inputs ||
      // Of one channel there is no vector; pixels are joined instead.
      *outputs == 1 || (*inputs != 1 && *inputs != 2 && *inputs != 4) ||
      op.getGroups() == 1 ||
      op.getGroups() * *inputs != static_cast<uint64_t>(*outputs) ||
      getConstant(getDims(op.getX().getType()).back()) != outputs ||
      *kernelH * *kernelW * *inputs > 49 ||
      e.getKernel().getNumResults() != 1 || !e.getBuffer(op.getX()))
    return failure();
  // One panel of all outputs: element (tap, channel of the group, output) at
  // (tap * inputs + channel) * outputs + output.
  e.pack(op.getWeight(), effk::PanelAttr::get(e.b.getContext(), "oihw", 1,
                                              *kernelH * *kernelW * *inputs,
                                              *outputs, *outputs));
  Depthwise(e, op).emit();
  return success();
}
