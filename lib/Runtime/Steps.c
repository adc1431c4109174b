/* The interpreter of programs with control flow or with sizes that follow from
 * data: a loop over the steps that runs launches, sets symbols and moves memory
 * around. Sizes and pointers of late launches are looked up here, before each
 * execution, so that the walk over a straight program knows nothing of them.
 */
#include "Internal.h"

#include <inttypes.h>
#include <string.h>

/* A walk in progress. */
typedef struct walker {
  effrt_session *session;
  effrt_bound *bound;
  const effrt_program *p;
  effrt_launch_profile *profile;
} walker;

#define FAIL(...) effrt_fail(&w->session->error, __VA_ARGS__)

/* Sets `*value` to dims[dim] if it has a value. */
static effrt_status read_dim(const walker *w, uint32_t dim, int64_t *value) {
  uint8_t known = w->bound->known[dim];
  *value = w->bound->dims[dim];
  return known == EFFRT_DIM_KNOWN
             ? EFFRT_STATUS_OK
             : effrt_unknown_dim(w->p, known, w->bound->symbols,
                                 &w->session->error);
}

/* The memory of a buffer that grows, or null. */
static effrt_growable *find_growable(const walker *w, uint32_t buffer) {
  const effrt_buffer *b = &w->p->buffers[buffer];
  if (b->kind == EFFRT_BUFFER_DYNAMIC)
    return &w->session->dynamic[buffer];
  if (b->kind == EFFRT_BUFFER_OUTPUT && w->p->outputs[b->value].late)
    return &w->session->outputs[b->value];
  if (b->kind == EFFRT_BUFFER_STATE_AFTER && w->p->states[b->value].after.late)
    return &w->session->states[b->value].after;
  return NULL;
}

static effrt_status grow(const walker *w, effrt_growable *memory,
                         uint64_t bytes) {
  if (effrt_grow(w->session->model->desc, memory, bytes, bytes))
    return EFFRT_STATUS_OK;
  return FAIL(EFFRT_STATUS_OUT_OF_MEMORY,
              "out of memory: %" PRIu64
              " bytes for a value of program '%s' whose size follows from data",
              bytes, w->p->name);
}

static effrt_status read_bytes(const walker *w, uint32_t buffer,
                               uint64_t *bytes) {
  int64_t value;
  effrt_status status = read_dim(w, w->p->buffers[buffer].bytes, &value);
  *bytes = (uint64_t)value;
  if (!status && value < 0)
    return FAIL(EFFRT_STATUS_SIZE_OVERFLOW,
                "a value of program '%s' would have %" PRId64 " bytes",
                w->p->name, value);
  return status;
}

/* Where a buffer that does not grow lies, and the bytes that are there. */
static uint8_t *find_fixed(const walker *w, uint32_t buffer,
                           uint64_t *available) {
  const effrt_session *session = w->session;
  const effrt_buffer *b = &w->p->buffers[buffer];
  size_t first_state = (size_t)w->p->num_inputs + w->p->num_outputs, io = 0;
  switch (b->kind) {
  case EFFRT_BUFFER_WEIGHT:
    *available = session->model->desc->weights_size - b->value;
    return (uint8_t *)((uintptr_t)session->model->weights + b->value);
  case EFFRT_BUFFER_ARENA:
    *available = (uint64_t)w->bound->dims[b->bytes];
    return session->arena + w->bound->offsets[buffer];
  case EFFRT_BUFFER_INPUT:
    io = b->value;
    break;
  case EFFRT_BUFFER_OUTPUT:
    io = w->p->num_inputs + b->value;
    break;
  default:
    io = first_state + 2 * b->value + (b->kind == EFFRT_BUFFER_STATE_AFTER);
    break;
  }
  *available = w->bound->io_bytes[io];
  return session->io[io];
}

/* Memory of a buffer with room for `bytes`, for the runtime's own accesses. */
static effrt_status find_memory(const walker *w, uint32_t buffer,
                                uint64_t bytes, uint8_t **memory) {
  effrt_growable *growable = find_growable(w, buffer);
  if (growable) {
    effrt_status status = grow(w, growable, bytes);
    *memory = growable->data;
    return status;
  }
  uint64_t available;
  *memory = find_fixed(w, buffer, &available);
  if (bytes > available)
    return FAIL(EFFRT_STATUS_NOT_A_MODEL,
                "damaged model: a step of program '%s' touches %" PRIu64
                " bytes of %" PRIu64,
                w->p->name, bytes, available);
  return EFFRT_STATUS_OK;
}

static void expose(const walker *w, uint32_t buffer, bool exposed) {
  if (w->session->guarded)
    effrt_expose(w->session, w->bound, buffer, exposed);
}

