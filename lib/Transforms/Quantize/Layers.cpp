// See Layers.h. Names are given in the order of the function, so that they hang
// on the model alone.
#include "Layers.h"
#include "effc/Support/Diagnostics.h"
#include "effc/Transforms/Quantize/Passes.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/ADT/StringSet.h"

using namespace mlir;
using namespace effc;
using namespace effc::eff;

namespace {

/// Unique names; a number that a node bears itself is left to it.
class Names {
public:
  explicit Names(ArrayRef<Product> products) {
    for (const Product &product : products)
      taken.insert(getName(product));
  }

  std::string give(const Product &product) {
    std::string name = getName(product).str(), numbered = name;
    unsigned &count = counts[name];
    while (++count > 1) {
      numbered = name + "#" + std::to_string(count);
      if (taken.insert(numbered).second)
        break;
    }
    return numbered;
  }

private:
  static StringRef getName(const Product &product) {
    StringRef name = getNodeName(product.op->getLoc());
    return name.empty() ? product.op->getName().stripDialect() : name;
  }

  llvm::StringSet<> taken;
  llvm::StringMap<unsigned> counts;
};

} // namespace

std::vector<QuantizableLayer>
effc::getQuantizableLayers(func::FuncOp function) {
  SmallVector<Product> products;
  function.walk([&](Operation *op) {
    std::optional<Product> product = Product::get(op);
    auto isFloat = [](Value value) {
      return cast<RankedTensorType>(value.getType()).getElementType().isF32();
    };
    if (product && isFloat(product->x) && isFloat(product->weight) &&
        isFloat(op->getResult(0)))
      products.push_back(*product);
  });
  Names names(products);
  std::vector<QuantizableLayer> layers;
  for (const Product &product : products)
    layers.push_back({product, names.give(product)});
  return layers;
}

double effc::estimateSize(AffineExpr size) {
  constexpr int64_t typicalSize = 64;
  unsigned symbols = 0;
  size.walk([&](AffineExpr part) {
    if (auto symbol = dyn_cast<AffineSymbolExpr>(part))
      symbols = std::max(symbols, symbol.getPosition() + 1);
  });
  SmallVector<AffineExpr> typical(symbols,
                                  constDim(size.getContext(), typicalSize));
  AffineExpr known = simplify(size.replaceSymbols(typical));
  return static_cast<double>(getConstant(known).value_or(typicalSize));
}

std::optional<LayerFilter> LayerFilter::get(MLIRContext *context,
                                            StringRef pass,
                                            ArrayRef<std::string> patterns) {
  LayerFilter filter;
  for (const std::string &text : patterns) {
    StringRef glob = text;
    bool takesIn = glob.consume_front("!");
    llvm::Expected<llvm::GlobPattern> pattern = llvm::GlobPattern::create(glob);
    if (!pattern) {
      mlir::emitError(UnknownLoc::get(context))
          << pass << ": '" << glob
          << "': " << llvm::toString(pattern.takeError());
      return std::nullopt;
    }
    filter.entries.push_back({std::move(*pattern), !takesIn});
  }
  return filter;
}

bool LayerFilter::isLeftOut(StringRef name) const {
  for (const Entry &entry : llvm::reverse(entries))
    if (entry.pattern.match(name))
      return entry.leavesOut;
  return false;
}

void effc::recordQuantized(func::FuncOp function, ArrayRef<std::string> layers,
                           StringRef to) {
  Builder b(function.getContext());
  SmallVector<Attribute> list;
  if (auto old = function->getAttrOfType<ArrayAttr>(kQuantizedAttr))
    llvm::append_range(list, old);
  for (const std::string &layer : layers)
    list.push_back(
        b.getDictionaryAttr({b.getNamedAttr("node", b.getStringAttr(layer)),
                             b.getNamedAttr("to", b.getStringAttr(to))}));
  function->setAttr(kQuantizedAttr, b.getArrayAttr(list));
}
