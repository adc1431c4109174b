// One test: a compilation for each mode, a session for each data set.
#include "Executor.h"
#include "effrt/effrt.h"
#include <chrono>
#include <cstring>
#include <map>
#include <unistd.h>

namespace effc::test {

const char *getStatusName(Status status) {
  switch (status) {
  case Status::Pass:
    return "pass";
  case Status::Different:
    return "different";
  case Status::Refused:
    return "refused";
  case Status::RunError:
    return "run-error";
  case Status::Fault:
    return "fault";
  case Status::Unsupported:
    return "unsupported";
  }
  return "?";
}

static double elapsedMs(std::chrono::steady_clock::time_point start) {
  std::chrono::duration<double, std::milli> elapsed =
      std::chrono::steady_clock::now() - start;
  return elapsed.count();
}

static bool fail(Verdict &verdict, Status status, std::string message) {
  verdict.status = status;
  verdict.message = std::move(message);
  return false;
}

//===----------------------------------------------------------------------===//
// Compiling
//===----------------------------------------------------------------------===//

std::shared_ptr<const effrt_model_desc>
Executor::compile(const TestCase &test, const PreparedModel &prepared,
                  const ExecutorOptions &options, Verdict &verdict) {
  CompileOptions compileOptions;
  compileOptions.model = test.modelPath;
  compileOptions.modelBytes = prepared.bytes;
  for (const std::string &name : prepared.emptySizes) {
    DimOption &dim = compileOptions.dims.emplace_back();
    dim.name = name;
    dim.range = {0, INT32_MAX};
  }
  compileOptions.name = "test";
  compileOptions.plain = options.plain;
  compileOptions.optLevel = options.optLevel;
  compileOptions.sanitize = options.sanitize;
  compileOptions.compileThreads = 1;
  std::string message;
  compileOptions.onDiagnostic = [&](const Diagnostic &diagnostic) {
    if (diagnostic.severity == Severity::Error && message.empty())
      message = (diagnostic.op.empty() ? "" : diagnostic.op + ": ") +
                diagnostic.message;
  };
  CompileResult result;
  auto start = std::chrono::steady_clock::now();
  auto table = compiler.compile(compileOptions, result);
  verdict.compileMs += elapsedMs(start);
  // Thousands of these would be left behind.
  if (!result.reproducer.empty())
    (void)::unlink(result.reproducer.c_str());
  if (!table)
    fail(verdict, result.exitCode == 1 ? Status::Refused : Status::Fault,
         message);
  // Without them nothing would be checked, and every test would pass.
  if (table && options.sanitize && !(table->poison && table->unpoison)) {
    fail(verdict, Status::Fault, "the table has no hooks of AddressSanitizer");
    return nullptr;
  }
  return table;
}

//===----------------------------------------------------------------------===//
// Running
//===----------------------------------------------------------------------===//

namespace {

struct ModelCloser {
  void operator()(effrt_model *model) const { effrt_model_close(model); }
};
struct SessionCloser {
  void operator()(effrt_session *session) const {
    effrt_session_destroy(session);
  }
};

/// Memory with something behind it that a kernel must not touch.
class GuardedOutput {
public:
  explicit GuardedOutput(size_t size) : bytes(size + kGuard, kFill) {}
  void *data() { return bytes.data(); }
  bool isIntact() const {
    for (size_t i = bytes.size() - kGuard; i < bytes.size(); ++i)
      if (bytes[i] != kFill)
        return false;
    return true;
  }
  std::vector<uint8_t> take() {
    bytes.resize(bytes.size() - kGuard);
    return std::move(bytes);
  }

private:
  static constexpr size_t kGuard = 64;
  static constexpr uint8_t kFill = 0xa7;
  std::vector<uint8_t> bytes;
};

/// A model, a session on it and the outputs of one run.
class Run {
public:
  Run(const effrt_model_desc *table, Verdict &verdict)
      : program(table->programs[table->num_programs - 1]), table(table),
        verdict(verdict) {}

