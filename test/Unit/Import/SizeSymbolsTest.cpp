// Bounds, minima and conclusions of symbolic sizes, and the names that stand
// for them.
#include "SizeSymbols.h"
#include "mlir/IR/MLIRContext.h"
#include "gtest/gtest.h"

using namespace mlir;
using namespace effc;

namespace {

class SizeSymbolsTest : public testing::Test {
protected:
  SizeSymbolsTest() {
    context.loadDialect<eff::EffDialect>();
    batch = symbols.declare("batch", 0, 0, 1, 1000);
    past = symbols.declare("past", 1, 2, 0, 1000);
  }

  MLIRContext context{MLIRContext::Threading::DISABLED};
  SizeSymbols symbols{&context};
  AffineExpr batch, past;
};

using Bounds = std::pair<int64_t, int64_t>;

TEST_F(SizeSymbolsTest, BoundsOfExpressions) {
  EXPECT_EQ(symbols.bounds(batch), Bounds(1, 1000));
  EXPECT_EQ(symbols.bounds(batch * -2 + past), Bounds(-2000, 998));
  EXPECT_EQ(symbols.bounds(batch.floorDiv(3)), Bounds(0, 333));
  EXPECT_EQ(symbols.bounds(batch % 8), Bounds(0, 7));
  // An interval alone would allow 499 - 1 here.
  EXPECT_LE(symbols.bounds(eff::simplify(batch.floorDiv(2) - batch)).second, 0);
}

TEST_F(SizeSymbolsTest, SizesThatMeet) {
  AffineExpr heads = symbols.declare("heads", 2, 1, 1, 1000);
  AffineExpr large = symbols.declare("large", 3, 0, 2, 1000);
  AffineExpr one = eff::constDim(&context, 1),
             four = eff::constDim(&context, 4);
  EXPECT_EQ(symbols.meet(batch, batch), batch);
  EXPECT_EQ(symbols.meet(one, batch), batch);
  EXPECT_EQ(symbols.meet(batch, four), four);
  EXPECT_EQ(symbols.meet(batch, large), large);
  // What is computed is taken to be equal.
  EXPECT_EQ(symbols.meet(batch, past + 1), batch);
  AffineExpr met = symbols.meet(batch, past);
  EXPECT_NE(met, batch);
  EXPECT_EQ(symbols.meet(past, batch), met);
  EXPECT_EQ(symbols.meet(met, past), met);
  EXPECT_EQ(symbols.bounds(met), Bounds(0, 1000));
  AffineExpr all = symbols.meet(heads, met);
  EXPECT_EQ(symbols.meet(symbols.meet(heads, past), batch), all);
  EXPECT_TRUE(symbols.isPart(heads, all) && symbols.isPart(batch, all));
  EXPECT_FALSE(symbols.isPart(large, all));
  EXPECT_TRUE(symbols.mayBeOne(past, all) && symbols.mayBeOne(past, four));
  EXPECT_FALSE(symbols.mayBeOne(large, batch));
  EXPECT_FALSE(symbols.mayBeOne(past + 1, batch));
}

TEST_F(SizeSymbolsTest, SizesThatAlwaysDiffer) {
  AffineExpr large = symbols.declare("large", 2, 0, 2, 1000);
  EXPECT_EQ(symbols.meet(batch, batch + 2), batch + 2);
  EXPECT_EQ(symbols.meet(batch + 2, batch), batch + 2);
  EXPECT_TRUE(symbols.mayBeOne(batch, batch + 2));
  EXPECT_FALSE(symbols.mayBeOne(batch + 2, batch));
  EXPECT_TRUE(symbols.mayBeOne(past, past + batch));
  // Neither can be 1: nothing fits, and a check says so.
  EXPECT_EQ(symbols.meet(large, large + 2), large);
  EXPECT_FALSE(symbols.mayBeOne(large, large + 2));
  symbols.markState(past);
  EXPECT_FALSE(symbols.mayBeOne(past, past + batch));
}

TEST_F(SizeSymbolsTest, SizesThatMeetAfterReplacement) {
  AffineExpr met = symbols.meet(batch, past);
  unsigned position = cast<AffineSymbolExpr>(met).getPosition();
  SmallVector<AffineExpr> same{batch, past, met}, equal{batch, batch, met},
      four{batch, eff::constDim(&context, 4), met};
  EXPECT_FALSE(symbols.meetAgain(position, same));
  EXPECT_EQ(symbols.meetAgain(position, equal), batch);
  EXPECT_EQ(symbols.meetAgain(position, four), eff::constDim(&context, 4));
}

TEST_F(SizeSymbolsTest, RepeatedSizes) {
  auto evaluate = [&](AffineExpr size, int64_t a, int64_t b) {
    return eff::getConstant(eff::replaceSymbols(
        size, {eff::constDim(&context, a), eff::constDim(&context, b)}));
  };
  for (int64_t a : {0, 1, 2, 3, 100}) {
    EXPECT_EQ(evaluate(eff::repeatedSize(batch, past), a, 7), a == 1 ? 7 : a);
    if (a > 0)
      EXPECT_EQ(evaluate(eff::repeatedStep(batch), a, 7), a > 1);
  }
}

TEST_F(SizeSymbolsTest, MinimaThatFold) {
  EXPECT_EQ(symbols.min(batch, batch + past), batch);
  EXPECT_EQ(symbols.max(batch - 1, eff::constDim(&context, 0)), batch - 1);
  EXPECT_EQ(symbols.min(past, eff::constDim(&context, 5000)), past);
}

TEST_F(SizeSymbolsTest, EqualMinimaShareASymbol) {
  AffineExpr limit = eff::constDim(&context, 512);
  AffineExpr first = symbols.min(batch, limit);
  EXPECT_TRUE(isa<AffineSymbolExpr>(first));
  EXPECT_EQ(symbols.min(limit, batch), first);
  EXPECT_EQ(symbols.size(), 3u);
  EXPECT_EQ(symbols.bounds(first), Bounds(1, 512));
}

TEST_F(SizeSymbolsTest, EqualityWithAMinimumIsABound) {
  AffineExpr shorter = symbols.min(batch, eff::constDim(&context, 512));
  SizeSymbols::Conclusion conclusion = symbols.assumeEqual(batch, shorter);
  EXPECT_TRUE(conclusion.holds);
  EXPECT_EQ(conclusion.symbol, shorter);
  EXPECT_EQ(conclusion.value, batch);
  EXPECT_EQ(symbols.bounds(batch), Bounds(1, 512));
}

TEST_F(SizeSymbolsTest, EqualityOfFreeSizesNeedsACheck) {
  SizeSymbols::Conclusion conclusion = symbols.assumeEqual(batch, past);
  EXPECT_FALSE(conclusion.holds);
  EXPECT_EQ(conclusion.symbol, past);
  EXPECT_FALSE(symbols.assumeEqual(batch + 1, past * 2).symbol);
}

TEST_F(SizeSymbolsTest, NamesOfSums) {
  EXPECT_EQ(symbols.parse("past + batch"), eff::simplify(past + batch));
  EXPECT_EQ(symbols.parse("2*batch-1"), batch * 2 - 1);
  EXPECT_EQ(symbols.parse("-1 + batch"), batch - 1);
  EXPECT_FALSE(symbols.parse("past + other"));
  EXPECT_FALSE(symbols.parse(""));
  EXPECT_FALSE(symbols.parse("batch + "));
}

TEST(SizeAlgebra, EqualSizesAreEqualExpressions) {
  MLIRContext context;
  AffineExpr a = getAffineSymbolExpr(0, &context);
  AffineExpr b = getAffineSymbolExpr(1, &context);
  auto same = [](AffineExpr x, AffineExpr y) {
    EXPECT_EQ(eff::simplify(x), eff::simplify(y));
  };
  same((a + b) * 12 * a, a * a * 12 + a * b * 12);
  same((a * 4 + 6).floorDiv(4), a + 1);
  same((a * 4 + 6).floorDiv(8), (a * 2 + 3).floorDiv(4));
  same(a.floorDiv(160).floorDiv(2), a.floorDiv(320));
  same(a.ceilDiv(2), (a + 1).floorDiv(2));
  same((a * 8 + b) % 8, b % 8);
  same(eff::exactDiv((a + b) * a * 768, (a + b) * 12), a * 64);
  same(eff::exactDiv(a * b, b), a);
  EXPECT_EQ(eff::getConstant(eff::exactDiv(a * 6, a * 2)), 3);
}

} // namespace
