// Kernels without a loop nest of their own: every element of the result is
// pulled. Contiguous dims that no op looks into are merged into one long inner
// loop, and concatenation and padding write each part with a loop of its own.
#include "KernelEmitter.h"

using namespace mlir;
using namespace effc;
using namespace effc::eff;

namespace {

using Indices = KernelEmitter::Indices;

/// Inner iterations of one parallel item when a tensor is only one dim.
constexpr int64_t blockSize = 4096;

/// Whether dims `axis` and `next` of the result, with only unit dims between
/// them, may become one loop: the region is elementwise and every value either
/// spans both or is broadcast along both.
bool canMerge(effk::KernelOp kernel, size_t axis, size_t next) {
  Block &body = kernel.getBody().front();
  size_t rank = getDims(kernel.getResult(0).getType()).size();
  auto spans = [&](Type type, size_t i) {
    Dims dims = getDims(type);
    size_t skipped = rank - dims.size();
    return i >= skipped && getConstant(dims[i - skipped]) != 1;
  };
  auto uniform = [&](Type type) {
    return getDims(type).size() <= rank &&
           spans(type, axis) == spans(type, next);
  };
  auto isUndecided = [&](BroadcastOp op, size_t i) {
    size_t skipped = rank - getDims(op.getX().getType()).size();
    return i >= skipped && op.isUndecided(i - skipped);
  };
  for (Operation &op : body.without_terminator()) {
    if (isa<ConstantOp>(op))
      continue;
    if (!isa<ElementwiseOpInterface, BroadcastOp>(op) ||
        !uniform(op.getResult(0).getType()))
      return false;
    auto broadcast = dyn_cast<BroadcastOp>(op);
    if (broadcast &&
        (isUndecided(broadcast, axis) || isUndecided(broadcast, next)))
      return false;
  }
  return llvm::all_of(body.getArgumentTypes(), uniform);
}

/// The loops of a map kernel: loop i runs over result dim `axes[i]`, the last
/// of its group that is not 1; the others of the group have index 0, which is
/// right because a row-major position is linear in every index.
struct Loops {
  Dims extents;
  SmallVector<int64_t> axes;
};

Loops mergeDims(effk::KernelOp kernel) {
  Dims dims = getDims(kernel.getResult(0).getType());
  Loops loops;
  for (size_t i = 0; i < dims.size(); ++i) {
    if (getConstant(dims[i]) == 1)
      continue;
    if (!loops.axes.empty() && canMerge(kernel, loops.axes.back(), i)) {
      loops.extents.back() = simplify(loops.extents.back() * dims[i]);
      loops.axes.back() = i;
    } else {
      loops.extents.push_back(dims[i]);
      loops.axes.push_back(i);
    }
  }
  return loops;
}

void emitResults(KernelEmitter &e, ArrayRef<Value> indices) {
  for (unsigned i = 0; i < e.getKernel().getNumResults(); ++i)
    e.store(e.element(e.getYielded(i), indices), i, indices);
}

/// Loops over [begin, end) of the last merged dim with the outer ones fixed.
void emitInner(KernelEmitter &e, const Loops &loops, size_t rank,
               ArrayRef<Value> outer, Value begin, Value end) {
  e.loop(begin, end, 1, [&](Value iv) {
    Indices indices(rank, e.index(0));
    for (size_t i = 0; i < outer.size(); ++i)
      indices[loops.axes[i]] = outer[i];
    indices[loops.axes.back()] = iv;
    emitResults(e, indices);
  });
}

/// Copies the part of an operand under `prefix`: contiguous in operand and
/// result, one loop.
void copyRun(KernelEmitter &e, ConcatOp concat, Value input, Value buffer,
             ArrayRef<Value> prefix, AffineExpr offset,
             ArrayRef<AffineExpr> inner) {
  int64_t axis = concat.getAxis();
  Dims to = getDims(concat.getType());
  MLIRContext *context = e.b.getContext();
  AffineExpr run = product(context, inner),
             row = product(context, inner.drop_front());
  Value index = e.linearize(prefix, ArrayRef(to).take_front(axis));
  Value source = e.mul(index, e.size(run));
  Value target = e.add(
      e.mul(index, e.size(product(context, ArrayRef(to).drop_front(axis)))),
      e.size(simplify(offset * row)));
  Type type = cast<RankedTensorType>(concat.getType()).getElementType();
  e.loop(e.size(run), [&](Value i) {
    e.storeFlat(e.loadFlat(buffer, e.add(source, i), type),
                e.getResultBuffer(0), e.add(target, i));
  });
}

/// A concatenation at the root: each operand is copied by its own loops, so
/// that nothing is decided per element.
bool emitConcatRoot(KernelEmitter &e) {
  effk::KernelOp kernel = e.getKernel();
  auto concat = e.getYielded(0).getDefiningOp<ConcatOp>();
  if (!concat || kernel.getNumResults() != 1)
    return false;
  int64_t axis = concat.getAxis();
  Dims dims = getDims(concat.getType());
  Dims outer(dims.begin(), dims.begin() + axis);
  e.setExtent(product(e.b.getContext(), outer));
  e.parallelLoop([&](Value item) {
    Indices prefix = e.delinearize(item, outer);
    AffineExpr offset = e.constExpr(0);
    for (Value input : concat.getInputs()) {
      Dims rest = getDims(input.getType());
      Dims inner(rest.begin() + axis, rest.end());
      if (Value buffer = e.getBuffer(input))
        copyRun(e, concat, input, buffer, prefix, offset, inner);
      else
        e.loopNest(inner, [&](ArrayRef<Value> at) {
          Indices source(prefix), target(prefix);
          llvm::append_range(source, at);
          llvm::append_range(target, at);
          target[axis] = e.add(at[0], e.size(simplify(offset)));
          e.store(e.element(input, source), 0, target);
        });
      offset = offset + rest[axis];
    }
  });
  return true;
}

/// Constant padding at the root: nothing is decided for each element.
class PadEmitter {
public:
  PadEmitter(KernelEmitter &e, PadOp pad)
      : e(e), pad(pad), from(getDims(pad.getX().getType())),
        to(getDims(pad.getType())) {}

