// Element functions of constants and data movement: each maps an index of the
// result to one of an operand.
#include "KernelEmitter.h"

using namespace mlir;
using namespace effc;
using namespace effc::eff;

namespace {

using Indices = KernelEmitter::Indices;

Value emitConstant(KernelEmitter &e, ConstantOp op) {
  // Fusion clones only splats into kernels; everything else is a buffer.
  auto dense = dyn_cast<DenseElementsAttr>(op.getValue());
  if (!dense || !dense.isSplat())
    return {};
  Type element = dense.getElementType(), type = getScalarType(element);
  if (isa<FloatType>(type))
    return arith::ConstantOp::create(
        e.b, e.loc, e.b.getFloatAttr(type, dense.getSplatValue<APFloat>()));
  // Small floats are their bits, small integers extend to a byte.
  bool isFloat = isa<FloatType>(element);
  APInt bits = isFloat ? dense.getSplatValue<APFloat>().bitcastToAPInt()
                       : dense.getSplatValue<APInt>();
  unsigned width = type.getIntOrFloatBitWidth();
  bits = isFloat || isUnsignedType(element) ? bits.zextOrTrunc(width)
                                            : bits.sextOrTrunc(width);
  return arith::ConstantOp::create(e.b, e.loc, e.b.getIntegerAttr(type, bits));
}

/// Element `position` of a short list of sizes.
Value emitDimValues(KernelEmitter &e, DimValuesOp op, ArrayRef<Value> indices) {
  ArrayRef<AffineExpr> values = op.getValues().getExprs();
  Value position = e.linearize(indices, getDims(op.getType()));
  Value result = values.empty() ? e.index(0) : e.size(values.back());
  for (int64_t i = static_cast<int64_t>(values.size()) - 2; i >= 0; --i) {
    Value here = e.compare(arith::CmpIPredicate::eq, position, e.index(i));
    result = e.b.createOrFold<arith::SelectOp>(e.loc, here, e.size(values[i]),
                                               result);
  }
  Value wide = arith::IndexCastOp::create(e.b, e.loc, e.b.getI64Type(), result);
  return convertScalar(e, wide, e.b.getI64Type(),
                       cast<RankedTensorType>(op.getType()).getElementType());
}

Value emitIota(KernelEmitter &e, IotaOp op, ArrayRef<Value> indices) {
  ArrayRef<AffineExpr> bounds = op.getBounds().getExprs();
  Value value =
      e.add(e.size(bounds[0]), e.mul(indices[op.getAxis()], e.size(bounds[1])));
  Value wide = arith::IndexCastOp::create(e.b, e.loc, e.b.getI64Type(), value);
  return convertScalar(e, wide, e.b.getI64Type(),
                       cast<RankedTensorType>(op.getType()).getElementType());
}

/// Philox 4x32-10: ten rounds of two widening products each, all in registers.
Value emitRandomBits(KernelEmitter &e, RandomBitsOp op,
                     ArrayRef<Value> indices) {
  OpBuilder &b = e.b;
  Type i32 = b.getI32Type(), i64 = b.getI64Type();
  auto word = [&](uint32_t value) {
    return arith::ConstantOp::create(b, e.loc, b.getI32IntegerAttr(value))
        .getResult();
  };
  auto shift = arith::ConstantOp::create(b, e.loc, b.getI64IntegerAttr(32));
  auto high = [&](Value wide) {
    Value upper = arith::ShRUIOp::create(b, e.loc, wide, shift);
    return arith::TruncIOp::create(b, e.loc, i32, upper).getResult();
  };
  auto low = [&](Value wide) {
    return arith::TruncIOp::create(b, e.loc, i32, wide).getResult();
  };
  auto product = [&](Value x, uint32_t factor) {
    return arith::MulIOp::create(
               b, e.loc, arith::ExtUIOp::create(b, e.loc, i64, x),
               arith::ConstantOp::create(b, e.loc, b.getI64IntegerAttr(factor)))
        .getResult();
  };
  auto mix = [&](Value upper, Value other, uint32_t key) {
    Value mixed = arith::XOrIOp::create(b, e.loc, high(upper), other);
    return arith::XOrIOp::create(b, e.loc, mixed, word(key)).getResult();
  };
  Value position = arith::IndexCastOp::create(
      b, e.loc, i64, e.linearize(indices, getDims(op.getType())));
  Value c0 = low(position), c1 = high(position);
  Value c2 = word(op.getStream()), c3 = word(0);
  uint64_t seed = op.getSeed();
  uint32_t k0 = uint32_t(seed), k1 = uint32_t(seed >> 32);
  for (int round = 0; round < 10; ++round) {
    Value p0 = product(c0, 0xD2511F53), p1 = product(c2, 0xCD9E8D57);
    c0 = mix(p1, c1, k0);
    c2 = mix(p0, c3, k1);
    c1 = low(p1);
    c3 = low(p0);
    k0 += 0x9E3779B9;
    k1 += 0xBB67AE85;
  }
  return c0;
}

/// Walks both shapes from the left and maps groups of dims of equal product, so
/// that a reshape that only adds or drops unit dims, splits or merges costs no
/// more than it must.
Value emitReshape(KernelEmitter &e, ReshapeOp op, ArrayRef<Value> indices) {
  Dims from = getDims(op.getX().getType()), to = getDims(op.getType());
  Indices operand;
  size_t i = 0, j = 0;
  while (i < from.size()) {
    if (getConstant(from[i]) == 1) {
      operand.push_back(e.index(0));
      ++i;
      continue;
    }
    while (j < to.size() && getConstant(to[j]) == 1)
      ++j;
    if (j < to.size() && from[i] == to[j]) {
      operand.push_back(indices[j++]);
      ++i;
      continue;
    }
    // No common border here: the rest goes through the row-major position.
    Value position =
        e.linearize(indices.drop_front(j), ArrayRef(to).drop_front(j));
    llvm::append_range(operand,
                       e.delinearize(position, ArrayRef(from).drop_front(i)));
    break;
  }
  return e.element(op.getX(), operand);
}

Value emitTranspose(KernelEmitter &e, TransposeOp op, ArrayRef<Value> indices) {
  Indices operand(indices.size());
  for (auto [i, axis] : llvm::enumerate(op.getPermutation()))
    operand[axis] = indices[i];
  return e.element(op.getX(), operand);
}

Value emitBroadcast(KernelEmitter &e, BroadcastOp op, ArrayRef<Value> indices) {
  Dims from = getDims(op.getX().getType()), to = getDims(op.getType());
  Indices operand;
  size_t skipped = to.size() - from.size();
  for (size_t i = 0; i < from.size(); ++i)
    operand.push_back(
        e.repeated(from[i], to[skipped + i], indices[skipped + i]));
  return e.element(op.getX(), operand);
}

Value emitSlice(KernelEmitter &e, SliceOp op, ArrayRef<Value> indices) {
  Indices operand;
  for (auto [i, stride] : llvm::enumerate(op.getStrides())) {
    Value step = stride == 1 ? indices[i] : e.mul(indices[i], e.index(stride));
    operand.push_back(e.add(e.size(op.getOffsets().getExprs()[i]), step));
  }
  return e.element(op.getX(), operand);
}

Value emitTile(KernelEmitter &e, TileOp op, ArrayRef<Value> indices) {
  Dims from = getDims(op.getX().getType()), to = getDims(op.getType());
  Indices operand;
  for (size_t i = 0; i < from.size(); ++i)
    operand.push_back(from[i] == to[i] ? indices[i]
                                       : e.rem(indices[i], e.size(from[i])));
  return e.element(op.getX(), operand);
}

/// Chooses between values computed only where they are wanted.
Value choose(KernelEmitter &e, Value condition, Type type,
             llvm::function_ref<Value()> yes, llvm::function_ref<Value()> no) {
  auto ifOp = scf::IfOp::create(e.b, e.loc, TypeRange{type}, condition,
                                /*withElseRegion=*/true);
  OpBuilder::InsertionGuard guard(e.b);
  e.b.setInsertionPointToStart(ifOp.thenBlock());
  scf::YieldOp::create(e.b, e.loc, yes());
  e.b.setInsertionPointToStart(ifOp.elseBlock());
  scf::YieldOp::create(e.b, e.loc, no());
  return ifOp.getResult(0);
}

Value emitConcat(KernelEmitter &e, ConcatOp op, ArrayRef<Value> indices) {
  int64_t axis = op.getAxis();
  Type type =
      getScalarType(cast<RankedTensorType>(op.getType()).getElementType());
  std::function<Value(unsigned, Value)> pick = [&](unsigned number,
                                                   Value position) -> Value {
    Indices operand(indices);
    operand[axis] = position;
    Value input = op.getInputs()[number];
    if (number + 1 == op.getInputs().size())
      return e.element(input, operand);
    Value extent = e.sizeOf(input, axis);
    Value inside = e.compare(arith::CmpIPredicate::slt, position, extent);
    return choose(
        e, inside, type, [&] { return e.element(input, operand); },
        [&] { return pick(number + 1, e.sub(position, extent)); });
  };
  return pick(0, indices[axis]);
}

/// The operand index for a padded index by mode; `inside` gets the condition
/// for constant padding.
Value padIndex(KernelEmitter &e, PadMode mode, Value index, Value extent,
               Value &inside) {
  Value zero = e.index(0);
  switch (mode) {
  case PadMode::Constant: {
    Value fits = e.compare(arith::CmpIPredicate::ult, index, extent);
    inside =
        inside ? e.b.createOrFold<arith::AndIOp>(e.loc, inside, fits) : fits;
    return index;
  }
  case PadMode::Edge:
    return e.minimum(e.maximum(index, zero), e.sub(extent, e.index(1)));
  case PadMode::Wrap: {
    Value divisor = e.maximum(extent, e.index(1));
    Value remainder = e.b.createOrFold<arith::RemSIOp>(e.loc, index, divisor);
    Value negative = e.compare(arith::CmpIPredicate::slt, remainder, zero);
    return e.b.createOrFold<arith::SelectOp>(
        e.loc, negative, e.add(remainder, extent), remainder);
  }
  case PadMode::Reflect: {
    // Period 2 (n - 1): ... 2 1 0 1 2 ... n-1 n-2 ...; a single element
    // repeats.
    Value last = e.sub(extent, e.index(1));
    Value period = e.maximum(e.mul(last, e.index(2)), e.index(1));
    Value remainder = e.b.createOrFold<arith::RemSIOp>(e.loc, index, period);
    Value negative = e.compare(arith::CmpIPredicate::slt, remainder, zero);
    Value wrapped = e.b.createOrFold<arith::SelectOp>(
        e.loc, negative, e.add(remainder, period), remainder);
    return e.minimum(wrapped, e.sub(period, wrapped));
  }
  }
  return {};
}

Value emitPad(KernelEmitter &e, PadOp op, ArrayRef<Value> indices) {
  Dims from = getDims(op.getX().getType()), to = getDims(op.getType());
  Type type =
      getScalarType(cast<RankedTensorType>(op.getType()).getElementType());
  Indices operand;
  SmallVector<int64_t> repeated;
  Value inside;
  for (size_t i = 0; i < from.size(); ++i) {
    AffineExpr low = op.getLow().getExprs()[i];
    if (from[i] == to[i] && getConstant(low) == 0) {
      operand.push_back(indices[i]);
      continue;
    }
    Value shifted = e.sub(indices[i], e.size(low));
    Value extent = e.size(from[i]);
    operand.push_back(padIndex(e, op.getMode(), shifted, extent, inside));
    if (op.getMode() == PadMode::Constant ||
        getConstant(from[i]).value_or(0) > 0)
      continue;
    // An axis without elements has none to repeat.
    repeated.push_back(i);
    e.report(e.compare(arith::CmpIPredicate::eq, extent, e.index(0)),
             /*EFFRT_KERNEL_INDEX_OUT_OF_RANGE=*/1);
  }
  if (!inside)
    return e.elementOrZero(op.getX(), operand, repeated);
  auto fill = [&]() -> Value {
    return op.getValue()
               ? e.element(op.getValue(),
                           Indices(getDims(op.getValue().getType()).size(),
                                   e.index(0)))
               : e.constant(type, 0);
  };
  return choose(
      e, inside, type, [&] { return e.element(op.getX(), operand); }, fill);
}

/// An index as ONNX reads it: negative ones count from the end, outside the
/// axis is reported and clamped.
Value checkedIndex(KernelEmitter &e, Value indexTensor, ArrayRef<Value> at,
                   Value extent) {
  SmallVector<Value> known(at);
  known.push_back(extent);
  return e.hoisted(known, [&]() -> Value {
    Value raw = e.element(indexTensor, at);
    bool isUnsigned = isUnsignedType(
        cast<RankedTensorType>(indexTensor.getType()).getElementType());
    Value index = e.toIndex(raw, isUnsigned);
    Value negative = e.compare(arith::CmpIPredicate::slt, index, e.index(0));
    Value wrapped = e.b.createOrFold<arith::SelectOp>(
        e.loc, negative, e.add(index, extent), index);
    Value outside = e.compare(arith::CmpIPredicate::uge, wrapped, extent);
    e.report(outside, /*EFFRT_KERNEL_INDEX_OUT_OF_RANGE=*/1);
    return e.b.createOrFold<arith::SelectOp>(e.loc, outside, e.index(0),
                                             wrapped);
  });
}

Value emitGather(KernelEmitter &e, GatherOp op, ArrayRef<Value> indices) {
  int64_t axis = op.getAxis(), rank = getDims(op.getIndices().getType()).size();
  Value index = checkedIndex(e, op.getIndices(), indices.slice(axis, rank),
                             e.sizeOf(op.getX(), axis));
  Indices operand(indices.take_front(axis));
  operand.push_back(index);
  llvm::append_range(operand, indices.drop_front(axis + rank));
  return e.elementOrZero(op.getX(), operand, axis);
}

Value emitGatherElements(KernelEmitter &e, GatherElementsOp op,
                         ArrayRef<Value> indices) {
  Indices operand(indices);
  int64_t axis = op.getAxis();
  operand[axis] =
      checkedIndex(e, op.getIndices(), indices, e.sizeOf(op.getX(), axis));
  return e.elementOrZero(op.getX(), operand, axis);
}

Value emitGatherND(KernelEmitter &e, GatherNDOp op, ArrayRef<Value> indices) {
  Dims indexDims = getDims(op.getIndices().getType());
  int64_t outer = indexDims.size() - 1, batch = op.getBatchDims();
  int64_t tuple = *getConstant(indexDims.back());
  Indices operand(indices.take_front(batch));
  SmallVector<int64_t> axes;
  for (int64_t i = 0; i < tuple; ++i) {
    axes.push_back(batch + i);
    Indices at(indices.take_front(outer));
    at.push_back(e.index(i));
    operand.push_back(
        checkedIndex(e, op.getIndices(), at, e.sizeOf(op.getX(), batch + i)));
  }
  llvm::append_range(operand, indices.drop_front(outer));
  return e.elementOrZero(op.getX(), operand, axes);
}

/// Halves of the last dim are rotated against each other (see RopeOp).
Value emitRope(KernelEmitter &e, RopeOp op, ArrayRef<Value> indices) {
  Value last = indices.back();
  Value half = e.div(e.sizeOf(op.getX(), indices.size() - 1), e.index(2));
  Value position, isFirst, partner;
  if (op.getInterleaved()) {
    position = e.div(last, e.index(2));
    Value odd = e.rem(last, e.index(2));
    isFirst = e.compare(arith::CmpIPredicate::eq, odd, e.index(0));
    partner = e.b.createOrFold<arith::XOrIOp>(e.loc, last, e.index(1));
  } else {
    isFirst = e.compare(arith::CmpIPredicate::slt, last, half);
    Value above = e.sub(last, half), below = e.add(last, half);
    position = e.b.createOrFold<arith::SelectOp>(e.loc, isFirst, last, above);
    partner = e.b.createOrFold<arith::SelectOp>(e.loc, isFirst, below, above);
  }
  Indices other(indices);
  other.back() = partner;
  auto table = [&](Value tensor) {
    Dims dims = getDims(tensor.getType());
    Indices at;
    for (size_t i = 0; i < dims.size(); ++i) {
      Value index = i + 1 == dims.size()
                        ? position
                        : indices[indices.size() - dims.size() + i];
      at.push_back(getConstant(dims[i]) == 1 ? e.index(0) : index);
    }
    return e.wideElement(tensor, at);
  };
  Value x = e.wideElement(op.getX(), indices),
        y = e.wideElement(op.getX(), other);
  auto flags = e.mathFlags();
  Value straight =
      arith::MulFOp::create(e.b, e.loc, x, table(op.getCos()), flags);
  Value crossed =
      arith::MulFOp::create(e.b, e.loc, y, table(op.getSin()), flags);
  Value negated = arith::NegFOp::create(e.b, e.loc, crossed);
  Value rotated =
      arith::SelectOp::create(e.b, e.loc, isFirst, negated, crossed);
  Value sum = arith::AddFOp::create(e.b, e.loc, straight, rotated, flags);
  return convertScalar(e, sum, sum.getType(),
                       cast<RankedTensorType>(op.getType()).getElementType());
}

} // namespace

