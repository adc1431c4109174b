// Opening and describing models, and everything that makes a model be refused.
#include "TestModel.h"

#include "gtest/gtest.h"

#include <cstdio>
#include <cstring>
#include <fstream>
#include <random>
#include <string>
#include <unistd.h>

namespace {

std::string refusal(const effrt_model_desc &desc, effrt_status expected,
                    const effrt_model_options *options = nullptr) {
  effrt_model *model = nullptr;
  effrt_message message = {};
  effrt_status status = effrt_model_create(&desc, options, &model, &message);
  EXPECT_EQ(status, expected) << message.text;
  EXPECT_EQ(model, nullptr);
  effrt_model_close(model);
  return message.text;
}

TEST(Status, EveryStatusHasItsText) {
  for (int i = 0; i <= EFFRT_STATUS_CANCELLED; ++i)
    EXPECT_STRNE(effrt_status_string(static_cast<effrt_status>(i)),
                 "unknown status")
        << i;
  EXPECT_STREQ(effrt_status_string(static_cast<effrt_status>(99)),
               "unknown status");
}

TEST(Status, ElementTypes) {
  EXPECT_EQ(effrt_dtype_size(EFFRT_DTYPE_BF16), 2u);
  for (int32_t dtype = EFFRT_DTYPE_F8E4M3FN; dtype <= EFFRT_DTYPE_I2; ++dtype)
    EXPECT_EQ(effrt_dtype_size(dtype), 1u);
  EXPECT_EQ(effrt_dtype_size(EFFRT_DTYPE_I2 + 1), 0u);
  EXPECT_EQ(effrt_dtype_size(8), 0u);
  EXPECT_STREQ(effrt_dtype_name(EFFRT_DTYPE_BOOL), "bool");
  EXPECT_EQ(effrt_abi_version(), EFFRT_ABI_VERSION);
}

TEST(Model, Describes) {
  ToySession toy;
  effrt_model_info info = {};
  info.struct_size = sizeof(info);
  ASSERT_EQ(effrt_model_describe(toy.model, &info), EFFRT_STATUS_OK);
  EXPECT_STREQ(info.name, "toy");
  EXPECT_STREQ(info.target, "v3");
  EXPECT_STREQ(info.certificate, "{\"name\": \"toy\"}");
  EXPECT_EQ(info.num_programs, 2u);
  EXPECT_EQ(info.weights_bytes, 8u);
  EXPECT_EQ(info.path, nullptr);

  effrt_program_info program = {};
  program.struct_size = sizeof(program);
  ASSERT_EQ(effrt_model_program(toy.model, mainProgram, &program),
            EFFRT_STATUS_OK);
  EXPECT_STREQ(program.name, "main");
  EXPECT_EQ(program.num_symbols, 3u);
  EXPECT_EQ(program.num_launches, 3u);

  effrt_tensor_info tensor = {};
  tensor.struct_size = sizeof(tensor);
  ASSERT_EQ(effrt_model_output(toy.model, mainProgram, 0, &tensor),
            EFFRT_STATUS_OK);
  EXPECT_STREQ(tensor.name, "y");
  EXPECT_STREQ(tensor.dim_texts[1], "seq");
  EXPECT_EQ(tensor.dims[1], -1);
  ASSERT_EQ(effrt_model_input(toy.model, fixedProgram, 0, &tensor),
            EFFRT_STATUS_OK);
  EXPECT_EQ(tensor.rank, 2u);
  EXPECT_EQ(tensor.dims[0], 2);
  EXPECT_EQ(tensor.dims[1], 3);

  effrt_symbol_info symbol = {};
  symbol.struct_size = sizeof(symbol);
  ASSERT_EQ(effrt_model_symbol(toy.model, mainProgram, 0, &symbol),
            EFFRT_STATUS_OK);
  EXPECT_STREQ(symbol.name, "batch");
  EXPECT_EQ(symbol.max, 64);
}

TEST(Model, RefusesBadIndicesAndInfoStructs) {
  ToySession toy;
  effrt_tensor_info tensor = {};
  tensor.struct_size = sizeof(tensor);
  EXPECT_EQ(effrt_model_input(toy.model, 2, 0, &tensor),
            EFFRT_STATUS_INVALID_ARGUMENT);
  EXPECT_EQ(effrt_model_input(toy.model, 0, 4, &tensor),
            EFFRT_STATUS_INVALID_ARGUMENT);
  EXPECT_EQ(effrt_model_output(toy.model, 0, 2, &tensor),
            EFFRT_STATUS_INVALID_ARGUMENT);
  EXPECT_EQ(effrt_model_describe(nullptr, nullptr),
            EFFRT_STATUS_INVALID_ARGUMENT);
  tensor.struct_size = 0;
  EXPECT_EQ(effrt_model_input(toy.model, 0, 0, &tensor),
            EFFRT_STATUS_INVALID_ARGUMENT);
  // An older, shorter struct is filled as far as it goes.
  tensor.struct_size = offsetof(effrt_tensor_info, rank);
  tensor.rank = 1234;
  EXPECT_EQ(effrt_model_input(toy.model, 0, 0, &tensor), EFFRT_STATUS_OK);
  EXPECT_STREQ(tensor.name, "x");
  EXPECT_EQ(tensor.rank, 1234u);
}

TEST(Model, OptionsOfANewerVersionMustBeZero) {
  struct {
    effrt_model_options known;
    uint64_t more;
  } options = {{sizeof(options), 0, nullptr, nullptr}, 0};
  effrt_model *model = nullptr;
  EXPECT_EQ(
      effrt_model_create(&effc_model_table, &options.known, &model, nullptr),
      EFFRT_STATUS_OK);
  effrt_model_close(model);
  options.more = 1;
  (void)refusal(effc_model_table, EFFRT_STATUS_INVALID_ARGUMENT,
                &options.known);
  options = {{sizeof(effrt_model_options), 1u << 30, nullptr, nullptr}, 0};
  (void)refusal(effc_model_table, EFFRT_STATUS_INVALID_ARGUMENT,
                &options.known);
}

TEST(Model, NamesTheMissingFeature) {
  effrt_model_desc desc = effc_model_table;
#if defined(__x86_64__)
  desc.cpu_features = EFFRT_CPU_NEON_DOTPROD;
  const char *expected = "NEON dot product";
#else
  desc.cpu_features = EFFRT_CPU_AVX512;
  const char *expected = "AVX-512";
#endif
  EXPECT_NE(refusal(desc, EFFRT_STATUS_CPU_UNSUPPORTED).find(expected),
            std::string::npos);
  desc.cpu_features = uint64_t(1) << 60;
  EXPECT_NE(refusal(desc, EFFRT_STATUS_CPU_UNSUPPORTED).find("unknown"),
            std::string::npos);
}

TEST(Model, RefusesAnotherAbi) {
  effrt_model_desc desc = effc_model_table;
  desc.magic = 1;
  (void)refusal(desc, EFFRT_STATUS_NOT_A_MODEL);
  desc = effc_model_table;
  desc.abi_version = 99;
  EXPECT_NE(refusal(desc, EFFRT_STATUS_ABI_MISMATCH).find("99"),
            std::string::npos);
  desc = effc_model_table;
  desc.struct_size += 8;
  (void)refusal(desc, EFFRT_STATUS_ABI_MISMATCH);
}

/// Applies `damage` to copies of the main program and its tables.
template <typename Damage> std::string refusalAfter(Damage damage) {
  effrt_model_desc desc = effc_model_table;
  effrt_program program = desc.programs[mainProgram];
  std::vector<effrt_dim_op> dims(program.dims, program.dims + program.num_dims);
  std::vector<effrt_symbol> symbols(program.symbols,
                                    program.symbols + program.num_symbols);
  std::vector<effrt_dim_check> checks(program.checks,
                                      program.checks + program.num_checks);
  std::vector<effrt_tensor_desc> inputs(program.inputs,
                                        program.inputs + program.num_inputs);
  std::vector<effrt_buffer> buffers(program.buffers,
                                    program.buffers + program.num_buffers);
  std::vector<effrt_launch> launches(program.launches,
                                     program.launches + program.num_launches);
  program.dims = dims.data();
  program.symbols = symbols.data();
  program.checks = checks.data();
  program.inputs = inputs.data();
  program.buffers = buffers.data();
  program.launches = launches.data();
  desc.programs = &program;
  desc.num_programs = 1;
  damage(desc, program, dims, symbols, checks, inputs, buffers, launches);
  return refusal(desc, EFFRT_STATUS_NOT_A_MODEL);
}

#define DAMAGE(statement)                                                      \
  refusalAfter([](auto &desc, auto &program, auto &dims, auto &symbols,        \
                  auto &checks, auto &inputs, auto &buffers, auto &launches) { \
    (void)desc, (void)program, (void)dims, (void)symbols, (void)checks,        \
        (void)inputs, (void)buffers, (void)launches;                           \
    statement;                                                                 \
  })

TEST(Model, RefusesDamagedTables) {
  EXPECT_NE(DAMAGE(dims[5].a = 5).find("bad dim 5"), std::string::npos);
  EXPECT_NE(DAMAGE(dims[0].a = 3).find("bad dim 0"), std::string::npos);
  EXPECT_NE(DAMAGE(dims[4].kind = 99).find("bad dim 4"), std::string::npos);
  EXPECT_NE(DAMAGE(checks[0].b = 1000).find("bad check"), std::string::npos);
  EXPECT_NE(DAMAGE(symbols[1].index = 4).find("bad symbol"), std::string::npos);
  EXPECT_NE(DAMAGE(symbols[1].axis = 2).find("bad symbol"), std::string::npos);
  EXPECT_NE(DAMAGE(inputs[2].dtype = 8).find("bad tensor"), std::string::npos);
  EXPECT_NE(DAMAGE(inputs[2].dims = nullptr).find("bad tensor"),
            std::string::npos);
  EXPECT_NE(DAMAGE(buffers[3].last = 3).find("bad buffer"), std::string::npos);
  EXPECT_NE(DAMAGE(buffers[2].value = 9).find("bad buffer"), std::string::npos);
  EXPECT_NE(DAMAGE(buffers[0].kind = 4).find("bad buffer"), std::string::npos);
  EXPECT_NE(DAMAGE(buffers[5].value = 2).find("bad buffer"), std::string::npos);
  EXPECT_NE(DAMAGE(buffers[3].last = 0).find("bad launch 1"),
            std::string::npos);
  EXPECT_NE(DAMAGE(launches[1].kernel = 3).find("bad launch 1"),
            std::string::npos);
  EXPECT_NE(DAMAGE(launches[1].cost = 100).find("bad launch 1"),
            std::string::npos);
  EXPECT_NE(DAMAGE(program.launches = nullptr).find("lacks a table"),
            std::string::npos);
  EXPECT_NE(DAMAGE(desc.certificate = nullptr).find("lacks a table"),
            std::string::npos);
  EXPECT_NE(DAMAGE(desc.weights = nullptr).find("lacks a table"),
            std::string::npos);
}

/// Overwrites some 32-bit field of a table that is no pointer.
template <typename Entry>
void damageSome(std::vector<Entry> &table, std::mt19937 &random,
                std::initializer_list<size_t> fields) {
  auto field = fields.begin() + random() % fields.size();
  uint32_t value =
      random() % 3 ? random() % 20 : static_cast<uint32_t>(random());
  Entry &entry = table[random() % table.size()];
  std::memcpy(reinterpret_cast<char *>(&entry) + *field, &value, sizeof(value));
}

TEST(Model, RandomDamageIsRefusedOrHarmless) {
  int numRefused = 0;
  for (unsigned seed = 0; seed < 3000; ++seed) {
    std::mt19937 random(seed);
    effrt_model_desc desc = effc_model_table;
    effrt_program program = desc.programs[mainProgram];
    std::vector<effrt_dim_op> dims(program.dims,
                                   program.dims + program.num_dims);
    std::vector<effrt_buffer> buffers(program.buffers,
                                      program.buffers + program.num_buffers);
    std::vector<effrt_launch> launches(program.launches,
                                       program.launches + program.num_launches);
    program.dims = dims.data();
    program.buffers = buffers.data();
    program.launches = launches.data();
    desc.programs = &program;
    desc.num_programs = 1;
    switch (random() % 3) {
    case 0:
      damageSome(dims, random, {0, 4, 8, 16, 20});
      break;
    case 1:
      damageSome(buffers, random, {0, 4, 8, 12, 16, 20});
      break;
    default:
      damageSome(launches, random, {0, 28, 32, 36, 40, 44});
    }
    effrt_model *model = nullptr;
    effrt_session *session = nullptr;
    if (effrt_model_create(&desc, nullptr, &model, nullptr)) {
      ++numRefused;
      continue;
    }
    // Binding looks at all of the tables; the kernels trust them.
    ASSERT_EQ(effrt_session_create(model, nullptr, &session, nullptr),
              EFFRT_STATUS_OK);
    ToyRun run(3, 4);
    effrt_tensor outputs[2] = {};
    (void)effrt_session_resolve(session, 0, run.inputs.data(), 4, outputs, 2);
    effrt_session_destroy(session);
    effrt_model_close(model);
  }
  EXPECT_GT(numRefused, 500);
}

/// FNV-1a, written anew.
uint64_t fnv(const std::string &bytes) {
  uint64_t hash = 14695981039346656037u;
  for (unsigned char byte : bytes)
    hash = (hash ^ byte) * 1099511628211u;
  return hash;
}

class WeightsFile : public testing::Test {
protected:
  std::string dir = testing::TempDir();
  std::string name = "effrt-weights-" + std::to_string(getpid());
  std::string bytes;
  effrt_model_desc desc = effc_model_table;
  effrt_model_options options = {sizeof(options), 0, nullptr, nullptr};

