// A run on shapes already seen allocates nothing. The linker sends every
// allocation of the runtime (linked in as in a model library) through the
// counters here, see CMakeLists.txt.
#include "TestModel.h"

#include "gtest/gtest.h"

#include <atomic>
#include <cstdlib>

static std::atomic<int64_t> numAllocations{0};

extern "C" {
// NOLINTBEGIN(bugprone-reserved-identifier): the names are the linker's.
void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *memory, size_t size);
int __real_posix_memalign(void **out, size_t alignment, size_t size);

void *__wrap_malloc(size_t size) {
  ++numAllocations;
  return __real_malloc(size);
}
void *__wrap_calloc(size_t count, size_t size) {
  ++numAllocations;
  return __real_calloc(count, size);
}
void *__wrap_realloc(void *memory, size_t size) {
  ++numAllocations;
  return __real_realloc(memory, size);
}
int __wrap_posix_memalign(void **out, size_t alignment, size_t size) {
  ++numAllocations;
  return __real_posix_memalign(out, alignment, size);
}
// NOLINTEND(bugprone-reserved-identifier)
}

namespace {

TEST(Allocation, RepeatedRunsAllocateNothing) {
  for (int32_t threads : {1, 3}) {
    ToySession toy(threads);
    ToyRun first(64, 700), second(5, 20), third(2, 3);
    int64_t before = numAllocations;
    EXPECT_EQ(first.run(toy.session), EFFRT_STATUS_OK);
    EXPECT_GT(numAllocations, before);
    EXPECT_EQ(second.run(toy.session), EFFRT_STATUS_OK);
    EXPECT_EQ(third.run(toy.session), EFFRT_STATUS_OK);
    before = numAllocations;
    for (int round = 0; round < 10; ++round) {
      EXPECT_EQ(first.run(toy.session), EFFRT_STATUS_OK);
      EXPECT_EQ(second.run(toy.session), EFFRT_STATUS_OK);
      EXPECT_EQ(third.run(toy.session), EFFRT_STATUS_OK);
    }
    EXPECT_EQ(numAllocations, before);
  }
}

TEST(Allocation, KnownSizesAreBoundWithTheSession) {
  ToySession toy;
  ToyRun fixed(2, 3), dynamic(5, 100);
  int64_t before = numAllocations;
  EXPECT_EQ(fixed.run(toy.session, fixedProgram), EFFRT_STATUS_OK);
  EXPECT_TRUE(fixed.isRight());
  EXPECT_EQ(numAllocations, before);
  EXPECT_EQ(dynamic.run(toy.session, mainProgram), EFFRT_STATUS_OK);
  EXPECT_GT(numAllocations, before);
}

TEST(Allocation, ErrorsAllocateNothing) {
  ToySession toy;
  ToyRun good(4, 5), bad(4, 5);
  bad.rowsShape[0] = 3;
  EXPECT_EQ(good.run(toy.session), EFFRT_STATUS_OK);
  int64_t before = numAllocations;
  for (int round = 0; round < 10; ++round)
    EXPECT_EQ(bad.run(toy.session), EFFRT_STATUS_SHAPE_MISMATCH);
  EXPECT_EQ(numAllocations, before);
}

TEST(Allocation, NewShapesTakeOverEvictedOnes) {
  ToySession toy;
  ToyRun large(4, 100);
  EXPECT_EQ(large.run(toy.session), EFFRT_STATUS_OK);
  for (int64_t seq = 50; seq < 60; ++seq) {
    ToyRun run(4, seq);
    EXPECT_EQ(run.run(toy.session), EFFRT_STATUS_OK);
  }
  int64_t before = numAllocations;
  for (int64_t seq = 60; seq < 80; ++seq) {
    ToyRun run(4, seq);
    EXPECT_EQ(run.run(toy.session), EFFRT_STATUS_OK);
  }
  EXPECT_EQ(numAllocations, before);
}

} // namespace
