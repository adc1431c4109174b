/* Layouts shared by emitted code and the runtime: all that the two share.
 *
 * A compiled model is data and functions. The data is one `effrt_model_desc`
 * (exported as `effc_model_{name}`): kernels, weights and one `effrt_program`
 * per entry point. A library for several kinds of machines has a description
 * for each, chained; they share the weights. A program is a straight list of
 * kernel launches over buffers; every size in it is a *dim*, an entry of a
 * small expression table over the program's symbols (batch, sequence, ...). The
 * runtime evaluates the table once per set of symbol values, plans the arena,
 * and then only walks the launches. Programs with control flow, or with sizes
 * that follow from data, also have a list of *steps*: a small interpreter
 * program over the launches.
 *
 * Everything here is position independent, read-only after relocation and valid
 * for the life of the library. Any change to a layout bumps EFFRT_ABI_VERSION.
 * C11 and C++17.
 */
#ifndef EFFRT_EFFRT_ABI_H
#define EFFRT_EFFRT_ABI_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define EFFRT_ABI_VERSION 3u
#define EFFRT_MAGIC 0x43464645u /* "EFFC", little-endian */

/* Element types; the numbers are ONNX's TensorProto.DataType. Bools are bytes 0
 * or 1. In memory every element takes whole bytes, also where ONNX files pack
 * several into one: an f4 lies in the low four bits of its byte, u4 and u2 are
 * bytes of 0 to 15 and 0 to 3, i4 and i2 are signed bytes of -8 to 7 and -2 to
 * 1. */
typedef enum effrt_dtype {
  EFFRT_DTYPE_F32 = 1,
  EFFRT_DTYPE_U8 = 2,
  EFFRT_DTYPE_I8 = 3,
  EFFRT_DTYPE_U16 = 4,
  EFFRT_DTYPE_I16 = 5,
  EFFRT_DTYPE_I32 = 6,
  EFFRT_DTYPE_I64 = 7,
  EFFRT_DTYPE_BOOL = 9,
  EFFRT_DTYPE_F16 = 10,
  EFFRT_DTYPE_F64 = 11,
  EFFRT_DTYPE_U32 = 12,
  EFFRT_DTYPE_U64 = 13,
  EFFRT_DTYPE_BF16 = 16,
  EFFRT_DTYPE_F8E4M3FN = 17,
  EFFRT_DTYPE_F8E4M3FNUZ = 18,
  EFFRT_DTYPE_F8E5M2 = 19,
  EFFRT_DTYPE_F8E5M2FNUZ = 20,
  EFFRT_DTYPE_U4 = 21,
  EFFRT_DTYPE_I4 = 22,
  EFFRT_DTYPE_F4E2M1FN = 23,
  EFFRT_DTYPE_F8E8M0FNU = 24,
  EFFRT_DTYPE_U2 = 25,
  EFFRT_DTYPE_I2 = 26
} effrt_dtype;

/* What the code was generated for; `effrt_model_desc.cpu_features` is a set of
 * these bits and is compared with the machine when a model is opened. */
typedef enum effrt_cpu_feature {
  EFFRT_CPU_AVX2 = 1 << 0,   /* with FMA, F16C, BMI2: x86-64-v3 */
  EFFRT_CPU_AVX512 = 1 << 1, /* F, BW, CD, DQ, VL: x86-64-v4 */
  EFFRT_CPU_AVX512_VNNI = 1 << 2,
  EFFRT_CPU_AVX512_BF16 = 1 << 3,
  EFFRT_CPU_AMX_INT8 = 1 << 4,
  EFFRT_CPU_AMX_BF16 = 1 << 5,
  EFFRT_CPU_NEON = 1 << 6,
  EFFRT_CPU_NEON_DOTPROD = 1 << 7,
  EFFRT_CPU_NEON_I8MM = 1 << 8
} effrt_cpu_feature;

/* ---- Kernels
 * -------------------------------------------------------------------------------
 */

/* What a kernel may write into `effrt_kernel_args.error`; the first one written
 * wins. */
