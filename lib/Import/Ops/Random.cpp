// Random numbers. Every element is a function of a seed and its own row-major
// index (Philox 4x32-10, see eff.random_bits), so a result does not depend on
// the number of threads, and an artefact gives the same numbers in every run.
//
// The seed is the attribute's bits; without it, a hash of the node's first
// result, which is unique in a graph and survives recompilation.
#include "Emitter.h"
#include "llvm/ADT/bit.h"
#include "llvm/Support/xxhash.h"

#include <cmath>

using namespace mlir;
using namespace effc::eff;

namespace effc {

namespace {
class Generator {
public:
  explicit Generator(NodeContext &ctx) : e(ctx) {
    std::optional<int64_t> given;
    if (ctx.opType() == "Dropout")
      given = ctx.attrInt("seed");
    else if (std::optional<double> number = ctx.attrFloat("seed"))
      given = llvm::bit_cast<uint32_t>(float(*number));
    seed = given.value_or(llvm::xxh3_64bits(ctx.outputName(0)));
    if (!given)
      ctx.remark(DiagnosticCode::FixedSeed,
                 "without a seed, the one that follows from the name of its "
                 "result is used: every run gives the same numbers");
  }

  /// Numbers in [0, 1) of a float type.
  Value uniform(Type type, ArrayRef<AffineExpr> dims, int32_t stream = 0);
  /// Normally distributed numbers: Box and Muller, 1958.
  Value normal(Type type, ArrayRef<AffineExpr> dims);

private:
  /// Random integers in [0, 2^(32 - drop)), as floats.
  Value integers(Type type, ArrayRef<AffineExpr> dims, int32_t stream,
                 int64_t drop);

