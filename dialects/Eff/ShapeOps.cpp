// Verifiers, shape functions, costs and folds of ShapeOps.td.
#include "Eff/EffOps.h"
#include "Eff/Verify.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace effc::eff;

//===----------------------------------------------------------------------===//
// constant, dim_values, iota
//===----------------------------------------------------------------------===//

void ConstantOp::getAsmResultNames(OpAsmSetValueNameFn setNameFn) {
  setNameFn(getResult(), "cst");
}

void DimValuesOp::getAsmResultNames(OpAsmSetValueNameFn setNameFn) {
  setNameFn(getResult(), "dims");
}

LogicalResult DimValuesOp::verify() {
  auto type = cast<RankedTensorType>(getType());
  // dim_values_c1: a static tensor of i32 or i64.
  if (!type.hasStaticShape() || !isIndex(type.getElementType()))
    return emitOpError("gives ") << type << ", expected static i32 or i64";
  // dim_values_c2: one expression for each element.
  auto count = static_cast<int64_t>(getValues().getExprs().size());
  if (type.getNumElements() != count)
    return emitOpError("has ")
           << count << " values for " << type.getNumElements() << " elements";
  return success();
}

LogicalResult RandomBitsOp::verify() {
  if (failed(verifyDims(*this)))
    return failure();
  // random_bits_c1: elements are words.
  if (!getElementType(getY()).isUnsignedInteger(32))
    return emitOpError("gives ") << getElementType(getY()) << ", expected ui32";
  return success();
}

LogicalResult IotaOp::verify() {
  if (failed(verifyDims(*this)))
    return failure();
  auto axis = static_cast<int64_t>(getAxis());
  // iota_c1: the axis is within the rank; a scalar has axis 0.
  if (axis < 0 || axis >= std::max<int64_t>(getRank(getY()), 1))
    return emitOpError("axis ")
           << axis << " is not within rank " << getRank(getY());
  // iota_c2: bounds are start and step.
  if (getBounds().getExprs().size() != 2)
    return emitOpError("has ") << getBounds().getExprs().size()
                               << " bounds, expected start and step";
  // iota_c3: elements are numbers.
  Type type = getElementType(getY());
  if (!isFloat(type) && !isInteger(type))
    return emitOpError("counts in ") << type;
  return success();
}

//===----------------------------------------------------------------------===//
// reshape, transpose, broadcast, tile
//===----------------------------------------------------------------------===//

LogicalResult ReshapeOp::verify() {
  if (failed(verifyDims(*this)))
    return failure();
  // reshape_c1: the element type stays.
  if (getElementType(getX()) != getElementType(getY()))
    return emitOpError("changes element type ")
           << getElementType(getX()) << " to " << getElementType(getY());
  // reshape_c2: the number of elements stays.
  AffineExpr from = getNumElements(getX().getType());
  AffineExpr to = getNumElements(getType());
  if (contradict(from, to))
    return emitOpError("takes ")
           << toString(from) << " elements to " << toString(to);
  return success();
}

LogicalResult TransposeOp::inferReturnTypes(
    MLIRContext *context, std::optional<Location> location, ValueRange operands,
    DictionaryAttr attributes, OpaqueProperties properties, RegionRange regions,
    SmallVectorImpl<Type> &inferredReturnTypes) {
  Adaptor op(operands, attributes, properties, regions);
  if (failed(checkDims<TransposeOp>(location, operands)))
    return failure();
  Dims x = getDims(op.getX().getType()), dims;
  SmallVector<bool> seen(x.size());
  // transpose_c1: permutation names every dim once.
  if (op.getPermutation().size() != x.size())
    return inferError<TransposeOp>(location, "permutes ",
                                   op.getPermutation().size(), " dims of rank ",
                                   x.size());
  for (int64_t axis : op.getPermutation()) {
    if (axis < 0 || axis >= static_cast<int64_t>(x.size()) || seen[axis])
      return inferError<TransposeOp>(
          location, "dim ", axis, " is repeated or not within rank ", x.size());
    seen[axis] = true;
    dims.push_back(x[axis]);
  }
  inferredReturnTypes.push_back(
      makeTensorType(getElementType(op.getX()), dims));
  return success();
}

