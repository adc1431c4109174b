// Verifiers of the `effk` operations.
#include "Effk/EffkOps.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"

using namespace mlir;
using namespace effc;
using namespace effc::effk;

#define GET_OP_CLASSES
#include "Effk/EffkOps.cpp.inc"

LogicalResult KernelOp::verify() {
  Block &body = getBody().front();
  // kernel_c1: block arguments are the inputs.
  if (TypeRange(body.getArgumentTypes()) != TypeRange(getInputs().getTypes()))
    return emitOpError("block arguments must have the types of the inputs");
  // kernel_c2: the yield gives the outputs.
  if (TypeRange(body.getTerminator()->getOperandTypes()) !=
      getOutputs().getTypes())
    return emitOpError("yielded types must be the types of the outputs");
  return success();
}

LogicalResult LaunchOp::verifySymbolUses(SymbolTableCollection &symbols) {
  // launch_c1: the kernel exists and takes operands, results, dims, lo, hi and
  // scratch.
  auto function = symbols.lookupNearestSymbolFrom<FunctionOpInterface>(
      *this, getKernelAttr());
  if (!function)
    return emitOpError("kernel ") << getKernelAttr() << " does not exist";
  size_t expected = getInputs().size() + getOutputs().size() +
                    getDims().getExprs().size() + 3;
  if (function.getNumArguments() != expected)
    return emitOpError("kernel ")
           << getKernelAttr() << " takes " << function.getNumArguments()
           << " arguments, expected " << expected;
  // launch_c2: extent, scratch, flops, bytes, cost.
  if (getSizes().getExprs().size() != 5)
    return emitOpError("needs 5 sizes");
  return success();
}

LogicalResult GemmOp::verify() {
  // gemm_c1: a size and a stride for every row and tap dim.
  if (getRowSizes().size() != getRowStrides().size() || getRowSizes().empty())
    return emitOpError("needs a stride for each row size, at least one");
  if (getTapSizes().size() != getTapStrides().size())
    return emitOpError("needs a stride for each tap size");
  // gemm_c2: the epilogue's operands are described one by one.
  size_t count = getEpilogueInputs().size();
  if (getMaps().size() != count || getEpilogueBases().size() != count ||
      getEpilogueStrides().size() != count)
    return emitOpError(
        "needs a map, a base and a stride for each epilogue input");
  if (getEpilogue().front().getNumArguments() != count + 3)
    return emitOpError("epilogue takes the sum, m, n and one scalar per input");
  // gemm_c3: tile is [rows, width].
  if (getTile().size() != 2 || getTile()[0] < 1 || getTile()[1] < 1)
    return emitOpError("tile must be [rows, width]");
  return success();
}
