/* The dim table: every size of a program as a small expression over its
 * symbols, evaluated with checked arithmetic once per set of shapes.
 */
#include "Internal.h"

#include <inttypes.h>
#include <stdio.h>

static int64_t floor_div(int64_t a, int64_t b) { return a / b - (a % b < 0); }

static int64_t floor_mod(int64_t a, int64_t b) {
  return a % b < 0 ? a % b + b : a % b;
}

typedef enum dim_result { DIM_OK, DIM_OVERFLOW, DIM_BAD_DIVISOR } dim_result;

static dim_result eval_binary(int32_t kind, int64_t a, int64_t b,
                              int64_t *out) {
  switch (kind) {
  case EFFRT_DIM_ADD:
    return __builtin_add_overflow(a, b, out) ? DIM_OVERFLOW : DIM_OK;
  case EFFRT_DIM_MUL:
    return __builtin_mul_overflow(a, b, out) ? DIM_OVERFLOW : DIM_OK;
  case EFFRT_DIM_MIN:
    *out = a < b ? a : b;
    return DIM_OK;
  case EFFRT_DIM_MAX:
    *out = a > b ? a : b;
    return DIM_OK;
  default:
    break;
  }
  if (b <= 0)
    return DIM_BAD_DIVISOR;
  if (kind == EFFRT_DIM_MOD)
    *out = floor_mod(a, b);
  else
    *out = floor_div(a, b) + (kind == EFFRT_DIM_CEILDIV && a % b != 0);
  return DIM_OK;
}

/* "batch = 4, seq = 7" */
static void print_symbols(const effrt_program *program, const int64_t *symbols,
                          char *text, size_t size) {
  size_t at = 0;
  text[0] = 0;
  for (uint32_t i = 0; i < program->num_symbols; ++i) {
    int length = snprintf(text + at, size - at, "%s%s = %" PRId64,
                          i ? ", " : "", program->symbols[i].name, symbols[i]);
    if (length < 0 || (size_t)length >= size - at)
      return;
    at += (size_t)length;
  }
}

effrt_status effrt_eval_dims(const effrt_program *program,
                             const int64_t *symbols, int64_t *values,
                             effrt_message *message) {
  for (uint32_t i = 0; i < program->num_dims; ++i) {
    const effrt_dim_op *op = &program->dims[i];
    dim_result result = DIM_OK;
    if (op->kind == EFFRT_DIM_CONST)
      values[i] = op->value;
    else if (op->kind == EFFRT_DIM_SYMBOL)
      values[i] = symbols[op->a];
    else
      result = eval_binary(op->kind, values[op->a], values[op->b], &values[i]);
    if (result == DIM_OK)
      continue;
    char text[256];
    print_symbols(program, symbols, text, sizeof(text));
    return effrt_fail(
        message, EFFRT_STATUS_SIZE_OVERFLOW,
        result == DIM_OVERFLOW
            ? "a size of program '%s' does not fit 64 bits with %s"
            : "a size of program '%s' divides by a size that is not positive "
              "with %s",
        program->name, text[0] ? text : "no symbols");
  }
  return EFFRT_STATUS_OK;
}

effrt_status effrt_check_symbols(const effrt_program *program,
                                 const int64_t *symbols,
                                 effrt_message *message) {
  for (uint32_t i = 0; i < program->num_symbols; ++i) {
    const effrt_symbol *symbol = &program->symbols[i];
    if (symbols[i] < symbol->min || symbols[i] > symbol->max)
      return effrt_fail(
          message, EFFRT_STATUS_SYMBOL_OUT_OF_BOUNDS,
          "'%s' (dimension %" PRIu32 " of input '%s') is %" PRId64
          ", program '%s' was compiled for %" PRId64 " to %" PRId64,
          symbol->name, symbol->axis, program->inputs[symbol->index].name,
          symbols[i], program->name, symbol->min, symbol->max);
  }
  return EFFRT_STATUS_OK;
}

effrt_status effrt_check_dims(const effrt_program *program,
                              const int64_t *values, effrt_message *message) {
  for (uint32_t i = 0; i < program->num_checks; ++i) {
    const effrt_dim_check *check = &program->checks[i];
    if (values[check->a] != values[check->b])
      return effrt_fail(message, EFFRT_STATUS_CHECK_FAILED,
                        "%s (%" PRId64 " and %" PRId64 ")", check->message,
                        values[check->a], values[check->b]);
  }
  return EFFRT_STATUS_OK;
}
