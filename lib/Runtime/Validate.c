/* Structural check of a model's tables when it is opened: a damaged or foreign
 * table is refused once, so that nothing after this has to look at an index
 * twice.
 */
#include "Internal.h"

#include <inttypes.h>
#include <string.h>

#define BAD(...) effrt_fail(message, EFFRT_STATUS_NOT_A_MODEL, __VA_ARGS__)

static effrt_status check_dim_table(const effrt_program *p,
                                    effrt_message *message) {
  for (uint32_t i = 0; i < p->num_dims; ++i) {
    const effrt_dim_op *op = &p->dims[i];
    bool good = false;
    if (op->kind == EFFRT_DIM_CONST)
      good = true;
    else if (op->kind == EFFRT_DIM_SYMBOL)
      good = op->a < p->num_symbols;
    else if (op->kind > EFFRT_DIM_SYMBOL && op->kind <= EFFRT_DIM_MAX)
      good = op->a < i && op->b < i;
    if (!good)
      return BAD("damaged model: program '%s' has a bad dim %" PRIu32, p->name,
                 i);
  }
  for (uint32_t i = 0; i < p->num_checks; ++i)
    if (p->checks[i].a >= p->num_dims || p->checks[i].b >= p->num_dims ||
        !p->checks[i].message)
      return BAD("damaged model: program '%s' has a bad check %" PRIu32,
                 p->name, i);
  return EFFRT_STATUS_OK;
}

static effrt_status check_tensors(const effrt_program *p,
                                  const effrt_tensor_desc *tensors,
                                  uint32_t count, effrt_message *message) {
  for (uint32_t i = 0; i < count; ++i) {
    const effrt_tensor_desc *tensor = &tensors[i];
    bool good = tensor->name && effrt_dtype_size(tensor->dtype) != 0 &&
                (tensor->rank == 0 || (tensor->dims && tensor->dim_texts));
    for (uint32_t axis = 0; good && axis < tensor->rank; ++axis)
      good = tensor->dims[axis] < p->num_dims && tensor->dim_texts[axis];
    if (!good)
      return BAD("damaged model: program '%s' has a bad tensor %" PRIu32,
                 p->name, i);
  }
  return EFFRT_STATUS_OK;
}

static effrt_status check_symbols(const effrt_program *p,
                                  effrt_message *message) {
  for (uint32_t i = 0; i < p->num_symbols; ++i) {
    const effrt_symbol *symbol = &p->symbols[i];
    if (!symbol->name || symbol->min < 0 || symbol->min > symbol->max ||
        symbol->index >= p->num_inputs ||
        symbol->axis >= p->inputs[symbol->index].rank)
      return BAD("damaged model: program '%s' has a bad symbol %" PRIu32,
                 p->name, i);
  }
  return EFFRT_STATUS_OK;
}

static effrt_status check_buffers(const effrt_model_desc *desc,
                                  const effrt_program *p,
                                  effrt_message *message) {
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
      good = good && buffer->value <= desc->weights_size;
      break;
    case EFFRT_BUFFER_ARENA:
      good = good && buffer->first <= buffer->last &&
             buffer->last < p->num_launches;
      break;
    default:
      good = false;
    }
    if (!good)
      return BAD("damaged model: program '%s' has a bad buffer %" PRIu32,
                 p->name, i);
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

static effrt_status check_launches(const effrt_model_desc *desc,
                                   const effrt_program *p,
                                   effrt_message *message) {
  for (uint32_t i = 0; i < p->num_launches; ++i) {
    const effrt_launch *launch = &p->launches[i];
    const uint32_t sizes[] = {launch->extent, launch->scratch, launch->flops,
                              launch->bytes, launch->cost};
    bool good =
        launch->kernel < desc->num_kernels &&
        indices_below(launch->buffers, launch->num_buffers, p->num_buffers) &&
        indices_below(launch->dims, launch->num_dims, p->num_dims) &&
        indices_below(sizes, sizeof(sizes) / sizeof(sizes[0]), p->num_dims);
    for (uint32_t k = 0; good && k < launch->num_buffers; ++k) {
      const effrt_buffer *buffer = &p->buffers[launch->buffers[k]];
      good = buffer->kind != EFFRT_BUFFER_ARENA ||
             (buffer->first <= i && i <= buffer->last);
    }
    if (!good)
      return BAD("damaged model: program '%s' has a bad launch %" PRIu32,
                 p->name, i);
  }
  return EFFRT_STATUS_OK;
}

static effrt_status check_program(const effrt_model_desc *desc,
                                  const effrt_program *p,
                                  effrt_message *message) {
  if (!p->name || (p->num_symbols && !p->symbols) ||
      (p->num_dims && !p->dims) || (p->num_checks && !p->checks) ||
      (p->num_inputs && !p->inputs) || (p->num_outputs && !p->outputs) ||
      (p->num_buffers && !p->buffers) || (p->num_launches && !p->launches) ||
      p->num_launches == UINT32_MAX)
    return BAD("damaged model: a program of '%s' lacks a table", desc->name);
  effrt_status status = check_dim_table(p, message);
  if (!status)
    status = check_tensors(p, p->inputs, p->num_inputs, message);
  if (!status)
    status = check_tensors(p, p->outputs, p->num_outputs, message);
  if (!status)
    status = check_symbols(p, message);
  if (!status)
    status = check_buffers(desc, p, message);
  return status ? status : check_launches(desc, p, message);
}

effrt_status effrt_validate(const effrt_model_desc *desc,
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
