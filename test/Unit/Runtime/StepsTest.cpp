// Programs with control flow and with sizes that follow from data.
#include "ProgramBuilder.h"

#include "gtest/gtest.h"

#include <chrono>
#include <cstring>
#include <numeric>
#include <random>
#include <thread>

namespace {

// ---- Positions of what is not zero: count, then a launch of late size.

/// dims: n; buffers: x, count.
void countNonZero(const effrt_kernel_args *args, int64_t, int64_t, void *) {
  const auto *x = static_cast<const float *>(args->buffers[0]);
  auto *count = static_cast<int64_t *>(args->buffers[1]);
  *count = 0;
  for (int64_t i = 0; i < args->dims[0]; ++i)
    *count += x[i] != 0;
}

/// dims: n; buffers: x, positions. Touches all of its scratch memory.
void findNonZero(const effrt_kernel_args *args, int64_t, int64_t,
                 void *scratch) {
  const auto *x = static_cast<const float *>(args->buffers[0]);
  auto *positions = static_cast<int64_t *>(args->buffers[1]);
  auto *copy = static_cast<int64_t *>(scratch);
  int64_t at = 0;
  for (int64_t i = 0; i < args->dims[0]; ++i)
    if (x[i] != 0)
      copy[at++] = i;
  std::memcpy(positions, copy, static_cast<size_t>(at) * sizeof(int64_t));
}

struct NonZero : ProgramBuilder {
  NonZero(int64_t maxCount = INT64_MAX) {
    uint32_t n = symbol("n", EFFRT_SYMBOL_INPUT);
    uint32_t count = symbol("count", EFFRT_SYMBOL_STEP, 0, 0, 0, maxCount);
    uint32_t one = constant(1), four = constant(4), eight = constant(8);
    uint32_t bytes = dim(EFFRT_DIM_MUL, n, four);
    uint32_t lateBytes = dim(EFFRT_DIM_MUL, count, eight);
    inputs = {tensor("x", EFFRT_DTYPE_F32, {n})};
    outputs = {tensor("positions", EFFRT_DTYPE_I64, {one, count})};
    uint32_t x = buffer(EFFRT_BUFFER_INPUT, bytes);
    uint32_t counter = buffer(EFFRT_BUFFER_ARENA, eight, 0, 0, 1);
    uint32_t y = buffer(EFFRT_BUFFER_OUTPUT, lateBytes);
    step(EFFRT_STEP_LAUNCH, launch(countNonZero, {x, counter}, {n}, one, one));
    step(EFFRT_STEP_DEFINE, 1, counter, 0);
    step(EFFRT_STEP_LAUNCH, launch(findNonZero, {x, y}, {n}, one, lateBytes));
  }
};

struct NonZeroRun {
  std::vector<float> x;
  std::vector<int64_t> expected;
  int64_t shape[1];
  effrt_tensor input;

