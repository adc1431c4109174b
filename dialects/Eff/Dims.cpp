// Arithmetic on symbolic sizes.
#include "Eff/EffOps.h"
#include "Eff/SizeAlgebra.h"
#include "mlir/IR/AffineMap.h"

using namespace mlir;

namespace effc::eff {

AffineExpr constDim(MLIRContext *context, int64_t value) {
  return getAffineConstantExpr(value, context);
}

std::optional<int64_t> getConstant(AffineExpr dim) {
  if (auto constant = dyn_cast_if_present<AffineConstantExpr>(dim))
    return constant.getValue();
  return std::nullopt;
}

std::string toString(AffineExpr dim) {
  std::string text;
  llvm::raw_string_ostream(text) << dim;
  return text;
}

Dims getDims(Type tensorType) {
  auto type = cast<RankedTensorType>(tensorType);
  if (auto encoding = dyn_cast_if_present<DimsAttr>(type.getEncoding()))
    return Dims(encoding.getExprs());
  Dims dims;
  for (int64_t size : type.getShape())
    dims.push_back(ShapedType::isDynamic(size)
                       ? AffineExpr()
                       : constDim(type.getContext(), size));
  return dims;
}

AffineExpr getDim(Type tensorType, int64_t axis) {
  return getDims(tensorType)[axis];
}

AffineExpr getNumElements(Type tensorType) {
  return product(tensorType.getContext(), getDims(tensorType));
}

AffineExpr product(MLIRContext *context, ArrayRef<AffineExpr> dims) {
  AffineExpr result = constDim(context, 1);
  for (AffineExpr dim : dims)
    result = result * dim;
  return simplify(result);
}

static unsigned getNumSymbols(AffineExpr dim) {
  unsigned count = 0;
  dim.walk([&](AffineExpr expr) {
    if (auto symbol = dyn_cast<AffineSymbolExpr>(expr))
      count = std::max(count, symbol.getPosition() + 1);
  });
  return count;
}

AffineExpr simplify(AffineExpr dim) {
  if (std::optional<Polynomial> polynomial = Polynomial::fromExpr(dim))
    return polynomial->toExpr(dim.getContext());
  return simplifyAffineExpr(dim, /*numDims=*/0, getNumSymbols(dim));
}

AffineExpr exactDiv(AffineExpr numerator, AffineExpr denominator) {
  if (numerator == denominator)
    return constDim(numerator.getContext(), 1);
  // A reshape of no elements: any quotient will do.
  if (getConstant(numerator) == 0 || getConstant(denominator) == 0)
    return numerator;
  return simplify(numerator.floorDiv(denominator));
}

RankedTensorType makeTensorType(Type elementType, ArrayRef<AffineExpr> dims) {
  SmallVector<int64_t> shape;
  SmallVector<AffineExpr> exprs;
  bool dynamic = false;
  for (AffineExpr dim : dims) {
    AffineExpr expr = simplify(dim);
    exprs.push_back(expr);
    std::optional<int64_t> constant = getConstant(expr);
    shape.push_back(constant.value_or(ShapedType::kDynamic));
    dynamic |= !constant;
  }
  Attribute encoding;
  if (dynamic)
    encoding = DimsAttr::get(elementType.getContext(), exprs);
  return RankedTensorType::get(shape, elementType, encoding);
}

RankedTensorType withElementType(Type tensorType, Type elementType) {
  auto type = cast<RankedTensorType>(tensorType);
  return RankedTensorType::get(type.getShape(), elementType,
                               type.getEncoding());
}

std::optional<Dims> broadcastDims(ArrayRef<AffineExpr> a,
                                  ArrayRef<AffineExpr> b) {
  size_t rank = std::max(a.size(), b.size());
  Dims result(rank);
  for (size_t i = 0; i < rank; ++i) {
    AffineExpr x =
        i < rank - a.size() ? AffineExpr() : a[i - (rank - a.size())];
    AffineExpr y =
        i < rank - b.size() ? AffineExpr() : b[i - (rank - b.size())];
    if (!x || !y || x == y) {
      result[i] = x ? x : y;
      continue;
    }
    std::optional<int64_t> cx = getConstant(x), cy = getConstant(y);
    if (cx && cy && *cx != 1 && *cy != 1)
      return std::nullopt;
    if (cx)
      result[i] = *cx == 1 ? y : x;
    else
      result[i] = cy && *cy != 1 ? y : x;
  }
  return result;
}

bool mayBeRepeated(AffineExpr size, AffineExpr to) {
  return size != to && getConstant(size) != 1;
}

AffineExpr repeatedStep(AffineExpr size) {
  // 2 floordiv (size + 1) is 1 for a size of 1 and 0 for all larger ones.
  return simplify(1 - constDim(size.getContext(), 2).floorDiv(size + 1));
}

AffineExpr repeatedSize(AffineExpr size, AffineExpr to) {
  AffineExpr isOne = constDim(size.getContext(), 2).floorDiv(size + 1) % 2;
  return simplify(size + (to - size) * isOne);
}

bool areCompatibleTypes(TypeRange inferred, TypeRange actual) {
  if (inferred.size() != actual.size())
    return false;
  for (auto [a, b] : llvm::zip(inferred, actual)) {
    auto x = dyn_cast<RankedTensorType>(a), y = dyn_cast<RankedTensorType>(b);
    if (!x || !y || x.getElementType() != y.getElementType() ||
        x.getRank() != y.getRank())
      return false;
    for (auto [m, n] : llvm::zip(x.getShape(), y.getShape()))
      if (m != n && !ShapedType::isDynamic(m) && !ShapedType::isDynamic(n))
        return false;
  }
  return true;
}

bool isNotNegative(AffineExpr size, ArrayRef<Attribute> symbols) {
  if (auto constant = getConstant(size))
    return *constant >= 0;
  if (auto symbol = dyn_cast<AffineSymbolExpr>(size)) {
    if (symbol.getPosition() >= symbols.size())
      return false;
    Attribute entry = symbols[symbol.getPosition()];
    if (auto late = dyn_cast<LateSymbolAttr>(entry))
      return late.getMin() >= 0;
    auto derived = dyn_cast<DerivedSymbolAttr>(entry);
    if (!derived)
      return true;
    auto isFine = [&](AffineExpr part) { return isNotNegative(part, symbols); };
    return derived.getKind() == "max"
               ? llvm::any_of(derived.getSizes().getExprs(), isFine)
               : llvm::all_of(derived.getSizes().getExprs(), isFine);
  }
  auto binary = dyn_cast<AffineBinaryOpExpr>(size);
  return binary &&
         (binary.getKind() == AffineExprKind::Add ||
          binary.getKind() == AffineExprKind::Mul) &&
         isNotNegative(binary.getLHS(), symbols) &&
         isNotNegative(binary.getRHS(), symbols);
}

bool isNotNegative(AffineExpr size, Operation *op) {
  for (; op; op = op->getParentOp())
    if (auto symbols = op->getAttrOfType<ArrayAttr>("eff.symbols"))
      return isNotNegative(size, symbols.getValue());
  return isNotNegative(size, ArrayRef<Attribute>());
}

AffineExpr replaceSymbols(AffineExpr dim, ArrayRef<AffineExpr> replacements) {
  return simplify(dim.replaceDimsAndSymbols({}, replacements));
}

} // namespace effc::eff
