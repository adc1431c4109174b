// Peaks are those of a machine of our days; how high depends on its load.
#include "Machine.h"
#include <gtest/gtest.h>

using namespace effc::tool;

TEST(Roofline, BothRoofsArePlausible) {
  Roofline roofline = measureRoofline(2);
  EXPECT_GT(roofline.gflops, 0.1);
  EXPECT_LT(roofline.gflops, 2000);
  EXPECT_GT(roofline.gbs, 0.05);
  EXPECT_LT(roofline.gbs, 2000);
}

TEST(Machine, CoresAreDistinct) {
  std::vector<int> cores = getCores();
  ASSERT_FALSE(cores.empty());
  for (size_t i = 0; i < cores.size(); ++i)
    for (size_t j = 0; j < i; ++j)
      EXPECT_NE(cores[i], cores[j]);
  EXPECT_GT(getResidentBytes(), 100000u);
}
