/* Classifies handwritten digits, one at a time on one thread, with a model that
 * effc compiled.
 *
 *   digits LIB IMAGES LABELS     IMAGES: bytes, 28x28 a digit; LABELS: one byte
 * a digit
 *
 * Shows how an application opens a compiled model at run time and runs it
 * (docs/getting-started.md has the other way, linking). Prints one JSON object:
 * correct answers, median time of a run and by how much opening and running the
 * model made the process grow.
 */
#include "effrt/effrt.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum { SIDE = 28, PIXELS = SIDE * SIDE, CLASSES = 10 };

static double now_ms(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec * 1e3 + (double)t.tv_nsec * 1e-6;
}

/* Resident memory of this process in MiB. */
static double resident_mb(void) {
  long size = 0, resident = 0;
  FILE *file = fopen("/proc/self/statm", "r");
  if (file) {
    if (fscanf(file, "%ld %ld", &size, &resident) != 2)
      resident = 0;
    fclose(file);
  }
  return (double)resident * (double)sysconf(_SC_PAGESIZE) / (1 << 20);
}

/* The whole file, or null; its length in *size. */
static unsigned char *read_file(const char *path, size_t *size) {
  unsigned char *data = NULL;
  FILE *file = fopen(path, "rb");
  if (!file)
    return NULL;
  if (fseek(file, 0, SEEK_END) == 0) {
    long length = ftell(file);
    rewind(file);
    data = length > 0 ? malloc((size_t)length) : NULL;
    if (data && fread(data, 1, (size_t)length, file) != (size_t)length) {
      free(data);
      data = NULL;
    }
    *size = (size_t)length;
  }
  fclose(file);
  return data;
}

static int by_value(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

static int best_class(const float *logits) {
  int best = 0;
  for (int i = 1; i < CLASSES; ++i)
    if (logits[i] > logits[best])
      best = i;
  return best;
}

/* Runs all digits; returns how many were right, or -1. times[i] is the time of
 * digit i. */
static int classify(effrt_session *session, const unsigned char *images,
                    const unsigned char *labels, size_t count, double *times) {
  static const int64_t in_shape[4] = {1, 1, SIDE, SIDE},
                       out_shape[2] = {1, CLASSES};
  float pixels[PIXELS], logits[CLASSES];
  effrt_tensor input = {pixels, EFFRT_DTYPE_F32, 4, in_shape, sizeof pixels};
  effrt_tensor output = {logits, EFFRT_DTYPE_F32, 2, out_shape, sizeof logits};
  int correct = 0;
  for (size_t i = 0; i < count; ++i) {
    for (int p = 0; p < PIXELS; ++p)
      pixels[p] = (float)images[i * PIXELS + (size_t)p] / 255.0f;
    double start = now_ms();
    effrt_status status =
        effrt_session_run(session, EFFRT_PROGRAM_ANY, &input, 1, &output, 1);
    times[i] = now_ms() - start;
    if (status != EFFRT_STATUS_OK) {
      fprintf(stderr, "digits: %s\n", effrt_session_error(session));
      return -1;
    }
    correct += best_class(logits) == labels[i];
  }
  return correct;
}

/* Opens the model, runs it and prints the figures. */
static int report(const char *library, const unsigned char *images,
                  const unsigned char *labels, size_t count, double *times) {
  effrt_message message;
  effrt_model *model = NULL;
  effrt_session *session = NULL;
  effrt_session_options options = {sizeof options, 1, NULL};
  int correct = -1;
  double resident = resident_mb(), start = now_ms();
  if (effrt_model_open(library, NULL, &model, &message) != EFFRT_STATUS_OK ||
      effrt_session_create(model, &options, &session, &message) !=
          EFFRT_STATUS_OK) {
    fprintf(stderr, "digits: %s\n", message.text);
  } else {
    double open_ms = now_ms() - start;
    correct = classify(session, images, labels, count, times);
    resident = resident_mb() - resident;
    qsort(times, count, sizeof *times, by_value);
    if (correct >= 0)
      printf("{\"correct\": %d, \"count\": %zu, \"median_ms\": %.4f, "
             "\"open_ms\": %.3f, "
             "\"memory_mb\": %.1f}\n",
             correct, count, times[count / 2], open_ms, resident);
  }
  effrt_session_destroy(session);
  effrt_model_close(model);
  return correct >= 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

int main(int argc, char **argv) {
  size_t image_bytes = 0, count = 0;
  int status = EXIT_FAILURE;
  if (argc != 4) {
    fprintf(stderr, "usage: digits LIB IMAGES LABELS\n");
    return 2;
  }
  unsigned char *images = read_file(argv[2], &image_bytes);
  unsigned char *labels = read_file(argv[3], &count);
  double *times = calloc(count + 1, sizeof *times);
  if (!images || !labels || !times || image_bytes != count * PIXELS)
    fprintf(stderr,
            "digits: cannot read %s and %s as %d bytes and one byte a digit\n",
            argv[2], argv[3], PIXELS);
  else
    status = report(argv[1], images, labels, count, times);
  free(times);
  free(labels);
  free(images);
  return status;
}
