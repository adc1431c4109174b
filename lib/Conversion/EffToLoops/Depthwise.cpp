// Depthwise convolution, channels last: an output row is one item. A tile is a
// few neighbouring pixels of one vector of channels, whose sums stay in
// registers: each column of a row is loaded once and goes into all sums that it
// is a tap of. Taps outside of the map do not exist: to the sides they are left
// out when the code is made where the width is known, above and below they
// shorten the loop over the kernel's rows. Bytes and bf16 are widened as they
// are loaded; a zero point is taken from them and put back with the bias, so
// that taps that do not exist count as zero.
#include "KernelEmitter.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;
using namespace effc;
using namespace effc::eff;

namespace {

using Indices = KernelEmitter::Indices;
using Vectors = SmallVector<Value>;

/// Neighbouring output pixels computed together, with 32 registers and with 16.
constexpr int64_t mostPixels = 14, fewPixels = 7;

/// Output columns [start, start + count).
struct Tile {
  int64_t start, count;
  bool inside; ///< all taps are
};

struct Depthwise {
  KernelEmitter &e;
  ConvOp op;
  Dims x, y; ///< with two spatial dims
  int64_t kernelH = 1, kernelW, strideH = 1, strideW, dilationH = 1, dilationW,
          padTop = 0, padBottom = 0, padLeft, padRight, channels, lanes, pixels;
  VectorType vector; ///< of sums
  Value sums, zeroPoint;
  /// Of the item: image, output row, input row of the first tap, and the rows
  /// of the kernel that lie inside.
  Value image, row, startH, kh0, kh1;

