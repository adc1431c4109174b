// Rows are what lies along the last axis of the first output: the scores of one
// image, or of one position of a text. Sums are in double.
#include "Metric.h"
#include "TemporaryFolder.h"
#include "Tensors.h"
#include <algorithm>
#include <cmath>
#include <filesystem>
#include <sys/wait.h>

namespace effc::tool {

const char kMetricForms[] = "cosine, mse, kl, nats, top1:LABELS.npy, "
                            "nats:LABELS.npy or command:PROGRAM";

namespace {

bool refuse(const Console &console, const std::string &message,
            const std::string &remedy = "") {
  console.fail(message, remedy, DiagnosticCode::CannotValidate);
  return false;
}

//===----------------------------------------------------------------------===//
// Of the errors
//===----------------------------------------------------------------------===//

struct CosineMetric : Metric {
  bool finish(Quality &quality, const Console &) override {
    quality.before = 1;
    quality.after = quality.outputs.front().cosine;
    return true;
  }
};

struct MseMetric : Metric {
  bool finish(Quality &quality, const Console &) override {
    quality.before = 0;
    quality.after = quality.outputs.front().mse;
    return true;
  }
};

//===----------------------------------------------------------------------===//
// Of rows
//===----------------------------------------------------------------------===//

using Row = std::vector<double>;

size_t getRowSize(const NpyArray &array) {
  return array.shape.empty() || array.shape.back() <= 0
             ? 1
             : static_cast<size_t>(array.shape.back());
}

Row getRow(const NpyArray &array, size_t row) {
  Row result(getRowSize(array));
  for (size_t i = 0; i < result.size(); ++i)
    result[i] = getElement(array, row * result.size() + i);
  return result;
}

/// The index of the largest element, the first of equals.
size_t findLargest(const Row &row) {
  return static_cast<size_t>(std::max_element(row.begin(), row.end()) -
                             row.begin());
}

/// Whether these are probabilities already, as behind a Softmax.
bool isDistribution(const Row &row) {
  double sum = 0;
  for (double element : row) {
    if (!(element >= 0))
      return false;
    sum += element;
  }
  return std::fabs(sum - 1) < 1e-3;
}

/// ln of the probabilities that scores or probabilities say.
Row takeLogarithms(Row row, bool areProbabilities) {
  if (areProbabilities) {
    for (double &element : row)
      element = std::log(element);
    return row;
  }
  double most = row[findLargest(row)], sum = 0;
  for (double element : row)
    sum += std::exp(element - most);
  for (double &element : row)
    element -= most + std::log(sum);
  return row;
}

/// The divergence of what the lossy build says from what the other says
/// (Kullback and Leibler, 1951), in nats, the mean over rows.
struct DivergenceMetric : Metric {
  size_t numRows = 0;
  double sum = 0;

  bool add(const SampleOutputs &sample, const Console &console) override {
    const NpyArray &before = sample.before.front().second,
                   &after = sample.after.front().second;
    size_t rows = getNumElements(before) / getRowSize(before);
    for (size_t i = 0; i < rows; ++i, ++numRows) {
      Row want = getRow(before, i), got = getRow(after, i);
      bool areProbabilities = isDistribution(want);
      want = takeLogarithms(std::move(want), areProbabilities);
      got = takeLogarithms(std::move(got), areProbabilities);
      for (size_t k = 0; k < want.size(); ++k)
        if (double p = std::exp(want[k]); p > 0)
          sum += p * (want[k] - got[k]);
    }
    return std::isfinite(sum) ||
           refuse(console, "the divergence has no number: an element that the "
                           "build without --quantize takes for possible has "
                           "the probability 0");
  }

  bool finish(Quality &quality, const Console &) override {
    quality.before = 0;
    quality.after = sum / static_cast<double>(std::max<size_t>(1, numRows));
    return true;
  }
};

//===----------------------------------------------------------------------===//
// Of labels
//===----------------------------------------------------------------------===//

/// Every row has a label: an index into it.
class LabelMetric : public Metric {
public:
  explicit LabelMetric(std::string file) : file(std::move(file)) {}

  bool open(const Console &console) override {
    std::string error;
    labels = readNpy(file, error);
    if (!labels)
      console.fail(error, "", DiagnosticCode::BadSamples);
    return labels.has_value();
  }

