// Kernel formation. Groups are trees of single-use values, so a group can
// always move down to its last op and no cycle can arise. A value with several
// uses ends a group: recomputing it is never worth more than a buffer here.
#include "Eff/LateSizes.h"
#include "Effk/EffkOps.h"
#include "effc/Analysis/Epilogue.h"
#include "effc/Analysis/Planes.h"
#include "effc/Fusion/Passes.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"

using namespace mlir;
using namespace effc;
using namespace effc::eff;

namespace effc {
#define GEN_PASS_DEF_FORMKERNELS
#include "effc/Fusion/Passes.h.inc"
} // namespace effc

namespace {

/// Operations of one kernel. Emitters recurse over them, and time to compile a
/// function grows faster than its length; no model of use comes near.
constexpr size_t maxGroup = 256;

bool isElementwise(Operation *op) { return isa<ElementwiseOpInterface>(op); }
/// Ops that only rename elements: cheap to pull through.
bool isMovement(Operation *op) {
  return isa<BroadcastOp, SliceOp, TransposeOp, IotaOp, DimValuesOp, TileOp,
             GatherOp, GatherElementsOp, GatherNDOp, RopeOp, RandomBitsOp>(op);
}
bool isContraction(Operation *op) {
  return isa<MatmulOp, LinearOp, BlockLinearOp, ConvOp>(op);
}
/// Anchors that compute whole rows or reductions: elementwise ops before them
/// cost nothing extra.
bool isRowAnchor(Operation *op) {
  return isa<SoftmaxOp, LayerNormOp, RMSNormOp, ReduceOp>(op);
}
bool isHostOp(Operation *op) {
  return isa<ConstantOp, ReshapeOp, func::ReturnOp, effk::KernelOp, IfOp,
             LoopOp, YieldOp, DefineSizeOp, CheckSizeOp>(op);
}

bool sameShape(Value a, Value c) {
  return getDims(a.getType()) == getDims(c.getType());
}

/// Constants that become immediates.
bool isSplat(Operation *op) {
  auto constant = dyn_cast_if_present<ConstantOp>(op);
  auto dense = constant ? dyn_cast<DenseElementsAttr>(constant.getValue())
                        : DenseElementsAttr();
  return dense && dense.isSplat();
}

/// One kernel in the making.
struct Group {
  SetVector<Operation *> ops;
  Operation *root;
  Operation *anchor = nullptr;

  bool contains(Operation *op) const { return ops.contains(op); }
};

class Former {
public:
  explicit Former(func::FuncOp function) : function(function) {}

  Group form(Operation *root, bool fuse) {
    Group group;
    group.root = root;
    group.ops.insert(root);
    if (!isElementwise(root) && !isMovement(root))
      group.anchor = root;
    if (!fuse || root->getNumResults() != 1)
      return group;
    if (isElementwise(root))
      absorbAnchor(group);
    absorbProducers(group);
    return group;
  }

private:
  /// A producer that only this group uses, in the same block.
  Operation *soleProducer(const Group &group, Value value) const {
    Operation *op = value.getDefiningOp();
    if (!op || isHostOp(op) || op->getNumResults() != 1 ||
        op->getBlock() != group.root->getBlock())
      return nullptr;
    if (!llvm::all_of(value.getUsers(),
                      [&](Operation *user) { return group.contains(user); }))
      return nullptr;
    return op;
  }

  /// Whether everything outside that the path from an anchor to the root reads
  /// can be loaded by a tiled epilogue.
  static bool epilogueFits(const SetVector<Operation *> &path,
                           Operation *anchor) {
    Value result = anchor->getResult(0);
    if (!llvm::all_of(path, isVectorizable))
      return false;
    for (Operation *op : path)
      for (Value operand : op->getOperands()) {
        Operation *producer = operand.getDefiningOp();
        if (operand == result || (producer && path.contains(producer)))
          continue;
        if (!classifyOperand(operand.getType(), result.getType()))
          return false;
      }
    return true;
  }

  static int rank(Operation *op) {
    if (isContraction(op))
      return 3;
    return isa<SoftmaxOp, LayerNormOp, RMSNormOp, GroupNormOp>(op) ? 2 : 1;
  }

  /// Looks upwards from the root through elementwise ops of the same shape for
  /// an op worth being the anchor.
  void absorbAnchor(Group &group) {
    SetVector<Operation *> best;
    Operation *bestAnchor = nullptr;
    SetVector<Operation *> path;
    std::function<void(Operation *)> search = [&](Operation *op) {
      if (path.size() >= maxGroup / 2)
        return;
      path.insert(op);
      for (Value operand : op->getOperands()) {
        Operation *producer = operand.getDefiningOp();
        // What stands outside of a loop must not move into it.
        if (!producer || isHostOp(producer) || producer->getNumResults() != 1 ||
            producer->getBlock() != group.root->getBlock() ||
            !operand.hasOneUse() ||
            !sameShape(operand, group.root->getResult(0)))
          continue;
        if (isElementwise(producer)) {
          search(producer);
          continue;
        }
        bool candidate = isContraction(producer) || isRowAnchor(producer) ||
                         isa<GroupNormOp, PoolOp>(producer);
        if (!candidate || (bestAnchor && rank(bestAnchor) >= rank(producer)))
          continue;
        if (isContraction(producer) && !epilogueFits(path, producer))
          continue;
        bestAnchor = producer;
        best = path;
      }
      path.remove(op);
    };
    search(group.root);
    if (!bestAnchor)
      return;
    group.ops.insert(best.begin(), best.end());
    group.ops.insert(bestAnchor);
    group.anchor = bestAnchor;
  }

