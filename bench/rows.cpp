// Softmax, layer norm and RMS norm over the last dim, of the models' shapes.
#include "Race.h"
#include "effrt/effrt.h"
#include <numeric>

namespace effc::bench {

constexpr float epsilon = 1e-5f;

using Make = Contest (*)(const Shape &shape);

static Contest start(const Shape &shape) {
  Contest contest;
  contest.inputs.push_back(makeRandom(shape, EFFRT_DTYPE_F32, -2, 3));
  // Read once, written once.
  contest.bytes = 8.0 * countElements(shape);
  return contest;
}

static void compileOurs(Contest &contest, const char *op,
                        const std::vector<const Array *> &weights,
                        const std::vector<Attribute> &attributes) {
  const Array &input = contest.inputs[0];
  Graph graph;
  std::vector<std::string> operands{graph.addInput(input)};
  for (const Array *weight : weights)
    operands.push_back(graph.addWeight(*weight));
  graph.setOutput(graph.addNode(op, operands, attributes), EFFRT_DTYPE_F32,
                  input.shape);
  contest.ours =
      std::make_unique<Compiled>(graph, std::vector<const Array *>{&input});
}

static OneDnn &addTheirs(Contest &contest) {
  auto &theirs = contest.theirs.emplace_back(std::make_unique<OneDnn>());
  theirs->plain = describePlain(contest.inputs[0].shape, EFFRT_DTYPE_F32);
  theirs->result = dnnl::memory(theirs->plain, getEngine());
  return *theirs;
}

//===----------------------------------------------------------------------===//
// Softmax
//===----------------------------------------------------------------------===//

static Contest makeSoftmax(const Shape &shape) {
  Contest contest = start(shape);
  compileOurs(contest, "Softmax", {}, {{"axis", int64_t(-1)}});
  OneDnn &theirs = addTheirs(contest);
  dnnl::softmax_forward::primitive_desc desc(
      getEngine(), dnnl::prop_kind::forward_inference,
      dnnl::algorithm::softmax_accurate, theirs.plain, theirs.plain,
      static_cast<int>(shape.size()) - 1);
  theirs.add(dnnl::softmax_forward(desc),
             {{DNNL_ARG_SRC, pack(contest.inputs[0], theirs.plain)},
              {DNNL_ARG_DST, theirs.result}});
  return contest;
}

//===----------------------------------------------------------------------===//
// Norms
//===----------------------------------------------------------------------===//

static Contest makeLayerNorm(const Shape &shape) {
  using Flags = dnnl::normalization_flags;
  Contest contest = start(shape);
  Array scale = makeRandom({shape.back()}, EFFRT_DTYPE_F32, 0.5, 2);
  Array shift = makeRandom({shape.back()}, EFFRT_DTYPE_F32, -1, 1);
  compileOurs(contest, "LayerNormalization", {&scale, &shift},
              {{"axis", int64_t(-1)}, {"epsilon", epsilon}});
  OneDnn &theirs = addTheirs(contest);
  dnnl::layer_normalization_forward::primitive_desc desc(
      getEngine(), dnnl::prop_kind::forward_inference, theirs.plain,
      theirs.plain, epsilon, Flags::use_scale | Flags::use_shift);
  auto row = describePlain(scale.shape, EFFRT_DTYPE_F32);
  theirs.add(dnnl::layer_normalization_forward(desc),
             {{DNNL_ARG_SRC, pack(contest.inputs[0], theirs.plain)},
              {DNNL_ARG_SCALE, pack(scale, row)},
              {DNNL_ARG_SHIFT, pack(shift, row)},
              {DNNL_ARG_DST, theirs.result}});
  return contest;
}

#if DNNL_VERSION_MAJOR > 3 ||                                                  \
    (DNNL_VERSION_MAJOR == 3 && DNNL_VERSION_MINOR >= 8)

/// One primitive, from the version that has it.
static void addRmsNorm(OneDnn &theirs, const Array &input,
                       const dnnl::memory &scale) {
  using Flags = dnnl::normalization_flags;
  dnnl::layer_normalization_forward::primitive_desc desc(
      getEngine(), dnnl::prop_kind::forward_inference, theirs.plain,
      theirs.plain, epsilon, Flags::use_scale | Flags::rms_norm);
  theirs.add(dnnl::layer_normalization_forward(desc),
             {{DNNL_ARG_SRC, pack(input, theirs.plain)},
              {DNNL_ARG_SCALE, scale},
              {DNNL_ARG_DST, theirs.result}});
}

#else

/// A layer norm, which is an RMS norm on rows of mean 0.
static void addRmsNorm(OneDnn &theirs, const Array &input,
                       const dnnl::memory &scale) {
  dnnl::layer_normalization_forward::primitive_desc desc(
      getEngine(), dnnl::prop_kind::forward_inference, theirs.plain,
      theirs.plain, epsilon, dnnl::normalization_flags::use_scale);
  theirs.add(dnnl::layer_normalization_forward(desc),
             {{DNNL_ARG_SRC, pack(input, theirs.plain)},
              {DNNL_ARG_SCALE, scale},
              {DNNL_ARG_DST, theirs.result}});
}

#endif

static void subtractMeans(Array &array) {
  int64_t size = array.shape.back();
  float *end = array.data<float>() + array.size();
  for (float *row = array.data<float>(); row < end; row += size) {
    double mean = std::accumulate(row, row + size, 0.0) / size;
    for (int64_t i = 0; i < size; ++i)
      row[i] -= static_cast<float>(mean);
  }
}

static Contest makeRmsNorm(const Shape &shape) {
  Contest contest = start(shape);
  subtractMeans(contest.inputs[0]);
  Array scale = makeRandom({shape.back()}, EFFRT_DTYPE_F32, 0.5, 2);
  compileOurs(contest, "RMSNormalization", {&scale},
              {{"axis", int64_t(-1)}, {"epsilon", epsilon}});
  OneDnn &theirs = addTheirs(contest);
  addRmsNorm(theirs, contest.inputs[0],
             pack(scale, describePlain(scale.shape, EFFRT_DTYPE_F32)));
  return contest;
}

static void addRows(const char *family, Make make,
                    const std::vector<Shape> &shapes) {
  for (const Shape &shape : shapes)
    addRow(std::string(family) + "/" + std::to_string(shape[0]) + "x" +
               std::to_string(shape[1]),
           [=] { return make(shape); });
}

} // namespace effc::bench

int main(int argc, char **argv) {
  using namespace effc::bench;
  // Scores of bert_base, vit_small, digits_vit, decoding; heads; fastestdet;
  // ultraface.
  addRows("softmax", makeSoftmax,
          {{12 * 128, 128},
           {6 * 197, 197},
           {4 * 49, 49},
           {12, 1024},
           {1, 1000},
           {484, 80},
           {4420, 2}});
  addRows("layer norm", makeLayerNorm,
          {{128, 768}, {128, 384}, {197, 384}, {49, 128}, {1, 768}});
  addRows("rms norm", makeRmsNorm,
          {{128, 768}, {1, 768}, {128, 256}, {1, 256}});
  return runFamily(argc, argv);
}
