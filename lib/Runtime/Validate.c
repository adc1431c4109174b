/* Structural check of a model's tables when it is opened: a damaged or foreign
 * table is refused once, so that nothing after this has to look at an index
 * twice.
 */
#include "Internal.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define BAD(...) effrt_fail(message, EFFRT_STATUS_NOT_A_MODEL, __VA_ARGS__)

/* A program under examination. */
typedef struct examined {
  const effrt_model_desc *desc;
  const effrt_program *p;
  uint8_t *late;  /* of each dim: it depends on a symbol of source STEP */
  uint8_t *marks; /* of each dim, work space */
  effrt_message *message;
} examined;

#define BAD_ROW(what, row)                                                     \
  effrt_fail(x->message, EFFRT_STATUS_NOT_A_MODEL,                             \
             "damaged model: program '%s' has a bad " what " %" PRIu32,        \
             x->p->name, row)

static effrt_status check_dim_table(const examined *x) {
  const effrt_program *p = x->p;
  for (uint32_t i = 0; i < p->num_dims; ++i) {
    const effrt_dim_op *op = &p->dims[i];
    bool good = false;
    x->late[i] = 0;
    if (op->kind == EFFRT_DIM_CONST) {
      good = true;
    } else if (op->kind == EFFRT_DIM_SYMBOL) {
      good = op->a < p->num_symbols;
      x->late[i] = good && p->symbols[op->a].source == EFFRT_SYMBOL_STEP;
    } else if (op->kind > EFFRT_DIM_SYMBOL && op->kind <= EFFRT_DIM_BROADCAST) {
      good = op->a < i && op->b < i;
      x->late[i] = good && (x->late[op->a] || x->late[op->b]);
    }
    if (!good)
      return BAD_ROW("dim", i);
  }
  for (uint32_t i = 0; i < p->num_checks; ++i) {
    const effrt_dim_check *check = &p->checks[i];
    if (check->a >= p->num_dims || check->b >= p->num_dims || !check->message ||
        check->late > 1 ||
        ((x->late[check->a] || x->late[check->b]) && !check->late))
      return BAD_ROW("check", i);
  }
  return EFFRT_STATUS_OK;
}

/* `may_be_late`: whether sizes may follow from data; then the tensor says so.
 */
static bool is_good_tensor(const examined *x, const effrt_tensor_desc *tensor,
                           bool may_be_late) {
  if (!tensor->name || effrt_dtype_size(tensor->dtype) == 0 ||
      (tensor->rank > 0 && (!tensor->dims || !tensor->dim_texts)))
    return false;
  uint32_t late = 0;
  for (uint32_t axis = 0; axis < tensor->rank; ++axis) {
    if (tensor->dims[axis] >= x->p->num_dims || !tensor->dim_texts[axis])
      return false;
    late |= x->late[tensor->dims[axis]];
  }
  return tensor->late == late && (may_be_late || !late);
}

static effrt_status check_tensors(const examined *x) {
  const effrt_program *p = x->p;
  for (uint32_t i = 0; i < p->num_inputs; ++i)
    if (!is_good_tensor(x, &p->inputs[i], false))
      return BAD_ROW("tensor", i);
  for (uint32_t i = 0; i < p->num_outputs; ++i)
    if (!is_good_tensor(x, &p->outputs[i], true))
      return BAD_ROW("tensor", p->num_inputs + i);
  return EFFRT_STATUS_OK;
}

/* States are what all programs of a model share. */
static effrt_status check_states(const examined *x) {
  const effrt_program *first = &x->desc->programs[0];
  if (x->p->num_states != first->num_states ||
      (x->p->num_states > 0 && !first->states))
    return effrt_fail(x->message, EFFRT_STATUS_NOT_A_MODEL,
                      "damaged model: programs '%s' and '%s' differ in states",
                      first->name, x->p->name);
  for (uint32_t i = 0; i < x->p->num_states; ++i) {
    const effrt_tensor_desc *before = &x->p->states[i].before,
                            *after = &x->p->states[i].after,
                            *other = &first->states[i].before;
    if (!is_good_tensor(x, before, false) || !is_good_tensor(x, after, true) ||
        before->dtype != after->dtype || before->rank != after->rank ||
        before->dtype != other->dtype || before->rank != other->rank ||
        strcmp(before->name, other->name) != 0)
      return BAD_ROW("state", i);
  }
  return EFFRT_STATUS_OK;
}

