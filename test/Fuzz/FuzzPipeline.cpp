// A model through every stage to the LLVM dialect and the program table: what
// the importer lets pass, the stages must take, on the plain path and on the
// fast one.
#include "ImportCase.h"
#include "effc/Emit/ModelTable.h"
#include "effc/InitAll.h"
#include "effc/Pipeline/Stages.h"
#include "effc/Target/CPU/CPUTarget.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "llvm/Support/raw_ostream.h"

using namespace mlir;
using namespace effc;

/// The stages have no business with a model that was imported but to compile
/// it, so an error is a find.
static void require(LogicalResult result, const char *what,
                    const ErrorCounter &errors) {
  if (succeeded(result))
    return;
  llvm::errs() << "find: " << what << " failed:\n" << errors.text;
  __builtin_trap();
}

static void eraseFunctions(ModuleOp module) {
  for (auto function :
       llvm::make_early_inc_range(module.getOps<func::FuncOp>()))
    if (!function->hasAttr("effk.kernel"))
      function.erase();
}

static void compile(ModuleOp module, bool plain, const ErrorCounter &errors) {
  auto target = *resolveCPU("v4", module.getLoc());
  module->setAttr("eff.target", target);
  PipelineOptions options;
  options.plain = plain;
  require(runStages(module, options), plain ? "plain path" : "fast path",
          errors);
  require(buildModelTable({{module, "", 0}}, "fuzz"), "table", errors);
  eraseFunctions(module);
  require(lowerToLLVM(module, target, plain), "LLVM lowering", errors);
}

/// Large programs take long without being any newer.
static bool isSmall(ModuleOp module) {
  unsigned count = 0;
  module.walk([&](Operation *op) { ++count; });
  return count <= 60;
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static DialectRegistry registry;
  static bool isReady = false;
  if (!isReady) {
    registerAllDialects(registry);
    registerCPUTarget(registry);
    isReady = true;
  }
  static FuzzContext contexts(registry);
  MLIRContext &context = contexts.get();
  ErrorCounter errors(&context);
  OwningOpRef<ModuleOp> module = importCase(data, size, &context, errors);
  if (!module || !isSmall(*module))
    return 0;
  OwningOpRef<ModuleOp> copy = module->clone();
  compile(*module, /*plain=*/false, errors);
  compile(*copy, /*plain=*/true, errors);
  return 0;
}
