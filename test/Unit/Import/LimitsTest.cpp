// What a small file may ask for: results, programs and names without end. Each
// is refused or stays small.
#include "HostileModel.h"

#include <chrono>

namespace {

/// Seconds that an import takes.
double timeImport(const onnx::ModelProto &model) {
  std::string bytes = model.SerializeAsString();
  auto start = std::chrono::steady_clock::now();
  Outcome outcome = importBytes(bytes);
  EXPECT_TRUE(outcome.imported) << outcome.messages.substr(0, 1000);
  std::chrono::duration<double> elapsed =
      std::chrono::steady_clock::now() - start;
  return elapsed.count();
}

/// A node whose result has 10^12 elements.
onnx::ModelProto makeHuge(const std::string &type,
                          const std::vector<std::string> &inputs) {
  onnx::ModelProto model = makeModel();
  onnx::GraphProto &graph = *model.mutable_graph();
  addIndices(graph, "million2", {1000000, 1000000});
  addIndices(graph, "million3", {1000000, 1000000, 1});
  addIndices(graph, "tera", {250000000000});
  for (auto [name, value] :
       {std::pair("zero", int64_t(0)), std::pair("one", int64_t(1)),
        std::pair("limit", int64_t(1000000000000))}) {
    addIndices(graph, name, {value});
    graph.mutable_initializer(graph.initializer_size() - 1)->clear_dims();
  }
  addIndices(graph, "pair", {0, 1});
  graph.mutable_output(0)->set_name("huge");
  graph.mutable_output(0)->clear_type();
  addNode(graph, type, inputs, {"huge"});
  return model;
}

TEST(Limits, KeepsHugeResultsLazy) {
  std::vector<std::pair<std::string, std::vector<std::string>>> cases = {
      {"ConstantOfShape", {"million2"}},
      {"Expand", {"one", "million2"}},
      {"Tile", {"x", "tera"}},
      {"Range", {"zero", "limit", "one"}},
      {"OneHot", {"pair", "limit", "pair"}}};
  for (const auto &[type, inputs] : cases) {
    Outcome outcome = importBytes(makeHuge(type, inputs).SerializeAsString());
    // Lazy or refused, and in no time either way.
    EXPECT_TRUE(outcome.imported || outcome.errors > 0) << type;
  }
  onnx::ModelProto model = makeHuge("ConstantOfShape", {"million2"});
  model.mutable_graph()->mutable_output(0)->set_name("eye");
  addNode(*model.mutable_graph(), "EyeLike", {"huge"}, {"eye"});
  Outcome outcome = importBytes(model.SerializeAsString());
  EXPECT_TRUE(outcome.imported || outcome.errors > 0);
}

TEST(Limits, RefusesResultsBeyondAllMemory) {
  onnx::ModelProto model = makeHuge("ConstantOfShape", {"million3"});
  onnx::TensorProto *shape = model.mutable_graph()->mutable_initializer(2);
  ASSERT_EQ(shape->name(), "million3");
  shape->set_int64_data(2, 1000000000);
  expectError(model, "more than 2^48 elements");
  // A size of 0 does not excuse the others, whose product strides are made of.
  shape->add_int64_data(0);
  shape->set_dims(0, 4);
  expectError(model, "more than 2^48 elements");
}

TEST(Limits, RefusesRanksAbove64) {
  onnx::ModelProto model = makeModel();
  onnx::GraphProto &graph = *model.mutable_graph();
  addIndices(graph, "ones", std::vector<int64_t>(65, 1));
  addNode(graph, "Expand", {"y", "ones"}, {"deep"});
  graph.mutable_output(0)->set_name("deep");
  graph.mutable_output(0)->clear_type();
  expectError(model, "more than 64 dimensions");
}

TEST(Limits, RefusesListsOfTheWrongLength) {
  auto expectRefused = [](const std::string &type, const std::string &attribute,
                          const std::vector<int64_t> &values) {
    onnx::ModelProto model = makeModel();
    onnx::GraphProto &graph = *model.mutable_graph();
    graph.clear_node();
    setType(graph.mutable_input(0), "x", {1, 1, 8, 8});
    setType(graph.mutable_output(0), "y", {1, 1, 8, 8});
    graph.mutable_output(0)->clear_type();
    onnx::TensorProto *weight = graph.mutable_initializer(0);
    weight->clear_dims();
    for (int64_t dim : {1, 1, 2, 2})
      weight->add_dims(dim);
    bool isConv = type == "Conv";
    onnx::NodeProto *node = addNode(graph, type,
                                    isConv ? std::vector<std::string>{"x", "w"}
                                           : std::vector<std::string>{"x"},
                                    {"y"});
    if (!isConv && attribute != "kernel_shape")
      addInts(node, "kernel_shape", {2, 2});
    addInts(node, attribute, values);
    Outcome outcome = importBytes(model.SerializeAsString());
    EXPECT_FALSE(outcome.imported) << type << " " << attribute;
    EXPECT_NE(outcome.messages.find("(" + type + ", opset 17): "),
              std::string::npos)
        << outcome.messages;
  };
  for (const char *type : {"Conv", "MaxPool", "AveragePool"}) {
    expectRefused(type, "kernel_shape", {2});
    expectRefused(type, "kernel_shape", {2, 2, 2});
    expectRefused(type, "kernel_shape", {-2, 2});
    expectRefused(type, "pads", {0, 0, 0});
    expectRefused(type, "pads", {0, 0, 0, 0, 0});
    expectRefused(type, "pads", {INT64_MAX, 0, INT64_MAX, 0});
    expectRefused(type, "pads", {INT64_MIN, 0, 0, 0});
    expectRefused(type, "strides", {1});
    expectRefused(type, "strides", {0, 1});
    expectRefused(type, "strides", {-1, 1});
    expectRefused(type, "dilations", {INT64_MAX, 1});
  }
}

TEST(Limits, RefusesMoreFunctionsThanTheChecker) {
  onnx::ModelProto model = makeModel();
  for (int i = 0; i <= 10000; ++i)
    model.add_functions()->set_name("f" + std::to_string(i));
  expectError(model, "more than 10000 local functions");
}

TEST(Limits, RefusesDeepCalls) {
  onnx::ModelProto model = makeModel();
  onnx::OperatorSetIdProto *local = model.add_opset_import();
  local->set_domain("local");
  local->set_version(1);
  for (int i = 0; i < 200; ++i) {
    onnx::FunctionProto *function = model.add_functions();
    function->set_name("f" + std::to_string(i));
    function->set_domain("local");
    function->add_input("a");
    function->add_output("b");
    *function->add_opset_import() = *local;
    onnx::NodeProto *node = function->add_node();
    node->set_op_type("f" + std::to_string(i + 1));
    node->set_domain("local");
    node->add_input("a");
    node->add_output("b");
  }
  onnx::NodeProto *node = model.mutable_graph()->mutable_node(1);
  node->set_op_type("f0");
  node->set_domain("local");
  expectError(model, "functions call each other more than 100 deep");
}

TEST(Limits, RefusesDoubleInitializersOfBothKinds) {
  onnx::ModelProto model = makeModel();
  onnx::SparseTensorProto *sparse =
      model.mutable_graph()->add_sparse_initializer();
  sparse->mutable_values()->set_name("w");
  expectError(model, "initializer 'w' is defined twice");
}

TEST(Limits, TakesLongNamesAndRefusesLongerOnes) {
  onnx::ModelProto model = makeModel();
  std::string name(60000, 'n');
  model.mutable_graph()->mutable_node(0)->set_name(name);
  EXPECT_TRUE(importBytes(model.SerializeAsString()).imported);
  name.resize(70000, 'n');
  model.mutable_graph()->mutable_node(0)->set_name(name);
  expectError(model, "a name of 70000 bytes, at most 65536 are supported");
  model = makeModel();
  model.mutable_graph()->mutable_input(0)->set_name(name);
  expectError(model, "a name of 70000 bytes");
}

/// A length-delimited field of the wire format.
std::string field(int number, const std::string &bytes) {
  std::string result;
  for (size_t value : {size_t(number) << 3 | 2, bytes.size()}) {
    for (; value > 127; value >>= 7)
      result += char((value & 127) | 128);
    result += char(value);
  }
  return result + bytes;
}

// Parsed, each of these two bytes would take hundreds.
TEST(Limits, RefusesMorePartsThanAnyModelHas) {
  std::string nodes;
  for (int i = 0; i < (16 << 20) + 1; ++i)
    nodes += {1 << 3 | 2, 0};
  Outcome outcome = importBytes(field(7, nodes));
  EXPECT_FALSE(outcome.imported);
  EXPECT_NE(outcome.messages.find("more than 16777216 nodes"),
            std::string::npos)
      << outcome.messages;
  // In the graph of a training loop, of which nothing is imported.
  outcome = importBytes(field(20, field(1, nodes)));
  EXPECT_NE(outcome.messages.find("more than 16777216 nodes"),
            std::string::npos);
}

// Sizes that no simplification shortens, twice as long at every step.
TEST(Limits, RefusesSizesThatDouble) {
  onnx::ModelProto model = makeModel();
  onnx::GraphProto &graph = *model.mutable_graph();
  graph.clear_node();
  setType(graph.mutable_input(0), "x", {1, 1});
  graph.mutable_input(0)
      ->mutable_type()
      ->mutable_tensor_type()
      ->mutable_shape()
      ->add_dim()
      ->set_dim_param("n");
  std::string from = "x";
  for (int i = 0; i < 60; ++i) {
    std::string pooled = "p" + std::to_string(i);
    onnx::NodeProto *pool = addNode(graph, "MaxPool", {from}, {pooled});
    addInts(pool, "kernel_shape", {4});
    addInts(pool, "strides", {3});
    std::string to = "v" + std::to_string(i);
    onnx::AttributeProto *axis =
        addNode(graph, "Concat", {pooled, from}, {to})->add_attribute();
    axis->set_name("axis");
    axis->set_type(onnx::AttributeProto::INT);
    axis->set_i(2);
    from = to;
  }
  graph.mutable_output(0)->set_name(from);
  graph.mutable_output(0)->clear_type();
  expectError(model, "too long an expression; fix sizes of inputs with --dim");
}

/// x -> op -> op -> ... -> y
onnx::ModelProto makeChain(int length, const std::string &type) {
  onnx::ModelProto model = makeModel();
  onnx::GraphProto &graph = *model.mutable_graph();
  graph.clear_node();
  for (int i = 0; i < length; ++i) {
    std::string from = i == 0 ? "x" : "v" + std::to_string(i);
    std::string to = i + 1 == length ? "y" : "v" + std::to_string(i + 1);
    addNode(graph, type, {from}, {to});
  }
  return model;
}

// A recursion over operands would end the process.
TEST(Limits, ImportsLongChains) {
  for (const char *type : {"Relu", "Identity", "Shape"}) {
    onnx::ModelProto model = makeChain(100000, type);
    model.mutable_graph()->mutable_output(0)->clear_type();
    timeImport(model);
  }
}

// Ten times the nodes may take a bit more than ten times as long.
TEST(Limits, ImportsInLinearTime) {
  double small = timeImport(makeChain(4000, "Sigmoid"));
  double large = timeImport(makeChain(40000, "Sigmoid"));
  EXPECT_LT(large, 40 * small + 1);
}

} // namespace
