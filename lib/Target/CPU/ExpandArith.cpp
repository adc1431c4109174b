// What LLVM lowers badly on x86 or does not vectorise, expanded beforehand.
#include "effc/Target/CPU/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Arith/Transforms/Passes.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/Transforms/DialectConversion.h"

namespace effc {
#define GEN_PASS_DEF_EXPANDARITH
#include "effc/Target/CPU/Passes.h.inc"
} // namespace effc

using namespace mlir;

static bool isBF16(Type type) { return getElementTypeOrSelf(type).isBF16(); }

/// Whether an op stays as it is.
static bool isKept(Operation *op) {
  if (isa<arith::CeilDivSIOp, arith::CeilDivUIOp, arith::FloorDivSIOp>(op))
    return false;
  // Those that propagate NaN are instructions and reductions to LLVM. Of the
  // others only what is promised not to see NaN is.
  if (auto max = dyn_cast<arith::ArithFastMathInterface>(op);
      max && isa<arith::MaxNumFOp, arith::MinNumFOp>(op))
    return bitEnumContainsAll(max.getFastMathFlagsAttr().getValue(),
                              arith::FastMathFlags::nnan);
  if (isa<arith::ExtFOp>(op))
    return !isBF16(op->getOperand(0).getType());
  if (isa<arith::TruncFOp>(op))
    return !isBF16(op->getResult(0).getType());
  return true;
}

namespace {
struct ExpandArith : effc::impl::ExpandArithBase<ExpandArith> {
  void runOnOperation() override {
    RewritePatternSet patterns(&getContext());
    arith::populateArithExpandOpsPatterns(patterns);
    arith::populateExpandBFloat16Patterns(patterns);
    ConversionTarget target(getContext());
    target.markUnknownOpDynamicallyLegal(isKept);
    target.addDynamicallyLegalDialect<arith::ArithDialect>(isKept);
    getOperation().walk([&](Operation *op) { numExpanded += !isKept(op); });
    // Everything else is another pass's business.
    if (failed(applyPartialConversion(getOperation(), target,
                                      std::move(patterns))))
      signalPassFailure();
  }
};
} // namespace
