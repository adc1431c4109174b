/* effrt.h stands alone as C11, and its options can be written as initialisers.
 */
#include "effrt/effrt.h"

effrt_status effrt_header_test(effrt_model *model, effrt_session **out);

effrt_status effrt_header_test(effrt_model *model, effrt_session **out) {
  effrt_session_options options = {.struct_size = sizeof(options),
                                   .num_threads = 1};
  return effrt_session_create(model, &options, out, NULL);
}