  bool emit() {
    if (to.size() < 2)
      return false;
    if (from.back() == to.back())
      emitRows();
    else if (hasFewChannels())
      emitLines();
    else
      return false;
    return true;
  }

private:
  /// Channels beside each other that are known by number.
  bool hasFewChannels() {
    constexpr int64_t mostChannels = 16;
    return getConstant(from.back()) && getConstant(getLow().back()) &&
           getConstant(to.back()).value_or(mostChannels + 1) <= mostChannels;
  }
  ArrayRef<AffineExpr> getLow() { return pad.getLow().getExprs(); }

  /// The operand's indices for those of the result, and whether they exist.
  std::pair<Indices, Value> locate(const Indices &at) {
    Value inside = arith::ConstantOp::create(e.b, e.loc, e.b.getBoolAttr(true));
    Indices source;
    for (size_t i = 0; i < at.size(); ++i) {
      Value shifted = e.sub(at[i], e.size(getLow()[i]));
      Value fits =
          e.compare(arith::CmpIPredicate::ult, shifted, e.size(from[i]));
      inside = e.b.createOrFold<arith::AndIOp>(e.loc, inside, fits);
      source.push_back(shifted);
    }
    return {source, inside};
  }

  void choose(Value inside, llvm::function_ref<void()> copy,
              llvm::function_ref<void()> fill) {
    auto ifOp = scf::IfOp::create(e.b, e.loc, inside, /*withElseRegion=*/true);
    OpBuilder::InsertionGuard guard(e.b);
    e.b.setInsertionPointToStart(ifOp.thenBlock());
    copy();
    e.b.setInsertionPointToStart(ifOp.elseBlock());
    fill();
  }

  Value getFiller() {
    if (!pad.getValue())
      return e.constant(
          getScalarType(cast<RankedTensorType>(pad.getType()).getElementType()),
          0);
    return e.element(
        pad.getValue(),
        Indices(getDims(pad.getValue().getType()).size(), e.index(0)));
  }

