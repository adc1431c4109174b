// Bytes of a stranger to a verified module, or to a message.
#include "ImportCase.h"
#include "mlir/IR/OperationSupport.h"
#include "llvm/Support/raw_ostream.h"

using namespace mlir;
using namespace effc;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static DialectRegistry registry;
  static FuzzContext contexts(registry);
  MLIRContext &context = contexts.get();
  ErrorCounter errors(&context);
  OwningOpRef<ModuleOp> module = importCase(data, size, &context, errors);
  if (!module)
    return 0;
  // Saved stages print what strangers named.
  llvm::raw_null_ostream os;
  OpPrintingFlags flags;
  flags.enableDebugInfo().elideLargeResourceString(64);
  module->print(os, flags);
  return 0;
}
