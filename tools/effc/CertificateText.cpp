// Reads the JSON of docs/schema/certificate.json with checks at every step.
#include "CertificateText.h"
#include "Format.h"
#include "effc/Support/Json.h"
#include <algorithm>

namespace effc::tool {

using Json = nlohmann::ordered_json;

static std::string getText(const Json &object, const char *key) {
  return object.value(key, "");
}

static std::string describeTensors(const char *title, const Json &tensors) {
  std::string lines;
  for (const Json &tensor : tensors) {
    std::string shape;
    for (const Json &size : tensor.at("shape"))
      shape += (shape.empty() ? "" : ", ") +
               (size.is_string() ? size.get<std::string>() : size.dump());
    lines +=
        format("  %-7s %s: %s [%s]\n", title, getText(tensor, "name").c_str(),
               getText(tensor, "type").c_str(), shape.c_str());
  }
  return lines;
}

static std::string describeEntryPoint(const Json &program) {
  std::string lines =
      format("entry point %s, %zu launches", getText(program, "name").c_str(),
             program.at("launches").size());
  const Json &arena = program.at("arena_bytes");
  if (arena.is_number())
    lines += format(", %s for intermediate values",
                    formatBytes(arena.get<uint64_t>()).c_str());
  lines += "\n";
  for (const Json &symbol : program.at("symbols"))
    lines += format("  size    %s: %s to %s\n", getText(symbol, "name").c_str(),
                    symbol.at("min").dump().c_str(),
                    symbol.at("max").dump().c_str());
  lines += describeTensors("input", program.at("inputs")) +
           describeTensors("output", program.at("outputs"));
  for (const Json &state : program.value("states", Json::array()))
    lines += describeTensors("state", Json::array({state.at("before")})) +
             describeTensors("becomes", Json::array({state.at("after")}));
  for (const Json &each : program.value("approximations", Json::array()))
    lines += format("  %zu kernels by %s: %s\n", each.at("kernels").size(),
                    getText(each, "algorithm").c_str(),
                    getText(each, "error").c_str());
  return lines;
}

/// How many layers compute in what; -v of compile and the report name them.
static std::string describeQuantized(const Json &entry) {
  std::string lines;
  const Json &layers = entry.at("layers");
  for (const auto &rounding : entry.at("rounding").items()) {
    const std::string &precision = rounding.key();
    auto count =
        std::count_if(layers.begin(), layers.end(), [&](const Json &layer) {
          return layer.value("taken", false) &&
                 getText(layer, "precision") == precision;
        });
    lines += format("quantised %s: %zu of %zu layers in %s: %s\n",
                    getText(entry, "entry_point").c_str(), size_t(count),
                    layers.size(), precision.c_str(),
                    rounding.value().get<std::string>().c_str());
  }
  return lines;
}

static std::string describeKernels(const Json &kernels, bool list) {
  if (!list)
    return format("%zu kernels; -v lists them\n", kernels.size());
  std::string lines;
  for (const Json &kernel : kernels)
    lines += format("kernel %s (%s): %s\n", getText(kernel, "name").c_str(),
                    getText(kernel, "choice").c_str(),
                    getText(kernel, "nodes").c_str());
  return lines;
}

/// Only what a library with several has to say.
static std::string describeVersions(const Json &certificate) {
  Json versions = certificate.value("versions", Json::array());
  std::string lines;
  if (versions.size() > 1)
    for (const Json &version : versions)
      lines += format(
          "version %s, weights of its own %s\n",
          getText(version, "cpu").c_str(),
          formatBytes(version.at("weight_bytes").get<uint64_t>()).c_str());
  return lines;
}

static std::string describeQuality(const Json &certificate) {
  auto quality = certificate.find("quality");
  if (quality == certificate.end() || quality->is_null())
    return "";
  std::string lines = format(
      "quality on %llu samples (code for %s%s): %s %.6g, %.6g without "
      "--quantize\n",
      static_cast<unsigned long long>(quality->at("samples").get<uint64_t>()),
      getText(*quality, "version").c_str(),
      quality->value("tuned", false) ? ", tuned" : "",
      getText(*quality, "metric").c_str(), quality->at("after").get<double>(),
      quality->at("before").get<double>());
  for (const Json &output : quality->at("outputs"))
    lines +=
        format("output %s: mean squared error %.6g of %.6g, cosine %.9g\n",
               getText(output, "name").c_str(), output.at("mse").get<double>(),
               output.at("mean_square").get<double>(),
               output.at("cosine").get<double>());
  return lines;
}

static std::string describe(const Json &certificate, uint64_t libraryBytes,
                            bool kernels) {
  const Json &model = certificate.at("model");
  const Json &target = certificate.at("target");
  std::string lines =
      format("%s: compiled by effc %s for %s (%s)\n",
             getText(certificate, "name").c_str(),
             getText(certificate.at("compiler"), "version").c_str(),
             getText(target, "cpu").c_str(), getText(target, "triple").c_str());
  if (!getText(model, "file").empty())
    lines += format("from %s, sha256 %s\n", getText(model, "file").c_str(),
                    getText(model, "sha256").c_str());
  lines += format(
      "library %s, of that weights %s\n", formatBytes(libraryBytes).c_str(),
      formatBytes(certificate.at("weights").at("bytes").get<uint64_t>())
          .c_str());
  lines += describeVersions(certificate);
  for (const Json &program : certificate.at("entry_points"))
    lines += describeEntryPoint(program);
  for (const Json &pass : certificate.at("passes")) {
    std::string did = getText(pass, "did");
    lines += format("pass %s%s%s\n", getText(pass, "name").c_str(),
                    did.empty() ? "" : ": ", did.c_str());
  }
  for (const Json &each : certificate.value("quantized", Json::array()))
    lines += describeQuantized(each);
  lines += describeQuality(certificate);
  for (const Json &note : certificate.at("notes"))
    lines += format("note: %s\n", note.get<std::string>().c_str());
  return lines + describeKernels(certificate.at("kernels"), kernels);
}

std::optional<std::string> describeCertificate(const std::string &certificate,
                                               uint64_t libraryBytes,
                                               bool kernels,
                                               std::string &error) {
  std::optional<Json> json = parseJsonObject<Json>(certificate);
  if (!json) {
    error = "is damaged";
    return std::nullopt;
  }
  try {
    return describe(*json, libraryBytes, kernels);
  } catch (const Json::exception &exception) {
    error = std::string("is of another version: ") + exception.what();
    return std::nullopt;
  }
}

} // namespace effc::tool
