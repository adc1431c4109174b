// Requests come from a driver that restarts the process when it dies.
#include "Server.h"
#include <iostream>
#include <nlohmann/json.hpp>

using Json = nlohmann::ordered_json;

namespace effc::test {

std::string formatVerdict(const Verdict &verdict) {
  Json json = {{"name", verdict.name},
               {"status", getStatusName(verdict.status)},
               {"message", verdict.message},
               {"compile_ms", verdict.compileMs},
               {"run_ms", verdict.runMs}};
  // JSON has no infinity.
  for (auto [key, value] : {std::pair("error", verdict.errors.absolute),
                            std::pair("relative", verdict.errors.relative)})
    json[key] = std::min(value, 1e300);
  for (const auto &[name, array] : verdict.results)
    json["results"].push_back({{"name", name},
                               {"dtype", array.dtype},
                               {"shape", array.shape},
                               {"bytes", array.data.size()}});
  return json.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
}

/// Reads exactly `size` bytes, or sets the stream's fail bit.
static std::string readBytes(const Json &size) {
  std::string bytes(size.get<size_t>(), '\0');
  std::cin.read(bytes.data(), bytes.size());
  return bytes;
}

static std::optional<TestCase> readInlineTest(const Json &request) {
  TestCase test;
  test.name = request["name"];
  test.modelPath = test.name + ".onnx";
  test.model = readBytes(request["model"]);
  DataSet data;
  for (const Json &size : request["inputs"])
    data.inputs.push_back(readBytes(size));
  for (const Json &size : request["outputs"])
    data.outputs.push_back(readBytes(size));
  test.dataSets.push_back(std::move(data));
  if (!std::cin)
    return std::nullopt;
  return test;
}

int serve(Executor &executor, const ToleranceTable &tolerances,
          ExecutorOptions options) {
  std::string line, error;
  while (std::getline(std::cin, line)) {
    Json request = Json::parse(line, nullptr, /*allow_exceptions=*/false);
    auto mode = request.is_object() ? parseMode(request.value("mode", "static"))
                                    : std::nullopt;
    bool isFolder = request.is_object() && request.contains("folder");
    if (!mode || !(isFolder || request.contains("model"))) {
      std::cerr << "effc-test: no such request: " << line << "\n";
      return 2;
    }
    options.mode = *mode;
    options.plain = request.value("plain", options.plain);
    options.optLevel = std::min(request.value("opt_level", 3u), 3u);
    auto test = isFolder ? readTestCase(request["folder"], error)
                         : readInlineTest(request);
    if (!test) {
      std::cerr << "effc-test: " << (isFolder ? error : "cut off") << "\n";
      return 2;
    }
    options.tolerance = tolerances.get(test->name);
    options.tolerance.relative =
        request.value("rtol", options.tolerance.relative);
    options.tolerance.absolute =
        request.value("atol", options.tolerance.absolute);
    options.keepResults = request.value("results", false);
    options.threads = request.value("threads", 1);
    Verdict verdict = executor.run(*test, options);
    std::cout << formatVerdict(verdict);
    for (const auto &[name, array] : verdict.results)
      std::cout.write(reinterpret_cast<const char *>(array.data.data()),
                      array.data.size());
    std::cout << std::flush;
  }
  return 0;
}

} // namespace effc::test
