// See LoopBuilder.h.
#include "CPU/Microkernels/LoopBuilder.h"
#include "CPU/Microkernels/Epilogue.h"

#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;
using namespace effc;

Value LoopBuilder::pointer(Type element, Value base, Value offset) {
  return offsetPointer(b, element, base, offset);
}

SmallVector<Value> LoopBuilder::forLoop(Value lo, Value hi, int64_t step,
                                        ValueRange init, Body body) {
  auto loop = scf::ForOp::create(b, lo, hi, constant(step), init);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(loop.getBody());
  SmallVector<Value> yielded =
      body(loop.getInductionVar(), loop.getRegionIterArgs());
  b.setInsertionPointToEnd(loop.getBody());
  if (!init.empty())
    scf::YieldOp::create(b, yielded);
  return SmallVector<Value>(loop.getResults());
}

void LoopBuilder::ifThen(Value condition, function_ref<void()> body) {
  auto conditional = scf::IfOp::create(b, condition, /*withElseRegion=*/false);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPoint(conditional.thenBlock()->getTerminator());
  body();
}
