/* The walk over the launches of a bound program: pointers in, kernels called,
 * split over threads where that pays. Allocates nothing.
 */
#define _POSIX_C_SOURCE 200809L
#include "Internal.h"

#include <time.h>

/* Where kernels report errors, for a run that is to end. */
#define CANCELLED INT32_MIN

/* A launch shared out over slots. Each slot works through its own range, which
 * is the same part of the data from launch to launch and so in its cache, then
 * helps with the others'. */
typedef struct region {
  const effrt_bound_launch *launch;
  effrt_session *session;
} region;

static void run_slot(void *ctx, int64_t slot) {
  const region *r = ctx;
  const effrt_bound_launch *launch = r->launch;
  effrt_range *ranges = r->session->ranges;
  void *scratch =
      r->session->scratch + (uint64_t)slot * r->session->scratch_stride;
  for (int32_t i = 0; i < launch->slots; ++i) {
    effrt_range *range = &ranges[(slot + i) % launch->slots];
    while (atomic_load_explicit(&range->next, memory_order_relaxed) <
           range->end) {
      int64_t lo = atomic_fetch_add_explicit(&range->next, launch->chunk,
                                             memory_order_relaxed);
      if (lo >= range->end)
        break;
      int64_t left = range->end - lo;
      launch->fn(&launch->args, lo,
                 left < launch->chunk ? range->end : lo + launch->chunk,
                 scratch);
    }
  }
}

static void run_parallel(effrt_session *session,
                         const effrt_bound_launch *launch) {
  int64_t share = launch->extent / launch->slots,
          rest = launch->extent % launch->slots, lo = 0;
  for (int32_t i = 0; i < launch->slots; ++i) {
    int64_t hi = lo + share + (i < rest);
    atomic_store_explicit(&session->ranges[i].next, lo, memory_order_relaxed);
    session->ranges[i].end = hi;
    lo = hi;
  }
  region r = {launch, session};
  effrt_pool_run(session->pool, run_slot, &r, launch->slots);
}

