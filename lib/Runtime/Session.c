/* Sessions: what belongs to one caller. Work space for binding is taken at
 * once, so that only the arena, scratch and new cache entries allocate later.
 */
#include "Internal.h"

#include <stdlib.h>
#include <string.h>

typedef struct work_sizes {
  size_t io, symbols, dims, buffers, steps, states, ranks, dynamic, outputs;
} work_sizes;

static size_t larger(size_t a, size_t b) { return a > b ? a : b; }

static work_sizes measure(const effrt_model_desc *desc) {
  work_sizes sizes = {0};
  for (uint32_t i = 0; i < desc->num_programs; ++i) {
    const effrt_program *p = &desc->programs[i];
    sizes.io = larger(sizes.io, effrt_num_io(p));
    sizes.symbols = larger(sizes.symbols, p->num_symbols);
    sizes.dims = larger(sizes.dims, p->num_dims);
    sizes.buffers = larger(sizes.buffers, p->num_buffers);
    sizes.steps =
        larger(sizes.steps, p->num_steps ? p->num_steps : p->num_launches);
    if (p->num_steps) {
      sizes.dynamic = larger(sizes.dynamic, p->num_buffers);
      sizes.outputs = larger(sizes.outputs, p->num_outputs);
    }
  }
  /* States are the same in all programs. */
  sizes.states = desc->programs[0].num_states;
  for (size_t i = 0; i < sizes.states; ++i)
    sizes.ranks += desc->programs[0].states[i].before.rank;
  return sizes;
}

static void lay_out(effrt_session *session, const work_sizes *sizes,
                    effrt_carver *carver) {
  session->ranges = effrt_carve(carver, (size_t)session->num_threads,
                                sizeof(*session->ranges));
  session->io = effrt_carve(carver, sizes->io, sizeof(*session->io));
  session->symbols =
      effrt_carve(carver, sizes->symbols, sizeof(*session->symbols));
  session->dims = effrt_carve(carver, sizes->dims, sizeof(*session->dims));
  session->known = effrt_carve(carver, sizes->dims, sizeof(*session->known));
  session->states =
      effrt_carve(carver, sizes->states, sizeof(*session->states));
  session->dynamic =
      effrt_carve(carver, sizes->dynamic, sizeof(*session->dynamic));
  session->outputs =
      effrt_carve(carver, sizes->outputs, sizeof(*session->outputs));
  session->items = effrt_carve(carver, sizes->buffers, sizeof(*session->items));
  session->plan_work = effrt_carve(
      carver, 1, effrt_plan_work_bytes(sizes->buffers, (uint32_t)sizes->steps));
}

static void begin_states(effrt_session *session, const work_sizes *sizes,
                         int64_t *shapes) {
  for (size_t i = 0; i < sizes->states; ++i) {
    session->states[i].fresh = true;
    session->states[i].shape = shapes;
    shapes += session->model->desc->programs[0].states[i].before.rank;
  }
}

static bool allocate(effrt_session *session) {
  work_sizes sizes = measure(session->model->desc);
  effrt_carver carver = {0};
  lay_out(session, &sizes, &carver);
  (void)effrt_carve(&carver, sizes.ranks, sizeof(int64_t));
  session->work = effrt_alloc(carver.bytes);
  /* Never null, so that pointers into them can always be computed. */
  session->arena = effrt_alloc(EFFRT_CACHE_LINE);
  session->scratch =
      effrt_alloc((uint64_t)EFFRT_CACHE_LINE * (uint64_t)session->num_threads);
  if (!session->work || !session->arena || !session->scratch)
    return false;
  session->arena_bytes = EFFRT_CACHE_LINE;
  session->scratch_stride = EFFRT_CACHE_LINE;
  memset(session->work, 0, carver.bytes);
  carver = (effrt_carver){session->work, 0};
  lay_out(session, &sizes, &carver);
  begin_states(session, &sizes,
               effrt_carve(&carver, sizes.ranks, sizeof(int64_t)));
  session->num_states = sizes.states;
  session->num_dynamic = sizes.dynamic;
  session->num_outputs = sizes.outputs;
  return true;
}

/* The pool to use and the number of threads; no pool for one thread. */
static effrt_status join_pool(effrt_session *session,
                              const effrt_session_options *options,
                              effrt_message *message) {
  int32_t num_threads = options->num_threads;
  if (options->pool) {
    int32_t available = effrt_pool_num_threads(options->pool);
    session->num_threads =
        num_threads && num_threads < available ? num_threads : available;
    session->pool = options->pool;
    effrt_pool_retain(session->pool);
    return EFFRT_STATUS_OK;
  }
  session->num_threads = num_threads ? num_threads : effrt_cpu_count();
  if (session->num_threads == 1)
    return EFFRT_STATUS_OK;
  effrt_pool_options pool = {.struct_size = sizeof(pool),
                             .num_threads = session->num_threads};
  return effrt_pool_create(&pool, &session->pool, message);
}