Value effc::emitMovement(KernelEmitter &e, Operation *op,
                         ArrayRef<Value> indices) {
  return TypeSwitch<Operation *, Value>(op)
      .Case([&](ConstantOp constant) { return emitConstant(e, constant); })
      .Case([&](DimValuesOp dims) { return emitDimValues(e, dims, indices); })
      .Case([&](IotaOp iota) { return emitIota(e, iota, indices); })
      .Case([&](RandomBitsOp bits) { return emitRandomBits(e, bits, indices); })
      .Case([&](ReshapeOp reshape) { return emitReshape(e, reshape, indices); })
      .Case([&](TransposeOp transpose) {
        return emitTranspose(e, transpose, indices);
      })
      .Case([&](BroadcastOp broadcast) {
        return emitBroadcast(e, broadcast, indices);
      })
      .Case([&](SliceOp slice) { return emitSlice(e, slice, indices); })
      .Case([&](TileOp tile) { return emitTile(e, tile, indices); })
      .Case([&](ConcatOp concat) { return emitConcat(e, concat, indices); })
      .Case([&](PadOp pad) { return emitPad(e, pad, indices); })
      .Case([&](GatherOp gather) { return emitGather(e, gather, indices); })
      .Case([&](GatherElementsOp gather) {
        return emitGatherElements(e, gather, indices);
      })
      .Case([&](GatherNDOp gather) { return emitGatherND(e, gather, indices); })
      .Case([&](RopeOp rope) { return emitRope(e, rope, indices); })
      .Default([](Operation *) { return Value(); });
}
