/* libeffc-c.a is complete: a C program that compiles a model up to a stage. */
#include "effc-c/effc.h"
#include <stdio.h>
#include <string.h>

int main(int argc, char **argv) {
  effc_compile_options options = {.struct_size = sizeof(options),
                                  .stop_after = effc_stage(0)};
  effc_result *result = NULL;
  effc_result_info info = {.struct_size = sizeof(info)};
  if (argc != 2 ||
      effc_compile_file(argv[1], &options, &result) != EFFC_STATUS_OK ||
      effc_result_describe(result, &info) != EFFC_STATUS_OK)
    return 1;
  int found = strstr(info.ir, "eff.conv") != NULL;
  effc_result_destroy(result);
  printf("effc %s\n", effc_version());
  return !found;
}
