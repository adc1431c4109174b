/* A small hand-written model, as Emit would write it: two programs over three
 * kernels and a weight.
 *
 *   t[b, s] = weight * x[b, s] + bias[s];  y[b, s] = t[rows[b], s];  sums[b] =
 * sum of y[b, :]
 *
 * with x: [batch, seq], bias: [length] where length must equal seq, rows:
 * [batch] and an unused mask: [seq + 1]. The program "fixed" is the same for
 * batch 2, seq 3.
 */
#include "effrt/effrt_abi.h"

#include <string.h>

/* dims: seq; buffers: x, bias, weight, t. Iterates over elements. */
static void scale(const effrt_kernel_args *args, int64_t lo, int64_t hi,
                  void *scratch) {
  const float *x = args->buffers[0], *bias = args->buffers[1],
              *weight = args->buffers[2];
  float *t = args->buffers[3];
  (void)scratch;
  for (int64_t i = lo; i < hi; ++i)
    t[i] = weight[0] * x[i] + bias[i % args->dims[0]];
}

/* dims: batch, seq; buffers: t, rows, y. Iterates over rows. */
static void gather(const effrt_kernel_args *args, int64_t lo, int64_t hi,
                   void *scratch) {
  const float *t = args->buffers[0];
  const int64_t *rows = args->buffers[1];
  float *y = args->buffers[2];
  int64_t seq = args->dims[1];
  (void)scratch;
  for (int64_t i = lo; i < hi; ++i) {
    if (rows[i] < 0 || rows[i] >= args->dims[0])
      __atomic_store_n(args->error,
                       rows[i] == -7 ? 77 : EFFRT_KERNEL_INDEX_OUT_OF_RANGE,
                       __ATOMIC_RELAXED);
    else
      memcpy(y + i * seq, t + rows[i] * seq, (size_t)seq * sizeof(float));
  }
}

/* dims: seq; buffers: y, sums. Iterates over rows; writes all of its scratch to
 * show it is there. */
static void row_sums(const effrt_kernel_args *args, int64_t lo, int64_t hi,
                     void *scratch) {
  const float *y = args->buffers[0];
  float *sums = args->buffers[1], *copy = scratch;
  int64_t seq = args->dims[0];
  for (int64_t i = lo; i < hi; ++i) {
    memcpy(copy, y + i * seq, (size_t)seq * sizeof(float));
    sums[i] = 0;
    for (int64_t s = 0; s < seq; ++s)
      sums[i] += copy[s];
  }
}

static const effrt_kernel kernels[] = {
    {scale, "k0_scale", "mul,add", "loops"},
    {gather, "k1_gather", "pick", "rows"},
    {row_sums, "k2_row_sums", "sum", 0},
};

enum {
  D_BATCH,
  D_SEQ,
  D_LENGTH,
  D_ONE,
  D_FOUR,
  D_MASK,
  D_SIZE,
  D_SIZE_BYTES,
  D_SEQ_BYTES,
  D_EIGHT,
  D_ROWS_BYTES,
  D_SUMS_BYTES,
  D_MASK_BYTES,
  D_ZERO,
  D_FLOPS,
  NUM_DIMS
};

#define SHARED_DIMS                                                            \
  {EFFRT_DIM_CONST, 0, 0, 0, 1}, {EFFRT_DIM_CONST, 0, 0, 0, 4},                \
      {EFFRT_DIM_ADD, D_SEQ, D_ONE, 0, 0},                                     \
      {EFFRT_DIM_MUL, D_BATCH, D_SEQ, 0, 0},                                   \
      {EFFRT_DIM_MUL, D_SIZE, D_FOUR, 0, 0},                                   \
      {EFFRT_DIM_MUL, D_SEQ, D_FOUR, 0, 0}, {EFFRT_DIM_CONST, 0, 0, 0, 8},     \
      {EFFRT_DIM_MUL, D_BATCH, D_EIGHT, 0, 0},                                 \
      {EFFRT_DIM_MUL, D_BATCH, D_FOUR, 0, 0},                                  \
      {EFFRT_DIM_MUL, D_MASK, D_FOUR, 0, 0}, {EFFRT_DIM_CONST, 0, 0, 0, 0},    \
      {EFFRT_DIM_ADD, D_SIZE, D_SIZE, 0, 0}

static const effrt_dim_op main_dims[NUM_DIMS] = {{EFFRT_DIM_SYMBOL, 0, 0, 0, 0},
                                                 {EFFRT_DIM_SYMBOL, 1, 0, 0, 0},
                                                 {EFFRT_DIM_SYMBOL, 2, 0, 0, 0},
                                                 SHARED_DIMS};