  /// Whether a producer may be computed inside the group for each of its uses
  /// there.
  bool canPull(const Group &group, Operation *op, Operation *user) const {
    if (!isElementwise(op) && !isMovement(op))
      return false;
    // Planes are read where they lie, when the tiles of the convolution do.
    if (auto conv = dyn_cast<ConvOp>(user);
        conv && user == group.anchor && op == getTransposedPlanes(conv))
      return conv.getWeight().getDefiningOp<ConstantOp>() != nullptr;
    if (isa<ConvOp, PoolOp, PoolIndicesOp, ResizeOp, MatmulOp, LinearOp,
            BlockLinearOp, AttentionOp, ScanOp, TopKOp, ScatterElementsOp,
            ScatterNDOp, ConvTransposeOp, GroupNormOp, ArgReduceOp, RoiAlignOp,
            RoiPoolOp, DeformConvOp, Col2ImOp, DetOp, NonZeroOp, LibraryOp>(
            user))
      return false;
    // Without overlapping frames every element is read once.
    if (auto dft = dyn_cast<DftOp>(user))
      return !dft.getHop() && op->getResult(0) == dft.getX() &&
             op->getResult(0) != dft.getTwiddles();
    // Places are read once, pixels many times.
    if (auto sample = dyn_cast<SampleOp>(user))
      return op->getResult(0) == sample.getPlaces() &&
             op->getResult(0) != sample.getX();
    // Parameters of a norm and indices of a gather are read often: only what is
    // a view of memory may be pulled there.
    if (isa<GatherOp, GatherElementsOp, GatherNDOp, RopeOp>(user) &&
        !isMovement(op))
      return false;
    if (isRowAnchor(user) &&
        (user->getOperand(0) != op->getResult(0) || !isElementwise(op)))
      return false;
    if (group.anchor && isContraction(group.anchor)) {
      // Pulled into a tiled epilogue: all operands must be loadable there.
      Type result = group.anchor->getResult(0).getType();
      return isElementwise(op) && isVectorizable(op) && user != group.anchor &&
             llvm::all_of(op->getOperands(),
                          [&](Value operand) {
                            return classifyOperand(operand.getType(), result)
                                .has_value();
                          }) &&
             sameShape(op->getResult(0), group.anchor->getResult(0));
    }
    // Computing a small operand again for every element it broadcasts to is
    // waste, unless it is free.
    Value wide = isRowAnchor(user) ? user->getOperand(0) : user->getResult(0);
    bool grows = getNumElements(op->getResult(0).getType()) !=
                 getNumElements(wide.getType());
    if (isMovement(op) &&
        !isa<GatherOp, GatherElementsOp, GatherNDOp, RopeOp, RandomBitsOp>(op))
      return true;
    return !grows || isa<IotaOp, DimValuesOp>(op) ||
           isa<ConcatOp, PadOp, SliceOp>(user);
  }

  void absorbProducers(Group &group) {
    // Ops are visited as they join, so chains are followed to their start.
    for (size_t i = 0; i < group.ops.size(); ++i) {
      for (Value operand : group.ops[i]->getOperands()) {
        if (group.ops.size() >= maxGroup)
          return;
        Operation *producer = soleProducer(group, operand);
        if (!producer || group.contains(producer))
          continue;
        // Every use in the group, so that what an anchor reads stays a buffer.
        if (llvm::all_of(operand.getUsers(), [&](Operation *each) {
              return canPull(group, producer, each);
            }))
          group.ops.insert(producer);
      }
    }
  }

