// Statistics: independent of order and grouping, there and back through the
// file, and an error for any damage.
#include "effc/Support/Statistics.h"

#include "gtest/gtest.h"

#include <cmath>
#include <filesystem>
#include <limits>
#include <numeric>
#include <random>
#include <sys/resource.h>
#include <unistd.h>

using namespace effc;

namespace {

constexpr float infinity = std::numeric_limits<float>::infinity();
constexpr float nan = std::numeric_limits<float>::quiet_NaN();

/// Small integers times powers of two, whose squares sum without rounding.
std::vector<float> makeValues(size_t number, unsigned seed) {
  std::mt19937 random(seed);
  std::vector<float> values(number);
  for (float &value : values) {
    int exponent = static_cast<int>(random() % 12) - 4;
    value = std::ldexp(
        static_cast<float>(static_cast<int>(random() % 255) - 127), exponent);
  }
  return values;
}

TensorStatistics collect(const std::vector<float> &values, size_t channels) {
  TensorStatistics statistics;
  statistics.add(values.data(), values.size(), channels);
  return statistics;
}

TEST(Statistics, Counts) {
  TensorStatistics one = collect({1, -2, 0.5, nan, -infinity, 3}, 3);
  EXPECT_EQ(one.count, 6u);
  EXPECT_EQ(one.numNaN, 1u);
  EXPECT_EQ(one.numInf, 1u);
  EXPECT_EQ(one.min, -2.0f);
  EXPECT_EQ(one.max, 3.0f);
  EXPECT_EQ(one.exponent, 2);
  EXPECT_EQ(one.channelMins, (std::vector<float>{0, -2, 0}));
  EXPECT_EQ(one.channelMaxs, (std::vector<float>{1, 0, 3}));
  EXPECT_EQ(one.channelSums, (std::vector<double>{1, -2, 3.5}));
  EXPECT_EQ(one.channelSquares, (std::vector<double>{1, 4, 9.25}));
  EXPECT_EQ(std::accumulate(one.bins.begin(), one.bins.end(), uint64_t(0)),
            one.getNumFinite());
}

TEST(Statistics, BinsHoldTheirValues) {
  for (float value : {0.0f, -0.0f, 1.0f, -1.0f, 0.999f, 1e-45f, -1e-45f, 3e38f,
                      -3e38f, 1024.0f, -0.1f}) {
    TensorStatistics one = collect({value}, 0);
    int bin = 0;
    while (one.bins[bin] == 0)
      ++bin;
    EXPECT_LE(one.getBinStart(bin), value);
    EXPECT_GT(one.getBinStart(bin) + one.getBinWidth(), value);
  }
  EXPECT_EQ(collect({0.0f, -0.0f}, 0), collect({-0.0f, 0.0f}, 0));
}

TEST(Statistics, DoesNotDependOnOrder) {
  std::vector<float> values = makeValues(6000, 1);
  TensorStatistics whole = collect(values, 10);
  std::vector<float> turned(values.rbegin(), values.rend());
  TensorStatistics backwards;
  for (size_t i = 0; i < values.size(); i += 10) {
    std::vector<float> row(values.end() - static_cast<long>(i) - 10,
                           values.end() - static_cast<long>(i));
    backwards.add(row.data(), row.size(), 10);
  }
  EXPECT_EQ(whole, backwards);
  TensorStatistics merged = collect({}, 10);
  for (size_t i = 0; i < values.size(); i += 600) {
    TensorStatistics part;
    part.add(values.data() + i, 600, 10);
    merged.merge(part);
  }
  EXPECT_EQ(whole, merged);
  EXPECT_EQ(collect(turned, 0).bins, whole.bins);
}

TEST(Statistics, ChannelsOfOneSize) {
  TensorStatistics one = collect(makeValues(12, 2), 3);
  EXPECT_EQ(one.getNumChannels(), 3u);
  std::vector<float> more = makeValues(12, 3);
  one.add(more.data(), more.size(), 4);
  EXPECT_TRUE(one.mixedChannels && one.channelMins.empty());
  one.add(more.data(), more.size(), 3);
  EXPECT_TRUE(one.channelMins.empty());
  EXPECT_TRUE(collect(more, 0).mixedChannels);
  EXPECT_TRUE(collect(makeValues(20000, 1), TensorStatistics::maxChannels + 1)
                  .mixedChannels);
  TensorStatistics none = collect(more, 3);
  none.merge(one);
  EXPECT_TRUE(none.mixedChannels);
}

Statistics makeStatistics() {
  Statistics statistics;
  statistics.compilerVersion = "1.0";
  statistics.modelFile = "m.onnx";
  statistics.modelSha256 = std::string(64, 'a');
  statistics.options = {"--dim=batch=1"};
  statistics.complete = true;
  statistics.samples = {{"a.npz", "00"}, {"b \"quoted\"\n", "11"}};
  statistics.layers["conv"] = collect(makeValues(500, 4), 5);
  statistics.layers["odd"] = collect({0.1f, 1.0f / 3, 1e-42f, nan}, 2);
  statistics.layers["odd"].channelSquares[0] = 1.0 / 3;
  statistics.layers["none"] = collect({nan, infinity}, 0);
  statistics.layers["unseen"] = TensorStatistics();
  return statistics;
}

std::string refusal(const std::string &text) {
  std::string error;
  EXPECT_FALSE(parseStatistics(text, error)) << text.substr(0, 200);
  EXPECT_FALSE(error.empty());
  return error;
}

std::string replace(std::string text, const std::string &from,
                    const std::string &to) {
  size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return text.replace(at, from.size(), to);
}

TEST(Statistics, ThereAndBack) {
  Statistics statistics = makeStatistics();
  std::string text = printStatistics(statistics), error;
  auto again = parseStatistics(text, error);
  ASSERT_TRUE(again) << error;
  EXPECT_EQ(again->layers, statistics.layers);
  EXPECT_EQ(again->samples[1].name, statistics.samples[1].name);
  EXPECT_EQ(again->options, statistics.options);
  EXPECT_EQ(printStatistics(*again), text);
}

TEST(Statistics, RefusesDamage) {
  std::string text = printStatistics(makeStatistics()), error;
  for (size_t size = 0; size + 2 < text.size(); size += 1 + size / 50)
    (void)refusal(text.substr(0, size));
  (void)refusal(std::string(100000, '['));
  (void)refusal(replace(text, "effc-statistics", "effc-lock"));
  (void)refusal(
      replace(text, "\"format_version\": 2", "\"format_version\": 1"));
  (void)refusal(replace(text, "\"exponent\":", "\"exponent\":1000,\"was\":"));
  (void)refusal(replace(text, "\"min\":", "\"min\":1e300,\"was\":"));
  (void)refusal(replace(text, "\"min\":", "\"min\":\"nan\",\"was\":"));
  (void)refusal(replace(text, "\"first_bin\":", "\"first_bin\":4096,\"was\":"));
  (void)refusal(replace(text, "\"first_bin\":", "\"first_bin\":-1,\"was\":"));
  EXPECT_EQ(refusal(replace(text, "\"count\":500", "\"count\":501")),
            "'layers' is missing or not consistent");
  // A least value that is in another bin, and channels beyond the range.
  (void)refusal(replace(text, "\"min\":-", "\"min\":-0.000"));
  (void)refusal(replace(text, "\"channel_maxs\":[", "\"channel_maxs\":[9e9,"));
  (void)refusal(replace(text, "\"channel_mins\":[-", "\"channel_mins\":["));
  (void)refusal(replace(text, "\"count\":500", "\"count\":1.5"));
  (void)refusal(replace(text, "\"count\":500", "\"count\":-1"));
  (void)refusal(replace(text, "\"samples\": [", "\"samples\": [7,"));
  (void)refusal(
      replace(text, "\"mixed_channels\":false", "\"mixed_channels\":true"));
  // Any other byte may be harmless, but nothing crashes.
  std::mt19937 random(5);
  for (int i = 0; i < 2000; ++i) {
    std::string damaged = text;
    damaged[random() % damaged.size()] = static_cast<char>(random());
    (void)parseStatistics(damaged, error);
  }
}

TEST(Statistics, WritesAllOrNothing) {
  std::string folder =
      testing::TempDir() + "statistics-" + std::to_string(getpid());
  std::filesystem::create_directory(folder);
  std::string path = folder + "/s.json", error;
  ASSERT_TRUE(writeStatistics(path, makeStatistics(), error)) << error;
  rlimit before;
  getrlimit(RLIMIT_FSIZE, &before);
  rlimit little = {1000, before.rlim_max};
  auto *handler = signal(SIGXFSZ, SIG_IGN);
  setrlimit(RLIMIT_FSIZE, &little);
  bool isWritten = writeStatistics(path, Statistics(), error) &&
                   writeStatistics(path, makeStatistics(), error);
  setrlimit(RLIMIT_FSIZE, &before);
  (void)signal(SIGXFSZ, handler);
  EXPECT_FALSE(isWritten);
  EXPECT_EQ(error, "cannot write '" + path + "': File too large");
  auto again = readStatistics(path, error);
  ASSERT_TRUE(again) << error;
  EXPECT_TRUE(again->layers.empty());
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder),
                          std::filesystem::directory_iterator()),
            1);
  EXPECT_FALSE(readStatistics(folder, error));
  EXPECT_EQ(error, "cannot read '" + folder + "': Is a directory");
  EXPECT_FALSE(readStatistics(folder + "/absent", error));
  EXPECT_FALSE(writeStatistics(folder + "/absent/s.json", Statistics(), error));
  std::filesystem::remove_all(folder);
}

} // namespace
