// Weights of 2, 4 or 8 bits with a scale for each block, as language models
// have them: MatMulNBits and GatherBlockQuantized (ONNX Runtime,
// docs/ContribOperators.md). Elements are unpacked to a byte each; what a
// weight is made of folds into one constant later.
#include "../TensorData.h"
#include "Linear.h"
#include "Quant.h"

using namespace mlir;
using namespace effc::eff;

namespace effc {

/// u8 [..., D] as unsigned integers of `bits`, [..., D * 8 / bits]: low bits
/// first.
static Value emitUnpack(Emitter &e, Value packed, int64_t bits) {
  if (!packed || bits == 8)
    return packed;
  int64_t perByte = 8 / bits, rank = rankOf(packed);
  Dims dims = e.dims(packed);
  dims.back() = simplify(dims.back() * perByte);
  Type type = IntegerType::get(e.ctx.context(), bits, IntegerType::Unsigned);
  if (ConstantOp constant = constantOf(packed)) {
    RankedTensorType result = makeTensorType(type, dims);
    return e.ctx.constant(unpackElements(constant.getValue(), result));
  }
  SmallVector<Value> parts;
  for (int64_t i = 0; i < perByte; ++i) {
    Value shifted =
        i == 0 ? packed
               : e.binary(BinaryKind::ShiftRight, packed, double(i * bits));
    Value part = e.binary(BinaryKind::And, shifted, double((1 << bits) - 1));
    parts.push_back(e.unsqueeze(part, {rank}));
  }
  return e.convert(e.reshape(e.concat(parts, rank), dims), type);
}

static std::optional<int64_t> readBits(NodeContext &ctx) {
  int64_t bits = ctx.attrInt("bits", 4);
  if (bits == 2 || bits == 4 || bits == 8)
    return bits;
  (void)ctx.unsupported("attribute bits = " + Twine(bits),
                        "quantise to 2, 4 or 8 bits");
  return std::nullopt;
}

static std::optional<int64_t> readBlockSize(NodeContext &ctx, int64_t least) {
  int64_t block = ctx.attrInt("block_size", 128);
  if (block >= least && (block & (block - 1)) == 0)
    return block;
  (void)ctx.error("attribute block_size is " + Twine(block) +
                  ", expected a power of two from " + Twine(least) + " on");
  return std::nullopt;
}

namespace {

/// The weight of a MatMulNBits, [N, K] once it is written out.
struct BlockWeight {
  Emitter &e;
  int64_t k, n, bits, block;
  Type f32 = e.ctx.builder().getF32Type();

  int64_t blocks() const { return llvm::divideCeil(k, block); }

  /// One parameter for each block, [N, blocks], from that or a flat form.
  Value perBlock(Value parameter, StringRef what) {
    if (!parameter)
      return {};
    auto type = tensorType(parameter);
    if (!type.hasStaticShape() || type.getNumElements() != n * blocks()) {
      (void)e.ctx.error(what + " must have " + Twine(n * blocks()) +
                        " elements, one for each block");
      return {};
    }
    return e.reshape(parameter, {e.constant(n), e.constant(blocks())});
  }

  /// Zero points are packed like the weight, each row from a byte of its own,
  /// or come one an element.
  Value zeroPoints(Value packed) {
    if (!packed)
      return {};
    Type type = elementTypeOf(packed);
    if (!type.isUnsignedInteger(8) || bits == 8)
      return perBlock(packed, "zero_points");
    int64_t bytes = llvm::divideCeil(blocks() * bits, 8);
    auto shape = tensorType(packed);
    if (!shape.hasStaticShape() || shape.getNumElements() != n * bytes) {
      (void)e.ctx.error("zero_points must have " + Twine(n * bytes) + " bytes");
      return {};
    }
    Value rows = e.reshape(emitUnpack(e, packed, bits),
                           {e.constant(n), e.constant(bytes * 8 / bits)});
    return e.slice(rows, 1, e.constant(0), e.constant(blocks()));
  }

