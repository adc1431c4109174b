// The C API of the compiler, from outside: files and bytes, diagnostics,
// misuse, and several threads.
#include "effc-c/effc.h"
#include "effrt/effrt.h"
#include "gtest/gtest.h"
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <thread>
#include <vector>

namespace {

std::string readFile(const std::string &path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

class CompileTest : public testing::Test {
protected:
  void SetUp() override {
    std::string pattern = testing::TempDir() + "/effc-capi-XXXXXX";
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    folder = pattern;
    options.struct_size = sizeof(options);
    options.output_dir = folder.c_str();
    options.cpu = "v3";
    options.flags = EFFC_COMPILE_O0;
  }
  void TearDown() override {
    effc_result_destroy(result);
    std::filesystem::remove_all(folder);
  }

  effc_result_info describe() {
    effc_result_info info = {};
    info.struct_size = sizeof(info);
    EXPECT_EQ(effc_result_describe(result, &info), EFFC_STATUS_OK);
    return info;
  }
  effc_diagnostic diagnostic(size_t index) {
    effc_diagnostic record = {};
    record.struct_size = sizeof(record);
    EXPECT_EQ(effc_result_diagnostic(result, index, &record), EFFC_STATUS_OK);
    return record;
  }
  /// The model with an operator that does not exist.
  static std::string makeUnknownOperator() {
    std::string bytes = readFile(EFFC_TEST_MODEL);
    // Field op_type: its tag, its length, its text.
    size_t at = bytes.find("\x22\x04Gemm");
    EXPECT_NE(at, std::string::npos);
    return bytes.replace(at + 2, 4, "Gumm");
  }

  std::string folder;
  effc_compile_options options = {};
  effc_result *result = nullptr;
};

TEST_F(CompileTest, CompilesAFile) {
  options.name = "digits";
  ASSERT_EQ(effc_compile_file(EFFC_TEST_MODEL, &options, &result),
            EFFC_STATUS_OK);
  effc_result_info info = describe();
  EXPECT_EQ(info.status, EFFC_STATUS_OK);
  EXPECT_EQ(info.library, folder + "/libdigits.so");
  EXPECT_EQ(info.header, folder + "/digits.h");
  EXPECT_NE(std::strstr(info.certificate, "\"-O0\""), nullptr);
  EXPECT_EQ(info.num_files, 4u);
  EXPECT_STREQ(effc_result_file(result, 0), info.library);
  EXPECT_EQ(effc_result_file(result, 4), nullptr);
  EXPECT_EQ(info.library_bytes, std::filesystem::file_size(info.library));
  const char *stage = nullptr;
  double seconds = -1;
  ASSERT_EQ(effc_result_stage(result, 0, &stage, &seconds), EFFC_STATUS_OK);
  EXPECT_STREQ(stage, "import");
  EXPECT_GE(seconds, 0);
  effrt_model *model = nullptr;
  effrt_message message = {};
  ASSERT_EQ(effrt_model_open(info.library, nullptr, &model, &message), 0)
      << message.text;
  effrt_model_close(model);
}

TEST_F(CompileTest, BytesGiveTheSameLibrary) {
  options.name = "digits";
  ASSERT_EQ(effc_compile_file(EFFC_TEST_MODEL, &options, &result),
            EFFC_STATUS_OK);
  std::string file = readFile(describe().library);
  effc_result_destroy(result);
  std::string bytes = readFile(EFFC_TEST_MODEL);
  ASSERT_EQ(effc_compile_bytes(bytes.data(), bytes.size(), "cnn.onnx", nullptr,
                               &options, &result),
            EFFC_STATUS_OK);
  EXPECT_EQ(readFile(describe().library), file);
}

TEST_F(CompileTest, TellsWhatIsWrong) {
  std::vector<std::string> seen;
  options.user = &seen;
  options.on_diagnostic = [](void *user, const effc_diagnostic *record) {
    static_cast<std::vector<std::string> *>(user)->push_back(record->text);
  };
  std::string bytes = makeUnknownOperator();
  ASSERT_EQ(effc_compile_bytes(bytes.data(), bytes.size(), "cnn.onnx", nullptr,
                               &options, &result),
            EFFC_STATUS_MODEL_ERROR);
  effc_result_info info = describe();
  EXPECT_STREQ(info.library, "");
  EXPECT_STREQ(info.certificate, "");
  ASSERT_GE(info.num_diagnostics, 1u);
  ASSERT_EQ(seen.size(), info.num_diagnostics);
  effc_diagnostic record = diagnostic(0);
  EXPECT_EQ(record.severity, EFFC_SEVERITY_ERROR);
  EXPECT_STREQ(record.code, "EFFC-E0401");
  EXPECT_STREQ(record.file, "cnn.onnx");
  EXPECT_EQ(std::string(record.op).rfind("Gumm, opset ", 0), 0u);
  EXPECT_STREQ(record.reason, "the operator is not supported");
  EXPECT_STREQ(record.stage, "import");
  EXPECT_EQ(seen.front(), record.text);
  EXPECT_NE(seen.front().find("[EFFC-E0401]"), std::string::npos);
}

TEST_F(CompileTest, RefusesTextsThatAreNoOptions) {
  const char *dims[] = {"batch=two"};
  options.dims = dims;
  options.num_dims = 1;
  ASSERT_EQ(effc_compile_file(EFFC_TEST_MODEL, &options, &result),
            EFFC_STATUS_MODEL_ERROR);
  EXPECT_STREQ(diagnostic(0).code, "EFFC-E0102");
  EXPECT_STREQ(diagnostic(0).reason, "dims: 'two': expected an integer");
}

TEST_F(CompileTest, StopsAfterAStage) {
  options.output_dir = nullptr;
  options.stop_after = effc_stage(0);
  ASSERT_EQ(effc_compile_file(EFFC_TEST_MODEL, &options, &result),
            EFFC_STATUS_OK);
  EXPECT_NE(std::strstr(describe().ir, "eff.conv"), nullptr);
  EXPECT_EQ(describe().num_files, 0u);
}

TEST_F(CompileTest, ReportsAnOutputThatCannotBeWritten) {
  options.output_dir = "/proc/no/such/folder";
  ASSERT_EQ(effc_compile_file(EFFC_TEST_MODEL, &options, &result),
            EFFC_STATUS_MODEL_ERROR);
  // Behind remarks on how convolutions are computed.
  EXPECT_STREQ(diagnostic(describe().num_diagnostics - 1).code, "EFFC-E0501");
}

TEST_F(CompileTest, RefusesMisuse) {
  auto *junk = reinterpret_cast<effc_result *>(this);
  result = junk;
  EXPECT_EQ(effc_compile_file(nullptr, &options, &result),
            EFFC_STATUS_INVALID_ARGUMENT);
  EXPECT_EQ(result, nullptr);
  EXPECT_EQ(effc_compile_file(EFFC_TEST_MODEL, nullptr, &result),
            EFFC_STATUS_INVALID_ARGUMENT);
  EXPECT_EQ(effc_compile_file(EFFC_TEST_MODEL, &options, nullptr),
            EFFC_STATUS_INVALID_ARGUMENT);
  EXPECT_EQ(
      effc_compile_bytes(nullptr, 4, "m.onnx", nullptr, &options, &result),
      EFFC_STATUS_INVALID_ARGUMENT);
  auto refused = [&](auto change) {
    effc_compile_options changed = options;
    change(changed);
    return effc_compile_file(EFFC_TEST_MODEL, &changed, &result) ==
           EFFC_STATUS_INVALID_ARGUMENT;
  };
  EXPECT_TRUE(refused([](auto &o) { o.struct_size = 0; }));
  EXPECT_TRUE(refused([](auto &o) { o.flags = 1u << 30; }));
  EXPECT_TRUE(refused([](auto &o) { o.flags |= EFFC_COMPILE_O1; }));
  EXPECT_TRUE(refused([](auto &o) { o.num_dims = 1; }));
  EXPECT_TRUE(refused([](auto &o) { o.output_dir = nullptr; }));
  EXPECT_EQ(effc_result_describe(nullptr, nullptr),
            EFFC_STATUS_INVALID_ARGUMENT);
  EXPECT_EQ(effc_result_file(nullptr, 0), nullptr);
  effc_result_destroy(nullptr);
}

TEST_F(CompileTest, CopiesNoMoreThanTheCallerKnows) {
  std::string bytes = makeUnknownOperator();
  ASSERT_EQ(effc_compile_bytes(bytes.data(), bytes.size(), "cnn.onnx", nullptr,
                               &options, &result),
            EFFC_STATUS_MODEL_ERROR);
  effc_result_info info;
  std::memset(&info, 0x5a, sizeof(info));
  info.struct_size = offsetof(effc_result_info, library);
  ASSERT_EQ(effc_result_describe(result, &info), EFFC_STATUS_OK);
  EXPECT_EQ(info.status, EFFC_STATUS_MODEL_ERROR);
  EXPECT_EQ(info.struct_size, offsetof(effc_result_info, library));
  EXPECT_EQ(reinterpret_cast<uintptr_t>(info.library), 0x5a5a5a5a5a5a5a5au);
}

TEST_F(CompileTest, RunsInSeveralThreads) {
  std::vector<std::thread> threads;
  std::vector<int> statuses(4, -1);
  std::vector<std::string> libraries(4);
  for (int i = 0; i < 4; ++i)
    threads.emplace_back([&, i] {
      effc_compile_options own = options;
      std::string subfolder = folder + "/" + std::to_string(i);
      own.output_dir = subfolder.c_str();
      effc_result *mine = nullptr;
      statuses[i] = effc_compile_file(EFFC_TEST_MODEL, &own, &mine);
      if (const char *file = effc_result_file(mine, 0))
        libraries[i] = readFile(file);
      effc_result_destroy(mine);
    });
  for (std::thread &thread : threads)
    thread.join();
  for (int i = 0; i < 4; ++i) {
    EXPECT_EQ(statuses[i], EFFC_STATUS_OK);
    EXPECT_FALSE(libraries[i].empty());
    EXPECT_EQ(libraries[i], libraries[0]);
  }
}

TEST(Explain, KnowsAllCodes) {
  uint32_t count = 0;
  for (; effc_code(count); ++count) {
    effc_code_info info = {};
    info.struct_size = sizeof(info);
    ASSERT_EQ(effc_explain(effc_code(count), &info), EFFC_STATUS_OK);
    EXPECT_STREQ(info.code, effc_code(count));
    EXPECT_NE(std::strlen(info.remedy), 0u);
  }
  EXPECT_GT(count, 30u);
  effc_code_info info = {};
  info.struct_size = sizeof(info);
  EXPECT_EQ(effc_explain("E9999", &info), EFFC_STATUS_INVALID_ARGUMENT);
  EXPECT_STREQ(effc_cpu(0), "native");
  EXPECT_STREQ(effc_status_string(EFFC_STATUS_MODEL_ERROR), "model error");
}

} // namespace
