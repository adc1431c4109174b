// Quantisation and the integer contractions, as exact expansions: integers are
// centred in i32, contracted there and scaled in f32 (ONNX QuantizeLinear-25,
// QLinearMatMul-21); floats of 8 bits take f32 instead of i32.
#include "Quant.h"
#include "Linear.h"

#include <cmath>

using namespace mlir;
using namespace effc::eff;

namespace effc {

bool isSmallFloat(Type type) {
  return isa<FloatType>(type) && type.getIntOrFloatBitWidth() < 16;
}

bool isQuantizable(NodeContext &ctx, Type type) {
  auto integer = dyn_cast_if_present<IntegerType>(type);
  if (integer && integer.getWidth() >= 2 && integer.getWidth() <= 32)
    return true;
  if (type && isSmallFloat(type) && !isa<Float8E8M0FNUType>(type))
    return true;
  std::string name;
  llvm::raw_string_ostream(name) << type;
  (void)ctx.error("quantisation to " + name,
                  "quantise to integers of at most 16 bits, or to floats of 8 "
                  "or 4 bits");
  return false;
}

/// A vector of one element or of `length`, which only a run tells, as one of
/// `length`.
static Value fitToLength(Emitter &e, Value parameter, AffineExpr length) {
  NodeContext &ctx = e.ctx;
  AffineExpr own = e.dim(parameter, 0);
  if (!parameter || getConstant(own) || own == length)
    return parameter;
  if (failed(ctx.requireEqual(simplify((own - 1) * (own - length)),
                              e.constant(0),
                              "a scale or zero point must be one number, or "
                              "one for each index of its axis")))
    return {};
  Type i64 = ctx.builder().getI64Type();
  Value index = e.iota(i64, {length}, 0, e.constant(0));
  Value last = ctx.dimValues({simplify(own - 1)}, i64, {});
  return e.gather(parameter, e.binary(BinaryKind::Min, index, last), 0);
}

Value alignParameter(Emitter &e, Value parameter, Value x, int64_t axis,
                     int64_t block) {
  if (!parameter || !x)
    return {};
  if (rankOf(parameter) == 0)
    return parameter;
  Dims dims = e.dims(x), own = e.dims(parameter);
  if (rankOf(parameter) == 1 && block == 0) {
    if (getConstant(own[0]) == 1)
      return e.reshape(parameter, {});
    if (axis >= rankOf(x))
      return parameter;
    Dims shape(dims.size() - axis, e.constant(1));
    Value fitted = fitToLength(e, parameter, dims[axis]);
    shape[0] = e.dim(fitted, 0);
    return e.reshape(fitted, shape);
  }
  if (own.size() != dims.size() || block < 1) {
    (void)e.ctx.error("the scale has rank " + Twine(own.size()) +
                      " and the operand rank " + Twine(dims.size()) +
                      "; with block_size both must be equal, without it the "
                      "scale's must be at most 1");
    return {};
  }
  Dims repeated = own, flat = own;
  repeated.insert(repeated.begin() + axis + 1, e.constant(block));
  flat[axis] = simplify(own[axis] * block);
  if (failed(e.ctx.requireEqual(e.ctx.maxSize(flat[axis], dims[axis]),
                                flat[axis], "there is a scale for each block")))
    return {};
  Value all = e.broadcast(e.unsqueeze(parameter, {axis + 1}), repeated);
  return e.slice(e.reshape(all, flat), axis, e.constant(0), dims[axis]);
}

Value emitSaturate(Emitter &e, Value x, Value zero, Type type, bool saturate) {
  Type f32 = e.ctx.builder().getF32Type();
  if (isSmallFloat(type)) {
    Value shifted = zero ? e.add(x, e.convert(zero, f32)) : x;
    return convertTo(e.ctx, shifted, type, saturate);
  }
  unsigned width = type.getIntOrFloatBitWidth();
  bool isUnsigned = type.isUnsignedInteger();
  double low = isUnsigned ? 0.0 : -std::ldexp(1.0, width - 1);
  double high = std::ldexp(1.0, isUnsigned ? width : width - 1) - 1.0;
  Value y = e.unary(UnaryKind::Round, x);
  if (zero)
    y = e.add(y, e.convert(zero, f32));
  // Conversions to whole bytes saturate by themselves.
  if (width < 8)
    y = e.unary(UnaryKind::Clip, y, low, high);
  return e.convert(y, type);
}

Value emitCentred(Emitter &e, Value x, Value zero) {
  if (!x)
    return {};
  Type type = isSmallFloat(elementTypeOf(x))
                  ? Type(e.ctx.builder().getF32Type())
                  : e.ctx.builder().getIntegerType(32);
  Value y = e.convert(x, type);
  return zero ? e.sub(y, e.convert(zero, type)) : y;
}

/// The attributes axis and block_size of a node.
static bool readGranularity(NodeContext &ctx, int64_t &axis, int64_t &block) {
  Value x = ctx.input(0), scale = ctx.input(1);
  axis = ctx.attrInt("axis", 1);
  block = ctx.attrInt("block_size", 0);
  if (block < 0) {
    (void)ctx.error("attribute block_size is negative");
    return false;
  }
  // The default axis may lie outside where one scale is for all.
  if (rankOf(scale) == 0 || (rankOf(x) <= 1 && block == 0)) {
    axis = 0;
    return true;
  }
  std::optional<int64_t> normal = normalizeAxis(ctx, axis, rankOf(x));
  axis = normal.value_or(0);
  return bool(normal);
}

/// Scales are floats of 16 bits and more, or powers of two.
static bool isScale(NodeContext &ctx, Type type) {
  auto floatType = dyn_cast_if_present<FloatType>(type);
  if (floatType &&
      (floatType.getWidth() >= 16 || isa<Float8E8M0FNUType>(floatType)))
    return true;
  (void)ctx.error("the scale is not of floats",
                  "give scales as float32, float16, bfloat16 or float8e8m0");
  return false;
}

/// What a scale computes in: itself, or f32 for powers of two.
static Type getScaleType(NodeContext &ctx, Type type) {
  return isSmallFloat(type) ? Type(ctx.builder().getF32Type()) : type;
}

/// The element type that a node quantises to: the zero point's, else
/// output_dtype, else u8. Null and a diagnostic when these contradict.
static Type readOutputType(NodeContext &ctx, Value zero) {
  int64_t output = ctx.attrInt("output_dtype", 0);
  Type stated = output ? ctx.elementType(output) : Type();
  if (output && !stated)
    return {};
  if (!zero)
    return stated ? stated
                  : IntegerType::get(ctx.context(), 8, IntegerType::Unsigned);
  if (!stated || stated == elementTypeOf(zero))
    return elementTypeOf(zero);
  (void)ctx.error("output_dtype differs from the type of the zero point");
  return {};
}

LogicalResult importQuantizeLinear(NodeContext &ctx) {
  if (failed(ctx.requireInputs(2, 3)))
    return failure();
  Emitter e(ctx);
  Value x = ctx.input(0), scale = ctx.input(1), zero = ctx.input(2);
  bool saturate = ctx.attrBool("saturate", true);
  int64_t precision = ctx.attrInt("precision", 0);
  Type type = readOutputType(ctx, zero);
  Type divided = precision ? ctx.elementType(precision) : elementTypeOf(scale);
  int64_t axis, block;
  if (!type || !divided || !readGranularity(ctx, axis, block) ||
      !isQuantizable(ctx, type) || !isScale(ctx, elementTypeOf(scale)) ||
      !isScale(ctx, divided))
    return failure();
  divided = getScaleType(ctx, divided);
  Value aligned = alignParameter(e, e.convert(scale, divided), x, axis, block);
  Value quotient = e.div(e.convert(x, divided), aligned);
  Value y = emitSaturate(e, e.convert(quotient, ctx.builder().getF32Type()),
                         alignParameter(e, zero, x, axis, block), type,
                         saturate || !isSmallFloat(type));
  return ctx.setOutput(0, y);
}

LogicalResult importDequantizeLinear(NodeContext &ctx) {
  if (failed(ctx.requireInputs(2, 3)))
    return failure();
  Emitter e(ctx);
  Type f32 = ctx.builder().getF32Type();
  Value x = ctx.input(0), scale = ctx.input(1), zero = ctx.input(2);
  int64_t output = ctx.attrInt("output_dtype", 0);
  Type type = output ? ctx.elementType(output) : elementTypeOf(scale);
  int64_t axis, block;
  if (!type || !readGranularity(ctx, axis, block) ||
      !isQuantizable(ctx, elementTypeOf(x)) ||
      !isScale(ctx, elementTypeOf(scale)) || !isScale(ctx, type))
    return failure();
  Value centred = emitCentred(e, x, alignParameter(e, zero, x, axis, block));
  Value aligned = alignParameter(e, e.convert(scale, f32), x, axis, block);
  return ctx.setOutput(
      0, e.convert(e.mul(e.convert(centred, f32), aligned), type));
}

Value emitDequantize(Emitter &e, Value x, Value scale, Value zero) {
  Type f32 = e.ctx.builder().getF32Type();
  if (x && !isQuantizable(e.ctx, elementTypeOf(x)))
    return {};
  Value centred = emitCentred(e, x, withoutUnitDim(e, zero));
  return e.mul(e.convert(centred, f32),
               e.convert(withoutUnitDim(e, scale), f32));
}

/// An operand of zeros would give scale 0; it counts as 1 then, as in ONNX
/// Runtime.
DynamicQuantization emitDynamicQuantize(Emitter &e, Value x) {
  NodeContext &ctx = e.ctx;
  Type u8 = IntegerType::get(ctx.context(), 8, IntegerType::Unsigned);
  SmallVector<int64_t> axes = llvm::to_vector(llvm::seq<int64_t>(0, rankOf(x)));
  auto extreme = [&](ReduceKind kind, BinaryKind bound) {
    Value all = axes.empty() ? x : e.reduce(kind, x, axes, /*keepdims=*/false);
    return e.binary(bound, all, 0.0);
  };
  Value high = extreme(ReduceKind::Max, BinaryKind::Max);
  Value low = extreme(ReduceKind::Min, BinaryKind::Min);
  Value scale = e.div(e.sub(high, low), scalarLike(ctx, high, 255.0));
  scale = e.select(e.compare(CompareKind::Eq, scale, 0.0),
                   scalarLike(ctx, scale, 1.0), scale);
  Value zero =
      emitSaturate(e, e.div(e.unary(UnaryKind::Neg, low), scale), {}, u8);
  return {emitSaturate(e, e.div(x, scale), zero, u8), scale, zero};
}

LogicalResult importDynamicQuantizeLinear(NodeContext &ctx) {
  if (failed(ctx.requireInputs(1)))
    return failure();
  Emitter e(ctx);
  DynamicQuantization y = emitDynamicQuantize(e, ctx.input(0));
  if (failed(ctx.setOutput(0, y.value)) || failed(ctx.setOutput(1, y.scale)))
    return failure();
  return ctx.setOutput(2, y.zero);
}

/// The zero point or scale of matrix A: one number, one for each row, or with
/// batch dims in full.
static Value alignToRows(Emitter &e, Value parameter, Value a) {
  if (!parameter || rankOf(parameter) != 1)
    return parameter;
  if (getConstant(e.dim(parameter, 0)) == 1)
    return e.reshape(parameter, {});
  if (rankOf(a) >= 2)
    parameter = fitToLength(e, parameter, e.dim(a, rankOf(a) - 2));
  return parameter ? e.unsqueeze(parameter, {1}) : Value();
}

/// That of matrix B: one number, or one for each column.
static Value alignToColumns(Emitter &e, Value parameter, Value b) {
  if (!parameter || rankOf(parameter) != 1 || rankOf(b) < 2)
    return withoutUnitDim(e, parameter);
  return withoutUnitDim(e, fitToLength(e, parameter, e.dim(b, rankOf(b) - 1)));
}

Value withoutUnitDim(Emitter &e, Value parameter) {
  if (parameter && rankOf(parameter) == 1 &&
      getConstant(e.dim(parameter, 0)) == 1)
    return e.reshape(parameter, {});
  return parameter;
}

/// A vector over output channels in the shape [C, 1...].
static Value alignToChannels(Emitter &e, Value parameter, int64_t rank) {
  if (!parameter || rankOf(parameter) == 0)
    return parameter;
  if (getConstant(e.dim(parameter, 0)) == 1)
    return e.reshape(parameter, {});
  Dims dims(rank, e.constant(1));
  dims[0] = e.dim(parameter, 0);
  return e.reshape(parameter, dims);
}

LogicalResult importMatMulInteger(NodeContext &ctx) {
  if (failed(ctx.requireInputs(2, 4)))
    return failure();
  Emitter e(ctx);
  Value a = ctx.input(0), b = ctx.input(1);
  a = emitCentred(e, a, alignToRows(e, ctx.input(2), a));
  b = emitCentred(e, b, alignToColumns(e, ctx.input(3), b));
  return ctx.setOutput(0, emitMatMul(e, a, b));
}

LogicalResult importConvInteger(NodeContext &ctx) {
  if (failed(ctx.requireInputs(2, 4)))
    return failure();
  Emitter e(ctx);
  Value w = ctx.input(1);
  Value x = emitCentred(e, ctx.input(0), withoutUnitDim(e, ctx.input(2)));
  Value weight = emitCentred(e, w, alignToChannels(e, ctx.input(3), rankOf(w)));
  return ctx.setOutput(0, emitConv(e, x, weight, {}));
}

/// saturate(round(sum * (a * b / y)) + zero), in f32.
static Value emitRequantize(Emitter &e, Value sum, Value a, Value b, Value y,
                            Value zero) {
  Type f32 = e.ctx.builder().getF32Type();
  Value scale =
      e.div(e.mul(e.convert(a, f32), e.convert(b, f32)), e.convert(y, f32));
  return emitSaturate(e, e.mul(e.convert(sum, f32), scale), zero,
                      elementTypeOf(zero));
}

LogicalResult importQLinearMatMul(NodeContext &ctx) {
  if (failed(ctx.requireInputs(8)))
    return failure();
  Emitter e(ctx);
  for (unsigned index : {0u, 3u, 7u})
    if (!isQuantizable(ctx, elementTypeOf(ctx.input(index))))
      return failure();
  Value x = ctx.input(0), w = ctx.input(3);
  Value a = emitCentred(e, x, alignToRows(e, ctx.input(2), x));
  Value b = emitCentred(e, w, alignToColumns(e, ctx.input(5), w));
  Value sum = emitMatMul(e, a, b);
  return ctx.setOutput(0,
                       emitRequantize(e, sum, alignToRows(e, ctx.input(1), x),
                                      alignToColumns(e, ctx.input(4), w),
                                      alignToRows(e, ctx.input(6), x),
                                      alignToRows(e, ctx.input(7), x)));
}

Value emitQLinearConv(Emitter &e, Value operand) {
  NodeContext &ctx = e.ctx;
  for (unsigned index : {0u, 3u, 7u})
    if (!isQuantizable(ctx, elementTypeOf(ctx.input(index))))
      return {};
  Value w = ctx.input(3);
  int64_t rank = rankOf(w);
  Value x = emitCentred(e, operand, withoutUnitDim(e, ctx.input(2)));
  Value weight = emitCentred(e, w, alignToChannels(e, ctx.input(5), rank));
  Value sum = emitConv(e, x, weight, ctx.input(8));
  Value channels = alignToChannels(e, ctx.input(4), rank - 1);
  return emitRequantize(e, sum, withoutUnitDim(e, ctx.input(1)), channels,
                        withoutUnitDim(e, ctx.input(6)),
                        withoutUnitDim(e, ctx.input(7)));
}

LogicalResult importQLinearConv(NodeContext &ctx) {
  if (failed(ctx.requireInputs(8, 9)))
    return failure();
  Emitter e(ctx);
  return ctx.setOutput(0, emitQLinearConv(e, ctx.input(0)));
}

} // namespace effc
