// Attributes that convolutions and pools share: kernel, strides, dilations and
// pads, with auto_pad and ceil_mode resolved.
#ifndef EFFC_LIB_IMPORT_OPS_WINDOWS_H
#define EFFC_LIB_IMPORT_OPS_WINDOWS_H

#include "Emitter.h"

namespace effc {

struct Windows {
  /// kDynamic where only the run knows the weight's size, which is in
  /// `extents`.
  llvm::SmallVector<int64_t> kernel;
  eff::Dims extents;
  llvm::SmallVector<int64_t> strides, dilations;
  /// Begin of every spatial dim, then the ends.
  llvm::SmallVector<int64_t> pads;
  /// Set where auto_pad on symbolic sizes gives symbolic pads: begin of every
  /// spatial dim, then the ends; `pads` is 0 then.
  eff::Dims symbolicPads;
  bool ceilMode = false;
  /// auto_pad decides the extent; ceil_mode of the explicit formula does not.
  bool autoPad = false;

  int64_t spatialRank() const { return kernel.size(); }
  /// Extent of a kernel with its gaps.
  int64_t reach(int64_t i) const { return (kernel[i] - 1) * dilations[i] + 1; }
  mlir::AffineExpr reachSize(int64_t i) const {
    return eff::simplify((extents[i] - 1) * dilations[i] + 1);
  }
};

/// Reads the attributes of a node whose operand has the sizes `x` ([N, C,
/// spatial...]). `kernel` is the weight's, which kernel_shape must agree with;
/// empty takes kernel_shape.
std::optional<Windows> readWindows(NodeContext &ctx,
                                   llvm::ArrayRef<mlir::AffineExpr> x,
                                   llvm::ArrayRef<mlir::AffineExpr> kernel);

/// Adds symbolic pads as an op of its own; `value` null pads with zeros.
mlir::Value padWindows(Emitter &e, mlir::Value x, const Windows &windows,
                       mlir::Value value = {});

/// AveragePool with the node's attributes.
mlir::Value emitAveragePool(Emitter &e, mlir::Value x);

/// Moves the channels behind (or back before) the spatial dims of an operand of
/// rank 3 at least.
mlir::Value moveChannels(Emitter &e, mlir::Value x, bool toLast);

/// Sizes of a pool's result.
eff::Dims pooledDims(NodeContext &ctx, llvm::ArrayRef<mlir::AffineExpr> x,
                     const Windows &windows);

} // namespace effc

#endif // EFFC_LIB_IMPORT_OPS_WINDOWS_H
