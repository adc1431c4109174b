// A convolution on both sides: effc's channels last, oneDNN's in whichever
// layout is its fastest. Neither side pays for a change of layout.
#ifndef EFFC_BENCH_CONVOLUTION_H
#define EFFC_BENCH_CONVOLUTION_H

#include "Race.h"

namespace effc::bench {

/// Padded so that stride 1 keeps the size; ReLU behind.
struct Convolution {
  int64_t channels;
  Shape map; ///< one or two dims
  int64_t filters;
  Shape kernel;
  Shape strides = Shape(kernel.size(), 1);
  int64_t dilation = 1;
  int64_t groups = 1;
  int64_t batch = 1;
  /// The input has its channels first, as the first layer of a model.
  bool first = false;
  bool transposed = false;

  std::string getName() const;
};

void addConvolution(const char *family, const Convolution &conv);

} // namespace effc::bench

#endif // EFFC_BENCH_CONVOLUTION_H
