/* What the files of the runtime share. Nothing here is seen outside.
 *
 * A model is immutable. A session binds a program to shapes once (Bind.c),
 * which yields a `effrt_bound`: evaluated dims, arena offsets and ready kernel
 * arguments; a run (Execute.c) only patches the caller's pointers in and walks
 * the launches.
 */
#ifndef EFFRT_LIB_INTERNAL_H
#define EFFRT_LIB_INTERNAL_H

#include "Plan.h"
#include "effrt/effrt.h"

#include <stdarg.h>
#include <stdatomic.h>

#define EFFRT_MAX_BOUND 8u
#define EFFRT_MAX_THREADS 1024
#define EFFRT_CACHE_LINE 64

/* ---- Status.c ---- */

#define EFFRT_PRINTF(text, first) __attribute__((format(printf, text, first)))

/* Writes the reason if `message` is not null; returns `status`. */
effrt_status effrt_fail(effrt_message *message, effrt_status status,
                        const char *format, ...) EFFRT_PRINTF(3, 4);

/* Copies an option struct of possibly another version: shorter ones are padded
 * with zeros, longer ones must hold zeros behind what is known here. A null
 * `options` leaves `known` zeroed. */
bool effrt_read_options(void *known, size_t known_size, const void *options);

/* Fills as much of the caller's info struct as its struct_size says. */
effrt_status effrt_write_info(void *info, const void *known, size_t known_size);

/* ---- Cpu.c ---- */

/* Set of effrt_cpu_feature that this machine and its system offer. */
uint64_t effrt_cpu_features(void);

/* Readable name of the lowest bit in `features`. */
const char *effrt_cpu_feature_name(uint64_t features);

/* Asks the system for features that need asking (AMX tiles); false when
 * refused. */
bool effrt_cpu_enable(uint64_t features);

/* Cores in the affinity mask of the calling thread, at least 1. */
int32_t effrt_cpu_count(void);

/* ---- Validate.c, Weights.c, Model.c ---- */

/* Every index in the tables is in range, so that nothing later needs to check
 * them. */
effrt_status effrt_validate(const effrt_model_desc *desc,
                            effrt_message *message);

struct effrt_model {
  atomic_int refs;
  const effrt_model_desc *desc;
  const uint8_t *weights;
  void *weights_map; /* of a separate file, or null */
  void *library;     /* of dlopen, or null */
  char *path;        /* of the library, or null */
  /* a pointer, so that linked models do without dlopen */
  void (*unload)(void *library);
  /* Sizes of all inputs and outputs of all programs, -1 where symbolic; tensor
   * t of program p (inputs, then outputs) has its sizes at
   * dims[tensors[programs[p] + t]]. */
  int64_t *dims;
  size_t *tensors;
  size_t *programs;
};

/* Maps the separate weights file; `dir` may be null. */
effrt_status effrt_map_weights(effrt_model *model, const char *dir, bool trust,
                               effrt_message *message);
void effrt_unmap_weights(effrt_model *model);

void effrt_model_retain(effrt_model *model);

/* effrt_model_create; `path` is where the library lies, or null. */
effrt_status effrt_model_make(const effrt_model_desc *desc,
                              const effrt_model_options *options,
                              const char *path, effrt_model **out,
                              effrt_message *message);

/* ---- Pool.c ---- */

void effrt_pool_retain(effrt_pool *pool);

/* Around a run: wakes sleeping workers and keeps them spinning between regions.
 */
void effrt_pool_enter(effrt_pool *pool);
void effrt_pool_leave(effrt_pool *pool);

/* Calls fn(ctx, 0) here and fn(ctx, i) for some i in [1, slots) elsewhere; each
 * i at most once. Which of them run is up to the load: fn must share the work
 * out itself. */
void effrt_pool_run(effrt_pool *pool, void (*fn)(void *ctx, int64_t slot),
                    void *ctx, int32_t slots);

/* ---- Dims.c ---- */

/* Evaluates the dim table of a program. */
effrt_status effrt_eval_dims(const effrt_program *program,
                             const int64_t *symbols, int64_t *values,
                             effrt_message *message);

/* Refuses symbols outside their bounds. */
effrt_status effrt_check_symbols(const effrt_program *program,
                                 const int64_t *symbols,
                                 effrt_message *message);

