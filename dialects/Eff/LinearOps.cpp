// Verifiers, shape functions, costs and folds of LinearOps.td.
#include "Eff/EffOps.h"
#include "Eff/Verify.h"
#include <array>

using namespace mlir;
using namespace effc::eff;

/// Multiply-adds count two.
static AffineExpr twice(AffineExpr expr) { return simplify(expr * 2); }

//===----------------------------------------------------------------------===//
// Element types
//===----------------------------------------------------------------------===//

static bool isByte(Type type) { return type.isInteger(8); }

/// The wider type that products of elements may be summed in, or null.
static Type getWideSum(Type type) {
  if (isByte(type))
    return IntegerType::get(type.getContext(), 32);
  return type.isBF16() ? Float32Type::get(type.getContext()) : Type();
}

/// The element type of a contraction when none is asked for; null when these
/// cannot be multiplied.
static Type inferSum(Type a, Type b) {
  if (a == b)
    return a;
  return isByte(a) && isByte(b) ? getWideSum(a) : Type();
}

bool effc::eff::areCompatibleSums(TypeRange inferred, TypeRange actual) {
  if (inferred.size() != 1 || actual.size() != 1)
    return false;
  auto from = cast<RankedTensorType>(inferred[0]);
  auto to = dyn_cast<RankedTensorType>(actual[0]);
  if (to && to.getElementType() == getWideSum(from.getElementType()))
    from = withElementType(from, to.getElementType());
  return areCompatibleTypes(TypeRange(Type(from)), actual);
}

//===----------------------------------------------------------------------===//
// matmul
//===----------------------------------------------------------------------===//

LogicalResult MatmulOp::inferReturnTypes(
    MLIRContext *context, std::optional<Location> location, ValueRange operands,
    DictionaryAttr attributes, OpaqueProperties properties, RegionRange regions,
    SmallVectorImpl<Type> &inferredReturnTypes) {
  Adaptor op(operands, attributes, properties, regions);
  if (failed(checkDims<MatmulOp>(location, operands)))
    return failure();
  Dims a = getDims(op.getA().getType()), b = getDims(op.getB().getType());
  // matmul_c1: operands have at least two dims.
  if (a.size() < 2 || b.size() < 2)
    return inferError<MatmulOp>(location, "operands have ranks ", a.size(),
                                " and ", b.size(), ", expected at least 2");
  // matmul_c2: operands have one element type, or both 8-bit integers.
  Type type = inferSum(getElementType(op.getA()), getElementType(op.getB()));
  if (!type)
    return inferError<MatmulOp>(location, "multiplies ",
                                getElementType(op.getA()), " by ",
                                getElementType(op.getB()));
  if (op.getTransposeA())
    std::swap(a[a.size() - 1], a[a.size() - 2]);
  if (op.getTransposeB())
    std::swap(b[b.size() - 1], b[b.size() - 2]);
  AffineExpr n = b.pop_back_val(), kb = b.pop_back_val();
  AffineExpr ka = a.pop_back_val(), m = a.pop_back_val();
  // matmul_c3: the contracted extents agree.
  if (contradict(ka, kb))
    return inferError<MatmulOp>(location, "contracts ", toString(ka),
                                " columns with ", toString(kb), " rows");
  // matmul_c4: leading dims broadcast.
  std::optional<Dims> dims = broadcastDims(a, b);
  if (!dims)
    return inferError<MatmulOp>(location, "leading dims ", toString(a), " and ",
                                toString(b), " do not broadcast");
  dims->push_back(m);
  dims->push_back(n);
  inferredReturnTypes.push_back(makeTensorType(type, *dims));
  return success();
}

LogicalResult MatmulOp::verify() {
  if (failed(verifyInferred(*this)))
    return failure();
  // matmul_c5: elements are numbers.
  Type type = getElementType(getA());
  if (!isFloat(type) && !isInteger(type))
    return emitOpError("multiplies matrices of ") << type;
  return success();
}

AffineExpr MatmulOp::getFlops() {
  Dims a = getDims(getA().getType());
  AffineExpr k = a[a.size() - (getTransposeA() ? 2 : 1)];
  return twice(getNumElements(getType()) * k);
}

//===----------------------------------------------------------------------===//
// linear
//===----------------------------------------------------------------------===//

