// Files that are broken or made to do harm: the importer must say what is
// wrong, and neither crash, nor hang, nor take memory that the file does not
// justify.
#include "HostileModel.h"

#include <limits>
#include <random>

namespace {

TEST(HostileModel, ImportsTheBaseModel) {
  Outcome outcome = importBytes(makeModel().SerializeAsString());
  EXPECT_TRUE(outcome.imported) << outcome.messages;
  EXPECT_EQ(outcome.messages, "");
}

TEST(HostileModel, ReportsEveryTruncation) {
  std::string bytes = makeModel().SerializeAsString();
  for (size_t size = 0; size < bytes.size(); ++size) {
    Outcome outcome = importBytes(bytes.substr(0, size));
    // A cut between fields leaves a valid message with less in it.
    EXPECT_TRUE(outcome.imported || outcome.errors > 0) << size;
  }
}

TEST(HostileModel, SurvivesFlippedBytes) {
  std::string bytes = makeModel().SerializeAsString();
  std::mt19937 random(20261122);
  for (int round = 0; round < 400; ++round) {
    std::string damaged = bytes;
    for (int flips = 0; flips < 1 + round % 4; ++flips)
      damaged[random() % damaged.size()] = char(random());
    Outcome outcome = importBytes(damaged);
    EXPECT_TRUE(outcome.imported || outcome.errors > 0) << "round " << round;
  }
}

TEST(HostileModel, RefusesCycles) {
  onnx::ModelProto model = makeModel();
  model.mutable_graph()->mutable_node(0)->set_input(0, "y");
  expectError(model, "the graph has a cycle through node 'Add#0', node "
                     "'Relu#1'");
}

TEST(HostileModel, RefusesUndefinedAndDoubleNames) {
  onnx::ModelProto model = makeModel();
  model.mutable_graph()->mutable_node(0)->set_input(0, "z");
  expectError(model, "value 'z' is read by node 'Add#0' but never defined");
  model = makeModel();
  model.mutable_graph()->mutable_node(1)->set_output(0, "sum");
  expectError(model, "value 'sum' is produced twice");
  model = makeModel();
  *model.mutable_graph()->add_initializer() = model.graph().initializer(0);
  expectError(model, "initializer 'w' is defined twice");
}

TEST(HostileModel, ChecksPayloads) {
  onnx::ModelProto model = makeModel();
  onnx::TensorProto *weight = model.mutable_graph()->mutable_initializer(0);
  weight->mutable_raw_data()->pop_back();
  expectError(model, "payload of 15 bytes where dims and type need 16");
  weight->clear_raw_data();
  weight->add_float_data(1);
  expectError(model, "payload of 4 bytes where dims and type need 16");
  weight->set_dims(0, -4);
  expectError(model, "negative dim -4");
  weight->set_dims(0, int64_t(1) << 40);
  weight->add_dims(int64_t(1) << 40);
  expectError(model, "more than 2^48 elements");
  weight->clear_dims();
  for (int i = 0; i < 65; ++i)
    weight->add_dims(1);
  expectError(model, "rank 65 is above 64");
}

TEST(HostileModel, RefusesTypesWithoutMeaning) {
  onnx::ModelProto model = makeModel();
  model.mutable_graph()->mutable_initializer(0)->set_data_type(99);
  expectError(model, "element type unknown is not supported");
  model = makeModel();
  model.mutable_graph()->mutable_input(0)->clear_type();
  expectError(model, "input 'x' is not a tensor");
}

TEST(HostileModel, ChecksVersions) {
  onnx::ModelProto model = makeModel();
  model.mutable_opset_import(0)->set_version(6);
  expectError(model, "opset 6 is older than 7");
  model.mutable_opset_import(0)->set_version(1000);
  expectError(model, "opset 1000 is newer than 28");
  onnx::OperatorSetIdProto *other = model.add_opset_import();
  other->set_domain("ai.onnx");
  other->set_version(17);
  expectError(model, "two versions of domain ''");
  model.clear_opset_import();
  expectError(model, "imports no version of domain ai.onnx");
}

/// A function that calls `callee` twice.
void addFunction(onnx::ModelProto &model, const std::string &name,
                 const std::string &callee) {
  onnx::FunctionProto *function = model.add_functions();
  function->set_name(name);
  function->set_domain("local");
  function->add_input("a");
  function->add_output("c");
  onnx::OperatorSetIdProto *opset = function->add_opset_import();
  opset->set_domain("local");
  opset->set_version(1);
  for (auto [input, output] : {std::pair("a", "b"), std::pair("b", "c")}) {
    onnx::NodeProto *node = function->add_node();
    node->set_op_type(callee);
    node->set_domain("local");
    node->add_input(input);
    node->add_output(output);
  }
}

TEST(HostileModel, StopsFunctionsThatCallThemselves) {
  onnx::ModelProto model = makeModel();
  addFunction(model, "ping", "pong");
  addFunction(model, "pong", "ping");
  onnx::NodeProto *node = model.mutable_graph()->mutable_node(1);
  node->set_op_type("ping");
  node->set_domain("local");
  expectError(model, "function 'ping' calls itself");
}

TEST(HostileModel, StopsFunctionsThatDouble) {
  onnx::ModelProto model = makeModel();
  for (int level = 0; level < 40; ++level)
    addFunction(model, "f" + std::to_string(level),
                "f" + std::to_string(level + 1));
  onnx::FunctionProto *last = model.mutable_functions(39);
  last->mutable_opset_import(0)->set_domain("");
  last->mutable_opset_import(0)->set_version(17);
  for (onnx::NodeProto &inner : *last->mutable_node()) {
    inner.set_domain("");
    inner.set_op_type("Relu");
  }
  onnx::NodeProto *node = model.mutable_graph()->mutable_node(1);
  node->set_op_type("f0");
  node->set_domain("local");
  expectError(model, "functions expand to more than");
}

TEST(HostileModel, RefusesDeepNesting) {
  onnx::ModelProto model = makeModel();
  onnx::GraphProto *graph = model.mutable_graph();
  for (int level = 0; level < 60; ++level) {
    onnx::NodeProto *node = addNode(*graph, "If", {"x"}, {"y"});
    onnx::AttributeProto *branch = node->add_attribute();
    branch->set_name("then_branch");
    branch->set_type(onnx::AttributeProto::GRAPH);
    graph = branch->mutable_g();
  }
  expectError(model, "nested more than 100 deep");
}

TEST(HostileModel, KeepsHugeSplatsSmall) {
  onnx::ModelProto model = makeModel();
  onnx::GraphProto &graph = *model.mutable_graph();
  onnx::TensorProto *shape = graph.add_initializer();
  shape->set_name("shape");
  shape->set_data_type(onnx::TensorProto::INT64);
  shape->add_dims(2);
  shape->add_int64_data(1000000);
  shape->add_int64_data(1000000);
  addNode(graph, "ConstantOfShape", {"shape"}, {"huge"});
  setType(graph.add_output(), "huge", {1000000, 1000000});
  Outcome outcome = importBytes(model.SerializeAsString());
  EXPECT_TRUE(outcome.imported) << outcome.messages;
}

TEST(HostileModel, RefusesNegativeSizes) {
  onnx::ModelProto model = makeModel();
  onnx::GraphProto &graph = *model.mutable_graph();
  onnx::TensorProto *shape = graph.add_initializer();
  shape->set_name("shape");
  shape->set_data_type(onnx::TensorProto::INT64);
  shape->add_dims(1);
  shape->add_int64_data(-5);
  addNode(graph, "ConstantOfShape", {"shape"}, {"z"});
  addNode(graph, "Tile", {"x", "shape"}, {"t"});
  setType(graph.add_output(), "z", {});
  setType(graph.add_output(), "t", {});
  expectError(model, "the shape has a size of -5");
  expectError(model, "a size of the result would be negative");
}

TEST(HostileModel, RefusesInputsThatNoMemoryHolds) {
  onnx::ModelProto model = makeModel();
  model.mutable_graph()
      ->mutable_input(0)
      ->mutable_type()
      ->mutable_tensor_type()
      ->mutable_shape()
      ->mutable_dim(0)
      ->set_dim_value(std::numeric_limits<int64_t>::max());
  expectError(model, "input 'x' has more than 2^48 elements");
}

} // namespace
