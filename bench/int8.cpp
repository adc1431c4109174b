// Matrix products of u8 activations and s8 weights, scaled to f32 with a zero
// point, as dynamic quantisation makes them of the models' layers.
#include "Matmul.h"
#include "effrt/effrt.h"

namespace effc::bench {

constexpr uint8_t zeroPoint = 113;

static const std::vector<Matmul> shapes = {
    {128, 768, 768},  {128, 3072, 768}, {128, 768, 3072}, {128, 384, 384},
    {128, 1536, 384}, {128, 384, 1536}, {197, 384, 384},  {197, 1536, 384},
    {197, 384, 1536}, {128, 2048, 768}, {1, 768, 768},    {1, 2048, 768},
    {1, 768, 2048},   {1, 32000, 768},
};

static Array makeFilled(Shape shape, float value) {
  Array array(std::move(shape), EFFRT_DTYPE_F32);
  std::fill_n(array.data<float>(), array.size(), value);
  return array;
}

/// MatMulInteger, and what follows it in such models.
static std::unique_ptr<Compiled>
compileOurs(const Matmul &shape, const Array &input, const Array &weight,
            const Array &scale, const Array &bias) {
  Array zero({}, EFFRT_DTYPE_U8);
  *zero.data<uint8_t>() = zeroPoint;
  Graph graph;
  std::string value = graph.addNode(
      "MatMulInteger",
      {graph.addInput(input), graph.addWeight(weight), graph.addWeight(zero)});
  value = graph.addNode("Cast", {value}, {{"to", int64_t(EFFRT_DTYPE_F32)}});
  value = graph.addNode("Mul", {value, graph.addWeight(scale)});
  value = graph.addNode("Add", {value, graph.addWeight(bias)});
  graph.setOutput(value, EFFRT_DTYPE_F32, {shape.rows, shape.columns});
  return std::make_unique<Compiled>(graph, std::vector<const Array *>{&input});
}

static Contest makeContest(const Matmul &shape) {
  Contest contest;
  contest.inputs.push_back(
      makeRandom({shape.rows, shape.depth}, EFFRT_DTYPE_U8, 0, 256));
  const Array &input = contest.inputs[0];
  Array weight =
      makeRandom({shape.depth, shape.columns}, EFFRT_DTYPE_I8, -128, 128);
  Array bias = makeWeight({1, shape.columns}, 1);
  float step = 1e-4f;
  Array scale = makeFilled({shape.columns}, step);
  contest.ours = compileOurs(shape, input, weight, scale, bias);
  dnnl::primitive_attr attributes;
  attributes.set_scales_mask(DNNL_ARG_WEIGHTS, 1 << 1);
  attributes.set_zero_points_mask(DNNL_ARG_SRC, 0);
  Array zero({1}, EFFRT_DTYPE_I32);
  *zero.data<int32_t>() = zeroPoint;
  contest.theirs.push_back(
      makeMatmul(input, weight, bias, attributes,
                 {{DNNL_ARG_ATTR_SCALES | DNNL_ARG_WEIGHTS,
                   pack(scale, describePlain(scale.shape, scale.dtype))},
                  {DNNL_ARG_ATTR_ZERO_POINTS | DNNL_ARG_SRC,
                   pack(zero, describePlain(zero.shape, zero.dtype))}}));
  contest.flops = shape.getFlops();
  contest.tolerance = 1e-5;
  return contest;
}

} // namespace effc::bench

int main(int argc, char **argv) {
  using namespace effc::bench;
  return runMatmuls("int8", shapes, makeContest, argc, argv);
}
