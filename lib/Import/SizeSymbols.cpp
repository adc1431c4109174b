// Symbols of sizes and interval arithmetic over them.
#include "SizeSymbols.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;

namespace effc {

/// Bounds saturate here, far from overflow of sums.
static constexpr int64_t unbounded = int64_t(1) << 60;

static int64_t clampBound(__int128 value) {
  if (value > unbounded)
    return unbounded;
  return value < -unbounded ? -unbounded : int64_t(value);
}

/// Sums and differences of products: "a + 2*b - 1".
AffineExpr SizeSymbols::parse(StringRef text) const {
  AffineExpr sum = eff::constDim(context, 0);
  StringRef rest = text.trim();
  bool negative = rest.consume_front("-");
  while (true) {
    size_t end = rest.find_first_of("+-");
    AffineExpr product = eff::constDim(context, negative ? -1 : 1);
    SmallVector<StringRef> factors;
    rest.take_front(end).split(factors, '*');
    for (StringRef factor : factors) {
      factor = factor.trim();
      int64_t constant;
      if (AffineExpr known = named.lookup(factor))
        product = product * known;
      else if (!factor.getAsInteger(10, constant) &&
               std::abs(constant) < unbounded)
        product = product * constant;
      else
        return {};
    }
    sum = sum + product;
    if (end == StringRef::npos)
      return eff::simplify(sum);
    negative = rest[end] == '-';
    rest = rest.drop_front(end + 1);
  }
}

AffineExpr SizeSymbols::declare(StringRef name, int64_t input, int64_t axis,
                                int64_t min, int64_t max) {
  AffineExpr symbol = getAffineSymbolExpr(entries.size(), context);
  entries.push_back(eff::SymbolAttr::get(
      context, StringAttr::get(context, name), input, axis, min, max));
  ranges.emplace_back(min, max);
  named[name] = symbol;
  return symbol;
}

AffineExpr SizeSymbols::declareLate(StringRef name, int64_t min, int64_t max) {
  std::string unique = name.str();
  if (unsigned count = lateNames[name]++)
    unique += "_" + std::to_string(count + 1);
  while (named.contains(unique))
    unique += "_";
  AffineExpr symbol = getAffineSymbolExpr(entries.size(), context);
  entries.push_back(eff::LateSymbolAttr::get(
      context, StringAttr::get(context, unique), min, max));
  ranges.emplace_back(clampBound(min), clampBound(max));
  named[unique] = symbol;
  return symbol;
}

bool SizeSymbols::isLate(AffineExpr size) const {
  bool late = false;
  if (lateNames.empty())
    return false;
  size.walk([&](AffineExpr expr) {
    auto symbol = dyn_cast<AffineSymbolExpr>(expr);
    if (!symbol || symbol.getPosition() >= entries.size())
      return;
    Attribute entry = entries[symbol.getPosition()];
    late |= isa<eff::LateSymbolAttr>(entry);
    if (auto derived = dyn_cast<eff::DerivedSymbolAttr>(entry))
      for (AffineExpr part : derived.getSizes().getExprs())
        late |= isLate(part);
  });
  return late;
}

AffineExpr SizeSymbols::derive(StringRef kind, AffineExpr a, AffineExpr b) {
  // Equal requests share a symbol, of extrema in either order of the operands.
  auto sizes = eff::DimsAttr::get(context, {a, b});
  auto swapped =
      kind == "broadcast" ? sizes : eff::DimsAttr::get(context, {b, a});
  for (auto [index, entry] : llvm::enumerate(entries))
    if (auto derived = dyn_cast<eff::DerivedSymbolAttr>(entry))
      if (derived.getKind() == kind &&
          (derived.getSizes() == sizes || derived.getSizes() == swapped))
        return getAffineSymbolExpr(index, context);
  AffineExpr symbol = getAffineSymbolExpr(entries.size(), context);
  entries.push_back(eff::DerivedSymbolAttr::get(context, kind, sizes));
  auto [minA, maxA] = bounds(a);
  auto [minB, maxB] = bounds(b);
  if (kind == "min")
    ranges.emplace_back(std::min(minA, minB), std::min(maxA, maxB));
  else if (kind == "max")
    ranges.emplace_back(std::max(minA, minB), std::max(maxA, maxB));
  else
    ranges.emplace_back(std::min(minA, minB), std::max(maxA, maxB));
  return symbol;
}

eff::DerivedSymbolAttr SizeSymbols::getDerived(AffineExpr size) const {
  auto symbol = dyn_cast<AffineSymbolExpr>(size);
  return symbol && symbol.getPosition() < entries.size()
             ? dyn_cast<eff::DerivedSymbolAttr>(entries[symbol.getPosition()])
             : eff::DerivedSymbolAttr();
}

/// Names that say nothing of the value: free sizes, sizes of data, and what
/// came of their meeting.
bool SizeSymbols::isFreeToMeet(AffineExpr size) const {
  if (eff::getConstant(size))
    return true;
  if (!isa<AffineSymbolExpr>(size) || stateSizes.contains(size))
    return false;
  eff::DerivedSymbolAttr derived = getDerived(size);
  return !derived || derived.getKind() == "broadcast" || isLate(size);
}

void SizeSymbols::collectParts(AffineExpr size,
                               SmallVectorImpl<AffineExpr> &parts) const {
  eff::DerivedSymbolAttr derived = getDerived(size);
  if (!derived || derived.getKind() != "broadcast") {
    parts.push_back(size);
    return;
  }
  for (AffineExpr part : derived.getSizes().getExprs())
    collectParts(part, parts);
}

bool SizeSymbols::isPart(AffineExpr size, AffineExpr met) const {
  SmallVector<AffineExpr> parts;
  collectParts(met, parts);
  return llvm::is_contained(parts, size);
}

bool SizeSymbols::alwaysDiffer(AffineExpr a, AffineExpr b) const {
  auto [low, high] = bounds(eff::simplify(a - b));
  return low > 0 || high < 0;
}

bool SizeSymbols::mayBeOne(AffineExpr size, AffineExpr to) const {
  if (!eff::mayBeRepeated(size, to) || eff::getConstant(size) ||
      stateSizes.contains(size) || bounds(size).first > 1)
    return false;
  return (isFreeToMeet(size) && isFreeToMeet(to)) || alwaysDiffer(size, to);
}

AffineExpr SizeSymbols::meet(AffineExpr a, AffineExpr b) {
  std::optional<int64_t> x = eff::getConstant(a), y = eff::getConstant(b);
  if (a == b || x == 1)
    return b;
  if (x || y)
    return x || y == 1 ? a : b;
  if (!mayBeOne(a, b))
    return a;
  if (!mayBeOne(b, a))
    return b;
  if (!isFreeToMeet(a) || !isFreeToMeet(b))
    return a;
  SmallVector<AffineExpr> parts;
  collectParts(a, parts);
  collectParts(b, parts);
  auto position = [](AffineExpr symbol) {
    return cast<AffineSymbolExpr>(symbol).getPosition();
  };
  llvm::sort(parts, [&](AffineExpr p, AffineExpr q) {
    return position(p) < position(q);
  });
  parts.erase(llvm::unique(parts), parts.end());
  AffineExpr met = parts.pop_back_val();
  while (!parts.empty())
    met = derive("broadcast", parts.pop_back_val(), met);
  return met;
}

AffineExpr SizeSymbols::meetAgain(unsigned symbol,
                                  ArrayRef<AffineExpr> replacements) {
  eff::DerivedSymbolAttr derived =
      getDerived(getAffineSymbolExpr(symbol, context));
  if (!derived || derived.getKind() != "broadcast")
    return {};
  ArrayRef<AffineExpr> sizes = derived.getSizes().getExprs();
  AffineExpr a = eff::replaceSymbols(sizes[0], replacements),
             b = eff::replaceSymbols(sizes[1], replacements);
  return a == sizes[0] && b == sizes[1] ? AffineExpr() : meet(a, b);
}

void SizeSymbols::dropUnused(const llvm::SmallBitVector &used) {
  // A derived size that stays may itself be made of derived sizes.
  while (!entries.empty() && !used.test(entries.size() - 1) &&
         isa<eff::DerivedSymbolAttr, eff::LateSymbolAttr>(entries.back())) {
    entries.pop_back();
    ranges.pop_back();
  }
}

AffineExpr SizeSymbols::min(AffineExpr a, AffineExpr b) {
  a = eff::simplify(a);
  b = eff::simplify(b);
  auto [low, high] = bounds(eff::simplify(a - b));
  if (high <= 0)
    return a;
  return low >= 0 ? b : derive("min", a, b);
}

AffineExpr SizeSymbols::max(AffineExpr a, AffineExpr b) {
  a = eff::simplify(a);
  b = eff::simplify(b);
  auto [low, high] = bounds(eff::simplify(a - b));
  if (low >= 0)
    return a;
  return high <= 0 ? b : derive("max", a, b);
}

/// min(x, y) == x says x <= y, max(x, y) == x says x >= y; with a free x and
/// a constant y that is a bound, checked wherever x is bound.
static bool narrow(MutableArrayRef<Attribute> entries, AffineExpr symbol,
                   std::pair<int64_t, int64_t> &range, bool atMost,
                   int64_t limit) {
  Attribute &entry = entries[cast<AffineSymbolExpr>(symbol).getPosition()];
  auto free = dyn_cast<eff::SymbolAttr>(entry);
  if (!free || (atMost ? limit < free.getMin() : limit > free.getMax()))
    return false;
  if (atMost)
    range.second = std::min(range.second, limit);
  else
    range.first = std::max(range.first, limit);
  entry =
      eff::SymbolAttr::get(free.getContext(), free.getName(), free.getInput(),
                           free.getAxis(), range.first, range.second);
  return true;
}

SizeSymbols::Conclusion SizeSymbols::assumeEqual(AffineExpr a, AffineExpr b) {
  for (auto [x, y] : {std::pair(a, b), std::pair(b, a)}) {
    auto symbol = dyn_cast<AffineSymbolExpr>(x);
    auto derived =
        symbol ? dyn_cast<eff::DerivedSymbolAttr>(entries[symbol.getPosition()])
               : eff::DerivedSymbolAttr();
    if (!derived || y.isFunctionOfSymbol(symbol.getPosition()))
      continue;
    Conclusion conclusion{x, y, false};
    ArrayRef<AffineExpr> sizes = derived.getSizes().getExprs();
    for (auto [self, other] :
         {std::pair(sizes[0], sizes[1]), std::pair(sizes[1], sizes[0])})
      if (auto limit = eff::getConstant(other);
          derived.getKind() != "broadcast" && limit && self == y &&
          isa<AffineSymbolExpr>(y))
        conclusion.holds =
            narrow(entries, y, ranges[cast<AffineSymbolExpr>(y).getPosition()],
                   derived.getKind() == "min", *limit);
    return conclusion;
  }
  // Of two free sizes the one declared later gives way.
  auto x = dyn_cast<AffineSymbolExpr>(a), y = dyn_cast<AffineSymbolExpr>(b);
  if (x && (!y || x.getPosition() > y.getPosition()) &&
      !b.isFunctionOfSymbol(x.getPosition()))
    return {a, b, false};
  if (y && !a.isFunctionOfSymbol(y.getPosition()))
    return {b, a, false};
  return {};
}

static std::pair<int64_t, int64_t>
productBounds(std::pair<int64_t, int64_t> a, std::pair<int64_t, int64_t> b) {
  __int128 products[] = {
      __int128(a.first) * b.first, __int128(a.first) * b.second,
      __int128(a.second) * b.first, __int128(a.second) * b.second};
  return {clampBound(*std::min_element(products, products + 4)),
          clampBound(*std::max_element(products, products + 4))};
}

/// Division by a divisor of at least 1; rounding is monotonous in both.
static std::pair<int64_t, int64_t> quotientBounds(std::pair<int64_t, int64_t> a,
                                                  std::pair<int64_t, int64_t> b,
                                                  bool ceil) {
  auto divide = [&](int64_t x, int64_t y) {
    return ceil ? llvm::divideCeilSigned(x, y) : llvm::divideFloorSigned(x, y);
  };
  int64_t least = std::max<int64_t>(b.first, 1);
  int64_t most = std::max<int64_t>(b.second, 1);
  int64_t low = std::min(divide(a.first, least), divide(a.first, most));
  int64_t high = std::max(divide(a.second, least), divide(a.second, most));
  // What was cut off at the bound is not known to be smaller after division.
  if (a.first <= -unbounded)
    low = -unbounded;
  if (a.second >= unbounded)
    high = unbounded;
  return {low, high};
}

/// Top-level terms of a sum.
static void collectTerms(AffineExpr size, SmallVectorImpl<AffineExpr> &terms) {
  auto binary = dyn_cast<AffineBinaryOpExpr>(size);
  if (binary && binary.getKind() == AffineExprKind::Add) {
    collectTerms(binary.getLHS(), terms);
    collectTerms(binary.getRHS(), terms);
    return;
  }
  terms.push_back(size);
}

/// c * (size with one quotient x floordiv c replaced by the line above or
/// below it): x - (c - 1) <= c * (x floordiv c) <= x. Intervals alone do not
/// see that s floordiv 2 is at most s.
static AffineExpr relaxQuotient(AffineExpr size, bool above, int64_t &divisor) {
  SmallVector<AffineExpr> terms;
  collectTerms(size, terms);
  if (terms.size() < 2 || terms.size() > 8)
    return {};
  for (AffineExpr term : terms) {
    int64_t factor = 1;
    AffineExpr atom = term;
    auto product = dyn_cast<AffineBinaryOpExpr>(term);
    if (product && product.getKind() == AffineExprKind::Mul)
      if (auto constant = eff::getConstant(product.getRHS())) {
        factor = *constant;
        atom = product.getLHS();
      }
    auto quotient = dyn_cast<AffineBinaryOpExpr>(atom);
    if (!quotient || quotient.getKind() != AffineExprKind::FloorDiv)
      continue;
    std::optional<int64_t> by = eff::getConstant(quotient.getRHS());
    if (!by || *by <= 1 || *by > (int64_t(1) << 20))
      continue;
    divisor = *by;
    AffineExpr line = quotient.getLHS();
    if (above != (factor > 0))
      line = line - (divisor - 1);
    return eff::simplify((size - term) * divisor + line * factor);
  }
  return {};
}

std::pair<int64_t, int64_t> SizeSymbols::bounds(AffineExpr size) const {
  std::pair<int64_t, int64_t> result = intervalOf(size);
  int64_t divisor = 1;
  if (AffineExpr line = relaxQuotient(size, /*above=*/true, divisor))
    result.second = std::min(
        result.second, llvm::divideFloorSigned(bounds(line).second, divisor));
  if (AffineExpr line = relaxQuotient(size, /*above=*/false, divisor))
    result.first = std::max(
        result.first, llvm::divideCeilSigned(bounds(line).first, divisor));
  return result;
}

std::pair<int64_t, int64_t> SizeSymbols::intervalOf(AffineExpr size) const {
  if (auto constant = eff::getConstant(size))
    return {clampBound(*constant), clampBound(*constant)};
  if (auto symbol = dyn_cast<AffineSymbolExpr>(size))
    return symbol.getPosition() < ranges.size()
               ? ranges[symbol.getPosition()]
               : std::make_pair(-unbounded, unbounded);
  auto binary = dyn_cast<AffineBinaryOpExpr>(size);
  if (!binary)
    return {-unbounded, unbounded};
  auto a = bounds(binary.getLHS()), b = bounds(binary.getRHS());
  switch (binary.getKind()) {
  case AffineExprKind::Add:
    return {clampBound(__int128(a.first) + b.first),
            clampBound(__int128(a.second) + b.second)};
  case AffineExprKind::Mul:
    return productBounds(a, b);
  case AffineExprKind::FloorDiv:
    return quotientBounds(a, b, /*ceil=*/false);
  case AffineExprKind::CeilDiv:
    return quotientBounds(a, b, /*ceil=*/true);
  case AffineExprKind::Mod: {
    int64_t high = std::max<int64_t>(b.second, 1) - 1;
    return {0, a.first >= 0 ? std::min(a.second, high) : high};
  }
  default:
    return {-unbounded, unbounded};
  }
}

} // namespace effc
