/* Aligned memory, and arrays laid out in one block. */
#define _GNU_SOURCE
#include "Internal.h"

#include <stdlib.h>
#include <sys/mman.h>

#define HUGE_PAGE (UINT64_C(2) << 20)

void *effrt_alloc(uint64_t bytes) {
  void *memory = NULL;
  if (bytes > SIZE_MAX / 2)
    return NULL;
  if (bytes == 0)
    bytes = EFFRT_CACHE_LINE;
  bool huge = bytes >= HUGE_PAGE;
  if (posix_memalign(&memory, huge ? HUGE_PAGE : EFFRT_CACHE_LINE, bytes) != 0)
    return NULL;
#if defined(MADV_HUGEPAGE)
  /* A wish only. Whole pages, so that nothing behind the block changes. */
  if (huge)
    (void)madvise(memory, bytes & ~(HUGE_PAGE - 1), MADV_HUGEPAGE);
#endif
  return memory;
}

void *effrt_carve(effrt_carver *carver, size_t count, size_t size) {
  void *at = carver->base ? carver->base + carver->bytes : NULL;
  size_t bytes =
      count * size; /* tables of this size are in memory already: no overflow */
  carver->bytes +=
      (bytes + EFFRT_CACHE_LINE - 1) / EFFRT_CACHE_LINE * EFFRT_CACHE_LINE;
  return at;
}
