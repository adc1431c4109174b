// Makes the two sides of a convolution.
#include "Convolution.h"
#include "effrt/effrt.h"

namespace effc::bench {

using dnnl::memory;

static std::string join(const Shape &shape) {
  std::string text;
  for (int64_t size : shape)
    text += (text.empty() ? "" : "x") + std::to_string(size);
  return text;
}

std::string Convolution::getName() const {
  std::string name = std::to_string(channels) + "@" + join(map) + "-" +
                     std::to_string(filters) + "-k" + join(kernel);
  if (countElements(strides) > 1)
    name += "-s" + join(strides);
  if (dilation > 1)
    name += "-d" + std::to_string(dilation);
  if (groups > 1)
    name += "-g" + std::to_string(groups);
  if (batch > 1)
    name += "-b" + std::to_string(batch);
  return name;
}

namespace {

/// The sizes that follow.
struct Sizes {
  explicit Sizes(const Convolution &conv);
  Shape in, out, weight; ///< channels first, as ONNX has them
  Shape before, after;   ///< padding
  double flops;
};

} // namespace

Sizes::Sizes(const Convolution &conv)
    : in{conv.batch, conv.channels}, out{conv.batch, conv.filters} {
  bool back = conv.transposed;
  weight = {back ? conv.channels : conv.filters,
            (back ? conv.filters : conv.channels) / conv.groups};
  for (size_t i = 0; i < conv.map.size(); ++i) {
    int64_t reach = conv.dilation * (conv.kernel[i] - 1);
    int64_t stride = conv.strides[i], size = conv.map[i];
    // Twice as large behind a stride of 2, of an even kernel too.
    int64_t pad = back ? std::max<int64_t>(0, reach + 1 - stride) : reach;
    before.push_back(pad / 2);
    after.push_back(pad - pad / 2);
    in.push_back(size);
    weight.push_back(conv.kernel[i]);
    out.push_back(back ? (size - 1) * stride + reach + 1 - pad
                       : (size + pad - reach - 1) / stride + 1);
  }
  flops =
      2.0 * countElements(back ? in : out) * countElements(weight) / weight[0];
}

/// Where the channels go behind the map.
static Shape moveLast(const Shape &shape) {
  Shape moved{shape[0]};
  moved.insert(moved.end(), shape.begin() + 2, shape.end());
  moved.push_back(shape[1]);
  return moved;
}

/// Dims as ONNX has them, memory with the channels last.
static memory::desc describeLast(const Shape &shape) {
  memory::dims strides(shape.size());
  strides[1] = 1;
  int64_t step = shape[1];
  for (size_t i = shape.size(); i-- > 2; step *= shape[i])
    strides[i] = step;
  strides[0] = step;
  return {shape, memory::data_type::f32, strides};
}

//===----------------------------------------------------------------------===//
// effc
//===----------------------------------------------------------------------===//

static std::unique_ptr<Compiled>
compileOurs(const Convolution &conv, const Sizes &sizes, const Array &input,
            const Array &weight, const Array &bias) {
  size_t rank = sizes.in.size();
  Shape toFirst{0, static_cast<int64_t>(rank) - 1}, toLast{0};
  for (size_t i = 2; i < rank; ++i) {
    toFirst.push_back(static_cast<int64_t>(i) - 1);
    toLast.push_back(static_cast<int64_t>(i));
  }
  toLast.push_back(1);
  Shape pads = sizes.before;
  pads.insert(pads.end(), sizes.after.begin(), sizes.after.end());
  Graph graph;
  std::string value = graph.addInput(input);
  if (!conv.first)
    value = graph.addNode("Transpose", {value}, {{"perm", toFirst}});
  value = graph.addNode(conv.transposed ? "ConvTranspose" : "Conv",
                        {value, graph.addWeight(weight), graph.addWeight(bias)},
                        {{"strides", conv.strides},
                         {"dilations", Shape(conv.map.size(), conv.dilation)},
                         {"pads", pads},
                         {"group", conv.groups}});
  value = graph.addNode("Relu", {value});
  value = graph.addNode("Transpose", {value}, {{"perm", toLast}});
  graph.setOutput(value, EFFRT_DTYPE_F32, moveLast(sizes.out));
  return std::make_unique<Compiled>(graph, std::vector<const Array *>{&input});
}

//===----------------------------------------------------------------------===//
// oneDNN
//===----------------------------------------------------------------------===//

/// Weights in the order of oneDNN (filters before channels), memory as ONNX has
/// them.
static memory::desc describeWeight(const Convolution &conv, const Sizes &sizes,
                                   bool any) {
  Shape shape = sizes.weight;
  int64_t taps = countElements(conv.kernel);
  int64_t outer = shape[1] * taps, inner = taps;
  if (conv.transposed) {
    std::swap(shape[0], shape[1]);
    std::swap(outer, inner);
  }
  memory::dims strides{outer, inner};
  for (size_t i = 0; i < conv.kernel.size(); ++i)
    strides.push_back(i + 1 == conv.kernel.size() ? 1 : conv.kernel.back());
  if (conv.groups > 1) {
    // The dim that ONNX has outermost holds all groups.
    int64_t &whole = shape[conv.transposed ? 1 : 0];
    whole /= conv.groups;
    int64_t step = whole * strides[conv.transposed ? 1 : 0];
    shape.insert(shape.begin(), conv.groups);
    strides.insert(strides.begin(), step);
  }
  if (any)
    return {shape, memory::data_type::f32, memory::format_tag::any};
  return {shape, memory::data_type::f32, strides};
}

template <typename Primitive>
static typename Primitive::primitive_desc
describePrimitive(const Convolution &conv, const Sizes &sizes,
                  dnnl::algorithm algorithm, const memory::desc &in,
                  const memory::desc &out) {
  dnnl::post_ops ops;
  ops.append_eltwise(dnnl::algorithm::eltwise_relu, 0, 0);
  dnnl::primitive_attr attributes;
  attributes.set_post_ops(ops);
  return {getEngine(),
          dnnl::prop_kind::forward_inference,
          algorithm,
          in,
          describeWeight(conv, sizes, true),
          describePlain({conv.filters}, EFFRT_DTYPE_F32),
          out,
          conv.strides,
          Shape(conv.map.size(), conv.dilation - 1),
          sizes.before,
          sizes.after,
          attributes};
}

template <typename Primitive>
static std::unique_ptr<OneDnn>
makeTheirs(const Convolution &conv, const Sizes &sizes, const Contest &contest,
           const Array &weight, const Array &bias, dnnl::algorithm algorithm,
           const memory::desc &in, const memory::desc &out) {
  auto desc = describePrimitive<Primitive>(conv, sizes, algorithm, in, out);
  auto theirs = std::make_unique<OneDnn>();
  memory::desc given = conv.first ? describePlain(sizes.in, EFFRT_DTYPE_F32)
                                  : describeLast(sizes.in);
  theirs->result = memory(desc.dst_desc(), getEngine());
  theirs->plain = describeLast(sizes.out);
  theirs->add(
      Primitive(desc),
      {{DNNL_ARG_SRC, pack(contest.inputs[0], given, desc.src_desc())},
       {DNNL_ARG_WEIGHTS,
        pack(weight, describeWeight(conv, sizes, false), desc.weights_desc())},
       {DNNL_ARG_BIAS, pack(bias, desc.bias_desc())},
       {DNNL_ARG_DST, theirs->result}});
  return theirs;
}

static void addTheirs(const Convolution &conv, const Sizes &sizes,
                      Contest &contest, const Array &weight,
                      const Array &bias) {
  auto add = [&](const memory::desc &in, const memory::desc &out) {
    contest.theirs.push_back(
        conv.transposed ? makeTheirs<dnnl::deconvolution_forward>(
                              conv, sizes, contest, weight, bias,
                              dnnl::algorithm::deconvolution_direct, in, out)
                        : makeTheirs<dnnl::convolution_forward>(
                              conv, sizes, contest, weight, bias,
                              dnnl::algorithm::convolution_direct, in, out));
  };
  memory::desc anyOut = describeAny(sizes.out, EFFRT_DTYPE_F32);
  add(describeAny(sizes.in, EFFRT_DTYPE_F32), anyOut);
  add(describeLast(sizes.in), describeLast(sizes.out));
  if (conv.first)
    add(describePlain(sizes.in, EFFRT_DTYPE_F32), anyOut);
}

void addConvolution(const char *family, const Convolution &conv) {
  addRow(std::string(family) + "/" + conv.getName(), [conv] {
    Sizes sizes(conv);
    int64_t fanIn = countElements(conv.kernel) * conv.channels / conv.groups;
    Contest contest;
    contest.inputs.push_back(makeRandom(
        conv.first ? sizes.in : moveLast(sizes.in), EFFRT_DTYPE_F32, -1, 1));
    Array weight = makeWeight(sizes.weight, fanIn);
    Array bias = makeWeight({conv.filters}, 4);
    contest.ours = compileOurs(conv, sizes, contest.inputs[0], weight, bias);
    contest.flops = sizes.flops;
    // Winograd among them.
    contest.tolerance = 2e-5;
    addTheirs(conv, sizes, contest, weight, bias);
    return contest;
  });
}

} // namespace effc::bench
