// 3x3 convolutions as F(4x4, 3x3) (A. Lavin, S. Gray, "Fast Algorithms for
// Convolutional Neural Networks"): a strip of tiles, 4x4 outputs each, at a
// time, so that its transforms stay in L2. Points 0, +-3/4, +-3/2 and infinity
// instead of the usual 0, +-1, +-2 (docs/convolution.md) make the error
// three times smaller.
#include "Gemm.h"
#include "effc/Support/Diagnostics.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"

using namespace mlir;
using namespace effc;
using namespace effc::eff;

namespace {

using Indices = KernelEmitter::Indices;

/// Outputs and inputs of a tile along one dim, and their products.
constexpr int64_t outer = WinogradTile::outputs, inner = WinogradTile::inputs,
                  points = WinogradTile::points;

/// Sums are cut into equal parts of at most so many channels: more of them take
/// as long (a part is one unrolled loop) and have larger errors.
constexpr int64_t mostSummed = 16;

struct Winograd {
  KernelEmitter &e;
  ConvOp op;
  WinogradChoice choice;
  Dims x, y;
  int64_t channels, outputs, inputStride, outputStride;
  /// Channels that are summed one after the other.
  int64_t partial;
  AffineExpr tilesY, tilesX, tiles;
  /// Of a strip: [point][tile][channel], and the same of a block of output
  /// channels.
  Value inputs, products;
  /// Of a tile: [inner][inner][channel] where it crosses the border, and
  /// [outer][outer][output channel of the block].
  Value window, results;
  /// The first output channel of the block.
  Value firstOutput;

  Winograd(KernelEmitter &e, ConvOp op, const WinogradChoice &choice)
      : e(e), op(op), choice(choice), x(getDims(op.getX().getType())),
        y(getDims(op.getType())) {
    channels = *getConstant(x.back());
    outputs = *getConstant(y.back());
    tilesY = simplify(y[1].ceilDiv(outer));
    tilesX = simplify(y[2].ceilDiv(outer));
    tiles = simplify(y[0] * tilesY * tilesX);
    inputStride = pointStride(channels);
    outputStride = pointStride(choice.block);
    int64_t parts = llvm::divideCeil(channels, mostSummed);
    partial = llvm::divideCeil(channels, parts);
  }

  /// Floats between points: an odd number of cache lines, so that the points of
  /// a tile do not share a set of L1.
  int64_t pointStride(int64_t columns) const {
    constexpr int64_t line = 16;
    return (llvm::divideCeil(choice.strip * columns, line) | 1) * line;
  }

  Value load(Value memref, Value position) {
    return memref::LoadOp::create(e.b, e.loc, memref, position);
  }
  Value add(Value a, Value c) {
    return arith::AddFOp::create(e.b, e.loc, a, c, e.mathFlags());
  }
  Value sub(Value a, Value c) {
    return arith::SubFOp::create(e.b, e.loc, a, c, e.mathFlags());
  }
  /// a + factor * c.
  Value addScaled(Value a, double factor, Value c) {
    Value scale = e.constant(c.getType(), factor);
    return add(a, arith::MulFOp::create(e.b, e.loc, scale, c, e.mathFlags()));
  }

  /// B^T: the polynomials of the other points, at each point.
  std::array<Value, inner> transformInput(ArrayRef<Value> d) {
    constexpr double p = WinogradTile::near, q = WinogradTile::far;
    std::array<Value, inner> t;
    t[0] =
        addScaled(addScaled(d[4], -(p * p + q * q), d[2]), p * p * q * q, d[0]);
    t[5] =
        addScaled(addScaled(d[5], -(p * p + q * q), d[3]), p * p * q * q, d[1]);
    Value even = addScaled(d[4], -q * q, d[2]),
          odd = addScaled(d[3], -q * q, d[1]);
    t[1] = addScaled(even, p, odd);
    t[2] = addScaled(even, -p, odd);
    even = addScaled(d[4], -p * p, d[2]);
    odd = addScaled(d[3], -p * p, d[1]);
    t[3] = addScaled(even, q, odd);
    t[4] = addScaled(even, -q, odd);
    return t;
  }

  /// A^T: powers of the points.
  std::array<Value, outer> transformOutput(ArrayRef<Value> d) {
    constexpr double p = WinogradTile::near, q = WinogradTile::far;
    Value sumNear = add(d[1], d[2]), sumFar = add(d[3], d[4]),
          near = sub(d[1], d[2]), far = sub(d[3], d[4]);
    auto scaled = [&](double factor, Value value) -> Value {
      Value scale = e.constant(value.getType(), factor);
      return arith::MulFOp::create(e.b, e.loc, scale, value, e.mathFlags());
    };
    return {add(add(d[0], sumNear), sumFar), addScaled(scaled(p, near), q, far),
            addScaled(scaled(p * p, sumNear), q * q, sumFar),
            addScaled(addScaled(d[5], p * p * p, near), q * q * q, far)};
  }

