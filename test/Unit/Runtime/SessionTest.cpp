// Sessions: results, shapes, messages, the cache of shapes, profiles; usable
// after every error.
#include "TestModel.h"

#include "gtest/gtest.h"

#include <string>

// Impossible sizes are meant to be refused, not to end the program.
extern "C" const char *
__asan_default_options(void); // NOLINT(bugprone-reserved-identifier)
extern "C" const char *__asan_default_options(void) {
  return "allocator_may_return_null=1";
}

namespace {

/// Expects a refused run whose message holds `text`, then a good run on the
/// same session.
void expectRefused(ToySession &toy, effrt_status status,
                   const std::string &text, ToyRun &bad,
                   uint32_t program = EFFRT_PROGRAM_ANY) {
  EXPECT_EQ(bad.run(toy.session, program), status)
      << effrt_session_error(toy.session);
  EXPECT_NE(std::string(effrt_session_error(toy.session)).find(text),
            std::string::npos)
      << effrt_session_error(toy.session);
  ToyRun good(3, 4);
  EXPECT_EQ(good.run(toy.session), EFFRT_STATUS_OK);
  EXPECT_TRUE(good.isRight());
  EXPECT_STREQ(effrt_session_error(toy.session), "");
}

TEST(Session, RunsStaticAndDynamicPrograms) {
  ToySession toy;
  ToyRun fixed(2, 3), dynamic(5, 100);
  EXPECT_EQ(fixed.run(toy.session, fixedProgram), EFFRT_STATUS_OK);
  EXPECT_TRUE(fixed.isRight());
  EXPECT_EQ(dynamic.run(toy.session, mainProgram), EFFRT_STATUS_OK);
  EXPECT_TRUE(dynamic.isRight());
}

TEST(Session, PicksTheFirstProgramThatFits) {
  ToySession toy;
  ASSERT_EQ(effrt_session_set_profiling(toy.session, 1), EFFRT_STATUS_OK);
  auto calls = [&](uint32_t program) {
    effrt_profile_entry entry = {};
    entry.struct_size = sizeof(entry);
    EXPECT_EQ(effrt_session_profile(toy.session, program, 0, &entry),
              EFFRT_STATUS_OK);
    return entry.calls;
  };
  ToyRun fixed(2, 3), dynamic(2, 4);
  EXPECT_EQ(fixed.run(toy.session), EFFRT_STATUS_OK);
  EXPECT_EQ(calls(fixedProgram), 1u);
  EXPECT_EQ(calls(mainProgram), 0u);
  EXPECT_EQ(dynamic.run(toy.session), EFFRT_STATUS_OK);
  EXPECT_EQ(calls(mainProgram), 1u);
}

TEST(Session, RunsBySymbols) {
  ToySession toy;
  ToyRun run(6, 7);
  int64_t symbols[] = {6, 7, 7};
  void *inputs[] = {run.x.data(), run.bias.data(), run.rows.data(),
                    run.mask.data()};
  void *outputs[] = {run.y.data(), run.sums.data()};
  EXPECT_EQ(effrt_session_run_symbols(toy.session, mainProgram, symbols, inputs,
                                      outputs),
            EFFRT_STATUS_OK);
  EXPECT_TRUE(run.isRight());
  symbols[0] = 65;
  EXPECT_EQ(effrt_session_run_symbols(toy.session, mainProgram, symbols, inputs,
                                      outputs),
            EFFRT_STATUS_SYMBOL_OUT_OF_BOUNDS);
  symbols[0] = 6;
  symbols[2] = 8;
  EXPECT_EQ(effrt_session_run_symbols(toy.session, mainProgram, symbols, inputs,
                                      outputs),
            EFFRT_STATUS_CHECK_FAILED);
  symbols[2] = 7;
  outputs[1] = nullptr;
  EXPECT_EQ(effrt_session_run_symbols(toy.session, mainProgram, symbols, inputs,
                                      outputs),
            EFFRT_STATUS_NULL_DATA);
  EXPECT_EQ(effrt_session_run_symbols(toy.session, 2, symbols, inputs, outputs),
            EFFRT_STATUS_INVALID_ARGUMENT);
  EXPECT_EQ(effrt_session_run_symbols(toy.session, mainProgram, nullptr, inputs,
                                      outputs),
            EFFRT_STATUS_INVALID_ARGUMENT);
  // A program without symbols needs none.
  outputs[1] = run.sums.data();
  run.rows = {1, 0};
  inputs[2] = run.rows.data();
  EXPECT_EQ(effrt_session_run_symbols(toy.session, fixedProgram, nullptr,
                                      inputs, outputs),
            EFFRT_STATUS_OK);
}

TEST(Session, ResolvesOutputShapes) {
  ToySession toy;
  ToyRun run(4, 11);
  effrt_tensor outputs[2] = {};
  for (effrt_tensor &input : run.inputs)
    input.data = nullptr, input.bytes = 0;
  ASSERT_EQ(effrt_session_resolve(toy.session, EFFRT_PROGRAM_ANY,
                                  run.inputs.data(), 4, outputs, 2),
            EFFRT_STATUS_OK);
  EXPECT_EQ(outputs[0].dtype, EFFRT_DTYPE_F32);
  ASSERT_EQ(outputs[0].rank, 2u);
  EXPECT_EQ(outputs[0].shape[0], 4);
  EXPECT_EQ(outputs[0].shape[1], 11);
  EXPECT_EQ(outputs[0].bytes, 4u * 11 * 4);
  ASSERT_EQ(outputs[1].rank, 1u);
  EXPECT_EQ(outputs[1].shape[0], 4);
  EXPECT_EQ(effrt_session_resolve(toy.session, EFFRT_PROGRAM_ANY,
                                  run.inputs.data(), 4, outputs, 1),
            EFFRT_STATUS_COUNT_MISMATCH);
  // What resolve filled in is taken by run.
  ToyRun again(4, 11);
  for (int i = 0; i < 2; ++i) {
    outputs[i].data = again.outputs[i].data;
    again.outputs[i] = outputs[i];
  }
  EXPECT_EQ(again.run(toy.session), EFFRT_STATUS_OK);
  EXPECT_TRUE(again.isRight());
}

TEST(Session, RefusesWrongInputs) {
  ToySession toy;
  ToyRun bad(3, 4);
  EXPECT_EQ(effrt_session_run(toy.session, EFFRT_PROGRAM_ANY, bad.inputs.data(),
                              3, bad.outputs.data(), 2),
            EFFRT_STATUS_COUNT_MISMATCH);
  EXPECT_STREQ(effrt_session_error(toy.session),
               "3 inputs given, program 'main' has 4");
  EXPECT_EQ(effrt_session_run(toy.session, EFFRT_PROGRAM_ANY, nullptr, 4,
                              bad.outputs.data(), 2),
            EFFRT_STATUS_INVALID_ARGUMENT);
  EXPECT_EQ(effrt_session_run(toy.session, 5, bad.inputs.data(), 4,
                              bad.outputs.data(), 2),
            EFFRT_STATUS_INVALID_ARGUMENT);

  ToyRun dtype(3, 4);
  dtype.inputs[2].dtype = EFFRT_DTYPE_I32;
  expectRefused(toy, EFFRT_STATUS_DTYPE_MISMATCH,
                "input 'rows' is i32, expected i64", dtype);
  ToyRun rank(3, 4);
  rank.inputs[0].rank = 1;
  expectRefused(toy, EFFRT_STATUS_RANK_MISMATCH,
                "input 'x' has 1 dimensions, expected 2", rank);
  ToyRun noShape(3, 4);
  noShape.inputs[1].shape = nullptr;
  expectRefused(toy, EFFRT_STATUS_INVALID_ARGUMENT, "input 'bias' has no shape",
                noShape);
  ToyRun shape(3, 4);
  shape.rowsShape[0] = 2;
  expectRefused(toy, EFFRT_STATUS_SHAPE_MISMATCH,
                "dimension 0 (batch) of input 'rows' is 2, expected 3", shape);
  ToyRun mask(3, 4);
  mask.maskShape[0] = 4;
  expectRefused(toy, EFFRT_STATUS_SHAPE_MISMATCH,
                "dimension 0 (seq + 1) of input 'mask' is 4, expected 5", mask);
  ToyRun fixed(2, 4);
  expectRefused(toy, EFFRT_STATUS_SHAPE_MISMATCH,
                "dimension 1 of input 'x' is 4, expected 3", fixed,
                fixedProgram);
  ToyRun check(3, 4);
  check.biasShape[0] = 3;
  expectRefused(toy, EFFRT_STATUS_CHECK_FAILED,
                "node 'add': bias does not have the length of x (3 and 4)",
                check);
  ToyRun bounds(65, 2);
  expectRefused(toy, EFFRT_STATUS_SYMBOL_OUT_OF_BOUNDS,
                "'batch' (dimension 0 of input 'x') is 65", bounds);
  ToyRun negative(3, 4);
  negative.xShape[1] = -4;
  expectRefused(toy, EFFRT_STATUS_SYMBOL_OUT_OF_BOUNDS, "'seq'", negative);
}

TEST(Session, RefusesWrongBuffers) {
  ToySession toy;
  ToyRun null(3, 4);
  null.inputs[1].data = nullptr;
  expectRefused(toy, EFFRT_STATUS_NULL_DATA, "input 'bias' has no data", null);
  ToyRun nullOutput(3, 4);
  nullOutput.outputs[0].data = nullptr;
  expectRefused(toy, EFFRT_STATUS_NULL_DATA, "output 'y' has no data",
                nullOutput);
  ToyRun odd(3, 4);
  odd.inputs[0].data = reinterpret_cast<char *>(odd.x.data()) + 2;
  expectRefused(toy, EFFRT_STATUS_INVALID_ARGUMENT, "input 'x' is not aligned",
                odd);
  ToyRun small(3, 4);
  small.outputs[1].bytes = 11;
  expectRefused(toy, EFFRT_STATUS_BUFFER_TOO_SMALL,
                "output 'sums' needs 12 bytes, a buffer of 11 was given",
                small);
  ToyRun smallInput(3, 4);
  smallInput.inputs[0].bytes = 47;
  expectRefused(toy, EFFRT_STATUS_BUFFER_TOO_SMALL, "input 'x' needs 48 bytes",
                smallInput);
  ToyRun dtype(3, 4);
  dtype.outputs[0].dtype = EFFRT_DTYPE_F16;
  expectRefused(toy, EFFRT_STATUS_DTYPE_MISMATCH, "output 'y' is f32", dtype);
  ToyRun shape(3, 4);
  int64_t wrong[] = {4, 3};
  shape.outputs[0].shape = wrong;
  shape.outputs[0].rank = 2;
  expectRefused(toy, EFFRT_STATUS_SHAPE_MISMATCH, "output 'y' will be 3",
                shape);
  shape.outputs[0].rank = 1;
  expectRefused(toy, EFFRT_STATUS_RANK_MISMATCH, "output 'y' has 2 dimensions",
                shape);
  ToyRun count(3, 4);
  EXPECT_EQ(effrt_session_run(toy.session, EFFRT_PROGRAM_ANY,
                              count.inputs.data(), 4, count.outputs.data(), 1),
            EFFRT_STATUS_COUNT_MISMATCH);
}

TEST(Session, ReportsKernelErrors) {
  ToySession toy;
  ToyRun out(3, 4);
  out.rows[1] = 3;
  expectRefused(toy, EFFRT_STATUS_INDEX_OUT_OF_RANGE,
                "outside its axis in node 'pick'", out);
  ToyRun unknown(3, 4);
  unknown.rows[1] = -7;
  expectRefused(toy, EFFRT_STATUS_KERNEL_FAILED, "kernel error 77", unknown);
}

TEST(Session, SizesBeyondMemoryAreErrors) {
  ToySession toy;
  // 2^62 * 4 bytes overflow; 2^56 do not, but no machine has them.
  for (auto [seq, status] :
       {std::pair{INT64_MAX - 1, EFFRT_STATUS_SIZE_OVERFLOW},
        std::pair{int64_t(1) << 62, EFFRT_STATUS_SIZE_OVERFLOW},
        std::pair{int64_t(1) << 54, EFFRT_STATUS_OUT_OF_MEMORY}}) {
    ToyRun huge(1, 4);
    huge.xShape[1] = huge.biasShape[0] = seq;
    huge.maskShape[0] = seq + 1;
    expectRefused(toy, status, "", huge);
  }
}

TEST(Session, KeepsTheLastEightShapes) {
  ToySession toy;
  effrt_memory_info memory = {};
  memory.struct_size = sizeof(memory);
  for (int round = 0; round < 3; ++round)
    for (int64_t seq = 1; seq <= 12; ++seq) {
      ToyRun run(4, seq * 50);
      EXPECT_EQ(run.run(toy.session), EFFRT_STATUS_OK);
      EXPECT_TRUE(run.isRight());
    }
  ASSERT_EQ(effrt_session_memory(toy.session, &memory), EFFRT_STATUS_OK);
  EXPECT_EQ(memory.num_plans, 8u);
  EXPECT_EQ(memory.last_arena_bytes, 4u * 600 * 4);
  EXPECT_EQ(memory.last_live_bytes, memory.last_arena_bytes);
  EXPECT_GE(memory.arena_bytes, memory.last_arena_bytes);
  EXPECT_GE(memory.scratch_bytes, 600u * 4);
  // Alternating between both programs while shapes are evicted.
  for (int64_t seq = 1; seq <= 20; ++seq) {
    ToyRun run(3, seq), fixed(2, 3);
    EXPECT_EQ(run.run(toy.session), EFFRT_STATUS_OK);
    EXPECT_EQ(fixed.run(toy.session), EFFRT_STATUS_OK);
    EXPECT_TRUE(run.isRight() && fixed.isRight());
  }
}

TEST(Session, ArenaMovesUnderCachedShapes) {
  ToySession toy;
  ToyRun small(2, 5), large(64, 5000);
  EXPECT_EQ(small.run(toy.session), EFFRT_STATUS_OK);
  EXPECT_EQ(large.run(toy.session), EFFRT_STATUS_OK);
  EXPECT_TRUE(large.isRight());
  std::fill(small.y.begin(), small.y.end(), 0.0f);
  EXPECT_EQ(small.run(toy.session), EFFRT_STATUS_OK);
  EXPECT_TRUE(small.isRight());
}

TEST(Session, Profiles) {
  ToySession toy;
  effrt_profile_entry entry = {};
  entry.struct_size = sizeof(entry);
  ToyRun run(4, 25);
  EXPECT_EQ(run.run(toy.session), EFFRT_STATUS_OK);
  ASSERT_EQ(effrt_session_profile(toy.session, mainProgram, 0, &entry),
            EFFRT_STATUS_OK);
  EXPECT_EQ(entry.calls, 0u);
  ASSERT_EQ(effrt_session_set_profiling(toy.session, 1), EFFRT_STATUS_OK);
  for (int i = 0; i < 3; ++i)
    EXPECT_EQ(run.run(toy.session), EFFRT_STATUS_OK);
  ASSERT_EQ(effrt_session_profile(toy.session, mainProgram, 0, &entry),
            EFFRT_STATUS_OK);
  EXPECT_STREQ(entry.kernel, "k0_scale");
  EXPECT_STREQ(entry.origin, "mul,add");
  EXPECT_STREQ(entry.choice, "loops");
  EXPECT_EQ(entry.calls, 3u);
  EXPECT_GT(entry.total_ns, 0u);
  EXPECT_EQ(entry.flops, 3 * 200);
  EXPECT_EQ(entry.bytes, 3 * 400);
  ASSERT_EQ(effrt_session_profile(toy.session, mainProgram, 2, &entry),
            EFFRT_STATUS_OK);
  EXPECT_STREQ(entry.choice, "");
  // Off keeps the totals, on again clears them.
  ASSERT_EQ(effrt_session_set_profiling(toy.session, 0), EFFRT_STATUS_OK);
  EXPECT_EQ(run.run(toy.session), EFFRT_STATUS_OK);
  ASSERT_EQ(effrt_session_profile(toy.session, mainProgram, 2, &entry),
            EFFRT_STATUS_OK);
  EXPECT_EQ(entry.calls, 3u);
  ASSERT_EQ(effrt_session_set_profiling(toy.session, 1), EFFRT_STATUS_OK);
  ASSERT_EQ(effrt_session_profile(toy.session, mainProgram, 2, &entry),
            EFFRT_STATUS_OK);
  EXPECT_EQ(entry.calls, 0u);
  EXPECT_EQ(effrt_session_profile(toy.session, 2, 0, &entry),
            EFFRT_STATUS_INVALID_ARGUMENT);
  EXPECT_EQ(effrt_session_profile(toy.session, 1, 3, &entry),
            EFFRT_STATUS_INVALID_ARGUMENT);
}

TEST(Session, NullHandlesAreErrors) {
  EXPECT_EQ(effrt_session_create(nullptr, nullptr, nullptr, nullptr),
            EFFRT_STATUS_INVALID_ARGUMENT);
  EXPECT_EQ(effrt_session_run(nullptr, 0, nullptr, 0, nullptr, 0),
            EFFRT_STATUS_INVALID_ARGUMENT);
  EXPECT_EQ(effrt_session_resolve(nullptr, 0, nullptr, 0, nullptr, 0),
            EFFRT_STATUS_INVALID_ARGUMENT);
  EXPECT_EQ(effrt_session_run_symbols(nullptr, 0, nullptr, nullptr, nullptr),
            EFFRT_STATUS_INVALID_ARGUMENT);
  EXPECT_STREQ(effrt_session_error(nullptr), "no session");
  effrt_session_destroy(nullptr);
  effrt_model_close(nullptr);
  effrt_pool_destroy(nullptr);
  ToySession toy;
  effrt_session_options options = {sizeof(options), -1, nullptr};
  effrt_session *session = nullptr;
  effrt_message message;
  EXPECT_EQ(effrt_session_create(toy.model, &options, &session, &message),
            EFFRT_STATUS_INVALID_ARGUMENT);
  EXPECT_NE(std::string(message.text).find("-1 threads"), std::string::npos);
}

} // namespace
