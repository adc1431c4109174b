// Passes that group ops into kernels.
#ifndef EFFC_FUSION_PASSES_TD
#define EFFC_FUSION_PASSES_TD

include "mlir/Pass/PassBase.td"

def FormKernels : Pass<"eff-form-kernels", "::mlir::func::FuncOp"> {
  let summary = "Group the ops of a host function into kernel regions";
  let description = [{
    Afterwards the function holds only constants, reshapes (views), `effk.kernel` and its return, and every returned value is a
    kernel's result of its own. A group is a tree of ops joined by single-use values: one anchor with elementwise ops after it, and, for
    reductions and normalisations, before it; or elementwise and movement ops only. With `fuse=false` every op is a kernel. Exact.
  }];
  let dependentDialects = ["::effc::effk::EffkDialect"];
  let options = [Option<"fuse", "fuse", "bool", "true", "Join ops into larger kernels">];
  let statistics = [Statistic<"numFused", "num-fused", "Ops that joined a kernel of another op">];
}

#endif // EFFC_FUSION_PASSES_TD
