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
    operand = plan.runtimeRoi = withLength(ctx, operand, 2 * plan.axes.size());
  if (!operand)
    return failure();
  return checkCount(ctx, "the region (input 1)",
                    tensorType(operand).getNumElements(), 2 * plan.axes.size());
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
    plan.sizes.push_back(
        scaledSize(ctx, x[axis], scales[i] * plan.roiLength(i)));
  }
  plan.scales.assign(scales.begin(), scales.end());
  if (!llvm::is_contained(plan.sizes, AffineExpr()))
    return success();
  SmallVector<double> list(scales);
  return sizesFromRuntimeScales(
      ctx,
      ctx.constant(DenseElementsAttr::get(
          RankedTensorType::get(list.size(), ctx.builder().getF64Type()),
          ArrayRef<double>(list))),
      plan);
}

static double quotient(AffineExpr out, AffineExpr in) {
  std::optional<int64_t> above = getConstant(out), below = getConstant(in);
  return above && below && *below ? double(*above) / double(*below) : unknown;
}

/// keep_aspect_ratio_policy: "not_larger" or "not_smaller" makes one scale of
/// all.
static LogicalResult applyPolicy(NodeContext &ctx, ArrayRef<AffineExpr> x,
                                 ResizePlan &plan) {
  std::string policy = ctx.attrString("keep_aspect_ratio_policy", "stretch");
  if (policy == "stretch")
    return success();
  bool smallest = policy == "not_larger";
  if (!smallest && policy != "not_smaller")
    return ctx.error("attribute keep_aspect_ratio_policy has the unknown "
                     "value '" +
                     policy + "'");
  if (plan.axes.empty())
    return success();
  if (llvm::any_of(plan.scales, [](double s) { return std::isnan(s); }))
    return applyRuntimePolicy(ctx, smallest, plan);
  double scale = smallest ? *llvm::min_element(plan.scales)
                          : *llvm::max_element(plan.scales);
  for (auto [size, axis] : llvm::zip(plan.sizes, plan.axes))
    size = constDim(
        ctx.context(),
        int64_t(std::floor(scale * double(*getConstant(x[axis])) + 0.5)));
  plan.scales.assign(plan.axes.size(), scale);
  return success();
}

/// Sizes of operand 3; what is data and follows no policy is as declared.
static LogicalResult sizesFromSizes(NodeContext &ctx, ArrayRef<AffineExpr> x,
                                    Value operand, ResizePlan &plan) {
  Value list = withLength(ctx, operand, plan.axes.size());
  if (!list)
    return failure();
  std::optional<Dims> sizes = ctx.sizes(list);
  if (!sizes)
    return ctx.error("sizes is not a list of integers");
  if (failed(checkCount(ctx, "sizes", sizes->size(), plan.axes.size())))
    return failure();
  bool settles =
      ctx.attrString("keep_aspect_ratio_policy", "stretch") == "stretch";
  for (auto [size, axis] : llvm::zip(*sizes, plan.axes)) {
    plan.sizes.push_back(settles ? settleSize(ctx, 0, axis, size) : size);
    plan.scales.push_back(quotient(plan.sizes.back(), x[axis]));
  }
  return applyPolicy(ctx, x, plan);
}

/// Sizes and scales of a list of scales, which may be data.
static LogicalResult sizesFromOperand(NodeContext &ctx, ArrayRef<AffineExpr> x,
                                      Value operand, ResizePlan &plan) {
  Value list = withLength(ctx, operand, plan.axes.size());
  if (!list)
    return failure();
  std::optional<SmallVector<double>> scales = ctx.floats(list);
  // A region that is not constant decides the sizes as well.
  if (scales && !plan.runtimeRoi)
    return sizesFromScales(ctx, x, *scales, plan);
  if (failed(checkCount(ctx, "scales", tensorType(list).getNumElements(),
                        plan.axes.size())) ||
      failed(sizesFromRuntimeScales(ctx, list, plan)))
    return failure();
  for (auto [size, axis] : llvm::zip(plan.sizes, plan.axes))
    plan.scales.push_back(quotient(size, x[axis]));
  // Some coordinates follow from the sizes alone.
  bool usesScale = plan.coordinates != CoordinateMode::AlignCorners &&
                   plan.coordinates != CoordinateMode::TfCropAndResize;
  if (usesScale || plan.antialias)
    plan.runtimeScales = list;
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
  if (plan.runtimeScales || plan.runtimeRoi)
    return ctx.setOutput(0, emitRuntimeResize(ctx, plan));
  dropIdentityAxes(dims, plan);
  if (plan.axes.empty())
    return ctx.setOutput(0, x);
  for (auto [axis, size] : llvm::zip(plan.axes, plan.sizes))
    dims[axis] = size;
  return ctx.setOutput(0, ctx.createTyped<ResizeOp>(
                              makeTensorType(elementTypeOf(x), dims), plan.mode,
                              x, plan.axes, plan.scales, plan.coordinates,
                              plan.nearest, llvm::APFloat(plan.cubic),
                              plan.excludeOutside, plan.antialias,
                              llvm::APFloat(plan.extrapolation), plan.roi));
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
                    : sizesFromOperand(ctx, dims, ctx.input(1), plan)))
    return failure();
  plan.ceilsWhenShrinking = bool(plan.runtimeScales);
  bool shrinks = llvm::any_of(plan.scales, [](double s) { return s < 1.0; });
  bool grows = llvm::any_of(plan.scales, [](double s) { return s > 1.0; });
  if (shrinks && grows && plan.mode == ResizeMode::Nearest &&
      !plan.runtimeScales)
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
  plan.cubic = ctx.attrFloat("cubic_coeff_a", -0.75);
  plan.excludeOutside = ctx.attrBool("exclude_outside", false);
  plan.antialias = ctx.attrBool("antialias", false);
  plan.extrapolation = ctx.attrFloat("extrapolation_value", 0.0);
  // Without meaning where scales decide.
  ctx.ignoreAttr("keep_aspect_ratio_policy");
  LogicalResult status = success();
  if (Value operand = given(ctx, 3))
    status = sizesFromSizes(ctx, dims, operand, plan);
  else if (Value operand = given(ctx, 2))
    status = sizesFromOperand(ctx, dims, operand, plan);
  else
    return ctx.error("neither scales (input 2) nor sizes (input 3) is given");
  return failed(status) ? failure() : buildResize(ctx, plan);
}

} // namespace effc
