// The `effk` dialect: kernels. Above Conversion, `effk.kernel` groups eff ops; below, kernels are
// functions over flat memrefs that may hold tile ops, and `effk.launch` runs them.
#ifndef EFFK_OPS_TD
#define EFFK_OPS_TD

include "mlir/IR/OpBase.td"
include "mlir/IR/AttrTypeBase.td"
include "mlir/IR/SymbolInterfaces.td"
include "mlir/Interfaces/SideEffectInterfaces.td"
include "mlir/Interfaces/ControlFlowInterfaces.td"
include "Eff/EffAttrs.td"

def Effk_Dialect : Dialect {
  let name = "effk";
  let cppNamespace = "::effc::effk";
  let summary = "Kernels: regions of fused ops, launches, tile-level contractions";
  let dependentDialects = ["::effc::eff::EffDialect"];
  let useDefaultAttributePrinterParser = 1;
}

class Effk_Op<string mnemonic, list<Trait> traits = []> : Op<Effk_Dialect, mnemonic, traits>;

def Effk_PanelAttr : AttrDef<Effk_Dialect, "Panel"> {
  let mnemonic = "panel";
  let summary = "The layout of a packed contraction weight";
  let description = [{
    A [K, N] matrix cut into column panels. K consists of `runs` runs of the same length, each filled up with zeros to a multiple
    of `interleave`, which makes a depth of D. Panels hold `interleave` neighbours of a column side by side, what one lane of a
    dot product instruction takes: element (k, n) of group g, at depth d, lies at
    `((g * ceil(N / width) + n / width) * D + d - d % interleave) * width + n % width * interleave + d % interleave`; columns beyond N
    are zero. The width is a whole number of vectors. `source` says how the logical matrix is read from the constant:
    `kn`, `nk` (transposed), `oihw` ([G * N, C, kernel...] with k = (kernel position, c)), or `winograd` ([blocks * N, C, 3, 3] of f32
    transformed for F(4x4, 3x3), k = c: a group for each block of N outputs and each of its 36 points, points inside),
    `pixels` ([O, C, kernel...] for N / O neighbouring pixels: column p * O + o is filter o, p strides further along a last kernel dim
    that is as much wider, zero elsewhere), `repeat` (a vector, N / size times) or `bits2`, `bits3`, `bits4` ([N, K * 8 / bits] of codes of so
    many bits, with an interleave of 4). Of codes, a unit of a column fills one or three lanes of 4 bytes (`getCodeUnit`): 16 of 2 bits in
    one, the first lowest; 8 of 4 bits in one, byte b of which has element b in its low half and element 4 + b in its high half; 32 of 3
    bits in three, ten from the lowest bit of each; the last two of the 32 have their two low bits at the end of the first and the last,
    and their high bit at that of the middle one.
  }];
  let parameters = (ins StringRefParameter<"kn, nk, oihw, winograd, pixels, repeat or bitsB">:$source, "int64_t":$groups, "int64_t":$k,
                        "int64_t":$n, "int64_t":$width, DefaultValuedParameter<"int64_t", "1">:$interleave,
                        DefaultValuedParameter<"int64_t", "1">:$runs);
  let builders = [AttrBuilder<(ins "::llvm::StringRef":$source, "int64_t":$groups, "int64_t":$k, "int64_t":$n,
                                   "int64_t":$width, CArg<"int64_t", "1">:$interleave, CArg<"int64_t", "1">:$runs),
                              [{ return $_get($_ctxt, source, groups, k, n, width, interleave, runs); }]>];
  let skipDefaultBuilders = 1;
  let assemblyFormat = [{ `<` $source `,` $groups `x` $k `x` $n `by` $width (`interleave` $interleave^)?
    (`runs` $runs^)? `>` }];
  let extraClassDeclaration = [{
    /// Rows of a panel, with what runs are filled up by.
    int64_t getDepth() const;
    /// Elements of all panels.
    int64_t getNumElements() const;
  }];
}

