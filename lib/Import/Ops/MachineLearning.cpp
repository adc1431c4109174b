// Dense operators of ai.onnx.ml; what the text leaves open is as in ONNX
// Runtime (core/providers/cpu/ml).
#include "MachineLearning.h"

#include <cmath>
#include <limits>

using namespace mlir;
using namespace effc::eff;

namespace effc {

Value numbers(NodeContext &ctx, Type type, ArrayRef<double> values,
              ArrayRef<int64_t> shape) {
  auto result = RankedTensorType::get(shape, type);
  SmallVector<Attribute> elements;
  for (double value : values)
    elements.push_back(
        isa<FloatType>(type)
            ? Attribute(FloatAttr::get(type, value))
            : Attribute(IntegerAttr::get(
                  type, APInt(type.getIntOrFloatBitWidth(), int64_t(value),
                              /*isSigned=*/true, /*implicitTrunc=*/true))));
  return ctx.constant(DenseElementsAttr::get(result, elements));
}

Value numbers(NodeContext &ctx, Type type, ArrayRef<int64_t> values,
              ArrayRef<int64_t> shape) {
  SmallVector<APInt> elements;
  for (int64_t value : values)
    elements.emplace_back(type.getIntOrFloatBitWidth(), value,
                          /*isSigned=*/true, /*implicitTrunc=*/true);
  return ctx.constant(
      DenseElementsAttr::get(RankedTensorType::get(shape, type), elements));
}

SmallVector<double> floatsOrTensor(NodeContext &ctx, StringRef list,
                                   StringRef tensor) {
  if (auto values = ctx.attrFloats(list))
    return *values;
  SmallVector<double> result;
  ElementsAttr value =
      ctx.hasAttr(tensor) ? ctx.attrTensor(tensor) : ElementsAttr();
  if (!value)
    return result;
  std::optional<SmallVector<double>> elements = ctx.elements(value);
  if (!elements)
    (void)ctx.error("attribute '" + tensor + "' does not hold numbers");
  return elements.value_or(result);
}

Value readRows(Emitter &e) {
  Value x = e.ctx.input(0);
  Type type = elementTypeOf(x);
  if (!type.isF64())
    x = e.convert(x, e.ctx.builder().getF32Type());
  if (rankOf(x) == 1)
    return e.unsqueeze(x, {0});
  if (rankOf(x) == 2)
    return x;
  (void)e.ctx.error("the operand has rank " + Twine(rankOf(x)) +
                    ", it must be 1 or 2");
  return {};
}

// Scores ----------------------------------------------------------------------

/// exp(x - max) / sum, where zeros stay zeros and do not count.
static Value softmaxZero(Emitter &e, Value x) {
  int64_t last = rankOf(x) - 1;
  Value max = e.reduce(ReduceKind::Max, x, {last}, true);
  Value isZero = e.compare(CompareKind::Le, e.unary(UnaryKind::Abs, x), 1e-7f);
  Value power = e.unary(UnaryKind::Exp, e.sub(x, max));
  Value counted = e.select(isZero, scalarLike(e.ctx, x, 0), power);
  Value kept = e.mul(x, e.unary(UnaryKind::Exp, e.unary(UnaryKind::Neg, max)));
  return e.div(e.select(isZero, kept, power),
               e.reduce(ReduceKind::Sum, counted, {last}, true));
}

/// sqrt(2) erfinv(2 x - 1) by Winitzki's formula, as ONNX Runtime.
static Value probit(Emitter &e, Value x) {
  Value y = e.add(e.mul(x, 2.0), -1.0);
  Value log =
      e.unary(UnaryKind::Log, e.sub(scalarLike(e.ctx, x, 1), e.mul(y, y)));
  Value v = e.add(e.mul(log, 0.5), 2 / (3.14159f * 0.147f));
  Value root =
      e.unary(UnaryKind::Sqrt, e.sub(e.mul(v, v), e.mul(log, 1 / 0.147f)));
  Value size = e.unary(UnaryKind::Sqrt, e.sub(root, v));
  Value sign = e.select(e.compare(CompareKind::Lt, y, 0.0),
                        scalarLike(e.ctx, x, -1), scalarLike(e.ctx, x, 1));
  return e.mul(e.mul(sign, size), 1.41421356f);
}

Value postTransform(Emitter &e, Value scores, StringRef name) {
  if (!scores || name == "NONE")
    return scores;
  if (name == "LOGISTIC")
    return e.unary(UnaryKind::Sigmoid, scores);
  if (name == "SOFTMAX")
    return e.softmax(scores, rankOf(scores) - 1);
  if (name == "SOFTMAX_ZERO")
    return softmaxZero(e, scores);
  if (name == "PROBIT")
    return probit(e, scores);
  (void)e.ctx.error("attribute post_transform has the unknown value '" + name +
                    "'");
  return {};
}

LogicalResult setLabels(NodeContext &ctx, StringRef ints, StringRef strings,
                        Value index) {
  auto labels = ctx.attrInts(ints);
  if (ctx.hasAttr(strings)) {
    ctx.ignoreAttr(strings);
    if (!labels)
      return ctx.setOutput(
          0, NonTensor{std::nullopt, "labels are strings, which effc does not "
                                     "compute; select other outputs"});
  }
  if (!labels || labels->empty())
    return ctx.setOutput(0, index);
  Type i64 = ctx.builder().getI64Type();
  return ctx.setOutput(
      0, Emitter(ctx).gather(
             numbers(ctx, i64, *labels, {int64_t(labels->size())}), index, 0));
}

// Features --------------------------------------------------------------------

/// Picks columns; a vector is one row.
LogicalResult importArrayFeatureExtractor(NodeContext &ctx) {
  if (failed(ctx.requireInputs(2)))
    return failure();
  Emitter e(ctx);
  Value x = ctx.input(0), columns = ctx.input(1);
  if (rankOf(x) < 1)
    return ctx.error("the operand is a scalar");
  columns = e.reshape(columns, {getNumElements(columns.getType())});
  Value y = e.gather(x, columns, rankOf(x) - 1);
  return ctx.setOutput(0, rankOf(x) == 1 ? e.unsqueeze(y, {0}) : y);
}

LogicalResult importBinarizer(NodeContext &ctx) {
  if (failed(ctx.requireInputs(1)))
    return failure();
  Emitter e(ctx);
  Value x = ctx.input(0);
  double threshold = ctx.attrFloat("threshold", 0.0);
  // Among integers, being above a number is being above its floor.
  Value above = e.compare(CompareKind::Gt, x,
                          isFloat(x) ? threshold : std::floor(threshold));
  return ctx.setOutput(0, e.convert(above, elementTypeOf(x)));
}

/// Columns of all operands side by side, each cut or padded to its width.
LogicalResult importFeatureVectorizer(NodeContext &ctx) {
  unsigned count = std::max(ctx.numInputs(), 1u);
  if (failed(ctx.requireInputs(count)))
    return failure();
  Emitter e(ctx);
  auto widths = ctx.attrInts("inputdimensions");
  if (!widths || widths->size() != count)
    return ctx.error("attribute inputdimensions must have one entry for every "
                     "operand");
  SmallVector<Value> parts;
  for (unsigned i = 0; i < count; ++i) {
    Value x = e.convert(ctx.input(i), ctx.builder().getF32Type());
    if (rankOf(x) == 1)
      x = e.unsqueeze(x, {0});
    std::optional<int64_t> columns =
        rankOf(x) == 2 ? getConstant(e.dim(x, 1)) : std::nullopt;
    int64_t width = (*widths)[i];
    if (!columns || width < 0)
      return ctx.error("operand " + Twine(i) +
                       " must have rank 1 or 2 and a fixed number of columns");
    AffineExpr none = e.constant(0);
    if (*columns < width)
      x = e.pad(x, {none, none}, {none, e.constant(width - *columns)});
    parts.push_back(e.slice(x, 1, none, e.constant(width)));
  }
  return ctx.setOutput(0, e.concat(parts, 1));
}

LogicalResult importImputer(NodeContext &ctx) {
  if (failed(ctx.requireInputs(1)))
    return failure();
  Emitter e(ctx);
  Value x = ctx.input(0);
  Type type = elementTypeOf(x);
  auto floats = ctx.attrFloats("imputed_value_floats");
  auto ints = ctx.attrInts("imputed_value_int64s");
  double old = ctx.attrFloat("replaced_value_float", 0.0);
  int64_t oldInt = ctx.attrInt("replaced_value_int64", 0);
  int64_t count =
      isFloat(x) ? (floats ? floats->size() : 0) : (ints ? ints->size() : 0);
  if (count < 1 || rankOf(x) < 1)
    return ctx.error("there is no value to put in, or the operand is a scalar");
  Dims shape = {e.constant(count)};
  if (count > 1 &&
      failed(ctx.requireEqual(e.dim(x, rankOf(x) - 1), shape[0],
                              "one imputed value for each column")))
    return failure();
  Value values = isFloat(x) ? numbers(ctx, type, *floats, {count})
                            : numbers(ctx, type, *ints, {count});
  Value missing =
      isFloat(x) && std::isnan(old)
          ? e.unary(UnaryKind::IsNaN, x)
          : e.compare(CompareKind::Eq, x, isFloat(x) ? old : double(oldInt));
  return ctx.setOutput(0, e.select(missing, values, x));
}

/// (x - offset) * scale.
LogicalResult importScaler(NodeContext &ctx) {
  if (failed(ctx.requireInputs(1)))
    return failure();
  Emitter e(ctx);
  Type f32 = ctx.builder().getF32Type();
  Value y = e.convert(ctx.input(0), f32);
  auto apply = [&](StringRef name, BinaryKind kind) {
    auto values = ctx.attrFloats(name);
    if (values && !values->empty())
      y = e.binary(kind, y,
                   numbers(ctx, f32, *values, {int64_t(values->size())}));
  };
  apply("offset", BinaryKind::Sub);
  apply("scale", BinaryKind::Mul);
  return ctx.setOutput(0, y);
}

/// Rows divided by their largest element, sum of sizes or length; rows of zeros
/// stay.
LogicalResult importNormalizer(NodeContext &ctx) {
  if (failed(ctx.requireInputs(1)))
    return failure();
  Emitter e(ctx);
  std::string norm = ctx.attrString("norm", "MAX");
  Value x = e.convert(ctx.input(0), ctx.builder().getF32Type());
  if (rankOf(x) < 1)
    return ctx.error("the operand is a scalar");
  auto kind = llvm::StringSwitch<std::optional<ReduceKind>>(norm)
                  .Case("MAX", ReduceKind::Max)
                  .Case("L1", ReduceKind::L1)
                  .Case("L2", ReduceKind::L2)
                  .Default(std::nullopt);
  if (!kind)
    return ctx.error("attribute norm has the unknown value '" + norm + "'");
  Value size = e.reduce(*kind, x, {rankOf(x) - 1}, /*keepdims=*/true);
  Value isZero = e.compare(CompareKind::Eq, size, 0.0);
  return ctx.setOutput(
      0, e.div(x, e.select(isZero, e.scalar(elementTypeOf(x), 1), size)));
}

/// One column for each category; all zeros for what is none.
LogicalResult importOneHotEncoder(NodeContext &ctx) {
  if (failed(ctx.requireInputs(1)))
    return failure();
  Emitter e(ctx);
  auto categories = ctx.attrInts("cats_int64s");
  bool zeros = ctx.attrBool("zeros", true);
  if (!categories)
    return ctx.unsupported("categories that are strings");
  if (!zeros)
    return ctx.unsupported("attribute zeros = 0, an error for what is no "
                           "category");
  Type i64 = ctx.builder().getI64Type();
  Value x = e.convert(ctx.input(0), i64);
  Value list = numbers(ctx, i64, *categories, {int64_t(categories->size())});
  Value same = e.compare(CompareKind::Eq, e.unsqueeze(x, {rankOf(x)}), list);
  return ctx.setOutput(0, e.convert(same, ctx.builder().getF32Type()));
}

// LabelEncoder ----------------------------------------------------------------

/// Keys, values or the default: one of the lists of floats or ints, or a
/// tensor. Null without; strings are refused.
static Value readEntries(NodeContext &ctx, StringRef name) {
  Builder &b = ctx.builder();
  if (auto floats = ctx.attrFloats((name + "_floats").str()))
    return numbers(ctx, b.getF32Type(), *floats, {int64_t(floats->size())});
  if (auto ints = ctx.attrInts((name + "_int64s").str()))
    return numbers(ctx, b.getI64Type(), *ints, {int64_t(ints->size())});
  std::string tensor = (name + "_tensor").str();
  if (!ctx.hasAttr(tensor))
    return {};
  ElementsAttr value = ctx.attrTensor(tensor);
  return value ? ctx.constant(value) : Value();
}

/// Looks every element up among the keys; the first of equal keys counts.
LogicalResult importLabelEncoder(NodeContext &ctx) {
  if (failed(ctx.requireInputs(1)))
    return failure();
  for (StringRef name : {"keys_strings", "values_strings", "classes_strings"})
    if (ctx.hasAttr(name))
      return ctx.unsupported("strings", "encode labels outside the model");
  Emitter e(ctx);
  Value x = ctx.input(0);
  Value keys = readEntries(ctx, "keys"), values = readEntries(ctx, "values");
  double fallbackFloat = ctx.attrFloat("default_float", -0.0);
  int64_t fallbackInt = ctx.attrInt("default_int64", -1);
  ctx.ignoreAttr("default_string");
  if (!keys || !values)
    return ctx.hasFailed() ? failure()
                           : ctx.error("keys or values are missing");
  Type type = elementTypeOf(values);
  if (rankOf(keys) != 1 || e.dims(keys) != e.dims(values) ||
      elementTypeOf(keys) != elementTypeOf(x) ||
      tensorType(keys).getNumElements() == 0)
    return ctx.error("keys must be a list of the operand's type, as long as "
                     "that of the values");
  Value fallback = readEntries(ctx, "default");
  fallback = fallback
                 ? e.reshape(fallback, {})
                 : e.scalar(type, isa<FloatType>(type) ? fallbackFloat
                                                       : double(fallbackInt));
  int64_t rank = rankOf(x);
  Value wide = e.unsqueeze(x, {rank});
  Value same = e.compare(CompareKind::Eq, wide, keys);
  if (isFloat(x))
    same = e.binary(BinaryKind::Or, same,
                    e.both(e.unary(UnaryKind::IsNaN, wide),
                           e.unary(UnaryKind::IsNaN, keys)));
  Value hits = e.convert(same, ctx.builder().getI32Type());
  Value index = ctx.create<ArgReduceOp>(ReduceKind::Max, hits, uint64_t(rank),
                                        /*keepdims=*/false,
                                        /*select_last=*/false);
  Value found = e.compare(CompareKind::Gt,
                          e.reduce(ReduceKind::Max, hits, {rank}, false), 0.0);
  return ctx.setOutput(0,
                       e.select(found, e.gather(values, index, 0), fallback));
}

// Linear models ---------------------------------------------------------------

/// x times the coefficients, one row for each of `count` results, plus
/// intercepts.
static Value emitLinear(Emitter &e, Value x, ArrayRef<double> coefficients,
                        ArrayRef<double> intercepts, int64_t count) {
  NodeContext &ctx = e.ctx;
  int64_t size = coefficients.size();
  if (!x)
    return {};
  std::optional<int64_t> columns = getConstant(e.dim(x, 1));
  if (count < 1 || size == 0 || size % count != 0 ||
      (columns && *columns * count != size) ||
      (!intercepts.empty() && int64_t(intercepts.size()) != count)) {
    (void)ctx.error("the coefficients and intercepts do not fit the operand");
    return {};
  }
  Type type = elementTypeOf(x);
  Value y = e.matmul(x, numbers(ctx, type, coefficients, {count, size / count}),
                     false, /*transposeB=*/true);
  return intercepts.empty() ? y
                            : e.add(y, numbers(ctx, type, intercepts, {count}));
}

LogicalResult importLinearRegressor(NodeContext &ctx) {
  if (failed(ctx.requireInputs(1)))
    return failure();
  Emitter e(ctx);
  auto coefficients = ctx.attrFloats("coefficients");
  auto intercepts =
      ctx.attrFloats("intercepts").value_or(SmallVector<double>());
  int64_t targets = ctx.attrInt("targets", 1);
  std::string transform = ctx.attrString("post_transform", "NONE");
  if (!coefficients)
    return ctx.error("attribute coefficients is missing");
  Value x = e.convert(readRows(e), ctx.builder().getF32Type());
  Value y = emitLinear(e, x, *coefficients, intercepts, targets);
  return ctx.setOutput(0, postTransform(e, y, transform));
}

/// One score a class, or one for two classes: then its complement comes first.
LogicalResult importLinearClassifier(NodeContext &ctx) {
  if (failed(ctx.requireInputs(1)))
    return failure();
  Emitter e(ctx);
  ctx.ignoreAttr("multi_class");
  auto coefficients = ctx.attrFloats("coefficients");
  auto intercepts =
      ctx.attrFloats("intercepts").value_or(SmallVector<double>());
  std::string transform = ctx.attrString("post_transform", "NONE");
  if (!coefficients || intercepts.empty())
    return ctx.error("attribute coefficients or intercepts is missing");
  int64_t classes = intercepts.size();
  Value x = e.convert(readRows(e), ctx.builder().getF32Type());
  Value scores = emitLinear(e, x, *coefficients, intercepts, classes);
  if (!scores)
    return failure();
  Value index;
  if (classes == 1) {
    index = e.squeeze(e.convert(e.compare(CompareKind::Gt, scores, 0.0),
                                ctx.builder().getI64Type()),
                      {1});
    Value positive = postTransform(e, scores, transform);
    Value negative = transform == "LOGISTIC" || transform == "NONE"
                         ? e.sub(scalarLike(ctx, scores, 1), positive)
                         : Value();
    if (!negative)
      return ctx.unsupported("post_transform " + transform +
                             " of one score for two classes");
    scores = e.concat({negative, positive}, 1);
  } else {
    index = ctx.create<ArgReduceOp>(ReduceKind::Max, scores, uint64_t(1),
                                    /*keepdims=*/false, /*select_last=*/false);
    scores = postTransform(e, scores, transform);
  }
  if (failed(setLabels(ctx, "classlabels_ints", "classlabels_strings", index)))
    return failure();
  return ctx.setOutput(1, scores);
}

// Support vectors -------------------------------------------------------------

/// The kernel function of every row and every support vector: [N, supports].
static Value emitKernel(Emitter &e, Value x, Value supports, StringRef kind,
                        ArrayRef<double> parameters) {
  double gamma = parameters.size() > 0 ? parameters[0] : 0;
  double offset = parameters.size() > 1 ? parameters[1] : 0;
  double degree = parameters.size() > 2 ? parameters[2] : 0;
  if (kind == "RBF") {
    Value difference = e.sub(e.unsqueeze(x, {1}), supports);
    Value distance = e.reduce(ReduceKind::SumSquare, difference, {2}, false);
    return e.unary(UnaryKind::Exp, e.mul(distance, -gamma));
  }
  Value dot = e.matmul(x, supports, false, /*transposeB=*/true);
  if (kind == "LINEAR")
    return dot;
  Value scaled = e.add(e.mul(dot, gamma), offset);
  if (kind == "POLY")
    return e.binary(BinaryKind::Pow, scaled, degree);
  if (kind == "SIGMOID")
    return e.unary(UnaryKind::Tanh, scaled);
  (void)e.ctx.error("attribute kernel_type has the unknown value '" + kind +
                    "'");
  return {};
}

LogicalResult importSVMRegressor(NodeContext &ctx) {
  if (failed(ctx.requireInputs(1)))
    return failure();
  Emitter e(ctx);
  auto coefficients = ctx.attrFloats("coefficients");
  auto vectors =
      ctx.attrFloats("support_vectors").value_or(SmallVector<double>());
  auto parameters =
      ctx.attrFloats("kernel_params").value_or(SmallVector<double>());
  auto rho = ctx.attrFloats("rho");
  std::string kind = ctx.attrString("kernel_type", "LINEAR");
  std::string transform = ctx.attrString("post_transform", "NONE");
  int64_t count = ctx.attrInt("n_supports", 0);
  bool oneClass = ctx.attrBool("one_class", false);
  Value x = e.convert(readRows(e), ctx.builder().getF32Type());
  if (!x)
    return failure();
  if (!coefficients || !rho || rho->empty() || coefficients->empty())
    return ctx.error("attribute coefficients or rho is missing");
  if (count < 0 || (count > 0 && (vectors.size() % count != 0 ||
                                  int64_t(coefficients->size()) != count)))
    return ctx.error("the support vectors do not fit n_supports");
  Type type = elementTypeOf(x);
  Value y;
  if (count > 0) {
    Value supports =
        numbers(ctx, type, vectors, {count, int64_t(vectors.size()) / count});
    Value weights = numbers(ctx, type, *coefficients, {count, 1});
    y = e.matmul(emitKernel(e, x, supports, kind, parameters), weights);
  } else {
    Value weights =
        numbers(ctx, type, *coefficients, {1, int64_t(coefficients->size())});
    // Without support vectors the model is linear, whatever the kernel.
    y = emitKernel(e, x, weights, "LINEAR", parameters);
  }
  y = y ? e.add(y, rho->front()) : y;
  if (oneClass)
    y = e.select(e.compare(CompareKind::Gt, y, 0.0), scalarLike(ctx, y, 1),
                 scalarLike(ctx, y, -1));
  return ctx.setOutput(0, postTransform(e, y, transform));
}

// Refused ---------------------------------------------------------------------

/// Maps and strings have no tensor.
LogicalResult importMap(NodeContext &ctx) {
  return ctx.unsupported("its operand or result is a map or a string",
                         "select a tensor before it with --output-names");
}

} // namespace effc
