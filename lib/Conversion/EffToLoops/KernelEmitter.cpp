// The shared machinery of kernel generation: index arithmetic, loops, buffers,
// dispatch.
#include "KernelEmitter.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"

using namespace mlir;

namespace effc {

Type getScalarType(Type elementType) {
  unsigned width = elementType.getIntOrFloatBitWidth();
  if (width <= 8 && width != 1)
    return IntegerType::get(elementType.getContext(), 8);
  if (isa<IntegerType>(elementType))
    return IntegerType::get(elementType.getContext(), width);
  return elementType;
}

Type getStorageType(Type elementType) {
  if (elementType.isInteger(1))
    return IntegerType::get(elementType.getContext(), 8);
  return getScalarType(elementType);
}

KernelEmitter::KernelEmitter(effk::KernelOp kernel, StringRef name,
                             ModuleOp module, const LoopOptions &options)
    : b(module.getContext()), loc(kernel.getLoc()), options(options),
      kernel(kernel) {
  b.setInsertionPointToEnd(module.getBody());
  SmallVector<Type> types;
  auto flat = [&](Type tensor) {
    Type element =
        getStorageType(cast<RankedTensorType>(tensor).getElementType());
    types.push_back(MemRefType::get({ShapedType::kDynamic}, element));
  };
  llvm::for_each(kernel.getInputs().getTypes(), flat);
  llvm::for_each(kernel.getOutputs().getTypes(), flat);
  types.append({b.getIndexType(), b.getIndexType(),
                MemRefType::get({ShapedType::kDynamic}, b.getI8Type())});
  function = func::FuncOp::create(b, loc, name, b.getFunctionType(types, {}));
  function->setAttr("effk.kernel", b.getUnitAttr());
  function->setAttr("effk.results",
                    b.getI64IntegerAttr(kernel.getNumResults()));
  Block *entry = function.addEntryBlock();
  Block &body = kernel.getBody().front();
  for (BlockArgument arg : body.getArguments())
    buffers[arg] = entry->getArgument(arg.getArgNumber());
  for (unsigned i = 0; i < kernel.getNumResults(); ++i)
    results.push_back(entry->getArgument(body.getNumArguments() + i));
  b.setInsertionPointToStart(entry);
  AffineExpr zero = constExpr(0);
  sizes = {constExpr(1), zero, zero, zero, zero};
}

AffineExpr KernelEmitter::constExpr(int64_t value) {
  return eff::constDim(b.getContext(), value);
}

Value KernelEmitter::getYielded(unsigned number) {
  return kernel.getBody().front().getTerminator()->getOperand(number);
}

// ---- Index arithmetic ----

Value KernelEmitter::index(int64_t value) {
  // At the function's start, so that constants never tie other values to a
  // loop (see hoisted()).
  Value &constant = indexConstants[value];
  if (!constant) {
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(&function.getBody().front());
    constant = arith::ConstantIndexOp::create(b, loc, value);
  }
  return constant;
}

Value KernelEmitter::size(AffineExpr expr) {
  if (auto constant = eff::getConstant(expr))
    return index(*constant);
  Value &value = dimValues[expr];
  if (!value) {
    // Dims come after the buffers and before lo, hi and scratch.
    unsigned position = function.getNumArguments() - 3;
    (void)function.insertArgument(position, b.getIndexType(), {}, loc);
    value = function.getArgument(position);
    dims.push_back(expr);
  }
  return value;
}

Value KernelEmitter::add(Value a, Value c) {
  return b.createOrFold<arith::AddIOp>(loc, a, c);
}
Value KernelEmitter::sub(Value a, Value c) {
  return b.createOrFold<arith::SubIOp>(loc, a, c);
}
Value KernelEmitter::mul(Value a, Value c) {
  return b.createOrFold<arith::MulIOp>(loc, a, c);
}
Value KernelEmitter::div(Value a, Value c) {
  return b.createOrFold<arith::DivUIOp>(loc, a, c);
}
Value KernelEmitter::rem(Value a, Value c) {
  return b.createOrFold<arith::RemUIOp>(loc, a, c);
}
Value KernelEmitter::minimum(Value a, Value c) {
  return b.createOrFold<arith::MinSIOp>(loc, a, c);
}
Value KernelEmitter::maximum(Value a, Value c) {
  return b.createOrFold<arith::MaxSIOp>(loc, a, c);
}
Value KernelEmitter::compare(arith::CmpIPredicate predicate, Value a, Value c) {
  return b.createOrFold<arith::CmpIOp>(loc, predicate, a, c);
}

Value KernelEmitter::constant(Type type, double value) {
  if (auto floatType = dyn_cast<FloatType>(type))
    return arith::ConstantOp::create(b, loc, b.getFloatAttr(floatType, value));
  if (isa<IndexType>(type))
    return index(static_cast<int64_t>(value));
  unsigned width = type.getIntOrFloatBitWidth();
  // Through 64 bits, so that -1 and large unsigned values both wrap as written.
  auto bits = value < 0 ? static_cast<uint64_t>(static_cast<int64_t>(value))
                        : static_cast<uint64_t>(value);
  APInt integer(64, bits);
  return arith::ConstantOp::create(
      b, loc, b.getIntegerAttr(type, integer.trunc(width)));
}

Value KernelEmitter::toIndex(Value integer, bool isUnsigned) {
  if (isUnsigned)
    return b.createOrFold<arith::IndexCastUIOp>(loc, b.getIndexType(), integer);
  return b.createOrFold<arith::IndexCastOp>(loc, b.getIndexType(), integer);
}

Value KernelEmitter::repeated(AffineExpr size, AffineExpr to, Value at) {
  if (eff::getConstant(size) == 1)
    return index(0);
  return eff::mayBeRepeated(size, to)
             ? mul(at, this->size(eff::repeatedStep(size)))
             : at;
}

Value KernelEmitter::linearize(ArrayRef<Value> indices,
                               ArrayRef<AffineExpr> shape) {
  Value position;
  for (size_t i = 0; i < indices.size(); ++i) {
    bool isOne = eff::getConstant(shape[i]) == 1;
    if (position && !isOne)
      position = mul(position, size(shape[i]));
    if (isOne)
      continue;
    position = position ? add(position, indices[i]) : indices[i];
  }
  return position ? position : index(0);
}

KernelEmitter::Indices KernelEmitter::delinearize(Value position,
                                                  ArrayRef<AffineExpr> shape) {
  Indices indices(shape.size());
  // The outermost dim that is not 1 needs no remainder.
  int64_t first = 0, rank = shape.size();
  while (first < rank && eff::getConstant(shape[first]) == 1)
    indices[first++] = index(0);
  for (int64_t i = rank - 1; i >= first; --i) {
    if (eff::getConstant(shape[i]) == 1) {
      indices[i] = index(0);
      continue;
    }
    if (i == first) {
      indices[i] = position;
      break;
    }
    indices[i] = rem(position, size(shape[i]));
    position = div(position, size(shape[i]));
  }
  return indices;
}

// ---- Elements ----

Value KernelEmitter::loadFlat(Value memref, Value position, Type elementType) {
  Value value = memref::LoadOp::create(b, loc, memref, position);
  if (elementType.isInteger(1))
    return arith::CmpIOp::create(b, loc, arith::CmpIPredicate::ne, value,
                                 constant(value.getType(), 0));
  return value;
}

void KernelEmitter::storeFlat(Value scalar, Value memref, Value position) {
  if (scalar.getType().isInteger(1))
    scalar = arith::ExtUIOp::create(b, loc, b.getI8Type(), scalar);
  memref::StoreOp::create(b, loc, scalar, memref, position);
}

Value KernelEmitter::element(Value tensor, ArrayRef<Value> indices) {
  auto it = bound.find(tensor);
  if (it != bound.end())
    return it->second(indices);
  if (Value buffer = buffers.lookup(tensor)) {
    auto type = cast<RankedTensorType>(tensor.getType());
    return loadFlat(buffer, linearize(indices, eff::getDims(type)),
                    type.getElementType());
  }
  return definedElement(cast<OpResult>(tensor), indices);
}

Value KernelEmitter::elementOrZero(Value tensor, ArrayRef<Value> indices,
                                   ArrayRef<int64_t> axes) {
  Value some;
  for (int64_t axis : axes) {
    AffineExpr extent = eff::getDim(tensor.getType(), axis);
    if (eff::getConstant(extent).value_or(0) > 0)
      continue;
    Value here = compare(arith::CmpIPredicate::sgt, size(extent), index(0));
    some = some ? b.createOrFold<arith::AndIOp>(loc, some, here) : here;
  }
  if (!some)
    return element(tensor, indices);
  Type type =
      getScalarType(cast<RankedTensorType>(tensor.getType()).getElementType());
  auto ifOp = scf::IfOp::create(b, loc, TypeRange{type}, some,
                                /*withElseRegion=*/true);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(ifOp.thenBlock());
  scf::YieldOp::create(b, loc, element(tensor, indices));
  b.setInsertionPointToStart(ifOp.elseBlock());
  scf::YieldOp::create(b, loc, constant(type, 0));
  return ifOp.getResult(0);
}

Value KernelEmitter::wideElement(Value tensor, ArrayRef<Value> indices) {
  Value value = element(tensor, indices);
  if (value.getType().isF16() || value.getType().isBF16())
    return arith::ExtFOp::create(b, loc, b.getF32Type(), value);
  return value;
}

Value KernelEmitter::definedElement(OpResult result, ArrayRef<Value> indices) {
  Operation *op = result.getOwner();
  for (auto *emit : {emitElementwise, emitMovement, emitReduction, emitWindow,
                     emitRoi, emitContraction})
    if (Value value = emit(*this, op, indices))
      return value;
  failedOp = op;
  return constant(
      getScalarType(cast<RankedTensorType>(result.getType()).getElementType()),
      0);
}

void KernelEmitter::store(Value scalar, unsigned number,
                          ArrayRef<Value> indices) {
  storeFlat(
      scalar, results[number],
      linearize(indices, eff::getDims(kernel.getResult(number).getType())));
}

// ---- Loops ----

void KernelEmitter::loop(Value lower, Value upper, int64_t step,
                         llvm::function_ref<void(Value)> body) {
  auto forOp = scf::ForOp::create(b, loc, lower, upper, index(step));
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(forOp.getBody());
  loops.push_back(forOp);
  body(forOp.getInductionVar());
  loops.pop_back();
}

SmallVector<Value> KernelEmitter::reduceLoop(
    Value lower, Value upper, ValueRange init,
    llvm::function_ref<SmallVector<Value>(Value, ValueRange)> body) {
  auto forOp = scf::ForOp::create(b, loc, lower, upper, index(1), init);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(forOp.getBody());
  loops.push_back(forOp);
  SmallVector<Value> next =
      body(forOp.getInductionVar(), forOp.getRegionIterArgs());
  // Without carried values the loop was made with its terminator.
  if (!init.empty())
    scf::YieldOp::create(b, loc, next);
  loops.pop_back();
  return SmallVector<Value>(forOp.getResults());
}

void KernelEmitter::loopNest(ArrayRef<AffineExpr> shape,
                             llvm::function_ref<void(ArrayRef<Value>)> body) {
  Indices indices;
  std::function<void()> nest = [&] {
    if (indices.size() == shape.size())
      return body(indices);
    AffineExpr extent = shape[indices.size()];
    if (eff::getConstant(extent) == 1) {
      indices.push_back(index(0));
      nest();
      indices.pop_back();
      return;
    }
    loop(size(extent), [&](Value iv) {
      indices.push_back(iv);
      nest();
      indices.pop_back();
    });
  };
  nest();
}

SmallVector<Value> KernelEmitter::reduceNest(
    ArrayRef<AffineExpr> shape, ValueRange init,
    std::function<SmallVector<Value>(ArrayRef<Value>, ValueRange)> body) {
  Indices indices;
  std::function<SmallVector<Value>(ValueRange)> nest = [&](ValueRange carried) {
    if (indices.size() == shape.size())
      return body(indices, carried);
    AffineExpr extent = shape[indices.size()];
    if (eff::getConstant(extent) == 1) {
      indices.push_back(index(0));
      SmallVector<Value> next = nest(carried);
      indices.pop_back();
      return next;
    }
    return reduceLoop(index(0), size(extent), carried,
                      [&](Value iv, ValueRange args) {
                        indices.push_back(iv);
                        SmallVector<Value> next = nest(args);
                        indices.pop_back();
                        return next;
                      });
  };
  return nest(init);
}

void KernelEmitter::parallelLoop(llvm::function_ref<void(Value)> body) {
  // lo and hi are the two arguments before the scratch buffer.
  unsigned count = function.getNumArguments();
  Value lo = function.getArgument(count - 3),
        hi = function.getArgument(count - 2);
  loop(lo, hi, 1, body);
}

Value KernelEmitter::scratch(Type elementType, AffineExpr count) {
  int64_t bytes =
      llvm::divideCeil(getStorageType(elementType).getIntOrFloatBitWidth(), 8);
  AffineExpr offset = sizes.scratch;
  // Every buffer starts on a cache line.
  sizes.scratch = eff::simplify(offset + (count * bytes).ceilDiv(64) * 64);
  OpBuilder::InsertionGuard guard(b);
  Value at = size(offset), length = size(count);
  // Behind the constants, which are always put first.
  Block &entry = function.getBody().front();
  b.setInsertionPoint(&entry, llvm::find_if(entry, [](Operation &op) {
    return !isa<arith::ConstantOp>(op);
  }));
  return memref::ViewOp::create(
      b, loc,
      MemRefType::get({ShapedType::kDynamic}, getStorageType(elementType)),
      function.getArgument(function.getNumArguments() - 1), at, length);
}

Value KernelEmitter::hoisted(ArrayRef<Value> values,
                             llvm::function_ref<Value()> fn) {
  if (loops.empty())
    return fn();
  Operation *innermost = loops.back();
  // What stands under a condition must not run without it: a gather's index
  // under a pad does not exist for the padding.
  if (b.getInsertionBlock()->getParentOp() != innermost)
    return fn();
  bool outside = llvm::all_of(values, [&](Value value) {
    Operation *owner = value.getParentBlock()->getParentOp();
    return !innermost->isAncestor(owner);
  });
  if (!outside)
    return fn();
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPoint(innermost);
  loops.pop_back();
  Value result = hoisted(values, fn);
  loops.push_back(innermost);
  return result;
}

void KernelEmitter::report(Value condition, int32_t code) {
  effk::ReportOp::create(b, loc, condition, code);
}

arith::FastMathFlags KernelEmitter::sumFlags() const {
  return options.plain
             ? arith::FastMathFlags::none
             : arith::FastMathFlags::reassoc | arith::FastMathFlags::contract;
}

arith::FastMathFlags KernelEmitter::mathFlags() const {
  return options.plain ? arith::FastMathFlags::none
                       : arith::FastMathFlags::contract;
}

Value KernelEmitter::runningMax(Value a, Value x) {
  if (options.plain)
    return arith::MaximumFOp::create(b, loc, a, x);
  auto flags = arith::FastMathFlags::nnan | arith::FastMathFlags::nsz;
  return arith::MaxNumFOp::create(b, loc, a, x, flags);
}

// ---- Packed constants ----

eff::ConstantOp KernelEmitter::getPackable(Value tensor) {
  auto argument = dyn_cast<BlockArgument>(tensor);
  if (!argument || argument.getOwner() != &kernel.getBody().front() ||
      !argument.hasOneUse())
    return {};
  return kernel.getInputs()[argument.getArgNumber()]
      .getDefiningOp<eff::ConstantOp>();
}

void KernelEmitter::pack(Value tensor, effk::PanelAttr layout) {
  packings.emplace_back(cast<BlockArgument>(tensor).getArgNumber(), layout);
}

RankedTensorType KernelEmitter::getPackedType(effk::PanelAttr layout,
                                              RankedTensorType constant) {
  return RankedTensorType::get({layout.getNumElements()},
                               constant.getElementType());
}

// ---- The kernel ----

/// The op around which a kernel is built: the only one that is not elementwise
/// or movement.
static Operation *findAnchor(effk::KernelOp kernel) {
  for (Operation &op : kernel.getBody().front())
    if (isa<eff::MatmulOp, eff::LinearOp, eff::BlockLinearOp, eff::ConvOp,
            eff::ConvTransposeOp, eff::ReduceOp, eff::ArgReduceOp, eff::ScanOp,
            eff::TopKOp, eff::SoftmaxOp, eff::LayerNormOp, eff::RMSNormOp,
            eff::GroupNormOp, eff::PoolOp, eff::PoolIndicesOp,
            eff::ScatterElementsOp, eff::ScatterNDOp, eff::AttentionOp,
            eff::ConcatOp, eff::PadOp, eff::SampleOp, eff::DeformConvOp,
            eff::DftOp, eff::DetOp, eff::NonZeroOp>(op))
      return &op;
  return nullptr;
}

LogicalResult KernelEmitter::emitBody() {
  Operation *anchor = findAnchor(kernel);
  if (anchor) {
    loc = anchor->getLoc();
    for (auto *emit :
         {emitSequentialKernel, emitRowKernel, emitAttentionKernel,
          emitSampleKernel, emitDeformConvKernel, emitDftKernel, emitDetKernel})
      if (succeeded(emit(*this, anchor)))
        return success();
    if (!options.plain)
      for (auto *emit :
           {emitDepthwiseKernel, emitWinogradKernel, emitConvKernel,
            emitLinearKernel, emitBlockLinearKernel, emitMatmulKernel,
            emitWindowKernel, emitReduceKernel})
        if (succeeded(emit(*this, anchor)))
          return success();
  }
  emitMapKernel(*this);
  return success();
}

/// Sums flops over the region and bytes over its border. The cost decides how
/// many threads a launch is worth, so it leans to the low side.
static void estimate(KernelEmitter &e) {
  LaunchSizes &sizes = e.getSizes();
  AffineExpr tiled = e.constExpr(0), flops = e.constExpr(0);
  AffineExpr bytes = e.constExpr(0);
  for (Operation &op : e.getKernel().getBody().front())
    if (auto cost = dyn_cast<eff::CostOpInterface>(op)) {
      bool isTiled = isa<eff::MatmulOp, eff::LinearOp, eff::BlockLinearOp,
                         eff::ConvOp, eff::AttentionOp>(op);
      AffineExpr &sum = isTiled && !e.options.plain ? tiled : flops;
      sum = sum + cost.getFlops();
    }
  auto addBytes = [&](Type type) {
    unsigned bits =
        getStorageType(cast<RankedTensorType>(type).getElementType())
            .getIntOrFloatBitWidth();
    bytes = bytes + eff::getNumElements(type) * llvm::divideCeil(bits, 8);
  };
  llvm::for_each(e.getKernel().getInputs().getTypes(), addBytes);
  llvm::for_each(e.getKernel().getOutputs().getTypes(), addBytes);
  // Above, each code counted as a byte.
  for (auto [number, layout] : e.getPackings())
    if (StringRef bits = layout.getSource(); bits.consume_front("bits")) {
      int64_t packed = layout.getGroups() * layout.getN() * layout.getK();
      bytes = bytes + packed - packed * 8 / (bits[0] - '0');
    }
  sizes.flops = eff::simplify(tiled + flops);
  sizes.bytes = eff::simplify(bytes);
  // A register tile does two multiply-adds a cycle and lane at 2 GHz or more;
  // other vector code 4 flops/ns, since a function counts as one; scalar loops
  // 1. Memory gives 16 bytes/ns from cache.
  int64_t lanes = e.options.plain ? 1 : e.options.target.getVectorBits() / 32;
  sizes.cost = eff::simplify(tiled.floorDiv(8 * lanes) +
                             flops.floorDiv(e.options.plain ? 1 : 4) +
                             sizes.bytes.floorDiv(16));
}

LogicalResult KernelEmitter::emit() {
  if (failed(emitBody()))
    return failure();
  b.setInsertionPointToEnd(&function.getBody().front());
  func::ReturnOp::create(b, kernel.getLoc());
  estimate(*this);
  if (failedOp)
    return failedOp->emitError("no loop lowering for ") << failedOp->getName();
  return success();
}

} // namespace effc
