// Medians and spreads of rounds.
#include "Timing.h"
#include <gtest/gtest.h>

using namespace effc::tool;

TEST(Timing, QuantilesOfAnyOrder) {
  EXPECT_EQ(getQuantile({}, 0.5), 0);
  EXPECT_EQ(getQuantile({7}, 0), 7);
  EXPECT_EQ(getQuantile({7}, 1), 7);
  EXPECT_EQ(getQuantile({5, 1, 4, 2, 3}, 0), 1);
  EXPECT_EQ(getQuantile({5, 1, 4, 2, 3}, 0.5), 3);
  EXPECT_EQ(getQuantile({5, 1, 4, 2, 3}, 1), 5);
}

TEST(Timing, SpreadIsThatOfTheMiddleHalf) {
  EXPECT_EQ(getSpread({}), 0);
  EXPECT_EQ(getSpread({2, 2, 2, 2}), 0);
  // One outlier does not count, however far it is.
  EXPECT_DOUBLE_EQ(getSpread({10, 10, 11, 9, 10, 10, 10, 1e6}), 0.1);
}

TEST(Timing, RoundsWeighTheSame) {
  Timing timing;
  EXPECT_TRUE(timing.empty());
  timing.addRound({1, 1, 1, 1, 1, 1, 9});
  timing.addRound({3});
  timing.addRound({5, 2, 3});
  EXPECT_EQ(timing.getRounds(), (std::vector<double>{1, 3, 3}));
  EXPECT_EQ(timing.getMedian(), 3);
  EXPECT_EQ(timing.getBest(), 1);
  nlohmann::ordered_json json;
  timing.describe(json);
  EXPECT_EQ(json["runs"], 11);
  EXPECT_EQ(json["median_ms"], 3);
  EXPECT_EQ(json["p99_ms"], 9);
}