  /// [N, blocks] as one for each element of a row: each block's repeated, or
  /// those that the group index names.
  Value perElement(Value parameter, Value groups) {
    if (!parameter)
      return {};
    if (groups)
      return e.gather(parameter, groups, 1);
    Dims dims = {e.constant(n), e.constant(blocks()), e.constant(block)};
    Value repeated = e.broadcast(e.unsqueeze(parameter, {2}), dims);
    Value flat =
        e.reshape(repeated, {e.constant(n), e.constant(blocks() * block)});
    return e.slice(flat, 1, e.constant(0), e.constant(k));
  }

  /// [N, K] as integers of `bits`; null and a diagnostic if B has another
  /// form.
  Value elements(Value packed) {
    auto type = tensorType(packed);
    int64_t bytes = block * bits / 8;
    if (!type.hasStaticShape() ||
        type.getNumElements() != n * blocks() * bytes ||
        !type.getElementType().isUnsignedInteger(8)) {
      (void)e.ctx.error("B must be uint8 with " + Twine(n * blocks() * bytes) +
                        " elements");
      return {};
    }
    // Unpacked first, where a constant still is one.
    Value rows = e.reshape(emitUnpack(e, packed, bits),
                           {e.constant(n), e.constant(blocks() * block)});
    return e.slice(rows, 1, e.constant(0), e.constant(k));
  }

  /// Whether an op of its own takes it: not where parameters come at run time,
  /// are named by an index or end within a block.
  bool isDirect(Value packed, Value scales, Value zeros, Value groups) const {
    return !groups && k % block == 0 && constantOf(packed) &&
           constantOf(scales) && (!zeros || constantOf(zeros));
  }

  Value multiply(Value a, Value packed, Value scales, Value zeros,
                 bool mayRound) {
    Value weight = elements(packed), scale = perBlock(scales, "scales");
    Value zero = zeros ? e.convert(zeroPoints(zeros), f32) : Value();
    if (!weight || !scale || (zeros && !zero))
      return {};
    return e.ctx.create<BlockLinearOp>(a, weight, scale, zero, uint64_t(block),
                                       mayRound, DenseF32ArrayAttr());
  }

