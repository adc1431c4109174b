// Elements as double, as all types but 64-bit integers fit; these and all other
// integers are compared by their bytes.
#include "Compare.h"
#include "effc/Support/SmallFloats.h"
#include "effrt/effrt.h"
#include <cmath>
#include <cstring>
#include <fnmatch.h>
#include <fstream>
#include <nlohmann/json.hpp>

namespace effc::test {

static std::string describeShape(const std::vector<int64_t> &shape) {
  std::string text = "[";
  for (size_t i = 0; i < shape.size(); ++i)
    text += (i ? ", " : "") + std::to_string(shape[i]);
  return text + "]";
}

std::string compareTypes(const NpyArray &got, const NpyArray &want) {
  if (got.dtype != want.dtype)
    return std::string("type ") + effrt_dtype_name(got.dtype) + " instead of " +
           effrt_dtype_name(want.dtype);
  if (got.shape != want.shape)
    return "shape " + describeShape(got.shape) + " instead of " +
           describeShape(want.shape);
  if (got.data.size() != want.data.size())
    return std::to_string(got.data.size()) + " bytes instead of " +
           std::to_string(want.data.size());
  return "";
}

static bool isInteger(int32_t dtype) {
  switch (dtype) {
  case EFFRT_DTYPE_U8:
  case EFFRT_DTYPE_I8:
  case EFFRT_DTYPE_U16:
  case EFFRT_DTYPE_I16:
  case EFFRT_DTYPE_I32:
  case EFFRT_DTYPE_I64:
  case EFFRT_DTYPE_U32:
  case EFFRT_DTYPE_U64:
  case EFFRT_DTYPE_BOOL:
  case EFFRT_DTYPE_U4:
  case EFFRT_DTYPE_I4:
  case EFFRT_DTYPE_U2:
  case EFFRT_DTYPE_I2:
    return true;
  default:
    return false;
  }
}

static bool isFloat(int32_t dtype) {
  return dtype == EFFRT_DTYPE_F32 || dtype == EFFRT_DTYPE_F64 ||
         dtype == EFFRT_DTYPE_F16 || dtype == EFFRT_DTYPE_BF16 ||
         getSmallFloatFormat(dtype);
}

static std::string describePlace(const NpyArray &array, size_t index) {
  std::vector<int64_t> place(array.shape.size());
  for (size_t axis = place.size(); axis-- > 0;) {
    place[axis] = index % array.shape[axis];
    index /= array.shape[axis];
  }
  return describeShape(place);
}

static std::string describeDifference(const NpyArray &got, const NpyArray &want,
                                      size_t index, size_t count) {
  return describePlace(want, index) + ": got " +
         tool::format("%.9g, expected %.9g (%zu of %zu differ)",
                      tool::getElement(got, index),
                      tool::getElement(want, index), count,
                      tool::getNumElements(want));
}

std::string compareTensors(const NpyArray &got, const NpyArray &want,
                           const Tolerance &tolerance, Errors &errors) {
  if (std::string wrong = compareTypes(got, want); !wrong.empty())
    return wrong;
  if (got.data == want.data)
    return "";
  size_t size = npyElementSize(want.dtype), count = 0, worst = 0;
  double largest = -1;
  for (size_t i = 0, e = tool::getNumElements(want); i < e; ++i) {
    if (!std::memcmp(got.data.data() + i * size, want.data.data() + i * size,
                     size))
      continue;
    double a = tool::getElement(got, i), b = tool::getElement(want, i);
    if (a == b || (std::isnan(a) && std::isnan(b)))
      if (!isInteger(want.dtype))
        continue;
    double error = std::abs(a - b);
    double relative =
        error / (std::abs(b) + tolerance.absolute / tolerance.relative);
    if (!std::isfinite(relative))
      error = relative = INFINITY;
    errors.absolute = std::max(errors.absolute, error);
    errors.relative = std::max(errors.relative, relative);
    if (isFloat(want.dtype) && relative <= tolerance.relative)
      continue;
    ++count;
    if (relative > largest) {
      largest = relative;
      worst = i;
    }
  }
  return count ? describeDifference(got, want, worst, count) : "";
}

//===----------------------------------------------------------------------===//
// Random results
//===----------------------------------------------------------------------===//

bool isRandom(const std::vector<std::string> &operators) {
  for (const std::string &op : operators)
    if (op.rfind("Random", 0) == 0 || op == "Bernoulli" || op == "Multinomial")
      return true;
  return false;
}

bool isTrainingDropout(const std::string &test) {
  return test.rfind("test_training_dropout", 0) == 0 &&
         test.find("zero_ratio") == std::string::npos;
}

std::string checkDropout(const NpyArray &x, double ratio, const NpyArray &y,
                         const NpyArray *mask) {
  size_t count = tool::getNumElements(x), zeros = 0;
  double scale = ratio < 1 ? 1 / (1 - ratio) : 0;
  for (size_t i = 0; i < count; ++i) {
    double given = tool::getElement(x, i), value = tool::getElement(y, i);
    bool keeps = mask ? tool::getElement(*mask, i) != 0 : value != 0;
    zeros += !keeps;
    double expected = keeps ? given * scale : 0;
    // Half a unit in the last place of f16 is 5e-4 of the number.
    if (!(std::abs(value - expected) <= 1e-3 * std::abs(expected)))
      return describePlace(y, i) +
             tool::format(": got %.9g of %.9g, expected %.9g", value, given,
                          expected);
  }
  // Six standard deviations of a binomial distribution, and one element.
  double expected = count * ratio,
         spread = 6 * std::sqrt(count * ratio * (1 - ratio)) + 1;
  if (std::abs(double(zeros) - expected) > spread)
    return tool::format("%zu of %zu elements are left out, expected %.3g to "
                        "%.3g",
                        zeros, count, expected - spread, expected + spread);
  return "";
}

std::string checkProperties(const NpyArray &got, const NpyArray &want) {
  if (std::string wrong = compareTypes(got, want); !wrong.empty())
    return wrong;
  double low = 0, high = 0;
  for (size_t i = 0, e = tool::getNumElements(want); i < e; ++i) {
    low = std::min(low, tool::getElement(want, i));
    high = std::max(high, tool::getElement(want, i));
  }
  // Twice what was seen, and at least what a bool or a probability may be.
  low *= 2;
  high = std::max(1.0, 2 * high);
  if (isInteger(want.dtype))
    high /= 2;
  for (size_t i = 0, e = tool::getNumElements(got); i < e; ++i) {
    double value = tool::getElement(got, i);
    if (!(value >= low && value <= high))
      return describePlace(got, i) +
             tool::format(": got %.9g, expected %.9g to %.9g", value, low,
                          high);
  }
  return "";
}

//===----------------------------------------------------------------------===//
// Tolerances
//===----------------------------------------------------------------------===//

bool ToleranceTable::read(const std::string &path, std::string &error) {
  std::ifstream file(path);
  auto json = nlohmann::ordered_json::parse(file, nullptr,
                                            /*allow_exceptions=*/false);
  if (json.is_discarded() || !json.contains("nodes")) {
    error = "'" + path + "' cannot be read";
    return false;
  }
  general = {json["nodes"]["rtol"], json["nodes"]["atol"]};
  for (const auto &[pattern, row] : json["node_tests"].items()) {
    Row override{pattern, std::nullopt, std::nullopt};
    if (row.contains("rtol"))
      override.relative = row["rtol"];
    if (row.contains("atol"))
      override.absolute = row["atol"];
    rows.push_back(std::move(override));
  }
  return true;
}

Tolerance ToleranceTable::get(const std::string &test) const {
  Tolerance result = general;
  for (const Row &row : rows) {
    if (fnmatch(row.pattern.c_str(), test.c_str(), 0) != 0)
      continue;
    result.relative = row.relative.value_or(result.relative);
    result.absolute = row.absolute.value_or(result.absolute);
  }
  return result;
}

} // namespace effc::test