LogicalResult LinearOp::inferReturnTypes(
    MLIRContext *context, std::optional<Location> location, ValueRange operands,
    DictionaryAttr attributes, OpaqueProperties properties, RegionRange regions,
    SmallVectorImpl<Type> &inferredReturnTypes) {
  Adaptor op(operands, attributes, properties, regions);
  if (failed(checkDims<LinearOp>(location, operands)))
    return failure();
  Dims x = getDims(op.getX().getType());
  Dims weight = getDims(op.getWeight().getType());
  // linear_c1: x has a dim to contract and the weight is a matrix.
  if (x.empty() || weight.size() != 2)
    return inferError<LinearOp>(location, "takes x of rank ", x.size(),
                                " and weight of rank ", weight.size(),
                                ", expected at least 1 and exactly 2");
  AffineExpr k = weight[op.getTransposeWeight() ? 1 : 0];
  AffineExpr n = weight[op.getTransposeWeight() ? 0 : 1];
  // linear_c2: the contracted extents agree.
  if (contradict(x.back(), k))
    return inferError<LinearOp>(location, "contracts ", toString(x.back()),
                                " columns with ", toString(k), " rows");
  // linear_c3: operands have one element type, or both 8-bit integers.
  Type type =
      inferSum(getElementType(op.getX()), getElementType(op.getWeight()));
  if (!type)
    return inferError<LinearOp>(location, "multiplies ",
                                getElementType(op.getX()), " by ",
                                getElementType(op.getWeight()));
  x.back() = n;
  inferredReturnTypes.push_back(makeTensorType(type, x));
  return success();
}

LogicalResult LinearOp::verify() {
  if (failed(verifyInferred(*this)))
    return failure();
  // linear_c5: elements are numbers.
  Type type = getElementType(getX());
  if (!isFloat(type) && !isInteger(type))
    return emitOpError("multiplies elements of ") << type;
  // linear_c6: the bias has the result's element type.
  if (getBias() && getElementType(getBias()) != getType().getElementType())
    return emitOpError("adds a bias of ")
           << getElementType(getBias()) << " to sums of "
           << getType().getElementType();
  // linear_c4: the bias is [N].
  Dims y = getDims(getType());
  if (getBias() && contradict(getDims(getBias().getType()), Dims{y.back()}))
    return emitOpError("bias has shape ")
           << toString(getDims(getBias().getType())) << ", expected ["
           << toString(y.back()) << "]";
  return success();
}

AffineExpr LinearOp::getFlops() {
  Dims x = getDims(getX().getType());
  return twice(getNumElements(getType()) * x.back());
}

//===----------------------------------------------------------------------===//
// block_linear
//===----------------------------------------------------------------------===//

LogicalResult BlockLinearOp::inferReturnTypes(
    MLIRContext *context, std::optional<Location> location, ValueRange operands,
    DictionaryAttr attributes, OpaqueProperties properties, RegionRange regions,
    SmallVectorImpl<Type> &inferredReturnTypes) {
  Adaptor op(operands, attributes, properties, regions);
  if (failed(checkDims<BlockLinearOp>(location, operands)))
    return failure();
  Dims x = getDims(op.getX().getType());
  Dims weight = getDims(op.getWeight().getType());
  // block_linear_c1: x has a dim to contract and the weight is a matrix of as
  // many columns.
  if (x.empty() || weight.size() != 2 || contradict(x.back(), weight[1]))
    return inferError<BlockLinearOp>(location, "cannot multiply ", toString(x),
                                     " by the transpose of ", toString(weight));
  x.back() = weight[0];
  inferredReturnTypes.push_back(makeTensorType(getElementType(op.getX()), x));
  return success();
}

LogicalResult BlockLinearOp::verify() {
  if (failed(verifyInferred(*this)))
    return failure();
  // block_linear_c2: x has floats, the weight unsigned integers of few bits.
  Type type = getElementType(getWeight());
  if (!isFloat(getElementType(getX())) ||
      llvm::none_of(std::array<unsigned, 4>{2, 3, 4, 8}, [&](unsigned bits) {
        return type.isUnsignedInteger(bits);
      }))
    return emitOpError("multiplies ")
           << getElementType(getX()) << " by " << type
           << ", expected floats by ui2, ui3, ui4 or ui8";
  // block_linear_c3: blocks divide the rows of the weight.
  Dims weight = getDims(getWeight().getType());
  auto block = static_cast<int64_t>(getBlock());
  std::optional<int64_t> depth = getConstant(weight[1]);
  if (block < 1 || !depth || *depth % block != 0)
    return emitOpError("has blocks of ")
           << block << " in rows of " << toString(weight[1]);
  // block_linear_c4: scales and zeros are floats, one a block.
  Dims expected{weight[0], constDim(getContext(), *depth / block)};
  for (Value parameter : {getScales(), getZeros()})
    if (parameter && (!isFloat(getElementType(parameter)) ||
                      contradict(getDims(parameter.getType()), expected)))
      return emitOpError("has a parameter of type ")
             << parameter.getType() << ", expected floats, "
             << toString(expected);
  // block_linear_c5: a codebook has a number for each of few integers, which
  // then have no zero and cannot be multiplied.
  if (std::optional<ArrayRef<float>> codebook = getCodebook()) {
    unsigned bits = type.getIntOrFloatBitWidth();
    if (bits == 8 || codebook->size() != size_t(1) << bits)
      return emitOpError("has a codebook of ")
             << codebook->size() << " numbers for " << type;
    if (getZeros() || getBytes())
      return emitOpError("has a codebook and also zeros or bytes");
  }
  return success();
}

