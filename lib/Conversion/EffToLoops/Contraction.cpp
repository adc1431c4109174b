// Element functions of contractions: one loop nest over the summed dims per
// element. They are the definition that tile kernels are tested against, and
// what runs where no tile covers a case.
#include "KernelEmitter.h"

using namespace mlir;
using namespace effc;
using namespace effc::eff;

namespace {

using Indices = KernelEmitter::Indices;

/// a + x * y in the accumulator's type.
Value multiplyAdd(KernelEmitter &e, Value a, Value x, Value y) {
  if (isa<FloatType>(a.getType())) {
    Value product = arith::MulFOp::create(e.b, e.loc, x, y, e.sumFlags());
    return arith::AddFOp::create(e.b, e.loc, a, product, e.sumFlags());
  }
  return arith::AddIOp::create(e.b, e.loc, a,
                               arith::MulIOp::create(e.b, e.loc, x, y));
}

Type accumulatorType(KernelEmitter &e, Type tensor) {
  Type element = cast<RankedTensorType>(tensor).getElementType();
  return element.isF16() || element.isBF16() ? Type(e.b.getF32Type())
                                             : getScalarType(element);
}

/// A factor in the accumulator's type.
Value factor(KernelEmitter &e, Value tensor, ArrayRef<Value> indices,
             Type accumulator) {
  return convertScalar(
      e, e.element(tensor, indices),
      cast<RankedTensorType>(tensor.getType()).getElementType(), accumulator);
}

Value finish(KernelEmitter &e, Value sum, Value bias, Value channel,
             Type result) {
  if (bias) {
    Value x = e.wideElement(bias, channel);
    sum = isa<FloatType>(sum.getType())
              ? arith::AddFOp::create(e.b, e.loc, sum, x).getResult()
              : arith::AddIOp::create(e.b, e.loc, sum, x).getResult();
  }
  return convertScalar(e, sum, sum.getType(),
                       cast<RankedTensorType>(result).getElementType());
}

Value emitMatmul(KernelEmitter &e, MatmulOp op, ArrayRef<Value> indices) {
  Dims a = getDims(op.getA().getType()), b = getDims(op.getB().getType()),
       y = getDims(op.getType());
  Type type = accumulatorType(e, op.getType());
  Value m = indices[indices.size() - 2], n = indices.back();
  auto operand = [&](ArrayRef<AffineExpr> dims, Value row, Value column,
                     bool transposed) {
    Indices at;
    size_t skipped = indices.size() - dims.size();
    for (size_t i = 0; i + 2 < dims.size(); ++i)
      at.push_back(e.repeated(dims[i], y[skipped + i], indices[skipped + i]));
    at.push_back(transposed ? column : row);
    at.push_back(transposed ? row : column);
    return at;
  };
  AffineExpr depth = a[a.size() - (op.getTransposeA() ? 2 : 1)];
  Value sum = e.reduceLoop(
      e.index(0), e.size(depth), e.constant(type, 0),
      [&](Value k, ValueRange acc) {
        Value x =
            factor(e, op.getA(), operand(a, m, k, op.getTransposeA()), type);
        Value y =
            factor(e, op.getB(), operand(b, k, n, op.getTransposeB()), type);
        return SmallVector<Value>{multiplyAdd(e, acc[0], x, y)};
      })[0];
  return finish(e, sum, Value(), Value(), op.getType());
}

Value emitLinear(KernelEmitter &e, LinearOp op, ArrayRef<Value> indices) {
  Type type = accumulatorType(e, op.getType());
  Value n = indices.back();
  AffineExpr depth = getDims(op.getX().getType()).back();
  Value sum = e.reduceLoop(
      e.index(0), e.size(depth), e.constant(type, 0),
      [&](Value k, ValueRange acc) {
        Indices at(indices);
        at.back() = k;
        Value x = factor(e, op.getX(), at, type);
        Indices weight =
            op.getTransposeWeight() ? Indices{n, k} : Indices{k, n};
        return SmallVector<Value>{
            multiplyAdd(e, acc[0], x, factor(e, op.getWeight(), weight, type))};
      })[0];
  return finish(e, sum, op.getBias(), n, op.getType());
}

/// What a code of the weight stands for, before its scale.
Value emitCode(KernelEmitter &e, BlockLinearOp op, Value n, Value k,
               Value block, Type type) {
  if (std::optional<ArrayRef<float>> codebook = op.getCodebook()) {
    SmallVector<Attribute> numbers;
    for (float number : *codebook)
      numbers.push_back(e.b.getFloatAttr(type, number));
    auto vector = VectorType::get({static_cast<int64_t>(numbers.size())}, type);
    Value table = arith::ConstantOp::create(
        e.b, e.loc, DenseElementsAttr::get(vector, numbers));
    Value code = arith::IndexCastUIOp::create(
        e.b, e.loc, e.b.getIndexType(), e.element(op.getWeight(), {n, k}));
    return vector::ExtractOp::create(e.b, e.loc, table, code);
  }
  Value zero = op.getZeros() ? factor(e, op.getZeros(), {n, block}, type)
                             : e.constant(type, double(op.getMiddle()));
  return arith::SubFOp::create(e.b, e.loc,
                               factor(e, op.getWeight(), {n, k}, type), zero);
}

Value emitBlockLinear(KernelEmitter &e, BlockLinearOp op,
                      ArrayRef<Value> indices) {
  Type type = accumulatorType(e, op.getType());
  Value n = indices.back();
  AffineExpr depth = getDims(op.getX().getType()).back();
  Value sum = e.reduceLoop(
      e.index(0), e.size(depth), e.constant(type, 0),
      [&](Value k, ValueRange acc) {
        Indices at(indices);
        at.back() = k;
        Value block = e.div(k, e.index(static_cast<int64_t>(op.getBlock())));
        Value weight = arith::MulFOp::create(
            e.b, e.loc, emitCode(e, op, n, k, block, type),
            factor(e, op.getScales(), {n, block}, type));
        return SmallVector<Value>{
            multiplyAdd(e, acc[0], factor(e, op.getX(), at, type), weight)};
      })[0];
  return finish(e, sum, Value(), n, op.getType());
}

/// Runs `fn` where the condition holds, else gives `other`.
Value guarded(KernelEmitter &e, Value condition, Value other,
              llvm::function_ref<Value()> fn) {
  auto ifOp = scf::IfOp::create(e.b, e.loc, TypeRange{other.getType()},
                                condition, /*withElseRegion=*/true);
  OpBuilder::InsertionGuard guard(e.b);
  e.b.setInsertionPointToStart(ifOp.thenBlock());
  scf::YieldOp::create(e.b, e.loc, fn());
  e.b.setInsertionPointToStart(ifOp.elseBlock());
  scf::YieldOp::create(e.b, e.loc, other);
  return ifOp.getResult(0);
}

Value both(KernelEmitter &e, Value a, Value c) {
  return a ? e.b.createOrFold<arith::AndIOp>(e.loc, a, c) : c;
}

Value emitConv(KernelEmitter &e, ConvOp op, ArrayRef<Value> indices) {
  Dims w = getDims(op.getWeight().getType()), x = getDims(op.getX().getType());
  bool last = op.getChannelsLast();
  size_t spatial = w.size() - 2, first = last ? 1 : 2;
  Value channel = last ? indices.back() : indices[1];
  Type type = accumulatorType(e, op.getType());
  // Input channels of the group that the output channel belongs to.
  Value group =
      e.div(channel, e.size(exactDiv(w[0], e.constExpr(op.getGroups()))));
  Value channelBase = e.mul(group, e.size(w[1]));
  bool padded =
      llvm::any_of(op.getPads(), [](int64_t pad) { return pad != 0; });
  Dims summed(w.begin() + 1, w.end());
  Value sum = e.reduceNest(
      summed, e.constant(type, 0), [&](ArrayRef<Value> at, ValueRange acc) {
        Indices source{indices[0]}, weight{channel};
        Value inside, c = e.add(channelBase, at[0]);
        if (!last)
          source.push_back(c);
        for (size_t i = 0; i < spatial; ++i) {
          Value start =
              e.sub(e.mul(indices[first + i], e.index(op.getStrides()[i])),
                    e.index(op.getPads()[i]));
          Value position =
              e.add(start, e.mul(at[1 + i], e.index(op.getDilations()[i])));
          if (padded)
            inside = both(e, inside,
                          e.compare(arith::CmpIPredicate::ult, position,
                                    e.size(x[first + i])));
          source.push_back(position);
        }
        if (last)
          source.push_back(c);
        llvm::append_range(weight, at);
        auto multiply = [&](Value pixel) {
          return multiplyAdd(e, acc[0], pixel,
                             factor(e, op.getWeight(), weight, type));
        };
        auto load = [&] { return factor(e, op.getX(), source, type); };
        if (!inside)
          return SmallVector<Value>{multiply(load())};
        if (op.getPadValue() == 0)
          return SmallVector<Value>{
              guarded(e, inside, acc[0], [&] { return multiply(load()); })};
        Value pad =
            e.constant(type, static_cast<double>(int64_t(op.getPadValue())));
        return SmallVector<Value>{multiply(guarded(e, inside, pad, load))};
      })[0];
  return finish(e, sum, op.getBias(), channel, op.getType());
}

/// Gathers: the operand position of a tap must divide by the stride (ONNX
/// ConvTranspose).
Value emitConvTranspose(KernelEmitter &e, ConvTransposeOp op,
                        ArrayRef<Value> indices) {
  Dims w = getDims(op.getWeight().getType()), x = getDims(op.getX().getType());
  size_t spatial = w.size() - 2;
  Type type = accumulatorType(e, op.getType());
  Value channel = indices[1], perGroup = e.size(w[1]);
  Value group = e.div(channel, perGroup), within = e.rem(channel, perGroup);
  AffineExpr channelsIn = exactDiv(w[0], e.constExpr(op.getGroups()));
  Value channelBase = e.mul(group, e.size(channelsIn));
  Dims summed{channelsIn};
  summed.append(w.begin() + 2, w.end());
  Value sum = e.reduceNest(
      summed, e.constant(type, 0), [&](ArrayRef<Value> at, ValueRange acc) {
        Value c = e.add(channelBase, at[0]), inside;
        Indices source{indices[0], c}, weight{c, within};
        for (size_t i = 0; i < spatial; ++i) {
          Value shifted =
              e.sub(e.add(indices[2 + i], e.index(op.getPads()[i])),
                    e.mul(at[1 + i], e.index(op.getDilations()[i])));
          Value stride = e.index(op.getStrides()[i]);
          // Negative positions become huge unsigned quotients and fail the
          // bound.
          Value position = e.div(shifted, stride);
          inside = both(e, inside,
                        e.compare(arith::CmpIPredicate::eq,
                                  e.rem(shifted, stride), e.index(0)));
          inside =
              both(e, inside,
                   e.compare(arith::CmpIPredicate::sge, shifted, e.index(0)));
          inside = both(
              e, inside,
              e.compare(arith::CmpIPredicate::ult, position, e.size(x[2 + i])));
          source.push_back(position);
        }
        weight.append(at.begin() + 1, at.end());
        Value next = guarded(e, inside, acc[0], [&] {
          return multiplyAdd(e, acc[0], factor(e, op.getX(), source, type),
                             factor(e, op.getWeight(), weight, type));
        });
        return SmallVector<Value>{next};
      })[0];
  return finish(e, sum, op.getBias(), channel, op.getType());
}

} // namespace

Value effc::emitContraction(KernelEmitter &e, Operation *op,
                            ArrayRef<Value> indices) {
  return TypeSwitch<Operation *, Value>(op)
      .Case([&](MatmulOp matmul) { return emitMatmul(e, matmul, indices); })
      .Case([&](LinearOp linear) { return emitLinear(e, linear, indices); })
      .Case([&](BlockLinearOp linear) {
        return emitBlockLinear(e, linear, indices);
      })
      .Case([&](ConvOp conv) { return emitConv(e, conv, indices); })
      .Case([&](ConvTransposeOp conv) {
        return emitConvTranspose(e, conv, indices);
      })
      .Default([](Operation *) { return Value(); });
}
