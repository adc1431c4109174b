/* The C API of the effc runtime: open a compiled model, inspect it, run it in
 * sessions.
 *
 * Handles are opaque and reference counted where one holds another: a session
 * keeps its model and its pool alive, so they may be closed in any order. There
 * is no global state and nothing aborts; every call that can fail returns a
 * status, and a session stays usable after any error. Strings handed out belong
 * to the object they came from. Option and info structs begin with
 * `struct_size`, to be set to `sizeof` before the call. C11 and C++17.
 *
 * Threads: models and pools may be used from any thread at the same time; a
 * session by one thread at a time. Sessions are independent, also of one model
 * and on one pool.
 */
#ifndef EFFRT_EFFRT_H
#define EFFRT_EFFRT_H

#include "effrt/effrt_abi.h"

/* Compiled models carry a hidden copy of the runtime; only libeffrt.so exports
 * these functions. */
#if defined(EFFRT_BUILD_SHARED)
#define EFFRT_API __attribute__((visibility("default")))
#else
#define EFFRT_API
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Status ---- */

typedef enum effrt_status {
  EFFRT_STATUS_OK = 0,
  /* null handle, unknown struct size, index out of range */
  EFFRT_STATUS_INVALID_ARGUMENT = 1,
  EFFRT_STATUS_COUNT_MISMATCH = 2, /* number of inputs or outputs */
  EFFRT_STATUS_DTYPE_MISMATCH = 3,
  EFFRT_STATUS_RANK_MISMATCH = 4,
  /* a dimension differs from what the model needs */
  EFFRT_STATUS_SHAPE_MISMATCH = 5,
  /* no pointer for a tensor that is not empty */
  EFFRT_STATUS_NULL_DATA = 6,
  EFFRT_STATUS_BUFFER_TOO_SMALL = 7,
  /* a free size outside the range it was compiled for */
  EFFRT_STATUS_SYMBOL_OUT_OF_BOUNDS = 8,
  /* sizes that the model needs to agree do not */
  EFFRT_STATUS_CHECK_FAILED = 9,
  EFFRT_STATUS_SIZE_OVERFLOW = 10, /* a size does not fit 64 bits */
  EFFRT_STATUS_OUT_OF_MEMORY = 11,
  /* the library or its weights cannot be opened or read */
  EFFRT_STATUS_FILE_ERROR = 12,
  /* a library that effc did not write, or a damaged one */
  EFFRT_STATUS_NOT_A_MODEL = 13,
  /* written by an effc of another ABI version */
  EFFRT_STATUS_ABI_MISMATCH = 14,
  /* this machine lacks instructions the model needs */
  EFFRT_STATUS_CPU_UNSUPPORTED = 15,
  /* separate weights of another size or content */
  EFFRT_STATUS_BAD_WEIGHTS = 16,
  /* found by a kernel: Gather, Scatter */
  EFFRT_STATUS_INDEX_OUT_OF_RANGE = 17,
  /* found by a kernel: integer Div, Mod */
  EFFRT_STATUS_DIVISION_BY_ZERO = 18,
  /* a kernel reported a code this runtime does not know */
  EFFRT_STATUS_KERNEL_FAILED = 19,
  EFFRT_STATUS_SYSTEM_ERROR = 20, /* the system refused a thread */
  EFFRT_STATUS_CANCELLED = 21     /* by effrt_session_cancel */
} effrt_status;

/* "shape mismatch" and the like; never null. */
EFFRT_API const char *effrt_status_string(effrt_status status);

/* Where calls without a session put the reason of a failure; may be null at
 * every call. Empty after success. */
typedef struct effrt_message {
  char text[512];
} effrt_message;

/* EFFRT_ABI_VERSION of this runtime. */
EFFRT_API uint32_t effrt_abi_version(void);

/* Bytes of one element, 0 for an unknown type; "f32" and the like, "?" for an
 * unknown type. */
EFFRT_API size_t effrt_dtype_size(int32_t dtype);
EFFRT_API const char *effrt_dtype_name(int32_t dtype);

/* ---- Models ---- */

