/* The dim table: every size of a program as a small expression over its
 * symbols, evaluated with checked arithmetic once per set of shapes; late ones
 * when the symbols they depend on are set.
 */
#include "Internal.h"

#include <inttypes.h>
#include <stdio.h>

static int64_t floor_div(int64_t a, int64_t b) { return a / b - (a % b < 0); }

static int64_t floor_mod(int64_t a, int64_t b) {
  return a % b < 0 ? a % b + b : a % b;
}

static uint8_t eval_binary(int32_t kind, int64_t a, int64_t b, int64_t *out) {
  switch (kind) {
  case EFFRT_DIM_ADD:
    return __builtin_add_overflow(a, b, out) ? EFFRT_DIM_OVERFLOWS
                                             : EFFRT_DIM_KNOWN;
  case EFFRT_DIM_MUL:
    return __builtin_mul_overflow(a, b, out) ? EFFRT_DIM_OVERFLOWS
                                             : EFFRT_DIM_KNOWN;
  case EFFRT_DIM_MIN:
    *out = a < b ? a : b;
    return EFFRT_DIM_KNOWN;
  case EFFRT_DIM_MAX:
    *out = a > b ? a : b;
    return EFFRT_DIM_KNOWN;
  case EFFRT_DIM_BROADCAST:
    *out = a == 1 ? b : a;
    return EFFRT_DIM_KNOWN;
  default:
    break;
  }
  if (b <= 0)
    return EFFRT_DIM_BAD_DIVISOR;
  if (kind == EFFRT_DIM_MOD)
    *out = floor_mod(a, b);
  else
    *out = floor_div(a, b) + (kind == EFFRT_DIM_CEILDIV && a % b != 0);
  return EFFRT_DIM_KNOWN;
}

/* Computes one dim from the symbols and the dims before it. */
static uint8_t eval_dim(const effrt_dim_op *op, int64_t *values,
                        const uint8_t *known, int64_t *out) {
  if (known[op->a] != EFFRT_DIM_KNOWN)
    return known[op->a];
  if (known[op->b] != EFFRT_DIM_KNOWN)
    return known[op->b];
  return eval_binary(op->kind, values[op->a], values[op->b], out);
}

/* "batch = 4, seq = 7" */
static void print_symbols(const effrt_program *program, const int64_t *symbols,
                          uint32_t count, char *text, size_t size) {
  size_t at = 0;
  (void)snprintf(text, size, "no symbols");
  for (uint32_t i = 0; i < count; ++i) {
    int length = snprintf(text + at, size - at, "%s%s = %" PRId64,
                          i ? ", " : "", program->symbols[i].name, symbols[i]);
    if (length < 0 || (size_t)length >= size - at)
      return;
    at += (size_t)length;
  }
}

static effrt_status fail_dim(const effrt_program *program, uint8_t known,
                             const int64_t *symbols, uint32_t count,
                             effrt_message *message) {
  char text[256];
  print_symbols(program, symbols, count, text, sizeof(text));
  return effrt_fail(
      message, EFFRT_STATUS_SIZE_OVERFLOW,
      known == EFFRT_DIM_OVERFLOWS
          ? "a size of program '%s' does not fit 64 bits with %s"
      : known == EFFRT_DIM_BAD_DIVISOR
          ? "a size of program '%s' divides by a size that is not positive "
            "with %s"
          : "a size of program '%s' is used before it has a value, with %s",
      program->name, text);
}

uint32_t effrt_num_given_symbols(const effrt_program *program) {
  uint32_t count = program->num_symbols;
  while (count > 0 && program->symbols[count - 1].source == EFFRT_SYMBOL_STEP)
    --count;
  return count;
}

