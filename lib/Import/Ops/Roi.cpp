// Operators on regions of images: RoiAlign-22, MaxRoiPool-22; DeformConv-22,
// whose taps are displaced by data.
#include "Windows.h"

using namespace mlir;
using namespace effc::eff;

namespace effc {

LogicalResult importRoiAlign(NodeContext &ctx) {
  if (failed(ctx.requireInputs(3)))
    return failure();
  Emitter e(ctx);
  Value x = ctx.input(0), rois = ctx.input(1), images = ctx.input(2);
  std::string mode = ctx.attrString("mode", "avg");
  std::string coordinates =
      ctx.attrString("coordinate_transformation_mode",
                     ctx.opset() < 16 ? "output_half_pixel" : "half_pixel");
  int64_t height = ctx.attrInt("output_height", 1);
  int64_t width = ctx.attrInt("output_width", 1);
  int64_t ratio = ctx.attrInt("sampling_ratio", 0);
  double scale = ctx.attrFloat("spatial_scale", 1.0);
  if (mode != "avg" && mode != "max")
    return ctx.error("attribute mode has the unknown value '" + mode + "'");
  if (coordinates != "half_pixel" && coordinates != "output_half_pixel")
    return ctx.error("attribute coordinate_transformation_mode has the unknown "
                     "value '" +
                     coordinates + "'");
  if (height < 1 || width < 1 || ratio < 0)
    return ctx.error("output_height and output_width must be positive, "
                     "sampling_ratio not negative");
  if (rankOf(x) != 4 || rankOf(rois) != 2 || rankOf(images) != 1)
    return ctx.error("needs an image of rank 4, regions of rank 2 and "
                     "batch_indices of rank 1");
  if (failed(ctx.requireEqual(e.dim(rois, 1), e.constant(4),
                              "regions do not have 4 numbers")) ||
      failed(ctx.requireEqual(e.dim(rois, 0), e.dim(images, 0),
                              "regions and batch_indices differ in number")))
    return failure();
  rois = e.slice(rois, 1, e.constant(0), e.constant(4));
  Dims dims{e.dim(rois, 0), e.dim(x, 1), e.constant(height), e.constant(width)};
  return ctx.setOutput(
      0, ctx.createTyped<RoiAlignOp>(
             makeTensorType(elementTypeOf(x), dims),
             mode == "avg" ? ReduceKind::Mean : ReduceKind::Max, x, rois,
             images, ratio, llvm::APFloat(scale), coordinates == "half_pixel"));
}

LogicalResult importMaxRoiPool(NodeContext &ctx) {
  if (failed(ctx.requireInputs(2)))
    return failure();
  Emitter e(ctx);
  Value x = ctx.input(0), rois = ctx.input(1);
  SmallVector<int64_t> cells = ctx.attrInts("pooled_shape", {});
  double scale = ctx.attrFloat("spatial_scale", 1.0);
  if (cells.size() != 2 || cells[0] < 1 || cells[1] < 1)
    return ctx.hasFailed()
               ? failure()
               : ctx.error("attribute pooled_shape is not two positive sizes");
  if (rankOf(x) != 4 || rankOf(rois) != 2)
    return ctx.error("needs an image of rank 4 and regions of rank 2");
  if (failed(ctx.requireEqual(e.dim(rois, 1), e.constant(5),
                              "regions do not have 5 numbers")))
    return failure();
  rois = e.slice(rois, 1, e.constant(0), e.constant(5));
  Dims dims{e.dim(rois, 0), e.dim(x, 1), e.constant(cells[0]),
            e.constant(cells[1])};
  return ctx.setOutput(
      0, ctx.createTyped<RoiPoolOp>(makeTensorType(elementTypeOf(x), dims), x,
                                    rois, llvm::APFloat(scale)));
}

/// Sizes that operands of DeformConv must have; reports the first that differs.
static LogicalResult checkDeform(Emitter &e, ArrayRef<AffineExpr> x,
                                 ArrayRef<AffineExpr> w, Value offset,
                                 Value mask, const Windows &windows,
                                 int64_t groups, int64_t offsetGroups) {
  NodeContext &ctx = e.ctx;
  Dims moved = e.dims(offset);
  AffineExpr taps = product(ctx.context(), windows.extents);
  AffineExpr perGroup = exactDiv(x[1], e.constant(offsetGroups));
  SmallVector<std::pair<AffineExpr, AffineExpr>> equal = {
      {x[0], moved[0]},
      {x[1], simplify(w[1] * groups)},
      {x[1], simplify(perGroup * offsetGroups)},
      {w[0], simplify(exactDiv(w[0], e.constant(groups)) * groups)},
      {moved[1], simplify(taps * (2 * offsetGroups))}};
  for (int64_t i = 0; i < 2; ++i) {
    AffineExpr span =
        x[i + 2] + windows.pads[i] + windows.pads[i + 2] - windows.reachSize(i);
    equal.push_back(
        {moved[i + 2], simplify(span.floorDiv(windows.strides[i]) + 1)});
  }
  if (mask) {
    Dims masked = e.dims(mask);
    if (masked.size() != 4)
      return ctx.error("the mask is not of rank 4");
    equal.push_back({masked[1], simplify(taps * offsetGroups)});
    for (int64_t i : {0, 2, 3})
      equal.push_back({masked[i], moved[i]});
  }
  for (auto [a, b] : equal)
    if (failed(ctx.requireEqual(a, b, "shapes, groups and offsets do not fit")))
      return failure();
  return success();
}

LogicalResult importDeformConv(NodeContext &ctx) {
  if (failed(ctx.requireInputs(3, 5)))
    return failure();
  Emitter e(ctx);
  Value x = ctx.input(0), weight = ctx.input(1), offset = ctx.input(2);
  Value bias = ctx.input(3), mask = ctx.input(4);
  int64_t groups = ctx.attrInt("group", 1);
  int64_t offsetGroups = ctx.attrInt("offset_group", 1);
  if (rankOf(x) != 4 || rankOf(weight) != 4 || rankOf(offset) != 4)
    return ctx.unsupported("other than two spatial dims");
  if (groups < 1 || offsetGroups < 1)
    return ctx.error("attributes group and offset_group must be positive");
  Dims dims = e.dims(x), w = e.dims(weight), moved = e.dims(offset);
  if (getConstant(w[2]) == 0 || getConstant(w[3]) == 0)
    return ctx.error("the kernel is empty");
  std::optional<Windows> windows = readWindows(ctx, dims, {w[2], w[3]});
  if (!windows || failed(checkDeform(e, dims, w, offset, mask, *windows, groups,
                                     offsetGroups)))
    return failure();
  Dims result{dims[0], w[0], moved[2], moved[3]};
  Value y = ctx.createTyped<DeformConvOp>(
      makeTensorType(elementTypeOf(x), result), x, weight, offset, mask,
      windows->strides, windows->dilations,
      ArrayRef(windows->pads).take_front(2), groups, offsetGroups);
  if (bias && y)
    y = e.add(y, e.reshape(bias, {w[0], e.constant(1), e.constant(1)}));
  return ctx.setOutput(0, y);
}

} // namespace effc
