// effrt.h stands alone as C++17.
#include "effrt/effrt.h"

effrt_status effrtHeaderTest(effrt_model *model, effrt_session **out);

effrt_status effrtHeaderTest(effrt_model *model, effrt_session **out) {
  effrt_session_options options = {sizeof(options), 1, nullptr};
  return effrt_session_create(model, &options, out, nullptr);
}
