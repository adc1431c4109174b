/* The memory plan: offsets of buffers with known sizes and lifetimes in one
 * arena. Shared by the runtime (once per set of shapes) and the compiler
 * (predicted memory).
 */
#ifndef EFFRT_LIB_PLAN_H
#define EFFRT_LIB_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define EFFRT_PLAN_ALIGN 64u /* a cache line, and the widest vector */

typedef struct effrt_plan_item {
  uint64_t bytes;
  uint32_t first; /* steps at which the buffer is alive, both inclusive */
  uint32_t last;
} effrt_plan_item;

/* Bytes of work space for a plan, aligned to 8. */
size_t effrt_plan_work_bytes(size_t count, uint32_t num_steps);

/* Writes an offset for each item, multiples of EFFRT_PLAN_ALIGN, such that
 * items alive at the same step do not overlap. Items of zero bytes get offset
 * 0. Every `last` is below `num_steps`.
 *
 * `arena_bytes` is the size of the arena, `live_bytes` the most that is alive
 * at one step (sizes rounded up to EFFRT_PLAN_ALIGN): no plan can be smaller.
 * The result depends on the arguments only. False when a size does not fit 64
 * bits. */
bool effrt_plan_arena(const effrt_plan_item *items, size_t count,
                      uint32_t num_steps, void *work, uint64_t *offsets,
                      uint64_t *arena_bytes, uint64_t *live_bytes);

#ifdef __cplusplus
}
#endif

#endif /* EFFRT_LIB_PLAN_H */