  Value write(Value packed, Value scales, Value zeros, Value groups) {
    Value integers = elements(packed);
    if (!integers)
      return {};
    Value scale = perElement(perBlock(scales, "scales"), groups);
    Value zero = zeros ? perElement(e.convert(zeroPoints(zeros), f32), groups)
                       : e.scalar(f32, double(1 << (bits - 1)));
    return e.mul(e.sub(e.convert(integers, f32), zero), e.convert(scale, f32));
  }
};

} // namespace

LogicalResult importMatMulNBits(NodeContext &ctx) {
  if (failed(ctx.requireInputs(3, 6)))
    return failure();
  Emitter e(ctx);
  int64_t k = ctx.attrInt("K", 0), n = ctx.attrInt("N", 0);
  std::optional<int64_t> bits = readBits(ctx), block = readBlockSize(ctx, 16);
  // Says how few bits the activations may have: 4 is bytes.
  bool mayRound = ctx.attrInt("accuracy_level", 0) == 4;
  if (!bits || !block)
    return failure();
  if (ctx.attrInt("weight_prepacked", 0) != 0)
    return ctx.unsupported("attribute weight_prepacked",
                           "use the model as exported");
  if (k < 1 || n < 1 || k > INT32_MAX || n > INT32_MAX)
    return ctx.error("attributes K and N must be positive");
  Value a = ctx.input(0), groups = ctx.input(4);
  if (rankOf(a) < 1 || !isFloat(a))
    return ctx.error("A must be a tensor of floats");
  if (failed(ctx.requireEqual(e.dim(a, rankOf(a) - 1), e.constant(k),
                              "the last dim of A and K")))
    return failure();
  // One for each element of a row; older files pad the last block.
  if (groups) {
    if (rankOf(groups) != 1)
      return ctx.error("g_idx must have rank 1");
    AffineExpr given = e.dim(groups, 0);
    if (failed(ctx.requireEqual(ctx.maxSize(given, e.constant(k)), given,
                                "g_idx has an element for each of K")))
      return failure();
    groups = e.slice(groups, 0, e.constant(0), e.constant(k));
  }
  BlockWeight weight{e, k, n, *bits, *block};
  Value packed = ctx.input(1), scales = ctx.input(2), zeros = ctx.input(3), y;
  if (weight.isDirect(packed, scales, zeros, groups)) {
    y = weight.multiply(a, packed, scales, zeros, mayRound);
  } else {
    Value b = e.convert(weight.write(packed, scales, zeros, groups),
                        elementTypeOf(a));
    y = emitMatMul(e, a, e.transpose(b, {1, 0}));
  }
  if (Value bias = ctx.input(5))
    y = e.add(y, bias);
  return ctx.setOutput(0, y);
}

/// Gathers blocks first and dequantises only what was gathered.
LogicalResult importGatherBlockQuantized(NodeContext &ctx) {
  if (failed(ctx.requireInputs(3, 4)))
    return failure();
  Emitter e(ctx);
  Type f32 = ctx.builder().getF32Type();
  Value data = ctx.input(0), indices = ctx.input(1), scales = ctx.input(2);
  Value zeros = ctx.input(3);
  int64_t rank = rankOf(data);
  std::optional<int64_t> bits = readBits(ctx), block = readBlockSize(ctx, 16);
  std::optional<int64_t> axis =
      normalizeAxis(ctx, ctx.attrInt("gather_axis", 0), rank);
  std::optional<int64_t> along =
      normalizeAxis(ctx, ctx.attrInt("quantize_axis", 1), rank);
  if (!bits || !block || !axis || !along)
    return failure();
  if (*axis == *along || rankOf(scales) != rank)
    return ctx.error(*axis == *along
                         ? "gather_axis and quantize_axis must differ"
                         : "data and scales must have one rank");
  bool isPacked = elementTypeOf(data).isUnsignedInteger(8) && *bits < 8;
  if (isPacked && *along != rank - 1)
    return ctx.error("quantize_axis of packed data must be the last");
  if (isPacked) {
    data = emitUnpack(e, data, *bits);
    zeros = zeros ? emitUnpack(e, zeros, *bits) : Value();
    // A row's zero points may end within a byte.
    if (zeros) {
      AffineExpr given = e.dim(zeros, rank - 1),
                 count = e.dim(scales, rank - 1);
      if (failed(ctx.requireEqual(ctx.maxSize(given, count), given,
                                  "there is a zero point for each scale")))
        return failure();
      zeros = e.slice(zeros, rank - 1, e.constant(0), count);
    }
  }
  if (!data || !isQuantizable(ctx, elementTypeOf(data)))
    return failure();
  auto gathered = [&](Value x) { return x ? e.gather(x, indices, *axis) : x; };
  Value picked = gathered(data);
  if (!picked)
    return failure();
  // The gathered axis is as many as indices has dims.
  int64_t place = *along > *axis ? *along + rankOf(indices) - 1 : *along;
  auto aligned = [&](Value parameter) {
    return alignParameter(e, e.convert(gathered(parameter), f32), picked, place,
                          *block);
  };
  Value centred = e.convert(picked, f32);
  bool isByte = elementTypeOf(ctx.input(0)).isUnsignedInteger(8);
  if (zeros)
    centred = e.sub(centred, aligned(zeros));
  else if (isByte)
    centred = e.sub(centred, e.scalar(f32, double(1 << (*bits - 1))));
  return ctx.setOutput(
      0, e.convert(e.mul(centred, aligned(scales)), elementTypeOf(scales)));
}

} // namespace effc
