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
                             bits == 512 ? 32 : 16, 32 << 10, 1 << 20, "");
    return chooseGemmTile(target, m, n, k, rowBytes);
  }

  WinogradChoice chooseWinograd(int64_t bits, const WinogradSizes &sizes) {
    auto target =
        eff::TargetAttr::get(&context, "test", "", "", bits,
                             bits == 512 ? 32 : 16, 32 << 10, 1 << 20, "");
    return effc::chooseWinograd(target, sizes);
  }

  mlir::MLIRContext context;
};

TEST_F(TileChoiceTest, TilesOfAMXWhereTheyWin) {
  auto target = eff::TargetAttr::get(
      &context, "test", "", "+avx512vnni,+avx512bf16,+amx-int8,+amx-bf16", 512,
      32, 48 << 10, 2 << 20, "");
  for (GemmTypes types : {GemmTypes::U8S8, GemmTypes::BF16}) {
    auto choose = [&](std::optional<int64_t> m, int64_t n, int64_t k) {
      return chooseGemmTile(target, m, n, k, 0, types);
    };
    TileChoice large = choose(128, 768, 768);
    EXPECT_TRUE(large.isMatrix);
    EXPECT_EQ(large.rows, 32);
    EXPECT_EQ(large.width, 32);
    EXPECT_EQ(large.rowsPerBlock % 32, 0);
    // Sizes that only a run knows are many.
    EXPECT_TRUE(choose({}, 768, 768).isMatrix);
    // Few rows: one register of them, more columns.
    TileChoice few = choose(16, 768, 768);
    EXPECT_TRUE(few.isMatrix);
    EXPECT_EQ(few.rows, 16);
    EXPECT_EQ(few.width, 64);
    EXPECT_EQ(choose(128, 16, 768).width, 16);
    // One row is bound by its weights, whoever multiplies.
    EXPECT_FALSE(choose(1, 768, 768).isMatrix);
    EXPECT_FALSE(choose(1, 4096, 4096).isMatrix);
    // Runs of three bytes fill a sixteenth of a register, and rows that wrap
    // are copied.
    auto conv = [&](int64_t channels) {
      return chooseConvTile(target, 56 * 56, 64, 9 * channels, channels, types,
                            {56, 0.0, channels});
    };
    EXPECT_FALSE(conv(3).isMatrix);
    EXPECT_TRUE(conv(64).isMatrix);
  }
  EXPECT_FALSE(chooseGemmTile(target, 128, 768, 768).isMatrix);
}

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

TEST_F(TileChoiceTest, LastPanelLeavesOutVectors) {
  EXPECT_EQ(choose(512, 196, 112, 672).width, 64);
  EXPECT_EQ(choose(512, 3136, 24, 144).width, 32);
}

// 512 to 512 channels at 7x7 and the like: panels of 64 columns do not stay in
// L2.
TEST_F(TileChoiceTest, DeepPanelsFitL2) {
  EXPECT_EQ(choose(512, 49, 512, 4608, 2048).width, 32);
  EXPECT_EQ(choose(512, 49, 512, 2048).width, 32);
  EXPECT_EQ(choose(512, 49, 512, 512 * 9, 8192).width, 32);
}

TEST_F(TileChoiceTest, TilesEndWithTheRowsOfAMap) {
  auto target = eff::TargetAttr::get(&context, "test", "", "", 512, 32,
                                     32 << 10, 1 << 20, "");
  auto conv = [&](int64_t run, int64_t outputs, double outside) {
    return chooseConvTile(target, run * run, outputs, 9 * 256, 1024,
                          GemmTypes::F32, {run, outside});
  };
  EXPECT_EQ(conv(7, 512, 2.0 / 21).rows, 7);
  EXPECT_EQ(conv(13, 256, 2.0 / 39).rows, 13);
  // Nothing to leave out.
  EXPECT_EQ(conv(28, 256, 0).rows, 6);
  for (int64_t run = 1; run < 100; ++run)
    for (int64_t outputs : {16, 24, 48, 64, 100, 512}) {
      TileChoice tile = conv(run, outputs, 0.1);
      int64_t vectors = tile.width / 16;
      EXPECT_LE(tile.rows * vectors + vectors + 1, 32);
    }
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

// The 3x3 convolutions of resnet50 and smaller ones, as measured
// (docs/evidence.md, "Winograd").
TEST_F(TileChoiceTest, WinogradWhereItIsFaster) {
  for (int64_t bits : {256, 512}) {
    EXPECT_TRUE(chooseWinograd(bits, {1, 56, 56, 64, 64}).isFaster);
    EXPECT_TRUE(chooseWinograd(bits, {1, 28, 28, 128, 128}).isFaster);
    EXPECT_TRUE(chooseWinograd(bits, {1, 14, 14, 256, 256}).isFaster);
    EXPECT_TRUE(chooseWinograd(bits, {1, 14, 14, 64, 64}).isFaster);
    // Sizes that only a run knows.
    EXPECT_TRUE(chooseWinograd(bits, {{}, {}, {}, 128, 128}).isFaster);
    EXPECT_TRUE(chooseWinograd(bits, {{}, 28, 28, 128, 128}).isFaster);
    // Few channels; nothing to do.
    EXPECT_FALSE(chooseWinograd(bits, {1, 28, 28, 8, 8}).isFaster);
    EXPECT_FALSE(chooseWinograd(bits, {1, 224, 224, 3, 64}).isFaster);
    EXPECT_FALSE(chooseWinograd(bits, {0, 28, 28, 128, 128}).isFaster);
  }
  // Few tiles for weights that come from memory: they cost more than the sums
  // with wide vectors, less than those with narrow ones.
  EXPECT_FALSE(chooseWinograd(512, {1, 7, 7, 512, 512}).isFaster);
  EXPECT_FALSE(chooseWinograd(512, {{}, 7, 7, 512, 512}).isFaster);
  EXPECT_TRUE(chooseWinograd(256, {1, 7, 7, 512, 512}).isFaster);
}

TEST_F(TileChoiceTest, WinogradBlocksDivideTheOutputs) {
  for (int64_t outputs : {1, 7, 48, 64, 100, 129, 256, 512, 768})
    for (int64_t size : {1, 7, 14, 56, 200}) {
      WinogradChoice choice = chooseWinograd(512, {1, size, size, 64, outputs});
      EXPECT_EQ(outputs % choice.block, 0);
      EXPECT_GE(choice.strip, 1);
      EXPECT_LE(choice.strip, 64);
    }
  // Enough iterations for a few threads.
  EXPECT_EQ(chooseWinograd(512, {1, 14, 14, 256, 256}).block, 64);
}

} // namespace