/* The list of dependents is complete: stale sizes would lead kernels astray. */
static bool has_all_dependents(const examined *x, uint32_t symbol) {
  const effrt_symbol *s = &x->p->symbols[symbol];
  uint32_t next = 0;
  for (uint32_t i = 0; i < x->p->num_dims; ++i) {
    const effrt_dim_op *op = &x->p->dims[i];
    if (op->kind == EFFRT_DIM_CONST)
      x->marks[i] = 0;
    else if (op->kind == EFFRT_DIM_SYMBOL)
      x->marks[i] = op->a == symbol;
    else
      x->marks[i] = x->marks[op->a] || x->marks[op->b];
    if (!x->marks[i])
      continue;
    if (next == s->num_dependents || s->dependents[next] != i)
      return false;
    ++next;
  }
  return next == s->num_dependents;
}

static effrt_status check_symbols(const examined *x) {
  const effrt_program *p = x->p;
  int32_t source = EFFRT_SYMBOL_INPUT;
  for (uint32_t i = 0; i < p->num_symbols; ++i) {
    const effrt_symbol *symbol = &p->symbols[i];
    bool good =
        symbol->name && symbol->min <= symbol->max && symbol->source >= source;
    source = symbol->source;
    if (source == EFFRT_SYMBOL_INPUT)
      good = good && symbol->min >= 0 && symbol->index < p->num_inputs &&
             symbol->axis < p->inputs[symbol->index].rank;
    else if (source == EFFRT_SYMBOL_STATE)
      good = good && symbol->min >= 0 && symbol->index < p->num_states &&
             symbol->axis < p->states[symbol->index].before.rank;
    else
      good = good && source == EFFRT_SYMBOL_STEP && p->num_steps > 0 &&
             (symbol->dependents || symbol->num_dependents == 0) &&
             has_all_dependents(x, i);
    if (!good)
      return BAD_ROW("symbol", i);
  }
  return EFFRT_STATUS_OK;
}

/* Steps, or launches where there are no steps. */
static uint32_t num_moments(const effrt_program *p) {
  return p->num_steps ? p->num_steps : p->num_launches;
}

/* Whether memory of the buffer is found at each execution. */
static bool is_growable(const effrt_program *p, const effrt_buffer *buffer) {
  return buffer->kind == EFFRT_BUFFER_DYNAMIC ||
         (buffer->kind == EFFRT_BUFFER_OUTPUT &&
          p->outputs[buffer->value].late) ||
         (buffer->kind == EFFRT_BUFFER_STATE_AFTER &&
          p->states[buffer->value].after.late);
}

static effrt_status check_buffers(const examined *x) {
  const effrt_program *p = x->p;
  for (uint32_t i = 0; i < p->num_buffers; ++i) {
    const effrt_buffer *buffer = &p->buffers[i];
    bool good = buffer->bytes < p->num_dims;
    switch (buffer->kind) {
    case EFFRT_BUFFER_INPUT:
      good = good && buffer->value < p->num_inputs;
      break;
    case EFFRT_BUFFER_OUTPUT:
      good = good && buffer->value < p->num_outputs;
      break;
    case EFFRT_BUFFER_WEIGHT:
      good = good && buffer->value <= x->desc->weights_size;
      break;
    case EFFRT_BUFFER_ARENA:
      good = good && buffer->first <= buffer->last &&
             buffer->last < num_moments(p);
      break;
    case EFFRT_BUFFER_DYNAMIC:
      good = good && p->num_steps > 0;
      break;
    case EFFRT_BUFFER_STATE_BEFORE:
    case EFFRT_BUFFER_STATE_AFTER:
      good = good && buffer->value < p->num_states;
      break;
    default:
      good = false;
    }
    if (!good || (x->late[buffer->bytes] && !is_growable(p, buffer)))
      return BAD_ROW("buffer", i);
  }
  return EFFRT_STATUS_OK;
}

