// The memory plan: never an overlap, and close to the least that any plan could
// need.
#include "../../../lib/Runtime/Plan.h"

#include "gtest/gtest.h"

#include <random>
#include <vector>

namespace {

struct Plan {
  bool ok;
  uint64_t total = 0;
  uint64_t bound = 0;
  std::vector<uint64_t> offsets;
};

Plan plan(const std::vector<effrt_plan_item> &items) {
  Plan result;
  result.offsets.resize(items.size());
  uint32_t steps = 0;
  for (const effrt_plan_item &item : items)
    steps = std::max(steps, item.last + 1);
  std::vector<uint64_t> work(effrt_plan_work_bytes(items.size(), steps) / 8 +
                             1);
  result.ok =
      effrt_plan_arena(items.data(), items.size(), steps, work.data(),
                       result.offsets.data(), &result.total, &result.bound);
  return result;
}

void expectNoOverlap(const std::vector<effrt_plan_item> &items,
                     const Plan &result) {
  for (size_t i = 0; i < items.size(); ++i) {
    EXPECT_EQ(result.offsets[i] % EFFRT_PLAN_ALIGN, 0u);
    EXPECT_LE(result.offsets[i] + items[i].bytes, result.total);
    for (size_t j = 0; j < i; ++j) {
      bool sameTime =
          items[i].first <= items[j].last && items[j].first <= items[i].last;
      bool apart = result.offsets[i] + items[i].bytes <= result.offsets[j] ||
                   result.offsets[j] + items[j].bytes <= result.offsets[i];
      EXPECT_TRUE(!sameTime || apart || items[i].bytes == 0 ||
                  items[j].bytes == 0)
          << i << " and " << j;
    }
  }
}

TEST(Plan, EmptyPlanNeedsNothing) { EXPECT_EQ(plan({}).total, 0u); }

TEST(Plan, ReusesMemoryOfDeadBuffers) {
  std::vector<effrt_plan_item> items = {
      {100, 0, 1}, {100, 1, 2}, {100, 2, 3}, {100, 3, 4}};
  Plan result = plan(items);
  expectNoOverlap(items, result);
  EXPECT_EQ(result.total, 256u);
  EXPECT_EQ(result.bound, 256u);
}

TEST(Plan, PicksTheSmallestGap) {
  // Two gaps of 256 and 128 bytes at step 1; the 128 byte buffer belongs into
  // the second.
  std::vector<effrt_plan_item> items = {
      {1024, 0, 2}, {512, 0, 0}, {1024, 0, 2}, {128, 1, 1}};
  Plan result = plan(items);
  expectNoOverlap(items, result);
  EXPECT_EQ(result.total, 2560u);
}

TEST(Plan, EmptyBuffersTakeNoPlace) {
  std::vector<effrt_plan_item> items = {{0, 0, 5}, {64, 0, 5}, {0, 0, 5}};
  EXPECT_EQ(plan(items).total, 64u);
}

TEST(Plan, RefusesSizesBeyond64Bits) {
  EXPECT_FALSE(plan({{UINT64_MAX, 0, 0}}).ok);
  EXPECT_FALSE(
      plan({{UINT64_MAX / 2, 0, 0}, {UINT64_MAX / 2, 0, 0}, {1024, 0, 0}}).ok);
}

TEST(Plan, RandomPlansAreSoundAndNearTheBound) {
  double total = 0, bound = 0;
  for (unsigned seed = 0; seed < 200; ++seed) {
    std::mt19937 random(seed);
    std::vector<effrt_plan_item> items(1 + random() % 120);
    for (effrt_plan_item &item : items) {
      item.bytes = random() % 5 == 0 ? random() % 100000 : 64 * (random() % 64);
      item.first = random() % 100;
      item.last =
          item.first + (random() % 10 == 0 ? random() % 50 : random() % 4);
    }
    Plan result = plan(items);
    ASSERT_TRUE(result.ok) << "seed " << seed;
    expectNoOverlap(items, result);
    EXPECT_GE(result.total, result.bound) << "seed " << seed;
    total += static_cast<double>(result.total);
    bound += static_cast<double>(result.bound);
    EXPECT_EQ(plan(items).offsets, result.offsets) << "seed " << seed;
  }
  EXPECT_LT(total / bound, 1.05);
}

TEST(Plan, ChainOfANetworkMeetsTheBound) {
  // Each value lives until the next launch; every third is also kept for a
  // residual sum.
  std::vector<effrt_plan_item> items;
  for (uint32_t i = 0; i < 300; ++i)
    items.push_back({(i % 4 + 1) * 4096, i, i + (i % 3 == 0 ? 3 : 1)});
  Plan result = plan(items);
  expectNoOverlap(items, result);
  EXPECT_LE(result.total, result.bound * 5 / 4);
}

TEST(Plan, SkipConnectionsMeetTheBound) {
  // A U-net: sizes halve on the way in, skips live until the way out. By size
  // alone this takes 13/12 of the bound.
  std::vector<effrt_plan_item> items;
  for (uint32_t i = 0; i < 60; ++i) {
    uint64_t size = uint64_t(65536) << (10 - std::min(i, 60 - i) / 6);
    items.push_back({size, i, i + 1});
    if (i < 30 && i % 3 == 0)
      items.push_back({size / 2, i, 60 - i});
  }
  Plan result = plan(items);
  expectNoOverlap(items, result);
  EXPECT_EQ(result.total, result.bound);
}

} // namespace