  func::FuncOp function;
};

/// Moves the group into a kernel region in front of its root.
effk::KernelOp outline(Group &group) {
  Operation *root = group.root;
  OpBuilder b(root);
  SmallVector<Operation *> ops(group.ops.begin(), group.ops.end());
  llvm::sort(ops,
             [](Operation *x, Operation *y) { return x->isBeforeInBlock(y); });
  // The runtime's kernels read memory only.
  auto isImmediate = [&](Operation *op) {
    return isSplat(op) && !isa<LibraryOp>(root);
  };
  SetVector<Value> inputs;
  SmallVector<Location> locations;
  for (Operation *op : ops) {
    locations.push_back(op->getLoc());
    for (Value operand : op->getOperands()) {
      Operation *producer = operand.getDefiningOp();
      if (!(producer && (group.contains(producer) || isImmediate(producer))))
        inputs.insert(operand);
    }
  }
  Operation *named = group.anchor ? group.anchor : root;
  auto kernel = effk::KernelOp::create(
      b, b.getFusedLoc(locations), root->getResultTypes(), inputs.getArrayRef(),
      named->getName().stripDialect());
  Block *body = &kernel.getBody().emplaceBlock();
  IRMapping mapping;
  for (Value input : inputs)
    mapping.map(input, body->addArgument(input.getType(), input.getLoc()));
  b.setInsertionPointToStart(body);
  for (Operation *op : ops) {
    for (Value operand : op->getOperands())
      if (Operation *producer = operand.getDefiningOp();
          isImmediate(producer) && !mapping.contains(operand))
        b.clone(*producer, mapping);
    b.clone(*op, mapping);
  }
  SmallVector<Value> yielded;
  for (Value result : root->getResults())
    yielded.push_back(mapping.lookup(result));
  effk::YieldOp::create(b, root->getLoc(), yielded);
  root->replaceAllUsesWith(kernel.getResults());
  for (Operation *op : llvm::reverse(ops))
    op->erase();
  return kernel;
}

/// The value whose buffer a value shares.
Value bufferOwner(Value value) {
  while (auto reshape = value.getDefiningOp<ReshapeOp>())
    value = reshape.getX();
  return value;
}

/// Gives every returned value a kernel result of its own, by copies where
/// needed.
void separateResults(func::FuncOp function) {
  auto ret = cast<func::ReturnOp>(function.getBody().front().getTerminator());
  LateSizes sizes(function);
  auto isLate = [&](Value value) {
    return llvm::any_of(getDims(value.getType()), [&](AffineExpr size) {
      return size && sizes.isLate(size);
    });
  };
  DenseSet<Value> taken;
  for (OpOperand &operand : ret->getOpOperands()) {
    Value owner = bufferOwner(operand.get());
    // The caller's memory must not be written before a late size is known to
    // fit it.
    bool fits = isLate(operand.get()) || !isLate(owner);
    if (fits && owner.getDefiningOp<effk::KernelOp>() &&
        taken.insert(owner).second)
      continue;
    OpBuilder b(ret);
    Value value = operand.get();
    Location loc = value.getLoc();
    bool splat = isSplat(value.getDefiningOp());
    auto kernel = effk::KernelOp::create(
        b, loc, TypeRange{value.getType()},
        splat ? ValueRange() : ValueRange(value), "copy");
    Block *body = &kernel.getBody().emplaceBlock();
    b.setInsertionPointToStart(body);
    Value source = splat ? b.clone(*value.getDefiningOp())->getResult(0)
                         : Value(body->addArgument(value.getType(), loc));
    effk::YieldOp::create(b, loc, source);
    operand.set(kernel.getResult(0));
    taken.insert(kernel.getResult(0));
  }
}

/// A product repeats its operands along batch dims by itself.
void dropBroadcasts(MatmulOp product) {
  for (OpOperand &operand : product->getOpOperands()) {
    auto broadcast = operand.get().getDefiningOp<BroadcastOp>();
    if (!broadcast || !broadcast.isUndecided())
      continue;
    Dims from = getDims(broadcast.getX().getType()),
         to = getDims(broadcast.getType());
    if (from.size() == to.size() &&
        ArrayRef(from).take_back(2) == ArrayRef(to).take_back(2))
      operand.set(broadcast.getX());
  }
}

/// Each elementwise reader repeats by itself as it loads; a shared result would
/// be a copy.
void splitUses(BroadcastOp broadcast) {
  if (!broadcast.isUndecided() || broadcast->hasOneUse())
    return;
  for (OpOperand &use : llvm::make_early_inc_range(broadcast->getUses()))
    if (isElementwise(use.getOwner())) {
      OpBuilder b(use.getOwner());
      use.set(b.clone(*broadcast)->getResult(0));
    }
}

struct FormKernels : effc::impl::FormKernelsBase<FormKernels> {
  using Base::Base;

  void runOnOperation() override {
    func::FuncOp function = getOperation();
    if (function->hasAttr("effk.kernel") || function.isDeclaration())
      return;
    function.walk(dropBroadcasts);
    if (fuse)
      function.walk(splitUses);
    eraseDeadOps(function);
    Former former(function);
    formInBlock(former, function.getBody().front());
    separateResults(function);
  }

  void formInBlock(Former &former, Block &block) {
    // From the end: an op that no later group took is the root of its own.
    // Groups only move down, past nothing that uses them, so what uses a late
    // size stays behind its definition.
    Operation *op = &block.back();
    while (op) {
      Operation *previous = op->getPrevNode();
      for (Region &region : op->getRegions())
        if (!isa<effk::KernelOp>(op))
          formInBlock(former, region.front());
      if (!isHostOp(op)) {
        if (op->use_empty()) {
          op->erase();
        } else {
          Group group = former.form(op, fuse);
          numFused += group.ops.size() - 1;
          effk::KernelOp kernel = outline(group);
          previous = kernel->getPrevNode();
        }
      }
      op = previous;
    }
  }
};

} // namespace
