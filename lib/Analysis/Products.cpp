// See Products.h. Weights of linear ops and convolutions have one dim of
// channels, all others are summed; of a matrix product only one dim is.
#include "effc/Analysis/Products.h"

using namespace mlir;
using namespace effc;
using namespace effc::eff;

static RankedTensorType typeOf(Value value) {
  return cast<RankedTensorType>(value.getType());
}

std::optional<Product> Product::get(Operation *op) {
  if (!isa<ConvOp, LinearOp, MatmulOp>(op))
    return std::nullopt;
  Product product{op, op->getOperand(0), op->getOperand(1), {}};
  product.axis = typeOf(op->getResult(0)).getRank() - 1;
  if (auto conv = dyn_cast<ConvOp>(op)) {
    product.bias = conv.getBias();
    product.axis = conv.getChannelsLast() ? product.axis : 1;
  } else if (auto linear = dyn_cast<LinearOp>(op)) {
    product.bias = linear.getBias();
    product.weightAxis = linear.getTransposeWeight() ? 0 : 1;
  } else {
    auto matmul = cast<MatmulOp>(op);
    product.weightAxis =
        typeOf(matmul.getB()).getRank() - (matmul.getTransposeB() ? 2 : 1);
  }
  return product;
}

int64_t Product::countTerms() const {
  Dims dims = getDims(weight.getType());
  if (auto matmul = dyn_cast<MatmulOp>(op))
    return getConstant(dims[dims.size() - (matmul.getTransposeB() ? 1 : 2)])
        .value_or(0);
  dims.erase(dims.begin() + weightAxis);
  return getConstant(eff::product(op->getContext(), dims)).value_or(0);
}

bool Product::sumsOfBytesFit() const {
  constexpr int64_t largest = 255;
  int64_t terms = countTerms();
  return terms != 0 && terms <= INT32_MAX / (largest * largest);
}

Value Product::alignToResult(OpBuilder &b, Value vector) const {
  RankedTensorType type = typeOf(vector);
  int64_t behind = typeOf(op->getResult(0)).getRank() - 1 - axis;
  if (type.getRank() == 0 || behind == 0)
    return vector;
  SmallVector<int64_t> shape(behind + 1, 1);
  shape[0] = type.getDimSize(0);
  return b.createOrFold<ReshapeOp>(
      vector.getLoc(), RankedTensorType::get(shape, type.getElementType()),
      vector);
}
