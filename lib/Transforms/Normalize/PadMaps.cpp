// Registers of AMX take 16 rows that lie evenly spaced and 64 bytes of each.
// Rows beside the border of a map lack a tap, and taps of 3 channels are no
// whole steps, so such rows are gathered one by one (MatrixTiles.cpp). A padded
// copy of the map, with the channels filled up, has neither; the convolution of
// oneDNN copies its maps for the same reason.
#include "effc/Analysis/TileChoice.h"
#include "effc/Transforms/Passes.h"

namespace effc {
#define GEN_PASS_DEF_PADMAPS
#include "effc/Transforms/Passes.h.inc"
} // namespace effc

using namespace mlir;
using namespace effc;
using namespace effc::eff;

namespace {

/// Cycles of one core: what a byte of the copy costs, and its launch; a row of
/// a register that is gathered, for each part of a tap and for the tap.
constexpr double copyCycles = 0.15, launchCycles = 1500, gatherCycles = 1.5,
                 pointCycles = 3;
/// Taps of more are not filled up: their weights grow as well.
constexpr int64_t mostFilled = 64;
/// Bytes of a register's row, columns of a tile, rows of a register.
constexpr int64_t rowBytes = 64, tileColumns = 32, registerRows = 16;

Type getElement(Value value) {
  return cast<RankedTensorType>(value.getType()).getElementType();
}

struct ConvMap {
  ConvOp conv;
  GemmTypes types;
  int64_t channels, outputs, kernelWidth, width;
  /// Lines of the result, taps of a column of the kernel.
  double lines = 1, kernelLines = 1;
  int64_t elementBytes;

  static std::optional<ConvMap> get(ConvOp conv, TargetAttr target);
  int64_t getFilled(TargetAttr target) const;
  bool fitsTiles(TargetAttr target, int64_t filled) const;
  double estimateSaving();
  double estimateCopy();
  void pad(int64_t filled);
};

} // namespace

/// Nothing where registers of AMX cannot multiply it.
std::optional<ConvMap> ConvMap::get(ConvOp conv, TargetAttr target) {
  Type x = getElement(conv.getX()), w = getElement(conv.getWeight());
  bool isBf16 = x.isBF16() && w.isBF16(),
       isBytes = x.isUnsignedInteger(8) && w.isInteger(8);
  if ((!isBf16 && !isBytes) || !conv.getChannelsLast() ||
      conv.getGroups() != 1 || conv.getDilations().back() != 1)
    return std::nullopt;
  GemmTypes types = isBf16 ? GemmTypes::BF16 : GemmTypes::U8S8;
  ConvMap map{conv, types, 0, 0, 0, 0};
  SmallVector<int64_t> sizes;
  for (AffineExpr dim : getDims(conv.getWeight().getType()))
    sizes.push_back(getConstant(dim).value_or(0));
  Dims y = getDims(conv.getType());
  std::optional<int64_t> width = getConstant(y[y.size() - 2]);
  if (llvm::is_contained(sizes, 0) || !width || !hasMatrixTiles(target, types))
    return std::nullopt;
  map.outputs = sizes[0];
  map.channels = sizes[1];
  map.kernelWidth = sizes.back();
  map.width = *width;
  map.elementBytes = isBf16 ? 2 : 1;
  for (size_t i = 2; i + 1 < sizes.size(); ++i)
    map.kernelLines *= sizes[i];
  // A typical number of images, where only a run knows it.
  for (AffineExpr dim : ArrayRef(y).drop_back(2))
    map.lines *= getConstant(dim).value_or(1);
  return map;
}

/// The channels with which a row of the kernel is whole steps.
int64_t ConvMap::getFilled(TargetAttr target) const {
  int64_t step = getInterleave(target, types);
  bool isWhole = channels * kernelWidth % step == 0;
  return isWhole || channels > mostFilled ? channels
                                          : llvm::alignTo(channels, step);
}

