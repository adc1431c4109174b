/* The C API of the effc compiler: an ONNX model to a library, from a program.
 * What it writes is run with effrt/effrt.h.
 *
 * Nothing here exits, prints or throws; every call that can fail returns a
 * status, and what is wrong with a model reaches a callback and the result.
 * Strings handed out belong to the object they came from. Option and info
 * structs begin with `struct_size`, to be set to `sizeof` before the call; all
 * else may stay zero. C11 and C++17.
 *
 * Threads: any number of compilations may run at the same time. The linker
 * keeps its state in globals, so links wait for each other. Callbacks are
 * called on the thread that compiles.
 *
 * A compilation runs in this process: unlike the effc program, which compiles
 * in a child, it cannot survive the system killing it for its memory.
 */
#ifndef EFFC_C_EFFC_H
#define EFFC_C_EFFC_H

#include <stddef.h>
#include <stdint.h>

#if defined(EFFC_BUILD_SHARED)
#define EFFC_API __attribute__((visibility("default")))
#else
#define EFFC_API
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Status ---- */

typedef enum effc_status {
  EFFC_STATUS_OK = 0,
  /* the model or the options are at fault: see the diagnostics */
  EFFC_STATUS_MODEL_ERROR = 1,
  /* null pointer, unknown struct size or flag, index out of range */
  EFFC_STATUS_INVALID_ARGUMENT = 2,
  EFFC_STATUS_OUT_OF_MEMORY = 3,
  /* effc is at fault: see the diagnostics, which name a reproducer */
  EFFC_STATUS_INTERNAL_ERROR = 70
} effc_status;

/* "model error" and the like; never null. */
EFFC_API const char *effc_status_string(effc_status status);

/* "0.1.0". */
EFFC_API const char *effc_version(void);

/* ---- Diagnostics ---- */

typedef enum effc_severity {
  EFFC_SEVERITY_NOTE = 0,
  EFFC_SEVERITY_REMARK = 1,
  EFFC_SEVERITY_WARNING = 2,
  EFFC_SEVERITY_ERROR = 3
} effc_severity;

/* Strings are never null; "" where there is nothing to say. */
typedef struct effc_diagnostic {
  uint32_t struct_size;
  int32_t severity; /* effc_severity */
  const char *code; /* "EFFC-E0402", see effc_explain */
  const char *file; /* the file at fault */
  const char *node; /* the ONNX node at fault */
  const char *op;   /* its operator and opset: "Conv, opset 17" */
  const char *reason;
  const char *remedy; /* notes: details and what to do, a line each */
  const char *stage;  /* of the compilation: "import", ... */
  const char *text;   /* all of it, as effc prints it */
} effc_diagnostic;

/* What the message with a code means. */
typedef struct effc_code_info {
  uint32_t struct_size;
  uint32_t reserved;
  const char *code;
  const char *title;
  const char *explanation;
  const char *example;
  const char *remedy;
} effc_code_info;

EFFC_API effc_status effc_explain(const char *code, effc_code_info *info);
/* All codes, in order; null from the end on. */
EFFC_API const char *effc_code(uint32_t index);

/* ---- Options ---- */

typedef enum effc_compile_flag {
  /* an archive, lib{name}.a, instead of a shared library */
  EFFC_COMPILE_STATIC = 1 << 0,
  /* {name}.weights beside the library */
  EFFC_COMPILE_SEPARATE_WEIGHTS = 1 << 1,
  /* simple loops, one kernel an operation: the oracle */
  EFFC_COMPILE_PLAIN = 1 << 2,
  /* every float computed and stored as double; with PLAIN */
  EFFC_COMPILE_F64 = 1 << 3,
  /* MLIR's verifier after every pass */
  EFFC_COMPILE_VERIFY_EACH = 1 << 4,
  /* kernels under AddressSanitizer (docs/sanitizers.md) */
  EFFC_COMPILE_SANITIZE = 1 << 5,
  /* no reordering beyond what a sum needs */
  EFFC_COMPILE_EXACT = 1 << 6,
  /* -O0 to -O2, at most one; none is -O3 */
  EFFC_COMPILE_O0 = 1 << 8,
  EFFC_COMPILE_O1 = 1 << 9,
  EFFC_COMPILE_O2 = 1 << 10
} effc_compile_flag;

