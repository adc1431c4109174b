// What the shape functions and verifiers of all themed files share.
#include "Eff/Verify.h"

using namespace mlir;

namespace effc::eff {

std::string toString(ArrayRef<AffineExpr> dims) {
  std::string text;
  llvm::raw_string_ostream stream(text);
  stream << "[";
  llvm::interleaveComma(dims, stream,
                        [&](AffineExpr dim) { stream << toString(dim); });
  stream << "]";
  return text;
}

bool contradict(AffineExpr a, AffineExpr b) {
  std::optional<int64_t> x = getConstant(a), y = getConstant(b);
  return x && y && *x != *y;
}

bool contradict(ArrayRef<AffineExpr> a, ArrayRef<AffineExpr> b) {
  if (a.size() != b.size())
    return true;
  for (auto [x, y] : llvm::zip(a, b))
    if (contradict(x, y))
      return true;
  return false;
}

bool broadcastsTo(ArrayRef<AffineExpr> from, ArrayRef<AffineExpr> to) {
  if (from.size() > to.size())
    return false;
  for (auto [x, y] : llvm::zip(from, to.take_back(from.size())))
    if (getConstant(x) != 1 && contradict(x, y))
      return false;
  return true;
}

bool haveDims(TypeRange types) {
  for (Type type : types) {
    auto tensor = dyn_cast<RankedTensorType>(type);
    if (tensor && !tensor.hasStaticShape() &&
        !isa_and_present<DimsAttr>(tensor.getEncoding()))
      return false;
  }
  return true;
}

LogicalResult verifyDims(Operation *op) {
  for (Type type : op->getOperandTypes())
    if (!haveDims(type))
      return op->emitOpError("operand of type ")
             << type << " has a dynamic dim without an #eff.dims encoding";
  for (Type type : op->getResultTypes())
    if (!haveDims(type))
      return op->emitOpError("result of type ")
             << type << " has a dynamic dim without an #eff.dims encoding";
  return success();
}

bool isFloat(Type type) {
  return type.isF16() || type.isBF16() || type.isF32() || type.isF64();
}

bool isInteger(Type type) {
  auto integer = dyn_cast<IntegerType>(type);
  return integer && !integer.isSigned() && integer.getWidth() >= 8;
}

bool isIndex(Type type) {
  return type.isSignlessInteger(32) || type.isSignlessInteger(64);
}

AffineExpr getWindowExtent(AffineExpr extent, int64_t pads, AffineExpr kernel,
                           int64_t dilation, int64_t stride, bool ceil) {
  AffineExpr free = simplify(extent + pads - (kernel - 1) * dilation - 1);
  AffineExpr steps = ceil ? free.ceilDiv(stride) : free.floorDiv(stride);
  return simplify(steps + 1);
}

} // namespace effc::eff
