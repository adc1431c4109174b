// Says what the passes before decided, when all of them have: a layer that one
// scheme leaves out may be another's.
#include "Layers.h"
#include "effc/Support/Diagnostics.h"
#include "effc/Transforms/Quantize/Passes.h"
#include "llvm/Support/Format.h"

namespace effc {
#define GEN_PASS_DEF_REPORTLAYERS
#include "effc/Transforms/Quantize/Passes.h.inc"
} // namespace effc

using namespace mlir;
using namespace effc;

namespace {

struct ReportLayers : effc::impl::ReportLayersBase<ReportLayers> {
  using Base::Base;

  void runOnOperation() override {
    func::FuncOp function = getOperation();
    function.walk([](Operation *op) { op->removeAttr(kLayerAttr); });
    SmallVector<DictionaryAttr> layers;
    if (auto list = function->getAttrOfType<ArrayAttr>(kQuantizedAttr))
      layers.assign(list.getAsRange<DictionaryAttr>().begin(),
                    list.getAsRange<DictionaryAttr>().end());
    numLayers += layers.size();
    if (!quiet) {
      for (DictionaryAttr layer : layers)
        remark(layer);
      for (const std::string &pattern : patterns)
        check(pattern, layers);
    }
    SmallVector<Attribute> plain;
    for (DictionaryAttr layer : layers) {
      NamedAttrList entry(layer);
      entry.erase("at");
      plain.push_back(entry.getDictionary(&getContext()));
    }
    if (!layers.empty())
      function->setAttr(kQuantizedAttr, ArrayAttr::get(&getContext(), plain));
  }

  static void remark(DictionaryAttr layer) {
    std::string text = layer.getAs<StringAttr>("reason").str();
    if (auto error = layer.getAs<FloatAttr>("error"))
      llvm::raw_string_ostream(text) << llvm::format(
          ", estimated error %.2g of the result", error.getValueAsDouble());
    auto at = layer.getAs<LocationAttr>("at");
    emitRemark(at ? Location(at) : UnknownLoc::get(layer.getContext()),
               DiagnosticCode::LayerPrecision)
        << "computed in " << layer.getAs<StringAttr>("precision").getValue()
        << (text.empty() ? "" : ": ") << text;
  }

  /// Of a name that is mistyped nobody would know that it does nothing.
  void check(StringRef text, ArrayRef<DictionaryAttr> layers) {
    llvm::Expected<llvm::GlobPattern> pattern = llvm::GlobPattern::create(text);
    if (!pattern) {
      llvm::consumeError(pattern.takeError());
      return;
    }
    auto matches = [&](DictionaryAttr layer) {
      return pattern->match(layer.getAs<StringAttr>("node").getValue()) ||
             pattern->match(layer.getAs<StringAttr>("layer").getValue());
    };
    if (llvm::none_of(layers, matches))
      emitWarning(getOperation().getLoc(), DiagnosticCode::NoSuchLayer)
          << "--set: '" << text << "' matches no layer that could be quantised";
  }
};

} // namespace
