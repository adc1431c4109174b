// The file of statistics: JSON, a layer a line. Reading is strict, because
// statistics that are half understood would quantise wrongly: a field that is
// missing, of another kind or at odds with the others is an error.
#include "effc/Support/Json.h"
#include "effc/Support/Statistics.h"

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <limits>
#include <unistd.h>

using Json = nlohmann::ordered_json;
/// What is read: ordered_json looks for a key among all others.
using Tree = nlohmann::json;

namespace effc {

static constexpr const char *kFormat = "effc-statistics";
static constexpr int kVersion = 2;
static constexpr size_t kMaxText = 1 << 16, kMaxLayers = 1 << 14;
static constexpr size_t kMaxFileBytes = 256 << 20;

//===----------------------------------------------------------------------===//
// Writing
//===----------------------------------------------------------------------===//

static std::string print(const Json &json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

/// Bins from the first to the last that hold something.
static Json describe(const TensorStatistics &tensor) {
  Json json = {{"count", tensor.count}, {"nan", tensor.numNaN},
               {"inf", tensor.numInf},  {"min", tensor.min},
               {"max", tensor.max},     {"exponent", tensor.exponent}};
  size_t first = 0, end = tensor.bins.size();
  while (first < end && tensor.bins[first] == 0)
    ++first;
  while (end > first && tensor.bins[end - 1] == 0)
    --end;
  if (first == end)
    first = end = 0;
  json["first_bin"] = first;
  json["bins"] = std::vector<uint64_t>(
      tensor.bins.begin() + static_cast<std::ptrdiff_t>(first),
      tensor.bins.begin() + static_cast<std::ptrdiff_t>(end));
  json["mixed_channels"] = tensor.mixedChannels;
  json["channel_mins"] = tensor.channelMins;
  json["channel_maxs"] = tensor.channelMaxs;
  json["channel_sums"] = tensor.channelSums;
  json["channel_squares"] = tensor.channelSquares;
  return json;
}

std::string printStatistics(const Statistics &statistics) {
  Json samples = Json::array();
  for (const SampleRecord &sample : statistics.samples)
    samples.push_back({{"name", sample.name}, {"sha256", sample.hash}});
  Json model = {{"file", statistics.modelFile},
                {"sha256", statistics.modelSha256},
                {"external_sha256", statistics.externalSha256}};
  Json compiler = {{"name", "effc"}, {"version", statistics.compilerVersion}};
  std::string text = "{\"format\": \"" + std::string(kFormat) +
                     "\",\n\"format_version\": " + std::to_string(kVersion) +
                     ",\n\"compiler\": " + print(compiler) +
                     ",\n\"model\": " + print(model) +
                     ",\n\"options\": " + print(Json(statistics.options)) +
                     ",\n\"complete\": " + print(statistics.complete) +
                     ",\n\"samples\": " + print(samples) + ",\n\"layers\": {";
  const char *separator = "\n";
  for (const auto &[name, tensor] : statistics.layers) {
    text += separator + print(name) + ": " + print(describe(tensor));
    separator = ",\n";
  }
  return text + "}}\n";
}

bool writeStatistics(const std::string &path, const Statistics &statistics,
                     std::string &error) {
  std::string text = printStatistics(statistics);
  // One name, so that what a killed process left is written over.
  std::string beside = path + ".new";
  std::FILE *file = std::fopen(beside.c_str(), "wb");
  int reason = errno;
  if (file) {
    // A file that is renamed before its bytes are there may be empty after the
    // machine fails.
    bool isWritten =
        std::fwrite(text.data(), 1, text.size(), file) == text.size() &&
        std::fflush(file) == 0 && fsync(fileno(file)) == 0;
    reason = errno;
    if (std::fclose(file) != 0 && isWritten) {
      isWritten = false;
      reason = errno;
    }
    if (isWritten && std::rename(beside.c_str(), path.c_str()) == 0)
      return true;
    if (isWritten)
      reason = errno;
    (void)unlink(beside.c_str());
  }
  error = "cannot write '" + path + "': " + std::strerror(reason);
  return false;
}

//===----------------------------------------------------------------------===//
// Reading
//===----------------------------------------------------------------------===//

namespace {

/// Takes fields out of objects; remembers the first that is wrong.
class Reader {
public:
  explicit Reader(std::string &error) : error(error) {}

  const Tree *find(const Tree &object, const char *key) {
    auto found = object.is_object() ? object.find(key) : object.end();
    if (object.is_object() && found != object.end())
      return &*found;
    return nullptr;
  }

  bool fail(const std::string &what, const std::string &expected) {
    if (error.empty())
      error = "'" + what + "' is missing or not " + expected;
    return false;
  }

  bool read(const Tree &object, const char *key, std::string &text) {
    const Tree *field = find(object, key);
    if (!field || !field->is_string() ||
        field->get_ref<const std::string &>().size() > kMaxText)
      return fail(key, "a text");
    text = field->get<std::string>();
    return true;
  }

  bool read(const Tree &object, const char *key, bool &value) {
    const Tree *field = find(object, key);
    if (!field || !field->is_boolean())
      return fail(key, "true or false");
    value = field->get<bool>();
    return true;
  }

  bool read(const Tree &object, const char *key, uint64_t &value) {
    const Tree *field = find(object, key);
    if (!field || !field->is_number_unsigned())
      return fail(key, "a count");
    value = field->get<uint64_t>();
    return true;
  }

  bool read(const Tree &object, const char *key, int &value, int low,
            int high) {
    const Tree *field = find(object, key);
    if (!field || !field->is_number_integer() || *field < low || *field > high)
      return fail(key, "an integer in its range");
    value = field->get<int>();
    return true;
  }

  bool readFloat(const Tree &object, const char *key, float &value) {
    const Tree *field = find(object, key);
    return field && take(*field, value) ? true : fail(key, "a number of f32");
  }

  template <typename T>
  bool readList(const Tree &object, const char *key, std::vector<T> &values,
                size_t most) {
    const Tree *field = find(object, key);
    if (!field || !field->is_array() || field->size() > most)
      return fail(key, "a list of its length");
    values.resize(field->size());
    for (size_t i = 0; i < values.size(); ++i)
      if (!take((*field)[i], values[i]))
        return fail(key, "a list of its numbers");
    return true;
  }

private:
  static bool take(const Tree &json, uint64_t &value) {
    if (!json.is_number_unsigned())
      return false;
    value = json.get<uint64_t>();
    return true;
  }
  static bool take(const Tree &json, double &value) {
    if (!json.is_number())
      return false;
    value = json.get<double>();
    return std::isfinite(value);
  }
  /// Doubles beyond the largest float must not be converted.
  static bool take(const Tree &json, float &value) {
    double wide;
    if (!take(json, wide) ||
        std::fabs(wide) > std::numeric_limits<float>::max())
      return false;
    value = static_cast<float>(wide);
    return true;
  }
  static bool take(const Tree &json, std::string &value) {
    if (!json.is_string() ||
        json.get_ref<const std::string &>().size() > kMaxText)
      return false;
    value = json.get<std::string>();
    return true;
  }

  std::string &error;
};

} // namespace

/// The bins hold what is finite, from the least to the largest value, and do
/// not reach further than they must.
static bool areBinsConsistent(const TensorStatistics &tensor,
                              uint64_t numFinite) {
  const std::vector<uint64_t> &bins = tensor.bins;
  uint64_t rest = numFinite;
  for (uint64_t bin : bins) {
    if (bin > rest)
      return false;
    rest -= bin;
  }
  float most = std::max(std::fabs(tensor.min), std::fabs(tensor.max));
  int exponent = TensorStatistics::leastExponent;
  if (most > 0)
    (void)std::frexp(most, &exponent);
  if (rest != 0 || tensor.min > tensor.max ||
      tensor.exponent != std::max(exponent, TensorStatistics::leastExponent))
    return false;
  if (numFinite == 0)
    return most == 0;
  auto isUsed = [](uint64_t bin) { return bin != 0; };
  auto first = std::find_if(bins.begin(), bins.end(), isUsed);
  auto last = std::find_if(bins.rbegin(), bins.rend(), isUsed).base() - 1;
  return first - bins.begin() == tensor.getBin(tensor.min) &&
         last - bins.begin() == tensor.getBin(tensor.max);
}

static bool areChannelsConsistent(const TensorStatistics &tensor) {
  size_t channels = tensor.getNumChannels();
  if (tensor.channelMins.size() != channels ||
      tensor.channelMaxs.size() != channels ||
      tensor.channelSums.size() != channels ||
      (tensor.mixedChannels && channels))
    return false;
  float low = std::min(tensor.min, 0.0f), high = std::max(tensor.max, 0.0f);
  for (size_t i = 0; i < channels; ++i)
    if (tensor.channelMins[i] > 0 || tensor.channelMins[i] < low ||
        tensor.channelMaxs[i] < 0 || tensor.channelMaxs[i] > high ||
        tensor.channelSquares[i] < 0)
      return false;
  return true;
}

/// The numbers belong to some tensor.
static bool isConsistent(const TensorStatistics &tensor) {
  uint64_t rest = tensor.count;
  if (tensor.numNaN > rest || tensor.numInf > rest - tensor.numNaN)
    return false;
  rest -= tensor.numNaN + tensor.numInf;
  return areBinsConsistent(tensor, rest) && areChannelsConsistent(tensor);
}

static bool readTensor(Reader &reader, const Tree &json,
                       TensorStatistics &tensor) {
  int first = 0;
  std::vector<uint64_t> bins;
  if (!reader.read(json, "count", tensor.count) ||
      !reader.read(json, "nan", tensor.numNaN) ||
      !reader.read(json, "inf", tensor.numInf) ||
      !reader.readFloat(json, "min", tensor.min) ||
      !reader.readFloat(json, "max", tensor.max) ||
      !reader.read(json, "exponent", tensor.exponent,
                   TensorStatistics::leastExponent,
                   TensorStatistics::mostExponent) ||
      !reader.read(json, "first_bin", first, 0, TensorStatistics::numBins) ||
      !reader.readList(
          json, "bins", bins,
          static_cast<size_t>(TensorStatistics::numBins - first)) ||
      !reader.read(json, "mixed_channels", tensor.mixedChannels) ||
      !reader.readList(json, "channel_mins", tensor.channelMins,
                       TensorStatistics::maxChannels) ||
      !reader.readList(json, "channel_maxs", tensor.channelMaxs,
                       TensorStatistics::maxChannels) ||
      !reader.readList(json, "channel_sums", tensor.channelSums,
                       TensorStatistics::maxChannels) ||
      !reader.readList(json, "channel_squares", tensor.channelSquares,
                       TensorStatistics::maxChannels))
    return false;
  std::copy(bins.begin(), bins.end(), tensor.bins.begin() + first);
  return isConsistent(tensor) || reader.fail("layers", "consistent");
}

static bool readHeader(Reader &reader, const Tree &json,
                       Statistics &statistics) {
  std::string format;
  int version = 0;
  if (!reader.read(json, "format", format) ||
      !reader.read(json, "format_version", version, 0, 1 << 30))
    return false;
  if (format != kFormat || version != kVersion)
    return reader.fail("format", "that of statistics which this effc knows");
  const Tree none;
  const Tree *compiler = reader.find(json, "compiler");
  const Tree *model = reader.find(json, "model");
  return reader.read(compiler ? *compiler : none, "version",
                     statistics.compilerVersion) &&
         reader.read(model ? *model : none, "file", statistics.modelFile) &&
         reader.read(model ? *model : none, "sha256", statistics.modelSha256) &&
         reader.read(model ? *model : none, "external_sha256",
                     statistics.externalSha256) &&
         reader.readList(json, "options", statistics.options, kMaxText) &&
         reader.read(json, "complete", statistics.complete);
}

static bool readBody(Reader &reader, const Tree &json, Statistics &statistics) {
  const Tree *samples = reader.find(json, "samples");
  if (!samples || !samples->is_array())
    return reader.fail("samples", "a list");
  for (const Tree &row : *samples) {
    SampleRecord sample;
    if (!reader.read(row, "name", sample.name) ||
        !reader.read(row, "sha256", sample.hash))
      return false;
    statistics.samples.push_back(std::move(sample));
  }
  const Tree *layers = reader.find(json, "layers");
  if (!layers || !layers->is_object() || layers->size() > kMaxLayers)
    return reader.fail("layers", "an object of at most 16384");
  for (const auto &[name, row] : layers->items())
    if (!readTensor(reader, row, statistics.layers[name]))
      return false;
  return true;
}

std::optional<Statistics> parseStatistics(std::string_view text,
                                          std::string &error) {
  error.clear();
  std::optional<Tree> json = parseJsonObject<Tree>(text);
  if (!json) {
    error = "it is no JSON object, or truncated";
    return std::nullopt;
  }
  Reader reader(error);
  Statistics statistics;
  if (readHeader(reader, *json, statistics) &&
      readBody(reader, *json, statistics))
    return statistics;
  return std::nullopt;
}

std::optional<Statistics> readStatistics(const std::string &path,
                                         std::string &error) {
  auto fail = [&](const std::string &reason) {
    error = "cannot read '" + path + "': " + reason;
    return std::nullopt;
  };
  errno = 0;
  std::ifstream file(path, std::ios::binary);
  std::string text;
  char piece[1 << 16];
  while (file.read(piece, sizeof(piece)) || file.gcount() > 0) {
    text.append(piece, static_cast<size_t>(file.gcount()));
    if (text.size() > kMaxFileBytes)
      return fail("it is too large for statistics");
  }
  if (!file.is_open() || file.bad() || errno == EISDIR)
    return fail(std::strerror(errno ? errno : EIO));
  std::string reason;
  auto statistics = parseStatistics(text, reason);
  if (!statistics)
    return fail(reason);
  return statistics;
}

} // namespace effc
