// effc inspect: what a library holds, from its table and certificate.
#include "CertificateText.h"
#include "Tensors.h"
#include <cstdio>
#include <filesystem>
#include <nlohmann/json.hpp>

namespace effc::tool {

using Json = nlohmann::ordered_json;

static int printJson(const Library &library, const std::string &path,
                     uint64_t bytes, const Console &console) {
  Json certificate = Json::parse(library.info.certificate, nullptr,
                                 /*allow_exceptions=*/false);
  if (!certificate.is_object())
    return console.fail("the certificate of '" + path + "' is damaged",
                        "compile the model again",
                        DiagnosticCode::BadCertificate);
  certificate["library"] = {
      {"file", std::filesystem::path(path).filename().string()},
      {"bytes", bytes}};
  std::printf("%s\n", certificate.dump(2).c_str());
  return ExitDone;
}

static int inspect(const std::string &path, bool json, const Console &console) {
  auto library = Library::open(path, 1, console);
  if (!library)
    return ExitFault;
  std::error_code code;
  uint64_t bytes = std::filesystem::file_size(path, code);
  if (json)
    return printJson(*library, path, bytes, console);
  std::string error;
  std::optional<std::string> text = describeCertificate(
      library->info.certificate, bytes, console.verbosity > 0, error);
  if (!text)
    return console.fail("the certificate of '" + path + "' " + error,
                        "use the effc that compiled it, or compile again",
                        DiagnosticCode::BadCertificate);
  std::fputs(text->c_str(), stdout);
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
