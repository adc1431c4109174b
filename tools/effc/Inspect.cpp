// effc inspect: what a library holds, from its table and certificate.
#include "Tensors.h"
#include <cstdio>
#include <filesystem>
#include <nlohmann/json.hpp>

namespace effc::tool {

using Json = nlohmann::ordered_json;

static void printTensors(const char *title, const Json &tensors) {
  for (const Json &tensor : tensors) {
    std::string shape;
    for (const Json &size : tensor["shape"])
      shape += (shape.empty() ? "" : ", ") +
               (size.is_string() ? size.get<std::string>() : size.dump());
    std::printf("  %-7s %s: %s [%s]\n", title, tensor.value("name", "").c_str(),
                tensor.value("type", "").c_str(), shape.c_str());
  }
}

static void printEntryPoint(const Json &program) {
  std::printf("entry point %s, %zu launches", program.value("name", "").c_str(),
              program["launches"].size());
  if (program["arena_bytes"].is_number())
    std::printf(", %s for intermediate values",
                formatBytes(program["arena_bytes"]).c_str());
  std::printf("\n");
  for (const Json &symbol : program["symbols"])
    std::printf("  size    %s: %s to %s\n", symbol.value("name", "").c_str(),
                symbol["min"].dump().c_str(), symbol["max"].dump().c_str());
  printTensors("input", program["inputs"]);
  printTensors("output", program["outputs"]);
}

static void print(const Json &certificate, uint64_t libraryBytes,
                  bool kernels) {
  const Json &model = certificate["model"];
  std::printf("%s: compiled by effc %s for %s (%s)\n",
              certificate.value("name", "").c_str(),
              certificate["compiler"].value("version", "").c_str(),
              certificate["target"].value("cpu", "").c_str(),
              certificate["target"].value("triple", "").c_str());
  if (!model.value("file", "").empty())
    std::printf("from %s, sha256 %s\n", model.value("file", "").c_str(),
                model.value("sha256", "").c_str());
  std::printf("library %s, of that weights %s\n",
              formatBytes(libraryBytes).c_str(),
              formatBytes(certificate["weights"]["bytes"]).c_str());
  for (const Json &program : certificate["entry_points"])
    printEntryPoint(program);
  for (const Json &pass : certificate["passes"])
    std::printf("pass %s%s%s\n", pass.value("name", "").c_str(),
                pass.value("did", "").empty() ? "" : ": ",
                pass.value("did", "").c_str());
  for (const Json &note : certificate["notes"])
    std::printf("note: %s\n", note.get<std::string>().c_str());
  if (!kernels) {
    std::printf("%zu kernels; -v lists them\n", certificate["kernels"].size());
    return;
  }
  for (const Json &kernel : certificate["kernels"])
    std::printf("kernel %s (%s): %s\n", kernel.value("name", "").c_str(),
                kernel.value("choice", "").c_str(),
                kernel.value("nodes", "").c_str());
}

static int inspect(const std::string &path, bool json, const Console &console) {
  auto library = Library::open(path, 1, console);
  if (!library)
    return ExitFault;
  Json certificate = Json::parse(library->info.certificate, nullptr,
                                 /*allow_exceptions=*/false);
  if (!certificate.is_object())
    return console.fail("the certificate of '" + path + "' is damaged",
                        "compile the model again",
                        DiagnosticCode::BadCertificate);
  std::error_code code;
  uint64_t bytes = std::filesystem::file_size(path, code);
  if (json) {
    certificate["library"] = {
        {"file", std::filesystem::path(path).filename().string()},
        {"bytes", bytes}};
    std::printf("%s\n", certificate.dump(2).c_str());
    return ExitDone;
  }
  try {
    print(certificate, bytes, console.verbosity > 0);
  } catch (const Json::exception &error) {
    return console.fail("the certificate of '" + path +
                            "' is of another version: " + error.what(),
                        "use the effc that compiled it, or compile again",
                        DiagnosticCode::BadCertificate);
  }
  return ExitDone;
}

void addInspect(CLI::App &app, Console &console, Action &action) {
  CLI::App *verb =
      app.add_subcommand("inspect", "Show what a compiled library holds");
  struct State {
    std::string library;
    bool json = false;
  };
  auto state = std::make_shared<State>();
  verb->add_option("LIB", state->library, "The compiled library")->required();
  verb->add_flag("--json", state->json,
                 "The certificate on standard output (docs/schema)");
  verb->footer("Example: effc inspect out/libmodel.so");
  verb->callback([state, &console, &action] {
    action = [state, &console] {
      return inspect(state->library, state->json, console);
    };
  });
}

} // namespace effc::tool