static bool indices_below(const uint32_t *indices, uint32_t count,
                          uint32_t limit) {
  if (count > 0 && !indices)
    return false;
  for (uint32_t i = 0; i < count; ++i)
    if (indices[i] >= limit)
      return false;
  return true;
}

static bool is_alive(const effrt_buffer *buffer, uint32_t moment) {
  return buffer->kind != EFFRT_BUFFER_ARENA ||
         (buffer->first <= moment && moment <= buffer->last);
}

/* All buffers of a launch are alive when it runs. */
static bool finds_buffers(const effrt_program *p, uint32_t launch,
                          uint32_t moment) {
  const effrt_launch *l = &p->launches[launch];
  for (uint32_t k = 0; k < l->num_buffers; ++k)
    if (!is_alive(&p->buffers[l->buffers[k]], moment))
      return false;
  return true;
}

static effrt_status check_launches(const examined *x) {
  const effrt_program *p = x->p;
  for (uint32_t i = 0; i < p->num_launches; ++i) {
    const effrt_launch *launch = &p->launches[i];
    const uint32_t sizes[] = {launch->extent, launch->scratch, launch->flops,
                              launch->bytes, launch->cost};
    const uint32_t num_sizes = sizeof(sizes) / sizeof(sizes[0]);
    bool good =
        launch->kernel < x->desc->num_kernels && launch->late <= 1 &&
        indices_below(launch->buffers, launch->num_buffers, p->num_buffers) &&
        indices_below(launch->dims, launch->num_dims, p->num_dims) &&
        indices_below(sizes, num_sizes, p->num_dims) &&
        (p->num_steps > 0 || (!launch->late && finds_buffers(p, i, i)));
    bool late = false;
    for (uint32_t k = 0; good && k < launch->num_buffers; ++k)
      late |= is_growable(p, &p->buffers[launch->buffers[k]]);
    for (uint32_t k = 0; good && k < launch->num_dims; ++k)
      late |= x->late[launch->dims[k]];
    for (uint32_t k = 0; good && k < num_sizes; ++k)
      late |= x->late[sizes[k]];
    if (!good || (late && !launch->late))
      return BAD_ROW("launch", i);
  }
  return EFFRT_STATUS_OK;
}

static bool is_step_symbol(const effrt_program *p, uint32_t symbol) {
  return symbol < p->num_symbols &&
         p->symbols[symbol].source == EFFRT_SYMBOL_STEP;
}

static bool can_read(const effrt_program *p, uint32_t buffer, uint32_t moment) {
  return buffer < p->num_buffers && is_alive(&p->buffers[buffer], moment);
}

static bool can_write(const effrt_program *p, uint32_t buffer,
                      uint32_t moment) {
  return can_read(p, buffer, moment) &&
         p->buffers[buffer].kind != EFFRT_BUFFER_INPUT &&
         p->buffers[buffer].kind != EFFRT_BUFFER_WEIGHT &&
         p->buffers[buffer].kind != EFFRT_BUFFER_STATE_BEFORE;
}

static bool is_dynamic(const effrt_program *p, uint32_t buffer) {
  return buffer < p->num_buffers &&
         p->buffers[buffer].kind == EFFRT_BUFFER_DYNAMIC;
}

static bool is_good_step(const effrt_program *p, uint32_t index) {
  const effrt_step *step = &p->steps[index];
  switch (step->kind) {
  case EFFRT_STEP_LAUNCH:
    return step->a < p->num_launches && finds_buffers(p, step->a, index);
  case EFFRT_STEP_DEFINE:
    return is_step_symbol(p, step->a) && can_read(p, step->b, index);
  case EFFRT_STEP_ASSIGN:
    return is_step_symbol(p, step->a) && step->b < p->num_dims;
  case EFFRT_STEP_CHECK:
    return step->a < p->num_checks;
  case EFFRT_STEP_JUMP: /* to behind the last step: the end */
    return step->a <= p->num_steps;
  case EFFRT_STEP_JUMP_UNLESS:
    return step->a <= p->num_steps && can_read(p, step->b, index);
  case EFFRT_STEP_JUMP_UNLESS_LESS:
    return step->a <= p->num_steps && step->b < p->num_dims &&
           step->c < p->num_dims;
  case EFFRT_STEP_STORE:
    return can_write(p, step->a, index) && step->b < p->num_dims;
  case EFFRT_STEP_COPY:
    return can_write(p, step->a, index) && can_read(p, step->b, index);
  case EFFRT_STEP_SWAP:
    return is_dynamic(p, step->a) && is_dynamic(p, step->b);
  case EFFRT_STEP_CLEAR:
    return is_dynamic(p, step->a);
  case EFFRT_STEP_APPEND:
    return is_dynamic(p, step->a) && can_read(p, step->b, index) &&
           step->a != step->b;
  default:
    return false;
  }
}

