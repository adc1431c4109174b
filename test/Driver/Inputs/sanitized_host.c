/* Runs the model "m", 12 floats in and out, on memory that AddressSanitizer
 * guards. */
#include "m.h"
#include <stdio.h>
#include <stdlib.h>

int main(void) {
  m_options options = {.struct_size = sizeof(options), .num_threads = 1};
  m_session *session;
  float *x = malloc(12 * sizeof(float)), *y = malloc(12 * sizeof(float));
  if (!x || !y || m_create(&options, &session))
    return 2;
  for (int i = 0; i < 12; ++i)
    x[i] = (float)i;
  for (int run = 0; run < 2; ++run)
    if (m_run(session, x, y))
      return 3;
  printf("%g %g\n", y[1], y[11]);
  m_destroy(session);
  free(x);
  free(y);
  return 0;
}
