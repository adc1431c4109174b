// States: what a session keeps from run to run.
#include "ProgramBuilder.h"

#include "gtest/gtest.h"

#include <cstring>

namespace {

/// dims: past, count; buffers: before [2, past], x [2, count], after
/// [2, past + count]. The concatenation along axis 1; a negative element is an
/// error.
void extend(const effrt_kernel_args *args, int64_t, int64_t, void *) {
  const auto *before = static_cast<const float *>(args->buffers[0]);
  const auto *x = static_cast<const float *>(args->buffers[1]);
  auto *after = static_cast<float *>(args->buffers[2]);
  int64_t past = args->dims[0], count = args->dims[1];
  for (int64_t row = 0; row < 2; ++row) {
    for (int64_t i = 0; i < past; ++i)
      *after++ = before[row * past + i];
    for (int64_t i = 0; i < count; ++i) {
      if (x[row * count + i] < 0)
        __atomic_store_n(args->error, EFFRT_KERNEL_INDEX_OUT_OF_RANGE,
                         __ATOMIC_RELAXED);
      *after++ = x[row * count + i];
    }
  }
}

/// dims: batch; buffers: before, x, after, y. after = before + x; y = after.
void accumulate(const effrt_kernel_args *args, int64_t, int64_t, void *) {
  for (int64_t i = 0; i < 2 * args->dims[0]; ++i) {
    float sum = static_cast<const float *>(args->buffers[0])[i] +
                static_cast<const float *>(args->buffers[1])[0];
    static_cast<float *>(args->buffers[2])[i] = sum;
    static_cast<float *>(args->buffers[3])[i] = sum;
  }
}

/// States: cache [2, past] -> [2, past + count] and sum [batch, 2] ->
/// [batch, 2]. Inputs: x [2, count], b [batch]. Output: y [batch, 2].
struct Keeper : ProgramBuilder {
  Keeper() {
    uint32_t count = symbol("count", EFFRT_SYMBOL_INPUT, 0, 1, 1);
    uint32_t batch = symbol("batch", EFFRT_SYMBOL_INPUT, 1, 0, 1);
    uint32_t past = symbol("past", EFFRT_SYMBOL_STATE, 0, 1);
    uint32_t one = constant(1), two = constant(2), four = constant(4),
             eight = constant(8);
    uint32_t total = dim(EFFRT_DIM_ADD, past, count);
    uint32_t pastBytes = dim(EFFRT_DIM_MUL, past, eight);
    uint32_t totalBytes = dim(EFFRT_DIM_MUL, total, eight);
    uint32_t countBytes = dim(EFFRT_DIM_MUL, count, eight);
    uint32_t sumBytes = dim(EFFRT_DIM_MUL, batch, eight);
    uint32_t batchBytes = dim(EFFRT_DIM_MUL, batch, four);
    inputs = {tensor("x", EFFRT_DTYPE_F32, {two, count}),
              tensor("b", EFFRT_DTYPE_F32, {batch})};
    outputs = {tensor("y", EFFRT_DTYPE_F32, {batch, two})};
    states = {{tensor("cache_in", EFFRT_DTYPE_F32, {two, past}),
               tensor("cache_out", EFFRT_DTYPE_F32, {two, total})},
              {tensor("sum_in", EFFRT_DTYPE_F32, {batch, two}),
               tensor("sum_out", EFFRT_DTYPE_F32, {batch, two})}};
    uint32_t x = buffer(EFFRT_BUFFER_INPUT, countBytes, 0);
    uint32_t b = buffer(EFFRT_BUFFER_INPUT, batchBytes, 1);
    uint32_t y = buffer(EFFRT_BUFFER_OUTPUT, sumBytes);
    uint32_t before = buffer(EFFRT_BUFFER_STATE_BEFORE, pastBytes, 0);
    uint32_t after = buffer(EFFRT_BUFFER_STATE_AFTER, totalBytes, 0);
    uint32_t sumBefore = buffer(EFFRT_BUFFER_STATE_BEFORE, sumBytes, 1);
    uint32_t sumAfter = buffer(EFFRT_BUFFER_STATE_AFTER, sumBytes, 1);
    launch(accumulate, {sumBefore, b, sumAfter, y}, {batch}, one, one);
    launch(extend, {before, x, after}, {past, count}, one, one);
  }
};

struct Frame {
  std::vector<float> x, b, y;
  int64_t xShape[2], bShape[1];
  effrt_tensor inputs[2], output;

