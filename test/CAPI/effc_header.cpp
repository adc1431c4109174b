// effc.h stands alone as C++17.
#include "effc-c/effc.h"

effc_status effcHeaderTest(const char *model, effc_result **out);

effc_status effcHeaderTest(const char *model, effc_result **out) {
  effc_compile_options options = {};
  options.struct_size = sizeof(options);
  options.output_dir = "out";
  return effc_compile_file(model, &options, out);
}