typedef struct effrt_model effrt_model;

typedef enum effrt_model_flag {
  /* Do not hash a separate weights file when opening it; its size is still
     checked. */
  EFFRT_MODEL_TRUST_WEIGHTS = 1 << 0
} effrt_model_flag;

typedef struct effrt_model_options {
  uint32_t struct_size;
  uint32_t flags; /* set of effrt_model_flag */
  /* folder of a separate weights file; null: that of the library */
  const char *weights_dir;
  /* which version of a library that has several, as --cpu named it ("v3");
     null: the first that this machine can run */
  const char *version;
} effrt_model_options;

/* Opens a compiled library by path. `options` may be null. */
EFFRT_API effrt_status effrt_model_open(const char *path,
                                        const effrt_model_options *options,
                                        effrt_model **out,
                                        effrt_message *message);

/* Opens a model that is linked into the program; `desc` must outlive it.
 * `options` may be null. */
EFFRT_API effrt_status effrt_model_create(const effrt_model_desc *desc,
                                          const effrt_model_options *options,
                                          effrt_model **out,
                                          effrt_message *message);

/* Gives the handle up; the model goes when its last session does. Null is fine.
 */
EFFRT_API void effrt_model_close(effrt_model *model);

typedef struct effrt_model_info {
  uint32_t struct_size;
  uint32_t num_programs;
  const char *name;
  const char *target;      /* of the version in use: "v4", ... */
  const char *certificate; /* JSON */
  uint64_t cpu_features;   /* set of effrt_cpu_feature that the code needs */
  uint64_t weights_bytes;
  const char *path; /* of the library; null for a linked model */
} effrt_model_info;

/* Programs are entry points over the same weights: the specialised ones first,
 * the general one last. */
typedef struct effrt_program_info {
  uint32_t struct_size;
  uint32_t num_symbols;
  const char *name;
  uint32_t num_inputs;
  uint32_t num_outputs;
  uint32_t num_launches;
  uint32_t num_states; /* the same for all programs of a model */
} effrt_program_info;

typedef struct effrt_tensor_info {
  uint32_t struct_size;
  int32_t dtype; /* effrt_dtype */
  const char *name;
  uint32_t rank;
  uint32_t late; /* 1: a size follows from data and is known after a run only */
  /* `rank` sizes, -1 where a size depends on a symbol */
  const int64_t *dims;
  /* `rank` readable forms: "3", "batch", "past + seq" */
  const char *const *dim_texts;
} effrt_tensor_info;

/* A free size, accepted from `min` to `max`: dimension `axis` of input (or
 * state) `input`. One of source STEP follows from data while the program runs.
 */
typedef struct effrt_symbol_info {
  uint32_t struct_size;
  uint32_t input;
  uint32_t axis;
  int32_t source; /* effrt_symbol_source */
  const char *name;
  int64_t min;
  int64_t max;
} effrt_symbol_info;

EFFRT_API effrt_status effrt_model_describe(const effrt_model *model,
                                            effrt_model_info *info);
EFFRT_API effrt_status effrt_model_program(const effrt_model *model,
                                           uint32_t program,
                                           effrt_program_info *info);
EFFRT_API effrt_status effrt_model_symbol(const effrt_model *model,
                                          uint32_t program, uint32_t symbol,
                                          effrt_symbol_info *info);
EFFRT_API effrt_status effrt_model_input(const effrt_model *model,
                                         uint32_t program, uint32_t input,
                                         effrt_tensor_info *info);
EFFRT_API effrt_status effrt_model_output(const effrt_model *model,
                                          uint32_t program, uint32_t output,
                                          effrt_tensor_info *info);

/* A tensor that sessions keep from run to run, named as the model's input
 * (`before`) and output (`after`). Either may be null. */
EFFRT_API effrt_status effrt_model_state(const effrt_model *model,
                                         uint32_t program, uint32_t state,
                                         effrt_tensor_info *before,
                                         effrt_tensor_info *after);

/* ---- Thread pools ---- */

typedef struct effrt_pool effrt_pool;

/* Calls fn(ctx, i) once for each i in [0, count), on any threads, and returns
 * when all are done. */