LogicalResult TransposeOp::verify() { return verifyInferred(*this); }

bool BroadcastOp::isUndecided(int64_t axis) {
  Dims from = getDims(getX().getType()), to = getDims(getType());
  return mayBeRepeated(from[axis], to[to.size() - from.size() + axis]);
}

bool BroadcastOp::isUndecided() {
  return llvm::any_of(llvm::seq<int64_t>(0, getRank(getX())),
                      [&](int64_t axis) { return isUndecided(axis); });
}

LogicalResult BroadcastOp::verify() {
  if (failed(verifyDims(*this)))
    return failure();
  // broadcast_c1: the element type stays.
  if (getElementType(getX()) != getElementType(getY()))
    return emitOpError("changes element type ")
           << getElementType(getX()) << " to " << getElementType(getY());
  // broadcast_c2: trailing dims are equal or 1.
  Dims x = getDims(getX().getType()), y = getDims(getType());
  if (!broadcastsTo(x, y))
    return emitOpError("shape ")
           << toString(x) << " does not broadcast to " << toString(y);
  return success();
}

LogicalResult TileOp::verify() {
  if (failed(verifyDims(*this)))
    return failure();
  // tile_c1: rank and element type stay.
  Dims x = getDims(getX().getType()), y = getDims(getType());
  if (x.size() != y.size() || getElementType(getX()) != getElementType(getY()))
    return emitOpError("takes ") << getX().getType() << " to " << getType();
  for (size_t i = 0; i < x.size(); ++i) {
    std::optional<int64_t> from = getConstant(x[i]), to = getConstant(y[i]);
    // tile_c2: extents are multiples.
    if (from && to && (*from == 0 ? *to != 0 : *to % *from != 0))
      return emitOpError("repeats extent ") << *from << " to " << *to;
  }
  return success();
}

//===----------------------------------------------------------------------===//
// concat, slice, pad
//===----------------------------------------------------------------------===//

/// Whether an axis lies within the rank of a tensor.
static bool isAxis(int64_t axis, Value x) {
  return axis >= 0 && axis < getRank(x);
}

LogicalResult ConcatOp::inferReturnTypes(
    MLIRContext *context, std::optional<Location> location, ValueRange operands,
    DictionaryAttr attributes, OpaqueProperties properties, RegionRange regions,
    SmallVectorImpl<Type> &inferredReturnTypes) {
  Adaptor op(operands, attributes, properties, regions);
  if (failed(checkDims<ConcatOp>(location, operands)))
    return failure();
  auto axis = static_cast<int64_t>(op.getAxis());
  // concat_c1: there is an input, and the axis is within its rank.
  if (operands.empty())
    return inferError<ConcatOp>(location, "has no inputs");
  if (!isAxis(axis, operands[0]))
    return inferError<ConcatOp>(location, "axis ", axis, " is not within rank ",
                                getRank(operands[0]));
  Dims dims = getDims(operands[0].getType());
  for (Value operand : operands.drop_front()) {
    Dims other = getDims(operand.getType());
    // concat_c2: inputs have one element type.
    if (getElementType(operand) != getElementType(operands[0]))
      return inferError<ConcatOp>(location, "joins ",
                                  getElementType(operands[0]), " and ",
                                  getElementType(operand));
    AffineExpr extent = dims[axis];
    Dims expected = dims;
    if (other.size() == dims.size())
      expected[axis] = other[axis];
    // concat_c3: inputs agree in all dims but the axis.
    if (contradict(expected, other))
      return inferError<ConcatOp>(location, "joins shapes ", toString(dims),
                                  " and ", toString(other), " along axis ",
                                  axis);
    for (auto [dim, mine] : llvm::zip(other, dims))
      if (!getConstant(mine))
        mine = getConstant(dim) ? dim : mine;
    dims[axis] = simplify(extent + other[axis]);
  }
  inferredReturnTypes.push_back(
      makeTensorType(getElementType(operands[0]), dims));
  return success();
}

