// Small ONNX models for benchmarks: nodes by name, weights at random.
#ifndef EFFC_BENCH_GRAPH_H
#define EFFC_BENCH_GRAPH_H

#include <cstdint>
#include <memory>
#include <string>
#include <variant>
#include <vector>

namespace effc::bench {

using Shape = std::vector<int64_t>;

int64_t countElements(const Shape &shape);

/// A dense array on a cache line of its own; `dtype` is an effrt_dtype, which
/// has the numbers of ONNX.
class Array {
public:
  Array() = default;
  Array(Shape shape, int32_t dtype);

  template <typename T> T *data() const {
    return reinterpret_cast<T *>(memory.get());
  }
  int64_t size() const { return countElements(shape); }
  size_t bytes() const;

  Shape shape;
  int32_t dtype = 0;

private:
  struct Free {
    void operator()(void *pointer) const;
  };
  std::unique_ptr<uint8_t, Free> memory;
};

/// Uniform in [low, high) for floats, whole numbers of the same range for
/// integers; each call has a seed of its own, each program the same.
Array makeRandom(Shape shape, int32_t dtype, double low, double high);
/// f32 in [-1, 1) over the root of `fanIn`: a sum of that many products stays
/// near 1.
Array makeWeight(Shape shape, int64_t fanIn);

struct Attribute {
  const char *name;
  std::variant<int64_t, float, Shape> value;
};

/// A model of one graph. Names of values are made here.
class Graph {
public:
  Graph();
  ~Graph();
  std::string addInput(const Array &like);
  std::string addWeight(const Array &array);
  /// A weight of one dim: axes and the like.
  std::string addIntegers(const Shape &values);
  std::string addNode(const char *op, const std::vector<std::string> &inputs,
                      const std::vector<Attribute> &attributes = {},
                      const char *domain = "");
  void setOutput(const std::string &name, int32_t dtype, const Shape &shape);
  /// The file.
  std::string serialize() const;

private:
  struct Impl;
  std::unique_ptr<Impl> impl;
};

} // namespace effc::bench

#endif // EFFC_BENCH_GRAPH_H