typedef enum effrt_kernel_error {
  EFFRT_KERNEL_OK = 0,
  EFFRT_KERNEL_INDEX_OUT_OF_RANGE =
      1, /* Gather, Scatter: an index outside its axis */
  EFFRT_KERNEL_DIVISION_BY_ZERO = 2 /* integer Div or Mod */
} effrt_kernel_error;

typedef struct effrt_kernel_args {
  void *const *buffers; /* one per operand, then one per result */
  const int64_t *dims;  /* the dims the kernel's code reads, in its own order */
  int32_t *error; /* shared by all threads of a launch; relaxed stores only */
} effrt_kernel_args;

/* Computes the iterations [lo, hi) of the launch's extent. Any split of the
 * extent over threads gives the same bits. `scratch` is private to the calling
 * thread, 64-byte aligned, of the launch's scratch size, contents undefined. */
typedef void (*effrt_kernel_fn)(const effrt_kernel_args *args, int64_t lo,
                                int64_t hi, void *scratch);

typedef struct effrt_kernel {
  effrt_kernel_fn fn;
  const char *name;   /* unique in the model, a C identifier */
  const char *origin; /* the ONNX nodes it came from, comma separated */
  const char *choice; /* how it was generated, such as "gemm 6x64 avx512" */
} effrt_kernel;

/* ---- Dims
 * ----------------------------------------------------------------------------------
 */

/* Entry i of a program's dim table is computed from entries before it. Division
 * is floor or ceil division by a positive entry. */
typedef enum effrt_dim_kind {
  EFFRT_DIM_CONST = 0,  /* value */
  EFFRT_DIM_SYMBOL = 1, /* symbols[a] */
  EFFRT_DIM_ADD = 2,    /* dims[a] op dims[b] from here on */
  EFFRT_DIM_MUL = 3,
  EFFRT_DIM_FLOORDIV = 4,
  EFFRT_DIM_CEILDIV = 5,
  EFFRT_DIM_MOD = 6,
  EFFRT_DIM_MIN = 7,
  EFFRT_DIM_MAX = 8,
  EFFRT_DIM_BROADCAST = 9 /* dims[b] where dims[a] is 1, else dims[a] */
} effrt_dim_kind;

typedef struct effrt_dim_op {
  int32_t kind; /* effrt_dim_kind */
  uint32_t a;
  uint32_t b;
  uint32_t reserved;
  int64_t value;
} effrt_dim_op;

/* Where the value of a symbol comes from. A program lists its symbols in this
 * order; only the first kind is given by the caller of
 * effrt_session_run_symbols. */
typedef enum effrt_symbol_source {
  EFFRT_SYMBOL_INPUT = 0, /* dimension `axis` of input `index` */
  EFFRT_SYMBOL_STATE = 1, /* dimension `axis` of state `index` as the session
                             holds it; 0 after a reset */
  EFFRT_SYMBOL_STEP = 2   /* set while the program runs, by EFFRT_STEP_DEFINE or
                             EFFRT_STEP_ASSIGN, perhaps many times */
} effrt_symbol_source;

/* A size that is not known at compile time. Dims that depend on a symbol of
 * source STEP are *late*: they have no value before the step. */
typedef struct effrt_symbol {
  const char *name; /* ONNX dim_param, or a made-up unique name */
  int32_t source;   /* effrt_symbol_source */
  uint32_t index;
  uint32_t axis;
  uint32_t num_dependents;
  const uint32_t *dependents; /* STEP: the dims that depend on it, ascending;
                                 those whose symbols all have a value are
                                 evaluated again when it is set */
  int64_t min;                /* inclusive bounds accepted at run time */
  int64_t max;
} effrt_symbol;

/* dims[a] must equal dims[b], else a run is refused with `message`: when shapes
 * are bound, or for late dims by EFFRT_STEP_CHECK. */
typedef struct effrt_dim_check {
  uint32_t a;
  uint32_t b;
  const char *message;
  uint32_t late;
  uint32_t reserved;
} effrt_dim_check;

/* ---- Programs
 * ------------------------------------------------------------------------------
 */

