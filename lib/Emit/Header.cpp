// Typed functions with the shapes of every tensor in the words of the model.
// TableObject.cpp emits the functions, in the same order of parameters.
#include "Header.h"
#include "Names.h"
#include "Objects.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FormatVariadic.h"

using namespace mlir;
using llvm::formatv;

namespace effc {

namespace {

struct CType {
  StringRef name;
  /// What C's type does not say.
  StringRef note;
};

CType getCType(int32_t dtype) {
  switch (dtype) {
  case EFFRT_DTYPE_F32:
    return {"float", ""};
  case EFFRT_DTYPE_F64:
    return {"double", ""};
  case EFFRT_DTYPE_F16:
    return {"uint16_t", "bits of IEEE half precision, "};
  case EFFRT_DTYPE_BF16:
    return {"uint16_t", "bits of bfloat16, "};
  case EFFRT_DTYPE_F8E4M3FN:
    return {"uint8_t", "bits of float8 e4m3fn, "};
  case EFFRT_DTYPE_F8E4M3FNUZ:
    return {"uint8_t", "bits of float8 e4m3fnuz, "};
  case EFFRT_DTYPE_F8E5M2:
    return {"uint8_t", "bits of float8 e5m2, "};
  case EFFRT_DTYPE_F8E5M2FNUZ:
    return {"uint8_t", "bits of float8 e5m2fnuz, "};
  case EFFRT_DTYPE_F8E8M0FNU:
    return {"uint8_t", "bits of float8 e8m0fnu, "};
  case EFFRT_DTYPE_F4E2M1FN:
    return {"uint8_t", "bits of float4 e2m1fn in the low four, "};
  case EFFRT_DTYPE_U4:
    return {"uint8_t", "0 to 15, "};
  case EFFRT_DTYPE_I4:
    return {"int8_t", "-8 to 7, "};
  case EFFRT_DTYPE_U2:
    return {"uint8_t", "0 to 3, "};
  case EFFRT_DTYPE_I2:
    return {"int8_t", "-2 to 1, "};
  case EFFRT_DTYPE_BOOL:
    return {"uint8_t", "0 or 1, "};
  case EFFRT_DTYPE_U8:
    return {"uint8_t", ""};
  case EFFRT_DTYPE_I8:
    return {"int8_t", ""};
  case EFFRT_DTYPE_U16:
    return {"uint16_t", ""};
  case EFFRT_DTYPE_I16:
    return {"int16_t", ""};
  case EFFRT_DTYPE_U32:
    return {"uint32_t", ""};
  case EFFRT_DTYPE_I32:
    return {"int32_t", ""};
  case EFFRT_DTYPE_U64:
    return {"uint64_t", ""};
  default:
    return {"int64_t", ""};
  }
}

/// Names come from the model: they must not end the comment they stand in.
std::string inComment(StringRef text) {
  std::string result;
  for (char c : text)
    result +=
        llvm::isPrint(c) || static_cast<unsigned char>(c) >= 0x80 ? c : '?';
  for (StringRef end : {"*/", "/*"})
    for (size_t at; (at = result.find(end)) != std::string::npos;)
      result.insert(at + 1, " ");
  return result;
}

/// Parameter names of one program's functions.
struct Parameters {
  Parameters(const ProgramTable &program) {
    UniqueNames names;
    names.add("session", "session");
    for (const SymbolEntry &symbol : program.symbols)
      symbols.push_back(symbol.isFree() ? names.add(symbol.name, "size") : "");
    for (const TensorEntry &tensor : program.inputs)
      inputs.push_back(names.add(tensor.name, "input"));
    for (const TensorEntry &tensor : program.outputs) {
      outputs.push_back(names.add(tensor.name, "output"));
      if (tensor.late)
        names.add(outputs.back() + "_shape", "shape");
    }
  }

  /// "int64_t batch, int64_t seq", `none` without symbols.
  std::string declareSymbols(StringRef none) const {
    SmallVector<std::string> parts;
    for (const std::string &name : symbols)
      if (!name.empty())
        parts.push_back("int64_t " + name);
    return parts.empty() ? none.str() : llvm::join(parts, ", ");
  }

  SmallVector<std::string> symbols, inputs, outputs;
};

class HeaderWriter {
public:
  HeaderWriter(const ModelTable &table, const CertificateInfo &info,
               raw_ostream &os)
      : table(table), info(info), os(os), name(table.name) {}

