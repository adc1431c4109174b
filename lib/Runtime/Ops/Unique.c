/* ONNX Unique-11 on rows: sorts their numbers, then names equal neighbours. */
#include "Ops.h"

#include <string.h>

typedef struct rows {
  const void *data;
  int64_t code, length;
} rows;

static int compare_floats(double x, double y) {
  /* NaN is above all numbers and equal to itself. */
  if (x != x || y != y)
    return (x != x) - (y != y);
  return (x > y) - (x < y);
}

static int64_t load_signed(const void *data, int64_t bits, int64_t i) {
  switch (bits) {
  case 8:
    return ((const int8_t *)data)[i];
  case 16:
    return ((const int16_t *)data)[i];
  case 32:
    return ((const int32_t *)data)[i];
  default:
    return ((const int64_t *)data)[i];
  }
}

static uint64_t load_unsigned(const void *data, int64_t bits, int64_t i) {
  switch (bits) {
  case 8:
    return ((const uint8_t *)data)[i];
  case 16:
    return ((const uint16_t *)data)[i];
  case 32:
    return ((const uint32_t *)data)[i];
  default:
    return ((const uint64_t *)data)[i];
  }
}

static int compare(const rows *r, int64_t a, int64_t b) {
  int64_t kind = r->code / 256, bits = r->code % 256;
  for (int64_t i = 0; i < r->length; ++i) {
    int64_t at = a * r->length + i, of = b * r->length + i;
    int order;
    if (kind >= EFFRT_OP_FLOAT) {
      order = compare_floats(effrt_op_load_float(r->data, r->code, at),
                             effrt_op_load_float(r->data, r->code, of));
    } else if (kind == EFFRT_OP_UNSIGNED) {
      uint64_t x = load_unsigned(r->data, bits, at),
               y = load_unsigned(r->data, bits, of);
      order = (x > y) - (x < y);
    } else {
      int64_t x = load_signed(r->data, bits, at),
              y = load_signed(r->data, bits, of);
      order = (x > y) - (x < y);
    }
    if (order)
      return order;
  }
  return 0;
}

static int before(const void *ctx, int64_t a, int64_t b) {
  return compare(ctx, a, b) < 0;
}

void effrt_op_unique(const effrt_kernel_args *args, int64_t lo, int64_t hi,
                     void *scratch) {
  if (lo >= hi)
    return;
  void *const *buffers = args->buffers;
  int64_t count = args->dims[0], length = args->dims[1];
  int sorted = args->dims[2] != 0;
  rows r = {buffers[0], args->dims[3], length};
  int64_t *first = buffers[2], *number = buffers[3], *times = buffers[4];
  int64_t *order = scratch, *same = order + count, found = 0;
  effrt_op_sort(order, same, count, before, &r);
  /* same[i] is the first row that is equal to row i: the sort is stable. */
  for (int64_t i = 0; i < count; ++i) {
    int isNew = i == 0 || compare(&r, order[i - 1], order[i]) != 0;
    same[order[i]] = isNew ? order[i] : same[order[i - 1]];
  }
  for (int64_t i = 0; i < count; ++i)
    first[i] = times[i] = 0;
  for (int64_t i = 0; i < count; ++i) {
    int64_t row = sorted ? order[i] : i;
    if (same[row] == row) {
      first[found] = row;
      number[row] = found++;
    }
  }
  size_t bytes = (size_t)length * (size_t)(args->dims[3] % 256) / 8;
  for (int64_t i = 0; i < count; ++i) {
    number[i] = number[same[i]];
    ++times[number[i]];
    memcpy((char *)buffers[1] + (size_t)i * bytes,
           (const char *)buffers[0] +
               (size_t)(i < found ? first[i] : 0) * bytes,
           bytes);
  }
  *(int64_t *)buffers[5] = found;
}
