/* Entry points of a run: the caller's tensors against the program's, in an
 * order that gives the most telling message, then binding and execution.
 */
#include "Internal.h"

#include <inttypes.h>
#include <string.h>

#define FAIL(...) effrt_fail(message, __VA_ARGS__)

/* What can be said of an input before any size is computed; picks up symbol
 * values. */
static effrt_status match_input(const effrt_program *p, uint32_t index,
                                const effrt_tensor *given,
                                effrt_message *message) {
  const effrt_tensor_desc *input = &p->inputs[index];
  if (given->dtype != input->dtype)
    return FAIL(EFFRT_STATUS_DTYPE_MISMATCH, "input '%s' is %s, expected %s",
                input->name, effrt_dtype_name(given->dtype),
                effrt_dtype_name(input->dtype));
  if (given->rank != input->rank)
    return FAIL(EFFRT_STATUS_RANK_MISMATCH,
                "input '%s' has %" PRIu32 " dimensions, expected %" PRIu32,
                input->name, given->rank, input->rank);
  if (given->rank > 0 && !given->shape)
    return FAIL(EFFRT_STATUS_INVALID_ARGUMENT, "input '%s' has no shape",
                input->name);
  for (uint32_t axis = 0; axis < input->rank; ++axis) {
    const effrt_dim_op *op = &p->dims[input->dims[axis]];
    if (op->kind == EFFRT_DIM_CONST && given->shape[axis] != op->value)
      return FAIL(EFFRT_STATUS_SHAPE_MISMATCH,
                  "dimension %" PRIu32 " of input '%s' is %" PRId64
                  ", expected %" PRId64,
                  axis, input->name, given->shape[axis], op->value);
  }
  return EFFRT_STATUS_OK;
}

/* Counts, types, ranks, fixed sizes; then the symbols. */
static effrt_status match_inputs(effrt_session *session, const effrt_program *p,
                                 const effrt_tensor *inputs,
                                 uint32_t num_inputs, effrt_message *message) {
  if (num_inputs != p->num_inputs)
    return FAIL(EFFRT_STATUS_COUNT_MISMATCH,
                "%" PRIu32 " inputs given, program '%s' has %" PRIu32,
                num_inputs, p->name, p->num_inputs);
  for (uint32_t i = 0; i < num_inputs; ++i) {
    effrt_status status = match_input(p, i, &inputs[i], message);
    if (status)
      return status;
  }
  effrt_status status = EFFRT_STATUS_OK;
  for (uint32_t i = 0; i < effrt_num_given_symbols(p) && !status; ++i) {
    const effrt_symbol *symbol = &p->symbols[i];
    session->symbols[i] = symbol->source == EFFRT_SYMBOL_STATE
                              ? effrt_state_symbol(session, symbol)
                              : inputs[symbol->index].shape[symbol->axis];
    status = effrt_check_symbol(p, i, session->symbols[i], message);
  }
  return status;
}

/* All sizes of all inputs against the evaluated dims. */
static effrt_status match_shapes(const effrt_session *session,
                                 const effrt_program *p, const int64_t *dims,
                                 const effrt_tensor *inputs,
                                 effrt_message *message) {
  for (uint32_t i = 0; i < p->num_inputs; ++i) {
    const effrt_tensor_desc *input = &p->inputs[i];
    for (uint32_t axis = 0; axis < input->rank; ++axis) {
      int64_t expected = dims[input->dims[axis]];
      if (inputs[i].shape[axis] != expected)
        return FAIL(EFFRT_STATUS_SHAPE_MISMATCH,
                    "dimension %" PRIu32 " (%s) of input '%s' is %" PRId64
                    ", expected %" PRId64,
                    axis, input->dim_texts[axis], input->name,
                    inputs[i].shape[axis], expected);
    }
  }
  return effrt_match_states(session, p, dims, message);
}

/* Whether a program takes these inputs. If so and it is not bound to their
 * sizes yet, `bound` is null and the session's work space holds symbols and
 * dims. */
static effrt_status match_program(effrt_session *session, uint32_t program,
                                  const effrt_tensor *inputs,
                                  uint32_t num_inputs, effrt_bound **bound,
                                  effrt_message *message) {
  const effrt_program *p = &session->model->desc->programs[program];
  effrt_status status = match_inputs(session, p, inputs, num_inputs, message);
  if (status)
    return status;
  *bound = effrt_find_bound(session, program, session->symbols);
  if (*bound)
    return match_shapes(session, p, (*bound)->dims, inputs, message);
  status = effrt_eval_dims(p, session->symbols, session->dims, session->known,
                           message);
  if (!status)
    status = match_shapes(session, p, session->dims, inputs, message);
  return status ? status : effrt_check_dims(p, session->dims, message);
}