  void write() {
    writeOpening();
    writeTypes();
    for (size_t i = 0; i < table.best().programs.size(); ++i)
      writeRun(i);
    if (table.hasStates())
      writeStateFunctions();
    writeSizes(table.best().programs.back());
    os << "#ifdef __cplusplus\n}\n#endif\n\n#endif\n";
  }

private:
  void writeOpening();
  void writeTypes();
  void writeRun(size_t index);
  void writeStates(const ProgramTable &program);
  void writeStateFunctions();
  void writeTensors(ArrayRef<TensorEntry> tensors, ArrayRef<std::string> names);
  void writeSizeHelpers(StringRef bodies);
  void writeSizes(const ProgramTable &program);

  const ModelTable &table;
  const CertificateInfo &info;
  raw_ostream &os;
  StringRef name;
};

} // namespace

void HeaderWriter::writeOpening() {
  std::string guard = "EFFC_MODEL_" + name.upper() + "_H";
  os << "/* " << name << ": compiled by effc " << info.compilerVersion;
  if (!info.modelFile.empty())
    os << " from " << inComment(info.modelFile);
  os << ". Generated, do not edit.\n"
     << " *\n"
     << " * Link with -l" << name << ". Use from any thread: sessions are "
     << "independent, one session\n"
     << " * by one thread at a time. Tensors are dense and row-major, in the "
     << "caller's memory,\n"
     << " * aligned as their elements are; outputs must not overlap inputs or "
     << "each other.\n"
     << " */\n"
     << "#ifndef " << guard << "\n#define " << guard << "\n\n"
     << "#include <stddef.h>\n#include <stdint.h>\n\n"
     << "#ifdef __cplusplus\nextern \"C\" {\n#endif\n\n";
}

void HeaderWriter::writeTypes() {
  os << formatv(R"(/* 0 is success; {0}_status_string says what others mean. */
typedef int32_t {0}_status;

typedef struct {0}_session {0}_session;

/* Set to zeros and struct_size to sizeof({0}_options) first. */
typedef struct {0}_options {{
  uint32_t struct_size;
  int32_t num_threads; /* 0: one per core; results do not depend on it */
  /* Null: threads of the session's own. Else calls fn(ctx, i) for each i in
   * [0, count) on the application's threads and returns when all are done;
   * num_threads of them at most. */
  void (*parallel_for)(void *user, void (*fn)(void *ctx, int64_t index),
                       void *ctx, int64_t count);
  void *user;
  const char *weights_dir; /* of separate weights; null: beside the library */
  char *message; /* receives why creating failed; may be null */
  size_t message_size;
} {0}_options;

/* Makes a session; `options` may be null. */
{0}_status {0}_create(const {0}_options *options, {0}_session **session);

/* Gives up a session and its memory; null is fine. */
void {0}_destroy({0}_session *session);

/* "shape mismatch" and the like. */
const char *{0}_status_string({0}_status status);

/* Why the last run of the session failed, "" after a success. */
const char *{0}_last_error(const {0}_session *session);

)",
                name);
}

static std::string describeShape(const TensorEntry &tensor) {
  SmallVector<std::string> texts;
  for (const std::string &text : tensor.texts)
    texts.push_back(inComment(text));
  return "[" + llvm::join(texts, ", ") + "]";
}

void HeaderWriter::writeTensors(ArrayRef<TensorEntry> tensors,
                                ArrayRef<std::string> names) {
  for (auto [tensor, parameter] : llvm::zip(tensors, names)) {
    os << " *   " << parameter << ": " << getCType(tensor.dtype).note
       << describeShape(tensor);
    if (parameter != tensor.name)
      os << " (ONNX name '" << inComment(tensor.name) << "')";
    if (tensor.late)
      os << "; its size follows from data";
    os << "\n";
  }
}

/// Data and shape of an output whose size only a run knows.
static void declareLateOutput(raw_ostream &os, const TensorEntry &tensor,
                              StringRef parameter) {
  os << ",\n    const " << getCType(tensor.dtype).name << " **" << parameter
     << ", int64_t *" << parameter << "_shape";
}

void HeaderWriter::writeStates(const ProgramTable &program) {
  if (program.states.empty())
    return;
  os << " * State, kept in the session and moved on by each run that "
        "succeeds:\n";
  for (const StateEntry &state : program.states)
    os << " *   " << inComment(state.before.name) << ": "
       << getCType(state.before.dtype).note << describeShape(state.before)
       << " becomes " << inComment(state.after.name) << ": "
       << describeShape(state.after) << "\n";
}

void HeaderWriter::writeStateFunctions() {
  os << formatv(
      R"(/* Back to the beginning: states are zeros, empty where they grow. */
{0}_status {0}_reset({0}_session *session);

/* A new session with a copy of the states. */
{0}_status {0}_fork({0}_session *session, {0}_session **copy);

/* Keeps the first `length` along the size of states that is called `size`. */
{0}_status {0}_truncate({0}_session *session, const char *size, int64_t length);

)",
      name);
}

