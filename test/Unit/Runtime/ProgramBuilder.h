// Builds model tables by hand, as Emit would, for programs with steps and
// states.
#ifndef EFFC_TEST_UNIT_RUNTIME_PROGRAMBUILDER_H
#define EFFC_TEST_UNIT_RUNTIME_PROGRAMBUILDER_H

#include "effrt/effrt.h"

#include <deque>
#include <string>
#include <vector>

/// One program and its kernels. Rows refer to each other by index.
struct ProgramBuilder {
  std::vector<effrt_kernel> kernels;
  std::vector<effrt_symbol> symbols;
  std::vector<effrt_dim_op> dims;
  std::vector<effrt_dim_check> checks;
  std::vector<effrt_tensor_desc> inputs, outputs;
  std::vector<effrt_buffer> buffers;
  std::vector<effrt_launch> launches;
  std::vector<effrt_step> steps;
  std::vector<effrt_state> states;
  std::deque<std::vector<uint32_t>> lists; // what rows point to
  std::vector<const char *> texts = std::vector<const char *>(8, "size");
  effrt_program program = {};
  effrt_model_desc desc = {};

  uint32_t constant(int64_t value) {
    dims.push_back({EFFRT_DIM_CONST, 0, 0, 0, value});
    return lastOf(dims);
  }
  uint32_t dim(effrt_dim_kind kind, uint32_t a, uint32_t b) {
    dims.push_back({kind, a, b, 0, 0});
    return lastOf(dims);
  }
  /// Adds a symbol and its dim; returns the dim.
  uint32_t symbol(const char *name, effrt_symbol_source source,
                  uint32_t index = 0, uint32_t axis = 0, int64_t min = 0,
                  int64_t max = INT64_MAX) {
    effrt_symbol s = {};
    s.name = name, s.source = source, s.index = index, s.axis = axis;
    s.min = min, s.max = max;
    symbols.push_back(s);
    return dim(EFFRT_DIM_SYMBOL, lastOf(symbols), 0);
  }
  effrt_tensor_desc tensor(const char *name, int32_t dtype,
                           std::vector<uint32_t> sizes) {
    lists.push_back(std::move(sizes));
    return {name,
            dtype,
            static_cast<uint32_t>(lists.back().size()),
            lists.back().data(),
            texts.data(),
            0,
            0};
  }
  uint32_t buffer(effrt_buffer_kind kind, uint32_t bytes, uint64_t value = 0,
                  uint32_t first = 0, uint32_t last = 0) {
    buffers.push_back({kind, bytes, value, first, last});
    return lastOf(buffers);
  }
  /// Adds a kernel and its only launch; returns the launch.
  uint32_t launch(effrt_kernel_fn fn, std::vector<uint32_t> operands,
                  std::vector<uint32_t> sizes, uint32_t extent,
                  uint32_t scratch) {
    kernels.push_back({fn, "kernel", "node", "loops"});
    lists.push_back(std::move(operands));
    auto &operandList = lists.back();
    lists.push_back(std::move(sizes));
    effrt_launch row = {};
    row.kernel = lastOf(kernels);
    row.num_buffers = static_cast<uint32_t>(operandList.size());
    row.buffers = operandList.data();
    row.dims = lists.back().data();
    row.num_dims = static_cast<uint32_t>(lists.back().size());
    row.extent = extent;
    row.scratch = scratch;
    row.flops = row.bytes = row.cost = extent;
    launches.push_back(row);
    return lastOf(launches);
  }
  void step(effrt_step_kind kind, uint32_t a = 0, uint32_t b = 0,
            uint32_t c = 0) {
    steps.push_back({kind, a, b, c});
  }