def Effk_KernelOp : Effk_Op<"kernel", [IsolatedFromAbove, SingleBlockImplicitTerminator<"effc::effk::YieldOp">, Pure]> {
  let summary = "A group of eff ops that becomes one kernel";
  let description = [{
    Block arguments are the operands. The region holds one anchor (a contraction, convolution, normalisation, reduction,
    ...) with fused neighbours, or elementwise and movement ops only. It says nothing of tiles.
  }];
  let arguments = (ins Variadic<AnyRankedTensor>:$inputs, StrAttr:$name);
  let results = (outs Variadic<AnyRankedTensor>:$outputs);
  let regions = (region SizedRegion<1>:$body);
  let hasVerifier = 1;
  let assemblyFormat = "$name `(` $inputs `)` attr-dict `:` functional-type(operands, results) $body";
}

def Effk_YieldOp : Effk_Op<"yield", [Terminator, ReturnLike, Pure, ParentOneOf<["KernelOp", "GemmOp"]>]> {
  let summary = "The results of a kernel or epilogue";
  let arguments = (ins Variadic<AnyType>:$values);
  let assemblyFormat = "($values^ `:` type($values))? attr-dict";
  let builders = [OpBuilder<(ins), [{ build($_builder, $_state, ::mlir::ValueRange()); }]>];
}

def Effk_PackedOp : Effk_Op<"packed", [Pure]> {
  let summary = "A constant packed for a contraction; Emit writes the bytes";
  let arguments = (ins ElementsAttr:$value, Effk_PanelAttr:$layout);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = "$layout attr-dict $value `:` type($result)";
}

// Not Pure: two results of equal launches are two buffers, which returned values rely on.
def Effk_LaunchOp : Effk_Op<"launch", [DeclareOpInterfaceMethods<SymbolUserOpInterface>]> {
  let summary = "Runs a kernel function";
  let description = [{
    The function's arguments are: one flat memref per operand, one per result, an index per entry of `dims`, the iteration
    bounds lo and hi, and a scratch memref<?xi8>. `extent`, `scratch` (bytes), `flops`, `bytes` and `cost` (ns) are expressions
    over the program's symbols, one each, in `sizes`.
  }];
  let arguments = (ins FlatSymbolRefAttr:$kernel, Variadic<AnyRankedTensor>:$inputs, Eff_DimsAttr:$dims,
                       Eff_DimsAttr:$sizes, StrAttr:$origin);
  let results = (outs Variadic<AnyRankedTensor>:$outputs);
  let assemblyFormat = "$kernel `(` $inputs `)` `dims` $dims `sizes` $sizes attr-dict `:` functional-type(operands, results)";
}

def Effk_ReportOp : Effk_Op<"report"> {
  let summary = "Records a kernel error (effrt_kernel_error) when the condition holds";
  let description = [{ The kernel goes on; the runtime turns the code into a status after the launch. }];
  let arguments = (ins I1:$condition, I32Attr:$code);
  let assemblyFormat = "$code `if` $condition attr-dict";
}

