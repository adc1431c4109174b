/* Greedy best fit by size, as in "Efficient Memory Management for Deep Neural
 * Net Inference" (Pisarchyk and Lee, 2020, "greedy by size"): the largest
 * buffer first, each into the smallest gap between buffers that are alive at
 * the same time.
 */
#include "Plan.h"

#include <string.h>

static bool round_up(uint64_t bytes, uint64_t *out) {
  uint64_t sum;
  if (__builtin_add_overflow(bytes, (uint64_t)EFFRT_PLAN_ALIGN - 1, &sum))
    return false;
  *out = sum & ~((uint64_t)EFFRT_PLAN_ALIGN - 1);
  return true;
}

/* Larger first; then the one that starts earlier; the index makes the order
 * total. */
static bool goes_before(const effrt_plan_item *items, uint32_t a, uint32_t b) {
  if (items[a].bytes != items[b].bytes)
    return items[a].bytes > items[b].bytes;
  if (items[a].first != items[b].first)
    return items[a].first < items[b].first;
  return a < b;
}

static void sift_down(const effrt_plan_item *items, uint32_t *order,
                      size_t root, size_t count) {
  for (size_t child; (child = 2 * root + 1) < count; root = child) {
    if (child + 1 < count && goes_before(items, order[child], order[child + 1]))
      ++child;
    if (!goes_before(items, order[root], order[child]))
      return;
    uint32_t swap = order[root];
    order[root] = order[child];
    order[child] = swap;
  }
}

/* Heap sort: qsort of glibc may allocate, and binding shapes should not. */
static void sort_items(const effrt_plan_item *items, uint32_t *order,
                       size_t count) {
  for (size_t i = 0; i < count; ++i)
    order[i] = (uint32_t)i;
  for (size_t i = count / 2; i-- > 0;)
    sift_down(items, order, i, count);
  for (size_t end = count; end-- > 1;) {
    uint32_t swap = order[0];
    order[0] = order[end];
    order[end] = swap;
    sift_down(items, order, 0, end);
  }
}

typedef struct placement {
  const effrt_plan_item *items;
  uint64_t *offsets;
  uint32_t *placed; /* by offset */
  size_t num_placed;
} placement;

/* The offset for `item` of rounded size `bytes`: the smallest gap that takes
 * it, else behind all that it meets. Sizes of placed items were rounded once
 * already and cannot overflow. */
static uint64_t find_offset(const placement *p, const effrt_plan_item *item,
                            uint64_t bytes) {
  uint64_t end = 0, best = 0, best_gap = UINT64_MAX;
  for (size_t i = 0; i < p->num_placed; ++i) {
    const effrt_plan_item *other = &p->items[p->placed[i]];
    if (other->last < item->first || item->last < other->first)
      continue;
    uint64_t offset = p->offsets[p->placed[i]], size = 0;
    if (offset > end && offset - end >= bytes && offset - end < best_gap) {
      best = end;
      best_gap = offset - end;
    }
    (void)round_up(other->bytes, &size);
    if (offset + size > end)
      end = offset + size;
  }
  return best_gap != UINT64_MAX ? best : end;
}

static void insert_placed(placement *p, uint32_t index) {
  size_t at = p->num_placed++;
  while (at > 0 && p->offsets[p->placed[at - 1]] > p->offsets[index])
    --at;
  memmove(p->placed + at + 1, p->placed + at,
          (p->num_placed - 1 - at) * sizeof(uint32_t));
  p->placed[at] = index;
}

bool effrt_plan_arena(const effrt_plan_item *items, size_t count,
                      uint64_t *offsets, uint32_t *work,
                      uint64_t *arena_bytes) {
  uint32_t *order = work;
  placement p = {items, offsets, work + count, 0};
  uint64_t total = 0;
  sort_items(items, order, count);
  for (size_t i = 0; i < count; ++i) {
    uint32_t index = order[i];
    offsets[index] = 0;
    uint64_t bytes, end;
    if (!round_up(items[index].bytes, &bytes))
      return false;
    if (bytes == 0)
      continue;
    offsets[index] = find_offset(&p, &items[index], bytes);
    if (__builtin_add_overflow(offsets[index], bytes, &end))
      return false;
    if (end > total)
      total = end;
    insert_placed(&p, index);
  }
  *arena_bytes = total;
  return true;
}

uint64_t effrt_plan_lower_bound(const effrt_plan_item *items, size_t count,
                                uint32_t num_steps, uint64_t *work) {
  /* Differences wrap around and cancel in the running sum. */
  memset(work, 0, ((size_t)num_steps + 1) * sizeof(*work));
  for (size_t i = 0; i < count; ++i) {
    uint64_t bytes = 0;
    (void)round_up(items[i].bytes, &bytes);
    work[items[i].first] += bytes;
    work[items[i].last + 1] -= bytes;
  }
  uint64_t live = 0, most = 0;
  for (uint32_t step = 0; step < num_steps; ++step) {
    live += work[step];
    if (live > most)
      most = live;
  }
  return most;
}
