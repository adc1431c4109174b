/* Binding: from symbol values to offsets, pointers and chunk sizes. Done once
 * per set of shapes; the last few are kept.
 */
#include "Internal.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* A launch below this runs on the calling thread; a thread is worth its start
 * for half of it. */
#define PARALLEL_COST_NS 8000
#define COST_PER_SLOT_NS (PARALLEL_COST_NS / 2)
/* Chunks of one thread's share: enough to even out disturbances, few enough for
 * kernels that prepare something per call. */
#define CHUNKS_PER_SLOT 4
#define MAX_EXTENT (INT64_C(1) << 62)

#define FAIL(...) effrt_fail(&session->error, __VA_ARGS__)

static const effrt_program *get_program(const effrt_session *session,
                                        uint32_t program) {
  return &session->model->desc->programs[program];
}

effrt_bound *effrt_find_bound(effrt_session *session, uint32_t program,
                              const int64_t *symbols) {
  size_t bytes =
      effrt_num_given_symbols(get_program(session, program)) * sizeof(*symbols);
  for (uint32_t i = 0; i < EFFRT_MAX_BOUND; ++i) {
    effrt_bound *bound = session->bound[i];
    if (bound && bound->program == program &&
        (bytes == 0 || memcmp(bound->symbols, symbols, bytes) == 0)) {
      bound->last_used = ++session->clock;
      return bound;
    }
  }
  return NULL;
}

typedef struct bound_counts {
  size_t pointers, kernel_dims, patches, shapes;
} bound_counts;

static bound_counts count_parts(const effrt_program *p) {
  bound_counts counts = {0};
  for (uint32_t i = 0; i < p->num_launches; ++i) {
    const effrt_launch *launch = &p->launches[i];
    counts.pointers += launch->num_buffers;
    counts.kernel_dims += launch->num_dims;
    for (uint32_t k = 0; k < launch->num_buffers; ++k) {
      int32_t kind = p->buffers[launch->buffers[k]].kind;
      counts.patches += kind != EFFRT_BUFFER_WEIGHT &&
                        kind != EFFRT_BUFFER_ARENA &&
                        kind != EFFRT_BUFFER_DYNAMIC;
    }
  }
  for (uint32_t i = 0; i < p->num_outputs; ++i)
    counts.shapes += p->outputs[i].rank;
  for (uint32_t i = 0; i < p->num_states; ++i)
    counts.shapes += p->states[i].after.rank;
  return counts;
}

/* Lays a bound program out; only the size matters when the carver has no base.
 */
static void lay_out(effrt_bound *bound, const effrt_program *p,
                    const bound_counts *counts, effrt_carver *carver) {
  (void)effrt_carve(carver, 1, sizeof(*bound));
  bound->symbols = effrt_carve(carver, p->num_symbols, sizeof(*bound->symbols));
  bound->dims = effrt_carve(carver, p->num_dims, sizeof(*bound->dims));
  bound->known = effrt_carve(carver, p->num_dims, sizeof(*bound->known));
  bound->known_early =
      effrt_carve(carver, p->num_dims, sizeof(*bound->known_early));
  bound->offsets = effrt_carve(carver, p->num_buffers, sizeof(*bound->offsets));
  bound->shapes = effrt_carve(carver, counts->shapes, sizeof(*bound->shapes));
  bound->io_bytes =
      effrt_carve(carver, effrt_num_io(p), sizeof(*bound->io_bytes));
  bound->kernel_dims =
      effrt_carve(carver, counts->kernel_dims, sizeof(*bound->kernel_dims));
  bound->pointers =
      effrt_carve(carver, counts->pointers, sizeof(*bound->pointers));
  bound->patches =
      effrt_carve(carver, counts->patches, sizeof(*bound->patches));
  bound->launches =
      effrt_carve(carver, p->num_launches, sizeof(*bound->launches));
}

/* The slot for a new shape: a free one, else that of the shape unused for
 * longest. */
static effrt_bound **pick_slot(effrt_session *session) {
  effrt_bound **pick = &session->bound[0];
  for (uint32_t i = 0; i < EFFRT_MAX_BOUND; ++i) {
    if (!session->bound[i])
      return &session->bound[i];
    if (session->bound[i]->last_used < (*pick)->last_used)
      pick = &session->bound[i];
  }
  return pick;
}

