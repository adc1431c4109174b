/* What a session does before its first run, so that this one costs little more
 * than any other: programs without free sizes are bound, which takes their
 * memory, and the pages of kernels and of few weights are brought in. More
 * weights than that come in as they are read.
 */
#include "Internal.h"

/* Up to here mapping weights takes less than creating a session may; which of
 * them a run reads is not known. */
#define MAX_WARM_WEIGHTS (UINT64_C(32) << 20)
/* Kernels lie side by side in a library; further apart, they are from several
 * places with unknown things between them. */
#define MAX_WARM_CODE (UINT64_C(16) << 20)
/* For sizes that the first run brings: small models need no more. */
#define FIRST_ARENA (UINT64_C(64) << 10)

/* Whatever fails is tried again by the run, which says why. True if all
 * programs have been seen to. */
static bool bind_known_sizes(effrt_session *session) {
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
  return num_bound == desc->num_programs;
}

/* Kernels from the first to the entry of the last, whose own pages are few. */
static void warm_code(const effrt_model_desc *desc) {
  uintptr_t begin = UINTPTR_MAX, end = 0;
  for (uint32_t i = 0; i < desc->num_kernels; ++i) {
    uintptr_t at = (uintptr_t)desc->kernels[i].fn;
    begin = at < begin ? at : begin;
    end = at > end ? at : end;
  }
  if (begin <= end && end - begin <= MAX_WARM_CODE)
    effrt_prefault((void *)begin, end - begin + 1, false);
  for (uint32_t i = 0; i < desc->num_kernels; ++i)
    (void)*(const volatile uint8_t *)(uintptr_t)desc->kernels[i].fn;
}

/* Also what a program with free sizes has of weights; other versions of a
 * library have their own. */
static void warm_weights(const effrt_session *session) {
  const effrt_model_desc *desc = session->model->desc;
  uint64_t begin = UINT64_MAX, end = 0;
  for (uint32_t i = 0; i < desc->num_programs; ++i) {
    const effrt_program *p = &desc->programs[i];
    for (uint32_t k = 0; k < p->num_buffers; ++k) {
      const effrt_buffer *buffer = &p->buffers[k];
      const effrt_dim_op *bytes = &p->dims[buffer->bytes];
      if (buffer->kind != EFFRT_BUFFER_WEIGHT ||
          bytes->kind != EFFRT_DIM_CONST || bytes->value <= 0)
        continue;
      uint64_t last = buffer->value + (uint64_t)bytes->value;
      begin = buffer->value < begin ? buffer->value : begin;
      end = last > end ? last : end;
    }
  }
  if (begin < end && end <= desc->weights_size &&
      end - begin <= MAX_WARM_WEIGHTS)
    effrt_prefault((uint8_t *)(uintptr_t)session->model->weights + begin,
                   end - begin, false);
}

void effrt_warm(effrt_session *session) {
  if (!bind_known_sizes(session))
    (void)effrt_reserve_arena(session, FIRST_ARENA);
  session->error.text[0] = 0;
  warm_code(session->model->desc);
  warm_weights(session);
}
