// Resize and its predecessor Upsample: sizes, scales and modes of all versions
// in terms of eff.resize.
#include "Resize.h"
#include "RuntimeShape.h"

#include <cmath>
#include <limits>

using namespace mlir;
using namespace effc::eff;

namespace effc {

static constexpr double unknown = std::numeric_limits<double>::quiet_NaN();

static LogicalResult readModes(NodeContext &ctx, ResizePlan &plan) {
  std::string mode = ctx.attrString("mode", "nearest");
  auto resizeMode = llvm::StringSwitch<std::optional<ResizeMode>>(mode)
                        .Case("nearest", ResizeMode::Nearest)
                        .Cases({"linear", "bilinear"}, ResizeMode::Linear)
                        .Case("cubic", ResizeMode::Cubic)
                        .Default(std::nullopt);
  std::string coordinates =
      ctx.attrString("coordinate_transformation_mode",
                     ctx.opset() < 11 ? "asymmetric" : "half_pixel");
  std::optional<CoordinateMode> coordinateMode =
      symbolizeCoordinateMode(coordinates);
  std::string nearest = ctx.attrString("nearest_mode", "round_prefer_floor");
  std::optional<NearestMode> nearestMode = symbolizeNearestMode(nearest);
  if (!resizeMode || !coordinateMode || !nearestMode)
    return ctx.error("unknown value of an attribute: mode '" + mode +
                     "', coordinate_transformation_mode '" + coordinates +
                     "', nearest_mode '" + nearest + "'");
  plan.mode = *resizeMode;
  plan.coordinates = *coordinateMode;
  plan.nearest = *nearestMode;
  return success();
}

/// An operand that is there and not an empty list.
static Value given(NodeContext &ctx, unsigned index) {
  Value value = ctx.input(index);
  return value && tensorType(value).getShape() != ArrayRef<int64_t>{0}
             ? value
             : Value();
}

static LogicalResult checkCount(NodeContext &ctx, StringRef what, size_t count,
                                size_t expected) {
  if (count == expected)
    return success();
  return ctx.error(what + " has " + Twine(count) + " elements, " +
                   Twine(expected) + " are needed");
}

static LogicalResult readRoi(NodeContext &ctx, ResizePlan &plan) {
  if (plan.coordinates != CoordinateMode::TfCropAndResize)
    return success();
  Value operand = given(ctx, 1);
  if (!operand)
    return ctx.error("tf_crop_and_resize needs a region (input 1)");
  std::optional<SmallVector<double>> roi = ctx.floats(operand);
  if (roi)
    plan.roi = *roi;
  else
    plan.runtimeRoi = operand;
  int64_t count = roi ? roi->size() : tensorType(operand).getDimSize(0);
  return checkCount(ctx, "the region (input 1)", count, 2 * plan.axes.size());
}

/// floor(in * factor), exact for constant sizes and for factors that are
/// fractions with a small denominator.
static AffineExpr scaledSize(NodeContext &ctx, AffineExpr in, double factor) {
  // ONNX's scales are float32, and so is the product in its runtimes.
  if (std::optional<int64_t> size = getConstant(in))
    return constDim(ctx.context(), std::floor(float(*size) * float(factor)));
  for (int64_t q = 1; q <= 256; ++q)
    if (double p = factor * q; p == std::floor(p))
      return simplify((in * int64_t(p)).floorDiv(q));
  return {};
}

static LogicalResult sizesFromScales(NodeContext &ctx, ArrayRef<AffineExpr> x,
                                     ArrayRef<double> scales,
                                     ResizePlan &plan) {
  if (failed(checkCount(ctx, "scales", scales.size(), plan.axes.size())))
    return failure();
  for (auto [i, axis] : llvm::enumerate(plan.axes)) {
    if (!(scales[i] > 0))
      return ctx.error("scales holds a value that is not positive");
    AffineExpr size = scaledSize(ctx, x[axis], scales[i] * plan.roiLength(i));
    if (!size)
      return ctx.unsupported("scale " + Twine(std::to_string(scales[i])) +
                                 " of a symbolic size",
                             "fix the size with --input-shape, or export "
                             "with sizes");
    plan.sizes.push_back(size);
  }
  plan.scales.assign(scales.begin(), scales.end());
  return success();
}

static double quotient(AffineExpr out, AffineExpr in) {
  std::optional<int64_t> above = getConstant(out), below = getConstant(in);
  return above && below && *below ? double(*above) / double(*below) : unknown;
}

/// keep_aspect_ratio_policy: "not_larger" or "not_smaller" makes one scale of
/// all; `exact` says that the sizes are results of that already.
static LogicalResult applyPolicy(NodeContext &ctx, ArrayRef<AffineExpr> x,
                                 bool exact, ResizePlan &plan) {
  std::string policy = ctx.attrString("keep_aspect_ratio_policy", "stretch");
  if (policy == "stretch")
    return success();
  if (policy != "not_larger" && policy != "not_smaller")
    return ctx.error("attribute keep_aspect_ratio_policy has the unknown "
                     "value '" +
                     policy + "'");
  if (llvm::any_of(plan.scales, [](double s) { return std::isnan(s); }))
    return ctx.unsupported("keep_aspect_ratio_policy on symbolic sizes",
                           "fix the sizes with --input-shape");
  auto scaled = [&](size_t i, double scale) {
    double size = scale * double(*getConstant(x[plan.axes[i]]));
    return int64_t(std::floor(size + 0.5));
  };
  double scale = policy == "not_larger" ? *llvm::min_element(plan.scales)
                                        : *llvm::max_element(plan.scales);
  if (exact) {
    // The axis whose size decided gives the scale; it must be the only one
    // that gives all sizes.
    SmallVector<double> fits;
    for (double candidate : plan.scales) {
      bool all = true;
      for (auto [i, size] : llvm::enumerate(plan.sizes))
        all &= scaled(i, candidate) == *getConstant(size);
      if (all && !llvm::is_contained(fits, candidate))
        fits.push_back(candidate);
    }
    if (fits.size() != 1)
      return ctx.unsupported("sizes is not constant and the declared result "
                             "does not tell the scale",
                             "make this operand an initializer");
    scale = fits.front();
  }
  for (size_t i = 0; i < plan.axes.size(); ++i)
    plan.sizes[i] = constDim(ctx.context(), scaled(i, scale));
  plan.scales.assign(plan.axes.size(), scale);
  return success();
}

static LogicalResult sizesFromSizes(NodeContext &ctx, ArrayRef<AffineExpr> x,
                                    ArrayRef<AffineExpr> sizes, bool exact,
                                    ResizePlan &plan) {
  if (failed(checkCount(ctx, "sizes", sizes.size(), plan.axes.size())))
    return failure();
  plan.sizes.assign(sizes.begin(), sizes.end());
  for (auto [size, axis] : llvm::zip(sizes, plan.axes))
    plan.scales.push_back(quotient(size, x[axis]));
  return applyPolicy(ctx, x, exact, plan);
}

/// floor(size * scale), for scales that are data.
static LogicalResult sizesAtRuntime(NodeContext &ctx, ArrayRef<AffineExpr> x,
                                    Value scales, ResizePlan &plan) {
  Emitter e(ctx);
  Value given = withLength(ctx, scales, plan.axes.size());
  if (!given)
    return failure();
  if (failed(checkCount(ctx, "scales", tensorType(given).getNumElements(),
                        plan.axes.size())))
    return failure();
  SmallVector<AffineExpr> old;
  for (int64_t axis : plan.axes)
    old.push_back(x[axis]);
  Type i64 = ctx.builder().getI64Type(), f32 = ctx.builder().getF32Type();
  Value sizes = e.convert(ctx.dimValues(old, i64, {int64_t(old.size())}), f32);
  sizes = e.convert(
      e.unary(UnaryKind::Floor, e.mul(sizes, e.convert(given, f32))), i64);
  for (auto [size, axis] : llvm::zip(defineSizes(e, sizes), plan.axes))
    plan.sizes.push_back(settleSize(ctx, 0, axis, size));
  if (ctx.hasFailed())
    return failure();
  for (auto [size, axis] : llvm::zip(plan.sizes, plan.axes))
    plan.scales.push_back(quotient(size, x[axis]));
  if (plan.coordinates != CoordinateMode::AlignCorners)
    plan.runtimeScales = given;
  return success();
}

/// Sizes of the declared result, where the operand (`scales`, or sizes when
/// that is null) is only known at run time.
static LogicalResult sizesFromResult(NodeContext &ctx, ArrayRef<AffineExpr> x,
                                     Value scales, ResizePlan &plan) {
  std::optional<Dims> declared = ctx.declaredDims(0);
  bool known = declared && declared->size() == x.size() &&
               llvm::all_of(*declared, [](AffineExpr e) { return bool(e); });
  bool isCropped = plan.coordinates == CoordinateMode::TfCropAndResize;
  if (!known && scales && !isCropped)
    return sizesAtRuntime(ctx, x, scales, plan);
  if (!known)
    return ctx.unsupported(
        Twine(scales ? "scales" : "sizes") +
            " is not constant and the declared result does not tell the sizes",
        "make this operand an initializer");
  SmallVector<AffineExpr> sizes;
  for (int64_t axis : plan.axes)
    sizes.push_back((*declared)[axis]);
  if (!scales)
    return sizesFromSizes(ctx, x, sizes, /*exact=*/true, plan);
  plan.sizes.assign(sizes.begin(), sizes.end());
  for (auto [size, axis] : llvm::zip(sizes, plan.axes))
    plan.scales.push_back(quotient(size, x[axis]));
  // Sizes are rounded, so they do not tell the scales.
  bool usesScale = plan.coordinates != CoordinateMode::AlignCorners &&
                   plan.coordinates != CoordinateMode::TfCropAndResize;
  if (usesScale)
    plan.runtimeScales = scales;
  return success();
}

/// Leaves out axes that keep their size: every mode maps them to themselves.
static void dropIdentityAxes(ArrayRef<AffineExpr> x, ResizePlan &plan) {
  if (plan.coordinates == CoordinateMode::TfCropAndResize)
    return;
  ResizePlan kept = plan;
  kept.axes.clear();
  kept.sizes.clear();
  kept.scales.clear();
  for (auto [axis, size, scale] :
       llvm::zip(plan.axes, plan.sizes, plan.scales)) {
    if (size == x[axis] && (std::isnan(scale) || scale == 1.0))
      continue;
    kept.axes.push_back(axis);
    kept.sizes.push_back(size);
    kept.scales.push_back(scale);
  }
  plan = kept;
}

static LogicalResult buildResize(NodeContext &ctx, ResizePlan &plan) {
  Value x = ctx.input(0);
  Dims dims = getDims(x.getType());
  double cubic = ctx.attrFloat("cubic_coeff_a", -0.75);
  bool excludeOutside = ctx.attrBool("exclude_outside", false);
  bool antialias = ctx.attrBool("antialias", false);
  double extrapolation = ctx.attrFloat("extrapolation_value", 0.0);
  if (plan.runtimeScales || plan.runtimeRoi) {
    if (antialias)
      return ctx.unsupported("antialias with scales that are not constant",
                             "make input 2 an initializer");
    return ctx.setOutput(
        0, emitRuntimeResize(ctx, plan, cubic, excludeOutside, extrapolation));
  }
  dropIdentityAxes(dims, plan);
  if (plan.axes.empty())
    return ctx.setOutput(0, x);
  for (auto [axis, size] : llvm::zip(plan.axes, plan.sizes))
    dims[axis] = size;
  return ctx.setOutput(0,
                       ctx.createTyped<ResizeOp>(
                           makeTensorType(elementTypeOf(x), dims), plan.mode, x,
                           plan.axes, plan.scales, plan.coordinates,
                           plan.nearest, llvm::APFloat(cubic), excludeOutside,
                           antialias, llvm::APFloat(extrapolation), plan.roi));
}

/// Upsample and Resize-10: coordinates are x / scale; nearest rounds down, and
/// up when shrinking (the reference of these versions, ONNX Runtime).
LogicalResult importUpsample(NodeContext &ctx) {
  bool attribute = ctx.hasAttr("scales");
  if (failed(ctx.requireInputs(attribute ? 1 : 2)))
    return failure();
  Value x = ctx.input(0);
  Dims dims = getDims(x.getType());
  std::optional<SmallVector<double>> scales =
      attribute ? ctx.attrFloats("scales") : ctx.floats(ctx.input(1));
  ResizePlan plan;
  if (failed(readModes(ctx, plan)))
    return failure();
  plan.axes = llvm::to_vector(llvm::seq<int64_t>(0, rankOf(x)));
  if (failed(scales ? sizesFromScales(ctx, dims, *scales, plan)
                    : sizesFromResult(ctx, dims, ctx.input(1), plan)))
    return failure();
  bool shrinks = llvm::any_of(plan.scales, [](double s) { return s < 1.0; });
  bool grows = llvm::any_of(plan.scales, [](double s) { return s > 1.0; });
  if (shrinks && grows && plan.mode == ResizeMode::Nearest)
    return ctx.unsupported("scales that shrink one axis and enlarge another",
                           "use two nodes, or opset 11 or newer");
  plan.nearest = shrinks ? NearestMode::Ceil : NearestMode::Floor;
  return buildResize(ctx, plan);
}

LogicalResult importResize(NodeContext &ctx) {
  if (failed(ctx.requireInputs(1, 4)))
    return failure();
  Value x = ctx.input(0);
  Dims dims = getDims(x.getType());
  ResizePlan plan;
  SmallVector<int64_t> all = llvm::to_vector(llvm::seq<int64_t>(0, rankOf(x)));
  for (int64_t axis : ctx.attrInts("axes", all)) {
    std::optional<int64_t> normal = normalizeAxis(ctx, axis, rankOf(x));
    if (!normal)
      return failure();
    plan.axes.push_back(*normal);
  }
  if (failed(readModes(ctx, plan)) || failed(readRoi(ctx, plan)))
    return failure();
  // Without meaning where scales decide.
  std::string policy = ctx.attrString("keep_aspect_ratio_policy", "stretch");
  LogicalResult status = success();
  if (Value operand = given(ctx, 3)) {
    std::optional<Dims> sizes = ctx.knownSizes(operand);
    if (!sizes && policy == "stretch")
      sizes = ctx.sizes(withLength(ctx, operand, plan.axes.size()));
    if (ctx.hasFailed())
      return failure();
    if (sizes && sizes->size() == plan.axes.size())
      for (auto [size, axis] : llvm::zip(*sizes, plan.axes))
        size = settleSize(ctx, 0, axis, size);
    status = sizes ? sizesFromSizes(ctx, dims, *sizes, /*exact=*/false, plan)
                   : sizesFromResult(ctx, dims, /*scales=*/{}, plan);
  } else if (Value operand = given(ctx, 2)) {
    // A region that is not constant decides the sizes as well.
    std::optional<SmallVector<double>> scales =
        plan.runtimeRoi ? std::nullopt : ctx.floats(operand);
    status = scales ? sizesFromScales(ctx, dims, *scales, plan)
                    : sizesFromResult(ctx, dims, operand, plan);
  } else {
    return ctx.error("neither scales (input 2) nor sizes (input 3) is given");
  }
  return failed(status) ? failure() : buildResize(ctx, plan);
}

} // namespace effc