  void store(const Indices &prefix, ValueRange rest, Value value) {
    Indices target(prefix);
    llvm::append_range(target, rest);
    e.store(value, 0, target);
  }
  Value load(const Indices &prefix, ValueRange rest) {
    Indices source(prefix);
    llvm::append_range(source, rest);
    return e.element(pad.getX(), source);
  }

  /// The last dim is left alone (NHWC images): a row is copied or filled.
  void emitRows() {
    Dims outer(to.begin(), to.end() - 1);
    e.setExtent(product(e.b.getContext(), outer));
    e.parallelLoop([&](Value item) {
      Indices at = e.delinearize(item, outer);
      auto [source, inside] = locate(at);
      auto row = [&, &source = source](bool exists) {
        e.loop(e.size(to.back()), [&](Value i) {
          store(at, i, exists ? load(source, i) : getFiller());
        });
      };
      choose(inside, [&] { row(true); }, [&] { row(false); });
    });
  }

  /// Few channels, some of which are filled: pixels of a line are copied side
  /// by side, between those that are filled.
  void emitLines() {
    Dims outer(to.begin(), to.end() - 2);
    size_t line = outer.size();
    e.setExtent(product(e.b.getContext(), outer));
    e.parallelLoop([&](Value item) {
      Indices at = e.delinearize(item, outer);
      auto [source, inside] = locate(at);
      Value first = e.size(getLow()[line]), end = e.size(to[line]);
      auto fill = [&](Value begin, Value end) {
        emitPixels(at, begin, end, [&](Value, int64_t) { return getFiller(); });
      };
      auto copy = [&, &source = source] {
        Value last = e.add(first, e.size(from[line]));
        int64_t low = *getConstant(getLow().back()),
                channels = *getConstant(from.back());
        fill(e.index(0), first);
        emitPixels(at, first, last, [&](Value x, int64_t channel) {
          if (channel < low || channel >= low + channels)
            return getFiller();
          return load(source, {e.sub(x, first), e.index(channel - low)});
        });
        fill(last, end);
      };
      choose(inside, copy, [&] { fill(e.index(0), end); });
    });
  }

  void emitPixels(const Indices &at, Value begin, Value end,
                  llvm::function_ref<Value(Value, int64_t)> element) {
    e.loop(begin, end, 1, [&](Value x) {
      for (int64_t c = 0; c < *getConstant(to.back()); ++c)
        store(at, {x, e.index(c)}, element(x, c));
    });
  }

  KernelEmitter &e;
  PadOp pad;
  Dims from, to;
};

bool emitPadRoot(KernelEmitter &e) {
  effk::KernelOp kernel = e.getKernel();
  auto pad = e.getYielded(0).getDefiningOp<PadOp>();
  return pad && kernel.getNumResults() == 1 &&
         pad.getMode() == PadMode::Constant && PadEmitter(e, pad).emit();
}

} // namespace

void effc::emitMapKernel(KernelEmitter &e) {
  if (emitConcatRoot(e) || (!e.options.plain && emitPadRoot(e)))
    return;
  effk::KernelOp kernel = e.getKernel();
  Loops loops = mergeDims(kernel);
  size_t rank = getDims(kernel.getResult(0).getType()).size();
  if (loops.axes.empty()) {
    e.parallelLoop([&](Value) { emitResults(e, Indices(rank, e.index(0))); });
    return;
  }
  AffineExpr last = loops.extents.back();
  Dims outer(loops.extents.begin(), loops.extents.end() - 1);
  AffineExpr rows = product(e.b.getContext(), outer);
  if (getConstant(rows) == 1) {
    e.setExtent(simplify(last.ceilDiv(blockSize)));
    e.parallelLoop([&](Value block) {
      Value begin = e.mul(block, e.index(blockSize));
      Value end = e.minimum(e.add(begin, e.index(blockSize)), e.size(last));
      emitInner(e, loops, rank, Indices(outer.size(), e.index(0)), begin, end);
    });
    return;
  }
  e.setExtent(rows);
  e.parallelLoop([&](Value item) {
    emitInner(e, loops, rank, e.delinearize(item, outer), e.index(0),
              e.size(last));
  });
}
