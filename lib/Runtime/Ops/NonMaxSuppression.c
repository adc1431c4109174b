/* ONNX NonMaxSuppression-11: greedy, best score first, class by class. */
#include "Ops.h"

typedef struct scores {
  const void *data;
  int64_t code;
  int64_t base;           /* of the class */
  const int64_t *indices; /* candidates */
} scores;

static int better(const void *ctx, int64_t a, int64_t b) {
  const scores *s = ctx;
  return effrt_op_load_float(s->data, s->code, s->base + s->indices[a]) >
         effrt_op_load_float(s->data, s->code, s->base + s->indices[b]);
}

typedef struct box {
  double y1, x1, y2, x2;
} box;

static box load_box(const void *data, int64_t code, int64_t index,
                    int64_t centered) {
  double v[4];
  for (int64_t i = 0; i < 4; ++i)
    v[i] = effrt_op_load_float(data, code, index * 4 + i);
  if (centered)
    return (box){v[1] - v[3] / 2, v[0] - v[2] / 2, v[1] + v[3] / 2,
                 v[0] + v[2] / 2};
  /* Any two opposite corners. */
  return (box){v[0] < v[2] ? v[0] : v[2], v[1] < v[3] ? v[1] : v[3],
               v[0] < v[2] ? v[2] : v[0], v[1] < v[3] ? v[3] : v[1]};
}

/* Intersection over union is above the threshold. */
static int overlaps(box a, box b, double threshold) {
  double height = (a.y2 < b.y2 ? a.y2 : b.y2) - (a.y1 > b.y1 ? a.y1 : b.y1);
  double width = (a.x2 < b.x2 ? a.x2 : b.x2) - (a.x1 > b.x1 ? a.x1 : b.x1);
  if (!(height > 0) || !(width > 0))
    return 0;
  double common = height * width;
  double all =
      (a.y2 - a.y1) * (a.x2 - a.x1) + (b.y2 - b.y1) * (b.x2 - b.x1) - common;
  return all > 0 && common / all > threshold;
}

void effrt_op_nms(const effrt_kernel_args *args, int64_t lo, int64_t hi,
                  void *scratch) {
  if (lo >= hi)
    return;
  void *const *buffers = args->buffers;
  const int64_t *dims = args->dims;
  int64_t batches = dims[0], classes = dims[1], boxes = dims[2], most = dims[3],
          room = dims[5];
  double iou = effrt_op_load_float(buffers[2], dims[8], 0);
  double least = effrt_op_load_float(buffers[3], dims[9], 0);
  int64_t *selected = buffers[4], count = 0;
  int64_t *candidates = scratch, *order = candidates + boxes,
          *work = order + boxes;
  for (int64_t group = 0; group < batches * classes; ++group) {
    int64_t batch = group / classes, found = 0, kept = 0;
    scores s = {buffers[1], dims[7], group * boxes, candidates};
    for (int64_t i = 0; i < boxes; ++i)
      if (effrt_op_load_float(s.data, s.code, s.base + i) > least)
        candidates[found++] = i;
    effrt_op_sort(order, work, found, better, &s);
    for (int64_t i = 0; i < found && kept < most && count < room; ++i) {
      int64_t index = candidates[order[i]];
      box mine = load_box(buffers[0], dims[6], batch * boxes + index, dims[4]);
      int64_t other = 0;
      for (; other < kept; ++other)
        if (overlaps(mine,
                     load_box(buffers[0], dims[6], batch * boxes + work[other],
                              dims[4]),
                     iou))
          break;
      if (other < kept)
        continue;
      /* The sort is over: its work space holds what is kept. */
      work[kept++] = index;
      selected[count * 3] = batch;
      selected[count * 3 + 1] = group % classes;
      selected[count * 3 + 2] = index;
      ++count;
    }
  }
  for (int64_t i = count * 3; i < room * 3; ++i)
    selected[i] = 0;
  *(int64_t *)buffers[5] = count;
}
