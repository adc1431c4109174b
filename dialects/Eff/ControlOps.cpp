// Verifiers of ControlOps.td.
#include "Eff/EffOps.h"
#include "Eff/Verify.h"

using namespace mlir;
using namespace effc::eff;

/// i64, row-major element `element` exists as far as is known.
LogicalResult DefineSizeOp::verify() {
  // define_size_c1: reads an i64.
  if (!getElementType(getX()).isSignlessInteger(64))
    return emitOpError("reads ") << getElementType(getX()) << ", expected i64";
  // define_size_c2: the element exists.
  std::optional<int64_t> count = getConstant(getNumElements(getX().getType()));
  if (count && static_cast<int64_t>(getElement()) >= *count)
    return emitOpError("reads element ")
           << getElement() << " of " << *count << " elements";
  return success();
}

LogicalResult CheckSizeOp::verify() {
  // check_size_c1: compares two sizes.
  if (getCheck().getSizes().getExprs().size() != 2)
    return emitOpError("compares ")
           << getCheck().getSizes().getExprs().size() << " sizes, expected 2";
  return success();
}

/// The values that a region gives have the element types and ranks, and as far
/// as both are constant the sizes, that its op says.
static LogicalResult checkYielded(Operation *op, TypeRange yielded,
                                  TypeRange expected) {
  if (areCompatibleTypes(yielded, expected))
    return success();
  return op->emitOpError("yields types ")
         << yielded << ", expected " << expected;
}

static LogicalResult checkSizes(Operation *op, YieldOp yield,
                                ArrayRef<int64_t> symbols) {
  if (yield && yield.getSizes().getExprs().size() == symbols.size())
    return success();
  return op->emitOpError("has ")
         << symbols.size()
         << " symbols, each region must yield a size for each";
}

LogicalResult IfOp::verify() {
  // if_c1: the condition is one bool.
  if (!isBool(getElementType(getCondition())) ||
      contradict(getNumElements(getCondition().getType()),
                 constDim(getContext(), 1)))
    return emitOpError("has a condition of type ") << getCondition().getType();
  for (Region *region : getRegions()) {
    auto yield = dyn_cast_if_present<YieldOp>(region->front().getTerminator());
    // if_c2: regions give sizes for all symbols.
    if (failed(checkSizes(*this, yield, getSymbols())))
      return failure();
    // if_c3: regions give the results.
    if (failed(checkYielded(*this, yield.getValues().getTypes(),
                            getResultTypes())))
      return failure();
  }
  return success();
}

LogicalResult LoopOp::verify() {
  Value condition = getCondition();
  // loop_c1: the condition is one bool.
  if (condition && (!isBool(getElementType(condition)) ||
                    contradict(getNumElements(condition.getType()),
                               constDim(getContext(), 1))))
    return emitOpError("has a condition of type ") << condition.getType();
  // loop_c2: at most one trip count; the first symbol counts iterations.
  if (getTrip().getExprs().size() > 1 || getSymbols().empty() ||
      getInitial().getExprs().size() != getSymbols().size())
    return emitOpError("needs at most one trip count, a symbol for the "
                       "iteration and a start for each symbol");
  Block &body = getBody().front();
  auto yield = dyn_cast_if_present<YieldOp>(body.getTerminator());
  // loop_c3: the yield gives sizes for all symbols.
  if (failed(checkSizes(*this, yield, getSymbols())))
    return failure();
  // loop_c4: block arguments and the first results are the carried values.
  size_t carried = getInits().size();
  if (body.getNumArguments() != carried || getNumResults() < carried ||
      !areCompatibleTypes(getInits().getTypes(), body.getArgumentTypes()) ||
      !areCompatibleTypes(body.getArgumentTypes(),
                          TypeRange(getResultTypes()).take_front(carried)))
    return emitOpError("block arguments and first results must have the types "
                       "of the inits");
  // loop_c5: the yield gives the condition, the carried values and an element
  // of each further result.
  SmallVector<Type> expected;
  if (condition)
    expected.push_back(RankedTensorType::get({}, getElementType(condition)));
  llvm::append_range(expected, body.getArgumentTypes());
  for (Type type : TypeRange(getResultTypes()).drop_front(carried)) {
    Dims dims = getDims(type);
    if (dims.empty())
      return emitOpError("collects into a scalar");
    expected.push_back(
        makeTensorType(cast<RankedTensorType>(type).getElementType(),
                       ArrayRef<AffineExpr>(dims).drop_front()));
  }
  return checkYielded(*this, yield.getValues().getTypes(), expected);
}

LogicalResult NonZeroOp::verify() {
  if (failed(verifyDims(*this)))
    return failure();
  // nonzero_c1: finds the true elements of a bool tensor.
  if (!isBool(getElementType(getX())))
    return emitOpError("looks at ") << getElementType(getX());
  // nonzero_c2: the result has an index for each dim.
  Dims y = getDims(getType());
  if (!getElementType(getY()).isSignlessInteger(64) || y.size() != 2 ||
      contradict(y[0], constDim(getContext(), getRank(getX()))))
    return emitOpError("gives ") << getType();
  return success();
}

LogicalResult LibraryOp::verify() {
  if (failed(verifyDims(*this)))
    return failure();
  // library_c1: iterations, scratch bytes and operations.
  if (getWork().getExprs().size() != 3)
    return emitOpError("needs 3 entries of work");
  return success();
}