typedef struct effrt_tensor_desc {
  const char *name; /* the ONNX name */
  int32_t dtype;    /* effrt_dtype */
  uint32_t rank;
  const uint32_t *dims; /* rank entries of the dim table */
  const char *const
      *dim_texts; /* rank readable forms: "3", "batch", "past + seq" */
  uint32_t late;  /* 1: a size is late (outputs and states after a run only) */
  uint32_t reserved;
} effrt_tensor_desc;

/* A tensor that a session keeps from run to run. The program reads it as it was
 * (`before`) and writes it anew (`after`); the session swaps the two after a
 * run that succeeded. Zeros at first, sizes from STATE symbols 0. All programs
 * of a model have the same states in the same order. */
typedef struct effrt_state {
  effrt_tensor_desc before; /* named as the ONNX input */
  effrt_tensor_desc after;  /* named as the ONNX output */
} effrt_state;

typedef enum effrt_buffer_kind {
  EFFRT_BUFFER_INPUT = 0,   /* value = input index */
  EFFRT_BUFFER_OUTPUT = 1,  /* value = output index */
  EFFRT_BUFFER_WEIGHT = 2,  /* value = byte offset into the weights */
  EFFRT_BUFFER_ARENA = 3,   /* live from launch `first` to launch `last`, both
                               inclusive (steps, if the program has steps);
                               never of late size */
  EFFRT_BUFFER_DYNAMIC = 4, /* memory of its own that grows when a step that
                               writes it needs more */
  EFFRT_BUFFER_STATE_BEFORE = 5, /* value = state index */
  EFFRT_BUFFER_STATE_AFTER = 6   /* value = state index */
} effrt_buffer_kind;

typedef struct effrt_buffer {
  int32_t kind;   /* effrt_buffer_kind */
  uint32_t bytes; /* dim: size in bytes */
  uint64_t value;
  uint32_t first;
  uint32_t last;
} effrt_buffer;

typedef struct effrt_launch {
  uint32_t kernel;
  uint32_t num_buffers;
  const uint32_t *buffers; /* program buffer of each kernel buffer */
  const uint32_t *dims;    /* dim of each kernel dim */
  uint32_t num_dims;
  uint32_t extent;  /* dim: number of parallel iterations; 0 iterations skip the
                       launch */
  uint32_t scratch; /* dim: scratch bytes of each thread */
  uint32_t flops;   /* dim: arithmetic of the launch, for profiles */
  uint32_t bytes;   /* dim: memory traffic of the launch, for profiles */
  uint32_t cost;    /* dim: estimated nanoseconds on one core; decides how many
                       threads to use */
  uint32_t late;    /* 1: uses a late dim, a DYNAMIC buffer or an output of late
                       size, so sizes and pointers are looked up at each
                       execution */
  uint32_t reserved;
} effrt_launch;

/* Steps run in order from the first, behind the last one the run is over. */
typedef enum effrt_step_kind {
  EFFRT_STEP_LAUNCH = 0, /* runs launch a */
  EFFRT_STEP_DEFINE = 1, /* symbol a = the int64 element number c of buffer b;
                            refused outside the symbol's bounds */
  EFFRT_STEP_ASSIGN = 2, /* symbol a = dims[b]; refused outside its bounds */
  EFFRT_STEP_CHECK = 3,  /* checks[a] must hold */
  EFFRT_STEP_JUMP = 4,   /* goes on at step a */
  EFFRT_STEP_JUMP_UNLESS = 5, /* goes on at step a if the first byte of buffer b
                                 is 0 */
  EFFRT_STEP_JUMP_UNLESS_LESS = 6, /* goes on at step a unless
                                      dims[b] < dims[c] */
  EFFRT_STEP_STORE = 7,            /* the first int64 of buffer a = dims[b] */
  EFFRT_STEP_COPY = 8,   /* buffer a = buffer b, dims[bytes of b] bytes */
  EFFRT_STEP_SWAP = 9,   /* exchanges the memory of DYNAMIC buffers a and b */
  EFFRT_STEP_CLEAR = 10, /* DYNAMIC buffer a holds nothing, for APPEND */
  EFFRT_STEP_APPEND = 11 /* puts the bytes of buffer b behind those that DYNAMIC
                            buffer a holds since its CLEAR */
} effrt_step_kind;

