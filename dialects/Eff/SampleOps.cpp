// Verifiers, shape functions and costs of SampleOps.td.
#include "Eff/EffOps.h"
#include "Eff/Verify.h"

using namespace mlir;
using namespace effc::eff;

LogicalResult
SampleOp::inferReturnTypes(MLIRContext *, std::optional<Location> location,
                           ValueRange operands, DictionaryAttr attributes,
                           OpaqueProperties properties, RegionRange regions,
                           SmallVectorImpl<Type> &results) {
  if (failed(checkDims<SampleOp>(location, operands)))
    return failure();
  Adaptor adaptor(operands, attributes, properties, regions);
  Dims x = getDims(adaptor.getX().getType()),
       places = getDims(adaptor.getPlaces().getType());
  // sample_c1: 1 to 3 spatial dims, and a coordinate for each.
  if (x.size() < 3 || x.size() > 5 || places.size() < 2 ||
      getConstant(places.back()) != int64_t(x.size()) - 2)
    return inferError<SampleOp>(location, "samples an image of rank ", x.size(),
                                " at places of dims ", toString(places));
  // sample_c2: a row for each image unless their numbers are given.
  if (!adaptor.getImages() && contradict(x[0], places[0]))
    return inferError<SampleOp>(location, "has ", toString({places[0]}),
                                " rows of places for ", toString({x[0]}),
                                " images");
  Dims dims{places[0], x[1]};
  dims.append(places.begin() + 1, places.end() - 1);
  results.push_back(makeTensorType(getElementType(adaptor.getX()), dims));
  return success();
}

/// A list of one image number for each row.
static LogicalResult verifyImages(Operation *op, Value images,
                                  AffineExpr rows) {
  Dims dims = getDims(images.getType());
  if (dims.size() != 1 || contradict(dims[0], rows) ||
      !isIndex(getElementType(images)))
    return op->emitOpError("takes image numbers of type ") << images.getType();
  return success();
}

LogicalResult SampleOp::verify() {
  if (failed(verifyInferred(*this)))
    return failure();
  // sample_c3: coordinates are f32 or f64; only `nearest` takes other elements
  // than floats.
  Type place = getElementType(getPlaces());
  if ((!place.isF32() && !place.isF64()) ||
      (!isFloat(getElementType(getX())) && getMode() != ResizeMode::Nearest))
    return emitOpError("samples ")
           << getElementType(getX()) << " at places of " << place;
  // sample_c4: image numbers are a list of indices, one for each row.
  if (getImages())
    return verifyImages(*this, getImages(), getDims(getPlaces().getType())[0]);
  return success();
}

int64_t SampleOp::getNumTaps() {
  int64_t perDim = getMode() == ResizeMode::Nearest  ? 1
                   : getMode() == ResizeMode::Linear ? 2
                                                     : 4;
  int64_t taps = 1;
  for (int64_t i = 0; i < getSpatialRank(); ++i)
    taps *= perDim;
  return taps;
}

AffineExpr SampleOp::getFlops() {
  return simplify(getNumElements(getType()) * (2 * getNumTaps()));
}

/// What both kinds of regions share: rank 4, `columns` numbers a region.
template <typename OpTy>
static LogicalResult verifyBoxes(OpTy op, int64_t columns) {
  if (failed(verifyDims(op)))
    return failure();
  Dims x = getDims(op.getX().getType()), rois = getDims(op.getRois().getType()),
       y = getDims(op.getType());
  if (x.size() != 4 || y.size() != 4 || contradict(x[1], y[1]))
    return op.emitOpError("makes ") << toString(y) << " of " << toString(x);
  if (rois.size() != 2 || getConstant(rois[1]) != columns ||
      contradict(rois[0], y[0]))
    return op.emitOpError("has regions ")
           << toString(rois) << " for " << toString(y);
  Type type = getElementType(op.getX());
  if (!isFloat(type) || type != getElementType(op.getY()) ||
      !isFloat(getElementType(op.getRois())))
    return op.emitOpError("makes ")
           << getElementType(op.getY()) << " of " << type;
  return success();
}

