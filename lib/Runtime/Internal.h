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

/* Tensors of a program: inputs, outputs, then each state before and after. */
static inline size_t effrt_num_io(const effrt_program *p) {
  return (size_t)p->num_inputs + p->num_outputs + 2 * (size_t)p->num_states;
}

/* ---- Validate.c, Weights.c, Model.c ---- */

/* The description is of this runtime's layout and has its tables. */
effrt_status effrt_validate_header(const effrt_model_desc *desc,
                                   effrt_message *message);

/* Every index in the tables is in range, so that nothing later needs to check
 * them. The header was checked before. */
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
  /* Sizes of all tensors of all programs, -1 where symbolic; tensor t of
   * program p (see effrt_num_io) has its sizes at dims[tensors[programs[p] +
   * t]]. */
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

/* What is known of a dim. Late ones are without a value until their symbols
 * have one; one that cannot be computed is an error only where it is used. */
enum {
  EFFRT_DIM_KNOWN = 0,
  EFFRT_DIM_OVERFLOWS,
  EFFRT_DIM_BAD_DIVISOR,
  EFFRT_DIM_UNSET
};

/* The symbols that have a value before a run: all but those of source STEP. */
uint32_t effrt_num_given_symbols(const effrt_program *program);

/* Evaluates the dims that are not late; `known` gets what is known of each. */
effrt_status effrt_eval_dims(const effrt_program *program,
                             const int64_t *symbols, int64_t *values,
                             uint8_t *known, effrt_message *message);

/* Gives a symbol of source STEP its value and evaluates its dependents. */
effrt_status effrt_set_symbol(const effrt_program *program, uint32_t symbol,
                              int64_t value, int64_t *symbols, int64_t *values,
                              uint8_t *known, effrt_message *message);

/* The reason why a late dim that is needed has no value. */
effrt_status effrt_unknown_dim(const effrt_program *program, uint8_t known,
                               const int64_t *symbols, effrt_message *message);

/* Refuses a symbol outside its bounds. */
effrt_status effrt_check_symbol(const effrt_program *program, uint32_t symbol,
                                int64_t value, effrt_message *message);

/* Refuses values for which an entry of the check table fails. */
effrt_status effrt_check_dim(const effrt_program *program, uint32_t check,
                             const int64_t *values, effrt_message *message);

/* The same for all entries that are not late. */
effrt_status effrt_check_dims(const effrt_program *program,
                              const int64_t *values, effrt_message *message);

/* ---- Memory.c ---- */

/* Memory aligned to a cache line, from 2 MiB on in huge pages where the system
 * has them; null when there is none. For free(). */
void *effrt_alloc(uint64_t bytes);

/* The same for memory that is soon written from end to end: its pages come in
 * at once, huge ones already where they would be partly used. */
void *effrt_alloc_whole(uint64_t bytes);

/* Brings the pages of a range in, all with one call; what cannot be brought in
 * so, or is large, comes when it is touched. */
void effrt_prefault(void *memory, uint64_t bytes, bool write);

/* free() for memory that may be poisoned; null is fine. */
void effrt_free_guarded(const effrt_model_desc *desc, void *memory,
                        uint64_t bytes);

/* Memory that grows, at least by half, and never shrinks. */
typedef struct effrt_growable {
  uint8_t *data;
  uint64_t capacity;
  uint64_t held; /* bytes appended since the last CLEAR */
} effrt_growable;

/* Makes room for `bytes`; the first `keep` of them keep their contents. What is
 * behind `bytes` is poisoned where the model was compiled for that. False when
 * out of memory, with nothing changed. */
bool effrt_grow(const effrt_model_desc *desc, effrt_growable *memory,
                uint64_t bytes, uint64_t keep);
void effrt_release(const effrt_model_desc *desc, effrt_growable *memory);

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
  int64_t scratch; /* bytes of one thread */
} effrt_bound_launch;

/* pointers[pointer] is entry `io` of `session->io`: inputs, outputs, then each
 * state before and after the run. */
typedef struct effrt_io_patch {
  size_t pointer;
  uint32_t io;
} effrt_io_patch;

/* A program bound to symbol values. One block of memory, whose size depends on
 * the program alone, so that a new shape takes over the block of the one it
 * evicts. */
