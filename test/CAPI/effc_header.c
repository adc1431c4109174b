/* effc.h stands alone as C11, and its options can be written as initialisers.
 */
#include "effc-c/effc.h"

effc_status effc_header_test(const char *model, effc_result **out);

effc_status effc_header_test(const char *model, effc_result **out) {
  static const char *const dims[] = {"batch=1"};
  effc_compile_options options = {.struct_size = sizeof(options),
                                  .flags = EFFC_COMPILE_STATIC,
                                  .output_dir = "out",
                                  .dims = dims,
                                  .num_dims = 1};
  return effc_compile_file(model, &options, out);
}