static effrt_bound *make_block(effrt_session *session, uint32_t program,
                               effrt_bound **slot) {
  const effrt_program *p = get_program(session, program);
  bound_counts counts = count_parts(p);
  effrt_bound layout;
  effrt_carver carver = {0};
  lay_out(&layout, p, &counts, &carver);
  uint64_t bytes = carver.bytes;
  effrt_bound *block = *slot;
  if (session->last == block)
    session->last = NULL;
  *slot = NULL;
  if (block && block->block_bytes != bytes) {
    free(block);
    block = NULL;
  }
  if (!block)
    block = effrt_alloc(bytes);
  if (!block) {
    (void)FAIL(EFFRT_STATUS_OUT_OF_MEMORY,
               "out of memory: %" PRIu64 " bytes for program '%s'", bytes,
               p->name);
    return NULL;
  }
  memset(block, 0, bytes);
  carver = (effrt_carver){(uint8_t *)block, 0};
  lay_out(block, p, &counts, &carver);
  block->program = program;
  block->block_bytes = bytes;
  return block;
}

effrt_status effrt_bind_tensor(effrt_session *session, const effrt_program *p,
                               const effrt_bound *bound,
                               const effrt_tensor_desc *tensor,
                               const char *what, int64_t *shape,
                               uint64_t *bytes) {
  *bytes = effrt_dtype_size(tensor->dtype);
  bool empty = false, overflow = false;
  for (uint32_t axis = 0; axis < tensor->rank; ++axis) {
    int64_t size = bound->dims[tensor->dims[axis]];
    bool known = bound->known[tensor->dims[axis]] == EFFRT_DIM_KNOWN;
    if (known && size < 0)
      return FAIL(EFFRT_STATUS_SHAPE_MISMATCH,
                  "dimension %" PRIu32
                  " (%s) of %s '%s' of program '%s' would be %" PRId64,
                  axis, tensor->dim_texts[axis], what, tensor->name, p->name,
                  size);
    if (shape)
      shape[axis] = known ? size : -1;
    empty |= size == 0 || !known;
    overflow |= __builtin_mul_overflow(*bytes, (uint64_t)size, bytes);
  }
  if (empty)
    *bytes = 0;
  else if (overflow || *bytes > INT64_MAX)
    return FAIL(EFFRT_STATUS_SIZE_OVERFLOW,
                "the size of %s '%s' does not fit 64 bits", what, tensor->name);
  return EFFRT_STATUS_OK;
}

static effrt_status bind_tensors(effrt_session *session, const effrt_program *p,
                                 effrt_bound *bound) {
  int64_t *shape = bound->shapes;
  uint64_t *bytes = bound->io_bytes;
  effrt_status status = EFFRT_STATUS_OK;
  for (uint32_t i = 0; i < p->num_inputs && !status; ++i)
    status = effrt_bind_tensor(session, p, bound, &p->inputs[i], "input", NULL,
                               bytes++);
  for (uint32_t i = 0; i < p->num_outputs && !status; ++i) {
    status = effrt_bind_tensor(session, p, bound, &p->outputs[i], "output",
                               shape, bytes++);
    shape += p->outputs[i].rank;
  }
  for (uint32_t i = 0; i < p->num_states && !status; ++i) {
    const effrt_state *state = &p->states[i];
    status = effrt_bind_tensor(session, p, bound, &state->before, "state", NULL,
                               bytes++);
    if (!status)
      status = effrt_bind_tensor(session, p, bound, &state->after, "state",
                                 shape, bytes++);
    shape += state->after.rank;
  }
  return status;
}

/* Which entry of `session->io` a buffer is, if it is one with an address before
 * the run. */
static bool find_io(const effrt_program *p, const effrt_buffer *buffer,
                    uint32_t *io) {
  uint32_t value = (uint32_t)buffer->value;
  uint32_t first_state = p->num_inputs + p->num_outputs;
  switch (buffer->kind) {
  case EFFRT_BUFFER_INPUT:
    *io = value;
    return true;
  case EFFRT_BUFFER_OUTPUT:
    *io = p->num_inputs + value;
    return !p->outputs[value].late;
  case EFFRT_BUFFER_STATE_BEFORE:
    *io = first_state + 2 * value;
    return true;
  case EFFRT_BUFFER_STATE_AFTER:
    *io = first_state + 2 * value + 1;
    return !p->states[value].after.late;
  default:
    return false;
  }
}

