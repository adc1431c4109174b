// Which range of floats the 256 steps of a byte cover, chosen from what
// calibration saw (docs/quantization.md, "Ranges").
#ifndef EFFC_LIB_TRANSFORMS_QUANTIZE_RANGES_H
#define EFFC_LIB_TRANSFORMS_QUANTIZE_RANGES_H

#include "effc/Support/Statistics.h"
#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringRef.h"
#include <optional>
#include <vector>

namespace effc {

/// byte = round(x / scale) + zero, clamped to 0 and 255.
struct ByteRange {
  float scale = 1;
  int64_t zero = 0;
  /// How it was found: "min-max", "percentile", "mse" or "entropy".
  llvm::StringLiteral method = "min-max";
  /// Estimated mean square of what the readers' results are off by, over the
  /// mean square of the results.
  double error = 0;

  /// Steps over [low, high], to which 0 is added. Nothing where no normal
  /// float is the step.
  static std::optional<ByteRange> get(double low, double high,
                                      llvm::StringLiteral method);

  double getLow() const { return static_cast<double>(0 - zero) * scale; }
  double getHigh() const { return static_cast<double>(255 - zero) * scale; }
};

/// For each channel of a layer's input the sum of the squares of the weights
/// that multiply it; one number where channels are not known.
using ChannelWeights = std::vector<double>;

/// How a range is chosen: the candidate whose estimated error is least, or
/// those of one method.
enum class RangeMethod { Best, MinMax, Percentile, MSE, Entropy };
std::optional<RangeMethod> parseRangeMethod(llvm::StringRef name);

/// The range for a tensor that these layers read.
std::optional<ByteRange> chooseRange(const TensorStatistics &tensor,
                                     llvm::ArrayRef<ChannelWeights> readers,
                                     RangeMethod method = RangeMethod::Best);

} // namespace effc

#endif // EFFC_LIB_TRANSFORMS_QUANTIZE_RANGES_H
