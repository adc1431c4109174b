// Decoding with weights of 2, 4 and 8 bits (MatMulNBits, blocks of 32) that
// come from memory: layers enough to exceed the last cache several times. The
// bar is the rate of reading memory, `read_gbs` of the same run; oneDNN has no
// such product before 3.5.
#include "Race.h"
#include "effrt/effrt.h"
#include <cmath>

namespace effc::bench {

constexpr int64_t block = 32, layers = 24;

static std::string addLayer(Graph &graph, const std::string &input,
                            int64_t size, int64_t bits) {
  Array weight = makeRandom({size, size / block, block * bits / 8},
                            EFFRT_DTYPE_U8, 0, 256);
  // Codes lie around their middle: values keep their size from layer to layer.
  double step = 3.2 / std::ldexp(std::sqrt(static_cast<double>(size)),
                                 static_cast<int>(bits));
  Array scales =
      makeRandom({size * size / block}, EFFRT_DTYPE_F32, step / 2, step * 1.5);
  return graph.addNode(
      "MatMulNBits", {input, graph.addWeight(weight), graph.addWeight(scales)},
      {{"K", size}, {"N", size}, {"bits", bits}, {"block_size", block}},
      "com.microsoft");
}

static Contest makeContest(int64_t rows, int64_t size, int64_t bits) {
  Contest contest;
  contest.inputs.push_back(makeRandom({rows, size}, EFFRT_DTYPE_F32, -1, 1));
  const std::vector<const Array *> inputs{&contest.inputs[0]};
  Graph graph;
  std::string value = graph.addInput(*inputs[0]);
  for (int64_t layer = 0; layer < layers; ++layer)
    value = addLayer(graph, value, size, bits);
  graph.setOutput(value, EFFRT_DTYPE_F32, {rows, size});
  contest.ours = std::make_unique<Compiled>(graph, inputs);
  // Codes, and a scale of f32 a block.
  contest.bytes =
      layers * size * size * (static_cast<double>(bits) / 8 + 4.0 / block);
  return contest;
}

} // namespace effc::bench

int main(int argc, char **argv) {
  using namespace effc::bench;
  constexpr int64_t size = 4096;
  for (int64_t bits : {2, 4, 8})
    for (int64_t rows : {1, 4})
      addRow("int" + std::to_string(bits) + "/" + std::to_string(rows) + "x" +
                 std::to_string(size) + "x" + std::to_string(size),
             [=] { return makeContest(rows, size, bits); });
  return runFamily(argc, argv);
}