LogicalResult ConcatOp::verify() { return verifyInferred(*this); }

LogicalResult SliceOp::verify() {
  if (failed(verifyDims(*this)))
    return failure();
  Dims x = getDims(getX().getType()), y = getDims(getType());
  // slice_c1: rank and element type stay.
  if (x.size() != y.size() || getElementType(getX()) != getElementType(getY()))
    return emitOpError("takes ") << getX().getType() << " to " << getType();
  ArrayRef<AffineExpr> offsets = getOffsets().getExprs();
  // slice_c2: an offset and a stride for each dim; strides are not zero.
  if (offsets.size() != x.size() || getStrides().size() != x.size() ||
      llvm::is_contained(getStrides(), 0))
    return emitOpError("has ")
           << offsets.size() << " offsets and " << getStrides().size()
           << " strides for rank " << x.size() << "; strides must not be 0";
  for (size_t i = 0; i < x.size(); ++i) {
    std::optional<int64_t> offset = getConstant(offsets[i]);
    std::optional<int64_t> from = getConstant(x[i]), count = getConstant(y[i]);
    if (!offset || !from || !count || *count == 0)
      continue;
    // slice_c3: the first and the last element exist.
    int64_t distance = 0, last = 0;
    if (*count < 0 || *count > *from ||
        llvm::MulOverflow(*count - 1, getStrides()[i], distance) ||
        llvm::AddOverflow(*offset, distance, last))
      return emitOpError("reads ")
             << *count << " elements of dim " << i << " of extent " << *from;
    if (*offset < 0 || *offset >= *from || last < 0 || last >= *from)
      return emitOpError("reads elements ")
             << *offset << " to " << last << " of dim " << i << " of extent "
             << *from;
  }
  return success();
}

LogicalResult PadOp::verify() {
  if (failed(verifyDims(*this)))
    return failure();
  Dims x = getDims(getX().getType()), y = getDims(getType());
  // pad_c1: rank and element type stay.
  if (x.size() != y.size() || getElementType(getX()) != getElementType(getY()))
    return emitOpError("takes ") << getX().getType() << " to " << getType();
  ArrayRef<AffineExpr> low = getLow().getExprs();
  // pad_c2: an amount for each dim.
  if (low.size() != x.size())
    return emitOpError("has ")
           << low.size() << " amounts for rank " << x.size();
  for (size_t i = 0; i < x.size(); ++i) {
    std::optional<int64_t> amount = getConstant(low[i]);
    std::optional<int64_t> rest = getConstant(simplify(y[i] - x[i] - low[i]));
    // pad_c3: amounts are not negative.
    if ((amount && *amount < 0) || (rest && *rest < 0))
      return emitOpError("removes elements of dim ") << i;
  }
  // pad_c4: the value is one element of the same type.
  if (Value value = getValue())
    if (getElementType(value) != getElementType(getX()) ||
        getConstant(getNumElements(value.getType())) != 1)
      return emitOpError("value has type ")
             << value.getType() << ", expected one element of "
             << getElementType(getX());
  return success();
}

//===----------------------------------------------------------------------===//
// gather, scatter
//===----------------------------------------------------------------------===//