  /// The finished table: flags of late rows and lists of dependents are worked
  /// out here.
  const effrt_model_desc *finish() {
    markLate();
    program.name = "main";
    program.symbols = symbols.data(), program.num_symbols = sizeOf(symbols);
    program.dims = dims.data(), program.num_dims = sizeOf(dims);
    program.checks = checks.data(), program.num_checks = sizeOf(checks);
    program.inputs = inputs.data(), program.num_inputs = sizeOf(inputs);
    program.outputs = outputs.data(), program.num_outputs = sizeOf(outputs);
    program.buffers = buffers.data(), program.num_buffers = sizeOf(buffers);
    program.launches = launches.data(), program.num_launches = sizeOf(launches);
    program.steps = steps.data(), program.num_steps = sizeOf(steps);
    program.states = states.data(), program.num_states = sizeOf(states);
    desc.magic = EFFRT_MAGIC;
    desc.abi_version = EFFRT_ABI_VERSION;
    desc.struct_size = sizeof(desc);
    desc.name = "built", desc.target = "v3", desc.certificate = "{}";
    desc.kernels = kernels.data(), desc.num_kernels = sizeOf(kernels);
    desc.programs = &program, desc.num_programs = 1;
    return &desc;
  }

private:
  template <typename Row> static uint32_t sizeOf(const std::vector<Row> &rows) {
    return static_cast<uint32_t>(rows.size());
  }
  template <typename Row> static uint32_t lastOf(const std::vector<Row> &rows) {
    return sizeOf(rows) - 1;
  }
  std::vector<bool> dependents(uint32_t symbol) const {
    std::vector<bool> depends(dims.size());
    for (size_t i = 0; i < dims.size(); ++i)
      depends[i] = dims[i].kind == EFFRT_DIM_SYMBOL ? dims[i].a == symbol
                   : dims[i].kind == EFFRT_DIM_CONST
                       ? false
                       : depends[dims[i].a] || depends[dims[i].b];
    return depends;
  }
  void markLate() {
    std::vector<bool> late(dims.size());
    for (uint32_t s = 0; s < symbols.size(); ++s) {
      if (symbols[s].source != EFFRT_SYMBOL_STEP)
        continue;
      std::vector<bool> depends = dependents(s);
      lists.emplace_back();
      for (uint32_t i = 0; i < dims.size(); ++i)
        if (depends[i]) {
          late[i] = true;
          lists.back().push_back(i);
        }
      symbols[s].dependents = lists.back().data();
      symbols[s].num_dependents = sizeOf(lists.back());
    }
    auto mark = [&](effrt_tensor_desc &tensor) {
      for (uint32_t axis = 0; axis < tensor.rank; ++axis)
        tensor.late |= late[tensor.dims[axis]];
    };
    for (effrt_tensor_desc &output : outputs)
      mark(output);
    for (effrt_state &state : states)
      mark(state.after);
    for (effrt_dim_check &check : checks)
      check.late = late[check.a] || late[check.b];
    for (effrt_launch &launch : launches) {
      launch.late = late[launch.extent] || late[launch.scratch];
      for (uint32_t k = 0; k < launch.num_dims; ++k)
        launch.late |= late[launch.dims[k]];
      for (uint32_t k = 0; k < launch.num_buffers; ++k) {
        const effrt_buffer &buffer = buffers[launch.buffers[k]];
        launch.late |= late[buffer.bytes] ||
                       buffer.kind == EFFRT_BUFFER_DYNAMIC ||
                       (buffer.kind == EFFRT_BUFFER_OUTPUT &&
                        outputs[buffer.value].late) ||
                       (buffer.kind == EFFRT_BUFFER_STATE_AFTER &&
                        states[buffer.value].after.late);
      }
    }
  }
};

/// A model and a session on a table.
struct BuiltSession {
  effrt_model *model = nullptr;
  effrt_session *session = nullptr;
  effrt_message message = {};

  explicit BuiltSession(const effrt_model_desc *desc, int32_t numThreads = 1) {
    effrt_session_options options = {sizeof(options), numThreads, nullptr};
    if (effrt_model_create(desc, nullptr, &model, &message) == EFFRT_STATUS_OK)
      (void)effrt_session_create(model, &options, &session, &message);
  }
  BuiltSession(const BuiltSession &) = delete;
  ~BuiltSession() {
    effrt_model_close(model);
    effrt_session_destroy(session);
  }
  std::string error() const { return effrt_session_error(session); }
};

#endif // EFFC_TEST_UNIT_RUNTIME_PROGRAMBUILDER_H