effrt_status effrt_eval_dims(const effrt_program *program,
                             const int64_t *symbols, int64_t *values,
                             uint8_t *known, effrt_message *message) {
  uint32_t num_given = effrt_num_given_symbols(program);
  for (uint32_t i = 0; i < program->num_dims; ++i) {
    const effrt_dim_op *op = &program->dims[i];
    known[i] = EFFRT_DIM_KNOWN;
    if (op->kind == EFFRT_DIM_CONST)
      values[i] = op->value;
    else if (op->kind == EFFRT_DIM_SYMBOL && op->a < num_given)
      values[i] = symbols[op->a];
    else if (op->kind == EFFRT_DIM_SYMBOL)
      known[i] = EFFRT_DIM_UNSET;
    else
      known[i] = eval_dim(op, values, known, &values[i]);
    if (known[i] != EFFRT_DIM_KNOWN && known[i] != EFFRT_DIM_UNSET)
      return fail_dim(program, known[i], symbols, num_given, message);
  }
  return EFFRT_STATUS_OK;
}

effrt_status effrt_set_symbol(const effrt_program *program, uint32_t symbol,
                              int64_t value, int64_t *symbols, int64_t *values,
                              uint8_t *known, effrt_message *message) {
  effrt_status status = effrt_check_symbol(program, symbol, value, message);
  if (status)
    return status;
  const effrt_symbol *s = &program->symbols[symbol];
  symbols[symbol] = value;
  for (uint32_t i = 0; i < s->num_dependents; ++i) {
    uint32_t dim = s->dependents[i];
    const effrt_dim_op *op = &program->dims[dim];
    known[dim] = EFFRT_DIM_KNOWN;
    if (op->kind == EFFRT_DIM_SYMBOL)
      values[dim] = value;
    else
      known[dim] = eval_dim(op, values, known, &values[dim]);
  }
  return EFFRT_STATUS_OK;
}

effrt_status effrt_unknown_dim(const effrt_program *program, uint8_t known,
                               const int64_t *symbols, effrt_message *message) {
  return fail_dim(program, known, symbols, program->num_symbols, message);
}

effrt_status effrt_check_symbol(const effrt_program *program, uint32_t symbol,
                                int64_t value, effrt_message *message) {
  const effrt_symbol *s = &program->symbols[symbol];
  if (value >= s->min && value <= s->max)
    return EFFRT_STATUS_OK;
  if (s->source == EFFRT_SYMBOL_STEP)
    return effrt_fail(message, EFFRT_STATUS_SYMBOL_OUT_OF_BOUNDS,
                      "'%s' is %" PRId64
                      " in this run, program '%s' takes %" PRId64
                      " to %" PRId64,
                      s->name, value, program->name, s->min, s->max);
  bool is_state = s->source == EFFRT_SYMBOL_STATE;
  return effrt_fail(message, EFFRT_STATUS_SYMBOL_OUT_OF_BOUNDS,
                    "'%s' (dimension %" PRIu32 " of %s '%s') is %" PRId64
                    ", program '%s' was compiled for %" PRId64 " to %" PRId64,
                    s->name, s->axis, is_state ? "state" : "input",
                    is_state ? program->states[s->index].before.name
                             : program->inputs[s->index].name,
                    value, program->name, s->min, s->max);
}

effrt_status effrt_check_dim(const effrt_program *program, uint32_t index,
                             const int64_t *values, effrt_message *message) {
  const effrt_dim_check *check = &program->checks[index];
  if (values[check->a] == values[check->b])
    return EFFRT_STATUS_OK;
  return effrt_fail(message, EFFRT_STATUS_CHECK_FAILED,
                    "%s (%" PRId64 " and %" PRId64 ")", check->message,
                    values[check->a], values[check->b]);
}

effrt_status effrt_check_dims(const effrt_program *program,
                              const int64_t *values, effrt_message *message) {
  effrt_status status = EFFRT_STATUS_OK;
  for (uint32_t i = 0; i < program->num_checks && !status; ++i)
    if (!program->checks[i].late)
      status = effrt_check_dim(program, i, values, message);
  return status;
}
