// The passes of the CPU target.
#ifndef EFFC_TARGET_CPU_PASSES_H
#define EFFC_TARGET_CPU_PASSES_H

#include "mlir/Pass/Pass.h"

namespace mlir {
class ModuleOp;
namespace arith {
class ArithDialect;
}
namespace func {
class FuncDialect;
}
namespace LLVM {
class LLVMDialect;
}
namespace math {
class MathDialect;
}
namespace memref {
class MemRefDialect;
}
namespace scf {
class SCFDialect;
}
namespace vector {
class VectorDialect;
}
} // namespace mlir

namespace effc {
#define GEN_PASS_DECL
#include "effc/Target/CPU/Passes.h.inc"
#define GEN_PASS_REGISTRATION
#include "effc/Target/CPU/Passes.h.inc"
} // namespace effc

#endif // EFFC_TARGET_CPU_PASSES_H
