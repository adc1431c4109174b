// The model of time that decides which layers compute with bytes or bf16.
#ifndef EFFC_LIB_TRANSFORMS_QUANTIZE_LAYERCOST_H
#define EFFC_LIB_TRANSFORMS_QUANTIZE_LAYERCOST_H

#include "Layers.h"
#include "effc/Analysis/TileChoice.h"

namespace effc {

/// Cycles of one core with f32 and with narrower types, without conversions of
/// what is read.
struct LayerCost {
  double wide = 0, narrow = 0;
  /// Why the narrower ones gain nothing, or "".
  std::string obstacle;
};

/// On the target that gains least; the weights are constant.
LayerCost estimateCost(const QuantizableLayer &layer,
                       llvm::ArrayRef<eff::TargetAttr> targets,
                       GemmTypes types = GemmTypes::U8S8);

/// The same where only the weights of a linear op are of `bits`, with a scale
/// of f32 for each `group` of them.
LayerCost estimateWeightOnlyCost(const QuantizableLayer &layer, int64_t bits,
                                 int64_t group,
                                 llvm::ArrayRef<eff::TargetAttr> targets);

/// Channels of a group below which a tile is mostly empty.
inline constexpr int64_t kLeastGroupChannels = 8;

/// The targets that a layer must gain on: the module's own where none is given;
/// reports an error where there is none either.
mlir::LogicalResult
settleTargets(mlir::func::FuncOp function, llvm::StringRef pass,
              llvm::SmallVectorImpl<eff::TargetAttr> &targets);

/// Cycles of a kernel that does nothing but convert a tensor.
double estimateConversion(mlir::Value value);

/// Whether the other uses of a value that products read narrow are residual
/// sums, and should read it narrow too: where a conversion beside the wide
/// value would be more than a small share of the cycles of those products.
bool sumsReadNarrow(mlir::Value value,
                    llvm::ArrayRef<mlir::OpOperand *> otherUses,
                    double products);

} // namespace effc

#endif // EFFC_LIB_TRANSFORMS_QUANTIZE_LAYERCOST_H