/// Whether a padded map is multiplied by registers of AMX.
bool ConvMap::fitsTiles(TargetAttr target, int64_t filled) const {
  RowRuns runs;
  runs.length = width;
  runs.depth = filled * kernelWidth;
  return chooseConvTile(target, static_cast<int64_t>(lines * width), outputs,
                        static_cast<int64_t>(kernelLines) * runs.depth,
                        filled * elementBytes, types, runs)
      .isMatrix;
}

/// By registers at both ends of a line, for each of their taps outside.
double ConvMap::estimateSaving() {
  ArrayRef<int64_t> pads = conv.getPads();
  size_t spatial = pads.size() / 2;
  int64_t outside = pads[spatial - 1] + pads.back();
  double parts = llvm::divideCeil(channels * elementBytes, rowBytes);
  return llvm::divideCeil(outputs, tileColumns) * lines * kernelLines *
         outside * registerRows * (gatherCycles * parts + pointCycles);
}

double ConvMap::estimateCopy() {
  double bytes = elementBytes;
  for (AffineExpr dim : getDims(conv.getX().getType()))
    bytes *= getConstant(dim).value_or(1);
  return launchCycles + copyCycles * bytes;
}

void ConvMap::pad(int64_t filled) {
  OpBuilder b(conv);
  Location loc = conv.getLoc();
  auto widen = [&](Value value, size_t channelDim, ArrayRef<int64_t> pads,
                   int64_t number) -> Value {
    Dims dims = getDims(value.getType());
    Dims low(dims.size(), getAffineConstantExpr(0, b.getContext()));
    dims[channelDim] = getAffineConstantExpr(filled, b.getContext());
    for (size_t i = 0, spatial = pads.size() / 2; i < spatial; ++i) {
      low[1 + i] = getAffineConstantExpr(pads[i], b.getContext());
      dims[1 + i] = simplify(dims[1 + i] + pads[i] + pads[spatial + i]);
    }
    Type element = getElement(value);
    Value filler;
    if (number != 0)
      filler = ConstantOp::create(
          b, loc,
          DenseElementsAttr::get(
              RankedTensorType::get({}, element),
              APInt(8, number, /*isSigned=*/false, /*implicitTrunc=*/true)));
    return PadOp::create(b, loc, makeTensorType(element, dims),
                         PadMode::Constant, value, filler,
                         DimsAttr::get(b.getContext(), low));
  };
  size_t last = getDims(conv.getX().getType()).size() - 1;
  conv.getXMutable().assign(
      widen(conv.getX(), last, conv.getPads(), conv.getPadValue()));
  if (filled != channels)
    conv.getWeightMutable().assign(widen(conv.getWeight(), 1, {}, 0));
  conv.setPads(SmallVector<int64_t>(conv.getPads().size(), 0));
  conv.setPadValue(0);
}

namespace {

struct PadMaps : effc::impl::PadMapsBase<PadMaps> {
  using Base::Base;

  void runOnOperation() override {
    auto target =
        getOperation()->getParentOfType<ModuleOp>()->getAttrOfType<TargetAttr>(
            "eff.target");
    if (!target)
      return;
    getOperation().walk([&](ConvOp conv) {
      std::optional<ConvMap> map = ConvMap::get(conv, target);
      if (!map || map->kernelWidth == 1)
        return;
      bool isPadded =
          llvm::any_of(conv.getPads(), [](int64_t pad) { return pad != 0; });
      int64_t filled = map->getFilled(target),
              step = getInterleave(target, map->types);
      if ((!isPadded && filled == map->channels) ||
          filled * map->kernelWidth % step != 0 ||
          !map->fitsTiles(target, filled))
        return;
      // Where taps are no whole steps all rows are gathered.
      if (map->channels % step == 0 &&
          map->estimateSaving() <= map->estimateCopy())
        return;
      map->pad(filled);
      ++numPadded;
    });
  }
};

} // namespace
