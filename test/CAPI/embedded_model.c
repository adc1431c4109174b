/* The way a compiled model carries the runtime: its table, typed functions, and
 * a hidden copy of the runtime. */
#include "effrt/effrt.h"

#define EXPORT __attribute__((visibility("default")))

extern EXPORT const effrt_model_desc effc_model_table;

EXPORT effrt_status toy_create(effrt_session **out);
EXPORT void toy_destroy(effrt_session *session);
EXPORT effrt_status toy_main(effrt_session *session, int64_t batch, int64_t seq,
                             int64_t length, void *const *inputs,
                             void *const *outputs);

effrt_status toy_create(effrt_session **out) {
  effrt_model *model = NULL;
  effrt_status status =
      effrt_model_create(&effc_model_table, NULL, &model, NULL);
  if (status)
    return status;
  status = effrt_session_create(model, NULL, out, NULL);
  effrt_model_close(model);
  return status;
}

void toy_destroy(effrt_session *session) { effrt_session_destroy(session); }

effrt_status toy_main(effrt_session *session, int64_t batch, int64_t seq,
                      int64_t length, void *const *inputs,
                      void *const *outputs) {
  const int64_t symbols[] = {batch, seq, length};
  return effrt_session_run_symbols(session, 1, symbols, inputs, outputs);
}