static effrt_status bind_inputs(effrt_session *session, uint32_t program,
                                const effrt_tensor *inputs, uint32_t num_inputs,
                                effrt_bound **bound) {
  effrt_message *message = &session->error;
  uint32_t num_programs = session->model->desc->num_programs;
  session->has_results = false;
  if (program >= num_programs && program != EFFRT_PROGRAM_ANY)
    return FAIL(EFFRT_STATUS_INVALID_ARGUMENT,
                "program %" PRIu32 " asked for, the model has %" PRIu32,
                program, num_programs);
  if (!inputs && num_inputs > 0)
    return FAIL(EFFRT_STATUS_INVALID_ARGUMENT, "no inputs given");
  effrt_status status = EFFRT_STATUS_OK;
  if (program != EFFRT_PROGRAM_ANY) {
    status =
        match_program(session, program, inputs, num_inputs, bound, message);
  } else {
    /* The last program is the general one: its reason is the one to tell. */
    for (program = 0; program < num_programs; ++program) {
      bool is_last = program + 1 == num_programs;
      status = match_program(session, program, inputs, num_inputs, bound,
                             is_last ? message : NULL);
      if (!status || is_last)
        break;
    }
  }
  if (!status && !*bound)
    status = effrt_bind(session, program, bound);
  if (!status)
    session->last = *bound;
  return status;
}

static effrt_status match_output(const effrt_bound *bound,
                                 const effrt_program *p, uint32_t index,
                                 const int64_t *shape,
                                 const effrt_tensor *given,
                                 effrt_message *message) {
  const effrt_tensor_desc *output = &p->outputs[index];
  uint64_t bytes = output->late ? 0 : bound->io_bytes[p->num_inputs + index];
  if (given->dtype != 0 && given->dtype != output->dtype)
    return FAIL(EFFRT_STATUS_DTYPE_MISMATCH,
                "output '%s' is %s, a buffer of %s was given", output->name,
                effrt_dtype_name(output->dtype),
                effrt_dtype_name(given->dtype));
  if (given->shape && given->rank != output->rank)
    return FAIL(EFFRT_STATUS_RANK_MISMATCH,
                "output '%s' has %" PRIu32 " dimensions, a buffer of %" PRIu32
                " was given",
                output->name, output->rank, given->rank);
  for (uint32_t axis = 0; given->shape && axis < output->rank; ++axis)
    if (given->shape[axis] != shape[axis] &&
        bound->known_early[output->dims[axis]] == EFFRT_DIM_KNOWN)
      return FAIL(EFFRT_STATUS_SHAPE_MISMATCH,
                  "dimension %" PRIu32 " (%s) of output '%s' will be %" PRId64
                  ", a buffer with %" PRId64 " was given",
                  axis, output->dim_texts[axis], output->name, shape[axis],
                  given->shape[axis]);
  if (given->bytes < bytes)
    return FAIL(EFFRT_STATUS_BUFFER_TOO_SMALL,
                "output '%s' needs %" PRIu64
                " bytes, a buffer of %zu was given",
                output->name, bytes, given->bytes);
  return EFFRT_STATUS_OK;
}

static effrt_status match_buffers(effrt_session *session,
                                  const effrt_bound *bound,
                                  const effrt_tensor *inputs,
                                  const effrt_tensor *outputs,
                                  uint32_t num_outputs) {
  effrt_message *message = &session->error;
  const effrt_program *p = &session->model->desc->programs[bound->program];
  if (num_outputs != p->num_outputs || (num_outputs > 0 && !outputs))
    return FAIL(EFFRT_STATUS_COUNT_MISMATCH,
                "%" PRIu32 " outputs given, program '%s' has %" PRIu32,
                outputs ? num_outputs : 0, p->name, p->num_outputs);
  for (uint32_t i = 0; i < p->num_inputs; ++i) {
    if (inputs[i].bytes < bound->io_bytes[i])
      return FAIL(EFFRT_STATUS_BUFFER_TOO_SMALL,
                  "input '%s' needs %" PRIu64
                  " bytes, a buffer of %zu was given",
                  p->inputs[i].name, bound->io_bytes[i], inputs[i].bytes);
    session->io[i] = inputs[i].data;
  }
  const int64_t *shape = bound->shapes;
  for (uint32_t i = 0; i < num_outputs; ++i) {
    effrt_status status =
        match_output(bound, p, i, shape, &outputs[i], message);
    if (status)
      return status;
    shape += p->outputs[i].rank;
    session->io[p->num_inputs + i] = outputs[i].data;
  }
  return EFFRT_STATUS_OK;
}