static uint64_t now_ns(void) {
  struct timespec time;
  (void)clock_gettime(CLOCK_MONOTONIC, &time);
  return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

void effrt_join_threads(effrt_session *session) {
  if (session->in_pool || !session->pool)
    return;
  effrt_pool_enter(session->pool);
  session->in_pool = true;
}

static void run_launch(effrt_session *session,
                       const effrt_bound_launch *launch) {
  if (launch->slots > 1)
    run_parallel(session, launch);
  else
    launch->fn(&launch->args, 0, launch->extent, session->scratch);
}

static effrt_status kernel_failure(effrt_session *session,
                                   const effrt_bound *bound, uint32_t index,
                                   int32_t code) {
  const effrt_model_desc *desc = session->model->desc;
  const effrt_kernel *kernel =
      &desc->kernels[desc->programs[bound->program].launches[index].kernel];
  const char *origin = kernel->origin ? kernel->origin : kernel->name;
  switch (code) {
  case CANCELLED:
    return effrt_check_cancel(session);
  case EFFRT_KERNEL_INDEX_OUT_OF_RANGE:
    return effrt_fail(&session->error, EFFRT_STATUS_INDEX_OUT_OF_RANGE,
                      "an index is outside its axis in node '%s'", origin);
  case EFFRT_KERNEL_DIVISION_BY_ZERO:
    return effrt_fail(&session->error, EFFRT_STATUS_DIVISION_BY_ZERO,
                      "integer division by zero in node '%s'", origin);
  default:
    return effrt_fail(&session->error, EFFRT_STATUS_KERNEL_FAILED,
                      "kernel error %d in node '%s'", (int)code, origin);
  }
}

/* The arena may have moved since the program was bound: a larger shape made it
 * grow. */
static void set_pointers(effrt_session *session, effrt_bound *bound) {
  for (size_t i = 0; i < bound->num_patches; ++i)
    bound->pointers[bound->patches[i].pointer] =
        session->io[bound->patches[i].io];
  if (bound->arena == session->arena)
    return;
  const effrt_program *p = &session->model->desc->programs[bound->program];
  void **pointer = bound->pointers;
  for (uint32_t i = 0; i < p->num_launches; ++i)
    for (uint32_t k = 0; k < p->launches[i].num_buffers; ++k, ++pointer) {
      uint32_t buffer = p->launches[i].buffers[k];
      if (p->buffers[buffer].kind == EFFRT_BUFFER_ARENA)
        *pointer = session->arena + bound->offsets[buffer];
    }
  bound->arena = session->arena;
}

/* With AddressSanitizer: of the arena only what the launch works on can be
 * touched, of the scratch memory only what it asked for. */
static void run_guarded(effrt_session *session, const effrt_bound *bound,
                        uint32_t index) {
  const effrt_model_desc *desc = session->model->desc;
  const effrt_program *p = &desc->programs[bound->program];
  const effrt_launch *launch = &p->launches[index];
  uint64_t scratch = (uint64_t)bound->launches[index].scratch;
  for (int32_t i = 0; i < session->num_threads; ++i) {
    uint8_t *mine = session->scratch + (uint64_t)i * session->scratch_stride;
    desc->unpoison(mine, scratch);
    desc->poison(mine + scratch, session->scratch_stride - scratch);
  }
  for (uint32_t k = 0; k < launch->num_buffers; ++k)
    effrt_expose(session, bound, launch->buffers[k], true);
  run_launch(session, &bound->launches[index]);
  for (uint32_t k = 0; k < launch->num_buffers; ++k)
    effrt_expose(session, bound, launch->buffers[k], false);
}

void effrt_expose(effrt_session *session, const effrt_bound *bound,
                  uint32_t buffer, bool exposed) {
  const effrt_model_desc *desc = session->model->desc;
  const effrt_buffer *b = &desc->programs[bound->program].buffers[buffer];
  if (b->kind == EFFRT_BUFFER_ARENA)
    (exposed ? desc->unpoison : desc->poison)(
        session->arena + bound->offsets[buffer], (size_t)bound->dims[b->bytes]);
}

/* With a profile or red zones. */
static void run_watched(effrt_session *session, const effrt_bound *bound,
                        uint32_t index, effrt_launch_profile *profile) {
  const effrt_bound_launch *launch = &bound->launches[index];
  uint64_t start = profile ? now_ns() : 0;
  if (session->guarded)
    run_guarded(session, bound, index);
  else
    run_launch(session, launch);
  if (!profile)
    return;
  profile[index].total_ns += now_ns() - start;
  profile[index].calls += 1;
  profile[index].flops += launch->flops;
  profile[index].bytes += launch->bytes;
}

effrt_status effrt_run_launches(effrt_session *session, effrt_bound *bound,
                                uint32_t first, uint32_t end,
                                effrt_launch_profile *profile) {
  bool watched = profile || session->guarded;
  for (uint32_t i = first; i < end; ++i) {
    const effrt_bound_launch *launch = &bound->launches[i];
    if (launch->extent == 0)
      continue;
    if (watched)
      run_watched(session, bound, i, profile);
    else
      run_launch(session, launch);
    int32_t error = __atomic_load_n(&session->kernel_error, __ATOMIC_RELAXED);
    if (error)
      return kernel_failure(session, bound, i, error);
  }
  return EFFRT_STATUS_OK;
}

/* As an error of a kernel it ends a run in progress, at no cost to one that
 * nobody cancels, and stays for the next run if there is none. */
void effrt_session_cancel(effrt_session *session) {
  if (session)
    __atomic_store_n(&session->kernel_error, CANCELLED, __ATOMIC_RELAXED);
}

effrt_status effrt_check_cancel(effrt_session *session) {
  if (__atomic_load_n(&session->kernel_error, __ATOMIC_RELAXED) != CANCELLED)
    return EFFRT_STATUS_OK;
  return effrt_fail(&session->error, EFFRT_STATUS_CANCELLED,
                    "the run was cancelled");
}

static effrt_status run(effrt_session *session, effrt_bound *bound) {
  const effrt_model_desc *desc = session->model->desc;
  const effrt_program *p = &desc->programs[bound->program];
  effrt_launch_profile *profile =
      session->profiling
          ? session->profile + effrt_profile_start(desc, bound->program)
          : NULL;
  effrt_status status = effrt_check_cancel(session);
  if (status)
    return status;
  return p->num_steps
             ? effrt_run_steps(session, bound, profile)
             : effrt_run_launches(session, bound, 0, p->num_launches, profile);
}

effrt_status effrt_execute(effrt_session *session, effrt_bound *bound) {
  effrt_status status = effrt_prepare_states(session, bound);
  if (status)
    return status;
  set_pointers(session, bound);
  if (bound->parallel)
    effrt_join_threads(session);
  status = run(session, bound);
  if (session->in_pool)
    effrt_pool_leave(session->pool);
  session->in_pool = false;
  __atomic_store_n(&session->kernel_error, 0, __ATOMIC_RELAXED);
  if (!status)
    effrt_commit_states(session, bound);
  session->has_results = !status;
  return status;
}
