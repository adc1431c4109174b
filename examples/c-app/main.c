/* Reads a digit drawn in characters, 28 by 28, from " " (paper) to "@" (ink),
 * and asks two compiled networks what it is. The functions come from the
 * headers that effc wrote beside the libraries.
 */
#include "cnn.h"
#include "vit.h"

#include <stdio.h>
#include <string.h>

enum { SIDE = 28, CLASSES = 10 };

/* Short lines end in paper; returns 0 when there is no drawing. */
static int read_drawing(const char *path, float image[SIDE * SIDE]) {
  static const char shades[] = " .:-=+*#%@";
  char line[256];
  FILE *file = fopen(path, "r");
  if (!file)
    return 0;
  memset(image, 0, SIDE * SIDE * sizeof *image);
  for (int y = 0; y < SIDE && fgets(line, sizeof line, file); ++y)
    for (int x = 0; x < SIDE && line[x] != '\0' && line[x] != '\n'; ++x) {
      const char *shade = strchr(shades, line[x]);
      image[y * SIDE + x] = shade ? (float)(shade - shades) / 9.0f : 0.0f;
    }
  fclose(file);
  return 1;
}

static int best_class(const float *logits) {
  int best = 0;
  for (int i = 1; i < CLASSES; ++i)
    if (logits[i] > logits[best])
      best = i;
  return best;
}

int main(int argc, char **argv) {
  float image[SIDE * SIDE], cnn_logits[CLASSES], vit_logits[CLASSES];
  cnn_session *cnn = NULL;
  vit_session *vit = NULL;
  int status = 1;
  if (argc != 2 || !read_drawing(argv[1], image)) {
    fprintf(stderr, "usage: digits_app DRAWING\n");
    return 2;
  }
  if (cnn_create(NULL, &cnn) != 0 || vit_create(NULL, &vit) != 0)
    fprintf(stderr, "digits_app: cannot open the models\n");
  /* cnn takes any number of images, vit was compiled for one. */
  else if (cnn_run(cnn, 1, image, cnn_logits) != 0)
    fprintf(stderr, "digits_app: %s\n", cnn_last_error(cnn));
  else if (vit_run(vit, image, vit_logits) != 0)
    fprintf(stderr, "digits_app: %s\n", vit_last_error(vit));
  else {
    printf("cnn says %d, vit says %d\n", best_class(cnn_logits),
           best_class(vit_logits));
    status = 0;
  }
  cnn_destroy(cnn);
  vit_destroy(vit);
  return status;
}
