// A model table of any content: what the runtime accepts it must bind and walk
// without touching memory that is not its own. Arrays are as long as their
// counts say and lie in heap blocks of their own, so that AddressSanitizer sees
// one index too many; kernels do nothing, since they trust the table.
#include "effrt/effrt.h"
#include "effrt/effrt_abi.h"

#include <algorithm>
#include <deque>
#include <memory>
#include <vector>

namespace {

/// Bytes of the input, then zeros.
class Source {
public:
  Source(const uint8_t *data, size_t size) : data(data), size(size) {}

  uint32_t below(uint32_t limit) { return limit ? byte() % limit : 0; }
  /// Mostly an index into `count` things, now and then one that is not.
  uint32_t index(uint32_t count) {
    uint8_t value = byte();
    if (value == 255)
      return word();
    return count ? value % (count + (value > 250)) : value > 250;
  }
  int64_t number() {
    uint8_t value = byte();
    if (value < 200)
      return value % 20;
    return value < 240 ? int64_t(word())
                       : int64_t(uint64_t(word()) << 32 | word());
  }
  bool done() const { return size == 0; }

private:
  uint8_t byte() {
    if (size == 0)
      return 0;
    --size;
    return *data++;
  }
  uint32_t word() {
    uint32_t value = 0;
    for (int i = 0; i < 4; ++i)
      value = value << 8 | byte();
    return value;
  }

  const uint8_t *data;
  size_t size;
};

void doNothing(const effrt_kernel_args *, int64_t, int64_t, void *) {}
void report(const effrt_kernel_args *args, int64_t, int64_t, void *) {
  __atomic_store_n(args->error, 1, __ATOMIC_RELAXED);
}

/// One program, made of the input.
class TableBuilder {
public:
  explicit TableBuilder(Source &source) : source(source) {}
  void build(effrt_program &program);

private:
  template <typename T> T *array(uint32_t count) {
    auto block = std::shared_ptr<T[]>(new T[count]());
    keep.push_back(block);
    return block.get();
  }
  const uint32_t *indices(uint32_t count, uint32_t limit) {
    uint32_t *list = array<uint32_t>(count);
    std::generate_n(list, count, [&] { return source.index(limit); });
    return list;
  }
  effrt_tensor_desc tensor();
  void addDims();
  void addSymbols();
  void addBuffers();
  void addLaunches();
  void addSteps();

  Source &source;
  effrt_program p = {};
  std::deque<std::shared_ptr<void>> keep;
};

} // namespace

effrt_tensor_desc TableBuilder::tensor() {
  effrt_tensor_desc result = {};
  result.name = "tensor";
  result.dtype = source.below(8) ? EFFRT_DTYPE_F32 : int32_t(source.number());
  result.rank = source.below(4);
  result.dims = indices(result.rank, p.num_dims);
  const char **texts = array<const char *>(result.rank);
  std::fill_n(texts, result.rank, "size");
  result.dim_texts = texts;
  result.late = source.below(8) == 7;
  return result;
}

void TableBuilder::addDims() {
  p.num_dims = 1 + source.below(24);
  effrt_dim_op *dims = array<effrt_dim_op>(p.num_dims);
  for (uint32_t i = 0; i < p.num_dims; ++i) {
    dims[i].kind = int32_t(source.index(EFFRT_DIM_BROADCAST + 1));
    uint32_t limit = dims[i].kind == EFFRT_DIM_SYMBOL ? p.num_symbols : i;
    dims[i].a = source.index(limit);
    dims[i].b = source.index(limit);
    dims[i].value = source.number();
  }
  p.dims = dims;
}

void TableBuilder::addSymbols() {
  effrt_symbol *symbols = array<effrt_symbol>(p.num_symbols);
  for (uint32_t i = 0; i < p.num_symbols; ++i) {
    effrt_symbol &symbol = symbols[i];
    symbol.name = "symbol";
    symbol.source = int32_t(source.index(EFFRT_SYMBOL_STEP + 1));
    symbol.index = source.index(
        symbol.source == EFFRT_SYMBOL_STATE ? p.num_states : p.num_inputs);
    symbol.axis = source.below(3);
    symbol.num_dependents = source.below(4);
    symbol.dependents = indices(symbol.num_dependents, p.num_dims);
    symbol.min = source.number();
    if (__builtin_add_overflow(symbol.min, source.below(100), &symbol.max))
      symbol.max = symbol.min;
  }
  p.symbols = symbols;
}

void TableBuilder::addBuffers() {
  p.num_buffers = source.below(12);
  p.num_launches = source.below(8);
  effrt_buffer *buffers = array<effrt_buffer>(p.num_buffers);
  for (uint32_t i = 0; i < p.num_buffers; ++i) {
    buffers[i].kind = int32_t(source.index(EFFRT_BUFFER_STATE_AFTER + 1));
    buffers[i].bytes = source.index(p.num_dims);
    buffers[i].value = source.below(6) ? source.index(4) : source.number();
    buffers[i].first = source.below(4) ? 0 : source.index(p.num_launches);
    buffers[i].last = source.below(4) && p.num_launches
                          ? p.num_launches - 1
                          : source.index(p.num_launches);
  }
  p.buffers = buffers;
}

