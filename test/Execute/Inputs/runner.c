/* Opens a compiled library and runs it once: what foreign.py starts under an
 * emulator, where effc itself would be slow or does not exist.
 *
 *   runner LIB VERSION|- THREADS INPUTS OUTPUTS
 *
 * Both files hold tensors in the order of the model: dtype (i32), rank (u32),
 * the sizes (i64), the number of bytes (u64), the bytes.
 */
#include "effrt/effrt.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_RANK = 64, MAX_TENSORS = 256 };

static int fail(const char *text) {
  fprintf(stderr, "runner: %s\n", text);
  return 1;
}

static int read_tensor(FILE *file, effrt_tensor *tensor) {
  int64_t *shape = calloc(MAX_RANK, sizeof(*shape));
  uint64_t bytes = 0;
  if (!shape || fread(&tensor->dtype, 4, 1, file) != 1 ||
      fread(&tensor->rank, 4, 1, file) != 1 || tensor->rank > MAX_RANK ||
      fread(shape, 8, tensor->rank, file) != tensor->rank ||
      fread(&bytes, 8, 1, file) != 1)
    return 0;
  tensor->shape = shape;
  tensor->bytes = bytes;
  tensor->data = malloc(bytes + 1);
  return tensor->data && fread(tensor->data, 1, bytes, file) == bytes;
}

static int write_tensor(FILE *file, const effrt_tensor *tensor) {
  uint64_t bytes = tensor->bytes;
  return fwrite(&tensor->dtype, 4, 1, file) == 1 &&
         fwrite(&tensor->rank, 4, 1, file) == 1 &&
         fwrite(tensor->shape, 8, tensor->rank, file) == tensor->rank &&
         fwrite(&bytes, 8, 1, file) == 1 &&
         fwrite(tensor->data, 1, bytes, file) == bytes;
}

/* Gives memory to every output whose size is known before the run. */
static int prepare(effrt_session *session, const effrt_tensor *inputs,
                   uint32_t num_inputs, effrt_tensor *outputs,
                   uint32_t num_outputs) {
  if (effrt_session_resolve(session, EFFRT_PROGRAM_ANY, inputs, num_inputs,
                            outputs, num_outputs))
    return 0;
  for (uint32_t i = 0; i < num_outputs; ++i) {
    int late = 0;
    for (uint32_t axis = 0; axis < outputs[i].rank; ++axis)
      late |= outputs[i].shape[axis] < 0;
    outputs[i].data = late ? NULL : malloc(outputs[i].bytes + 1);
    outputs[i].shape = NULL;
  }
  return 1;
}

static int run(effrt_session *session, uint32_t num_inputs,
               uint32_t num_outputs, FILE *from, FILE *to) {
  static effrt_tensor inputs[MAX_TENSORS], outputs[MAX_TENSORS];
  for (uint32_t i = 0; i < num_inputs; ++i)
    if (!read_tensor(from, &inputs[i]))
      return fail("the inputs are damaged");
  if (!prepare(session, inputs, num_inputs, outputs, num_outputs) ||
      effrt_session_run(session, EFFRT_PROGRAM_ANY, inputs, num_inputs, outputs,
                        num_outputs))
    return fail(effrt_session_error(session));
  for (uint32_t i = 0; i < num_outputs; ++i) {
    effrt_tensor output;
    if (effrt_session_output(session, i, &output))
      return fail(effrt_session_error(session));
    if (!write_tensor(to, &output))
      return fail("the outputs cannot be written");
  }
  return 0;
}

int main(int argc, char **argv) {
  if (argc != 6)
    return fail("expected LIB VERSION|- THREADS INPUTS OUTPUTS");
  effrt_message message = {{0}};
  effrt_model *model = NULL;
  effrt_session *session = NULL;
  effrt_model_options options = {.struct_size = sizeof(options)};
  if (strcmp(argv[2], "-") != 0)
    options.version = argv[2];
  effrt_session_options threads = {.struct_size = sizeof(threads),
                                   .num_threads = atoi(argv[3])};
  if (effrt_model_open(argv[1], &options, &model, &message) ||
      effrt_session_create(model, &threads, &session, &message))
    return fail(message.text);
  effrt_model_info info = {.struct_size = sizeof(info)};
  effrt_program_info program = {.struct_size = sizeof(program)};
  (void)effrt_model_describe(model, &info);
  (void)effrt_model_program(model, info.num_programs - 1, &program);
  FILE *from = fopen(argv[4], "rb"), *to = fopen(argv[5], "wb");
  if (!from || !to || program.num_inputs > MAX_TENSORS ||
      program.num_outputs > MAX_TENSORS)
    return fail("cannot open the files");
  int status = run(session, program.num_inputs, program.num_outputs, from, to);
  printf("ran version %s\n", info.target);
  (void)fclose(from);
  if (fclose(to) != 0)
    return fail("the outputs cannot be written");
  effrt_session_destroy(session);
  effrt_model_close(model);
  return status;
}