  /// B^T d B of a window of `source` for all channels; tile `t` of the strip.
  void transformWindow(Value source, Value base, Value rowStride, Value t) {
    Value target = e.mul(t, e.index(channels));
    e.loop(e.index(channels), [&](Value c) {
      SmallVector<Value> half[inner];
      for (int64_t column = 0; column < inner; ++column) {
        SmallVector<Value> d;
        for (int64_t row = 0; row < inner; ++row) {
          Value start = e.add(base, e.mul(e.index(row), rowStride));
          Value pixel = e.add(start, e.index(column * channels));
          d.push_back(load(source, e.add(pixel, c)));
        }
        for (auto [row, value] : llvm::enumerate(transformInput(d)))
          half[row].push_back(value);
      }
      for (int64_t row = 0; row < inner; ++row)
        for (auto [column, value] :
             llvm::enumerate(transformInput(half[row]))) {
          Value point = e.index((row * inner + column) * inputStride);
          e.storeFlat(value, inputs, e.add(e.add(point, target), c));
        }
    });
  }

  /// Copies a window with zeros for pixels outside.
  void gatherWindow(Value n, Value firstRow, Value firstColumn) {
    auto isInside = [&](Value position, AffineExpr extent) {
      return e.compare(arith::CmpIPredicate::ult, position, e.size(extent));
    };
    e.loop(e.index(inner), [&](Value r) {
      e.loop(e.index(inner), [&](Value s) {
        Value row = e.add(firstRow, r), column = e.add(firstColumn, s);
        Value inside = e.b.createOrFold<arith::AndIOp>(
            e.loc, isInside(row, x[1]), isInside(column, x[2]));
        Value target =
            e.mul(e.add(e.mul(r, e.index(inner)), s), e.index(channels));
        either(
            inside,
            [&] {
              e.loop(e.index(channels), [&](Value c) {
                e.storeFlat(e.element(op.getX(), {n, row, column, c}), window,
                            e.add(target, c));
              });
            },
            [&] {
              e.loop(e.index(channels), [&](Value c) {
                e.storeFlat(e.constant(e.b.getF32Type(), 0), window,
                            e.add(target, c));
              });
            });
      });
    });
  }

  void either(Value condition, llvm::function_ref<void()> then,
              llvm::function_ref<void()> otherwise) {
    auto branch = scf::IfOp::create(e.b, e.loc, condition,
                                    /*withElseRegion=*/true);
    OpBuilder::InsertionGuard guard(e.b);
    e.b.setInsertionPointToStart(branch.thenBlock());
    then();
    e.b.setInsertionPointToStart(branch.elseBlock());
    otherwise();
  }

  void inputTile(Value t, ArrayRef<Value> at) {
    Value row = e.sub(e.mul(at[1], e.index(outer)), e.index(op.getPads()[0])),
          column =
              e.sub(e.mul(at[2], e.index(outer)), e.index(op.getPads()[1]));
    Value inside;
    auto require = [&](arith::CmpIPredicate predicate, Value a, Value c) {
      Value holds = e.compare(predicate, a, c);
      inside = inside ? e.b.createOrFold<arith::AndIOp>(e.loc, inside, holds)
                      : holds;
    };
    for (auto [first, extent] : {std::pair(row, x[1]), {column, x[2]}}) {
      require(arith::CmpIPredicate::sge, first, e.index(0));
      require(arith::CmpIPredicate::sle, e.add(first, e.index(inner)),
              e.size(extent));
    }
    Value rowStride = e.mul(e.size(x[2]), e.index(channels));
    either(
        inside,
        [&] {
          Value base = e.linearize({at[0], row, column, e.index(0)}, x);
          transformWindow(e.getBuffer(op.getX()), base, rowStride, t);
        },
        [&] {
          gatherWindow(at[0], row, column);
          transformWindow(window, e.index(0), e.index(inner * channels), t);
        });
  }

