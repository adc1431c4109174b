// The runtime takes the first program that fits the shapes, so specialised
// programs come first.
#include "EntryPoints.h"
#include "Effk/EffkOps.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"

using namespace mlir;

namespace effc {

std::vector<EntryPoint> expandEntryPoints(const std::vector<DimOption> &dims) {
  std::vector<EntryPoint> entries = {{"", {}}};
  for (const DimOption &dim : dims) {
    if (dim.values.empty())
      continue;
    bool several = dim.values.size() + dim.general > 1;
    std::vector<EntryPoint> expanded;
    for (const EntryPoint &entry : entries) {
      for (int64_t value : dim.values) {
        EntryPoint next = entry;
        next.dims.emplace_back(dim.name, value);
        if (several)
          next.name += (next.name.empty() ? "" : "_") + dim.name + "_" +
                       std::to_string(value);
        expanded.push_back(std::move(next));
      }
      if (dim.general)
        expanded.push_back(entry);
    }
    entries = std::move(expanded);
  }
  // With fewer fixed sizes a program takes more shapes: those come later.
  std::vector<EntryPoint> ordered;
  for (size_t fixed = dims.size() + 1; fixed-- > 0;)
    for (EntryPoint &entry : entries)
      if (entry.dims.size() == fixed)
        ordered.push_back(entry);
  for (EntryPoint &entry : ordered)
    if (entry.name.empty())
      entry.name = "main";
  return ordered;
}

void mergeEntryPoint(ModuleOp from, ModuleOp to, const EntryPoint &entry) {
  for (auto function :
       llvm::make_early_inc_range(from.getOps<func::FuncOp>())) {
    bool isMain = function.getName() == "main";
    if (isMain && !function->hasAttr("eff.symbols"))
      function->setAttr("eff.symbols", ArrayAttr::get(to.getContext(), {}));
    // Kernels of the runtime are declared once.
    if (function.isDeclaration()) {
      if (!to.lookupSymbol(function.getName()))
        function->moveBefore(to.getBody(), to.getBody()->end());
      continue;
    }
    if (entry.name != "main") {
      function.walk([&](effk::LaunchOp launch) {
        if (!launch.getKernel().starts_with(effk::kLibraryPrefix))
          launch.setKernel(entry.name + "_" + launch.getKernel().str());
      });
      function.setName(isMain ? entry.name
                              : entry.name + "_" + function.getName().str());
    }
    function->moveBefore(to.getBody(), to.getBody()->end());
  }
}

} // namespace effc
