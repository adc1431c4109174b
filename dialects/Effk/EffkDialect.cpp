// Registration of the `effk` dialect.
#include "Effk/EffkOps.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/DialectImplementation.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace effc::effk;

#include "Effk/EffkDialect.cpp.inc"
#define GET_ATTRDEF_CLASSES
#include "Effk/EffkAttrs.cpp.inc"

int64_t PanelAttr::getDepth() const {
  return getRuns() * static_cast<int64_t>(
                         llvm::alignTo(getK() / getRuns(), getInterleave()));
}

int64_t PanelAttr::getNumElements() const {
  return getGroups() * llvm::divideCeil(getN(), getWidth()) * getDepth() *
         getWidth();
}

void EffkDialect::initialize() {
  addAttributes<
#define GET_ATTRDEF_LIST
#include "Effk/EffkAttrs.cpp.inc"
      >();
  addOperations<
#define GET_OP_LIST
#include "Effk/EffkOps.cpp.inc"
      >();
}