  /// The matrix product of one point: tiles x channels by channels x block.
  void multiply(Value point, Value count, Value block) {
    const TileChoice &tile = choice.product;
    int64_t panels = llvm::divideCeil(choice.block, tile.width),
            panelSize = tile.width * channels;
    Value group = e.add(e.mul(block, e.index(points)), point);
    effk::GemmDescription gemm;
    gemm.tileRows = tile.rows;
    gemm.tileWidth = tile.width;
    gemm.rowsPerBlock = llvm::alignTo(choice.strip, tile.rows);
    gemm.a = inputs;
    gemm.rowBase = e.mul(point, e.index(inputStride));
    gemm.rowSizes = {count};
    gemm.rowStrides = {e.index(channels)};
    gemm.b = e.getBuffer(op.getWeight());
    gemm.bBase = e.mul(group, e.index(panels * panelSize));
    gemm.c = products;
    gemm.cBase = e.mul(point, e.index(outputStride));
    gemm.cStride = e.index(choice.block);
    gemm.lo = e.index(0);
    if (channels == partial) {
      gemm.run = e.index(channels);
      gemm.n = gemm.cStride;
      gemm.hi = e.index(panels);
      return createProducts(gemm);
    }
    gemm.hi = e.index(1);
    for (int64_t panel = 0; panel < panels; ++panel) {
      int64_t column = panel * tile.width;
      effk::GemmDescription part = gemm;
      part.n = e.index(std::min(tile.width, choice.block - column));
      part.bBase = e.add(gemm.bBase, e.index(panel * panelSize));
      part.cBase = e.add(gemm.cBase, e.index(column));
      sumParts(part);
    }
  }

  /// A panel's product by parts of its depth, each with sums of its own: what a
  /// long sum rounds grows with its length (Higham, "Accuracy and Stability of
  /// Numerical Algorithms", 4.2), and here that is most of the error.
  void sumParts(effk::GemmDescription gemm) {
    gemm.run = e.index(partial);
    createProducts(gemm);
    Value rowBase = gemm.rowBase, bBase = gemm.bBase;
    gemm.epilogueInputs = {
        {products, effk::EpilogueMap::Element, gemm.cBase, gemm.cStride}};
    e.loop(e.index(partial), e.index(channels), partial, [&](Value first) {
      gemm.rowBase = e.add(rowBase, first);
      gemm.bBase = e.add(bBase, e.mul(first, e.index(choice.product.width)));
      if (channels % partial != 0)
        gemm.run = e.minimum(e.index(partial), e.sub(e.index(channels), first));
      createProducts(gemm);
    });
  }

  /// Stores sums, added to what the epilogue loads if it does.
  void createProducts(const effk::GemmDescription &gemm) {
    effk::createGemm(
        e.b, e.loc, gemm,
        [&](OpBuilder &, Location, Value sum, Value, Value, ValueRange loaded) {
          return loaded.empty() ? sum : add(loaded[0], sum);
        });
  }

  /// A^T m A plus the bias.
  void transformProducts(Value t) {
    Value source = e.mul(t, e.index(choice.block));
    e.loop(e.index(choice.block), [&](Value c) {
      SmallVector<Value> half[outer];
      for (int64_t column = 0; column < inner; ++column) {
        SmallVector<Value> d;
        for (int64_t row = 0; row < inner; ++row) {
          Value point = e.index((row * inner + column) * outputStride);
          d.push_back(load(products, e.add(e.add(point, source), c)));
        }
        for (auto [row, value] : llvm::enumerate(transformOutput(d)))
          half[row].push_back(value);
      }
      Value bias = op.getBias() ? e.element(op.getBias(), e.add(firstOutput, c))
                                : Value();
      for (int64_t row = 0; row < outer; ++row)
        for (auto [column, value] :
             llvm::enumerate(transformOutput(half[row]))) {
          Value pixel = e.index((row * outer + column) * choice.block);
          e.storeFlat(bias ? add(value, bias) : value, results,
                      e.add(pixel, c));
        }
    });
  }

  /// Stores the pixels of a tile that exist, through the fused ops.
  void outputTile(Value t, ArrayRef<Value> at) {
    transformProducts(t);
    Value row = e.mul(at[1], e.index(outer)),
          column = e.mul(at[2], e.index(outer));
    Value rows = e.minimum(e.index(outer), e.sub(e.size(y[1]), row)),
          columns = e.minimum(e.index(outer), e.sub(e.size(y[2]), column));
    e.loop(rows, [&](Value r) {
      e.loop(columns, [&](Value s) {
        Value pixel =
            e.mul(e.add(e.mul(r, e.index(outer)), s), e.index(choice.block));
        e.loop(e.index(choice.block), [&](Value c) {
          Value sum = load(results, e.add(pixel, c));
          e.bind(op.getResult(), [sum](ArrayRef<Value>) { return sum; });
          Indices indices{at[0], e.add(row, r), e.add(column, s),
                          e.add(firstOutput, c)};
          e.store(e.element(e.getYielded(0), indices), 0, indices);
        });
      });
    });
  }

