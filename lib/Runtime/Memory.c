/* Aligned memory, memory that grows, and arrays laid out in one block. */
#define _GNU_SOURCE
#include "Internal.h"

#include <stdlib.h>
#include <string.h>
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

void effrt_free_guarded(const effrt_model_desc *desc, void *memory,
                        uint64_t bytes) {
  if (desc->unpoison && memory)
    desc->unpoison(memory, bytes);
  free(memory);
}

void effrt_release(const effrt_model_desc *desc, effrt_growable *memory) {
  effrt_free_guarded(desc, memory->data, memory->capacity);
  *memory = (effrt_growable){0};
}

static bool grow_to(const effrt_model_desc *desc, effrt_growable *memory,
                    uint64_t capacity, uint64_t keep) {
  uint8_t *grown = effrt_alloc(capacity);
  if (!grown)
    return false;
  if (desc->unpoison && memory->data)
    desc->unpoison(memory->data, memory->capacity);
  if (keep > 0 && memory->data)
    memcpy(grown, memory->data,
           keep < memory->capacity ? keep : memory->capacity);
  free(memory->data);
  memory->data = grown;
  memory->capacity = capacity;
  return true;
}

bool effrt_grow(const effrt_model_desc *desc, effrt_growable *memory,
                uint64_t bytes, uint64_t keep) {
  /* Sizes are not negative 64-bit numbers, so the sum does not overflow. */
  uint64_t generous = memory->capacity + memory->capacity / 2;
  if (generous < EFFRT_CACHE_LINE)
    generous = EFFRT_CACHE_LINE;
  if (!memory->data || bytes > memory->capacity)
    if (!(generous > bytes && grow_to(desc, memory, generous, keep)) &&
        !grow_to(desc, memory, bytes, keep))
      return false;
  if (desc->poison && desc->unpoison) {
    desc->unpoison(memory->data, bytes);
    desc->poison(memory->data + bytes, memory->capacity - bytes);
  }
  return true;
}

void *effrt_carve(effrt_carver *carver, size_t count, size_t size) {
  void *at = carver->base ? carver->base + carver->bytes : NULL;
  size_t bytes =
      count * size; /* tables of this size are in memory already: no overflow */
  carver->bytes +=
      (bytes + EFFRT_CACHE_LINE - 1) / EFFRT_CACHE_LINE * EFFRT_CACHE_LINE;
  return at;
}
