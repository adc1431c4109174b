// effc explain: what a diagnostic means, from the table of codes.
#include "Console.h"
#include <cstdio>
#include <nlohmann/json.hpp>

namespace effc::tool {

namespace {

struct ExplainVerb {
  std::string code;
  bool json = false, markdown = false;

  int run(const Console &console) const;
};

} // namespace

/// Lines of at most 80 characters.
static std::string wrap(const std::string &text) {
  std::string result;
  size_t column = 0;
  for (size_t at = 0; at < text.size();) {
    size_t end = std::min(text.find(' ', at), text.size());
    std::string word = text.substr(at, end - at);
    bool breaks = column > 0 && column + 1 + word.size() > 80;
    result += column == 0 ? "" : breaks ? "\n" : " ";
    column = (column == 0 || breaks ? 0 : column + 1) + word.size();
    result += word;
    at = end + 1;
  }
  return result + "\n";
}

static nlohmann::ordered_json toJson(const DiagnosticInfo &row) {
  return {{"code", row.code},
          {"title", row.title},
          {"explanation", row.explanation},
          {"example", row.example},
          {"remedy", row.remedy}};
}

static void printMarkdown() {
  std::printf("# Diagnostics\n\nEvery message of effc ends with its code. "
              "`effc explain CODE` prints the section of one.\n");
  for (const DiagnosticInfo &row : getDiagnosticTable())
    std::printf("\n## %s: %s\n\n%s\n\n```\n%s\n```\n\n**Remedy.** %s\n",
                row.code, row.title, row.explanation, row.example, row.remedy);
}

int ExplainVerb::run(const Console &console) const {
  if (code.empty()) {
    if (markdown) {
      printMarkdown();
      return ExitDone;
    }
    nlohmann::ordered_json list = nlohmann::ordered_json::array();
    for (const DiagnosticInfo &row : getDiagnosticTable()) {
      if (json)
        list.push_back(toJson(row));
      else
        std::printf("%s  %s\n", row.code, row.title);
    }
    if (json)
      std::printf("%s\n", list.dump(2).c_str());
    return ExitDone;
  }
  const DiagnosticInfo *row = findDiagnostic(code);
  if (!row)
    return console.fail("there is no diagnostic '" + code + "'",
                        "effc explain lists them", DiagnosticCode::BadOption);
  if (json) {
    std::printf("%s\n", toJson(*row).dump(2).c_str());
    return ExitDone;
  }
  std::printf("%s: %s\n\n%s\nExample:\n  %s\n\nRemedy:\n%s", row->code,
              row->title, wrap(row->explanation).c_str(), row->example,
              wrap(row->remedy).c_str());
  return ExitDone;
}

void addExplain(CLI::App &app, Console &console, Action &action) {
  CLI::App *verb = app.add_subcommand(
      "explain", "Say what a diagnostic means, with example and remedy");
  auto state = std::make_shared<ExplainVerb>();
  verb->add_option("CODE", state->code,
                   "Such as EFFC-E0401; without it all are listed");
  auto *json = verb->add_flag("--json", state->json, "As JSON");
  verb->add_flag("--markdown", state->markdown, "All, as a Markdown page")
      ->excludes(json);
  verb->footer("Example: effc explain EFFC-E0401");
  verb->callback([state, &console, &action] {
    action = [state, &console] { return state->run(console); };
  });
}

} // namespace effc::tool