/* Sizes of buffers, then the arena. Other kinds take part with zero bytes. */
static effrt_status bind_buffers(effrt_session *session, const effrt_program *p,
                                 effrt_bound *bound) {
  effrt_plan_item *items = session->items;
  uint64_t red_zone = session->model->desc->poison ? EFFRT_PLAN_ALIGN : 0;
  for (uint32_t i = 0; i < p->num_buffers; ++i) {
    const effrt_buffer *buffer = &p->buffers[i];
    uint32_t io;
    items[i] = (effrt_plan_item){0};
    if (bound->known[buffer->bytes] != EFFRT_DIM_KNOWN)
      continue;
    int64_t bytes = bound->dims[buffer->bytes];
    if (bytes < 0)
      return FAIL(EFFRT_STATUS_SHAPE_MISMATCH,
                  "an intermediate value of program '%s' would have %" PRId64
                  " bytes",
                  p->name, bytes);
    if (buffer->kind == EFFRT_BUFFER_ARENA)
      items[i] = (effrt_plan_item){(uint64_t)bytes + red_zone, buffer->first,
                                   buffer->last};
    else if (buffer->kind == EFFRT_BUFFER_WEIGHT &&
             (uint64_t)bytes >
                 session->model->desc->weights_size - buffer->value)
      return FAIL(EFFRT_STATUS_NOT_A_MODEL,
                  "damaged model: buffer %" PRIu32
                  " of program '%s' lies outside the weights",
                  i, p->name);
    else if (find_io(p, buffer, &io) && (uint64_t)bytes > bound->io_bytes[io])
      return FAIL(EFFRT_STATUS_NOT_A_MODEL,
                  "damaged model: buffer %" PRIu32
                  " of program '%s' is larger than its tensor",
                  i, p->name);
  }
  if (!effrt_plan_arena(items, p->num_buffers,
                        p->num_steps ? p->num_steps : p->num_launches,
                        session->plan_work, bound->offsets, &bound->arena_bytes,
                        &bound->live_bytes))
    return FAIL(EFFRT_STATUS_SIZE_OVERFLOW,
                "the memory for intermediate values of program '%s' does not "
                "fit 64 bits",
                p->name);
  return EFFRT_STATUS_OK;
}

static int64_t at_least_zero(int64_t value) { return value > 0 ? value : 0; }

/* Threads worth using and the iterations they take at a time. Depends on sizes
 * alone. */
static void choose_chunks(const effrt_session *session,
                          effrt_bound_launch *launch, int64_t cost_ns) {
  int64_t slots = 1;
  if (cost_ns >= PARALLEL_COST_NS) {
    slots = cost_ns / COST_PER_SLOT_NS;
    if (slots > session->num_threads)
      slots = session->num_threads;
    if (slots > launch->extent)
      slots = launch->extent;
  }
  launch->slots = (int32_t)(slots > 0 ? slots : 1);
  int64_t pieces = (int64_t)launch->slots * CHUNKS_PER_SLOT;
  launch->chunk = launch->extent / pieces + (launch->extent % pieces != 0);
}

/* Contents are not kept. */
static effrt_status grow(effrt_session *session, const char *what,
                         uint8_t **memory, uint64_t old_bytes, uint64_t bytes) {
  const effrt_model_desc *desc = session->model->desc;
  uint8_t *grown = effrt_alloc_whole(bytes);
  if (!grown)
    return FAIL(EFFRT_STATUS_OUT_OF_MEMORY,
                "out of memory: %" PRIu64 " bytes for %s", bytes, what);
  effrt_free_guarded(desc, *memory, old_bytes);
  *memory = grown;
  return EFFRT_STATUS_OK;
}

/* Scratch memory is taken for the largest launch and lies behind each other for
 * the threads; a red zone behind each where asked for. */
effrt_status effrt_reserve_scratch(effrt_session *session, int64_t bytes) {
  const effrt_model_desc *desc = session->model->desc;
  uint64_t red_zone = desc->poison ? EFFRT_CACHE_LINE : 0;
  uint64_t stride = ((uint64_t)bytes + red_zone + EFFRT_CACHE_LINE - 1) &
                    ~(uint64_t)(EFFRT_CACHE_LINE - 1);
  if (stride <= session->scratch_stride)
    return EFFRT_STATUS_OK;
  uint64_t total;
  if (__builtin_mul_overflow(stride, (uint64_t)session->num_threads, &total))
    return FAIL(EFFRT_STATUS_SIZE_OVERFLOW,
                "the scratch memory does not fit 64 bits");
  effrt_status status =
      grow(session, "scratch", &session->scratch,
           session->scratch_stride * (uint64_t)session->num_threads, total);
  session->scratch_stride = status ? session->scratch_stride : stride;
  return status;
}

