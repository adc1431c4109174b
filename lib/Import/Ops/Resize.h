// The parameters of one Resize, and what it takes when they come at run time.
#ifndef EFFC_LIB_IMPORT_OPS_RESIZE_H
#define EFFC_LIB_IMPORT_OPS_RESIZE_H

#include "Emitter.h"

namespace effc {

/// The lists go with `axes`.
struct ResizePlan {
  llvm::SmallVector<int64_t> axes;
  /// Result sizes.
  eff::Dims sizes;
  /// Result size over operand size; NaN where only known at run time.
  llvm::SmallVector<double> scales;
  /// Start of every axis, then end; for tf_crop_and_resize.
  llvm::SmallVector<double> roi;
  /// Values of the run, one for each axis (scales) or two (roi); null else.
  mlir::Value runtimeScales, runtimeRoi;
  eff::ResizeMode mode = eff::ResizeMode::Nearest;
  eff::CoordinateMode coordinates = eff::CoordinateMode::HalfPixel;
  eff::NearestMode nearest = eff::NearestMode::RoundPreferFloor;
  /// Upsample and Resize-10: scales of the run decide where `nearest` rounds.
  bool ceilsWhenShrinking = false;
  double cubic = -0.75, extrapolation = 0;
  bool excludeOutside = false, antialias = false;

  double roiLength(size_t i) const {
    return roi.empty() ? 1.0 : roi[i + axes.size()] - roi[i];
  }
};

/// Gathers and weighted sums along each axis, with coordinates computed from
/// the operands.
mlir::Value emitRuntimeResize(NodeContext &ctx, const ResizePlan &plan);

/// Result sizes that the run computes: floor(size * scale), for a list of
/// scales (input 2).
mlir::LogicalResult sizesFromRuntimeScales(NodeContext &ctx, mlir::Value scales,
                                           ResizePlan &plan);

/// keep_aspect_ratio_policy where sizes are not constant: the smallest or
/// largest quotient of them becomes the scale of all axes.
mlir::LogicalResult applyRuntimePolicy(NodeContext &ctx, bool smallest,
                                       ResizePlan &plan);

} // namespace effc

#endif // EFFC_LIB_IMPORT_OPS_RESIZE_H
