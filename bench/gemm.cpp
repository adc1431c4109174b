// Matrix products of f32 with constant weights, of the models' shapes.
#include "Matmul.h"
#include "effrt/effrt.h"

namespace effc::bench {

/// rows, columns, depth
static const std::vector<Matmul> shapes = {
    // bert_base
    {128, 768, 768},
    {128, 3072, 768},
    {128, 768, 3072},
    // minilm
    {128, 384, 384},
    {128, 1536, 384},
    {128, 384, 1536},
    // vit_small
    {197, 384, 384},
    {197, 1536, 384},
    {197, 384, 1536},
    // llama_160m, prefill and decode
    {128, 256, 768},
    {128, 2048, 768},
    {128, 768, 2048},
    {128, 32000, 768},
    {1, 768, 768},
    {1, 2048, 768},
    {1, 768, 2048},
    {1, 32000, 768},
    // digits_vit, shakespeare_lm
    {49, 384, 128},
    {49, 512, 128},
    {128, 704, 256},
    {128, 256, 704},
    {1, 704, 256},
    // heads of classifiers, one image and eight
    {1, 1000, 2048},
    {8, 1000, 2048},
    {1, 1000, 1280},
    // magika
    {2048, 64, 257},
};

static Contest makeContest(const Matmul &shape) {
  Contest contest;
  contest.inputs.push_back(
      makeRandom({shape.rows, shape.depth}, EFFRT_DTYPE_F32, -1, 1));
  const Array &input = contest.inputs[0];
  Array weight = makeWeight({shape.depth, shape.columns}, shape.depth);
  Array bias = makeWeight({1, shape.columns}, 4);
  Graph graph;
  std::string value =
      graph.addNode("MatMul", {graph.addInput(input), graph.addWeight(weight)});
  value = graph.addNode("Add", {value, graph.addWeight(bias)});
  graph.setOutput(value, EFFRT_DTYPE_F32, {shape.rows, shape.columns});
  contest.ours =
      std::make_unique<Compiled>(graph, std::vector<const Array *>{&input});
  contest.theirs.push_back(makeMatmul(input, weight, bias));
  contest.flops = shape.getFlops();
  contest.tolerance = 1e-5;
  return contest;
}

} // namespace effc::bench

int main(int argc, char **argv) {
  using namespace effc::bench;
  return runMatmuls("gemm", shapes, makeContest, argc, argv);
}
