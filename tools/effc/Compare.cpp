// The reference is a file, or a build of simple loops made on the spot.
#include "Compare.h"
#include "TemporaryFolder.h"
#include "effc/Driver/Driver.h"
#include "effc/Support/SmallFloats.h"
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstring>

namespace effc::tool {

void CompareOptions::addOptions(CLI::App &verb) {
  verb.add_option("--compare", reference,
                  "Compare with F.npz, or with simple loops: plain");
  verb.add_option("--model", model, "The model, for --compare=plain");
  verb.add_option("--rtol", relative, "Relative tolerance of --compare")
      ->check(CLI::NonNegativeNumber);
  verb.add_option("--atol", absolute, "Absolute tolerance of --compare")
      ->check(CLI::NonNegativeNumber);
}

static std::string describeShape(const std::vector<int64_t> &shape) {
  std::string text;
  for (int64_t size : shape)
    text += (text.empty() ? "" : ", ") + std::to_string(size);
  return "[" + text + "]";
}

namespace {

struct Difference {
  double largest = 0, sum = 0;
  size_t count = 0, beyond = 0, first = 0;
};

} // namespace

template <typename T> static T load(const NpyArray &array, size_t index) {
  T value;
  std::memcpy(&value, array.data.data() + index * sizeof(T), sizeof(T));
  return value;
}

/// |a - b|; 0 only for equal integers, also those that no double holds.
static double getDistance(const NpyArray &a, const NpyArray &b, size_t index) {
  if (a.dtype == EFFRT_DTYPE_I64 || a.dtype == EFFRT_DTYPE_U64) {
    uint64_t x = load<uint64_t>(a, index), y = load<uint64_t>(b, index);
    bool less = a.dtype == EFFRT_DTYPE_I64 ? int64_t(x) < int64_t(y) : x < y;
    return static_cast<double>(less ? y - x : x - y);
  }
  double x = getElement(a, index), y = getElement(b, index);
  return x == y || (std::isnan(x) && std::isnan(y)) ? 0 : std::fabs(x - y);
}

double getRelativeDifference(const NpyArray &got, const NpyArray &expected) {
  if (got.shape != expected.shape)
    return INFINITY;
  double largest = 0, scale = 0;
  for (size_t i = 0, count = getNumElements(got); i < count; ++i) {
    double x = getElement(got, i), y = getElement(expected, i);
    double difference =
        got.dtype == expected.dtype ? getDistance(got, expected, i)
        : x == y || (std::isnan(x) && std::isnan(y)) ? 0
                                                     : std::fabs(x - y);
    if (!std::isfinite(difference))
      return INFINITY;
    largest = std::max(largest, difference);
    if (std::isfinite(y))
      scale = std::max(scale, std::fabs(y));
  }
  return scale > 0 ? largest / scale : largest;
}

static bool isFloat(int32_t dtype) {
  return dtype == EFFRT_DTYPE_F16 || dtype == EFFRT_DTYPE_BF16 ||
         dtype == EFFRT_DTYPE_F32 || dtype == EFFRT_DTYPE_F64 ||
         getSmallFloatFormat(dtype);
}

static std::string formatElement(const NpyArray &array, size_t index) {
  if (array.dtype == EFFRT_DTYPE_I64)
    return std::to_string(load<int64_t>(array, index));
  if (array.dtype == EFFRT_DTYPE_U64)
    return std::to_string(load<uint64_t>(array, index));
  return format("%.9g", getElement(array, index));
}

static Difference measure(const NpyArray &got, const NpyArray &expected,
                          const CompareOptions &options) {
  Difference result;
  result.count = getNumElements(got);
  for (size_t i = 0; i < result.count; ++i) {
    double difference = getDistance(got, expected, i);
    if (difference == 0)
      continue;
    // Integers are not rounded: large ones may not differ by more either.
    double tolerance = options.absolute;
    if (isFloat(got.dtype))
      tolerance += options.relative * std::fabs(getElement(expected, i));
    // A NaN or infinity on one side is beyond any tolerance.
    if (!(std::isfinite(difference) && difference <= tolerance) &&
        result.beyond++ == 0)
      result.first = i;
    if (!(difference <= result.largest))
      result.largest = difference;
    result.sum += difference;
  }
  return result;
}

static bool compareOne(const std::string &name, const NpyArray &got,
                       const NpyArray &expected,
                       const CompareOptions &options) {
  if (got.dtype != expected.dtype || got.shape != expected.shape) {
    std::printf("%-24s %s %s, the reference has %s %s\n", name.c_str(),
                effrt_dtype_name(got.dtype), describeShape(got.shape).c_str(),
                effrt_dtype_name(expected.dtype),
                describeShape(expected.shape).c_str());
    return false;
  }
  Difference result = measure(got, expected, options);
  std::printf("%-24s max error %.3g, mean %.3g", name.c_str(), result.largest,
              result.count ? result.sum / result.count : 0.0);
  if (result.beyond)
    std::printf(", %zu of %zu beyond tolerance, first at %zu: %s instead of %s",
                result.beyond, result.count, result.first,
                formatElement(got, result.first).c_str(),
                formatElement(expected, result.first).c_str());
  std::printf("\n");
  return result.beyond == 0;
}

template <typename Arrays>
static auto find(Arrays &arrays, const std::string &name) {
  for (auto &[key, array] : arrays)
    if (key == name)
      return &array;
  return decltype(&arrays.front().second)();
}

static int compareWith(const NpzArrays &outputs, NpzArrays &references,
                       const CompareOptions &options, const Console &console) {
  bool same = true;
  std::string unmatched;
  for (const auto &[name, got] : outputs) {
    NpyArray *reference = find(references, name);
    if (reference)
      (void)adoptType(*reference, got.dtype);
    if (reference)
      same &= compareOne(name, got, *reference, options);
    else
      unmatched = "output '" + name + "' is not in the reference";
  }
  for (const auto &[name, expected] : references)
    if (!find(outputs, name))
      unmatched = "'" + name + "' in the reference is no output of the model";
  if (!unmatched.empty())
    return console.fail(unmatched,
                        "its keys must be the names of the outputs, "
                        "which effc inspect lists",
                        DiagnosticCode::OutputsDiffer);
  if (same)
    return ExitDone;
  return console.fail("outputs differ from the reference",
                      "tolerances are --rtol and --atol; --compare=plain "
                      "--model=MODEL.onnx tells whether the optimised build "
                      "differs from simple loops",
                      DiagnosticCode::OutputsDiffer);
}

static int compareWithPlain(NpzArrays &inputs, const NpzArrays &outputs,
                            const CompareOptions &options,
                            const Console &console) {
  if (options.model.empty())
    return console.fail("--compare=plain needs the model",
                        "pass --model=MODEL.onnx");
  TemporaryFolder folder("plain");
  if (!folder.create())
    return console.fail("cannot write to '" + folder.path + "'");
  CompileOptions compileOptions;
  compileOptions.model = options.model;
  compileOptions.outputDir = folder.path;
  compileOptions.name = "plain_build";
  compileOptions.plain = true;
  // The same sizes as in the run, in case the library was made for them.
  for (const auto &[name, array] : inputs)
    compileOptions.inputShapes.emplace_back(name, array.shape);
  // The library may have been made for some of the outputs.
  for (const auto &[name, array] : outputs)
    compileOptions.outputNames.push_back(name);
  compileOptions.onDiagnostic = [&](const Diagnostic &diagnostic) {
    console.report(diagnostic);
  };
  CompileResult compiled = compile(compileOptions);
  if (compiled.exitCode)
    return compiled.exitCode;
  auto plain = Library::open(compiled.files.front(), 1, console);
  auto expected = plain ? runOnce(*plain, inputs, console) : std::nullopt;
  return expected ? compareWith(outputs, *expected, options, console)
                  : int(ExitFault);
}

int compareOutputs(NpzArrays &inputs, const NpzArrays &outputs,
                   const CompareOptions &options, const Console &console) {
  if (options.reference == "plain")
    return compareWithPlain(inputs, outputs, options, console);
  std::string error;
  auto references = readNpz(options.reference, error);
  if (!references)
    return console.fail(error, "", DiagnosticCode::BadRunInputs);
  return compareWith(outputs, *references, options, console);
}

void printSummary(const NpzArrays &outputs) {
  for (const auto &[name, array] : outputs) {
    size_t count = getNumElements(array);
    double low = INFINITY, high = -INFINITY, sum = 0;
    for (size_t i = 0; i < count; ++i) {
      double value = getElement(array, i);
      low = std::min(low, value);
      high = std::max(high, value);
      sum += value;
    }
    std::printf("%s: %s %s", name.c_str(), effrt_dtype_name(array.dtype),
                describeShape(array.shape).c_str());
    if (count)
      std::printf(", min %.6g, max %.6g, mean %.6g", low, high, sum / count);
    std::printf("\n");
  }
}

} // namespace effc::tool
