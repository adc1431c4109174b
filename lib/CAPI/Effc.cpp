// The C face of compile(). Structs are copied by the size that the caller
// compiled against, and nothing that C++ throws leaves.
#include "effc-c/effc.h"
#include "effc/Driver/Driver.h"
#include <algorithm>
#include <cstring>
#include <fstream>
#include <iterator>
#include <memory>
#include <new>

using namespace effc;

struct effc_result {
  CompileResult compiled;
  effc_status status = EFFC_STATUS_OK;
  std::string header, certificate;
  struct Record {
    Diagnostic diagnostic;
    std::string remedy, text;
  };
  std::vector<Record> diagnostics;
};

namespace {

using Record = effc_result::Record;

/// Runs what may throw.
template <typename Body> effc_status guard(Body body) {
  try {
    return body();
  } catch (const std::bad_alloc &) {
    return EFFC_STATUS_OUT_OF_MEMORY;
  } catch (...) {
    return EFFC_STATUS_INTERNAL_ERROR;
  }
}

/// Fields that the caller does not know are left out, those that this library
/// does not know stay as they are.
template <typename T> effc_status copyOut(T value, T *out) {
  if (!out || out->struct_size < sizeof(uint32_t))
    return EFFC_STATUS_INVALID_ARGUMENT;
  size_t size = std::min<size_t>(out->struct_size, sizeof(T));
  value.struct_size = out->struct_size;
  std::memcpy(static_cast<void *>(out), &value, size);
  return EFFC_STATUS_OK;
}

Record makeRecord(const Diagnostic &diagnostic) {
  Record record;
  record.diagnostic = diagnostic;
  for (const std::string &note : diagnostic.notes)
    record.remedy += (record.remedy.empty() ? "" : "\n") + note;
  record.text = formatText(diagnostic, /*color=*/false);
  if (!record.text.empty() && record.text.back() == '\n')
    record.text.pop_back();
  return record;
}

int32_t toSeverity(Severity severity) {
  switch (severity) {
  case Severity::Note:
    return EFFC_SEVERITY_NOTE;
  case Severity::Remark:
    return EFFC_SEVERITY_REMARK;
  case Severity::Warning:
    return EFFC_SEVERITY_WARNING;
  case Severity::Error:
    break;
  }
  return EFFC_SEVERITY_ERROR;
}

effc_diagnostic toC(const Record &record) {
  const Diagnostic &from = record.diagnostic;
  effc_diagnostic diagnostic = {};
  diagnostic.struct_size = sizeof(diagnostic);
  diagnostic.severity = toSeverity(from.severity);
  diagnostic.code = getCodeText(from.code);
  diagnostic.file = from.file.c_str();
  diagnostic.node = from.node.c_str();
  diagnostic.op = from.op.c_str();
  diagnostic.reason = from.message.c_str();
  diagnostic.remedy = record.remedy.c_str();
  diagnostic.stage = from.stage.c_str();
  diagnostic.text = record.text.c_str();
  return diagnostic;
}

/// One compilation: from the options of C to a result.
class Call {
public:
  explicit Call(effc_result &result) : result(result) {
    options.onDiagnostic = [this](const Diagnostic &diagnostic) {
      report(diagnostic);
    };
  }

  bool readOptions(const effc_compile_options &given);
  effc_status run();
  CompileOptions options;

private:
  void report(const Diagnostic &diagnostic) {
    result.diagnostics.push_back(makeRecord(diagnostic));
    if (!onDiagnostic)
      return;
    effc_diagnostic record = toC(result.diagnostics.back());
    onDiagnostic(user, &record);
  }

  template <typename T, typename Parse>
  void readTexts(const char *const *texts, size_t count, const char *option,
                 std::vector<T> &to, Parse parse) {
    std::string error;
    for (size_t i = 0; i < count; ++i) {
      if (auto value = parse(texts[i] ? texts[i] : "", error)) {
        to.push_back(std::move(*value));
        continue;
      }
      Diagnostic diagnostic;
      diagnostic.code = DiagnosticCode::BadOption;
      diagnostic.message = std::string(option) + ": " + error;
      report(diagnostic);
      optionsFit = false;
    }
  }

  void readFlags(uint32_t flags);
  void readFiles();

  effc_result &result;
  effc_diagnostic_fn onDiagnostic = nullptr;
  void *user = nullptr;
  bool optionsFit = true;
};

} // namespace

static constexpr uint32_t knownFlags =
    EFFC_COMPILE_STATIC | EFFC_COMPILE_SEPARATE_WEIGHTS | EFFC_COMPILE_PLAIN |
    EFFC_COMPILE_F64 | EFFC_COMPILE_VERIFY_EACH | EFFC_COMPILE_SANITIZE |
    EFFC_COMPILE_EXACT | EFFC_COMPILE_O0 | EFFC_COMPILE_O1 | EFFC_COMPILE_O2;

