// Channels that differ in size, brought nearer to each other before they share
// the steps of a byte.
#ifndef EFFC_LIB_TRANSFORMS_QUANTIZE_BALANCE_H
#define EFFC_LIB_TRANSFORMS_QUANTIZE_BALANCE_H

#include "LayerWeights.h"

namespace effc {

/// Each channel of an input is divided by its factor, and the weights that
/// read it are multiplied by that.
struct Balance {
  std::vector<float> factors;
  /// Of the input divided.
  ByteRange range;
  /// How much of the difference goes to the weights, 0 to 1.
  double share = 0;
};

/// For a tensor that these layers read; nothing where it gains too little over
/// `range`, or where channels are not known.
std::optional<Balance> chooseBalance(const TensorStatistics &tensor,
                                     const ByteRange &range,
                                     const ChannelInput &input,
                                     llvm::ArrayRef<LayerWeights *> readers);

} // namespace effc

#endif // EFFC_LIB_TRANSFORMS_QUANTIZE_BALANCE_H