typedef struct effrt_bound {
  uint32_t program;
  bool parallel; /* some launch that is not late uses more than one thread */
  size_t num_patches;
  uint64_t block_bytes;
  uint64_t last_used;
  uint64_t arena_bytes;
  uint64_t live_bytes;
  const uint8_t *arena; /* what arena pointers were computed from */
  int64_t *symbols;
  int64_t *dims;
  uint8_t *known;       /* of each dim */
  uint8_t *known_early; /* the same before a run */
  uint64_t *offsets;    /* arena offset of each program buffer */
  int64_t *shapes;      /* of outputs, then of states after the run, one after
                           the other; -1 where a size is late and unknown */
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

/* A state as a session holds it. */
typedef struct effrt_held_state {
  effrt_growable before;
  effrt_growable after;
  bool fresh;     /* zeros of any size: nothing was written since a reset */
  int64_t *shape; /* of `before`, unless fresh */
  uint64_t bytes;
} effrt_held_state;

struct effrt_session {
  effrt_model *model;
  effrt_pool *pool; /* null with one thread */
  int32_t num_threads;
  int32_t kernel_error; /* 0 between runs, unless the next is cancelled */
  bool guarded;         /* the model asks for poisoned red zones */
  bool in_pool;         /* between effrt_pool_enter and effrt_pool_leave */
  bool has_results;     /* `last` has run and its outputs can be fetched */
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
  void **io;           /* pointers of the run, see effrt_io_patch */
  int64_t *symbols;
  int64_t *dims;
  uint8_t *known;
  effrt_held_state *states;
  effrt_growable *dynamic; /* of the DYNAMIC buffers, by buffer */
  effrt_growable *outputs; /* of outputs of late size, by output */
  size_t num_states;
  size_t num_dynamic;
  size_t num_outputs;
  effrt_plan_item *items;
  void *plan_work;
};

/* The cached bound program for these symbol values, or null. */
effrt_bound *effrt_find_bound(effrt_session *session, uint32_t program,
                              const int64_t *symbols);

/* Binds a program to the symbols, dims and what is known of them in the
 * session's work space. */
effrt_status effrt_bind(effrt_session *session, uint32_t program,
                        effrt_bound **out);

/* Shape and bytes of a tensor from the dims of a bound program; -1 for unknown
 * sizes, which make `*bytes` 0. `shape` may be null. */
effrt_status effrt_bind_tensor(effrt_session *session, const effrt_program *p,
                               const effrt_bound *bound,
                               const effrt_tensor_desc *tensor,
                               const char *what, int64_t *shape,
                               uint64_t *bytes);

/* Sizes of a launch from the dims of the bound program, and scratch memory for
 * it; all sizes are known. */
effrt_status effrt_size_launch(effrt_session *session, effrt_bound *bound,
                               uint32_t index);

/* Room for `bytes` of intermediate values. */
effrt_status effrt_reserve_arena(effrt_session *session, uint64_t bytes);

/* Room for `bytes` of scratch memory for each thread. */
effrt_status effrt_reserve_scratch(effrt_session *session, int64_t bytes);

/* Runs a bound program on the pointers in `session->io`. */
effrt_status effrt_execute(effrt_session *session, effrt_bound *bound);

/* Runs launches whose sizes and pointers are ready. `profile` is that of the
 * program, or null. */
effrt_status effrt_run_launches(effrt_session *session, effrt_bound *bound,
                                uint32_t first, uint32_t end,
                                effrt_launch_profile *profile);

/* Wakes the pool's threads for the rest of the run. */
void effrt_join_threads(effrt_session *session);

/* An error if effrt_session_cancel wants the run to end. */
effrt_status effrt_check_cancel(effrt_session *session);

/* Unpoisons a buffer of the arena, or poisons it again, in a guarded session.
 */
void effrt_expose(effrt_session *session, const effrt_bound *bound,
                  uint32_t buffer, bool exposed);

/* Binds what has known sizes and brings pages in; never fails. */
void effrt_warm(effrt_session *session);

/* ---- Steps.c ---- */

/* The walk over the steps of a program that has some. */
effrt_status effrt_run_steps(effrt_session *session, effrt_bound *bound,
                             effrt_launch_profile *profile);

/* ---- State.c ---- */

/* The value of a symbol of source STATE. */
int64_t effrt_state_symbol(const effrt_session *session,
                           const effrt_symbol *symbol);

/* Refuses states whose sizes are not those of the evaluated dims. */
effrt_status effrt_match_states(const effrt_session *session,
                                const effrt_program *p, const int64_t *dims,
                                effrt_message *message);

/* Memory for the states of a run, their pointers into `session->io`. */
effrt_status effrt_prepare_states(effrt_session *session,
                                  const effrt_bound *bound);

/* After a run that succeeded: what was `after` is `before` now. Its sizes are
 * in the bound program. */
void effrt_commit_states(effrt_session *session, const effrt_bound *bound);

/* Index of a program's first launch in `profile`. */
size_t effrt_profile_start(const effrt_model_desc *desc, uint32_t program);

#endif /* EFFRT_LIB_INTERNAL_H */