  Frame(int64_t count, float first, int64_t batch = 1)
      : x(2 * count), b(batch, first), y(2 * batch), xShape{2, count},
        bShape{batch} {
    for (int64_t i = 0; i < 2 * count; ++i)
      x[i] = first + 0.25f * static_cast<float>(i);
    inputs[0] = {x.data(), EFFRT_DTYPE_F32, 2, xShape, x.size() * 4};
    inputs[1] = {b.data(), EFFRT_DTYPE_F32, 1, bShape, b.size() * 4};
    output = {y.data(), 0, 0, nullptr, y.size() * 4};
  }
  effrt_status run(effrt_session *session) {
    return effrt_session_run(session, EFFRT_PROGRAM_ANY, inputs, 2, &output, 1);
  }
};

std::vector<float> stateOf(effrt_session *session, uint32_t state) {
  effrt_tensor tensor = {};
  EXPECT_EQ(effrt_session_get_state(session, state, &tensor), EFFRT_STATUS_OK);
  const auto *data = static_cast<const float *>(tensor.data);
  return std::vector<float>(data, data + tensor.bytes / 4);
}

using Floats = std::vector<float>;

class State : public testing::Test {
protected:
  Keeper model;
  BuiltSession built{model.finish()};
  effrt_session *session = built.session;