static effrt_status check_steps(const examined *x) {
  for (uint32_t i = 0; i < x->p->num_steps; ++i)
    if (!is_good_step(x->p, i))
      return BAD_ROW("step", i);
  return EFFRT_STATUS_OK;
}

static effrt_status examine(const examined *x) {
  static effrt_status (*const checks[])(const examined *) = {
      check_dim_table, check_tensors,  check_states, check_symbols,
      check_buffers,   check_launches, check_steps};
  effrt_status status = EFFRT_STATUS_OK;
  for (size_t i = 0; i < sizeof(checks) / sizeof(checks[0]) && !status; ++i)
    status = checks[i](x);
  return status;
}

static effrt_status check_program(const effrt_model_desc *desc,
                                  const effrt_program *p,
                                  effrt_message *message) {
  if (!p->name || (p->num_symbols && !p->symbols) ||
      (p->num_dims && !p->dims) || (p->num_checks && !p->checks) ||
      (p->num_inputs && !p->inputs) || (p->num_outputs && !p->outputs) ||
      (p->num_buffers && !p->buffers) || (p->num_launches && !p->launches) ||
      (p->num_steps && !p->steps) || (p->num_states && !p->states) ||
      p->num_launches == UINT32_MAX || p->num_steps == UINT32_MAX)
    return BAD("damaged model: a program of '%s' lacks a table", desc->name);
  uint8_t *flags = malloc(2 * (size_t)p->num_dims + 1);
  if (!flags)
    return effrt_fail(message, EFFRT_STATUS_OUT_OF_MEMORY, "out of memory");
  examined x = {desc, p, flags, flags + p->num_dims, message};
  effrt_status status = examine(&x);
  free(flags);
  return status;
}

effrt_status effrt_validate_header(const effrt_model_desc *desc,
                                   effrt_message *message) {
  if (desc->magic != EFFRT_MAGIC)
    return BAD("not a model table: magic is 0x%08" PRIx32
               ", expected 0x%08" PRIx32,
               desc->magic, EFFRT_MAGIC);
  if (desc->abi_version != EFFRT_ABI_VERSION ||
      desc->struct_size != sizeof(*desc))
    return effrt_fail(
        message, EFFRT_STATUS_ABI_MISMATCH,
        "the model has ABI version %" PRIu32 " (%" PRIu32
        " bytes), this runtime has %" PRIu32
        " (%zu bytes); compile the model again with the effc of this runtime",
        desc->abi_version, desc->struct_size, EFFRT_ABI_VERSION, sizeof(*desc));
  if (!desc->name || !desc->target || !desc->certificate ||
      desc->num_programs == 0 || !desc->programs ||
      (desc->num_kernels && !desc->kernels) ||
      (desc->weights_size && !desc->weights && !desc->weights_file))
    return BAD("damaged model: its description lacks a table");
  return EFFRT_STATUS_OK;
}

effrt_status effrt_validate(const effrt_model_desc *desc,
                            effrt_message *message) {
  for (uint32_t i = 0; i < desc->num_kernels; ++i)
    if (!desc->kernels[i].fn || !desc->kernels[i].name)
      return BAD("damaged model: kernel %" PRIu32
                 " of '%s' lacks its code or name",
                 i, desc->name);
  for (uint32_t i = 0; i < desc->num_programs; ++i) {
    effrt_status status = check_program(desc, &desc->programs[i], message);
    if (status)
      return status;
  }
  return EFFRT_STATUS_OK;
}