static effrt_status bind_late(const walker *w, uint32_t index) {
  const effrt_launch *launch = &w->p->launches[index];
  const uint32_t sizes[] = {launch->extent, launch->scratch, launch->flops,
                            launch->bytes, launch->cost};
  effrt_status status = EFFRT_STATUS_OK;
  int64_t ignored;
  for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]) && !status; ++i)
    status = read_dim(w, sizes[i], &ignored);
  for (uint32_t k = 0; k < launch->num_dims && !status; ++k)
    status = read_dim(w, launch->dims[k], &ignored);
  if (!status)
    status = effrt_size_launch(w->session, w->bound, index);
  effrt_bound_launch *ready = &w->bound->launches[index];
  if (!status)
    status = effrt_reserve_scratch(w->session, ready->scratch);
  for (uint32_t k = 0; k < launch->num_buffers && !status; ++k) {
    effrt_growable *growable = find_growable(w, launch->buffers[k]);
    uint64_t bytes;
    if (growable)
      status = read_bytes(w, launch->buffers[k], &bytes);
    if (growable && !status)
      status = grow(w, growable, bytes);
  }
  void **pointers = (void **)ready->args.buffers; /* of `bound` */
  for (uint32_t k = 0; k < launch->num_buffers && !status; ++k) {
    effrt_growable *growable = find_growable(w, launch->buffers[k]);
    if (growable)
      pointers[k] = growable->data;
  }
  if (!status && ready->slots > 1)
    effrt_join_threads(w->session);
  return status;
}

static effrt_status launch(const walker *w, uint32_t index) {
  effrt_status status = EFFRT_STATUS_OK;
  if (w->p->launches[index].late)
    status = bind_late(w, index);
  return status ? status
                : effrt_run_launches(w->session, w->bound, index, index + 1,
                                     w->profile);
}

static effrt_status set_symbol(const walker *w, uint32_t symbol,
                               int64_t value) {
  return effrt_set_symbol(w->p, symbol, value, w->bound->symbols,
                          w->bound->dims, w->bound->known, &w->session->error);
}

static effrt_status define(const walker *w, const effrt_step *step) {
  uint8_t *memory;
  int64_t value;
  effrt_status status =
      find_memory(w, step->b, ((uint64_t)step->c + 1) * sizeof(value), &memory);
  if (status)
    return status;
  expose(w, step->b, true);
  memcpy(&value, memory + (uint64_t)step->c * sizeof(value), sizeof(value));
  expose(w, step->b, false);
  return set_symbol(w, step->a, value);
}

static effrt_status check(const walker *w, const effrt_step *step) {
  int64_t ignored;
  effrt_status status = read_dim(w, w->p->checks[step->a].a, &ignored);
  if (!status)
    status = read_dim(w, w->p->checks[step->a].b, &ignored);
  return status ? status
                : effrt_check_dim(w->p, step->a, w->bound->dims,
                                  &w->session->error);
}

static effrt_status store(const walker *w, const effrt_step *step) {
  uint8_t *memory;
  int64_t value;
  effrt_status status = read_dim(w, step->b, &value);
  if (!status)
    status = find_memory(w, step->a, sizeof(value), &memory);
  if (status)
    return status;
  expose(w, step->a, true);
  memcpy(memory, &value, sizeof(value));
  expose(w, step->a, false);
  return EFFRT_STATUS_OK;
}

/* Puts the bytes of buffer `from` into `to`, `at` bytes behind its start. */
static effrt_status copy(const walker *w, uint32_t to, uint64_t at,
                         uint32_t from, uint64_t bytes) {
  uint8_t *target, *source;
  effrt_status status = find_memory(w, to, at + bytes, &target);
  /* Two buffers may be the same output: only then can this move the target. */
  if (!status)
    status = find_memory(w, from, bytes, &source);
  if (!status)
    status = find_memory(w, to, at + bytes, &target);
  if (status || bytes == 0 || to == from)
    return status;
  expose(w, from, true);
  expose(w, to, true);
  memmove(target + at, source, bytes);
  expose(w, from, false);
  expose(w, to, false);
  return EFFRT_STATUS_OK;
}

static effrt_status append(const walker *w, const effrt_step *step) {
  effrt_growable *to = &w->session->dynamic[step->a];
  uint64_t bytes, end;
  effrt_status status = read_bytes(w, step->b, &bytes);
  if (status)
    return status;
  if (__builtin_add_overflow(to->held, bytes, &end) || end > INT64_MAX)
    return FAIL(EFFRT_STATUS_SIZE_OVERFLOW,
                "a value of program '%s' does not fit 64 bits", w->p->name);
  status = copy(w, step->a, to->held, step->b, bytes);
  to->held = status ? to->held : end;
  return status;
}

