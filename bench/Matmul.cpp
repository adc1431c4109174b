// Weights in the layout that oneDNN asks for; activations row-major, as both
// sides have them in models.
#include "Matmul.h"
#include "effrt/effrt.h"

namespace effc::bench {

std::string Matmul::getName() const {
  return std::to_string(rows) + "x" + std::to_string(columns) + "x" +
         std::to_string(depth);
}

std::unique_ptr<OneDnn> makeMatmul(const Array &input, const Array &weight,
                                   const Array &bias,
                                   const dnnl::primitive_attr &attributes,
                                   const OneDnn::Arguments &more) {
  Shape shape{input.shape[0], weight.shape[1]};
  auto plain = describePlain(shape, EFFRT_DTYPE_F32);
  dnnl::matmul::primitive_desc desc(
      getEngine(), describePlain(input.shape, input.dtype),
      describeAny(weight.shape, weight.dtype),
      describePlain({1, shape[1]}, EFFRT_DTYPE_F32), plain, attributes);
  auto theirs = std::make_unique<OneDnn>();
  theirs->plain = plain;
  theirs->result = dnnl::memory(plain, getEngine());
  OneDnn::Arguments arguments{
      {DNNL_ARG_SRC, pack(input, desc.src_desc())},
      {DNNL_ARG_WEIGHTS, pack(weight, desc.weights_desc())},
      {DNNL_ARG_BIAS,
       pack(bias, describePlain(bias.shape, bias.dtype), desc.bias_desc())},
      {DNNL_ARG_DST, theirs->result}};
  arguments.insert(more.begin(), more.end());
  theirs->add(dnnl::matmul(desc), std::move(arguments));
  return theirs;
}

int runMatmuls(const std::string &family, const std::vector<Matmul> &shapes,
               Contest (*make)(const Matmul &), int argc, char **argv) {
  for (const Matmul &shape : shapes)
    addRow(family + "/" + shape.getName(), [=] { return make(shape); });
  return runFamily(argc, argv);
}

} // namespace effc::bench