typedef struct effrt_step {
  int32_t kind; /* effrt_step_kind */
  uint32_t a;
  uint32_t b;
  uint32_t c;
} effrt_step;

typedef struct effrt_program {
  const char *name; /* entry point; "main" for the general one */
  const effrt_symbol *symbols;
  const effrt_dim_op *dims;
  const effrt_dim_check *checks;
  const effrt_tensor_desc *inputs;
  const effrt_tensor_desc *outputs;
  const effrt_buffer *buffers;
  const effrt_launch *launches;
  const effrt_step *steps; /* null: the launches in order */
  const effrt_state *states;
  uint32_t num_symbols;
  uint32_t num_dims;
  uint32_t num_checks;
  uint32_t num_inputs;
  uint32_t num_outputs;
  uint32_t num_buffers;
  uint32_t num_launches;
  uint32_t num_steps;
  uint32_t num_states;
  uint32_t reserved;
} effrt_program;

/* ---- The model
 * -----------------------------------------------------------------------------
 */

typedef struct effrt_model_desc {
  uint32_t magic;       /* EFFRT_MAGIC */
  uint32_t abi_version; /* EFFRT_ABI_VERSION */
  uint32_t struct_size; /* sizeof(effrt_model_desc) */
  uint32_t num_programs;
  const char *name;
  const char *target;      /* as given by --cpu: "v4", "native", ... */
  uint64_t cpu_features;   /* set of effrt_cpu_feature */
  const char *certificate; /* JSON, zero terminated */
  const effrt_kernel *kernels;
  const effrt_program
      *programs; /* specialised entry points first, the general one last */
  const void *weights; /* page aligned; null when weights_file is set */
  uint64_t weights_size;
  const char *weights_file; /* file name beside the library, or null */
  uint64_t
      weights_hash; /* of the separate file: FNV-1a, 64 bits, over all bytes */
  uint32_t num_kernels;
  uint32_t reserved;
  /* Of AddressSanitizer, when compiled with --sanitize: gaps between buffers
     are poisoned. Else null. */
  void (*poison)(const volatile void *address, size_t bytes);
  void (*unpoison)(const volatile void *address, size_t bytes);
  /* The same model, with the same entry points and weights, compiled for
     another machine; null at the last. The first of the chain that a machine
     can run is used, so the best come first. */
  const struct effrt_model_desc *next;
} effrt_model_desc;

/* Descriptions in a chain. */
#define EFFRT_MAX_VERSIONS 16

#ifdef __cplusplus
}
static_assert(sizeof(void *) == 8, "effrt supports 64-bit targets");
static_assert(sizeof(effrt_dim_op) == 24, "effrt_dim_op layout");
static_assert(sizeof(effrt_symbol) == 48, "effrt_symbol layout");
static_assert(sizeof(effrt_buffer) == 24, "effrt_buffer layout");
static_assert(sizeof(effrt_launch) == 56, "effrt_launch layout");
static_assert(sizeof(effrt_program) == 120, "effrt_program layout");
static_assert(sizeof(effrt_model_desc) == 128, "effrt_model_desc layout");
#else
_Static_assert(sizeof(void *) == 8, "effrt supports 64-bit targets");
_Static_assert(sizeof(effrt_dim_op) == 24, "effrt_dim_op layout");
_Static_assert(sizeof(effrt_symbol) == 48, "effrt_symbol layout");
_Static_assert(sizeof(effrt_buffer) == 24, "effrt_buffer layout");
_Static_assert(sizeof(effrt_launch) == 56, "effrt_launch layout");
_Static_assert(sizeof(effrt_program) == 120, "effrt_program layout");
_Static_assert(sizeof(effrt_model_desc) == 128, "effrt_model_desc layout");
#endif

#endif /* EFFRT_EFFRT_ABI_H */
