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

  /// The name that it has, or one that is left.
  std::string name(const Product &product) {
    auto stated = product.op->getAttrOfType<StringAttr>(kLayerAttr);
    if (!stated) {
      stated = StringAttr::get(product.op->getContext(), give(product));
      product.op->setAttr(kLayerAttr, stated);
    }
    return stated.str();
  }

private:
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
    layers.push_back({product, names.name(product)});
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

/// The layer's, or where it has none the node's.
static StringRef getLayerName(Operation *op) {
  auto name = op->getAttrOfType<StringAttr>(kLayerAttr);
  return name ? name.getValue() : getNodeName(op->getLoc());
}

bool LayerFilter::isLeftOut(Operation *op) const {
  StringRef node = getNodeName(op->getLoc()), layer = getLayerName(op);
  for (const Entry &entry : llvm::reverse(entries))
    if (entry.pattern.match(node) || entry.pattern.match(layer))
      return entry.leavesOut;
  return false;
}

static constexpr StringLiteral kLeftOut = "left out by request";

void LayerJournal::add(Operation *op, bool taken, const Twine &reason,
                       std::optional<double> error) {
  Builder b(op->getContext());
  NamedAttrList entry;
  entry.append("at", static_cast<LocationAttr>(op->getLoc()));
  entry.append("layer", b.getStringAttr(getLayerName(op)));
  entry.append("node", b.getStringAttr(getNodeName(op->getLoc())));
  entry.append("precision", b.getStringAttr(taken ? scheme : "f32"));
  entry.append("taken", b.getBoolAttr(taken));
  entry.append("reason", b.getStringAttr(reason));
  if (error)
    entry.append("error", b.getF64FloatAttr(*error));
  entries.push_back(entry.getDictionary(op->getContext()));
  numTaken += taken;
}

void LayerJournal::take(Operation *op, const Twine &detail,
                        std::optional<double> error) {
  add(op, /*taken=*/true, detail, error);
}

void LayerJournal::decline(Operation *op, const Twine &reason) {
  add(op, /*taken=*/false, reason, std::nullopt);
}

void LayerJournal::leaveOut(Operation *op) { decline(op, kLeftOut); }

void LayerJournal::write(func::FuncOp function) const {
  auto weigh = [](DictionaryAttr entry) {
    return entry.getAs<BoolAttr>("taken").getValue()             ? 2
           : entry.getAs<StringAttr>("reason") == kLeftOut.str() ? 0
                                                                 : 1;
  };
  SmallVector<Attribute> list;
  if (auto old = function->getAttrOfType<ArrayAttr>(kQuantizedAttr))
    llvm::append_range(list, old);
  size_t numOld = list.size();
  llvm::DenseMap<Attribute, size_t> places;
  for (size_t i = numOld; i-- > 0;)
    places[cast<DictionaryAttr>(list[i]).get("layer")] = i;
  for (DictionaryAttr entry : entries) {
    auto old = places.find(entry.get("layer"));
    if (old == places.end())
      list.push_back(entry);
    else if (weigh(entry) > weigh(cast<DictionaryAttr>(list[old->second])))
      list[old->second] = entry;
  }
  function->setAttr(kQuantizedAttr,
                    ArrayAttr::get(function.getContext(), list));
}

void effc::visitLayers(
    func::FuncOp function, const LayerFilter &filter, LayerJournal &journal,
    llvm::function_ref<std::string(const QuantizableLayer &)> take) {
  for (const QuantizableLayer &layer : getQuantizableLayers(function)) {
    if (filter.isLeftOut(layer.op()))
      journal.leaveOut(layer.op());
    else if (std::string reason = take(layer); !reason.empty())
      journal.decline(layer.op(), reason);
  }
}