/* Refuses values for which an entry of the check table fails. */
effrt_status effrt_check_dims(const effrt_program *program,
                              const int64_t *values, effrt_message *message);

/* ---- Memory.c ---- */

/* Memory aligned to a cache line, from 2 MiB on in huge pages where the system
 * has them; null when there is none. For free(). */
void *effrt_alloc(uint64_t bytes);

/* Lays arrays out in one block: run once with a null base for the size, then
 * with the block. */
typedef struct effrt_carver {
  uint8_t *base;
  size_t bytes;
} effrt_carver;

void *effrt_carve(effrt_carver *carver, size_t count, size_t size);

/* ---- Bind.c, Execute.c, Session.c ---- */

/* A launch of a bound program, ready to run. */
typedef struct effrt_bound_launch {
  effrt_kernel_fn fn;
  effrt_kernel_args args;
  int64_t extent;
  int64_t chunk;
  int32_t slots; /* threads worth using */
  int64_t flops;
  int64_t bytes;
} effrt_bound_launch;

/* pointers[pointer] is input or output `io` (inputs, then outputs). */
typedef struct effrt_io_patch {
  size_t pointer;
  uint32_t io;
} effrt_io_patch;

/* A program bound to symbol values. One block of memory, whose size depends on
 * the program alone, so that a new shape takes over the block of the one it
 * evicts. */
typedef struct effrt_bound {
  uint32_t program;
  bool parallel; /* some launch uses more than one thread */
  size_t num_patches;
  uint64_t block_bytes;
  uint64_t last_used;
  uint64_t arena_bytes;
  uint64_t live_bytes;
  const uint8_t *arena; /* what arena pointers were computed from */
  int64_t *symbols;
  int64_t *dims;
  uint64_t *offsets; /* arena offset of each program buffer */
  int64_t *shapes;   /* of outputs, one after the other */
  uint64_t *io_bytes;
  int64_t *kernel_dims; /* of all launches */
  void **pointers;      /* of all launches */
  effrt_io_patch *patches;
  effrt_bound_launch *launches;
} effrt_bound;

typedef struct effrt_launch_profile {
  uint64_t calls;
  uint64_t total_ns;
  int64_t flops;
  int64_t bytes;
} effrt_launch_profile;

/* The part of a launch's extent that one slot starts with; others steal from it
 * when idle. */
typedef struct effrt_range {
  _Alignas(EFFRT_CACHE_LINE) _Atomic int64_t next;
  int64_t end;
} effrt_range;

struct effrt_session {
  effrt_model *model;
  effrt_pool *pool; /* null with one thread */
  int32_t num_threads;
  int32_t kernel_error;
  effrt_message error;
  effrt_bound *bound[EFFRT_MAX_BOUND];
  effrt_bound *last; /* of the last run or resolve */
  uint64_t clock;    /* counts uses, for eviction */
  uint8_t *arena;
  uint64_t arena_bytes;
  uint8_t *scratch;
  uint64_t scratch_stride;       /* bytes of one thread */
  effrt_launch_profile *profile; /* of all programs, or null */
  bool profiling;
  /* Work space, large enough for every program, in one block. */
  void *work;
  effrt_range *ranges; /* one per thread */
  void **io;           /* pointers of the run: inputs, then outputs */
  int64_t *symbols;
  int64_t *dims;
  effrt_plan_item *items;
  void *plan_work;
};

/* The cached bound program for these symbol values, or null. */
effrt_bound *effrt_find_bound(effrt_session *session, uint32_t program,
                              const int64_t *symbols);

/* Binds a program to `symbols`, with `dims` its evaluated and checked dim
 * table. */
effrt_status effrt_bind(effrt_session *session, uint32_t program,
                        const int64_t *symbols, const int64_t *dims,
                        effrt_bound **out);

/* Runs a bound program on the pointers in `session->io`. */
effrt_status effrt_execute(effrt_session *session, effrt_bound *bound);

/* Index of a program's first launch in `profile`. */
size_t effrt_profile_start(const effrt_model_desc *desc, uint32_t program);

#endif /* EFFRT_LIB_INTERNAL_H */
