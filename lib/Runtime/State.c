/* State: tensors that a session keeps from run to run, such as the keys and
 * values of an attention or the cells of an LSTM. A run reads `before` and
 * writes `after`; a run that succeeded exchanges the two pointers, one that
 * failed leaves the state as it was.
 */
#include "Internal.h"

#include <inttypes.h>
#include <string.h>

#define FAIL(...) effrt_fail(message, __VA_ARGS__)

int64_t effrt_state_symbol(const effrt_session *session,
                           const effrt_symbol *symbol) {
  const effrt_held_state *state = &session->states[symbol->index];
  return state->fresh ? 0 : state->shape[symbol->axis];
}

effrt_status effrt_match_states(const effrt_session *session,
                                const effrt_program *p, const int64_t *dims,
                                effrt_message *message) {
  for (uint32_t i = 0; i < p->num_states; ++i) {
    const effrt_tensor_desc *before = &p->states[i].before;
    const effrt_held_state *held = &session->states[i];
    for (uint32_t axis = 0; axis < before->rank && !held->fresh; ++axis)
      if (held->shape[axis] != dims[before->dims[axis]])
        return FAIL(EFFRT_STATUS_SHAPE_MISMATCH,
                    "dimension %" PRIu32 " (%s) of state '%s' is %" PRId64
                    ", this run needs %" PRId64
                    "; another sequence begins with a reset",
                    axis, before->dim_texts[axis], before->name,
                    held->shape[axis], dims[before->dims[axis]]);
  }
  return EFFRT_STATUS_OK;
}

static effrt_status no_memory(effrt_message *message, const char *name,
                              uint64_t bytes) {
  return FAIL(EFFRT_STATUS_OUT_OF_MEMORY,
              "out of memory: %" PRIu64 " bytes for state '%s'", bytes, name);
}

effrt_status effrt_prepare_states(effrt_session *session,
                                  const effrt_bound *bound) {
  const effrt_model_desc *desc = session->model->desc;
  const effrt_program *p = &desc->programs[bound->program];
  effrt_message *message = &session->error;
  size_t io = (size_t)p->num_inputs + p->num_outputs;
  for (uint32_t i = 0; i < p->num_states; ++i, io += 2) {
    effrt_held_state *state = &session->states[i];
    uint64_t bytes = bound->io_bytes[io], bytes_after = bound->io_bytes[io + 1];
    if (state->fresh) {
      if (!effrt_grow(desc, &state->before, bytes, 0))
        return no_memory(message, p->states[i].before.name, bytes);
      if (bytes > 0)
        memset(state->before.data, 0, bytes);
    }
    if (!p->states[i].after.late &&
        !effrt_grow(desc, &state->after, bytes_after, 0))
      return no_memory(message, p->states[i].after.name, bytes_after);
    session->io[io] = state->before.data;
    session->io[io + 1] = state->after.data;
  }
  return EFFRT_STATUS_OK;
}

void effrt_commit_states(effrt_session *session, const effrt_bound *bound) {
  const effrt_program *p = &session->model->desc->programs[bound->program];
  const int64_t *shape = bound->shapes;
  size_t io = (size_t)p->num_inputs + p->num_outputs;
  for (uint32_t i = 0; i < p->num_outputs; ++i)
    shape += p->outputs[i].rank;
  for (uint32_t i = 0; i < p->num_states; ++i, io += 2) {
    effrt_held_state *state = &session->states[i];
    effrt_growable before = state->before;
    state->before = state->after;
    state->after = before;
    state->fresh = false;
    state->bytes = bound->io_bytes[io + 1];
    for (uint32_t axis = 0; axis < p->states[i].after.rank; ++axis)
      state->shape[axis] = *shape++;
  }
}

/* ---- What callers do with states between runs. ---- */

/* The general program speaks for all of them: states are the same in each. */
static const effrt_program *general(const effrt_session *session) {
  const effrt_model_desc *desc = session->model->desc;
  return &desc->programs[desc->num_programs - 1];
}

effrt_status effrt_session_reset(effrt_session *session) {
  if (!session)
    return EFFRT_STATUS_INVALID_ARGUMENT;
  session->error.text[0] = 0;
  for (uint32_t i = 0; i < general(session)->num_states; ++i)
    session->states[i].fresh = true;
  return EFFRT_STATUS_OK;
}

