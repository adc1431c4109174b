// Sampling at computed places: GridSample-22, AffineGrid-20, CropAndResize of
// com.microsoft. Places become pixel coordinates here; eff.sample interpolates.
#include "RuntimeShape.h"

using namespace mlir;
using namespace effc::eff;

namespace effc {

/// Sizes as a list of floats.
static Value emitSizes(Emitter &e, ArrayRef<AffineExpr> sizes, Type type) {
  Type i64 = e.ctx.builder().getI64Type();
  int64_t count = sizes.size();
  return e.convert(e.ctx.dimValues(sizes, i64, {count}), type);
}

/// A size as a scalar float.
static Value emitSize(Emitter &e, AffineExpr size, Type type) {
  return e.reshape(emitSizes(e, {size}, type), {});
}

/// f64 stays, other floats become f32.
static Type placeType(Value x) {
  Type type = elementTypeOf(x);
  return type.isF64() ? type : Float32Type::get(x.getContext());
}

static std::optional<ResizeMode> readMode(NodeContext &ctx) {
  std::string name =
      ctx.attrString("mode", ctx.opset() < 20 ? "bilinear" : "linear");
  auto mode = llvm::StringSwitch<std::optional<ResizeMode>>(name)
                  .Case("nearest", ResizeMode::Nearest)
                  .Cases({"linear", "bilinear"}, ResizeMode::Linear)
                  .Cases({"cubic", "bicubic"}, ResizeMode::Cubic)
                  .Default(std::nullopt);
  if (!mode)
    (void)ctx.error("attribute mode has the unknown value '" + name + "'");
  return mode;
}

LogicalResult importGridSample(NodeContext &ctx) {
  if (failed(ctx.requireInputs(2)))
    return failure();
  Emitter e(ctx);
  Value x = ctx.input(0), grid = ctx.input(1);
  std::optional<ResizeMode> mode = readMode(ctx);
  std::string name = ctx.attrString("padding_mode", "zeros");
  std::optional<SamplePadding> padding = symbolizeSamplePadding(name);
  bool align = ctx.attrBool("align_corners", false);
  if (!mode)
    return failure();
  if (!padding)
    return ctx.error("attribute padding_mode has the unknown value '" + name +
                     "'");
  int64_t spatial = rankOf(x) - 2;
  if (spatial < 1 || rankOf(grid) != spatial + 2 || !isFloat(grid))
    return ctx.error("needs an image of rank 3 or more and a float grid of the "
                     "same rank");
  if (spatial > 3)
    return ctx.unsupported(Twine(spatial) + " spatial dims",
                           "at most 3 are supported");
  if (!isFloat(x) && *mode != ResizeMode::Nearest)
    return ctx.unsupported("interpolation of integers",
                           "cast the image to float first");
  if (failed(ctx.requireEqual(e.dim(grid, spatial + 1), e.constant(spatial),
                              "the grid's last dim is not the number of "
                              "spatial dims")) ||
      failed(ctx.requireEqual(e.dim(grid, 0), e.dim(x, 0),
                              "image and grid differ in their batch")))
    return failure();
  Type type = placeType(grid);
  // A grid counts columns first.
  Value place = e.convert(grid, type);
  if (spatial > 1)
    place = e.sliceBy(place, spatial + 1, spatial - 1, e.constant(spatial), -1);
  Dims dims = e.dims(x);
  Value sizes = emitSizes(e, ArrayRef(dims).drop_front(2), type);
  place = e.add(place, 1.0);
  if (align)
    place = e.mul(e.mul(place, 0.5), e.add(sizes, -1.0));
  else
    place = e.mul(e.add(e.mul(place, sizes), -1.0), 0.5);
  return ctx.setOutput(
      0, ctx.create<SampleOp>(*mode, x, place, Value(), *padding, align));
}

/// The middle of every pixel along an axis of `size`, as AffineGrid counts: -1
/// and 1 are centres (align) or edges of the outermost pixels.
static Value emitNormalized(Emitter &e, ArrayRef<AffineExpr> dims, int64_t axis,
                            bool align, Type type) {
  AffineExpr size = dims[axis];
  Value index = e.iota(type, dims, axis, e.constant(0));
  if (align) {
    // A single pixel lies at -1.
    AffineExpr steps = e.ctx.maxSize(simplify(size - 1), e.constant(1));
    return e.add(e.div(e.mul(index, 2.0), emitSize(e, steps, type)), -1.0);
  }
  Value middle = e.add(e.mul(index, 2.0), 1.0);
  return e.add(e.div(middle, emitSize(e, size, type)), -1.0);
}

/// 2 or 3, of the dims of theta, of the length of size or of the result's rank.
static std::optional<int64_t> gridRank(NodeContext &ctx, Value theta,
                                       Value size) {
  if (rankOf(theta) != 3 || rankOf(size) != 1)
    return std::nullopt;
  Dims dims = getDims(theta.getType());
  std::optional<int64_t> rows = getConstant(dims[1]);
  if (std::optional<int64_t> columns = getConstant(dims[2])) {
    if (rows && *rows != *columns - 1)
      return std::nullopt;
    rows = *columns - 1;
  }
  if (!rows)
    if (auto length = getConstant(getDim(size.getType(), 0)))
      rows = *length - 2;
  if (std::optional<int64_t> rank = ctx.declaredRank(0); rank && !rows)
    rows = *rank - 2;
  return rows == 2 || rows == 3 ? rows : std::nullopt;
}

static Value emitAffineGrid(Emitter &e, Value theta, ArrayRef<AffineExpr> sizes,
                            bool align) {
  int64_t spatial = sizes.size();
  Type type = placeType(theta);
  Value wide = e.convert(theta, type), y;
  // y[n, place, k] = sum over j of theta[n, k, j] * coordinate j, plus
  // theta[n, k, last]; coordinate 0 runs along the last spatial dim.
  Dims factor(spatial + 2, e.constant(1));
  factor.front() = e.dim(theta, 0);
  factor.back() = e.constant(spatial);
  for (int64_t j = 0; j <= spatial; ++j) {
    Value term =
        e.reshape(e.slice(wide, 2, e.constant(j), e.constant(1)), factor);
    if (j < spatial) {
      int64_t axis = spatial - j;
      Dims line(spatial + 2, e.constant(1));
      line[axis] = sizes[axis - 1];
      term = e.mul(emitNormalized(e, line, axis, align, type), term);
    }
    y = y ? e.add(y, term) : term;
  }
  return e.convert(y, elementTypeOf(theta));
}

LogicalResult importAffineGrid(NodeContext &ctx) {
  if (failed(ctx.requireInputs(2)))
    return failure();
  Emitter e(ctx);
  Value theta = ctx.input(0);
  bool align = ctx.attrBool("align_corners", false);
  std::optional<int64_t> spatial = gridRank(ctx, theta, ctx.input(1));
  if (spatial) {
    StringRef what = "theta does not fit the number of spatial dims";
    theta = withSize(ctx, theta, 1, *spatial, what);
    theta = withSize(ctx, theta, 2, *spatial + 1, what);
  }
  if (!theta)
    return failure();
  if (!spatial || !isFloat(theta))
    return ctx.error("theta is not a float tensor of shape [N, 2, 3] or "
                     "[N, 3, 4]");
  Value list = withLength(ctx, ctx.input(1), *spatial + 2);
  if (!list)
    return failure();
  std::optional<Dims> given = ctx.sizes(list);
  if (!given || int64_t(given->size()) != *spatial + 2)
    return ctx.error("size is not a list of " + Twine(*spatial + 2) +
                     " integers");
  if (failed(ctx.requireEqual((*given)[0], e.dim(theta, 0),
                              "size and theta differ in their batch")))
    return failure();
  Dims sizes;
  for (int64_t i = 0; i < *spatial; ++i)
    sizes.push_back(settleSize(ctx, 0, i + 1, (*given)[i + 2]));
  return ctx.setOutput(0, emitAffineGrid(e, theta, sizes, align));
}

/// Coordinates [regions, count] of a crop along axis 0 (rows) or 1 (columns):
/// from start to end, or their middle for one pixel.
static Value emitCropAxis(Emitter &e, Value regions, int64_t axis,
                          AffineExpr count, AffineExpr extent, Type type) {
  auto bound = [&](int64_t column) {
    return e.slice(regions, 1, e.constant(column), e.constant(1));
  };
  Value start = bound(axis), end = bound(axis + 2);
  Value last = e.add(emitSize(e, extent, type), -1.0);
  Value middle = e.mul(e.mul(e.add(start, end), 0.5), last);
  if (getConstant(count) == 1)
    return middle;
  Value steps = emitSize(e, simplify(count - 1), type);
  Value step = e.div(e.mul(e.sub(end, start), last), steps);
  Value index = e.iota(type, {e.constant(1), count}, 1, e.constant(0));
  Value spread = e.add(e.mul(start, last), e.mul(index, step));
  return getConstant(count)
             ? spread
             : e.select(e.compare(CompareKind::Gt, steps, 0.0), spread, middle);
}

/// The two sizes of crops (input 3), positive.
static std::optional<Dims> readCropSize(NodeContext &ctx) {
  Value list = withLength(ctx, ctx.input(3), 2);
  if (!list)
    return std::nullopt;
  std::optional<Dims> size = ctx.sizes(list);
  if (!size || size->size() != 2) {
    (void)ctx.error("crop_size (input 3) is not two integers");
    return std::nullopt;
  }
  for (auto [i, extent] : llvm::enumerate(*size)) {
    extent = settleSize(ctx, 0, i + 2, extent);
    if (failed(requireWithin(ctx, extent, 1, INT32_MAX,
                             "crop_size (input 3) is not positive")))
      return std::nullopt;
  }
  return size;
}

LogicalResult importCropAndResize(NodeContext &ctx) {
  if (failed(ctx.requireInputs(4)))
    return failure();
  Emitter e(ctx);
  Value x = ctx.input(0), regions = ctx.input(1), images = ctx.input(2);
  std::string mode = ctx.attrString("mode", "bilinear");
  double fill = ctx.attrFloat("extrapolation_value", 0.0);
  if (mode != "bilinear" && mode != "nearest")
    return ctx.error("attribute mode has the unknown value '" + mode + "'");
  if (rankOf(x) != 4 || !isFloat(x) || rankOf(regions) != 2 ||
      !isFloat(regions))
    return ctx.error("needs a float image of rank 4 and float regions of rank "
                     "2");
  std::optional<Dims> size = readCropSize(ctx);
  if (!size)
    return failure();
  if (failed(ctx.requireEqual(e.dim(regions, 1), e.constant(4),
                              "regions do not have 4 numbers")) ||
      failed(ctx.requireEqual(e.dim(regions, 0), e.dim(images, 0),
                              "regions and batch_indices differ in number")))
    return failure();
  Type type = placeType(regions);
  Value wide = e.convert(regions, type), outside;
  Dims dims{e.dim(regions, 0), (*size)[0], (*size)[1], e.constant(1)};
  SmallVector<Value> places;
  for (int64_t axis = 0; axis < 2; ++axis) {
    AffineExpr extent = e.dim(x, axis + 2);
    Value place = emitCropAxis(e, wide, axis, (*size)[axis], extent, type);
    Value last = e.add(emitSize(e, extent, type), -1.0);
    Value beyond =
        e.binary(BinaryKind::Or, e.compare(CompareKind::Lt, place, 0.0),
                 e.compare(CompareKind::Gt, place, last));
    Dims column{dims[0], e.constant(1), e.constant(1), e.constant(1)};
    column[axis + 2] = dims[axis + 1];
    beyond = e.reshape(beyond, column);
    outside = outside ? e.binary(BinaryKind::Or, outside, beyond) : beyond;
    if (mode == "nearest")
      place = e.unary(UnaryKind::Floor, e.add(place, 0.5));
    column = {dims[0], e.constant(1), e.constant(1), e.constant(1)};
    column[axis + 1] = dims[axis + 1];
    places.push_back(e.broadcast(e.reshape(place, column), dims));
  }
  Value y = ctx.create<SampleOp>(
      mode == "nearest" ? ResizeMode::Nearest : ResizeMode::Linear, x,
      e.concat(places, 3), images, SamplePadding::Border, true);
  return ctx.setOutput(0,
                       e.select(outside, e.scalar(elementTypeOf(x), fill), y));
}

} // namespace effc
