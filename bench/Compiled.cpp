// Compile, open, bind once; a run is one call of the runtime.
#include "Compiled.h"
#include <stdexcept>

namespace effc::bench {

static effrt_tensor bind(const Array &array) {
  return {array.data<void>(), array.dtype,
          static_cast<uint32_t>(array.shape.size()), array.shape.data(),
          array.bytes()};
}

static void check(effrt_status status, const char *why) {
  if (status)
    throw std::runtime_error(std::string(effrt_status_string(status)) + ": " +
                             why);
}

Compiled::Compiled(const Graph &graph, const std::vector<const Array *> &inputs,
                   bool plain) {
  std::string bytes = graph.serialize(), why = "does not compile";
  CompileOptions options;
  options.model = "bench.onnx";
  options.modelBytes = bytes;
  options.name = "bench";
  options.plain = plain;
  options.compileThreads = 1;
  options.onDiagnostic = [&](const Diagnostic &diagnostic) {
    if (diagnostic.severity == Severity::Error)
      why = diagnostic.message;
  };
  CompileResult compiled;
  static MemoryCompiler compiler;
  table = compiler.compile(options, compiled);
  if (!table)
    throw std::runtime_error(why);
  effrt_message message = {};
  effrt_model *opened = nullptr;
  check(effrt_model_create(table.get(), nullptr, &opened, &message),
        message.text);
  model.reset(opened);
  effrt_session_options sessionOptions = {};
  sessionOptions.struct_size = sizeof(sessionOptions);
  sessionOptions.num_threads = 1;
  effrt_session *created = nullptr;
  check(effrt_session_create(opened, &sessionOptions, &created, &message),
        message.text);
  session.reset(created);
  for (const Array *input : inputs)
    arguments.push_back(bind(*input));
  check(effrt_session_resolve(created, EFFRT_PROGRAM_ANY, arguments.data(),
                              arguments.size(), &result, 1),
        effrt_session_error(created));
  output = Array(Shape(result.shape, result.shape + result.rank), result.dtype);
  result = bind(output);
  describe();
}

void Compiled::run() {
  effrt_status status =
      effrt_session_run(session.get(), EFFRT_PROGRAM_ANY, arguments.data(),
                        arguments.size(), &result, 1);
  if (status)
    check(status, effrt_session_error(session.get()));
}

void Compiled::describe() {
  effrt_program_info info = {};
  info.struct_size = sizeof(info);
  check(effrt_model_program(model.get(), 0, &info), "");
  launches = info.num_launches;
  check(effrt_session_set_profiling(session.get(), 1), "");
  run();
  check(effrt_session_set_profiling(session.get(), 0), "");
  int64_t most = -1;
  for (uint32_t i = 0; i < info.num_launches; ++i) {
    effrt_profile_entry entry = {};
    entry.struct_size = sizeof(entry);
    check(effrt_session_profile(session.get(), 0, i, &entry), "");
    if (entry.flops > most) {
      most = entry.flops;
      choice = entry.choice;
    }
  }
}

} // namespace effc::bench
