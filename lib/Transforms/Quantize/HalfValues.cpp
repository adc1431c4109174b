// See HalfValues.h. Conversion and movement commute, so a conversion goes up to
// where the elements are computed: there it is part of a kernel.
#include "HalfValues.h"

using namespace mlir;
using namespace effc;
using namespace effc::eff;

HalfValues::HalfValues(FloatType narrow)
    : HalfValues(narrow, [narrow](OpBuilder &b, Value value) -> Value {
        return ConvertOp::create(b, value.getLoc(), value, narrow);
      }) {}

/// Ops whose result consists of their operands' elements. Rounding and
/// clamping keep the order, so the largest byte is that of the largest float.
bool HalfValues::isMovement(Operation *op) const {
  if (auto pool = dyn_cast_if_present<PoolOp>(op))
    return pool.getKind() == PoolKind::Max && isa<IntegerType>(narrow);
  return isa_and_present<ReshapeOp, TransposeOp, SliceOp, BroadcastOp,
                         ConcatOp>(op);
}

bool HalfValues::isOnlyWanted(Value value) const {
  return llvm::all_of(value.getUses(), [&](OpOperand &use) {
    Operation *user = use.getOwner();
    if (auto convert = dyn_cast<ConvertOp>(user))
      return isa<FloatType>(narrow) &&
             convert.getType().getElementType() == narrow;
    return wanted.contains(&use) ||
           (isMovement(user) && isOnlyWanted(user->getResult(0)));
  });
}

SmallVector<OpOperand *> HalfValues::getOtherUses(Value value) const {
  SmallVector<OpOperand *> others;
  for (OpOperand &use : value.getUses())
    if (!wanted.contains(&use) && !(isMovement(use.getOwner()) &&
                                    isOnlyWanted(use.getOwner()->getResult(0))))
      others.push_back(&use);
  return others;
}

/// A reshape is a view. Others must not be made twice, and parts must not
/// convert a whole that is read otherwise.
bool HalfValues::isMovedBetter(Value value) const {
  Operation *op = value.getDefiningOp();
  if (!isMovement(op) || isa<ReshapeOp>(op))
    return isMovement(op);
  return isOnlyWanted(value) &&
         (isa<TransposeOp, ConcatOp>(op) || isOnlyWanted(op->getOperand(0)));
}

Value HalfValues::get(Value value) {
  auto type = cast<RankedTensorType>(value.getType());
  if (type.getElementType() == narrow)
    return value;
  if (Value half = halves.lookup(value))
    return half;
  OpBuilder b(value.getContext());
  b.setInsertionPointAfterValue(value);
  Value half;
  if (isMovedBetter(value)) {
    Operation *clone = b.clone(*value.getDefiningOp());
    for (OpOperand &operand : clone->getOpOperands())
      operand.set(get(operand.get()));
    half = clone->getResult(0);
    half.setType(withElementType(type, narrow));
  } else {
    half = convert(b, value);
  }
  halves[value] = half;
  return half;
}
