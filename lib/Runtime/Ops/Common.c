/* What several kernels share: elements of any type, a stable merge sort. */
#include "Ops.h"

#include <string.h>

static double from_half(uint16_t bits) {
  uint64_t sign = (uint64_t)(bits >> 15) << 63, fraction = bits & 0x3ff;
  int32_t exponent = (bits >> 10) & 0x1f;
  double value;
  if (exponent == 0) {
    value = (double)fraction / 16777216.0; /* 2^-24 */
    return sign ? -value : value;
  }
  uint64_t wide = exponent == 31 ? 0x7ff : (uint64_t)(exponent - 15 + 1023);
  uint64_t all = sign | wide << 52 | fraction << 42;
  memcpy(&value, &all, sizeof(value));
  return value;
}

double effrt_op_load_float(const void *data, int64_t code, int64_t index) {
  if (code == EFFRT_OP_FLOAT * 256 + 64)
    return ((const double *)data)[index];
  if (code == EFFRT_OP_FLOAT * 256 + 32)
    return (double)((const float *)data)[index];
  uint16_t bits = ((const uint16_t *)data)[index];
  if (code == EFFRT_OP_FLOAT * 256 + 16)
    return from_half(bits);
  uint32_t wide = (uint32_t)bits << 16;
  float value;
  memcpy(&value, &wide, sizeof(value));
  return (double)value;
}

static void merge(const int64_t *from, int64_t *to, int64_t lo, int64_t middle,
                  int64_t hi, effrt_op_before before, const void *ctx) {
  int64_t a = lo, b = middle;
  for (int64_t i = lo; i < hi; ++i)
    if (a < middle && (b >= hi || !before(ctx, from[b], from[a])))
      to[i] = from[a++];
    else
      to[i] = from[b++];
}

void effrt_op_sort(int64_t *order, int64_t *work, int64_t count,
                   effrt_op_before before, const void *ctx) {
  int64_t *from = order, *to = work;
  for (int64_t i = 0; i < count; ++i)
    order[i] = i;
  for (int64_t width = 1; width < count; width *= 2) {
    for (int64_t lo = 0; lo < count; lo += 2 * width) {
      int64_t middle = count - lo < width ? count : lo + width;
      int64_t hi = count - lo < 2 * width ? count : lo + 2 * width;
      merge(from, to, lo, middle, hi, before, ctx);
    }
    int64_t *other = from;
    from = to;
    to = other;
  }
  if (from != order)
    memcpy(order, from, (size_t)count * sizeof(*order));
}