effrt_status effrt_session_fork(effrt_session *session, effrt_session **out) {
  if (!session)
    return EFFRT_STATUS_INVALID_ARGUMENT;
  effrt_message *message = &session->error;
  message->text[0] = 0;
  if (!out)
    return FAIL(EFFRT_STATUS_INVALID_ARGUMENT, "null argument");
  effrt_session_options options = {.struct_size = sizeof(options),
                                   .num_threads = session->num_threads,
                                   .pool = session->pool};
  effrt_session *fork = NULL;
  effrt_status status =
      effrt_session_create(session->model, &options, &fork, message);
  const effrt_program *p = general(session);
  for (uint32_t i = 0; i < p->num_states && !status; ++i) {
    const effrt_held_state *from = &session->states[i];
    effrt_held_state *to = &fork->states[i];
    if (from->fresh)
      continue;
    if (!effrt_grow(session->model->desc, &to->before, from->bytes, 0)) {
      status = no_memory(message, p->states[i].before.name, from->bytes);
      break;
    }
    if (from->bytes > 0)
      memcpy(to->before.data, from->before.data, from->bytes);
    to->fresh = false;
    to->bytes = from->bytes;
    for (uint32_t axis = 0; axis < p->states[i].before.rank; ++axis)
      to->shape[axis] = from->shape[axis];
  }
  if (status) {
    effrt_session_destroy(fork);
    return status;
  }
  *out = fork;
  return EFFRT_STATUS_OK;
}

/* Keeps the first `length` of an axis; rows move together in place. */
static void cut(effrt_held_state *state, const effrt_tensor_desc *desc,
                uint32_t axis, int64_t length) {
  uint64_t row = effrt_dtype_size(desc->dtype), count = 1;
  for (uint32_t i = axis + 1; i < desc->rank; ++i)
    row *= (uint64_t)state->shape[i];
  for (uint32_t i = 0; i < axis; ++i)
    count *= (uint64_t)state->shape[i];
  uint64_t old_bytes = row * (uint64_t)state->shape[axis],
           new_bytes = row * (uint64_t)length;
  for (uint64_t i = 1; i < count && new_bytes > 0; ++i)
    memmove(state->before.data + i * new_bytes,
            state->before.data + i * old_bytes, new_bytes);
  state->shape[axis] = length;
  state->bytes = count * new_bytes;
}

/* Marks the dims that depend on a symbol in the session's work space. */
static void mark_dependents(const effrt_session *session,
                            const effrt_program *p, uint32_t symbol) {
  for (uint32_t i = 0; i < p->num_dims; ++i) {
    const effrt_dim_op *op = &p->dims[i];
    if (op->kind == EFFRT_DIM_CONST)
      session->known[i] = 0;
    else if (op->kind == EFFRT_DIM_SYMBOL)
      session->known[i] = op->a == symbol;
    else
      session->known[i] = session->known[op->a] | session->known[op->b];
  }
}

/* Whether `length` can be what the symbol's axes are cut to. */
static effrt_status check_cut(const effrt_session *session,
                              const effrt_program *p, const char *symbol,
                              int64_t length, effrt_message *message) {
  for (uint32_t i = 0; i < p->num_states; ++i) {
    const effrt_tensor_desc *before = &p->states[i].before;
    const effrt_held_state *state = &session->states[i];
    for (uint32_t axis = 0; axis < before->rank; ++axis) {
      uint32_t dim = before->dims[axis];
      int64_t size = state->fresh ? 0 : state->shape[axis];
      if (!session->known[dim])
        continue;
      if (p->dims[dim].kind != EFFRT_DIM_SYMBOL)
        return FAIL(EFFRT_STATUS_INVALID_ARGUMENT,
                    "dimension %" PRIu32 " of state '%s' is '%s', not '%s': it "
                    "cannot be cut",
                    axis, before->name, before->dim_texts[axis], symbol);
      if (length < 0 || length > size)
        return FAIL(EFFRT_STATUS_INVALID_ARGUMENT,
                    "dimension %" PRIu32 " (%s) of state '%s' is %" PRId64
                    ", it cannot be cut to %" PRId64,
                    axis, symbol, before->name, size, length);
    }
  }
  return EFFRT_STATUS_OK;
}

effrt_status effrt_session_truncate(effrt_session *session, const char *symbol,
                                    int64_t length) {
  if (!session)
    return EFFRT_STATUS_INVALID_ARGUMENT;
  effrt_message *message = &session->error;
  message->text[0] = 0;
  if (!symbol)
    return FAIL(EFFRT_STATUS_INVALID_ARGUMENT, "null argument");
  const effrt_program *p = general(session);
  uint32_t found = 0;
  while (found < p->num_symbols &&
         (p->symbols[found].source != EFFRT_SYMBOL_STATE ||
          strcmp(p->symbols[found].name, symbol) != 0))
    ++found;
  if (found == p->num_symbols)
    return FAIL(EFFRT_STATUS_INVALID_ARGUMENT,
                "no size of a state is called '%s'", symbol);
  mark_dependents(session, p, found);
  effrt_status status = check_cut(session, p, symbol, length, message);
  if (status)
    return status;
  for (uint32_t i = 0; i < p->num_states; ++i)
    for (uint32_t axis = 0;
         axis < p->states[i].before.rank && !session->states[i].fresh; ++axis)
      if (session->known[p->states[i].before.dims[axis]])
        cut(&session->states[i], &p->states[i].before, axis, length);
  return EFFRT_STATUS_OK;
}