static const effrt_dim_op fixed_dims[NUM_DIMS] = {{EFFRT_DIM_CONST, 0, 0, 0, 2},
                                                  {EFFRT_DIM_CONST, 0, 0, 0, 3},
                                                  {EFFRT_DIM_CONST, 0, 0, 0, 3},
                                                  SHARED_DIMS};

static const uint32_t x_dims[] = {D_BATCH, D_SEQ}, bias_dims[] = {D_LENGTH};
static const uint32_t rows_dims[] = {D_BATCH}, mask_dims[] = {D_MASK};
static const char *const x_texts[] = {"batch", "seq"}, *const bias_texts[] = {
                                                           "length"};
static const char *const rows_texts[] = {"batch"}, *const mask_texts[] = {
                                                       "seq + 1"};

static const effrt_tensor_desc inputs[] = {
    {"x", EFFRT_DTYPE_F32, 2, x_dims, x_texts, 0, 0},
    {"bias", EFFRT_DTYPE_F32, 1, bias_dims, bias_texts, 0, 0},
    {"rows", EFFRT_DTYPE_I64, 1, rows_dims, rows_texts, 0, 0},
    {"mask", EFFRT_DTYPE_F32, 1, mask_dims, mask_texts, 0, 0},
};
static const effrt_tensor_desc outputs[] = {
    {"y", EFFRT_DTYPE_F32, 2, x_dims, x_texts, 0, 0},
    {"sums", EFFRT_DTYPE_F32, 1, rows_dims, rows_texts, 0, 0},
};

static const effrt_symbol symbols[] = {
    {.name = "batch", .index = 0, .axis = 0, .min = 1, .max = 64},
    {.name = "seq", .index = 0, .axis = 1, .min = 1, .max = INT64_MAX},
    {.name = "length", .index = 1, .axis = 0, .min = 1, .max = INT64_MAX}};
static const effrt_dim_check checks[] = {
    {D_LENGTH, D_SEQ, "node 'add': bias does not have the length of x", 0, 0}};

static const effrt_buffer buffers[] = {
    {EFFRT_BUFFER_INPUT, D_SIZE_BYTES, 0, 0, 0},
    {EFFRT_BUFFER_INPUT, D_SEQ_BYTES, 1, 0, 0},
    {EFFRT_BUFFER_WEIGHT, D_FOUR, 4, 0, 0},
    {EFFRT_BUFFER_ARENA, D_SIZE_BYTES, 0, 0, 1},
    {EFFRT_BUFFER_INPUT, D_ROWS_BYTES, 2, 0, 0},
    {EFFRT_BUFFER_OUTPUT, D_SIZE_BYTES, 0, 0, 0},
    {EFFRT_BUFFER_OUTPUT, D_SUMS_BYTES, 1, 0, 0}};

static const uint32_t scale_buffers[] = {0, 1, 2, 3},
                      gather_buffers[] = {3, 4, 5};
static const uint32_t sums_buffers[] = {5, 6};
static const uint32_t scale_args[] = {D_SEQ}, gather_args[] = {D_BATCH, D_SEQ};
static const effrt_launch launches[] = {
    {0, 4, scale_buffers, scale_args, 1, D_SIZE, D_ZERO, D_FLOPS, D_SIZE_BYTES,
     D_SIZE, 0, 0},
    {1, 3, gather_buffers, gather_args, 2, D_BATCH, D_ZERO, D_ZERO,
     D_SIZE_BYTES, D_SIZE, 0, 0},
    {2, 2, sums_buffers, scale_args, 1, D_BATCH, D_SEQ_BYTES, D_SIZE,
     D_SIZE_BYTES, D_SIZE, 0, 0},
};

#define TABLES inputs, outputs, buffers, launches, 0, 0
static const effrt_program programs[] = {
    {"fixed", 0, fixed_dims, 0, TABLES, 0, NUM_DIMS, 0, 4, 2, 7, 3, 0, 0, 0},
    {"main", symbols, main_dims, checks, TABLES, 3, NUM_DIMS, 1, 4, 2, 7, 3, 0,
     0, 0},
};

static const float weights[] = {0.0f, 2.0f};

const effrt_model_desc effc_model_table = {EFFRT_MAGIC,
                                           EFFRT_ABI_VERSION,
                                           sizeof(effrt_model_desc),
                                           2,
                                           "toy",
                                           "v3",
                                           0,
                                           "{\"name\": \"toy\"}",
                                           kernels,
                                           programs,
                                           weights,
                                           sizeof(weights),
                                           0,
                                           0,
                                           3,
                                           0,
                                           0,
                                           0,
                                           0};