/* Null and misaligned pointers, the same for all ways to run. */
static effrt_status check_pointers(effrt_session *session,
                                   const effrt_bound *bound) {
  effrt_message *message = &session->error;
  const effrt_program *p = &session->model->desc->programs[bound->program];
  for (uint32_t i = 0; i < p->num_inputs + p->num_outputs; ++i) {
    bool is_input = i < p->num_inputs;
    const effrt_tensor_desc *tensor =
        is_input ? &p->inputs[i] : &p->outputs[i - p->num_inputs];
    if (tensor->late) /* filled after the run, if there is a pointer */
      continue;
    const char *what = is_input ? "input" : "output";
    if (!session->io[i] && bound->io_bytes[i] > 0)
      return FAIL(EFFRT_STATUS_NULL_DATA, "%s '%s' has no data", what,
                  tensor->name);
    if ((uintptr_t)session->io[i] % effrt_dtype_size(tensor->dtype) != 0)
      return FAIL(EFFRT_STATUS_INVALID_ARGUMENT,
                  "data of %s '%s' is not aligned to its elements (%zu bytes)",
                  what, tensor->name, effrt_dtype_size(tensor->dtype));
  }
  return EFFRT_STATUS_OK;
}

/* Sizes of the last run are no promise for the next. */
static void forget_late_sizes(effrt_bound *bound, const effrt_program *p) {
  int64_t *shape = bound->shapes;
  for (uint32_t i = 0; i < p->num_outputs; ++i)
    for (uint32_t axis = 0; axis < p->outputs[i].rank; ++axis, ++shape)
      if (bound->known_early[p->outputs[i].dims[axis]] != EFFRT_DIM_KNOWN) {
        *shape = -1;
        bound->io_bytes[p->num_inputs + i] = 0;
      }
}

static void describe_output(const effrt_bound *bound, const effrt_program *p,
                            uint32_t index, const int64_t *shape,
                            effrt_tensor *out) {
  out->dtype = p->outputs[index].dtype;
  out->rank = p->outputs[index].rank;
  out->shape = shape;
  out->bytes = bound->io_bytes[p->num_inputs + index];
}

effrt_status effrt_session_resolve(effrt_session *session, uint32_t program,
                                   const effrt_tensor *inputs,
                                   uint32_t num_inputs, effrt_tensor *outputs,
                                   uint32_t num_outputs) {
  if (!session)
    return EFFRT_STATUS_INVALID_ARGUMENT;
  effrt_message *message = &session->error;
  message->text[0] = 0;
  effrt_bound *bound = NULL;
  effrt_status status =
      bind_inputs(session, program, inputs, num_inputs, &bound);
  if (status)
    return status;
  const effrt_program *p = &session->model->desc->programs[bound->program];
  if (num_outputs != p->num_outputs || (num_outputs > 0 && !outputs))
    return FAIL(EFFRT_STATUS_COUNT_MISMATCH,
                "%" PRIu32 " outputs given, program '%s' has %" PRIu32,
                outputs ? num_outputs : 0, p->name, p->num_outputs);
  forget_late_sizes(bound, p);
  const int64_t *shape = bound->shapes;
  for (uint32_t i = 0; i < num_outputs; ++i) {
    describe_output(bound, p, i, shape, &outputs[i]);
    shape += p->outputs[i].rank;
  }
  return EFFRT_STATUS_OK;
}

/* Copies outputs of late size to callers who passed memory for them. */
static effrt_status deliver(effrt_session *session, const effrt_bound *bound,
                            const effrt_tensor *outputs) {
  effrt_message *message = &session->error;
  const effrt_program *p = &session->model->desc->programs[bound->program];
  effrt_status status = EFFRT_STATUS_OK;
  for (uint32_t i = 0; i < p->num_outputs; ++i) {
    uint64_t bytes = bound->io_bytes[p->num_inputs + i];
    if (!p->outputs[i].late || !outputs[i].data)
      continue;
    if (bytes > outputs[i].bytes)
      status =
          FAIL(EFFRT_STATUS_BUFFER_TOO_SMALL,
               "output '%s' has %" PRIu64 " bytes, a buffer of %zu was given; "
               "effrt_session_output still has it",
               p->outputs[i].name, bytes, outputs[i].bytes);
    else if (bytes > 0)
      memcpy(outputs[i].data, session->outputs[i].data, bytes);
  }
  return status;
}