LogicalResult RoiAlignOp::verify() {
  // roi_align_c1: floats, ranks and extents fit.
  if (failed(verifyBoxes(*this, 4)))
    return failure();
  // roi_align_c2: mean or max of samples, whose number is not negative.
  if ((getKind() != ReduceKind::Mean && getKind() != ReduceKind::Max) ||
      getSamplingRatio() < 0)
    return emitOpError("has kind or sampling_ratio out of range");
  return verifyImages(*this, getImages(), getDims(getType())[0]);
}

AffineExpr RoiAlignOp::getFlops() {
  // Without a ratio, cells of about two pixels are usual.
  int64_t samples = getSamplingRatio() ? getSamplingRatio() : 2;
  return simplify(getNumElements(getType()) * (samples * samples * 16));
}

LogicalResult RoiPoolOp::verify() {
  // roi_pool_c1: floats, ranks and extents fit.
  return verifyBoxes(*this, 5);
}

LogicalResult DeformConvOp::verify() {
  if (failed(verifyDims(*this)))
    return failure();
  Dims x = getDims(getX().getType()), w = getDims(getWeight().getType()),
       offset = getDims(getOffset().getType()), y = getDims(getType());
  // deform_conv_c1: images of rank 4, attributes with an entry for each of two
  // dims.
  if (x.size() != 4 || w.size() != 4 || offset.size() != 4 || y.size() != 4 ||
      getStrides().size() != 2 || getDilations().size() != 2 ||
      getPads().size() != 2)
    return emitOpError("has ranks or attributes that do not fit two dims");
  auto isPositive = [](int64_t value) { return value > 0; };
  // deform_conv_c2: strides, dilations and groups are positive.
  if (!llvm::all_of(getStrides(), isPositive) ||
      !llvm::all_of(getDilations(), isPositive) || getGroups() < 1 ||
      getOffsetGroups() < 1)
    return emitOpError("needs positive strides, dilations and groups");
  // deform_conv_c3: offsets for every tap and group, extents as the result's.
  AffineExpr taps = simplify(w[2] * w[3] * int64_t(getOffsetGroups()));
  if (contradict(offset[1], simplify(taps * 2)) ||
      contradict(offset, Dims{y[0], offset[1], y[2], y[3]}) ||
      contradict(x[0], y[0]) || contradict(w[0], y[1]) ||
      contradict(x[1], simplify(w[1] * int64_t(getGroups()))))
    return emitOpError("has offsets ") << toString(offset) << " for weights "
                                       << toString(w) << " and " << toString(y);
  if (getMask() &&
      contradict(getDims(getMask().getType()), Dims{y[0], taps, y[2], y[3]}))
    return emitOpError("has a mask of type ") << getMask().getType();
  Type type = getElementType(getX());
  // deform_conv_c4: one float type.
  for (Value value : getOperation()->getOperands())
    if (!isFloat(type) || getElementType(value) != type)
      return emitOpError("mixes element types");
  return success();
}

AffineExpr DeformConvOp::getFlops() {
  Dims w = getDims(getWeight().getType());
  return simplify(getNumElements(getType()) * w[1] * w[2] * w[3] * 2);
}

LogicalResult Col2ImOp::verify() {
  if (failed(verifyDims(*this)))
    return failure();
  Dims x = getDims(getX().getType()), y = getDims(getType());
  size_t spatial = y.size() < 2 ? 0 : y.size() - 2;
  // col2im_c1: a kernel extent and a number of windows for each spatial dim.
  if (!spatial || x.size() != 2 + 2 * spatial ||
      getStrides().size() != spatial || getDilations().size() != spatial ||
      getPads().size() != spatial)
    return emitOpError("takes rank ") << x.size() << " to rank " << y.size();
  auto isPositive = [](int64_t value) { return value > 0; };
  // col2im_c2: strides and dilations are positive, pads not negative.
  if (!llvm::all_of(getStrides(), isPositive) ||
      !llvm::all_of(getDilations(), isPositive) ||
      llvm::any_of(getPads(), [](int64_t value) { return value < 0; }))
    return emitOpError("needs positive strides and dilations, and pads from 0 "
                       "on");
  // col2im_c3: samples, channels and the element type stay.
  if (contradict(x[0], y[0]) || contradict(x[1], y[1]) ||
      getElementType(getX()) != getElementType(getY()))
    return emitOpError("takes ") << getX().getType() << " to " << getType();
  return success();
}

AffineExpr Col2ImOp::getFlops() { return getNumElements(getX().getType()); }
