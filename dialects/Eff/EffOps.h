// The `eff` dialect: everything a user of its operations includes.
#ifndef EFF_EFFOPS_H
#define EFF_EFFOPS_H

#include "mlir/Bytecode/BytecodeOpInterface.h"
#include "mlir/IR/AffineExpr.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Dialect.h"
#include "mlir/IR/OpDefinition.h"
#include "mlir/IR/OpImplementation.h"
#include "mlir/IR/TensorEncoding.h"
#include "mlir/Interfaces/ControlFlowInterfaces.h"
#include "mlir/Interfaces/InferTypeOpInterface.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

#include "Eff/Dims.h"
#include "Eff/EffDialect.h.inc"
#include "Eff/EffEnums.h.inc"
#define GET_ATTRDEF_CLASSES
#include "Eff/EffAttrs.h.inc"
#include "Eff/EffInterfaces.h.inc"
#define GET_OP_CLASSES
#include "Eff/EffOps.h.inc"

#endif // EFF_EFFOPS_H
