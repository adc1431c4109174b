/* Kernels of EmitTest's model, as Target would emit them. */
#include "effrt/effrt_abi.h"

/* x [rows, 4] times panels of 4 columns (4 x 3, one column of padding). */
void effc_kernel_matmul(const effrt_kernel_args *args, int64_t lo, int64_t hi,
                        void *scratch) {
  const float *x = args->buffers[0], *w = args->buffers[1],
              *bias = args->buffers[2];
  float *y = args->buffers[3];
  (void)scratch;
  for (int64_t row = lo; row < hi; ++row)
    for (int64_t n = 0; n < 3; ++n) {
      float sum = bias[n];
      for (int64_t k = 0; k < 4; ++k)
        sum += x[row * 4 + k] * w[k * 4 + n];
      y[row * 3 + n] = sum;
    }
}

void effc_kernel_scale(const effrt_kernel_args *args, int64_t lo, int64_t hi,
                       void *scratch) {
  const float *x = args->buffers[0];
  float *y = args->buffers[1];
  (void)scratch;
  for (int64_t i = lo * args->dims[0]; i < hi * args->dims[0]; ++i)
    y[i] = 2.0f * x[i];
}
