// Threads: the same bits for any number of them, pools shared by sessions,
// pools of the caller.
#include "TestModel.h"

#include "gtest/gtest.h"

#include <atomic>
#include <chrono>
#include <thread>

namespace {

effrt_pool *makePool(int32_t numThreads) {
  effrt_pool_options options = {sizeof(options), numThreads, nullptr, nullptr};
  effrt_pool *pool = nullptr;
  EXPECT_EQ(effrt_pool_create(&options, &pool, nullptr), EFFRT_STATUS_OK);
  return pool;
}

TEST(Pool, ThreadsDoNotChangeBits) {
  ToySession one(1);
  ToyRun expected(64, 999);
  ASSERT_EQ(expected.run(one.session), EFFRT_STATUS_OK);
  EXPECT_TRUE(expected.isRight());
  for (int32_t threads : {2, 3, 4, 7}) {
    ToySession toy(threads);
    for (int round = 0; round < 20; ++round) {
      ToyRun run(64, 999);
      ASSERT_EQ(run.run(toy.session), EFFRT_STATUS_OK);
      EXPECT_EQ(run.y, expected.y);
      EXPECT_EQ(run.sums, expected.sums);
    }
  }
}

TEST(Pool, WorkersWakeAfterSleep) {
  ToySession toy(3);
  ToyRun run(64, 500);
  for (int round = 0; round < 5; ++round) {
    std::fill(run.y.begin(), run.y.end(), 0.0f);
    ASSERT_EQ(run.run(toy.session), EFFRT_STATUS_OK);
    EXPECT_TRUE(run.isRight());
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
}

TEST(Pool, IsSharedBySessionsOnTwoThreads) {
  effrt_pool *pool = makePool(4);
  std::atomic<int> wrong = 0;
  auto work = [&](int64_t batch) {
    ToySession toy(0, pool);
    for (int round = 0; round < 200; ++round) {
      ToyRun run(batch, 300 + round % 3);
      wrong += run.run(toy.session) != EFFRT_STATUS_OK || !run.isRight();
    }
  };
  std::thread first(work, 64), second(work, 40);
  first.join();
  second.join();
  EXPECT_EQ(wrong, 0);
  effrt_pool_destroy(pool);
}

TEST(Pool, SessionsOfOneModelOnTwoThreads) {
  effrt_model *model = nullptr;
  ASSERT_EQ(effrt_model_create(&effc_model_table, nullptr, &model, nullptr),
            EFFRT_STATUS_OK);
  std::atomic<int> wrong = 0;
  auto work = [&](int64_t batch) {
    effrt_session_options options = {sizeof(options), 2, nullptr};
    effrt_session *session = nullptr;
    wrong += effrt_session_create(model, &options, &session, nullptr) !=
             EFFRT_STATUS_OK;
    for (int round = 0; round < 50; ++round) {
      ToyRun run(batch, 300);
      wrong += run.run(session) != EFFRT_STATUS_OK || !run.isRight();
    }
    effrt_session_destroy(session);
  };
  std::thread first(work, 64), second(work, 40);
  first.join();
  second.join();
  EXPECT_EQ(wrong, 0);
  effrt_model_close(model);
}

TEST(Pool, OutlivesItsHandleInASession) {
  effrt_pool *pool = makePool(2);
  ToySession toy(0, pool);
  effrt_pool_destroy(pool);
  ToyRun run(64, 500);
  EXPECT_EQ(run.run(toy.session), EFFRT_STATUS_OK);
  EXPECT_TRUE(run.isRight());
}

struct OwnThreads {
  int64_t calls = 0;
};

// Backwards and one after the other: any order and any number of threads will
// do.
void ownParallelFor(void *user, void (*fn)(void *ctx, int64_t index), void *ctx,
                    int64_t count) {
  static_cast<OwnThreads *>(user)->calls += 1;
  std::thread last([&] { fn(ctx, count - 1); });
  for (int64_t i = count - 1; i-- > 0;)
    fn(ctx, i);
  last.join();
}

TEST(Pool, TakesTheCallersThreads) {
  OwnThreads own;
  effrt_pool_options options = {sizeof(options), 5, ownParallelFor, &own};
  effrt_pool *pool = nullptr;
  ASSERT_EQ(effrt_pool_create(&options, &pool, nullptr), EFFRT_STATUS_OK);
  EXPECT_EQ(effrt_pool_num_threads(pool), 5);
  ToySession toy(0, pool);
  ToyRun run(64, 999);
  EXPECT_EQ(run.run(toy.session), EFFRT_STATUS_OK);
  EXPECT_TRUE(run.isRight());
  EXPECT_EQ(own.calls, 3);
  // Too small to be worth a thread.
  ToyRun small(4, 10);
  EXPECT_EQ(small.run(toy.session), EFFRT_STATUS_OK);
  EXPECT_EQ(own.calls, 3);
  effrt_pool_destroy(pool);
}

TEST(Pool, DefaultsToTheCoresOfTheProcess) {
  effrt_pool *pool = nullptr;
  ASSERT_EQ(effrt_pool_create(nullptr, &pool, nullptr), EFFRT_STATUS_OK);
  EXPECT_GE(effrt_pool_num_threads(pool), 1);
  effrt_pool_destroy(pool);
  effrt_pool_options options = {sizeof(options), 5000, nullptr, nullptr};
  effrt_message message;
  EXPECT_EQ(effrt_pool_create(&options, &pool, &message),
            EFFRT_STATUS_INVALID_ARGUMENT);
}

} // namespace
