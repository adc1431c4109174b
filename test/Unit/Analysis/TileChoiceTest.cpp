// Tiles and loop orders of known shapes.
#include "effc/Analysis/TileChoice.h"
#include "gtest/gtest.h"

using namespace effc;

namespace {

class TileChoiceTest : public testing::Test {
protected:
  TileChoiceTest() { context.loadDialect<eff::EffDialect>(); }

  TileChoice choose(int64_t bits, std::optional<int64_t> m, int64_t n,
                    int64_t k, int64_t rowBytes = 0) {
    auto target =
        eff::TargetAttr::get(&context, "test", "", "", bits,
                             bits == 512 ? 32 : 16, 32 << 10, 1 << 20);
    return chooseGemmTile(target, m, n, k, rowBytes);
  }

  mlir::MLIRContext context;
};

TEST_F(TileChoiceTest, LargeMatricesGetFullTiles) {
  TileChoice wide = choose(512, 1024, 1024, 1024);
  EXPECT_EQ(wide.rows, 6);
  EXPECT_EQ(wide.width, 64);
  TileChoice narrow = choose(256, 1024, 1536, 1024);
  EXPECT_EQ(narrow.rows, 4);
  EXPECT_EQ(narrow.width, 24);
}

TEST_F(TileChoiceTest, OneRowIsOneRow) {
  TileChoice tile = choose(512, 1, 4096, 4096);
  EXPECT_EQ(tile.rows, 1);
  EXPECT_EQ(tile.rowsPerBlock, 1);
  EXPECT_FALSE(tile.rowsOuter);
}

TEST_F(TileChoiceTest, FewColumnsGetNarrowTiles) {
  EXPECT_EQ(choose(512, 3136, 16, 64).width, 16);
  EXPECT_EQ(choose(512, 3136, 32, 64).width, 32);
  EXPECT_EQ(choose(512, 196, 96, 64).width, 48);
}

TEST_F(TileChoiceTest, SmallWeightsStayWhileRowsPass) {
  EXPECT_TRUE(choose(512, 3136, 64, 576, 256).rowsOuter);
  EXPECT_FALSE(choose(512, 49, 512, 4608, 2048).rowsOuter);
}

TEST_F(TileChoiceTest, BlocksHoldWholeTiles) {
  for (std::optional<int64_t> rows :
       {std::optional<int64_t>(100), std::optional<int64_t>(49),
        std::optional<int64_t>()}) {
    TileChoice tile = choose(512, rows, 384, 384);
    EXPECT_EQ(tile.rowsPerBlock % tile.rows, 0);
  }
}

} // namespace
