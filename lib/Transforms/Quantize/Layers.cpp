// See Layers.h. Names are given in the order of the function, so that they hang
// on the model alone.
#include "Layers.h"
#include "effc/Support/Diagnostics.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/ADT/StringSet.h"

using namespace mlir;
using namespace effc;

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
