/* Models: a checked table with its weights, immutable and reference counted. */
#define _POSIX_C_SOURCE 200809L
#include "Internal.h"

#include <stdlib.h>
#include <string.h>

/* Tensor t of a program: inputs, outputs, then each state before and after. */
static const effrt_tensor_desc *get_tensor(const effrt_program *program,
                                           size_t t) {
  if (t < program->num_inputs)
    return &program->inputs[t];
  t -= program->num_inputs;
  if (t < program->num_outputs)
    return &program->outputs[t];
  t -= program->num_outputs;
  return t % 2 ? &program->states[t / 2].after : &program->states[t / 2].before;
}

/* Collects the sizes of all tensors that do not depend on symbols, for
 * effrt_tensor_info. */
static bool collect_dims(effrt_model *model) {
  const effrt_model_desc *desc = model->desc;
  size_t num_tensors = 0, num_dims = 0;
  for (uint32_t p = 0; p < desc->num_programs; ++p) {
    const effrt_program *program = &desc->programs[p];
    num_tensors += effrt_num_io(program);
    for (size_t t = 0; t < effrt_num_io(program); ++t)
      num_dims += get_tensor(program, t)->rank;
  }
  model->dims = malloc((num_dims + 1) * sizeof(*model->dims));
  model->tensors = malloc((num_tensors + 1) * sizeof(*model->tensors));
  model->programs = malloc(desc->num_programs * sizeof(*model->programs));
  if (!model->dims || !model->tensors || !model->programs)
    return false;
  size_t tensor = 0, dim = 0;
  for (uint32_t p = 0; p < desc->num_programs; ++p) {
    const effrt_program *program = &desc->programs[p];
    model->programs[p] = tensor;
    for (size_t i = 0; i < effrt_num_io(program); ++i) {
      const effrt_tensor_desc *t = get_tensor(program, i);
      model->tensors[tensor++] = dim;
      for (uint32_t axis = 0; axis < t->rank; ++axis) {
        const effrt_dim_op *op = &program->dims[t->dims[axis]];
        model->dims[dim++] = op->kind == EFFRT_DIM_CONST ? op->value : -1;
      }
    }
  }
  return true;
}

static effrt_status check_machine(const effrt_model_desc *desc,
                                  effrt_message *message) {
  uint64_t missing = desc->cpu_features & ~effrt_cpu_features();
  if (missing)
    return effrt_fail(message, EFFRT_STATUS_CPU_UNSUPPORTED,
                      "model '%s' was compiled for '%s' and needs %s, which "
                      "this machine lacks; "
                      "compile with another --cpu",
                      desc->name, desc->target,
                      effrt_cpu_feature_name(missing));
  if (!effrt_cpu_enable(desc->cpu_features))
    return effrt_fail(
        message, EFFRT_STATUS_CPU_UNSUPPORTED,
        "model '%s' needs AMX tiles, which the system refused to this process; "
        "compile with another --cpu",
        desc->name);
  return EFFRT_STATUS_OK;
}

/* Every description of the chain can be read; what they hold is looked at when
 * one is chosen. */
static effrt_status check_chain(const effrt_model_desc *first,
                                effrt_message *message) {
  const effrt_model_desc *desc = first;
  for (int i = 0; desc; ++i, desc = desc->next) {
    effrt_status status = effrt_validate_header(desc, message);
    if (status)
      return status;
    if (i == EFFRT_MAX_VERSIONS || desc->num_programs != first->num_programs)
      return effrt_fail(message, EFFRT_STATUS_NOT_A_MODEL,
                        "damaged model: the versions of '%s' do not fit",
                        first->name);
  }
  return EFFRT_STATUS_OK;
}

/* The version of that name, or the first that this machine can run; the reason
 * why there is none names what the last, least demanding one lacks. */
static effrt_status choose_version(const effrt_model_desc *first,
                                   const char *version,
                                   const effrt_model_desc **out,
                                   effrt_message *message) {
  effrt_status status = check_chain(first, message);
  if (status)
    return status;
  bool found = false;
  for (const effrt_model_desc *desc = first; desc; desc = desc->next) {
    if (version && strcmp(version, desc->target) != 0)
      continue;
    found = true;
    *out = desc;
    status = check_machine(desc, message);
    if (!status)
      break;
  }
  if (!found)
    return effrt_fail(message, EFFRT_STATUS_INVALID_ARGUMENT,
                      "model '%s' has no version '%s'", first->name, version);
  if (!status && message)
    message->text[0] = 0;
  return status;
}

static void free_model(effrt_model *model) {
  effrt_unmap_weights(model);
  if (model->library)
    model->unload(model->library);
  free(model->path);
  free(model->dims);
  free(model->tensors);
  free(model->programs);
  free(model);
}

