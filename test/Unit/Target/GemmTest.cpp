// effk.gemm against a reference loop, over odd shapes, tiles, layouts and
// epilogues.
#include "GemmCase.h"

#include "llvm/Support/FormatVariadic.h"

using namespace effc;
using namespace mlir;

namespace {

class GemmTest : public KernelFixture {
protected:
  void check(const GemmCase &gemm) {
    SCOPED_TRACE(
        llvm::formatv(
            "m {0} n {1} k {2} tile {3}x{4} block {5} conv {6}x{7} on {8}",
            gemm.m, gemm.n, gemm.k, gemm.tileRows, gemm.tileWidth,
            gemm.rowsPerBlock, gemm.height, gemm.widthIn, gemm.cpu)
            .str());
    auto kernels =
        JITKernels::create(*buildGemm(context, gemm), target(gemm.cpu));
    ASSERT_TRUE(succeeded(kernels));
    GemmData data(gemm);
    data.run(**kernels, 3);
    // Integers are exact.
    double bound = gemm.types == GemmTypes::U8S8 ? 0.0 : 1e-5;
    EXPECT_LE(data.maxError(), bound * (1 + gemm.k / 16));
    std::vector<uint32_t> inThreeParts = data.c;
    data.run(**kernels, 1);
    EXPECT_EQ(data.c, inThreeParts)
        << "the bits depend on how the extent is split";
  }
};

/// The shapes of one machine: every tile has `lanes` columns a vector.
void sweep(function_ref<void(const GemmCase &)> check, StringRef cpu,
           int64_t lanes, ArrayRef<std::pair<int64_t, int64_t>> tiles) {
  for (auto [rows, vectors] : tiles)
    for (auto [m, n, k] : {std::array<int64_t, 3>{1, 1, 1},
                           {13, 100, 7},
                           {24, 128, 64},
                           {29, 65, 33}})
      for (bool dynamic : {false, true}) {
        GemmCase gemm = GemmCase::matrix(m, n, k);
        gemm.tileRows = rows;
        gemm.tileWidth = vectors * lanes;
        gemm.rowsPerBlock = 2 * rows;
        gemm.dynamic = dynamic;
        gemm.rowsOuter = dynamic;
        gemm.cpu = cpu;
        check(gemm);
      }
}

TEST_F(GemmTest, Avx2) {
  sweep([&](const GemmCase &gemm) { check(gemm); }, "v3", 8, {{6, 2}, {4, 3}});
}

TEST_F(GemmTest, Avx512) {
  if (target().getVectorBits() < 512)
    GTEST_SKIP() << "this machine has no AVX-512";
  sweep([&](const GemmCase &gemm) { check(gemm); }, "v4", 16,
        {{6, 4}, {8, 3}, {14, 2}, {1, 4}});
}

TEST_F(GemmTest, RowMajorRightHandSide) {
  for (int64_t n : {1, 32, 77})
    for (bool dynamic : {false, true}) {
      GemmCase gemm = GemmCase::matrix(17, n, 19);
      gemm.tileRows = 4;
      gemm.tileWidth = 24;
      gemm.rowMajorB = true;
      gemm.dynamic = dynamic;
      gemm.cpu = "v3";
      check(gemm);
    }
}

TEST_F(GemmTest, Epilogues) {
  for (TestEpilogue epilogue :
       {TestEpilogue::None, TestEpilogue::BiasResidualTanh,
        TestEpilogue::Position})
    for (int64_t n : {24, 31}) {
      GemmCase gemm = GemmCase::matrix(11, n, 5);
      gemm.tileRows = 4;
      gemm.tileWidth = 24;
      gemm.epilogue = epilogue;
      gemm.cpu = "v3";
      check(gemm);
    }
}

TEST_F(GemmTest, Convolutions) {
  for (GemmCase gemm : {GemmCase::conv(1, 7, 7, 8, 24, 3, 1, 1, 1),
                        GemmCase::conv(2, 9, 6, 5, 30, 3, 2, 1, 1),
                        GemmCase::conv(1, 12, 11, 3, 16, 3, 1, 2, 2),
                        GemmCase::conv(2, 8, 8, 4, 24, 3, 1, 1, 0),
                        GemmCase::conv(1, 5, 5, 4, 24, 5, 1, 1, 2)})
    for (bool dynamic : {false, true}) {
      gemm.tileRows = 4;
      gemm.tileWidth = 24;
      gemm.rowsPerBlock = 20;
      gemm.dynamic = dynamic;
      gemm.cpu = "v3";
      check(gemm);
    }
}

/// Where a target multiplies small types in groups: matrices with tails in all
/// dims, convolutions whose taps are no multiple of a group.
void sweepTypes(function_ref<void(const GemmCase &)> check, GemmTypes types,
                StringRef cpu, int64_t lanes, int64_t interleave) {
  SmallVector<GemmCase> cases;
  for (auto [m, n, k] : {std::array<int64_t, 3>{1, 1, 1},
                         {13, 100, 7},
                         {24, 128, 64},
                         {3, 16, 4},
                         {5, 17, 2},
                         {29, 65, 33}}) {
    cases.push_back(GemmCase::matrix(m, n, k));
  }
  llvm::append_range(
      cases, ArrayRef<GemmCase>{GemmCase::conv(1, 7, 7, 8, 24, 3, 1, 1, 1),
                                GemmCase::conv(2, 9, 6, 5, 30, 3, 2, 1, 1),
                                GemmCase::conv(1, 12, 11, 3, 16, 3, 1, 2, 2),
                                GemmCase::conv(2, 8, 8, 6, 24, 3, 1, 1, 0)});
  for (GemmCase gemm : cases)
    for (int64_t vectors : {1, 2, 3})
      for (bool dynamic : {false, true}) {
        gemm.types = types;
        gemm.interleave = interleave;
        gemm.cpu = cpu;
        gemm.tileRows = 4;
        gemm.tileWidth = vectors * lanes;
        gemm.rowsPerBlock = 8;
        gemm.dynamic = dynamic;
        gemm.rowsOuter = dynamic;
        gemm.epilogue = dynamic ? TestEpilogue::None : TestEpilogue::Bias;
        check(gemm);
        if (types != GemmTypes::U8S8)
          continue;
        gemm.extreme = true;
        gemm.padValue = gemm.pad != 0 ? 131 : 0;
        check(gemm);
      }
}

TEST_F(GemmTest, BytesByWords) {
  sweepTypes([&](const GemmCase &gemm) { check(gemm); }, GemmTypes::U8S8, "v3",
             8, 2);
}

TEST_F(GemmTest, BytesByWordsAvx512) {
  if (target().getVectorBits() < 512)
    GTEST_SKIP() << "this machine has no AVX-512";
  sweepTypes([&](const GemmCase &gemm) { check(gemm); }, GemmTypes::U8S8, "v4",
             16, 2);
}

TEST_F(GemmTest, BytesByVNNI) {
  if (!target().getFeatures().contains("+avx512vnni"))
    GTEST_SKIP() << "this machine has no AVX512-VNNI";
  sweepTypes([&](const GemmCase &gemm) { check(gemm); }, GemmTypes::U8S8,
             "v4-vnni", 16, 4);
}

/// 65800 products of 255 and -128 are less than the least i32.
TEST_F(GemmTest, SumsOfBytesWrap) {
  for (auto [cpu, lanes, interleave] :
       {std::tuple<StringRef, int64_t, int64_t>{"v3", 8, 2},
        {"v4-vnni", 16, 4}}) {
    if (cpu != "v3" && !target().getFeatures().contains("+avx512vnni"))
      GTEST_SKIP() << "this machine has no AVX512-VNNI";
    GemmCase gemm;
    gemm.n = 3;
    gemm.k = 65801;
    gemm.tileRows = 1;
    gemm.tileWidth = lanes;
    gemm.types = GemmTypes::U8S8;
    gemm.interleave = interleave;
    gemm.extreme = true;
    gemm.cpu = cpu;
    check(gemm);
  }
}

TEST_F(GemmTest, BF16Widened) {
  sweepTypes([&](const GemmCase &gemm) { check(gemm); }, GemmTypes::BF16, "v3",
             8, 1);
}

TEST_F(GemmTest, BF16ByPairs) {
  if (!target().getFeatures().contains("+avx512bf16"))
    GTEST_SKIP() << "this machine has no AVX512-BF16";
  sweepTypes([&](const GemmCase &gemm) { check(gemm); }, GemmTypes::BF16,
             "v4-bf16", 16, 2);
}

/// A 2 x 3 times 3 x 10 product of small integers, which every type holds.
const char *typedGemm = R"mlir(
func.func @gemm(%a: memref<?x{0}>, %b: memref<?x{1}>, %c: memref<?x{2}>, %lo: index, %hi: index,
                %scratch: memref<?xi8>) attributes {{effk.kernel, effk.results = 1 : i64} {{
  %c0 = arith.constant 0 : index
  %m = arith.constant 2 : index
  %k = arith.constant 3 : index
  %n = arith.constant 10 : index
  "effk.gemm"(%a, %c0, %m, %k, %k, %b, %c0, %n, %c, %c0, %n, %n, %lo, %hi) <{{
      maps = array<i64>, tile = array<i64: 4, {4}>, rows_per_block = 4 : i64,
      operandSegmentSizes = array<i32: 1, 1, 1, 1, 0, 0, 1, 0, 0, 0, 0, 1, 1, 1, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 0, 0, 0>}> ({{
  ^bb0(%sum: {3}, %row: index, %column: index):
    {5}
    effk.yield %y : {2}
  }) : (memref<?x{0}>, index, index, index, index, memref<?x{1}>, index, index, memref<?x{2}>, index, index, index,
        index, index) -> ()
  return
})mlir";

TEST_F(GemmTest, HalfTypesAreWidened) {
  std::string text = llvm::formatv(typedGemm, "f16", "bf16", "i8", "f32", 24,
                                   "%y = arith.fptosi %sum : f32 to i8");
  auto kernels = compile(text, "v3");
  ASSERT_TRUE(kernels);
  // 1, 2 and 3 in f16; 2 in bf16.
  std::vector<uint16_t> a = {0x3c00, 0x4000, 0x4200, 0x4200, 0x4200, 0x4200},
                        b(30, 0x4000);
  std::vector<int8_t> c(20);
  kernels->run("gemm", {a.data(), b.data(), c.data()}, {}, 0, 1);
  for (int i = 0; i < 20; ++i)
    EXPECT_EQ(c[i], i < 10 ? 12 : 18);
}

TEST_F(GemmTest, DoublesAreSummedInDoubles) {
  std::string text = llvm::formatv(typedGemm, "f64", "f64", "f64", "f64", 12,
                                   "%y = arith.negf %sum : f64");
  auto kernels = compile(text, "v3");
  ASSERT_TRUE(kernels);
  double tiny = 0x1p-40;
  std::vector<double> a = {1.0, tiny, 0.0, 2.0, 0.0, 0.0}, b(30, 1.0), c(20);
  kernels->run("gemm", {a.data(), b.data(), c.data()}, {}, 0, 1);
  for (int i = 0; i < 20; ++i)
    EXPECT_EQ(c[i], i < 10 ? -1.0 - tiny : -2.0);
}

TEST_F(GemmTest, RefusesTilesThatAreNotInTheTable) {
  std::string message;
  ScopedDiagnosticHandler handler(
      &context, [&](Diagnostic &diagnostic) { message = diagnostic.str(); });
  GemmCase gemm;
  gemm.tileRows = 9;
  gemm.tileWidth = 24;
  EXPECT_TRUE(
      failed(JITKernels::create(*buildGemm(context, gemm), target("v3"))));
  EXPECT_EQ(message, "'effk.gemm' op has no microkernel of 9x24, 'f32' x "
                     "'f32' to 'f32' by 1, on v3");
}

} // namespace