effrt_status effrt_size_launch(effrt_session *session, effrt_bound *bound,
                               uint32_t index) {
  const effrt_program *p = get_program(session, bound->program);
  const effrt_launch *launch = &p->launches[index];
  effrt_bound_launch *ready = &bound->launches[index];
  ready->extent = bound->dims[launch->extent];
  ready->flops = at_least_zero(bound->dims[launch->flops]);
  ready->bytes = at_least_zero(bound->dims[launch->bytes]);
  ready->scratch = bound->dims[launch->scratch];
  if (ready->extent < 0 || ready->extent > MAX_EXTENT || ready->scratch < 0 ||
      ready->scratch > MAX_EXTENT)
    return FAIL(EFFRT_STATUS_SIZE_OVERFLOW,
                "kernel '%s' of program '%s' would have %" PRId64
                " iterations and %" PRId64 " bytes of scratch",
                session->model->desc->kernels[launch->kernel].name, p->name,
                ready->extent, ready->scratch);
  choose_chunks(session, ready, bound->dims[launch->cost]);
  int64_t *kernel_dims = (int64_t *)ready->args.dims; /* of `bound` */
  for (uint32_t k = 0; k < launch->num_dims; ++k)
    kernel_dims[k] = bound->dims[launch->dims[k]];
  return EFFRT_STATUS_OK;
}

/* Pointers that do not change, and which ones each run patches. Those into the
 * arena are set when it is known, late ones at each execution. */
static void bind_pointers(const effrt_session *session, const effrt_program *p,
                          effrt_bound *bound, const effrt_launch *launch,
                          void **pointers) {
  for (uint32_t k = 0; k < launch->num_buffers; ++k) {
    const effrt_buffer *buffer = &p->buffers[launch->buffers[k]];
    uint32_t io;
    if (buffer->kind == EFFRT_BUFFER_WEIGHT)
      pointers[k] =
          (void *)((uintptr_t)session->model->weights + buffer->value);
    else if (find_io(p, buffer, &io))
      bound->patches[bound->num_patches++] =
          (effrt_io_patch){(size_t)(pointers + k - bound->pointers), io};
  }
}

effrt_status effrt_reserve_arena(effrt_session *session, uint64_t bytes) {
  if (bytes <= session->arena_bytes)
    return EFFRT_STATUS_OK;
  effrt_status status = grow(session, "intermediate values", &session->arena,
                             session->arena_bytes, bytes);
  if (status)
    return status;
  session->arena_bytes = bytes;
  if (session->model->desc->poison)
    session->model->desc->poison(session->arena, bytes);
  return EFFRT_STATUS_OK;
}

static effrt_status fill(effrt_session *session, effrt_bound *bound) {
  const effrt_program *p = get_program(session, bound->program);
  effrt_status status = bind_tensors(session, p, bound);
  if (!status)
    status = bind_buffers(session, p, bound);
  int64_t *kernel_dims = bound->kernel_dims, scratch = 0;
  void **pointers = bound->pointers;
  for (uint32_t i = 0; i < p->num_launches && !status; ++i) {
    const effrt_launch *launch = &p->launches[i];
    effrt_bound_launch *ready = &bound->launches[i];
    ready->fn = session->model->desc->kernels[launch->kernel].fn;
    ready->args =
        (effrt_kernel_args){pointers, kernel_dims, &session->kernel_error};
    bind_pointers(session, p, bound, launch, pointers);
    if (!launch->late) {
      status = effrt_size_launch(session, bound, i);
      bound->parallel |= ready->slots > 1;
      scratch = ready->scratch > scratch ? ready->scratch : scratch;
    }
    kernel_dims += launch->num_dims;
    pointers += launch->num_buffers;
  }
  if (!status)
    status = effrt_reserve_arena(session, bound->arena_bytes);
  return status ? status : effrt_reserve_scratch(session, scratch);
}

effrt_status effrt_bind(effrt_session *session, uint32_t program,
                        effrt_bound **out) {
  const effrt_program *p = get_program(session, program);
  effrt_bound **slot = pick_slot(session);
  effrt_bound *bound = make_block(session, program, slot);
  if (!bound)
    return EFFRT_STATUS_OUT_OF_MEMORY;
  uint32_t num_given = effrt_num_given_symbols(p);
  for (uint32_t i = 0; i < num_given; ++i)
    bound->symbols[i] = session->symbols[i];
  for (uint32_t i = 0; i < p->num_dims; ++i) {
    bound->dims[i] = session->dims[i];
    bound->known[i] = bound->known_early[i] = session->known[i];
  }
  effrt_status status = fill(session, bound);
  if (status) {
    free(bound);
    return status;
  }
  bound->last_used = ++session->clock;
  *slot = bound;
  *out = bound;
  return EFFRT_STATUS_OK;
}
