// softmax(Q K^T / sqrt(D) + mask) V, of the models' shapes. oneDNN multiplies,
// takes the softmax in place and multiplies again: for all heads at once, and
// head by head with scores that stay in the cache.
#include "Race.h"
#include "effrt/effrt.h"
#include <cmath>

namespace effc::bench {

using dnnl::memory;

namespace {

struct Attention {
  const char *model;
  int64_t heads, rows, keys, size;
  bool causal = false;

  std::string getName() const {
    return std::to_string(heads) + "x" + std::to_string(rows) + "x" +
           std::to_string(keys) + "x" + std::to_string(size) +
           (causal ? "-causal" : "");
  }
  float getScale() const { return 1 / std::sqrt(static_cast<float>(size)); }
};

} // namespace

static const Attention shapes[] = {
    {"bert_base", 12, 128, 128, 64},
    {"minilm", 12, 128, 128, 32},
    {"vit_small", 6, 197, 197, 64},
    {"digits_vit", 4, 49, 49, 32},
    {"llama_160m, prefill", 12, 128, 128, 64, true},
    {"long", 12, 1024, 1024, 64},
    {"llama_160m, decode", 12, 1, 1025, 64},
    {"shakespeare_lm, decode", 8, 1, 1025, 32},
};

/// What is added to the scores: nothing, or minus infinity (nearly) above the
/// diagonal.
static Array makeMask(const Attention &shape) {
  Array mask({1, shape.rows, shape.keys}, EFFRT_DTYPE_F32);
  for (int64_t row = 0; row < shape.rows; ++row)
    for (int64_t key = 0; key < shape.keys; ++key)
      mask.data<float>()[row * shape.keys + key] =
          key > row + shape.keys - shape.rows ? -1e30f : 0;
  return mask;
}

//===----------------------------------------------------------------------===//
// effc
//===----------------------------------------------------------------------===//

static std::unique_ptr<Compiled> compileOurs(const Attention &shape,
                                             const Contest &contest) {
  std::vector<const Array *> inputs;
  for (const Array &input : contest.inputs)
    inputs.push_back(&input);
  Graph graph;
  std::vector<std::string> operands;
  for (const Array *input : inputs)
    operands.push_back(graph.addInput(*input));
  std::string output;
  if (shape.causal) {
    // In its opset the one node that says so.
    for (std::string &operand : operands)
      operand = graph.addNode("Unsqueeze", {operand, graph.addIntegers({0})});
    output = graph.addNode("Attention", operands, {{"is_causal", int64_t(1)}});
    output = graph.addNode("Squeeze", {output, graph.addIntegers({0})});
  } else {
    Array scale({}, EFFRT_DTYPE_F32);
    *scale.data<float>() = shape.getScale();
    std::string keys =
        graph.addNode("Transpose", {operands[1]}, {{"perm", Shape{0, 2, 1}}});
    output = graph.addNode("MatMul", {operands[0], keys});
    output = graph.addNode("Mul", {output, graph.addWeight(scale)});
    output = graph.addNode("Softmax", {output}, {{"axis", int64_t(-1)}});
    output = graph.addNode("MatMul", {output, operands[2]});
  }
  graph.setOutput(output, EFFRT_DTYPE_F32, contest.inputs[0].shape);
  return std::make_unique<Compiled>(graph, inputs);
}

//===----------------------------------------------------------------------===//
// oneDNN
//===----------------------------------------------------------------------===//

namespace {

/// The three primitives for `heads` heads.
struct Steps {
  Steps(const Attention &shape, int64_t heads);
  memory::desc query, key, keyTurned, scores, mask;
  dnnl::matmul first, second;
  dnnl::softmax_forward softmax;
};

} // namespace

Steps::Steps(const Attention &shape, int64_t heads)
    : query(describePlain({heads, shape.rows, shape.size}, EFFRT_DTYPE_F32)),
      key(describePlain({heads, shape.keys, shape.size}, EFFRT_DTYPE_F32)),
      keyTurned({heads, shape.size, shape.keys}, memory::data_type::f32,
                memory::dims{shape.size * shape.keys, 1, shape.size}),
      scores(describePlain({heads, shape.rows, shape.keys}, EFFRT_DTYPE_F32)),
      mask(describePlain({1, shape.rows, shape.keys}, EFFRT_DTYPE_F32)) {
  dnnl::post_ops ops;
  ops.append_eltwise(dnnl::algorithm::eltwise_linear, shape.getScale(), 0);
  if (shape.causal)
    ops.append_binary(dnnl::algorithm::binary_add, mask);
  dnnl::primitive_attr attributes;
  attributes.set_post_ops(ops);
  first = dnnl::matmul({getEngine(), query, keyTurned, scores, attributes});
  second = dnnl::matmul({getEngine(), scores, key, query});
  softmax = dnnl::softmax_forward(
      {getEngine(), dnnl::prop_kind::forward_inference,
       dnnl::algorithm::softmax_accurate, scores, scores, 2});
}

/// A part of `whole` as `desc`, `index` such parts in.
static memory slice(const memory &whole, const memory::desc &desc,
                    int64_t index) {
  auto *bytes = static_cast<uint8_t *>(whole.get_data_handle());
  return {desc, getEngine(),
          bytes + index * static_cast<int64_t>(desc.get_size())};
}

static std::unique_ptr<OneDnn>
makeTheirs(const Attention &shape, const Contest &contest, int64_t together) {
  Steps whole(shape, shape.heads), part(shape, together);
  auto theirs = std::make_unique<OneDnn>();
  theirs->plain = whole.query;
  theirs->result = memory(whole.query, getEngine());
  memory query = pack(contest.inputs[0], whole.query);
  memory key = pack(contest.inputs[1], whole.key);
  memory value = pack(contest.inputs[2], whole.key);
  memory scores(part.scores, getEngine());
  memory mask = pack(makeMask(shape), part.mask);
  for (int64_t index = 0; index < shape.heads / together; ++index) {
    theirs->add(part.first,
                {{DNNL_ARG_SRC, slice(query, part.query, index)},
                 {DNNL_ARG_WEIGHTS, slice(key, part.keyTurned, index)},
                 {DNNL_ARG_ATTR_MULTIPLE_POST_OP(1) | DNNL_ARG_SRC_1, mask},
                 {DNNL_ARG_DST, scores}});
    theirs->add(part.softmax, {{DNNL_ARG_SRC, scores}, {DNNL_ARG_DST, scores}});
    theirs->add(part.second,
                {{DNNL_ARG_SRC, scores},
                 {DNNL_ARG_WEIGHTS, slice(value, part.key, index)},
                 {DNNL_ARG_DST, slice(theirs->result, part.query, index)}});
  }
  for (const memory &kept : {query, key, value})
    theirs->keep(kept);
  return theirs;
}

static Contest makeContest(const Attention &shape) {
  Contest contest;
  for (int64_t rows : {shape.rows, shape.keys, shape.keys})
    contest.inputs.push_back(
        makeRandom({shape.heads, rows, shape.size}, EFFRT_DTYPE_F32, -1, 1));
  contest.ours = compileOurs(shape, contest);
  contest.theirs.push_back(makeTheirs(shape, contest, shape.heads));
  contest.theirs.push_back(makeTheirs(shape, contest, 1));
  contest.flops = 4.0 * shape.heads * shape.rows * shape.keys * shape.size;
  contest.tolerance = 1e-5;
  return contest;
}

} // namespace effc::bench

int main(int argc, char **argv) {
  using namespace effc::bench;
  for (const Attention &shape : shapes)
    addRow("attention/" + shape.getName(),
           [shape] { return makeContest(shape); });
  return runFamily(argc, argv);
}
