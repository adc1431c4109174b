// Models to break, and what the importer says of them.
#ifndef EFFC_TEST_UNIT_IMPORT_HOSTILEMODEL_H
#define EFFC_TEST_UNIT_IMPORT_HOSTILEMODEL_H

#include "effc/Import/Import.h"
#include "effc/Support/Diagnostics.h"
#include "mlir/IR/MLIRContext.h"
#include "onnx/onnx-ml.pb.h"
#include "llvm/Support/raw_ostream.h"
#include "gtest/gtest.h"

inline onnx::NodeProto *addNode(onnx::GraphProto &graph,
                                const std::string &type,
                                const std::vector<std::string> &inputs,
                                const std::vector<std::string> &outputs) {
  onnx::NodeProto *node = graph.add_node();
  node->set_op_type(type);
  for (const std::string &name : inputs)
    node->add_input(name);
  for (const std::string &name : outputs)
    node->add_output(name);
  return node;
}

inline void setType(onnx::ValueInfoProto *value, const std::string &name,
                    const std::vector<int64_t> &shape) {
  value->set_name(name);
  auto *tensor = value->mutable_type()->mutable_tensor_type();
  tensor->set_elem_type(onnx::TensorProto::FLOAT);
  tensor->mutable_shape()->clear_dim();
  for (int64_t size : shape)
    tensor->mutable_shape()->add_dim()->set_dim_value(size);
}

inline onnx::AttributeProto *addInts(onnx::NodeProto *node,
                                     const std::string &name,
                                     const std::vector<int64_t> &values) {
  onnx::AttributeProto *attribute = node->add_attribute();
  attribute->set_name(name);
  attribute->set_type(onnx::AttributeProto::INTS);
  for (int64_t value : values)
    attribute->add_ints(value);
  return attribute;
}

inline void addIndices(onnx::GraphProto &graph, const std::string &name,
                       const std::vector<int64_t> &values) {
  onnx::TensorProto *tensor = graph.add_initializer();
  tensor->set_name(name);
  tensor->set_data_type(onnx::TensorProto::INT64);
  tensor->add_dims(values.size());
  for (int64_t value : values)
    tensor->add_int64_data(value);
}

/// y = relu(x + w) with a weight of 4 floats.
inline onnx::ModelProto makeModel() {
  onnx::ModelProto model;
  model.set_ir_version(8);
  onnx::OperatorSetIdProto *opset = model.add_opset_import();
  opset->set_domain("");
  opset->set_version(17);
  onnx::GraphProto &graph = *model.mutable_graph();
  setType(graph.add_input(), "x", {4});
  setType(graph.add_output(), "y", {4});
  onnx::TensorProto *weight = graph.add_initializer();
  weight->set_name("w");
  weight->set_data_type(onnx::TensorProto::FLOAT);
  weight->add_dims(4);
  weight->set_raw_data(std::string(16, '\0'));
  addNode(graph, "Add", {"x", "w"}, {"sum"});
  addNode(graph, "Relu", {"sum"}, {"y"});
  return model;
}

struct Outcome {
  bool imported = false;
  /// As users see them: file, severity, node, operator, reason; then notes.
  std::string messages;
  int errors = 0;
};

inline Outcome importWith(
    llvm::function_ref<mlir::OwningOpRef<mlir::ModuleOp>(mlir::MLIRContext *)>
        import) {
  mlir::MLIRContext context(mlir::MLIRContext::Threading::DISABLED);
  Outcome outcome;
  llvm::raw_string_ostream os(outcome.messages);
  effc::DiagnosticPrinter printer(&context, os);
  outcome.imported = bool(import(&context));
  outcome.errors = printer.numErrors();
  return outcome;
}

inline Outcome importBytes(const std::string &bytes,
                           const std::string &folder = "/nonexistent",
                           const effc::ImportOptions &options = {}) {
  return importWith([&](mlir::MLIRContext *context) {
    return effc::importOnnxBytes(bytes, "test.onnx", folder, context, options);
  });
}

/// Import fails with a message that holds `text`.
inline void expectError(const onnx::ModelProto &model, const std::string &text,
                        const std::string &folder = "/nonexistent") {
  Outcome outcome = importBytes(model.SerializeAsString(), folder);
  EXPECT_FALSE(outcome.imported);
  EXPECT_GE(outcome.errors, 1);
  EXPECT_EQ(outcome.messages.rfind("test.onnx: error: ", 0), 0u)
      << outcome.messages;
  EXPECT_NE(outcome.messages.find(text), std::string::npos) << outcome.messages;
}

#endif // EFFC_TEST_UNIT_IMPORT_HOSTILEMODEL_H
