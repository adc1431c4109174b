// Opens libraries, gathers inputs from files or at random, runs.
#include "Tensors.h"
#include "effc/Support/SmallFloats.h"
#include "llvm/ADT/STLExtras.h"
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstring>
#include <map>
#include <random>

namespace effc::tool {

//===----------------------------------------------------------------------===//
// Libraries
//===----------------------------------------------------------------------===//

template <typename T, typename Getter>
static std::vector<T> describeAll(uint32_t count, Getter get) {
  std::vector<T> result(count);
  for (uint32_t i = 0; i < count; ++i) {
    result[i].struct_size = sizeof(T);
    (void)get(i, &result[i]);
  }
  return result;
}

std::unique_ptr<Library> Library::open(const std::string &path, int threads,
                                       const Console &console,
                                       const std::string &version) {
  auto start = std::chrono::steady_clock::now();
  std::unique_ptr<Library> library(new Library);
  effrt_message message = {};
  effrt_model_options modelOptions = {};
  modelOptions.struct_size = sizeof(modelOptions);
  if (!version.empty())
    modelOptions.version = version.c_str();
  if (effrt_model_open(path.c_str(), &modelOptions, &library->model,
                       &message)) {
    console.fail(message.text, "", DiagnosticCode::CannotOpenLibrary);
    return nullptr;
  }
  if (!library->start(threads, console))
    return nullptr;
  std::chrono::duration<double, std::milli> elapsed =
      std::chrono::steady_clock::now() - start;
  library->openMs = elapsed.count();
  return library;
}

std::unique_ptr<Library>
Library::create(std::shared_ptr<const effrt_model_desc> desc, int threads,
                const Console &console) {
  std::unique_ptr<Library> library(new Library);
  library->desc = std::move(desc);
  effrt_message message = {};
  if (effrt_model_create(library->desc.get(), nullptr, &library->model,
                         &message)) {
    console.fail(message.text, "", DiagnosticCode::CannotOpenLibrary);
    return nullptr;
  }
  return library->start(threads, console) ? std::move(library) : nullptr;
}

/// Makes the session and reads the descriptions.
bool Library::start(int threads, const Console &console) {
  effrt_message message = {};
  effrt_session_options options = {};
  options.struct_size = sizeof(options);
  options.num_threads = threads;
  if (effrt_session_create(model, &options, &session, &message)) {
    console.fail(message.text, "", DiagnosticCode::CannotOpenLibrary);
    return false;
  }
  info.struct_size = sizeof(info);
  (void)effrt_model_describe(model, &info);
  general = info.num_programs - 1;
  effrt_program_info program = {};
  program.struct_size = sizeof(program);
  (void)effrt_model_program(model, general, &program);
  inputs = describeAll<effrt_tensor_info>(
      program.num_inputs, [&](uint32_t i, auto *out) {
        return effrt_model_input(model, general, i, out);
      });
  outputs = describeAll<effrt_tensor_info>(
      program.num_outputs, [&](uint32_t i, auto *out) {
        return effrt_model_output(model, general, i, out);
      });
  symbols = describeAll<effrt_symbol_info>(
      program.num_symbols, [&](uint32_t i, auto *out) {
        return effrt_model_symbol(model, general, i, out);
      });
  numStates = program.num_states;
  statesBefore = describeAll<effrt_tensor_info>(
      program.num_states, [&](uint32_t i, auto *out) {
        return effrt_model_state(model, general, i, out, nullptr);
      });
  statesAfter = describeAll<effrt_tensor_info>(
      program.num_states, [&](uint32_t i, auto *out) {
        return effrt_model_state(model, general, i, nullptr, out);
      });
  return true;
}

bool Library::stateGrows() const {
  return std::any_of(symbols.begin(), symbols.end(),
                     [](const effrt_symbol_info &symbol) {
                       return symbol.source == EFFRT_SYMBOL_STATE;
                     });
}

Library::~Library() {
  effrt_session_destroy(session);
  effrt_model_close(model);
}

//===----------------------------------------------------------------------===//
// Inputs
//===----------------------------------------------------------------------===//

void InputOptions::addOptions(CLI::App &verb) {
  verb.add_option("--inputs", all, "All inputs: F.npz, or random:SEED");
  verb.add_option("--input", single,
                  "One input: NAME=F.npy, NAME=F.pb or NAME=random:SEED")
      ->take_all();
  verb.add_option("--dim", dims, "A free size for random inputs: batch=8")
      ->take_all();
}

size_t getNumElements(const NpyArray &array) {
  size_t count = 1;
  for (int64_t size : array.shape)
    count *= static_cast<size_t>(size);
  return count;
}

static float halfToFloat(uint16_t bits) {
  int exponent = bits >> 10 & 31, mantissa = bits & 1023;
  float value = exponent == 31 ? (mantissa ? NAN : INFINITY)
                : exponent     ? std::ldexp(1024.0f + mantissa, exponent - 25)
                               : std::ldexp(float(mantissa), -24);
  return bits & 0x8000 ? -value : value;
}

template <typename T> static double load(const NpyArray &array, size_t index) {
  T value;
  std::memcpy(&value, array.data.data() + index * sizeof(T), sizeof(T));
  return static_cast<double>(value);
}

double getElement(const NpyArray &array, size_t index) {
  switch (array.dtype) {
  case EFFRT_DTYPE_F32:
    return load<float>(array, index);
  case EFFRT_DTYPE_F64:
    return load<double>(array, index);
  case EFFRT_DTYPE_U8:
  case EFFRT_DTYPE_BOOL:
    return load<uint8_t>(array, index);
  case EFFRT_DTYPE_I8:
    return load<int8_t>(array, index);
  case EFFRT_DTYPE_U16:
    return load<uint16_t>(array, index);
  case EFFRT_DTYPE_I16:
    return load<int16_t>(array, index);
  case EFFRT_DTYPE_U32:
    return load<uint32_t>(array, index);
  case EFFRT_DTYPE_I32:
    return load<int32_t>(array, index);
  case EFFRT_DTYPE_U64:
    return load<uint64_t>(array, index);
  case EFFRT_DTYPE_F16:
    return halfToFloat(static_cast<uint16_t>(load<uint16_t>(array, index)));
  case EFFRT_DTYPE_BF16: {
    uint32_t bits = static_cast<uint32_t>(load<uint16_t>(array, index)) << 16;
    float value;
    std::memcpy(&value, &bits, sizeof(value));
    return value;
  }
  case EFFRT_DTYPE_U4:
  case EFFRT_DTYPE_U2:
    return load<uint8_t>(array, index);
  case EFFRT_DTYPE_I4:
  case EFFRT_DTYPE_I2:
    return load<int8_t>(array, index);
  case EFFRT_DTYPE_I64:
    return load<int64_t>(array, index);
  default:
    if (const SmallFloatFormat *format = getSmallFloatFormat(array.dtype))
      return decodeSmallFloat(*format, array.data[index]);
    return load<uint8_t>(array, index);
  }
}

template <typename T>
static void store(NpyArray &array, size_t index, T value) {
  std::memcpy(array.data.data() + index * sizeof(T), &value, sizeof(T));
}

/// Floats in [-1, 1), integers and bools 0 or 1: safe as indices and masks.
static void fillRandom(NpyArray &array, std::mt19937_64 &random) {
  size_t count = getNumElements(array), size = npyElementSize(array.dtype);
  array.data.assign(count * size, 0);
  for (size_t i = 0; i < count; ++i) {
    uint64_t bits = random();
    float unit = static_cast<float>(bits >> 40) * 0x1p-23f - 1.0f;
    uint32_t unitBits;
    std::memcpy(&unitBits, &unit, sizeof(unit));
    switch (array.dtype) {
    case EFFRT_DTYPE_F32:
      store(array, i, unit);
      break;
    case EFFRT_DTYPE_F64:
      store(array, i, static_cast<double>(unit));
      break;
    case EFFRT_DTYPE_BF16:
      store(array, i, static_cast<uint16_t>(unitBits >> 16));
      break;
    case EFFRT_DTYPE_F16:
      // Exponent 15 - 1: [0.5, 1), with either sign.
      store(array, i, static_cast<uint16_t>((bits & 0x83ff) | 14 << 10));
      break;
    default: {
      const SmallFloatFormat *format = getSmallFloatFormat(array.dtype);
      array.data[i * size] =
          format ? encodeSmallFloat(*format, unit) : bits >> 63;
    }
    }
  }
}

/// The values of the free sizes for random inputs.
static std::map<std::string, int64_t> chooseSizes(const Library &library,
                                                  const InputOptions &options) {
  std::map<std::string, int64_t> sizes;
  for (const effrt_symbol_info &symbol : library.symbols)
    if (symbol.source == EFFRT_SYMBOL_INPUT)
      sizes[symbol.name] = std::max<int64_t>(1, symbol.min);
  for (const std::string &text : options.dims) {
    auto [name, value] = splitPair(text, "--dim");
    if (!sizes.count(name))
      throw CLI::ValidationError("--dim",
                                 "'" + name + "' is no free size of the model");
    sizes[name] = parseInteger(value, "--dim");
  }
  return sizes;
}

static std::optional<NpyArray>
makeRandom(const Library &library, size_t index, const std::string &seed,
           const std::map<std::string, int64_t> &sizes, std::string &error) {
  const effrt_tensor_info &info = library.inputs[index];
  NpyArray array;
  array.dtype = info.dtype;
  for (uint32_t axis = 0; axis < info.rank; ++axis) {
    int64_t size = info.dims[axis];
    auto it = sizes.find(info.dim_texts[axis]);
    if (size < 0 && it == sizes.end()) {
      error = std::string("input '") + info.name + "' has the size '" +
              info.dim_texts[axis] + "', which random cannot choose";
      return std::nullopt;
    }
    array.shape.push_back(size < 0 ? it->second : size);
  }
  std::mt19937_64 random(parseInteger(seed, "random") * 1000003 + index);
  fillRandom(array, random);
  return array;
}

static bool endsWith(const std::string &text, const char *end) {
  size_t size = std::strlen(end);
  return text.size() >= size &&
         text.compare(text.size() - size, size, end) == 0;
}

static bool takeRandom(const std::string &source, std::string &seed) {
  if (source.rfind("random:", 0) != 0)
    return false;
  seed = source.substr(7);
  return true;
}

namespace {

/// Collects what the options name, then puts it into the model's order.
class InputLoader {
public:
  InputLoader(const Library &library, const InputOptions &options)
      : library(library), options(options),
        sizes(chooseSizes(library, options)) {}