  NonZeroRun(int64_t n, unsigned seed) : x(n), shape{n} {
    std::mt19937 random(seed);
    for (int64_t i = 0; i < n; ++i)
      if ((x[i] = static_cast<float>(random() % 3)) != 0)
        expected.push_back(i);
    input = {x.data(), EFFRT_DTYPE_F32, 1, shape, x.size() * 4};
  }
};

TEST(Steps, OutputOfLateSizeIsFetched) {
  NonZero model;
  BuiltSession built(model.finish());
  ASSERT_NE(built.session, nullptr) << built.message.text;
  for (int64_t n : {0, 7, 1000, 3, 20000, 1}) {
    NonZeroRun run(n, static_cast<unsigned>(n));
    effrt_tensor none = {}, out = {};
    ASSERT_EQ(effrt_session_run(built.session, 0, &run.input, 1, &none, 1),
              EFFRT_STATUS_OK)
        << built.error();
    ASSERT_EQ(effrt_session_output(built.session, 0, &out), EFFRT_STATUS_OK);
    ASSERT_EQ(out.rank, 2u);
    EXPECT_EQ(out.shape[0], 1);
    ASSERT_EQ(out.shape[1], static_cast<int64_t>(run.expected.size()));
    EXPECT_EQ(out.bytes, run.expected.size() * 8);
    const auto *data = static_cast<const int64_t *>(out.data);
    EXPECT_EQ(std::vector<int64_t>(data, data + out.shape[1]), run.expected);
  }
}

TEST(Steps, OutputOfLateSizeIsDelivered) {
  NonZero model;
  BuiltSession built(model.finish());
  NonZeroRun run(100, 1);
  std::vector<int64_t> memory(100, -1);
  effrt_tensor out = {memory.data(), EFFRT_DTYPE_I64, 0, nullptr, 800};
  ASSERT_EQ(effrt_session_run(built.session, 0, &run.input, 1, &out, 1),
            EFFRT_STATUS_OK)
      << built.error();
  memory.resize(run.expected.size());
  EXPECT_EQ(memory, run.expected);
  // Too small: the size is told and the result can still be fetched.
  out.bytes = run.expected.size() * 8 - 1;
  EXPECT_EQ(effrt_session_run(built.session, 0, &run.input, 1, &out, 1),
            EFFRT_STATUS_BUFFER_TOO_SMALL);
  EXPECT_NE(built.error().find("'positions' has " +
                               std::to_string(run.expected.size() * 8)),
            std::string::npos)
      << built.error();
  ASSERT_EQ(effrt_session_output(built.session, 0, &out), EFFRT_STATUS_OK);
  EXPECT_EQ(std::memcmp(out.data, run.expected.data(), out.bytes), 0);
  EXPECT_EQ(effrt_session_output(built.session, 1, &out),
            EFFRT_STATUS_INVALID_ARGUMENT);
}

TEST(Steps, ResolveCannotTellLateSizes) {
  NonZero model;
  BuiltSession built(model.finish());
  NonZeroRun run(50, 2);
  effrt_tensor out = {};
  for (int round = 0; round < 2; ++round) {
    ASSERT_EQ(effrt_session_resolve(built.session, 0, &run.input, 1, &out, 1),
              EFFRT_STATUS_OK);
    EXPECT_EQ(out.shape[0], 1);
    EXPECT_EQ(out.shape[1], -1);
    EXPECT_EQ(out.bytes, 0u);
    effrt_tensor fetched = {};
    EXPECT_EQ(effrt_session_output(built.session, 0, &fetched),
              EFFRT_STATUS_INVALID_ARGUMENT);
    out.data = nullptr; // what resolve filled in is taken by run
    EXPECT_EQ(effrt_session_run(built.session, 0, &run.input, 1, &out, 1),
              EFFRT_STATUS_OK);
  }
  effrt_tensor_info info = {};
  info.struct_size = sizeof(info);
  ASSERT_EQ(effrt_model_output(built.model, 0, 0, &info), EFFRT_STATUS_OK);
  EXPECT_EQ(info.late, 1u);
  EXPECT_EQ(info.dims[1], -1);
}

TEST(Steps, LateSymbolsHaveBounds) {
  NonZero model(3);
  BuiltSession built(model.finish());
  NonZeroRun run(100, 3);
  effrt_tensor none = {};
  EXPECT_EQ(effrt_session_run(built.session, 0, &run.input, 1, &none, 1),
            EFFRT_STATUS_SYMBOL_OUT_OF_BOUNDS);
  EXPECT_NE(built.error().find("'count' is"), std::string::npos);
  effrt_tensor out = {};
  EXPECT_EQ(effrt_session_output(built.session, 0, &out),
            EFFRT_STATUS_INVALID_ARGUMENT);
  NonZeroRun good(1, 3);
  EXPECT_EQ(effrt_session_run(built.session, 0, &good.input, 1, &none, 1),
            EFFRT_STATUS_OK);
}

// ---- A loop: y = all i * i for i below x[0], with a carried value.

/// dims: i; buffers: square.
void square(const effrt_kernel_args *args, int64_t, int64_t, void *) {
  *static_cast<int64_t *>(args->buffers[0]) = args->dims[0] * args->dims[0];
}

/// dims: count; buffers: old, new. new = old and one more element.
void lengthen(const effrt_kernel_args *args, int64_t, int64_t, void *) {
  const auto *from = static_cast<const int64_t *>(args->buffers[0]);
  auto *to = static_cast<int64_t *>(args->buffers[1]);
  std::memcpy(to, from, static_cast<size_t>(args->dims[0]) * 8);
  to[args->dims[0]] = 3 * args->dims[0];
}

struct Squares : ProgramBuilder {
  Squares() {
    uint32_t limit = symbol("limit", EFFRT_SYMBOL_STEP, 0, 0, -5);
    uint32_t i = symbol("i", EFFRT_SYMBOL_STEP);
    uint32_t zero = constant(0), one = constant(1), eight = constant(8);
    uint32_t next = dim(EFFRT_DIM_ADD, i, one);
    uint32_t oldBytes = dim(EFFRT_DIM_MUL, i, eight);
    uint32_t newBytes = dim(EFFRT_DIM_MUL, next, eight);
    inputs = {tensor("x", EFFRT_DTYPE_I64, {one})};
    outputs = {tensor("squares", EFFRT_DTYPE_I64, {i}),
               tensor("threes", EFFRT_DTYPE_I64, {i}),
               tensor("count", EFFRT_DTYPE_I64, {one})};
    uint32_t x = buffer(EFFRT_BUFFER_INPUT, eight);
    uint32_t value = buffer(EFFRT_BUFFER_ARENA, eight, 0, 0, 14);
    uint32_t all = buffer(EFFRT_BUFFER_DYNAMIC, oldBytes);
    uint32_t carried = buffer(EFFRT_BUFFER_DYNAMIC, oldBytes);
    uint32_t longer = buffer(EFFRT_BUFFER_DYNAMIC, newBytes);
    uint32_t y = buffer(EFFRT_BUFFER_OUTPUT, oldBytes, 0);
    uint32_t z = buffer(EFFRT_BUFFER_OUTPUT, oldBytes, 1);
    uint32_t count = buffer(EFFRT_BUFFER_OUTPUT, eight, 2);
    checks = {{i, limit, "node 'loop': not all iterations done", 0, 0}};
    step(EFFRT_STEP_DEFINE, 0, x, 0);
    step(EFFRT_STEP_ASSIGN, 1, zero);
    step(EFFRT_STEP_CLEAR, all);
    step(EFFRT_STEP_JUMP_UNLESS_LESS, 9, i, limit);
    step(EFFRT_STEP_LAUNCH, launch(square, {value}, {i}, one, one));
    step(EFFRT_STEP_APPEND, all, value);
    step(EFFRT_STEP_LAUNCH, launch(lengthen, {carried, longer}, {i}, one, one));
    step(EFFRT_STEP_SWAP, carried, longer);
    step(EFFRT_STEP_JUMP, 15); // to the rest of the body
    step(EFFRT_STEP_COPY, y, all);
    step(EFFRT_STEP_COPY, z, carried);
    step(EFFRT_STEP_STORE, count, i);
    step(EFFRT_STEP_JUMP_UNLESS_LESS, 18, zero, limit);
    step(EFFRT_STEP_CHECK, 0);
    step(EFFRT_STEP_JUMP, 18);
    step(EFFRT_STEP_ASSIGN, 1, next);
    step(EFFRT_STEP_JUMP, 3);
    step(EFFRT_STEP_JUMP, 3); // never reached
  }
};

effrt_status runSquares(BuiltSession &built, int64_t limit, int64_t &count) {
  int64_t shape[] = {1};
  effrt_tensor input = {&limit, EFFRT_DTYPE_I64, 1, shape, 8};
  effrt_tensor outputs[3] = {};
  outputs[2].data = &count;
  outputs[2].bytes = 8;
  return effrt_session_run(built.session, 0, &input, 1, outputs, 3);
}

TEST(Steps, LoopsAppendAndCarry) {
  Squares model;
  BuiltSession built(model.finish(), 2);
  ASSERT_NE(built.session, nullptr) << built.message.text;
  for (int64_t limit : {5, 0, 1000, 1, -5, 17}) {
    int64_t count = -1, expected = std::max<int64_t>(limit, 0);
    ASSERT_EQ(runSquares(built, limit, count), EFFRT_STATUS_OK)
        << built.error();
    EXPECT_EQ(count, expected);
    effrt_tensor squares = {}, threes = {};
    ASSERT_EQ(effrt_session_output(built.session, 0, &squares),
              EFFRT_STATUS_OK);
    ASSERT_EQ(effrt_session_output(built.session, 1, &threes), EFFRT_STATUS_OK);
    ASSERT_EQ(squares.shape[0], expected);
    ASSERT_EQ(threes.shape[0], expected);
    for (int64_t i = 0; i < expected; ++i) {
      ASSERT_EQ(static_cast<int64_t *>(squares.data)[i], i * i);
      ASSERT_EQ(static_cast<int64_t *>(threes.data)[i], 3 * i);
    }
  }
  int64_t count;
  EXPECT_EQ(runSquares(built, -6, count), EFFRT_STATUS_SYMBOL_OUT_OF_BOUNDS);
  EXPECT_EQ(runSquares(built, 4, count), EFFRT_STATUS_OK);
}

TEST(Steps, MemoryGrowsGeometrically) {
  Squares model;
  BuiltSession built(model.finish());
  int64_t count;
  ASSERT_EQ(runSquares(built, 10000, count), EFFRT_STATUS_OK);
  effrt_memory_info memory = {};
  memory.struct_size = sizeof(memory);
  ASSERT_EQ(effrt_session_memory(built.session, &memory), EFFRT_STATUS_OK);
  EXPECT_GE(memory.dynamic_bytes, 5u * 80000);
  EXPECT_LE(memory.dynamic_bytes, 5u * 80000 * 3 / 2 + 5 * 64);
  uint64_t before = memory.dynamic_bytes;
  ASSERT_EQ(runSquares(built, 10000, count), EFFRT_STATUS_OK);
  ASSERT_EQ(effrt_session_memory(built.session, &memory), EFFRT_STATUS_OK);
  EXPECT_EQ(memory.dynamic_bytes, before);
}

TEST(Steps, CancelEndsALoop) {
  Squares model;
  model.steps[1] = {EFFRT_STEP_JUMP, 1, 0, 0};
  BuiltSession built(model.finish());
  ASSERT_NE(built.session, nullptr) << built.message.text;
  int64_t count;
  std::thread other([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    effrt_session_cancel(built.session);
  });
  EXPECT_EQ(runSquares(built, 1, count), EFFRT_STATUS_CANCELLED);
  other.join();
  EXPECT_EQ(built.error(), "the run was cancelled");
  // A cancel between runs ends the next one.
  effrt_session_cancel(built.session);
  EXPECT_EQ(runSquares(built, 1, count), EFFRT_STATUS_CANCELLED);
  effrt_session_cancel(nullptr);
}

TEST(Steps, SizesOutOfHandAreErrors) {
  // A value of x[0] * 2^k bytes.
  auto make = [](ProgramBuilder &b, int64_t factor) {
    uint32_t n = b.symbol("n", EFFRT_SYMBOL_STEP, 0, 0, INT64_MIN);
    uint32_t one = b.constant(1), eight = b.constant(8);
    uint32_t bytes = b.dim(EFFRT_DIM_MUL, n, b.constant(factor));
    b.inputs = {b.tensor("x", EFFRT_DTYPE_I64, {one})};
    uint32_t x = b.buffer(EFFRT_BUFFER_INPUT, eight);
    uint32_t d = b.buffer(EFFRT_BUFFER_DYNAMIC, bytes);
    b.step(EFFRT_STEP_DEFINE, 0, x, 0);
    b.step(EFFRT_STEP_COPY, d, d);
  };
  auto run = [](BuiltSession &built, int64_t n) {
    int64_t shape[] = {1};
    effrt_tensor input = {&n, EFFRT_DTYPE_I64, 1, shape, 8};
    return effrt_session_run(built.session, 0, &input, 1, nullptr, 0);
  };
  ProgramBuilder builder;
  make(builder, 1 << 20);
  BuiltSession built(builder.finish());
  ASSERT_NE(built.session, nullptr) << built.message.text;
  EXPECT_EQ(run(built, 1), EFFRT_STATUS_OK) << built.error();
  EXPECT_EQ(run(built, -1), EFFRT_STATUS_SIZE_OVERFLOW);
  EXPECT_NE(built.error().find("-1048576 bytes"), std::string::npos);
  EXPECT_EQ(run(built, int64_t(1) << 50), EFFRT_STATUS_SIZE_OVERFLOW);
  EXPECT_NE(built.error().find("does not fit 64 bits with n = "),
            std::string::npos);
  EXPECT_EQ(run(built, int64_t(1) << 36), EFFRT_STATUS_OUT_OF_MEMORY);
  EXPECT_EQ(run(built, 1), EFFRT_STATUS_OK) << built.error();
}

TEST(Steps, UsedBeforeDefinedIsAnError) {
  NonZero model;
  model.steps.erase(model.steps.begin() + 1);
  BuiltSession built(model.finish());
  NonZeroRun run(10, 4);
  effrt_tensor none = {};
  EXPECT_EQ(effrt_session_run(built.session, 0, &run.input, 1, &none, 1),
            EFFRT_STATUS_SIZE_OVERFLOW);
  EXPECT_NE(built.error().find("before it has a value"), std::string::npos);
}

TEST(Steps, TouchingBehindABufferIsAnError) {
  NonZero model;
  model.steps[1].c = 1;
  BuiltSession built(model.finish());
  NonZeroRun run(10, 4);
  effrt_tensor none = {};
  EXPECT_EQ(effrt_session_run(built.session, 0, &run.input, 1, &none, 1),
            EFFRT_STATUS_NOT_A_MODEL);
}

std::string refusal(ProgramBuilder &builder) {
  effrt_model *model = nullptr;
  effrt_message message = {};
  EXPECT_EQ(effrt_model_create(&builder.desc, nullptr, &model, &message),
            EFFRT_STATUS_NOT_A_MODEL);
  effrt_model_close(model);
  return message.text;
}

template <typename Damage> std::string refusalAfter(Damage damage) {
  Squares model;
  model.finish();
  damage(model);
  return refusal(model);
}

TEST(Steps, DamagedTablesAreRefused) {
  auto expect = [](const char *text, auto damage) {
    std::string message = refusalAfter(damage);
    EXPECT_NE(message.find(text), std::string::npos) << message;
  };
  for (uint32_t kind : {12u, ~0u})
    expect("bad step 0", [&](auto &m) { m.steps[0].kind = int32_t(kind); });
  expect("bad step 0", [](auto &m) { m.steps[0].a = 2; });
  expect("bad step 0", [](auto &m) { m.steps[0].b = 99; });
  expect("bad step 1", [](auto &m) { m.steps[1].b = 99; });
  expect("bad step 2", [](auto &m) { m.steps[2].a = 0; });
  expect("bad step 3", [](auto &m) { m.steps[3].a = 19; });
  expect("bad step 3", [](auto &m) { m.steps[3].c = 99; });
  expect("bad step 4", [](auto &m) { m.steps[4].a = 2; });
  expect("bad step 4", [](auto &m) { m.buffers[1].first = 5; });
  expect("bad step 5", [](auto &m) { m.steps[5].b = m.steps[5].a; });
  expect("bad step 7", [](auto &m) { m.steps[7].b = 1; });
  expect("bad step 9", [](auto &m) { m.steps[9].a = 0; });
  expect("bad step 11", [](auto &m) { m.steps[11].a = 0; });
  expect("bad step 13", [](auto &m) { m.steps[13].a = 1; });
  expect("bad launch 0", [](auto &m) { m.launches[0].late = 0; });
  expect("bad launch 1", [](auto &m) { m.launches[1].late = 2; });
  expect("bad symbol 0", [](auto &m) { --m.symbols[0].num_dependents; });
  expect("bad symbol 1", [](auto &m) { ++m.symbols[1].dependents; });
  expect("bad symbol 1", [](auto &m) { m.symbols[1].dependents = nullptr; });
  expect("bad", [](auto &m) { m.symbols[1].source = 0; });
  expect("bad", [](auto &m) { m.symbols[1].source = 3; });
  expect("bad", [](auto &m) { m.symbols[0].source = 1; });
  expect("bad tensor 1", [](auto &m) { m.outputs[0].late = 0; });
  expect("bad tensor 3", [](auto &m) { m.outputs[2].late = 1; });
  expect("bad check 0", [](auto &m) { m.checks[0].late = 0; });
  expect("bad check 0", [](auto &m) { m.checks[0].late = 2; });
  expect("bad buffer 2", [](auto &m) { m.buffers[2].kind = 3; });
  expect("bad buffer 3", [](auto &m) { m.buffers[3].kind = 6; });
  expect("bad buffer 1", [](auto &m) { m.buffers[1].last = 18; });
  expect("lacks a table", [](auto &m) { m.program.steps = nullptr; });
  expect("bad", [](auto &m) { m.program.num_steps = 0; });
}

/// Damage in any field is refused or cannot lead the runtime astray: kernels
/// here only touch what every table gives them.
TEST(Steps, RandomDamageIsRefusedOrHarmless) {
  auto idle = [](const effrt_kernel_args *, int64_t, int64_t, void *) {};
  int numRefused = 0;
  for (unsigned seed = 0; seed < 4000; ++seed) {
    std::mt19937 random(seed);
    Squares model;
    model.finish();
    for (effrt_kernel &kernel : model.kernels)
      kernel.fn = idle;
    auto damage = [&](void *rows, size_t size, size_t count,
                      std::initializer_list<size_t> fields) {
      uint32_t value =
          random() % 3 ? random() % 20 : static_cast<uint32_t>(random());
      size_t at =
          random() % count * size + fields.begin()[random() % fields.size()];
      std::memcpy(static_cast<char *>(rows) + at, &value, sizeof(value));
    };
    for (unsigned i = 0; i < 1 + seed % 3; ++i)
      switch (random() % 5) {
      case 0:
        damage(model.steps.data(), sizeof(effrt_step), model.steps.size(),
               {0, 4, 8, 12});
        break;
      case 1:
        damage(model.symbols.data(), sizeof(effrt_symbol), model.symbols.size(),
               {8, 12, 16, 20, 32, 36, 40});
        break;
      case 2:
        damage(model.dims.data(), sizeof(effrt_dim_op), model.dims.size(),
               {0, 4, 8, 16, 20});
        break;
      case 3:
        damage(model.buffers.data(), sizeof(effrt_buffer), model.buffers.size(),
               {0, 4, 8, 16, 20});
        break;
      default:
        damage(model.launches.data(), sizeof(effrt_launch),
               model.launches.size(), {0, 28, 32, 36, 40, 44, 48});
      }
    BuiltSession built(&model.desc);
    if (!built.session) {
      ++numRefused;
      continue;
    }
    // Damaged jumps may loop for ever.
    std::atomic<bool> done{false};
    std::thread watchdog;
    if (random() % 8 == 0)
      watchdog = std::thread([&] {
        while (!done) {
          effrt_session_cancel(built.session);
          std::this_thread::sleep_for(std::chrono::milliseconds(1));
        }
      });
    else
      effrt_session_cancel(built.session);
    int64_t count;
    (void)runSquares(built, 3, count);
    done = true;
    if (watchdog.joinable())
      watchdog.join();
  }
  EXPECT_GT(numRefused, 1000);
}

// ---- Poisoned memory, with hooks that only take notes.

std::vector<bool> *poisoned;
const uint8_t *noted;

void note(const volatile void *address, size_t bytes, bool bad) {
  const auto *at =
      static_cast<const uint8_t *>(const_cast<const void *>(address));
  for (size_t i = 0; i < bytes; ++i)
    if (noted && at + i >= noted - 4096 && at + i < noted + 4096)
      (*poisoned)[static_cast<size_t>(at + i - noted + 4096)] = bad;
}
void notePoison(const volatile void *address, size_t bytes) {
  note(address, bytes, true);
}
void noteUnpoison(const volatile void *address, size_t bytes) {
  note(address, bytes, false);
}

bool isPoisoned(const void *at) {
  return (*poisoned)[static_cast<size_t>(static_cast<const uint8_t *>(at) -
                                         noted + 4096)];
}

/// buffers: a, b, both of 40 bytes in the arena; only b belongs to the launch.
void look(const effrt_kernel_args *args, int64_t, int64_t, void *scratch) {
  auto *mine = static_cast<uint8_t *>(args->buffers[0]);
  if (!noted) {
    noted = mine; // takes notes from the next run on
    return;
  }
  for (int i = 0; i < 40; ++i)
    EXPECT_FALSE(isPoisoned(mine + i));
  for (int i = 40; i < 128; ++i)
    EXPECT_TRUE(isPoisoned(mine + i)) << i;
  std::memset(scratch, 1, 24);
}

TEST(Steps, ArenaIsPoisonedAroundALaunch) {
  std::vector<bool> notes(8192, true);
  poisoned = &notes;
  noted = nullptr;
  ProgramBuilder builder;
  uint32_t one = builder.constant(1), bytes = builder.constant(40),
           scratch = builder.constant(24);
  uint32_t a = builder.buffer(EFFRT_BUFFER_ARENA, bytes, 0, 0, 1);
  uint32_t b = builder.buffer(EFFRT_BUFFER_ARENA, bytes, 0, 0, 1);
  builder.launch(look, {a}, {}, one, scratch);
  builder.launch(look, {b}, {}, one, scratch);
  builder.launches[1].kernel = 0;
  (void)builder.finish();
  builder.desc.poison = notePoison;
  builder.desc.unpoison = noteUnpoison;
  BuiltSession built(&builder.desc);
  ASSERT_NE(built.session, nullptr) << built.message.text;
  EXPECT_EQ(effrt_session_run(built.session, 0, nullptr, 0, nullptr, 0),
            EFFRT_STATUS_OK);
  EXPECT_EQ(effrt_session_run(built.session, 0, nullptr, 0, nullptr, 0),
            EFFRT_STATUS_OK);
}

} // namespace