  Emitter e;
  int64_t seed = 0;
};
} // namespace

Value Generator::integers(Type type, ArrayRef<AffineExpr> dims, int32_t stream,
                          int64_t drop) {
  Builder &b = e.ctx.builder();
  Type bits = b.getIntegerType(32, /*isSigned=*/false);
  Value words =
      e.ctx.createTyped<RandomBitsOp>(makeTensorType(bits, dims), seed, stream);
  words = e.binary(BinaryKind::ShiftRight, words, double(drop));
  // Signed numbers convert faster; the top bit is clear.
  return e.convert(e.convert(words, b.getI32Type()), type);
}

/// As many bits as the type holds exactly, so that 1 is never reached.
Value Generator::uniform(Type type, ArrayRef<AffineExpr> dims, int32_t stream) {
  Type wide = type.isF64() ? type : e.ctx.builder().getF32Type();
  int64_t digits =
      std::min<int64_t>(cast<FloatType>(type).getFPMantissaWidth(), 24);
  Value x = e.mul(integers(wide, dims, stream, 32 - digits),
                  std::ldexp(1.0, -digits));
  if (type.isF64())
    x = e.add(x,
              e.mul(integers(wide, dims, stream + 2, 3), std::ldexp(1.0, -53)));
  return e.convert(x, type);
}

Value Generator::normal(Type type, ArrayRef<AffineExpr> dims) {
  Type wide = type.isF64() ? type : e.ctx.builder().getF32Type();
  // 1 - u is never 0.
  Value rest = e.sub(e.scalar(wide, 1), uniform(wide, dims, 0));
  Value radius =
      e.unary(UnaryKind::Sqrt, e.mul(e.unary(UnaryKind::Log, rest), -2.0));
  Value angle = e.mul(uniform(wide, dims, 1), 2 * M_PI);
  return e.convert(e.mul(radius, e.unary(UnaryKind::Cos, angle)), type);
}

/// The float type that attribute dtype names, else `fallback`.
static Type readFloatType(NodeContext &ctx, Type fallback) {
  std::optional<int64_t> given = ctx.attrInt("dtype");
  Type type = given ? ctx.elementType(*given) : fallback;
  auto isUsable = [](Type t) {
    return t.isF16() || t.isBF16() || t.isF32() || t.isF64();
  };
  if (type && !isUsable(type)) {
    (void)ctx.error("random numbers must be floats of 16 bits or more");
    return {};
  }
  return type;
}

/// RandomNormal, RandomUniform with the attribute shape; their Like forms with
/// the shape, and unless dtype is given the type, of operand 0.
static LogicalResult importDistribution(NodeContext &ctx, bool normal) {
  bool like = ctx.opType().ends_with("Like");
  if (failed(ctx.requireInputs(like)))
    return failure();
  Dims dims;
  if (like) {
    dims = getDims(ctx.input(0).getType());
  } else {
    auto shape = ctx.attrInts("shape");
    if (!shape)
      return ctx.error("attribute shape is missing");
    for (int64_t size : *shape) {
      if (size < 0)
        return ctx.error("attribute shape has a negative size");
      dims.push_back(constDim(ctx.context(), size));
    }
  }
  Type type = readFloatType(ctx, like ? elementTypeOf(ctx.input(0))
                                      : ctx.builder().getF32Type());
  if (!type)
    return failure();
  Emitter e(ctx);
  Generator random(ctx);
  double offset = ctx.attrFloat(normal ? "mean" : "low", 0.0);
  double scale = normal ? ctx.attrFloat("scale", 1.0)
                        : ctx.attrFloat("high", 1.0) - offset;
  Value x = normal ? random.normal(type, dims) : random.uniform(type, dims);
  return ctx.setOutput(0, e.add(e.mul(x, scale), offset));
}

LogicalResult importRandomNormal(NodeContext &ctx) {
  return importDistribution(ctx, /*normal=*/true);
}
LogicalResult importRandomUniform(NodeContext &ctx) {
  return importDistribution(ctx, /*normal=*/false);
}

LogicalResult importBernoulli(NodeContext &ctx) {
  if (failed(ctx.requireInputs(1)))
    return failure();
  Emitter e(ctx);
  Value x = ctx.input(0);
  std::optional<int64_t> given = ctx.attrInt("dtype");
  Type type = given ? ctx.elementType(*given) : elementTypeOf(x);
  if (!type)
    return failure();
  if (!isFloat(x))
    return ctx.error("the probabilities are not floats");
  Type wide =
      elementTypeOf(x).isF64() ? elementTypeOf(x) : ctx.builder().getF32Type();
  Value drawn = Generator(ctx).uniform(wide, e.dims(x));
  return ctx.setOutput(
      0,
      e.convert(e.compare(CompareKind::Lt, drawn, e.convert(x, wide)), type));
}

/// Classes by inversion: how many of the running sums of probabilities are not
/// above a uniform number times their total.
LogicalResult importMultinomial(NodeContext &ctx) {
  if (failed(ctx.requireInputs(1)))
    return failure();
  Emitter e(ctx);
  Value x = ctx.input(0);
  Type type = ctx.elementType(ctx.attrInt("dtype", /*int32=*/6));
  int64_t count = ctx.attrInt("sample_size", 1);
  if (!type)
    return failure();
  if (rankOf(x) != 2 || !isFloat(x))
    return ctx.error("the operand must be floats of rank 2");
  if (!type.isInteger(32) && !type.isInteger(64))
    return ctx.error("attribute dtype must be int32 or int64");
  if (count < 1)
    return ctx.error("attribute sample_size is not positive");
  AffineExpr batch = e.dim(x, 0), classes = e.dim(x, 1);
  if (ctx.bounds(classes).first < 1)
    return ctx.error("there may be no class");
  Type wide =
      elementTypeOf(x).isF64() ? elementTypeOf(x) : ctx.builder().getF32Type();
  Value sums = ctx.create<ScanOp>(
      ReduceKind::Sum, e.softmax(e.convert(x, wide), 1), 1, false, false);
  Value total = e.slice(sums, 1, simplify(classes - 1), e.constant(1));
  Value drawn =
      e.mul(Generator(ctx).uniform(wide, {batch, e.constant(count)}), total);
  Value passed = e.compare(CompareKind::Le, e.unsqueeze(sums, {1}),
                           e.unsqueeze(drawn, {2}));
  return ctx.setOutput(0, e.reduce(ReduceKind::Sum, e.convert(passed, type),
                                   {2}, /*keepdims=*/false));
}

// Dropout ---------------------------------------------------------------------

/// Output 1 says which elements stay; before opset 10 with the operand's type.
static LogicalResult setDropoutMask(NodeContext &ctx, Value mask) {
  if (!ctx.outputUsed(1))
    return success();
  if (ctx.opset() < 10)
    mask = convertTo(ctx, mask, elementTypeOf(ctx.input(0)));
  return ctx.setOutput(1,
                       broadcastTo(ctx, mask, getDims(ctx.input(0).getType())));
}

/// Only input training_mode of opset 12 turns it on.
LogicalResult importDropout(NodeContext &ctx) {
  if (failed(ctx.requireInputs(1, 3)))
    return failure();
  for (StringRef name : {"ratio", "is_test"})
    ctx.ignoreAttr(name);
  Emitter e(ctx);
  Value x = ctx.input(0), training = ctx.input(2);
  std::optional<double> mode = training ? ctx.scalar(training) : 0.0;
  if (mode == 0.0) {
    ctx.ignoreAttr("seed");
    if (failed(ctx.setOutput(0, x)))
      return failure();
    return setDropoutMask(ctx, e.scalar(ctx.builder().getI1Type(), 1));
  }
  if (!isFloat(x))
    return ctx.error("the operand is not of floats");
  Type wide =
      elementTypeOf(x).isF64() ? elementTypeOf(x) : ctx.builder().getF32Type();
  Value ratio = ctx.hasInput(1) ? e.reshape(e.convert(ctx.input(1), wide), {})
                                : e.scalar(wide, 0.5);
  if (!mode) // Without training nothing is left out, nor scaled.
    ratio = e.select(e.reshape(training, {}), ratio, e.scalar(wide, 0));
  Value keep = e.compare(CompareKind::Ge,
                         Generator(ctx).uniform(wide, e.dims(x)), ratio);
  Value scale = e.div(e.scalar(wide, 1), e.sub(e.scalar(wide, 1), ratio));
  Value kept = e.mul(e.convert(x, wide), scale);
  Value y = e.select(keep, kept, e.scalar(wide, 0));
  if (failed(ctx.setOutput(0, e.convert(y, elementTypeOf(x)))))
    return failure();
  return setDropoutMask(ctx, keep);
}

} // namespace effc
