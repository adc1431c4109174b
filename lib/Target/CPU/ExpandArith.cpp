// What LLVM lowers badly on x86 or does not vectorise, expanded beforehand.
#include "effc/Target/CPU/Passes.h"

#include "Eff/EffOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Arith/Transforms/Passes.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/Transforms/DialectConversion.h"

namespace effc {
#define GEN_PASS_DEF_EXPANDARITH
#include "effc/Target/CPU/Passes.h.inc"
} // namespace effc

using namespace mlir;

static bool isBF16(Type type) { return getElementTypeOrSelf(type).isBF16(); }

/// VCVTNEPS2BF16 rounds to nearest even and keeps NaN; it takes denormal
/// numbers for zero.
static bool hasRoundToBF16(ModuleOp module) {
  auto target = module->getAttrOfType<effc::eff::TargetAttr>("eff.target");
  return target && target.getFeatures().contains("+avx512bf16");
}

/// Whether an op stays as it is.
static bool isKept(Operation *op, bool roundsToBF16) {
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
    return roundsToBF16 || !isBF16(op->getResult(0).getType());
  return true;
}

/// i16 for bf16, also inside vectors and memrefs.
static Type asBits(Type type) {
  if (!isBF16(type))
    return type;
  Type bits = IntegerType::get(type.getContext(), 16);
  if (auto vector = dyn_cast<VectorType>(type))
    return vector.clone(bits);
  if (auto memref = dyn_cast<MemRefType>(type))
    return MemRefType::Builder(memref).setElementType(bits);
  return bits;
}

static void storeAsBits(arith::ConstantOp constant) {
  TypedAttr value = constant.getValue();
  if (!isBF16(value.getType()))
    return;
  Type bits = IntegerType::get(constant.getContext(), 16);
  if (auto dense = dyn_cast<DenseElementsAttr>(value))
    constant.setValueAttr(dense.bitcast(bits));
  else if (auto scalar = dyn_cast<FloatAttr>(value))
    constant.setValueAttr(
        IntegerAttr::get(bits, scalar.getValue().bitcastToAPInt()));
}

/// After the expansion bf16 is only moved. LLVM moves it by way of f32 in
/// places, and rounds back with a library function; integers it just moves.
static void moveAsBits(ModuleOp module) {
  SmallVector<arith::TruncFOp> roundings;
  module.walk([&](Operation *op) {
    if (auto rounding = dyn_cast<arith::TruncFOp>(op);
        rounding && isBF16(rounding.getType())) {
      roundings.push_back(rounding);
      return;
    }
    if (auto constant = dyn_cast<arith::ConstantOp>(op))
      storeAsBits(constant);
    for (Region &region : op->getRegions())
      for (Block &block : region)
        for (BlockArgument argument : block.getArguments())
          argument.setType(asBits(argument.getType()));
    // Operands of intrinsics are bit casts and stay what they are.
    if (!isa<LLVM::BitcastOp>(op))
      for (Value result : op->getResults())
        result.setType(asBits(result.getType()));
    if (auto function = dyn_cast<func::FuncOp>(op)) {
      auto convert = [](TypeRange types) {
        return llvm::map_to_vector(types, asBits);
      };
      FunctionType type = function.getFunctionType();
      function.setType(FunctionType::get(op->getContext(),
                                         convert(type.getInputs()),
                                         convert(type.getResults())));
    }
  });
  for (arith::TruncFOp rounding : roundings) {
    OpBuilder builder(rounding->getContext());
    builder.setInsertionPointAfter(rounding);
    auto bits = arith::BitcastOp::create(builder, rounding.getLoc(),
                                         asBits(rounding.getType()), rounding);
    rounding.getResult().replaceAllUsesExcept(bits, bits);
  }
  SmallVector<arith::BitcastOp> identities;
  module.walk([&](arith::BitcastOp cast) {
    if (cast.getIn().getType() == cast.getType())
      identities.push_back(cast);
  });
  for (arith::BitcastOp cast : identities) {
    cast.replaceAllUsesWith(cast.getIn());
    cast.erase();
  }
}

namespace {
struct ExpandArith : effc::impl::ExpandArithBase<ExpandArith> {
  void runOnOperation() override {
    RewritePatternSet patterns(&getContext());
    arith::populateArithExpandOpsPatterns(patterns);
    arith::populateExpandBFloat16Patterns(patterns);
    ConversionTarget target(getContext());
    bool rounds = hasRoundToBF16(getOperation());
    auto isLegal = [rounds](Operation *op) { return isKept(op, rounds); };
    target.markUnknownOpDynamicallyLegal(isLegal);
    target.addDynamicallyLegalDialect<arith::ArithDialect>(isLegal);
    getOperation().walk([&](Operation *op) { numExpanded += !isLegal(op); });
    // Everything else is another pass's business.
    if (failed(applyPartialConversion(getOperation(), target,
                                      std::move(patterns))))
      return signalPassFailure();
    moveAsBits(getOperation());
  }
};
} // namespace
