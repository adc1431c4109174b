// Options from text and back. One spelling serves the command line, the C API
// and the certificate.
#include "effc/Driver/Driver.h"
#include "effc/Pipeline/Stages.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/GlobPattern.h"
#include <algorithm>
#include <cstdio>
#include <cstdlib>

using llvm::StringRef;

namespace effc {

/// "seq=128" to its parts. ONNX names may hold '='; values never do.
static std::optional<std::pair<StringRef, StringRef>>
splitPair(StringRef text, std::string &error) {
  auto [name, value] = text.rsplit('=');
  if (!name.empty() && !value.empty() && name.size() != text.size())
    return std::make_pair(name, value);
  error = "'" + text.str() + "': expected NAME=VALUE";
  return std::nullopt;
}

static bool parseInteger(StringRef text, int64_t &value, std::string &error) {
  text.consume_front("+");
  if (!text.getAsInteger(10, value))
    return true;
  error = "'" + text.str() + "': expected an integer";
  return false;
}

static bool parseRange(StringRef value, DimOption &dim, std::string &error) {
  auto [lowText, highText] = value.split("..");
  int64_t low, high;
  if (!parseInteger(lowText, low, error) ||
      !parseInteger(highText, high, error))
    return false;
  dim.range = {low, high};
  return low >= 0 && low <= high;
}

std::optional<DimOption> parseDim(const std::string &text, std::string &error) {
  auto parts = splitPair(text, error);
  if (!parts)
    return std::nullopt;
  DimOption dim;
  dim.name = parts->first.str();
  if (parts->second.contains("..")) {
    if (parseRange(parts->second, dim, error))
      return dim;
    if (dim.range)
      error = "'" + text + "': expected LOW..HIGH, 0 or more";
    return std::nullopt;
  }
  for (StringRef part : llvm::split(parts->second, ',')) {
    if (part == "*") {
      dim.general = true;
      continue;
    }
    int64_t size;
    if (!parseInteger(part, size, error))
      return std::nullopt;
    if (size < 0) {
      error = "'" + text + "': sizes are 0 or more";
      return std::nullopt;
    }
    // Twice the same would be two functions of one name.
    if (!llvm::is_contained(dim.values, size))
      dim.values.push_back(size);
  }
  return dim;
}

std::optional<std::pair<std::string, std::vector<int64_t>>>
parseInputShape(const std::string &text, std::string &error) {
  auto parts = splitPair(text, error);
  if (!parts)
    return std::nullopt;
  std::vector<int64_t> shape;
  for (StringRef part : llvm::split(parts->second, 'x')) {
    shape.push_back(-1);
    if (part != "?" && !parseInteger(part, shape.back(), error))
      return std::nullopt;
  }
  return std::make_pair(parts->first.str(), std::move(shape));
}

std::optional<std::pair<std::string, std::vector<double>>>
parseInputValue(const std::string &text, std::string &error) {
  auto parts = splitPair(text, error);
  if (!parts)
    return std::nullopt;
  std::vector<double> numbers;
  for (StringRef part : llvm::split(parts->second, ',')) {
    std::string number = part.str();
    char *rest = nullptr;
    numbers.push_back(std::strtod(number.c_str(), &rest));
    if (number.empty() || *rest) {
      error = "'" + number + "' is not a number";
      return std::nullopt;
    }
  }
  return std::make_pair(parts->first.str(), std::move(numbers));
}

std::optional<std::string> parseQuantize(const std::string &text,
                                         std::string &error) {
  if (text == "off")
    return std::string();
  std::vector<std::string> schemes = {"bf16", "int8", "int8-dynamic"};
  for (const WeightScheme &scheme : getWeightSchemes())
    schemes.push_back(scheme.name);
  if (llvm::is_contained(schemes, text))
    return text;
  error = "'" + text + "': expected " + llvm::join(schemes, ", ") + " or off";
  return std::nullopt;
}

std::optional<LayerOption> parseLayerOption(const std::string &text,
                                            std::string &error) {
  // Names of nodes may hold colons; options never do.
  auto [nodes, option] = StringRef(text).rsplit(':');
  auto [key, value] = option.trim().split('=');
  if (nodes.trim().empty() || key != "quantize") {
    error = "'" + text + "': expected 'NODES: quantize=SCHEME'";
    return std::nullopt;
  }
  if (!parseQuantize(value.str(), error))
    return std::nullopt;
  auto pattern = llvm::GlobPattern::create(nodes.trim());
  if (!pattern) {
    error =
        "'" + nodes.trim().str() + "': " + llvm::toString(pattern.takeError());
    return std::nullopt;
  }
  return LayerOption{nodes.trim().str(), key.str(), value.str()};
}

static std::string describe(const DimOption &dim) {
  std::string text = "--dim=" + dim.name + "=";
  if (dim.range)
    return text + std::to_string(dim.range->first) + ".." +
           std::to_string(dim.range->second);
  std::vector<std::string> parts;
  for (int64_t value : dim.values)
    parts.push_back(std::to_string(value));
  if (dim.general)
    parts.push_back("*");
  return text + llvm::join(parts, ",");
}

/// The shortest form that reads back as the same number.
static std::string describe(double value) {
  char text[40];
  for (int digits = 6; digits <= 17; ++digits) {
    std::snprintf(text, sizeof(text), "%.*g", digits, value);
    if (std::strtod(text, nullptr) == value)
      break;
  }
  return text;
}

std::vector<std::string> describeLayerOptions(const CompileOptions &options) {
  std::vector<std::string> texts;
  for (const DimOption &dim : options.dims)
    texts.push_back(describe(dim));
  for (const auto &[name, shape] : options.inputShapes) {
    std::vector<std::string> sizes;
    for (int64_t size : shape)
      sizes.push_back(size < 0 ? "?" : std::to_string(size));
    texts.push_back("--input-shape=" + name + "=" + llvm::join(sizes, "x"));
  }
  for (const auto &[name, values] : options.inputValues) {
    std::vector<std::string> numbers;
    for (double value : values)
      numbers.push_back(describe(value));
    texts.push_back("--input-value=" + name + "=" + llvm::join(numbers, ","));
  }
  for (const std::string &output : options.outputNames)
    texts.push_back("--output-names=" + output);
  return texts;
}

CompileOptions makeProbedOptions(const CompileOptions &options) {
  CompileOptions probed;
  probed.model = options.model;
  probed.modelBytes = options.modelBytes;
  probed.name = options.name;
  probed.probes = true;
  // Runs take less time than code.
  probed.optLevel = std::min(options.optLevel, 2u);
  for (const DimOption &dim : options.dims)
    if (dim.values.size() + dim.general < 2 && !dim.general)
      probed.dims.push_back(dim);
  probed.inputShapes = options.inputShapes;
  probed.inputValues = options.inputValues;
  probed.outputNames = options.outputNames;
  probed.externalDataDir = options.externalDataDir;
  probed.compileThreads = options.compileThreads;
  probed.verifyEach = options.verifyEach;
  return probed;
}

CompileOptions makeMemoryOptions(const CompileOptions &options) {
  CompileOptions memory = options;
  memory.staticLibrary = memory.separateWeights = false;
  if (memory.tuneSeconds > 0)
    memory.lock.clear();
  memory.tuneSeconds = 0;
  memory.saveStages.clear();
  // Samples say what states hold; sessions would begin with nothing.
  memory.states.clear();
  memory.onDiagnostic = nullptr;
  memory.onStage = nullptr;
  return memory;
}

bool needsStatistics(const CompileOptions &options) {
  return options.quantize == "int8" ||
         llvm::any_of(options.layers, [](const LayerOption &layer) {
           return layer.value == "int8";
         });
}

CompileOptions withoutLoss(const CompileOptions &options) {
  CompileOptions exact = options;
  exact.quantize.clear();
  exact.layers.clear();
  exact.calibrate.clear();
  return exact;
}

std::vector<std::string> describeOptions(const CompileOptions &options) {
  std::vector<std::string> texts;
  auto add = [&](bool given, const std::string &text) {
    if (given)
      texts.push_back(text);
  };
  add(true, "--cpu=" + options.cpu);
  llvm::append_range(texts, describeLayerOptions(options));
  for (const std::string &state : options.states)
    add(true, "--state=" + state);
  add(options.plain, "--plain");
  add(options.exact, "--exact");
  add(!options.quantize.empty(), "--quantize=" + options.quantize);
  // The file's contents decide, not where it lies.
  add(!options.calibrate.empty(), "--calibrate=STATISTICS");
  for (const LayerOption &layer : options.layers)
    add(true, "--set=" + layer.nodes + ": " + layer.key + "=" + layer.value);
  // What was measured is in the lock: with it the same bytes come again.
  add(options.tuneSeconds > 0 || !options.lock.empty(), "--lock=effc.lock");
  add(options.sanitize, "--sanitize");
  add(options.computeF64, "--compute=f64");
  add(options.optLevel != 3, "-O" + std::to_string(options.optLevel));
  add(options.separateWeights, "--weights=separate");
  add(options.staticLibrary, "--static");
  return texts;
}

} // namespace effc
