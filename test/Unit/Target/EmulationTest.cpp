// Kernels for AVX-512, VNNI and BF16 on any machine with AVX2: tiles of the
// one, instructions of the other (test/lib/Emulation.h).
#include "Emulation.h"
#include "GemmCase.h"
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
      GemmCase gemm;
      gemm.m = m;
      gemm.n = n;
      gemm.k = k;
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

} // namespace
