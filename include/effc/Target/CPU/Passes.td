// Passes between kernel functions and the LLVM dialect.
#ifndef EFFC_TARGET_CPU_PASSES_TD
#define EFFC_TARGET_CPU_PASSES_TD

include "mlir/Pass/PassBase.td"

def LowerKernelABI : Pass<"effk-lower-kernel-abi", "::mlir::ModuleOp"> {
  let summary = "Give kernel functions the signature that the runtime calls";
  let description = [{
    A kernel function is a `func.func` with the attribute `effk.kernel` and the arguments: flat memrefs (operands, then
    results), an index for each dim, the bounds lo and hi, and a scratch memref<?xi8>. `effk.results` says how many
    of the memrefs are results.

    The function `k` becomes `k.body`, whose memrefs are bare pointers that do not alias, and a new function `k` with the
    signature of effrt_kernel_fn that loads the pointers and dims and calls it. `memref.dim` of an argument has no meaning.
    `effk.report` sets a local that a single relaxed store passes on at the end, so that loops stay free of
    side effects and can be vectorised. Exact.

    ```mlir
    func.func @k(%in: memref<?xf32>, %out: memref<?xf32>, %lo: index, %hi: index, %scratch: memref<?xi8>)
        attributes {effk.kernel, effk.results = 1 : i64}
    // becomes
    func.func private @k.body(%in: !llvm.ptr {llvm.noalias, llvm.readonly}, %out: !llvm.ptr {llvm.noalias},
                              %lo: index, %hi: index, %scratch: !llvm.ptr {llvm.noalias}, %error: !llvm.ptr)
    func.func @k(%args: !llvm.ptr, %lo: i64, %hi: i64, %scratch: !llvm.ptr)
    ```
  }];
  let dependentDialects = ["::mlir::LLVM::LLVMDialect", "::mlir::arith::ArithDialect", "::mlir::scf::SCFDialect",
                           "::mlir::func::FuncDialect"];
  let statistics = [Statistic<"numKernels", "num-kernels", "Kernel functions lowered">];
}

def LowerTiles : Pass<"effk-lower-tiles", "::mlir::ModuleOp"> {
  let summary = "Lower tile ops to vector code";
  let description = [{
    Replaces `effk.gemm` by loops around register tiles of vectors, with the epilogue on vectors. The module attribute
    `eff.target` gives the size of a vector; a tile that `Microkernels.def` does not list for it is an error. Exact up
    to the order of summation.
  }];
  let dependentDialects = ["::mlir::LLVM::LLVMDialect", "::mlir::arith::ArithDialect", "::mlir::scf::SCFDialect",
                           "::mlir::vector::VectorDialect"];
  let statistics = [Statistic<"numTiles", "num-tiles", "Tile ops lowered">];
}

def LowerMath : Pass<"effk-lower-math", "::mlir::ModuleOp"> {
  let summary = "Lower functions of math to arithmetic or to libm";
  let description = [{
    exp, log, tanh, erf, sin, cos, pow and their relatives on f32 (half types by way of f32), scalars or vectors, become
    polynomials without branches, within 4e-7 of the exact result and right at infinities and NaN; powers with a
    constant exponent that a product or root gives become that, and quotients by a constant three multiplications, which gives the same bits
    unless the quotient is subnormal or overflows. With `plain`, and for f64, they become calls of libm.
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::func::FuncDialect", "::mlir::math::MathDialect",
                           "::mlir::LLVM::LLVMDialect", "::mlir::vector::VectorDialect"];
  let options = [Option<"plain", "plain", "bool", "false", "Call libm for everything">];
  let statistics = [Statistic<"numExpanded", "num-expanded", "Functions expanded to arithmetic">];
}

def ExpandArith : Pass<"effk-expand-arith", "::mlir::ModuleOp"> {
  let summary = "Expand arithmetic that the machine or LLVM's loop vectoriser cannot take";
  let description = [{
    `maxnumf` and `minnumf` become comparisons and selections, and conversions from and to bf16 integer arithmetic, for
    which LLVM would call a library function; bf16 is then moved as i16 for the same reason. Those that are promised not to see NaN, and `maximumf` and `minimumf`, stay: the
    vectoriser knows them as reductions. Exact.
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::vector::VectorDialect"];
  let statistics = [Statistic<"numExpanded", "num-expanded", "Operations expanded">];
}

def AnnotateLoops : Pass<"effk-annotate-loops", "::mlir::ModuleOp"> {
  let summary = "Keep loops of known length for LLVM's loop vectoriser";
  let description = [{
    Loops of 8 or more known iterations around nothing but shorter ones get `llvm.loop_annotation` without unrolling; the
    shorter ones are unrolled into them. Run again on the LLVM dialect, it turns what conversion made of the annotation
    into one that translation sees. Changes no result.
  }];
  let dependentDialects = ["::mlir::LLVM::LLVMDialect", "::mlir::scf::SCFDialect"];
  let statistics = [Statistic<"numKept", "num-kept", "Loops kept for the vectoriser">];
}

#endif // EFFC_TARGET_CPU_PASSES_TD
