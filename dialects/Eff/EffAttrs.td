// Sizes as expressions over symbols, and the description of the target.
#ifndef EFF_ATTRS_TD
#define EFF_ATTRS_TD

include "Eff/EffDialect.td"
include "mlir/IR/BuiltinAttributeInterfaces.td"
include "mlir/IR/TensorEncoding.td"

class Eff_Attr<string name, string attrMnemonic, list<Trait> traits = []>
    : AttrDef<Eff_Dialect, name, traits> {
  let mnemonic = attrMnemonic;
}

def Eff_DimsAttr : Eff_Attr<"Dims", "dims", [
    DeclareAttrInterfaceMethods<VerifiableTensorEncoding>]> {
  let summary = "A list of sizes as expressions over the function's symbols";
  let description = [{
    Symbols are written `s0`, `s1`, ...: positions in the function attribute `eff.symbols`. As the
    encoding of a tensor type it gives every dim; as an attribute of an op it gives offsets or
    contents. Expressions are kept simplified, so equal sizes are equal expressions as far as
    MLIR's simplifier can tell.

    ```mlir
    tensor<?x?x384xf32, #eff.dims<s0, s1 + s2, 384>>
    ```
  }];
  let parameters = (ins ArrayRefParameter<"::mlir::AffineExpr">:$exprs);
  let hasCustomAssemblyFormat = 1;
}

def Eff_SymbolAttr : Eff_Attr<"Symbol", "symbol"> {
  let summary = "Declares a free size: dim `axis` of entry argument `input`";
  let parameters = (ins "::mlir::StringAttr":$name, "int64_t":$input, "int64_t":$axis,
                        "int64_t":$min, "int64_t":$max);
  let assemblyFormat = "`<` $name `,` `input` $input `,` `axis` $axis `,` `in` $min `to` $max `>`";
}

def Eff_DerivedSymbolAttr : Eff_Attr<"DerivedSymbol", "derived"> {
  let summary = "Declares a size that is the smaller, the larger or the broadcast of two sizes";
  let description = [{
    `#eff.derived<min, #eff.dims<s0, 128>>`; affine expressions cannot say it. The broadcast of two
    sizes is the second where the first is 1, and else the first.
  }];
  let parameters = (ins StringRefParameter<"min, max or broadcast">:$kind, "::effc::eff::DimsAttr":$sizes);
  let assemblyFormat = "`<` $kind `,` $sizes `>`";
}

def Eff_LateSymbolAttr : Eff_Attr<"LateSymbol", "late_symbol"> {
  let summary = "Declares a size that gets its value while the function runs";
  let description = [{ From `eff.define_size` or from the control flow op that names it. It may be negative. }];
  let parameters = (ins "::mlir::StringAttr":$name, "int64_t":$min, "int64_t":$max);
  let assemblyFormat = "`<` $name `,` `in` $min `to` $max `>`";
}

def Eff_CheckAttr : Eff_Attr<"Check", "check"> {
  let summary = "Two sizes that must be equal when shapes are bound";
  let parameters = (ins "::effc::eff::DimsAttr":$sizes, "::mlir::StringAttr":$message);
  let assemblyFormat = "`<` $sizes `,` $message `>`";
}

def Eff_TargetAttr : Eff_Attr<"Target", "target"> {
  let summary = "What upper layers need to know of the machine that code is made for";
  let description = [{
    Module attribute `eff.target`. `vector_bits` and `vector_registers` size register tiles;
    cache sizes are in bytes. `tune` is the microarchitecture that choices and schedules are made for, as LLVM names
    it ("znver5"); without, one that suits all that have the instructions.
  }];
  let parameters = (ins StringRefParameter<"--cpu name">:$name, StringRefParameter<"LLVM CPU">:$cpu,
                        StringRefParameter<"LLVM features">:$features,
                        "int64_t":$vectorBits, "int64_t":$vectorRegisters,
                        "int64_t":$l1Bytes, "int64_t":$l2Bytes,
                        StringRefParameter<"LLVM CPU to tune for", "\"\"">:$tune);
  let assemblyFormat = [{ `<` $name `,` `cpu` `=` $cpu `,` `features` `=` $features `,`
    `vector` $vectorRegisters `x` $vectorBits `,` `l1` $l1Bytes `,` `l2` $l2Bytes
    (`,` `tune` `=` $tune^)? `>` }];
}

#endif // EFF_ATTRS_TD
