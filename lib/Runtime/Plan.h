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

/* Numbers of `uint32_t` that effrt_plan_arena needs as work space. */
static inline size_t effrt_plan_work_size(size_t count) { return 2 * count; }

/* Writes an offset for each item, multiples of EFFRT_PLAN_ALIGN, such that
 * items alive at the same step do not overlap, and the size of the arena. Items
 * of zero bytes get offset 0. The result depends on the arguments only. False
 * when a size does not fit 64 bits. */
bool effrt_plan_arena(const effrt_plan_item *items, size_t count,
                      uint64_t *offsets, uint32_t *work, uint64_t *arena_bytes);

/* The most bytes (rounded up to EFFRT_PLAN_ALIGN each) that are alive at one
 * step: no plan can be smaller. `work` holds `num_steps + 1` entries; every
 * `last` is below `num_steps`. */
uint64_t effrt_plan_lower_bound(const effrt_plan_item *items, size_t count,
                                uint32_t num_steps, uint64_t *work);

#ifdef __cplusplus
}
#endif

#endif /* EFFRT_LIB_PLAN_H */