/* The description of a state, or null with a reason. */
static const effrt_tensor_desc *find_state(effrt_session *session,
                                           uint32_t state) {
  const effrt_program *p = general(session);
  session->error.text[0] = 0;
  if (state < p->num_states)
    return &p->states[state].before;
  (void)effrt_fail(&session->error, EFFRT_STATUS_INVALID_ARGUMENT,
                   "state %" PRIu32 " asked for, the model has %" PRIu32, state,
                   p->num_states);
  return NULL;
}

effrt_status effrt_session_get_state(effrt_session *session, uint32_t state,
                                     effrt_tensor *out) {
  if (!session || !out)
    return EFFRT_STATUS_INVALID_ARGUMENT;
  const effrt_tensor_desc *desc = find_state(session, state);
  if (!desc)
    return EFFRT_STATUS_INVALID_ARGUMENT;
  const effrt_held_state *held = &session->states[state];
  *out = (effrt_tensor){.dtype = desc->dtype, .rank = desc->rank};
  if (held->fresh)
    return EFFRT_STATUS_OK;
  out->data = held->before.data;
  out->shape = held->shape;
  out->bytes = held->bytes;
  return EFFRT_STATUS_OK;
}

/* Bytes of a tensor that can be state; sizes that the program fixes are
 * checked. */
static effrt_status measure(const effrt_program *p,
                            const effrt_tensor_desc *desc,
                            const effrt_tensor *in, uint64_t *bytes,
                            effrt_message *message) {
  if (in->dtype != desc->dtype)
    return FAIL(EFFRT_STATUS_DTYPE_MISMATCH, "state '%s' is %s, %s was given",
                desc->name, effrt_dtype_name(desc->dtype),
                effrt_dtype_name(in->dtype));
  if (in->rank != desc->rank || (in->rank > 0 && !in->shape))
    return FAIL(EFFRT_STATUS_RANK_MISMATCH,
                "state '%s' has %" PRIu32 " dimensions, %" PRIu32 " were given",
                desc->name, desc->rank, in->shape ? in->rank : 0);
  bool empty = false, overflow = false;
  *bytes = effrt_dtype_size(desc->dtype);
  for (uint32_t axis = 0; axis < in->rank; ++axis) {
    const effrt_dim_op *op = &p->dims[desc->dims[axis]];
    int64_t size = in->shape[axis];
    if (size < 0 || (op->kind == EFFRT_DIM_CONST && size != op->value))
      return FAIL(EFFRT_STATUS_SHAPE_MISMATCH,
                  "dimension %" PRIu32 " (%s) of state '%s' cannot be %" PRId64,
                  axis, desc->dim_texts[axis], desc->name, size);
    empty |= size == 0;
    overflow |= __builtin_mul_overflow(*bytes, (uint64_t)size, bytes);
  }
  if (empty)
    *bytes = 0;
  else if (overflow || *bytes > INT64_MAX)
    return FAIL(EFFRT_STATUS_SIZE_OVERFLOW,
                "the size of state '%s' does not fit 64 bits", desc->name);
  if (in->bytes < *bytes)
    return FAIL(EFFRT_STATUS_BUFFER_TOO_SMALL,
                "state '%s' needs %" PRIu64 " bytes, %zu were given",
                desc->name, *bytes, in->bytes);
  if (*bytes > 0 && !in->data)
    return FAIL(EFFRT_STATUS_NULL_DATA, "state '%s' has no data", desc->name);
  return EFFRT_STATUS_OK;
}

effrt_status effrt_session_set_state(effrt_session *session, uint32_t state,
                                     const effrt_tensor *in) {
  if (!session || !in)
    return EFFRT_STATUS_INVALID_ARGUMENT;
  const effrt_tensor_desc *desc = find_state(session, state);
  if (!desc)
    return EFFRT_STATUS_INVALID_ARGUMENT;
  uint64_t bytes;
  effrt_status status =
      measure(general(session), desc, in, &bytes, &session->error);
  if (status)
    return status;
  /* Into the memory that the next run would write, so that the source may be
   * what effrt_session_get_state gave. */
  effrt_held_state *held = &session->states[state];
  if (!effrt_grow(session->model->desc, &held->after, bytes, 0))
    return no_memory(&session->error, desc->name, bytes);
  if (bytes > 0)
    memcpy(held->after.data, in->data, bytes);
  effrt_growable before = held->before;
  held->before = held->after;
  held->after = before;
  held->fresh = false;
  held->bytes = bytes;
  for (uint32_t axis = 0; axis < in->rank; ++axis)
    held->shape[axis] = in->shape[axis];
  return EFFRT_STATUS_OK;
}