  bool add(const SampleOutputs &sample, const Console &console) override {
    const NpyArray &before = sample.before.front().second,
                   &after = sample.after.front().second;
    size_t rows = getNumElements(before) / getRowSize(before);
    if (getNumElements(*labels) - numRows < rows)
      return refuse(console, format("there are only %zu labels",
                                    getNumElements(*labels)));
    for (size_t i = 0; i < rows; ++i)
      if (!addRow(getRow(before, i), getRow(after, i),
                  getElement(*labels, numRows++), console))
        return false;
    return true;
  }

  bool finish(Quality &quality, const Console &console) override {
    if (numRows != getNumElements(*labels))
      return refuse(console, format("there are %zu labels for %zu rows of the "
                                    "first output",
                                    getNumElements(*labels), numRows));
    double rows = static_cast<double>(std::max<size_t>(1, numRows));
    quality.before = sumBefore / rows;
    quality.after = sumAfter / rows;
    return true;
  }

protected:
  virtual bool addRow(Row before, Row after, double label,
                      const Console &console) = 0;
  double sumBefore = 0, sumAfter = 0;

private:
  std::string file;
  std::optional<NpyArray> labels;
  size_t numRows = 0;
};

struct Top1Metric : LabelMetric {
  using LabelMetric::LabelMetric;
  bool addRow(Row before, Row after, double label, const Console &) override {
    sumBefore += static_cast<double>(findLargest(before)) == label;
    sumAfter += static_cast<double>(findLargest(after)) == label;
    return true;
  }
};

/// -ln of the probability of `label`, or nothing after an error.
std::optional<double> getNats(Row row, bool areProbabilities, double label,
                              const Console &console) {
  if (!(label >= 0) || label >= static_cast<double>(row.size()) ||
      label != std::floor(label)) {
    refuse(console, format("%g is no index into rows of %zu elements", label,
                           row.size()));
    return std::nullopt;
  }
  double nats = -takeLogarithms(std::move(row),
                                areProbabilities)[static_cast<size_t>(label)];
  if (!std::isfinite(nats)) {
    refuse(console, format("the label %g has the probability 0", label));
    return std::nullopt;
  }
  return nats;
}

/// Both rows beside the label that they should have foretold.
bool addNats(Row before, Row after, double label, const Console &console,
             double &sumBefore, double &sumAfter) {
  bool areProbabilities = isDistribution(before);
  auto want = getNats(std::move(before), areProbabilities, label, console);
  auto got = want ? getNats(std::move(after), areProbabilities, label, console)
                  : std::nullopt;
  if (!got)
    return false;
  sumBefore += *want;
  sumAfter += *got;
  return true;
}

struct LabelNatsMetric : LabelMetric {
  using LabelMetric::LabelMetric;
  bool addRow(Row before, Row after, double label,
              const Console &console) override {
    return addNats(std::move(before), std::move(after), label, console,
                   sumBefore, sumAfter);
  }
};

/// A language model: the row of a position foretells the next token of the
/// input, which is the input of integers that has the shape of the rows.
struct TextNatsMetric : Metric {
  size_t numTokens = 0;
  double sumBefore = 0, sumAfter = 0;

  static bool isInteger(const NpyArray &array) {
    return array.dtype == EFFRT_DTYPE_I64 || array.dtype == EFFRT_DTYPE_I32;
  }

  const NpyArray *findTokens(const SampleOutputs &sample) const {
    std::vector<int64_t> rows = sample.before.front().second.shape;
    if (rows.size() < 2)
      return nullptr;
    rows.pop_back();
    for (const auto &[name, array] : sample.inputs)
      if (isInteger(array) && array.shape == rows)
        return &array;
    return nullptr;
  }

  bool add(const SampleOutputs &sample, const Console &console) override {
    const NpyArray &before = sample.before.front().second,
                   &after = sample.after.front().second;
    const NpyArray *tokens = findTokens(sample);
    if (!tokens)
      return refuse(console,
                    "no input holds a token for each row of output '" +
                        sample.before.front().first + "'",
                    "give the labels: --metric=nats:LABELS.npy");
    size_t length = static_cast<size_t>(tokens->shape.back());
    for (size_t i = 0; i < getNumElements(*tokens); ++i) {
      if ((i + 1) % length == 0)
        continue;
      if (!addNats(getRow(before, i), getRow(after, i),
                   getElement(*tokens, i + 1), console, sumBefore, sumAfter))
        return false;
      ++numTokens;
    }
    return true;
  }

