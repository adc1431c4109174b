// The table built from a host program: sizes, buffers, lifetimes, weights.
#include "effc/Emit/ModelTable.h"
#include "TestModule.h"

using namespace mlir;
using namespace effc;

namespace {

std::string replace(std::string text, llvm::StringRef from,
                    llvm::StringRef to) {
  size_t at = text.find(from.str());
  EXPECT_NE(at, std::string::npos) << from.str();
  return text.replace(at, from.size(), to.str());
}

TEST_F(EmitTest, BuildsBuffersWithLifetimes) {
  auto module = parse(kTestModule);
  ASSERT_TRUE(module);
  FailureOr<ModelTable> table = buildModelTable({{*module, "", 0}}, "m");
  ASSERT_TRUE(succeeded(table));
  ASSERT_EQ(table->best().programs.size(), 1u);
  const ProgramTable &program = table->best().programs[0];
  ASSERT_EQ(program.buffers.size(), 6u);
  EXPECT_EQ(program.buffers[0].kind, EFFRT_BUFFER_INPUT);
  EXPECT_EQ(program.buffers[1].kind, EFFRT_BUFFER_WEIGHT);
  EXPECT_EQ(program.buffers[2].kind, EFFRT_BUFFER_WEIGHT);
  EXPECT_EQ(program.buffers[2].value, 64u);
  EXPECT_EQ(program.buffers[3].kind, EFFRT_BUFFER_ARENA);
  EXPECT_EQ(program.buffers[3].first, 0u);
  EXPECT_EQ(program.buffers[3].last, 1u);
  EXPECT_EQ(program.buffers[4].first, 1u);
  EXPECT_EQ(program.buffers[4].last, 2u);
  EXPECT_EQ(program.buffers[5].kind, EFFRT_BUFFER_OUTPUT);
  // The view of the matmul's result is the same buffer.
  EXPECT_EQ(program.launches[1].buffers[0], 3u);
  // 4 and 64 bytes, columns of padding included.
  EXPECT_EQ(table->weightsSize, 64u + 12u);
  EXPECT_EQ(program.outputs[0].texts[0], "batch * 3");
}

TEST_F(EmitTest, NamesKernelsByOrigin) {
  auto module = parse(kTestModule);
  FailureOr<ModelTable> table = buildModelTable({{*module, "", 0}}, "m");
  ASSERT_TRUE(succeeded(table));
  ASSERT_EQ(table->best().kernels.size(), 3u);
  EXPECT_EQ(table->best().kernels[1].name, "scale");
  EXPECT_EQ(table->best().kernels[2].name, "scale_2");
  EXPECT_EQ(table->best().kernels[2].function, "scale");
  EXPECT_EQ(table->best().kernels[2].origin, "mul_2");
  EXPECT_EQ(table->best().kernels[2].choice, "map");
}

TEST_F(EmitTest, StoresEqualConstantsOnce) {
  auto module = parse(R"mlir(
    func.func private @add(memref<?xf32>, memref<?xf32>, memref<?xf32>, memref<?xf32>, index, index, memref<?xi8>)
    func.func @main(%x: tensor<2xf32>) -> tensor<2xf32> {
      %a = eff.constant dense<[1.0, 2.0]> : tensor<2xf32>
      %b = eff.constant dense<[[1.0, 2.0]]> : tensor<1x2xf32>
      %0 = effk.launch @add(%x, %a, %b) dims #eff.dims<> sizes #eff.dims<2, 0, 2, 24, 1> {origin = ""}
        : (tensor<2xf32>, tensor<2xf32>, tensor<1x2xf32>) -> tensor<2xf32>
      return %0 : tensor<2xf32>
    })mlir");
  ASSERT_TRUE(module);
  FailureOr<ModelTable> table = buildModelTable({{*module, "", 0}}, "m");
  ASSERT_TRUE(succeeded(table));
  EXPECT_EQ(table->weights.size(), 1u);
  auto values = table->best().programs[0].evaluateStatic();
  ASSERT_TRUE(values);
  EXPECT_EQ((*values)[table->best().programs[0].buffers[0].bytes], 8);
}

TEST_F(EmitTest, FlattensSizesWithoutRepetition) {
  auto module = parse(R"mlir(
    func.func private @f(memref<?xf32>, memref<?xf32>, memref<?xf32>, index, index, index, memref<?xi8>)
    func.func @main(%x: tensor<?xf32, #eff.dims<s0>>, %y: tensor<?xf32, #eff.dims<s1>>)
        -> tensor<?xf32, #eff.dims<s2 + 1>>
        attributes {eff.symbols = [#eff.symbol<"a b", input 0, axis 0, in 1 to 9>,
                                   #eff.symbol<"c", input 1, axis 0, in 1 to 9>,
                                   #eff.derived<"max", #eff.dims<s0 floordiv 2, s1>>]} {
      %0 = effk.launch @f(%x, %y) dims #eff.dims<s0 floordiv 2> sizes #eff.dims<s2 + 1, 0, s2 + 1, s0 floordiv 2, s2>
        {origin = ""} : (tensor<?xf32, #eff.dims<s0>>, tensor<?xf32, #eff.dims<s1>>)
        -> tensor<?xf32, #eff.dims<s2 + 1>>
      return %0 : tensor<?xf32, #eff.dims<s2 + 1>>
    })mlir");
  ASSERT_TRUE(module);
  FailureOr<ModelTable> table = buildModelTable({{*module, "", 0}}, "m");
  ASSERT_TRUE(succeeded(table));
  const ProgramTable &program = table->best().programs[0];
  EXPECT_EQ(program.outputs[0].texts[0], "max(a b / 2, c) + 1");
  EXPECT_EQ(program.getNumFreeSymbols(), 2u);
  unsigned divisions = 0;
  for (const effrt_dim_op &op : program.dims)
    divisions += op.kind == EFFRT_DIM_FLOORDIV;
  EXPECT_EQ(divisions, 1u);
  EXPECT_EQ(program.launches[0].dims[0], program.launches[0].bytes);
  EXPECT_FALSE(program.evaluateStatic());
}

TEST_F(EmitTest, RefusesOutputsThatNoLaunchComputes) {
  std::string message;
  ScopedDiagnosticHandler handler(
      &context, [&](Diagnostic &diagnostic) { message = diagnostic.str(); });
  auto copied = parse(R"mlir(
    func.func @main(%x: tensor<2xf32>) -> (tensor<2xf32> {eff.name = "y"}) {
      return %x : tensor<2xf32>
    })mlir");
  ASSERT_TRUE(copied);
  EXPECT_TRUE(failed(buildModelTable({{*copied, "", 0}}, "m")));
  EXPECT_EQ(message, "internal error: output 'y' is not computed by a launch");
  std::string text = replace(kTestModule, "return %3", "return %3, %3");
  text =
      replace(text, "-> (tensor<?xf32, #eff.dims<s0 * 3>> {eff.name = \"y\"})",
              "-> (tensor<?xf32, #eff.dims<s0 * 3>>, tensor<?xf32, "
              "#eff.dims<s0 * 3>>)");
  text = replace(text, "return %3, %3 : ",
                 "return %3, %3 : tensor<?xf32, #eff.dims<s0 * 3>>, ");
  auto twice = parse(text);
  ASSERT_TRUE(twice);
  EXPECT_TRUE(failed(buildModelTable({{*twice, "", 0}}, "m")));
  EXPECT_EQ(message, "internal error: output 'output1' shares its memory with "
                     "another output");
}

} // namespace
