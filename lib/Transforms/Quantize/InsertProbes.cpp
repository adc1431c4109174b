// Outputs for calibration. What a layer multiplies is in memory anyway, since
// products are kernels of their own, so the probed model runs nearly as fast as
// the model and rounds as it does.
#include "Layers.h"
#include "effc/Support/Diagnostics.h"
#include "effc/Transforms/Quantize/Passes.h"
#include "llvm/ADT/MapVector.h"

namespace effc {
#define GEN_PASS_DEF_INSERTPROBES
#include "effc/Transforms/Quantize/Passes.h.inc"
} // namespace effc

using namespace mlir;
using namespace effc;

namespace {

struct InsertProbes : effc::impl::InsertProbesBase<InsertProbes> {
  void runOnOperation() override {
    func::FuncOp function = getOperation();
    if (function.isDeclaration())
      return;
    Block *body = &function.getBody().front();
    llvm::MapVector<Value, SmallVector<Attribute>> probes;
    Builder b(&getContext());
    for (const QuantizableLayer &layer : getQuantizableLayers(function)) {
      Value value = layer.getActivation().get();
      if (value.getParentBlock() == body) {
        probes[value].push_back(b.getStringAttr(layer.name));
        continue;
      }
      ++numUnreachable;
      emitRemark(layer.op()->getLoc(), DiagnosticCode::NotCalibrated)
          << "not calibrated: its input is inside a branch or loop";
    }
    numProbes += probes.size();
    std::string prefix = choosePrefix(function);
    auto ret = cast<func::ReturnOp>(body->getTerminator());
    SmallVector<Value> results(ret.getOperands());
    SmallVector<DictionaryAttr> names;
    function.getAllResultAttrs(names);
    names.resize(results.size(), b.getDictionaryAttr({}));
    SmallVector<Attribute> list;
    for (auto &[value, layers] : probes) {
      StringAttr name = b.getStringAttr(prefix + Twine(list.size()));
      results.push_back(value);
      names.push_back(b.getDictionaryAttr(b.getNamedAttr("eff.name", name)));
      list.push_back(
          b.getDictionaryAttr({b.getNamedAttr("layers", b.getArrayAttr(layers)),
                               b.getNamedAttr("output", name)}));
    }
    ret.getOperandsMutable().assign(results);
    function.setType(b.getFunctionType(function.getArgumentTypes(),
                                       ValueRange(results).getTypes()));
    function.setAllResultAttrs(names);
    function->setAttr(kProbesAttr, b.getArrayAttr(list));
  }

  /// Of names that no output of the model has.
  static std::string choosePrefix(func::FuncOp function) {
    std::string prefix = "effc.probe.";
    for (unsigned i = 0; i < function.getNumResults(); ++i) {
      auto name = function.getResultAttrOfType<StringAttr>(i, "eff.name");
      while (name && name.getValue().starts_with(prefix))
        prefix += ".";
    }
    return prefix;
  }
};

} // namespace