void Call::readFlags(uint32_t flags) {
  options.staticLibrary = flags & EFFC_COMPILE_STATIC;
  options.separateWeights = flags & EFFC_COMPILE_SEPARATE_WEIGHTS;
  options.plain = flags & EFFC_COMPILE_PLAIN;
  options.computeF64 = flags & EFFC_COMPILE_F64;
  options.verifyEach = flags & EFFC_COMPILE_VERIFY_EACH;
  options.sanitize = flags & EFFC_COMPILE_SANITIZE;
  options.exact = flags & EFFC_COMPILE_EXACT;
  options.optLevel = flags & EFFC_COMPILE_O0   ? 0
                     : flags & EFFC_COMPILE_O1 ? 1
                     : flags & EFFC_COMPILE_O2 ? 2
                                               : 3;
}

bool Call::readOptions(const effc_compile_options &given) {
  uint32_t levels =
      given.flags & (EFFC_COMPILE_O0 | EFFC_COMPILE_O1 | EFFC_COMPILE_O2);
  if (given.struct_size < sizeof(uint32_t) || given.flags & ~knownFlags ||
      levels & (levels - 1))
    return false;
  auto lists = {std::make_pair(given.dims, given.num_dims),
                std::make_pair(given.input_shapes, given.num_input_shapes),
                std::make_pair(given.input_values, given.num_input_values),
                std::make_pair(given.output_names, given.num_output_names),
                std::make_pair(given.states, given.num_states),
                std::make_pair(given.layers, given.num_layers)};
  for (auto [texts, count] : lists)
    if (count && !texts)
      return false;
  onDiagnostic = given.on_diagnostic;
  user = given.user;
  if (given.on_stage)
    options.onStage = [stage = given.on_stage,
                       user = given.user](const std::string &name,
                                          unsigned number, unsigned count) {
      stage(user, name.c_str(), number, count);
    };
  auto set = [](std::string &to, const char *text) {
    if (text)
      to = text;
  };
  set(options.outputDir, given.output_dir);
  set(options.name, given.name);
  set(options.cpu, given.cpu);
  set(options.externalDataDir, given.external_data_dir);
  set(options.saveStages, given.save_stages);
  set(options.stopAfter, given.stop_after);
  set(options.startAt, given.start_at);
  set(options.lock, given.lock);
  set(options.calibrate, given.calibrate);
  options.compileThreads = given.compile_threads;
  options.tuneSeconds = given.tune_seconds;
  readFlags(given.flags);
  readTexts(given.dims, given.num_dims, "dims", options.dims, parseDim);
  readTexts(given.input_shapes, given.num_input_shapes, "input_shapes",
            options.inputShapes, parseInputShape);
  readTexts(given.input_values, given.num_input_values, "input_values",
            options.inputValues, parseInputValue);
  for (size_t i = 0; i < given.num_output_names; ++i)
    options.outputNames.push_back(given.output_names[i] ? given.output_names[i]
                                                        : "");
  for (size_t i = 0; i < given.num_states; ++i)
    options.states.push_back(given.states[i] ? given.states[i] : "");
  std::vector<std::string> schemes;
  readTexts(&given.quantize, given.quantize ? 1 : 0, "quantize", schemes,
            parseQuantize);
  if (!schemes.empty())
    options.quantize = schemes.front();
  readTexts(given.layers, given.num_layers, "layers", options.layers,
            parseLayerOption);
  return given.tune_seconds >= 0 &&
         (!options.outputDir.empty() || !options.stopAfter.empty());
}

static bool endsWith(const std::string &text, const std::string &end) {
  return text.size() >= end.size() &&
         text.compare(text.size() - end.size(), end.size(), end) == 0;
}

void Call::readFiles() {
  for (const std::string &file : result.compiled.files) {
    if (endsWith(file, ".h"))
      result.header = file;
    if (!endsWith(file, ".json"))
      continue;
    std::ifstream stream(file, std::ios::binary);
    result.certificate.assign(std::istreambuf_iterator<char>(stream), {});
  }
}

effc_status Call::run() {
  if (!optionsFit)
    return EFFC_STATUS_MODEL_ERROR;
  result.compiled = compile(options);
  readFiles();
  switch (result.compiled.exitCode) {
  case 0:
    return EFFC_STATUS_OK;
  case 1:
    return EFFC_STATUS_MODEL_ERROR;
  default:
    return EFFC_STATUS_INTERNAL_ERROR;
  }
}

