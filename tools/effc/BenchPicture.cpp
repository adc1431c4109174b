// A bar for each engine; below, a bar for each of the slowest kernels, of which
// the dark part is the time that the machine's roofs leave it at least.
#include "BenchReport.h"
#include "Format.h"
#include "Picture.h"
#include <algorithm>

namespace effc::tool {

constexpr int pictureWidth = 720, barLeft = 230, barWidth = 330;
constexpr int lineHeight = 14;
constexpr size_t mostKernels = 24;
constexpr uint32_t ownColor = 0x2b6cb0, otherColor = 0xa0aec0;
constexpr uint32_t darkColor = 0x2c5282, lightColor = 0x90cdf4;
constexpr uint32_t quietText = 0x666666;

static bool endsWith(const std::string &text, const std::string &end) {
  return text.size() > end.size() &&
         text.compare(text.size() - end.size(), end.size(), end) == 0;
}

std::string checkPictureName(const std::string &path) {
  return endsWith(path, ".png") || endsWith(path, ".svg")
             ? ""
             : "'" + path + "': expected a name that ends in .png or .svg";
}

static std::string shorten(const std::string &text, size_t length) {
  return text.size() <= length ? text : text.substr(0, length - 3) + "...";
}

namespace {

/// Lines from top to bottom.
class Drawing {
public:
  Drawing(const Json &result, int height)
      : picture(pictureWidth, height), result(result) {}

  void drawTitle() {
    int threads = result["threads"].get<int>();
    text(result["name"].get<std::string>() +
         format(", %d thread%s", threads, threads == 1 ? "" : "s"));
    quiet(result["cpu"].get<std::string>() + ", code for " +
          result["isa"].get<std::string>());
    if (result.contains("score") && !result["score"].is_null())
      quiet(format("score %.3f (the fastest other engine's time over effc's)",
                   result["score"].get<double>()));
    skip();
  }

  void drawEngines() {
    double longest = result["median_ms"].get<double>();
    if (result.contains("peers"))
      for (const Json &peer : result["peers"])
        longest = std::max(longest, peer.value("median_ms", 0.0));
    drawEngine("effc", result, longest, ownColor);
    if (result.contains("peers"))
      for (const auto &[name, peer] : result["peers"].items())
        drawEngine(name, peer, longest, otherColor);
    skip();
  }

  void drawKernels() {
    const Json &kernels = result["kernels"];
    double gflops = result["roofline"]["gflops"].get<double>();
    double gbs = result["roofline"]["gbs"].get<double>();
    text("kernels; dark: the time at the roof");
    quiet(format("roofs: %.1f GFLOP/s, %.1f GB/s", gflops, gbs));
    double total = 0;
    for (const Json &row : kernels)
      total += row["ms"].get<double>();
    size_t count = std::min(mostKernels, kernels.size());
    for (size_t i = 0; i < count; ++i)
      drawKernel(kernels[i], kernels[0]["ms"].get<double>(), total);
    if (kernels.size() > count)
      quiet(format("and %zu more", kernels.size() - count));
  }

  Picture picture;

private:
  void text(const std::string &line) {
    picture.addText(16, y, shorten(line, (pictureWidth - 32) / 6));
    y += lineHeight;
  }
  void quiet(const std::string &line) {
    picture.addText(16, y, shorten(line, (pictureWidth - 32) / 6), quietText);
    y += lineHeight;
  }
  void skip() { y += lineHeight / 2; }

  void drawEngine(const std::string &name, const Json &times, double longest,
                  uint32_t color) {
    picture.addText(16, y, name);
    if (times.contains("error")) {
      picture.addText(barLeft, y, "not timed", quietText);
    } else {
      double ms = times["median_ms"].get<double>();
      double length = longest > 0 ? barWidth * ms / longest : 0;
      picture.addBox(barLeft, y - 1, length, lineHeight - 4, color);
      bool counts = times.value("agrees", true);
      picture.addText(barLeft + length + 6, y,
                      format("%.4g ms%s", ms, counts ? "" : ", differs"));
    }
    y += lineHeight;
  }

  void drawKernel(const Json &row, double longest, double total) {
    double ms = row["ms"].get<double>();
    double length = longest > 0 ? barWidth * ms / longest : 0;
    double share = std::min(1.0, row["roof_share"].get<double>());
    std::string nodes = row["nodes"].get<std::string>();
    picture.addText(
        16, y,
        shorten(nodes.empty() ? row["kernel"].get<std::string>() : nodes, 34));
    picture.addBox(barLeft, y - 1, length, lineHeight - 4, lightColor);
    picture.addBox(barLeft, y - 1, length * share, lineHeight - 4, darkColor);
    picture.addText(barLeft + length + 6, y,
                    format("%.4g ms %2.0f%% %s", ms,
                           total > 0 ? 100 * ms / total : 0.0,
                           row["limit"].get<std::string>().c_str()));
    y += lineHeight;
  }

  const Json &result;
  int y = 14;
};

} // namespace

bool writeBenchPicture(const Json &result, const std::string &path,
                       std::string &error) {
  bool kernels = result.contains("kernels") && !result["kernels"].empty();
  size_t lines = 5 + (result.contains("peers") ? result["peers"].size() : 0);
  if (kernels)
    lines += 4 + std::min(mostKernels, result["kernels"].size());
  Drawing drawing(result, static_cast<int>(lines) * lineHeight + 28);
  drawing.drawTitle();
  drawing.drawEngines();
  if (kernels)
    drawing.drawKernels();
  return drawing.picture.write(path, error);
}

} // namespace effc::tool