int64_t BlockLinearOp::getMiddle() {
  return 1 << (getElementType(getWeight()).getIntOrFloatBitWidth() - 1);
}

AffineExpr BlockLinearOp::getFlops() {
  return twice(getNumElements(getType()) * getDims(getX().getType()).back());
}

//===----------------------------------------------------------------------===//
// conv
//===----------------------------------------------------------------------===//

/// Checks that what conv and conv_transpose share: ranks and attribute lengths.
template <typename OpTy>
static LogicalResult checkConv(std::optional<Location> location,
                               typename OpTy::Adaptor op) {
  if (failed(checkDims<OpTy>(location, op.getOperands())))
    return failure();
  int64_t rank = getRank(op.getX()), spatial = rank - 2;
  // conv_c1, conv_transpose_c1: 1 to 3 spatial dims, weight of the same rank.
  if (spatial < 1 || spatial > 3 || getRank(op.getWeight()) != rank)
    return inferError<OpTy>(location, "takes x of rank ", rank,
                            " and weight of rank ", getRank(op.getWeight()),
                            ", expected the same rank from 3 to 5");
  auto length = static_cast<size_t>(spatial);
  // conv_c2, conv_transpose_c2: attributes have an entry for each spatial dim.
  if (op.getStrides().size() != length || op.getDilations().size() != length ||
      op.getPads().size() != 2 * length)
    return inferError<OpTy>(location, "has ", op.getStrides().size(),
                            " strides, ", op.getDilations().size(),
                            " dilations and ", op.getPads().size(),
                            " pads for ", spatial, " spatial dims");
  // conv_c3, conv_transpose_c3: strides and dilations are positive, pads are
  // not negative.
  auto isPositive = [](int64_t value) { return value > 0; };
  auto isNegative = [](int64_t value) { return value < 0; };
  if (!llvm::all_of(op.getStrides(), isPositive) ||
      !llvm::all_of(op.getDilations(), isPositive) ||
      llvm::any_of(op.getPads(), isNegative))
    return inferError<OpTy>(
        location, "needs positive strides and dilations, and pads from 0 on");
  // conv_c4, conv_transpose_c4: groups divide the weight's first dim.
  std::optional<int64_t> first =
      getConstant(getDim(op.getWeight().getType(), 0));
  auto groups = static_cast<int64_t>(op.getGroups());
  if (groups < 1 || (first && *first % groups != 0))
    return inferError<OpTy>(location, "has ", groups,
                            " groups that do not divide dim 0 of the weight, ",
                            toString(getDim(op.getWeight().getType(), 0)));
  return success();
}

/// Element types and the bias, for conv and conv_transpose.
template <typename OpTy>
static LogicalResult verifyConv(OpTy op, AffineExpr channels) {
  // conv_c5, conv_transpose_c5: the result is of floats or i32, and so is the
  // bias.
  Type type = getElementType(op.getY());
  if ((!isFloat(type) && !type.isSignlessInteger(32)) ||
      (op.getBias() && getElementType(op.getBias()) != type))
    return op.emitOpError(
               "result and bias must have one element type of floats, or i32, "
               "but the result has ")
           << type;
  // conv_c6, conv_transpose_c6: the bias has an element for each channel.
  if (op.getBias() &&
      contradict(getDims(op.getBias().getType()), Dims{channels}))
    return op.emitOpError("bias has shape ")
           << toString(getDims(op.getBias().getType())) << ", expected ["
           << toString(channels) << "]";
  return success();
}

