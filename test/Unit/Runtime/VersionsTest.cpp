// Libraries with versions for several machines: which one is used, and chains
// that are damaged.
#include "TestModel.h"

#include "gtest/gtest.h"

#include <string>

namespace {

class Versions : public testing::Test {
protected:
  // The best first, as effc writes them; no machine has the first's.
  effrt_model_desc none = effc_model_table, second = effc_model_table,
                   third = effc_model_table;

  Versions() {
    none.target = "future";
    none.cpu_features = uint64_t(1) << 60;
    second.target = "second";
    second.cpu_features = 0;
    third.target = "third";
    third.cpu_features = 0;
    none.next = &second;
    second.next = &third;
  }

  effrt_status open(const char *version, std::string &text) {
    effrt_model_options options = {sizeof(options), 0, nullptr, version};
    effrt_model *model = nullptr;
    effrt_message message = {};
    effrt_status status = effrt_model_create(&none, &options, &model, &message);
    text = message.text;
    if (status == EFFRT_STATUS_OK) {
      EXPECT_EQ(text, "");
      effrt_model_info info = {};
      info.struct_size = sizeof(info);
      EXPECT_EQ(effrt_model_describe(model, &info), EFFRT_STATUS_OK);
      text = info.target;
    }
    effrt_model_close(model);
    return status;
  }
};

TEST_F(Versions, TheFirstThatRunsIsUsed) {
  std::string target;
  EXPECT_EQ(open(nullptr, target), EFFRT_STATUS_OK);
  EXPECT_EQ(target, "second");
  EXPECT_EQ(open("third", target), EFFRT_STATUS_OK);
  EXPECT_EQ(target, "third");
  ToySession toy(1, nullptr, &none);
  ToyRun run(8, 16);
  ASSERT_EQ(run.run(toy.session), EFFRT_STATUS_OK);
  EXPECT_TRUE(run.isRight());
}

TEST_F(Versions, WhatCannotRunIsRefusedByName) {
  std::string message;
  EXPECT_EQ(open("future", message), EFFRT_STATUS_CPU_UNSUPPORTED);
  EXPECT_NE(message.find("'future'"), std::string::npos) << message;
  EXPECT_EQ(open("fourth", message), EFFRT_STATUS_INVALID_ARGUMENT);
  EXPECT_NE(message.find("no version 'fourth'"), std::string::npos) << message;
  second.cpu_features = third.cpu_features = uint64_t(1) << 60;
  EXPECT_EQ(open(nullptr, message), EFFRT_STATUS_CPU_UNSUPPORTED);
  // The one that asks for least.
  EXPECT_NE(message.find("'third'"), std::string::npos) << message;
}

TEST_F(Versions, DamagedChainsAreRefused) {
  std::string message;
  third.next = &second;
  EXPECT_EQ(open(nullptr, message), EFFRT_STATUS_NOT_A_MODEL);
  third.next = nullptr;
  third.num_programs = 1;
  EXPECT_EQ(open(nullptr, message), EFFRT_STATUS_NOT_A_MODEL);
  third.num_programs = second.num_programs;
  third.abi_version = 99;
  EXPECT_EQ(open(nullptr, message), EFFRT_STATUS_ABI_MISMATCH);
}

TEST_F(Versions, OptionsOfOlderProgramsLackTheVersion) {
  effrt_model_options options = {offsetof(effrt_model_options, version), 0,
                                 nullptr, "never looked at"};
  effrt_model *model = nullptr;
  EXPECT_EQ(effrt_model_create(&none, &options, &model, nullptr),
            EFFRT_STATUS_OK);
  effrt_model_close(model);
}

} // namespace
