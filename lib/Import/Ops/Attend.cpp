// Heads, masks and rotary embedding.
#include "Attend.h"

#include <cmath>
#include <limits>

using namespace mlir;
using namespace effc::eff;

namespace effc {

Value splitHeads(Emitter &e, Value x, int64_t heads) {
  if (!x)
    return {};
  if (rankOf(x) != 3 || heads < 1) {
    (void)e.ctx.error("an operand has rank " + Twine(rankOf(x)) + " and " +
                      Twine(heads) +
                      " heads; rank 3 and a positive number "
                      "of heads are needed");
    return {};
  }
  Dims dims = e.dims(x);
  if (std::optional<int64_t> width = getConstant(dims[2]);
      width && *width % heads != 0) {
    (void)e.ctx.error(Twine(heads) + " heads do not divide " + Twine(*width) +
                      " columns");
    return {};
  }
  AffineExpr width = exactDiv(dims[2], e.constant(heads));
  Value split = e.reshape(x, {dims[0], dims[1], e.constant(heads), width});
  return e.transpose(split, {0, 2, 1, 3});
}

Value mergeHeads(Emitter &e, Value x) {
  Value y = e.transpose(x, {0, 2, 1, 3});
  Dims dims = e.dims(y);
  if (dims.size() != 4)
    return {};
  return e.reshape(y, {dims[0], dims[1], simplify(dims[2] * dims[3])});
}

Value repeatHeads(Emitter &e, Value x, AffineExpr heads) {
  Dims dims = e.dims(x);
  if (dims.size() != 4 || dims[1] == heads)
    return x;
  std::optional<int64_t> given = getConstant(dims[1]), all = getConstant(heads);
  if (given && all && (*given < 1 || *all % *given != 0)) {
    (void)e.ctx.error(Twine(*given) + " heads of keys do not divide " +
                      Twine(*all) + " of queries");
    return {};
  }
  AffineExpr share = exactDiv(heads, dims[1]);
  Value repeated = e.broadcast(e.unsqueeze(x, {2}),
                               {dims[0], dims[1], share, dims[2], dims[3]});
  return e.reshape(repeated, {dims[0], heads, dims[2], dims[3]});
}

double defaultScale(Emitter &e, Value &q) {
  AffineExpr width = e.dims(q).empty() ? e.constant(1) : e.dims(q).back();
  if (std::optional<int64_t> size = getConstant(width))
    return 1.0 / std::sqrt(double(*size));
  Type type = elementTypeOf(q), f64 = e.ctx.builder().getF64Type();
  Value size = e.convert(
      e.ctx.dimValues({width}, e.ctx.builder().getI64Type(), {}), f64);
  Value scale = e.unary(UnaryKind::Reciprocal, e.unary(UnaryKind::Sqrt, size));
  // A type that has no products is reported; the caller goes on to its end.
  if (Value scaled = e.mul(q, e.convert(scale, type)))
    q = scaled;
  return 1.0;
}

Value emitKeep(Emitter &e, const Attend &plan, bool &causal) {
  Type i64 = e.ctx.builder().getI64Type();
  AffineExpr queries = e.dim(plan.q, 2), keys = e.dim(plan.k, 2);
  // key index [1, T]; query position [S, 1], or [B, 1, S, 1] when samples have
  // their own offsets.
  Value key = e.iota(i64, {e.constant(1), keys}, 1, e.constant(0));
  auto position = [&](int64_t shift) {
    AffineExpr start = plan.offset ? plan.offset : -queries;
    Value index =
        e.iota(i64, {queries, e.constant(1)}, 0, simplify(start + shift));
    return plan.offset ? index
                       : e.add(index, e.unsqueeze(plan.validKeys, {1, 2, 3}));
  };
  Value keep;
  auto require = [&](Value condition) {
    keep = keep ? e.both(keep, condition) : condition;
  };
  causal = plan.causal && !plan.explicitMask && plan.offset && plan.left < 0 &&
           simplify(keys - queries - plan.offset) == e.constant(0);
  if (plan.causal && !causal)
    require(e.compare(CompareKind::Le, key, position(0)));
  if (plan.left >= 0)
    require(e.compare(CompareKind::Ge, key, position(-plan.left)));
  if (plan.right >= 0)
    require(e.compare(CompareKind::Le, key, position(plan.right)));
  if (plan.validKeys)
    require(e.compare(CompareKind::Lt, key,
                      e.unsqueeze(plan.validKeys, {1, 2, 3})));
  return keep;
}

Value additiveMask(Emitter &e, Value mask, Type type, double excluded) {
  return e.select(mask, e.scalar(type, 0.0), e.scalar(type, excluded));
}

Value repeatMask(Emitter &e, const Attend &plan) {
  Dims scores = {e.dim(plan.q, 0), e.dim(plan.q, 1), e.dim(plan.q, 2),
                 e.dim(plan.k, 2)};
  return e.ctx.broadcastOperand(plan.mask, scores);
}

Value combineMasks(Emitter &e, Value mask, Value keep, Type type) {
  if (!mask || !keep)
    return mask ? mask : keep;
  if (elementTypeOf(mask).isInteger(1))
    return e.both(mask, keep);
  constexpr double infinity = std::numeric_limits<double>::infinity();
  return e.add(mask, additiveMask(e, keep, type, -infinity));
}

/// The sink as one more key: of zeros, so that its score is what the mask says,
/// and with a value of zeros.
static Attend withSink(Emitter &e, Attend plan) {
  Type type = elementTypeOf(plan.q);
  Value sink = e.unsqueeze(e.convert(plan.sink, type), {0, 2, 3});
  bool causal = false;
  plan.explicitMask = true;
  Value mask =
      combineMasks(e, repeatMask(e, plan), emitKeep(e, plan, causal), type);
  if (!mask)
    mask = e.scalar(type, 0);
  constexpr double infinity = std::numeric_limits<double>::infinity();
  if (elementTypeOf(mask).isInteger(1))
    mask = additiveMask(e, mask, type, -infinity);
  Dims shape = {e.dim(plan.q, 0), e.dim(plan.q, 1), e.dim(plan.q, 2),
                e.dim(plan.k, 2)};
  mask = e.broadcast(mask, shape);
  shape[3] = e.constant(1);
  AffineExpr none = e.constant(0), one = e.constant(1);
  Attend result;
  result.q = plan.q;
  result.k = e.pad(plan.k, {none, none, none, none}, {none, none, one, none});
  result.v = e.pad(plan.v, {none, none, none, none}, {none, none, one, none});
  result.mask = e.concat({mask, e.broadcast(sink, shape)}, 3);
  result.scale = plan.scale;
  result.softcap = plan.softcap;
  result.offset = none;
  return result;
}

Value emitAttention(Emitter &e, const Attend &plan) {
  if (!plan.q || !plan.k || !plan.v)
    return {};
  if (plan.sink)
    return emitAttention(e, withSink(e, plan));
  bool causal = false;
  Value keep = emitKeep(e, plan, causal);
  Type type = elementTypeOf(plan.q);
  // eff.attention repeats a mask by itself.
  Value mask = keep ? repeatMask(e, plan) : plan.mask;
  mask = combineMasks(e, mask, keep, type);
  return e.ctx.create<AttentionOp>(
      plan.q, plan.k, plan.v, mask, llvm::APFloat(plan.scale), causal,
      llvm::APFloat(plan.softcap), /*heads_last=*/false,
      /*zero_masked_rows=*/bool(mask) || causal);
}

Value emitRope(Emitter &e, Value x, Value cos, Value sin, int64_t width,
               bool interleaved) {
  if (!x || !cos || !sin)
    return {};
  if (width < 0 || width > INT32_MAX || width % 2 != 0) {
    (void)e.ctx.error("the rotated width is " + Twine(width));
    return {};
  }
  int64_t last = rankOf(x) - 1;
  AffineExpr all = e.dim(x, last);
  AffineExpr part = width ? e.constant(width) : all;
  // Both halves exist: of a size that only the run knows it says so.
  bool fits =
      succeeded(e.ctx.requireEqual(e.ctx.maxSize(all, part), all,
                                   "the operand has the rotated width")) &&
      (getConstant(part) || succeeded(e.ctx.requireEqual(
                                part, simplify(e.dim(cos, rankOf(cos) - 1) * 2),
                                "the tables have half the width")));
  if (!fits)
    return {};
  Value rotated = e.ctx.create<RopeOp>(e.slice(x, last, e.constant(0), part),
                                       cos, sin, interleaved);
  if (part == all)
    return rotated;
  return e.concat({rotated, e.slice(x, last, part, simplify(all - part))},
                  last);
}

} // namespace effc