LogicalResult GatherOp::inferReturnTypes(
    MLIRContext *context, std::optional<Location> location, ValueRange operands,
    DictionaryAttr attributes, OpaqueProperties properties, RegionRange regions,
    SmallVectorImpl<Type> &inferredReturnTypes) {
  Adaptor op(operands, attributes, properties, regions);
  if (failed(checkDims<GatherOp>(location, operands)))
    return failure();
  auto axis = static_cast<int64_t>(op.getAxis());
  // gather_c1: the axis is within the rank.
  if (!isAxis(axis, op.getX()))
    return inferError<GatherOp>(location, "axis ", axis, " is not within rank ",
                                getRank(op.getX()));
  Dims dims = getDims(op.getX().getType());
  Dims indices = getDims(op.getIndices().getType());
  dims.erase(dims.begin() + axis);
  dims.insert(dims.begin() + axis, indices.begin(), indices.end());
  inferredReturnTypes.push_back(
      makeTensorType(getElementType(op.getX()), dims));
  return success();
}

/// gather_c2, gather_elements_c3, gather_nd_c4, scatter_elements_c4,
/// scatter_nd_c4: indices are i32 or i64.
static LogicalResult verifyIndices(Operation *op, Value indices) {
  if (!isIndex(getElementType(indices)))
    return op->emitOpError("indices have element type ")
           << getElementType(indices) << ", expected i32 or i64";
  return success();
}

LogicalResult GatherOp::verify() {
  if (failed(verifyInferred(*this)))
    return failure();
  return verifyIndices(*this, getIndices());
}

LogicalResult GatherElementsOp::inferReturnTypes(
    MLIRContext *context, std::optional<Location> location, ValueRange operands,
    DictionaryAttr attributes, OpaqueProperties properties, RegionRange regions,
    SmallVectorImpl<Type> &inferredReturnTypes) {
  Adaptor op(operands, attributes, properties, regions);
  if (failed(checkDims<GatherElementsOp>(location, operands)))
    return failure();
  // gather_elements_c1: the axis is within the rank.
  auto axis = static_cast<int64_t>(op.getAxis());
  if (!isAxis(axis, op.getX()))
    return inferError<GatherElementsOp>(
        location, "axis ", axis, " is not within rank ", getRank(op.getX()));
  // gather_elements_c2: indices have the rank of x.
  if (getRank(op.getX()) != getRank(op.getIndices()))
    return inferError<GatherElementsOp>(location, "x has rank ",
                                        getRank(op.getX()), ", indices have ",
                                        getRank(op.getIndices()));
  inferredReturnTypes.push_back(
      withElementType(op.getIndices().getType(), getElementType(op.getX())));
  return success();
}

LogicalResult GatherElementsOp::verify() {
  if (failed(verifyInferred(*this)))
    return failure();
  return verifyIndices(*this, getIndices());
}

LogicalResult GatherNDOp::inferReturnTypes(
    MLIRContext *context, std::optional<Location> location, ValueRange operands,
    DictionaryAttr attributes, OpaqueProperties properties, RegionRange regions,
    SmallVectorImpl<Type> &inferredReturnTypes) {
  Adaptor op(operands, attributes, properties, regions);
  if (failed(checkDims<GatherNDOp>(location, operands)))
    return failure();
  Dims x = getDims(op.getX().getType());
  Dims dims = getDims(op.getIndices().getType());
  auto batch = static_cast<int64_t>(op.getBatchDims());
  auto rank = static_cast<int64_t>(x.size());
  // gather_nd_c1: batch dims lie within both operands.
  if (batch < 0 || batch >= rank || batch >= static_cast<int64_t>(dims.size()))
    return inferError<GatherNDOp>(location, batch,
                                  " batch dims are too many for ranks ", rank,
                                  " and ", dims.size());
  std::optional<int64_t> depth = getConstant(dims.pop_back_val());
  // gather_nd_c2: tuples have a constant length within the rank.
  if (!depth || *depth < 1 || *depth > rank - batch)
    return inferError<GatherNDOp>(
        location, "index tuples must have a constant length from 1 to ",
        rank - batch);
  // gather_nd_c3: batch dims agree.
  if (contradict(ArrayRef<AffineExpr>(x).take_front(batch),
                 ArrayRef<AffineExpr>(dims).take_front(batch)))
    return inferError<GatherNDOp>(location, "batch dims of ", toString(x),
                                  " and ", toString(dims), " differ");
  dims.append(x.begin() + batch + *depth, x.end());
  inferredReturnTypes.push_back(
      makeTensorType(getElementType(op.getX()), dims));
  return success();
}

