// Reads test folders and makes the models of the three modes.
#include "TestCase.h"
#include "onnx/onnx-ml.pb.h"
#include <filesystem>
#include <fstream>
#include <map>

namespace fs = std::filesystem;

namespace effc::test {

//===----------------------------------------------------------------------===//
// Folders
//===----------------------------------------------------------------------===//

static std::string readFile(const fs::path &path) {
  std::ifstream file(path, std::ios::binary);
  return std::string(std::istreambuf_iterator<char>(file),
                     std::istreambuf_iterator<char>());
}

/// input_0.pb, input_1.pb, ... as far as they go.
static std::vector<std::string> readNumbered(const fs::path &folder,
                                             const std::string &kind) {
  std::vector<std::string> files;
  for (size_t i = 0;; ++i) {
    fs::path path = folder / (kind + "_" + std::to_string(i) + ".pb");
    if (!fs::exists(path))
      return files;
    files.push_back(readFile(path));
  }
}

std::optional<TestCase> readTestCase(const std::string &folder,
                                     std::string &error) {
  TestCase test;
  fs::path path(folder);
  test.name = path.filename().string();
  test.modelPath = (path / "model.onnx").string();
  if (!fs::exists(test.modelPath)) {
    error = "no model.onnx in '" + folder + "'";
    return std::nullopt;
  }
  test.model = readFile(test.modelPath);
  std::map<std::string, fs::path> sets;
  for (const fs::directory_entry &entry : fs::directory_iterator(path))
    if (entry.path().filename().string().rfind("test_data_set_", 0) == 0)
      sets[entry.path().filename().string()] = entry.path();
  for (const auto &[name, set] : sets)
    test.dataSets.push_back(
        {readNumbered(set, "input"), readNumbered(set, "output")});
  if (!test.dataSets.empty())
    return test;
  error = "no test_data_set_* in '" + folder + "'";
  return std::nullopt;
}

//===----------------------------------------------------------------------===//
// Modes
//===----------------------------------------------------------------------===//

std::optional<Mode> parseMode(const std::string &name) {
  if (name == "static")
    return Mode::Static;
  if (name == "dynamic")
    return Mode::Dynamic;
  if (name == "constant")
    return Mode::Constant;
  return std::nullopt;
}

/// Why a value cannot be handed over; empty when it can.
static std::string refuseType(const onnx::ValueInfoProto &value) {
  const onnx::TypeProto &type = value.type();
  if (type.has_tensor_type())
    return type.tensor_type().elem_type() == onnx::TensorProto::STRING
               ? "strings"
               : "";
  if (type.has_sequence_type())
    return "sequence value";
  if (type.has_optional_type())
    return "optional value";
  return "value of unknown type";
}

/// Ranks stay: a model without them is no model that anybody exports. Sizes of
/// inputs that are 0 get a name, for --dim: a size that may be 0 must be told.
static void eraseSizes(onnx::GraphProto &graph,
                       std::vector<std::string> &emptySizes) {
  for (auto *values : {graph.mutable_input(), graph.mutable_output()})
    for (onnx::ValueInfoProto &value : *values) {
      auto *type = value.mutable_type()->mutable_tensor_type();
      if (!type->has_shape())
        continue;
      for (auto &dim : *type->mutable_shape()->mutable_dim()) {
        bool isEmpty = dim.has_dim_value() && dim.dim_value() == 0;
        dim.Clear();
        if (!isEmpty || values != graph.mutable_input())
          continue;
        emptySizes.push_back("empty" + std::to_string(emptySizes.size()));
        dim.set_dim_param(emptySizes.back());
      }
    }
  graph.clear_value_info();
}

/// Inputs that a set leaves out stay inputs.
static bool makeConstant(onnx::GraphProto &graph, const DataSet &data,
                         std::string &reason) {
  auto *inputs = graph.mutable_input();
  int count = std::min<int>(data.inputs.size(), inputs->size());
  for (int i = 0; i < count; ++i) {
    onnx::TensorProto *value = graph.add_initializer();
    if (!value->ParseFromString(data.inputs[i])) {
      reason = "input " + std::to_string(i) + " is no tensor";
      return false;
    }
    value->set_name((*inputs)[i].name());
  }
  inputs->DeleteSubrange(0, count);
  return true;
}

std::optional<PreparedModel> prepare(const TestCase &test, const DataSet &data,
                                     Mode mode, std::string &reason) {
  onnx::ModelProto model;
  if (!model.ParseFromString(test.model)) {
    reason = "model.onnx is no ONNX model";
    return std::nullopt;
  }
  onnx::GraphProto &graph = *model.mutable_graph();
  for (const auto *values : {&graph.input(), &graph.output()})
    for (const onnx::ValueInfoProto &value : *values)
      if (reason = refuseType(value); !reason.empty())
        return std::nullopt;
  PreparedModel prepared;
  for (const onnx::ValueInfoProto &output : graph.output())
    prepared.outputs.push_back(output.name());
  for (const onnx::ValueInfoProto &input : graph.input())
    prepared.inputs.push_back(input.name());
  for (const onnx::NodeProto &node : graph.node())
    prepared.operators.push_back(node.op_type());
  if (mode == Mode::Dynamic)
    eraseSizes(graph, prepared.emptySizes);
  if (mode == Mode::Constant && !makeConstant(graph, data, reason))
    return std::nullopt;
  prepared.bytes =
      mode == Mode::Static ? test.model : model.SerializeAsString();
  return prepared;
}

} // namespace effc::test
