/* Kernels that are sequential by nature, written once in C and launched like
 * generated ones (`eff.library`, effrt_kernel_fn in effrt_abi.h).
 *
 * The kernel `effrt_op_{name}` gets the buffers of the operands and then of the
 * results, and as dims those of the op, followed by an element code for each
 * operand. What is a number in ONNX's attributes comes as a dim, or as an
 * operand if it is a float. A result whose size the kernel finds has room for
 * the largest size; the number of entries used is a result too.
 */
#ifndef EFFRT_OPS_OPS_H
#define EFFRT_OPS_OPS_H

#include "effrt/effrt_abi.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Element codes: the kind times 256 plus the bits. Bools are unsigned of 8. */
enum { EFFRT_OP_SIGNED = 0, EFFRT_OP_UNSIGNED = 1, EFFRT_OP_FLOAT = 2 };

/* Element `index` of an array of f16, bf16 (16 bits, kind 3), f32 or f64. */
enum { EFFRT_OP_BFLOAT = 3 };
double effrt_op_load_float(const void *data, int64_t code, int64_t index);

/* Sorts indices 0 to count - 1 so that `before(ctx, a, b)` holds for no b
 * behind an a; equal ones keep their order. `work` has room for `count`
 * entries. */
typedef int (*effrt_op_before)(const void *ctx, int64_t a, int64_t b);
void effrt_op_sort(int64_t *order, int64_t *work, int64_t count,
                   effrt_op_before before, const void *ctx);

/* operands: boxes [B, N, 4], scores [B, C, N], IoU threshold, score threshold
 * results: i64 [room, 3] (batch, class, box), i64 count
 * dims: B, C, N, most boxes of a class, 1 for boxes as center and size, room
 * scratch: 3 * N i64 */
void effrt_op_nms(const effrt_kernel_args *args, int64_t lo, int64_t hi,
                  void *scratch);

/* operands: rows [N, M]
 * results: distinct rows [N, M], i64 [N] each: the first row of each, which of
 *   them each row is, how often each comes; i64 count
 * dims: N, M, 1 for ascending order (else that of first occurrence)
 * scratch: 2 * N i64 */
void effrt_op_unique(const effrt_kernel_args *args, int64_t lo, int64_t hi,
                     void *scratch);

/* All kernels by name, for linkers inside a process; ends with a null name. */
typedef struct effrt_op_entry {
  const char *name;
  effrt_kernel_fn fn;
} effrt_op_entry;
extern const effrt_op_entry effrt_op_table[];

#ifdef __cplusplus
}
#endif

#endif /* EFFRT_OPS_OPS_H */
