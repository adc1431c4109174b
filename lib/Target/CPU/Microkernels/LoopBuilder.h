// Index arithmetic and loops, as builders of microkernels write them.
#ifndef EFFC_LIB_TARGET_CPU_MICROKERNELS_LOOPBUILDER_H
#define EFFC_LIB_TARGET_CPU_MICROKERNELS_LOOPBUILDER_H

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

namespace effc {

class LoopBuilder {
protected:
  using Value = mlir::Value;
  using Body =
      llvm::function_ref<llvm::SmallVector<Value>(Value, mlir::ValueRange)>;

  explicit LoopBuilder(const mlir::ImplicitLocOpBuilder &builder)
      : b(builder) {}

  Value constant(int64_t value) {
    return mlir::arith::ConstantIndexOp::create(b, value);
  }
  Value add(Value x, Value y) { return mlir::arith::AddIOp::create(b, x, y); }
  Value mul(Value x, Value y) { return mlir::arith::MulIOp::create(b, x, y); }
  Value compare(mlir::arith::CmpIPredicate predicate, Value x, Value y) {
    return mlir::arith::CmpIOp::create(b, predicate, x, y);
  }
  Value pointer(mlir::Type element, Value base, Value offset);
  llvm::SmallVector<Value> forLoop(Value lo, Value hi, int64_t step,
                                   mlir::ValueRange init, Body body);
  void ifThen(Value condition, llvm::function_ref<void()> body);

  mlir::ImplicitLocOpBuilder b;
};

} // namespace effc

#endif // EFFC_LIB_TARGET_CPU_MICROKERNELS_LOOPBUILDER_H