  Depthwise(KernelEmitter &e, ConvOp op)
      : e(e), op(op), x(getDims(op.getX().getType())),
        y(getDims(op.getType())) {
    Dims w = getDims(op.getWeight().getType());
    ArrayRef<int64_t> pads = op.getPads();
    channels = *getConstant(w[0]);
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
    pixels =
        e.options.target.getVectorRegisters() < 32 ? fewPixels : mostPixels;
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
  Value pixel(Value position) {
    Value v = loadWide(op.getX(), position);
    return zeroPoint ? arith::SubIOp::create(e.b, e.loc, v, zeroPoint) : v;
  }
  Value weight(Value tap, Value c) {
    return loadWide(op.getWeight(), e.add(e.mul(tap, e.index(channels)), c));
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

  /// Runs `body(c, first)` for vectors of channels from `c`, of which those
  /// from `first` on are to be stored: the last vector may begin in the one
  /// before.
  void forChannels(function_ref<void(Value, Value)> body) {
    int64_t whole = channels / lanes * lanes;
    e.loop(e.index(0), e.index(whole), lanes, [&](Value c) { body(c, c); });
    if (whole != channels)
      body(e.index(channels - lanes), e.index(whole));
  }

  /// What is fused behind, for `count` pixels from `ow` on.
  void finish(ValueRange values, Value ow, Value c, Value first) {
    for (auto [i, value] : llvm::enumerate(values))
      vector::StoreOp::create(e.b, e.loc, value, sums,
                              e.index(static_cast<int64_t>(i) * lanes));
    Value end = e.add(c, e.index(lanes));
    for (int64_t i = 0; i < static_cast<int64_t>(values.size()); ++i)
      e.loop(first, end, 1, [&](Value channel) {
        Value from = e.add(e.index(i * lanes), e.sub(channel, c));
        e.bind(op.getResult(), [&](ArrayRef<Value>) -> Value {
          return memref::LoadOp::create(e.b, e.loc, sums, from);
        });
        Indices at{image, row, e.add(ow, e.index(i)), channel};
        if (op.getPads().size() != 4)
          at.erase(at.begin() + 1);
        e.store(e.element(e.getYielded(0), at), 0, at);
      });
  }

  /// One row of the kernel for `count` pixels: each column of the map once.
  /// `outside` tells a column, counted from the first tap of the first pixel,
  /// that does not exist.
  void addRow(Vectors &acc, Value kh, Value startW, Value c,
              function_ref<bool(int64_t)> outside) {
    int64_t count = static_cast<int64_t>(acc.size());
    Value at = e.linearize(
        {image, e.add(startH, e.mul(kh, e.index(dilationH))), startW, c}, x);
    Vectors weights(kernelW);
    int64_t reach = (count - 1) * strideW + (kernelW - 1) * dilationW;
    for (int64_t column = 0; column <= reach; ++column) {
      Value v;
      for (int64_t kw = 0; kw < kernelW && !outside(column); ++kw) {
        int64_t from = column - kw * dilationW;
        if (from < 0 || from % strideW != 0 || from / strideW >= count)
          continue;
        if (!v)
          v = pixel(e.add(at, e.index(column * channels)));
        if (!weights[kw])
          weights[kw] =
              weight(e.add(e.mul(kh, e.index(kernelW)), e.index(kw)), c);
        Value &sum = acc[from / strideW];
        sum = multiplyAdd(sum, v, weights[kw]);
      }
    }
  }

  /// `count` pixels from `ow` on.
  void emitTile(Value ow, int64_t count, function_ref<bool(int64_t)> outside) {
    Value startW = e.sub(e.mul(ow, e.index(strideW)), e.index(padLeft));
    forChannels([&](Value c, Value first) {
      Vectors init(count, start(c));
      Vectors acc =
          e.reduceLoop(kh0, kh1, init, [&](Value kh, ValueRange carried) {
            Vectors sum(carried);
            addRow(sum, kh, startW, c, outside);
            return sum;
          });
      finish(acc, ow, c, first);
    });
  }

  /// One pixel at a border that only the run knows.
  void emitBorder(Value ow) {
    Value startW = e.sub(e.mul(ow, e.index(strideW)), e.index(padLeft));
    auto [kw0, kw1] = tapRange(startW, e.size(x[2]), kernelW, dilationW);
    forChannels([&, kw0 = kw0, kw1 = kw1](Value c, Value first) {
      Value init = start(c);
      Vectors acc =
          e.reduceLoop(kh0, kh1, init, [&](Value kh, ValueRange outer) {
            Value line = e.add(startH, e.mul(kh, e.index(dilationH)));
            return e.reduceLoop(
                kw0, kw1, outer, [&](Value kw, ValueRange inner) -> Vectors {
                  Value column = e.add(startW, e.mul(kw, e.index(dilationW)));
                  Value v = pixel(e.linearize({image, line, column, c}, x));
                  Value tap = e.add(e.mul(kh, e.index(kernelW)), kw);
                  return {multiplyAdd(inner[0], v, weight(tap, c))};
                });
          });
      finish(acc, ow, c, first);
    });
  }

  /// Tiles of about the same size.
  SmallVector<Tile> makeTiles(int64_t width, int64_t mapWidth) {
    SmallVector<Tile> tiles;
    int64_t count = llvm::divideCeil(width, llvm::divideCeil(width, pixels));
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

  /// A row whose width is known.
  void emitKnownRow(int64_t width, int64_t mapWidth) {
    SmallVector<Tile> tiles = makeTiles(width, mapWidth);
    for (size_t i = 0; i < tiles.size();) {
      Tile tile = tiles[i];
      size_t next = i + 1;
      while (tile.inside && next < tiles.size() && tiles[next].inside &&
             tiles[next].count == tile.count)
        ++next;
      int64_t base = tile.start * strideW - padLeft;
      auto outside = [&](int64_t column) {
        return !tile.inside && (base + column < 0 || base + column >= mapWidth);
      };
      int64_t end = tile.start + static_cast<int64_t>(next - i) * tile.count;
      if (next - i == 1)
        emitTile(e.index(tile.start), tile.count, outside);
      else
        e.loop(e.index(tile.start), e.index(end), tile.count,
               [&](Value ow) { emitTile(ow, tile.count, outside); });
      i = next;
    }
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
    auto inside = [](int64_t) { return false; };
    Value tiles = e.div(e.sub(end, begin), e.index(fewPixels));
    Value middle = e.add(begin, e.mul(tiles, e.index(fewPixels)));
    e.loop(e.index(0), begin, 1, [&](Value ow) { emitBorder(ow); });
    e.loop(begin, middle, fewPixels,
           [&](Value ow) { emitTile(ow, fewPixels, inside); });
    e.loop(middle, end, 1, [&](Value ow) { emitTile(ow, 1, inside); });
    e.loop(end, width, 1, [&](Value ow) { emitBorder(ow); });
  }

  void emit() {
    MLIRContext *context = e.b.getContext();
    sums = e.scratch(vector.getElementType(), e.constExpr(pixels * lanes));
    if (auto value = static_cast<int64_t>(op.getPadValue()))
      zeroPoint = arith::ConstantOp::create(
          e.b, e.loc,
          DenseElementsAttr::get(
              vector, e.b.getIntegerAttr(vector.getElementType(), value)));
    Dims outer{y[0], y[1]};
    e.setExtent(product(context, outer));
    std::optional<int64_t> width = getConstant(y[2]),
                           mapWidth = getConstant(x[2]);
    e.parallelLoop([&](Value item) {
      Indices at = e.delinearize(item, outer);
      image = at[0];
      row = at[1];
      startH = e.sub(e.mul(row, e.index(strideH)), e.index(padTop));
      std::tie(kh0, kh1) = std::pair(e.index(0), e.index(kernelH));
      if (padTop != 0 || padBottom != 0)
        std::tie(kh0, kh1) = tapRange(startH, e.size(x[1]), kernelH, dilationH);
      if (width && mapWidth)
        emitKnownRow(*width, *mapWidth);
      else
        emitAnyRow();
    });
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
  if (!hasTypes(op) || !outputs || !kernelH || !kernelW ||
      // Of one channel there is no vector; pixels are joined instead.
      *outputs == 1 || op.getGroups() != static_cast<uint64_t>(*outputs) ||
      getConstant(w[1]) != 1 ||
      getConstant(getDims(op.getX().getType()).back()) != outputs ||
      *kernelH * *kernelW > 49 || e.getKernel().getNumResults() != 1 ||
      !e.getBuffer(op.getX()))
    return failure();
  // One panel of all channels: element (tap, channel) at tap * channels +
  // channel.
  e.pack(op.getWeight(),
         effk::PanelAttr::get(e.b.getContext(), "oihw", 1, *kernelH * *kernelW,
                              *outputs, *outputs));
  Depthwise(e, op).emit();
  return success();
}
