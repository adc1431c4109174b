// The `eff` dialect: what a network computes, on tensors, independent of any target.
#ifndef EFF_DIALECT_TD
#define EFF_DIALECT_TD

include "mlir/IR/OpBase.td"
include "mlir/IR/AttrTypeBase.td"
include "mlir/IR/EnumAttr.td"
include "mlir/IR/OpAsmInterface.td"
include "mlir/Interfaces/ControlFlowInterfaces.td"
include "mlir/Interfaces/InferTypeOpInterface.td"
include "mlir/Interfaces/SideEffectInterfaces.td"

def Eff_Dialect : Dialect {
  let name = "eff";
  let cppNamespace = "::effc::eff";
  let summary = "Neural networks on tensors, independent of any target";
  let description = [{
    Operations have value semantics and ranked tensors. Signedness is part of the element type
    (`i8` is signed, `ui8` unsigned, `i1` is bool). A tensor with dynamic dims carries a
    `#eff.dims` encoding that gives every dim as an expression over the function's symbols,
    which the function attribute `eff.symbols` declares.
  }];
  let useDefaultAttributePrinterParser = 1;
  let hasConstantMaterializer = 1;
}

// Operations without side effects on tensors.
class Eff_Op<string mnemonic, list<Trait> traits = []>
    : Op<Eff_Dialect, mnemonic, !listconcat(traits, [Pure])>;

// ... whose result type follows from operands and attributes.
class Eff_InferOp<string mnemonic, list<Trait> traits = []>
    : Eff_Op<mnemonic, !listconcat(traits, [DeclareOpInterfaceMethods<InferTypeOpInterface>])> {
  let extraClassDeclaration = [{
    static bool isCompatibleReturnTypes(::mlir::TypeRange inferred, ::mlir::TypeRange actual) {
      return ::effc::eff::areCompatibleTypes(inferred, actual);
    }
  }];
}

#endif // EFF_DIALECT_TD
