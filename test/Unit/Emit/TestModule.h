// A small host program as Conversion leaves it, with kernels in Kernels.c.
#ifndef EFFC_TEST_UNIT_EMIT_TESTMODULE_H
#define EFFC_TEST_UNIT_EMIT_TESTMODULE_H

#include "Effk/EffkOps.h"
#include "effc/Emit/Emit.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/OwningOpRef.h"
#include "mlir/Parser/Parser.h"
#include <gtest/gtest.h>

namespace effc {

/// y = 2 * (2 * (x w + b)); the two scalings share a function, the first is a
/// view away from the matmul.
inline constexpr const char *kTestModule = R"mlir(
func.func private @matmul(memref<?xf32>, memref<?xf32>, memref<?xf32>, memref<?xf32>, index, index, memref<?xi8>)
func.func private @scale(memref<?xf32>, memref<?xf32>, index, index, index, memref<?xi8>)
    attributes {eff.choice = "map"}
func.func @main(%x: tensor<?x4xf32, #eff.dims<s0, 4>> {eff.name = "in put"})
    -> (tensor<?xf32, #eff.dims<s0 * 3>> {eff.name = "y"})
    attributes {eff.symbols = [#eff.symbol<"batch", input 0, axis 0, in 0 to 100>],
                eff.checks = [#eff.check<#eff.dims<s0, s0>, "node 'n': batch equals batch">]} {
  %w = effk.packed #effk.panel<"kn", 1 x 4 x 3 by 4>
      dense<[[1.0, 2.0, 3.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0], [1.0, 1.0, 1.0]]> : tensor<4x3xf32>
      : tensor<16xf32>
  %b = eff.constant dense<[10.0, 20.0, 30.0]> : tensor<3xf32>
  %0 = effk.launch @matmul(%x, %w, %b) dims #eff.dims<> sizes #eff.dims<s0, 0, s0 * 24, s0 * 28 + 64, s0 * 10>
      {origin = "fc"} : (tensor<?x4xf32, #eff.dims<s0, 4>>, tensor<16xf32>, tensor<3xf32>)
      -> tensor<?x3xf32, #eff.dims<s0, 3>>
  %1 = eff.reshape %0 : (tensor<?x3xf32, #eff.dims<s0, 3>>) -> tensor<?xf32, #eff.dims<s0 * 3>>
  %2 = effk.launch @scale(%1) dims #eff.dims<3> sizes #eff.dims<s0, 0, s0 * 3, s0 * 24, s0> {origin = "mul_1"}
      : (tensor<?xf32, #eff.dims<s0 * 3>>) -> tensor<?xf32, #eff.dims<s0 * 3>>
  %3 = effk.launch @scale(%2) dims #eff.dims<3> sizes #eff.dims<s0, 0, s0 * 3, s0 * 24, s0> {origin = "mul_2"}
      : (tensor<?xf32, #eff.dims<s0 * 3>>) -> tensor<?xf32, #eff.dims<s0 * 3>>
  return %3 : tensor<?xf32, #eff.dims<s0 * 3>>
}
)mlir";

class EmitTest : public testing::Test {
protected:
  EmitTest() {
    context.loadDialect<eff::EffDialect, effk::EffkDialect,
                        mlir::func::FuncDialect>();
  }

  mlir::OwningOpRef<mlir::ModuleOp> parse(llvm::StringRef text) {
    return mlir::parseSourceString<mlir::ModuleOp>(text, &context);
  }

  mlir::MLIRContext context;
};

} // namespace effc

#endif // EFFC_TEST_UNIT_EMIT_TESTMODULE_H
