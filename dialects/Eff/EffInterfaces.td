// What a pass may ask of an op, so that passes never go by op names.
#ifndef EFF_INTERFACES_TD
#define EFF_INTERFACES_TD

include "mlir/IR/OpBase.td"

def Eff_CostOpInterface : OpInterface<"CostOpInterface"> {
  let cppNamespace = "::effc::eff";
  let description = [{ How much work an op is, as expressions over the function's symbols. }];
  let methods = [
    InterfaceMethod<"Arithmetic operations of one execution; a multiply-add counts two.",
      "::mlir::AffineExpr", "getFlops", (ins), [{}], [{
        // One operation per element of the result unless the op says otherwise.
        return ::effc::eff::getNumElements($_op->getResult(0).getType());
      }]>
  ];
}

def Eff_ElementwiseOpInterface : OpInterface<"ElementwiseOpInterface"> {
  let cppNamespace = "::effc::eff";
  let description = [{
    Every result element depends only on the operands' elements at the same index, after
    multidirectional broadcasting (ONNX, Broadcasting.md).
  }];
}

#endif // EFF_INTERFACES_TD