  void SetUp() override { ASSERT_NE(session, nullptr) << built.message.text; }
  void run(Frame frame) {
    EXPECT_EQ(frame.run(session), EFFRT_STATUS_OK) << built.error();
  }
};

TEST_F(State, MovesOn) {
  effrt_tensor tensor = {};
  ASSERT_EQ(effrt_session_get_state(session, 0, &tensor), EFFRT_STATUS_OK);
  EXPECT_EQ(tensor.data, nullptr);
  EXPECT_EQ(tensor.shape, nullptr);
  Frame first(1, 1), second(2, 10);
  ASSERT_EQ(first.run(session), EFFRT_STATUS_OK) << built.error();
  EXPECT_EQ(first.y, (Floats{1, 1}));
  ASSERT_EQ(second.run(session), EFFRT_STATUS_OK) << built.error();
  EXPECT_EQ(second.y, (Floats{11, 11}));
  EXPECT_EQ(stateOf(session, 0), (Floats{1, 10, 10.25, 1.25, 10.5, 10.75}));
  EXPECT_EQ(stateOf(session, 1), (Floats{11, 11}));
  ASSERT_EQ(effrt_session_get_state(session, 0, &tensor), EFFRT_STATUS_OK);
  EXPECT_EQ(tensor.shape[1], 3);
  EXPECT_EQ(effrt_session_get_state(session, 2, &tensor),
            EFFRT_STATUS_INVALID_ARGUMENT);
}

TEST_F(State, IsNotCopied) {
  const void *seen[4];
  for (const void *&data : seen) {
    run(Frame(1, 1));
    effrt_tensor tensor = {};
    ASSERT_EQ(effrt_session_get_state(session, 1, &tensor), EFFRT_STATUS_OK);
    data = tensor.data;
  }
  EXPECT_NE(seen[0], seen[1]);
  EXPECT_EQ(seen[0], seen[2]);
  EXPECT_EQ(seen[1], seen[3]);
}

TEST_F(State, IsDescribed) {
  effrt_program_info program = {};
  program.struct_size = sizeof(program);
  ASSERT_EQ(effrt_model_program(built.model, 0, &program), EFFRT_STATUS_OK);
  EXPECT_EQ(program.num_states, 2u);
  EXPECT_EQ(program.num_inputs, 2u);
  effrt_tensor_info before = {}, after = {};
  before.struct_size = after.struct_size = sizeof(before);
  ASSERT_EQ(effrt_model_state(built.model, 0, 0, &before, &after),
            EFFRT_STATUS_OK);
  EXPECT_STREQ(before.name, "cache_in");
  EXPECT_STREQ(after.name, "cache_out");
  EXPECT_EQ(before.dims[0], 2);
  EXPECT_EQ(before.dims[1], -1);
  EXPECT_EQ(effrt_model_state(built.model, 0, 0, nullptr, nullptr),
            EFFRT_STATUS_OK);
  EXPECT_EQ(effrt_model_state(built.model, 0, 2, &before, nullptr),
            EFFRT_STATUS_INVALID_ARGUMENT);
  effrt_symbol_info symbol = {};
  symbol.struct_size = sizeof(symbol);
  ASSERT_EQ(effrt_model_symbol(built.model, 0, 2, &symbol), EFFRT_STATUS_OK);
  EXPECT_EQ(symbol.source, EFFRT_SYMBOL_STATE);
}

TEST_F(State, FailuresLeaveIt) {
  run(Frame(2, 1));
  Floats cache = stateOf(session, 0), sum = stateOf(session, 1);
  Frame bad(1, -1);
  EXPECT_EQ(bad.run(session), EFFRT_STATUS_INDEX_OUT_OF_RANGE);
  EXPECT_EQ(stateOf(session, 0), cache);
  EXPECT_EQ(stateOf(session, 1), sum);
  effrt_session_cancel(session);
  Frame cancelled(1, 1);
  EXPECT_EQ(cancelled.run(session), EFFRT_STATUS_CANCELLED);
  EXPECT_EQ(stateOf(session, 1), sum);
  run(Frame(1, 5));
  EXPECT_EQ(stateOf(session, 1), (Floats{6, 6}));
}

TEST_F(State, OtherSizesNeedAReset) {
  run(Frame(1, 1, 3));
  Frame other(1, 1, 2);
  EXPECT_EQ(other.run(session), EFFRT_STATUS_SHAPE_MISMATCH);
  EXPECT_NE(built.error().find("state 'sum_in' is 3, this run needs 2"),
            std::string::npos)
      << built.error();
  run(Frame(1, 1, 3));
  EXPECT_EQ(effrt_session_reset(session), EFFRT_STATUS_OK);
  EXPECT_EQ(other.run(session), EFFRT_STATUS_OK);
  EXPECT_EQ(stateOf(session, 0).size(), 2u);
  EXPECT_EQ(stateOf(session, 1), (Floats{1, 1, 1, 1}));
}

TEST_F(State, ForksGoTheirOwnWays) {
  run(Frame(1, 1));
  effrt_session *fork = nullptr;
  ASSERT_EQ(effrt_session_fork(session, &fork), EFFRT_STATUS_OK);
  Frame left(1, 2), right(2, 3);
  EXPECT_EQ(left.run(session), EFFRT_STATUS_OK);
  EXPECT_EQ(right.run(fork), EFFRT_STATUS_OK);
  EXPECT_EQ(stateOf(session, 0), (Floats{1, 2, 1.25, 2.25}));
  EXPECT_EQ(stateOf(fork, 0), (Floats{1, 3, 3.25, 1.25, 3.5, 3.75}));
  EXPECT_EQ(stateOf(fork, 1), (Floats{4, 4}));
  effrt_session_destroy(fork);
  // A fork of the beginning, and of a session with threads.
  BuiltSession threaded(&model.desc, 3);
  ASSERT_EQ(effrt_session_fork(threaded.session, &fork), EFFRT_STATUS_OK);
  Frame frame(1, 1);
  EXPECT_EQ(frame.run(fork), EFFRT_STATUS_OK);
  effrt_session_destroy(fork);
  EXPECT_EQ(effrt_session_fork(session, nullptr),
            EFFRT_STATUS_INVALID_ARGUMENT);
}

TEST_F(State, Truncates) {
  run(Frame(3, 1));
  EXPECT_EQ(effrt_session_truncate(session, "past", 3), EFFRT_STATUS_OK);
  EXPECT_EQ(effrt_session_truncate(session, "past", 1), EFFRT_STATUS_OK);
  EXPECT_EQ(stateOf(session, 0), (Floats{1, 1.75}));
  run(Frame(1, 5));
  EXPECT_EQ(stateOf(session, 0), (Floats{1, 5, 1.75, 5.25}));
  EXPECT_EQ(effrt_session_truncate(session, "past", 3),
            EFFRT_STATUS_INVALID_ARGUMENT);
  EXPECT_NE(built.error().find("is 2, it cannot be cut to 3"),
            std::string::npos)
      << built.error();
  EXPECT_EQ(effrt_session_truncate(session, "past", -1),
            EFFRT_STATUS_INVALID_ARGUMENT);
  EXPECT_EQ(effrt_session_truncate(session, "count", 0),
            EFFRT_STATUS_INVALID_ARGUMENT);
  EXPECT_EQ(effrt_session_truncate(session, nullptr, 0),
            EFFRT_STATUS_INVALID_ARGUMENT);
  EXPECT_EQ(effrt_session_truncate(session, "past", 0), EFFRT_STATUS_OK);
  EXPECT_TRUE(stateOf(session, 0).empty());
  run(Frame(1, 7));
  EXPECT_EQ(stateOf(session, 0), (Floats{7, 7.25}));
  EXPECT_EQ(effrt_session_reset(session), EFFRT_STATUS_OK);
  EXPECT_EQ(effrt_session_truncate(session, "past", 0), EFFRT_STATUS_OK);
}

TEST_F(State, CanBeSavedAndRestored) {
  run(Frame(2, 1));
  effrt_tensor cache = {}, sum = {};
  ASSERT_EQ(effrt_session_get_state(session, 0, &cache), EFFRT_STATUS_OK);
  ASSERT_EQ(effrt_session_get_state(session, 1, &sum), EFFRT_STATUS_OK);
  BuiltSession other(&model.desc);
  ASSERT_EQ(effrt_session_set_state(other.session, 0, &cache), EFFRT_STATUS_OK);
  ASSERT_EQ(effrt_session_set_state(other.session, 1, &sum), EFFRT_STATUS_OK);
  Frame frame(1, 9);
  EXPECT_EQ(frame.run(other.session), EFFRT_STATUS_OK);
  run(Frame(1, 9));
  EXPECT_EQ(stateOf(session, 0), stateOf(other.session, 0));
  EXPECT_EQ(stateOf(session, 1), stateOf(other.session, 1));
  // Onto itself.
  Floats before = stateOf(session, 0);
  ASSERT_EQ(effrt_session_get_state(session, 0, &cache), EFFRT_STATUS_OK);
  EXPECT_EQ(effrt_session_set_state(session, 0, &cache), EFFRT_STATUS_OK);
  EXPECT_EQ(stateOf(session, 0), before);
}

TEST_F(State, RefusesWhatCannotBeState) {
  float data[4] = {};
  int64_t shape[] = {2, 2}, wrong[] = {3, 2}, huge[] = {2, INT64_MAX};
  effrt_tensor good = {data, EFFRT_DTYPE_F32, 2, shape, sizeof(data)};
  auto set = [&](auto change) {
    effrt_tensor tensor = good;
    change(tensor);
    return effrt_session_set_state(session, 0, &tensor);
  };
  EXPECT_EQ(set([](auto &) {}), EFFRT_STATUS_OK);
  EXPECT_EQ(set([](auto &t) { t.dtype = EFFRT_DTYPE_F64; }),
            EFFRT_STATUS_DTYPE_MISMATCH);
  EXPECT_EQ(set([](auto &t) { t.rank = 1; }), EFFRT_STATUS_RANK_MISMATCH);
  EXPECT_EQ(set([](auto &t) { t.shape = nullptr; }),
            EFFRT_STATUS_RANK_MISMATCH);
  EXPECT_EQ(set([&](auto &t) { t.shape = wrong; }),
            EFFRT_STATUS_SHAPE_MISMATCH);
  EXPECT_EQ(set([&](auto &t) { t.shape = huge; }), EFFRT_STATUS_SIZE_OVERFLOW);
  EXPECT_EQ(set([](auto &t) { t.bytes = 15; }), EFFRT_STATUS_BUFFER_TOO_SMALL);
  EXPECT_EQ(set([](auto &t) { t.data = nullptr; }), EFFRT_STATUS_NULL_DATA);
  EXPECT_EQ(effrt_session_set_state(session, 2, &good),
            EFFRT_STATUS_INVALID_ARGUMENT);
  EXPECT_EQ(effrt_session_set_state(session, 0, nullptr),
            EFFRT_STATUS_INVALID_ARGUMENT);
  EXPECT_EQ(effrt_session_reset(nullptr), EFFRT_STATUS_INVALID_ARGUMENT);
}

TEST_F(State, RunsBySymbols) {
  int64_t symbols[] = {1, 1};
  Frame frame(1, 2);
  void *inputs[] = {frame.x.data(), frame.b.data()};
  void *outputs[] = {frame.y.data()};
  for (int i = 1; i <= 3; ++i) {
    ASSERT_EQ(effrt_session_run_symbols(session, 0, symbols, inputs, outputs),
              EFFRT_STATUS_OK)
        << built.error();
    EXPECT_EQ(frame.y[0], 2.0f * static_cast<float>(i));
    EXPECT_EQ(stateOf(session, 0).size(), 2u * static_cast<size_t>(i));
  }
  symbols[1] = 2;
  EXPECT_EQ(effrt_session_run_symbols(session, 0, symbols, inputs, outputs),
            EFFRT_STATUS_SHAPE_MISMATCH);
}

TEST_F(State, DamagedTablesAreRefused) {
  auto expect = [](const char *text, auto damage) {
    Keeper model;
    model.finish();
    damage(model);
    BuiltSession built(&model.desc);
    EXPECT_EQ(built.model, nullptr);
    EXPECT_NE(std::string(built.message.text).find(text), std::string::npos)
        << built.message.text;
  };
  expect("bad state 0", [](auto &m) { m.states[0].before.dtype = 11; });
  expect("bad state 0", [](auto &m) { m.states[0].after.dtype = 11; });
  expect("bad state 1", [](auto &m) { m.states[1].after.rank = 1; });
  expect("bad state 1", [](auto &m) { m.states[1].before.late = 1; });
  expect("bad state 1", [](auto &m) { m.states[1].after.name = nullptr; });
  expect("bad symbol 2", [](auto &m) { m.symbols[2].index = 2; });
  expect("bad symbol 2", [](auto &m) { m.symbols[2].axis = 2; });
  expect("bad buffer 4", [](auto &m) { m.buffers[4].value = 2; });
  expect("lacks a table", [](auto &m) { m.program.states = nullptr; });
  Keeper two;
  two.finish();
  effrt_program programs[] = {two.program, two.program};
  programs[1].num_states = 1;
  two.desc.programs = programs;
  two.desc.num_programs = 2;
  BuiltSession built(&two.desc);
  EXPECT_NE(std::string(built.message.text).find("differ in states"),
            std::string::npos)
      << built.message.text;
}

} // namespace