typedef void (*effrt_parallel_for_fn)(void *user,
                                      void (*fn)(void *ctx, int64_t index),
                                      void *ctx, int64_t count);

typedef struct effrt_pool_options {
  uint32_t struct_size;
  /* with the calling thread; 0: one per core this process may use */
  int32_t num_threads;
  /* Null: threads of the pool's own. They spin for a moment between regions,
   * then sleep. Else the application's threads, `num_threads` of them at most
   * at a time. */
  effrt_parallel_for_fn parallel_for;
  void *user;
} effrt_pool_options;

/* `options` may be null. Several sessions may share a pool; when two run at the
 * same time, one uses the pool and the other computes on its calling thread
 * alone. */
EFFRT_API effrt_status effrt_pool_create(const effrt_pool_options *options,
                                         effrt_pool **out,
                                         effrt_message *message);
EFFRT_API void effrt_pool_destroy(effrt_pool *pool);
EFFRT_API int32_t effrt_pool_num_threads(const effrt_pool *pool);

/* ---- Sessions ---- */

typedef struct effrt_session effrt_session;

typedef struct effrt_session_options {
  uint32_t struct_size;
  int32_t
      /* 0: one per core, or as many as the pool has; results do not depend on
         it */
      num_threads;
  effrt_pool *pool; /* null: a pool of the session's own */
} effrt_session_options;

/* `options` may be null. Memory for intermediate values is taken here where the
 * model has no free sizes, else when shapes are first seen. */
EFFRT_API effrt_status
effrt_session_create(effrt_model *model, const effrt_session_options *options,
                     effrt_session **out, effrt_message *message);
EFFRT_API void effrt_session_destroy(effrt_session *session);

/* Why the last call on the session failed, with the names of tensor, dimension
 * or node; "" after a success. Valid until the next call on the session. */
EFFRT_API const char *effrt_session_error(const effrt_session *session);

/* A dense row-major tensor. Data needs the alignment of its elements, no more.
 */
typedef struct effrt_tensor {
  void *data;
  int32_t dtype; /* effrt_dtype */
  uint32_t rank;
  const int64_t *shape;
  size_t bytes; /* size of the memory at `data` */
} effrt_tensor;

/* Stands for a program index: the first program that takes the shapes of the
 * inputs. */
#define EFFRT_PROGRAM_ANY UINT32_MAX

/* Tells what a run on such inputs will write: fills dtype, rank, shape and
 * bytes of each output and leaves `data`. Data and bytes of the inputs are not
 * looked at. The shapes belong to the session, valid until its next call. Also
 * prepares all memory for such a run.
 *
 * A size that follows from data (effrt_tensor_info.late) is -1 here, and the
 * bytes of its tensor are 0: only a run can tell, see effrt_session_output. */
EFFRT_API effrt_status effrt_session_resolve(
    effrt_session *session, uint32_t program, const effrt_tensor *inputs,
    uint32_t num_inputs, effrt_tensor *outputs, uint32_t num_outputs);

/* Runs the model; tensors in the order of the program. Outputs are the caller's
 * memory: `bytes` may be more than needed; a dtype of 0 and a null shape are
 * not checked. Outputs must not overlap inputs or each other. After an error
 * the contents of the outputs are undefined. A run on shapes among the last
 * eight seen allocates nothing, unless data asks for more memory than before.
 *
 * An output whose size follows from data may have null data: the session keeps
 * it for effrt_session_output. Given memory, it is filled if `bytes` suffices;
 * else the run has succeeded all the same (states have moved on), the status is
 * EFFRT_STATUS_BUFFER_TOO_SMALL with the size in the message, and the output
 * can be fetched. */
EFFRT_API effrt_status effrt_session_run(
    effrt_session *session, uint32_t program, const effrt_tensor *inputs,
    uint32_t num_inputs, const effrt_tensor *outputs, uint32_t num_outputs);

/* The same for callers that know the shapes, as the typed functions of a
 * model's header do: one value per symbol of source INPUT of the program, then
 * pointers in its order. Pointers of outputs of late size are not looked at. */
