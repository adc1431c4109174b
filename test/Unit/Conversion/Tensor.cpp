// Encoding of tensors and what else does not depend on MLIR.
#include "Tensor.h"

#include <cmath>
#include <cstdlib>
#include <cstring>

using namespace effc;

bool effc::isFloatElement(const std::string &element) {
  return element[0] == 'f' || element[0] == 'b';
}

int effc::getWidth(const std::string &element) {
  return std::atoi(element.c_str() + element.find_first_of("0123456789"));
}

int64_t effc::count(const Shape &shape) {
  int64_t result = 1;
  for (int64_t size : shape)
    result *= size;
  return result;
}

static bool isUnsigned(const std::string &element) {
  return element[0] == 'u' || element == "i1";
}

Real effc::lowestOf(const std::string &element) {
  if (isFloatElement(element))
    return -inf;
  return isUnsigned(element) ? 0 : -std::ldexp(Real(1), getWidth(element) - 1);
}

Real effc::highestOf(const std::string &element) {
  if (isFloatElement(element))
    return inf;
  return std::ldexp(Real(1), getWidth(element) - !isUnsigned(element)) - 1;
}

/// The upper half of a float, rounded to nearest even.
static uint16_t toBFloat16(float value) {
  uint32_t bits;
  std::memcpy(&bits, &value, sizeof(bits));
  if (std::isnan(value))
    return (bits >> 16) | 0x40;
  return (bits + 0x7fff + (bits >> 16 & 1)) >> 16;
}

static float fromBFloat16(uint16_t half) {
  uint32_t bits = static_cast<uint32_t>(half) << 16;
  float value;
  std::memcpy(&value, &bits, sizeof(value));
  return value;
}

Real effc::roundTo(const std::string &element, Real value) {
  if (element == "f64")
    return static_cast<double>(value);
  if (element == "f32")
    return static_cast<float>(value);
  if (element == "f16")
    return static_cast<float>(
        static_cast<_Float16>(static_cast<double>(value)));
  if (element == "bf16")
    return fromBFloat16(toBFloat16(static_cast<float>(value)));
  Real range = std::ldexp(Real(1), getWidth(element));
  Real wrapped = std::fmod(std::trunc(value), range);
  if (wrapped > highestOf(element))
    wrapped -= range;
  if (wrapped < lowestOf(element))
    wrapped += range;
  return wrapped;
}

template <typename T> static void put(std::vector<char> &bytes, T value) {
  size_t size = bytes.size();
  bytes.resize(size + sizeof(T));
  std::memcpy(&bytes[size], &value, sizeof(T));
}

std::vector<char> Tensor::encode() const {
  std::vector<char> bytes;
  for (Real value : values) {
    if (element == "f64") {
      put(bytes, static_cast<double>(value));
    } else if (element == "f32") {
      put(bytes, static_cast<float>(value));
    } else if (element == "f16") {
      put(bytes, static_cast<_Float16>(static_cast<float>(value)));
    } else if (element == "bf16") {
      put(bytes, toBFloat16(static_cast<float>(value)));
    } else {
      uint64_t bits = value < 0
                          ? static_cast<uint64_t>(static_cast<int64_t>(value))
                          : static_cast<uint64_t>(value);
      size_t size = bytes.size(), width = (getWidth(element) + 7) / 8;
      bytes.resize(size + width);
      std::memcpy(bytes.data() + size, &bits, width);
    }
  }
  return bytes;
}

template <typename T>
static void get(std::vector<Real> &values, const std::vector<char> &bytes) {
  for (size_t i = 0; i < values.size(); ++i) {
    T value;
    std::memcpy(&value, bytes.data() + i * sizeof(T), sizeof(T));
    if constexpr (std::is_integral_v<T>)
      values[i] = value;
    else
      values[i] = static_cast<double>(value);
  }
}

Tensor Tensor::decode(std::string element, Shape shape,
                      const std::vector<char> &bytes) {
  Tensor result(element, shape);
  bool isSigned = element[0] == 'i';
  std::vector<Real> &values = result.values;
  switch (isFloatElement(element) ? -getWidth(element) : getWidth(element)) {
  case -64:
    get<double>(values, bytes);
    break;
  case -32:
    get<float>(values, bytes);
    break;
  case -16:
    if (element == "f16")
      get<_Float16>(values, bytes);
    else
      for (Real &value : (get<uint16_t>(values, bytes), values))
        value = fromBFloat16(static_cast<uint16_t>(value));
    break;
  case 64:
    isSigned ? get<int64_t>(values, bytes) : get<uint64_t>(values, bytes);
    break;
  case 32:
    isSigned ? get<int32_t>(values, bytes) : get<uint32_t>(values, bytes);
    break;
  case 16:
    isSigned ? get<int16_t>(values, bytes) : get<uint16_t>(values, bytes);
    break;
  case 8:
    isSigned ? get<int8_t>(values, bytes) : get<uint8_t>(values, bytes);
    break;
  default:
    get<uint8_t>(values, bytes);
  }
  return result;
}

Tensor effc::permute(const Tensor &x, const std::vector<int64_t> &order) {
  Shape shape;
  for (int64_t axis : order)
    shape.push_back(x.shape[axis]);
  return tabulate(x.element, shape, [&](const Shape &index) {
    Shape from(index.size());
    for (size_t i = 0; i < order.size(); ++i)
      from[order[i]] = index[i];
    return x.at(from);
  });
}

Tensor effc::toChannelsLast(const Tensor &x) {
  std::vector<int64_t> order = {0};
  for (size_t i = 2; i < x.shape.size(); ++i)
    order.push_back(i);
  order.push_back(1);
  return permute(x, order);
}

Tensor effc::toChannelsFirst(const Tensor &x) {
  int64_t rank = x.shape.size();
  std::vector<int64_t> order = {0, rank - 1};
  for (int64_t i = 1; i + 1 < rank; ++i)
    order.push_back(i);
  return permute(x, order);
}

Tensor effc::reshape(const Tensor &x, const Shape &shape) {
  Tensor result = x;
  result.shape = shape;
  return result;
}

Random::Random() {
  const char *text = std::getenv("EFFC_TEST_SEED");
  seed = text ? std::atoi(text) : 1;
  engine.seed(seed);
}

Tensor Random::floats(const Shape &shape, double low, double high,
                      const std::string &element) {
  std::uniform_real_distribution<double> pick(low, high);
  return tabulate(element, shape, [&](const Shape &) { return pick(engine); });
}

Tensor Random::integers(const Shape &shape, int64_t low, int64_t high,
                        const std::string &element) {
  std::uniform_int_distribution<int64_t> pick(low, high);
  return tabulate(element, shape, [&](const Shape &) { return pick(engine); });
}
