/* Status texts, messages, element types, and the structs whose size is their
 * version. */
#include "Internal.h"

#include <stdio.h>
#include <string.h>

const char *effrt_status_string(effrt_status status) {
  switch (status) {
  case EFFRT_STATUS_OK:
    return "ok";
  case EFFRT_STATUS_INVALID_ARGUMENT:
    return "invalid argument";
  case EFFRT_STATUS_COUNT_MISMATCH:
    return "count mismatch";
  case EFFRT_STATUS_DTYPE_MISMATCH:
    return "dtype mismatch";
  case EFFRT_STATUS_RANK_MISMATCH:
    return "rank mismatch";
  case EFFRT_STATUS_SHAPE_MISMATCH:
    return "shape mismatch";
  case EFFRT_STATUS_NULL_DATA:
    return "null data";
  case EFFRT_STATUS_BUFFER_TOO_SMALL:
    return "buffer too small";
  case EFFRT_STATUS_SYMBOL_OUT_OF_BOUNDS:
    return "symbol out of bounds";
  case EFFRT_STATUS_CHECK_FAILED:
    return "check failed";
  case EFFRT_STATUS_SIZE_OVERFLOW:
    return "size overflow";
  case EFFRT_STATUS_OUT_OF_MEMORY:
    return "out of memory";
  case EFFRT_STATUS_FILE_ERROR:
    return "file error";
  case EFFRT_STATUS_NOT_A_MODEL:
    return "not a model";
  case EFFRT_STATUS_ABI_MISMATCH:
    return "abi mismatch";
  case EFFRT_STATUS_CPU_UNSUPPORTED:
    return "cpu unsupported";
  case EFFRT_STATUS_BAD_WEIGHTS:
    return "bad weights";
  case EFFRT_STATUS_INDEX_OUT_OF_RANGE:
    return "index out of range";
  case EFFRT_STATUS_DIVISION_BY_ZERO:
    return "division by zero";
  case EFFRT_STATUS_KERNEL_FAILED:
    return "kernel failed";
  case EFFRT_STATUS_SYSTEM_ERROR:
    return "system error";
  case EFFRT_STATUS_CANCELLED:
    return "cancelled";
  }
  return "unknown status";
}

uint32_t effrt_abi_version(void) { return EFFRT_ABI_VERSION; }

typedef struct dtype_row {
  int32_t dtype;
  uint32_t size;
  const char *name;
} dtype_row;

static const dtype_row dtypes[] = {
    {EFFRT_DTYPE_F32, 4, "f32"},
    {EFFRT_DTYPE_U8, 1, "u8"},
    {EFFRT_DTYPE_I8, 1, "i8"},
    {EFFRT_DTYPE_U16, 2, "u16"},
    {EFFRT_DTYPE_I16, 2, "i16"},
    {EFFRT_DTYPE_I32, 4, "i32"},
    {EFFRT_DTYPE_I64, 8, "i64"},
    {EFFRT_DTYPE_BOOL, 1, "bool"},
    {EFFRT_DTYPE_F16, 2, "f16"},
    {EFFRT_DTYPE_F64, 8, "f64"},
    {EFFRT_DTYPE_U32, 4, "u32"},
    {EFFRT_DTYPE_U64, 8, "u64"},
    {EFFRT_DTYPE_BF16, 2, "bf16"},
    {EFFRT_DTYPE_F8E4M3FN, 1, "f8e4m3fn"},
    {EFFRT_DTYPE_F8E4M3FNUZ, 1, "f8e4m3fnuz"},
    {EFFRT_DTYPE_F8E5M2, 1, "f8e5m2"},
    {EFFRT_DTYPE_F8E5M2FNUZ, 1, "f8e5m2fnuz"},
    {EFFRT_DTYPE_U4, 1, "u4"},
    {EFFRT_DTYPE_I4, 1, "i4"},
    {EFFRT_DTYPE_F4E2M1FN, 1, "f4e2m1fn"},
    {EFFRT_DTYPE_F8E8M0FNU, 1, "f8e8m0fnu"},
    {EFFRT_DTYPE_U2, 1, "u2"},
    {EFFRT_DTYPE_I2, 1, "i2"},
};

static const dtype_row *find_dtype(int32_t dtype) {
  for (size_t i = 0; i < sizeof(dtypes) / sizeof(dtypes[0]); ++i)
    if (dtypes[i].dtype == dtype)
      return &dtypes[i];
  return NULL;
}

size_t effrt_dtype_size(int32_t dtype) {
  const dtype_row *row = find_dtype(dtype);
  return row ? row->size : 0;
}

const char *effrt_dtype_name(int32_t dtype) {
  const dtype_row *row = find_dtype(dtype);
  return row ? row->name : "?";
}

effrt_status effrt_fail(effrt_message *message, effrt_status status,
                        const char *format, ...) {
  if (message) {
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(message->text, sizeof(message->text), format, arguments);
    va_end(arguments);
  }
  return status;
}

bool effrt_read_options(void *known, size_t known_size, const void *options) {
  memset(known, 0, known_size);
  if (!options)
    return true;
  uint32_t size;
  memcpy(&size, options, sizeof(size));
  if (size < sizeof(size))
    return false;
  for (size_t i = known_size; i < size; ++i)
    if (((const unsigned char *)options)[i] != 0)
      return false;
  memcpy(known, options, size < known_size ? size : known_size);
  return true;
}

effrt_status effrt_write_info(void *info, const void *known,
                              size_t known_size) {
  uint32_t size;
  memcpy(&size, info, sizeof(size));
  if (size < 2 * sizeof(size))
    return EFFRT_STATUS_INVALID_ARGUMENT;
  if (size < known_size)
    known_size = size;
  memcpy((unsigned char *)info + sizeof(size),
         (const unsigned char *)known + sizeof(size),
         known_size - sizeof(size));
  return EFFRT_STATUS_OK;
}