LogicalResult GatherNDOp::verify() {
  if (failed(verifyInferred(*this)))
    return failure();
  return verifyIndices(*this, getIndices());
}

LogicalResult ScatterElementsOp::inferReturnTypes(
    MLIRContext *context, std::optional<Location> location, ValueRange operands,
    DictionaryAttr attributes, OpaqueProperties properties, RegionRange regions,
    SmallVectorImpl<Type> &inferredReturnTypes) {
  Adaptor op(operands, attributes, properties, regions);
  if (failed(checkDims<ScatterElementsOp>(location, operands)))
    return failure();
  inferredReturnTypes.push_back(op.getX().getType());
  return success();
}

LogicalResult ScatterElementsOp::verify() {
  if (failed(verifyInferred(*this)))
    return failure();
  // scatter_elements_c1: the axis is within the rank.
  auto axis = static_cast<int64_t>(getAxis());
  if (!isAxis(axis, getX()))
    return emitOpError("axis ")
           << axis << " is not within rank " << getRank(getX());
  // scatter_elements_c2: indices and updates have one shape, of x's rank.
  Dims indices = getDims(getIndices().getType());
  Dims updates = getDims(getUpdates().getType());
  if (contradict(indices, updates) ||
      static_cast<int64_t>(indices.size()) != getRank(getX()))
    return emitOpError("indices of ")
           << toString(indices) << " and updates of " << toString(updates)
           << " must have one shape of rank " << getRank(getX());
  // scatter_elements_c3: updates have the elements of x, of numbers where they
  // are combined.
  if (getElementType(getUpdates()) != getElementType(getX()) ||
      (getKind() != ScatterKind::None &&
       !isNumberOrBool(getElementType(getX()))))
    return emitOpError("writes ") << getElementType(getUpdates()) << " into "
                                  << getElementType(getX());
  return verifyIndices(*this, getIndices());
}

LogicalResult ScatterNDOp::inferReturnTypes(
    MLIRContext *context, std::optional<Location> location, ValueRange operands,
    DictionaryAttr attributes, OpaqueProperties properties, RegionRange regions,
    SmallVectorImpl<Type> &inferredReturnTypes) {
  Adaptor op(operands, attributes, properties, regions);
  if (failed(checkDims<ScatterNDOp>(location, operands)))
    return failure();
  inferredReturnTypes.push_back(op.getX().getType());
  return success();
}

LogicalResult ScatterNDOp::verify() {
  if (failed(verifyInferred(*this)))
    return failure();
  Dims x = getDims(getX().getType());
  Dims expected = getDims(getIndices().getType());
  std::optional<int64_t> depth =
      expected.empty() ? std::nullopt : getConstant(expected.pop_back_val());
  // scatter_nd_c1: tuples have a constant length within the rank.
  if (!depth || *depth < 1 || *depth > static_cast<int64_t>(x.size()))
    return emitOpError("index tuples must have a constant length from 1 to ")
           << x.size();
  expected.append(x.begin() + *depth, x.end());
  // scatter_nd_c2: updates have a slice for each tuple.
  Dims updates = getDims(getUpdates().getType());
  if (contradict(expected, updates))
    return emitOpError("updates have shape ")
           << toString(updates) << ", expected " << toString(expected);
  // scatter_nd_c3: updates have the elements of x, of numbers where they are
  // combined.
  if (getElementType(getUpdates()) != getElementType(getX()) ||
      (getKind() != ScatterKind::None &&
       !isNumberOrBool(getElementType(getX()))))
    return emitOpError("writes ") << getElementType(getUpdates()) << " into "
                                  << getElementType(getX());
  return verifyIndices(*this, getIndices());
}
