// Boxes and texts as an image. Two writers and a font of 5 by 7 dots need less
// than a graphics library, which would bring windows and fonts along.
#ifndef EFFC_TOOLS_EFFC_PICTURE_H
#define EFFC_TOOLS_EFFC_PICTURE_H

#include <cstdint>
#include <string>
#include <vector>

namespace effc::tool {

/// A character of a text is 6 wide and 8 high.
class Picture {
public:
  Picture(int width, int height) : width(width), height(height) {}

  /// Colours are 0xRRGGBB.
  void addBox(double x, double y, double w, double h, uint32_t color);
  /// (x, y) is the upper left corner; not ASCII becomes '?'.
  void addText(double x, double y, const std::string &text,
               uint32_t color = 0x222222);

  /// As SVG or PNG, by the end of the name.
  bool write(const std::string &path, std::string &error) const;
  std::string formatSvg() const;
  std::string formatPng() const;

private:
  struct Box {
    double x, y, w, h;
    uint32_t color;
  };
  struct Text {
    double x, y;
    std::string text;
    uint32_t color;
  };

  int width, height;
  std::vector<Box> boxes;
  std::vector<Text> texts;
};

} // namespace effc::tool

#endif // EFFC_TOOLS_EFFC_PICTURE_H