effrt_status effrt_session_create(effrt_model *model,
                                  const effrt_session_options *options,
                                  effrt_session **out, effrt_message *message) {
  if (message)
    message->text[0] = 0;
  effrt_session_options known;
  if (!model || !out || !effrt_read_options(&known, sizeof(known), options))
    return effrt_fail(message, EFFRT_STATUS_INVALID_ARGUMENT,
                      "null argument or session options of an unknown version");
  if (known.num_threads < 0 || known.num_threads > EFFRT_MAX_THREADS)
    return effrt_fail(message, EFFRT_STATUS_INVALID_ARGUMENT,
                      "%d threads asked for, expected 0 (one per core) to %d",
                      known.num_threads, EFFRT_MAX_THREADS);
  effrt_session *session = calloc(1, sizeof(*session));
  if (!session)
    return effrt_fail(message, EFFRT_STATUS_OUT_OF_MEMORY, "out of memory");
  effrt_model_retain(model);
  session->model = model;
  session->guarded = model->desc->poison && model->desc->unpoison;
  effrt_status status = join_pool(session, &known, message);
  if (!status && !allocate(session))
    status = effrt_fail(message, EFFRT_STATUS_OUT_OF_MEMORY, "out of memory");
  if (status) {
    effrt_session_destroy(session);
    return status;
  }
  effrt_warm(session);
  *out = session;
  return EFFRT_STATUS_OK;
}

void effrt_session_destroy(effrt_session *session) {
  if (!session)
    return;
  for (uint32_t i = 0; i < EFFRT_MAX_BOUND; ++i)
    free(session->bound[i]);
  const effrt_model_desc *desc = session->model->desc;
  for (size_t i = 0; i < session->num_states; ++i) {
    effrt_release(desc, &session->states[i].before);
    effrt_release(desc, &session->states[i].after);
  }
  for (size_t i = 0; i < session->num_dynamic; ++i)
    effrt_release(desc, &session->dynamic[i]);
  for (size_t i = 0; i < session->num_outputs; ++i)
    effrt_release(desc, &session->outputs[i]);
  effrt_free_guarded(desc, session->arena, session->arena_bytes);
  effrt_free_guarded(desc, session->scratch,
                     session->scratch_stride * (uint64_t)session->num_threads);
  free(session->work);
  free(session->profile);
  effrt_pool_destroy(session->pool);
  effrt_model_close(session->model);
  free(session);
}

const char *effrt_session_error(const effrt_session *session) {
  return session ? session->error.text : "no session";
}

effrt_status effrt_session_memory(const effrt_session *session,
                                  effrt_memory_info *info) {
  if (!session || !info)
    return EFFRT_STATUS_INVALID_ARGUMENT;
  effrt_memory_info known = {
      .arena_bytes = session->arena_bytes,
      .scratch_bytes = session->scratch_stride * (uint64_t)session->num_threads,
  };
  for (uint32_t i = 0; i < EFFRT_MAX_BOUND; ++i)
    if (session->bound[i]) {
      known.num_plans += 1;
      known.plan_bytes += session->bound[i]->block_bytes;
    }
  for (size_t i = 0; i < session->num_states; ++i)
    known.state_bytes +=
        session->states[i].before.capacity + session->states[i].after.capacity;
  for (size_t i = 0; i < session->num_dynamic; ++i)
    known.dynamic_bytes += session->dynamic[i].capacity;
  for (size_t i = 0; i < session->num_outputs; ++i)
    known.dynamic_bytes += session->outputs[i].capacity;
  if (session->last) {
    known.last_arena_bytes = session->last->arena_bytes;
    known.last_live_bytes = session->last->live_bytes;
  }
  return effrt_write_info(info, &known, sizeof(known));
}

size_t effrt_profile_start(const effrt_model_desc *desc, uint32_t program) {
  size_t start = 0;
  for (uint32_t i = 0; i < program; ++i)
    start += desc->programs[i].num_launches;
  return start;
}

effrt_status effrt_session_set_profiling(effrt_session *session, int enabled) {
  if (!session)
    return EFFRT_STATUS_INVALID_ARGUMENT;
  session->error.text[0] = 0;
  if (!enabled) {
    session->profiling = false;
    return EFFRT_STATUS_OK;
  }
  const effrt_model_desc *desc = session->model->desc;
  size_t count = effrt_profile_start(desc, desc->num_programs);
  if (!session->profile)
    session->profile = malloc((count + 1) * sizeof(*session->profile));
  if (!session->profile)
    return effrt_fail(&session->error, EFFRT_STATUS_OUT_OF_MEMORY,
                      "out of memory for the profile");
  memset(session->profile, 0, (count + 1) * sizeof(*session->profile));
  session->profiling = true;
  return EFFRT_STATUS_OK;
}

effrt_status effrt_session_profile(const effrt_session *session,
                                   uint32_t program, uint32_t launch,
                                   effrt_profile_entry *entry) {
  if (!session || !entry || program >= session->model->desc->num_programs)
    return EFFRT_STATUS_INVALID_ARGUMENT;
  const effrt_model_desc *desc = session->model->desc;
  if (launch >= desc->programs[program].num_launches)
    return EFFRT_STATUS_INVALID_ARGUMENT;
  const effrt_kernel *kernel =
      &desc->kernels[desc->programs[program].launches[launch].kernel];
  effrt_profile_entry known = {
      .kernel = kernel->name,
      .origin = kernel->origin ? kernel->origin : "",
      .choice = kernel->choice ? kernel->choice : "",
  };
  if (session->profile) {
    const effrt_launch_profile *totals =
        &session->profile[effrt_profile_start(desc, program) + launch];
    known.calls = totals->calls;
    known.total_ns = totals->total_ns;
    known.flops = totals->flops;
    known.bytes = totals->bytes;
  }
  return effrt_write_info(entry, &known, sizeof(known));
}