  bool load(std::string &error) {
    std::string seed;
    if (takeRandom(options.all, seed)) {
      for (size_t i = 0; i < library.inputs.size(); ++i)
        if (!addRandom(i, seed, error))
          return false;
    } else if (!options.all.empty()) {
      auto arrays = readNpz(options.all, error);
      if (!arrays)
        return false;
      for (auto &[name, array] : *arrays)
        found[name] = std::move(array);
    }
    for (const std::string &text : options.single)
      if (!addSingle(text, error))
        return false;
    return true;
  }

  std::map<std::string, NpyArray> found;

private:
  bool addRandom(size_t index, const std::string &seed, std::string &error) {
    auto array = makeRandom(library, index, seed, sizes, error);
    if (array)
      found[library.inputs[index].name] = std::move(*array);
    return array.has_value();
  }

  bool addSingle(const std::string &text, std::string &error) {
    auto [name, source] = splitPair(text, "--input");
    size_t index = 0;
    while (index < library.inputs.size() && library.inputs[index].name != name)
      ++index;
    if (index == library.inputs.size()) {
      error = "the model has no input '" + name + "'; its inputs are: ";
      for (size_t i = 0; i < library.inputs.size(); ++i)
        error += (i ? ", '" : "'") + std::string(library.inputs[i].name) + "'";
      return false;
    }
    std::string seed;
    if (takeRandom(source, seed))
      return addRandom(index, seed, error);
    auto array = endsWith(source, ".pb") ? readTensorProto(source, error)
                                         : readNpy(source, error);
    if (array)
      found[name] = std::move(*array);
    return array.has_value();
  }

