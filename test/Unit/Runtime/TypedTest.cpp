// What the typed functions of a generated header call. The options are laid out
// here as in those headers.
#include "TestModel.h"

#include "gtest/gtest.h"

#include <string>

extern "C" {
struct toy_options {
  uint32_t struct_size;
  int32_t num_threads;
  effrt_parallel_for_fn parallel_for;
  void *user;
  const char *weights_dir;
  char *message;
  size_t message_size;
};

effrt_status effrt_typed_create(const effrt_model_desc *desc,
                                const toy_options *options,
                                effrt_session **out);
}

namespace {

TEST(Typed, RunsWithDefaults) {
  effrt_session *session = nullptr;
  ASSERT_EQ(effrt_typed_create(&effc_model_table, nullptr, &session),
            EFFRT_STATUS_OK);
  ToyRun run(64, 300);
  EXPECT_EQ(run.run(session), EFFRT_STATUS_OK);
  EXPECT_TRUE(run.isRight());
  effrt_session_destroy(session);
}

void countAndRun(void *user, void (*fn)(void *ctx, int64_t index), void *ctx,
                 int64_t count) {
  ++*static_cast<int *>(user);
  for (int64_t i = 0; i < count; ++i)
    fn(ctx, i);
}

TEST(Typed, TakesTheCallersThreads) {
  int calls = 0;
  toy_options options = {};
  options.struct_size = sizeof(options);
  options.num_threads = 3;
  options.parallel_for = countAndRun;
  options.user = &calls;
  effrt_session *session = nullptr;
  ASSERT_EQ(effrt_typed_create(&effc_model_table, &options, &session),
            EFFRT_STATUS_OK);
  ToyRun run(64, 300);
  EXPECT_EQ(run.run(session), EFFRT_STATUS_OK);
  EXPECT_TRUE(run.isRight());
  EXPECT_EQ(calls, 3);
  effrt_session_destroy(session);
}

TEST(Typed, TellsWhyThereIsNoSession) {
  effrt_model_desc desc = effc_model_table;
  desc.weights = nullptr;
  desc.weights_file = "effrt-no-such.weights";
  char message[256] = "";
  toy_options options = {};
  options.struct_size = sizeof(options);
  options.weights_dir = "/nonexistent";
  options.message = message;
  options.message_size = sizeof(message);
  effrt_session *session = nullptr;
  EXPECT_EQ(effrt_typed_create(&desc, &options, &session),
            EFFRT_STATUS_FILE_ERROR);
  EXPECT_NE(std::string(message).find("/nonexistent/effrt-no-such.weights"),
            std::string::npos)
      << message;
  EXPECT_EQ(session, nullptr);
  // A short buffer gets as much as fits.
  options.message_size = 7;
  EXPECT_EQ(effrt_typed_create(&desc, &options, &session),
            EFFRT_STATUS_FILE_ERROR);
  EXPECT_STREQ(message, "cannot");
  // An older header knows fewer options.
  options.struct_size = offsetof(toy_options, parallel_for);
  EXPECT_EQ(effrt_typed_create(&effc_model_table, &options, &session),
            EFFRT_STATUS_OK);
  effrt_session_destroy(session);
}

} // namespace
