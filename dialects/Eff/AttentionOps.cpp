// Verifiers, shape functions, costs and folds of AttentionOps.td.
#include "Eff/EffOps.h"
#include "Eff/Verify.h"

using namespace mlir;
using namespace effc::eff;

LogicalResult AttentionOp::inferReturnTypes(
    MLIRContext *context, std::optional<Location> location, ValueRange operands,
    DictionaryAttr attributes, OpaqueProperties properties, RegionRange regions,
    SmallVectorImpl<Type> &inferredReturnTypes) {
  Adaptor op(operands, attributes, properties, regions);
  if (failed(checkDims<AttentionOp>(location, operands)))
    return failure();
  Dims q = getDims(op.getQ().getType()), k = getDims(op.getK().getType());
  Dims v = getDims(op.getV().getType());
  // attention_c1: q, k and v have four dims.
  if (q.size() != 4 || k.size() != 4 || v.size() != 4)
    return inferError<AttentionOp>(location, "takes ranks ", q.size(), ", ",
                                   k.size(), " and ", v.size(),
                                   ", expected 4 each");
  bool last = op.getHeadsLast();
  unsigned head = last ? 2 : 1, token = last ? 1 : 2;
  // attention_c2: one batch, q and k of one head size, k and v alike in tokens
  // and groups.
  if (contradict(q[0], k[0]) || contradict(q[0], v[0]) ||
      contradict(q[3], k[3]) || contradict(k[token], v[token]) ||
      contradict(k[head], v[head]))
    return inferError<AttentionOp>(location, "q of ", toString(q), ", k of ",
                                   toString(k), " and v of ", toString(v),
                                   " do not fit");
  // attention_c3: groups divide the heads.
  std::optional<int64_t> heads = getConstant(q[head]),
                         groups = getConstant(k[head]);
  if (heads && groups && (*groups < 1 || *heads % *groups != 0))
    return inferError<AttentionOp>(
        location, *groups, " key heads do not divide ", *heads, " query heads");
  q[3] = v[3];
  inferredReturnTypes.push_back(makeTensorType(getElementType(op.getQ()), q));
  return success();
}

LogicalResult AttentionOp::verify() {
  if (failed(verifyInferred(*this)))
    return failure();
  Type type = getElementType(getQ());
  // attention_c4: one element type, of floats.
  if (!isFloat(type) || getElementType(getK()) != type ||
      getElementType(getV()) != type)
    return emitOpError("q, k and v must have one element type of floats");
  if (!getMask())
    return success();
  // attention_c5: the mask is bool or of the same element type, or f32 for
  // bf16.
  Type maskType = getElementType(getMask());
  bool isWide = type.isBF16() && maskType.isF32();
  if (maskType != type && !isBool(maskType) && !isWide)
    return emitOpError("mask has element type ")
           << maskType << ", expected i1 or " << type;
  // attention_c6: the mask broadcasts to scores.
  Dims q = getDims(getQ().getType()), k = getDims(getK().getType());
  unsigned head = getHeadsLast() ? 2 : 1, token = getHeadsLast() ? 1 : 2;
  Dims scores = {q[0], q[head], q[token], k[token]};
  Dims mask = getDims(getMask().getType());
  if (!broadcastsTo(mask, scores))
    return emitOpError("mask of shape ")
           << toString(mask) << " does not broadcast to " << toString(scores);
  return success();
}

AffineExpr AttentionOp::getFlops() {
  Dims q = getDims(getQ().getType()), k = getDims(getK().getType());
  Dims v = getDims(getV().getType());
  AffineExpr tokens = k[getHeadsLast() ? 1 : 2];
  // Two products, and about 14 operations for each score's softmax.
  AffineExpr scores = q[0] * q[1] * q[2] * tokens;
  return simplify(scores * (q[3] * 2 + v[3] * 2 + 14));
}

LogicalResult
RopeOp::inferReturnTypes(MLIRContext *context, std::optional<Location> location,
                         ValueRange operands, DictionaryAttr attributes,
                         OpaqueProperties properties, RegionRange regions,
                         SmallVectorImpl<Type> &inferredReturnTypes) {
  Adaptor op(operands, attributes, properties, regions);
  if (failed(checkDims<RopeOp>(location, operands)))
    return failure();
  inferredReturnTypes.push_back(op.getX().getType());
  return success();
}

LogicalResult RopeOp::verify() {
  Type type = getElementType(getX());
  // rope_c1: one element type, of floats.
  if (!isFloat(type) || getElementType(getCos()) != type ||
      getElementType(getSin()) != type)
    return emitOpError("x, cos and sin must have one element type of floats");
  Dims half = getDims(getX().getType());
  // rope_c2: the last dim has two halves; a symbolic one by a check elsewhere.
  if (half.empty() || getConstant(half.back()).value_or(0) % 2 != 0)
    return emitOpError("last dim of x must be even");
  half.back() = exactDiv(half.back(), constDim(getContext(), 2));
  // rope_c3: cos and sin broadcast to half of x.
  for (Value table : {getCos(), getSin()})
    if (!broadcastsTo(getDims(table.getType()), half))
      return emitOpError("table of shape ")
             << toString(getDims(table.getType())) << " does not broadcast to "
             << toString(half);
  return success();
}