  void SetUp() override {
    float values[] = {0.0f, 2.0f};
    bytes.assign(reinterpret_cast<char *>(values), sizeof(values));
    desc.weights = nullptr;
    desc.weights_file = name.c_str();
    desc.weights_hash = fnv(bytes);
    options.weights_dir = dir.c_str();
    write(bytes);
  }
  void TearDown() override { (void)std::remove((dir + "/" + name).c_str()); }
  void write(const std::string &content) {
    std::ofstream(dir + "/" + name, std::ios::binary | std::ios::trunc)
        << content;
  }
};

TEST_F(WeightsFile, IsMappedAndUsed) {
  effrt_model *model = nullptr;
  effrt_message message;
  ASSERT_EQ(effrt_model_create(&desc, &options, &model, &message),
            EFFRT_STATUS_OK)
      << message.text;
  effrt_session *session = nullptr;
  ASSERT_EQ(effrt_session_create(model, nullptr, &session, nullptr),
            EFFRT_STATUS_OK);
  effrt_model_close(model);
  ToyRun toy(2, 3);
  EXPECT_EQ(toy.run(session), EFFRT_STATUS_OK) << effrt_session_error(session);
  EXPECT_TRUE(toy.isRight());
  effrt_session_destroy(session);
}

TEST_F(WeightsFile, MissingShortOrChanged) {
  write(bytes.substr(1));
  EXPECT_NE(refusal(desc, EFFRT_STATUS_BAD_WEIGHTS, &options).find("7 bytes"),
            std::string::npos);
  std::string changed = bytes;
  changed[5] ^= 1;
  write(changed);
  EXPECT_NE(refusal(desc, EFFRT_STATUS_BAD_WEIGHTS, &options).find("hash"),
            std::string::npos);
  options.flags = EFFRT_MODEL_TRUST_WEIGHTS;
  effrt_model *model = nullptr;
  EXPECT_EQ(effrt_model_create(&desc, &options, &model, nullptr),
            EFFRT_STATUS_OK);
  effrt_model_close(model);
  options.weights_dir = nullptr; // beside the test program, where it is not
  EXPECT_NE(refusal(desc, EFFRT_STATUS_FILE_ERROR, &options).find(name),
            std::string::npos);
}

TEST(Open, RunsALibrary) {
  effrt_model *model = nullptr;
  effrt_message message;
  ASSERT_EQ(effrt_model_open(EFFRT_TEST_LIBRARY, nullptr, &model, &message),
            EFFRT_STATUS_OK)
      << message.text;
  effrt_model_info info = {};
  info.struct_size = sizeof(info);
  ASSERT_EQ(effrt_model_describe(model, &info), EFFRT_STATUS_OK);
  EXPECT_STREQ(info.path, EFFRT_TEST_LIBRARY);
  effrt_session *session = nullptr;
  ASSERT_EQ(effrt_session_create(model, nullptr, &session, nullptr),
            EFFRT_STATUS_OK);
  effrt_model_close(model);
  ToyRun toy(5, 9);
  EXPECT_EQ(toy.run(session), EFFRT_STATUS_OK) << effrt_session_error(session);
  EXPECT_TRUE(toy.isRight());
  effrt_session_destroy(session);
}

std::string openRefusal(const std::string &path, effrt_status expected) {
  effrt_model *model = nullptr;
  effrt_message message = {};
  EXPECT_EQ(effrt_model_open(path.c_str(), nullptr, &model, &message), expected)
      << message.text;
  return message.text;
}

TEST(Open, RefusesWhatIsNoModel) {
  EXPECT_NE(openRefusal("/nonexistent/lib.so", EFFRT_STATUS_FILE_ERROR)
                .find("No such file"),
            std::string::npos);
  (void)openRefusal("/", EFFRT_STATUS_NOT_A_MODEL);
  (void)openRefusal("/dev/null", EFFRT_STATUS_NOT_A_MODEL);
  EXPECT_NE(openRefusal(EFFRT_OTHER_LIBRARY, EFFRT_STATUS_NOT_A_MODEL)
                .find("effc_model_table"),
            std::string::npos);
  EXPECT_EQ(effrt_model_open(nullptr, nullptr, nullptr, nullptr),
            EFFRT_STATUS_INVALID_ARGUMENT);
}

TEST(Open, RefusesEveryTruncation) {
  std::ifstream file(EFFRT_TEST_LIBRARY, std::ios::binary);
  std::string bytes((std::istreambuf_iterator<char>(file)),
                    std::istreambuf_iterator<char>());
  std::string path = testing::TempDir() + "/effrt-truncated-" +
                     std::to_string(getpid()) + ".so";
  for (size_t size :
       {size_t(0), size_t(10), size_t(64), size_t(100), size_t(1000)}) {
    std::ofstream(path, std::ios::binary | std::ios::trunc)
        << bytes.substr(0, size);
    EXPECT_FALSE(openRefusal(path, EFFRT_STATUS_NOT_A_MODEL).empty()) << size;
  }
  (void)std::remove(path.c_str());
}

} // namespace