def Effk_GemmOp : Effk_Op<"gemm", [AttrSizedOperandSegments, MemoryEffects<[MemRead, MemWrite]>,
    SingleBlockImplicitTerminator<"effc::effk::YieldOp">]> {
  let summary = "Rows times panels, with a fused epilogue, for a range of (panel, row block) tiles";
  let description = [{
    C[m, n] = epilogue(sum over taps t, i < run of A[row(m) + tap(t) + i] * B[t * run + i, n]).

    **Rows.** `row_sizes` (outermost first) enumerate the rows; their product is M. Row m starts at `row_base` plus its indices
    times `row_strides` in the flat memref `a`. A plain matrix has one row size M and the stride lda.
    **Taps.** `tap_sizes`, `tap_strides` enumerate the offsets of a convolution's taps the same way; a plain matrix has none.
    `run` is the number of contiguous k elements of each tap, so K = taps * run.
    **Types** of a, b and the sum: f64 x f64 to f64; floats to f32; i8 x i8 to i32, where a is unsigned, b is signed and sums wrap.
    **Interleave** is how many neighbours of k one step multiplies: b then is in panels with this interleave and taps as runs.
    **Window.** Without padding the four window lists are empty. Else they have an entry for each tap dim d, which goes with the
    row dim at the same distance from the end: the tap counts only if its coordinate
    `row index * window_stride + tap index * window_dilation - window_pad` is in [0, window_size), for every d; else its
    elements are `pad_value` and `a` is not read. (`row_base` then contains the -pad offsets and may be negative.)
    **B.** Without `b_stride`: panels (see #effk.panel) from element `b_base` on, zeros beyond n. With `b_stride`: (k, n) at `b_base + k * b_stride + n`.
    **Blocks.** With `b_scales`, b is in panels of `bits` (8: `nk`, else `bitsB`) with an interleave of 4: unsigned integers w that stand for
    (w - zero) * scale. Each `block` rows of a column have a scale and a zero, which lie in panels of the same width; without `b_zeros`
    zeros are the middle, 8 of 4 bits. With a `codebook` w stands for `codebook[w]` * scale. There are no taps. a has floats; or, with `a_scales` and `a_sums`, signed bytes: then row m
    counts as many times `a_scales[m * blocks + g]` in block g, and `a_sums` there is the sum of its bytes.
    **Panel width** is that of the tile, or with `panel_width` a multiple of it: tiles then take turns within a panel. So
    machines with narrow vectors read panels that were made for wide ones.
    **Register rows.** The rows of a register of AMX where it has fewer than 16, so that no register wraps to the next index of an outer row dim;
    a tile has one or two of them, one below the other. 0: 16, or tiles of vectors.
    **C.** Element (m, n) is at `c_base + m * c_stride + n`; `n` columns are written.
    **Iterations** [lo, hi) run over the row-major space (panels, ceil(M / rows_per_block)), or (row blocks, panels) when
    `rows_outer`.
    **Epilogue.** The region maps the sum to the element stored. Arguments are (sum, m : index, n : index)
    and one scalar for each epilogue input, which lies at `base` + 0 (map 0: scalar), n (1: column), m * stride + n
    (2: element) or m * stride (3: row). The ops are arith, math and constants, elementwise on scalars; values from outside may be used.

    Never reads or writes outside the described elements. `tile` is [rows, width] of the register tile. A, B and
    epilogue inputs do not overlap C.
  }];
  let arguments = (ins AnyMemRef:$a, Index:$row_base, Variadic<Index>:$row_sizes, Variadic<Index>:$row_strides,
                       Variadic<Index>:$tap_sizes, Variadic<Index>:$tap_strides, Index:$run,
                       Variadic<Index>:$window_sizes, Variadic<Index>:$window_strides,
                       Variadic<Index>:$window_dilations, Variadic<Index>:$window_pads,
                       AnyMemRef:$b, Index:$b_base, Optional<Index>:$b_stride,
                       Optional<AnyMemRef>:$b_scales, Optional<AnyMemRef>:$b_zeros,
                       Optional<AnyMemRef>:$a_scales, Optional<AnyMemRef>:$a_sums,
                       AnyMemRef:$c, Index:$c_base, Index:$c_stride, Index:$n, Index:$lo, Index:$hi,
                       Variadic<AnyMemRef>:$epilogue_inputs, Variadic<Index>:$epilogue_bases,
                       Variadic<Index>:$epilogue_strides, DenseI64ArrayAttr:$maps, DenseI64ArrayAttr:$tile,
                       I64Attr:$rows_per_block, UnitAttr:$rows_outer,
                       DefaultValuedAttr<I64Attr, "1">:$interleave, DefaultValuedAttr<I64Attr, "0">:$pad_value,
                       DefaultValuedAttr<I64Attr, "0">:$block, DefaultValuedAttr<I64Attr, "8">:$bits,
                       DefaultValuedAttr<I64Attr, "0">:$panel_width, DefaultValuedAttr<I64Attr, "0">:$register_rows,
                       OptionalAttr<DenseF32ArrayAttr>:$codebook);
  let regions = (region SizedRegion<1>:$epilogue);
  let extraClassDeclaration = [{
    /// The type of the sums that the epilogue takes.
    ::mlir::Type getSumType();
  }];
  let hasVerifier = 1;
}

#endif // EFFK_OPS_TD
