/* Runs a model's output through another model. */
#include "one.h"
#include "two.h"
#include <stdio.h>

int main(void) {
  one_session *one = NULL;
  two_session *two = NULL;
  float x[2] = {0, 2}, y[2], z[2];
  int failed = one_create(NULL, &one) || two_create(NULL, &two) ||
               one_run(one, 1, x, y) || two_run(two, 1, y, z);
  if (!failed)
    printf("%g %g\n", z[0], z[1] - 2);
  one_destroy(one);
  two_destroy(two);
  return failed;
}