effrt_status effrt_session_run(effrt_session *session, uint32_t program,
                               const effrt_tensor *inputs, uint32_t num_inputs,
                               const effrt_tensor *outputs,
                               uint32_t num_outputs) {
  if (!session)
    return EFFRT_STATUS_INVALID_ARGUMENT;
  session->error.text[0] = 0;
  effrt_bound *bound = NULL;
  effrt_status status =
      bind_inputs(session, program, inputs, num_inputs, &bound);
  if (!status)
    status = match_buffers(session, bound, inputs, outputs, num_outputs);
  if (!status)
    status = check_pointers(session, bound);
  if (!status)
    status = effrt_execute(session, bound);
  return status ? status : deliver(session, bound, outputs);
}

effrt_status effrt_session_output(effrt_session *session, uint32_t output,
                                  effrt_tensor *out) {
  if (!session || !out)
    return EFFRT_STATUS_INVALID_ARGUMENT;
  effrt_message *message = &session->error;
  message->text[0] = 0;
  const effrt_bound *bound = session->last;
  if (!session->has_results || !bound)
    return FAIL(EFFRT_STATUS_INVALID_ARGUMENT,
                "no results: the last run or resolve was no run that "
                "succeeded");
  const effrt_program *p = &session->model->desc->programs[bound->program];
  if (output >= p->num_outputs)
    return FAIL(EFFRT_STATUS_INVALID_ARGUMENT,
                "output %" PRIu32 " asked for, program '%s' has %" PRIu32,
                output, p->name, p->num_outputs);
  const int64_t *shape = bound->shapes;
  for (uint32_t i = 0; i < output; ++i)
    shape += p->outputs[i].rank;
  describe_output(bound, p, output, shape, out);
  out->data = p->outputs[output].late ? session->outputs[output].data
                                      : session->io[p->num_inputs + output];
  return EFFRT_STATUS_OK;
}

/* What the session knows of the symbols, after those that the caller gives. */
static effrt_status complete_symbols(effrt_session *session,
                                     const effrt_program *p,
                                     const int64_t *given) {
  effrt_status status = EFFRT_STATUS_OK;
  for (uint32_t i = 0; i < effrt_num_given_symbols(p) && !status; ++i) {
    const effrt_symbol *symbol = &p->symbols[i];
    session->symbols[i] = symbol->source == EFFRT_SYMBOL_STATE
                              ? effrt_state_symbol(session, symbol)
                              : given[i];
    status = effrt_check_symbol(p, i, session->symbols[i], &session->error);
  }
  return status;
}

static effrt_status bind_symbols(effrt_session *session, uint32_t program,
                                 const int64_t *symbols, effrt_bound **bound) {
  effrt_message *message = &session->error;
  const effrt_program *p = &session->model->desc->programs[program];
  session->has_results = false;
  effrt_status status = complete_symbols(session, p, symbols);
  if (status)
    return status;
  *bound = effrt_find_bound(session, program, session->symbols);
  if (*bound)
    return effrt_match_states(session, p, (*bound)->dims, message);
  status = effrt_eval_dims(p, session->symbols, session->dims, session->known,
                           message);
  if (!status)
    status = effrt_match_states(session, p, session->dims, message);
  if (!status)
    status = effrt_check_dims(p, session->dims, message);
  return status ? status : effrt_bind(session, program, bound);
}

effrt_status effrt_session_run_symbols(effrt_session *session, uint32_t program,
                                       const int64_t *symbols,
                                       void *const *inputs,
                                       void *const *outputs) {
  if (!session)
    return EFFRT_STATUS_INVALID_ARGUMENT;
  effrt_message *message = &session->error;
  message->text[0] = 0;
  const effrt_model_desc *desc = session->model->desc;
  if (program >= desc->num_programs)
    return FAIL(EFFRT_STATUS_INVALID_ARGUMENT,
                "program %" PRIu32 " asked for, the model has %" PRIu32,
                program, desc->num_programs);
  const effrt_program *p = &desc->programs[program];
  bool needs_symbols =
      p->num_symbols && p->symbols[0].source == EFFRT_SYMBOL_INPUT;
  if ((needs_symbols && !symbols) || (p->num_inputs && !inputs) ||
      (p->num_outputs && !outputs))
    return FAIL(EFFRT_STATUS_INVALID_ARGUMENT, "null argument");
  effrt_bound *bound = NULL;
  effrt_status status = bind_symbols(session, program, symbols, &bound);
  if (status)
    return status;
  session->last = bound;
  for (uint32_t i = 0; i < p->num_inputs; ++i)
    session->io[i] = inputs[i];
  for (uint32_t i = 0; i < p->num_outputs; ++i)
    session->io[p->num_inputs + i] = outputs[i];
  status = check_pointers(session, bound);
  return status ? status : effrt_execute(session, bound);
}