LogicalResult
ConvOp::inferReturnTypes(MLIRContext *context, std::optional<Location> location,
                         ValueRange operands, DictionaryAttr attributes,
                         OpaqueProperties properties, RegionRange regions,
                         SmallVectorImpl<Type> &inferredReturnTypes) {
  Adaptor op(operands, attributes, properties, regions);
  if (failed(checkConv<ConvOp>(location, op)))
    return failure();
  Dims dims = getDims(op.getX().getType());
  Dims weight = getDims(op.getWeight().getType());
  size_t spatial = dims.size() - 2;
  size_t channel = op.getChannelsLast() ? dims.size() - 1 : 1;
  size_t first = op.getChannelsLast() ? 1 : 2;
  // conv_c9: operands have one element type, or both 8-bit integers.
  Type type =
      inferSum(getElementType(op.getX()), getElementType(op.getWeight()));
  if (!type)
    return inferError<ConvOp>(location, "multiplies ",
                              getElementType(op.getX()), " by ",
                              getElementType(op.getWeight()));
  // conv_c7: the weight's input channels are those of a group.
  AffineExpr expected =
      simplify(weight[1] * static_cast<int64_t>(op.getGroups()));
  if (contradict(dims[channel], expected))
    return inferError<ConvOp>(location, "x has ", toString(dims[channel]),
                              " channels, the weight expects ",
                              toString(expected));
  dims[channel] = weight[0];
  for (size_t i = 0; i < spatial; ++i) {
    AffineExpr extent = getWindowExtent(
        dims[first + i], op.getPads()[i] + op.getPads()[spatial + i],
        weight[2 + i], op.getDilations()[i], op.getStrides()[i]);
    // conv_c8: the kernel fits into the padded extent.
    if (std::optional<int64_t> size = getConstant(extent); size && *size < 1)
      return inferError<ConvOp>(location, "kernel of extent ",
                                toString(weight[2 + i]),
                                " exceeds the padded spatial dim ", i);
    dims[first + i] = extent;
  }
  inferredReturnTypes.push_back(makeTensorType(type, dims));
  return success();
}

LogicalResult ConvOp::verify() {
  if (failed(verifyInferred(*this)))
    return failure();
  // conv_c10: pads of floats are zeros, those of integers a number of the type.
  Type type = getElementType(getX());
  int64_t value = getPadValue();
  unsigned width = type.getIntOrFloatBitWidth();
  bool fits =
      isa<IntegerType>(type) &&
      (type.isUnsignedInteger() ? value >= 0 && llvm::isUIntN(width, value)
                                : llvm::isIntN(width, value));
  if (value != 0 && !fits)
    return emitOpError("pads ") << type << " with " << value;
  return verifyConv(*this, getDim(getWeight().getType(), 0));
}

AffineExpr ConvOp::getFlops() {
  Dims weight = getDims(getWeight().getType());
  AffineExpr taps =
      product(getContext(), ArrayRef<AffineExpr>(weight).drop_front());
  return twice(getNumElements(getType()) * taps);
}

//===----------------------------------------------------------------------===//
// conv_transpose
//===----------------------------------------------------------------------===//

LogicalResult ConvTransposeOp::inferReturnTypes(
    MLIRContext *context, std::optional<Location> location, ValueRange operands,
    DictionaryAttr attributes, OpaqueProperties properties, RegionRange regions,
    SmallVectorImpl<Type> &inferredReturnTypes) {
  Adaptor op(operands, attributes, properties, regions);
  if (failed(checkConv<ConvTransposeOp>(location, op)))
    return failure();
  Dims dims = getDims(op.getX().getType());
  Dims weight = getDims(op.getWeight().getType());
  size_t spatial = dims.size() - 2;
  // conv_transpose_c7: output_padding has an entry for each spatial dim.
  if (op.getOutputPadding().size() != spatial)
    return inferError<ConvTransposeOp>(
        location, "has ", op.getOutputPadding().size(), " output paddings for ",
        spatial, " spatial dims");
  // conv_transpose_c8: the weight's first dim is the channels of x.
  if (contradict(dims[1], weight[0]))
    return inferError<ConvTransposeOp>(location, "x has ", toString(dims[1]),
                                       " channels, the weight expects ",
                                       toString(weight[0]));
  dims[1] = simplify(weight[1] * static_cast<int64_t>(op.getGroups()));
  for (size_t i = 0; i < spatial; ++i) {
    int64_t pads = op.getPads()[i] + op.getPads()[spatial + i];
    dims[2 + i] = simplify((dims[2 + i] - 1) * op.getStrides()[i] +
                           (weight[2 + i] - 1) * op.getDilations()[i] + 1 +
                           op.getOutputPadding()[i] - pads);
    // conv_transpose_c9: something is left of the result.
    if (std::optional<int64_t> size = getConstant(dims[2 + i]);
        size && *size < 0)
      return inferError<ConvTransposeOp>(
          location, "pads exceed the extent of spatial dim ", i);
  }
  inferredReturnTypes.push_back(
      makeTensorType(getElementType(op.getX()), dims));
  return success();
}

LogicalResult ConvTransposeOp::verify() {
  if (failed(verifyInferred(*this)))
    return failure();
  // conv_transpose_c10: operands have one element type.
  if (getElementType(getX()) != getElementType(getWeight()))
    return emitOpError("multiplies ")
           << getElementType(getX()) << " by " << getElementType(getWeight());
  return verifyConv(*this, getDim(getType(), 1));
}

AffineExpr ConvTransposeOp::getFlops() {
  Dims weight = getDims(getWeight().getType());
  AffineExpr taps =
      product(getContext(), ArrayRef<AffineExpr>(weight).drop_front());
  return twice(getNumElements(getX().getType()) * taps);
}