typedef void (*effc_diagnostic_fn)(void *user,
                                   const effc_diagnostic *diagnostic);
/* A stage begins: its name, its number from 1, and how many there are. */
typedef void (*effc_stage_fn)(void *user, const char *stage, uint32_t number,
                              uint32_t count);

/* Lists of texts are spelled as on the command line and need not outlive the
 * call. */
typedef struct effc_compile_options {
  uint32_t struct_size;
  uint32_t flags;          /* set of effc_compile_flag */
  const char *output_dir;  /* made if need be; null only with stop_after */
  const char *name;        /* null: from the model's file name */
  const char *cpu;         /* null: "native"; see effc_cpu */
  const char *const *dims; /* "batch=8", "seq=1..512", "seq=1,128,*" */
  size_t num_dims;
  const char *const *input_shapes; /* "image=1x3x224x224" */
  size_t num_input_shapes;
  const char *const *input_values; /* "rate=16000": becomes a constant */
  size_t num_input_values;
  const char *const *output_names; /* only these */
  size_t num_output_names;
  const char *external_data_dir; /* a folder that is trusted; null: none */
  const char *save_stages;       /* a folder for the IR after each stage */
  const char *stop_after;        /* a stage; no library is written then */
  const char *start_at;          /* a stage; the model is a saved stage */
  uint32_t compile_threads; /* 0: one per core; bytes do not depend on it */
  uint32_t reserved;
  effc_diagnostic_fn on_diagnostic;
  effc_stage_fn on_stage;
  void *user;                /* passed to both */
  const char *const *states; /* pairs that sessions keep: "IN:OUT", or "auto" */
  size_t num_states;
  const char *quantize;      /* lossy: "bf16", "int8-dynamic", ... */
  const char *const *layers; /* "NODES: quantize=off" */
  size_t num_layers;
  /* times candidates of each kernel for so long in all and writes the lock;
   * 0: no tuning */
  double tune_seconds;
  const char *lock;      /* to read, or to write when tuning; null: none, or
                          * effc.lock in the output folder */
  const char *calibrate; /* statistics for int8: a file of effc calibrate */
} effc_compile_options;

/* Values of `cpu`; null from the end on. */
EFFC_API const char *effc_cpu(uint32_t index);
/* Values of `stop_after` and `start_at`, in order; null from the end on. */
EFFC_API const char *effc_stage(uint32_t index);

/* ---- Compiling ---- */

typedef struct effc_result effc_result;

/* Compiles a file. All files are written, or none. `*out` becomes a result also
 * when the compilation fails, with its diagnostics; null only after
 * EFFC_STATUS_INVALID_ARGUMENT and EFFC_STATUS_OUT_OF_MEMORY. */
EFFC_API effc_status effc_compile_file(const char *model,
                                       const effc_compile_options *options,
                                       effc_result **out);

/* Compiles the bytes of an ONNX file, which must not change meanwhile. `name`
 * stands for the file name in messages; external data is looked for below
 * `folder`, the current one if null. */
EFFC_API effc_status effc_compile_bytes(const void *bytes, size_t size,
                                        const char *name, const char *folder,
                                        const effc_compile_options *options,
                                        effc_result **out);

/* Null is fine. Files that were written stay. */
EFFC_API void effc_result_destroy(effc_result *result);

typedef struct effc_result_info {
  uint32_t struct_size;
  int32_t status;          /* effc_status */
  const char *library;     /* path; "" when none was written */
  const char *header;      /* path */
  const char *certificate; /* JSON */
  const char *ir;          /* the module as text, with stop_after */
  const char *reproducer;  /* path, when effc is at fault */
  uint64_t library_bytes;
  size_t num_files;
  size_t num_diagnostics;
  size_t num_stages;
} effc_result_info;

EFFC_API effc_status effc_result_describe(const effc_result *result,
                                          effc_result_info *info);
/* Path of a written file, the library first; null from the end on. */
EFFC_API const char *effc_result_file(const effc_result *result, size_t index);
EFFC_API effc_status effc_result_diagnostic(const effc_result *result,
                                            size_t index,
                                            effc_diagnostic *diagnostic);
/* A stage and the seconds that it took; either may be null. */
EFFC_API effc_status effc_result_stage(const effc_result *result, size_t index,
                                       const char **name, double *seconds);

#ifdef __cplusplus
}
#endif

#endif /* EFFC_C_EFFC_H */