EFFRT_API effrt_status effrt_session_run_symbols(effrt_session *session,
                                                 uint32_t program,
                                                 const int64_t *symbols,
                                                 void *const *inputs,
                                                 void *const *outputs);

/* An output of the last call, which was a run that succeeded (or found a buffer
 * too small): its shape and bytes, and its data. For an output of late size
 * that is memory of the session, valid until the next run, resolve or destroy;
 * for the others what the caller gave. */
EFFRT_API effrt_status effrt_session_output(effrt_session *session,
                                            uint32_t output, effrt_tensor *out);

/* From any thread: the run in progress, or else the next one, ends before its
 * next kernel with EFFRT_STATUS_CANCELLED. A model's loop may go on for as long
 * as its data says; this is the way out. Outputs are undefined then, states are
 * as before the run. */
EFFRT_API void effrt_session_cancel(effrt_session *session);

/* ---- State ----
 *
 * A model compiled with --state keeps those tensors in its sessions: they are
 * no inputs or outputs. They are zeros at first, with a size of 0 where it
 * grows from run to run. A run that succeeds moves them on without a copy, one
 * that fails leaves them. */

/* Back to the beginning. */
EFFRT_API effrt_status effrt_session_reset(effrt_session *session);

/* A new session on the same model, pool and number of threads with a copy of
 * the states. The reason of a failure is in `session`. */
EFFRT_API effrt_status effrt_session_fork(effrt_session *session,
                                          effrt_session **out);

/* Keeps the first `length` along the axes that are called `symbol` (a size of
 * states, such as "past"), in all states. */
EFFRT_API effrt_status effrt_session_truncate(effrt_session *session,
                                              const char *symbol,
                                              int64_t length);

/* What the session holds: data (to be read only), shape and bytes, valid until
 * the next call on the session that runs or changes states. Null data and shape
 * after a reset, which means zeros. */
EFFRT_API effrt_status effrt_session_get_state(effrt_session *session,
                                               uint32_t state,
                                               effrt_tensor *out);

/* Copies a tensor into a state, which takes its sizes. Sizes that are fixed
 * must agree now, those between states and inputs at the next run. */
EFFRT_API effrt_status effrt_session_set_state(effrt_session *session,
                                               uint32_t state,
                                               const effrt_tensor *in);

/* ---- Memory ---- */

typedef struct effrt_memory_info {
  uint32_t struct_size;
  uint32_t num_plans;     /* shapes that are prepared, at most eight */
  uint64_t arena_bytes;   /* held for intermediate values */
  uint64_t scratch_bytes; /* held for all threads together */
  uint64_t plan_bytes;    /* held for prepared shapes */
  /* what the shapes of the last run or resolve need of the arena */
  uint64_t last_arena_bytes;
  /* the most that was alive at once in it: no plan can need less */
  uint64_t last_live_bytes;
  uint64_t state_bytes;   /* held for states, before and after a run */
  uint64_t dynamic_bytes; /* held for values whose size follows from data */
} effrt_memory_info;

EFFRT_API effrt_status effrt_session_memory(const effrt_session *session,
                                            effrt_memory_info *info);

/* ---- Profiles ---- */

typedef struct effrt_profile_entry {
  uint32_t struct_size;
  uint32_t reserved;
  const char *kernel; /* its C identifier */
  const char *origin; /* ONNX nodes it came from */
  const char *choice; /* how it was generated */
  uint64_t calls;
  uint64_t total_ns; /* totals over all calls from here on */
  int64_t flops;
  int64_t bytes;
} effrt_profile_entry;

/* Off at first. Switching it on clears the totals of all programs. */
EFFRT_API effrt_status effrt_session_set_profiling(effrt_session *session,
                                                   int enabled);

/* Totals of one launch of a program (see num_launches), in order of execution.
 */
EFFRT_API effrt_status effrt_session_profile(const effrt_session *session,
                                             uint32_t program, uint32_t launch,
                                             effrt_profile_entry *entry);

#ifdef __cplusplus
}
#endif

#endif /* EFFRT_EFFRT_H */
