// Analysis of late sizes (see LateSizes.h).
#include "Eff/LateSizes.h"
#include "mlir/IR/AttrTypeSubElements.h"
#include "mlir/IR/Iterators.h"

using namespace mlir;

namespace effc::eff {

static void forEachSymbol(AffineExpr size, function_ref<void(unsigned)> visit) {
  if (size)
    size.walk([&](AffineExpr expr) {
      if (auto symbol = dyn_cast<AffineSymbolExpr>(expr))
        visit(symbol.getPosition());
    });
}

LateSizes::LateSizes(Operation *function) {
  if (auto array = function->getAttrOfType<ArrayAttr>("eff.symbols"))
    read(array.getValue());
}

LateSizes::LateSizes(ArrayRef<Attribute> symbols) { read(symbols); }

void LateSizes::read(ArrayRef<Attribute> symbols) {
  for (size_t position = 0; position < symbols.size(); ++position) {
    Attribute attribute = symbols[position];
    llvm::SmallBitVector &set = late.emplace_back(symbols.size());
    if (isa<LateSymbolAttr>(attribute)) {
      set.set(position);
      any = true;
    } else if (auto derived = dyn_cast<DerivedSymbolAttr>(attribute)) {
      // Derived symbols are made of symbols before them.
      for (AffineExpr size : derived.getSizes().getExprs())
        forEachSymbol(size, [&](unsigned symbol) {
          if (symbol < position)
            set |= late[symbol];
        });
    }
  }
}

llvm::SmallBitVector LateSizes::getLate(AffineExpr size) const {
  llvm::SmallBitVector set(late.size());
  forEachSymbol(size, [&](unsigned symbol) {
    if (symbol < late.size())
      set |= late[symbol];
  });
  return set;
}

void walkSizes(Operation *op, function_ref<void(AffineExpr)> visit) {
  AttrTypeWalker walker;
  walker.addWalk([&](DimsAttr dims) {
    for (AffineExpr size : dims.getExprs())
      visit(size);
  });
  walker.walk(op->getAttrDictionary());
  for (Type type : op->getResultTypes())
    walker.walk(type);
  for (Region &region : op->getRegions())
    for (Block &block : region)
      for (Type type : block.getArgumentTypes())
        walker.walk(type);
}

//===----------------------------------------------------------------------===//
// Order
//===----------------------------------------------------------------------===//

namespace {

class Verifier {
public:
  explicit Verifier(const LateSizes &sizes)
      : sizes(sizes), defined(sizes.size()) {}

  LogicalResult verify(Region &region) {
    llvm::SmallBitVector before = defined;
    bool ok = true;
    for (Block &block : region)
      for (Operation &op : block)
        ok &= succeeded(verify(&op));
    // What a region defines is unknown outside of it.
    defined = before;
    return success(ok);
  }

private:
  LogicalResult verify(Operation *op) {
    bool ok = true;
    if (auto loop = dyn_cast<LoopOp>(op)) {
      for (AffineExpr size : loop.getInitial().getExprs())
        ok &= succeeded(use(op, size));
      define(loop.getSymbols());
    } else if (auto branch = dyn_cast<IfOp>(op)) {
      for (Region &region : op->getRegions())
        ok &= succeeded(verify(region));
      define(branch.getSymbols());
    } else if (auto size = dyn_cast<DefineSizeOp>(op)) {
      define(static_cast<int64_t>(size.getSymbol()));
    }
    walkSizes(op, [&](AffineExpr size) { ok &= succeeded(use(op, size)); });
    if (!isa<IfOp>(op))
      for (Region &region : op->getRegions())
        ok &= succeeded(verify(region));
    return success(ok);
  }

  LogicalResult use(Operation *op, AffineExpr size) {
    llvm::SmallBitVector missing = sizes.getLate(size);
    missing.reset(defined);
    if (missing.none())
      return success();
    return op->emitOpError("uses the size s")
           << missing.find_first() << " before it has a value";
  }

  void define(ArrayRef<int64_t> symbols) {
    for (int64_t symbol : symbols)
      if (symbol >= 0 && symbol < int64_t(defined.size()))
        defined.set(symbol);
  }

  const LateSizes &sizes;
  llvm::SmallBitVector defined;
};

} // namespace

LogicalResult verifyLateSizes(Operation *function) {
  LateSizes sizes(function);
  if (!sizes.hasLate())
    return success();
  return Verifier(sizes).verify(function->getRegion(0));
}

//===----------------------------------------------------------------------===//
// Removal
//===----------------------------------------------------------------------===//

/// The symbols that ops use, and derived sizes and checks of the function.
/// Ops in `except` do not count.
static llvm::SmallBitVector getUsed(Operation *function, const LateSizes &sizes,
                                    Operation *except = nullptr) {
  llvm::SmallBitVector used(sizes.size());
  auto mark = [&](AffineExpr size) { used |= sizes.getLate(size); };
  function->walk<WalkOrder::PreOrder>([&](Operation *op) {
    if (op == except)
      return WalkResult::skip();
    if (op != function)
      walkSizes(op, mark);
    return WalkResult::advance();
  });
  return used;
}

static bool isUsed(ArrayRef<int64_t> symbols,
                   const llvm::SmallBitVector &used) {
  return llvm::any_of(symbols, [&](int64_t symbol) {
    return symbol >= int64_t(used.size()) || used.test(symbol);
  });
}

void eraseDeadOps(Operation *function) {
  LateSizes sizes(function);
  bool changed = true;
  while (changed) {
    changed = false;
    llvm::SmallBitVector used = getUsed(function, sizes);
    // Backwards: users come after what they use.
    function->walk<WalkOrder::PostOrder, mlir::ReverseIterator>(
        [&](Operation *op) {
          if (op == function || !op->use_empty())
            return;
          bool dead = false;
          if (auto size = dyn_cast<DefineSizeOp>(op))
            dead = !isUsed(static_cast<int64_t>(size.getSymbol()), used);
          else if (auto branch = dyn_cast<IfOp>(op))
            dead = !isUsed(branch.getSymbols(), used);
          else if (auto loop = dyn_cast<LoopOp>(op))
            dead = !isUsed(loop.getSymbols(), getUsed(function, sizes, op));
          else
            dead = isOpTriviallyDead(op);
          if (!dead)
            return;
          op->erase();
          changed = sizes.hasLate();
        });
  }
}

} // namespace effc::eff