/// `setModel` says what is compiled.
template <typename SetModel>
static effc_status compileInto(effc_result **out,
                               const effc_compile_options *options,
                               SetModel setModel) {
  if (!out)
    return EFFC_STATUS_INVALID_ARGUMENT;
  *out = nullptr;
  if (!options)
    return EFFC_STATUS_INVALID_ARGUMENT;
  std::unique_ptr<effc_result> result;
  effc_status status = guard([&] {
    // A caller of an older header knows only the first fields.
    effc_compile_options known = {};
    std::memcpy(static_cast<void *>(&known), options,
                std::min<size_t>(options->struct_size, sizeof(known)));
    result = std::make_unique<effc_result>();
    Call call(*result);
    setModel(call.options);
    if (!call.readOptions(known))
      return EFFC_STATUS_INVALID_ARGUMENT;
    return result->status = call.run();
  });
  if (status == EFFC_STATUS_INVALID_ARGUMENT ||
      status == EFFC_STATUS_OUT_OF_MEMORY)
    return status;
  if (result) {
    result->status = status;
    *out = result.release();
  }
  return status;
}

extern "C" {

const char *effc_status_string(effc_status status) {
  switch (status) {
  case EFFC_STATUS_OK:
    return "ok";
  case EFFC_STATUS_MODEL_ERROR:
    return "model error";
  case EFFC_STATUS_INVALID_ARGUMENT:
    return "invalid argument";
  case EFFC_STATUS_OUT_OF_MEMORY:
    return "out of memory";
  case EFFC_STATUS_INTERNAL_ERROR:
    return "internal error";
  }
  return "unknown status";
}

const char *effc_version(void) { return getVersion(); }

effc_status effc_explain(const char *code, effc_code_info *info) {
  return guard([&] {
    const DiagnosticInfo *row = code ? findDiagnostic(code) : nullptr;
    if (!row)
      return EFFC_STATUS_INVALID_ARGUMENT;
    effc_code_info value = {};
    value.code = row->code;
    value.title = row->title;
    value.explanation = row->explanation;
    value.example = row->example;
    value.remedy = row->remedy;
    return copyOut(value, info);
  });
}

const char *effc_code(uint32_t index) {
  const auto &table = getDiagnosticTable();
  return index < table.size() ? table[index].code : nullptr;
}

const char *effc_cpu(uint32_t index) {
  static const std::vector<std::string> names = listCPUs();
  return index < names.size() ? names[index].c_str() : nullptr;
}

const char *effc_stage(uint32_t index) {
  static const std::vector<std::string> names = getStageNames();
  return index < names.size() ? names[index].c_str() : nullptr;
}

effc_status effc_compile_file(const char *model,
                              const effc_compile_options *options,
                              effc_result **out) {
  if (out)
    *out = nullptr;
  if (!model)
    return EFFC_STATUS_INVALID_ARGUMENT;
  return compileInto(out, options,
                     [&](CompileOptions &to) { to.model = model; });
}

effc_status effc_compile_bytes(const void *bytes, size_t size, const char *name,
                               const char *folder,
                               const effc_compile_options *options,
                               effc_result **out) {
  if (out)
    *out = nullptr;
  if (!name || (!bytes && size))
    return EFFC_STATUS_INVALID_ARGUMENT;
  return compileInto(out, options, [&](CompileOptions &to) {
    to.model = folder && *folder ? std::string(folder) + "/" + name : name;
    to.modelBytes = std::string_view(static_cast<const char *>(bytes), size);
  });
}

void effc_result_destroy(effc_result *result) { delete result; }

effc_status effc_result_describe(const effc_result *result,
                                 effc_result_info *info) {
  if (!result)
    return EFFC_STATUS_INVALID_ARGUMENT;
  const CompileResult &compiled = result->compiled;
  effc_result_info value = {};
  value.status = result->status;
  value.library = compiled.files.empty() ? "" : compiled.files.front().c_str();
  value.header = result->header.c_str();
  value.certificate = result->certificate.c_str();
  value.ir = compiled.ir.c_str();
  value.reproducer = compiled.reproducer.c_str();
  value.library_bytes = compiled.libraryBytes;
  value.num_files = compiled.files.size();
  value.num_diagnostics = result->diagnostics.size();
  value.num_stages = compiled.stages.size();
  return copyOut(value, info);
}

const char *effc_result_file(const effc_result *result, size_t index) {
  return result && index < result->compiled.files.size()
             ? result->compiled.files[index].c_str()
             : nullptr;
}

effc_status effc_result_diagnostic(const effc_result *result, size_t index,
                                   effc_diagnostic *diagnostic) {
  if (!result || index >= result->diagnostics.size())
    return EFFC_STATUS_INVALID_ARGUMENT;
  return copyOut(toC(result->diagnostics[index]), diagnostic);
}

effc_status effc_result_stage(const effc_result *result, size_t index,
                              const char **name, double *seconds) {
  if (!result || index >= result->compiled.stages.size())
    return EFFC_STATUS_INVALID_ARGUMENT;
  const StageTime &stage = result->compiled.stages[index];
  if (name)
    *name = stage.stage.c_str();
  if (seconds)
    *seconds = stage.seconds;
  return EFFC_STATUS_OK;
}

} // extern "C"
