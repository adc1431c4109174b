// Tensors of any element type as numbers for straightforward references: all
// values, 64-bit integers too, are exact in a long double.
#ifndef EFFC_TEST_UNIT_CONVERSION_TENSOR_H
#define EFFC_TEST_UNIT_CONVERSION_TENSOR_H

#include <cstdint>
#include <limits>
#include <random>
#include <string>
#include <vector>

namespace effc {

using Real = long double;
using Shape = std::vector<int64_t>;

constexpr Real NaN = std::numeric_limits<Real>::quiet_NaN();
constexpr Real inf = std::numeric_limits<Real>::infinity();

bool isFloatElement(const std::string &element);
/// The bits of an integer element, 1 for bool.
int getWidth(const std::string &element);
/// The nearest value that the element type has; integers wrap.
Real roundTo(const std::string &element, Real value);
Real lowestOf(const std::string &element);
Real highestOf(const std::string &element);
int64_t count(const Shape &shape);

struct Tensor {
  std::string element; ///< as in MLIR: "f32", "ui8", "i1"
  Shape shape;
  std::vector<Real> values;

  Tensor(std::string element, Shape shape, Real fill = 0)
      : element(element), shape(shape),
        values(count(shape), roundTo(element, fill)) {}
  Tensor(std::string element, Shape shape, std::vector<Real> list)
      : element(element), shape(shape), values(list) {
    for (Real &value : values)
      value = roundTo(element, value);
  }

  size_t position(const Shape &index) const {
    size_t result = 0;
    for (size_t i = 0; i < shape.size(); ++i)
      result = result * shape[i] + index[i];
    return result;
  }
  Real at(const Shape &index) const { return values[position(index)]; }
  void set(const Shape &index, Real value) { values[position(index)] = value; }
  /// The element that index has after broadcasting to its rank.
  Real broadcast(const Shape &index) const {
    Shape own(index.end() - shape.size(), index.end());
    for (size_t i = 0; i < shape.size(); ++i)
      own[i] = shape[i] == 1 ? 0 : own[i];
    return at(own);
  }

  std::vector<char> encode() const;
  static Tensor decode(std::string element, Shape shape,
                       const std::vector<char> &bytes);
};

/// Calls `fn` with every index of a shape in row-major order.
template <typename Fn> void forEach(const Shape &shape, Fn fn) {
  Shape index(shape.size(), 0);
  for (int64_t i = 0, n = count(shape); i < n; ++i) {
    fn(static_cast<const Shape &>(index));
    for (size_t d = shape.size(); d-- > 0 && ++index[d] == shape[d];)
      index[d] = 0;
  }
}

/// The tensor whose element at each index `fn` gives.
template <typename Fn>
Tensor tabulate(const std::string &element, const Shape &shape, Fn fn) {
  Tensor result(element, shape);
  forEach(shape, [&](const Shape &index) {
    result.set(index, roundTo(element, fn(index)));
  });
  return result;
}

/// The same elements with dim i of the result dim `order[i]` of the tensor.
Tensor permute(const Tensor &x, const std::vector<int64_t> &order);
/// [N, C, spatial...] as [N, spatial..., C], and back.
Tensor toChannelsLast(const Tensor &x);
Tensor toChannelsFirst(const Tensor &x);
/// The same elements under another shape.
Tensor reshape(const Tensor &x, const Shape &shape);

/// Random tensors; the seed is EFFC_TEST_SEED, else 1.
class Random {
public:
  Random();
  uint32_t getSeed() const { return seed; }
  Tensor floats(const Shape &shape, double low = -2, double high = 2,
                const std::string &element = "f32");
  Tensor integers(const Shape &shape, int64_t low, int64_t high,
                  const std::string &element = "i64");
  std::mt19937 engine;

private:
  uint32_t seed;
};

} // namespace effc

#endif // EFFC_TEST_UNIT_CONVERSION_TENSOR_H
