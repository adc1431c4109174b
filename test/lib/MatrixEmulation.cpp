// Intel SDM: LDTILECFG, TILELOADD, TILESTORED, TILEZERO, TDPBUSD, TDPBF16PS.
// Products of bf16 are FMAs in a sum of the even and a sum of the odd
// neighbours, which begin at zero in each instruction and are added to each
// other and then to the register; subnormal numbers are zeros.
#include "MatrixEmulation.h"

#include <cfloat>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>

using namespace effc;

namespace {

constexpr int64_t count = 8, mostRows = 16, mostBytes = 64;

struct Register {
  int64_t rows = 0, bytes = 0;
  uint8_t data[mostRows][mostBytes] = {};
};

struct Registers {
  bool configured = false;
  Register all[count];
};

thread_local Registers state;

} // namespace

static void require(bool condition, const char *what) {
  if (condition)
    return;
  (void)std::fprintf(stderr, "AMX: %s\n", what);
  std::abort();
}

static Register &get(int64_t number) {
  require(state.configured, "used without a configuration");
  require(number >= 0 && number < count, "no such register");
  require(state.all[number].rows != 0, "a register without a shape");
  return state.all[number];
}

void amx::loadConfiguration(const uint8_t *shapes) {
  require(shapes[0] == 1, "palette 1 is the only one");
  state = Registers();
  state.configured = true;
  for (int64_t i = 0; i < mostBytes; ++i) {
    bool isUsed = i == 0 || (i >= 16 && i < 16 + 2 * count) ||
                  (i >= 48 && i < 48 + count);
    require(isUsed || shapes[i] == 0, "reserved bytes of a configuration");
  }
  for (int64_t number = 0; number < count; ++number) {
    Register &own = state.all[number];
    own.bytes = shapes[16 + 2 * number] + 256 * shapes[17 + 2 * number];
    own.rows = shapes[48 + number];
    require(own.bytes <= mostBytes && own.rows <= mostRows &&
                (own.bytes == 0) == (own.rows == 0),
            "a shape that does not fit");
  }
}

void amx::release() { state = Registers(); }

bool amx::isReleased() { return !state.configured; }

void amx::zero(int64_t number) {
  Register &own = get(number);
  std::memset(own.data, 0, sizeof own.data);
}

void amx::load(int64_t number, const uint8_t *from, int64_t stride) {
  zero(number);
  Register &own = get(number);
  for (int64_t row = 0; row < own.rows; ++row)
    std::memcpy(own.data[row], from + row * stride, own.bytes);
}

void amx::store(int64_t number, uint8_t *to, int64_t stride) {
  Register &own = get(number);
  for (int64_t row = 0; row < own.rows; ++row)
    std::memcpy(to + row * stride, own.data[row], own.bytes);
}

static void checkShapes(const Register &sums, const Register &a,
                        const Register &b) {
  require(&sums != &a && &sums != &b && &a != &b, "the same register twice");
  require(sums.rows == a.rows && sums.bytes == b.bytes &&
              a.bytes == 4 * b.rows && sums.bytes % 4 == 0,
          "shapes that do not fit each other");
}

template <typename T> static T read(const uint8_t *row, int64_t index) {
  T value;
  std::memcpy(&value, row + index * sizeof(T), sizeof(T));
  return value;
}

void amx::multiplyBytes(int64_t sums, int64_t a, int64_t b) {
  Register &to = get(sums), &left = get(a), &right = get(b);
  checkShapes(to, left, right);
  for (int64_t m = 0; m < to.rows; ++m)
    for (int64_t n = 0; n < to.bytes / 4; ++n) {
      auto sum = read<uint32_t>(to.data[m], n);
      for (int64_t k = 0; k < right.rows; ++k)
        for (int64_t i = 0; i < 4; ++i)
          sum += static_cast<uint32_t>(int32_t(left.data[m][4 * k + i]) *
                                       read<int8_t>(right.data[k], 4 * n + i));
      std::memcpy(to.data[m] + 4 * n, &sum, 4);
    }
}

static float flush(float x) {
  return std::fabs(x) < FLT_MIN ? std::copysign(0.0F, x) : x;
}

static float readBF16(const uint8_t *row, int64_t index) {
  uint32_t bits = uint32_t(read<uint16_t>(row, index)) << 16;
  float x;
  std::memcpy(&x, &bits, 4);
  return flush(x);
}

void amx::multiplyBF16(int64_t sums, int64_t a, int64_t b) {
  Register &to = get(sums), &left = get(a), &right = get(b);
  checkShapes(to, left, right);
  for (int64_t m = 0; m < to.rows; ++m)
    for (int64_t n = 0; n < to.bytes / 4; ++n) {
      float parts[2] = {0, 0};
      for (int64_t k = 0; k < right.rows; ++k)
        for (int64_t i = 0; i < 2; ++i)
          parts[i] =
              flush(std::fma(readBF16(left.data[m], 2 * k + i),
                             readBF16(right.data[k], 2 * n + i), parts[i]));
      float sum =
          flush(flush(read<float>(to.data[m], n)) + flush(parts[0] + parts[1]));
      std::memcpy(to.data[m] + 4 * n, &sum, 4);
    }
}
