/* What a session does before its first run, so that this one costs little more
 * than any other: programs without free sizes are bound, and the pages of
 * kernels and of a small arena are brought in. Weights come in as they are
 * read.
 */
#define _GNU_SOURCE
#include "Internal.h"

#include <sys/mman.h>
#include <unistd.h>

/* From here on the arena is in huge pages where the system has any, and its
 * first run is long. */
#define MAX_WARM_ARENA (UINT64_C(2) << 20)

/* Whatever fails is tried again by the run, which says why. */
static void bind_known_sizes(effrt_session *session) {
  const effrt_model_desc *desc = session->model->desc;
  uint32_t num_bound = 0;
  /* Half of the slots stay for sizes that runs bring. */
  for (uint32_t i = 0;
       i < desc->num_programs && num_bound < EFFRT_MAX_BOUND / 2; ++i) {
    const effrt_program *p = &desc->programs[i];
    effrt_bound *bound;
    if (effrt_num_given_symbols(p) == 0 &&
        !effrt_eval_dims(p, session->symbols, session->dims, session->known,
                         NULL) &&
        !effrt_check_dims(p, session->dims, NULL) &&
        !effrt_bind(session, i, &bound))
      ++num_bound;
  }
  session->error.text[0] = 0;
}

static void touch_code(const effrt_model_desc *desc) {
  for (uint32_t i = 0; i < desc->num_kernels; ++i)
    (void)*(const volatile uint8_t *)(uintptr_t)desc->kernels[i].fn;
}

static void touch_arena(const effrt_session *session) {
#if defined(MADV_POPULATE_WRITE)
  long size = sysconf(_SC_PAGESIZE);
  if (size <= 0 || session->arena_bytes > MAX_WARM_ARENA)
    return;
  uintptr_t page = (uintptr_t)size, begin = (uintptr_t)session->arena,
            end = begin + session->arena_bytes;
  begin = (begin + page - 1) / page * page;
  end = end / page * page;
  if (begin < end) /* a wish only: older systems do not know it */
    (void)madvise((void *)begin, end - begin, MADV_POPULATE_WRITE);
#else
  (void)session;
#endif
}

void effrt_warm(effrt_session *session) {
  bind_known_sizes(session);
  touch_code(session->model->desc);
  touch_arena(session);
}
