// See Report.h. Everything shown comes from the certificate; names from models
// may hold anything and are escaped where text becomes HTML.
#include "Report.h"
#include <algorithm>
#include <cmath>
#include <map>
#include <nlohmann/json.hpp>
#include <vector>

using Json = nlohmann::ordered_json;

namespace effc {

namespace {

constexpr const char *style = R"(
:root { color-scheme: light dark; --line: #8884; --soft: #8881; --accent: #2f6fb3; --low: #2e8b57; --quiet: #888; }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 72rem; margin: 2rem auto; padding: 0 1rem; }
td { overflow-wrap: anywhere; } .name { white-space: nowrap; }
h1 { font-size: 1.7rem; margin: 0; } h2 { font-size: 1.2rem; margin: 2rem 0 .5rem; }
.sub, .note { color: var(--quiet); } code { font-size: .92em; overflow-wrap: anywhere; }
.tiles { display: flex; flex-wrap: wrap; gap: .8rem; margin: 1.2rem 0; }
.tile { border: 1px solid var(--line); border-radius: .5rem; padding: .6rem 1rem; min-width: 8rem; }
.tile b { display: block; font-size: 1.3rem; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; } th { text-align: left; font-weight: 600; }
th, td { border-bottom: 1px solid var(--line); padding: .25rem .6rem .25rem 0; vertical-align: top; }
td.number, th.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
.bar { display: inline-block; height: .7em; background: var(--accent); border-radius: 2px; }
.kind { border-radius: .3rem; padding: 0 .4rem; background: var(--soft); white-space: nowrap; }
.kind.low { background: var(--low); color: #fff; }
)";

std::string escape(const std::string &text) {
  std::string result;
  for (char c : text)
    switch (c) {
    case '&':
      result += "&amp;";
      break;
    case '<':
      result += "&lt;";
      break;
    case '>':
      result += "&gt;";
      break;
    case '"':
      result += "&quot;";
      break;
    default:
      result += c;
    }
  return result;
}

/// Text of a member, numbers as they are; "" when there is none.
std::string getText(const Json &json, const char *key) {
  auto it = json.find(key);
  if (it == json.end() || it->is_null())
    return "";
  return it->is_string() ? it->get<std::string>() : it->dump();
}

/// A list; empty when there is none.
Json getList(const Json &json, const char *key) {
  auto it = json.find(key);
  return it != json.end() && it->is_array() ? *it : Json::array();
}

std::string formatNumber(double value, int digits) {
  char buffer[32];
  std::snprintf(buffer, sizeof(buffer), "%.*g", digits, value);
  return buffer;
}

/// With the unit that leaves one to three digits before the point.
std::string formatScaled(double value, const char *unit) {
  static constexpr const char *prefixes[] = {"", "k", "M", "G", "T", "P"};
  size_t index = 0;
  while (value >= 999.5 && index + 1 < std::size(prefixes)) {
    value /= 1000;
    ++index;
  }
  return formatNumber(value, 3) + " " + prefixes[index] + unit;
}

/// A table, cell by cell; cells are HTML.
class Table {
public:
  /// Columns whose name begins with '#' hold numbers.
  explicit Table(std::vector<std::string> columns) : columns(columns) {}

  void add(std::vector<std::string> cells) { rows.push_back(std::move(cells)); }

  std::string print() const {
    std::string html = "<div class=\"wide\"><table><tr>";
    for (size_t i = 0; i < columns.size(); ++i)
      html +=
          "<th" + getClass(i) + ">" + columns[i].substr(isNumber(i)) + "</th>";
    for (const std::vector<std::string> &row : rows) {
      html += "</tr>\n<tr>";
      for (size_t i = 0; i < row.size(); ++i)
        html += "<td" + getClass(i) + ">" + row[i] + "</td>";
    }
    return html + "</tr></table></div>\n";
  }

private:
  bool isNumber(size_t i) const { return columns[i].rfind('#', 0) == 0; }
  std::string getClass(size_t i) const {
    return isNumber(i) ? " class=\"number\"" : "";
  }

  std::vector<std::string> columns;
  std::vector<std::vector<std::string>> rows;
};

std::string code(const std::string &text) {
  return "<code>" + escape(text) + "</code>";
}

std::string heading(const std::string &text) {
  return "<h2>" + escape(text) + "</h2>\n";
}

std::string paragraph(const std::string &text) {
  return "<p>" + escape(text) + "</p>\n";
}

std::string tile(const std::string &value, const std::string &what) {
  return "<div class=\"tile\"><b>" + escape(value) + "</b>" + escape(what) +
         "</div>\n";
}

std::string countOf(size_t count, const std::string &what) {
  return std::to_string(count) + " " + what + (count == 1 ? "" : "s");
}

bool isTaken(const Json &layer) { return layer.value("taken", false); }

//===----------------------------------------------------------------------===//
// Parts of the page
//===----------------------------------------------------------------------===//

std::string printHead(const Json &certificate) {
  const Json &model = certificate.at("model"),
             &target = certificate.at("target");
  return "<h1>" + escape(getText(certificate, "name")) +
         "</h1>\n<p class=\"sub\">Made of " + code(getText(model, "file")) +
         " by effc " + escape(getText(certificate.at("compiler"), "version")) +
         " for " + code(getText(target, "cpu")) + " (" +
         escape(getText(target, "triple")) +
         "). SHA-256 of the model: " + code(getText(model, "sha256")) +
         "</p>\n";
}

std::string printTiles(const Json &certificate) {
  std::string html = "<div class=\"tiles\">\n";
  auto bytes = [](const Json &json, const char *key) {
    return formatScaled(json.value(key, 0.0), "B");
  };
  if (certificate.contains("library"))
    html += tile(bytes(certificate["library"], "bytes"), "library");
  const Json &weights = certificate.at("weights");
  html += tile(bytes(weights, "bytes"), weights.value("separate", false)
                                            ? "weights beside it"
                                            : "of it weights");
  size_t launches = 0;
  for (const Json &entry : getList(certificate, "entry_points")) {
    launches = std::max(launches, getList(entry, "launches").size());
    if (entry.value("arena_bytes", Json()).is_number())
      html += tile(bytes(entry, "arena_bytes"),
                   "memory of a run of " + getText(entry, "name"));
  }
  html += tile(std::to_string(launches), "kernels in a run");
  size_t layers = 0, taken = 0;
  for (const Json &each : getList(certificate, "quantized"))
    for (const Json &layer : getList(each, "layers")) {
      ++layers;
      taken += isTaken(layer);
    }
  if (layers)
    html += tile(std::to_string(taken) + " of " + std::to_string(layers),
                 "layers with fewer bits");
  return html + "</div>\n";
}

std::string printLayers(const Json &scheme) {
  Table table({"layer", "computed in", "#estimated error", "why"});
  for (const Json &layer : getList(scheme, "layers")) {
    auto error = layer.find("error");
    table.add({code(getText(layer, "layer")),
               std::string("<span class=\"kind") +
                   (isTaken(layer) ? " low" : "") + "\">" +
                   escape(getText(layer, "precision")) + "</span>",
               error != layer.end() && error->is_number()
                   ? formatNumber(error->get<double>(), 3)
                   : "",
               escape(getText(layer, "reason"))});
  }
  return table.print();
}

std::string printPrecision(const Json &certificate) {
  std::string html = heading("Precision");
  Json schemes = getList(certificate, "quantized");
  if (schemes.empty())
    return html + paragraph("Nothing was quantised: every layer computes in "
                            "the types of the model.");
  for (const Json &scheme : schemes) {
    html +=
        "<p>Entry point " + code(getText(scheme, "entry_point")) + ".</p>\n";
    auto rounding = scheme.find("rounding");
    if (rounding != scheme.end() && rounding->is_object())
      for (const auto &[precision, text] : rounding->items())
        html += "<p>" + code(precision) + ": " +
                escape(text.is_string() ? text.get<std::string>() : "") +
                ".</p>\n";
    html += printLayers(scheme);
  }
  return html;
}

/// What --validate measured.
std::string printQuality(const Json &certificate) {
  auto quality = certificate.find("quality");
  if (quality == certificate.end() || !quality->is_object())
    return "";
  auto number = [](const Json &json, const char *key) {
    return formatNumber(json.value(key, 0.0), 6);
  };
  Table table(
      {"output", "#mean squared error", "#mean square", "#mean cosine"});
  for (const Json &output : getList(*quality, "outputs"))
    table.add({code(getText(output, "name")), number(output, "mse"),
               number(output, "mean_square"), number(output, "cosine")});
  return heading("Quality") +
         paragraph(getText(*quality, "metric") + " of the first output on " +
                   getText(*quality, "samples") +
                   " samples: " + number(*quality, "after") + ", and " +
                   number(*quality, "before") +
                   " without fewer bits, by the code for " +
                   getText(*quality, "version") + ".") +
         table.print();
}

/// What rounds beyond the model's own operations, and what the compiler warned
/// of.
std::string printCaveats(const Json &certificate) {
  std::string html;
  for (const Json &entry : getList(certificate, "entry_points"))
    for (const Json &each : getList(entry, "approximations"))
      html +=
          "<li>" +
          escape(countOf(getList(each, "kernels").size(), "kernel") + " of " +
                 getText(entry, "name") + " by " + getText(each, "algorithm") +
                 ": " + getText(each, "error")) +
          "</li>\n";
  for (const Json &note : getList(certificate, "notes"))
    if (note.is_string())
      html += "<li>" + escape(note.get<std::string>()) + "</li>\n";
  if (html.empty())
    return "";
  return heading("To know") + "<ul>\n" + html + "</ul>\n";
}

std::string formatShape(const Json &tensor) {
  std::string text = getText(tensor, "type") + " [";
  bool first = true;
  for (const Json &size : getList(tensor, "shape")) {
    text += (first ? "" : ", ") +
            (size.is_string() ? size.get<std::string>() : size.dump());
    first = false;
  }
  return text + "]";
}

std::string printSignature(const Json &entry) {
  Table table({"", "name", "type and shape"});
  auto add = [&](const std::string &role, const Json &tensor) {
    table.add({escape(role), code(getText(tensor, "name")),
               code(formatShape(tensor))});
  };
  for (const Json &tensor : getList(entry, "inputs"))
    add("input", tensor);
  for (const Json &tensor : getList(entry, "outputs"))
    add("output", tensor);
  for (const Json &state : getList(entry, "states")) {
    add("state, before a run", state.at("before"));
    add("state, after it", state.at("after"));
  }
  for (const Json &symbol : getList(entry, "symbols"))
    table.add(
        {"size", code(getText(symbol, "name")),
         escape(getText(symbol, "min") + " to " + getText(symbol, "max"))});
  return table.print();
}

/// Names of nodes, between which lines may break.
std::string breakable(const std::string &names) {
  std::string html;
  for (char c : escape(names))
    html += c == ',' ? std::string(",<wbr>") : std::string(1, c);
  return html;
}

using Kernels = std::map<std::string, const Json *>;

/// The launches of a run, with the share of its arithmetic as a bar.
std::string printLaunches(const Json &entry, const Kernels &kernels) {
  Json launches = getList(entry, "launches");
  auto getFlops = [](const Json &launch) {
    auto it = launch.find("flops");
    return it != launch.end() && it->is_number() ? it->get<double>() : 0.0;
  };
  double total = 0;
  for (const Json &launch : launches)
    total += getFlops(launch);
  Table table(
      {"kernel", "of the nodes", "made as", "#operations", "#bytes", "share"});
  for (const Json &launch : launches) {
    double flops = getFlops(launch), share = total > 0 ? flops / total : 0;
    auto kernel = kernels.find(getText(launch, "kernel"));
    bool known = kernel != kernels.end();
    auto bytes = launch.find("bytes");
    table.add(
        {"<span class=\"name\">" + code(getText(launch, "kernel")) + "</span>",
         known ? breakable(getText(*kernel->second, "nodes")) : "",
         known ? "<span class=\"name\">" +
                     escape(getText(*kernel->second, "choice")) + "</span>"
               : "",
         flops > 0 ? formatScaled(flops, "") : "",
         bytes != launch.end() && bytes->is_number()
             ? formatScaled(bytes->get<double>(), "B")
             : "",
         share >= 0.001 ? "<span class=\"bar\" style=\"width:" +
                              formatNumber(12 * share, 3) + "em\"></span>"
                        : ""});
  }
  std::string html = total > 0 ? ""
                               : paragraph("Operations and bytes depend on "
                                           "sizes that a run brings.");
  return html + table.print();
}

std::string printEntryPoints(const Json &certificate) {
  std::string html;
  Kernels kernels;
  for (const Json &kernel : certificate.at("kernels"))
    kernels[getText(kernel, "name")] = &kernel;
  for (const Json &entry : getList(certificate, "entry_points"))
    html += heading("Entry point " + getText(entry, "name")) +
            printSignature(entry) + heading("Kernels of a run") +
            printLaunches(entry, kernels);
  return html;
}

std::string printMaking(const Json &certificate) {
  std::string html = heading("How it was made") + "<p>";
  for (const Json &option : getList(certificate, "options"))
    if (option.is_string())
      html += code(option.get<std::string>()) + " ";
  html += "</p>\n";
  Table table({"stage", "afterwards"});
  for (const Json &pass : getList(certificate, "passes"))
    table.add({escape(getText(pass, "name")), escape(getText(pass, "did"))});
  return html + table.print();
}

} // namespace

std::string makeReport(const std::string &text) {
  Json certificate = Json::parse(text);
  std::string title = escape(getText(certificate, "name"));
  return "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta "
         "charset=\"utf-8\">\n<meta name=\"viewport\" "
         "content=\"width=device-width\">\n<title>" +
         title + ": effc report</title>\n<style>" + style +
         "</style>\n</head>\n<body>\n" + printHead(certificate) +
         printTiles(certificate) + printQuality(certificate) +
         printPrecision(certificate) + printCaveats(certificate) +
         printEntryPoints(certificate) + printMaking(certificate) +
         "</body>\n</html>\n";
}

} // namespace effc