  void emit() {
    Type f32 = e.b.getF32Type();
    inputs = e.scratch(f32, e.constExpr(points * inputStride));
    products = e.scratch(f32, e.constExpr(points * outputStride));
    window = e.scratch(f32, e.constExpr(inner * inner * channels));
    results = e.scratch(f32, e.constExpr(outer * outer * choice.block));
    int64_t blocks = outputs / choice.block;
    e.setExtent(simplify(tiles.ceilDiv(choice.strip) * blocks));
    Block &entry = e.getFunction().getBody().front();
    Value lo = entry.getArgument(entry.getNumArguments() - 3);
    e.parallelLoop([&](Value item) {
      Value strip = e.div(item, e.index(blocks)),
            block = e.rem(item, e.index(blocks));
      // The blocks of a strip that run here follow each other.
      Value isFirst = e.b.createOrFold<arith::OrIOp>(
          e.loc, e.compare(arith::CmpIPredicate::eq, block, e.index(0)),
          e.compare(arith::CmpIPredicate::eq, item, lo));
      emitItem(strip, block, isFirst);
    });
  }

  void emitItem(Value strip, Value block, Value isFirst) {
    Value first = e.mul(strip, e.index(choice.strip)),
          count = e.index(choice.strip);
    std::optional<int64_t> known = getConstant(tiles);
    if (!known || *known % choice.strip != 0)
      count = e.minimum(count, e.sub(e.size(tiles), first));
    firstOutput = e.mul(block, e.index(choice.block));
    auto locate = [&](Value t) {
      return e.delinearize(e.add(first, t), {y[0], tilesY, tilesX});
    };
    either(
        isFirst,
        [&] { e.loop(count, [&](Value t) { inputTile(t, locate(t)); }); },
        [] {});
    e.loop(e.index(points),
           [&](Value point) { multiply(point, count, block); });
    e.loop(count, [&](Value t) { outputTile(t, locate(t)); });
  }
};

bool allEqual(ArrayRef<int64_t> values, int64_t value) {
  return llvm::all_of(values, [=](int64_t each) { return each == value; });
}

} // namespace

LogicalResult effc::emitWinogradKernel(KernelEmitter &e, Operation *anchor) {
  auto op = dyn_cast<ConvOp>(anchor);
  if (!op || !op.getChannelsLast() || !e.getPackable(op.getWeight()) ||
      !e.getBuffer(op.getX()) || op.getGroups() != 1 ||
      op.getStrides().size() != 2 || !allEqual(op.getStrides(), 1) ||
      !allEqual(op.getDilations(), 1) ||
      !isTileable({op.getX(), op.getWeight(), op.getBias()}) ||
      e.getKernel().getNumResults() != 1 ||
      getDims(e.getYielded(0).getType()) != getDims(op.getType()))
    return failure();
  Dims w = getDims(op.getWeight().getType()), y = getDims(op.getType());
  if (getConstant(w[2]) != 3 || getConstant(w[3]) != 3 ||
      getConstant(w[0]).value_or(0) < 1 || getConstant(w[1]).value_or(0) < 1)
    return failure();
  MLIRContext *context = e.b.getContext();
  WinogradSizes sizes{getConstant(y[0]), getConstant(y[1]), getConstant(y[2]),
                      *getConstant(w[1]), *getConstant(w[0])};
  WinogradChoice choice = e.options.choices->winograd(sizes);
  WinogradUse use = e.options.exact ? WinogradUse::Never : e.options.winograd;
  if (use == WinogradUse::Never)
    choice.reason = e.options.exact ? "--exact" : "asked for";
  if (use == WinogradUse::Always)
    choice.reason = "asked for";
  bool chosen = use == WinogradUse::Always ||
                (use == WinogradUse::WhereFaster && choice.isFaster);
  emitRemark(anchor->getLoc(), DiagnosticCode::ConvolutionAlgorithm)
      << (chosen ? "convolution uses Winograd F(4x4, 3x3): "
                 : "convolution does not use Winograd: ")
      << choice.reason;
  if (!chosen)
    return failure();
  e.pack(op.getWeight(),
         effk::PanelAttr::get(
             context, "winograd", points * (sizes.outputs / choice.block),
             sizes.channels, choice.block, choice.product.width));
  e.getFunction()->setAttr(effk::kChoiceAttr,
                           e.b.getStringAttr("winograd 4x4, " +
                                             Twine(choice.strip) + " tiles x " +
                                             Twine(choice.block) + ", gemm " +
                                             Twine(choice.product.rows) + "x" +
                                             Twine(choice.product.width)));
  Winograd(e, op, choice).emit();
  return success();
}
