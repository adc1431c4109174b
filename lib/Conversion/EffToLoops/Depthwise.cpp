// Depthwise convolution, channels last: an output row is one item. Where every
// tap lies inside, four neighbouring pixels share the weights' loads and the
// channel loop inside is straight-line code for the vectoriser (recipe: vectors
// over channels). Pixels at the border sum their valid taps one by one.
#include "KernelEmitter.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"

using namespace mlir;
using namespace effc;
using namespace effc::eff;

namespace {

using Indices = KernelEmitter::Indices;

/// Neighbouring output pixels computed together.
constexpr int64_t pixelsPerTile = 4;

struct Depthwise {
  KernelEmitter &e;
  ConvOp op;
  Dims x, y;
  int64_t kernelH, kernelW, strideH, strideW, dilationH, dilationW, padTop,
      padLeft, channels;
  Value acc;

  Depthwise(KernelEmitter &e, ConvOp op)
      : e(e), op(op), x(getDims(op.getX().getType())),
        y(getDims(op.getType())) {
    Dims w = getDims(op.getWeight().getType());
    kernelH = *getConstant(w[2]);
    kernelW = *getConstant(w[3]);
    strideH = op.getStrides()[0];
    strideW = op.getStrides()[1];
    dilationH = op.getDilations()[0];
    dilationW = op.getDilations()[1];
    padTop = op.getPads()[0];
    padLeft = op.getPads()[1];
    channels = *getConstant(w[0]);
  }

