// Models compiled into this process: run, kept beyond their compiler, refused.
#include "effc/Driver/MemoryCompiler.h"
#include "effrt/effrt.h"
#include "onnx/onnx-ml.pb.h"
#include "gtest/gtest.h"
#include <cmath>

using namespace effc;

namespace {

void setType(onnx::ValueInfoProto &value, const char *name, int64_t size) {
  value.set_name(name);
  auto *type = value.mutable_type()->mutable_tensor_type();
  type->set_elem_type(onnx::TensorProto::FLOAT);
  type->mutable_shape()->add_dim()->set_dim_value(size);
}

/// y = exp(x + w), with w = (1, 2, ...).
std::string makeModel(const char *op = "Exp", int64_t size = 4) {
  onnx::ModelProto model;
  model.set_ir_version(8);
  model.add_opset_import()->set_version(17);
  onnx::GraphProto &graph = *model.mutable_graph();
  setType(*graph.add_input(), "x", size);
  setType(*graph.add_output(), "y", size);
  onnx::TensorProto &weight = *graph.add_initializer();
  weight.set_name("w");
  weight.set_data_type(onnx::TensorProto::FLOAT);
  weight.add_dims(size);
  for (int64_t i = 0; i < size; ++i)
    weight.add_float_data(1.0f + i);
  onnx::NodeProto &add = *graph.add_node();
  add.set_op_type("Add");
  add.add_input("x");
  add.add_input("w");
  add.add_output("sum");
  onnx::NodeProto &last = *graph.add_node();
  last.set_op_type(op);
  last.add_input("sum");
  last.add_output("y");
  return model.SerializeAsString();
}

CompileOptions makeOptions(const std::string &bytes) {
  CompileOptions options;
  options.model = "small.onnx";
  options.modelBytes = bytes;
  return options;
}

std::vector<float> run(const effrt_model_desc *table, std::vector<float> x) {
  effrt_message message = {};
  effrt_model *model = nullptr;
  effrt_session *session = nullptr;
  EXPECT_EQ(effrt_model_create(table, nullptr, &model, &message), 0)
      << message.text;
  EXPECT_EQ(effrt_session_create(model, nullptr, &session, &message), 0);
  std::vector<float> y(x.size());
  int64_t shape[] = {static_cast<int64_t>(x.size())};
  effrt_tensor input = {x.data(), EFFRT_DTYPE_F32, 1, shape, 4 * x.size()};
  effrt_tensor output = {y.data(), EFFRT_DTYPE_F32, 1, shape, 4 * y.size()};
  EXPECT_EQ(effrt_session_run(session, 0, &input, 1, &output, 1), 0)
      << effrt_session_error(session);
  effrt_session_destroy(session);
  effrt_model_close(model);
  return y;
}

TEST(MemoryCompiler, RunsBothPathsBeyondTheCompiler) {
  std::vector<std::shared_ptr<const effrt_model_desc>> tables;
  {
    MemoryCompiler compiler;
    std::string bytes = makeModel();
    for (bool plain : {false, true}) {
      CompileOptions options = makeOptions(bytes);
      options.plain = plain;
      CompileResult result;
      tables.push_back(compiler.compile(options, result));
      ASSERT_TRUE(tables.back());
      EXPECT_EQ(result.exitCode, 0);
      EXPECT_TRUE(result.files.empty());
    }
  }
  for (const auto &table : tables) {
    std::vector<float> y = run(table.get(), {0, -1, 0, -4});
    for (auto [i, want] : {std::pair(0, 1.0f), {1, 1.0f}, {2, 3.0f}, {3, 0.f}})
      EXPECT_NEAR(y[i], std::exp(want), 1e-5);
  }
}

TEST(MemoryCompiler, CompilesMoreModelsThanAContextServes) {
  MemoryCompiler compiler;
  std::shared_ptr<const effrt_model_desc> first;
  for (int i = 0; i < 300; ++i) {
    std::string bytes = makeModel("Neg", 1 + i % 7);
    CompileOptions options = makeOptions(bytes);
    options.optLevel = 0;
    CompileResult result;
    auto table = compiler.compile(options, result);
    ASSERT_TRUE(table);
    if (i == 0)
      first = table;
  }
  EXPECT_EQ(run(first.get(), {5}), std::vector<float>{-6});
}

TEST(MemoryCompiler, SaysWhyItRefuses) {
  MemoryCompiler compiler;
  std::string unknown = makeModel("NoSuchOperator"), message;
  CompileOptions options = makeOptions(unknown);
  options.onDiagnostic = [&](const Diagnostic &d) { message += d.message; };
  CompileResult result;
  EXPECT_FALSE(compiler.compile(options, result));
  EXPECT_EQ(result.exitCode, 1);
  EXPECT_NE(message.find("not supported"), std::string::npos) << message;
  // And goes on.
  std::string good = makeModel();
  EXPECT_TRUE(compiler.compile(makeOptions(good), result));
  EXPECT_EQ(result.exitCode, 0);

  message.clear();
  CompileOptions stops = makeOptions(good);
  stops.stopAfter = "raise";
  stops.onDiagnostic = options.onDiagnostic;
  EXPECT_FALSE(compiler.compile(stops, result));
  EXPECT_EQ(result.exitCode, 1);
  EXPECT_EQ(message, "--stop-after has no effect on a model in memory");
}

} // namespace
