// Passes that turn kernel regions into loops.
#ifndef EFFC_CONVERSION_PASSES_TD
#define EFFC_CONVERSION_PASSES_TD

include "mlir/Pass/PassBase.td"

def ConvertKernelsToLoops : Pass<"convert-kernels-to-loops", "::mlir::ModuleOp"> {
  let summary = "Generate a loop function for every kernel region";
  let description = [{
    Replaces each `effk.kernel` of the host functions by an `effk.launch` of a new function over flat memrefs. Regions that
    give equal code share one function. With `plain` the loops are scalar, sums are made in order, and no tile op is
    used. Convolutions may be computed by Winograd's algorithm, which rounds more than a sum; with `winograd=never` they are not.
    Everything else is exact.

    ```mlir
    %0 = effk.kernel "relu"(%x) : (tensor<8xf32>) -> tensor<8xf32> { ... }
    // becomes
    %0 = effk.launch @k0_unary(%x) dims #eff.dims<> sizes #eff.dims<...> : (tensor<8xf32>) -> tensor<8xf32>
    ```
  }];
  let dependentDialects = ["::effc::effk::EffkDialect", "::mlir::arith::ArithDialect", "::mlir::func::FuncDialect",
                           "::mlir::math::MathDialect", "::mlir::memref::MemRefDialect", "::mlir::scf::SCFDialect",
                           "::mlir::vector::VectorDialect"];
  let options = [
    Option<"plain", "plain", "bool", "false", "Scalar loops only: the oracle">,
    Option<"exact", "exact", "bool", "false", "Nothing that rounds or spreads more than the model's own sums">,
    Option<"winograd", "winograd", "::effc::WinogradUse", "::effc::WinogradUse::WhereFaster",
           "Where convolutions use Winograd's algorithm",
           [{::llvm::cl::values(
               clEnumValN(::effc::WinogradUse::WhereFaster, "where-faster", "By the cost model"),
               clEnumValN(::effc::WinogradUse::Never, "never", "Nowhere"),
               clEnumValN(::effc::WinogradUse::Always, "always", "Wherever it is possible"))}]>
  ];
  let statistics = [
    Statistic<"numKernels", "num-kernels", "Launches made">,
    Statistic<"numFunctions", "num-functions", "Distinct kernel functions">
  ];
}

#endif // EFFC_CONVERSION_PASSES_TD