  Value load(Value n, Value row, Value column, Value c) {
    return e.element(op.getX(), {n, row, column, c});
  }
  Value weight(Value tap, Value c) {
    Value position = e.add(e.mul(tap, e.index(channels)), c);
    return memref::LoadOp::create(e.b, e.loc, e.getBuffer(op.getWeight()),
                                  position);
  }
  Value multiplyAdd(Value a, Value v, Value w) {
    Value product = arith::MulFOp::create(e.b, e.loc, v, w, e.mathFlags());
    return arith::AddFOp::create(e.b, e.loc, a, product, e.mathFlags());
  }
  Value bias(Value c) {
    return op.getBias() ? e.element(op.getBias(), c)
                        : e.constant(e.b.getF32Type(), 0);
  }
  void store(Value sum, ArrayRef<Value> at) {
    e.bind(op.getResult(), [sum](ArrayRef<Value>) { return sum; });
    e.store(e.element(e.getYielded(0), at), 0, at);
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

  /// One pixel with bounds, accumulated over all channels in scratch.
  void border(Value n, Value oh, Value ow, Value startH) {
    Value startW = e.sub(e.mul(ow, e.index(strideW)), e.index(padLeft));
    e.loop(e.index(channels), [&](Value c) { e.storeFlat(bias(c), acc, c); });
    auto [kh0, kh1] = tapRange(startH, e.size(x[1]), kernelH, dilationH);
    auto [kw0, kw1] = tapRange(startW, e.size(x[2]), kernelW, dilationW);
    e.loop(kh0, kh1, 1, [&, kw0 = kw0, kw1 = kw1](Value kh) {
      e.loop(kw0, kw1, 1, [&](Value kw) {
        Value row = e.add(startH, e.mul(kh, e.index(dilationH))),
              column = e.add(startW, e.mul(kw, e.index(dilationW)));
        Value tap = e.add(e.mul(kh, e.index(kernelW)), kw);
        e.loop(e.index(channels), [&](Value c) {
          Value old = memref::LoadOp::create(e.b, e.loc, acc, c);
          e.storeFlat(multiplyAdd(old, load(n, row, column, c), weight(tap, c)),
                      acc, c);
        });
      });
    });
    e.loop(e.index(channels), [&](Value c) {
      store(memref::LoadOp::create(e.b, e.loc, acc, c), {n, oh, ow, c});
    });
  }

  /// `count` pixels from `ow` on, all taps inside.
  void interior(Value n, Value oh, Value ow, Value startH, int64_t count) {
    Value startW = e.sub(e.mul(ow, e.index(strideW)), e.index(padLeft));
    e.loop(e.index(channels), [&](Value c) {
      SmallVector<Value> sums(count, bias(c));
      for (int64_t kh = 0; kh < kernelH; ++kh)
        for (int64_t kw = 0; kw < kernelW; ++kw) {
          Value w = weight(e.index(kh * kernelW + kw), c),
                row = e.add(startH, e.index(kh * dilationH));
          for (int64_t i = 0; i < count; ++i) {
            Value column = e.add(startW, e.index(i * strideW + kw * dilationW));
            sums[i] = multiplyAdd(sums[i], load(n, row, column, c), w);
          }
        }
      for (int64_t i = 0; i < count; ++i)
        store(sums[i], {n, oh, e.add(ow, e.index(i)), c});
    });
  }

  void emit() {
    MLIRContext *context = e.b.getContext();
    acc = e.scratch(e.b.getF32Type(), e.constExpr(channels));
    Dims outer{y[0], y[1]};
    e.setExtent(product(context, outer));
    // Columns [left, right) have all taps inside.
    int64_t left = llvm::divideCeil(padLeft, strideW),
            reach = (kernelW - 1) * dilationW;
    e.parallelLoop([&](Value item) {
      Indices at = e.delinearize(item, outer);
      Value width = e.size(y[2]),
            startH = e.sub(e.mul(at[1], e.index(strideH)), e.index(padTop));
      Value room =
          e.sub(e.add(e.size(x[2]), e.index(padLeft)), e.index(reach + 1));
      Value fitting = e.add(
          e.div(e.maximum(room, e.index(0)), e.index(strideW)), e.index(1));
      Value right = e.b.createOrFold<arith::SelectOp>(
          e.loc, e.compare(arith::CmpIPredicate::slt, room, e.index(0)),
          e.index(0), e.minimum(fitting, width));
      Value begin = e.minimum(e.index(left), width);
      Value end = e.maximum(begin, right);
      Value above = e.compare(arith::CmpIPredicate::sge, startH, e.index(0));
      Value last = e.add(startH, e.index((kernelH - 1) * dilationH));
      Value below = e.compare(arith::CmpIPredicate::slt, last, e.size(x[1]));
      Value inside = e.b.createOrFold<arith::AndIOp>(e.loc, above, below);
      // A row whose taps leave the map vertically has no interior.
      Value from = begin,
            to = e.b.createOrFold<arith::SelectOp>(e.loc, inside, end, begin);
      e.loop(e.index(0), from, 1,
             [&](Value ow) { border(at[0], at[1], ow, startH); });
      Value tiles = e.div(e.sub(to, from), e.index(pixelsPerTile));
      Value middle = e.add(from, e.mul(tiles, e.index(pixelsPerTile)));
      e.loop(from, middle, pixelsPerTile, [&](Value ow) {
        interior(at[0], at[1], ow, startH, pixelsPerTile);
      });
      e.loop(middle, to, 1,
             [&](Value ow) { interior(at[0], at[1], ow, startH, 1); });
      e.loop(to, width, 1, [&](Value ow) { border(at[0], at[1], ow, startH); });
    });
  }
};

} // namespace

LogicalResult effc::emitDepthwiseKernel(KernelEmitter &e, Operation *anchor) {
  auto op = dyn_cast<ConvOp>(anchor);
  if (!op || !op.getChannelsLast() || op.getStrides().size() != 2 ||
      !e.getConstantInput(op.getWeight()))
    return failure();
  Dims w = getDims(op.getWeight().getType());
  std::optional<int64_t> outputs = getConstant(w[0]),
                         kernelH = getConstant(w[2]),
                         kernelW = getConstant(w[3]);
  bool f32 = llvm::all_of(op->getOperandTypes(), [](Type type) {
    return cast<RankedTensorType>(type).getElementType().isF32();
  });
  if (!f32 || !outputs || !kernelH || !kernelW ||
      op.getGroups() != static_cast<uint64_t>(*outputs) ||
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
