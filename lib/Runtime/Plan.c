/* Greedy best fit, as in "Efficient Memory Management for Deep Neural Net
 * Inference" (Pisarchyk and Lee, 2020): buffers in a fixed order, each into the
 * smallest gap between buffers that are alive at the same time. The order is by
 * size; where that misses the lower bound, also by breadth (the busiest step
 * first), which suits networks with long skip connections; the better one wins.
 */
#include "Plan.h"

#include <string.h>

/* Trying a second order doubles a time that grows with the square. */
#define MAX_COUNT_FOR_BREADTH 1024u

static bool round_up(uint64_t bytes, uint64_t *out) {
  uint64_t sum;
  if (__builtin_add_overflow(bytes, (uint64_t)EFFRT_PLAN_ALIGN - 1, &sum))
    return false;
  *out = sum & ~((uint64_t)EFFRT_PLAN_ALIGN - 1);
  return true;
}

/* A plan in the making; all arrays but `items` are work space. */
typedef struct planner {
  const effrt_plan_item *items;
  size_t count;
  uint64_t *live;    /* bytes alive at each step */
  uint64_t *breadth; /* of each item: the most alive during its life */
  uint64_t *offsets;
  uint32_t *order;
  uint32_t *placed; /* by offset */
  size_t num_placed;
  bool by_breadth;
} planner;

/* Broader, then larger, then earlier; the index makes the order total. */
static bool goes_before(const planner *p, uint32_t a, uint32_t b) {
  const effrt_plan_item *x = &p->items[a], *y = &p->items[b];
  if (p->by_breadth && p->breadth[a] != p->breadth[b])
    return p->breadth[a] > p->breadth[b];
  if (x->bytes != y->bytes)
    return x->bytes > y->bytes;
  if (x->first != y->first)
    return x->first < y->first;
  return a < b;
}

static void sift_down(const planner *p, size_t root, size_t count) {
  uint32_t *order = p->order;
  for (size_t child; (child = 2 * root + 1) < count; root = child) {
    if (child + 1 < count && goes_before(p, order[child], order[child + 1]))
      ++child;
    if (!goes_before(p, order[root], order[child]))
      return;
    uint32_t swap = order[root];
    order[root] = order[child];
    order[child] = swap;
  }
}

/* Heap sort: qsort of glibc may allocate, and binding shapes should not. */
static void sort_items(const planner *p) {
  for (size_t i = 0; i < p->count; ++i)
    p->order[i] = (uint32_t)i;
  for (size_t i = p->count / 2; i-- > 0;)
    sift_down(p, i, p->count);
  for (size_t end = p->count; end-- > 1;) {
    uint32_t swap = p->order[0];
    p->order[0] = p->order[end];
    p->order[end] = swap;
    sift_down(p, 0, end);
  }
}

/* The offset for `item` of rounded size `bytes`: the smallest gap that takes
 * it, else behind all that it meets. Placed items fit 64 bits. */
static uint64_t find_offset(const planner *p, const effrt_plan_item *item,
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

static void insert_placed(planner *p, uint32_t index) {
  size_t at = p->num_placed++;
  while (at > 0 && p->offsets[p->placed[at - 1]] > p->offsets[index])
    --at;
  memmove(p->placed + at + 1, p->placed + at,
          (p->num_placed - 1 - at) * sizeof(uint32_t));
  p->placed[at] = index;
}

static bool place_all(planner *p, uint64_t *total) {
  sort_items(p);
  p->num_placed = 0;
  *total = 0;
  for (size_t i = 0; i < p->count; ++i) {
    uint32_t index = p->order[i];
    uint64_t bytes, end;
    p->offsets[index] = 0;
    if (!round_up(p->items[index].bytes, &bytes))
      return false;
    if (bytes == 0)
      continue;
    p->offsets[index] = find_offset(p, &p->items[index], bytes);
    if (__builtin_add_overflow(p->offsets[index], bytes, &end))
      return false;
    if (end > *total)
      *total = end;
    insert_placed(p, index);
  }
  return true;
}

/* Fills `live`; returns its maximum. Differences wrap around and cancel in the
 * running sum. */
static uint64_t measure_live(planner *p, uint32_t num_steps) {
  memset(p->live, 0, ((size_t)num_steps + 1) * sizeof(*p->live));
  for (size_t i = 0; i < p->count; ++i) {
    uint64_t bytes = 0;
    (void)round_up(p->items[i].bytes, &bytes);
    p->live[p->items[i].first] += bytes;
    p->live[(size_t)p->items[i].last + 1] -= bytes;
  }
  uint64_t live = 0, most = 0;
  for (uint32_t step = 0; step < num_steps; ++step) {
    live += p->live[step];
    p->live[step] = live;
    if (live > most)
      most = live;
  }
  return most;
}

static void measure_breadth(planner *p) {
  for (size_t i = 0; i < p->count; ++i) {
    p->breadth[i] = 0;
    for (uint32_t step = p->items[i].first; step <= p->items[i].last; ++step)
      if (p->live[step] > p->breadth[i])
        p->breadth[i] = p->live[step];
  }
}

size_t effrt_plan_work_bytes(size_t count, uint32_t num_steps) {
  return ((size_t)num_steps + 1 + 2 * count) * sizeof(uint64_t) +
         2 * count * sizeof(uint32_t);
}

bool effrt_plan_arena(const effrt_plan_item *items, size_t count,
                      uint32_t num_steps, void *work, uint64_t *offsets,
                      uint64_t *arena_bytes, uint64_t *live_bytes) {
  uint64_t *words = work, *other_offsets = words + num_steps + 1 + count;
  planner p = {.items = items,
               .count = count,
               .live = words,
               .breadth = words + num_steps + 1,
               .offsets = offsets,
               .order = (uint32_t *)(other_offsets + count)};
  p.placed = p.order + count;
  if (!place_all(&p, arena_bytes))
    return false;
  *live_bytes = measure_live(&p, num_steps);
  if (*arena_bytes == *live_bytes || count > MAX_COUNT_FOR_BREADTH)
    return true;
  uint64_t other_bytes;
  measure_breadth(&p);
  p.offsets = other_offsets;
  p.by_breadth = true;
  if (place_all(&p, &other_bytes) && other_bytes < *arena_bytes) {
    memcpy(offsets, other_offsets, count * sizeof(*offsets));
    *arena_bytes = other_bytes;
  }
  return true;
}