void HeaderWriter::writeRun(size_t index) {
  const ProgramTable &program = table.best().programs[index];
  Parameters parameters(program);
  os << "/* Runs the model"
     << (program.name == "main" ? ""
                                : ", entry point " + inComment(program.name))
     << ". A run on sizes seen before allocates nothing.\n";
  if (program.getNumFreeSymbols()) {
    os << " * Sizes:\n";
    for (auto [symbol, parameter] :
         llvm::zip(program.symbols, parameters.symbols))
      if (symbol.isFree())
        os << " *   " << parameter << ": " << symbol.min << " to " << symbol.max
           << "\n";
  }
  os << " * Inputs:\n";
  writeTensors(program.inputs, parameters.inputs);
  os << " * Outputs:\n";
  writeTensors(program.outputs, parameters.outputs);
  if (llvm::any_of(program.outputs,
                   [](const TensorEntry &output) { return output.late; }))
    os << " * Outputs whose size follows from data are memory of the session, "
          "valid until its\n"
       << " * next call; the sizes are written to the array of the same name "
          "with _shape.\n";
  writeStates(program);
  for (const CheckEntry &check : program.checks)
    os << " * Checked: " << inComment(check.message) << "\n";
  os << " */\n"
     << name << "_status " << getRunFunction(table, index) << "(" << name
     << "_session *session";
  for (const std::string &symbol : parameters.symbols)
    if (!symbol.empty())
      os << ", int64_t " << symbol;
  for (auto [tensor, parameter] : llvm::zip(program.inputs, parameters.inputs))
    os << ",\n    const " << getCType(tensor.dtype).name << " *" << parameter;
  for (auto [tensor, parameter] :
       llvm::zip(program.outputs, parameters.outputs))
    if (tensor.late)
      declareLateOutput(os, tensor, parameter);
    else
      os << ",\n    " << getCType(tensor.dtype).name << " *" << parameter;
  os << ");\n\n";
}

/// Division and extrema with the meaning they have in size expressions; only
/// those that `bodies` calls.
void HeaderWriter::writeSizeHelpers(StringRef bodies) {
  std::pair<StringRef, StringRef> helpers[] = {
      {"floordiv", "a / b - (a % b < 0)"},
      {"ceildiv", "a / b + (a % b > 0)"},
      {"mod", "a % b < 0 ? a % b + b : a % b"},
      {"min", "a < b ? a : b"},
      {"max", "a > b ? a : b"},
      {"broadcast", "a == 1 ? b : a"}};
  for (auto [helper, body] : helpers) {
    std::string function = (name + "_size_" + helper).str();
    if (bodies.contains(function + "("))
      os << "static inline int64_t " << function
         << "(int64_t a, int64_t b) { return " << body << "; }\n";
  }
}

static bool dependsOnState(AffineExpr size, const ProgramTable &program) {
  bool depends = false;
  size.walk([&](AffineExpr expr) {
    auto position = dyn_cast<AffineSymbolExpr>(expr);
    if (!position)
      return;
    const SymbolEntry &symbol = program.symbols[position.getPosition()];
    depends |= symbol.state;
    for (AffineExpr part : symbol.sizes)
      depends |= dependsOnState(part, program);
  });
  return depends;
}

void HeaderWriter::writeSizes(const ProgramTable &program) {
  Parameters parameters(program);
  UniqueNames functions;
  for (const std::string &function : getTypedFunctions(table))
    functions.add(function, "function");
  std::string bodies;
  llvm::raw_string_ostream body(bodies);
  for (auto [tensor, parameter] :
       llvm::zip(program.outputs, parameters.outputs)) {
    // Only the session knows how long its state is, and only a run what data
    // decides.
    if (tensor.late || llvm::any_of(tensor.exprs, [&](AffineExpr size) {
          return dependsOnState(size, program);
        }))
      continue;
    SmallVector<std::string> factors;
    for (AffineExpr size : tensor.exprs)
      factors.push_back("(int64_t)(" +
                        printSize(size, program, parameters.symbols,
                                  SizeStyle::C, (name + "_size_").str()) +
                        ")");
    body << "static inline int64_t "
         << functions.add((name + "_elements_" + parameter).str(), "elements")
         << "(" << parameters.declareSymbols("void") << ") {\n";
    for (const std::string &symbol : parameters.symbols)
      if (!symbol.empty())
        body << "  (void)" << symbol << ";\n";
    body << "  return " << (factors.empty() ? "1" : llvm::join(factors, " * "))
         << ";\n}\n";
  }
  writeSizeHelpers(bodies);
  os << "/* The number of elements of each output. */\n" << bodies << "\n";
}

void writeHeader(const ModelTable &table, const CertificateInfo &info,
                 raw_ostream &os) {
  HeaderWriter(table, info, os).write();
}

} // namespace effc
