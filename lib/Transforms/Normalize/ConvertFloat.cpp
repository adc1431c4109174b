// One float type for all computation: half precision widened for kernels that
// compute in f32, or everything in f64 for the oracle.
#include "Eff/EffOps.h"
#include "effc/Transforms/Passes.h"

using namespace mlir;
using namespace effc::eff;

namespace effc {
#define GEN_PASS_DEF_CONVERTFLOAT
#include "effc/Transforms/Passes.h.inc"

namespace {

Type getFloat(MLIRContext *context, StringRef name) {
  return llvm::StringSwitch<Type>(name)
      .Case("f16", Float16Type::get(context))
      .Case("bf16", BFloat16Type::get(context))
      .Case("f32", Float32Type::get(context))
      .Case("f64", Float64Type::get(context))
      .Default(Type());
}

struct ConvertFloat : impl::ConvertFloatBase<ConvertFloat> {
  using ConvertFloatBase::ConvertFloatBase;

  LogicalResult initialize(MLIRContext *context) override {
    target = getFloat(context, to);
    if (!target)
      return emitError(UnknownLoc::get(context))
             << "eff-convert-float: '" << to
             << "' is no float type, expected f16, bf16, f32 or f64";
    sources.clear();
    for (const std::string &name : from) {
      sources.push_back(getFloat(context, name));
      if (!sources.back())
        return emitError(UnknownLoc::get(context))
               << "eff-convert-float: '" << name
               << "' is no float type, expected f16, bf16, f32 or f64";
    }
    return success();
  }

  /// The type that a value gets, or null when it stays.
  Type getConverted(Type type) const {
    auto tensor = dyn_cast<RankedTensorType>(type);
    if (!tensor || tensor.getElementType() == target ||
        !llvm::is_contained(sources, tensor.getElementType()))
      return {};
    return withElementType(tensor, target);
  }

  /// Reads a value that keeps its type.
  void convertUses(Value value, OpBuilder &builder) {
    Type type = getConverted(value.getType());
    if (!type || value.use_empty())
      return;
    auto convert = ConvertOp::create(builder, value.getLoc(), type, value);
    value.replaceAllUsesExcept(convert, convert);
    ++numConverted;
  }

  void runOnOperation() override {
    Block &body = getOperation().getBody().front();
    SmallVector<Operation *> original;
    DenseMap<Operation *, Type> bitcasts;
    getOperation().walk([&](Operation *op) {
      if (op == getOperation())
        return;
      original.push_back(op);
      if (auto bitcast = dyn_cast<BitcastOp>(op))
        bitcasts[op] = bitcast.getX().getType();
    });
    // Before all else: whoever needs the type as it was restores it below.
    OpBuilder atBegin = OpBuilder::atBlockBegin(&body);
    for (BlockArgument argument : body.getArguments())
      convertUses(argument, atBegin);
    for (Operation *op : original) {
      OpBuilder builder(op);
      if (op == body.getTerminator()) {
        convertOperandsBack(op, builder);
      } else if (isa<ConstantOp, BitcastOp>(op)) {
        if (Type type = bitcasts.lookup(op))
          restoreOperand(op->getOpOperand(0), type, builder);
        builder.setInsertionPointAfter(op);
        convertUses(op->getResult(0), builder);
      } else {
        convertResults(op);
      }
    }
    removeIdle(body);
  }

  /// The bits of a value are those of its own type.
  static void restoreOperand(OpOperand &operand, Type type,
                             OpBuilder &builder) {
    if (operand.get().getType() == type)
      return;
    auto convert = operand.get().getDefiningOp<ConvertOp>();
    if (convert && convert.getX().getType() == type)
      operand.set(convert.getX());
    else
      operand.set(ConvertOp::create(builder, operand.getOwner()->getLoc(), type,
                                    operand.get()));
  }

  void convertResults(Operation *op) {
    auto convert = [&](Value value) {
      if (Type type = getConverted(value.getType())) {
        value.setType(type);
        ++numConverted;
      }
    };
    llvm::for_each(op->getResults(), convert);
    // What a region carries has the type of what it yields.
    for (Region &region : op->getRegions())
      llvm::for_each(region.getArguments(), convert);
  }

  /// The function's own types stay.
  void convertOperandsBack(Operation *terminator, OpBuilder &builder) {
    for (auto [operand, type] :
         llvm::zip(terminator->getOpOperands(),
                   getOperation().getFunctionType().getResults()))
      restoreOperand(operand, type, builder);
  }

  /// Conversions between types that are now the same.
  static void removeIdle(Block &body) {
    body.getParentOp()->walk([](ConvertOp convert) {
      if (convert.getX().getType() != convert.getType())
        return;
      convert.replaceAllUsesWith(convert.getX());
      convert.erase();
    });
  }

  Type target;
  SmallVector<Type> sources;
};

} // namespace
} // namespace effc
