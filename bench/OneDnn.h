// oneDNN's side of a race: primitives with prepacked weights, in the order of
// their execution.
#ifndef EFFC_BENCH_ONEDNN_H
#define EFFC_BENCH_ONEDNN_H

#include "Graph.h"
#include <oneapi/dnnl/dnnl.hpp>
#include <unordered_map>

namespace effc::bench {

/// The version that runs, "3.2.0 (OpenMP)".
std::string getOneDnnVersion();

const dnnl::engine &getEngine();

/// Row-major, and the order that oneDNN likes best.
dnnl::memory::desc describePlain(const Shape &shape, int32_t dtype);
dnnl::memory::desc describeAny(const Shape &shape, int32_t dtype);

/// Memory of its own in the layout `wanted` with the elements of `array`,
/// which is described by `given`.
dnnl::memory pack(const Array &array, const dnnl::memory::desc &given,
                  const dnnl::memory::desc &wanted);
dnnl::memory pack(const Array &array, const dnnl::memory::desc &wanted);
/// What `memory` holds, row-major as `wanted` describes it.
Array unpack(const dnnl::memory &memory, const dnnl::memory::desc &wanted,
             const Shape &shape, int32_t dtype);

class OneDnn {
public:
  using Arguments = std::unordered_map<int, dnnl::memory>;

  void add(const dnnl::primitive &primitive, Arguments arguments);
  /// Memory that arguments are parts of.
  void keep(const dnnl::memory &memory) { kept.push_back(memory); }
  void run();

  /// The result, and how to read it as the array that effc's side has.
  dnnl::memory result;
  dnnl::memory::desc plain;

private:
  std::vector<std::pair<dnnl::primitive, Arguments>> steps;
  std::vector<dnnl::memory> kept;
  dnnl::stream stream{getEngine()};
};

} // namespace effc::bench

#endif // EFFC_BENCH_ONEDNN_H
