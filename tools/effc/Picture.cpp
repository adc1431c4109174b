// SVG as text; PNG (ISO 15948) as one deflated block of rows, two dots to a
// unit.
#include "Picture.h"
#include "Format.h"
#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <fstream>
#include <zlib.h>

namespace effc::tool {

/// Printable ASCII: five columns a character, the lowest bit on top.
static const uint8_t font[95][5] = {
#include "Font.inc"
};

constexpr int scale = 2;

void Picture::addBox(double x, double y, double w, double h, uint32_t color) {
  boxes.push_back({x, y, w, h, color});
}

void Picture::addText(double x, double y, const std::string &text,
                      uint32_t color) {
  std::string ascii = text;
  for (char &c : ascii)
    if (c < ' ' || c > '~')
      c = '?';
  texts.push_back({x, y, ascii, color});
}

static std::string escape(const std::string &text) {
  std::string result;
  for (char c : text)
    result += c == '<'   ? "&lt;"
              : c == '>' ? "&gt;"
              : c == '&' ? "&amp;"
                         : std::string(1, c);
  return result;
}

std::string Picture::formatSvg() const {
  std::string svg =
      format("<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" "
             "height=\"%d\" font-family=\"monospace\" font-size=\"10\">\n"
             "<rect width=\"%d\" height=\"%d\" fill=\"#ffffff\"/>\n",
             width, height, width, height);
  for (const Box &box : boxes)
    svg += format("<rect x=\"%.2f\" y=\"%.2f\" width=\"%.2f\" height=\"%.2f\" "
                  "fill=\"#%06x\"/>\n",
                  box.x, box.y, box.w, box.h, box.color);
  for (const Text &text : texts)
    svg += format("<text xml:space=\"preserve\" x=\"%.2f\" y=\"%.2f\" "
                  "fill=\"#%06x\">%s</text>\n",
                  text.x, text.y + 8, text.color, escape(text.text).c_str());
  return svg + "</svg>\n";
}

namespace {

/// Rows of dots, each with the filter byte 0 of PNG in front.
class Dots {
public:
  Dots(int width, int height)
      : width(width), height(height),
        bytes(static_cast<size_t>(height) * (3 * width + 1), 255) {
    for (int y = 0; y < height; ++y)
      bytes[static_cast<size_t>(y) * (3 * width + 1)] = 0;
  }

  void fill(double x, double y, double w, double h, uint32_t color) {
    int left = toDot(x, width), right = toDot(x + w, width);
    int top = toDot(y, height), bottom = toDot(y + h, height);
    for (int row = top; row < bottom; ++row)
      for (int column = left; column < right; ++column) {
        uint8_t *dot = &bytes[static_cast<size_t>(row) * (3 * width + 1) + 1 +
                              3 * static_cast<size_t>(column)];
        dot[0] = color >> 16;
        dot[1] = color >> 8;
        dot[2] = color;
      }
  }

  const std::vector<uint8_t> &getBytes() const { return bytes; }

private:
  static int toDot(double at, int limit) {
    return std::clamp(static_cast<int>(std::lround(at * scale)), 0, limit);
  }

  int width, height;
  std::vector<uint8_t> bytes;
};

} // namespace

static std::string formatNumber(uint32_t value) {
  return {static_cast<char>(value >> 24), static_cast<char>(value >> 16),
          static_cast<char>(value >> 8), static_cast<char>(value)};
}

static std::string formatChunk(const std::string &type,
                               const std::string &data) {
  std::string body = type + data;
  uint32_t sum = crc32(0, reinterpret_cast<const Bytef *>(body.data()),
                       static_cast<uInt>(body.size()));
  return formatNumber(static_cast<uint32_t>(data.size())) + body +
         formatNumber(sum);
}

std::string Picture::formatPng() const {
  Dots dots(width * scale, height * scale);
  for (const Box &box : boxes)
    dots.fill(box.x, box.y, box.w, box.h, box.color);
  for (const Text &text : texts)
    for (size_t i = 0; i < text.text.size(); ++i)
      for (int column = 0; column < 5; ++column)
        for (int row = 0; row < 7; ++row)
          if (font[text.text[i] - ' '][column] >> row & 1)
            dots.fill(text.x + 6.0 * static_cast<double>(i) + column,
                      text.y + row, 1, 1, text.color);
  const std::vector<uint8_t> &bytes = dots.getBytes();
  uLongf size = compressBound(bytes.size());
  std::string packed(size, '\0');
  (void)compress2(reinterpret_cast<Bytef *>(packed.data()), &size, bytes.data(),
                  bytes.size(), Z_BEST_COMPRESSION);
  packed.resize(size);
  // Eight bits of red, green, blue; no interlacing.
  std::string header = formatNumber(width * scale) +
                       formatNumber(height * scale) +
                       std::string("\x08\x02\x00\x00\x00", 5);
  return "\x89PNG\r\n\x1a\n" + formatChunk("IHDR", header) +
         formatChunk("IDAT", packed) + formatChunk("IEND", "");
}

bool Picture::write(const std::string &path, std::string &error) const {
  bool isSvg = path.size() > 4 && path.compare(path.size() - 4, 4, ".svg") == 0;
  std::ofstream file(path, std::ios::binary);
  file << (isSvg ? formatSvg() : formatPng());
  file.close();
  if (!file)
    error = "cannot write '" + path + "': " + std::strerror(errno);
  return static_cast<bool>(file);
}

} // namespace effc::tool
