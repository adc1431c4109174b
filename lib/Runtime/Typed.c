/* What the typed functions of a compiled model call: a session over the model
 * they are linked to. Only in libeffrt_model.a. The layout of the options is
 * that of `{name}_options` in every generated header, so fields are only ever
 * added at the end.
 */
#include "Internal.h"

#include <stdio.h>

typedef struct effrt_typed_options {
  uint32_t struct_size;
  int32_t num_threads;
  effrt_parallel_for_fn parallel_for;
  void *user;
  const char *weights_dir;
  char *message;
  size_t message_size;
} effrt_typed_options;

effrt_status effrt_typed_create(const effrt_model_desc *desc,
                                const effrt_typed_options *options,
                                effrt_session **out);

/* After a run with status `status`: data and shape of an output of late size.
 */
effrt_status effrt_typed_output(effrt_session *session, effrt_status status,
                                uint32_t output, void **data, int64_t *shape);

static effrt_status create(const effrt_model_desc *desc,
                           const effrt_typed_options *options,
                           effrt_session **out, effrt_message *message) {
  effrt_model_options model_options = {.struct_size = sizeof(model_options),
                                       .weights_dir = options->weights_dir};
  effrt_pool_options pool_options = {.struct_size = sizeof(pool_options),
                                     .num_threads = options->num_threads,
                                     .parallel_for = options->parallel_for,
                                     .user = options->user};
  effrt_session_options session_options = {.struct_size =
                                               sizeof(session_options),
                                           .num_threads = options->num_threads};
  effrt_model *model = NULL;
  effrt_status status =
      effrt_model_create(desc, &model_options, &model, message);
  if (!status && options->parallel_for)
    status = effrt_pool_create(&pool_options, &session_options.pool, message);
  if (!status)
    status = effrt_session_create(model, &session_options, out, message);
  /* The session keeps what it needs. */
  effrt_pool_destroy(session_options.pool);
  effrt_model_close(model);
  return status;
}

effrt_status effrt_typed_create(const effrt_model_desc *desc,
                                const effrt_typed_options *options,
                                effrt_session **out) {
  effrt_typed_options known;
  if (!out || !effrt_read_options(&known, sizeof(known), options))
    return EFFRT_STATUS_INVALID_ARGUMENT;
  *out = NULL;
  effrt_message message = {{0}};
  effrt_status status = create(desc, &known, out, &message);
  if (known.message && known.message_size)
    (void)snprintf(known.message, known.message_size, "%s", message.text);
  return status;
}

effrt_status effrt_typed_output(effrt_session *session, effrt_status status,
                                uint32_t output, void **data, int64_t *shape) {
  if (status)
    return status;
  effrt_tensor tensor;
  status = effrt_session_output(session, output, &tensor);
  if (status)
    return status;
  if (data)
    *data = tensor.data;
  for (uint32_t axis = 0; shape && axis < tensor.rank; ++axis)
    shape[axis] = tensor.shape[axis];
  return EFFRT_STATUS_OK;
}
