// ONNX messages from calls.
#include "Graph.h"
#include "effrt/effrt.h"
#include "onnx/onnx-ml.pb.h"
#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <new>
#include <random>

namespace effc::bench {

int64_t countElements(const Shape &shape) {
  int64_t count = 1;
  for (int64_t size : shape)
    count *= size;
  return count;
}

//===----------------------------------------------------------------------===//
// Arrays
//===----------------------------------------------------------------------===//

Array::Array(Shape shapeOfArray, int32_t dtype)
    : shape(std::move(shapeOfArray)), dtype(dtype) {
  constexpr size_t line = 64;
  size_t padded = (bytes() + line - 1) / line * line;
  memory.reset(static_cast<uint8_t *>(std::aligned_alloc(line, padded)));
  if (!memory)
    throw std::bad_alloc();
}

size_t Array::bytes() const { return size() * effrt_dtype_size(dtype); }

void Array::Free::operator()(void *pointer) const { std::free(pointer); }

template <typename T>
static void fill(const Array &array, double low, double high, unsigned seed) {
  std::mt19937 engine(seed);
  std::uniform_real_distribution<double> values(low, high);
  T *data = array.data<T>();
  for (int64_t i = 0; i < array.size(); ++i)
    data[i] = static_cast<T>(std::is_integral_v<T> ? std::floor(values(engine))
                                                   : values(engine));
}

Array makeRandom(Shape shape, int32_t dtype, double low, double high) {
  static unsigned seed = 0;
  Array array(std::move(shape), dtype);
  if (dtype == EFFRT_DTYPE_F32)
    fill<float>(array, low, high, ++seed);
  else if (dtype == EFFRT_DTYPE_I8)
    fill<int8_t>(array, low, high, ++seed);
  else
    fill<uint8_t>(array, low, high, ++seed);
  return array;
}

Array makeWeight(Shape shape, int64_t fanIn) {
  double bound = 1 / std::sqrt(static_cast<double>(fanIn));
  return makeRandom(std::move(shape), EFFRT_DTYPE_F32, -bound, bound);
}

//===----------------------------------------------------------------------===//
// Models
//===----------------------------------------------------------------------===//

struct Graph::Impl {
  onnx::ModelProto model;
  int names = 0;

  onnx::GraphProto &graph() { return *model.mutable_graph(); }
  std::string makeName() { return "v" + std::to_string(names++); }
};

static void describe(onnx::ValueInfoProto &value, const std::string &name,
                     int32_t dtype, const Shape &shape) {
  value.set_name(name);
  onnx::TypeProto::Tensor &type = *value.mutable_type()->mutable_tensor_type();
  type.set_elem_type(dtype);
  type.mutable_shape();
  for (int64_t size : shape)
    type.mutable_shape()->add_dim()->set_dim_value(size);
}

Graph::Graph() : impl(std::make_unique<Impl>()) {
  impl->model.set_ir_version(11);
  impl->model.add_opset_import()->set_version(23);
  onnx::OperatorSetIdProto &contrib = *impl->model.add_opset_import();
  contrib.set_domain("com.microsoft");
  contrib.set_version(1);
  impl->graph().set_name("bench");
}

Graph::~Graph() = default;

std::string Graph::addInput(const Array &like) {
  std::string name = impl->makeName();
  describe(*impl->graph().add_input(), name, like.dtype, like.shape);
  return name;
}

std::string Graph::addWeight(const Array &array) {
  onnx::TensorProto &tensor = *impl->graph().add_initializer();
  tensor.set_name(impl->makeName());
  tensor.set_data_type(array.dtype);
  for (int64_t size : array.shape)
    tensor.add_dims(size);
  tensor.set_raw_data(array.data<char>(), array.bytes());
  return tensor.name();
}

std::string Graph::addIntegers(const Shape &values) {
  Array array({static_cast<int64_t>(values.size())}, EFFRT_DTYPE_I64);
  std::copy(values.begin(), values.end(), array.data<int64_t>());
  return addWeight(array);
}

std::string Graph::addNode(const char *op,
                           const std::vector<std::string> &inputs,
                           const std::vector<Attribute> &attributes,
                           const char *domain) {
  onnx::NodeProto &node = *impl->graph().add_node();
  node.set_op_type(op);
  node.set_domain(domain);
  for (const std::string &input : inputs)
    node.add_input(input);
  for (const Attribute &attribute : attributes) {
    onnx::AttributeProto &proto = *node.add_attribute();
    proto.set_name(attribute.name);
    if (const auto *integer = std::get_if<int64_t>(&attribute.value)) {
      proto.set_type(onnx::AttributeProto::INT);
      proto.set_i(*integer);
    } else if (const auto *number = std::get_if<float>(&attribute.value)) {
      proto.set_type(onnx::AttributeProto::FLOAT);
      proto.set_f(*number);
    } else {
      proto.set_type(onnx::AttributeProto::INTS);
      for (int64_t value : std::get<Shape>(attribute.value))
        proto.add_ints(value);
    }
  }
  node.add_output(impl->makeName());
  return node.output(0);
}

void Graph::setOutput(const std::string &name, int32_t dtype,
                      const Shape &shape) {
  describe(*impl->graph().add_output(), name, dtype, shape);
}

std::string Graph::serialize() const { return impl->model.SerializeAsString(); }

} // namespace effc::bench
