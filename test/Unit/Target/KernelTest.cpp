// From kernel functions to running code: the ABI, errors, element types, and
// the same bytes every time.
#include "KernelFixture.h"

using namespace effc;
using namespace mlir;

namespace {

using KernelTest = KernelFixture;

const char *axpy = R"mlir(
func.func @axpy(%x: memref<?xf32>, %y: memref<?xf32>, %d: index,
                %lo: index, %hi: index, %scratch: memref<?xi8>)
    attributes {effk.kernel, effk.results = 1 : i64} {
  %c1 = arith.constant 1 : index
  %two = arith.constant 2.0 : f32
  scf.for %i = %lo to %hi step %c1 {
    %j = arith.addi %i, %d : index
    %v = memref.load %x[%j] : memref<?xf32>
    %w = arith.mulf %v, %two : f32
    memref.store %w, %y[%i] : memref<?xf32>
  }
  return
}
)mlir";

TEST_F(KernelTest, RunsARangeWithDims) {
  auto kernels = compile(axpy);
  ASSERT_TRUE(kernels);
  std::vector<float> x(100), y(90, -1.0f);
  for (int i = 0; i < 100; ++i)
    x[i] = i;
  EXPECT_EQ(kernels->run("axpy", {x.data(), y.data()}, {7}, 10, 80), 0);
  for (int i = 0; i < 90; ++i)
    EXPECT_EQ(y[i], i >= 10 && i < 80 ? 2.0f * (i + 7) : -1.0f) << i;
  EXPECT_EQ(kernels->lookup("absent"), nullptr);
}

TEST_F(KernelTest, ReportsTheCodeOfAnError) {
  auto kernels = compile(R"mlir(
func.func @gather(%index: memref<?xi64>, %in: memref<?xf32>, %out: memref<?xf32>, %n: index,
                  %lo: index, %hi: index, %scratch: memref<?xi8>)
    attributes {effk.kernel, effk.results = 1 : i64} {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  scf.for %i = %lo to %hi step %c1 {
    %k64 = memref.load %index[%i] : memref<?xi64>
    %k = arith.index_cast %k64 : i64 to index
    %bad = arith.cmpi uge, %k, %n : index
    effk.report 1 if %bad
    %safe = arith.select %bad, %c0, %k : index
    %v = memref.load %in[%safe] : memref<?xf32>
    memref.store %v, %out[%i] : memref<?xf32>
  }
  return
})mlir");
  ASSERT_TRUE(kernels);
  std::vector<int64_t> index(64, 3);
  std::vector<float> in(10, 5.0f), out(64);
  auto run = [&] {
    return kernels->run("gather", {index.data(), in.data(), out.data()}, {10},
                        0, 64);
  };
  EXPECT_EQ(run(), EFFRT_KERNEL_OK);
  EXPECT_EQ(out[63], 5.0f);
  index[41] = 10;
  EXPECT_EQ(run(), EFFRT_KERNEL_INDEX_OUT_OF_RANGE);
  index[41] = -1;
  EXPECT_EQ(run(), EFFRT_KERNEL_INDEX_OUT_OF_RANGE);
}

TEST_F(KernelTest, ConvertsHalfTypesAndUsesScratch) {
  auto kernels = compile(R"mlir(
func.func @convert(%in: memref<?xf16>, %out: memref<?xbf16>, %lo: index, %hi: index, %scratch: memref<?xi8>)
    attributes {effk.kernel, effk.results = 1 : i64} {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %row = memref.view %scratch[%c0][%hi] : memref<?xi8> to memref<?xf32>
  scf.for %i = %lo to %hi step %c1 {
    %h = memref.load %in[%i] : memref<?xf16>
    %f = arith.extf %h : f16 to f32
    memref.store %f, %row[%i] : memref<?xf32>
  }
  scf.for %i = %lo to %hi step %c1 {
    %f = memref.load %row[%i] : memref<?xf32>
    %b = arith.truncf %f : f32 to bf16
    memref.store %b, %out[%i] : memref<?xbf16>
  }
  return
})mlir");
  ASSERT_TRUE(kernels);
  // 1, -2, 0.5, infinity and 1 + 2^-9, which rounds to 1 in bf16.
  std::vector<uint16_t> in = {0x3c00, 0xc000, 0x3800, 0x7c00, 0x3c02}, out(5);
  kernels->run("convert", {in.data(), out.data()}, {}, 0, 5, 5 * sizeof(float));
  EXPECT_EQ(out,
            (std::vector<uint16_t>{0x3f80, 0xc000, 0x3f00, 0x7f80, 0x3f80}));
}

TEST_F(KernelTest, CompilesToTheSameBytesOnAnyNumberOfThreads) {
  std::string text;
  for (int i = 0; i < 20; ++i) {
    std::string one = axpy;
    one.replace(one.find("@axpy"), 5, "@axpy" + std::to_string(i));
    text += one;
  }
  OwningOpRef<ModuleOp> module = parse(text);
  ASSERT_TRUE(module);
  EmitOptions options;
  options.symbolPrefix = "model_";
  options.compileThreads = 1;
  auto serial = emitObject(*module, target("v3"), options);
  options.compileThreads = 3;
  auto parallel = emitObject(*module, target("v3"), options);
  ASSERT_TRUE(succeeded(serial) && succeeded(parallel));
  ASSERT_EQ(serial->size(), 3u);
  ASSERT_EQ(parallel->size(), 3u);
  for (int i = 0; i < 3; ++i)
    EXPECT_EQ((*serial)[i]->getBuffer(), (*parallel)[i]->getBuffer());
}

TEST_F(KernelTest, RefusesUnknownCPUs) {
  std::string message;
  ScopedDiagnosticHandler handler(
      &context, [&](Diagnostic &diagnostic) { message = diagnostic.str(); });
  EXPECT_TRUE(failed(resolveCPU("x86-64", UnknownLoc::get(&context))));
  EXPECT_EQ(message,
            "unknown CPU 'x86-64', expected one of native, v3, v4, "
            "v4-vnni, v4-bf16, amx, neon, neon-dotprod, neon-i8mm; x86-64 "
            "machines without AVX2 are not supported");
  EXPECT_EQ(getRequiredFeatures(target("v3")), EFFRT_CPU_AVX2);
  EXPECT_EQ(getRequiredFeatures(target("v4-vnni")),
            EFFRT_CPU_AVX2 | EFFRT_CPU_AVX512 | EFFRT_CPU_AVX512_VNNI);
}

} // namespace