  bool finish(Quality &quality, const Console &console) override {
    if (!numTokens)
      return refuse(console, "the samples have no two tokens in a row");
    quality.before = sumBefore / static_cast<double>(numTokens);
    quality.after = sumAfter / static_cast<double>(numTokens);
    return true;
  }
};

//===----------------------------------------------------------------------===//
// Of the user
//===----------------------------------------------------------------------===//

/// Words of a shell.
std::string quote(const std::string &text) {
  std::string result = "'";
  for (char c : text)
    result += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return result + "'";
}

/// The user's program gets a folder of outputs, a file a sample, and prints a
/// number in its last line.
class CommandMetric : public Metric {
public:
  explicit CommandMetric(std::string command) : command(std::move(command)) {}
  bool open(const Console &console) override {
    std::error_code code;
    if (folder.create() &&
        std::filesystem::create_directory(folder.path + "/before", code) &&
        std::filesystem::create_directory(folder.path + "/after", code))
      return true;
    console.fail("cannot write to '" + folder.path + "'");
    return false;
  }

  bool add(const SampleOutputs &sample, const Console &console) override {
    std::string name = sample.name, error;
    if (std::filesystem::path(name).extension() != ".npz")
      name += ".npz";
    if (std::filesystem::exists(folder.path + "/before/" + name))
      return refuse(console, "two samples have this name");
    if (writeNpz(folder.path + "/before/" + name, sample.before, error) &&
        writeNpz(folder.path + "/after/" + name, sample.after, error))
      return true;
    console.fail(error);
    return false;
  }

  bool finish(Quality &quality, const Console &console) override {
    auto before = callWith("before", console);
    auto after = before ? callWith("after", console) : std::nullopt;
    if (!after)
      return false;
    quality.before = *before;
    quality.after = *after;
    return true;
  }

private:
  std::optional<double> callWith(const std::string &part,
                                 const Console &console) const {
    std::string line = command + " " + quote(folder.path + "/" + part), output;
    std::FILE *pipe = popen(line.c_str(), "re");
    if (!pipe) {
      refuse(console, "cannot start '" + command + "'");
      return std::nullopt;
    }
    char buffer[4096];
    while (size_t size = std::fread(buffer, 1, sizeof(buffer), pipe))
      output.append(buffer, size);
    int status = pclose(pipe);
    if (status) {
      refuse(console,
             "'" + command + "' failed with " +
                 (WIFEXITED(status) ? format("exit %d", WEXITSTATUS(status))
                                    : format("signal %d", WTERMSIG(status))));
      return std::nullopt;
    }
    return readNumber(output, console);
  }

  std::optional<double> readNumber(std::string text,
                                   const Console &console) const {
    while (!text.empty() &&
           std::isspace(static_cast<unsigned char>(text.back())))
      text.pop_back();
    text = text.substr(text.find_last_of('\n') + 1);
    char *end = nullptr;
    double number = std::strtod(text.c_str(), &end);
    if (!text.empty() && !*end && std::isfinite(number))
      return number;
    refuse(console, "the last line that '" + command +
                        "' prints is no number: '" + text.substr(0, 100) + "'");
    return std::nullopt;
  }

  std::string command;
  TemporaryFolder folder{"metric"};
};

/// What stands after "PREFIX:", if `text` begins so.
std::optional<std::string> takeArgument(const std::string &text,
                                        const std::string &prefix) {
  if (text.rfind(prefix + ":", 0) != 0 || text.size() <= prefix.size() + 1)
    return std::nullopt;
  return text.substr(prefix.size() + 1);
}

std::unique_ptr<Metric> createNamed(const std::string &text) {
  if (text == "cosine")
    return std::make_unique<CosineMetric>();
  if (text == "mse")
    return std::make_unique<MseMetric>();
  if (text == "kl")
    return std::make_unique<DivergenceMetric>();
  if (text == "nats")
    return std::make_unique<TextNatsMetric>();
  if (auto labels = takeArgument(text, "nats"))
    return std::make_unique<LabelNatsMetric>(*labels);
  if (auto labels = takeArgument(text, "top1"))
    return std::make_unique<Top1Metric>(*labels);
  if (auto command = takeArgument(text, "command"))
    return std::make_unique<CommandMetric>(*command);
  return nullptr;
}

} // namespace

std::unique_ptr<Metric> createMetric(const std::string &text) {
  auto metric = createNamed(text);
  if (metric)
    metric->name = text.substr(0, text.find(':'));
  return metric;
}

} // namespace effc::tool
