// Speed of effk.gemm on one core: shapes from transformers and ResNets, in all
// types. Arguments: CPU name (native).
#include "GemmCase.h"

#include "effc/Analysis/TileChoice.h"

#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/raw_ostream.h"
#include <chrono>

using namespace effc;
using namespace mlir;

namespace {

struct Shape {
  const char *name;
  GemmCase gemm;
};

double secondsOf(const JITKernels &kernels, GemmData &data) {
  using Clock = std::chrono::steady_clock;
  double best = 1e9;
  for (int round = 0; round < 40; ++round) {
    auto start = Clock::now();
    data.run(kernels);
    best = std::min(
        best, std::chrono::duration<double>(Clock::now() - start).count());
  }
  return best;
}

} // namespace

int main(int argc, char **argv) {
  MLIRContext context;
  DialectRegistry registry;
  registerCPUTarget(registry);
  context.appendDialectRegistry(registry);
  StringRef cpu = argc > 1 ? argv[1] : "native";
  FailureOr<eff::TargetAttr> target = failure();
  context.loadDialect<effk::EffkDialect, arith::ArithDialect, func::FuncDialect,
                      math::MathDialect, memref::MemRefDialect,
                      LLVM::LLVMDialect>();
  target = resolveCPU(cpu, UnknownLoc::get(&context));
  if (failed(target))
    return 1;
  if (!canRun(*target)) {
    llvm::errs() << "this machine cannot run code for '" << cpu << "'\n";
    return 1;
  }
  std::vector<Shape> shapes = {
      {"M128 N1536 K384", GemmCase::matrix(128, 1536, 384)},
      {"M128 N384 K1536", GemmCase::matrix(128, 384, 1536)},
      {"M196 N384 K1536", GemmCase::matrix(196, 384, 1536)},
      {"M1008 N1024 K1024", GemmCase::matrix(1008, 1024, 1024)},
      {"M1 N4096 K4096", GemmCase::matrix(1, 4096, 4096)},
      {"3x3 64@56", GemmCase::conv(1, 56, 56, 64, 64, 3, 1, 1, 1)},
      {"3x3 256@14", GemmCase::conv(1, 14, 14, 256, 256, 3, 1, 1, 1)},
      {"3x3 512@7", GemmCase::conv(1, 7, 7, 512, 512, 3, 1, 1, 1)},
      {"1x1 64-256@56", GemmCase::matrix(3136, 256, 64)},
      {"1x1 256-64@56", GemmCase::matrix(3136, 64, 256)},
      {"1x1 16-96@112", GemmCase::matrix(12544, 96, 16)},
      {"M12544 N32 K27", GemmCase::matrix(12544, 32, 27)},
      {"7x7 s2 3-64@224", GemmCase::conv(1, 224, 224, 3, 64, 7, 2, 1, 3)},
      {"3x3 s2 3-32@224", GemmCase::conv(1, 224, 224, 3, 32, 3, 2, 1, 1)},
      {"3x3 16@56", GemmCase::conv(1, 56, 56, 16, 64, 3, 1, 1, 1)},
      {"3x3 s2 128@56", GemmCase::conv(1, 56, 56, 128, 128, 3, 2, 1, 1)},
      {"3x3 64@58 no pad", GemmCase::conv(1, 58, 58, 64, 64, 3, 1, 1, 0)}};
  for (const Shape &shape : shapes)
    for (auto [types, bytes, name] :
         {std::tuple<GemmTypes, int64_t, const char *>{GemmTypes::F32, 4,
                                                       "f32"},
          {GemmTypes::BF16, 2, "bf16"},
          {GemmTypes::U8S8, 1, "u8s8"}}) {
      GemmCase gemm = shape.gemm;
      int64_t rowBytes =
          gemm.height ? bytes * gemm.stride * gemm.stride * gemm.channels : 0;
      RowRuns runs;
      runs.depth = gemm.height ? gemm.channels : 0;
      TileChoice tile = chooseConvTile(*target, gemm.m, gemm.n, gemm.k,
                                       rowBytes, types, runs);
      gemm.tileRows = tile.rows;
      gemm.tileWidth = tile.width;
      gemm.rowsPerBlock = tile.rowsPerBlock;
      gemm.rowsOuter = tile.rowsOuter;
      gemm.interleave = tile.interleave;
      gemm.types = types;
      auto kernels = JITKernels::create(*buildGemm(context, gemm), *target);
      if (failed(kernels))
        return 1;
      GemmData data(gemm);
      double seconds = secondsOf(**kernels, data);
      llvm::outs() << llvm::formatv(
          "{0,-20} {1,4} {2}x{3} block {4}{5}: {6:f1} us {7:f1} GOP/s {8:f1} "
          "GB/s of weights\n",
          shape.name, name, tile.rows, tile.width, tile.rowsPerBlock,
          tile.rowsOuter ? " rows outer" : "", seconds * 1e6,
          2e-9 * gemm.m * gemm.n * gemm.k / seconds,
          1e-9 * bytes * data.packed.size() / seconds);
      llvm::outs().flush();
    }
  return 0;
}