#if defined(__SANITIZE_ADDRESS__) ||                                           \
    (defined(__has_feature) && __has_feature(address_sanitizer))
#include <sanitizer/asan_interface.h>

namespace {

/// Writes one byte behind its buffer.
void overrun(const effrt_kernel_args *args, int64_t, int64_t, void *) {
  static_cast<volatile uint8_t *>(args->buffers[0])[40] = 1;
}
void overrunScratch(const effrt_kernel_args *, int64_t, int64_t,
                    void *scratch) {
  static_cast<volatile uint8_t *>(scratch)[24] = 1;
}

void runBad(effrt_kernel_fn fn, bool dynamic) {
  ProgramBuilder builder;
  uint32_t one = builder.constant(1), bytes = builder.constant(40),
           scratch = builder.constant(24);
  uint32_t a = builder.buffer(
      dynamic ? EFFRT_BUFFER_DYNAMIC : EFFRT_BUFFER_ARENA, bytes);
  builder.step(EFFRT_STEP_LAUNCH, builder.launch(fn, {a}, {}, one, scratch));
  (void)builder.finish();
  builder.desc.poison = __asan_poison_memory_region;
  builder.desc.unpoison = __asan_unpoison_memory_region;
  BuiltSession built(&builder.desc);
  (void)effrt_session_run(built.session, 0, nullptr, 0, nullptr, 0);
}

TEST(StepsDeathTest, OverrunsAreFound) {
  char memory[8];
  __asan_poison_memory_region(memory, sizeof(memory));
  bool heeded = __asan_address_is_poisoned(memory);
  __asan_unpoison_memory_region(memory, sizeof(memory));
  if (!heeded)
    GTEST_SKIP() << "ASAN_OPTIONS say allow_user_poisoning=0";
  EXPECT_DEATH(runBad(overrun, false), "use-after-poison");
  EXPECT_DEATH(runBad(overrun, true), "use-after-poison");
  EXPECT_DEATH(runBad(overrunScratch, false), "use-after-poison");
}

} // namespace
#endif
