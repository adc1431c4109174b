// Compiles kernels that are given as text and runs them in this process.
#ifndef EFFC_TEST_UNIT_TARGET_KERNELFIXTURE_H
#define EFFC_TEST_UNIT_TARGET_KERNELFIXTURE_H

#include "Effk/EffkOps.h"
#include "effc/Target/CPU/JITKernels.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/Parser/Parser.h"
#include "gtest/gtest.h"

inline void registerKernelDialects(mlir::DialectRegistry &registry) {
  registry.insert<effc::eff::EffDialect, effc::effk::EffkDialect,
                  mlir::arith::ArithDialect, mlir::func::FuncDialect,
                  mlir::LLVM::LLVMDialect, mlir::math::MathDialect,
                  mlir::memref::MemRefDialect, mlir::scf::SCFDialect,
                  mlir::vector::VectorDialect>();
  effc::registerCPUTarget(registry);
}

class KernelFixture : public testing::Test {
protected:
  KernelFixture() {
    mlir::DialectRegistry registry;
    registerKernelDialects(registry);
    context.appendDialectRegistry(registry);
    context.loadAllAvailableDialects();
  }

  mlir::OwningOpRef<mlir::ModuleOp> parse(const std::string &text) {
    return mlir::parseSourceString<mlir::ModuleOp>(text, &context);
  }

  effc::eff::TargetAttr target(llvm::StringRef cpu = "native") {
    return *effc::resolveCPU(cpu, mlir::UnknownLoc::get(&context));
  }

  /// Null (and a test failure) if the text does not compile.
  std::unique_ptr<effc::JITKernels>
  compile(const std::string &text, llvm::StringRef cpu = "native",
          const effc::EmitOptions &options = {}) {
    mlir::OwningOpRef<mlir::ModuleOp> module = parse(text);
    EXPECT_TRUE(module);
    if (!module)
      return nullptr;
    auto kernels = effc::JITKernels::create(*module, target(cpu), options);
    EXPECT_TRUE(mlir::succeeded(kernels));
    return mlir::succeeded(kernels) ? std::move(*kernels) : nullptr;
  }

  mlir::MLIRContext context;
};

#endif // EFFC_TEST_UNIT_TARGET_KERNELFIXTURE_H