effrt_status effrt_model_make(const effrt_model_desc *desc,
                              const effrt_model_options *options,
                              const char *path, effrt_model **out,
                              effrt_message *message) {
  effrt_model_options known;
  if (!effrt_read_options(&known, sizeof(known), options) ||
      (known.flags & ~(uint32_t)EFFRT_MODEL_TRUST_WEIGHTS))
    return effrt_fail(message, EFFRT_STATUS_INVALID_ARGUMENT,
                      "model options of an unknown version");
  effrt_status status = choose_version(desc, known.version, &desc, message);
  if (!status)
    status = effrt_validate(desc, message);
  if (status)
    return status;
  effrt_model *model = calloc(1, sizeof(*model));
  if (!model)
    return effrt_fail(message, EFFRT_STATUS_OUT_OF_MEMORY, "out of memory");
  atomic_init(&model->refs, 1);
  model->desc = desc;
  model->weights = desc->weights;
  model->path = path ? strdup(path) : NULL;
  if (!collect_dims(model) || (path && !model->path))
    status = effrt_fail(message, EFFRT_STATUS_OUT_OF_MEMORY, "out of memory");
  else if (desc->weights_file)
    status =
        effrt_map_weights(model, known.weights_dir,
                          known.flags & EFFRT_MODEL_TRUST_WEIGHTS, message);
  if (status) {
    free_model(model);
    return status;
  }
  *out = model;
  return EFFRT_STATUS_OK;
}

effrt_status effrt_model_create(const effrt_model_desc *desc,
                                const effrt_model_options *options,
                                effrt_model **out, effrt_message *message) {
  if (message)
    message->text[0] = 0;
  if (!desc || !out)
    return effrt_fail(message, EFFRT_STATUS_INVALID_ARGUMENT, "null argument");
  return effrt_model_make(desc, options, NULL, out, message);
}

void effrt_model_retain(effrt_model *model) {
  atomic_fetch_add_explicit(&model->refs, 1, memory_order_relaxed);
}

void effrt_model_close(effrt_model *model) {
  if (model &&
      atomic_fetch_sub_explicit(&model->refs, 1, memory_order_acq_rel) == 1)
    free_model(model);
}

effrt_status effrt_model_describe(const effrt_model *model,
                                  effrt_model_info *info) {
  if (!model || !info)
    return EFFRT_STATUS_INVALID_ARGUMENT;
  const effrt_model_desc *desc = model->desc;
  effrt_model_info known = {
      .num_programs = desc->num_programs,
      .name = desc->name,
      .target = desc->target,
      .certificate = desc->certificate,
      .cpu_features = desc->cpu_features,
      .weights_bytes = desc->weights_size,
      .path = model->path,
  };
  return effrt_write_info(info, &known, sizeof(known));
}

static const effrt_program *get_program(const effrt_model *model,
                                        uint32_t program) {
  return model && program < model->desc->num_programs
             ? &model->desc->programs[program]
             : NULL;
}

effrt_status effrt_model_program(const effrt_model *model, uint32_t program,
                                 effrt_program_info *info) {
  const effrt_program *p = get_program(model, program);
  if (!p || !info)
    return EFFRT_STATUS_INVALID_ARGUMENT;
  effrt_program_info known = {
      .num_symbols = p->num_symbols,
      .name = p->name,
      .num_inputs = p->num_inputs,
      .num_outputs = p->num_outputs,
      .num_launches = p->num_launches,
      .num_states = p->num_states,
  };
  return effrt_write_info(info, &known, sizeof(known));
}

effrt_status effrt_model_symbol(const effrt_model *model, uint32_t program,
                                uint32_t symbol, effrt_symbol_info *info) {
  const effrt_program *p = get_program(model, program);
  if (!p || !info || symbol >= p->num_symbols)
    return EFFRT_STATUS_INVALID_ARGUMENT;
  const effrt_symbol *s = &p->symbols[symbol];
  effrt_symbol_info known = {.input = s->index,
                             .axis = s->axis,
                             .source = s->source,
                             .name = s->name,
                             .min = s->min,
                             .max = s->max};
  return effrt_write_info(info, &known, sizeof(known));
}

static effrt_status describe_tensor(const effrt_model *model, uint32_t program,
                                    size_t index, effrt_tensor_info *info) {
  const effrt_tensor_desc *tensor =
      get_tensor(&model->desc->programs[program], index);
  effrt_tensor_info known = {
      .dtype = tensor->dtype,
      .name = tensor->name,
      .rank = tensor->rank,
      .late = tensor->late,
      .dims = model->dims + model->tensors[model->programs[program] + index],
      .dim_texts = tensor->dim_texts,
  };
  return effrt_write_info(info, &known, sizeof(known));
}

effrt_status effrt_model_input(const effrt_model *model, uint32_t program,
                               uint32_t input, effrt_tensor_info *info) {
  const effrt_program *p = get_program(model, program);
  if (!p || !info || input >= p->num_inputs)
    return EFFRT_STATUS_INVALID_ARGUMENT;
  return describe_tensor(model, program, input, info);
}

effrt_status effrt_model_output(const effrt_model *model, uint32_t program,
                                uint32_t output, effrt_tensor_info *info) {
  const effrt_program *p = get_program(model, program);
  if (!p || !info || output >= p->num_outputs)
    return EFFRT_STATUS_INVALID_ARGUMENT;
  return describe_tensor(model, program, (size_t)p->num_inputs + output, info);
}

effrt_status effrt_model_state(const effrt_model *model, uint32_t program,
                               uint32_t state, effrt_tensor_info *before,
                               effrt_tensor_info *after) {
  const effrt_program *p = get_program(model, program);
  if (!p || state >= p->num_states)
    return EFFRT_STATUS_INVALID_ARGUMENT;
  size_t first = (size_t)p->num_inputs + p->num_outputs + 2 * (size_t)state;
  effrt_status status = EFFRT_STATUS_OK;
  if (before)
    status = describe_tensor(model, program, first, before);
  if (after && !status)
    status = describe_tensor(model, program, first + 1, after);
  return status;
}
