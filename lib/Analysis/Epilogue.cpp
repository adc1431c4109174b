// Classification of epilogue operands by their broadcast dims.
#include "effc/Analysis/Epilogue.h"
#include "Eff/EffOps.h"

using namespace mlir;
using namespace effc;

std::optional<OperandMap> effc::classifyOperand(Type operand, Type result) {
  eff::Dims from = eff::getDims(operand), to = eff::getDims(result);
  if (from.size() > to.size())
    return std::nullopt;
  size_t skipped = to.size() - from.size();
  bool any = false, last = false, allOuter = true;
  for (size_t i = 0; i < to.size(); ++i) {
    if (eff::getConstant(to[i]) == 1)
      continue;
    bool spans = i >= skipped && eff::getConstant(from[i - skipped]) != 1;
    if (i + 1 == to.size())
      last = spans;
    else {
      any |= spans;
      allOuter &= spans;
    }
  }
  bool lastIsOne = to.empty() || eff::getConstant(to.back()) == 1;
  if (!any && !last)
    return OperandMap::Scalar;
  if (!any)
    return OperandMap::Column;
  if (!allOuter)
    return std::nullopt;
  return last || lastIsOne ? OperandMap::Element : OperandMap::Row;
}

bool effc::isVectorizable(Operation *op) {
  auto binary = dyn_cast<eff::BinaryOp>(op);
  if (!binary || !getElementTypeOrSelf(binary.getA().getType()).isInteger())
    return true;
  switch (binary.getKind()) {
  case eff::BinaryKind::Div:
  case eff::BinaryKind::Mod:
  case eff::BinaryKind::FMod:
  case eff::BinaryKind::Pow:
    return false;
  default:
    return true;
  }
}
