// The generated definitions of all `eff` operations; hand-written parts are in
// the themed files.
#include "Eff/EffOps.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/OpImplementation.h"

using namespace mlir;
using namespace effc::eff;

#define GET_OP_CLASSES
#include "Eff/EffOps.cpp.inc"
