// The layers that can compute with fewer bits, under names that statistics,
// options and certificates share.
#ifndef EFFC_LIB_TRANSFORMS_QUANTIZE_LAYERS_H
#define EFFC_LIB_TRANSFORMS_QUANTIZE_LAYERS_H

#include "effc/Analysis/Products.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include <string>
#include <vector>

namespace effc {

/// A product or convolution of f32 tensors.
struct QuantizableLayer {
  Product product;
  /// The node's name; layers of one node, or of nodes of one name, are told
  /// apart by a number ("conv", "conv#2"). Unique in a function, and the same
  /// for every compilation of a model up to this point.
  std::string name;

  mlir::Operation *op() const { return product.op; }
  /// What is multiplied by the weight: statistics are its.
  mlir::OpOperand &getActivation() const { return op()->getOpOperand(0); }
  mlir::OpOperand &getWeight() const { return op()->getOpOperand(1); }
  /// Null where both factors are computed.
  eff::ConstantOp getConstantWeight() const {
    return product.weight.getDefiningOp<eff::ConstantOp>();
  }
};

/// In the order of the function.
std::vector<QuantizableLayer> getQuantizableLayers(mlir::func::FuncOp function);

} // namespace effc

#endif // EFFC_LIB_TRANSFORMS_QUANTIZE_LAYERS_H
