// One name for sizes that must be equal. Slices that clip (`min(seq, 1024)`)
// and reshapes give derived sizes, and the check that such a size fits its
// neighbour's makes them equal whenever the program runs at all.
#include "Eff/EffOps.h"
#include "effc/Transforms/Passes.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/AttrTypeSubElements.h"

namespace effc {
#define GEN_PASS_DEF_SUBSTITUTESIZES
#include "effc/Transforms/Passes.h.inc"
} // namespace effc

using namespace mlir;
using namespace effc::eff;

static constexpr StringLiteral checksName = "eff.checks",
                               symbolsName = "eff.symbols";

namespace {

/// What the checks of a function say about its symbols.
struct Sizes {
  explicit Sizes(func::FuncOp function);

  void substituteChecked(bool bothDerived);
  void substituteAll();
  void substituteClipped();
  void substituteDecided();
  void set(unsigned symbol, AffineExpr size);
  /// Not replaced yet; a replacement may be a symbol too.
  bool isOpen(unsigned symbol) const {
    return replacements[symbol] ==
           getAffineSymbolExpr(symbol, replacements[symbol].getContext());
  }
  DerivedSymbolAttr getDerived(AffineExpr size) const;
  bool isNotNegative(AffineExpr size) const {
    return effc::eff::isNotNegative(size, symbols);
  }
  AffineExpr replace(AffineExpr size) const {
    return replaceSymbols(size, replacements);
  }

  SmallVector<Attribute> symbols;
  SmallVector<CheckAttr> checks;
  SmallVector<AffineExpr> replacements;
  /// `first` is at most `second`.
  SmallVector<std::pair<AffineExpr, int64_t>> bounds;
  unsigned numSubstituted = 0;
};

} // namespace

Sizes::Sizes(func::FuncOp function) {
  if (auto array = function->getAttrOfType<ArrayAttr>(symbolsName))
    llvm::append_range(symbols, array);
  if (auto array = function->getAttrOfType<ArrayAttr>(checksName))
    for (Attribute attribute : array)
      if (auto check = dyn_cast<CheckAttr>(attribute))
        checks.push_back(check);
  for (unsigned i = 0; i < symbols.size(); ++i)
    replacements.push_back(getAffineSymbolExpr(i, function.getContext()));
}

DerivedSymbolAttr Sizes::getDerived(AffineExpr size) const {
  auto symbol = dyn_cast<AffineSymbolExpr>(size);
  if (!symbol || symbol.getPosition() >= symbols.size())
    return {};
  return dyn_cast<DerivedSymbolAttr>(symbols[symbol.getPosition()]);
}

void Sizes::set(unsigned symbol, AffineExpr size) {
  if (size.isFunctionOfSymbol(symbol))
    return;
  replacements[symbol] = size;
  ++numSubstituted;
  for (AffineExpr &other : replacements)
    other = replace(other);
}

/// A derived size goes where a check compares it with another; which of two
/// derived sizes goes is arbitrary.
void Sizes::substituteChecked(bool bothDerived) {
  for (CheckAttr check : checks) {
    ArrayRef<AffineExpr> sizes = check.getSizes().getExprs();
    for (auto [derived, other] :
         {std::pair(sizes[0], sizes[1]), std::pair(sizes[1], sizes[0])}) {
      DerivedSymbolAttr definition = getDerived(derived);
      if (!definition || replace(derived) != derived)
        continue;
      AffineExpr size = replace(other);
      if (bool(getDerived(size)) != bothDerived)
        continue;
      // min(size, limit) = size is a bound on the size.
      if (definition.getKind() == "min")
        for (AffineExpr limit : definition.getSizes().getExprs())
          if (auto constant = effc::eff::getConstant(limit))
            bounds.push_back({size, *constant});
      set(cast<AffineSymbolExpr>(derived).getPosition(), size);
      break;
    }
  }
}

/// min(a, limit) is a when a is at most a size that is at most the limit.
void Sizes::substituteClipped() {
  for (unsigned i = 0; i < symbols.size(); ++i) {
    auto derived = dyn_cast<DerivedSymbolAttr>(symbols[i]);
    if (!derived || derived.getKind() != "min" || !isOpen(i))
      continue;
    ArrayRef<AffineExpr> sizes = derived.getSizes().getExprs();
    for (auto [a, limit] :
         {std::pair(sizes[0], sizes[1]), std::pair(sizes[1], sizes[0])}) {
      auto constant = effc::eff::getConstant(limit);
      AffineExpr size = replace(a);
      bool fits = constant && llvm::any_of(bounds, [&](auto &bound) {
                    return bound.second <= *constant &&
                           isNotNegative(simplify(bound.first - size));
                  });
      if (!fits)
        continue;
      set(i, size);
      break;
    }
  }
}

/// A minimum or maximum of sizes that differ by a known sign.
void Sizes::substituteDecided() {
  for (unsigned i = 0; i < symbols.size(); ++i) {
    auto derived = dyn_cast<DerivedSymbolAttr>(symbols[i]);
    if (!derived || !isOpen(i))
      continue;
    AffineExpr a = replace(derived.getSizes().getExprs()[0]);
    AffineExpr b = replace(derived.getSizes().getExprs()[1]);
    if (derived.getKind() == "broadcast") {
      if (a == b)
        set(i, a);
      continue;
    }
    bool isMin = derived.getKind() == "min";
    if (isNotNegative(simplify(a - b)))
      set(i, isMin ? b : a);
    else if (isNotNegative(simplify(b - a)))
      set(i, isMin ? a : b);
  }
}

void Sizes::substituteAll() {
  unsigned before;
  do {
    before = numSubstituted;
    substituteDecided();
    substituteClipped();
    substituteChecked(/*bothDerived=*/false);
    // Last, since it loses a definition.
    if (numSubstituted == before)
      substituteChecked(/*bothDerived=*/true);
  } while (numSubstituted != before);
}

namespace {

struct SubstituteSizes : effc::impl::SubstituteSizesBase<SubstituteSizes> {
  void runOnOperation() override {
    func::FuncOp function = getOperation();
    Sizes sizes(function);
    sizes.substituteAll();
    if (sizes.numSubstituted == 0)
      return markAllAnalysesPreserved();
    numSubstituted += sizes.numSubstituted;

    AttrTypeReplacer replacer;
    replacer.addReplacement([&](RankedTensorType type) -> Type {
      Dims dims = getDims(type);
      if (llvm::is_contained(dims, AffineExpr()))
        return type;
      for (AffineExpr &dim : dims)
        dim = sizes.replace(dim);
      return makeTensorType(type.getElementType(), dims);
    });
    replacer.addReplacement([&](DimsAttr attribute) -> Attribute {
      Dims dims(attribute.getExprs());
      for (AffineExpr &dim : dims)
        dim = sizes.replace(dim);
      return DimsAttr::get(&getContext(), dims);
    });
    // What is known stays known: the checks and definitions themselves are
    // kept.
    Attribute checks = function->getAttr(checksName),
              symbols = function->getAttr(symbolsName);
    replacer.recursivelyReplaceElementsIn(function, /*replaceAttrs=*/true,
                                          /*replaceLocs=*/false,
                                          /*replaceTypes=*/true);
    function->setAttr(checksName, checks);
    function->setAttr(symbolsName, symbols);
  }
};

} // namespace