static effrt_status jump_unless(const walker *w, const effrt_step *step,
                                bool *jumps) {
  uint8_t *memory;
  effrt_status status = find_memory(w, step->b, 1, &memory);
  if (status)
    return status;
  expose(w, step->b, true);
  *jumps = *memory == 0;
  expose(w, step->b, false);
  return EFFRT_STATUS_OK;
}

static effrt_status jump_unless_less(const walker *w, const effrt_step *step,
                                     bool *jumps) {
  int64_t left, right;
  effrt_status status = read_dim(w, step->b, &left);
  if (!status)
    status = read_dim(w, step->c, &right);
  if (!status)
    *jumps = left >= right;
  return status;
}

static effrt_status run_step(const walker *w, const effrt_step *step,
                             bool *jumps) {
  effrt_growable *dynamic = w->session->dynamic;
  effrt_status status;
  uint64_t bytes;
  int64_t value;
  switch (step->kind) {
  case EFFRT_STEP_LAUNCH:
    return launch(w, step->a);
  case EFFRT_STEP_DEFINE:
    return define(w, step);
  case EFFRT_STEP_ASSIGN:
    status = read_dim(w, step->b, &value);
    return status ? status : set_symbol(w, step->a, value);
  case EFFRT_STEP_CHECK:
    return check(w, step);
  case EFFRT_STEP_JUMP:
    *jumps = true;
    return EFFRT_STATUS_OK;
  case EFFRT_STEP_JUMP_UNLESS:
    return jump_unless(w, step, jumps);
  case EFFRT_STEP_JUMP_UNLESS_LESS:
    return jump_unless_less(w, step, jumps);
  case EFFRT_STEP_STORE:
    return store(w, step);
  case EFFRT_STEP_COPY:
    status = read_bytes(w, step->b, &bytes);
    return status ? status : copy(w, step->a, 0, step->b, bytes);
  case EFFRT_STEP_SWAP: {
    effrt_growable other = dynamic[step->a];
    dynamic[step->a] = dynamic[step->b];
    dynamic[step->b] = other;
    return EFFRT_STATUS_OK;
  }
  case EFFRT_STEP_CLEAR:
    dynamic[step->a].held = 0;
    return EFFRT_STATUS_OK;
  default: /* EFFRT_STEP_APPEND: kinds are checked when the model is opened */
    return append(w, step);
  }
}

/* What is late and belongs to the result: shapes, and memory for it. */
static effrt_status finish(const walker *w) {
  effrt_bound *bound = w->bound;
  int64_t *shape = bound->shapes;
  effrt_status status = EFFRT_STATUS_OK;
  for (uint32_t i = 0; i < w->p->num_outputs + w->p->num_states; ++i) {
    bool is_output = i < w->p->num_outputs;
    uint32_t index = is_output ? i : i - w->p->num_outputs;
    const effrt_tensor_desc *tensor =
        is_output ? &w->p->outputs[index] : &w->p->states[index].after;
    size_t io = (size_t)w->p->num_inputs + i + (is_output ? 0 : index + 1);
    int64_t ignored;
    for (uint32_t k = 0; k < tensor->rank && !status; ++k)
      status = read_dim(w, tensor->dims[k], &ignored);
    if (!status && tensor->late)
      status = effrt_bind_tensor(w->session, w->p, bound, tensor,
                                 is_output ? "output" : "state", shape,
                                 &bound->io_bytes[io]);
    if (!status && tensor->late)
      status = grow(w,
                    is_output ? &w->session->outputs[index]
                              : &w->session->states[index].after,
                    bound->io_bytes[io]);
    if (status)
      return status;
    shape += tensor->rank;
  }
  return EFFRT_STATUS_OK;
}

effrt_status effrt_run_steps(effrt_session *session, effrt_bound *bound,
                             effrt_launch_profile *profile) {
  const effrt_program *p = &session->model->desc->programs[bound->program];
  walker w = {session, bound, p, profile};
  memcpy(bound->known, bound->known_early, p->num_dims);
  for (size_t i = 0; i < session->num_dynamic; ++i)
    session->dynamic[i].held = 0;
  for (uint32_t at = 0; at < p->num_steps;) {
    const effrt_step *step = &p->steps[at++];
    bool jumps = false;
    effrt_status status = effrt_check_cancel(session);
    if (!status)
      status = run_step(&w, step, &jumps);
    if (status)
      return status;
    if (jumps)
      at = step->a;
  }
  return finish(&w);
}
