// Shrinks IR that makes effc fail to the smallest that still does, as a script
// judges it: MLIR's reducer with our dialects (docs/debugging.md shows a
// script for the reproducers that effc writes).
#include "effc/InitAll.h"
#include "mlir/IR/MLIRContext.h"
#include "mlir/Tools/mlir-reduce/MlirReduceMain.h"
#include "mlir/Transforms/Passes.h"

int main(int argc, char **argv) {
  mlir::DialectRegistry registry;
  effc::registerAllDialects(registry);
  effc::registerAllPasses();
  mlir::registerTransformsPasses();
  mlir::MLIRContext context(registry);
  return mlir::failed(mlir::mlirReduceMain(argc, argv, context));
}