  const Library &library;
  const InputOptions &options;
  std::map<std::string, int64_t> sizes;
};

} // namespace

std::string describe(const effrt_tensor_info &info) {
  std::string text = std::string(effrt_dtype_name(info.dtype)) + " [";
  for (uint32_t i = 0; i < info.rank; ++i)
    text += (i ? ", " : "") + std::string(info.dim_texts[i]);
  return text + "]";
}

std::string describe(const NpyArray &array) {
  std::string text = array.dtype == npyBytes
                         ? "bytes ["
                         : std::string(effrt_dtype_name(array.dtype)) + " [";
  for (size_t i = 0; i < array.shape.size(); ++i)
    text += (i ? ", " : "") + std::to_string(array.shape[i]);
  return text + "]";
}

void warnUnused(const std::string &name, const Console &console) {
  console.warn("'" + name + "' is no input of the model and is ignored");
}

std::optional<NpzArrays> loadInputs(const Library &library,
                                    const InputOptions &options,
                                    const Console &console, NpzArrays *rest) {
  InputLoader loader(library, options);
  std::string error;
  if (!loader.load(error)) {
    console.fail(error, "", DiagnosticCode::BadRunInputs);
    return std::nullopt;
  }
  NpzArrays result;
  for (const effrt_tensor_info &input : library.inputs) {
    auto it = loader.found.find(input.name);
    if (it == loader.found.end()) {
      console.fail(std::string("input '") + input.name + "' (" +
                       describe(input) + ") is missing",
                   std::string("pass --inputs=F.npz with a key '") +
                       input.name + "', --input " + input.name +
                       "=F.npy, or --inputs=random:0 to try the library",
                   DiagnosticCode::BadRunInputs);
      return std::nullopt;
    }
    (void)adoptType(it->second, input.dtype);
    result.emplace_back(input.name, std::move(it->second));
    loader.found.erase(it);
  }
  for (auto &[name, array] : loader.found) {
    if (rest)
      rest->emplace_back(name, std::move(array));
    else
      warnUnused(name, console);
  }
  return result;
}

//===----------------------------------------------------------------------===//
// Runs
//===----------------------------------------------------------------------===//

bool Bindings::resolve(Library &library, NpzArrays &arrays,
                       const Console &console) {
  inputs.clear();
  for (auto &[name, array] : arrays) {
    effrt_tensor tensor = {};
    tensor.data = array.data.data();
    tensor.dtype = array.dtype;
    tensor.rank = array.shape.size();
    tensor.shape = array.shape.data();
    tensor.bytes = array.data.size();
    inputs.push_back(tensor);
  }
  outputs.assign(library.outputs.size(), {});
  if (effrt_session_resolve(library.session, EFFRT_PROGRAM_ANY, inputs.data(),
                            inputs.size(), outputs.data(), outputs.size())) {
    console.fail(effrt_session_error(library.session), "",
                 DiagnosticCode::RunFailed);
    return false;
  }
  return true;
}

void Bindings::takeMemory(const Library &library) {
  results.clear();
  for (size_t i = 0; i < outputs.size(); ++i) {
    NpyArray array;
    array.dtype = outputs[i].dtype;
    array.shape.assign(outputs[i].shape, outputs[i].shape + outputs[i].rank);
    array.data.resize(outputs[i].bytes); // none where only the run knows
    results.emplace_back(library.outputs[i].name, std::move(array));
    // The shapes belong to the session and go with its next call.
    outputs[i].shape = nullptr;
    outputs[i].dtype = 0;
    // The session keeps what has a size that follows from data.
    bool isLate = llvm::is_contained(results.back().second.shape, -1);
    outputs[i].data = isLate ? nullptr : results.back().second.data.data();
  }
}

/// Copies the results whose sizes only the run knew.
static bool fetchLate(Library &library, NpzArrays &results) {
  for (auto [i, entry] : llvm::enumerate(results)) {
    NpyArray &array = entry.second;
    if (!llvm::is_contained(array.shape, -1))
      continue;
    effrt_tensor late;
    if (effrt_session_output(library.session, i, &late))
      return false;
    auto *bytes = static_cast<const uint8_t *>(late.data);
    array.shape.assign(late.shape, late.shape + late.rank);
    array.data.assign(bytes, bytes + late.bytes);
  }
  return true;
}

bool Bindings::fetchLate(Library &library, const Console &console) {
  for (size_t i = 0; i < outputs.size(); ++i) {
    if (!library.outputs[i].late)
      continue;
    effrt_tensor tensor = {};
    if (effrt_session_output(library.session, i, &tensor)) {
      console.fail(effrt_session_error(library.session), "",
                   DiagnosticCode::RunFailed);
      return false;
    }
    NpyArray &array = results[i].second;
    array.shape.assign(tensor.shape, tensor.shape + tensor.rank);
    const auto *bytes = static_cast<const uint8_t *>(tensor.data);
    array.data.assign(bytes, bytes + tensor.bytes);
  }
  return true;
}

std::optional<NpzArrays> runOnce(Library &library, NpzArrays &inputs,
                                 const Console &console) {
  Bindings bindings;
  if (!bindings.bind(library, inputs, console))
    return std::nullopt;
  if (bindings.run(library) || !fetchLate(library, bindings.results)) {
    console.fail(effrt_session_error(library.session), "",
                 DiagnosticCode::RunFailed);
    return std::nullopt;
  }
  if (!bindings.fetchLate(library, console))
    return std::nullopt;
  return std::move(bindings.results);
}

/// The inputs of one step.
static NpzArrays takeFrame(const Library &library, const NpzArrays &inputs,
                           int64_t steps, int64_t step) {
  NpzArrays frame = inputs;
  for (size_t i = 0; i < frame.size(); ++i) {
    NpyArray &array = frame[i].second;
    if (array.shape.size() != library.inputs[i].rank + 1 ||
        array.shape[0] != steps)
      continue;
    size_t bytes = array.data.size() / static_cast<size_t>(steps);
    array.shape.erase(array.shape.begin());
    auto first = inputs[i].second.data.begin() +
                 static_cast<std::ptrdiff_t>(bytes) * step;
    array.data.assign(first, first + static_cast<std::ptrdiff_t>(bytes));
  }
  return frame;
}

std::optional<NpzArrays> runSteps(Library &library, NpzArrays &inputs,
                                  int64_t steps,
                                  const std::vector<std::string> &wanted,
                                  const Console &console) {
  NpzArrays all;
  for (int64_t step = 0; step < steps; ++step) {
    NpzArrays frame = takeFrame(library, inputs, steps, step);
    auto results = runOnce(library, frame, console);
    if (!results)
      return std::nullopt;
    llvm::erase_if(*results, [&](const auto &result) {
      return !wanted.empty() && !llvm::is_contained(wanted, result.first);
    });
    for (size_t i = 0; i < results->size(); ++i) {
      auto &[name, array] = (*results)[i];
      if (step == 0) {
        all.emplace_back(name, array);
        all[i].second.shape.insert(all[i].second.shape.begin(), steps);
        continue;
      }
      NpyArray &stack = all[i].second;
      if (!std::equal(array.shape.begin(), array.shape.end(),
                      stack.shape.begin() + 1, stack.shape.end())) {
        console.fail("output '" + name + "' changes its shape at step " +
                         std::to_string(step) + ", so steps cannot be stacked",
                     "name the outputs that keep theirs with --output",
                     DiagnosticCode::RunFailed);
        return std::nullopt;
      }
      stack.data.insert(stack.data.end(), array.data.begin(), array.data.end());
    }
  }
  return all;
}

} // namespace effc::tool
