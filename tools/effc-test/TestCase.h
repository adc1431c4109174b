// A test in the format of the ONNX backend suite: model.onnx and folders
// test_data_set_* with input_*.pb and output_*.pb.
#ifndef EFFC_TOOLS_EFFC_TEST_TESTCASE_H
#define EFFC_TOOLS_EFFC_TEST_TESTCASE_H

#include "Tensors.h"
#include <string>
#include <vector>

namespace onnx {
class ModelProto;
} // namespace onnx

namespace effc::test {

/// Serialized TensorProtos, in the order of the model's inputs and outputs.
struct DataSet {
  std::vector<std::string> inputs, outputs;
};

struct TestCase {
  std::string name;
  /// Names the model in messages; external data lies beside it.
  std::string modelPath;
  std::string model;
  std::vector<DataSet> dataSets;
};

/// Reads a folder, or says why it cannot.
std::optional<TestCase> readTestCase(const std::string &folder,
                                     std::string &error);

/// What happens to a model before it is compiled.
enum class Mode {
  Static,  ///< nothing: every size is fixed
  Dynamic, ///< no size of an input or output is known, only ranks
  Constant ///< inputs are initializers
};
std::optional<Mode> parseMode(const std::string &name);

/// The model that is compiled, and where its inputs come from.
struct PreparedModel {
  std::string bytes;
  std::vector<std::string> inputs, outputs;
  /// Sizes that the compiler must allow to be 0: dynamic mode.
  std::vector<std::string> emptySizes;
  /// Operators of the main graph.
  std::vector<std::string> operators;
};

/// Rewrites the model; inputs of `data` go into it in constant mode. Nothing,
/// and a reason, for models with values that are no tensors of numbers.
std::optional<PreparedModel> prepare(const TestCase &test, const DataSet &data,
                                     Mode mode, std::string &reason);

} // namespace effc::test

#endif // EFFC_TOOLS_EFFC_TEST_TESTCASE_H
