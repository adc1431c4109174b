// Kernels for AVX-512, VNNI, BF16 and AMX on any machine with AVX2: tiles of
// the one, instructions of the other (test/lib/Emulation.h).
#include "Emulation.h"
#include "GemmCase.h"
#include "MatrixEmulation.h"
#include "llvm/Support/FormatVariadic.h"

using namespace mlir;
using namespace effc;

namespace {

/// The closing line says what was never executed by hardware.
class Summary : public testing::Environment {
  void TearDown() override {
    std::printf("emulated: %s\n", describeEmulated().c_str());
  }
};

[[maybe_unused]] testing::Environment *const summary =
    testing::AddGlobalTestEnvironment(new Summary);

struct Kind {
  StringRef cpu;
  GemmTypes types;
  int64_t interleave;
};

class EmulationTest : public KernelFixture,
                      public testing::WithParamInterface<Kind> {
protected:
  std::vector<uint32_t> compute(const GemmCase &gemm,
                                const EmitOptions &options) {
    auto kernels = JITKernels::create(*buildGemm(context, gemm),
                                      target(gemm.cpu), options);
    EXPECT_TRUE(succeeded(kernels));
    if (failed(kernels))
      return {};
    GemmData data(gemm);
    data.run(**kernels, 3);
    EXPECT_TRUE(amx::isReleased());
    double bound = gemm.types == GemmTypes::U8S8 ? 0.0 : 1e-5;
    EXPECT_LE(data.maxError(), bound * (1 + gemm.k / 16));
    return data.c;
  }
};

TEST_P(EmulationTest, TilesAreRight) {
  Kind kind = GetParam();
  for (auto [rows, vectors] : {std::pair<int64_t, int64_t>{6, 4}, {1, 1}})
    for (auto [m, n, k] :
         {std::array<int64_t, 3>{13, 70, 33}, {1, 5, 64}, {8, 128, 7}}) {
      GemmCase gemm = GemmCase::matrix(m, n, k);
      gemm.tileRows = rows;
      gemm.tileWidth = vectors * 16;
      gemm.rowsPerBlock = 2 * rows;
      gemm.types = kind.types;
      gemm.interleave = kind.interleave;
      gemm.extreme = kind.types == GemmTypes::U8S8;
      gemm.cpu = kind.cpu;
      SCOPED_TRACE(llvm::formatv("{0}x{1}x{2} tile {3}x{4} for {5}", m, n, k,
                                 rows, gemm.tileWidth, kind.cpu)
                       .str());
      auto emulated = compute(gemm, makeEmulationOptions(target("v3")));
      // Where the machine has the instructions, they must agree; VDPBF16PS
      // takes subnormal numbers for zeros, which these are not.
      if (canRun(target(kind.cpu)))
        EXPECT_EQ(emulated, compute(gemm, {}));
    }
}

INSTANTIATE_TEST_SUITE_P(Kinds, EmulationTest,
                         testing::Values(Kind{"v4", GemmTypes::F32, 1},
                                         Kind{"v4", GemmTypes::U8S8, 2},
                                         Kind{"v4-vnni", GemmTypes::U8S8, 4},
                                         Kind{"v4-bf16", GemmTypes::BF16, 2}));

/// Registers of AMX: edges in all dims, tails of k, rows that wrap, taps
/// outside of the image.
class MatrixTest : public EmulationTest {
protected:
  void check(GemmCase gemm, int64_t registerRows = 16) {
    Kind kind = GetParam();
    gemm.types = kind.types;
    gemm.interleave = kind.interleave;
    gemm.cpu = kind.cpu;
    for (auto [rows, vectors] :
         {std::pair<int64_t, int64_t>{32, 2}, {16, 4}, {32, 1}})
      for (bool dynamic : {false, true}) {
        gemm.registerRows = registerRows == 16 ? 0 : registerRows;
        gemm.tileRows = rows / 16 * registerRows;
        gemm.tileWidth = vectors * 16;
        gemm.rowsPerBlock = 4 * registerRows;
        gemm.dynamic = dynamic;
        gemm.rowsOuter = dynamic;
        SCOPED_TRACE(llvm::formatv("{0}x{1}x{2} tile {3}x{4} dynamic {5}",
                                   gemm.m, gemm.n, gemm.k, gemm.tileRows,
                                   gemm.tileWidth, dynamic)
                         .str());
        auto emulated = compute(gemm, makeEmulationOptions(target()));
        if (canRun(target(kind.cpu)))
          EXPECT_EQ(emulated, compute(gemm, {}));
      }
  }
};

TEST_P(MatrixTest, Matrices) {
  for (auto [m, n, k] : {std::array<int64_t, 3>{1, 5, 3},
                         {16, 16, 64},
                         {47, 33, 31},
                         {33, 100, 68},
                         {69, 64, 256},
                         {96, 32, 200}}) {
    GemmCase gemm = GemmCase::matrix(m, n, k);
    gemm.extreme = GetParam().types == GemmTypes::U8S8;
    check(gemm);
  }
}

TEST_P(MatrixTest, Convolutions) {
  for (GemmCase gemm : {GemmCase::conv(1, 7, 7, 8, 24, 3, 1, 1, 1),
                        GemmCase::conv(2, 6, 34, 72, 40, 3, 1, 1, 1),
                        GemmCase::conv(2, 9, 6, 5, 30, 3, 2, 1, 1),
                        GemmCase::conv(1, 12, 40, 3, 16, 3, 1, 2, 2),
                        GemmCase::conv(1, 8, 18, 64, 24, 3, 1, 1, 0)}) {
    check(gemm);
    if (GetParam().types != GemmTypes::U8S8 || gemm.pad == 0)
      continue;
    gemm.padValue = 131;
    check(gemm);
  }
}

/// Registers that end with the lines of the image, with a border and without.
TEST_P(MatrixTest, Lines) {
  check(GemmCase::conv(1, 16, 16, 64, 40, 3, 1, 1, 0), 14);
  check(GemmCase::conv(2, 7, 7, 40, 24, 3, 1, 1, 1), 7);
  check(GemmCase::conv(1, 19, 21, 32, 33, 3, 2, 1, 0), 10);
  check(GemmCase::conv(1, 6, 26, 12, 16, 1, 2, 1, 0), 13);
}

TEST_P(MatrixTest, Epilogues) {
  GemmCase gemm = GemmCase::matrix(41, 50, 70);
  gemm.epilogue = TestEpilogue::None;
  check(gemm);
  if (GetParam().types == GemmTypes::U8S8)
    return;
  for (TestEpilogue epilogue :
       {TestEpilogue::BiasResidualTanh, TestEpilogue::Position}) {
    gemm.epilogue = epilogue;
    check(gemm);
  }
}

INSTANTIATE_TEST_SUITE_P(Kinds, MatrixTest,
                         testing::Values(Kind{"amx", GemmTypes::U8S8, 4},
                                         Kind{"amx", GemmTypes::BF16, 2}));

/// Even and odd neighbours have sums of their own: 2^24 + 1 - 2^24 one after
/// the other would be 0 in f32.
TEST(MatrixEmulation, OrderOfBF16) {
  uint8_t shapes[64] = {1};
  for (int number = 0; number < 3; ++number) {
    shapes[16 + 2 * number] = number == 1 ? 8 : 4;
    shapes[48 + number] = number == 2 ? 2 : 1;
  }
  amx::loadConfiguration(shapes);
  const uint16_t large = 0x4b80, one = 0x3f80, subnormal = 1;
  const uint16_t a[] = {large, one, large | 0x8000, subnormal},
                 b[] = {one, one, one, large};
  float sum = 3;
  amx::load(0, reinterpret_cast<uint8_t *>(&sum), 4);
  amx::load(1, reinterpret_cast<const uint8_t *>(a), 8);
  amx::load(2, reinterpret_cast<const uint8_t *>(b), 4);
  amx::multiplyBF16(0, 1, 2);
  amx::store(0, reinterpret_cast<uint8_t *>(&sum), 4);
  amx::release();
  EXPECT_EQ(sum, 4);
}

} // namespace
