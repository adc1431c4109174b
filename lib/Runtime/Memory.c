/* Aligned memory, memory that grows, and arrays laid out in one block. */
#define _GNU_SOURCE
#include "Internal.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define HUGE_PAGE (UINT64_C(2) << 20)
/* Bringing in a page of 4 KB takes 1.5 us on a virtual machine, one of 2 MB
 * 76 us: from 50 small ones on it is the faster of the two, from 128 on it is
 * worth the memory. */
#define MIN_WHOLE_HUGE (HUGE_PAGE / 4)
/* Beyond this a first run is long, whoever brings the pages in. */
#define MAX_PREFAULT (UINT64_C(64) << 20)

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

void effrt_prefault(void *memory, uint64_t bytes, bool write) {
#if defined(MADV_POPULATE_READ) && defined(MADV_POPULATE_WRITE)
  long size = sysconf(_SC_PAGESIZE);
  if (size <= 0 || bytes == 0 || bytes > MAX_PREFAULT)
    return;
  uintptr_t page = (uintptr_t)size, begin = (uintptr_t)memory / page * page,
            end = ((uintptr_t)memory + bytes + page - 1) / page * page;
  /* A wish only: older systems do not know it. */
  (void)madvise((void *)begin, end - begin,
                write ? MADV_POPULATE_WRITE : MADV_POPULATE_READ);
#else
  (void)memory;
  (void)bytes;
  (void)write;
#endif
}

void *effrt_alloc_whole(uint64_t bytes) {
  bool huge = bytes >= MIN_WHOLE_HUGE && bytes <= UINT64_MAX - HUGE_PAGE;
  uint64_t whole = (bytes + HUGE_PAGE - 1) & ~(HUGE_PAGE - 1);
  void *memory = effrt_alloc(huge ? whole : bytes);
  if (memory)
    effrt_prefault(memory, bytes, true);
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
