// ShapeValue: reading from and writing to attributes, and arithmetic of single
// elements.
#include "ShapeValues.h"
#include "ShapeArithmetic.h"
#include "mlir/IR/DialectResourceBlobManager.h"

#include <cmath>
#include <cstring>

using namespace mlir;

namespace effc {

ShapeElement ShapeElement::of(int64_t value) {
  ShapeElement element;
  element.kind = Int;
  element.integer = value;
  return element;
}

ShapeElement ShapeElement::ofFloat(double value) {
  ShapeElement element;
  element.kind = Float;
  element.number = value;
  return element;
}

ShapeElement ShapeElement::of(AffineExpr expr, int64_t denominator) {
  expr = eff::simplify(expr);
  if (denominator != 1) {
    AffineExpr quotient = eff::simplify(expr.floorDiv(denominator));
    if (eff::simplify(quotient * denominator) == expr) {
      expr = quotient;
      denominator = 1;
    }
  }
  if (std::optional<int64_t> constant = eff::getConstant(expr))
    return denominator == 1 ? of(*constant)
                            : ofFloat(double(*constant) / denominator);
  ShapeElement element;
  element.kind = Expr;
  element.expr = expr;
  element.denominator = denominator;
  return element;
}

AffineExpr ShapeElement::asSize(MLIRContext *context) const {
  if (kind == Int)
    return eff::constDim(context, integer);
  return kind == Expr && denominator == 1 ? expr : AffineExpr();
}

bool ShapeElement::operator==(const ShapeElement &other) const {
  if (kind != other.kind)
    return false;
  switch (kind) {
  case Unknown:
    return false;
  case Int:
    return integer == other.integer;
  case Float:
    return number == other.number;
  case Expr:
    return expr == other.expr && denominator == other.denominator;
  }
  return false;
}

bool ShapeValue::isConstant() const {
  return llvm::all_of(elements,
                      [](const ShapeElement &e) { return e.isConstant(); });
}

bool ShapeValue::isKnown() const {
  // Only whole numbers can be `eff.dim_values`.
  bool sizes = elementType.isInteger(64) || elementType.isInteger(32);
  return llvm::all_of(elements, [&](const ShapeElement &e) {
    return e.isConstant() ||
           (sizes && e.kind == ShapeElement::Expr && e.denominator == 1);
  });
}

bool ShapeValue::isUnknown() const {
  return llvm::all_of(elements, [](const ShapeElement &e) {
    return e.kind == ShapeElement::Unknown;
  });
}

static APFloat toAPFloat(FloatType type, double value) {
  APFloat result(value);
  bool inexact;
  result.convert(type.getFloatSemantics(), APFloat::rmNearestTiesToEven,
                 &inexact);
  return result;
}

ElementsAttr ShapeValue::toAttr() const {
  auto type = RankedTensorType::get(shape, elementType);
  if (auto floatType = dyn_cast<FloatType>(elementType)) {
    SmallVector<APFloat> values;
    for (const ShapeElement &element : elements)
      values.push_back(toAPFloat(floatType, element.asDouble()));
    return DenseElementsAttr::get(type, values);
  }
  SmallVector<APInt> values;
  for (const ShapeElement &element : elements)
    values.push_back(APInt(elementType.getIntOrFloatBitWidth(), element.integer,
                           /*isSigned=*/true,
                           /*implicitTrunc=*/true));
  return DenseElementsAttr::get(type, values);
}

static int64_t toInt64(const APInt &value, bool isUnsigned) {
  return isUnsigned ? int64_t(value.getZExtValue()) : value.getSExtValue();
}

static bool isNatural(Type type) {
  return type.isUnsignedInteger() || type.isInteger(1);
}

/// Elements of a little-endian blob.
static std::optional<ShapeValue> readBlob(DenseResourceElementsAttr attr,
                                          ShapeValue result) {
  AsmResourceBlob *blob = attr.getRawHandle().getBlob();
  if (!blob)
    return std::nullopt;
  Type type = result.elementType;
  unsigned bits = type.getIntOrFloatBitWidth();
  size_t width = std::max(1u, bits / 8);
  size_t count = attr.getNumElements();
  if (blob->getData().size() != count * width)
    return std::nullopt;
  for (size_t i = 0; i < count; ++i) {
    uint64_t raw = 0;
    std::memcpy(&raw, blob->getData().data() + i * width, width);
    APInt value(width * 8, raw);
    if (auto floatType = dyn_cast<FloatType>(type))
      result.elements.push_back(ShapeElement::ofFloat(
          toDouble(APFloat(floatType.getFloatSemantics(), value))));
    else
      result.elements.push_back(
          ShapeElement::of(toInt64(value, isNatural(type))));
  }
  return result;
}

double toDouble(APFloat value) {
  bool inexact;
  value.convert(APFloat::IEEEdouble(), APFloat::rmNearestTiesToEven, &inexact);
  return value.convertToDouble();
}

std::optional<ShapeValue> readShapeValue(ElementsAttr attr, int64_t limit) {
  if (attr.getNumElements() > limit)
    return std::nullopt;
  Type type = attr.getElementType();
  // No size comes from a float of 8 or 4 bits.
  if (isa<FloatType>(type) && type.getIntOrFloatBitWidth() < 16)
    return std::nullopt;
  ShapeValue result{
      type, SmallVector<int64_t>(attr.getShapedType().getShape()), {}};
  if (auto resource = dyn_cast<DenseResourceElementsAttr>(attr))
    return readBlob(resource, std::move(result));
  auto dense = dyn_cast<DenseElementsAttr>(attr);
  if (!dense)
    return std::nullopt;
  if (isa<FloatType>(type)) {
    for (const APFloat &value : dense.getValues<APFloat>())
      result.elements.push_back(ShapeElement::ofFloat(toDouble(value)));
    return result;
  }
  for (const APInt &value : dense.getValues<APInt>())
    result.elements.push_back(
        ShapeElement::of(toInt64(value, isNatural(type))));
  return result;
}

// Arithmetic
// --------------------------------------------------------------------

ShapeElement ShapeArithmetic::round(ShapeElement element) const {
  if (auto floatType = dyn_cast<FloatType>(type)) {
    if (element.kind == ShapeElement::Int)
      element = ShapeElement::ofFloat(double(element.integer));
    if (element.kind == ShapeElement::Float)
      element.number = toDouble(toAPFloat(floatType, element.number));
    return element;
  }
  if (element.kind == ShapeElement::Float)
    return {};
  if (element.kind == ShapeElement::Int) {
    APInt value(type.getIntOrFloatBitWidth(), element.integer,
                /*isSigned=*/true, /*implicitTrunc=*/true);
    element.integer = toInt64(value, isNatural(type));
  }
  if (element.kind == ShapeElement::Expr && element.denominator != 1)
    return {};
  return element;
}

/// A constant double as numerator and a small power of two.
static bool toFraction(double value, int64_t &numerator, int64_t &denominator) {
  for (denominator = 1; denominator <= 1024; denominator *= 2)
    if (double scaled = value * denominator;
        scaled == std::floor(scaled) && std::abs(scaled) < 1e15) {
      numerator = int64_t(scaled);
      return true;
    }
  return false;
}

bool ShapeArithmetic::toRational(const ShapeElement &element, AffineExpr &expr,
                                 int64_t &denominator) const {
  MLIRContext *context = symbols.getContext();
  denominator = 1;
  if (element.kind == ShapeElement::Expr) {
    expr = element.expr;
    denominator = element.denominator;
    return true;
  }
  int64_t numerator = element.integer;
  if (element.kind == ShapeElement::Float &&
      !toFraction(element.number, numerator, denominator))
    return false;
  if (element.kind == ShapeElement::Unknown)
    return false;
  expr = eff::constDim(context, numerator);
  return true;
}

/// Denominators beyond this are not shape arithmetic any more.
static constexpr int64_t maxDenominator = int64_t(1) << 20;

ShapeElement ShapeArithmetic::add(const ShapeElement &a, const ShapeElement &b,
                                  int64_t sign) const {
  if (a.kind == ShapeElement::Int && b.kind == ShapeElement::Int)
    return round(ShapeElement::of(
        int64_t(uint64_t(a.integer) + uint64_t(sign) * uint64_t(b.integer))));
  if (a.isConstant() && b.isConstant())
    return round(ShapeElement::ofFloat(a.asDouble() + sign * b.asDouble()));
  AffineExpr x, y;
  int64_t below, under;
  if (!toRational(a, x, below) || !toRational(b, y, under) ||
      below * under > maxDenominator)
    return {};
  return round(ShapeElement::of(x * under + y * (below * sign), below * under));
}

ShapeElement ShapeArithmetic::multiply(const ShapeElement &a,
                                       const ShapeElement &b) const {
  if (a.kind == ShapeElement::Int && b.kind == ShapeElement::Int)
    return round(
        ShapeElement::of(int64_t(uint64_t(a.integer) * uint64_t(b.integer))));
  if (a.isConstant() && b.isConstant())
    return round(ShapeElement::ofFloat(a.asDouble() * b.asDouble()));
  AffineExpr x, y;
  int64_t below, under;
  if (!toRational(a, x, below) || !toRational(b, y, under) ||
      below * under > maxDenominator)
    return {};
  return round(ShapeElement::of(x * y, below * under));
}

ShapeElement ShapeArithmetic::divide(const ShapeElement &a,
                                     const ShapeElement &b) const {
  bool isFloat = isa<FloatType>(type);
  if (a.isConstant() && b.isConstant()) {
    if (isFloat)
      return round(ShapeElement::ofFloat(a.asDouble() / b.asDouble()));
    bool overflow = a.integer == INT64_MIN && b.integer == -1;
    if (b.integer == 0 || overflow)
      return {};
    return round(ShapeElement::of(a.integer / b.integer));
  }
  AffineExpr x, y;
  int64_t below, under;
  if (!toRational(a, x, below) || !toRational(b, y, under))
    return {};
  // ONNX truncates; for what cannot be negative that is the floor.
  if (!isFloat) {
    if (symbols.bounds(x).first < 0 || symbols.bounds(y).first < 0 ||
        eff::getConstant(y) == 0)
      return {};
    return ShapeElement::of(eff::exactDiv(x, y));
  }
  AffineExpr numerator = eff::simplify(x * under);
  AffineExpr divisor = eff::simplify(y * below);
  if (std::optional<int64_t> constant = eff::getConstant(divisor)) {
    if (*constant == 0 || std::abs(*constant) > maxDenominator)
      return {};
    return ShapeElement::of(*constant < 0 ? -numerator : numerator,
                            std::abs(*constant));
  }
  // The ratio of sizes is constant or whole, or it stays unknown.
  AffineExpr quotient = eff::exactDiv(numerator, divisor);
  if (eff::simplify(quotient * divisor) == numerator)
    return round(ShapeElement::of(quotient));
  quotient = eff::exactDiv(divisor, numerator);
  std::optional<int64_t> constant = eff::getConstant(quotient);
  if (constant && *constant > 0 &&
      eff::simplify(numerator * *constant) == divisor)
    return round(ShapeElement::ofFloat(1.0 / double(*constant)));
  return {};
}

ShapeElement ShapeArithmetic::modulo(const ShapeElement &a,
                                     const ShapeElement &b, bool fmod) const {
  if (a.isConstant() && b.isConstant()) {
    if (isa<FloatType>(type))
      return fmod ? round(ShapeElement::ofFloat(
                        std::fmod(a.asDouble(), b.asDouble())))
                  : ShapeElement();
    if (b.integer == 0 || b.integer == -1)
      return b.integer ? ShapeElement::of(0) : ShapeElement();
    int64_t rest = a.integer % b.integer;
    if (!fmod && rest != 0 && (rest < 0) != (b.integer < 0))
      rest += b.integer;
    return round(ShapeElement::of(rest));
  }
  AffineExpr x, y;
  int64_t below, under;
  if (isa<FloatType>(type) || !toRational(a, x, below) ||
      !toRational(b, y, under) || symbols.bounds(y).first < 0 ||
      eff::getConstant(y) == 0 || (fmod && symbols.bounds(x).first < 0))
    return {};
  return ShapeElement::of(x % y);
}

ShapeElement ShapeArithmetic::extreme(const ShapeElement &a,
                                      const ShapeElement &b, bool larger) {
  if (a.isConstant() && b.isConstant()) {
    bool first = a.kind == ShapeElement::Int ? a.integer >= b.integer
                                             : a.number >= b.number;
    return first == larger ? a : b;
  }
  AffineExpr x, y;
  int64_t below, under;
  if (!toRational(a, x, below) || !toRational(b, y, under) || below != 1 ||
      under != 1)
    return {};
  return round(
      ShapeElement::of(larger ? symbols.max(x, y) : symbols.min(x, y)));
}

ShapeElement ShapeArithmetic::absolute(const ShapeElement &a) const {
  if (a.kind == ShapeElement::Int)
    return round(ShapeElement::of(a.integer < 0 ? -a.integer : a.integer));
  if (a.kind == ShapeElement::Float)
    return ShapeElement::ofFloat(std::abs(a.number));
  if (a.kind == ShapeElement::Unknown)
    return {};
  auto [low, high] = symbols.bounds(a.expr);
  if (low >= 0)
    return a;
  return high <= 0 ? ShapeElement::of(-a.expr, a.denominator) : ShapeElement();
}

ShapeElement ShapeArithmetic::roundTo(const ShapeElement &a,
                                      Rounding mode) const {
  if (a.kind == ShapeElement::Int || a.kind == ShapeElement::Unknown ||
      (a.kind == ShapeElement::Expr && a.denominator == 1))
    return a;
  if (a.kind == ShapeElement::Float) {
    double value = mode == Rounding::Floor  ? std::floor(a.number)
                   : mode == Rounding::Ceil ? std::ceil(a.number)
                   : mode == Rounding::Even ? std::nearbyint(a.number)
                                            : std::trunc(a.number);
    return ShapeElement::ofFloat(value);
  }
  if (mode == Rounding::Ceil)
    return ShapeElement::of(a.expr.ceilDiv(a.denominator));
  if (mode == Rounding::Floor ||
      (mode == Rounding::Zero && symbols.bounds(a.expr).first >= 0))
    return ShapeElement::of(a.expr.floorDiv(a.denominator));
  return {};
}

ShapeElement ShapeArithmetic::convert(const ShapeElement &a) const {
  if (type.isInteger(1)) {
    if (a.isConstant())
      return ShapeElement::of(a.kind == ShapeElement::Int ? a.integer != 0
                                                          : a.number != 0);
    if (a.kind == ShapeElement::Expr && symbols.bounds(a.expr).first > 0)
      return ShapeElement::of(int64_t(1));
    return {};
  }
  if (isa<FloatType>(type) || a.kind == ShapeElement::Int)
    return round(a);
  ShapeElement whole = roundTo(a, Rounding::Zero);
  if (whole.kind == ShapeElement::Float) {
    if (!(std::abs(whole.number) < 9e18))
      return {};
    whole = ShapeElement::of(int64_t(whole.number));
  }
  return round(whole);
}

ShapeElement ShapeArithmetic::compare(const ShapeElement &a,
                                      const ShapeElement &b,
                                      Comparison kind) const {
  int64_t low, high;
  if (a.kind == ShapeElement::Int && b.kind == ShapeElement::Int) {
    low = high = a.integer < b.integer ? -1 : a.integer > b.integer;
  } else if (a.isConstant() && b.isConstant()) {
    if (std::isnan(a.asDouble()) || std::isnan(b.asDouble()))
      return ShapeElement::of(int64_t(0));
    low = high = a.asDouble() < b.asDouble() ? -1 : a.asDouble() > b.asDouble();
  } else {
    AffineExpr x, y;
    int64_t below, under;
    if (!toRational(a, x, below) || !toRational(b, y, under))
      return {};
    std::tie(low, high) = symbols.bounds(eff::simplify(x * under - y * below));
  }
  auto decide = [](bool certain, bool excluded) {
    return certain    ? ShapeElement::of(int64_t(1))
           : excluded ? ShapeElement::of(int64_t(0))
                      : ShapeElement();
  };
  switch (kind) {
  case Comparison::Equal:
    return decide(low == 0 && high == 0, low > 0 || high < 0);
  case Comparison::Less:
    return decide(high < 0, low >= 0);
  case Comparison::LessOrEqual:
    return decide(high <= 0, low > 0);
  case Comparison::Greater:
    return decide(low > 0, high <= 0);
  case Comparison::GreaterOrEqual:
    return decide(low >= 0, high < 0);
  }
  return {};
}

} // namespace effc
