// Verifiers, shape functions and costs of SignalOps.td.
#include "Eff/EffOps.h"
#include "Eff/Verify.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace effc::eff;

LogicalResult DftOp::verify() {
  if (failed(verifyDims(*this)))
    return failure();
  Dims x = getDims(getX().getType()), y = getDims(getType()),
       table = getDims(getTwiddles().getType());
  Type type = getElementType(getX());
  // dft_c1: one float type, twiddles in f64.
  if (!isFloat(type) || getElementType(getY()) != type ||
      !getElementType(getTwiddles()).isF64() ||
      (getWindow() && !isFloat(getElementType(getWindow()))))
    return emitOpError("transforms ")
           << type << " by " << getElementType(getTwiddles());
  // dft_c2: twiddles are pairs; a window has one element for each.
  if (table.size() != 2 || getConstant(table[1]) != 2 ||
      (getWindow() &&
       contradict(getDims(getWindow().getType()), Dims{table[0]})))
    return emitOpError("has twiddles ") << toString(table);
  size_t axis = getAxis(), hops = getHop() ? 1 : 0;
  // dft_c3: the axis lies before the parts; frames need [batch, length, parts].
  if (x.size() < 2 || axis + 1 >= x.size() || y.size() != x.size() + hops ||
      int64_t(getHop()) < 0 || (hops && (x.size() != 3 || axis != 1)))
    return emitOpError("transforms axis ")
           << axis << " of " << toString(x) << " into " << toString(y);
  std::optional<int64_t> parts = getConstant(x.back());
  // dft_c4: complex or real elements.
  if ((parts != 1 && parts != 2) ||
      getConstant(y.back()) != (getInverse() && getOnesided() ? 1 : 2))
    return emitOpError("takes parts ") << toString(x) << " to " << toString(y);
  AffineExpr bins = getOnesided() && !getInverse()
                        ? simplify(table[0].floorDiv(2) + 1)
                        : table[0];
  // dft_c5: the result has the bins of the transform, other dims stay.
  if (contradict(bins, y[axis + hops]))
    return emitOpError("has ") << toString({y[axis + hops]}) << " bins";
  for (size_t i = 0; i + 1 < x.size(); ++i)
    if (i != axis && contradict(x[i], y[i]))
      return emitOpError("changes dim ") << i;
  return success();
}

AffineExpr DftOp::getFlops() {
  AffineExpr length = getDims(getTwiddles().getType())[0];
  AffineExpr bins = getDim(getType(), getAxis() + (getHop() ? 1 : 0));
  AffineExpr lines = exactDiv(getNumElements(getType()), bins);
  std::optional<int64_t> size = getConstant(length);
  // 5 n log n; the direct sums of a size that is not known take 8 n each.
  if (size)
    return simplify(lines * (5 * *size * (llvm::Log2_64_Ceil(*size + 1))));
  return simplify(lines * length * bins * 8);
}

LogicalResult
DetOp::inferReturnTypes(MLIRContext *, std::optional<Location> location,
                        ValueRange operands, DictionaryAttr attributes,
                        OpaqueProperties properties, RegionRange regions,
                        SmallVectorImpl<Type> &results) {
  if (failed(checkDims<DetOp>(location, operands)))
    return failure();
  Adaptor adaptor(operands, attributes, properties, regions);
  Dims x = getDims(adaptor.getX().getType());
  // det_c1: square matrices.
  if (x.size() < 2 || contradict(x.back(), x[x.size() - 2]))
    return inferError<DetOp>(location, "takes ", toString(x),
                             ", expected square matrices");
  results.push_back(
      makeTensorType(getElementType(adaptor.getX()), ArrayRef(x).drop_back(2)));
  return success();
}

LogicalResult DetOp::verify() {
  if (failed(verifyInferred(*this)))
    return failure();
  // det_c2: elements are floats.
  if (!isFloat(getElementType(getX())))
    return emitOpError("takes ") << getElementType(getX());
  return success();
}

AffineExpr DetOp::getFlops() {
  AffineExpr size = getDims(getX().getType()).back();
  return simplify(getNumElements(getX().getType()) * size);
}