void TableBuilder::addLaunches() {
  effrt_launch *launches = array<effrt_launch>(p.num_launches);
  for (uint32_t i = 0; i < p.num_launches; ++i) {
    effrt_launch &launch = launches[i];
    launch.kernel = source.index(2);
    launch.num_buffers = source.below(5);
    launch.buffers = indices(launch.num_buffers, p.num_buffers);
    launch.num_dims = source.below(4);
    launch.dims = indices(launch.num_dims, p.num_dims);
    for (uint32_t *size : {&launch.extent, &launch.scratch, &launch.flops,
                           &launch.bytes, &launch.cost})
      *size = source.index(p.num_dims);
    launch.late = source.below(4) == 3;
  }
  p.launches = launches;
}

void TableBuilder::addSteps() {
  p.num_steps = source.below(3) ? 0 : source.below(12);
  effrt_step *steps = array<effrt_step>(p.num_steps);
  for (uint32_t i = 0; i < p.num_steps; ++i) {
    steps[i].kind = int32_t(source.index(EFFRT_STEP_APPEND + 1));
    // Jumps backwards make loops without an end, which is no damage.
    bool jumps = steps[i].kind >= EFFRT_STEP_JUMP &&
                 steps[i].kind <= EFFRT_STEP_JUMP_UNLESS_LESS;
    steps[i].a = source.index(12);
    if (jumps)
      steps[i].a = std::max(steps[i].a, i + 1);
    steps[i].b = source.index(12);
    steps[i].c = source.index(12);
  }
  p.steps = p.num_steps ? steps : nullptr;
}

void TableBuilder::build(effrt_program &program) {
  p.name = "main";
  p.num_symbols = source.below(4);
  p.num_inputs = source.below(4);
  p.num_outputs = source.below(4);
  p.num_states = source.below(4) ? 0 : source.below(3);
  addDims();
  auto tensors = [&](uint32_t count) {
    effrt_tensor_desc *list = array<effrt_tensor_desc>(count);
    std::generate_n(list, count, [&] { return tensor(); });
    return list;
  };
  p.inputs = tensors(p.num_inputs);
  p.outputs = tensors(p.num_outputs);
  effrt_state *states = array<effrt_state>(p.num_states);
  std::generate_n(states, p.num_states,
                  [&] { return effrt_state{tensor(), tensor()}; });
  p.states = p.num_states ? states : nullptr;
  addSymbols();
  p.num_checks = source.below(3);
  effrt_dim_check *checks = array<effrt_dim_check>(p.num_checks);
  for (uint32_t i = 0; i < p.num_checks; ++i)
    checks[i] = {source.index(p.num_dims), source.index(p.num_dims), "check",
                 source.below(8) == 7, 0};
  p.checks = checks;
  addBuffers();
  addLaunches();
  addSteps();
  program = p;
}

/// Runs with inputs of the sizes that the program declares, where they are
/// sizes; each tensor in a block of exactly its bytes.
static void run(effrt_session *session, const effrt_program &program,
                Source &source) {
  std::vector<effrt_tensor> inputs(program.num_inputs),
      outputs(program.num_outputs);
  std::vector<std::vector<int64_t>> shapes;
  std::vector<std::vector<uint8_t>> blocks;
  for (uint32_t i = 0; i < program.num_inputs; ++i) {
    const effrt_tensor_desc &desc = program.inputs[i];
    std::vector<int64_t> shape;
    uint64_t bytes = effrt_dtype_size(desc.dtype);
    for (uint32_t axis = 0; axis < desc.rank; ++axis) {
      const effrt_dim_op &dim = program.dims[desc.dims[axis]];
      shape.push_back(dim.kind == EFFRT_DIM_CONST && dim.value >= 0 &&
                              dim.value < 64
                          ? dim.value
                          : source.below(16));
      bytes *= shape.back();
    }
    shapes.push_back(std::move(shape));
    blocks.emplace_back(bytes);
    inputs[i] = {blocks.back().data(), desc.dtype, desc.rank,
                 shapes.back().data(), bytes};
  }
  if (effrt_session_resolve(session, 0, inputs.data(), inputs.size(),
                            outputs.data(), outputs.size()))
    return;
  for (effrt_tensor &output : outputs) {
    if (output.bytes > 1 << 20)
      return;
    blocks.emplace_back(output.bytes);
    output.data = blocks.back().data();
    output.shape = nullptr;
    output.dtype = 0;
  }
  for (int i = 0; i < 2; ++i)
    (void)effrt_session_run(session, 0, inputs.data(), inputs.size(),
                            outputs.data(), outputs.size());
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  Source source(data, size);
  TableBuilder builder(source);
  effrt_program program;
  builder.build(program);
  static const effrt_kernel kernels[] = {
      {doNothing, "nothing", "node", nullptr},
      {report, "report", "node", nullptr}};
  static const uint64_t weights[8] = {};
  effrt_model_desc desc = {};
  desc.magic = EFFRT_MAGIC;
  desc.abi_version = EFFRT_ABI_VERSION;
  desc.struct_size = sizeof(desc);
  desc.num_programs = 1;
  desc.name = "fuzz";
  desc.target = "v3";
  desc.certificate = "{}";
  desc.kernels = kernels;
  desc.num_kernels = 2;
  desc.programs = &program;
  desc.weights = weights;
  desc.weights_size = sizeof(weights);
  effrt_model *model = nullptr;
  effrt_message message;
  if (effrt_model_create(&desc, nullptr, &model, &message))
    return 0;
  effrt_session *session = nullptr;
  effrt_session_options options = {sizeof(options), 1, nullptr};
  if (!effrt_session_create(model, &options, &session, &message))
    run(session, program, source);
  effrt_session_destroy(session);
  effrt_model_close(model);
  return 0;
}
