// An application's pool may do as it likes with the order, the threads and the
// time of the tasks, as long as all are done in the end.
#include "TestModel.h"

#include "gtest/gtest.h"

#include <chrono>
#include <thread>
#include <vector>

namespace {

using Task = void (*)(void *ctx, int64_t index);

/// All tasks on one thread that is not the caller's.
void onOneThread(void *, Task fn, void *ctx, int64_t count) {
  std::thread([&] {
    for (int64_t i = 0; i < count; ++i)
      fn(ctx, i);
  }).join();
}

/// Each task on a thread of its own, the first ones long after the last.
void late(void *, Task fn, void *ctx, int64_t count) {
  std::vector<std::thread> threads;
  for (int64_t i = 0; i < count; ++i)
    threads.emplace_back([=] {
      std::this_thread::sleep_for(std::chrono::milliseconds(10 * (count - i)));
      fn(ctx, i);
    });
  for (std::thread &thread : threads)
    thread.join();
}

/// On the calling thread alone, as a pool of no threads would.
void onTheCaller(void *, Task fn, void *ctx, int64_t count) {
  for (int64_t i = 0; i < count; ++i)
    fn(ctx, i);
}

class ForeignPool : public testing::TestWithParam<effrt_parallel_for_fn> {};

TEST_P(ForeignPool, GivesTheBitsOfOneThread) {
  ToySession one(1);
  ToyRun expected(64, 999);
  ASSERT_EQ(expected.run(one.session), EFFRT_STATUS_OK);
  for (int32_t threads : {1, 2, 5, 64}) {
    effrt_pool_options options = {sizeof(options), threads, GetParam(),
                                  nullptr};
    effrt_pool *pool = nullptr;
    ASSERT_EQ(effrt_pool_create(&options, &pool, nullptr), EFFRT_STATUS_OK);
    ToySession toy(0, pool);
    for (int round = 0; round < 3; ++round) {
      ToyRun run(64, 999);
      ASSERT_EQ(run.run(toy.session), EFFRT_STATUS_OK);
      EXPECT_EQ(run.y, expected.y) << threads;
      EXPECT_EQ(run.sums, expected.sums) << threads;
    }
    effrt_pool_destroy(pool);
  }
}

INSTANTIATE_TEST_SUITE_P(Orders, ForeignPool,
                         testing::Values(onOneThread, late, onTheCaller));

TEST(ForeignPoolTest, ServesTwoSessionsAtATime) {
  effrt_pool_options options = {sizeof(options), 3, late, nullptr};
  effrt_pool *pool = nullptr;
  ASSERT_EQ(effrt_pool_create(&options, &pool, nullptr), EFFRT_STATUS_OK);
  int wrong[2] = {};
  auto work = [&](int index) {
    ToySession toy(0, pool);
    for (int round = 0; round < 5; ++round) {
      ToyRun run(64, 999 - index);
      wrong[index] += run.run(toy.session) != EFFRT_STATUS_OK || !run.isRight();
    }
  };
  std::thread first(work, 0), second(work, 1);
  first.join();
  second.join();
  EXPECT_EQ(wrong[0] + wrong[1], 0);
  effrt_pool_destroy(pool);
}

TEST(ForeignPoolTest, MoreThreadsThanCoresAreRight) {
  // Fewer than what the runtime takes, many more than any test machine has
  // free.
  ToySession toy(128);
  ASSERT_NE(toy.session, nullptr);
  for (int round = 0; round < 5; ++round) {
    ToyRun run(64, 999);
    ASSERT_EQ(run.run(toy.session), EFFRT_STATUS_OK);
    EXPECT_TRUE(run.isRight());
  }
}

} // namespace
