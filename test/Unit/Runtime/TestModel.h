// The hand-written model of TestModel.c and a caller for it.
#ifndef EFFC_TEST_UNIT_RUNTIME_TESTMODEL_H
#define EFFC_TEST_UNIT_RUNTIME_TESTMODEL_H

#include "effrt/effrt.h"

#include <array>
#include <vector>

extern "C" const effrt_model_desc effc_model_table;

constexpr uint32_t fixedProgram = 0;
constexpr uint32_t mainProgram = 1;

/// Inputs, outputs and their descriptions for one shape.
struct ToyRun {
  std::vector<float> x, bias, mask, y, sums;
  std::vector<int64_t> rows;
  std::array<int64_t, 2> xShape;
  std::array<int64_t, 1> biasShape, rowsShape, maskShape;
  std::array<effrt_tensor, 4> inputs;
  std::array<effrt_tensor, 2> outputs;

  ToyRun(int64_t batch, int64_t seq)
      : x(batch * seq), bias(seq), mask(seq + 1), y(batch * seq, -1),
        sums(batch, -1), rows(batch), xShape{batch, seq}, biasShape{seq},
        rowsShape{batch}, maskShape{seq + 1} {
    for (size_t i = 0; i < x.size(); ++i)
      x[i] = 0.37f * static_cast<float>((i * 7919) % 1009) - 180.0f;
    for (int64_t i = 0; i < seq; ++i)
      bias[i] = 0.11f * static_cast<float>(i % 97);
    for (int64_t i = 0; i < batch; ++i)
      rows[i] = batch - 1 - i;
    inputs = {
        {{x.data(), EFFRT_DTYPE_F32, 2, xShape.data(), x.size() * 4},
         {bias.data(), EFFRT_DTYPE_F32, 1, biasShape.data(), bias.size() * 4},
         {rows.data(), EFFRT_DTYPE_I64, 1, rowsShape.data(), rows.size() * 8},
         {mask.data(), EFFRT_DTYPE_F32, 1, maskShape.data(), mask.size() * 4}}};
    outputs = {{{y.data(), 0, 0, nullptr, y.size() * 4},
                {sums.data(), 0, 0, nullptr, sums.size() * 4}}};
  }
  ToyRun(const ToyRun &) = delete;

  effrt_status run(effrt_session *session,
                   uint32_t program = EFFRT_PROGRAM_ANY) {
    return effrt_session_run(session, program, inputs.data(), 4, outputs.data(),
                             2);
  }

  /// Whether outputs are what the model says, in the same order of operations.
  bool isRight() const {
    int64_t batch = xShape[0], seq = xShape[1];
    for (int64_t b = 0; b < batch; ++b) {
      float sum = 0;
      for (int64_t s = 0; s < seq; ++s) {
        float expected = 2.0f * x[rows[b] * seq + s] + bias[s];
        float difference = y[b * seq + s] - expected;
        if (difference > 1e-4f || difference < -1e-4f)
          return false;
        sum += y[b * seq + s];
      }
      if (sums[b] != sum)
        return false;
    }
    return true;
  }
};

/// A session on a model of its own.
struct ToySession {
  effrt_model *model = nullptr;
  effrt_session *session = nullptr;

  explicit ToySession(int32_t numThreads = 1, effrt_pool *pool = nullptr,
                      const effrt_model_desc *desc = &effc_model_table) {
    effrt_session_options options = {sizeof(options), numThreads, pool};
    if (effrt_model_create(desc, nullptr, &model, nullptr) == EFFRT_STATUS_OK)
      (void)effrt_session_create(model, &options, &session, nullptr);
  }
  ToySession(const ToySession &) = delete;
  ~ToySession() {
    effrt_model_close(model);
    effrt_session_destroy(session);
  }
};

#endif // EFFC_TEST_UNIT_RUNTIME_TESTMODEL_H
