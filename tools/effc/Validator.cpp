// Both builds see the same samples in turn; figures are sums in double over all
// elements, as anybody can repeat with the two libraries.
#include "Validator.h"
#include "Compile.h"
#include "Machine.h"
#include "Progress.h"
#include "Samples.h"
#include <cmath>

namespace effc::tool {

void ValidateOptions::addOptions(CLI::App &verb) {
  verb.add_option("--validate", samples,
                  "Samples to compare a lossy build on with one that is not; "
                  "the certificate gets the figures");
  verb.add_option("--metric", metric,
                  std::string("Of --validate: ") + kMetricForms)
      ->needs("--validate")
      ->check([](const std::string &text) {
        return createMetric(text) ? std::string()
                                  : std::string("expected ") + kMetricForms;
      });
}

std::unique_ptr<Library> Validator::compileModel(const CompileOptions &compile,
                                                 StageNote &note) {
  CompileResult result;
  auto desc = compileIntoMemory(compiler, compile, console, note, result);
  if (!desc) {
    exitCode = result.exitCode;
    return nullptr;
  }
  return Library::create(std::move(desc), /*threads=*/0, console);
}

//===----------------------------------------------------------------------===//
// Samples
//===----------------------------------------------------------------------===//

bool Validator::addOutput(size_t index, const NpyArray &before,
                          const NpyArray &after, const Console &inside) {
  const std::string &name = quality.outputs[index].name;
  if (before.shape != after.shape) {
    inside.fail("output '" + name + "' is " + describe(after) + ", and " +
                    describe(before) + " without --quantize",
                "leave it out with --output-names",
                DiagnosticCode::CannotValidate);
    return false;
  }
  Sums &sum = sums[index];
  size_t number = getNumElements(before);
  double dot = 0, squareBefore = 0, squareAfter = 0;
  for (size_t i = 0; i < number; ++i) {
    double want = getElement(before, i), got = getElement(after, i);
    if (!std::isfinite(want) || !std::isfinite(got)) {
      // The same infinity is no error, as of scores that are masked; nor is NaN
      // in both.
      if (want == got || (std::isnan(want) && std::isnan(got)))
        continue;
      inside.fail(format("output '%s' has %g at element %zu, and %g without "
                         "--quantize",
                         name.c_str(), got, i, want),
                  "", DiagnosticCode::CannotValidate);
      return false;
    }
    dot += want * got;
    squareBefore += want * want;
    squareAfter += got * got;
    sum.error += (got - want) * (got - want);
    ++sum.elements;
  }
  sum.square += squareBefore;
  double scale = std::sqrt(squareBefore) * std::sqrt(squareAfter);
  sum.cosine += scale > 0 ? dot / scale : squareBefore == squareAfter;
  return true;
}

bool Validator::addSample(const std::string &name) {
  std::vector<std::string> unused;
  std::string error;
  auto arrays =
      readSample(options.samples, name, before->inputs, unused, error);
  if (!arrays) {
    console.fail(error, "", DiagnosticCode::BadSamples);
    return false;
  }
  hashes += hashArrays(*arrays);
  Console inside = console;
  inside.context = "sample '" + name + "': ";
  auto want = runOnce(*before, *arrays, inside);
  auto got = want ? runOnce(*after, *arrays, inside) : std::nullopt;
  if (!got)
    return false;
  for (size_t i = 0; i < want->size(); ++i)
    if (!addOutput(i, (*want)[i].second, (*got)[i].second, inside))
      return false;
  return metric->add({name, *arrays, *want, *got}, inside);
}

//===----------------------------------------------------------------------===//
// The whole
//===----------------------------------------------------------------------===//

bool Validator::finish() {
  for (size_t i = 0; i < sums.size(); ++i) {
    OutputQuality &output = quality.outputs[i];
    double elements =
        std::max<double>(1, static_cast<double>(sums[i].elements));
    output.elements = sums[i].elements;
    output.mse = sums[i].error / elements;
    output.meanSquare = sums[i].square / elements;
    output.cosine = sums[i].cosine / static_cast<double>(quality.numSamples);
  }
  NpyArray text;
  text.data.assign(hashes.begin(), hashes.end());
  quality.samplesSha256 = hashArrays({{"samples", text}});
  return metric->finish(quality, console);
}

std::optional<Quality> Validator::measure(const CompileOptions &compile,
                                          StageNote &note) {
  std::string error;
  auto names = listSamples(options.samples, error);
  if (!names) {
    console.fail(error, "", DiagnosticCode::BadSamples);
    return std::nullopt;
  }
  metric = createMetric(options.metric);
  quality.metric = metric->name;
  if (!metric->open(console))
    return std::nullopt;
  CompileOptions lossy = makeMemoryOptions(compile);
  after = compileModel(lossy, note);
  before = after ? compileModel(withoutLoss(lossy), note) : nullptr;
  if (!before)
    return std::nullopt;
  if (before->outputs.empty()) {
    console.fail("the model has no output to compare", "",
                 DiagnosticCode::CannotValidate);
    return std::nullopt;
  }
  quality.version = describeIsa(after->info.cpu_features);
  quality.tuned = !lossy.lock.empty();
  for (const effrt_tensor_info &output : before->outputs)
    quality.outputs.emplace_back().name = output.name;
  sums.resize(quality.outputs.size());
  quality.numSamples = names->size();
  note.set("validate");
  Progress progress(console);
  for (size_t i = 0; i < names->size(); ++i) {
    progress.show("sample " + (*names)[i], i + 1, names->size());
    if (!addSample((*names)[i])) {
      progress.clear();
      return std::nullopt;
    }
  }
  progress.clear();
  return finish() ? std::optional<Quality>(std::move(quality)) : std::nullopt;
}

} // namespace effc::tool
