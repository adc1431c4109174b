// Computes what does not depend on inputs, in one walk in the order of the
// program. Splats stay splats, reshapes share their operand's blob, and what
// would grow or exceed a limit stays an operation.
#include "Evaluate.h"
#include "effc/Transforms/Passes.h"

using namespace mlir;
using namespace effc::eff;

namespace effc {
#define GEN_PASS_DEF_FOLDCONSTANTS
#include "effc/Transforms/Passes.h.inc"

namespace {

/// A result that is larger than its operands must stay below this.
constexpr int64_t maxGrownElements = 1 << 16;

/// Of all results together: a thousand transposes of one large weight would
/// each be a copy that lives as long as the program.
constexpr int64_t maxTotalBytes = int64_t(1) << 30;

/// Products read a matrix either way round: no copy is needed.
bool feedsOnlyProducts(TransposeOp op) {
  return op.getPermutation().size() == 2 &&
         llvm::all_of(op->getUses(), [](OpOperand &use) {
           return isa<MatmulOp, LinearOp>(use.getOwner()) &&
                  use.getOperandNumber() == 1;
         });
}

/// Padded weights are little larger, and must be constant to lie in panels.
bool feedsOnlyConvolutions(Operation *op) {
  return isa<PadOp>(op) && llvm::all_of(op->getUses(), [](OpOperand &use) {
           return isa<ConvOp>(use.getOwner()) && use.getOperandNumber() == 1;
         });
}

struct FoldConstants : impl::FoldConstantsBase<FoldConstants> {
  using FoldConstantsBase::FoldConstantsBase;

  void runOnOperation() override {
    remainingBytes = maxTotalBytes;
    folded.clear();
    getOperation().walk([&](Operation *op) {
      if (isa_and_present<EffDialect>(op->getDialect()) && !isa<ConstantOp>(op))
        fold(op);
    });
    // Inner constants have no users any more.
    getOperation().walk([](ConstantOp op) {
      if (op->use_empty())
        op.erase();
    });
  }

  /// By the operation's own folder, which shares data where it can.
  bool foldByRule(Operation *op, ArrayRef<Attribute> operands) {
    SmallVector<OpFoldResult> results;
    if (failed(op->fold(operands, results)) || results.size() != 1)
      return false;
    if (auto value = dyn_cast<Value>(results[0])) {
      if (value == op->getResult(0))
        return false;
      op->getResult(0).replaceAllUsesWith(value);
      op->erase();
      return true;
    }
    auto elements = dyn_cast<ElementsAttr>(cast<Attribute>(results[0]));
    if (!elements || elements.getType() != op->getResult(0).getType())
      return false;
    replace(op, elements);
    return true;
  }

  void replace(Operation *op, ElementsAttr value) {
    OpBuilder builder(op);
    auto constant = ConstantOp::create(builder, op->getLoc(), value);
    folded.insert(constant);
    op->getResult(0).replaceAllUsesWith(constant.getResult());
    op->erase();
    ++numFolded;
  }

  bool isWorthIt(Operation *op, ArrayRef<ConstantReader> operands) {
    auto type = dyn_cast<RankedTensorType>(op->getResult(0).getType());
    if (!type || !type.hasStaticShape())
      return false;
    auto transpose = dyn_cast<TransposeOp>(op);
    if (transpose && feedsOnlyProducts(transpose))
      return false;
    bool allSplats = isa<ElementwiseOpInterface>(op) &&
                     llvm::all_of(operands, [](const ConstantReader &reader) {
                       return reader.isSplat();
                     });
    if (allSplats)
      return true;
    int64_t count = type.getNumElements(), largest = 0;
    for (const ConstantReader &operand : operands)
      largest = std::max(largest, operand.size());
    if (isa<ConcatOp>(op) || feedsOnlyConvolutions(op))
      largest = count;
    if (count > largest && count > maxGrownElements)
      return false;
    std::optional<ElementKind> kind = getElementKind(type.getElementType());
    if (!kind)
      return false;
    // Weights of another float type are needed in that type in any case.
    if (isa<ConvertOp>(op) &&
        !folded.contains(op->getOperand(0).getDefiningOp()))
      return true;
    int64_t bytes = count * getElementSize(*kind);
    if (bytes > maxBytes || bytes > remainingBytes)
      return false;
    remainingBytes -= bytes;
    return true;
  }

  void fold(Operation *op) {
    if (op->getNumResults() != 1 || op->use_empty())
      return;
    SmallVector<Attribute> attributes;
    SmallVector<ConstantReader> readers;
    for (Value operand : op->getOperands()) {
      auto constant = operand.getDefiningOp<ConstantOp>();
      std::optional<ConstantReader> reader =
          constant ? ConstantReader::get(constant.getValue()) : std::nullopt;
      attributes.push_back(constant ? constant.getValue() : Attribute());
      if (!reader)
        return;
      readers.push_back(*reader);
    }
    if (foldByRule(op, attributes) || !isWorthIt(op, readers))
      return;
    if (ElementsAttr value = evaluate(op, readers))
      replace(op, value);
  }

  int64_t remainingBytes = maxTotalBytes;
  /// Constants that this pass made.
  llvm::DenseSet<Operation *> folded;
};

} // namespace
} // namespace effc
