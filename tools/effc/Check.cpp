// effc check: what a model holds, before any code is generated.
#include "Compile.h"
#include "Console.h"
#include "Supervise.h"
#include <algorithm>
#include <cstdio>
#include <map>
#include <nlohmann/json.hpp>

namespace effc::tool {

using Json = nlohmann::ordered_json;

namespace {

struct CheckVerb {
  explicit CheckVerb(Console &console) : console(console) {}

  Console &console;
  CheckOptions options;
  SizeOptions sizes;
  bool json = false, perNode = false;

  int run();
  Json describe(const CheckResult &result) const;
  void print(const CheckResult &result) const;
};

struct Totals {
  int64_t flops = 0, bytes = 0;
  bool known = true;
};

} // namespace

static Totals addUp(const CheckResult &result) {
  Totals totals;
  for (const CheckNode &node : result.nodes) {
    totals.flops += node.flops.value_or(0);
    totals.bytes += node.bytes.value_or(0);
    totals.known &= node.flops.has_value() && node.bytes.has_value();
  }
  return totals;
}

static Json optionalNumber(const std::optional<int64_t> &value) {
  return value ? Json(*value) : Json(nullptr);
}

Json CheckVerb::describe(const CheckResult &result) const {
  Json json = Json::parse(result.signature.empty() ? "{}" : result.signature);
  Totals totals = addUp(result);
  json["operations"] = result.nodes.size();
  json["flops"] = totals.known ? Json(totals.flops) : Json(nullptr);
  json["bytes"] = totals.known ? Json(totals.bytes) : Json(nullptr);
  json["weights"] = {{"bytes", result.weightBytes},
                     {"constants", result.numConstants},
                     {"stored_bytes", result.storedWeightBytes}};
  json["launches"] = result.numLaunches;
  json["arena_bytes"] =
      result.arenaBytes ? Json(*result.arenaBytes) : Json(nullptr);
  json["estimated_ms"] =
      result.estimatedMs ? Json(*result.estimatedMs) : Json(nullptr);
  for (const CheckVersion &version : result.versions)
    json["versions"].push_back(
        {{"cpu", version.cpu},
         {"launches", version.numLaunches},
         {"stored_bytes", version.storedWeightBytes},
         {"estimated_ms",
          version.estimatedMs ? Json(*version.estimatedMs) : Json(nullptr)}});
  json["idioms"] = Json::object();
  for (const auto &[name, count] : result.idioms)
    json["idioms"][name] = count;
  json["quantizable_share"] = result.quantizableShare;
  if (perNode)
    for (const CheckNode &node : result.nodes)
      json["nodes"].push_back({{"nodes", node.name},
                               {"op", node.op},
                               {"flops", optionalNumber(node.flops)},
                               {"bytes", optionalNumber(node.bytes)}});
  return json;
}

static void printSignature(const Json &signature, const char *key) {
  if (!signature.contains(key))
    return;
  for (const Json &tensor : signature[key]) {
    std::string shape;
    for (const Json &size : tensor["shape"])
      shape += (shape.empty() ? "" : ", ") +
               (size.is_string() ? size.get<std::string>() : size.dump());
    std::printf("%-8s %s: %s [%s]\n", std::string(key, strlen(key) - 1).c_str(),
                tensor.value("name", "").c_str(),
                tensor.value("type", "").c_str(), shape.c_str());
  }
}

void CheckVerb::print(const CheckResult &result) const {
  Json signature =
      Json::parse(result.signature.empty() ? "{}" : result.signature);
  printSignature(signature, "inputs");
  printSignature(signature, "outputs");
  Totals totals = addUp(result);
  std::printf("%zu operations, %llu constants of %s\n", result.nodes.size(),
              static_cast<unsigned long long>(result.numConstants),
              formatBytes(result.weightBytes).c_str());
  if (totals.known)
    std::printf("%.4g GFLOP, %s read and written when nothing is fused\n",
                totals.flops / 1e9, formatBytes(totals.bytes).c_str());
  else
    std::printf("flops, bytes, time and memory depend on free sizes: fix them "
                "with --dim\n");
  for (const CheckVersion &version : result.versions) {
    std::printf("compiled for %s: %llu launches, weights %s",
                version.cpu.c_str(),
                static_cast<unsigned long long>(version.numLaunches),
                formatBytes(version.storedWeightBytes).c_str());
    if (result.arenaBytes)
      std::printf(", intermediate values %s",
                  formatBytes(*result.arenaBytes).c_str());
    if (version.estimatedMs)
      std::printf(", at a guess %.2g ms on one core", *version.estimatedMs);
    std::printf("\n");
  }
  for (const auto &[name, count] : result.idioms)
    std::printf("%u x %s\n", count, name.c_str());
  if (totals.flops > 0)
    std::printf("%.1f%% of the arithmetic is in contractions\n",
                100 * result.quantizableShare);
  if (!perNode)
    return;
  std::printf("%12s %12s  %-22s %s\n", "flops", "bytes", "operation", "nodes");
  for (const CheckNode &node : result.nodes)
    std::printf("%12s %12s  %-22s %s\n",
                node.flops ? std::to_string(*node.flops).c_str() : "?",
                node.bytes ? std::to_string(*node.bytes).c_str() : "?",
                node.op.c_str(), node.name.c_str());
}

int CheckVerb::run() {
  options.dims = sizes.getDims();
  options.inputShapes = sizes.getShapes();
  options.inputValues = sizes.getValues();
  return runSupervised(console, ".", [&](StageNote &note) {
    note.set("check");
    options.onDiagnostic = [&](const Diagnostic &diagnostic) {
      console.report(diagnostic);
    };
    CheckResult result = check(options);
    if (result.exitCode != 0)
      return result.exitCode;
    if (json)
      std::printf("%s\n",
                  describe(result)
                      .dump(2, ' ', false, Json::error_handler_t::replace)
                      .c_str());
    else
      print(result);
    return int(ExitDone);
  });
}

void addCheck(CLI::App &app, Console &console, Action &action) {
  CLI::App *verb = app.add_subcommand(
      "check", "Say what would be unsupported, slow or large");
  auto state = std::make_shared<CheckVerb>(console);
  verb->add_option("MODEL", state->options.model, "An ONNX file")->required();
  state->sizes.addOptions(*verb);
  verb->add_option("--cpu", state->options.cpu,
                   "The machine or machines, as for compile");
  verb->add_option("--external-data-dir", state->options.externalDataDir,
                   "Where external weights lie, instead of the model's folder "
                   "(trusted: links are followed)");
  verb->add_flag("--per-node", state->perNode, "Also list every operation");
  verb->add_flag("--json", state->json,
                 "One JSON object on standard output (docs/schema)");
  verb->footer("Example: effc check model.onnx --dim batch=1");
  verb->callback(
      [state, &action] { action = [state] { return state->run(); }; });
}

} // namespace effc::tool
