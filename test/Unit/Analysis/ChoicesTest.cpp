// Keys and candidates: what a lock may say, and what it may not.
#include "effc/Analysis/Choices.h"
#include "effc/Analysis/Microarchitecture.h"
#include "gtest/gtest.h"

using namespace effc;

namespace {

class ChoicesTest : public testing::Test {
protected:
  ChoicesTest() { context.loadDialect<eff::EffDialect>(); }

  eff::TargetAttr makeTarget(int64_t bits, llvm::StringRef tune = "",
                             llvm::StringRef features = "") {
    return eff::TargetAttr::get(&context, "test", "", features, bits,
                                bits == 256 ? 16 : 32, 32 << 10, 1 << 20, tune);
  }
  mlir::DictionaryAttr lock(const ChoiceKey &key, llvm::StringRef choice) {
    mlir::NamedAttrList list;
    list.set(key.print(), mlir::StringAttr::get(&context, choice));
    return list.getDictionary(&context);
  }

  mlir::MLIRContext context;
};

TEST_F(ChoicesTest, KeysAreTextAndBack) {
  for (const ChoiceKey &key :
       {makeKey(GemmKey{GemmTypes::U8S8, -1, 64, 576, 256}),
        makeKey(ConvKey{1, -1, 56, 64, 128})}) {
    auto parsed = ChoiceKey::parse(key.print());
    ASSERT_TRUE(parsed);
    EXPECT_EQ(parsed->print(), key.print());
    EXPECT_EQ(parsed->sizes, key.sizes);
    EXPECT_FALSE(parsed->isStatic());
  }
  EXPECT_FALSE(ChoiceKey::parse("gemm"));
  EXPECT_FALSE(ChoiceKey::parse("gemm f32 m=many"));
}

TEST_F(ChoicesTest, TheModelsChoiceIsTheFirstCandidate) {
  for (int64_t bits : {128, 256, 512}) {
    eff::TargetAttr target = makeTarget(bits);
    for (int64_t m : {1, 7, 49, 196, 3136})
      for (int64_t n : {10, 64, 512, 3072}) {
        ChoiceKey key = makeKey(GemmKey{GemmTypes::F32, m, n, 512, 0});
        std::vector<std::string> all = getCandidates(target, key);
        ASSERT_FALSE(all.empty());
        TileChoice model = chooseGemmTile(target, m, n, 512);
        TileChoice locked =
            KernelChoices(target, lock(key, all.front())).gemm(m, n, 512);
        EXPECT_EQ(locked.rows, model.rows);
        EXPECT_EQ(locked.width, model.width);
        EXPECT_EQ(locked.rowsPerBlock, model.rowsPerBlock);
        EXPECT_EQ(locked.rowsOuter, model.rowsOuter);
        EXPECT_GE(all.size(), 2u) << key.print();
      }
  }
}

TEST_F(ChoicesTest, LockedChoicesAreTaken) {
  eff::TargetAttr target = makeTarget(512);
  ChoiceKey key = makeKey(ConvKey{1, 56, 56, 64, 64});
  std::vector<std::string> all = getCandidates(target, key);
  EXPECT_TRUE(llvm::is_contained(all, "direct"));
  WinogradSizes sizes{1, 56, 56, 64, 64};
  EXPECT_TRUE(KernelChoices(target, {}).winograd(sizes).isFaster);
  EXPECT_FALSE(
      KernelChoices(target, lock(key, "direct")).winograd(sizes).isFaster);
  for (const std::string &text : all) {
    WinogradChoice choice =
        KernelChoices(target, lock(key, text)).winograd(sizes);
    EXPECT_EQ(choice.isFaster, text != "direct");
    EXPECT_EQ(choice.reason, "measured: " + text);
  }
}

TEST_F(ChoicesTest, StrangeKeysHaveNoCandidates) {
  eff::TargetAttr target = makeTarget(256);
  ChoiceKey good = makeKey(GemmKey{GemmTypes::F32, 8, 64, 64, 256});
  EXPECT_FALSE(getCandidates(target, good).empty());
  auto damage = [&](auto change) {
    ChoiceKey key = good;
    change(key);
    EXPECT_TRUE(getCandidates(target, key).empty()) << key.print();
  };
  damage([](ChoiceKey &key) { key.kernel = "gemv"; });
  damage([](ChoiceKey &key) { key.types = "f64"; });
  damage([](ChoiceKey &key) { key.sizes.pop_back(); });
  damage([](ChoiceKey &key) { key.sizes[1].first = "rows"; });
  damage([](ChoiceKey &key) { key.sizes[1].second = -1; });
  damage([](ChoiceKey &key) { key.sizes[0].second = INT64_MAX; });
  damage([](ChoiceKey &key) {
    for (auto &[name, size] : key.sizes)
      size = kMostOfKey;
  });
  ChoiceKey conv = makeKey(ConvKey{1, 8, 8, 0, 8});
  EXPECT_TRUE(getCandidates(target, conv).empty());
}

TEST_F(ChoicesTest, TheTableKnowsMicroarchitectures) {
  // Half the units, then the latency hides less behind the multiplications.
  EXPECT_EQ(getMicroarchitecture(makeTarget(512, "znver4")).fmasPerCycle, 1);
  EXPECT_EQ(getMicroarchitecture(makeTarget(512, "znver5")).fmasPerCycle, 2);
  EXPECT_EQ(getMicroarchitecture(makeTarget(128, "neoverse-v1")).fmasPerCycle,
            4);
  EXPECT_EQ(getMicroarchitecture(makeTarget(512, "unheard-of")).fmaLatency, 4);
  EXPECT_NE(describeTarget(makeTarget(512, "znver4")),
            describeTarget(makeTarget(512, "znver5")));
}

TEST_F(ChoicesTest, PairsOfBF16AreFasterWhereTheCoreMultipliesThemSo) {
  llvm::StringRef pairs = "+avx512vnni,+avx512bf16";
  std::string tiles = (pairs + ",+amx-tile,+amx-int8,+amx-bf16").str();
  auto isFaster = [&](llvm::StringRef core, llvm::StringRef features) {
    return isFasterThanF32(makeTarget(512, core, features), GemmTypes::BF16);
  };
  EXPECT_TRUE(isFaster("znver5", pairs));
  EXPECT_FALSE(isFaster("sapphirerapids", pairs));
  EXPECT_TRUE(isFaster("sapphirerapids", tiles));
  EXPECT_FALSE(isFaster("znver5", ""));
  // Products that fill no tile go to the vectors only where these are fast.
  auto cyclesOf = [&](llvm::StringRef core, GemmTypes types) {
    return estimateProductCycles(makeTarget(512, core, pairs), 128, 256, 256,
                                 types);
  };
  EXPECT_GT(cyclesOf("sapphirerapids", GemmTypes::BF16),
            cyclesOf("sapphirerapids", GemmTypes::F32));
  EXPECT_LT(cyclesOf("znver5", GemmTypes::BF16),
            cyclesOf("znver5", GemmTypes::F32));
}

} // namespace
