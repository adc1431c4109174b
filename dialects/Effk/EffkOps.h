// The `effk` dialect: everything a user of its operations includes.
#ifndef EFFK_EFFKOPS_H
#define EFFK_EFFKOPS_H

#include "Eff/EffOps.h"
#include "mlir/IR/SymbolTable.h"
#include "mlir/Interfaces/ControlFlowInterfaces.h"

#include "Effk/EffkDialect.h.inc"
#define GET_ATTRDEF_CLASSES
#include "Effk/EffkAttrs.h.inc"
#define GET_OP_CLASSES
#include "Effk/EffkOps.h.inc"

#endif // EFFK_EFFKOPS_H