  bool open(int threads);
  bool execute(std::map<std::string, NpyArray> &inputs);
  std::map<std::string, NpyArray> results;

private:
  bool bind(std::map<std::string, NpyArray> &inputs);
  bool takeOutput(uint32_t index, GuardedOutput &buffer);
  bool report(effrt_status status);

  const effrt_program &program;
  const effrt_model_desc *table;
  Verdict &verdict;
  std::unique_ptr<effrt_model, ModelCloser> model;
  std::unique_ptr<effrt_session, SessionCloser> session;
  std::vector<effrt_tensor> arguments;
};

} // namespace

bool Run::open(int threads) {
  effrt_message message = {};
  effrt_model *opened = nullptr;
  if (effrt_model_create(table, nullptr, &opened, &message))
    return fail(verdict, Status::Fault, message.text);
  model.reset(opened);
  effrt_session_options options = {};
  options.struct_size = sizeof(options);
  options.num_threads = threads;
  effrt_session *created = nullptr;
  if (effrt_session_create(opened, &options, &created, &message))
    return fail(verdict, Status::Fault, message.text);
  session.reset(created);
  return true;
}

bool Run::bind(std::map<std::string, NpyArray> &inputs) {
  for (uint32_t i = 0; i < program.num_inputs; ++i) {
    auto it = inputs.find(program.inputs[i].name);
    if (it == inputs.end())
      return fail(verdict, Status::Different,
                  std::string("wants an input '") + program.inputs[i].name +
                      "' that the test does not give");
    NpyArray &array = it->second;
    arguments.push_back({array.data.data(), array.dtype,
                         static_cast<uint32_t>(array.shape.size()),
                         array.shape.data(), array.data.size()});
  }
  return true;
}

bool Run::report(effrt_status status) {
  return fail(verdict, Status::RunError,
              std::string(effrt_status_string(status)) + ": " +
                  effrt_session_error(session.get()));
}

bool Run::execute(std::map<std::string, NpyArray> &inputs) {
  if (!bind(inputs))
    return false;
  std::vector<effrt_tensor> outputs(program.num_outputs);
  if (effrt_status status = effrt_session_resolve(
          session.get(), EFFRT_PROGRAM_ANY, arguments.data(), arguments.size(),
          outputs.data(), outputs.size()))
    return report(status);
  std::vector<GuardedOutput> buffers;
  for (effrt_tensor &output : outputs)
    buffers.emplace_back(output.bytes);
  for (size_t i = 0; i < outputs.size(); ++i) {
    // What follows from data is kept by the session.
    outputs[i].data = program.outputs[i].late ? nullptr : buffers[i].data();
    // The session's own shapes are valid until its next call only.
    outputs[i].shape = nullptr;
  }
  if (effrt_status status =
          effrt_session_run(session.get(), EFFRT_PROGRAM_ANY, arguments.data(),
                            arguments.size(), outputs.data(), outputs.size()))
    return report(status);
  for (uint32_t i = 0; i < outputs.size(); ++i)
    if (!takeOutput(i, buffers[i]))
      return false;
  return true;
}

bool Run::takeOutput(uint32_t index, GuardedOutput &buffer) {
  const effrt_tensor_desc &info = program.outputs[index];
  if (!buffer.isIntact())
    return fail(verdict, Status::Fault,
                std::string("writes behind output '") + info.name + "'");
  effrt_tensor output = {};
  if (effrt_status status = effrt_session_output(session.get(), index, &output))
    return report(status);
  NpyArray &result = results[info.name];
  result.dtype = output.dtype;
  result.shape.assign(output.shape, output.shape + output.rank);
  if (!info.late) {
    result.data = buffer.take();
    return true;
  }
  const uint8_t *data = static_cast<const uint8_t *>(output.data);
  result.data.assign(data, data + output.bytes);
  return true;
}

//===----------------------------------------------------------------------===//
// Tests
//===----------------------------------------------------------------------===//

/// The tensor of a message, or a verdict.
static std::optional<NpyArray>
parse(const std::string &bytes, const std::string &name, Verdict &verdict) {
  std::string error;
  auto array =
      tool::parseTensorProto(reinterpret_cast<const uint8_t *>(bytes.data()),
                             bytes.size(), name, error);
  if (!array)
    fail(verdict, Status::Unsupported, error);
  return array;
}

/// The values of a training Dropout by its operands; types and shapes are
/// those of the expected results already.
static bool checkDropoutRun(const DataSet &data, const PreparedModel &prepared,
                            const std::map<std::string, NpyArray> &results,
                            Verdict &verdict) {
  if (data.inputs.size() < 2)
    return fail(verdict, Status::Unsupported, "a Dropout without a ratio");
  auto x = parse(data.inputs[0], "x", verdict);
  auto ratio = parse(data.inputs[1], "ratio", verdict);
  if (!x || !ratio)
    return false;
  bool masked = prepared.outputs.size() > 1;
  std::string wrong = checkDropout(
      *x, tool::getElement(*ratio, 0), results.at(prepared.outputs[0]),
      masked ? &results.at(prepared.outputs[1]) : nullptr);
  return wrong.empty() || fail(verdict, Status::Different, wrong);
}

bool Executor::runSet(const TestCase &test, const DataSet &data,
                      const PreparedModel &prepared,
                      const effrt_model_desc *table,
                      const ExecutorOptions &options, Verdict &verdict) {
  std::map<std::string, NpyArray> inputs;
  for (size_t i = 0; i < data.inputs.size() && i < prepared.inputs.size();
       ++i) {
    // What became a constant is no input.
    if (options.mode == Mode::Constant)
      break;
    auto array = parse(data.inputs[i], prepared.inputs[i], verdict);
    if (!array)
      return false;
    inputs[prepared.inputs[i]] = std::move(*array);
  }
  auto start = std::chrono::steady_clock::now();
  Run run(table, verdict);
  bool done = run.open(options.threads) && run.execute(inputs);
  verdict.runMs += elapsedMs(start);
  if (!done)
    return false;
  if (options.keepResults) {
    for (const std::string &name : prepared.outputs)
      verdict.results.emplace_back(name, std::move(run.results[name]));
    return true;
  }
  if (data.outputs.size() < prepared.outputs.size())
    return fail(verdict, Status::Fault,
                "there are " + std::to_string(data.outputs.size()) +
                    " outputs to compare with, the model has " +
                    std::to_string(prepared.outputs.size()));
  bool random = isRandom(prepared.operators);
  bool dropout = isTrainingDropout(test.name);
  for (size_t i = 0; i < data.outputs.size() && i < prepared.outputs.size();
       ++i) {
    const std::string &name = prepared.outputs[i];
    auto want = parse(data.outputs[i], name, verdict);
    if (!want)
      return false;
    const NpyArray &got = run.results[name];
    std::string wrong = dropout  ? compareTypes(got, *want)
                        : random ? checkProperties(got, *want)
                                 : compareTensors(got, *want, options.tolerance,
                                                  verdict.errors);
    if (!wrong.empty())
      return fail(verdict, Status::Different,
                  name + (wrong[0] == '[' ? "" : " ") + wrong);
  }
  return !dropout || checkDropoutRun(data, prepared, run.results, verdict);
}

Verdict Executor::run(const TestCase &test, const ExecutorOptions &options) {
  Verdict verdict;
  verdict.name = test.name;
  std::shared_ptr<const effrt_model_desc> table;
  for (const DataSet &data : test.dataSets) {
    auto prepared = prepare(test, data, options.mode, verdict.message);
    if (!prepared) {
      verdict.status = Status::Unsupported;
      return verdict;
    }
    // Constants differ from set to set.
    if (!table || options.mode == Mode::Constant)
      table = compile(test, *prepared, options, verdict);
    if (!table || !runSet(test, data, *prepared, table.get(), options, verdict))
      return verdict;
  }
  return verdict;
}

} // namespace effc::test
