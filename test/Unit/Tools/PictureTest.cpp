// Both formats hold what was drawn; what lies outside is cut.
#include "Picture.h"
#include <gtest/gtest.h>
#include <zlib.h>

using namespace effc::tool;

namespace {

/// The dots of a PNG of Picture: two of them to a unit, no filters.
struct Dots {
  explicit Dots(const std::string &png, int width, int height)
      : row(static_cast<size_t>(width) * 2 * 3 + 1), bytes(row * height * 2) {
    size_t at = png.find("IDAT");
    uLongf size = bytes.size();
    good = at != std::string::npos &&
           uncompress(bytes.data(), &size,
                      reinterpret_cast<const Bytef *>(png.data()) + at + 4,
                      png.size() - at - 4) == Z_OK &&
           size == bytes.size();
  }
  uint32_t at(size_t x, size_t y) const {
    const uint8_t *dot = &bytes[y * row + 1 + 3 * x];
    return dot[0] << 16 | dot[1] << 8 | dot[2];
  }

  size_t row;
  std::vector<uint8_t> bytes;
  bool good = false;
};

} // namespace

TEST(Picture, PngHoldsBoxesAndDotsOfText) {
  Picture picture(20, 10);
  picture.addBox(-5, 2, 10, 100, 0x123456);
  picture.addText(10, 1, "|", 0xff0000);
  Dots dots(picture.formatPng(), 20, 10);
  ASSERT_TRUE(dots.good);
  EXPECT_EQ(dots.at(0, 3), 0xffffffu);
  EXPECT_EQ(dots.at(0, 4), 0x123456u);
  EXPECT_EQ(dots.at(9, 19), 0x123456u);
  EXPECT_EQ(dots.at(10, 19), 0xffffffu);
  // The bar of five columns is in the middle one, seven units high.
  EXPECT_EQ(dots.at(24, 2), 0xff0000u);
  EXPECT_EQ(dots.at(25, 15), 0xff0000u);
  EXPECT_EQ(dots.at(24, 16), 0xffffffu);
  EXPECT_EQ(dots.at(23, 2), 0xffffffu);
}

TEST(Picture, SvgEscapesText) {
  Picture picture(20, 10);
  picture.addText(0, 0, "a<b>&\x01\xff");
  picture.addBox(1, 2, 3, 4, 0x0000ff);
  std::string svg = picture.formatSvg();
  EXPECT_NE(svg.find(">a&lt;b&gt;&amp;?"
                     "?</text>"),
            std::string::npos);
  EXPECT_NE(svg.find("fill=\"#0000ff\""), std::string::npos);
}

TEST(Picture, UnwritableFileIsAnError) {
  std::string error;
  EXPECT_FALSE(Picture(1, 1).write("/none/of/this.png", error));
  EXPECT_NE(error.find("/none/of/this.png"), std::string::npos);
}
